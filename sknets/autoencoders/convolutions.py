"""Convolutions and pooling down, and what is learnt to go back up.

Masci, Meier, Ciresan and Schmidhuber (2011), https://doi.org/10.1007/978-3-642-21735-7_7; Odena,
Dumoulin and Olah (2016), https://doi.org/10.23915/distill.00003.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from math import prod
from numbers import Integral
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from torch import nn

from sknets._params import Interval, InvalidParameterError, OneOf, estimator, is_count, param
from sknets.cnn.architecture import DIMENSIONS
from sknets.cnn.images import Images
from sknets.cnn.layers import same_padding
from sknets.layers import ACTIVATIONS, Dropout

TRANSPOSED: dict[int, Any] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}

Layers = OrderedDict[str, nn.Module]


class Design(NamedTuple):
    """The structure of a convolutional autoencoder, whatever the size of its images.

    Parameters
    ----------
    filters : tuple of tuple of int
        Channels after each convolution of each block.
    n_components : int or None
        Units of the code; None: the values of the last block.
    kernel_size : int
    pooling : str or None
        "max" or "average"; None: steps of the last convolution of a block.
    pool_size : int
        By how much a block makes the sides smaller.
    upsampling : str
        "transposed" or "nearest".
    activation, code_activation : str
        One of `ACTIVATIONS`, of the hidden layers and of the code.
    batch_norm : bool
        Whether to normalise before each activation but the code's.
    dropout : float
        Share of hidden values, but for the code's, that are silenced in training.
    """

    filters: tuple[tuple[int, ...], ...]
    n_components: int | None
    kernel_size: int
    pooling: str | None
    pool_size: int
    upsampling: str
    activation: str
    code_activation: str
    batch_norm: bool
    dropout: float

    def maps(self, input_shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        """The shape of an image, and of what each block makes of it: no value is dropped."""
        found = [input_shape]
        for *_, n_out in self.filters:
            found.append((n_out, *(-(-side // self.pool_size) for side in found[-1][1:])))
        return found

    def n_code(self, input_shape: tuple[int, ...]) -> int:
        """How many units the code of such images has."""
        return self.n_components or prod(self.maps(input_shape)[-1])

    def encoder(self, input_shape: tuple[int, ...], sparsifier: nn.Module | None) -> Layers:
        """The layers from images to codes, which pass through `sparsifier` last."""
        layers: Layers = OrderedDict()
        n_sides, n_in = len(input_shape) - 1, input_shape[0]
        dimension = DIMENSIONS[n_sides]
        pools = {"max": dimension.max_pool, "average": dimension.average_pool}
        last = (len(self.filters), len(self.filters[-1]))
        for i, block in enumerate(self.filters, 1):
            for j, n_out in enumerate(block, 1):
                strided = self.pooling is None and j == len(block)
                step = self.pool_size if strided else 1
                layers |= self._convolution(f"{i}_{j}", n_sides, n_in, n_out, step)
                if self.n_components or (i, j) != last:
                    layers |= self._after(f"{i}_{j}", n_sides, n_out)
                n_in = n_out
            if self.pooling is not None:
                layers[f"pool{i}"] = pools[self.pooling](self.pool_size, ceil_mode=True)
        layers["flatten"] = nn.Flatten()
        if self.n_components:
            layers["code"] = nn.Linear(prod(self.maps(input_shape)[-1]), self.n_components)
        layers[f"{self.code_activation}_code"] = ACTIVATIONS[self.code_activation]()
        if sparsifier is not None:
            layers["sparse_code"] = sparsifier
        return layers

    def decoder(self, input_shape: tuple[int, ...]) -> Layers:
        """The layers from codes to images: those of the encoder in reverse."""
        layers: Layers = OrderedDict()
        maps, n_sides = self.maps(input_shape), len(input_shape) - 1
        if self.n_components:
            layers["linear"] = nn.Linear(self.n_components, prod(maps[-1]))
            layers[f"{self.activation}_linear"] = ACTIVATIONS[self.activation]()
            if self.dropout:
                layers["dropout_linear"] = Dropout(self.dropout)
        layers["maps"] = Images(maps[-1], channels_last=False)
        for i in reversed(range(len(self.filters))):
            channels = (maps[i][0], *self.filters[i])[::-1]
            for j, (n_in, n_out) in enumerate(pairwise(channels), 1):
                name = f"{i + 1}_{j}"
                if j == 1:
                    sides = maps[i + 1][1:], maps[i][1:]
                    layers |= self._upsampling(name, n_in, n_out, *sides)
                else:
                    layers |= self._convolution(name, n_sides, n_in, n_out)
                if i or j < len(self.filters[0]):
                    layers |= self._after(name, n_sides, n_out)
        return layers

    def _convolution(self, name: str, n_sides: int, n_in: int, n_out: int, step: int = 1) -> Layers:
        """A convolution that keeps the size, but for its step."""
        pad, around = same_padding(self.kernel_size, n_sides)
        layers: Layers = OrderedDict()
        if pad is not None:
            layers[f"pad{name}"] = pad
        conv = DIMENSIONS[n_sides].conv
        layers[f"conv{name}"] = conv(n_in, n_out, self.kernel_size, step, padding=around)
        return layers

    def _after(self, name: str, n_sides: int, n_channels: int) -> Layers:
        """What comes after a hidden convolution."""
        layers: Layers = OrderedDict()
        if self.batch_norm:
            layers[f"norm{name}"] = DIMENSIONS[n_sides].norm(n_channels)
        layers[f"{self.activation}{name}"] = ACTIVATIONS[self.activation]()
        if self.dropout:
            layers[f"dropout{name}"] = Dropout(self.dropout)
        return layers

    def _upsampling(
        self, name: str, n_in: int, n_out: int, small: tuple[int, ...], large: tuple[int, ...]
    ) -> Layers:
        """What makes large images of small ones, to the pixel."""
        if self.upsampling == "nearest":
            layers: Layers = OrderedDict({f"nearest{name}": nn.Upsample(large)})
            return layers | self._convolution(name, len(large), n_in, n_out)
        how = (self.kernel_size, self.pool_size)
        return OrderedDict({f"transposed{name}": transposed(n_in, n_out, *how, small, large)})


def transposed(
    n_in: int,
    n_out: int,
    kernel_size: int,
    step: int,
    small: tuple[int, ...],
    large: tuple[int, ...],
) -> nn.Module:
    """A transposed convolution from sides to others, to the pixel."""
    # (small - 1) * step - 2 * padding + kernel + more = large (Dumoulin and Visin, 2016).
    spare = [(n - 1) * step + kernel_size - m for n, m in zip(small, large, strict=True)]
    padding = tuple(-(-each // 2) for each in spare)
    more = tuple(2 * p - each for p, each in zip(padding, spare, strict=True))
    made: nn.Module = TRANSPOSED[len(large)](n_in, n_out, kernel_size, step, padding, more)
    return made


@estimator
class ConvolutionParameters(BaseEstimator):
    """Abstract: convolutions down to a code, and back."""

    kernel_size: int = param(
        3, Interval(Integral, 1, None, closed="left"), "Side of the kernels, there and back."
    )
    pooling: Any = param(
        "max",
        [OneOf("max", "average"), None],
        "What is pooled after a block. None lets the last convolution of a block take steps of "
        "pool_size instead.",
    )
    pool_size: int = param(
        2,
        Interval(Integral, 2, None, closed="left"),
        "By how much each block makes the sides smaller; what does not divide evenly is padded, "
        "and comes back to exactly the size that it had.",
    )
    upsampling: str = param(
        "transposed",
        OneOf("transposed", "nearest"),
        "How sides grow again: by a 'transposed' convolution, whose kernels overlap unevenly where "
        "pool_size does not divide kernel_size, or by a convolution of values that were repeated "
        "('nearest'), which shows no checkerboards.",
    )
    _shape_parameters: ClassVar[tuple[str, ...]] = (
        "kernel_size",
        "pooling",
        "pool_size",
        "upsampling",
    )

    def _check_convolutions(self) -> None:
        """Raise for parameters that do not go together."""
        self._blocks()
        if self.upsampling == "transposed" and self.kernel_size < self.pool_size:
            raise InvalidParameterError(
                f"The 'kernel_size' parameter of {type(self).__name__} must be at least pool_size, "
                f"{self.pool_size}, with upsampling='transposed', which leaves gaps otherwise. "
                f"Got {self.kernel_size} instead."
            )

    def _blocks(self) -> tuple[tuple[int, ...], ...]:
        """The channels after each convolution of each block."""
        given = self.filters if np.iterable(self.filters) else (self.filters,)
        blocks = tuple(tuple(each) if np.iterable(each) else (each,) for each in given)
        if not blocks or not all(block and all(map(is_count, block)) for block in blocks):
            raise InvalidParameterError(
                f"The 'filters' parameter of {type(self).__name__} must hold whole numbers > 0, "
                f"or tuples of them. Got {self.filters!r} instead."
            )
        return tuple(tuple(map(int, block)) for block in blocks)
