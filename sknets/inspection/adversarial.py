"""Small changes of inputs that change decisions, to see how far a network can be trusted."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from sknets._params import Interval, InvalidParameterError, OneOf, Options, check_values
from sknets.inspection._probe import SLICE, Probe
from sknets.inspection.images import ImagesDisplay

OVERSHOOT = 0.02  # beyond the border, as in Moosavi-Dezfooli et al. (2016)


class Limits(NamedTuple):
    """How far inputs may be changed."""

    epsilon: float
    norm: float  # 2 or infinity
    bounds: tuple[float, float] | None
    max_iter: int

    def clipped(self, x: Tensor) -> Tensor:
        """Values within the bounds."""
        return x if self.bounds is None else x.clamp(*self.bounds)

    def projected(self, v: Tensor) -> Tensor:
        """The nearest change within `epsilon`, of each row."""
        if self.norm == 2:
            return v * (self.epsilon / v.norm(dim=1, keepdim=True).clamp_min(self.epsilon))
        return v.clamp(-self.epsilon, self.epsilon)


def adversarial_examples(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    method: str = "fgsm",
    epsilon: float = 0.1,
    norm: float = np.inf,
    bounds: tuple[float, float] | None = None,
    max_iter: int = 50,
) -> np.ndarray:
    r"""Inputs that are nearly those given, but decided on differently.

    - ``"fgsm"``, the fast gradient sign method [1]_: one step up the loss,
      :math:`x + \epsilon\, \mathrm{sign}\, \nabla_x L(x, y)`; with ``norm=2``, along the gradient.
    - ``"minimal_norm"``, DeepFool [2]_: steps to the nearest border of the linearised network until
      the decision changes; the smallest Euclidean change it finds, whatever `epsilon`.
    - ``"universal"`` [3]_: one change for all inputs, within `epsilon`, built up from the minimal
      ones of those that it does not fool yet.

    Decisions are those of the network alone, without the views of `tta` and without snapshots.

    Parameters
    ----------
    estimator : fitted classifier of sknets
        With a network; or a Pipeline that ends with one, whose first steps are then applied to
        `X`, or a search for one.
    X : array-like of shape (n_samples, n_features), or as `predict` takes it
        Inputs.
    y : array-like of shape (n_samples,), default=None
        Their classes, for "fgsm"; None is the predicted ones. The others leave the predicted ones.
    method : {"fgsm", "minimal_norm", "universal"}, default="fgsm"
        How the changes are found.
    epsilon : float, default=0.1
        The largest change, in the units of `X`.
    norm : {2, inf}, default=inf
        What `epsilon` bounds: the Euclidean length of a change, or each of its values.
    bounds : tuple of float, default=None
        The smallest and the largest value that an input may have.
    max_iter : int, default=50
        Steps of "minimal_norm", and passes over the data of "universal", at most.

    Returns
    -------
    X_adversarial : ndarray of the shape of `X`
        The changed inputs: of the precision of `X`, and where it holds whole numbers of that of
        the network; those of 8 bits have become shares of 255.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    InvalidParameterError
        If it is no classifier with a network and a single target, or another parameter is out of
        its range.

    See Also
    --------
    AdversarialDisplay : The inputs, the changes and the decisions as images.

    References
    ----------
    .. [1] Goodfellow, Shlens and Szegedy (2015). "Explaining and harnessing adversarial examples."
       ICLR. https://doi.org/10.48550/arXiv.1412.6572
    .. [2] Moosavi-Dezfooli, Fawzi and Frossard (2016). "DeepFool: a simple and accurate method to
       fool deep neural networks." CVPR. https://doi.org/10.1109/CVPR.2016.282
    .. [3] Moosavi-Dezfooli, Fawzi, Fawzi and Frossard (2017). "Universal adversarial
       perturbations." CVPR. https://doi.org/10.1109/CVPR.2017.17

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import MLPClassifier
    >>> from sknets.inspection import adversarial_examples
    >>> X, y = load_digits(return_X_y=True)
    >>> X /= 16
    >>> clf = MLPClassifier(max_iter=30, learning_rate="one_cycle", random_state=0).fit(X, y)
    >>> fooled = adversarial_examples(clf, X[:100], y[:100], epsilon=0.2)
    >>> clf.score(X[:100], y[:100]) > 0.9, clf.score(fooled, y[:100]) < 0.5
    (True, True)
    """
    owner = "adversarial_examples"
    values = {"method": method, "epsilon": epsilon, "norm": norm, "max_iter": max_iter}
    check_values(owner, CONSTRAINTS, values)
    probe = Probe.of(estimator, X, owner)
    if probe.classes is None:
        raise InvalidParameterError(
            f"The 'estimator' parameter of {owner} must be a classifier of a single target. "
            f"Got {probe.estimator!r} instead."
        )
    limits = Limits(epsilon, norm, _checked_bounds(bounds, owner), max_iter)
    made = METHODS[method](probe, probe.columns(y, owner), limits)
    changed = made.cpu().numpy().reshape(probe.X.shape)
    return changed.astype(probe.X.dtype) if probe.X.dtype.kind == "f" else changed


def _checked_bounds(bounds: Any, owner: str) -> tuple[float, float] | None:
    if bounds is None:
        return None
    pair = isinstance(bounds, (tuple, list)) and len(bounds) == 2
    if (
        not pair
        or not all(isinstance(bound, Real) for bound in bounds)
        or not bounds[0] < bounds[1]
    ):
        raise InvalidParameterError(
            f"The 'bounds' parameter of {owner} must be a smaller and a larger number. "
            f"Got {bounds!r} instead."
        )
    return float(bounds[0]), float(bounds[1])


def _gradients(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The gradient, by each row, of a function that gives one value a row."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(function(x).sum(), x)[0]


def _fast_gradient(probe: Probe, columns: Tensor, limits: Limits) -> Tensor:
    def gradient_of(x: Tensor, column: Tensor) -> Tensor:
        return _gradients(lambda x: -probe.scores(x).log_softmax(1).gather(1, column[:, None]), x)

    gradient = _sliced(gradient_of, probe.x, columns)
    if limits.norm == 2:
        length = gradient.norm(dim=1, keepdim=True)
        direction = gradient / length.clamp_min(torch.finfo(gradient.dtype).tiny)
    else:
        direction = gradient.sign()
    return limits.clipped(probe.x + limits.epsilon * direction)


def _minimal_norm(probe: Probe, columns: Tensor, limits: Limits) -> Tensor:
    change = _sliced(
        lambda x, start: _deep_fool(probe, x, start, limits), probe.x, probe.decisions(probe.x)
    )
    return limits.clipped(probe.x + change)


def _sliced(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, columns: Tensor) -> Tensor:
    """A function of rows and a column of each, a slice of the rows at a time."""
    parts = zip(x.split(SLICE), columns.split(SLICE), strict=True)
    return torch.cat([function(*part) for part in parts])


def _deep_fool(probe: Probe, x: Tensor, start: Tensor, limits: Limits) -> Tensor:
    """The change of each row that takes its decision across the nearest border (algorithm 2)."""
    change, active = torch.zeros_like(x), torch.ones(len(x), dtype=torch.bool, device=x.device)
    for _ in range(limits.max_iter):
        moved = limits.clipped(x + (1 + OVERSHOOT) * change)
        with torch.no_grad():
            scores = probe.scores(moved)
        active &= scores.argmax(1) == start
        if not active.any():
            break
        rows = active.nonzero().squeeze(1)
        change[rows] += _to_nearest_border(probe, moved[rows], scores[rows], start[rows])
    return (1 + OVERSHOOT) * change


def _to_nearest_border(probe: Probe, x: Tensor, scores: Tensor, start: Tensor) -> Tensor:
    """The shortest step to where the linearised scores of another class reach those of the own."""
    n, n_classes = scores.shape

    def of_class(k: Tensor | int) -> Tensor:
        column = torch.as_tensor(k, device=x.device).expand(n)[:, None]
        return _gradients(lambda x: probe.scores(x).gather(1, column), x)

    own = of_class(start)
    normals = torch.stack([of_class(k) - own for k in range(n_classes)], 1)  # (n, n_classes, d)
    gaps = scores - scores.gather(1, start[:, None])
    lengths = normals.norm(dim=2).clamp_min(1e-12)
    distances = (gaps.abs() / lengths).scatter(1, start[:, None], torch.inf)
    nearest = distances.argmin(1)
    row = torch.arange(n, device=x.device)
    normal, length = normals[row, nearest], lengths[row, nearest]
    return ((distances[row, nearest] + 1e-6) / length)[:, None] * normal


def _universal(probe: Probe, columns: Tensor, limits: Limits) -> Tensor:
    """One change for all: algorithm 1 of the paper, with a fooling rate of 0.8."""
    x = probe.x
    start = probe.decisions(x)
    change = torch.zeros_like(x[:1])
    for _ in range(limits.max_iter):
        for i in range(len(x)):
            row, own = limits.clipped(x[i : i + 1] + change), start[i : i + 1]
            if probe.decisions(row) == own:
                change = limits.projected(change + _deep_fool(probe, row, own, limits))
        rate = (probe.decisions(limits.clipped(x + change)) != start).double().mean()
        if rate >= 0.8:
            break
    return limits.clipped(x + change)


METHODS: dict[str, Callable[[Probe, Tensor, Limits], Tensor]] = {
    "fgsm": _fast_gradient,
    "minimal_norm": _minimal_norm,
    "universal": _universal,
}
CONSTRAINTS = {
    "method": [OneOf(*METHODS)],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "norm": [Options(Real, {2, np.inf})],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
}


class AdversarialDisplay(ImagesDisplay):
    """Images, what was added to them, and the sums, with the decisions on both.

    The changes are scaled to the largest of them, with no change in the middle. It is best made by
    `from_estimator`.

    Parameters
    ----------
    images : ndarray of shape (3 * n_images, height, width) or (3 * n_images, height, width, 3)
        The images, the changes, and the changed images.
    labels : sequence of 3 * n_images objects, default=None
        What to write above each.
    row_labels : sequence of objects, default=None
        What to write before each row.
    n_cols : int, default=10
        Images in a row.

    Attributes
    ----------
    im_ : matplotlib AxesImage
        The images as one.
    text_ : list of matplotlib Text
        The labels.
    ax_ : matplotlib Axes
        Where the images are.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    adversarial_examples : The changed images as numbers.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import MLPClassifier
    >>> from sknets.inspection import AdversarialDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = MLPClassifier(max_iter=15, learning_rate="one_cycle", random_state=0).fit(X / 16, y)
    >>> display = AdversarialDisplay.from_estimator(clf, X[:4] / 16, y[:4], epsilon=0.2)
    >>> display.images.shape
    (12, 8, 8)
    """

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        method: str = "fgsm",
        epsilon: float = 0.1,
        norm: float = np.inf,
        bounds: Any = None,
        max_iter: int = 50,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw adversarial examples of some images.

        Parameters
        ----------
        estimator : fitted classifier of sknets
            With a network of images; or a Pipeline that ends with one, or a search for one.
        X : array-like of shape (n_samples, n_features), or as `predict` takes it
            The images.
        y : array-like of shape (n_samples,), default=None
            Their classes; None is the predicted ones.
        method : {"fgsm", "minimal_norm", "universal"}, default="fgsm"
            How the changes are found.
        epsilon : float, default=0.1
            The largest change, in the units of `X`.
        norm : {2, inf}, default=inf
            What `epsilon` bounds.
        bounds : tuple of float, default=None
            The smallest and the largest value that a pixel may have.
        max_iter : int, default=50
            Steps or passes, at most.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : AdversarialDisplay
            The display, drawn.
        """
        changed = adversarial_examples(
            estimator,
            X,
            y,
            method=method,
            epsilon=epsilon,
            norm=norm,
            bounds=bounds,
            max_iter=max_iter,
        )
        probe = Probe.of(estimator, X, cls.__name__)
        fitted, n = probe.estimator, len(probe.x)
        before, after = (probe.images(rows) for rows in (probe.x, changed.reshape(n, -1)))
        low, high = before.min(), before.max()
        span = (high - low) or 1
        change = after - before
        largest = abs(change).max() or 1
        images = [(before - low) / span, (change / largest + 1) / 2, (after - low) / span]
        labels = [*fitted.predict(probe.X), *[""] * n, *fitted.predict(changed)]
        return cls(np.concatenate(images), labels=labels, n_cols=n).plot(ax=ax, **kwargs)
