"""The general Boltzmann machine, in which all units are connected with one another.

Ackley, Hinton and Sejnowski (1985), https://doi.org/10.1207/s15516709cog0901_7; Peterson and
Anderson (1987), "A mean field theory learning algorithm for neural networks", Complex Systems 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sknets._data import Batch, dense_tensor
from sknets._state import taken
from sknets._training.parameters import FlatParameters
from sknets._training.steps import StepResult
from sknets.boltzmann.ais import Beta, Path
from sknets.boltzmann.draws import Draws
from sknets.boltzmann.energy import EnergyNetwork
from sknets.boltzmann.tempering import TemperedChains
from sknets.boltzmann.units import RAREST, Bernoulli, softplus

MEAN_FIELD_STEPS = 50  # of mean fields, at most
SETTLED = 1e-4  # the largest change of a mean field that has settled
SUMMED = 12  # hidden units whose values are summed over for a free energy


class FullMachine(EnergyNetwork):
    r"""p(s) = exp(-E(s) / T) / Z, with E = -s W s / 2 - b s for binary units s.

    The weights are symmetric, and no unit is connected with itself. Visible units come first.

    Parameters
    ----------
    n_visible, n_hidden : int
    temperature : float
    """

    def __init__(self, n_visible: int, n_hidden: int, temperature: float = 1.0) -> None:
        super().__init__()
        self.n_visible, self.n_hidden, self.temperature = n_visible, n_hidden, temperature
        self.weight = nn.Parameter(torch.empty(self.n, self.n))
        self.bias = nn.Parameter(torch.empty(self.n))
        self.mean: Tensor  # of the data; of hidden units a half
        self.register_buffer("mean", torch.empty(self.n))

    @property
    def n(self) -> int:
        """How many units there are."""
        return self.n_visible + self.n_hidden

    @property
    def hidden(self) -> range:
        """The places of hidden units."""
        return range(self.n_visible, self.n)

    @property
    def between_layers(self) -> Tensor:
        """The weights of hidden units from visible ones, (n_hidden, n_visible)."""
        return self.weight[self.n_visible :, : self.n_visible]

    def log_p(self, s: Tensor) -> Tensor:
        """-E(s) / T, of shape (n_samples,)."""
        return ((s @ self.weight * s).sum(1) / 2 + s @ self.bias) / self.temperature

    def swept(
        self, s: Tensor, places: range, draws: Draws, beta: Beta = 1.0, base: Tensor | None = None
    ) -> Tensor:
        """Draw some units, one after another, given all others; in place.

        They get beta (b + W s) / T, and at a lower inverse temperature beta what is left of `base`.
        """
        scale = beta / self.temperature
        for i in places:
            inputs = torch.addmv(self.bias[i], s, self.weight[i])[:, None] * scale
            if base is not None:
                inputs = inputs + (1 - beta) * base[i]
            s[:, i] = draws.bernoulli(inputs.sigmoid())[:, 0]
        return s

    def settled(self, s: Tensor, places: range, beta: float = 1.0) -> Tensor:
        """The means m = sigmoid(beta (b + W m) / T) of some units, from where they are.

        They change one after another, each of which lowers the free energy of the mean field, until
        a row no longer changes.
        """
        s, moving = s.clone(), torch.arange(len(s), device=s.device)
        scale = beta / self.temperature
        for _ in range(MEAN_FIELD_STEPS):
            rows = s[moving]
            for i in places:
                rows[:, i] = torch.addmv(self.bias[i], rows, self.weight[i]).mul_(scale).sigmoid_()
            changed = (rows - s[moving]).abs().amax(1) > SETTLED
            s[moving] = rows
            moving = moving[changed]
            if not len(moving):
                break
        return s

    def with_all_hidden(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """Every row with all hidden values, (len(v), n_states, n), and their -E / T."""
        h = torch.cat(list(Bernoulli(self.n_hidden).states())).to(v)
        shape = len(v), len(h)
        s = torch.cat([v[:, None].expand(*shape, -1), h[None].expand(*shape, -1)], 2)
        return s, self.log_p(s.flatten(0, 1)).view(shape)

    def with_unknown(self, v: Tensor) -> Tensor:
        """Rows of all units, of which the hidden ones are a half: (len(v), n)."""
        v = dense_tensor(v)
        return torch.cat([v, v.new_full((len(v), self.n_hidden), 0.5)], 1)

    def forward(self, v: Tensor) -> Tensor:
        """The means of hidden units given visible ones, by a mean field."""
        return self.settled(self.with_unknown(v), self.hidden)[:, self.n_visible :]

    def free_energy(self, v: Tensor) -> Tensor:
        """-log of the sum of exp(-E / T) over all hidden values, or what mean fields say of it.

        The latter is an upper bound: the energy expected by the mean field, less its entropy.
        """
        v = dense_tensor(v)
        if self.n_hidden <= SUMMED:
            return -self.with_all_hidden(v)[1].logsumexp(1)
        h = self(v)
        entropy = torch.special.entr(h) + torch.special.entr(1 - h)
        return -self.log_p(torch.cat([v, h], 1)) - entropy.sum(1)

    def pseudo_likelihood(self, v: Tensor) -> Tensor:
        """The sum of log p(v_i | all other visible values) over i, of shape (n_samples,)."""
        v = dense_tensor(v)
        here, total = self.free_energy(v), v.new_zeros(len(v))
        for i in range(self.n_visible):
            flipped = v.clone()
            flipped[:, i] = 1 - v[:, i]
            total -= softplus(here - self.free_energy(flipped))
        return total

    @property
    def n_counted(self) -> float:
        """The states of all units."""
        return 2.0**self.n

    def log_terms(self) -> Iterator[Tensor]:
        """-E / T of all states."""
        return (self.log_p(s.to(self.weight)) for s in Bernoulli(self.n).states())

    def path(self) -> FullPath:
        """The way from units by themselves, with the data's means."""
        return FullPath(self)

    def sampled(self, n: int, betas: Sequence[float], draws: Draws) -> Tensor:
        """States after sweeps at inverse temperatures, from units with the data's means."""
        s = self.path().start(n, draws)
        for beta in betas:
            self.swept(s, range(self.n), draws, beta)
        return s


class FullPath(Path):
    """Machines between one without weights and a given one, by inverse temperature."""

    def __init__(self, machine: FullMachine) -> None:
        self.machine = machine
        self.base = machine.mean.logit(RAREST)

    @property
    def log_partition(self) -> float:
        return softplus(self.base).sum().item()

    def start(self, n: int, draws: Draws) -> Tensor:
        return draws.bernoulli(self.base.sigmoid().expand(n, -1))

    def inputs(self, v: Tensor) -> Tensor:
        """Minus the energies in the two machines, (n, 2)."""
        return torch.stack([v @ self.base, self.machine.log_p(v)], 1)

    def log_p(self, v: Tensor, inputs: Tensor, beta: Beta) -> Tensor:
        share = beta if isinstance(beta, float) else beta[:, 0]
        return torch.lerp(inputs[:, 0], inputs[:, 1], share)

    def step(self, v: Tensor, inputs: Tensor, beta: Beta, draws: Draws) -> Tensor:
        return self.machine.swept(v, range(self.machine.n), draws, beta, self.base)


class Expectations(NamedTuple):
    """What a phase expects: of each unit, (n,), and of each pair of units, (n, n)."""

    units: Tensor
    pairs: Tensor

    @classmethod
    def of(cls, states: Tensor, weight: Tensor | None = None) -> Expectations:
        """The means over rows, or with their weights."""
        share = torch.full_like(states[:, 0], 1 / len(states)) if weight is None else weight
        return cls(share @ states, (states * share[:, None]).t() @ states)


class MachineStep:
    """Set the gradient of -log p(v): what the free machine expects, less what it does given data.

    Parameters
    ----------
    machine : FullMachine
    flat : FlatParameters
    draws : Draws
    given_data : str
        How expectations are found given the data: one of `GIVEN_DATA`.
    free : str
        How those of the free machine are found: one of `FREE`.
    annealing : sequence of float
        Temperatures of a sweep each, before units are looked at.
    n_sweeps : int
        Sweeps at the machine's temperature whose states count.
    n_chains : int
        Of the free machine; they go on from step to step.
    n_temperatures : int
        Of parallel tempering.
    """

    def __init__(
        self,
        machine: FullMachine,
        flat: FlatParameters,
        draws: Draws,
        *,
        given_data: str,
        free: str,
        annealing: Sequence[float],
        n_sweeps: int,
        n_chains: int,
        n_temperatures: int,
    ) -> None:
        self.machine, self.flat, self.draws = machine, flat, draws
        self.given_data, self.free, self.n_sweeps = given_data, free, n_sweeps
        self.heat = [machine.temperature / t for t in annealing]  # as inverse temperatures
        self.chains = machine.weight.new_full((n_chains, machine.n), 0.5)
        self.started = False
        self.tempered = TemperedChains(machine.bias, n_chains, n_temperatures)

    @torch.no_grad()
    def __call__(self, batch: Batch) -> StepResult:
        """The loss is the mean energy of the data less that of the free machine."""
        machine = self.machine
        data = GIVEN_DATA[self.given_data](self, dense_tensor(batch.x))
        model = FREE[self.free](self)
        weight, bias = machine.weight.grad, machine.bias.grad
        assert weight is not None
        assert bias is not None
        torch.sub(model.pairs, data.pairs, out=weight).div_(machine.temperature).fill_diagonal_(0)
        torch.sub(model.units, data.units, out=bias).div_(machine.temperature)
        return StepResult(torch.dot(self.flat.values, self.flat.grad), None)

    # -- given the data

    def drawn(self, v: Tensor) -> Expectations:
        """By Gibbs sampling of hidden units, after simulated annealing."""
        s = self.machine.with_unknown(v)
        for beta in self.heat:
            self.machine.swept(s, self.machine.hidden, self.draws, beta)
        return self.swept(s, self.machine.hidden)

    def settled(self, v: Tensor) -> Expectations:
        """By mean fields, in which hidden units are independent of each other."""
        s = self.machine.with_unknown(v)
        for beta in (*self.heat, 1.0):
            s = self.machine.settled(s, self.machine.hidden, beta)
        return Expectations.of(s)

    def summed(self, v: Tensor) -> Expectations:
        """By a sum over all hidden values."""
        states, log_p = self.machine.with_all_hidden(v)
        return Expectations.of(states.flatten(0, 1), log_p.softmax(1).flatten() / len(v))

    # -- of the free machine

    def drawn_freely(self) -> Expectations:
        """By Gibbs sampling in chains that go on from where they were, which heat would undo."""
        if not self.started:
            self.chains = self.draws.bernoulli(self.chains)
            self.started = True
        return self.swept(self.chains, range(self.machine.n))

    def tempered_freely(self) -> Expectations:
        """By parallel tempering."""
        path = self.machine.path()
        found = [self.tempered.step(path, self.draws, 1).clone() for _ in range(self.n_sweeps)]
        return Expectations.of(torch.cat(found))

    def settled_freely(self) -> Expectations:
        """By mean fields, of which there are many: one for each start."""
        s = self.draws.uniform(self.chains)
        for beta in (*self.heat, 1.0):
            s = self.machine.settled(s, range(self.machine.n), beta)
        return Expectations.of(s)

    def summed_freely(self) -> Expectations:
        """By a sum over all states."""
        states = torch.cat(list(Bernoulli(self.machine.n).states())).to(self.chains)
        return Expectations.of(states, self.machine.log_p(states).softmax(0))

    def swept(self, s: Tensor, places: range) -> Expectations:
        """By the states after each of some sweeps."""
        found = []
        for _ in range(self.n_sweeps):
            self.machine.swept(s, places, self.draws)
            found.append(s.clone())
        return Expectations.of(torch.cat(found))

    def state(self) -> dict[str, Any]:
        """What outlasts a step, beside the machine."""
        chains = {"chains": self.chains} if self.started else {}
        return {**chains, **self.tempered.state(), "draws": self.draws.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        before = self.chains
        self.chains = taken(state, "chains", before)
        self.started = self.chains is not before
        self.tempered.load(state)
        self.draws.load(state["draws"])


GIVEN_DATA = {
    "gibbs": MachineStep.drawn,
    "mean_field": MachineStep.settled,
    "exact": MachineStep.summed,
}
FREE = {
    "gibbs": MachineStep.drawn_freely,
    "tempering": MachineStep.tempered_freely,
    "mean_field": MachineStep.settled_freely,
    "exact": MachineStep.summed_freely,
}
