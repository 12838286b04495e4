"""Images and signals as rows of a table, and rows as images."""

from __future__ import annotations

from math import prod
from numbers import Integral
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils import check_array
from torch import Tensor

from sknets._data import as_array
from sknets._params import InvalidParameterError

AXES = {False: (1, 2, 3), True: (1, 2)}  # of one image, by whether it is a signal
KINDS = {
    False: "(height, width), or that with an axis of channels",
    True: "(length,), or that with an axis of channels",
}


class Layout(NamedTuple):
    """How an image lies in a row: its shape, and whether a pixel's channels are neighbours."""

    shape: tuple[int, ...]  # (channels, *sides)
    channels_last: bool

    @classmethod
    def of(
        cls,
        given: tuple[int, ...] | None,
        n_values: int,
        owner: str,
        image_shape: Any,
        channels: str,
        signal: bool,
    ) -> Self:
        """The layout of images of `n_values` each, by the parameters of `owner`.

        Parameters
        ----------
        given : tuple of int or None
            The shape of each image in an array of them; None for rows.
        n_values : int
        owner : str
            Whose parameters the others are, for messages.
        image_shape, channels, signal
            As the estimators take them.
        """
        named = None if image_shape is None else tuple(image_shape)
        shapes = [s for s in (given, named) if s is not None] or [(n_values,)]
        last = channels == "last"
        for shape in shapes:
            sides = all(isinstance(side, Integral) and int(side) > 0 for side in shape)
            if not sides or len(shape) not in AXES[signal] or prod(shape) != n_values:
                raise InvalidParameterError(
                    f"The 'image_shape' parameter of {owner}, or the shape of each of X, must be "
                    f"{KINDS[signal]}, with {n_values} values in all. Got {shape} instead."
                )
        found, *others = (image_shape_of(shape, last, signal) for shape in shapes)
        if others and others != [found]:
            raise InvalidParameterError(
                f"The 'image_shape' parameter of {owner} must be that of the images in X, "
                f"{shapes[0]}. Got {shapes[1]} instead."
            )
        return cls(found, last)

    def check(self, given: tuple[int, ...] | None, owner: str, signal: bool) -> None:
        """Raise ValueError for an array of images of another shape; rows pass."""
        shape = given and image_shape_of(given, self.channels_last, signal)
        if shape and shape != self.shape:
            raise ValueError(
                f"X has images of shape {shape}, but {owner} is expecting {self.shape} as input."
            )

    def split(self, rows: np.ndarray) -> np.ndarray:
        """Rows as images: (n, channels, *sides)."""
        channels, *sides = self.shape
        if self.channels_last:
            return np.moveaxis(rows.reshape(-1, *sides, channels), -1, 1)
        return rows.reshape(-1, *self.shape)

    def join(self, images: np.ndarray) -> np.ndarray:
        """Images (n, channels, *sides) as rows, whatever their size."""
        if self.channels_last:
            images = np.moveaxis(images, 1, -1)
        return images.reshape(len(images), -1)


def image_shape_of(stored: tuple[int, ...], channels_last: bool, signal: bool) -> tuple[int, ...]:
    """(channels, *sides) of a sample's shape; what has no axis of channels has one channel."""
    sides = tuple(map(int, stored))
    if len(sides) == (1 if signal else 2) or len(sides) == 1:
        return (1, *sides)
    return (sides[-1], *sides[:-1]) if channels_last else sides


def channels_last(images: Tensor) -> Tensor:
    """Images whose channels lie side by side in memory, signals as they are.

    Of one channel too, whose steps in memory torch leaves as they come: convolutions and pooling go
    by them, and take half as long again where they are the others.
    """
    if images.ndim != 4:
        return images
    rows = images.movedim(1, -1)
    return rows.flatten(1).unflatten(1, rows.shape[1:]).movedim(-1, 1)


def sample_shape(X: Any) -> tuple[int, ...] | None:
    """The shape of each image in an array of them; None for rows."""
    return tuple(X.shape[1:]) if getattr(X, "ndim", 2) > 2 else None


def as_image_array(X: Any) -> Any:
    """A tensor, or a list of images, as an array; everything else as it is."""
    X = as_array(X)
    if isinstance(X, (list, tuple)) and len(X) and np.ndim(X[0]) > 1:
        return np.asarray(X)
    return X


def holds_bytes(X: Any) -> bool:
    """Whether images are whole numbers of 8 bits: an array, a sparse matrix or a data frame."""
    if hasattr(X, "dtype"):
        return bool(X.dtype == np.uint8)
    return hasattr(X, "columns") and np.asarray(X.head(1)).dtype == np.uint8


def as_flat(X: Any) -> Any:
    """An array of images as rows; everything else as it is."""
    shape = sample_shape(X)
    return X if shape is None else X.reshape(len(X), prod(shape))


def checked_rows(X: Any, owner: Any) -> np.ndarray:
    """Images as rows of checked numbers, bytes as they are and all else as floats."""
    dtype = [np.float64, np.float32, np.uint8]
    return check_array(as_flat(X), dtype=dtype, estimator=owner, input_name="X")


def as_floats(rows: np.ndarray) -> np.ndarray:
    """Bytes as shares of 255, in float32."""
    return np.divide(rows, 255, dtype=np.float32) if rows.dtype == np.uint8 else rows
