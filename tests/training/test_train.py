import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_info, threadpool_limits

from moderation.classifier.artifact import load
from moderation.classifier.parameters import HEADS
from moderation.classifier.prediction import REJECT, Document, Reason
from training import train as training
from training.cli import train
from training.train import TASKS, without_spam


def run(data: Path, recipe: Path, output: Path, *more: str):
    arguments = [
        "--data",
        str(data),
        "--recipe",
        str(recipe),
        "--output",
        str(output),
        "--jobs",
        "1",
        *more,
    ]
    return CliRunner().invoke(train, arguments)


def test_the_trained_model_has_learnt(trained: Path) -> None:
    model = load(trained / "model.safetensors")
    rude, kind, spam = model.predict(
        [
            Document("you fool, you river garden"),
            Document("thanks for the garden"),
            Document("cheap pills http://pills.example"),
        ]
    )
    assert rude.reasons[Reason.INSULT] > 0.5 > kind.reasons[Reason.INSULT]
    assert spam.reasons[Reason.SPAM] > 0.5 > kind.reasons[Reason.SPAM]


def test_spam_is_rejected_as_surely_as_it_is_spam(trained: Path) -> None:
    model = load(trained / "model.safetensors")
    (spam,) = model.predict([Document("cheap pills http://pills.example")])
    assert spam.reject >= spam.reasons[Reason.SPAM] > 0.5


def test_the_verdicts_own_sum_learns_nothing_from_spam() -> None:
    labels = np.full((3, len(TASKS)), np.nan)
    spam, reject = TASKS.index(Reason.SPAM), TASKS.index(REJECT)
    labels[:, reject], labels[:2, spam] = [1, 0, 1], [1, 0]
    kept = without_spam(labels)
    np.testing.assert_array_equal(kept[:, reject], [np.nan, 0, 1])
    np.testing.assert_array_equal(kept[:, spam], labels[:, spam])


def test_the_same_recipe_gives_the_same_bytes(
    trained: Path, data: Path, recipe_path: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.safetensors"
    assert run(data, recipe_path, again).exit_code == 0
    assert again.read_bytes() == (trained / "model.safetensors").read_bytes()


def test_the_number_of_threads_that_share_a_sum_is_always_one(
    data: Path, recipe_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []
    fit = training.fit

    def look(*arguments: Any) -> Pipeline:
        libraries = [item for item in threadpool_info() if item["user_api"] == "blas"]
        found.extend(item["num_threads"] for item in libraries)
        return fit(*arguments)

    monkeypatch.setattr(training, "fit", look)
    with threadpool_limits(2, user_api="blas"):
        assert run(data, recipe_path, tmp_path / "model.safetensors").exit_code == 0
    assert set(found) == {1}


def test_the_model_carries_where_it_comes_from(trained: Path) -> None:
    metadata = load(trained / "model.safetensors").metadata
    assert [item["name"] for item in metadata["data"]] == ["talk", "shop"]
    assert all(len(item["sha256"]) == 64 for item in metadata["data"])
    assert metadata["metrics"]["talk"]["insult"]["auc"]["value"] > 0.9
    assert set(metadata["thresholds"]) == set(HEADS)


def test_no_comment_is_in_the_model(trained: Path) -> None:
    content = (trained / "model.safetensors").read_bytes()
    assert b"river" not in content
    assert b"pills" not in content


def test_the_card_names_every_set_with_licence_and_attribution(trained: Path) -> None:
    card = (trained / "card.md").read_text()
    assert "| talk | 240 | CC0 | Nobody, invented |" in card
    assert "| shop | 240 | MIT | Nobody either |" in card


def test_the_card_shows_kinds_of_sentences_and_the_gap_between_groups(trained: Path) -> None:
    metadata = load(trained / "model.safetensors").metadata
    assert metadata["kinds"]["kinds"]["hatred"]["unwanted"]
    assert not metadata["kinds"]["kinds"]["negated hate"]["unwanted"]
    assert 0 <= metadata["identities"]["known"]["reject"]["gap"]["value"] <= 1
    card = (trained / "card.md").read_text()
    assert "| hatred | held |" in card
    assert "| negated hate | published |" in card
    assert "| known | reject |" in card


def test_a_set_that_is_not_there_is_named_without_a_traceback(
    recipe_path: Path, tmp_path: Path
) -> None:
    result = run(tmp_path, recipe_path, tmp_path / "model.safetensors")
    assert result.exit_code == 1
    assert "talk.jsonl.gz" in result.output
    assert "Traceback" not in result.output


def test_a_recipe_with_an_unknown_setting_is_refused(
    data: Path, recipe_path: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "odd.toml"
    recipe.write_text("surprise = 1\n" + recipe_path.read_text())
    result = run(data, recipe, tmp_path / "model.safetensors")
    assert result.exit_code == 1
    assert "surprise" in result.output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("folds = 2", "folds = 1"), "recipe: folds: Input should be greater than or equal to 2"),
        (("default = 10.0", "spam = 10.0"), "'default' is missing"),
        (("goal = 0.95", "goal = "), "odd.toml: "),
        (('reader = "jigsaw"', 'reader = "nobody"'), "recipe: sets.0.reader"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said_in_one_line(
    data: Path, recipe_path: Path, tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    recipe = tmp_path / "odd.toml"
    recipe.write_text(recipe_path.read_text().replace(*change))
    result = run(data, recipe, tmp_path / "model.safetensors")
    assert result.exit_code == 1
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_the_number_of_jobs_does_not_change_a_byte(
    trained: Path, data: Path, recipe_path: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.safetensors"
    assert run(data, recipe_path, other, "--jobs", "2").exit_code == 0
    assert other.read_bytes() == (trained / "model.safetensors").read_bytes()


OWN_SET = """
[[sets]]
name = "forum"
file = "forum.csv"
licence = "ours"
attribution = "our readers"
split = "source"

[sets.columns]
text = "comment"
source = "board"
[sets.columns.labels]
reject = "removed"
insult = "rude"
"""


def test_a_set_of_your_own_is_trained_on_and_measured(
    data: Path, recipe_path: Path, tmp_path: Path
) -> None:
    shutil.copytree(data, tmp_path / "data")
    lines = ["comment,board,removed,rude"]
    for number in range(120):
        bad = number % 2
        lines.append(f"{'what a muppet' if bad else 'quite so'} {number},b{number % 3},{bad},{bad}")
    (tmp_path / "data" / "forum.csv").write_text("\n".join([*lines, "broken"]) + "\n")
    recipe = tmp_path / "own.toml"
    recipe.write_text(recipe_path.read_text() + OWN_SET)
    result = run(tmp_path / "data", recipe, tmp_path / "model.safetensors")
    assert result.exit_code == 0, result.output
    assert "forum: 1 skipped, fewer fields than columns: line 122" in result.stderr
    model = load(tmp_path / "model.safetensors")
    assert model.metadata["metrics"]["forum"]["insult"]["comments"] == 120
    rude, kind = model.predict([Document("what a muppet"), Document("quite so")])
    assert rude.reasons[Reason.INSULT] > kind.reasons[Reason.INSULT]


@pytest.mark.parametrize("option", ["--output", "--card"])
def test_a_folder_that_is_not_there_is_named_before_the_work(
    data: Path, recipe_path: Path, tmp_path: Path, option: str
) -> None:
    result = run(data, recipe_path, tmp_path / "model.safetensors", option, str(tmp_path / "no/x"))
    assert result.exit_code == 1
    assert "there is no folder" in result.stderr
    assert not list(tmp_path.iterdir())
