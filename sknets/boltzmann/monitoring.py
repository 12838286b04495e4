"""What is told of a machine while it learns."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from skorch.callbacks import Callback

from sknets._training.trainer import Trainer

WATCHED = 1000  # rows on which each epoch is judged


class Monitor(Callback):
    """What is known of some rows after each epoch: free energy and error of reconstruction.

    Where the first is lower of the training set than of what is held out, and the gap widens, the
    machine overfits (Hinton, 2010, section 6).
    """

    predicts = False

    def __init__(self, estimator: Any, watched: dict[str, Any]) -> None:
        self.estimator = estimator
        self.watched = {
            name: X[np.linspace(0, X.shape[0] - 1, min(WATCHED, X.shape[0]), dtype=int)]
            for name, X in watched.items()
        }

    def on_epoch_end(self, net: Trainer, **_: Any) -> None:
        """Measure and record."""
        for name, X in self.watched.items():
            for key, value in self.estimator._measured(X).items():
                net.history.record(name + key, value)


class PseudoLikelihood(Callback):
    """A line an epoch, in scikit-learn's words."""

    def __init__(self, estimator: Any, X: Any) -> None:
        self.estimator, self.X = estimator, X
        self.begin = time.perf_counter()

    def on_epoch_end(self, net: Trainer, **_: Any) -> None:
        """Print the mean pseudo-likelihood of the training set, and the time."""
        found = self.estimator.score_samples(self.X).mean()
        end = time.perf_counter()
        print(
            f"[{type(self.estimator).__name__}] Iteration {net.epochs_of_call}, "
            f"pseudo-likelihood = {found:.2f}, time = {end - self.begin:.2f}s"
        )
        self.begin = time.perf_counter()
