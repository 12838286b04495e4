"""Estimators that learn by gradient descent, in MLPClassifier's words."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted

from sknets._params import InvalidParameterError
from sknets._random import Stream, derived_seed
from sknets._state import to_arrays, to_tensors
from sknets._training.callbacks import NoImprovement, Validation
from sknets._training.objective import FullObjective
from sknets._training.parameters import FlatParameters
from sknets._training.schedules import WAITING
from sknets._training.trainer import Trainer
from sknets.base.estimator import NetworkEstimator
from sknets.base.parameters import TrainingParameters
from sknets.base.training_set import Call, TrainingSet, checked_difficulty


class DescentEstimator(TrainingParameters, NetworkEstimator):
    """Abstract: an estimator whose network learns by gradient descent on a loss."""

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "best_loss_": "float or None: The lowest loss; None with early_stopping=True.",
        "validation_scores_": "list of float or None: The validation score of each epoch, with "
        "early_stopping=True.",
        "best_validation_score_": "float or None: The highest of them.",
    }
    _fit_state: ClassVar[dict[str, type]] = {"_no_improvement_count": int, "_snapshots": list}
    _is_layer = False  # of another network, which need not have converged

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        waits = self.learning_rate in WAITING
        if waits and self._has_moving_loss and not self.early_stopping:
            raise InvalidParameterError(
                f"The 'learning_rate' parameter of {type(self).__name__} can be "
                f"{self.learning_rate!r} with early_stopping=True alone: it falls where the score "
                "on held-out rows does not rise, as the training loss tells of no progress here."
            )

    @abstractmethod
    def _measure(self, valid: TrainingSet) -> dict[str, float]:
        """Loss and score on the held-out samples, as ``valid_loss`` and ``valid_score``."""

    def _split(self, data: TrainingSet) -> tuple[np.ndarray, np.ndarray] | None:
        """The rows to train on and those to hold out, with early stopping."""
        if not self.early_stopping or self._full_batch:
            return None
        train, valid = train_test_split(
            np.arange(data.n_samples),
            test_size=float(self.validation_fraction),
            stratify=self._stratify(data.target),
            random_state=derived_seed(self._seed, Stream.SPLIT),
        )
        if len(valid) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' "
                "or the size of your dataset."
            )
        return train, valid

    def _stratify(self, target: Any) -> np.ndarray | None:
        """What the validation split is stratified by."""
        return None

    def _difficulty(self, call: Call, n_samples: int) -> np.ndarray | None:
        """How hard each sample is, for a curriculum."""
        return checked_difficulty(call.difficulty, self.curriculum, n_samples)

    def _reports(self, train: TrainingSet, valid: TrainingSet | None) -> list[Any]:
        """Callbacks that measure and print."""
        measuring = [] if valid is None else [Validation(partial(self._measure, valid))]
        return measuring + super()._reports(train, valid)

    @property
    def _patience(self) -> float:
        """Epochs without improvement; a full-batch solver has its own rule, cycles raise losses."""
        return np.inf if self._full_batch or self._n_snapshots else self.n_iter_no_change

    @property
    def _has_moving_loss(self) -> bool:
        """Whether the training loss tells of no progress, as it is another one over the epochs."""
        return False

    def _stopping_rule(self, scored: bool) -> NoImprovement:
        """When to stop: by the validation score, or by the training loss."""
        if self._has_moving_loss and not scored:
            return NoImprovement.never()
        key, best, worst = (
            ("valid_score", self.best_validation_score_, -np.inf)
            if scored
            else ("train_loss", self.best_loss_, np.inf)
        )
        return NoImprovement(
            key,
            self.tol,
            self._patience,
            worst if best is None else best,
            self._no_improvement_count,
            keep_best=scored,
        )

    def _problem(self, trainer: Trainer, incremental: bool) -> str | None:
        """Why the training may not have converged."""
        if self._has_moving_loss and not trainer.diverged:
            return None
        result = trainer.result
        if result is not None:
            if result.converged or trainer.stop_message:
                return None
            return (
                f"{self.solver} failed to converge after {result.n_iter} iteration(s) "
                f"(status={result.status}): {result.message.rstrip('.')}. You might also want to "
                "scale the data or increase max_iter."
            )
        if trainer.diverged:
            return (
                f"The training loss became non-finite in epoch {len(self.history_)}; the best "
                "weights before it are kept."
            )
        recipe = trainer.recipe
        by_design = self._is_layer or recipe.schedule.ends_by_design or not recipe.max_epochs
        if (
            incremental
            or by_design
            or trainer.stop_message
            or trainer.interrupted
            or self._full_batch
        ):
            return None
        return (
            f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
            "optimization hasn't converged yet."
        )

    def _start_records(self) -> None:
        """What a fit from scratch starts from."""
        super()._start_records()
        self._no_improvement_count = 0
        stopping = self.early_stopping and not self._full_batch
        self.best_loss_: float | None = None if stopping else np.inf
        self.validation_scores_: list[float] | None = [] if stopping else None
        self.best_validation_score_ = -np.inf if stopping else None

    def _record(self, trainer: Trainer) -> None:
        """Fitted attributes after (a part of) a training."""
        super()._record(trainer)
        history, stopping = trainer.history, trainer.stopping
        self._no_improvement_count = stopping.count
        if stopping.keep_best:
            self.validation_scores_ = [r["valid_score"] for r in history if "valid_score" in r]
            self.best_validation_score_ = stopping.best
        else:
            self.best_loss_ = stopping.best
        if trainer.result is not None:
            self.n_iter_ = min(trainer.result.n_iter, self.max_iter)
            self.loss_ = trainer.result.value
        elif not self._full_batch:
            snapshots = (trainer.flat.as_state_dict(s) for s in trainer.snapshots)
            earlier = getattr(self, "_snapshots", []) if trainer.continued else []
            taken = earlier + [to_arrays(state) for state in snapshots]
            self._snapshots = taken[-self.n_snapshots :]

    def _objective(self, X: Any, y: Any, sample_weight: Any = None) -> FullObjective:
        """What training minimises, on given data, as a function of a copy of the weights."""
        check_is_fitted(self)
        given = self._training_set(Call(X, y, sample_weight), fresh=False)
        double = torch.float64
        data = self._as_one_batch(given, double)
        module = self._module_with(to_tensors(to_arrays(self.module_.state_dict())))
        module = module.to(double).eval()
        flat = FlatParameters(module)
        step: Any = self._step(module, flat)
        penalty = self._recipe(self._seed, None, incremental=False).penalty
        return FullObjective(flat, step, penalty, data)


def is_stochastic(self: DescentEstimator) -> bool:
    """Whether the solver takes minibatches, for `available_if`."""
    if self._full_batch:
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{self.solver} is not stochastic."
        )
    return True
