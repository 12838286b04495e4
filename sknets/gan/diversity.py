"""Remedies for mode collapse: a discriminator that sees more than one sample, or earlier ones.

Salimans et al. (2016), "Improved techniques for training GANs", https://arxiv.org/abs/1606.03498;
Karras et al. (2018), "Progressive growing of GANs", https://arxiv.org/abs/1710.10196; Shrivastava
et al. (2017), https://arxiv.org/abs/1612.07828.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn


class BatchLayer(nn.Module):
    """Abstract: a layer by which a sample's features depend on the others of its batch.

    In prediction each sample is seen beside the reference samples alone, which are the last rows,
    so that what comes out does not depend on which others came with it.
    """

    n_reference = 0  # in prediction; a discriminator sets it

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return self.among(x)
        own, reference = x.split([len(x) - self.n_reference, self.n_reference])
        return torch.cat([self.beside(own, reference), self.among(reference)])

    @abstractmethod
    def among(self, x: Tensor) -> Tensor:
        """The features of samples that are a batch."""

    @abstractmethod
    def beside(self, x: Tensor, reference: Tensor) -> Tensor:
        """The features of samples, each for itself beside the others."""


class MinibatchDiscrimination(BatchLayer):
    """Features, and behind them how near other samples are (Salimans et al., 2016, section 3.2).

    Parameters
    ----------
    n_features : int
    n_kernels : int
        How many numbers are added, each from distances of its own.
    n_dimensions : int
        Of the space of these distances.
    is_smooth : bool
        Whether gradients have gradients, which penalties on slopes need and which cost more.
    """

    # Differs from the paper: the mean over the others rather than the sum over all, so that it
    # means the same for a minibatch and for reference samples.

    def __init__(
        self, n_features: int, n_kernels: int, n_dimensions: int = 5, is_smooth: bool = False
    ) -> None:
        super().__init__()
        self.n_kernels, self.is_smooth = n_kernels, is_smooth
        self.projection = nn.Linear(n_features, n_kernels * n_dimensions, bias=False)

    def projected(self, x: Tensor) -> Tensor:
        """Points of shape (n_kernels, n, n_dimensions)."""
        return self.projection(x).unflatten(1, (self.n_kernels, -1)).transpose(0, 1)

    def among(self, x: Tensor) -> Tensor:
        points = self.projected(x)
        near = self.nearness(points, points).sum(2) - 1  # but for itself
        return torch.cat([x, near.T / max(1, len(x) - 1)], 1)

    def beside(self, x: Tensor, reference: Tensor) -> Tensor:
        near = self.nearness(self.projected(x), self.projected(reference)).mean(2)
        return torch.cat([x, near.T], 1)

    def nearness(self, a: Tensor, b: Tensor) -> Tensor:
        """exp(-|a - b|_1) of points (n_kernels, n, n_dimensions): (n_kernels, n, m)."""
        if self.is_smooth:
            return (a[:, :, None] - b[:, None]).abs().sum(3).neg().exp()
        return torch.cdist(a, b, p=1).neg().exp()


class MinibatchDeviation(BatchLayer):
    """Features, and behind them their mean deviation over the batch (Karras et al., 2018, 3).

    Of images it is one more map, of vectors one more number.
    """

    def among(self, x: Tensor) -> Tensor:
        return self.extended(x, deviation(x).expand(len(x)))

    def beside(self, x: Tensor, reference: Tensor) -> Tensor:
        # The moments of a reference that one sample has joined.
        n = len(reference)
        mean, square = reference.mean(0), reference.square().mean(0)
        joined = (mean * n + x) / (n + 1)
        variance = (square * n + x.square()) / (n + 1) - joined.square()
        deviations = (variance.clamp_min(0) + SMALLEST).sqrt().flatten(1).mean(1)
        return self.extended(x, deviations)

    @staticmethod
    def extended(x: Tensor, values: Tensor) -> Tensor:
        """`x` with one more channel of a value a sample."""
        shaped = values.view(-1, 1, *(1 for _ in x.shape[2:])).expand(-1, 1, *x.shape[2:])
        return torch.cat([x, shaped], 1)


SMALLEST = 1e-8  # under a root


def deviation(x: Tensor) -> Tensor:
    """The standard deviation of each value over the batch, and of these the mean."""
    return (x.var(0, correction=0) + SMALLEST).sqrt().mean()


class Replay:
    """Samples made earlier, of which some come back (Shrivastava et al., 2017, section 2.3).

    Parameters
    ----------
    size : int
        How many are kept.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.kept: Tensor | None = None

    def mixed(self, made: Tensor, generator: torch.Generator | None) -> Tensor:
        """Half of a batch, and as many earlier ones, whose places the other half takes.

        Until as many are kept as are to be, others are added instead.
        """
        kept = self.kept
        if kept is None or kept.shape[1] != made.shape[1]:  # the first, or of another size
            self.kept = made[: self.size].clone()
            return made
        places = torch.randperm(len(kept), generator=generator, device=made.device)
        places = places[: len(made) // 2]
        own, replaced = made[len(places) :], made[: len(places)]
        mixed = torch.cat([kept[places], own])
        if len(kept) < self.size:
            self.kept = torch.cat([kept, made])[: self.size]
        else:
            kept[places] = replaced
        return mixed

    def state(self) -> dict[str, Any]:
        """What a later call needs to go on."""
        return {} if self.kept is None else {"kept": self.kept}

    def load(self, state: dict[str, Any], like: Tensor) -> None:
        """Go on from a state."""
        if "kept" in state:
            self.kept = state["kept"].to(like)
