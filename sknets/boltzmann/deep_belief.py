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

from sknets._data import Batch, dense_tensor
from sknets._state import to_tensors
from sknets._training.parameters import FlatParameters
from sknets._training.steps import StepResult, multiplying
from sknets.boltzmann.categories import completed, log_odds
from sknets.boltzmann.draws import Draws
from sknets.boltzmann.network import RBM
from sknets.boltzmann.real_units import RealUnits
from sknets.boltzmann.units import Bernoulli, Categorical, Units

INIT_STD = 0.01  # of weights, as of a machine's


class DirectedLayers(nn.Module):
    """Layers of binary units over visible ones, each made from the one above.

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
        layers = [visible, *map(Bernoulli, sizes)]
        self.layers = nn.ModuleList(layers)
        pairs = list(pairwise(units.n for units in layers))
        self.up = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)
        self.down = nn.ModuleList(nn.Linear(b, a) for a, b in pairs)

    def units(self, i: int) -> Units:
        """Those of a layer, the visible the first."""
        found: Any = self.layers[i]
        return found

    @property
    def real_units(self) -> RealUnits | None:
        """The visible ones, where they have real values that layers make."""
        if not len(self.down):
            return None
        return RealUnits.of(self.units(0), *(getattr(self.down[0], k) for k in ("weight", "bias")))

    def inputs_up(self, i: int, x: Tensor) -> Tensor:
        """What layer i + 1 gets of values of layer i."""
        return as_weight(self.up[i], x)

    def inputs_down(self, i: int, x: Tensor) -> Tensor:
        """What layer i gets of values of layer i + 1."""
        return as_weight(self.down[i], x)

    def up_means(self, v: Tensor) -> Tensor:
        """The means of the last layer, all others replaced by theirs on the way."""
        x = dense_tensor(v)
        for i in range(len(self.up)):
            x = self.inputs_up(i, x).sigmoid()
        return x

    def down_means(self, x: Tensor) -> Tensor:
        """The means of visible units given values of the last layer."""
        for i in reversed(range(len(self.down))):
            x = self.units(i).mean(self.inputs_down(i, x))
        return x

    def drawn_up(self, v: Tensor, draws: Draws) -> list[Tensor]:
        """Values of all layers, each drawn given the one below."""
        values = [dense_tensor(v)]
        for i in range(len(self.up)):
            values.append(draws.bernoulli(self.inputs_up(i, values[-1]).sigmoid()))
        return values

    def drawn_down(self, x: Tensor, draws: Draws) -> list[Tensor]:
        """The same from above, of visible units their means."""
        values = [x]
        for i in reversed(range(len(self.down))):
            units, inputs = self.units(i), self.inputs_down(i, values[-1])
            values.append(units.sample(inputs, draws) if i else units.mean(inputs))
        return values[::-1]

    def log_weight(self, values: Sequence[Tensor]) -> Tensor:
        """log p(all but the last | last) - log q(all but the first | first), of shape (n,)."""
        return self.log_p_down(values) - self.log_p_up(values)

    def log_p_down(self, values: Sequence[Tensor]) -> Tensor:
        """log p(all but the last | last), of shape (n,)."""
        total = values[0].new_zeros(len(values[0]))
        for i in range(len(self.down)):
            total = total + self.units(i).log_p(values[i], self.inputs_down(i, values[i + 1]))
        return total

    def log_p_up(self, values: Sequence[Tensor]) -> Tensor:
        """log q(all but the first | first), of shape (n,)."""
        total = values[0].new_zeros(len(values[0]))
        for i in range(len(self.up)):
            total = total + self.units(i + 1).log_p(values[i + 1], self.inputs_up(i, values[i]))
        return total


class DeepBeliefNet(nn.Module):
    """A restricted Boltzmann machine on top of directed layers, or of several paths of them.

    Parameters
    ----------
    paths : sequence of DirectedLayers
        Each with visible units of its own; the machine's see the last layers of all of them.
    n_hidden : int
        Hidden units of the machine.
    n_labels : int
        Labels that the machine sees before those layers: a softmax group.
    """

    def __init__(self, paths: Sequence[DirectedLayers], n_hidden: int, n_labels: int = 0) -> None:
        super().__init__()
        self.n_labels, self.paths = n_labels, nn.ModuleList(paths)
        seen = paths[0].units(-1)
        width = n_labels + sum(path.units(-1).n for path in paths)
        if n_labels:
            seen = Categorical(width, [range(n_labels)])
        elif len(paths) > 1:
            seen = Bernoulli(width)
        self.top = RBM(seen, Bernoulli(n_hidden))

    @torch.no_grad()
    def initialise(self, draws: torch.Generator) -> None:
        """Small weights, and means of a half."""
        for name, parameter in self.named_parameters():
            if name.endswith("weight"):
                parameter.normal_(0, INIT_STD, generator=draws)
            else:
                parameter.zero_()
        for path in self.each_path:
            path.units(0).reset()
        self.top.visible_mean.fill_(0.5)
        self.top.hidden_mean.fill_(0.5)

    def path(self, i: int) -> DirectedLayers:
        """One of the paths."""
        found: Any = self.paths[i]
        return found

    @property
    def each_path(self) -> list[DirectedLayers]:
        """All of them."""
        return [self.path(i) for i in range(len(self.paths))]

    @property
    def first_weight(self) -> Tensor:
        """The weights into the hidden layer above the data, of the first path."""
        layers: Any = self.path(0).up
        return layers[0].weight if len(layers) else self.top.weight[:, self.n_labels :]

    def parts(self, v: Tensor) -> Sequence[Tensor]:
        """The visible values of each path."""
        return dense_tensor(v).split([path.units(0).n for path in self.each_path], 1)

    def below_top(self, seen: Tensor) -> Sequence[Tensor]:
        """The last layer of each path, of what the machine on top sees."""
        return seen[:, self.n_labels :].split([path.units(-1).n for path in self.each_path], 1)

    def seen_by_top(self, below: Tensor, y: Tensor | None, draws: Draws) -> Tensor:
        """What the machine on top sees of the last layers of all paths, and of a target."""
        return below

    def up_to_top(self, v: Tensor) -> Tensor:
        """The means of the last layers of all paths, side by side."""
        pairs = zip(self.each_path, self.parts(v), strict=True)
        return torch.cat([path.up_means(part) for path, part in pairs], 1)

    def forward(self, v: Tensor) -> Tensor:
        """The means of the last hidden layer."""
        return self.top(self.up_to_top(v))

    def backward_mean(self, h: Tensor) -> Tensor:
        """The means of visible units given those of the last hidden layer."""
        return self.down_means(self.top.backward_mean(h))

    def down_means(self, seen: Tensor) -> Tensor:
        """The means of visible units given what the machine on top sees."""
        pairs = zip(self.each_path, self.below_top(seen), strict=True)
        return torch.cat([path.down_means(x) for path, x in pairs], 1)

    def drawn_below(self, seen: Tensor, draws: Draws) -> Tensor:
        """Visible values drawn from above, given what the machine on top sees."""
        made = []
        for path, x in zip(self.each_path, self.below_top(seen), strict=True):
            v, *_ = path.drawn_down(x, draws)
            made.append(path.units(0).drawn(v, draws) if len(path.down) else v)
        return torch.cat(made, 1)

    def log_bound(self, v: Tensor, n_draws: int, draws: Draws) -> Tensor:
        """The mean of log p(v, h) - log q(h | v), up to log Z of the top, over draws of h: (n,)."""
        total: Any = 0.0
        for _ in range(n_draws):
            last = []
            for path, part in zip(self.each_path, self.parts(v), strict=True):
                values = path.drawn_up(part, draws)
                total = total + path.log_weight(values)
                last.append(values[-1])
            total = total - self.top.free_energy(torch.cat(last, 1))
        return total / n_draws

    def reconstruction_error(self, v: Tensor) -> Tensor:
        """The mean squared difference of rows from what is left of them up and down, (n,)."""
        return (self.backward_mean(self(v)) - dense_tensor(v)).square().mean(1)

    def sampled(self, n: int, n_steps: int, draws: Draws) -> Tensor:
        """Visible values after some Gibbs steps on top, from units with the data's means."""
        return self.drawn_below(self.top.sampled(n, n_steps, draws), draws)

    def settled(self, seen: Tensor, n_steps: int, draws: Draws) -> Tensor:
        """What the machine on top sees, after some steps of Gibbs sampling."""
        top = self.top
        for _ in range(n_steps):
            h = top.hidden.drawn(top(seen), draws)
            seen = top.visible.sample(top.visible_inputs(h), draws)
        return seen

    def clamped(self, seen: Tensor, columns: slice, n_steps: int, draws: Draws) -> Tensor:
        """The same, where some of what it sees stays as it is."""
        given = seen[:, columns].clone()
        for _ in range(n_steps):
            seen = self.settled(seen, 1, draws)
            seen[:, columns] = given
        return seen


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
        *below, last = sizes
        super().__init__([DirectedLayers(visible, below)], last, max(n_outputs, 2))
        self.n_outputs = n_outputs

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

    def balanced(self, seen: Tensor) -> Tensor:
        """Rows with a label about as often as those without (Larochelle and Bengio, 2008).

        Among thousands that complete themselves, a hundred labels would not count.
        """
        known = seen[:, : self.n_labels].any(1)
        times = int((~known).sum() / known.sum().clamp_min(1))
        return torch.cat([seen, seen[known].repeat(max(0, times - 1), 1)])

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

    def seen_by_top(self, below: Tensor, y: Tensor | None, draws: Draws) -> Tensor:
        """Targets below 0 are of rows without a label, which is drawn given the rest."""
        assert y is not None
        return completed(self.top, self.with_label(below, y), draws)

    def sampled(self, n: int, n_steps: int, draws: Draws) -> Tensor:
        """Means of visible units after some Gibbs steps on top."""
        return self.expected_below(self.top.sampled(n, n_steps, draws), draws)

    def sampled_with(self, y: Tensor, n_steps: int, draws: Draws) -> Tensor:
        """The same, where labels stay as they are."""
        seen = self.top.path().start(len(y), draws)
        seen[:, : self.n_labels] = F.one_hot(y, self.n_labels)
        return self.expected_below(self.clamped(seen, slice(self.n_labels), n_steps, draws), draws)

    def expected_below(self, seen: Tensor, draws: Draws) -> Tensor:
        """Means of visible units, all layers above them drawn, given what the machine sees."""
        path = self.path(0)
        if len(path.down):
            return path.drawn_down(self.below_top(seen)[0], draws)[0]
        h = self.top.hidden.drawn(self.top(seen), draws)
        return self.below_top(self.top.backward_mean(h))[0]


class UpDownStep:
    """Contrastive wake-sleep (Hinton, Osindero and Teh, 2006, section 5 and appendix B).

    Up: layers drawn from the data teach the generative weights to make each from the one above.
    On top: contrastive divergence, or chains that go on from step to step, which know the machine
    better. Down: what the top then makes teaches the recognition weights.

    Parameters
    ----------
    network : DeepBeliefNet
    flat : FlatParameters
    draws : Draws
    n_steps : int
        Gibbs steps on top.
    persistent : bool
        Whether chains on top go on, as many as the first minibatch has rows.
    mixed : bool
        Whether products are in bfloat16; weights, sums and probabilities stay float32.
    """

    def __init__(
        self,
        network: DeepBeliefNet,
        flat: FlatParameters,
        draws: Draws,
        n_steps: int,
        *,
        persistent: bool = False,
        mixed: bool = False,
    ) -> None:
        self.network, self.flat, self.draws, self.n_steps = network, flat, draws, n_steps
        self.persistent = persistent
        self.chains: Tensor | None = None
        self.mixed = mixed and flat.values.dtype == torch.float32

    def __call__(self, batch: Batch) -> StepResult:
        """The loss is the description length of the layers each way, and the energy gap on top."""
        network, draws = self.network, self.draws
        paths = network.each_path
        with torch.no_grad(), multiplying(self.mixed, batch.x.device):
            parts = zip(paths, network.parts(batch.x), strict=True)
            wake = [path.drawn_up(part, draws) for path, part in parts]
            below = torch.cat([values[-1] for values in wake], 1)
            given = network.seen_by_top(below, batch.y, draws)
            start = given if self.chains is None else self.chains
            free = network.settled(start, self.n_steps, draws)
            if self.persistent:
                self.chains = free
            tops = zip(paths, network.below_top(free), strict=True)
            sleep = [path.drawn_down(x, draws) for path, x in tops]
        with torch.enable_grad(), multiplying(self.mixed, batch.x.device):
            loss = network.top.free_energy(given).mean() - network.top.free_energy(free).mean()
            for path, awake, asleep in zip(paths, wake, sleep, strict=True):
                loss = loss - path.log_p_down(awake).mean() - path.log_p_up(asleep).mean()
        self.flat.grad.zero_()
        loss.backward()
        for path in paths:
            real = path.real_units
            if real is not None:
                real.limit()
        return StepResult(loss.detach(), None)

    def state(self) -> dict[str, Any]:
        """What outlasts a step."""
        chains = {} if self.chains is None else {"chains": self.chains}
        return {**chains, "draws": self.draws.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        chains = state.get("chains")
        if self.persistent and chains is not None and chains.shape[1] == self.network.top.visible.n:
            self.chains = to_tensors(chains).to(self.flat.values)
        self.draws.load(state["draws"])


def as_weight(layer: nn.Module, x: Tensor) -> Tensor:
    """What a linear layer makes of values, in the precision of its weights."""
    weight: Any = layer.weight
    made: Tensor = layer(x)
    return made.to(weight.dtype)
