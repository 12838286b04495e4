"""How restricted Boltzmann machines learn: the data's statistics less those of samples.

The gradient of -log p(v) is the mean of dE/dw under p(h | v), less that under the machine's own
p(v, h). What tells the methods apart is where samples of the latter come from (`Sampler`).

Hinton (2002), https://doi.org/10.1162/089976602760128018; Tieleman (2008); Tieleman and Hinton
(2009); Desjardins, Courville, Bengio, Vincent and Delalleau (2010); Melchior, Fischer and Wiskott
(2016), "How to center deep Boltzmann machines", JMLR 17.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sknets._data import Batch, column_means
from sknets._state import taken
from sknets._training.parameters import FlatParameters
from sknets._training.steps import StepResult, multiplying
from sknets.boltzmann.categories import completed
from sknets.boltzmann.draws import Draws
from sknets.boltzmann.network import RBM
from sknets.boltzmann.real_units import RealUnits
from sknets.boltzmann.statistics import Phase, difference_of_products
from sknets.boltzmann.tempering import TemperedChains


class Sampler(ABC):
    """Abstract: where the machine's samples come from."""

    def __init__(self, machine: RBM, draws: Draws, n_steps: int) -> None:
        self.machine, self.draws, self.n_steps = machine, draws, n_steps

    @abstractmethod
    def negative(self, positive: Phase) -> Phase:
        """Samples of the machine."""

    def updated(self, gradient: Tensor) -> None:  # noqa: B027
        """Take notice of the gradient that the samples led to."""

    def state(self) -> dict[str, Any]:
        """What outlasts a step."""
        return {}

    def load(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Go on from a state, where it is of such a sampler."""


class FromData(Sampler):
    """Contrastive divergence: chains start at the data in each step (Hinton, 2002)."""

    def negative(self, positive: Phase) -> Phase:
        machine, draws = self.machine, self.draws
        v, h = positive
        for _ in range(self.n_steps):
            sent = machine.visible_inputs(machine.hidden.drawn(h, draws))
            v = machine.visible.sample(sent, draws)
            h = machine.forward(v)
        return Phase(v, h)


class Persistent(Sampler):
    """Chains that go on from step to step (Tieleman, 2008)."""

    def __init__(self, machine: RBM, draws: Draws, n_steps: int, n_chains: int) -> None:
        super().__init__(machine, draws, n_steps)
        self.chains = machine.weight.new_zeros(n_chains, machine.hidden.n)

    def negative(self, positive: Phase) -> Phase:
        for _ in range(self.n_steps):
            sent = self.machine.visible_inputs(self.chains)
            v = self.machine.visible.sample(sent, self.draws)
            h = self.machine.forward(v)
            self.chains = self.machine.hidden.drawn(h, self.draws)
        return Phase(v, h)

    def state(self) -> dict[str, Any]:
        return {"chains": self.chains}

    def load(self, state: dict[str, Any]) -> None:
        self.chains = taken(state, "chains", self.chains)


class FastPersistent(Persistent):
    """Persistent chains of a machine with fast weights on top (Tieleman and Hinton, 2009).

    These learn at a rate of their own and decay, so that chains leave where they just were.
    """

    def __init__(
        self,
        machine: RBM,
        draws: Draws,
        n_steps: int,
        n_chains: int,
        *,
        flat: FlatParameters,
        rate: float,
        decay: float,
    ) -> None:
        super().__init__(machine, draws, n_steps, n_chains)
        self.slow, self.rate, self.decay = flat, rate, decay
        self.machine = copy.deepcopy(machine)
        self.both = FlatParameters(self.machine)
        self.fast = torch.zeros_like(flat.values)

    def negative(self, positive: Phase) -> Phase:
        torch.add(self.slow.values, self.fast, out=self.both.values)
        return super().negative(positive)

    def updated(self, gradient: Tensor) -> None:
        self.fast.mul_(self.decay).sub_(gradient, alpha=self.rate)

    def state(self) -> dict[str, Any]:
        return {**super().state(), "fast": self.fast}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        self.fast = taken(state, "fast", self.fast)


class Tempered(Sampler):
    """Chains at several temperatures, which swap their states (Desjardins et al., 2010)."""

    def __init__(
        self, machine: RBM, draws: Draws, n_steps: int, n_chains: int, *, n_temperatures: int
    ) -> None:
        super().__init__(machine, draws, n_steps)
        self.chains = TemperedChains(machine.visible_bias, n_chains, n_temperatures)

    def negative(self, positive: Phase) -> Phase:
        v = self.chains.step(self.machine.path(), self.draws, self.n_steps)
        return Phase(v, self.machine(v))

    def state(self) -> dict[str, Any]:
        return self.chains.state()

    def load(self, state: dict[str, Any]) -> None:
        self.chains.load(state)


class Centring:
    """The gradient of a machine whose energy is of deviations from means (Melchior et al., 2016).

    With means m and l of visible and hidden units it is, in terms of the plain gradient g,
    W: g_W - l g_b - g_c m, b: g_b - l W', c: g_c - W' m, where W' is the former.
    """

    def __init__(self, machine: RBM, rate: float) -> None:
        self.visible, self.hidden, self.rate = machine.visible_mean, machine.hidden_mean, rate
        self.machine = machine

    def apply(self, gradients: Gradients, real: RealUnits | None) -> None:
        """Change the gradients in place, those of real units after they are standardised."""
        weight, of_visible, of_hidden = gradients
        seen = self.machine.visible.seen(self.visible)
        hidden = self.machine.hidden.seen(self.hidden)
        weight.addr_(hidden, of_visible, alpha=-1)
        weight.addr_(of_hidden, seen if real is None else self.visible, alpha=-1)
        of_visible.sub_(hidden @ weight)
        if real is not None:
            real.centre(of_hidden, self.visible)
        of_hidden.sub_(weight @ seen)

    def follow(self, v: Tensor, h: Tensor) -> None:
        """Move the offsets towards the means of a batch."""
        self.visible.lerp_(v, self.rate)
        self.hidden.lerp_(h, self.rate)


class Sparsity:
    """Hidden units are drawn towards a mean activity (Hinton, 2010, section 11).

    The mean activity q is followed with exponential decay; cost * (q - target) is added to the
    gradient by each unit's total input.
    """

    def __init__(self, n: Tensor, target: float, cost: float, decay: float) -> None:
        self.mean = torch.full_like(n, target)
        self.target, self.cost, self.decay = target, cost, decay

    def add_to(self, weight: Tensor, hidden_bias: Tensor, v: Tensor, h: Tensor) -> None:
        """Add to the gradients, given the means of a batch."""
        self.mean.lerp_(h, 1 - self.decay)
        pull = (self.mean - self.target) * self.cost
        weight.addr_(pull, v)
        hidden_bias.add_(pull)


class Gradients(NamedTuple):
    """Where the gradients of a machine go."""

    weight: Any
    visible_bias: Any
    hidden_bias: Any

    @classmethod
    def of(cls, machine: RBM) -> Gradients:
        return cls(machine.weight.grad, machine.visible_bias.grad, machine.hidden_bias.grad)


class LikelihoodStep:
    """Set the gradient of -log p(v) of a batch, with samples for what the machine expects.

    Parameters
    ----------
    machine : RBM
    flat : FlatParameters
        Of the machine.
    sampler : Sampler
    centring, sparsity : optional
        What changes the gradient.
    mixed : bool
        Whether products are in bfloat16; weights, sums and probabilities stay float32.
    """

    def __init__(
        self,
        machine: RBM,
        flat: FlatParameters,
        sampler: Sampler,
        centring: Centring | None = None,
        sparsity: Sparsity | None = None,
        *,
        mixed: bool = False,
    ) -> None:
        self.machine, self.flat, self.sampler = machine, flat, sampler
        self.centring, self.sparsity = centring, sparsity
        self.real = RealUnits.of(machine.visible, machine.weight, machine.visible_bias)
        self.mixed = mixed and flat.values.dtype == torch.float32
        self.gradients = Gradients.of(machine)

    @torch.no_grad()
    def __call__(self, batch: Batch) -> StepResult:
        """The loss is the mean energy of the data less that of the samples."""
        machine, (weight, of_visible, of_hidden) = self.machine, self.gradients
        dense = batch.x.layout is torch.strided
        with multiplying(self.mixed and dense, self.flat.values.device):
            given = completed(machine, batch.x, self.sampler.draws)
            positive = Phase(given, machine(given))
            negative = self.sampler.negative(positive)
            seen, sampled = (
                Phase(machine.visible.seen(phase.v), machine.hidden.seen(phase.h))
                for phase in (positive, negative)
            )
            difference_of_products(weight, sampled, seen)
        v, h = column_means(positive.v), column_means(positive.h)
        torch.sub(column_means(sampled.v), machine.visible.seen(v), out=of_visible)
        torch.sub(column_means(sampled.h), machine.hidden.seen(h), out=of_hidden)
        if self.real is not None:
            self.real.set_gradient(seen._replace(v=positive.v), sampled._replace(v=negative.v))
        loss = torch.dot(self.flat.values, self.flat.grad)
        if self.real is not None:
            self.real.standardise()
        if self.centring is not None:
            self.centring.apply(self.gradients, self.real)
            self.centring.follow(v, h)
        if self.sparsity is not None:
            self.sparsity.add_to(weight, of_hidden, machine.visible.seen(v), h)
        self.sampler.updated(self.flat.grad)
        return StepResult(loss, positive.h)

    def state(self) -> dict[str, Any]:
        """What outlasts a step, beside the machine."""
        state: dict[str, Any] = {
            "sampler": self.sampler.state(),
            "draws": self.sampler.draws.state(),
        }
        if self.sparsity is not None:
            state["activity"] = self.sparsity.mean
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.sampler.load(state["sampler"])
        self.sampler.draws.load(state["draws"])
        if self.sparsity is not None:
            self.sparsity.mean = taken(state, "activity", self.sparsity.mean)
