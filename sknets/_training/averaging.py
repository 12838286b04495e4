"""Averages of the weights along the path of training, and snapshots of it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from sknets._training.parameters import FlatParameters, FlatSlice

# kind -> weight of the newest iterate at step t = 1, 2, ...
NEWEST: dict[str, Callable[[int, float], float]] = {
    # Differs from Polyak and Juditsky (1992): the polynomial decay of Shamir and Zhang (2013,
    # section 4, eta = 3) forgets the start of the path, which a plain mean never does.
    "polyak": lambda t, decay: 4 / (t + 3),
    # A short path is averaged evenly until the decay takes over, so that the start is forgotten.
    "ema": lambda t, decay: 1 - min(decay, (1 + t) / (10 + t)),
}


class WeightAverage:
    """A running average of the parameters and buffers of a network, or of a part of it.

    Parameters
    ----------
    kind : {"polyak", "ema"}
    decay : float
        How much of the average a step keeps, of "ema".
    flat : FlatParameters
        Of the network. All that is not averaged is as it is.
    part : FlatSlice, optional
        What is averaged; None is all.
    """

    def __init__(
        self, kind: str, decay: float, flat: FlatParameters, part: FlatSlice | None = None
    ) -> None:
        self.newest, self.decay, self.flat = NEWEST[kind], decay, flat
        self.t = 0
        self.mean = flat.snapshot()
        part = part or flat
        start = part.values.storage_offset() - flat.values.storage_offset()
        sizes = [start, len(part.values), len(flat.values) - start - len(part.values)]
        vectors = zip(self.mean[0].split(sizes), flat.values.split(sizes), strict=True)
        own = {id(buffer) for buffer in part.buffers}
        buffers = zip(self.mean[1:], flat.buffers, strict=True)
        self.averaged: list[tuple[Tensor, Tensor]] = []  # a mean, and what it is of
        self.followed: list[tuple[Tensor, Tensor]] = []
        for i, pair in enumerate(vectors):
            (self.averaged if i == 1 else self.followed).append(pair)
        for pair in buffers:
            (self.averaged if id(pair[1]) in own else self.followed).append(pair)

    def update(self) -> None:
        """Take in the present weights."""
        self.t += 1
        share = self.newest(self.t, self.decay)
        for mean, tensor in self.averaged:
            mean.lerp_(tensor, share)
        for mean, tensor in self.followed:
            mean.copy_(tensor)

    def state(self) -> dict[str, int | list[Tensor]]:
        """What a later call needs to go on."""
        return {"t": self.t, "mean": self.mean}

    def load(self, state: dict) -> None:
        """Go on from `state`."""
        self.t = state["t"]
        self.restore(state["mean"])

    def restore(self, mean: list[Tensor]) -> None:
        """Put an earlier mean back, in place."""
        for own, value in zip(self.mean, mean, strict=True):
            own.copy_(value)
