"""Images and signals as rows of a table, and rows as what a convolutional network takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sknets._data import ConvertedRows, DatasetRows, is_converted
from sknets.preprocessing.layout import as_flat, as_floats, channels_last, holds_bytes


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
        return channels_last(x)

    def extra_repr(self) -> str:
        return f"shape={self.stored}, channels_last={self.channels_last}"


class Rows(nn.Module):
    """Images ``(n, channels, *sides)`` as the rows of pixels that `Images` takes.

    Parameters
    ----------
    channels_last : bool
        Whether the channels of a pixel stand beside each other in a row.
    """

    def __init__(self, channels_last: bool) -> None:
        super().__init__()
        self.channels_last = channels_last

    def forward(self, images: Tensor) -> Tensor:
        return (images.movedim(1, -1) if self.channels_last else images).flatten(1)

    def extra_repr(self) -> str:
        return f"channels_last={self.channels_last}"


def as_rows(X: Any) -> Any:
    """Arrays of images as rows of a table, bytes as shares of 255 unless they stay on disk."""
    X = as_flat(X)
    return as_floats(X) if isinstance(X, np.ndarray) and not is_converted(X) else X


def as_shares(rows: Any, given: Any) -> Any:
    """Validated rows of what was given, whole numbers of 8 bits as shares of 255."""
    if isinstance(rows, (ConvertedRows, DatasetRows)):
        rows.whole = 255 if rows.given == np.uint8 else 1
    elif holds_bytes(given) and not isinstance(given, np.ndarray):
        return (rows / 255).astype(np.float32)  # validation has made floats of them
    return rows
