"""Sequences of unequal length: side by side as arrays, filled up as tensors, batched by length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sknets._data import Batch, as_tensor

POOL = 64  # minibatches whose samples are sorted by length together


class Sequences(NamedTuple):
    """A batch of sequences, each filled up with zeros at its end to the length of the longest.

    Parameters
    ----------
    values : Tensor of shape (n, time, ...)
    lengths : Tensor of shape (n,), optional
        How many steps of each are real; None if all are.
    """

    values: Tensor
    lengths: Tensor | None = None

    @property
    def shape(self) -> torch.Size:
        return self.values.shape

    @property
    def mask(self) -> Tensor | None:
        """Which steps are real, of shape (n, time); None if all are."""
        if self.lengths is None:
            return None
        return torch.arange(self.shape[1], device=self.lengths.device) < self.lengths[:, None]

    def joined(self, values: Tensor) -> Tensor:
        """The real steps of values of shape (n, time, ...), one sequence after another."""
        mask = self.mask
        return values.flatten(0, 1) if mask is None else values[mask]

    def apart(self, values: Tensor) -> Tensor:
        """The way back: values of real steps as (n, time, ...), with zeros beyond the ends."""
        mask = self.mask
        if mask is None:
            return values.unflatten(0, self.shape[:2])
        made = values.new_zeros(*self.shape[:2], *values.shape[1:])
        made[mask] = values
        return made


class SequenceRows:
    """Sequences one after another in one array, indexed by sequence as an array is by row.

    Parameters
    ----------
    steps : ndarray of shape (n_steps, ...)
        Of all sequences.
    lengths : ndarray of shape (n_sequences,)
    """

    def __init__(self, steps: np.ndarray, lengths: np.ndarray) -> None:
        self.steps, self.lengths = steps, lengths
        self.shape = (len(lengths),)
        # Ids of tokens are whole numbers, what a network makes of them is not.
        self.dtype = steps.dtype if steps.dtype.kind == "f" else np.dtype(np.float32)
        self.nbytes = steps.nbytes

    @property
    def starts(self) -> np.ndarray:
        return np.cumsum(self.lengths) - self.lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rows: Any) -> SequenceRows:
        lengths = self.lengths[rows]
        return SequenceRows(self.steps[steps_of(self.starts[rows], lengths)], lengths)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(np.split(self.steps, self.starts[1:]))

    def tensor(self, dtype: torch.dtype, device: Any) -> SequenceTensor:
        """The same on a device; whole numbers stay whole."""
        whole = self.steps.dtype.kind in "iu"
        steps = as_tensor(self.steps, torch.int64 if whole else dtype, device)
        return SequenceTensor(steps, torch.from_numpy(self.starts), torch.from_numpy(self.lengths))


class SequenceTensor(NamedTuple):
    """Sequences one after another on a device: where each starts and ends is known on the CPU."""

    steps: Tensor  # (n_steps, ...)
    starts: Tensor  # (n,)
    lengths: Tensor  # (n,)

    def filled(self, rows: Tensor) -> Sequences:
        """Some sequences, filled up with zeros to the length of the longest."""
        starts, lengths = self.starts[rows], self.lengths[rows]
        longest = int(lengths.max())
        places = torch.arange(longest)
        index = starts[:, None] + places
        if bool((lengths == longest).all()):
            return Sequences(self.steps[index.to(self.steps.device)])
        beyond = places >= lengths[:, None]
        index, beyond = (t.to(self.steps.device) for t in (index.masked_fill_(beyond, 0), beyond))
        values = self.steps[index]
        values.masked_fill_(beyond.view(*beyond.shape, *(1,) * (values.ndim - 2)), 0)
        return Sequences(values, lengths.to(values.device))

    def joined(self, rows: Tensor) -> Tensor:
        """The steps of some sequences, one after another."""
        index = steps_of(self.starts[rows].numpy(), self.lengths[rows].numpy())
        return self.steps[torch.from_numpy(index).to(self.steps.device)]


class SequenceData:
    """Minibatches of sequences of similar length, so that little is filled up.

    An epoch permutes the samples, sorts a pool of them by length, cuts it into batches, and visits
    these in random order. Without permutation the samples stay in order.

    Parameters
    ----------
    x : SequenceTensor
    y, weight : Tensor of shape (n_samples, ...) or SequenceTensor, optional
        Of the latter a batch gets the steps, one sequence after another.
    batch_size : int
    dtype, device
        Of the batches.
    """

    def __init__(
        self,
        x: SequenceTensor,
        y: Tensor | SequenceTensor | None = None,
        weight: Tensor | SequenceTensor | None = None,
        *,
        batch_size: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.x, self.y, self.weight = x, y, weight
        self.n_samples = len(x.lengths)
        self.batch_size, self.dtype, self.device = batch_size, dtype, device

    def epoch(
        self, generator: torch.Generator | None, rows: np.ndarray | None = None
    ) -> Iterator[Batch]:
        return map(self._batch, by_length(self.x.lengths, self.batch_size, generator, rows))

    def _batch(self, rows: Tensor) -> Batch:
        there = rows.to(self.device)

        def taken(values: Any) -> Any:
            if isinstance(values, SequenceTensor):
                return values.joined(rows)
            return None if values is None else values[there]

        return Batch(self.x.filled(rows), taken(self.y), taken(self.weight))


def by_length(
    lengths: Tensor,
    batch_size: int,
    generator: torch.Generator | None,
    rows: np.ndarray | None = None,
) -> list[Tensor]:
    """Which samples come together, in random order, or one after another without a generator."""
    order = torch.arange(len(lengths)) if rows is None else torch.from_numpy(rows)
    if generator is None:
        return list(order.split(batch_size))
    order = order[torch.randperm(len(order), generator=generator)]
    pools = (pool[lengths[pool].argsort(stable=True)] for pool in order.split(POOL * batch_size))
    batches = [batch for pool in pools for batch in pool.split(batch_size)]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def flat(values: Any) -> Any:
    """The steps of sequences, one sequence after another; everything else as it is."""
    return values.steps if isinstance(values, SequenceRows) else values


def steps_of(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The indices of all steps of sequences that start at some places."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)
