"""The partition function of a restricted Boltzmann machine: counted, or estimated by annealing.

Salakhutdinov and Murray (2008), "On the quantitative analysis of deep belief networks", ICML;
Burda, Grosse and Salakhutdinov (2015), "Accurate and conservative estimates of MRF log-likelihood
using reverse annealing", AISTATS.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sknets.boltzmann.draws import Draws
from sknets.boltzmann.network import RBM

LARGEST = 2.0**25  # states of the smaller layer that are counted
# The inverse temperatures of Salakhutdinov and Murray: how many of them, up to where.
TEMPERATURES = ((500, 0.5), (4_000, 0.9), (10_000, 1.0))


Beta = float | Tensor  # inverse temperature: of all samples, or of each, (n, 1)


class LogPartition(NamedTuple):
    """log Z, and the standard error of its estimate: 0 of a count."""

    value: float
    std_error: float = 0.0


def counted(machine: RBM) -> LogPartition:
    """log Z by the sum over all states of the smaller layer, in double precision."""
    machine = doubled(machine)
    layers = (machine.hidden, machine.hidden_free_energy), (machine.visible, machine.free_energy)
    units, free_energy = min(layers, key=lambda layer: layer[0].n_states)
    if units.n_states > LARGEST:
        raise ValueError(
            f"The smaller layer has {units.n} units, and so too many states to count: "
            "estimate the partition function with method='ais'."
        )
    total = torch.tensor(-math.inf, dtype=torch.float64)
    for states in units.states():
        total = torch.logaddexp(total, (-free_energy(states)).logsumexp(0))
    return LogPartition(total.item())


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


class RestrictedPath(Path):
    """Machines between one without weights and a given one, by inverse temperature.

    The visible biases go from those of the base to the machine's, everything else from 0 to the
    machine's (Salakhutdinov and Murray, 2008, equations 16 to 18).
    """

    def __init__(self, machine: RBM, base: Tensor) -> None:
        self.machine, self.base = machine, base

    @classmethod
    def of(cls, machine: RBM) -> RestrictedPath:
        """The path from units that have the data's means, as far as these are known."""
        return cls(machine, machine.visible.biases_of(machine.visible_mean))

    def start(self, n: int, draws: Draws) -> Tensor:
        return self.machine.visible.sample(self.base.expand(n, -1).clone(), draws)

    @property
    def log_partition(self) -> float:
        visible, hidden = self.machine.visible, self.machine.hidden
        none = torch.zeros_like(self.machine.hidden_bias)
        of_visible = visible.log_normaliser(self.base[None], self.base)
        return (of_visible + hidden.log_normaliser(none[None], none)).double().item()

    def inputs(self, v: Tensor) -> Tensor:
        """What hidden units get at inverse temperature 1."""
        return self.machine.hidden_inputs(v)

    def log_p(self, v: Tensor, inputs: Tensor, beta: Beta) -> Tensor:
        machine = self.machine
        own = machine.visible.own(v, self.bias(beta))
        hidden = machine.hidden.log_normaliser(inputs * beta, machine.hidden_bias * beta)
        return own + hidden

    def bias(self, beta: Beta) -> Tensor:
        """Of visible units."""
        return torch.lerp(self.base, self.machine.visible_bias, beta)

    def step(self, v: Tensor, inputs: Tensor, beta: Beta, draws: Draws) -> Tensor:
        machine = self.machine
        h = machine.hidden.sample(inputs * beta, draws)
        sent = (machine.hidden.seen(h) @ machine.weight).mul_(beta).add_(self.bias(beta))
        return machine.visible.sample(sent, draws)


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


def doubled(machine: RBM) -> RBM:
    """A copy in double precision, on the processor."""
    return copy.deepcopy(machine).to("cpu", torch.float64)
