"""Curriculum learning: how much of the data, easiest first, an epoch may see."""

from __future__ import annotations

import numpy as np

START = 0.01  # the share of the data that the first epoch sees
POWERS = {"linear": 1, "root": 2}


def paced_rows(order: np.ndarray, pacing: str, length: float, epoch: int) -> np.ndarray:
    """The rows of an epoch: the competence of Platanios et al. (2019, equations 7 and 8).

    Parameters
    ----------
    order : ndarray of shape (n_samples,)
        The rows from easy to hard.
    pacing : {"linear", "root"}
    length : float
        Epochs after which all rows are in.
    epoch : int
        Epochs before this one.
    """
    power = POWERS[pacing]
    progress = min(1.0, epoch / length)
    competence = (progress * (1 - START**power) + START**power) ** (1 / power)
    return order[: max(1, int(np.ceil(competence * len(order))))]
