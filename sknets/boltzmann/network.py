"""The restricted Boltzmann machine: visible and hidden units, and weights between the two alone.

Smolensky (1986), "Information processing in dynamical systems", in Parallel Distributed Processing;
Hinton (2010), "A practical guide to training restricted Boltzmann machines".
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sknets._data import dense_tensor
from sknets.boltzmann.ais import Beta, Path, drawn
from sknets.boltzmann.draws import Draws
from sknets.boltzmann.energy import EnergyNetwork
from sknets.boltzmann.units import Units


class RBM(EnergyNetwork):
    r"""p(v, h) = exp(-E(v, h)) / Z, with E = own(v) + own(h) - h W v.

    Parameters
    ----------
    visible, hidden : Units
    """

    def __init__(self, visible: Units, hidden: Units) -> None:
        super().__init__()
        self.visible, self.hidden = visible, hidden
        self.weight = nn.Parameter(torch.empty(hidden.n, visible.n))
        self.visible_bias = nn.Parameter(torch.empty(visible.n))
        self.hidden_bias = nn.Parameter(torch.empty(hidden.n))
        self.visible_mean: Tensor  # of the data
        self.hidden_mean: Tensor
        self.register_buffer("visible_mean", torch.empty(visible.n))
        self.register_buffer("hidden_mean", torch.empty(hidden.n))

    def hidden_inputs(self, v: Tensor) -> Tensor:
        """c + W v, of shape (n, n_hidden)."""
        inputs = F.linear(self.visible.seen(v), self.weight, self.hidden_bias)
        return inputs.to(self.weight.dtype)  # which products in bfloat16 are not

    def visible_inputs(self, h: Tensor) -> Tensor:
        """b + h W, of shape (n, n_visible)."""
        inputs = torch.addmm(self.visible_bias, self.hidden.seen(h), self.weight)
        return inputs.to(self.weight.dtype)

    def forward(self, v: Tensor) -> Tensor:
        """The expectation of h given v."""
        return self.hidden.mean(self.hidden_inputs(v))

    def backward_mean(self, h: Tensor) -> Tensor:
        """The expectation of v given h."""
        return self.visible.mean(self.visible_inputs(h))

    def energy(self, v: Tensor, h: Tensor) -> Tensor:
        """E(v, h), of shape (n,)."""
        between = (self.hidden.seen(h) @ self.weight * self.visible.seen(v)).sum(1)
        own = self.visible.own(v, self.visible_bias) + self.hidden.own(h, self.hidden_bias)
        return -own - between

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) = -log of the sum of exp(-E(v, h)) over all h, of shape (n,)."""
        hidden = self.hidden.log_normaliser(self.hidden_inputs(v), self.hidden_bias)
        return -self.visible.own(v, self.visible_bias) - hidden

    def hidden_free_energy(self, h: Tensor) -> Tensor:
        """F(h) = -log of the sum of exp(-E(v, h)) over all v, of shape (n,)."""
        visible = self.visible.log_normaliser(self.visible_inputs(h), self.visible_bias)
        return -self.hidden.own(h, self.hidden_bias) - visible

    def reconstruction_error(self, v: Tensor) -> Tensor:
        """The mean squared difference of rows from E(v | E(h | v)), of shape (n,)."""
        return (self.backward_mean(self(v)) - dense_tensor(v)).square().mean(1)

    @property
    def n_counted(self) -> float:
        """The states of the smaller layer."""
        return min(self.visible.n_states, self.hidden.n_states)

    def log_terms(self) -> Iterator[Tensor]:
        """-F of all states of the smaller layer."""
        layers = (self.hidden, self.hidden_free_energy), (self.visible, self.free_energy)
        units, free_energy = min(layers, key=lambda layer: layer[0].n_states)
        return (-free_energy(states.to(self.weight)) for states in units.states())

    def path(self) -> RestrictedPath:
        """The way from units that have the data's means, as far as these are known."""
        return RestrictedPath(self, self.visible.biases_of(self.visible_mean))

    def sampled(self, n: int, n_steps: int, draws: Draws) -> Tensor:
        """Visible values after some steps of Gibbs sampling, from units with the data's means."""
        return drawn(self.path(), n, n_steps, draws)


class RestrictedPath(Path):
    """Machines between one without weights and a given one, by inverse temperature.

    The visible biases go from those of the base to the machine's, everything else from 0 to the
    machine's (Salakhutdinov and Murray, 2008, equations 16 to 18).
    """

    def __init__(self, machine: RBM, base: Tensor) -> None:
        self.machine, self.base = machine, base

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
