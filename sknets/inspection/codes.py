"""Where codes lie in a plane, and what becomes of data when one number of its code changes."""

from __future__ import annotations

from math import isqrt
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.utils import _safe_indexing

from sknets._optional import require
from sknets._params import Interval, InvalidParameterError, check_values
from sknets.inspection._fitted import having
from sknets.inspection.images import ImagesDisplay, as_images, value_range

THUMBNAIL_INCHES = 0.3
PLANE_INCHES = 6.0
N_IMAGES = 40
LEAST_PIXELS = 64  # of a row of a table that passes for an image


class CodePlaneDisplay:
    """Codes in a plane, with their classes as colours and some of the images they are of.

    It is best made by `from_estimator`.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, 2)
        Where samples lie.
    labels : ndarray of shape (n_samples,), default=None
        Their classes, or numbers.
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3), \
            default=None
        Images of some samples.
    places : ndarray of shape (n_images,), default=None
        Which samples these are.
    axes : tuple of two int, default=(0, 1)
        Which numbers of a code the plane is of.

    Attributes
    ----------
    scatter_ : list of matplotlib PathCollection
        The codes, of each class or of all.
    boxes_ : list of matplotlib AnnotationBbox
        The images.
    ax_ : matplotlib Axes
        The plane.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    LatentTraversalDisplay : What changes along each number of a code.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import Autoencoder
    >>> from sknets.inspection import CodePlaneDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> coder = Autoencoder((64, 2), max_iter=10, learning_rate="one_cycle", random_state=0)
    >>> display = CodePlaneDisplay.from_estimator(coder.fit(X / 16), X / 16, y)
    >>> display.codes.shape
    (1797, 2)
    """

    def __init__(
        self,
        codes: np.ndarray,
        *,
        labels: np.ndarray | None = None,
        images: np.ndarray | None = None,
        places: np.ndarray | None = None,
        axes: tuple[int, int] = (0, 1),
    ) -> None:
        self.codes, self.labels, self.axes = codes, labels, axes
        self.images, self.places = images, places

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        axes: tuple[int, int] = (0, 1),
        image_shape: tuple[int, ...] | None = None,
        n_images: int | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the codes that a fitted estimator has for data.

        Parameters
        ----------
        estimator : fitted estimator
            With ``transform``; or a Pipeline that ends with one, or a search for one.
        X : array-like of shape (n_samples, n_features) or of images
            The data.
        y : array-like of shape (n_samples,), default=None
            Classes, or numbers, for the colours.
        axes : tuple of two int, default=(0, 1)
            Which numbers of a code are drawn.
        image_shape : tuple, default=None
            (height, width) or (channels, height, width) of rows; None takes them to be square.
        n_images : int, default=None
            How many images are drawn beside their codes, far from one another. None: 40 of data
            that looks like images (arrays of them, `image_shape` given, or rows of squares of 8 by
            8 pixels or more), and none of a table.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : CodePlaneDisplay
            The display, drawn.
        """
        check_values(cls.__name__, PLANE, {"n_images": n_images})
        having("transform", estimator, cls.__name__)
        fitted = getattr(estimator, "best_estimator_", estimator)
        codes = np.asarray(fitted.transform(X))
        n = codes.shape[1]
        given = tuple(axes) if np.iterable(axes) else (axes,)
        if len(given) != 2 or not all(isinstance(a, Integral) and -n <= a < n for a in given):
            raise InvalidParameterError(
                f"The 'axes' parameter of {cls.__name__} must be two of the {n} numbers of a code. "
                f"Got {axes!r} instead."
            )
        plane = codes[:, list(axes)]
        images = places = None
        labels = None if y is None else np.asarray(y)
        if labels is not None and labels.shape != (len(codes),):
            raise InvalidParameterError(
                f"The 'y' parameter of {cls.__name__} must be of shape ({len(codes)},), one for "
                f"each row of X. Got the shape {labels.shape} instead."
            )
        if n_images is None:
            n_images = N_IMAGES if image_shape is not None or _look_like_images(X) else 0
        if n_images:
            places = far_apart(plane, n_images)
            images = as_images(rows_of(X, places), image_shape, cls.__name__)
        display = cls(plane, labels=labels, images=images, places=places, axes=axes)
        return display.plot(ax=ax, **kwargs)

    def plot(
        self, ax: Any = None, *, image_kw: dict[str, Any] | None = None, **kwargs: Any
    ) -> Self:
        """Draw the plane.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        image_kw : dict, default=None
            Passed to matplotlib's ``OffsetImage``, such as ``{"cmap": "gray_r"}``.
        **kwargs : dict
            Passed to matplotlib's ``scatter``, such as ``s=2``.

        Returns
        -------
        display : CodePlaneDisplay
            Itself.
        """
        pyplot = require("matplotlib.pyplot", extra="plot", feature="CodePlaneDisplay.plot")
        if ax is None:
            _, ax = pyplot.subplots(figsize=(PLANE_INCHES, PLANE_INCHES), layout="constrained")
        style = {"s": 6, "linewidths": 0, "alpha": 0.6, **kwargs}
        self.ax_, self.figure_ = ax, ax.figure
        labels = self.labels
        if labels is not None and labels.dtype.kind != "f":
            groups = [(str(each), labels == each) for each in np.unique(labels)]
            self.scatter_ = [
                ax.scatter(*self.codes[rows].T, label=name, **style) for name, rows in groups
            ]
            ax.legend(markerscale=3, fontsize="small", loc="best")
        else:
            colours = {} if labels is None else {"c": labels}
            self.scatter_ = [ax.scatter(*self.codes.T, **style | colours)]
        self.boxes_ = [] if self.images is None else self._boxes(image_kw or {})
        ax.set(xlabel=f"code {self.axes[0]}", ylabel=f"code {self.axes[1]}")
        return self

    def _boxes(self, image_kw: dict[str, Any]) -> list[Any]:
        """The images, each at its code."""
        offsetbox = require("matplotlib.offsetbox", extra="plot", feature="CodePlaneDisplay.plot")
        assert self.images is not None
        assert self.places is not None
        low, high = value_range(self.images)
        zoom = THUMBNAIL_INCHES * 72 / self.images.shape[1]
        found = []
        for image, place in zip(self.images, self.places, strict=True):
            shown = (image - low) / ((high - low) or 1)
            box = offsetbox.OffsetImage(shown, **{"zoom": zoom, "cmap": "gray", **image_kw})
            box.image.set_clim(0, 1)
            found.append(offsetbox.AnnotationBbox(box, self.codes[place], pad=0.05))
            self.ax_.add_artist(found[-1])
        return found


class LatentTraversalDisplay(ImagesDisplay):
    """Images along each number of a code, the others as they are: a row for each.

    It is best made by `from_estimator`.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3)
        A row of images for each number of a code.
    labels : sequence of n_images objects, default=None
        What to write above each image.
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
    CodePlaneDisplay : Where codes lie.
    ReconstructionsDisplay : What is restored from codes as they are.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import Autoencoder
    >>> from sknets.inspection import LatentTraversalDisplay
    >>> X = load_digits().data / 16
    >>> coder = Autoencoder((64, 4), max_iter=10, learning_rate="one_cycle", random_state=0).fit(X)
    >>> LatentTraversalDisplay.from_estimator(coder, X, n_steps=5).images.shape
    (20, 8, 8)
    """

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        y: Any = None,
        start: Any = None,
        n_rows: int = 8,
        n_steps: int = 9,
        n_deviations: float = 2.0,
        image_shape: tuple[int, ...] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw what a fitted estimator makes of codes of which one number changes.

        The numbers that vary most over `X` come first; each goes from its mean less some standard
        deviations to its mean and as many more.

        Parameters
        ----------
        estimator : fitted estimator
            With ``transform`` and ``inverse_transform``; or a Pipeline, or a search for one.
        X : array-like of shape (n_samples, n_features) or of images
            Data, whose codes say how far each number goes.
        y : object, default=None
            The class of all images, of an estimator that was fitted with ``conditional=True``.
        start : array-like of shape (n_features,) or an image, default=None
            What the other numbers are those of. None: their means.
        n_rows : int, default=8
            Numbers of the code, at most.
        n_steps : int, default=9
            Images in a row.
        n_deviations : float, default=2.0
            How far a number goes from its mean, in standard deviations.
        image_shape : tuple, default=None
            (height, width) or (channels, height, width) of rows; None takes them to be square.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : LatentTraversalDisplay
            The display, drawn.
        """
        asked = {"n_rows": n_rows, "n_steps": n_steps, "n_deviations": n_deviations}
        check_values(cls.__name__, TRAVERSAL, asked)
        having("inverse_transform", estimator, cls.__name__)
        fitted = getattr(estimator, "best_estimator_", estimator)

        def known(rows: Any) -> list[Any]:
            return [] if y is None else [np.full(len(rows), y)]

        codes = np.asarray(fitted.transform(X, *known(X)))
        mean, deviation = codes.mean(axis=0), codes.std(axis=0)
        base = mean
        if start is not None:
            one = np.asarray(start)[None]
            base = np.asarray(fitted.transform(one, *known(one)))[0]
        varying = np.argsort(-deviation, kind="stable")[:n_rows]
        steps = np.linspace(-n_deviations, n_deviations, n_steps)
        path = np.tile(base, (len(varying), n_steps, 1))
        for row, number in enumerate(varying):
            path[row, :, number] = mean[number] + steps * deviation[number]
        flat = path.reshape(-1, codes.shape[1])
        made = fitted.inverse_transform(flat, *known(flat))
        images = as_images(made, image_shape, cls.__name__)
        names = [f"code {number}" for number in varying]
        return cls(images, row_labels=names, n_cols=n_steps).plot(ax=ax, **kwargs)


def rows_of(X: Any, places: np.ndarray) -> np.ndarray:
    """Some rows of an array, a sparse matrix or a data frame."""
    rows = _safe_indexing(X, places)
    return rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)


def far_apart(points: np.ndarray, n: int) -> np.ndarray:
    """Places of points, each the farthest from those before it (Gonzalez, 1985)."""
    scale = points.std(axis=0)
    points = points / np.where(scale > 0, scale, 1)
    chosen = [int(np.square(points - points.mean(axis=0)).sum(axis=1).argmin())]
    nearest = np.full(len(points), np.inf)
    for _ in range(min(n, len(points)) - 1):
        nearest = np.minimum(nearest, np.square(points - points[chosen[-1]]).sum(axis=1))
        chosen.append(int(nearest.argmax()))
    return np.array(chosen)


def _look_like_images(X: Any) -> bool:
    """Whether data has the shape of images, or of rows of square ones."""
    shape = np.shape(X) if not hasattr(X, "shape") else X.shape
    if len(shape) > 2:
        return True
    squares = [channels * isqrt(shape[1] // channels) ** 2 for channels in (1, 3)]
    return shape[1] >= LEAST_PIXELS and shape[1] in squares


PLANE = {"n_images": [Interval(Integral, 0, None, closed="left"), None]}
TRAVERSAL = {
    "n_rows": [Interval(Integral, 1, None, closed="left")],
    "n_steps": [Interval(Integral, 2, None, closed="left")],
    "n_deviations": [Interval(Real, 0, None, closed="neither")],
}
