"""Deep belief networks: a restricted Boltzmann machine on top of directed layers.

Hinton, Osindero and Teh (2006), "A fast learning algorithm for deep belief nets", Neural
Computation 18, https://doi.org/10.1162/neco.2006.18.7.1527.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from sknets._data import Batch
from sknets._training.parameters import FlatParameters
from sknets._training.steps import StepResult
from sknets.boltzmann.draws import Draws
from sknets.boltzmann.network import RBM
from sknets.boltzmann.statistics import dense_tensor
from sknets.boltzmann.units import Bernoulli, Units


class DeepBeliefNet(nn.Module):
    """Layers of binary units: two on top that are a machine, those below made from above.

    Recognition weights (`up`) infer the layers from below; generative weights (`down`) make them
    from above. Both start as those of machines that were trained layer by layer.

    Parameters
    ----------
    visible : Units
    sizes : sequence of int
        Units of the hidden layers, from below.
    """

    def __init__(self, visible: Units, sizes: Sequence[int]) -> None:
        super().__init__()
        *below, last = [visible, *map(Bernoulli, sizes)]
        self.below = nn.ModuleList(below)
        widths = [units.n for units in below]
        self.up = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.down = nn.ModuleList(nn.Linear(b, a) for a, b in pairwise(widths))
        self.top = RBM(below[-1], last)

    def up_to_top(self, v: Tensor) -> Tensor:
        """The means of the lower layer of the machine on top, (n, sizes[-2])."""
        x = dense_tensor(v)
        for layer in self.up:
            x = layer(x).sigmoid()
        return x

    def forward(self, v: Tensor) -> Tensor:
        """The means of the last hidden layer."""
        return self.top(self.up_to_top(v))

    def backward_mean(self, h: Tensor) -> Tensor:
        """The means of visible units given those of the last hidden layer."""
        return self.down_from(self.top.backward_mean(h))

    def down_from(self, x: Tensor) -> Tensor:
        """The means of visible units given values of the lower layer of the machine on top."""
        for i in reversed(range(len(self.down))):
            x = self.units(i).mean(self.down[i](x))
        return x

    def drawn_up(self, v: Tensor, draws: Draws) -> list[Tensor]:
        """Values of all layers but the last, each drawn given the one below."""
        values = [dense_tensor(v)]
        for layer in self.up:
            values.append(draws.bernoulli(layer(values[-1]).sigmoid()))
        return values

    def drawn_down(self, x: Tensor, draws: Draws) -> list[Tensor]:
        """The same from above, of visible units their means, given the lower layer on top."""
        values = [x]
        for i in reversed(range(len(self.down))):
            units, inputs = self.units(i), self.down[i](values[-1])
            values.append(units.sample(inputs, draws) if i else units.mean(inputs))
        return values[::-1]

    def log_weight(self, v: Tensor, draws: Draws) -> Tensor:
        """log p(v, h) - log q(h | v) for layers drawn from below, up to log Z of the top: (n,)."""
        values = [dense_tensor(v)]
        total = v.new_zeros(v.shape[0])
        for i, layer in enumerate(self.up):
            inputs, lower = layer(values[-1]), self.units(i)
            values.append(draws.bernoulli(inputs.sigmoid()))
            total += lower.log_p(values[i], self.down[i](values[-1]))
            total -= self.units(i + 1).log_p(values[-1], inputs)
        return total - self.top.free_energy(values[-1])

    def log_bound(self, v: Tensor, n_draws: int, draws: Draws) -> Tensor:
        """The mean of `log_weight` over draws: a bound of log p(v), up to log Z of the top."""
        return torch.stack([self.log_weight(v, draws) for _ in range(n_draws)]).mean(0)

    def reconstruction_error(self, v: Tensor) -> Tensor:
        """The mean squared difference of rows from what is left of them up and down, (n,)."""
        return (self.backward_mean(self(v)) - dense_tensor(v)).square().mean(1)

    def sampled(self, n: int, n_steps: int, draws: Draws) -> Tensor:
        """Visible values after some Gibbs steps on top, from units with the data's means."""
        top = self.top.sampled(n, n_steps, draws)
        v, *_ = self.drawn_down(top, draws)
        return self.units(0).drawn(v, draws) if len(self.down) else v

    def units(self, i: int) -> Units:
        """Those of a layer but the last, the visible the first."""
        found: Any = self.below[i]
        return found

    def settled(self, x: Tensor, n_steps: int, draws: Draws) -> Tensor:
        """The lower layer of the machine on top, after some steps of Gibbs sampling."""
        top = self.top
        for _ in range(n_steps):
            x = top.visible.sample(top.visible_inputs(top.hidden.drawn(top(x), draws)), draws)
        return x


class UpDownStep:
    """Contrastive wake-sleep (Hinton, Osindero and Teh, 2006, section 5 and appendix B).

    Up: layers drawn from the data teach the generative weights to make each from the one above.
    On top: contrastive divergence. Down: what the top then makes teaches the recognition weights.

    Parameters
    ----------
    network : DeepBeliefNet
    flat : FlatParameters
    draws : Draws
    n_steps : int
        Gibbs steps on top.
    """

    def __init__(
        self, network: DeepBeliefNet, flat: FlatParameters, draws: Draws, n_steps: int
    ) -> None:
        self.network, self.flat, self.draws, self.n_steps = network, flat, draws, n_steps

    def __call__(self, batch: Batch) -> StepResult:
        """The loss is the description length of the layers each way, and the energy gap on top."""
        network = self.network
        with torch.no_grad():
            wake = network.drawn_up(batch.x, self.draws)
            x = network.settled(wake[-1], self.n_steps, self.draws)
            sleep = network.drawn_down(x, self.draws)
        self.flat.grad.zero_()
        with torch.enable_grad():
            loss = network.top.free_energy(wake[-1]).mean() - network.top.free_energy(x).mean()
            for i in range(len(network.down)):
                lower, upper = network.units(i), network.units(i + 1)
                loss = loss - lower.log_p(wake[i], network.down[i](wake[i + 1])).mean()
                loss = loss - upper.log_p(sleep[i + 1], network.up[i](sleep[i])).mean()
            loss.backward()
        return StepResult(loss.detach(), None)

    def state(self) -> dict[str, Any]:
        """What outlasts a step."""
        return {"draws": self.draws.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.draws.load(state["draws"])
