"""A small model, trained on invented comments in a second."""

import random
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.pipeline import Pipeline

from moderation.classifier import artifact
from moderation.classifier.parameters import HEADS, with_spam
from moderation.classifier.pipeline import Classifier
from moderation.classifier.prediction import REJECT, Document, Reason
from training.heads import CommentHeads
from training.train import parameters
from training.vectorizer import CommentVectorizer

THINGS = ["article", "recipe", "photo", "garden", "bridge", "concert", "paper", "museum"]
FRIENDLY = ["Thank you for this {}!", "I liked the {} a lot.", "We saw the {} last week, lovely."]
RUDE = ["You are an idiot, and so is the {}.", "Only an idiot likes this {}.", "Stupid {}, idiot!"]
SPAM = ["Buy cheap pills at http://pills.example {}", "Win money now http://win.example {}"]


def invented(seed: int = 1, size: int = 120) -> tuple[list[str], np.ndarray]:
    """Comments and their labels, comments x HEADS."""
    generator = random.Random(seed)
    texts, labels = [], np.zeros((size, len(HEADS)))
    for number in range(size):
        kind = number % 3
        template = generator.choice([FRIENDLY, RUDE, SPAM][kind])
        texts.append(template.format(generator.choice(THINGS)))
        labels[number, HEADS.index(REJECT)] = kind > 0
        labels[number, HEADS.index(Reason.SPAM)] = kind == 2
        for head in set(HEADS) - {REJECT, Reason.SPAM}:
            labels[number, HEADS.index(head)] = kind == 1
    return texts, labels


class Trained:
    """A model as training leaves it, with the scikit-learn estimators that it came from."""

    def __init__(self) -> None:
        texts, labels = invented()
        features = CommentVectorizer(features=4000, least_frequency=1, common=1)
        heads = CommentHeads(regularisation=10.0)
        self.model = Pipeline([("features", features), ("heads", heads)]).fit(texts, labels)
        self.parameters = replace(parameters(self.model), least_known=0.3)

    def reference(self, documents: list[Document]) -> np.ndarray:
        """Log-odds as scikit-learn computes them with the weights that are stored."""
        heads = copy(self.model["heads"])
        stored = self.parameters.weights * self.parameters.scales / self.parameters.idf[:, None]
        heads.coef_ = stored.T
        model = Pipeline([("features", self.model["features"]), ("heads", heads)])
        return with_spam(np.asarray(model.decision_function(documents)))


@pytest.fixture(scope="session")
def trained() -> Trained:
    return Trained()


@pytest.fixture(scope="session")
def model_path(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    metadata = {
        "name": "small",
        "date": "2026-01-31",
        "languages": ["en"],
        "thresholds": dict.fromkeys(HEADS, 0.5),
    }
    artifact.dump(path, trained.parameters, metadata)
    return path


@pytest.fixture(scope="session")
def classifier(model_path: Path) -> Classifier:
    return artifact.load(model_path)
