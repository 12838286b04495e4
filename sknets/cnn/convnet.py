"""The user's own convolutional network: blocks of convolutions, then dense layers."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from torch import nn

from sknets._params import Interval, OneOf, param
from sknets.cnn.architecture import (
    DIMENSIONS,
    Architecture,
    Trunk,
    architecture,
    flat_size,
)
from sknets.cnn.layers import same_padding
from sknets.layers import ACTIVATIONS, Dropout


@architecture
class ConvNet(Architecture):
    """Blocks of convolutions, each with a pooling after it, then dense layers.

    The default takes images and signals of any size, down to a single value.

    See Also
    --------
    VGG : The same idea, as it was published.

    References
    ----------
    .. [1] LeCun, Bottou, Bengio and Haffner (1998). "Gradient-based learning applied to document
       recognition." Proceedings of the IEEE 86, 2278-2324. https://doi.org/10.1109/5.726791

    Examples
    --------
    >>> import torch
    >>> from sknets.cnn import ConvNet
    >>> with torch.device("meta"):
    ...     network = ConvNet(channels=(24, 32), kernel_size=(5, 3)).build((1, 28, 28), 10)
    >>> [tuple(p.shape) for p in network.parameters() if p.ndim > 1]
    [(24, 1, 5, 5), (32, 24, 3, 3), (128, 1568), (10, 128)]
    """

    channels: Any = param(
        ((32, 32), 64),
        ["array-like", Interval(Integral, 1, None, closed="left")],
        "Channels of each block; a tuple in place of a number has one of each of its convolutions.",
        kw_only=False,
    )
    kernel_size: Any = param(
        3,
        ["array-like", Interval(Integral, 1, None, closed="left")],
        "Side of the kernels, of all blocks or of each.",
    )
    stride: Any = param(
        1,
        ["array-like", Interval(Integral, 1, None, closed="left")],
        "Step of the kernels, of all blocks or of each.",
    )
    padding: str = param(
        "same",
        OneOf("same", "valid"),
        "'same' pads with zeros, so that a stride of 1 keeps the size and no value is dropped by "
        "pooling; 'valid' keeps to the image.",
    )
    pooling: Any = param(
        "max", [OneOf("max", "average"), None], "What is pooled after a block, if anything."
    )
    pool_size: int = param(
        2, Interval(Integral, 1, None, closed="left"), "Side and step of the pooling."
    )
    batch_norm: bool = param(False, "boolean", "Whether to normalise after each convolution.")
    dense: Any = param(
        128,
        ["array-like", Interval(Integral, 1, None, closed="left")],
        "Units of the dense layers; () has none.",
    )
    activation: str = param(
        "relu", OneOf(*ACTIVATIONS), "Activation after each layer but the last."
    )
    dropout: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "Share of units silenced after each dense layer, or before the last layer without one.",
    )

    names: ClassVar[dict[str, dict[str, Any]]] = {"convnet": {}}

    def _network(self, input_shape: tuple[int, ...], n_outputs: int) -> Trunk:
        n_sides = len(input_shape) - 1
        layer = DIMENSIONS[n_sides]
        same = self.padding == "same"
        blocks = _each(self.channels)
        n = len(blocks)
        kernels, strides = self._of_blocks("kernel_size", n), self._of_blocks("stride", n)
        pool = {"max": layer.max_pool, "average": layer.average_pool, None: None}[self.pooling]
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        n_in = input_shape[0]
        for i, (block, kernel, stride) in enumerate(zip(blocks, kernels, strides, strict=True), 1):
            for j, n_out in enumerate(_each(block), 1):
                pad, around = same_padding(kernel, n_sides) if same else (None, 0)
                if pad is not None:
                    layers[f"pad{i}_{j}"] = pad
                layers[f"conv{i}_{j}"] = layer.conv(n_in, n_out, kernel, stride, padding=around)
                if self.batch_norm:
                    layers[f"norm{i}_{j}"] = layer.norm(n_out)
                layers[f"{self.activation}{i}_{j}"] = ACTIVATIONS[self.activation]()
                n_in = n_out
            if pool is not None:
                layers[f"pool{i}"] = pool(self.pool_size, ceil_mode=same)
        layers["flatten"] = nn.Flatten()
        sizes = (flat_size(nn.Sequential(layers), input_shape), *_each(self.dense))
        for i, (n_in, n_out) in enumerate(pairwise(sizes), 1):
            layers[f"dense{i}"] = nn.Linear(n_in, n_out)
            layers[f"{self.activation}{n + i}"] = ACTIVATIONS[self.activation]()
            if self.dropout:
                layers[f"dropout{i}"] = Dropout(self.dropout)
        if self.dropout and len(sizes) == 1:
            layers["dropout"] = Dropout(self.dropout)
        return Trunk(nn.Sequential(layers), nn.Linear(sizes[-1], n_outputs))

    def _of_blocks(self, name: str, n: int) -> tuple[int, ...]:
        values = _each(getattr(self, name), n)
        if len(values) != n:
            raise ValueError(
                f"The {name!r} parameter of ConvNet must be one number, or one for each of the "
                f"{n} blocks that 'channels' has. Got {getattr(self, name)!r} instead."
            )
        return values


def _each(values: Any, n: int = 1) -> tuple[Any, ...]:
    """A value for each of `n`, from one for all or from as many."""
    return tuple(values) if np.iterable(values) else (values,) * n
