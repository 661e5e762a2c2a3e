import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from moderation.classifier.artifact import DEFAULT_ARTIFACT
from moderation.config import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def documented() -> dict[str, tuple[str, str]]:
    """Default and meaning by variable, as the document has them."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) ?\| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {name: (default, meaning) for name, default, meaning in rows}


def test_the_document_has_every_setting_and_no_other() -> None:
    assert list(documented()) == [f"MODERATION_{name.upper()}" for name in Settings.model_fields]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_document_tells_the_default(name: str) -> None:
    default = Settings.model_fields[name].default
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    written, meaning = documented()[f"MODERATION_{name.upper()}"]
    if default == DEFAULT_ARTIFACT:
        assert written == "the model that ships"
    else:
        assert written == (f"`{default}`" if default != "" else "")
    assert meaning.endswith(".")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_document_tells_the_bounds(name: str) -> None:
    bounds = {
        type(bound).__name__: getattr(bound, type(bound).__name__.lower())
        for bound in Settings.model_fields[name].metadata
        if type(bound).__name__ in ("Ge", "Le")
    }
    if bounds:
        _, meaning = documented()[f"MODERATION_{name.upper()}"]
        assert f"{bounds['Ge']} to {bounds['Le']}" in meaning
