"""Probabilities as labels, for estimators that know classes only."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def harden(
    labels: Floats, weights: Floats
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    """(rows, classes, weights): a label p is once class 1 with weight p and once class 0 with
    weight 1 - p, which leaves the log-likelihood as it was. Weights of 0 are left out."""
    rows = np.concatenate([np.arange(len(labels))] * 2)
    classes = np.repeat([1, 0], len(labels))
    shares = np.concatenate([labels, 1 - labels]) * np.concatenate([weights] * 2)
    kept = np.flatnonzero(shares > 0)
    order = kept[np.argsort(rows[kept], kind="stable")]
    return rows[order], classes[order], shares[order]
