"""The commands that measure what goes into the model card."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from moderation.classifier.artifact import DEFAULT_ARTIFACT, load
from training import ablation, left_out
from training.card import model_card


def run(command, folder: Path, data: Path, recipe: Path) -> dict:
    output = folder / "figures.json"
    arguments = ["--data", data, "--recipe", recipe, "--output", output, "--jobs", 1]
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return json.loads(output.read_text())


@pytest.fixture(scope="module")
def ablated(data: Path, recipe_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    return run(ablation.main, tmp_path_factory.mktemp("ablation"), data, recipe_path)


@pytest.fixture(scope="module")
def without_sets(data: Path, recipe_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    return run(left_out.main, tmp_path_factory.mktemp("left_out"), data, recipe_path)


def test_every_family_of_features_is_measured_with_intervals(ablated: dict) -> None:
    assert ablated["recipe"] == "small"
    rows = {row["variant"]: row for row in ablated["variants"]}
    assert set(rows) == set(ablation.VARIANTS)
    assert rows["words only"]["features"] < rows["everything"]["features"]
    for row in rows.values():
        for name in ("toxic", "recall", "recall disguised", "templates", "spam", "spam F1"):
            assert 0 <= row[name]["low"] <= row[name]["high"] <= 1


def test_a_set_left_out_is_judged_by_what_it_does_not_share(without_sets: dict) -> None:
    sets = {(row["set"], row["head"]): row for row in without_sets["sets"]}
    # Without the shop no comment is left that is spam.
    assert set(sets) == {("talk", "reject"), ("shop", "reject")}
    assert all(row["comments"] == 240 for row in sets.values())


def test_a_card_shows_measurements_of_its_own_recipe_only(
    trained: Path, ablated: dict, without_sets: dict, tmp_path: Path
) -> None:
    model = load(trained / "model.safetensors")
    noted = ablated | {"note": "Of the model before."}
    for name, found in (("left_out", without_sets), ("ablation", noted)):
        (tmp_path / f"{name}.json").write_text(json.dumps(found))
    shown = model_card(model, tmp_path)
    assert "| shop | reject | 240 | 120 |" in shown.split("## Figures of sets left out")[1]
    assert "| words only |" in shown
    assert shown.count("Of the model before.") == 1
    shipped = model_card(model)
    assert "## Figures of sets left out" not in shipped
    assert "| words only |" not in shipped


def test_the_card_in_the_documents_is_that_of_the_shipped_model() -> None:
    card = Path(__file__).parents[2] / "docs" / "model-card.md"
    assert card.read_text("utf-8") == model_card(load(DEFAULT_ARTIFACT))
