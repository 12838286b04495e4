"""Deep belief networks: a restricted Boltzmann machine on top of directed layers.

Hinton, Osindero and Teh (2006), "A fast learning algorithm for deep belief nets", Neural
Computation 18, https://doi.org/10.1162/neco.2006.18.7.1527.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sknets._data import Batch
from sknets._training.parameters import FlatParameters
from sknets._training.steps import StepResult
from sknets.boltzmann.categories import completed, log_odds
from sknets.boltzmann.draws import Draws
from sknets.boltzmann.network import RBM
from sknets.boltzmann.statistics import dense_tensor
from sknets.boltzmann.units import Bernoulli, Categorical, Units

INIT_STD = 0.01  # of weights, as of a machine's


class DeepBeliefNet(nn.Module):
    """Layers of binary units: two on top that are a machine, those below made from above.

    Recognition weights (`up`) infer the layers from below; generative weights (`down`) make them
    from above. Both start as those of machines that were trained layer by layer.

    Parameters
    ----------
    visible : Units
    sizes : sequence of int
        Units of the hidden layers, from below.
    top_visible : Units, optional
        What the machine on top sees, if it is more than the layer below it.
    """

    def __init__(
        self, visible: Units, sizes: Sequence[int], top_visible: Units | None = None
    ) -> None:
        super().__init__()
        *below, last = [visible, *map(Bernoulli, sizes)]
        self.below = nn.ModuleList(below)
        widths = [units.n for units in below]
        self.up = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.down = nn.ModuleList(nn.Linear(b, a) for a, b in pairwise(widths))
        self.top = RBM(top_visible or below[-1], last)

    @torch.no_grad()
    def initialise(self, draws: torch.Generator) -> None:
        """Small weights, and means of a half."""
        for name, parameter in self.named_parameters():
            if name.endswith("weight"):
                parameter.normal_(0, INIT_STD, generator=draws)
            else:
                parameter.zero_()
        self.top.visible_mean.fill_(0.5)
        self.top.hidden_mean.fill_(0.5)

    def up_to_top(self, v: Tensor) -> Tensor:
        """The means of the lower layer of the machine on top, (n, sizes[-2])."""
        x = dense_tensor(v)
        for layer in self.up:
            x = layer(x).sigmoid()
        return x

    def seen_by_top(self, x: Tensor, y: Tensor | None, draws: Draws) -> Tensor:
        """What the machine on top sees of the layer below it, and of a target."""
        return x

    def below_top(self, x: Tensor) -> Tensor:
        """The layer below the machine on top, of what that sees."""
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
        return self.drawn_below(self.top.sampled(n, n_steps, draws), draws)

    def drawn_below(self, seen: Tensor, draws: Draws) -> Tensor:
        """Visible values drawn from above, given what the machine on top sees."""
        v, *_ = self.drawn_down(self.below_top(seen), draws)
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


class AssociativeNet(DeepBeliefNet):
    """A deep belief network whose machine on top sees a label besides the layer below it.

    It is a classifier by p(label | layer below), a softmax of minus the free energy with each label
    (Hinton, Osindero and Teh, 2006, section 6), and makes what goes with a given label.

    Parameters
    ----------
    visible : Units
    sizes : sequence of int
        Units of the hidden layers, from below.
    n_outputs : int
        Labels, or 1 for two of them.
    """

    def __init__(self, visible: Units, sizes: Sequence[int], n_outputs: int) -> None:
        self.n_outputs, self.n_labels = n_outputs, max(n_outputs, 2)
        *_, below_top, _ = [visible, *map(Bernoulli, sizes)]
        width = self.n_labels + below_top.n
        super().__init__(visible, sizes, Categorical(width, [range(self.n_labels)]))

    @property
    def labels(self) -> Tensor:
        """The columns of labels in what the machine on top sees."""
        found: Any = self.top.visible
        return found.groups[0]

    def without_label(self, x: Tensor) -> Tensor:
        """What the machine on top sees where a label is not known."""
        return torch.cat([x.new_zeros(len(x), self.n_labels), x], 1)

    def with_label(self, x: Tensor, y: Tensor) -> Tensor:
        """What the machine on top sees, no label where targets are below 0."""
        y = y.reshape(-1).long()  # two labels come as a column of numbers
        seen, known = self.without_label(x), y >= 0
        seen[known, y[known]] = 1
        return seen

    def log_odds(self, v: Tensor) -> Tensor:
        """Minus the free energy with each label, up to what all have in common."""
        return log_odds(self.top, self.without_label(self.up_to_top(v)), self.labels)

    def forward(self, v: Tensor) -> Tensor:
        """The same as raw outputs of a classifier; of two labels the difference, (n, 1)."""
        found = self.log_odds(v)
        return found if self.n_outputs > 1 else found[:, 1:] - found[:, :1]

    def features(self, v: Tensor) -> Tensor:
        """The means of the last hidden layer, given the probabilities of labels."""
        seen = self.without_label(self.up_to_top(v))
        seen[:, self.labels] = log_odds(self.top, seen, self.labels).softmax(1)
        return self.top(seen)

    def seen_by_top(self, x: Tensor, y: Tensor | None, draws: Draws) -> Tensor:
        """Targets below 0 are of rows without a label, which is drawn given the rest."""
        assert y is not None
        return completed(self.top, self.with_label(x, y), draws)

    def below_top(self, x: Tensor) -> Tensor:
        return x[:, self.n_labels :]

    def sampled_with(self, y: Tensor, n_steps: int, draws: Draws) -> Tensor:
        """Visible values after some Gibbs steps on top, where labels stay as they are."""
        top, n = self.top, self.n_labels
        seen = top.path().start(len(y), draws)
        seen[:, :n] = F.one_hot(y, n)
        for _ in range(n_steps):
            seen[:, n:] = self.settled(seen, 1, draws)[:, n:]
        return self.drawn_below(seen, draws)


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
            given = network.seen_by_top(wake[-1], batch.y, self.draws)
            free = network.settled(given, self.n_steps, self.draws)
            sleep = network.drawn_down(network.below_top(free), self.draws)
        self.flat.grad.zero_()
        with torch.enable_grad():
            loss = network.top.free_energy(given).mean() - network.top.free_energy(free).mean()
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
