"""What first-layer units look for, drawn as images."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from torch import nn

from sknets.inspection._fitted import having
from sknets.inspection.images import ImagesDisplay


def filters_of(module: nn.Module) -> np.ndarray:
    """The filters of the first convolution as images, (n, channels, height, width) or (n, ...)."""
    layers = (layer for layer in module.modules() if isinstance(layer, nn.modules.conv._ConvNd))
    w = next(layers).weight.detach().cpu().numpy()
    if w.ndim == 3 or w.shape[1] in (1, 3):
        return w
    return np.concatenate(list(w.swapaxes(0, 1)), axis=-1)  # channels side by side


def has_filters(estimator: Any) -> bool:
    """Whether its network has convolutions."""
    module = getattr(estimator, "module_", None)
    layers = module.modules() if isinstance(module, nn.Module) else ()
    return any(isinstance(layer, nn.modules.conv._ConvNd) for layer in layers)


class WeightsDisplay(ImagesDisplay):
    """The weights into each unit of the first layer, as an image: filters, or of the input's shape.

    Of a linear classifier (``hidden_layer_sizes=()``) they are the templates of its classes. Red
    is positive, blue negative, white zero; filters of three channels are in their colours, with
    grey for zero, and those of other numbers have their channels side by side (of signals, one
    under the other). It is best made by `from_estimator`.

    Parameters
    ----------
    images : ndarray of shape (n_units, height, width)
        The weights.
    labels : sequence of n_units objects, default=None
        What to write above each unit.
    row_labels : sequence of objects, default=None
        What to write before each row.
    n_cols : int, default=10
        Units in a row.

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
    ImagesDisplay : The images that were learnt from.
    LossCurveDisplay : How they were learnt.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import MLPClassifier
    >>> from sknets.inspection import WeightsDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> linear = MLPClassifier((), solver="lbfgs", alpha=100, tol=0.01, random_state=0).fit(X, y)
    >>> display = WeightsDisplay.from_estimator(linear)
    >>> display.images.shape
    (10, 8, 8)
    """

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        image_shape: tuple[int, ...] | None = None,
        n_rows: int = 5,
        n_cols: int = 10,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the first-layer weights, or filters, of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            With ``coefs_``, the first of shape (n_features, n_units), as sknets' and
            scikit-learn's perceptrons have, with ``components_`` of shape (n_units, n_features),
            as Boltzmann machines and scikit-learn's decompositions have, or with a convolutional
            network; or a Pipeline that ends with one, or a search for one.
        image_shape : tuple, default=None
            (height, width) or (channels, height, width) of an input; None takes it to be square.
            Ignored for filters.
        n_rows : int, default=5
            Rows of units, at most.
        n_cols : int, default=10
            Units in a row, at most.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : WeightsDisplay
            The display, drawn.
        """
        estimator = having("n_features_in_", estimator, cls.__name__)
        labels = None
        if has_filters(estimator):
            weights = filters_of(estimator.module_)
        elif hasattr(estimator, "components_"):
            weights = estimator.components_
        else:
            coefs = having("coefs_", estimator, cls.__name__).coefs_
            weights = coefs[0][: estimator.n_features_in_].T  # without what is no input
            classes = getattr(estimator, "classes_", ())
            labels = classes if len(coefs) == 1 and len(classes) == len(weights) else None
        return cls.from_arrays(
            weights,
            labels,
            image_shape=image_shape,
            n_rows=n_rows,
            n_cols=n_cols,
            ax=ax,
            **kwargs,
        )

    def plot(self, ax: Any = None, *, text_kw: dict[str, Any] | None = None, **kwargs: Any) -> Self:
        """Draw the weights.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        text_kw : dict, default=None
            Passed to matplotlib's ``text`` for the labels.
        **kwargs : dict
            Passed to matplotlib's ``imshow``.

        Returns
        -------
        display : WeightsDisplay
            Itself.
        """
        largest = float(np.abs(self.images).max())
        style = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest, **kwargs}
        super().plot(ax, text_kw=text_kw, **style)
        return self
