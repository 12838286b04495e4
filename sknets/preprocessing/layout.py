"""Images and signals as rows of a table, and rows as images."""

from __future__ import annotations

from math import prod
from numbers import Integral
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils import check_array
from torch import Tensor

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
        cls, X: Any, rows: np.ndarray, owner: str, image_shape: Any, channels: str, signal: bool
    ) -> Self:
        """The layout of the images `X`, whose rows are given, by the parameters of `owner`."""
        given = None if image_shape is None else tuple(image_shape)
        shapes = [s for s in (sample_shape(X), given) if s is not None] or [rows.shape[1:]]
        last = channels == "last"
        for shape in shapes:
            sides = all(isinstance(side, Integral) and int(side) > 0 for side in shape)
            if not sides or len(shape) not in AXES[signal] or prod(shape) != rows.shape[1]:
                raise InvalidParameterError(
                    f"The 'image_shape' parameter of {owner}, or the shape of each of X, must be "
                    f"{KINDS[signal]}, with {rows.shape[1]} values in all. Got {shape} instead."
                )
        found, *others = (image_shape_of(shape, last, signal) for shape in shapes)
        if others and others != [found]:
            raise InvalidParameterError(
                f"The 'image_shape' parameter of {owner} must be that of the images in X, "
                f"{shapes[0]}. Got {shapes[1]} instead."
            )
        return cls(found, last)

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
    if len(stored) == (1 if signal else 2) or len(stored) == 1:
        return (1, *stored)
    return (stored[-1], *stored[:-1]) if channels_last else stored


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


def checked_rows(X: Any, owner: Any) -> np.ndarray:
    """Images as rows of checked numbers, bytes as they are and all else as floats."""
    shape = sample_shape(X)
    if shape is not None:
        X = X.reshape(len(X), prod(shape))
    return check_array(X, dtype=[np.float64, np.float32, np.uint8], estimator=owner, input_name="X")


def as_floats(rows: np.ndarray) -> np.ndarray:
    """Bytes as shares of 255, in float32."""
    return np.divide(rows, 255, dtype=np.float32) if rows.dtype == np.uint8 else rows
