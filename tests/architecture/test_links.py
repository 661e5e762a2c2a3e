"""Links between the project's documents lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
NOT_OURS = {"vendor", "node_modules", "var"}

DOCUMENTS = [
    path
    for path in sorted(ROOT.rglob("*.md"))
    if not any(part in NOT_OURS or part.startswith(".") for part in path.relative_to(ROOT).parts)
]


def prose(document: Path) -> str:
    """What is read as Markdown: without blocks of code, fenced or indented, and code in lines."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"(?<=\n\n)(?: {4}.*\n+)+", "", text)
    return re.sub(r"`[^`]*`", "code", text)


def links(document: Path) -> Iterator[tuple[Path, str]]:
    """What each relative link means, and the heading that it names; empty where it names none."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if not re.match(r"[a-z]+:", target):
            place, _, heading = target.partition("#")
            yield (document.parent / unquote(place)).resolve() if place else document, heading


def headings(document: Path) -> set[str]:
    """The names that a document's headings get: in small letters, without punctuation, with
    hyphens for blanks."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(document: Path) -> None:
    nowhere = [
        f"{target}#{heading}"
        for target, heading in links(document)
        if not (target.exists() and (not heading or heading in headings(target)))
    ]
    assert nowhere == []


def test_links_are_found() -> None:
    assert sum(len(list(links(document))) for document in DOCUMENTS) > 100
