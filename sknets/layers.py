"""Building blocks that several families share, and the tables that resolve their names."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 2**16  # of the draw that decides on a value


class RandomLayer(nn.Module):
    """Abstract: a layer that draws random numbers in training."""

    def __init__(self) -> None:
        super().__init__()
        self.generator: torch.Generator | None = None  # the trainer sets each epoch's
        self.progress = 0.0  # and how much of the training is over before it

    def chosen(self, x: Tensor, share: float) -> Tensor:
        """Which values of `x` are among a share of them, drawn for each."""
        if share >= 1:
            return torch.ones_like(x, dtype=torch.bool)
        return self.levels(x) < round(share * LEVELS) - LEVELS // 2

    def levels(self, x: Tensor) -> Tensor:
        """Whole numbers of sixteen bits, all as probable, in the shape of `x`.

        They decide on values to 1 / 65536, each by a quarter of a draw, since drawing took a third
        of the time of a step.
        """
        n, bits = x.numel(), torch.iinfo(torch.int64)
        draws = torch.empty(-(-n // 4), dtype=torch.int64, device=x.device)
        draws.random_(bits.min, None, generator=self.generator)
        return draws.view(torch.int16)[:n].view(x.shape)


class Dropout(RandomLayer):
    """Inverted dropout (Srivastava et al., 2014) whose randomness is its own.

    A share `p` of the units is silenced at each training step and the rest scaled by 1 / (1 - p),
    so that prediction needs no change.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.kept = max(1, round((1 - p) * LEVELS))  # of as many values of sixteen bits

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.kept == LEVELS:
            return x
        if x.layout != torch.strided:
            x = x.to_dense()
        share = self.kept / LEVELS
        return torch.where(self.chosen(x, share), x, 0.0) * (1 / share)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class GaussianNoise(RandomLayer):
    """Adds Gaussian noise in training, and nothing in prediction (Rasmus et al., 2015)."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.std == 0:
            return x
        if x.layout != torch.strided:
            x = x.to_dense()
        return x + torch.empty_like(x).normal_(std=self.std, generator=self.generator)

    def extra_repr(self) -> str:
        return f"std={self.std}"


class _LoneSample(nn.modules.batchnorm._BatchNorm):
    """Abstract: normalises one value a channel, which has no variance, as in prediction."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)


class BatchNorm1d(_LoneSample, nn.BatchNorm1d):
    """Batch normalisation (Ioffe and Szegedy, 2015) of vectors or signals; one sample passes."""


class BatchNorm2d(_LoneSample, nn.BatchNorm2d):
    """Batch normalisation (Ioffe and Szegedy, 2015) of images; one pixel passes."""


class Maxout(nn.Module):
    """The largest of `pieces` linear functions (Goodfellow et al., 2013, section 3)."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (-1, self.pieces)).amax(2)  # (n, units * pieces) -> (n, units)

    def extra_repr(self) -> str:
        return f"pieces={self.pieces}"


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}

# He et al. (2015, equation 10) take 2 / fan_in, Glorot and Bengio (2010, equation 12) the mean of
# both fans, LeCun et al. (1998, section 4.6) 1 / fan_in.
VARIANCES: dict[str, Callable[[float, float], float]] = {
    "glorot": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he": lambda fan_in, fan_out: 2 / fan_in,
    "lecun": lambda fan_in, fan_out: 1 / fan_in,
}
TRUNCATED_STD = 0.87962566103423978  # of a standard normal cut at 2 standard deviations


def _uniform(w: Tensor, std: float, generator: torch.Generator) -> Tensor:
    bound = math.sqrt(3) * std
    return w.uniform_(-bound, bound, generator=generator)


def _normal(w: Tensor, std: float, generator: torch.Generator) -> Tensor:
    return w.normal_(0, std, generator=generator)


def _truncated_normal(w: Tensor, std: float, generator: torch.Generator) -> Tensor:
    std /= TRUNCATED_STD
    return nn.init.trunc_normal_(w, 0, std, -2 * std, 2 * std, generator=generator)


SHAPES = {"uniform": _uniform, "normal": _normal, "truncated_normal": _truncated_normal}
INITIALIZERS = (
    "auto",
    *("_".join(pair) for pair in product(VARIANCES, SHAPES)),
    "orthogonal",
    "normal",
)


@torch.no_grad()
def initialise(
    module: nn.Module,
    weight_init: str,
    bias_init: str | float,
    init_std: float,
    generator: torch.Generator,
) -> None:
    """Fill every parameter and buffer of a module from one generator.

    Parameters
    ----------
    module : nn.Module
        On the CPU, its contents undefined.
    weight_init : str
        One of `INITIALIZERS` but "auto", which is a family's own.
    bias_init : float or "auto"
        The biases' value; "auto" is zero.
    init_std : float
        Standard deviation of "normal".
    generator : torch.Generator
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.modules.conv._ConvNd)):
            initialise_weight(layer.weight, weight_init, init_std, generator, fans(layer))
            if layer.bias is not None:
                nn.init.constant_(layer.bias, 0.0 if bias_init == "auto" else float(bias_init))
        elif isinstance(layer, nn.modules.batchnorm._NormBase):
            layer.reset_parameters()
        elif isinstance(layer, nn.PReLU):
            nn.init.constant_(layer.weight, 0.25)  # He et al. (2015, section 2.1)


def fans(layer: nn.Module) -> tuple[float, float]:
    """How many values a unit of a layer is made of, and of how many units a value is a part."""
    w: Any = layer.weight
    fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(w)
    if isinstance(layer, nn.modules.conv._ConvTransposeNd):
        # Its weights are (in_channels, out_channels, *kernel), and a unit meets one in so many.
        return fan_out / math.prod(layer.stride), fan_in
    return fan_in, fan_out


def initialise_weight(
    w: Tensor,
    how: str,
    init_std: float,
    generator: torch.Generator,
    fans: tuple[float, float] | None = None,
) -> None:
    """Fill one matrix or bank of kernels by one of `INITIALIZERS` but "auto".

    `fans` are those of an ordinary layer unless they are given.
    """
    if how == "orthogonal":  # Saxe et al. (2014)
        nn.init.orthogonal_(w, generator=generator)
    elif how == "normal":
        _normal(w, init_std, generator)
    else:
        family, shape = how.split("_", 1)
        variance = VARIANCES[family](*(fans or nn.init._calculate_fan_in_and_fan_out(w)))
        SHAPES[shape](w, math.sqrt(variance), generator)
