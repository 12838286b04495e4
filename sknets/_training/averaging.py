"""Averages of the weights along the path of training, and snapshots of it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from sknets._training.parameters import FlatParameters

# kind -> weight of the newest iterate at step t = 1, 2, ...
NEWEST: dict[str, Callable[[int, float], float]] = {
    # Differs from Polyak and Juditsky (1992): the polynomial decay of Shamir and Zhang (2013,
    # section 4, eta = 3) forgets the start of the path, which a plain mean never does.
    "polyak": lambda t, decay: 4 / (t + 3),
    # A short path is averaged evenly until the decay takes over, so that the start is forgotten.
    "ema": lambda t, decay: 1 - min(decay, (1 + t) / (10 + t)),
}


class WeightAverage:
    """A running average of the parameters and buffers of a network."""

    def __init__(self, kind: str, decay: float, flat: FlatParameters) -> None:
        self.newest, self.decay, self.flat = NEWEST[kind], decay, flat
        self.t = 0
        self.mean = flat.snapshot()

    def update(self) -> None:
        """Take in the present weights."""
        self.t += 1
        share = self.newest(self.t, self.decay)
        for mean, tensor in zip(self.mean, (self.flat.values, *self.flat.buffers), strict=True):
            mean.lerp_(tensor, share)

    def state(self) -> dict[str, int | list[Tensor]]:
        """What a later call needs to go on."""
        return {"t": self.t, "mean": self.mean}

    def load(self, state: dict) -> None:
        """Go on from `state`."""
        self.t = state["t"]
        pairs = zip(self.mean, state["mean"], strict=True)
        self.mean = [own.copy_(mean) for own, mean in pairs]
