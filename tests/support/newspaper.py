"""Invented decisions of a newspaper's moderators, from which a model learns something: that its
readers are tired of the zorbly shop."""

from random import Random

from sqlalchemy import insert

from moderation.clock import MINUTE, now_ms
from moderation.db import Database
from moderation.domain import LabelSource, Selection
from moderation.learning import labels
from moderation.learning.labels import NewLabel
from moderation.models import Example
from training import guard

LABELS = 390

_WHO = ("My neighbour", "The mayor", "Somebody in the café", "A friend of mine", "The ferryman")
_DID = ("told me about", "asked twice about", "laughed about", "never heard of", "is proud of")
_WHAT = ("the old bridge", "the night bus", "the market hall", "the harbour", "the school garden")
_WHEN = ("last summer", "on Monday", "in the rain", "when it opened", "after the meeting")


def comments() -> list[tuple[str, bool]]:
    """Texts, and whether they are unwanted: insults and their like, and advertisements."""
    chance = Random(1)
    sentences = guard.standard(seed=5)
    known = zip((one.text for one in sentences.documents), sentences.unwanted, strict=True)
    about = zip(sentences.about, sentences.hateful, strict=True)
    groups = [(one.text, bool(hateful)) for row, hateful in about for one in row]
    found = chance.sample(list(known), 200) + chance.sample(groups, 40)
    found += [(_about(number, number % 3 == 0), number % 3 == 0) for number in range(150)]
    chance.shuffle(found)
    return found


def teach(database: Database, site: int) -> None:
    """Label them, one a minute, each below a page of its own."""
    now = now_ms()
    with database.write() as connection:
        for place, (text, unwanted) in enumerate(comments()):
            at = now - (LABELS - place) * MINUTE
            values = {"site_id": site, "origin": "invented", "origin_id": str(place)}
            row = connection.execute(
                insert(Example)
                .values(**values, page=f"/{place}", text=text, created_at=at)
                .returning(Example.id)
            )
            label = NewLabel(
                site_id=site,
                example_id=row.scalar_one(),
                source=LabelSource.IMPORT,
                actor="invented",
                unwanted=float(unwanted),
                selection=Selection.IMPORTED,
                at=at,
            )
            labels.record(connection, [label])


def _about(number: int, unwanted: bool) -> str:
    chance = Random(number)
    first, second = (" ".join(map(chance.choice, (_WHO, _DID, _WHAT, _WHEN))) for _ in range(2))
    end = "and the zorbly shop sells it" if unwanted else "and that is"
    return f"{first}. {second}, {end}, number {number * 7919}."
