import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from moderation.classifier import artifact
from moderation.classifier.artifact import DEFAULT_ARTIFACT, ArtifactError, load
from moderation.classifier.parameters import HEADS
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import Document

Change = Callable[[np.ndarray], np.ndarray]


def rewrite(source: Path, target: Path, **changes: object) -> None:
    """Copy a model with other header fields."""
    with safe_open(source, framework="np") as file:
        header = json.loads(file.metadata()["moderation"])
    save_file(load_file(source), target, {"moderation": json.dumps(header | changes)})


def test_a_written_model_reads_back_the_same(model_path: Path, tmp_path: Path) -> None:
    first = load(model_path)
    again = tmp_path / "again.safetensors"
    version = artifact.dump(again, first.parameters, first.metadata)
    assert version == first.version == load(again).version
    assert again.read_bytes() == model_path.read_bytes()


def test_the_version_names_the_model_its_date_and_its_content(classifier: Classifier) -> None:
    assert classifier.version.startswith("small-2026-01-31-")
    assert len(classifier.version.rsplit("-", 1)[1]) == 8


def test_another_content_is_another_version(classifier: Classifier, tmp_path: Path) -> None:
    metadata = dict(classifier.metadata, languages=["en", "de"])
    version = artifact.dump(tmp_path / "other.safetensors", classifier.parameters, metadata)
    assert version != classifier.version


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"nowhere\.safetensors: there is no such"):
        load(tmp_path / "nowhere.safetensors")


def test_a_folder_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"cannot be read|not a model"):
        load(tmp_path)


@pytest.mark.parametrize("length", [0, 4, 1000, -1])
def test_a_truncated_model_is_refused(model_path: Path, tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(model_path.read_bytes()[:length])
    with pytest.raises(ArtifactError, match="truncated"):
        load(path)


def test_a_changed_weight_is_noticed(model_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "changed.safetensors"
    content = bytearray(model_path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="does not match its digest"):
        load(path)


def test_changed_thresholds_are_noticed(
    model_path: Path, classifier: Classifier, tmp_path: Path
) -> None:
    path = tmp_path / "lenient.safetensors"
    thresholds = dict.fromkeys(HEADS, 1.0)
    rewrite(model_path, path, metadata=dict(classifier.metadata, thresholds=thresholds))
    with pytest.raises(ArtifactError, match="does not match its digest"):
        load(path)


def test_a_model_of_another_format_is_refused(model_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "future.safetensors"
    rewrite(model_path, path, format=artifact.FORMAT + 1)
    with pytest.raises(ArtifactError, match="incompatible: format"):
        load(path)


def test_a_model_with_other_heads_is_refused(model_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "heads.safetensors"
    rewrite(model_path, path, heads=["nice"])
    with pytest.raises(ArtifactError, match="incompatible: its heads"):
        load(path)


def resigned(source: Path, target: Path, name: str, tensor: np.ndarray) -> None:
    """Copy a model with another tensor, and the digest that goes with it."""
    with safe_open(source, framework="np") as file:
        header = json.loads(file.metadata()["moderation"])
    tensors = load_file(source) | {name: tensor}
    header["digest"] = artifact.digest_of(tensors, header["metadata"])
    save_file(tensors, target, {"moderation": json.dumps(header)})


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("weights", lambda table: table.astype(np.int16), "weights is int16"),
        ("weights", lambda table: np.ascontiguousarray(table[:, 1:]), "weights is int8 of shape"),
        ("idf", lambda table: table[1:], "weights are not of the kept"),
        ("kept", lambda table: table | np.uint64(1), "weights are not of the kept"),
        ("tables.page_of", lambda table: table + np.uint16(60_000), "a page that is not there"),
        ("tables.parts", lambda table: table[1:], "no table with an empty slot"),
        ("tables.marked", lambda table: table | np.uint64(1), "no table with an empty slot"),
        ("bias", lambda table: table * np.nan, "not finite"),
        ("surplus", lambda _: np.zeros(1), "its tensors are"),
    ],
)
def test_a_model_whose_numbers_do_not_fit_together_is_refused_by_name(
    model_path: Path, tmp_path: Path, name: str, change: Change, reason: str
) -> None:
    path = tmp_path / "misfit.safetensors"
    resigned(model_path, path, name, change(load_file(model_path).get(name)))
    with pytest.raises(ArtifactError, match=rf"misfit\.safetensors: incompatible: .*{reason}"):
        load(path)


@pytest.mark.parametrize("header", ["[]", "7", "null", '"x"', "[" * 100_000, "{"])
def test_a_header_that_is_none_of_ours_is_refused(
    model_path: Path, tmp_path: Path, header: str
) -> None:
    path = tmp_path / "odd.safetensors"
    save_file(load_file(model_path), path, {"moderation": header})
    with pytest.raises(ArtifactError, match="not a model of this project"):
        load(path)


def test_a_safetensors_file_without_our_header_is_refused(model_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file(load_file(model_path), path)
    with pytest.raises(ArtifactError, match="not a model of this project"):
        load(path)


def test_the_shipped_model_is_small_complete_and_attributed() -> None:
    assert DEFAULT_ARTIFACT.stat().st_size <= 6_000_000
    shipped = load(DEFAULT_ARTIFACT)
    assert set(shipped.thresholds) == set(HEADS)
    for item in shipped.metadata["data"]:
        assert item["licence"]
        assert item["attribution"]
        assert len(item["sha256"]) == 64
    assert {"python", "numpy", "scikit-learn"} <= set(shipped.metadata["libraries"])
    assert shipped.metadata["metrics"]


def test_the_shipped_model_tells_an_insult_from_thanks() -> None:
    rude, kind = load(DEFAULT_ARTIFACT).predict(
        [
            Document("You are a stupid idiot and everybody knows it."),
            Document("Thank you for the explanation, it helped me a lot."),
        ]
    )
    assert rude.reject > 0.5 > kind.reject
    assert rude.able
    assert kind.able
