"""From a head's margins to probabilities by Platt scaling (Platt 1999): an affine map, so that
contributions still add up to the log-odds."""

from dataclasses import dataclass

from sklearn.linear_model import LogisticRegression

from training.softlabels import Floats, harden


@dataclass(frozen=True, slots=True)
class Calibration:
    """log-odds = slope * margin + intercept"""

    slope: float
    intercept: float


def calibrate(margins: Floats, labels: Floats, weights: Floats) -> Calibration:
    """Fit on comments that the head was not trained on; `labels` are probabilities.

    ValueError when all comments have the same label.
    """
    rows, classes, shares = harden(labels, weights)
    # Nearly no penalty: two parameters cannot overfit thousands of comments.
    model = LogisticRegression(C=1e6, tol=1e-8)
    model.fit(margins[rows, None], classes, sample_weight=shares)
    return Calibration(float(model.coef_[0, 0]), float(model.intercept_[0]))
