"""Images and signals as rows of a table, and rows as what a convolutional network takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# `signal` -> the forms of one sample, by their number of axes (the channels may be last)
FORMS = {
    False: {1: "(length,)", 2: "(height, width)", 3: "(channels, height, width)"},
    True: {1: "(length,)", 2: "(channels, length)"},
}


class Images(nn.Module):
    """Rows of pixels, or arrays of them, as images ``(n, channels, *sides)``.

    Parameters
    ----------
    shape : tuple of int
        (channels, height, width), or (channels, length).
    channels_last : bool
        Whether the channels of a pixel stand beside each other in a row.
    """

    def __init__(self, shape: tuple[int, ...], channels_last: bool) -> None:
        super().__init__()
        channels, *sides = shape
        self.channels_last = channels_last or channels == 1
        self.stored = (*sides, channels) if self.channels_last else shape

    def forward(self, x: Tensor) -> Tensor:
        if x.layout != torch.strided:
            x = x.to_dense()
        x = x.flatten(1).unflatten(1, self.stored)
        if self.channels_last:
            return x.movedim(-1, 1)
        # On most devices convolutions are fastest where the channels of a pixel are neighbours.
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x

    def extra_repr(self) -> str:
        return f"shape={self.stored}, channels_last={self.channels_last}"


def image_shape_of(stored: tuple[int, ...], channels_last: bool, signal: bool) -> tuple[int, ...]:
    """(channels, *sides) of a sample's shape; what has no axis of channels has one channel."""
    if len(stored) == (1 if signal else 2) or len(stored) == 1:
        return (1, *stored)
    return (stored[-1], *stored[:-1]) if channels_last else stored


def as_rows(X: Any) -> Any:
    """Arrays of images as rows of a table, whole numbers of 8 bits as shares of 255."""
    if getattr(X, "dtype", None) == np.uint8:
        X = np.asarray(X, dtype=np.float32) / 255
    return X.reshape(len(X), -1) if getattr(X, "ndim", 2) > 2 else X
