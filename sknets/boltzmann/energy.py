"""Networks that give values an energy, and the sum of exp(-E) over all of them."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn

from sknets.boltzmann.ais import LogPartition, Path

Machine = TypeVar("Machine", bound=nn.Module)

LARGEST = 2.0**25  # states that are counted


class EnergyNetwork(nn.Module, ABC):
    """Abstract: a network of which p(v) = exp(-F(v)) / Z."""

    @abstractmethod
    def free_energy(self, v: Tensor) -> Tensor:
        """F(v), of shape (n,)."""

    @property
    @abstractmethod
    def n_counted(self) -> float:
        """How many terms there are whose sum is Z."""

    @abstractmethod
    def log_terms(self) -> Iterator[Tensor]:
        """Their logarithms, a block at a time."""

    @abstractmethod
    def path(self) -> Path:
        """The way from a machine whose partition function is known."""


def counted(machine: EnergyNetwork) -> LogPartition:
    """log Z by its sum, in double precision.

    Raises
    ------
    ValueError
        If there are too many terms.
    """
    if machine.n_counted > LARGEST:
        raise ValueError(
            f"The partition function is a sum over {machine.n_counted:.1g} states, too many to "
            "count: estimate it with method='ais'."
        )
    total = torch.tensor(-math.inf, dtype=torch.float64)
    for terms in doubled(machine).log_terms():
        total = torch.logaddexp(total, terms.logsumexp(0))
    return LogPartition(total.item())


def doubled(machine: Machine) -> Machine:
    """A copy in double precision, on the processor."""
    return copy.deepcopy(machine).to("cpu", torch.float64)
