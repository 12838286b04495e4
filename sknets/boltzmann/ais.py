"""Annealed importance sampling of partition functions.

Salakhutdinov and Murray (2008), "On the quantitative analysis of deep belief networks", ICML;
Burda, Grosse and Salakhutdinov (2015), "Accurate and conservative estimates of MRF log-likelihood
using reverse annealing", AISTATS.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
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


def annealed(path: Path, betas: np.ndarray, n_runs: int, draws: Draws) -> LogPartition:
    """log Z by annealed importance sampling from the base, which on average is too low."""
    v = path.start(n_runs, draws)
    log_weight = v.new_zeros(n_runs, dtype=torch.float64)
    for (low, high), last in _steps(betas):
        inputs = path.inputs(v)
        log_weight += path.log_p(v, inputs, high) - path.log_p(v, inputs, low)
        if not last:
            v = path.step(v, inputs, high, draws)
    return _estimate(path.log_partition, log_weight, 1)


def reverse_annealed(path: Path, betas: np.ndarray, v: Tensor, draws: Draws) -> LogPartition:
    """log Z by annealing samples of the machine back to the base, on average too high."""
    log_weight = v.new_zeros(len(v), dtype=torch.float64)
    for (high, low), last in _steps(betas[::-1]):
        inputs = path.inputs(v)
        log_weight += path.log_p(v, inputs, low) - path.log_p(v, inputs, high)
        if not last:
            v = path.step(v, inputs, low, draws)
    return _estimate(path.log_partition, log_weight, -1)


def _steps(betas: np.ndarray) -> Iterator[tuple[tuple[float, float], bool]]:
    for i, pair in enumerate(pairwise(betas.tolist()), start=2):
        yield pair, i == len(betas)


def _estimate(base: float, log_weight: Tensor, sign: int) -> LogPartition:
    """log Z of the base plus, or minus, the logarithm of the mean weight."""
    n = len(log_weight)
    log_mean = log_weight.logsumexp(0).item() - math.log(n)
    share = (log_weight - log_mean).exp()
    return LogPartition(base + sign * log_mean, (share.std() / math.sqrt(n)).item())
