import csv
import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from moderation.classifier.prediction import REJECT, Document, Reason
from training import recipe
from training.datasets import formats
from training.datasets.loading import load_set
from training.recipe import SetRecipe


def lines(path: Path, *rows: object) -> SetRecipe:
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return SetRecipe(
        name="set", file=path.name, reader="toxic_or_not", licence="MIT", attribution="Nobody"
    )


def test_bad_rows_are_counted_with_their_line_numbers(tmp_path: Path) -> None:
    item = lines(
        tmp_path / "set.jsonl",
        {"text": "fine", "label": 0},
        "{broken",
        {"text": "no label"},
        [1, 2],
        {"text": "bad label", "label": "yes"},
        {"text": "  ", "label": 1},
        {"text": "also fine", "label": 1},
    )
    loaded = load_set(tmp_path, item)
    assert [record.document.text for record in loaded.records] == ["fine", "also fine"]
    assert loaded.skipped.lines == {
        "not JSON": [2],
        "unreadable (KeyError)": [3],
        "not an object": [4],
        "unreadable (ValueError)": [5],
        "empty text": [6],
    }
    assert len(loaded.skipped) == 5


def test_rows_the_recipe_excludes_are_counted_too(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": 0, "split": part} for part in ("rated", "reported")]
    item = lines(tmp_path / "set.jsonl", *rows).model_copy(
        update={"exclude": {"split": "reported"}}
    )
    loaded = load_set(tmp_path, item)
    assert len(loaded.records) == 1
    assert loaded.skipped.lines == {"excluded by the recipe": [2]}


def test_near_repeats_are_one_group(tmp_path: Path) -> None:
    item = lines(
        tmp_path / "set.jsonl",
        {"text": "Hello, world!", "label": 0},
        {"text": "hello world", "label": 0},
        {"text": "hello moon", "label": 0},
    )
    one, same, other = load_set(tmp_path, item).records
    assert one.group == same.group != other.group


def test_jigsaw_any_label_is_a_rejection() -> None:
    names = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
    labels, _ = formats.jigsaw({"labels": dict.fromkeys(names, 0) | {"threat": 1}})
    assert labels[Reason.THREAT] == labels[REJECT] == 1
    assert labels[Reason.INSULT] == 0


def test_civil_borderline_rows_say_nothing_of_toxicity() -> None:
    labels, _ = formats.civil({"label": 0, "reason": "not_toxic_majority"})
    assert labels == {Reason.SPAM: 0.0}


def test_what_news_readers_call_hate_speech_is_a_task_of_its_own() -> None:
    labels, group = formats.fox({"label": 0, "article": "An article"})
    assert group == "An article"
    assert labels[formats.NEWS] == 0
    assert Reason.IDENTITY_ATTACK not in labels


def test_tweets_take_the_shares_of_their_raters() -> None:
    labels, _ = formats.davidson({"votes": [1, 1, 2]})
    assert labels[formats.TWEET_OFFENSIVE] == labels[REJECT] == 0.5
    assert labels[formats.TWEET_HATE] == 0.25


def test_the_perspective_score_may_be_a_string() -> None:
    labels, _ = formats.context({"label": 1, "perspective_score": "0.5"})
    assert labels[formats.PERSPECTIVE] == 0.5
    assert labels[REJECT] == 0.75


@pytest.mark.parametrize(
    ("row", "group"), [({"page": "p"}, "p"), ({"split": "video"}, "video"), ({}, "")]
)
def test_spam_is_grouped_by_page_or_video(row: dict[str, object], group: str) -> None:
    assert formats.spam(row | {"label": 1})[1] == group


def test_the_shipped_recipe_is_valid_and_leaves_the_evaluation_set_out() -> None:
    general = recipe.read(recipe.DEFAULT_RECIPE)
    assert "toxigen_safenlp" not in {item.name for item in general.sets}


def own(folder: Path, **settings: object) -> SetRecipe:
    rows = ["comment,verdict,thread,site,posted,author,url,insulting,times,kind"]
    rows += [
        "Fine,0,t1,a,2026-01-03,Ann,http://ann.example,,2,seen",
        "Fool,1,t1,b,2026-01-30,,,1,,seen",
        "Good,0,t2,a,2026-02-01,,,0,,seen",
        "Odd,perhaps,t2,a,2026-02-01,,,0,,seen",
        "Old,0,t3,a,2025-02-01,,,0,,hidden",
    ]
    (folder / "own.csv").write_text("\n".join(rows) + "\n")
    columns = {
        "text": "comment",
        "group": "thread",
        "source": "site",
        "time": "posted",
        "name": "author",
        "website": "url",
        "weight": "times",
        "labels": {"reject": "verdict", "insult": "insulting"},
    }
    fixed = {"name": "own", "file": "own.csv", "licence": "ours", "attribution": "us"}
    return SetRecipe.model_validate(
        fixed | {"columns": columns, "exclude": {"kind": "hidden"}} | settings
    )


def as_kind(folder: Path, kind: str) -> str:
    """The set of `own` in another format; the name of its file."""
    with (folder / "own.csv").open() as file:
        rows = list(csv.DictReader(file))
    name = f"own.{kind}"
    if kind == "parquet":
        parquet.write_table(pa.Table.from_pylist(rows), folder / name)
    elif kind == "jsonl":
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_set_of_your_own_is_read_by_its_columns(tmp_path: Path, kind: str) -> None:
    given = own(tmp_path, weight=3.0, calibration=0.5, domain="ours")
    loaded = load_set(tmp_path, given.model_copy(update={"file": as_kind(tmp_path, kind)}))
    first, second, _ = loaded.records
    assert first.document == Document("Fine", "Ann", "http://ann.example")
    assert first.labels == {REJECT: 0.0}
    assert second.labels == {REJECT: 1.0, Reason.INSULT: 1.0}
    assert (first.weight, second.weight) == (6.0, 3.0)
    assert {record.source for record in loaded.records} == {"own"}
    assert {(record.calibration, record.domain) for record in loaded.records} == {(0.5, "ours")}
    assert loaded.skipped.lines == {
        # The first line of a CSV file has the names.
        "a label is not a number from 0 to 1": [5 if kind == "csv" else 4],
        "excluded by the recipe": [6 if kind == "csv" else 5],
    }


@pytest.mark.parametrize(
    ("split", "groups"),
    [
        ("group", ["t1", "t1", "t2"]),
        ("source", ["a", "b", "a"]),
        ("time", ["2026-01", "2026-01", "2026-02"]),
    ],
)
def test_rows_stay_together_by_thread_source_or_month(
    tmp_path: Path, split: str, groups: list[str]
) -> None:
    loaded = load_set(tmp_path, own(tmp_path, split=split))
    assert [record.group for record in loaded.records] == groups


def test_a_set_needs_a_reader_or_columns_and_not_both(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="reader or columns"):
        own(tmp_path, columns=None)
    with pytest.raises(ValueError, match="reader or columns"):
        own(tmp_path, reader="spam")
