"""Word lists of our own, for training; the model keeps hashes of them only."""

import tomllib
from importlib.resources import files

from moderation.classifier.features import GROUP, NOT, YOU


def marked() -> dict[str, int]:
    """Words with a part of their own (see `features.Tables`)."""
    parts = tomllib.loads(files(__name__).joinpath("parts.toml").read_text("utf-8"))
    return (
        dict.fromkeys(groups(), GROUP)
        | dict.fromkeys(parts["not"], NOT)
        | dict.fromkeys(parts["you"], YOU)
    )


def groups() -> list[str]:
    """Terms for groups of people, plurals included."""
    lines = files(__name__).joinpath("groups.txt").read_text("utf-8").splitlines()
    terms = [term for line in lines if not line.startswith("#") for term in line.split()]
    return terms + [f"{term}s" for term in terms if not term.endswith(("s", "men"))]
