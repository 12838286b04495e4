"""Examples of a set of images, side by side with their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt, prod
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from sknets._optional import require
from sknets._params import Interval, InvalidParameterError, check_values

TILE_INCHES = 0.8  # width of an image in a figure of our own, at least
FIGURE_INCHES = 3.2  # what few images grow to fill
MARGIN_INCHES = 0.1  # what the layout leaves around them
LABEL_INCHES = 0.24  # space for a label
LABEL_POINTS = 8.5  # size of a label that is not too long for it
GRID = {name: [Interval(Integral, 1, None, closed="left")] for name in ("n_rows", "n_cols")}


class ImagesDisplay:
    """A grid of images with their labels.

    It is best made by `from_dataset` or `from_arrays`.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3)
        Grey or coloured images. Black and white (or no and full colour) are 0 and 255 in uint8, 0
        and 1 in floats between them, else the smallest and the largest value of all the images.
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
    sknets.datasets.load_mnist : Images to show.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets.inspection import ImagesDisplay
    >>> display = ImagesDisplay.from_dataset(load_digits(), n_rows=2, n_cols=5)
    >>> [text.get_text() for text in display.text_[:3]]
    ['0', '1', '2']
    """

    def __init__(
        self,
        images: np.ndarray,
        *,
        labels: Sequence[Any] | np.ndarray | None = None,
        row_labels: Sequence[Any] | None = None,
        n_cols: int = 10,
    ) -> None:
        self.images = images
        self.labels = labels
        self.row_labels = row_labels
        self.n_cols = n_cols

    @classmethod
    def from_arrays(
        cls,
        images: ArrayLike,
        labels: ArrayLike | None = None,
        *,
        image_shape: tuple[int, ...] | None = None,
        n_rows: int = 5,
        n_cols: int = 10,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the first images of an array.

        Parameters
        ----------
        images : array-like of shape (n_samples, n_pixels), (n_samples, height, width), \
                (n_samples, channels, height, width) or (n_samples, height, width, channels)
            Images with 1 or 3 channels. An array of four axes whose second has length 1 or 3 is
            taken to have its channels there.
        labels : array-like of shape (n_samples,), default=None
            What to write above each image.
        image_shape : tuple, default=None
            (height, width) or (channels, height, width) of images that come as rows; None takes
            them to be square.
        n_rows : int, default=5
            Rows of images, at most.
        n_cols : int, default=10
            Images in a row, at most.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        ImagesDisplay
            The display, drawn.
        """
        check_values(cls.__name__, GRID, {"n_rows": n_rows, "n_cols": n_cols})
        shown = as_images(images, image_shape, cls.__name__)
        if labels is not None:
            labels = np.asarray(labels)
            if labels.shape != (len(shown),):
                raise InvalidParameterError(
                    f"The 'labels' parameter of {cls.__name__} must be of shape ({len(shown)},), "
                    f"one for each image. Got the shape {labels.shape} instead."
                )
            labels = labels[: n_rows * n_cols]
        shown = shown[: n_rows * n_cols]
        display = cls(shown, labels=labels, n_cols=min(n_cols, len(shown)))
        return display.plot(ax=ax, **kwargs)

    @classmethod
    def from_dataset(
        cls,
        dataset: Mapping[str, Any],
        *,
        n_rows: int = 5,
        n_cols: int = 10,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the first images of a data set, with the names of their classes.

        Parameters
        ----------
        dataset : :class:`~sklearn.utils.Bunch`
            What a loader of sknets or of scikit-learn returns, with ``images`` or else with images
            as the rows of ``data``.
        n_rows : int, default=5
            Rows of images, at most.
        n_cols : int, default=10
            Images in a row, at most.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        ImagesDisplay
            The display, drawn.
        """
        if not isinstance(dataset, Mapping) or not {"images", "data"} & dataset.keys():
            raise InvalidParameterError(
                f"The 'dataset' parameter of {cls.__name__} must be a Bunch with 'images' or "
                f"'data'; of arrays, use {cls.__name__}.from_arrays. Got "
                f"{type(dataset).__name__} instead."
            )
        images = dataset["images"] if "images" in dataset else dataset["data"]
        labels = dataset.get("target")
        if isinstance(labels, list):  # of captions, which are too long
            labels = None
        if labels is not None and dataset.get("target_names") is not None:
            labels = np.asarray(dataset["target_names"])[labels]
        return cls.from_arrays(images, labels, n_rows=n_rows, n_cols=n_cols, ax=ax, **kwargs)

    def plot(self, ax: Any = None, *, text_kw: dict[str, Any] | None = None, **kwargs: Any) -> Self:
        """Draw the images.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        text_kw : dict, default=None
            Passed to matplotlib's ``text`` for the labels, such as ``{"fontsize": 6}``.
        **kwargs : dict
            Passed to matplotlib's ``imshow``, such as ``cmap="gray_r"``.

        Returns
        -------
        ImagesDisplay
            Itself.
        """
        pyplot = require("matplotlib.pyplot", extra="plot", feature="ImagesDisplay.plot")
        height, width = self.images.shape[1:3]
        labels = [] if self.labels is None else [str(label) for label in self.labels]
        tile = TILE_INCHES if ax is not None else self._tile_inches()
        above = int(np.ceil(LABEL_INCHES / tile * width)) if labels else 0
        gap = max(1, width // 14)
        low, high = value_range(self.images)
        style = {"cmap": "gray", "vmin": low, "vmax": high, **kwargs}
        images = self.images
        if images.ndim == 4:  # imshow leaves colours to us
            span = (style["vmax"] - style["vmin"]) or 1
            images = np.clip((images - float(style["vmin"])) / span, 0, 1)
        picture = mosaic(images, self.n_cols, above=above, gap=gap)
        if ax is None:
            inches = tile * self.n_cols * np.array([1, picture.shape[0] / picture.shape[1]])
            longest = max((len(str(label)) for label in self.row_labels or []), default=0)
            inches[0] += longest * LABEL_POINTS * 0.6 / 72  # a letter is 0.6 em wide
            _, ax = pyplot.subplots(figsize=inches + MARGIN_INCHES, layout="constrained")
        self.im_ = ax.imshow(picture, **style)
        fitting = 72 * tile / (0.6 * max(map(len, labels), default=1))  # a letter is 0.6 em wide
        where = {"ha": "center", "va": "bottom", "fontsize": min(LABEL_POINTS, fitting)}
        self.text_ = []
        for i, label in enumerate(labels):
            row, column = divmod(i, self.n_cols)
            x = column * (width + gap) + (width - 1) / 2
            y = row * (above + height + gap) + above - 0.5
            self.text_.append(ax.text(x, y, label, **{**where, **(text_kw or {})}))
        beside = {"ha": "right", "va": "center", "fontsize": LABEL_POINTS}
        for row, label in enumerate(self.row_labels or []):
            y = row * (above + height + gap) + above + (height - 1) / 2
            self.text_.append(ax.text(-gap - 0.5, y, label, **{**beside, **(text_kw or {})}))
        ax.set_axis_off()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _tile_inches(self) -> float:
        """The width of an image in a figure of our own."""
        n_rows = -(-len(self.images) // self.n_cols)
        return max(TILE_INCHES, FIGURE_INCHES / max(self.n_cols, n_rows))


def as_images(
    images: ArrayLike, image_shape: tuple[int, ...] | None = None, owner: str = "ImagesDisplay"
) -> np.ndarray:
    """Images in any of the usual shapes -> (n, height, width), or (n, height, width, 3)."""
    images = np.asarray(images)
    if images.ndim == 2:
        shape = _shape_of_rows(images.shape[1], image_shape, owner)
        images = images.reshape(len(images), *shape)
    if images.ndim == 4 and images.shape[1] in (1, 3):
        images = np.moveaxis(images, 1, -1)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    coloured = images.ndim == 4 and images.shape[-1] == 3
    if not (images.ndim == 3 or coloured) or not images.size or images.dtype.kind not in "biuf":
        raise InvalidParameterError(
            f"The 'images' parameter of {owner} must be a non-empty array of numbers of shape "
            "(n_samples, n_pixels), (n_samples, height, width), (n_samples, channels, height, "
            "width) or (n_samples, height, width, channels), with 1 or 3 channels. "
            f"Got {images.dtype} of shape {images.shape} instead."
        )
    return images


def _shape_of_rows(
    n_pixels: int, image_shape: tuple[int, ...] | None, owner: str
) -> tuple[int, ...]:
    if image_shape is not None:
        sizes = tuple(image_shape) if np.iterable(image_shape) else ()
        whole = all(isinstance(size, Integral) and size > 0 for size in sizes)
        if whole and len(sizes) in (2, 3) and prod(sizes) == n_pixels:
            return sizes
    else:
        for channels in (1, 3):
            side = isqrt(n_pixels // channels)
            if channels * side**2 == n_pixels:
                return (channels, side, side)
    raise InvalidParameterError(
        f"The 'image_shape' parameter of {owner} must be (height, width) or (channels, height, "
        f"width) of {n_pixels} values in all; None is for squares. Got {image_shape!r} instead."
    )


def value_range(images: np.ndarray) -> tuple[float, float]:
    """The values that are black and white."""
    if images.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(np.nanmin(images)), float(np.nanmax(images))
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def mosaic(images: np.ndarray, n_cols: int, *, above: int = 0, gap: int = 1) -> np.ndarray:
    """(n, height, width) -> (n_rows * ..., n_cols * ...), colours with a fourth channel, opacity.

    Between the images are `gap` pixels, over each `above` more, which are transparent, as images of
    nan are: nan where the images are grey.
    """
    if images.ndim == 4:
        opaque = np.isfinite(images[..., :1]).astype(images.dtype)
        images = np.concatenate([np.nan_to_num(images), opaque], axis=-1)
    n, height, width, *channels = images.shape
    n_rows = -(-n // n_cols)
    tiles = np.full(
        (n_rows * n_cols, above + height + gap, width + gap, *channels),
        0.0 if channels else np.nan,
    )
    tiles[:n, above : above + height, :width] = images
    grid = tiles.reshape(n_rows, n_cols, *tiles.shape[1:]).swapaxes(1, 2)
    return grid.reshape(n_rows * tiles.shape[1], n_cols * tiles.shape[2], *channels)[:-gap, :-gap]
