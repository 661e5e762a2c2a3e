"""The model that ships, loaded once."""

from pathlib import Path

import pytest

from moderation.classifier.artifact import DEFAULT_ARTIFACT, load
from moderation.classifier.pipeline import Classifier
from worker.scorer import Scorer


@pytest.fixture(scope="session")
def shipped() -> Classifier:
    return load(DEFAULT_ARTIFACT)


@pytest.fixture(scope="session")
def scorer() -> Scorer:
    return Scorer(DEFAULT_ARTIFACT)


@pytest.fixture
def no_scorer(tmp_path: Path) -> Scorer:
    return Scorer(tmp_path / "none.safetensors")
