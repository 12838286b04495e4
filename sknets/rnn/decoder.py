"""A recurrent network that writes: from a vector, or from a memory that it attends to, to tokens.

Sutskever, Vinyals and Le (2014), https://doi.org/10.48550/arXiv.1409.3215.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sknets._sequences import Sequences
from sknets.layers import RandomLayer
from sknets.rnn.attention import AdditiveAttention, Attention, DotAttention, Memory
from sknets.rnn.cells import State
from sknets.rnn.network import Recurrent, Tokens

ATTENTIONS: dict[str | None, Any] = {"dot": DotAttention, "additive": AdditiveAttention}
States = list[State]


class Source(NamedTuple):
    """What a decoder writes from.

    Parameters
    ----------
    vector : Tensor of shape (n, units)
        Of which the first states are made.
    memory : Memory, optional
        What it attends to.
    beside : Tensor of shape (n, units), optional
        What it sees at each step beside the last token.
    """

    vector: Tensor
    memory: Memory | None = None
    beside: Tensor | None = None

    def repeated(self, k: int) -> Source:
        """Each sample k times."""
        memory = self.memory and Memory(
            self.memory.values.repeat_interleave(k, 0),
            None if self.memory.mask is None else self.memory.mask.repeat_interleave(k, 0),
        )
        beside = None if self.beside is None else self.beside.repeat_interleave(k, 0)
        return Source(self.vector.repeat_interleave(k, 0), memory, beside)


class Bridge(nn.Linear):
    """The first states of recurrent layers, from a vector: tanh(W v + b)."""

    def __init__(self, n_vector: int, recurrent: Recurrent) -> None:
        layers: Any = recurrent.layers
        self.sizes = [layer.n_units for layer in layers for _ in range(layer.n_states)]
        self.n_states = [layer.n_states for layer in layers]
        super().__init__(n_vector, sum(self.sizes))

    def states(self, vector: Tensor) -> States:
        """The states before the first step."""
        parts = iter(self(vector).tanh().split(self.sizes, 1))
        return [tuple(next(parts) for _ in range(n)) for n in self.n_states]


class Written(NamedTuple):
    """What the last layer takes at each step, the last states, and what was attended to."""

    hidden: Tensor  # (n, time, units)
    states: States
    weights: Tensor | None  # (n, time, source time)


class Sampled(RandomLayer):
    """Scheduled sampling: how often a decoder in training reads its own tokens.

    By a share of teacher forcing that goes evenly from `first` to `last` (Bengio et al., 2015,
    section 2.4).
    """

    def __init__(self, first: float, last: float) -> None:
        super().__init__()
        self.first, self.last = first, last

    @property
    def always_taught(self) -> bool:
        """Whether no token is ever the decoder's own."""
        return self.first == self.last == 1

    @property
    def share(self) -> float:
        """Of the tokens that are the teacher's."""
        return self.first + (self.last - self.first) * self.progress

    def forward(self, taught: Tensor, scores: Tensor) -> Tensor:
        """The next tokens to read, from the teacher's and the scores of those before."""
        own = scores.detach().argmax(1)
        draws = torch.rand(len(taught), generator=self.generator, device=taught.device)
        return torch.where(draws < self.share, taught, own)


class Decoder(nn.Module):
    """Recurrent layers from tokens to what their `head` makes scores of the next from.

    Parameters
    ----------
    tokens : Tokens
    recurrent : Recurrent
        Its inputs are those of `inputs_of`.
    n_vector : int
        Units of the source's vector.
    attention : Attention, optional
        With additive attention each step reads what the state before it asks for, with the other
        its output asks.
    n_memory : int
        Units of the source's memory.
    teacher_forcing : tuple of float
        Its share at the start and at the end of the training.
    """

    def __init__(
        self,
        tokens: Tokens,
        recurrent: Recurrent,
        n_vector: int,
        attention: Attention | None = None,
        n_memory: int = 0,
        teacher_forcing: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        super().__init__()
        self.tokens, self.recurrent, self.attention = tokens, recurrent, attention
        self.bridge = Bridge(n_vector, recurrent)
        n_outputs = recurrent.n_outputs
        self.join = nn.Linear(n_memory + n_outputs, n_outputs) if attention is not None else None
        self.head = nn.Linear(n_outputs, tokens.vocabulary_size)
        self.sampled = Sampled(*teacher_forcing)

    @staticmethod
    def inputs_of(tokens: Tokens, attention: Any, n_memory: int, n_beside: int = 0) -> int:
        """How many numbers the recurrent layers take at each step."""
        read_first = attention is AdditiveAttention
        return tokens.n_outputs + n_beside + (n_memory if read_first else 0)

    def start(self, source: Source) -> States:
        """The states before the first token."""
        return self.bridge.states(source.vector)

    def forward(self, ids: Tensor, source: Source, states: States | None = None) -> Written:
        """Read tokens of shape (n, time), from the start or from states."""
        states = self.start(source) if states is None else states
        if not self.training or self.sampled.always_taught:
            return self._read(ids, source, states)
        parts, now = [], ids[:, :1]
        for t in range(ids.shape[1]):
            parts.append(self._read(now, source, states))
            states = parts[-1].states
            if t + 1 < ids.shape[1]:
                scores = self.head(parts[-1].hidden[:, 0])
                now = self.sampled(ids[:, t + 1], scores)[:, None]
        return _in_turn(parts)

    def _read(self, ids: Tensor, source: Source, states: States) -> Written:
        """Read given tokens: at once, or where each asks before it is read one by one."""
        if not isinstance(self.attention, AdditiveAttention):
            outputs, states = self.recurrent(Sequences(self._inputs(ids, source)), states)
            if self.attention is None:
                return Written(self._joined(outputs), states, None)
            context, weights = self.attention(outputs, _memory(source))
            return Written(self._joined(outputs, context), states, weights)
        parts = []
        for now in ids.split(1, 1):
            context, weights = self.attention(states[-1][0][:, None], _memory(source))
            inputs = torch.cat([self._inputs(now, source), context], 2)
            outputs, states = self.recurrent(Sequences(inputs), states)
            parts.append(Written(self._joined(outputs, context), states, weights))
        return _in_turn(parts)

    def _inputs(self, ids: Tensor, source: Source) -> Tensor:
        """Tokens as vectors, with what is seen beside each."""
        values = self.tokens(Sequences(ids)).values.to(self.head.weight.dtype)
        if source.beside is None:
            return values
        beside = source.beside[:, None].expand(-1, ids.shape[1], -1)
        return torch.cat([values, beside], 2)

    def _joined(self, outputs: Tensor, context: Tensor | None = None) -> Tensor:
        """What the last layer takes; a context joins in as in Luong et al., equation 5."""
        if context is not None:
            assert self.join is not None
            outputs = self.join(torch.cat([context, outputs], 2)).tanh()
        return self.recurrent.dropout(outputs)


def _memory(source: Source) -> Memory:
    assert source.memory is not None, "attention needs a memory"
    return source.memory


def _in_turn(parts: list[Written]) -> Written:
    """What was written one after another."""
    weights = [part.weights for part in parts if part.weights is not None]
    return Written(
        torch.cat([part.hidden for part in parts], 1),
        parts[-1].states,
        torch.cat(weights, 1) if weights else None,
    )


class Hypotheses(NamedTuple):
    """The best sequence that a search found for each source, and what is known of it."""

    ids: Tensor  # (n, time), without the start; after the end it goes on with ends
    log_p: Tensor  # (n,)


def beam_search(
    decoder: Decoder,
    source: Source,
    *,
    start: int,
    end: int,
    never: list[int],
    max_length: int,
    beam_size: int = 1,
    length_penalty: float = 1.0,
) -> Hypotheses:
    """Search the likeliest sequence of tokens, with `beam_size` of them in hand; 1 is greedy.

    Finished sequences are compared by log p / length ** length_penalty (Wu et al., 2016, equation
    14, with a penalty of its simplest form).

    Parameters
    ----------
    decoder : Decoder
    source : Source
        Of n samples.
    start, end : int
        Tokens.
    never : list of int
        Tokens that are not written.
    max_length, beam_size : int
    length_penalty : float
        0 favours short sequences, 1 compares the mean of log p.
    """
    n, k = len(source.vector), beam_size
    source = source.repeated(k)
    states: States = decoder.start(source)
    device = source.vector.device
    ids = torch.full((n * k, 1), start, device=device)
    log_p = torch.full((n, k), -torch.inf, dtype=torch.float64, device=device)
    log_p[:, 0] = 0  # the others are the same at first
    over = torch.zeros(n, k, dtype=torch.bool, device=device)
    first = torch.arange(n, device=device)[:, None] * k
    for _ in range(max_length):
        made = decoder(ids[:, -1:], source, states)
        following = decoder.head(made.hidden[:, 0]).double()
        following[:, never] = -torch.inf
        following = following.log_softmax(1).view(n, k, -1)
        n_tokens = following.shape[2]
        stays = torch.full_like(following[0, 0], -torch.inf)
        stays[end] = 0
        following = torch.where(over[..., None], stays, following)
        log_p, best = (log_p[..., None] + following).flatten(1).topk(k)
        which, token = best // n_tokens, best % n_tokens
        rows = (first + which).flatten()
        states = [tuple(part[rows] for part in state) for state in made.states]
        ids = torch.cat([ids[rows], token.view(-1, 1)], 1)
        over = over.gather(1, which) | (token == end)
        if over.all():
            break
    written = ids[:, 1:].view(n, k, -1)
    lengths = (written != end).sum(2) + over
    best = (log_p / lengths**length_penalty).argmax(1)
    chosen = torch.arange(n, device=device), best
    return Hypotheses(written[chosen], log_p[chosen])
