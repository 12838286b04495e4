"""Fitted estimators from which others take weights."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted


def fitted_source(given: BaseEstimator, parameter: str) -> Any:
    """The fitted estimator that a parameter holds: frozen, at the end of a pipeline, of a search.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    """
    found: Any = given.estimator if isinstance(given, FrozenEstimator) else given
    found = getattr(found, "best_estimator_", found)
    if isinstance(found, Pipeline):
        found = found[-1]
    check_is_fitted(
        found,
        msg=f"The {parameter!r} parameter holds a %(name)s that is not fitted. A search clones "
        "what it finds among parameters, which unlearns it: give sklearn.frozen.FrozenEstimator"
        "(...) of the fitted one instead.",
    )
    return found
