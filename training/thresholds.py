"""Thresholds from goals: approve what is right often enough."""

import math

import numpy as np
from scipy.special import ndtri

from training.softlabels import Floats


def hold_from(labels: Floats, scores: Floats, goal: float) -> float:
    """The highest threshold such that, of the comments scored below it, the share labelled 0 is
    at least `goal`; 0 (hold everything) when no threshold reaches it."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    right = np.cumsum(1 - labels[order]) / np.arange(1, len(order) + 1)
    # A threshold lies between two different scores, never inside a tie.
    last_of_tie = np.append(ordered[1:] > ordered[:-1], True)
    reached = np.flatnonzero((right >= goal) & last_of_tie)
    if not len(reached):
        return 0.0
    last = reached[-1]
    return 1.0 if last == len(order) - 1 else float(ordered[last + 1])


def wilson(successes: float, trials: float, confidence: float = 0.95) -> tuple[float, float]:
    """Score interval of a share (Wilson 1927); (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    z = float(ndtri(0.5 + confidence / 2))
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    half /= 1 + z * z / trials
    return max(0.0, centre - half), min(1.0, centre + half)
