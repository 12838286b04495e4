"""Random numbers for Boltzmann machines: from numpy as scikit-learn draws them, or from torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor


class Draws(ABC):
    """Abstract: a source of random values in the shape, dtype and place of given tensors."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Where the source is, as plain values and arrays."""

    @abstractmethod
    def load(self, state: dict[str, Any]) -> None:
        """Go to a place of this kind of source."""

    @abstractmethod
    def uniform(self, like: Tensor) -> Tensor:
        """From 0 to 1, without 1."""

    @abstractmethod
    def normal(self, like: Tensor) -> Tensor:
        """Of mean 0 and variance 1."""

    def bernoulli(self, p: Tensor) -> Tensor:
        """1 with probability p, else 0."""
        return torch.lt(self.uniform(p), p, out=torch.empty_like(p))

    def categorical(self, p: Tensor) -> Tensor:
        """The column that is drawn in each row by its probabilities, of shape (n,)."""
        bounds = p.cumsum(1)
        u = self.uniform(p[:, :1]) * bounds[:, -1:]
        return (bounds <= u).sum(1).clamp_max_(p.shape[1] - 1)


class TorchDraws(Draws):
    """From a generator of torch."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def state(self) -> dict[str, Any]:
        return {"torch": self.generator.get_state().numpy()}

    def load(self, state: dict[str, Any]) -> None:
        if "torch" in state:
            self.generator.set_state(torch.from_numpy(state["torch"].copy()))

    def uniform(self, like: Tensor) -> Tensor:
        return torch.empty_like(like).uniform_(generator=self.generator)

    def normal(self, like: Tensor) -> Tensor:
        return torch.empty_like(like).normal_(generator=self.generator)


class NumpyDraws(Draws):
    """From a RandomState, in double precision: scikit-learn's draws, one after the other."""

    def __init__(self, random: np.random.RandomState) -> None:
        self.random = random

    def state(self) -> dict[str, Any]:
        return {"numpy": self.random.get_state(legacy=False)}

    def load(self, state: dict[str, Any]) -> None:
        if "numpy" in state:
            self.random.set_state(state["numpy"])

    def uniform(self, like: Tensor) -> Tensor:
        return self._placed(self.random.random_sample(like.shape), like)

    def normal(self, like: Tensor) -> Tensor:
        return self._placed(self.random.standard_normal(like.shape), like)

    def bernoulli(self, p: Tensor) -> Tensor:
        u = torch.from_numpy(self.random.random_sample(p.shape)).to(p.device)
        return torch.lt(u, p, out=torch.empty_like(p))  # in double precision, as scikit-learn

    def _placed(self, values: np.ndarray, like: Tensor) -> Tensor:
        return torch.from_numpy(values).to(like)
