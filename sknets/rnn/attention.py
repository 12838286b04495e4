"""Attention: what a decoder reads of the steps of its source.

Bahdanau, Cho and Bengio (2015), https://doi.org/10.48550/arXiv.1409.0473; Luong, Pham and Manning
(2015), https://doi.org/10.18653/v1/D15-1166.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Memory(NamedTuple):
    """What was made of the source: a vector a step, and which steps are real."""

    values: Tensor  # (n, source time, units)
    mask: Tensor | None  # (n, source time); None if all are


class Attended(NamedTuple):
    """The weighted mean of the memory for each query, and the weights."""

    context: Tensor  # (n, time, units of the memory)
    weights: Tensor  # (n, time, source time)


class Attention(nn.Module, ABC):
    """Abstract: a mean of the memory, weighted by the softmax of scores."""

    @abstractmethod
    def scores(self, queries: Tensor, memory: Tensor) -> Tensor:
        """How well each step of the memory fits each query, (n, time, source time)."""

    def forward(self, queries: Tensor, memory: Memory) -> Attended:
        """Queries of shape (n, time, units)."""
        scores = self.scores(queries, memory.values)
        if memory.mask is not None:
            scores = scores.masked_fill(~memory.mask[:, None], -torch.inf)
        weights = scores.softmax(2)
        return Attended(weights @ memory.values, weights)


class DotAttention(Attention):
    """score(q, m) = q W m, "general" in Luong et al. (2015, section 3.1)."""

    def __init__(self, n_query: int, n_memory: int) -> None:
        super().__init__()
        self.weight = nn.Linear(n_memory, n_query, bias=False)

    def scores(self, queries: Tensor, memory: Tensor) -> Tensor:
        return queries @ self.weight(memory).mT


class AdditiveAttention(Attention):
    """score(q, m) = v tanh(W q + U m) (Bahdanau et al., 2015, appendix A.1.2)."""

    def __init__(self, n_query: int, n_memory: int) -> None:
        super().__init__()
        self.query = nn.Linear(n_query, n_query, bias=False)
        self.memory = nn.Linear(n_memory, n_query)
        self.score = nn.Linear(n_query, 1, bias=False)

    def scores(self, queries: Tensor, memory: Tensor) -> Tensor:
        both = self.query(queries)[:, :, None] + self.memory(memory)[:, None]
        return self.score(both.tanh())[..., 0]
