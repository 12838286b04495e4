r"""Recurrent layers: the plain cell, the LSTM and two GRUs.

Elman (1990), https://doi.org/10.1207/s15516709cog1402_1; Hochreiter and Schmidhuber (1997),
https://doi.org/10.1162/neco.1997.9.8.1735, with the forget gate of Gers et al. (2000); Cho et al.
(2014), https://doi.org/10.48550/arXiv.1406.1078.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sknets._sequences import Sequences
from sknets.rnn.gru import GRUSteps

# Weights are views of the one vector that holds all parameters; cuDNN puts them together itself.
warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous")

State = tuple[Tensor, ...]  # of shape (n, units) each; the first is what a layer puts out


class RecurrentLayer(nn.Module):
    """Abstract: a cell that reads sequences in one direction.

    Weights stand one gate after another, in torch's order and layout.

    Parameters
    ----------
    n_inputs, n_units : int
    reverse : bool
        Whether to read from the last real step to the first.
    fused : bool
        Whether to compute a whole sequence by one operation of torch where there is one. Such
        operations cannot be differentiated twice.
    tbptt_steps : int, optional
        After how many steps the gradient is cut in training.
    """

    n_gates: ClassVar[int]
    n_states: ClassVar[int] = 1

    def __init__(
        self,
        n_inputs: int,
        n_units: int,
        *,
        reverse: bool = False,
        fused: bool = True,
        tbptt_steps: int | None = None,
    ) -> None:
        super().__init__()
        rows = self.n_gates * n_units
        self.weight_ih = nn.Parameter(torch.empty(rows, n_inputs))
        self.weight_hh = nn.Parameter(torch.empty(rows, n_units))
        self.bias_ih = nn.Parameter(torch.empty(rows))
        self.bias_hh = nn.Parameter(torch.empty(rows))
        self.n_inputs, self.n_units = n_inputs, n_units
        self.reverse, self.fused, self.tbptt_steps = reverse, fused, tbptt_steps

    @abstractmethod
    def step(self, inputs: Tensor, state: State) -> State:
        """The state after a step, from ``W x + b`` of its input for each gate, and the state."""

    @abstractmethod
    def whole(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """All steps at once, by torch; the outputs and the last state."""

    def start(self, x: Tensor) -> State:
        """The state before the first step: zeros."""
        return tuple(x.new_zeros(len(x), self.n_units) for _ in range(self.n_states))

    def forward(self, x: Sequences, state: State | None = None) -> tuple[Tensor, State]:
        """The output at each step, of shape (n, time, units), and the state after the last.

        After the end of a sequence outputs have no meaning, and where there are such the state is
        only the first of its tensors, the output at the last real step.
        """
        values = reversed_steps(x) if self.reverse else x.values
        outputs, last = self.run(values, self.start(values) if state is None else state)
        if x.lengths is not None:
            last = (at_step(outputs, x.lengths - 1),)
        if self.reverse:
            outputs = reversed_steps(x._replace(values=outputs))
        return outputs, last

    def run(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Full sequences, their gradient cut where it is to be."""
        run = self.whole if self.fused else self.unrolled
        if self.tbptt_steps is None or not self.training:
            return run(x, state)
        outputs = []
        for part in x.split(self.tbptt_steps, 1):
            made, state = run(part, tuple(s.detach() for s in state))
            outputs.append(made)
        return torch.cat(outputs, 1), state

    def unrolled(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Step after step, as the equations are written."""
        outputs = []
        for inputs in F.linear(x, self.weight_ih, self.bias_ih).unbind(1):
            state = self.step(inputs, state)
            outputs.append(state[0])
        return torch.stack(outputs, 1), state

    @property
    def _tensors(self) -> list[Tensor]:
        return [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh]

    def extra_repr(self) -> str:
        return f"{self.n_inputs}, {self.n_units}" + (", reverse=True" if self.reverse else "")


# What torch's operations on whole sequences take after the tensors: biases, one layer, no dropout,
# and, after whether it trains: one direction, samples first.
ONE_LAYER, SAMPLES_FIRST = (True, 1, 0.0), (False, True)


class _OneState(RecurrentLayer):
    """Abstract: a cell whose state is its output."""

    operation: Any

    def whole(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        start = state[0][None]
        outputs, last = self.operation(
            x, start, self._tensors, *ONE_LAYER, self.training, *SAMPLES_FIRST
        )
        return outputs, (last[0],)


class TanhRNN(_OneState):
    """h = tanh(W x + b + U h + c) (Elman, 1990)."""

    n_gates = 1
    operation: Any = staticmethod(torch.rnn_tanh)
    activation: Any = staticmethod(torch.tanh)

    def step(self, inputs: Tensor, state: State) -> State:
        (h,) = state
        return (self.activation(inputs + F.linear(h, self.weight_hh, self.bias_hh)),)


class ReLURNN(TanhRNN):
    """h = max(0, W x + b + U h + c), with U = 1 at first the IRNN (Le et al., 2015)."""

    operation = staticmethod(torch.rnn_relu)
    activation = staticmethod(torch.relu)


class LSTM(RecurrentLayer):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; Gers et al., 2000).

    With gates i, f, o = sigmoid(W x + b + U h + c) and g = tanh(W x + b + U h + c), the cell is
    c = f c + i g and the output h = o tanh(c).
    """

    n_gates, n_states = 4, 2

    def step(self, inputs: Tensor, state: State) -> State:
        h, c = state
        i, f, g, o = (inputs + F.linear(h, self.weight_hh, self.bias_hh)).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c

    def whole(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        start = [s[None] for s in state]
        outputs, h, c = torch.lstm(
            x, start, self._tensors, *ONE_LAYER, self.training, *SAMPLES_FIRST
        )
        return outputs, (h[0], c[0])


class GRU(_OneState):
    """Gated recurrent unit as in cuDNN, which resets after the matrix product.

    r, z = sigmoid(W x + b + U h + c); n = tanh(W x + b + r (U h + c)); h = (1 - z) n + z h.
    """

    n_gates = 3
    operation = staticmethod(torch.gru)

    def whole(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        by_hand = x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
        if not (by_hand and torch.is_grad_enabled()):
            return super().whole(x, state)
        outputs = GRUSteps.apply(x, *state, *self._tensors)
        return outputs, (outputs[:, -1],)

    def step(self, inputs: Tensor, state: State) -> State:
        (h,) = state
        r, z, n = inputs.chunk(3, 1)
        r_h, z_h, n_h = F.linear(h, self.weight_hh, self.bias_hh).chunk(3, 1)
        r, z = (r + r_h).sigmoid(), (z + z_h).sigmoid()
        n = (n + r * n_h).tanh()
        return (n + z * (h - n),)


class PaperGRU(RecurrentLayer):
    """Gated recurrent unit (Cho et al., 2014, equations 5 to 8), which resets before the product.

    r, z = sigmoid(W x + b + U h + c); n = tanh(W x + b + U (r h) + c); h = (1 - z) n + z h.
    """

    n_gates = 3

    def step(self, inputs: Tensor, state: State) -> State:
        (h,) = state
        n_gated = 2 * self.n_units
        gates = inputs[:, :n_gated] + F.linear(h, self.weight_hh[:n_gated], self.bias_hh[:n_gated])
        r, z = gates.sigmoid().chunk(2, 1)
        n = inputs[:, n_gated:] + F.linear(r * h, self.weight_hh[n_gated:], self.bias_hh[n_gated:])
        n = n.tanh()
        return (n + z * (h - n),)

    whole = RecurrentLayer.unrolled


def at_step(values: Tensor, steps: Tensor) -> Tensor:
    """One step of each sequence, (n, time, units) -> (n, units)."""
    return values[torch.arange(len(values), device=values.device), steps]


def reversed_steps(x: Sequences) -> Tensor:
    """The values with the real steps of each sequence in reverse."""
    if x.lengths is None:
        return x.values.flip(1)
    places = torch.arange(x.shape[1], device=x.values.device)
    index = (x.lengths[:, None] - 1 - places) % x.shape[1]  # what is beyond stays beyond
    return x.values.gather(1, index[..., None].expand_as(x.values))


PLAIN: dict[str, type[RecurrentLayer]] = {"tanh": TanhRNN, "relu": ReLURNN}
GRUS: dict[bool, type[RecurrentLayer]] = {True: GRU, False: PaperGRU}
CELLS = ("rnn", "lstm", "gru")


def cell_class(cell: str, activation: str, reset_after: bool) -> type[RecurrentLayer]:
    """The layer that one of `CELLS` names, of its two plain and its two gated kinds."""
    return {"rnn": PLAIN[activation], "lstm": LSTM, "gru": GRUS[reset_after]}[cell]
