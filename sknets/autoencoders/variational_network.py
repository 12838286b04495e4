"""The network of a variational autoencoder, and the bounds that it is trained and judged by.

Kingma and Welling (2014), "Auto-encoding variational Bayes", https://arxiv.org/abs/1312.6114;
Burda, Grosse and Salakhutdinov (2016), "Importance weighted autoencoders",
https://arxiv.org/abs/1509.00519.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sknets._data import Batch, dense_tensor
from sknets._measure import Work, work_of
from sknets._random import generator
from sknets._training.steps import GradientStep, StepResult, weighted_mean
from sknets.autoencoders.likelihoods import Likelihood
from sknets.layers import LEVELS, RandomLayer

CODES_AT_ONCE = 2**12  # that are decoded for a likelihood
POOL = 2**12  # normal vectors from which those of a row are taken


class Posterior(NamedTuple):
    """q(z | x), normal with a diagonal covariance: moments of shape (n, n_components)."""

    mean: Tensor
    log_variance: Tensor

    def at(self, noise: Tensor) -> Tensor:
        """Codes, from standard normal values of shape (..., n, n_components)."""
        return self.mean + noise * (self.log_variance / 2).exp()

    def divergence(self) -> Tensor:
        """KL(q(z | x) || p(z)) from a standard normal prior, of shape (n,)."""
        variance = self.log_variance.exp()
        return (variance + self.mean.square() - 1 - self.log_variance).sum(1) / 2

    def log_ratio(self, z: Tensor, noise: Tensor) -> Tensor:
        """log p(z) - log q(z | x) of codes made `at` some noise, of shape (..., n)."""
        return (noise.square() + self.log_variance - z.square()).sum(-1) / 2


class Noise(RandomLayer):
    """Standard normal values: in training new ones, else those that belong to a row's values.

    Parameters
    ----------
    n : int
        Of each row.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n
        self.seed: Tensor
        self.register_buffer("seed", torch.empty((), dtype=torch.int64))

    def forward(self, x: Tensor, n_draws: int) -> Tensor:
        """Values of shape (n_draws, len(x), n)."""
        if self.training:
            made = torch.empty(n_draws, x.shape[0], self.n, dtype=x.dtype, device=x.device)
            return made.normal_(generator=self.generator)
        drawn = generator(int(self.seed), self.n)
        pool = torch.empty(POOL, self.n, dtype=torch.float64).normal_(generator=drawn)
        pool = pool.to(x.device, x.dtype)
        places = hashes(x)[None] + torch.arange(n_draws, device=x.device)[:, None]
        return pool[places % POOL]


def hashes(x: Tensor) -> Tensor:
    """A whole number for each row of `x` by its values, of shape (n,)."""
    values = dense_tensor(x) + 0.0  # of -0, the bits of 0
    bits = values.view(torch.int64 if x.dtype == torch.float64 else torch.int32).long()
    keys = torch.arange(1, x.shape[1] + 1, device=x.device) * 0x9E3779B97F4A7C1 | 1
    mixed = ((bits ^ (bits >> 31)) * keys).sum(1)
    return (mixed ^ (mixed >> 29)) * 0x2545F4914F6CDD1D >> 33


class VariationalNet(nn.Module):
    """An encoder of moments of codes, and a decoder of what the likelihood asks for.

    Parameters
    ----------
    likelihood : Likelihood
    encoder : nn.Sequential
        From inputs to ``2 n_components`` numbers.
    decoder : nn.Sequential
        From codes to the likelihood's raw outputs.
    n_components : int
        Numbers of a code.
    n_classes : int
        Classes that are given with the inputs, as columns behind theirs, of which one is 1.
    binarize : bool
        Whether inputs are drawn from probabilities in training.
    shape : tuple of int, optional
        (channels, *sides) of the images with maps of their classes, where there are convolutions.
    """

    def __init__(
        self,
        likelihood: Likelihood,
        encoder: nn.Sequential,
        decoder: nn.Sequential,
        n_components: int,
        n_classes: int = 0,
        binarize: bool = False,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        self.likelihood, self.encoder, self.decoder = likelihood, encoder, decoder
        self.n_code, self.n_classes, self.shape = n_components, n_classes, shape
        self.noise = Noise(n_components)
        self.binarization = Binarization() if binarize else None

    @cached_property
    def work(self) -> Work:
        """What an image costs."""
        assert self.shape is not None
        return work_of(ThroughMeans(self), self.shape)

    def split(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs without and with only the columns of their classes."""
        n = self.likelihood.n
        inputs = dense_tensor(inputs)
        return inputs[:, :n], inputs[:, n:]

    def drawn(self, inputs: Tensor) -> Tensor:
        """Inputs to learn from."""
        if self.binarization is None:
            return inputs
        x, classes = self.split(inputs)
        return torch.cat([self.binarization(x), classes], 1)

    def posterior(self, inputs: Tensor) -> Posterior:
        """q(z | x)."""
        x, classes = self.split(inputs)
        return Posterior(
            *self.encoder(torch.cat([self.likelihood.seen(x), classes], 1)).chunk(2, 1)
        )

    def decode(self, z: Tensor, classes: Tensor) -> Tensor:
        """Raw outputs of codes of shape (..., n, n_components), with classes of shape (n, ...)."""
        if self.n_classes:
            z = torch.cat([z, classes.expand(*z.shape[:-1], -1)], -1)
        return self.decoder(z.flatten(0, -2)).unflatten(0, z.shape[:-1])

    def forward(self, inputs: Tensor) -> Tensor:
        """Raw outputs at the mean of q(z | x)."""
        return self.decode(self.posterior(inputs).mean, self.split(inputs)[1])

    def bound(self, inputs: Tensor, n_draws: int = 1, beta: float = 1.0) -> Tensor:
        """The evidence lower bound of log p(x), of shape (n,), its divergence `beta` times."""
        x, classes = self.split(inputs)
        posterior = self.posterior(inputs)
        z = posterior.at(self.noise(inputs, n_draws))
        expected = self.likelihood.log_p(self.decode(z, classes), x).mean(0)
        return expected - beta * posterior.divergence()

    def importance_bound(self, inputs: Tensor, n_draws: int, beta: float = 1.0) -> Tensor:
        """log (1 / k) sum p(x, z) / q(z | x) over k draws, of shape (n,) (Burda et al., eq. 8)."""
        weights = self.log_weights(inputs, self.noise(inputs, n_draws), beta)
        return weights.logsumexp(0) - math.log(n_draws)

    def log_weights(self, inputs: Tensor, noise: Tensor, beta: float = 1.0) -> Tensor:
        """log p(x, z) - log q(z | x) of codes at some noise, (k, n)."""
        x, classes = self.split(inputs)
        posterior = self.posterior(inputs)
        z = posterior.at(noise)
        ratio = posterior.log_ratio(z, noise)
        return self.likelihood.log_p(self.decode(z, classes), x) + beta * ratio

    def log_mean_weight(self, inputs: Tensor, n_draws: int, drawn: torch.Generator) -> Tensor:
        """log (1 / k) sum p(x, z) / q(z | x) over many draws, some of them at a time, (n,)."""
        parts = []
        for rows in dense_tensor(inputs).split(max(1, CODES_AT_ONCE // n_draws)):
            found = []
            for start in range(0, n_draws, CODES_AT_ONCE):
                n = min(CODES_AT_ONCE, n_draws - start)
                noise = rows.new_empty(n, rows.shape[0], self.n_code).normal_(generator=drawn)
                found.append(self.log_weights(rows, noise).logsumexp(0))
            parts.append(torch.stack(found).logsumexp(0) - math.log(n_draws))
        return torch.cat(parts)

    @property
    def linear_layers(self) -> list[nn.Linear]:
        """The fully connected layers from input to output."""
        return [layer for layer in self.modules() if isinstance(layer, nn.Linear)]


class MapsOfClasses(nn.Module):
    """Rows of pixels, and of their classes behind them, as images with a map for each class.

    Parameters
    ----------
    images : nn.Module
        Makes images (n, channels, *sides) of rows of pixels.
    n_classes : int
    """

    def __init__(self, images: nn.Module, n_classes: int) -> None:
        super().__init__()
        self.images, self.n_classes = images, n_classes

    def forward(self, inputs: Tensor) -> Tensor:
        n = inputs.shape[1] - self.n_classes
        images = self.images(inputs[:, :n])
        if not self.n_classes:
            return images
        classes = inputs[:, n:].reshape(len(inputs), -1, *(1 for _ in images.shape[2:]))
        return torch.cat([images, classes.expand(-1, -1, *images.shape[2:])], 1)


class RowsOfMaps(nn.Module):
    """Maps (n, k channels, *sides) as k rows of pixels beside each other.

    Parameters
    ----------
    rows : nn.Module
        Makes rows of images (n, channels, *sides).
    channels : int
    """

    def __init__(self, rows: nn.Module, channels: int) -> None:
        super().__init__()
        self.rows, self.channels = rows, channels

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([self.rows(part) for part in maps.split(self.channels, 1)], 1)


class ThroughMeans(nn.Module):
    """Images, with maps of their classes, to the raw outputs at the mean of their codes.

    Parameters
    ----------
    network : VariationalNet
        Of convolutions.
    """

    def __init__(self, network: VariationalNet) -> None:
        super().__init__()
        self.encoder, self.decoder = network.encoder[1:], network.decoder
        self.n_code, self.n_classes = network.n_code, network.n_classes

    def forward(self, images: Tensor) -> Tensor:
        z = self.encoder(images)[:, : self.n_code]
        return self.decoder(torch.cat([z, z.new_zeros(len(z), self.n_classes)], 1))


class Binarization(RandomLayer):
    """Zeros and ones drawn with the probabilities that values between them are."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return self.levels(x).lt(x * LEVELS - LEVELS // 2).to(x.dtype)


class VariationalStep(GradientStep):
    """Stochastic gradient ascent on a bound of log p(x).

    Parameters
    ----------
    module : VariationalNet
    gradient : Tensor of shape (n_parameters,)
    n_draws : int
        Draws of a code; of several the bound is the importance weighted one.
    beta : float
        What the divergence counts at the end of the warm-up.
    warmup : float
        Share of the training over which it rises from 0.
    mixed : bool
    """

    def __init__(
        self,
        module: VariationalNet,
        gradient: Tensor,
        n_draws: int,
        beta: float,
        warmup: float,
        mixed: bool,
    ) -> None:
        super().__init__(gradient, mixed)
        self.module = module
        self.n_draws, self.beta, self.warmup = n_draws, beta, warmup

    def evaluate(self, batch: Batch) -> StepResult:
        """Minus the mean bound over a batch, not detached."""
        module, beta = self.module, self.beta
        if module.training and module.noise.progress < self.warmup:
            beta *= module.noise.progress / self.warmup
        with self.multiplying():
            x = module.drawn(batch.x)
            bound = module.bound if self.n_draws == 1 else module.importance_bound
            values = bound(x, self.n_draws, beta)
        return StepResult(weighted_mean(-values.to(self.gradient.dtype), batch.weight), None)
