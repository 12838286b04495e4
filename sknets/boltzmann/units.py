"""The kinds of units in a layer of a Boltzmann machine.

A layer of an exponential-family harmonium (Welling, Rosen-Zvi and Hinton, 2005) is told by what
its energy is of its own, by what the layers beside it see of it, and by its distribution given its
total input: the biases and what those layers send.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sknets.boltzmann.draws import Draws

BLOCK = 2**12  # states that are enumerated at a time
RAREST = 0.01  # mean that a bias is made of


class Units(nn.Module, ABC):
    """Abstract: a layer of `n` units; values, biases and inputs have `n` numbers a sample."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def seen(self, values: Tensor) -> Tensor:
        """What the layers beside it see of its values."""
        return values

    def reset(self) -> None:
        """Give parameters of the units themselves, if they have any, a value to start from."""

    @abstractmethod
    def own(self, values: Tensor, bias: Tensor) -> Tensor:
        """Minus the energy of values by themselves, of shape (n_samples,).

        The bias is that of the layer, or one for each sample.
        """

    @abstractmethod
    def mean(self, inputs: Tensor) -> Tensor:
        """Expected values given the total input. May overwrite the input."""

    @abstractmethod
    def drawn(self, means: Tensor, draws: Draws) -> Tensor:
        """Values drawn from the distribution that has given means."""

    def sample(self, inputs: Tensor, draws: Draws) -> Tensor:
        """Values drawn given the total input. May overwrite the input."""
        return self.drawn(self.mean(inputs), draws)

    @abstractmethod
    def log_normaliser(self, inputs: Tensor, bias: Tensor) -> Tensor:
        """log of the sum, over all values, of exp(own + seen . (inputs - bias)): (n_samples,)."""

    @abstractmethod
    def log_p(self, values: Tensor, inputs: Tensor) -> Tensor:
        """The logarithm of the probability of values given the total input, (n_samples,)."""

    @abstractmethod
    def biases_of(self, means: Tensor) -> Tensor:
        """The biases by which a layer that is alone has given means, which are kept off 0 and 1."""

    @property
    def n_states(self) -> float:
        """How many values the layer can take."""
        return math.inf

    def states(self) -> Iterator[Tensor]:
        """All values of the layer, a block of rows at a time."""
        raise ValueError(f"{type(self).__name__} units have no finite number of states.")


class Bernoulli(Units):
    """Units that are 0 or 1, or stand for probabilities between: p(1) = sigmoid(x).

    Parameters
    ----------
    n : int
    copies : int
        Of each unit, with the same weights and bias; a value is the mean of them.
    """

    def __init__(self, n: int, copies: int = 1) -> None:
        super().__init__(n)
        self.copies = copies

    def seen(self, values: Tensor) -> Tensor:
        return values if self.copies == 1 else values * self.copies

    def own(self, values: Tensor, bias: Tensor) -> Tensor:
        return self.copies * (values @ bias if bias.ndim == 1 else (values * bias).sum(1))

    def mean(self, inputs: Tensor) -> Tensor:
        return inputs.sigmoid_()

    def drawn(self, means: Tensor, draws: Draws) -> Tensor:
        values = draws.bernoulli(means)
        for _ in range(self.copies - 1):
            values += draws.bernoulli(means)
        return values if self.copies == 1 else values / self.copies

    def log_normaliser(self, inputs: Tensor, bias: Tensor) -> Tensor:
        return self.copies * softplus(inputs).sum(1)

    def log_p(self, values: Tensor, inputs: Tensor) -> Tensor:
        one = (values * inputs - softplus(inputs)).sum(1)
        if self.copies == 1:
            return one
        n = torch.tensor(float(self.copies)).to(values)
        ways = (n + 1).lgamma() - (n * values + 1).lgamma() - (n * (1 - values) + 1).lgamma()
        return self.copies * one + ways.sum(1)

    def biases_of(self, means: Tensor) -> Tensor:
        return means.logit(RAREST)

    @property
    def n_states(self) -> float:
        return 2.0**self.n if self.copies == 1 else math.inf

    def states(self) -> Iterator[Tensor]:
        if self.copies > 1:
            yield from super().states()
        places = torch.arange(self.n)
        for numbers in torch.arange(2**self.n).split(BLOCK):
            yield (numbers[:, None] >> places & 1).double()


class Categorical(Units):
    """Units of which those of a group are one 1 and else 0, by a softmax; the rest is Bernoulli.

    Parameters
    ----------
    n : int
    groups : sequence of sequence of int
        Columns of each group.
    """

    def __init__(self, n: int, groups: Sequence[Sequence[int]]) -> None:
        super().__init__(n)
        alone = sorted(set(range(n)).difference(*groups))
        self.alone, *self.groups = (torch.tensor(each, device="cpu") for each in (alone, *groups))

    def own(self, values: Tensor, bias: Tensor) -> Tensor:
        return values @ bias if bias.ndim == 1 else (values * bias).sum(1)

    def mean(self, inputs: Tensor) -> Tensor:
        means = inputs.sigmoid()
        for group in self.groups:
            means[:, group] = inputs[:, group].softmax(1)
        return means

    def drawn(self, means: Tensor, draws: Draws) -> Tensor:
        values = draws.bernoulli(means)
        for group in self.groups:
            chosen = draws.categorical(means[:, group])
            values[:, group] = F.one_hot(chosen, len(group)).to(values.dtype)
        return values

    def log_normaliser(self, inputs: Tensor, bias: Tensor) -> Tensor:
        total = softplus(inputs[:, self.alone]).sum(1)
        for group in self.groups:
            total = total + inputs[:, group].logsumexp(1)
        return total

    def log_p(self, values: Tensor, inputs: Tensor) -> Tensor:
        return (values * inputs).sum(1) - self.log_normaliser(inputs, inputs)

    def biases_of(self, means: Tensor) -> Tensor:
        biases = means.logit(RAREST)
        for group in self.groups:
            biases[group] = means[group].clamp_min(RAREST).log()
        return biases

    @property
    def n_states(self) -> float:
        return 2.0 ** len(self.alone) * math.prod(len(group) for group in self.groups)

    def states(self) -> Iterator[Tensor]:
        for ones in product(*(group.tolist() for group in self.groups)):
            for block in Bernoulli(len(self.alone)).states():
                values = block.new_zeros(len(block), self.n)
                values[:, self.alone] = block
                values[:, list(ones)] = 1
                yield values


class Gaussian(Units):
    """Units with real values of normal distribution, whose variances may be learnt.

    Their own energy is (v - b)^2 / (2 s^2), others see v / s^2, and given the total input they are
    drawn from N(x, s^2), with s^2 = exp(z) (Cho, Ilin and Raiko, 2011, section 3).
    """

    def __init__(self, n: int) -> None:
        super().__init__(n)
        self.log_variance = nn.Parameter(torch.empty(n))
        self.least: Tensor  # that it may learn
        self.register_buffer("least", torch.full((n,), -torch.inf))

    def reset(self) -> None:
        self.log_variance.zero_()
        self.least.fill_(-torch.inf)

    @property
    def precision(self) -> Tensor:
        """1 / s^2."""
        return (-self.log_variance).exp()

    def seen(self, values: Tensor) -> Tensor:
        return values * self.precision

    def own(self, values: Tensor, bias: Tensor) -> Tensor:
        return (values - bias).square() @ self.precision / -2

    def mean(self, inputs: Tensor) -> Tensor:
        return inputs

    def drawn(self, means: Tensor, draws: Draws) -> Tensor:
        return draws.normal(means).mul_((self.log_variance / 2).exp()).add_(means)

    def log_normaliser(self, inputs: Tensor, bias: Tensor) -> Tensor:
        constant = (math.log(2 * math.pi) + self.log_variance).sum() / 2
        return (inputs.square() - bias.square()) @ self.precision / 2 + constant

    def log_p(self, values: Tensor, inputs: Tensor) -> Tensor:
        constant = (math.log(2 * math.pi) + self.log_variance).sum() / 2
        return -(values - inputs).square() @ self.precision / 2 - constant

    def biases_of(self, means: Tensor) -> Tensor:
        return means.clone()


def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x) to the last digit, which torch's own is not beyond 20."""
    return torch.logaddexp(x, x.new_zeros(()))
