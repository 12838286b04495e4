"""What an estimator of sequences trains: rows to steps, recurrent layers, and what is put out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from sknets._measure import Work
from sknets._sequences import Sequences
from sknets.layers import Dropout, initialise, initialise_weight
from sknets.rnn.cells import LSTM, RecurrentLayer, State
from sknets.rnn.vision import Vision


class Reader(nn.Module, ABC):
    """Abstract: from the steps of sequences to vectors of `n_outputs` numbers."""

    n_outputs: int

    @abstractmethod
    def forward(self, x: Any) -> Sequences:
        """Sequences of vectors, (n, time, n_outputs)."""

    @abstractmethod
    def example(self, time: int) -> Sequences:
        """One sequence, on the meta device."""

    @property
    def work(self) -> Work:
        """What a step costs."""
        return Work(0, self.n_outputs)


class Steps(Reader):
    """Rows of a table, or sequences, as vectors a step: ``(n, time, features)``."""

    def __init__(self, step_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.step_shape = step_shape
        self.n_outputs = prod(step_shape)

    def forward(self, x: Tensor | Sequences) -> Sequences:
        x = as_sequences(x)
        return x._replace(values=x.values.reshape(len(x.values), -1, self.n_outputs))

    def example(self, time: int) -> Sequences:
        return Sequences(torch.empty(1, time, *self.step_shape, device="meta"))

    def extra_repr(self) -> str:
        return f"step_shape={self.step_shape}"


class Tokens(Reader):
    """Ids of tokens as vectors: of an embedding (Bengio et al., 2003), or one-hot."""

    def __init__(self, vocabulary_size: int, embedding_dim: int | None) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.n_outputs = embedding_dim or vocabulary_size
        self.embedding = nn.Embedding(vocabulary_size, embedding_dim) if embedding_dim else None

    def forward(self, x: Sequences) -> Sequences:
        ids = x.values
        if self.embedding is not None:
            return x._replace(values=self.embedding(ids))
        one_hot = torch.zeros(*ids.shape, self.vocabulary_size, device=ids.device)
        return x._replace(values=one_hot.scatter_(-1, ids[..., None], 1))

    def example(self, time: int) -> Sequences:
        return Sequences(torch.empty(1, time, dtype=torch.int64, device="meta"))

    def extra_repr(self) -> str:
        return "" if self.embedding is not None else f"{self.vocabulary_size}, one-hot"


class Frames(Reader):
    """Images a step as vectors, by a convolutional network (Donahue et al., 2015)."""

    def __init__(self, vision: Vision) -> None:
        super().__init__()
        self.vision, self.n_outputs = vision, vision.n_outputs

    def forward(self, x: Tensor | Sequences) -> Sequences:
        x = as_sequences(x)
        x = x._replace(values=x.values.reshape(len(x.values), -1, prod(self.vision.shape)))
        seen = self.vision(x.joined(x.values))  # of real steps alone
        return x._replace(values=x.apart(seen))

    def example(self, time: int) -> Sequences:
        return Sequences(torch.empty(1, time, *self.vision.shape, device="meta"))

    @property
    def work(self) -> Work:
        """What a step costs."""
        return self.vision.work


def as_sequences(x: Tensor | Sequences) -> Sequences:
    """Rows of a table as sequences of one length, with whatever is in a row for its steps."""
    if isinstance(x, Sequences):
        return x
    return Sequences((x if x.layout == torch.strided else x.to_dense()).flatten(1))


class Both(nn.Module):
    """A layer of two cells, one for each direction, side by side."""

    def __init__(self, forth: RecurrentLayer, back: RecurrentLayer) -> None:
        super().__init__()
        self.forth, self.back = forth, back

    def forward(self, x: Sequences, state: None = None) -> tuple[Tensor, Any]:
        assert state is None, "who reads backwards has no state to go on from"
        made = [layer(x) for layer in (self.forth, self.back)]
        outputs = torch.cat([each for each, _ in made], 2)
        return outputs, tuple(
            torch.cat(both, 1) for both in zip(*(s for _, s in made), strict=True)
        )


class Recurrent(nn.Module):
    """Recurrent layers on top of each other, with dropout on the way up (Zaremba et al., 2014).

    Parameters
    ----------
    layer : callable
        ``layer(n_inputs, n_units, reverse=False)`` makes a cell's layer for one direction.
    n_inputs : int
    hidden_layer_sizes : sequence of int
        Units of each layer, of each direction.
    bidirectional : bool
    input_dropout, dropout : float
        Share of the inputs, and of what each layer hands on, that is silenced in training. What the
        last layer hands on is for the network around to silence.
    """

    def __init__(
        self,
        layer: Callable[..., RecurrentLayer],
        n_inputs: int,
        hidden_layer_sizes: Sequence[int],
        *,
        bidirectional: bool = False,
        input_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.input_dropout = Dropout(input_dropout)
        self.dropout = Dropout(dropout)
        layers: list[nn.Module] = []
        for n_units in hidden_layer_sizes:
            forth = layer(n_inputs, n_units)
            back = [layer(n_inputs, n_units, reverse=True)] if bidirectional else []
            layers.append(Both(forth, *back) if back else forth)
            n_inputs = n_units * (1 + bidirectional)
        self.layers = nn.ModuleList(layers)
        self.n_outputs = n_inputs

    @property
    def weights(self) -> list[Tensor]:
        """All that inputs and states are multiplied with."""
        return [p for p in self.parameters() if p.ndim == 2]

    def forward(
        self, x: Sequences, states: Sequence[State | None] | None = None
    ) -> tuple[Tensor, list[State]]:
        """The outputs of the last layer at each step, and the last state of each layer."""
        if states is None:
            states = [None] * len(self.layers)
        values, last = self.input_dropout(x.values), []
        for i, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            if i:
                values = self.dropout(values)
            values, state = layer(x._replace(values=values), state)
            last.append(state)
        return values, last


class Pooling(nn.Module, ABC):
    """Abstract: from the outputs of all steps to one vector a sequence."""

    @abstractmethod
    def forward(self, x: Sequences, last: State) -> Tensor:
        """One vector a sequence, from the outputs of each step and the last state."""


class Last(Pooling):
    """The output at the last step, in each direction."""

    def forward(self, x: Sequences, last: State) -> Tensor:
        return last[0]


class Mean(Pooling):
    """The mean over steps."""

    def forward(self, x: Sequences, last: State) -> Tensor:
        if x.mask is None or x.lengths is None:
            return x.values.mean(1)
        return (x.values * x.mask[..., None]).sum(1) / x.lengths[:, None]


class Max(Pooling):
    """The maximum over steps."""

    def forward(self, x: Sequences, last: State) -> Tensor:
        mask = x.mask
        values = x.values if mask is None else x.values.masked_fill(~mask[..., None], -torch.inf)
        return values.amax(1)


class AttentionPooling(Pooling):
    """A mean weighted by softmax(v tanh(W h + b)) (Yang et al., 2016, section 2.2)."""

    def __init__(self, n_inputs: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(n_inputs, n_inputs)
        self.score = nn.Linear(n_inputs, 1, bias=False)

    def forward(self, x: Sequences, last: State) -> Tensor:
        return (self.weights(x)[..., None] * x.values).sum(1)

    def weights(self, x: Sequences) -> Tensor:
        """How much each step counts, of shape (n, time)."""
        scores = self.score(self.hidden(x.values).tanh())[..., 0]
        mask = x.mask
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return scores.softmax(1)


POOLINGS: dict[str, Callable[[int], Pooling]] = {
    "last": lambda n: Last(),
    "mean": lambda n: Mean(),
    "max": lambda n: Max(),
    "attention": AttentionPooling,
}


class SequenceNetwork(nn.Module):
    """A reader of steps, recurrent layers, and a linear layer on one vector a sequence.

    Parameters
    ----------
    reader : Reader
    recurrent : Recurrent
    pooling : Pooling
    n_outputs : int
    """

    def __init__(
        self, reader: Reader, recurrent: Recurrent, pooling: Pooling, n_outputs: int
    ) -> None:
        super().__init__()
        self.reader, self.recurrent, self.pooling = reader, recurrent, pooling
        self.head = nn.Linear(recurrent.n_outputs, n_outputs)

    def forward(self, x: Tensor | Sequences) -> Tensor:
        return self.head(self.features(x))

    def features(self, x: Tensor | Sequences) -> Tensor:
        """What the last layer takes, (n, units)."""
        steps = self.read(x)
        outputs, last = self.recurrent(steps)
        return self.pooled(steps._replace(values=outputs), last[-1])

    def pooled(self, outputs: Sequences, last: State) -> Tensor:
        """One vector a sequence, from what the last recurrent layer puts out."""
        return self.recurrent.dropout(self.pooling(outputs, last))

    def states(self, x: Tensor | Sequences) -> Sequences:
        """The outputs of the last recurrent layer at each step."""
        steps = self.read(x)
        return steps._replace(values=self.recurrent(steps)[0])

    def read(self, x: Tensor | Sequences) -> Sequences:
        """Vectors a step, in the precision of the network."""
        return as_dtype(self.reader(x), self.head.weight.dtype)


class StepNetwork(SequenceNetwork):
    """The same with an output for each step: of all real steps, one sequence after another."""

    def forward(self, x: Tensor | Sequences) -> Tensor:
        states = self.states(x)
        return self.head(self.recurrent.dropout(states.joined(states.values)))


def as_dtype(x: Sequences, dtype: torch.dtype) -> Sequences:
    return x._replace(values=x.values.to(dtype))


@torch.no_grad()
def initialise_recurrent(
    module: nn.Module,
    weight_init: str,
    recurrent_init: str,
    forget_bias: float,
    init_std: float,
    generator: torch.Generator,
) -> None:
    """Fill every parameter of a network with recurrent layers from one generator.

    Parameters
    ----------
    module : nn.Module
        On the CPU, its contents undefined.
    weight_init, recurrent_init : str
        Of what layers take from below and from the step before; of `INITIALIZERS` but "auto", the
        latter also "identity" (Le et al., 2015).
    forget_bias : float
        Of the forget gates of LSTMs (Gers et al., 2000; Jozefowicz et al., 2015).
    init_std : float
        Standard deviation of "normal".
    generator : torch.Generator
    """
    initialise(module, weight_init, "auto", init_std, generator)
    for layer in module.modules():
        if isinstance(layer, nn.Embedding):
            layer.weight.normal_(0, layer.embedding_dim**-0.5, generator=generator)
        elif isinstance(layer, RecurrentLayer):
            for gate in layer.weight_ih.chunk(layer.n_gates):
                initialise_weight(gate, weight_init, init_std, generator)
            for gate in layer.weight_hh.chunk(layer.n_gates):
                if recurrent_init == "identity":
                    gate.copy_(torch.eye(layer.n_units))
                else:
                    initialise_weight(gate, recurrent_init, init_std, generator)
            for bias in (layer.bias_ih, layer.bias_hh):
                bias.zero_()
            if isinstance(layer, LSTM):
                layer.bias_ih[layer.n_units : 2 * layer.n_units] = forget_bias
