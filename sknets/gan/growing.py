"""Players that grow from small images to large ones while they learn.

Karras, Aila, Laine and Lehtinen (2018), "Progressive growing of GANs for improved quality,
stability, and variation", https://arxiv.org/abs/1710.10196.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sknets._data import dense_tensor
from sknets._measure import Work, work_of
from sknets.cnn.architecture import DIMENSIONS
from sknets.cnn.images import Images, Rows
from sknets.gan.diversity import MinibatchDeviation
from sknets.gan.network import (
    AdversarialNet,
    Discriminator,
    Generator,
    InstanceNoise,
    Play,
    Prior,
    Units,
)
from sknets.gan.spectral import multiplied

LEAK = 0.2
SMALLEST = 1e-8
LEAST_SIDE = 4  # of the smallest images
FINENESS = 2**20  # steps in which a size comes in


# -- layers


class Equalised(nn.Module):
    """A linear layer or a convolution whose weights start from N(0, 1) and are scaled when used.

    The scale is He's (Karras et al., 2018, section 4.1), so that values keep their variance, and
    all weights learn at the same rate whatever their number.

    Parameters
    ----------
    layer : nn.Linear or a convolution
    gain : float
        Of the activation that follows.
    rate : float
        Of learning, beside other layers.
    """

    is_one_layer = True

    def __init__(self, layer: nn.Module, gain: float = math.sqrt(2), rate: float = 1.0) -> None:
        super().__init__()
        self.layer: Any = layer
        weight: Any = layer.weight
        self.scale, self.rate = gain / math.sqrt(prod(weight.shape[1:])) * rate, rate

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Fill the weights."""
        self.layer.weight.normal_(std=1 / self.rate, generator=generator)
        if self.layer.bias is not None:
            self.layer.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer
        bias = layer.bias if layer.bias is None or self.rate == 1 else layer.bias * self.rate
        return multiplied(layer, x, layer.weight * self.scale, bias)


def dense(n_in: int, n_out: int, gain: float = math.sqrt(2), rate: float = 1.0) -> Equalised:
    """An equalised layer of all values."""
    return Equalised(nn.Linear(n_in, n_out), gain, rate)


def convolution(
    n_sides: int, n_in: int, n_out: int, kernel: int = 3, gain: float = math.sqrt(2)
) -> Equalised:
    """An equalised convolution that keeps the size."""
    conv = DIMENSIONS[n_sides].conv
    return Equalised(conv(n_in, n_out, kernel, padding=kernel // 2), gain)


class PixelNorm(nn.Module):
    """Scales the channels of each pixel to a mean square of 1 (section 4.2)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(1, keepdim=True) + SMALLEST).rsqrt()


# -- sizes


def sizes_of(sides: Sequence[int]) -> list[tuple[int, ...]]:
    """The sides of images from the smallest on, each twice as long as before.

    Sides are halved as long as they are even and at least twice `LEAST_SIDE`.
    """
    found = [tuple(sides)]
    while all(side % 2 == 0 and side >= 2 * LEAST_SIDE for side in found[0]):
        found.insert(0, tuple(side // 2 for side in found[0]))
    return found


def larger(images: Tensor, sides: Sequence[int]) -> Tensor:
    """Images whose pixels are repeated."""
    if tuple(images.shape[2:]) == tuple(sides):
        return images
    return F.interpolate(images, size=tuple(sides), mode="nearest")


def smaller(images: Tensor, sides: Sequence[int]) -> Tensor:
    """Images of the means of pixels."""
    while images.shape[2] > sides[0]:
        for axis in range(2, images.ndim):  # quicker than a pool, whose slopes have slopes
            first, second = images.unflatten(axis, (-1, 2)).unbind(axis + 1)
            images = (first + second) / 2
    return images


class Blur(torch.autograd.Function):
    """A binomial filter along each axis, which is its own adjoint.

    Convolutions of single maps are slow to be differentiated twice, as penalties on slopes are.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        row, n_channels = x.new_tensor([0.25, 0.5, 0.25]), x.shape[1]
        if x.ndim == 3:
            return F.conv1d(x, row.expand(n_channels, 1, -1), padding=1, groups=n_channels)
        kernel = torch.outer(row, row).expand(n_channels, 1, -1, -1)
        return F.conv2d(x, kernel, padding=1, groups=n_channels)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        return blurred(*slopes)


def blurred(x: Tensor) -> Tensor:
    """Maps after a binomial filter (Karras, Laine and Aila, 2019, section 2.1)."""
    made: Tensor = Blur.apply(x)
    return made


class Growth:
    """How networks grow over a training.

    Parameters
    ----------
    shares : sequence of float
        Of the training, at each size.
    fade_in : float
        Share of the time at a size in which its layers come in.
    """

    def __init__(self, shares: Sequence[float], fade_in: float) -> None:
        total = sum(shares)
        self.ends = list(accumulate(share / total for share in shares))
        self.fade_in = fade_in

    def level(self, progress: float) -> float:
        """The place of the size, whose part after the point is the weight of its new layers.

        0 is the smallest; 1.3 has the third size come in with a weight of .3.
        """
        last = len(self.ends) - 1
        place = next((i for i, end in enumerate(self.ends[:-1]) if progress < end), last)
        if place == 0:
            return 0.0
        start = self.ends[place - 1]
        passed = (progress - start) / (self.ends[place] - start)
        weight = min(1.0, passed / self.fade_in) if self.fade_in else 1.0
        return place - 1 + round(weight * FINENESS) / FINENESS


class Level(nn.Module):
    """How far a player has grown, which is kept with its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: Tensor
        self.register_buffer("kept", torch.zeros((), dtype=torch.int64))
        self.value = 0.0  # the same, as of `Growth`, without asking the device

    def _load_from_state_dict(self, *how: Any) -> None:
        super()._load_from_state_dict(*how)
        self.value = self.kept.item() / FINENESS

    def set(self, level: float) -> None:
        """Grow to a level."""
        if level != self.value:
            self.value = level
            self.kept.fill_(round(level * FINENESS))

    def stage(self) -> tuple[int, float]:
        """The place of the size, and the weight of its layers."""
        place = math.ceil(self.value)
        return place, self.value - place + 1 if place else 1.0


# -- players


class GrowingGenerator(Generator):
    """Abstract: makes images of the size that is grown to, as rows, channels first.

    Parameters
    ----------
    sizes : list of tuple of int
        The sides of images, from the smallest on.
    widths : list of int
        Channels of the layers of each size.
    channels : int
        Of an image.
    """

    def __init__(self, sizes: list[tuple[int, ...]], widths: Sequence[int], channels: int) -> None:
        super().__init__()
        self.level = Level()
        self.sizes = sizes
        n_sides = len(sizes[0])
        self.colours = nn.ModuleList(
            convolution(n_sides, width, channels, 1, gain=1.0) for width in widths
        )

    @abstractmethod
    def maps(
        self, z: Tensor, classes: Tensor, drawn: torch.Generator | None, n: int
    ) -> tuple[Tensor, Tensor]:
        """What the layers of the first `n` sizes make, and of one size fewer."""

    def forward(self, z: Tensor, classes: Tensor, drawn: torch.Generator | None) -> Tensor:
        place, weight = self.level.stage()
        maps, before = self.maps(z, classes, drawn, place + 1)
        return self.coloured(maps, before, place, weight).flatten(1)

    def coloured(self, maps: Tensor, before: Tensor, place: int, weight: float) -> Tensor:
        """Images of maps, the new layers of which count as much as their weight."""
        images: Tensor = self.colours[place](maps)
        if weight < 1:
            old = larger(self.colours[place - 1](before), self.sizes[place])
            images = torch.lerp(old, images, weight)
        return images


class GrowingDiscriminator(Discriminator):
    """Judges images of the size that is grown to.

    Parameters
    ----------
    body : GrowingBody
    channels : int
        Of an image.
    head, projection, n_packed, n_inputs, n_classes
        As of a `Discriminator`.
    """

    body: GrowingBody

    def __init__(self, body: GrowingBody, channels: int, **how: Any) -> None:
        super().__init__(nn.Identity(), body, **how)
        self.channels = channels

    def with_classes(self, x: Tensor, classes: Tensor) -> Tensor:
        sizes, (place, weight) = self.body.sizes, self.body.level.stage()
        is_whole = x.shape[1] == self.channels * prod(sizes[-1])
        images = x.view(len(x), self.channels, *sizes[-1 if is_whole else place])
        if is_whole:
            images = at_stage(images, sizes, place, weight)
        return super().with_classes(images, classes)


class GrowingBody(nn.Module):
    """From images of several sizes to features.

    Parameters
    ----------
    sizes : list of tuple of int
        The sides of images, from the smallest on.
    widths : list of int
        Channels of the layers of each size.
    channels : int
        Of a pack of images, and of its classes where these are maps.
    n_units : int
        Features.
    with_deviation : bool
        Whether the layers of the smallest size are told the deviation over the batch.
    blurs : bool
        Whether maps are blurred before they are halved.
    """

    def __init__(
        self,
        sizes: list[tuple[int, ...]],
        widths: Sequence[int],
        channels: int,
        n_units: int,
        with_deviation: bool,
        blurs: bool,
    ) -> None:
        super().__init__()
        n_sides = len(sizes[0])
        self.blurs = blurs
        self.level = Level()
        self.sizes = sizes
        self.colours = nn.ModuleList(convolution(n_sides, channels, n, 1) for n in widths)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                convolution(n_sides, large, large),
                nn.LeakyReLU(LEAK),
                convolution(n_sides, large, small),
                nn.LeakyReLU(LEAK),
            )
            for small, large in pairwise(widths)
        )
        self.deviation = MinibatchDeviation() if with_deviation else None
        n_in = widths[0] + with_deviation
        self.last = nn.Sequential(
            convolution(n_sides, n_in, widths[0]),
            nn.LeakyReLU(LEAK),
            nn.Flatten(),
            dense(widths[0] * prod(sizes[0]), n_units),
            nn.LeakyReLU(LEAK),
        )

    def forward(self, images: Tensor) -> Tensor:
        place, weight = self.level.stage()
        x = F.leaky_relu(self.colours[place](images), LEAK)
        for i in range(place, 0, -1):
            x = self.blocks[i - 1](x)
            x = smaller(blurred(x) if self.blurs else x, self.sizes[i - 1])
            if i == place and weight < 1:
                small = smaller(images, self.sizes[i - 1])
                old = F.leaky_relu(self.colours[i - 1](small), LEAK)
                x = torch.lerp(old, x, weight)
        if self.deviation is not None:
            x = self.deviation(x)
        made: Tensor = self.last(x)
        return made


def at_stage(images: Tensor, sizes: list[tuple[int, ...]], place: int, weight: float) -> Tensor:
    """Images of the size that is grown to, as sharp as its new layers count."""
    images = smaller(images, sizes[place])
    if weight < 1:
        images = torch.lerp(larger(smaller(images, sizes[place - 1]), sizes[place]), images, weight)
    return images


class GrowingNet(AdversarialNet):
    """Two players that grow.

    Parameters
    ----------
    generator : GrowingGenerator
    discriminator : GrowingDiscriminator
    prior, units, noise
        As of an `AdversarialNet`.
    images : Images
    growth : Growth
    """

    generator: GrowingGenerator
    discriminator: GrowingDiscriminator

    def __init__(
        self,
        generator: GrowingGenerator,
        discriminator: GrowingDiscriminator,
        prior: Prior,
        units: Units,
        noise: InstanceNoise,
        images: Images,
        growth: Growth,
    ) -> None:
        super().__init__(generator, discriminator, prior, units, noise)
        self.images, self.growth = images, growth
        self.rows = Rows(images.channels_last)

    @property
    def is_grown(self) -> bool:
        return self.level == self.growth.level(1.0)

    @property
    def level(self) -> float:
        return self.generator.level.value

    def advance(self, progress: float) -> None:
        """Grow as far as is due; what has grown never shrinks."""
        self.set_level(max(self.level, self.growth.level(progress)))

    def set_level(self, level: float) -> None:
        for player in (self.generator, self.discriminator.body):
            player.level.set(level)

    @cached_property
    def work(self) -> Work:
        """What a code costs that becomes an image of full size, which is judged."""
        level = self.level
        self.set_level(self.growth.level(1.0))
        found = work_of(Play(self), self.code_shape)
        self.set_level(level)
        return found

    def whole(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of images of full size, channels first, and their classes."""
        inputs = dense_tensor(inputs).flatten(1)
        x = self.images(self.units.seen(self.columns(inputs)))
        return x.flatten(1), inputs[:, len(self.units.shift) :]

    def split(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of the size that is grown to, and their classes."""
        x, classes = self.whole(inputs)
        sizes, (place, weight) = self.generator.sizes, self.generator.level.stage()
        images = at_stage(x.view(len(x), -1, *sizes[-1]), sizes, place, weight)
        return images.flatten(1), classes

    def sample(self, z: Tensor, classes: Tensor, drawn: torch.Generator | None) -> Tensor:
        """Rows in the data's units, from codes."""
        return self.restored(self.generator(z, classes, drawn))

    def restored(self, made: Tensor) -> Tensor:
        """Rows in the data's units and order, of those that the generator makes."""
        sizes = self.generator.sizes
        place, _ = self.generator.level.stage()
        images = larger(made.view(len(made), -1, *sizes[place]), sizes[-1])
        return self.units.given(self.rows(images).clamp(-1, 1))
