"""Which pixels a decision depends on: the gradient of a class's score."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from sknets.inspection._probe import SLICE, Probe, scaled
from sknets.inspection.images import ImagesDisplay


def saliency(estimator: Any, X: Any, y: Any = None) -> np.ndarray:
    r"""The gradient of a class's score by each value of the input.

    .. math:: \frac{\partial s_y(x)}{\partial x}, \qquad s \text{ the values before the softmax}

    Parameters
    ----------
    estimator : fitted estimator of sknets
        With a network; or a Pipeline that ends with one, whose first steps are then applied to
        `X`, or a search for one.
    X : array-like of shape (n_samples, n_features), or as `predict` takes it
        Inputs.
    y : array-like of shape (n_samples,), default=None
        The classes to ask about, with several targets or in a regression the columns of the
        network's outputs; None is the predicted classes, or the largest outputs.

    Returns
    -------
    gradient : ndarray of the shape of `X`
        Signed.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    InvalidParameterError
        If it has no network, or `y` is not among its classes or outputs.

    See Also
    --------
    SaliencyDisplay : The same as images.

    References
    ----------
    .. [1] Simonyan, Vedaldi and Zisserman (2014). "Deep inside convolutional networks: visualising
       image classification models and saliency maps." ICLR workshop.
       https://doi.org/10.48550/arXiv.1312.6034

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import MLPClassifier
    >>> from sknets.inspection import saliency
    >>> X, y = load_digits(return_X_y=True)
    >>> linear = MLPClassifier((), solver="lbfgs", alpha=100, tol=0.01, random_state=0).fit(X, y)
    >>> gradient = saliency(linear, X[:1], y[:1])
    >>> bool(abs(gradient[0] - linear.coefs_[0][:, y[0]]).max() < 1e-9)
    True
    """
    probe = Probe.of(estimator, X, "saliency")
    columns = probe.columns(y, "saliency")
    parts = zip(probe.x.split(SLICE), columns.split(SLICE), strict=True)
    gradient = torch.cat([_gradient(probe, x, column) for x, column in parts])
    return gradient.cpu().numpy().reshape(probe.X.shape)


def _gradient(probe: Probe, x: Tensor, columns: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    with torch.enable_grad():
        total = probe.scores(x).gather(1, columns[:, None]).sum()
        return torch.autograd.grad(total, x)[0]


class SaliencyDisplay(ImagesDisplay):
    """Images, and under each how much its class's score depends on each pixel.

    The second row is the size of the gradient, the largest over the channels, scaled to its own
    largest value. It is best made by `from_estimator`.

    Parameters
    ----------
    images : ndarray of shape (2 * n_images, height, width) or (2 * n_images, height, width, 3)
        The images, then the gradients.
    labels : sequence of 2 * n_images objects, default=None
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
    saliency : The gradient as numbers.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import MLPClassifier
    >>> from sknets.inspection import SaliencyDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = MLPClassifier(max_iter=15, learning_rate="one_cycle", random_state=0).fit(X / 16, y)
    >>> display = SaliencyDisplay.from_estimator(clf, X[:5] / 16)
    >>> display.images.shape
    (10, 8, 8)
    """

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any = None, *, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Draw the saliency of some images.

        Parameters
        ----------
        estimator : fitted estimator of sknets
            With a network of images; or a Pipeline that ends with one, or a search for one.
        X : array-like of shape (n_samples, n_features), or as `predict` takes it
            The images.
        y : array-like of shape (n_samples,), default=None
            The classes to ask about; None is the predicted ones.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : SaliencyDisplay
            The display, drawn.
        """
        gradient = saliency(estimator, X, y)
        probe = Probe.of(estimator, X, cls.__name__)
        columns = probe.columns(y, cls.__name__).cpu().numpy()
        asked = columns if probe.classes is None else probe.classes[columns]
        shown = scaled(probe.images(probe.x))
        maps = abs(probe.images(gradient.reshape(len(gradient), -1)))
        if maps.ndim == 4:
            maps = np.repeat(maps.max(-1, keepdims=True), 3, axis=-1)
        labels = [*asked, *[""] * len(shown)]
        peak = maps.max(tuple(range(1, maps.ndim)), keepdims=True)
        images = np.concatenate([shown, maps / np.where(peak > 0, peak, 1)])
        return cls(images, labels=labels, n_cols=len(shown)).plot(ax=ax, **kwargs)
