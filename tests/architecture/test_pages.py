import re
from pathlib import Path

import pytest

import moderation

PACKAGE = Path(moderation.__file__).parent
FILES = sorted(
    path for folder in ("templates", "static") for path in (PACKAGE / folder).rglob("*.*")
)

# The name of SVG's vocabulary: nothing is fetched from it.
NAMES = ("http://www.w3.org/2000/svg",)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_page_fetches_nothing_from_another_host(path: Path) -> None:
    text = path.read_text()
    for name in NAMES:
        text = text.replace(name, "")
    assert re.findall(r"""(?:https?:)?//[\w.-]+\.\w+|url\(\s*['"]?(?!data:)//""", text) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_page_runs_and_styles_nothing_inline(path: Path) -> None:
    # The Content-Security-Policy would block it.
    if path.suffix == ".html":
        text = path.read_text()
        assert (
            re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", text) == []
        )
        assert "|safe" not in text.replace(" ", "")


def test_there_are_pages_to_look_at() -> None:
    assert {path.suffix for path in FILES} >= {".html", ".css", ".js", ".svg"}
