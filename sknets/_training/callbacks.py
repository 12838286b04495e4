"""What happens at the end of an epoch, as skorch callbacks: scores, stopping, news, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from skorch.callbacks import Callback

from sknets._training.trainer import Trainer


class Validation(Callback):
    """Record what ``measure()`` says of the held-out samples, with averaged weights if there are.

    ``measure()`` returns a dict of floats, among them ``valid_score``.
    """

    def __init__(self, measure: Callable[[], dict[str, float]]) -> None:
        self.measure = measure

    def on_epoch_end(self, net: Trainer, **_: Any) -> None:
        """Measure and record."""
        with net.averaged():
            measured = self.measure()
        for key, value in measured.items():
            net.history.record(key, value)
        best = min(net.history[:, "valid_loss"])
        net.history.record("valid_loss_best", measured["valid_loss"] <= best)


class NoImprovement(Callback):
    """Stop, or lower the learning rate, after more than `patience` epochs without improvement.

    The rule is scikit-learn's: an epoch improves when it beats the best so far by `tol`.

    Parameters
    ----------
    key : {"train_loss", "valid_score"}
        What is watched; a loss should fall, a score rise.
    tol : float
    patience : int or inf
    best : float
        The best value of earlier calls.
    count : int
        How many epochs ago it was last improved, likewise.
    keep_best : bool
        Whether to end with the weights of the best epoch.
    """

    predicts = False  # the network may stay in training mode

    def __init__(
        self, key: str, tol: float, patience: float, best: float, count: int, keep_best: bool
    ) -> None:
        self.key, self.tol, self.patience = key, tol, patience
        self.best, self.count, self.keep_best = best, count, keep_best
        self.sign = 1.0 if key == "valid_score" else -1.0
        self.best_weights: list | None = None

    @classmethod
    def never(cls) -> NoImprovement:
        """A rule that stops nothing."""
        return cls("train_loss", 0.0, math.inf, math.inf, 0, keep_best=False)

    def on_train_begin(self, net: Trainer, **_: Any) -> None:
        """Until an epoch is better, the weights at the start are the best."""
        if self.keep_best and self.best_weights is None:
            self.best_weights = net.flat.snapshot()

    def on_epoch_end(self, net: Trainer, **_: Any) -> None:
        """Compare with the best so far."""
        if not net.sees_all:  # what is to come is harder, so that the loss rises
            if self.keep_best:
                with net.averaged():
                    self.best_weights = net.flat.snapshot()
            return
        now = net.history[-1][self.key]
        value, best = self.sign * now, self.sign * self.best
        self.count = self.count + 1 if value < best + self.tol else 0
        if value > best:
            self.best = now
            if self.keep_best:
                with net.averaged():
                    self.best_weights = net.flat.snapshot()
        if self.count > self.patience:
            watched = "Validation score" if self.keep_best else "Training loss"
            net.stalled(
                f"{watched} did not improve more than tol={self.tol:f} "
                f"for {self.patience} consecutive epochs."
            )
            if net.stop_message is None:
                self.count = 0

    def state(self) -> dict[str, Any]:
        """What going on needs."""
        return {"best": self.best, "count": self.count, "best_weights": self.best_weights}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.best, self.count = state["best"], state["count"]
        self.best_weights = state["best_weights"]


class RestoreBest(Callback):
    """End with the best weights, once everything that goes on from the last ones is written."""

    predicts = False  # the network may stay in training mode

    def __init__(self, stopping: NoImprovement) -> None:
        self.stopping = stopping

    def on_train_end(self, net: Trainer, **_: Any) -> None:
        """Put them into the network."""
        if self.stopping.best_weights is not None:
            net.flat.restore(self.stopping.best_weights)


class Printer(Callback):
    """A line an epoch, in scikit-learn's words.

    Parameters
    ----------
    losses : sequence of str
        Their names in the history.
    """

    predicts = False  # the network may stay in training mode

    def __init__(self, losses: Sequence[str] = ("train_loss",)) -> None:
        self.losses = losses

    def on_epoch_end(self, net: Trainer, **_: Any) -> None:
        """Print the epoch's losses and score."""
        record = net.history[-1]
        shown = ", ".join(
            f"{name.removeprefix('train_').replace('_', ' ')} = {record[name]:.8f}"
            for name in self.losses
        )
        print(f"Iteration {net.epochs_of_call}, {shown}")
        if "valid_score" in record:
            print(f"Validation score: {record['valid_score']:f}")

    def on_train_end(self, net: Trainer, **_: Any) -> None:
        """Say why the training stopped."""
        if net.stop_message is not None:
            print(f"{net.stop_message} Stopping.")


class Progress(Callback):
    """A bar over the epochs, with the time left."""

    predicts = False  # the network may stay in training mode

    def on_train_begin(self, net: Trainer, **_: Any) -> None:
        """Open the bar."""
        from tqdm.auto import tqdm

        self.bar = tqdm(total=net.recipe.max_epochs, unit="epoch", leave=False)

    def on_epoch_end(self, net: Trainer, **_: Any) -> None:
        """One epoch further."""
        self.bar.set_postfix(loss=f"{net.history[-1, 'train_loss']:.4g}", refresh=False)
        self.bar.update()

    def on_train_end(self, net: Trainer, **_: Any) -> None:
        """Close the bar."""
        self.bar.close()


class TaskCallbacks(Callback):
    """Drives scikit-learn's own callbacks (``set_callbacks``): a task of theirs is an epoch.

    Parameters
    ----------
    estimator : estimator with callbacks
    data : dict
        ``X``, ``y`` and ``metadata`` of the fit.
    attributes : callable
        Gives the fitted attributes of an estimator that would stop here.
    """

    def __init__(
        self, estimator: Any, data: dict[str, Any], attributes: Callable[[], dict[str, Any]]
    ) -> None:
        self.estimator, self.data, self.attributes = estimator, data, attributes

    def on_train_begin(self, net: Trainer, **_: Any) -> None:
        """Open the task of the whole fit."""
        self.fit = self.estimator._init_callback_context(max_subtasks=None)
        self.fit.max_subtasks = net.recipe.max_epochs + 1
        self.fit.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def on_epoch_begin(self, net: Trainer, **_: Any) -> None:
        """Open the task of the epoch."""
        self.epoch = self.fit.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def on_epoch_end(self, net: Trainer, **_: Any) -> None:
        """Close it; a callback that says so stops the training."""
        with net.averaged():
            stop = self.epoch.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes=self.attributes, **self.data
            )
        if stop:
            net.stop_message = "Training was stopped by a callback."

    def on_train_end(self, net: Trainer, **_: Any) -> None:
        """Close the task of the whole fit."""
        self.fit.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes=self.attributes, **self.data
        )


class Checkpoint(Callback):
    """Write the state of the training to a file, so often that writing takes 5 % of the time.

    Parameters
    ----------
    write : callable
        ``write(net)`` puts the state on disk.
    """

    predicts = False  # the network may stay in training mode

    def __init__(self, write: Callable[[Trainer], None]) -> None:
        self.write = write
        self.due = 0.0
        self.pending = False

    def on_epoch_end(self, net: Trainer, **_: Any) -> None:
        """Write if it is time to."""
        self.pending = True
        if time.perf_counter() >= self.due:
            self._write(net)

    def on_train_end(self, net: Trainer, **_: Any) -> None:
        """Write what was not yet written; an epoch that was cut off will be run again."""
        if self.pending and not net.within_epoch:
            self._write(net)

    def _write(self, net: Trainer) -> None:
        start = time.perf_counter()
        self.write(net)
        end = time.perf_counter()
        self.due, self.pending = end + 20 * (end - start), False
