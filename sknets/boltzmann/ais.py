"""Annealed importance sampling of partition functions.

Salakhutdinov and Murray (2008), "On the quantitative analysis of deep belief networks", ICML;
Burda, Grosse and Salakhutdinov (2015), "Accurate and conservative estimates of MRF log-likelihood
using reverse annealing", AISTATS.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sknets.boltzmann.draws import Draws

# The inverse temperatures of Salakhutdinov and Murray: how many of them, up to where.
TEMPERATURES = ((500, 0.5), (4_000, 0.9), (10_000, 1.0))


Beta = float | Tensor  # inverse temperature: of all samples, or of each, (n, 1)


class LogPartition(NamedTuple):
    """log Z, and the standard error of its estimate: 0 of a count."""

    value: float
    std_error: float = 0.0


def temperatures(n: int) -> np.ndarray:
    """`n` inverse temperatures from 0 to 1, as dense along the way as the published ones."""
    counts, ends = zip(*TEMPERATURES, strict=True)
    places = np.concatenate([[0], np.cumsum(counts)]) / sum(counts)
    return np.interp(np.linspace(0, 1, n), places, [0, *ends])


class Path(ABC):
    """Abstract: machines between one whose partition function is known and a given one."""

    @property
    @abstractmethod
    def log_partition(self) -> float:
        """Of the first machine."""

    @abstractmethod
    def start(self, n: int, draws: Draws) -> Tensor:
        """States drawn from the first machine."""

    @abstractmethod
    def inputs(self, v: Tensor) -> Tensor:
        """What is computed of states once, for all temperatures."""

    @abstractmethod
    def log_p(self, v: Tensor, inputs: Tensor, beta: Beta) -> Tensor:
        """The logarithm of the unnormalised probability at an inverse temperature, (n,)."""

    @abstractmethod
    def step(self, v: Tensor, inputs: Tensor, beta: Beta, draws: Draws) -> Tensor:
        """A Gibbs step at an inverse temperature."""


def drawn(path: Path, n: int, n_steps: int, draws: Draws) -> Tensor:
    """States after some Gibbs steps of the machine itself."""
    v = path.start(n, draws)
    for _ in range(n_steps):
        v = path.step(v, path.inputs(v), 1.0, draws)
    return v


def annealed(path: Path, betas: np.ndarray, n_runs: int, draws: Draws) -> LogPartition:
    """log Z by annealed importance sampling from the base, which on average is too low."""
    log_weight = log_weights(path, betas, path.start(n_runs, draws), draws)
    return _estimate(path.log_partition, log_weight, 1)


def reverse_annealed(path: Path, betas: np.ndarray, v: Tensor, draws: Draws) -> LogPartition:
    """log Z by annealing samples of the machine back to the base, on average too high."""
    return _estimate(path.log_partition, log_weights(path, betas[::-1], v, draws), -1)


def likelihood_bound(path: Path, betas: np.ndarray, v: Tensor, n_runs: int, draws: Draws) -> Tensor:
    """log p(v) of what annealing from the base would draw, on average too low: (n,).

    Each row is annealed back to the base (Burda, Grosse and Salakhutdinov, 2015, algorithm 3).
    """
    log_weight = log_weights(path, betas[::-1], v.repeat_interleave(n_runs, 0), draws)
    log_mean = log_weight.view(len(v), n_runs).logsumexp(1) - math.log(n_runs)
    return path.log_p(v, path.inputs(v), 1.0) - path.log_partition + log_mean


def log_weights(path: Path, betas: np.ndarray, v: Tensor, draws: Draws) -> Tensor:
    """log of the products of p_next(v) / p_this(v) along temperatures, unnormalised: (n,).

    Between two of them states take a step at the temperature that was reached.
    """
    total = v.new_zeros(len(v), dtype=torch.float64)
    for i, (this, following) in enumerate(pairwise(betas.tolist()), start=2):
        inputs = path.inputs(v)
        total += path.log_p(v, inputs, following) - path.log_p(v, inputs, this)
        if i < len(betas):
            v = path.step(v, inputs, following, draws)
    return total


def _estimate(base: float, log_weight: Tensor, sign: int) -> LogPartition:
    """log Z of the base plus, or minus, the logarithm of the mean weight."""
    n = len(log_weight)
    log_mean = log_weight.logsumexp(0).item() - math.log(n)
    share = (log_weight - log_mean).exp()
    return LogPartition(base + sign * log_mean, (share.std() / math.sqrt(n)).item())
