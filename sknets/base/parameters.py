"""The parameters that estimators share, and what they mean to the trainer."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from skorch.callbacks import Callback

from sknets._device import resolve_device
from sknets._params import (
    ClassLike,
    Interval,
    OneOf,
    Options,
    check_parameters,
    estimator,
    param,
)
from sknets._training import schedules
from sknets._training.curriculum import paced_rows
from sknets._training.optimizers import FULL_BATCH, STOCHASTIC, Settings
from sknets._training.parameters import FlatParameters, Penalty
from sknets._training.schedules import Schedule
from sknets._training.trainer import Recipe


def clipping_norm(default: float | None) -> Any:
    """The parameter that limits gradients, which families start from values of their own."""
    return param(
        default,
        [None, Interval(Real, 0, None, closed="neither")],
        "Largest Euclidean norm of the gradient of a minibatch, to which it is scaled down. "
        "Ignored by full-batch solvers.",
    )


@estimator
class RunParameters(BaseEstimator):
    """Abstract: how to run a fit, whatever it learns by."""

    batch_size: Any = param(
        "auto",
        [OneOf("auto", "full"), Interval(Integral, 1, None, closed="left")],
        "Samples in a minibatch; 'auto' is min(200, n_samples), 'full' all of them.",
    )
    shuffle: bool = param(True, "boolean", "Whether to permute the samples in each epoch.")
    random_state: Any = param(
        None,
        "random_state",
        "Determines the initial weights, the validation split, batches and dropout. Pass an int "
        "for the same result at every call.",
    )
    verbose: Any = param(False, "verbose", "Whether to print a line an epoch.")
    warm_start: bool = param(
        False, "boolean", "Whether fit goes on from the weights of the last call."
    )
    checkpoint: Any = param(
        None,
        [None, str, os.PathLike],
        "File that holds the state of training, from which a killed fit resumes, or folder in "
        "which each fit keeps such a file of its own.",
    )
    callbacks: Any = param(
        None, [list, tuple, None], "Callbacks of skorch, which see the trainer as their net."
    )
    progress: bool = param(False, "boolean", "Whether to show a bar over epochs with time left.")
    device: str = param(
        "auto", [str, torch.device], "Where to compute: 'auto', 'cpu', 'cuda', 'cuda:1', 'mps'."
    )
    precision: str = param(
        "auto",
        OneOf("auto", "float32", "float64", "bfloat16"),
        "Precision of training; 'bfloat16' multiplies in it and adds in float32. 'auto' is "
        "float32, or the input's float64 where an epoch is one batch or the solver is a full-batch "
        "one. Predictions are never computed in bfloat16.",
    )

    @property
    def _full_batch(self) -> bool:
        """Whether all samples are one batch, to a solver that asks for them as it likes."""
        return False

    @property
    def _mixed(self) -> bool:
        """Whether training multiplies in bfloat16."""
        return self.precision == "bfloat16"

    def _check_settings(self, incremental: bool) -> None:
        """Raise for parameters that are wrong by themselves or do not go together."""
        check_parameters(self)
        resolve_device(self.device, type(self).__name__)
        self._check_callbacks()

    def _check_callbacks(self) -> None:
        for item in self.callbacks or []:
            callback = item[1] if isinstance(item, (tuple, list)) and len(item) == 2 else item
            cls = callback if isinstance(callback, type) else type(callback)
            if not issubclass(cls, Callback):
                raise ValueError(
                    f"The 'callbacks' parameter of {type(self).__name__} must hold callbacks of "
                    f"skorch, or pairs of a name and one. Got {item!r} instead."
                )


@estimator
class PacedParameters(BaseEstimator):
    """Abstract: how a schedule changes the learning rate."""

    decay_rate: float = param(
        0.5,
        Interval(Real, 0, None, closed="neither"),
        "How much the schedules 'step', 'exponential', 'inverse_time' and 'plateau' lower the "
        "learning rate every decay_every epochs.",
    )
    decay_every: float = param(
        10,
        Interval(Real, 0, None, closed="neither"),
        "Epochs over which decay_rate applies once.",
    )
    warmup: float = param(
        0,
        Interval(Real, 0, None, closed="left"),
        "Epochs over which the learning rate rises linearly from 0, under any schedule.",
    )


@estimator
class TrainingParameters(RunParameters, PacedParameters):
    """Abstract: how to train by gradient descent, in MLPClassifier's words."""

    solver: Any = param(
        "adam",
        [OneOf(*STOCHASTIC, *FULL_BATCH), ClassLike("torch.optim.Optimizer")],
        "How weights are found: a stochastic method, a full-batch one (lbfgs, bfgs, cg, "
        "newton-cg), or any torch.optim.Optimizer class, which is given learning_rate_init.",
    )
    alpha: float = param(
        0.0001,
        Interval(Real, 0, None, closed="left"),
        "Strength of the penalty on the weights, divided by the sample size when added to the "
        "loss. With solver='adamw', the decoupled weight decay instead.",
    )
    learning_rate: str = param(
        "constant",
        OneOf(*schedules.NAMES),
        "How the learning rate changes over training. As in scikit-learn, 'invscaling' and "
        "'adaptive' act with solver='sgd' alone.",
    )
    learning_rate_init: float = param(
        0.001,
        Interval(Real, 0, None, closed="neither"),
        "The initial learning rate; the highest of 'one_cycle'. Ignored by full-batch solvers.",
    )
    power_t: float = param(
        0.5,
        Interval(Real, 0, None, closed="left"),
        "The exponent of learning_rate='invscaling'.",
    )
    max_iter: int = param(
        200,
        Interval(Integral, 1, None, closed="left"),
        "The most epochs (passes over the data) of a call, or iterations of a full-batch solver.",
    )
    tol: float = param(
        1e-4,
        Interval(Real, 0, None, closed="left"),
        "An epoch that does not improve the loss (or validation score) by this much counts as no "
        "change; for full-batch solvers, the tolerance of the gradient.",
    )
    momentum: float = param(0.9, Interval(Real, 0, 1, closed="both"), "Momentum of solver='sgd'.")
    nesterovs_momentum: bool = param(
        True, "boolean", "Whether solver='sgd' uses Nesterov's momentum."
    )
    early_stopping: bool = param(
        False,
        "boolean",
        "Whether to hold out validation_fraction of the data, stop when its score no longer "
        "improves, and end with the best weights. The split is stratified by the classes of a "
        "single target, unless they are more than two and one is too rare.",
    )
    validation_fraction: float = param(
        0.1,
        Interval(Real, 0, 1, closed="left"),
        "Share of the data held out with early_stopping=True.",
    )
    beta_1: float = param(
        0.9,
        Interval(Real, 0, 1, closed="left"),
        "Decay rate of the first moment of adam, adamw and nadam.",
    )
    beta_2: float = param(
        0.999,
        Interval(Real, 0, 1, closed="left"),
        "Decay rate of the second moment of adam, adamw and nadam.",
    )
    epsilon: float = param(
        1e-8,
        Interval(Real, 0, None, closed="neither"),
        "Added to denominators by the adaptive solvers.",
    )
    n_iter_no_change: Any = param(
        10,
        [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "Epochs without an improvement of tol after which training stops.",
    )
    max_fun: int = param(
        15000,
        Interval(Integral, 1, None, closed="left"),
        "The most evaluations of the loss by solver='lbfgs'.",
    )
    l1_ratio: float = param(
        0.0,
        Interval(Real, 0, 1, closed="both"),
        "Share of the L1 norm in the penalty: 0 is L2 alone, 1 is L1 alone.",
    )
    max_norm: Any = param(
        None,
        [Interval(Real, 0, None, closed="neither"), None],
        "Largest Euclidean norm of the incoming weights of a unit, restored after each step.",
    )
    clip_norm: Any = clipping_norm(None)
    clip_value: Any = param(
        None,
        [None, Interval(Real, 0, None, closed="neither")],
        "Largest absolute value in the gradient of a minibatch, to which others are cut. Ignored "
        "by full-batch solvers.",
    )
    averaging: Any = param(
        None,
        [OneOf("polyak", "ema", "snapshots"), None],
        "Predict with an average over the path of training: of the weights, evenly ('polyak') or "
        "exponentially ('ema'), or of the predictions of snapshots taken at the ends of cosine "
        "cycles.",
    )
    averaging_decay: float = param(
        0.999,
        Interval(Real, 0, 1, closed="left"),
        "How much of the average a step keeps, with averaging='ema'.",
    )
    n_snapshots: int = param(
        5,
        Interval(Integral, 1, None, closed="left"),
        "Cycles, and members of the ensemble, with averaging='snapshots'.",
    )
    curriculum: Any = param(
        None,
        [OneOf("linear", "root"), None],
        "Pacing of a curriculum over the difficulty given to fit, easy samples first.",
    )
    curriculum_length: float = param(
        0.5,
        Interval(Real, 0, 1, closed="right"),
        "Share of max_iter after which a curriculum holds all samples.",
    )

    @property
    def _full_batch(self) -> bool:
        return self.solver in FULL_BATCH

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        if self.early_stopping and not self.validation_fraction and not self._full_batch:
            raise ValueError(
                f"early_stopping=True needs the 'validation_fraction' parameter of "
                f"{type(self).__name__} to be > 0. Got {self.validation_fraction} instead."
            )
        for name in ("early_stopping", "curriculum"):
            if incremental and getattr(self, name):
                raise ValueError(f"partial_fit does not support {name}={getattr(self, name)!r}")
        if self._full_batch:
            self._check_full_batch()
        if self.averaging == "snapshots":
            self._check_snapshots(incremental)
        if self.solver == "adamw" and self.l1_ratio:
            raise ValueError(
                f"solver='adamw' decays weights towards 0 and knows no L1 penalty, got "
                f"l1_ratio={self.l1_ratio}. Use solver='adam'."
            )

    def _check_full_batch(self) -> None:
        self._check_stochastic("max_norm", "averaging", "curriculum", "checkpoint")
        if self.precision == "bfloat16":
            raise ValueError(
                f"precision='bfloat16' needs a stochastic solver, got solver={self.solver!r}."
            )
        if self.l1_ratio and self.alpha and self.solver != "lbfgs":
            raise ValueError(
                f"solver={self.solver!r} needs a differentiable penalty, got "
                f"l1_ratio={self.l1_ratio}. Use solver='lbfgs' or a stochastic one."
            )

    def _check_stochastic(self, *names: str) -> None:
        """Raise where a full-batch solver meets what it cannot do: parameters, or anything."""
        given = [f"{name}={getattr(self, name)!r}" for name in names if getattr(self, name)]
        what = given if names else [f"A {type(self).__name__}"]
        if self._full_batch and what:
            raise ValueError(
                f"{', '.join(what)} needs a stochastic solver, got solver={self.solver!r}."
            )

    def _check_snapshots(self, incremental: bool) -> None:
        if self.learning_rate != "constant":
            raise ValueError(
                "averaging='snapshots' has its own cyclic learning rate: leave "
                f"learning_rate='constant'. Got {self.learning_rate!r} instead."
            )
        if self.early_stopping:
            raise ValueError(
                "averaging='snapshots' predicts with all of its snapshots, early_stopping=True "
                "with the best weights: choose one of them."
            )
        if self.max_iter < self.n_snapshots and not incremental:
            raise ValueError(
                f"n_snapshots={self.n_snapshots} needs at least as many epochs, "
                f"got max_iter={self.max_iter}."
            )

    def _recipe(self, seed: int, difficulty: np.ndarray | None, incremental: bool) -> Recipe:
        """The parameters in the trainer's words."""
        decoupled = self.solver == "adamw"
        return Recipe(
            solver=solver_name(self.solver),
            optimizer=None if self._full_batch else self._optimizer,
            schedule=self._schedule(),
            penalty=Penalty(0.0 if decoupled else self.alpha, self.l1_ratio),
            max_epochs=1 if incremental else self.max_iter,
            seed=seed,
            span=self.max_iter,
            shuffle=self.shuffle,
            weight_decay=self.alpha if decoupled else 0.0,
            clip_norm=self.clip_norm,
            clip_value=self.clip_value,
            max_norm=self.max_norm,
            averaging=self.averaging,
            averaging_decay=self.averaging_decay,
            n_snapshots=self._n_snapshots,
            pacing=self._pacing(difficulty),
            tol=self.tol,
            max_fun=self.max_fun,
            stop_on_divergence=self.early_stopping,
        )

    def _pacing(self, difficulty: np.ndarray | None) -> Callable[[int], np.ndarray] | None:
        """Which rows an epoch may see; None for all of them."""
        if self.curriculum is None or difficulty is None:
            return None
        order = np.argsort(difficulty, kind="stable")
        return partial(paced_rows, order, self.curriculum, self.curriculum_length * self.max_iter)

    @property
    def _n_snapshots(self) -> int:
        return self.n_snapshots if self.averaging == "snapshots" else 0

    def _optimizer(self, flat: FlatParameters) -> torch.optim.Optimizer:
        """The optimiser of a network's one vector; a user's gets the parameters themselves."""
        if callable(self.solver):
            return self._own_optimizer(flat.parameters)
        settings = Settings(*(getattr(self, field) for field in Settings._fields))
        return STOCHASTIC[self.solver]([flat.vector], settings)

    def _own_optimizer(self, params: Any) -> torch.optim.Optimizer:
        """An optimiser of the user's class."""
        problem = ValueError(
            f"The 'solver' parameter of {type(self).__name__} must be a name or a "
            f"torch.optim.Optimizer class whose step needs no closure. Got {self.solver!r} instead."
        )
        if isinstance(self.solver, type) and not issubclass(self.solver, torch.optim.Optimizer):
            raise problem
        try:
            optimizer = self.solver(params, lr=self.learning_rate_init)
        except TypeError as error:
            raise problem from error
        if not isinstance(optimizer, torch.optim.Optimizer) or _needs_closure(type(optimizer)):
            raise problem
        return optimizer

    def _schedule(self) -> Schedule:
        name = "cyclic" if self._n_snapshots else self.learning_rate
        if name in schedules.SGD_ONLY and self.solver != "sgd":
            name = "constant"
        return Schedule(
            name,
            self.learning_rate_init,
            self.max_iter,
            self.decay_rate,
            self.decay_every,
            self.power_t,
            self.warmup,
            n_cycles=max(1, self._n_snapshots),
        )


def _needs_closure(cls: type[torch.optim.Optimizer]) -> bool:
    closure = inspect.signature(cls.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


def solver_name(solver: Any) -> str:
    """The name of a solver, also of a user's class."""
    return solver if isinstance(solver, str) else getattr(solver, "__qualname__", repr(solver))
