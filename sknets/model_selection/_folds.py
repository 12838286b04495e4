"""One model on one split: fitted, scored and timed, its errors and warnings part of the answer."""

import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

ROWS_TIMED = 1000


class Fold(NamedTuple):
    """What one model did on one split; times in seconds, `predict_time` per 1,000 rows.

    `wall_time` is that of everything: fitting, scoring, predicting, and failing.
    """

    model: str
    fold: int
    n_train: int
    n_test: int
    score: float = np.nan
    fit_time: float = np.nan
    predict_time: float = np.nan
    wall_time: float = np.nan
    best_params: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    error: str = ""
    traceback: str = ""


def run_fold(
    fold: Fold, estimator: BaseEstimator, X, y, split: tuple, scoring, params: Mapping[str, Any]
) -> Fold:
    """`fold` with its results filled in."""
    start = time.perf_counter()
    with collected_warnings() as messages:
        try:
            result = cross_validate(
                estimator,
                X,
                y,
                cv=[split],
                scoring=scoring,
                params=fit_params(estimator, params),
                return_estimator=True,
                error_score="raise",
            )
            score, (fitted,) = float(result["test_score"][0]), result["estimator"]
            if np.isnan(score):
                raise ValueError("the score is nan")
            fold = fold._replace(
                score=score,
                fit_time=float(result["fit_time"][0]),
                predict_time=_predict_time(fitted, X, split[1]),
                best_params=_plain(getattr(fitted, "best_params_", None)),
            )
        except Exception as error:
            summary = f"{type(error).__name__}: {_first_line(error)}"
            fold = fold._replace(error=summary, traceback=traceback.format_exc())
    return fold._replace(
        wall_time=time.perf_counter() - start, warnings=tuple(dict.fromkeys(messages))
    )


def _predict_time(fitted: BaseEstimator, X, test: np.ndarray) -> float:
    """Seconds to predict 1,000 rows; a smaller test part is repeated until there are as many."""
    rows = _safe_indexing(X, np.resize(test, ROWS_TIMED))
    start = time.perf_counter()
    fitted.predict(rows)
    return time.perf_counter() - start


def _plain(params: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Numpy's numbers as Python's, which read better and are written to files as they are."""
    if params is None:
        return None
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in params.items()}


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """Warnings raised inside, as a list of texts. Global filters are back as they were at the end.

    A network's ``fit`` answers a Ctrl-C by stopping early with a warning, as scikit-learn's
    MLPClassifier does. Here the Ctrl-C was meant for the whole comparison, so it is raised again.
    """
    messages: list[str] = []

    def collect(message, category, filename, lineno, file=None, line=None) -> None:
        if "interrupted by user" in str(message):
            raise KeyboardInterrupt
        messages.append(f"{category.__name__}: {_first_line(message)}")

    show = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.showwarning = collect
        try:
            yield messages
        finally:
            warnings.showwarning = show


def fit_params(estimator: BaseEstimator, params: Mapping[str, Any]) -> dict[str, Any]:
    """`params` as this estimator's ``fit`` names them: a Pipeline's last step gets the weights."""
    if "sample_weight" not in params or get_config()["enable_metadata_routing"]:
        return dict(params)
    weight_name = _last_step(estimator) + "sample_weight"
    return {weight_name if key == "sample_weight" else key: params[key] for key in params}


def _last_step(estimator: BaseEstimator) -> str:
    """What names the last step of the Pipeline inside, if there is one: ``"model__"``."""
    match estimator:
        case GridSearchCV() | RandomizedSearchCV():
            return _last_step(estimator.estimator)
        case TransformedTargetRegressor():
            return _last_step(estimator.regressor)
        case Pipeline():
            name, last = estimator.steps[-1]
            return f"{name}__{_last_step(last)}"
    return ""


def _first_line(message: object) -> str:
    return next((line.strip() for line in str(message).splitlines() if line.strip()), "")
