"""Learning-rate schedules: factors of the initial rate as functions of time in epochs.

Time is continuous, that of a step being its end, so that a schedule is followed step by step. The
exceptions are those that go by epoch (``step``) or react to the training itself (``invscaling``,
``adaptive``, ``plateau``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

SMALLEST_RATE = 1e-6  # where the reactive schedules give up, as in scikit-learn

# name -> factor at epoch t of the schedule s
TIMED: dict[str, Callable[[Schedule, float], float]] = {
    "step": lambda s, t: s.decay_rate ** _whole(t / s.decay_every),
    "exponential": lambda s, t: s.decay_rate ** (t / s.decay_every),
    "inverse_time": lambda s, t: 1 / (1 + s.decay_rate * t / s.decay_every),
    "cosine": lambda s, t: _cosine(1, 0, t / s.max_iter),
    "one_cycle": lambda s, t: _one_cycle(t / s.max_iter),
    "cyclic": lambda s, t: _cosine(1, 0, _part(t * s.n_cycles / s.max_iter)),
}
REACTIVE = ("invscaling", "adaptive", "plateau")
WAITING = ("adaptive", "plateau")  # fall where nothing gets better
SGD_ONLY = ("invscaling", "adaptive")  # scikit-learn ignores these two with adam, and so do we
ENDING = ("cosine", "one_cycle", "cyclic")  # reach their end at max_iter by design
NAMES = ("constant", *(name for name in TIMED if name != "cyclic"), *REACTIVE)


@dataclass
class Schedule:
    """The learning rate over one fit.

    ``rate(t)`` is the rate at epoch `t`, a float. The reactive kinds change `scale` when
    `stalled` or `epoch_ended` tell them to.
    """

    name: str = "constant"
    initial: float = 1e-3
    max_iter: int = 200
    decay_rate: float = 0.5
    decay_every: float = 10.0
    power_t: float = 0.5
    warmup: float = 0.0
    n_cycles: int = 1
    scale: float = 1.0

    @property
    def is_constant(self) -> bool:
        """Whether the rate never changes within an epoch."""
        return self.name not in TIMED and not self.warmup

    @property
    def ends_by_design(self) -> bool:
        """Whether reaching `max_iter` is the plan rather than a failure to converge."""
        return self.name in ENDING

    def rate(self, t: float) -> float:
        """The learning rate at epoch `t`."""
        factor = TIMED[self.name](self, min(t, self.max_iter)) if self.name in TIMED else 1.0
        if t < self.warmup:
            factor *= t / self.warmup
        return self.initial * self.scale * factor

    def epoch_ended(self, samples_seen: int) -> None:
        """Inverse scaling: initial / t ** power_t, where t counts samples."""
        if self.name == "invscaling":
            self.scale = 1 / (samples_seen + 1) ** self.power_t

    def stalled(self) -> bool:
        """Lower the rate because nothing improves; False when there is no lower one to try."""
        if self.name not in WAITING or self.initial * self.scale <= SMALLEST_RATE:
            return False
        self.scale *= 1 / 5 if self.name == "adaptive" else self.decay_rate
        return True


def _whole(x: float) -> int:
    """How many whole periods came before: a step at the very end of one still belongs to it."""
    return max(0, math.ceil(x) - 1)


def _part(x: float) -> float:
    """The share of the present period that has passed."""
    return x - _whole(x)


def _cosine(start: float, end: float, share: float) -> float:
    """Half a cosine wave from `start` to `end` (Loshchilov and Hutter, 2017, equation 5)."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def _one_cycle(share: float, rise: float = 0.3, start: float = 0.04, end: float = 4e-6) -> float:
    """Up to the full rate in the first 30 %, then down to nothing (Smith and Topin, 2018)."""
    if share < rise:
        return _cosine(start, 1, share / rise)
    return _cosine(1, end, (share - rise) / (1 - rise))
