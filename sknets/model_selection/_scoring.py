"""Which of scikit-learn's scorings suit a target."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import get_scorer, get_scorer_names

DEFAULT_SCORING = {"classification": "accuracy", "regression": "r2"}


def suits(name: str, y: np.ndarray, task: str) -> bool:
    """Whether a guesser can be scored so on this target.

    A scoring that takes the numbers of a regression is none for classes, though it may compute.
    """
    if name not in get_scorer_names():
        return False
    if task == "regression":
        return _works(name, DummyRegressor(), y)
    return _works(name, DummyClassifier(), y) and not _works(name, DummyRegressor(), _LINE)


def suitable(y: np.ndarray, task: str) -> list[str]:
    """All scorings that suit the target."""
    return [name for name in get_scorer_names() if suits(name, y, task)]


def needs_probabilities(name: str, y: np.ndarray, task: str) -> bool:
    """Whether a classifier without ``predict_proba`` cannot be scored so."""
    return task == "classification" and not _works(name, RidgeClassifier(), y)


def _works(name: str, estimator: BaseEstimator, y: np.ndarray) -> bool:
    X = np.zeros((len(y), 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Scores for clusters take the numbers of a regression, but warn.
        warnings.filterwarnings("error", message="Clustering metrics expects discrete values")
        try:
            return np.isfinite(get_scorer(name)(estimator.fit(X, y), X, y))
        except Exception:
            return False


_LINE = np.linspace(0.5, 9.5, 19)
