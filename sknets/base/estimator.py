"""One fit walked: validate, encode, seed, build, train, and set what was learnt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_sample_weight
from skorch.history import History
from torch import nn

from sknets._data import Data, is_streamed
from sknets._device import compute_dtype, resolve_device
from sknets._memory import kept_memory
from sknets._params import estimator
from sknets._random import draw_seed
from sknets._training import checkpoint
from sknets._training.callbacks import (
    Checkpoint,
    NoImprovement,
    Printer,
    Progress,
    RestoreBest,
    TaskCallbacks,
)
from sknets._training.parameters import FlatParameters
from sknets._training.steps import Step
from sknets._training.trainer import DivergedError, Recipe, Seen, Trainer
from sknets._warnings import warn
from sknets.base.held import HeldNetwork, declared_names, declared_state, filled
from sknets.base.parameters import RunParameters
from sknets.base.training_set import Call, TrainingSet

# Of which a fit keeps the values.
AS_FITTED = ("_shape_parameters", "_decoding_parameters", "_lasting_parameters")


@estimator
class NetworkEstimator(CallbackSupportMixin, HeldNetwork, RunParameters, ABC):
    """Abstract: an estimator that holds a network and trains it over minibatches."""

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "module_": "torch.nn.Module: The trained network.",
        "history_": "skorch.history.History: One record an epoch, over all calls.",
        "loss_": "float: The loss of the last epoch, penalty included.",
        "loss_curve_": "list of float of shape (n_epochs,): The loss of each epoch.",
        "n_iter_": "int: Epochs (or iterations of a full-batch solver) of the last call.",
        "t_": "int: Samples seen in training, over all calls.",
        "n_outputs_": "int: Outputs of the network.",
        "n_features_in_": "int: Number of features seen during fit.",
        "feature_names_in_": "ndarray of shape (`n_features_in_`,): Names of features seen during "
        "fit, when they are all strings.",
    }
    _fit_state: ClassVar[dict[str, type]] = {
        "_input_dtype": str,
        "_interrupted": bool,
        "_seed": int,
        "_training_state": dict,
    }
    _doc_link_module = "sknets"
    _doc_link_template = (
        "https://sknets.readthedocs.io/en/latest/generated/sknets.{estimator_name}.html"
    )

    _printed_losses: ClassVar[tuple[str, ...]] = ("train_loss",)
    _trainer_class: ClassVar[type[Trainer]] = Trainer

    # Parameters, of those that a class declares itself, that decide the shape of the network, and
    # cannot change when training goes on.
    _shape_parameters: ClassVar[tuple[str, ...]] = ()
    # Those that decide how inputs are read and what outputs mean, which stay as they were fitted.
    _decoding_parameters: ClassVar[tuple[str, ...]] = ()
    # Those by which weights, or what they put out, would mean something else: they cannot change
    # when training goes on either.
    _lasting_parameters: ClassVar[tuple[str, ...]] = ()

    # -- what a family or a role supplies

    @abstractmethod
    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        """Check the inputs and targets of a fit."""

    @abstractmethod
    def _encode(self, y: Any, fresh: bool, classes: Any) -> np.ndarray | None:
        """Targets as the loss wants them; sets what decoding needs."""

    @abstractmethod
    def _step(self, module: nn.Module, flat: FlatParameters) -> Step:
        """The training step of a batch."""

    @abstractmethod
    def _recipe(self, seed: int, difficulty: np.ndarray | None, incremental: bool) -> Recipe:
        """The parameters in the trainer's words."""

    def _flat(self, module: nn.Module) -> FlatParameters:
        """The network's parameters as one vector."""
        return FlatParameters(module)

    def _split(self, data: TrainingSet) -> tuple[np.ndarray, np.ndarray] | None:
        """The rows to train on and those to hold out, if any are."""
        return None

    def _stopping_rule(self, scored: bool) -> NoImprovement:
        """When to stop before the last epoch: never."""
        return NoImprovement.never()

    def _problem(self, trainer: Trainer, incremental: bool) -> str | None:
        """Why the training may not have converged."""
        return None

    def _reports(self, train: TrainingSet, valid: TrainingSet | None) -> list[Any]:
        """Callbacks that measure and print."""
        return [Printer(self._printed_losses)] if self.verbose else []

    def _draw_seed(self) -> int:
        """The seed of a fit."""
        return draw_seed(self.random_state)

    def _choose_trained(self, module: nn.Module) -> None:
        """Freeze what stays as it is."""

    def _pretrain(self, trainer: Trainer, batches: Data) -> None:
        """What comes before the training proper."""

    def _seen(self, call: Call, held_out: tuple[np.ndarray, np.ndarray] | None) -> Seen:
        """What callbacks are shown of the data."""
        return call.seen(held_out)

    def _difficulty(self, call: Call, n_samples: int) -> np.ndarray | None:
        """How hard each sample is, where it matters."""
        return None

    # -- one fit

    @with_callbacks
    def _fit(self, call: Call) -> Any:
        """Fit from scratch, from the last weights (warm start), or for one epoch (incremental)."""
        before = dict(vars(self))
        with _unchanged_on_error(self):
            self._check_settings(call.incremental)
            fresh = not (hasattr(self, "module_") and (self.warm_start or call.incremental))
            if fresh:
                self._forget()
            else:
                self._check_lasting()
            data = self._training_set(call, fresh)
            data = data._replace(difficulty=self._difficulty(call, data.n_samples))
            self._seed = self._draw_seed()
            identity = self._identity(data, fresh) if not call.incremental else None
            resumed = checkpoint.read(self.checkpoint, identity) if identity else None
            if resumed is not None:
                self._seed = resumed["seed"]
            held_out = self._split(data)
            train, valid = (data, None) if held_out is None else map(data.part, held_out)
            batches = self._batches(train, call.incremental)
            trainer = self._trainer(call, fresh, batches, train, valid, identity)
            if self.callbacks:
                trainer.seen = self._seen(call, held_out)
            if resumed is not None:
                checkpoint.restore(resumed, trainer)
        try:
            self._run(trainer, batches, call, pretrain=fresh and resumed is None)
        except Exception as error:
            diverged = isinstance(error.__cause__, DivergedError)
            if not trainer.epochs_of_call and ("module_" in before or not diverged):
                _restore(self, before)  # nothing was learnt: what was is worth more
            raise
        return self

    def _forget(self) -> None:
        """Drop what earlier fits learnt."""
        for name in declared_state(type(self)).keys() & vars(self).keys():
            delattr(self, name)

    def _weights(self, X: Any, y: Any, sample_weight: Any) -> np.ndarray | None:
        """The weight of each sample, or None where all are 1."""
        if sample_weight is None:
            return None
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        return None if (weight == 1).all() else weight

    def _training_set(self, call: Call, fresh: bool) -> TrainingSet:
        """What the call gave, validated and encoded."""
        X, y = self._validate(call.X, call.y, reset=fresh)
        target = self._encode(y, fresh, call.classes)
        weight = self._weights(X, y, call.sample_weight)
        return TrainingSet(X, target, weight)

    def _identity(self, data: TrainingSet, fresh: bool) -> dict[str, Any] | None:
        """What tells this fit from others in its checkpoint, if it has one."""
        if self.checkpoint is None:
            return None
        self._prepare_checkpoint()
        parameters = self.get_params()
        for name in ("callbacks", "checkpoint", "device", "progress", "random_state", "verbose"):
            del parameters[name]
        if checkpoint.is_folder(self.checkpoint) or isinstance(self.random_state, Integral):
            parameters["random_state"] = self._seed  # else the file knows it
        start = None if fresh else self.__getstate__()["_module_state"]
        return checkpoint.fingerprint(type(self).__name__, parameters, [*data], start)

    def _prepare_checkpoint(self) -> None:
        """Make the folder that the checkpoint names, or raise for one that cannot be."""
        name = type(self).__name__
        if not checkpoint.is_folder(self.checkpoint):
            path = Path(self.checkpoint)
            if not path.name or not path.absolute().parent.is_dir():
                raise ValueError(
                    f"The 'checkpoint' parameter of {name} must be a folder, or a file in a folder "
                    f"that exists. Got {self.checkpoint!r} instead."
                )
            return
        if self.random_state is None:
            raise ValueError(
                f"checkpoint={self.checkpoint!r} is a folder, where the seed too tells fits apart: "
                f"give the 'random_state' parameter of {name} an int. Got None instead."
            )
        Path(self.checkpoint).mkdir(parents=True, exist_ok=True)

    def _batches(self, data: TrainingSet, incremental: bool) -> Data:
        """Minibatches on the device and in the precision that the parameters ask for."""
        n = data.n_samples
        batch_size = self._batch_size(n)
        if self._full_batch and not is_streamed(data.X):
            batch_size = n
        given = np.dtype(data.X.dtype)
        self._input_dtype = given.name
        dtype = compute_dtype(self.precision, given, self._full_batch or n <= batch_size)
        return data.batches(batch_size, dtype, resolve_device(self.device))

    def _as_one_batch(self, data: TrainingSet, dtype: torch.dtype) -> Data:
        """All samples at once, on the CPU."""
        return data.batches(data.n_samples, dtype, torch.device("cpu"))

    def _batch_size(self, n: int) -> int:
        if self.batch_size == "auto":
            return min(200, n)
        if self.batch_size == "full":
            return n
        if self.batch_size > n:
            warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped"
            )
        return int(min(self.batch_size, n))  # torch takes no other whole numbers

    def _trainer(
        self,
        call: Call,
        fresh: bool,
        batches: Data,
        train: TrainingSet,
        valid: TrainingSet | None,
        identity: dict[str, Any] | None,
    ) -> Trainer:
        """Build (or take up) the network, and the trainer to train it with."""
        module = self._new_module() if fresh else self._continued_module()
        self._choose_trained(module)
        self.module_ = module.to(batches.device, batches.dtype)
        self._keep_shape()
        if fresh:
            self._start_records()
        flat = self._flat(module)
        stopping = self._stopping_rule(scored=valid is not None)
        return self._trainer_class(
            module,
            flat,
            self._step(module, flat),
            self._recipe(self._seed, train.difficulty, call.incremental),
            stopping=stopping,
            callbacks=self._trainer_callbacks(call, train, valid, stopping, identity),
            predictor=self,
            history=self.history_,
            samples_seen=self.t_,
            multiply_adds=self._work().multiply_adds,
            device=batches.device,
            earlier=getattr(self, "_training_state", None) if call.incremental else None,
        )

    def _new_module(self) -> nn.Module:
        """A network with fresh weights."""
        build = partial(self._build, self._input_shape(), self.n_outputs_)
        return self._initialised(build, self._seed)

    def _continued_module(self) -> nn.Module:
        """The present parameters' network with a copy of the weights of the last call."""
        state = {k: v.clone() for k, v in self.module_.state_dict().items()}
        with torch.device("meta"):
            module = self._build(self._input_shape(), self.n_outputs_)
        expected = {k: v.shape for k, v in module.state_dict().items()}
        if expected != {k: v.shape for k, v in state.items()}:
            changed = self._changed("_shape_parameters")
            assert changed, "a parameter that shapes the network is not in _shape_parameters"
            self._refuse(changed[0], "changes the shape of the network and ")
        return filled(module, state)

    def _check_lasting(self) -> None:
        """Raise for a parameter by which the weights that there are would mean something else."""
        for name in self._changed("_lasting_parameters"):
            self._refuse(name)

    def _changed(self, field: str) -> list[str]:
        """Those of some parameters that were set to something else since the fit."""
        names = declared_names(type(self), field)
        return [k for k in names if _nested(getattr(self, k)) != _nested(self._shape[k])]

    def _refuse(self, name: str, what: str = "") -> None:
        raise ValueError(
            f"The {name!r} parameter of {type(self).__name__} {what}cannot change when training "
            f"goes on: it was {self._shape[name]!r} and is {getattr(self, name)!r}. Call fit with "
            "warm_start=False."
        )

    def _start_records(self) -> None:
        """What a fit from scratch starts from."""
        self.history_ = History()
        self.loss_curve_: list[float] = []
        self.t_ = self.n_iter_ = 0
        self.loss_ = np.inf

    def _trainer_callbacks(
        self,
        call: Call,
        train: TrainingSet,
        valid: TrainingSet | None,
        stopping: NoImprovement,
        identity: dict[str, Any] | None,
    ) -> list[Any]:
        """Callbacks in the order they must run: measure, report, decide, then the user's."""
        found = [*self._reports(train, valid), stopping]
        if self.progress:
            found.append(Progress())
        if identity is not None:
            write = partial(checkpoint.write, self.checkpoint, identity, self._seed)
            found.append(Checkpoint(write))
        found.append(RestoreBest(stopping))
        if getattr(self, "_skl_callbacks", None):
            data = {"X": call.X, "y": call.y, "metadata": call.metadata}
            found.append(TaskCallbacks(self, data, self._fitted_now))
        return found + list(self.callbacks or [])

    def _run(self, trainer: Trainer, batches: Data, call: Call, pretrain: bool) -> None:
        """Train, and set what was learnt, however the training ends."""
        try:
            with kept_memory():
                if pretrain:
                    with trainer.interruptible():
                        self._pretrain(trainer, batches)
                if not trainer.interrupted:
                    trainer.train(batches)
        except DivergedError as error:
            rate = "learning_rate_init" if hasattr(self, "learning_rate_init") else "learning_rate"
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                f"values and need to be preprocessed. ({type(self).__name__}: {error}; the weights "
                f"before it are kept. A smaller {rate} or a StandardScaler may help.)"
            ) from error
        finally:
            self._record(trainer)
        problem = self._problem(trainer, call.incremental)
        if problem is not None:
            warn(problem, ConvergenceWarning)

    def _keep_shape(self) -> None:
        """Remember the values of parameters that a fit is bound to."""
        listed = (declared_names(type(self), field) for field in AS_FITTED)
        self._shape = {name: getattr(self, name) for name in chain(*listed)}

    def _record(self, trainer: Trainer) -> None:
        """Fitted attributes after (a part of) a training."""
        history = trainer.history
        self.module_.eval()
        self.n_iter_, self._interrupted = trainer.epochs_of_call, trainer.interrupted
        self.t_ = trainer.samples_seen
        self.loss_curve_ = history[:, "train_loss"] if history else []
        if history:
            self.loss_ = self.loss_curve_[-1]
        if not self._full_batch:
            self._training_state = trainer.state()
        if trainer.compute_device.type == "cpu":
            parameter = next(self.module_.parameters())
            given = getattr(torch, self._input_dtype)
            self.module_.to(torch.promote_types(parameter.dtype, given))

    def _fitted_now(self) -> dict[str, Any]:
        """What a copy of this estimator needs to predict as if training ended here."""
        state = {k: v.detach().clone() for k, v in self.module_.state_dict().items()}
        return {"module_": self._module_with(state).eval()}


def _nested(value: Any) -> Any:
    """Lists and arrays as tuples, to be compared; their items may be of unequal lengths."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return tuple(map(_nested, value)) if isinstance(value, (list, tuple)) else value


@contextmanager
def _unchanged_on_error(estimator: BaseEstimator) -> Iterator[None]:
    """Give the estimator back its attributes if an error ends the block."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        _restore(estimator, before)
        raise


def _restore(estimator: BaseEstimator, attributes: dict[str, Any]) -> None:
    vars(estimator).clear()
    vars(estimator).update(attributes)
