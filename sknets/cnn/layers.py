"""Torch layers that several convolutional networks share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from torch import nn

from sknets.cnn.architecture import flat_size
from sknets.layers import Dropout

PADS: dict[int, Any] = {1: nn.ZeroPad1d, 2: nn.ZeroPad2d}


class LocalResponseNorm(nn.LocalResponseNorm):
    """x / (k + alpha * sum of x^2 over n neighbouring channels)^beta.

    Krizhevsky et al. (2012, section 3.3). Torch divides its alpha by n, the paper does not.
    """

    def __init__(self, n: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0) -> None:
        super().__init__(n, n * alpha, beta, k)


def same_padding(kernel: int, n_sides: int) -> tuple[nn.Module | None, int]:
    """What keeps the size under a kernel: a layer for the odd zero if any, and zeros all around.

    The odd zero of an even kernel comes last, as in Keras.
    """
    before, after = (kernel - 1) // 2, kernel // 2
    return (PADS[n_sides]((0, 1) * n_sides) if after > before else None), before


def add_dense(
    layers: OrderedDict[str, nn.Module],
    input_shape: tuple[int, ...],
    units: Iterable[int],
    dropout: float,
    first: int,
) -> int:
    """Add dense layers with dropout to what is there, numbered from `first`; return their width."""
    layers["flatten"] = nn.Flatten()
    size = flat_size(nn.Sequential(layers), input_shape)
    for i, n_units in enumerate(units, first):
        layers[f"fc{i}"] = nn.Linear(size, n_units)
        layers[f"relu{i}"] = nn.ReLU(inplace=True)
        layers[f"dropout{i}"] = Dropout(dropout)
        size = n_units
    return size
