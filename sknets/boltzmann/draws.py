"""Random numbers for Boltzmann machines: fast ones, or those that scikit-learn draws."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sknets._random import Stream, derived_seed, generator
from sknets._state import to_arrays, to_tensors


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
        return {"torch": to_arrays(self.generator.get_state())}

    def load(self, state: dict[str, Any]) -> None:
        if "torch" in state:
            self.generator.set_state(to_tensors(state["torch"]))

    def uniform(self, like: Tensor) -> Tensor:
        return torch.empty_like(like).uniform_(generator=self.generator)

    def normal(self, like: Tensor) -> Tensor:
        return torch.empty_like(like).normal_(generator=self.generator)


class RawDraws(Draws):
    """From the bits of numpy's SFC64, on the processor: several times as fast as torch's."""

    def __init__(self, seed: int) -> None:
        self.bits = np.random.SFC64(seed)

    def state(self) -> dict[str, Any]:
        return {"raw": self.bits.state}

    def load(self, state: dict[str, Any]) -> None:
        if "raw" in state:
            self.bits.state = state["raw"]

    def uniform(self, like: Tensor) -> Tensor:
        n = like.numel()
        if like.dtype == torch.float64:  # 53 bits each
            wide = torch.from_numpy(self.bits.random_raw(n) >> np.uint64(11))
            return wide.to(torch.float64).mul_(2.0**-53).view(like.shape)
        halves = torch.from_numpy(self.bits.random_raw((n + 1) // 2).view(np.int32)[:n])
        return halves.bitwise_and_(2**24 - 1).float().mul_(2.0**-24).view(like.shape)

    def normal(self, like: Tensor) -> Tensor:
        values = np.random.Generator(self.bits).standard_normal(like.shape)
        return torch.from_numpy(values).to(like.dtype)


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


def draws_for(device: torch.device, seed: int) -> Draws:
    """The fastest draws on a device."""
    if device.type == "cpu":
        return RawDraws(derived_seed(seed, Stream.SAMPLE))
    return TorchDraws(generator(seed, Stream.SAMPLE, device=device))
