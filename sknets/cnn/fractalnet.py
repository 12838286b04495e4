"""FractalNet: ultra-deep networks without residuals, by a fractal rule (Larsson et al., 2017)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from random import Random
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sknets._params import Interval, InvalidParameterError, param
from sknets.cnn.architecture import (
    DIMENSIONS,
    Architecture,
    Dimension,
    Trunk,
    architecture,
    is_small,
)
from sknets.cnn.recipes import sgd_recipe
from sknets.layers import Dropout, RandomLayer

# Section 4.1: channels of each block.
CHANNELS = (64, 128, 256, 512, 512)
IMAGENET_CHANNELS = (128, 256, 512, 1024)
STEM = 64  # channels of the first layer for large images, ResNet's

# Which of the inputs of a join are live, by how many there are, the shortest column first.
Paths = Callable[[int], list[bool]]


def every_path(n: int) -> list[bool]:
    """All inputs of a join."""
    return [True] * n


def single_path(n: int, column: int) -> list[bool]:
    """The input that a column brings, counted from the longest, which ends at every join."""
    return [i == n - 1 - column for i in range(n)]


def local_paths(n: int, dropped: float, source: Random) -> list[bool]:
    """Each input lives or not; if none does, one of them is brought back."""
    live = [source.random() >= dropped for _ in range(n)]
    if not any(live):
        live[source.randrange(n)] = True
    return live


class Fractal(nn.Module):
    """f_1(z) = conv(z), and f_(C+1)(z) = [f_C(f_C(z))] + [conv(z)], where + is left to a join.

    What no join takes is not computed.
    """

    def __init__(
        self, layer: Dimension, n_columns: int, n_in: int, n_out: int, dropout: float
    ) -> None:
        super().__init__()
        self.n_columns = n_columns
        if n_columns > 1:
            self.first = Fractal(layer, n_columns - 1, n_in, n_out, dropout)
            self.second = Fractal(layer, n_columns - 1, n_out, n_out, dropout)
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        parts["conv"] = layer.conv(n_in, n_out, 3, padding=1, bias=False)
        if dropout:
            parts["dropout"] = Dropout(dropout)
        parts["norm"] = layer.norm(n_out)
        parts["relu"] = nn.ReLU(inplace=True)
        self.column = nn.Sequential(parts)

    def forward(self, x: Tensor, paths: Paths) -> Tensor:
        """The join of all columns."""
        ends = self.ends(x, paths(self.n_columns), paths)
        return ends[0] if len(ends) == 1 else torch.stack(ends).mean(0)

    def ends(self, x: Tensor, live: list[bool], paths: Paths) -> list[Tensor]:
        """What the live columns make, the shortest first."""
        short, *longer = live
        ends = [self.column(x)] if short else []
        if any(longer):
            ends += self.second.ends(self.first(x, paths), longer, paths)
        return ends


class FractalBlocks(RandomLayer):
    """Blocks of fractals, each with a pooling after it, and drop-path in training.

    Each minibatch goes a way of its own: a single column all through, with a probability of
    `global_share`, or else all columns, with inputs of each join dropped at random.

    Parameters
    ----------
    blocks : OrderedDict of modules
        Fractals, and what is between them.
    n_columns : int
    column : int or None
        Which predicts, 1 being the shortest; None has all predict.
    local_drop : float
        Probability that a join drops an input.
    global_share : float
    """

    def __init__(
        self,
        blocks: OrderedDict[str, nn.Module],
        n_columns: int,
        column: int | None,
        local_drop: float,
        global_share: float,
    ) -> None:
        super().__init__()
        for name, block in blocks.items():
            self.add_module(name, block)
        self.n_columns = n_columns
        self.column = column
        self.local_drop = local_drop
        self.global_share = global_share

    def forward(self, x: Tensor) -> Tensor:
        paths = self._drawn_paths(x.device) if self.training else self._paths()
        for block in self.children():
            x = block(x, paths) if isinstance(block, Fractal) else block(x)
        return x

    def _paths(self) -> Paths:
        """The ways of prediction."""
        if self.column is None:
            return every_path
        return partial(single_path, column=self.n_columns - self.column)

    def _drawn_paths(self, device: torch.device) -> Paths:
        """The ways of a minibatch."""
        # One number comes from the device in a step, and no more.
        drawn = torch.randint(2**62, (), generator=self.generator, device=device)
        source = Random(drawn.item())
        if source.random() < self.global_share:
            return partial(single_path, column=source.randrange(self.n_columns))
        return partial(local_paths, dropped=self.local_drop, source=source)


@architecture
class FractalNet(Architecture):
    """FractalNet: columns of 1, 2, 4, ... convolutions side by side, joined by their means.

    Drop-path takes minibatches either along a single column through the whole network or along all
    columns, some inputs of joins missing (at least one stays), each a minibatch at a time. Images
    of more than 64 pixels get a first convolution of 7 x 7 that halves them. Poolings round up, so
    that images of any size are taken.

    See Also
    --------
    sknets.cnn.get_architecture : Descriptions by name, such as "fractalnet20".

    References
    ----------
    .. [1] Larsson, Maire and Shakhnarovich (2017). "FractalNet: ultra-deep neural networks without
       residuals." ICLR. https://doi.org/10.48550/arXiv.1605.07648

    Examples
    --------
    >>> import torch
    >>> from sknets.cnn import FractalNet
    >>> with torch.device("meta"):
    ...     network = FractalNet(columns=3).build((3, 32, 32), 10)
    >>> sum(p.numel() for p in network.parameters())
    33724618
    """

    columns: int = param(
        3,
        Interval(Integral, 1, None, closed="left"),
        "Columns of a block; the longest has 2 ** (columns - 1) convolutions.",
        kw_only=False,
    )
    channels: Any = param(CHANNELS, [tuple, list], "Channels of each block, as many as there are.")
    dropout: float = param(
        0.4,
        Interval(Real, 0, 1, closed="left"),
        "Share of values silenced in the convolutions of the last block; it rises evenly from 0 "
        "in the first.",
    )
    local_drop: float = param(
        0.15, Interval(Real, 0, 1, closed="left"), "Probability that a join drops an input."
    )
    global_share: float = param(
        0.5,
        Interval(Real, 0, 1, closed="both"),
        "Share of the minibatches that go through a single column.",
    )
    column: Any = param(
        None,
        [Interval(Integral, 1, None, closed="left"), None],
        "The only column that predicts, 1 the shortest; None has all of them predict. Training "
        "does not depend on it.",
    )

    names: ClassVar[dict[str, dict[str, Any]]] = {
        "fractalnet20": {},
        # Differs from the paper: half the channels, which makes 19.0 million parameters; the
        # paper's has 22.9 million.
        "fractalnet40": {"columns": 4, "channels": tuple(n // 2 for n in CHANNELS)},
        "fractalnet34": {"columns": 4, "channels": IMAGENET_CHANNELS},
    }

    def _network(self, input_shape: tuple[int, ...], n_outputs: int) -> Trunk:
        self._check_column()
        layer = DIMENSIONS[len(input_shape) - 1]
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        n = input_shape[0]
        if not is_small(input_shape):
            layers["conv"] = layer.conv(n, STEM, 7, stride=2, padding=3, bias=False)
            layers["norm"] = layer.norm(STEM)
            layers["relu"] = nn.ReLU(inplace=True)
            n = STEM
        last = max(1, len(self.channels) - 1)
        for i, n_out in enumerate(self.channels):
            dropout = self.dropout * i / last
            layers[f"block{i + 1}"] = Fractal(layer, self.columns, n, n_out, dropout)
            # As in figure 1; the authors' program pools each column before the last join.
            layers[f"pool{i + 1}"] = layer.max_pool(2, ceil_mode=True)
            n = n_out
        layers["pool"] = layer.adaptive_pool(1)
        layers["flatten"] = nn.Flatten()
        blocks = FractalBlocks(
            layers, self.columns, self.column, self.local_drop, self.global_share
        )
        return Trunk(blocks, nn.Linear(n, n_outputs))

    def _check_column(self) -> None:
        if self.column is not None and self.column > self.columns:
            raise InvalidParameterError(
                f"The 'column' parameter of FractalNet must be at most 'columns', {self.columns}. "
                f"Got {self.column} instead."
            )

    def recipe(self) -> dict[str, Any]:
        """Training as in section 4.1: 400 epochs of small images, 70 of ImageNet.

        Returns
        -------
        parameters : dict
            For ``set_params``.
        """
        large = tuple(self.channels) == IMAGENET_CHANNELS
        max_iter = 70 if large else 400
        return sgd_recipe(
            0.001 if large else 0.02,
            learning_rate="step",
            decay_rate=0.1,
            # Differs from the paper: tenfold at 3/8 and 6/8 of the epochs, not whenever the number
            # of those left has halved.
            decay_every=max_iter * 3 / 8,
            batch_size=32 if large else 100,
            max_iter=max_iter,
            weight_init="glorot_uniform",
        )
