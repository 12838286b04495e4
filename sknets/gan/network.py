"""The two players of a generative adversarial network, and what they share.

Goodfellow et al. (2014), "Generative adversarial networks", https://arxiv.org/abs/1406.2661; Miyato
and Koyama (2018), "cGANs with projection discriminator", https://arxiv.org/abs/1802.05637; Lin,
Khetan, Fanti and Oh (2018), "PacGAN", https://arxiv.org/abs/1712.04086.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sknets._data import dense_tensor
from sknets._measure import Work, work_of
from sknets.gan.diversity import BatchLayer
from sknets.layers import RandomLayer

N_REFERENCE = 64  # training samples beside which others are judged, where a batch is
TEMPERATURE = 0.5  # of categories that are drawn in training


class Prior(RandomLayer):
    """Codes: standard normal, or uniform from -1 to 1.

    Parameters
    ----------
    n : int
        Numbers of a code.
    kind : {"normal", "uniform"}
    """

    def __init__(self, n: int, kind: str) -> None:
        super().__init__()
        self.n, self.kind = n, kind

    def forward(self, n_samples: int, like: Tensor, drawn: torch.Generator | None) -> Tensor:
        """Codes of shape (n_samples, n), from a generator."""
        z = like.new_empty(n_samples, self.n)
        if self.kind == "normal":
            return z.normal_(generator=drawn)
        return z.uniform_(-1, 1, generator=drawn)


class InstanceNoise(RandomLayer):
    """Noise on all that the discriminator sees, which fades while training goes on.

    Soenderby, Caballero, Theis, Shi and Huszar (2017), https://arxiv.org/abs/1610.04490.

    Parameters
    ----------
    std : float
        At the start; at the end it is 0.
    """

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        std = self.std * (1 - self.progress)
        if not self.training or std <= 0:
            return x
        return x + torch.empty_like(x).normal_(std=std, generator=self.generator)


def varies(spread: Any, mean: Any) -> Any:
    """Whether columns have a deviation that is more than what single precision rounds off."""
    return spread > 10 * torch.finfo(torch.float32).eps * abs(mean)


class Units(nn.Module):
    """From the units of the data to those of the network, and back.

    A scale of 0 is that of a constant, which comes back exactly.

    Parameters
    ----------
    n : int
        Columns.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self.shift: Tensor
        self.scale: Tensor
        self.register_buffer("shift", torch.zeros(n))
        self.register_buffer("scale", torch.ones(n))

    def seen(self, x: Tensor) -> Tensor:
        """Data as the discriminator takes it."""
        return (x - self.shift) / self.scale.where(self.scale > 0, self.scale.new_ones(()))

    def given(self, made: Tensor) -> Tensor:
        """What the generator made, as data."""
        return made * self.scale + self.shift


class Generator(nn.Module, ABC):
    """Abstract: what makes samples of codes."""

    @abstractmethod
    def forward(self, z: Tensor, classes: Tensor, drawn: torch.Generator | None) -> Tensor:
        """Rows in the network's units.

        Parameters
        ----------
        z : Tensor of shape (n, n_components)
        classes : Tensor of shape (n, n_classes)
            A 1 in each row; of no columns where there are no classes.
        drawn : torch.Generator or None
            Of what is drawn beside the code; None takes what is likeliest instead.
        """


class ChainGenerator(Generator):
    """A chain of layers from a code, with its class behind it, to a sample.

    Parameters
    ----------
    layers : nn.Module
    head : Categories, optional
        What makes categories of some outputs.
    """

    def __init__(self, layers: nn.Module, head: Categories | None = None) -> None:
        super().__init__()
        self.layers, self.head = layers, head

    def forward(self, z: Tensor, classes: Tensor, drawn: torch.Generator | None) -> Tensor:
        made = self.layers(torch.cat([z, classes], 1))
        return made if self.head is None else self.head(made, drawn)


class Categories(nn.Module):
    """Draws of categories from their logits; columns of numbers pass.

    Gradients pass through a softmax, in training with noise (Jang, Gu and Poole, 2017).

    Parameters
    ----------
    widths : sequence of int
        Of each column of the data: how many categories it has, or 1 of a number.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = list(widths)

    def forward(self, raw: Tensor, drawn: torch.Generator | None) -> Tensor:
        parts = raw.split(self.widths, 1)
        return torch.cat([x if x.shape[1] == 1 else self.one_hot(x, drawn) for x in parts], 1)

    def one_hot(self, logits: Tensor, drawn: torch.Generator | None) -> Tensor:
        """A 1 for the category, of shape (n, n_categories)."""
        if drawn is not None:
            exponential = torch.empty_like(logits).exponential_(generator=drawn)
            logits = logits - exponential.log()  # with Gumbel's noise
        hard = F.one_hot(logits.argmax(1), logits.shape[1]).to(logits.dtype)
        if not torch.is_grad_enabled():
            return hard
        soft = (logits / TEMPERATURE).softmax(1)
        return hard + soft - soft.detach()


class Discriminator(nn.Module):
    """What tells real samples from made ones.

    Parameters
    ----------
    images : nn.Module
        Makes images of rows; nothing of vectors.
    body : nn.Module
        Makes features of shape (n, n_features).
    head : nn.Module
        Makes one logit of features.
    projection : nn.Module, optional
        Maps classes to directions in the space of features (Miyato and Koyama, 2018, eq. 3);
        without it classes are further inputs, where there are any.
    n_packed : int
        Samples that are judged together (Lin et al., 2018).
    n_inputs, n_classes : int
        Columns of a sample without its class, and of this.

    Attributes
    ----------
    reference : Tensor of shape (n_reference, n_inputs + n_classes)
        The samples beside which others are judged in prediction, where any are needed.
    """

    def __init__(
        self,
        images: nn.Module,
        body: nn.Module,
        head: nn.Module,
        projection: nn.Module | None,
        n_packed: int,
        n_inputs: int,
        n_classes: int,
    ) -> None:
        super().__init__()
        self.n_classes = n_classes
        self.images, self.body, self.head, self.projection = images, body, head, projection
        self.n_packed = n_packed
        batch_layers = [m for m in body.modules() if isinstance(m, BatchLayer)]
        self.sees_batch = bool(batch_layers)
        for layer in batch_layers:
            layer.n_reference = N_REFERENCE // n_packed
        n_rows = N_REFERENCE if self.sees_batch or n_packed > 1 else 0
        self.reference: Tensor
        self.register_buffer("reference", torch.zeros(n_rows, n_inputs + n_classes))
        norms = [m for m in body.modules() if isinstance(m, nn.modules.batchnorm._NormBase)]
        self.needs_batches_apart = self.sees_batch or n_packed > 1 or bool(norms)

    def features(self, x: Tensor, classes: Tensor) -> Tensor:
        """Of rows in the network's units, of shape (n, n_features)."""
        own = self.with_classes(x, classes)
        if not len(self.reference):
            return self.body(own)
        if self.training:
            return self.body(self.packed(own))
        n = self.reference.shape[1] - self.n_classes
        reference = self.with_classes(self.reference[:, :n], self.reference[:, n:])
        beside = reference[: self.n_packed - 1].flatten(0, 1)[None]
        own = torch.cat([own, beside.expand(len(own), *beside.shape[1:])], 1)
        if not self.sees_batch:
            return self.body(own)
        return self.body(torch.cat([own, self.packed(reference)]))[: len(own)]

    def alone(self) -> Discriminator:
        """A copy for which there are no others beside a sample, but those of its pack."""
        found = copy.deepcopy(self)
        found.reference = found.reference[: self.n_packed - 1]
        for layer in found.body.modules():
            if isinstance(layer, BatchLayer):
                layer.n_reference = 0
        return found

    def with_classes(self, x: Tensor, classes: Tensor) -> Tensor:
        """Rows as the body takes them, one by one."""
        x = self.images(x)
        if self.projection is not None or not classes.shape[1]:
            return x
        maps = classes.view(*classes.shape, *(1 for _ in x.shape[2:]))
        return torch.cat([x, maps.expand(-1, -1, *x.shape[2:])], 1)

    def packed(self, x: Tensor) -> Tensor:
        """Several samples as one; a rest that fills none is left out."""
        n = len(x) // self.n_packed
        kept = x[: n * self.n_packed]
        return kept.reshape(n, self.n_packed * x.shape[1], *x.shape[2:])

    def forward(self, x: Tensor, classes: Tensor) -> Tensor:
        """Logits, of shape (n,), positive for what looks real."""
        features = self.features(x, classes)
        logits: Tensor = self.head(features).squeeze(1)
        if self.projection is not None:
            logits = logits + (self.projection(classes) * features).sum(1)
        return logits


class AdversarialNet(nn.Module):
    """A generator and a discriminator.

    Parameters
    ----------
    generator : Generator
    discriminator : Discriminator
    prior : Prior
    units : Units
    noise : InstanceNoise
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        prior: Prior,
        units: Units,
        noise: InstanceNoise,
    ) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.prior, self.units, self.noise = prior, units, noise

    @property
    def is_grown(self) -> bool:
        """Whether what it makes is of full size."""
        return True

    @property
    def level(self) -> float:
        """How far it has grown, for those that do."""
        return 0.0

    def set_level(self, level: float) -> None:
        """Have both players at a level."""

    def advance(self, progress: float) -> None:
        """Change with the share of the training that is over."""

    def whole(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Rows as reference samples, and their classes."""
        return self.split(inputs)

    def split(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Rows in the network's units, and their classes."""
        inputs = dense_tensor(inputs).flatten(1)
        return self.units.seen(self.columns(inputs)), inputs[:, len(self.units.shift) :]

    def columns(self, inputs: Tensor) -> Tensor:
        """Rows without their classes, in the data's units."""
        return dense_tensor(inputs).flatten(1)[:, : len(self.units.shift)]

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits of rows."""
        return self.discriminator(*self.split(inputs))

    def features(self, inputs: Tensor) -> Tensor:
        """What the discriminator makes of rows before it judges."""
        return self.discriminator.features(*self.split(inputs))

    def sample(self, z: Tensor, classes: Tensor, drawn: torch.Generator | None) -> Tensor:
        """Rows in the data's units, from codes."""
        return self.units.given(self.generator(z, classes, drawn))

    @property
    def code_shape(self) -> tuple[int]:
        """Of a code with its class behind it."""
        return (self.prior.n + self.discriminator.n_classes,)

    @cached_property
    def work(self) -> Work:
        """What a code costs that becomes a sample, which is judged."""
        return work_of(Play(self), self.code_shape)


class Play(nn.Module):
    """Codes, with their classes, to the discriminator's logits of their samples.

    What it costs is of one sample, without those beside which all are judged.

    Parameters
    ----------
    network : AdversarialNet
    """

    def __init__(self, network: AdversarialNet) -> None:
        super().__init__()
        self.generator, self.discriminator = network.generator, network.discriminator.alone()
        self.n_code = network.prior.n

    def forward(self, inputs: Tensor) -> Tensor:
        z, classes = inputs[:, : self.n_code], inputs[:, self.n_code :]
        return self.discriminator(self.generator(z, classes, None), classes)
