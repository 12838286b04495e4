"""Residual networks from a design: blocks whose branch is added to a shortcut (He et al., 2016).

ResNets, their pre-activated, wide and grouped kin and those of stochastic depth are designs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sknets.cnn.architecture import DIMENSIONS, Architecture, Dimension, Trunk
from sknets.layers import Dropout, RandomLayer


class Design(NamedTuple):
    """The structure of a residual network."""

    n_blocks: tuple[int, ...]  # of each stage
    channels: tuple[int, ...]  # that the blocks of each stage make
    inner: tuple[int, ...] | None  # channels within a bottleneck; None for blocks of two layers
    stem: int  # channels of the first layer
    small: bool  # whether the first layer is for small images
    groups: int = 1  # of the bottleneck's 3 x 3 convolution
    shortcut: str | None = "B"
    preactivation: bool = False
    dropout: float = 0.0  # between the convolutions of a block
    survival: float = 1.0  # of the last block, with stochastic depth


class Residual(RandomLayer):
    """A branch, added to a shortcut.

    With stochastic depth (Huang et al., 2016, section 3) the branch of a minibatch survives with a
    probability, by which prediction weights it.

    Parameters
    ----------
    branch : nn.Module
    shortcut : nn.Module or None
        None is a plain block, without one.
    ending : nn.Module
        Applied to the sum.
    survival : float
        Probability that the branch is used.
    before : nn.Module, optional
        Applied to the input first, where both the branch and a projection follow it.
    """

    def __init__(
        self,
        branch: nn.Module,
        shortcut: nn.Module | None,
        ending: nn.Module,
        survival: float = 1.0,
        before: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.before = before
        self.branch = branch
        self.shortcut = shortcut
        self.ending = ending
        self.survival = survival

    def forward(self, x: Tensor) -> Tensor:
        inside = x if self.before is None else self.before(x)
        if self.shortcut is None:
            return self.ending(self.branch(inside))
        # Differs from the paper: a pre-activated block passes on what came, unless it has to change
        # its shape, also the very first, whose shortcut the paper starts after its activation.
        carried = x if isinstance(self.shortcut, nn.Identity) else self.shortcut(inside)
        if self.survival == 1:
            return self.ending(carried + self.branch(inside))
        if not self.training:
            return self.ending(carried + self.survival * self.branch(inside))
        drawn = torch.rand((), generator=self.generator, device=x.device)
        return self.ending(carried + self.branch(inside) if drawn < self.survival else carried)


class PaddedShortcut(nn.Module):
    """Shortcut A: every second pixel, and zeros for the channels that are new."""

    def __init__(self, n_new: int, stride: int) -> None:
        super().__init__()
        self.n_new, self.stride = n_new, stride

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride]
        x = x if x.ndim == 3 else x[..., :: self.stride]
        return F.pad(x, [0, 0] * (x.ndim - 2) + [0, self.n_new])

    def extra_repr(self) -> str:
        return f"n_new={self.n_new}, stride={self.stride}"


class ResidualArchitecture(Architecture):
    """Abstract: a description that comes down to a `Design`."""

    renames: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"^features\.(stem\.)?", ""),
        (r"\.branch\.", "."),
        (r"\.shortcut\.", ".downsample."),
        (r"^head\.", "fc."),
    )

    @abstractmethod
    def _design(self, input_shape: tuple[int, ...]) -> Design:
        """The structure for inputs of a shape."""

    def _network(self, input_shape: tuple[int, ...], n_outputs: int) -> Trunk:
        design = self._design(input_shape)
        layer = DIMENSIONS[len(input_shape) - 1]
        layers = OrderedDict[str, nn.Module](stem=_stem(layer, design, input_shape[0]))
        blocks, n_features = _blocks(layer, design), design.channels[-1]
        stages = [nn.Sequential(*(next(blocks) for _ in range(n))) for n in design.n_blocks]
        if design.preactivation:
            stages[-1].append(layer.norm(n_features)).append(nn.ReLU(inplace=True))
        layers.update({f"layer{i}": stage for i, stage in enumerate(stages, 1)})
        layers["pool"] = layer.adaptive_pool(1)
        layers["flatten"] = nn.Flatten()
        return Trunk(nn.Sequential(layers), nn.Linear(n_features, n_outputs))

    def _check(self, input_shape: tuple[int, ...]) -> None:
        """Nothing: by its padding, the network takes a single pixel."""


def _stem(layer: Dimension, design: Design, n_in: int) -> nn.Sequential:
    """What comes before the stages."""
    kernel, stride = (3, 1) if design.small else (7, 2)
    conv = layer.conv(n_in, design.stem, kernel, stride, padding=kernel // 2, bias=False)
    stem = OrderedDict[str, nn.Module](conv1=conv)
    if not (design.preactivation and design.small):
        stem["bn1"] = layer.norm(design.stem)
        stem["relu1"] = nn.ReLU(inplace=True)
    if not design.small:
        stem["pool1"] = layer.max_pool(3, 2, padding=1)
    return nn.Sequential(stem)


def _blocks(layer: Dimension, design: Design) -> Iterator[Residual]:
    """The blocks of all stages, one after the other."""
    n_in, total, i = design.stem, sum(design.n_blocks), 0
    inners = design.inner or (None,) * len(design.channels)
    stages = zip(design.n_blocks, design.channels, inners, strict=True)
    for stage, (n, n_out, inner) in enumerate(stages):
        for first in (True, *[False] * (n - 1)):
            i += 1
            stride = 2 if first and stage else 1
            survival = 1 - i / total * (1 - design.survival)  # the linear decay of section 3
            yield _block(layer, design, inner, n_in, n_out, stride, survival)
            n_in = n_out


def _block(
    layer: Dimension,
    design: Design,
    inner: int | None,
    n_in: int,
    n_out: int,
    stride: int,
    survival: float,
) -> Residual:
    convs = _convolutions(layer, n_in, n_out, inner, stride, design.groups)
    shortcut = _shortcut(layer, design, n_in, n_out, stride)
    if design.preactivation:
        before = nn.Sequential(layer.norm(n_in), nn.ReLU())
        branch = _preactivated(layer, convs, design.dropout)
        return Residual(branch, shortcut, nn.Identity(), survival, before)
    ending = nn.ReLU(inplace=survival == 1)  # else it may get what came, which is not its own
    return Residual(_activated(layer, convs), shortcut, ending, survival)


def _convolutions(
    layer: Dimension, n_in: int, n_out: int, inner: int | None, stride: int, groups: int
) -> list[nn.Module]:
    """Two of 3 x 3 pixels, or a bottleneck: 1 x 1, 3 x 3 and 1 x 1."""
    conv = partial(layer.conv, bias=False)
    if inner is None:
        return [conv(n_in, n_out, 3, stride, padding=1), conv(n_out, n_out, 3, padding=1)]
    # Differs from the paper: the 3 x 3 convolution has the stride, not the first, as in
    # torchvision, for the better accuracy.
    wide = conv(inner, inner, 3, stride, padding=1, groups=groups)
    return [conv(n_in, inner, 1), wide, conv(inner, n_out, 1)]


def _activated(layer: Dimension, convs: list[Any]) -> nn.Module:
    """Convolutions, each normalised, with relus between them."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, conv in enumerate(convs, 1):
        layers[f"conv{i}"] = conv
        layers[f"bn{i}"] = layer.norm(conv.out_channels)
        if i < len(convs):
            layers[f"relu{i}"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)


def _preactivated(layer: Dimension, convs: list[Any], dropout: float) -> nn.Module:
    """Convolutions of what is normalised and rectified before each; the first is so already."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv1=convs[0])
    for i, conv in enumerate(convs[1:], 2):
        layers[f"bn{i}"] = layer.norm(conv.in_channels)
        layers[f"relu{i}"] = nn.ReLU(inplace=True)
        if dropout:
            layers[f"dropout{i}"] = Dropout(dropout)
        layers[f"conv{i}"] = conv
    return nn.Sequential(layers)


def _shortcut(
    layer: Dimension, design: Design, n_in: int, n_out: int, stride: int
) -> nn.Module | None:
    if design.shortcut is None:
        return None
    if n_in == n_out and stride == 1:
        return nn.Identity()
    if design.shortcut == "A":
        return PaddedShortcut(n_out - n_in, stride)
    projection = layer.conv(n_in, n_out, 1, stride, bias=False)
    if design.preactivation:
        return projection
    return nn.Sequential(projection, layer.norm(n_out))
