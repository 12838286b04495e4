"""What a language model trains: a network from tokens to scores of the next, and its steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sknets._data import Batch, slices
from sknets._sequences import Sequences
from sknets.rnn.cells import State
from sknets.rnn.network import Recurrent, Tokens, as_dtype
from sknets.rnn.token_loss import TokenStep

STEPS, SCORES = 1024, 2**24  # the most that are held at a time when texts are scored


class Window(NamedTuple):
    """A few steps of several parts of a text: their ids, and whether they are the first."""

    ids: Tensor  # (n, time)
    first: bool

    @property
    def shape(self) -> torch.Size:
        return self.ids.shape


class WindowData:
    """One long text cut into parts that are read side by side, a window at a time.

    The parts are contiguous, so that the state at the end of a window is that before the next. An
    epoch starts at a random place among the first steps, so that windows begin elsewhere in each.

    Parameters
    ----------
    ids : Tensor of shape (n_tokens,)
        With its targets one place on.
    n_parts, window : int
    dtype, device
        Of the network.
    """

    def __init__(
        self, ids: Tensor, n_parts: int, window: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.ids, self.n_parts, self.window = ids.to(device), n_parts, window
        self.dtype, self.device = dtype, device
        self.n_samples = len(ids) - 1
        self.batch_size = n_parts * window

    def epoch(
        self, generator: torch.Generator | None, rows: np.ndarray | None = None
    ) -> Iterator[Batch]:
        spare = min(self.window, self.n_samples // self.n_parts)
        start = 0
        if generator is not None and spare > 1:
            start = int(torch.randint(spare, (1,), generator=generator))
        length = (self.n_samples - start) // self.n_parts
        end = start + length * self.n_parts
        parts = self.ids[start:end].view(self.n_parts, length)
        targets = self.ids[start + 1 : end + 1].view(self.n_parts, length)
        for i in range(0, length, self.window):
            window = slice(i, i + self.window)
            yield Batch(Window(parts[:, window], i == 0), targets[:, window].flatten())


class LanguageNetwork(nn.Module):
    """From ids of tokens to scores of the next, at each step.

    Parameters
    ----------
    reader : Tokens
    recurrent : Recurrent
    tied : bool
        Whether the last layer's weights are the embeddings.
    """

    def __init__(self, reader: Tokens, recurrent: Recurrent, tied: bool = False) -> None:
        super().__init__()
        self.reader, self.recurrent = reader, recurrent
        self.head = nn.Linear(recurrent.n_outputs, reader.vocabulary_size)
        if tied:
            assert reader.embedding is not None
            self.head.weight = reader.embedding.weight

    def forward(self, ids: Tensor, states: Any = None) -> tuple[Tensor, list[State]]:
        """Scores of shape (n, time, vocabulary_size), and the last states."""
        outputs, states = self.hidden(ids, states)
        return self.head(outputs), states

    def hidden(self, ids: Tensor, states: Any = None) -> tuple[Tensor, list[State]]:
        """What the last layer takes, of shape (n, time, units), and the last states."""
        outputs, states = self.recurrent(self.read(Sequences(ids)), states)
        return self.recurrent.dropout(outputs), states

    def read(self, x: Sequences) -> Sequences:
        """Vectors a step, in the precision of the network."""
        return as_dtype(self.reader(x), self.head.weight.dtype)

    def log_probabilities(self, ids: Tensor) -> Tensor:
        """Those of all tokens but the first of each row, (n, time) -> (n, time - 1)."""
        n, time = ids.shape
        width = max(1, min(STEPS, SCORES // (n * self.reader.vocabulary_size)))
        parts, states = [], None
        for steps in slices(time - 1, width):
            scores, states = self(ids[:, steps], states)
            then = ids[:, 1:][:, steps, None]
            parts.append(scores.log_softmax(2).gather(2, then)[..., 0])
        return torch.cat(parts, 1)


class StatefulStep(TokenStep):
    """A training step that goes on from the states of the last, without their history."""

    states: Any = None

    def hidden(self, batch: Batch) -> Tensor:
        ids, first = batch.x
        hidden, states = self.module.hidden(ids, None if first else self.states)
        self.states = [tuple(s.detach() for s in state) for state in states]
        return hidden.flatten(0, 1)


def draw(scores: Tensor, temperature: float, top_k: int | None, draws: torch.Generator) -> Tensor:
    """A token for each row of scores, of the `top_k` likeliest; at temperature 0 the likeliest."""
    if temperature == 0:
        return scores.argmax(1)
    if top_k is not None:
        least = scores.topk(min(top_k, scores.shape[1]), 1).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    p = ((scores - scores.amax(1, keepdim=True)) / temperature).softmax(1)
    return torch.multinomial(p, 1, generator=draws)[:, 0]
