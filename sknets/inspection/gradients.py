"""Is the gradient that training follows the slope of the loss that it reports?"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.pipeline import Pipeline

from sknets._params import Interval, InvalidParameterError, check_values
from sknets._random import Stream, draw_seed, generator
from sknets.base import DescentEstimator

CONSTRAINTS = {
    "n_weights": [Interval(Integral, 1, None, closed="left"), None],
    "step": [Interval(Real, 0, None, closed="neither")],
    "random_state": ["random_state"],
}


def check_gradients(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    n_weights: int | None = 200,
    step: float = 1e-5,
    random_state: int | np.random.RandomState | None = 0,
) -> float:
    r"""Compare an estimator's gradient with centred differences of its loss.

    At the fitted weights, in float64, each of some randomly chosen weights `w` gets

    .. math:: \frac{L(w + h) - L(w - h)}{2 h},

    which is set against the gradient by back-propagation (the penalty included, dropout left out).

    Parameters
    ----------
    estimator : fitted estimator of sknets
        It is left as it is.
    X : array-like of shape (n_samples, n_features)
        Inputs.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Targets.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples.
    n_weights : int or None, default=200
        How many weights to check; None checks all.
    step : float, default=1e-5
        The `h` of the differences.
    random_state : int, RandomState instance or None, default=0
        Chooses the weights.

    Returns
    -------
    error : float
        The largest absolute difference, relative to the sum of both magnitudes (or to a
        thousandth of the largest gradient, where that is larger). Below 1e-5 the gradient is
        right; a relu whose kink lies within `step` may show more.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    InvalidParameterError
        If it is none of sknets, or another parameter is out of its range.

    See Also
    --------
    LossCurveDisplay : What training did with the gradient.

    References
    ----------
    .. [1] Bengio (2012). "Practical recommendations for gradient-based training of deep
       architectures." Section 4.2. https://doi.org/10.48550/arXiv.1206.5533

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknets import MLPClassifier
    >>> from sknets.inspection import check_gradients
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifier(activation="tanh", solver="lbfgs", tol=0.01, random_state=0).fit(X, y)
    >>> check_gradients(clf, X, y) < 1e-5
    True
    """
    values = {"n_weights": n_weights, "step": step, "random_state": random_state}
    check_values("check_gradients", CONSTRAINTS, values)
    if not isinstance(estimator, DescentEstimator):
        inside = " Pass pipeline[-1] and pipeline[:-1].transform(X)."
        raise InvalidParameterError(
            "The 'estimator' parameter of check_gradients must be an estimator of sknets. "
            f"Got {estimator!r} instead.{inside if isinstance(estimator, Pipeline) else ''}"
        )
    objective = estimator._objective(X, y, sample_weight)
    weights = objective.flat.values.numpy().copy()
    gradient = objective(weights)[1]
    chosen = np.arange(len(weights))
    if n_weights is not None and n_weights < len(weights):
        drawing = generator(draw_seed(random_state), Stream.SAMPLE)
        chosen = torch.randperm(len(weights), generator=drawing)[:n_weights].numpy()
    slopes = np.empty(len(chosen))
    for k, i in enumerate(chosen):
        moved = weights.copy()
        moved[i] = weights[i] + step
        above = objective(moved)[0]
        moved[i] = weights[i] - step
        slopes[k] = (above - objective(moved)[0]) / (2 * step)
    found = gradient[chosen]
    smallest = max(1e-3 * np.abs(gradient).max(), np.finfo(float).tiny)
    return float(
        np.max(np.abs(found - slopes) / np.maximum(np.abs(found) + np.abs(slopes), smallest))
    )
