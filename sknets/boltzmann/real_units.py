"""How machines with real visible units learn besides: variances, and steps of any scale.

Cho, Ilin and Raiko (2011), "Improved learning of Gaussian-Bernoulli restricted Boltzmann machines",
ICANN, https://doi.org/10.1007/978-3-642-21735-7_2.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sknets._data import Data, dense_tensor, mean_of
from sknets.boltzmann.statistics import Phase
from sknets.boltzmann.units import Gaussian, Units

STEEPEST = 1.0  # gradient by the logarithm of a variance
LEAST = 1e-6  # what may become of the data's variance


class RealUnits:
    """Real visible units of a machine, and what is connected with them.

    The gradient by the logarithm of a variance, z, grows as the variance falls, and would make it
    fall the faster, so that it has a limit; where nearly nothing is left of the data's variance, it
    falls no more, and that of a constant does not fall.

    Parameters
    ----------
    units : Gaussian
    weight, bias : nn.Parameter
        Weights of the hidden layer next to the units, (n_hidden, n_visible), and their biases.
    """

    def __init__(self, units: Gaussian, weight: Tensor, bias: Tensor) -> None:
        self.units, self.weight, self.bias = units, weight, bias

    @classmethod
    def of(cls, units: Units, weight: Tensor, bias: Tensor) -> RealUnits | None:
        """None where the units are of another kind."""
        return cls(units, weight, bias) if isinstance(units, Gaussian) else None

    @property
    def gradient(self) -> Any:
        """That by z; None where variances are not learnt."""
        return self.units.log_variance.grad

    def start(self, data: Data, mean: Tensor) -> None:
        """Take the variances of the data, and weights by which its scale does not matter."""
        variance = mean_of(data, lambda v: (dense_tensor(v) - mean).square())
        rounded = (4 * torch.finfo(variance.dtype).eps * mean).square()
        varies = variance > rounded
        found = torch.where(varies, variance, 1.0)  # of a constant, 1
        self.units.log_variance.copy_(found.log())
        self.units.least.copy_(torch.where(varies, found * LEAST, 1.0).log())
        self.weight.mul_(found.sqrt())

    def set_gradient(self, given: Phase, free: Phase) -> None:
        """The mean of dE/dz = (v (h W) - (v - b)^2 / 2) / s^2 given the data, less that of samples.

        Hidden values are as visible units see them.
        """
        if self.gradient is None:
            return

        def mean(phase: Phase) -> Tensor:
            away = (phase.v - self.bias).square()
            return (phase.v * (phase.h @ self.weight) - away / 2).mean(0) * self.units.precision

        torch.sub(mean(given), mean(free), out=self.gradient)
        self.limit()

    def limit(self) -> None:
        """Keep the gradient by z within its limits, if variances are learnt."""
        if self.gradient is None:
            return
        self.gradient.clamp_(-STEEPEST, STEEPEST)
        at_least = self.units.log_variance <= self.units.least
        self.gradient.masked_fill_(at_least & (self.gradient > 0), 0)

    def standardise(self) -> None:
        """Make steps of weights and biases those of standardised values."""
        for parameter in (self.weight, self.bias):
            gradient: Any = parameter.grad
            gradient.mul_(self.units.log_variance.exp())

    def centre(self, of_hidden: Tensor, mean: Tensor) -> None:
        """Let biases of hidden units follow variances, so that the means keep their effect.

        The gradient by hidden biases is changed in place.
        """
        if self.gradient is None:
            return
        sent = self.weight * self.units.seen(mean)
        self.gradient.add_(of_hidden @ sent)
        self.limit()
        of_hidden.add_(sent @ self.gradient)
