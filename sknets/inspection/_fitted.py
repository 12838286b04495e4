"""Whose fitted attributes a display shows."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sknets._params import InvalidParameterError


def having(attribute: str, estimator: Any, display: str) -> Any:
    """What has a fitted attribute: the last step of a Pipeline, the best of a search, or itself.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    InvalidParameterError
        If it has no such attribute.
    """
    if isinstance(estimator, Pipeline):
        return having(attribute, estimator[-1], display)
    check_is_fitted(estimator)
    if hasattr(estimator, "best_estimator_"):
        return having(attribute, estimator.best_estimator_, display)
    if not hasattr(estimator, attribute):
        raise InvalidParameterError(
            f"The 'estimator' parameter of {display} must have the attribute {attribute!r} once "
            f"fitted. Got {estimator!r} instead."
        )
    return estimator
