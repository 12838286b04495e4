"""Whether two samples come from one distribution, as numbers.

Gretton et al. (2012), "A kernel two-sample test", https://jmlr.org/papers/v13/gretton12a.html;
Lopez-Paz and Oquab (2017), https://arxiv.org/abs/1610.06545; Kynkaanniemi et al. (2019),
https://arxiv.org/abs/1904.06991; Naeem et al. (2020), https://arxiv.org/abs/2002.09797.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

WIDTHS = (0.1, 0.3, 1.0, 3.0)  # of the kernels, by the median distance of real rows
N_NEIGHBORS = 5


class TwoSampleReport(NamedTuple):
    """How real and made rows differ, each number a share but for the first.

    Parameters
    ----------
    mmd : float
        The squared maximum mean discrepancy, unbiased: 0 on average where there is none.
    accuracy_neighbors, accuracy_linear : float
        How well a classifier tells real from made rows, by the nearest neighbour and by a linear
        model, in cross-validation: .5 where they are alike. Below .5 by neighbours means that made
        rows lie among real ones; 1 that every one is told.
    precision : float
        Made rows within the support of real ones.
    recall : float
        Real rows within the support of made ones.
    coverage : float
        Real rows that have a made one among their neighbours.
    """

    mmd: float
    accuracy_neighbors: float
    accuracy_linear: float
    precision: float
    recall: float
    coverage: float


def squared_mmd(real: np.ndarray, made: np.ndarray) -> float:
    """The squared maximum mean discrepancy, unbiased (Gretton et al., 2012, lemma 6).

    The kernel is the mean of Gaussian ones, whose widths are fixed multiples of the median
    distance between real rows, so that it is the same for all that are compared with them.

    Parameters
    ----------
    real, made : ndarray of shape (n, n_features) and (m, n_features)
        Two rows each at least.
    """
    within, between = squared_distances(real, real), squared_distances(real, made)
    width = np.median(within[np.triu_indices(len(real), 1)]) or 1.0
    n, m = len(real), len(made)

    def kernel(squares: np.ndarray) -> float:
        return sum(np.exp(squares / (-2 * width * w**2)).sum() for w in WIDTHS) / len(WIDTHS)

    of_real = (kernel(within) - n) / (n * (n - 1))  # but for each row with itself
    of_made = (kernel(squared_distances(made, made)) - m) / (m * (m - 1))
    return float(of_real + of_made - 2 * kernel(between) / (n * m))


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Between all rows of both, in double precision, exactly 0 for the same row."""
    return cdist(a, b, "sqeuclidean")


def report(real: np.ndarray, made: np.ndarray) -> TwoSampleReport:
    """All of it, of as many rows of each."""
    X, y = np.concatenate([real, made]), np.repeat([0, 1], [len(real), len(made)])
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    accuracies = [
        float(cross_val_score(clf, X, y, cv=max(2, min(5, len(real)))).mean())
        for clf in (KNeighborsClassifier(1), linear)
    ]
    k = min(N_NEIGHBORS, len(real) - 1, len(made) - 1)
    of_real, of_made = radii(real, k), radii(made, k)
    between = squared_distances(real, made) ** 0.5
    return TwoSampleReport(
        mmd=squared_mmd(real, made),
        accuracy_neighbors=accuracies[0],
        accuracy_linear=accuracies[1],
        precision=float((between <= of_real[:, None]).any(axis=0).mean()),
        recall=float((between <= of_made[None]).any(axis=1).mean()),
        coverage=float((between.min(axis=1) <= of_real).mean()),
    )


def radii(X: np.ndarray, k: int) -> np.ndarray:
    """How far the k-th neighbour of each row is."""
    distances, _ = NearestNeighbors(n_neighbors=k).fit(X).kneighbors()
    return distances[:, -1]
