"""The training loop: skorch's staircase of fit, epoch and step, kept lean.

The trainer knows neither arrays nor architectures. It takes minibatches and a step that turns one
into a loss and gradients, and runs epochs: schedule, penalty, update, constraint, average,
history, callbacks. skorch's callbacks see the net they know (``notify``, ``history``,
``module_``, ``optimizer_``, ``predict``), but only those that listen to batches are told of them.
"""

from __future__ import annotations

import dis
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.history import History
from torch import Tensor, nn

from sknets._data import Batch, Data
from sknets._device import threads_for
from sknets._random import Stream, generator
from sknets._state import to_arrays, to_tensors
from sknets._training.averaging import WeightAverage
from sknets._training.objective import FullObjective
from sknets._training.optimizers import FullBatchResult, minimize
from sknets._training.parameters import FlatParameters, FlatSlice, Penalty, clip_, clip_rows_
from sknets._training.schedules import Schedule
from sknets._training.steps import Step, StepResult
from sknets._warnings import warn
from sknets.layers import RandomLayer

BATCH_EVENTS = ("on_batch_begin", "on_batch_end", "on_grad_computed")


class DivergedError(ArithmeticError):
    """The loss of an epoch is not finite; the message names the epoch."""


@dataclass
class Recipe:
    """How to train: everything the trainer needs beside the network, its step and the data."""

    solver: str
    optimizer: Callable[[FlatParameters], torch.optim.Optimizer] | None  # None: full-batch
    schedule: Schedule
    penalty: Penalty
    max_epochs: int
    seed: int
    span: int | None = None  # epochs that layers take for the whole training; None: max_epochs
    shuffle: bool = True
    weight_decay: float = 0.0  # decoupled: w -= rate * weight_decay * w
    clip_norm: float | None = None
    clip_value: float | None = None
    max_norm: float | None = None
    averaging: str | None = None
    averaging_decay: float = 0.999
    n_snapshots: int = 0
    pacing: Callable[[int], np.ndarray] | None = None  # epoch -> the rows to train on
    tol: float = 1e-4
    max_fun: int = 15000
    stop_on_divergence: bool = False  # end the training instead of raising
    relative_rates: Callable[[FlatParameters], Tensor] | None = None  # of the parameters

    @property
    def full_batch(self) -> bool:
        """Whether the solver works on the whole data, through scipy."""
        return self.optimizer is None


class Seen(NamedTuple):
    """What callbacks are shown: data as it was given, and its parts as skorch's data sets."""

    X: Any = None
    y: Any = None
    train: Any = None
    valid: Any = None


class Trainer(NeuralNet):
    """Train a module by a step over minibatches.

    Parameters
    ----------
    module : nn.Module
        Trained in place.
    flat : FlatParameters
        The module's parameters as one vector.
    step : Step
    recipe : Recipe
    stopping : NoImprovement, optional
        The one of the callbacks that decides when to stop, and remembers the best epoch.
    callbacks : list of skorch callbacks
    predictor : estimator, optional
        Whose predictions callbacks that score get from the net.
    history : History, optional
        The records of earlier calls, which are added to.
    samples_seen : int
        How many samples were seen in earlier calls.
    earlier : dict, optional
        The `state` of the call that this one goes on from.
    multiply_adds : int, optional
        What a sample costs; None counts the parameters.
    device : torch.device
        Where the module is.
    """

    def __init__(
        self,
        module: nn.Module,
        flat: FlatParameters,
        step: Step,
        recipe: Recipe,
        *,
        stopping: Any = None,
        callbacks: Iterable[Callback] = (),
        predictor: Any = None,
        history: History | None = None,
        samples_seen: int = 0,
        earlier: dict[str, Any] | None = None,
        multiply_adds: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(
            module,
            criterion=nn.Identity,
            optimizer=recipe.optimizer,
            max_epochs=recipe.max_epochs,
            train_split=None,
            callbacks=list(callbacks),
            device=None,
            verbose=1,  # callbacks print what they are asked to; the trainer has none by default
            use_caching=False,
        )
        self.flat, self.recipe = flat, recipe
        self.step: Any = step
        self.predictor, self.stopping = predictor, stopping
        self.epochs_of_call = 0
        self.epochs_of_fit = 0  # since the last call of fit, which schedules go by
        self.samples_seen = samples_seen
        self.continued = earlier is not None
        self.compute_device = torch.device(device)
        self.average: WeightAverage | None = None
        if recipe.averaging in ("polyak", "ema"):
            how = (recipe.averaging, recipe.averaging_decay)
            self.average = WeightAverage(*how, flat, self.averaged_part)
        self.snapshots: list[list[Tensor]] = []
        self.last_weights: list[Tensor] | None = None  # where the average replaced them
        self.frozen: list[tuple[nn.Parameter, Tensor]] = []  # by callbacks, and their values
        self.multiply_adds = len(flat.values) if multiply_adds is None else multiply_adds
        self.penalised = bool(recipe.penalty)
        self.rates = recipe.relative_rates(flat) if recipe.relative_rates else None
        self.stop_message: str | None = None
        self.interrupted = self.diverged = False
        self.within_epoch = False  # where a cut-off leaves weights that no epoch ended with
        self.least_loss = np.inf  # of the epochs of this call
        self.sees_all = True  # but for the epochs in which a curriculum or a network still grows
        self.result: FullBatchResult | None = None
        self.drawing = [layer for layer in module.modules() if isinstance(layer, RandomLayer)]
        self.seen = Seen()
        self.initialize()
        if history is not None:
            self.history_ = history
        if earlier is not None:
            self.load_state(earlier)

    # -- what skorch initialises

    def get_default_callbacks(self) -> list:
        """None: the trainer records losses and times itself."""
        return []

    def initialize_optimizer(self, triggered_directly: None = None) -> Trainer:
        """Named optimisers step on the flat vector, a user's class on the parameters themselves."""
        if self.recipe.optimizer is not None:
            self.optimizer_ = self.recipe.optimizer(self.flat)
            for group in self.optimizer_.param_groups:
                group["initial_lr"] = group["lr"]
        return self

    def predict(self, X: Any) -> np.ndarray:
        """What the estimator would predict if training ended here, labels decoded."""
        with self.averaged():
            return self.predictor.predict(X)

    def predict_proba(self, X: Any) -> np.ndarray:
        """What the estimator would predict if training ended here, as probabilities."""
        with self.averaged():
            return self.predictor.predict_proba(X)

    @property
    def averaged_part(self) -> FlatSlice:
        """Of which parameters an average is kept, where one is asked for."""
        return self.flat

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The network with its averaged weights, if there are such, for a while."""
        if self.average is None or not self.average.t:
            yield
            return
        weights = self.flat.snapshot()
        self.flat.restore(self.average.mean)
        try:
            yield
        finally:
            self.flat.restore(weights)

    # -- the staircase

    def train(self, data: Data) -> Trainer:
        """Run the epochs; a Ctrl-C keeps what was learnt so far and warns."""
        self.watched = any(getattr(cb, "predicts", True) for _, cb in self.callbacks_)
        self.batch_listeners = [cb for _, cb in self.callbacks_ if _listens_to_batches(cb)]
        run = self.fit_full_batch if self.recipe.full_batch else self.fit_loop
        work = 6.0 * data.batch_size * self.multiply_adds  # forward once, backward twice
        try:
            with self.interruptible(), threads_for(work, self.compute_device):
                self.notify("on_train_begin", X=self.seen.X, y=self.seen.y)
                run(data)
        finally:
            if self.history and "train_loss" not in self.history[-1]:
                self.history.pop()  # the epoch that was cut off
            if self.average is not None and self.average.t:
                self.last_weights = self.flat.snapshot()
                self.flat.restore(self.average.mean)
            self.module_.eval()
            self.notify("on_train_end", X=self.seen.X, y=self.seen.y)
        return self

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A Ctrl-C ends what is done, with a warning, and keeps what was learnt."""
        try:
            yield
        except KeyboardInterrupt:
            self.interrupted = True
            warn("Training interrupted by user.")

    def fit_loop(self, X: Data, y: None = None, epochs: int | None = None, **_: Any) -> Trainer:
        """Epochs until the last, or until a callback stops the training."""
        while self.epochs_of_call < self.recipe.max_epochs and self.stop_message is None:
            start = time.perf_counter()
            last_good = self.snapshot()
            self.notify_epoch("on_epoch_begin")
            self.run_single_epoch(X, training=True, prefix="train", step_fn=self.train_step)
            self.history.record("dur", time.perf_counter() - start)
            self.close_epoch(last_good)
        return self

    def run_single_epoch(
        self, iterator: Data, training: bool, prefix: str, step_fn: Callable, **_: Any
    ) -> None:
        """One pass over the data; the loss is read from the device once, at the end."""
        recipe, epoch = self.recipe, self.epoch
        if self.watched or not self.module_.training:
            self.module_.train()
        self.within_epoch = True
        shuffling = generator(recipe.seed, Stream.SHUFFLE, epoch) if recipe.shuffle else None
        self.seed_layers()
        self.set_rate(recipe.schedule.rate(self.epochs_of_fit))
        rows = recipe.pacing(epoch) if recipe.pacing else None
        n_rows = iterator.n_samples if rows is None else len(rows)
        n_batches = -(-n_rows // iterator.batch_size)
        self.sees_all = n_rows == iterator.n_samples
        total = torch.zeros((), dtype=self.flat.values.dtype, device=self.compute_device)
        n_terms = 0
        for i, batch in enumerate(iterator.epoch(shuffling, rows)):
            if not recipe.schedule.is_constant:
                self.set_rate(recipe.schedule.rate(self.epochs_of_fit + (i + 1) / n_batches))
            run = self.observed_step if self.batch_listeners else step_fn
            n = batch.n_terms
            total.add_(run(batch).loss, alpha=n)
            n_terms += n
        self.within_epoch = False
        if self.watched:
            self.module_.eval()
        self.samples_seen += n_rows
        loss = total.item() / max(1, n_terms)
        self.history.record(prefix + "_loss", loss)
        self.history.record(prefix + "_loss_best", loss < self.least_loss)
        self.least_loss = min(loss, self.least_loss)
        self.history.record(prefix + "_batch_count", n_batches)
        if self.seen.X is not None and not self.batch_listeners:
            self.history.new_batch()  # skorch's callbacks look for a last batch
            self.history.record_batch(prefix + "_loss", self.history[-1, prefix + "_loss"])

    def train_step(self, batch: Batch, **_: Any) -> StepResult:
        """One update; returns the penalised mean loss of the batch, and the outputs before it."""
        result = self.update(batch, self.flat)
        if self.average is not None:
            self.average.update()
        return result

    def update(self, batch: Batch, flat: FlatSlice) -> StepResult:
        """Change the parameters that the optimiser steps on by the gradients of a batch."""
        recipe = self.recipe
        result = self.gradients(batch, flat)
        if self.batch_listeners:
            named = list(self.module_.named_parameters())
            self.notify_batch(
                "on_grad_computed", named_parameters=named, batch=batch[:2], training=True
            )
        if recipe.clip_norm is not None:
            clip_(flat.grad, recipe.clip_norm)
        if recipe.clip_value is not None:
            flat.grad.clamp_(-recipe.clip_value, recipe.clip_value)
        rates = self.rates
        before = None if rates is None else flat.values.clone()
        if recipe.weight_decay:
            rate = self.optimizer_.param_groups[0]["lr"]
            flat.weights.mul_(1 - rate * recipe.weight_decay)
        self.optimizer_.step()
        if before is not None and rates is not None:
            torch.lerp(before, flat.values, rates, out=flat.values)
        if recipe.max_norm is not None:
            clip_rows_(flat.parameters, recipe.max_norm)
        for parameter, value in self.frozen:
            parameter.data.copy_(value)
        return result

    def gradients(self, batch: Batch, flat: FlatSlice) -> StepResult:
        """Set the gradient of the penalised mean loss of a batch; return its value."""
        result = self.step(batch)
        if self.penalised and (n := batch.total_weight):
            self.recipe.penalty.add_to(result.loss, flat, n)
        return result

    def close_epoch(self, last_good: list[Tensor]) -> None:
        """Count the epoch, check its loss, keep its snapshot, tell the callbacks."""
        if not math.isfinite(self.history[-1]["train_loss"]):
            if not self.recipe.stop_on_divergence:
                self.restore(last_good)
                self.history.pop()
                raise DivergedError(self.divergence())
            self.diverged = True
            self.stop_message = "Training loss became non-finite."
        self.epochs_of_fit += 1
        self.epochs_of_call += 1
        self.recipe.schedule.epoch_ended(self.samples_seen)
        self.keep_snapshot()
        self.notify_epoch("on_epoch_end")

    def divergence(self) -> str:
        """Where the loss was not finite any more."""
        return f"the loss became non-finite in epoch {len(self.history) + 1}"

    # -- state

    def snapshot(self) -> list[Tensor]:
        """A copy of the weights, and of their average if there is one."""
        average = [] if self.average is None else self.average.mean
        return [*self.flat.snapshot(), *(mean.clone() for mean in average)]

    def restore(self, snapshot: list[Tensor]) -> None:
        """Go back to a snapshot, with a fresh optimiser."""
        n = 1 + len(self.flat.buffers)
        self.flat.restore(snapshot[:n])
        if self.average is not None:
            self.average.restore(snapshot[n:])
        self.initialize_optimizer()

    def state(self) -> dict[str, Any]:
        """What going on needs beside the weights, as plain values and arrays."""
        state: dict[str, Any] = {
            "solver": self.recipe.solver,
            "n_parameters": len(self.flat.values),
            "optimizer": to_arrays(self.optimizer_.state_dict()),
            "rate_scale": self.recipe.schedule.scale,
            "epochs_of_fit": self.epochs_of_fit,
        }
        if hasattr(self.step, "state"):
            state["step"] = to_arrays(self.step.state())
        if self.average is not None:
            state["average"] = to_arrays(self.average.state())
        if self.last_weights is not None:
            state["last_weights"] = to_arrays(self.last_weights)
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state; one of another solver leaves the optimiser fresh."""
        self.epochs_of_fit = state["epochs_of_fit"]
        self.recipe.schedule.scale = state["rate_scale"]
        if state["n_parameters"] != len(self.flat.values):
            return  # other parts of the network are trained now
        if "step" in state:
            self.step.load_state(state["step"])
        if "last_weights" in state:
            self.flat.restore(to_tensors(state["last_weights"]))
        if self.average is not None and "average" in state:
            self.average.load(to_tensors(state["average"]))
        if state["solver"] == self.recipe.solver:
            load_optimizer(self.optimizer_, to_tensors(state["optimizer"]))

    # -- details

    @property
    def epoch(self) -> int:
        """How many epochs were completed before this one, in all calls."""
        return len(self.history) - 1

    def seed_layers(self) -> None:
        """Give every layer that draws random numbers the epoch's generator, and its place."""
        if self.drawing:
            key = Stream.LAYERS, self.epoch
            shared = generator(self.recipe.seed, *key, device=self.compute_device)
            for layer in self.drawing:
                layer.generator = shared
                layer.progress = self.epochs_of_fit / (self.recipe.span or self.recipe.max_epochs)

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of every parameter group, keeping their proportions."""
        schedule = self.recipe.schedule
        if schedule.name == "constant" and not schedule.warmup:
            return  # the rate may be in the hands of a skorch callback
        for group in self.optimizer_.param_groups:
            group["lr"] = rate * group["initial_lr"] / schedule.initial

    def stalled(self, message: str) -> None:
        """Nothing improves: lower the learning rate, or stop where there is no lower one."""
        if not self.recipe.schedule.stalled():
            self.stop_message = message

    def notify_epoch(self, event: str) -> None:
        """Tell the callbacks of an epoch; one that raises KeyboardInterrupt stops the training."""
        seen = {"dataset_train": self.seen.train, "dataset_valid": self.seen.valid}
        getattr(self, event)(self, **seen)
        for _, callback in self.callbacks_:
            try:
                getattr(callback, event)(self, **seen)
            except KeyboardInterrupt as interrupt:
                ours = type(callback).__module__.startswith("sknets.")
                if ours or not is_deliberate(interrupt):
                    raise  # the user's Ctrl-C, not the way a callback of skorch says stop
                self.stop_message = "Training was stopped by a callback."
        held = (p for p in self.flat.parameters if not p.requires_grad)
        self.frozen = [(p, p.detach().clone()) for p in held]

    def notify_batch(self, event: str, **kwargs: Any) -> None:
        """Tell of a batch only those who listen."""
        for callback in self.batch_listeners:
            getattr(callback, event)(self, **kwargs)

    def observed_step(self, batch: Batch) -> StepResult:
        """A training step that the history and the callbacks see."""
        seen: dict[str, Any] = {"batch": batch[:2], "training": True}
        self.history.new_batch()
        self.notify_batch("on_batch_begin", **seen)
        result = self.train_step(batch)
        self.history.record_batch("train_loss", result.loss.item())
        self.history.record_batch("train_batch_size", batch.x.shape[0])
        self.notify_batch("on_batch_end", **seen, loss=result.loss, y_pred=result.raw)
        return result

    def keep_snapshot(self) -> None:
        """At the end of each cycle, keep the weights for the ensemble (Huang et al., 2017)."""
        n, epochs = self.recipe.n_snapshots, self.recipe.schedule.max_iter
        done = self.epochs_of_fit
        if n and done * n // epochs > (done - 1) * n // epochs:
            self.snapshots.append(self.flat.snapshot())

    def fit_full_batch(self, data: Data) -> Trainer:
        """Minimise the penalised loss over the whole data; an epoch is an iteration."""
        flat, l1 = self.flat, self.recipe.penalty.l1
        smooth = Penalty(self.recipe.penalty.l2)  # the L1 part is the minimiser's
        objective = FullObjective(flat, self.step, smooth, data)

        accepted = flat.snapshot()

        def iterated(x: np.ndarray) -> None:
            nonlocal accepted
            flat.values.copy_(torch.from_numpy(x))
            accepted = flat.snapshot()
            self.history.record("train_loss", objective.value_at(x))
            self.samples_seen += data.n_samples
            self.epochs_of_call += 1
            self.module_.eval()
            self.notify_epoch("on_epoch_end")
            if self.stop_message is not None:
                raise StopIteration
            self.notify_epoch("on_epoch_begin")
            self.module_.train()

        strengths = None
        if l1:
            strengths = np.zeros(len(flat.values))
            strengths[: len(flat.weights)] = l1 / objective.weight_sum
        self.notify_epoch("on_epoch_begin")
        if self.frozen:
            raise ValueError("A callback froze parameters, which needs a stochastic solver.")
        self.module_.train()
        try:
            self.result = minimize(
                self.recipe.solver,
                objective,
                flat.values.cpu().double().numpy().copy(),
                hessian_product=objective.hessian_product,
                max_iter=self.recipe.max_epochs,
                max_fun=self.recipe.max_fun,
                tol=self.recipe.tol,
                callback=iterated,
                l1=strengths,
            )
        except BaseException:
            flat.restore(accepted)  # rather than a point of the line search
            raise
        if not np.isfinite(self.result.x).all() or not np.isfinite(self.result.value):
            flat.restore(accepted)
            raise DivergedError("the loss became non-finite")
        flat.values.copy_(torch.from_numpy(self.result.x))
        return self


def is_deliberate(error: BaseException) -> bool:
    """Whether an exception was raised by a raise statement, rather than by a signal."""
    traceback = error.__traceback__
    assert traceback is not None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    instruction = traceback.tb_frame.f_code.co_code[traceback.tb_lasti]
    return dis.opname[instruction] == "RAISE_VARARGS"


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load a state; its scalars keep their dtype, which torch would change to the parameters'."""
    optimizer.load_state_dict(state)
    parameters = (p for group in optimizer.param_groups for p in group["params"])
    for i, parameter in enumerate(parameters):
        for key, value in state["state"].get(i, {}).items():
            if isinstance(value, Tensor) and not value.ndim:
                own = optimizer.state[parameter]
                own[key] = value.to(own[key].device)


def _listens_to_batches(callback: Callback) -> bool:
    return any(
        getattr(type(callback), event) is not getattr(Callback, event) for event in BATCH_EVENTS
    )
