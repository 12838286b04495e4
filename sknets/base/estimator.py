"""One fit walked: validate, encode, seed, build, train; and the way back: predict, decode."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_is_fitted,
    validate_data,
)
from skorch.dataset import Dataset as SkorchDataset
from skorch.history import History
from torch import Tensor, nn
from torch.utils.data import Dataset

from sknets._data import (
    Data,
    DatasetRows,
    LazyRows,
    ResidentData,
    StreamedData,
    as_tensor,
    is_streamed,
    slices,
    sparse_tensor,
)
from sknets._device import compute_dtype, resolve_device, threads_for
from sknets._params import estimator
from sknets._random import Stream, derived_seed, draw_seed
from sknets._state import to_arrays, to_tensors
from sknets._training import checkpoint
from sknets._training.callbacks import (
    Checkpoint,
    NoImprovement,
    Printer,
    Progress,
    TaskCallbacks,
    Validation,
)
from sknets._training.losses import Loss
from sknets._training.objective import FullObjective
from sknets._training.optimizers import FullBatchResult
from sknets._training.parameters import FlatParameters
from sknets._training.steps import Step, SupervisedStep, weighted_mean
from sknets._training.trainer import DivergedError, Trainer
from sknets._warnings import warn
from sknets.base.parameters import TrainingParameters

PREDICT_BYTES = 32 * 2**20  # of the widest values of a slice that is predicted at a time

# Private attributes that a fit sets; together with those that end in "_" they are what it learns.
FIT_STATE = (
    "_input_dtype",
    "_no_improvement_count",
    "_seed",
    "_shape",
    "_snapshots",
    "_target_kind",
    "_training_state",
)


class TrainingSet(NamedTuple):
    """Validated inputs, encoded targets and total weights of a fit."""

    X: Any
    target: np.ndarray
    weight: np.ndarray | None

    def part(self, rows: np.ndarray) -> TrainingSet:
        """Some of the samples; streamed inputs stay where they are."""
        X = LazyRows(self.X, rows) if is_streamed(self.X) else self.X[rows]
        return TrainingSet(X, self.target[rows], None if self.weight is None else self.weight[rows])


@estimator
class NetworkEstimator(CallbackSupportMixin, TrainingParameters, ABC):
    """Abstract: an estimator that holds a network and trains it by gradient descent."""

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "module_": "torch.nn.Module: The trained network.",
        "history_": "skorch.history.History: One record an epoch, over all calls.",
        "loss_": "float: The loss of the last epoch, penalty included.",
        "loss_curve_": "list of float of shape (n_epochs,): The loss of each epoch.",
        "best_loss_": "float or None: The lowest loss; None with early_stopping=True.",
        "validation_scores_": "list of float or None: The validation score of each epoch, with "
        "early_stopping=True.",
        "best_validation_score_": "float or None: The highest of them.",
        "n_iter_": "int: Epochs (or iterations of a full-batch solver) of the last call.",
        "t_": "int: Samples seen in training, over all calls.",
        "n_outputs_": "int: Outputs of the network.",
        "n_features_in_": "int: Number of features seen during fit.",
        "feature_names_in_": "ndarray of shape (`n_features_in_`,): Names of features seen during "
        "fit, when they are all strings.",
    }
    _doc_link_module = "sknets"
    _doc_link_template = (
        "https://sknets.readthedocs.io/en/latest/generated/sknets.{estimator_name}.html"
    )

    # Parameters that decide the shape of the network, which cannot change when training goes on.
    _shape_parameters: ClassVar[tuple[str, ...]] = ()

    # -- what a family or a role supplies

    @abstractmethod
    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> nn.Module:
        """The network for inputs of a shape, its contents undefined."""

    @abstractmethod
    def _initialise(self, module: nn.Module, seed: int) -> None:
        """Fill the network's parameters and buffers."""

    @abstractmethod
    def _loss_function(self) -> Loss:
        """The loss to minimise, once targets are encoded."""

    @abstractmethod
    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        """Check the inputs and targets of a fit."""

    @abstractmethod
    def _encode(self, y: Any, fresh: bool, classes: Any) -> np.ndarray:
        """Targets as the loss wants them; sets what decoding needs."""

    @abstractmethod
    def _score(self, target: np.ndarray, raw: Tensor, weight: np.ndarray | None) -> float:
        """The validation score of raw outputs against encoded targets."""

    def _step(self, module: nn.Module, flat: FlatParameters, loss: Loss) -> Step:
        """The training step of a batch."""
        return SupervisedStep(module, loss, flat.grad)

    def _pretrain(self, trainer: Trainer, batches: Data) -> None:
        """What comes before the training proper."""

    def _stratify(self, target: np.ndarray) -> np.ndarray | None:
        """What the validation split is stratified by."""
        return None

    def _input_shape(self) -> tuple[int, ...]:
        """The shape of one input of the network."""
        return (self.n_features_in_,)

    # -- one fit

    @with_callbacks
    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        difficulty: Any = None,
        *,
        incremental: bool = False,
        classes: Any = None,
    ) -> Any:
        """Fit from scratch, from the last weights (warm start), or for one epoch (incremental)."""
        given = {
            "X": X,
            "y": y,
            "metadata": None if sample_weight is None else {"sample_weight": sample_weight},
        }
        with _unchanged_on_error(self):
            self._check_settings(incremental)
            fresh = not (hasattr(self, "module_") and (self.warm_start or incremental))
            if fresh:
                self._forget()
            X, y = self._validate(X, y, reset=fresh)
            data = TrainingSet(
                X, self._encode(y, fresh, classes), self._weights(X, y, sample_weight)
            )
            difficulty = self._checked_difficulty(difficulty, len(data.target))
            self._seed = draw_seed(self.random_state)
            resumed = None if incremental else self._checkpointed(data, difficulty, fresh)
            train, valid = data, None
            held_out = self._split(data.target)
            if held_out is not None:
                train, valid = (data.part(rows) for rows in held_out)
                self._check_weights(train, valid)
                difficulty = None if difficulty is None else difficulty[held_out[0]]
            batches = self._batches(train)
            trainer = self._trainer(batches, valid, difficulty, given, fresh, incremental)
            if self.callbacks:
                trainer.given = {"X": given["X"], "y": given["y"]}
                trainer.dataset_train, trainer.dataset_valid = _seen(given, held_out)
            if resumed is not None:
                checkpoint.restore(resumed, self._stopping, trainer)
        self._run(trainer, batches, incremental, pretrain=fresh and resumed is None)
        return self

    def _forget(self) -> None:
        """Drop what earlier fits learnt."""
        parameters = self.get_params(deep=False)
        for name in list(vars(self)):
            if (name.endswith("_") or name in FIT_STATE) and name not in parameters:
                delattr(self, name)

    def _weights(self, X: Any, y: Any, sample_weight: Any) -> np.ndarray | None:
        """The weight of each sample, or None where all are 1."""
        if sample_weight is None:
            return None
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        return None if (weight == 1).all() else weight

    def _check_weights(self, *parts: TrainingSet) -> None:
        """Neither part may be without weight."""
        if any(part.weight is not None and not part.weight.any() for part in parts):
            raise ValueError(
                "All samples that are held out by early_stopping, or all others, have a "
                "sample_weight of 0. Drop samples without weight, or change random_state."
            )

    def _checked_difficulty(self, difficulty: Any, n_samples: int) -> np.ndarray | None:
        if difficulty is None:
            if self.curriculum is not None:
                raise ValueError(
                    f"curriculum={self.curriculum!r} needs the difficulty of each sample: "
                    "fit(X, y, difficulty=...)."
                )
            return None
        difficulty = check_array(
            difficulty, ensure_2d=False, input_name="difficulty", dtype=np.float64
        )
        if difficulty.shape != (n_samples,):
            raise ValueError(
                f"difficulty must have shape ({n_samples},), one value a sample. "
                f"Got {difficulty.shape} instead."
            )
        return difficulty

    def _checkpointed(
        self, data: TrainingSet, difficulty: np.ndarray | None, fresh: bool
    ) -> dict[str, Any] | None:
        """The state of this very fit, where a checkpoint holds one; it brings its seed along."""
        if self.checkpoint is None:
            return None
        folder = Path(self.checkpoint).absolute().parent
        if not folder.is_dir():
            raise ValueError(
                f"The 'checkpoint' parameter of {type(self).__name__} must be a file in a folder "
                f"that exists. Got {self.checkpoint!r} instead."
            )
        parameters = self.get_params()
        for name in ("callbacks", "checkpoint", "device", "progress", "verbose"):
            del parameters[name]
        if not isinstance(self.random_state, Integral):
            del parameters["random_state"]  # the file knows the seed
        start = None if fresh else self.__getstate__()["_module_state"]
        self._identity = checkpoint.fingerprint(
            type(self).__name__, parameters, [*data, difficulty, start]
        )
        state = checkpoint.read(self.checkpoint, self._identity)
        if state is not None:
            self._seed = state["seed"]
        return state

    def _split(self, target: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """The rows to train on and those to hold out, if any are."""
        if not self.early_stopping or self._full_batch:
            return None
        train, valid = train_test_split(
            np.arange(len(target)),
            test_size=self.validation_fraction,
            stratify=self._stratify(target),
            random_state=derived_seed(self._seed, Stream.SPLIT),
        )
        if len(valid) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' "
                "or the size of your dataset."
            )
        return train, valid

    def _batches(self, data: TrainingSet) -> Data:
        """Minibatches of a training set: held on the device, or streamed to it."""
        X, n = data.X, len(data.target)
        device = resolve_device(self.device)
        batch_size = self._batch_size(n)
        streamed = is_streamed(X)
        if self._full_batch and not streamed:
            batch_size = n
        self._input_dtype = np.dtype(X.dtype).name
        exact = self._full_batch or n <= batch_size
        dtype = compute_dtype(self.precision, np.dtype(X.dtype), exact)
        home = "cpu" if streamed else device
        target = _target_tensor(data.target, dtype, home)
        weight = None if data.weight is None else as_tensor(data.weight, dtype, home)
        if streamed:
            row_bytes = X.nbytes // max(1, n)
            return StreamedData(
                X.__getitem__,
                n,
                row_bytes,
                target,
                weight,
                batch_size=batch_size,
                dtype=dtype,
                device=device,
            )
        if sp.issparse(X):
            x = sp.csr_array(X).astype(str(dtype).removeprefix("torch."), copy=False)
        else:
            x = as_tensor(X, dtype, device)
        return ResidentData(x, target, weight, batch_size=batch_size, dtype=dtype, device=device)

    def _batch_size(self, n: int) -> int:
        if self.batch_size == "auto":
            return min(200, n)
        if self.batch_size == "full":
            return n
        if self.batch_size > n:
            warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped"
            )
        return min(self.batch_size, n)

    def _trainer(
        self,
        batches: Data,
        valid: TrainingSet | None,
        difficulty: np.ndarray | None,
        given: dict[str, Any],
        fresh: bool,
        incremental: bool,
    ) -> Trainer:
        """Build (or take up) the network, and the trainer to train it with."""
        module = self._new_module() if fresh else self._continued_module()
        self.module_ = module.to(batches.device, batches.dtype)
        if fresh:
            self._shape = {name: getattr(self, name) for name in self._shape_parameters}
            self._start_records()
        loss = self._loss_function()
        flat = FlatParameters(module)
        trainer = Trainer(
            module,
            flat,
            self._step(module, flat, loss),
            self._recipe(self._seed, difficulty, incremental),
            callbacks=self._trainer_callbacks(valid, loss, given, incremental),
            predictors={
                name: getattr(self, name)
                for name in ("predict", "predict_proba")
                if hasattr(self, name)
            },
            samples_seen=self.t_,
            device=batches.device,
        )
        trainer.history_ = self.history_
        if incremental and not fresh:
            trainer.load_state(self._training_state)
            trainer.continued = True
        return trainer

    def _new_module(self) -> nn.Module:
        """A network with fresh weights."""
        build = partial(self._build, self._input_shape(), self.n_outputs_)
        return self._initialised(build, self._seed)

    def _initialised(self, build: Callable[[], nn.Module], seed: int) -> nn.Module:
        """A network filled in float64 on the CPU, whatever it will compute in, from its seed.

        It is made on the meta device, where torch's own initialisation draws nothing.
        """
        with torch.device("meta"):
            module = build()
        module = module.to(torch.float64).to_empty(device="cpu")
        self._initialise(module, seed)
        return module

    def _continued_module(self) -> nn.Module:
        """The present parameters' network with a copy of the weights of the last call."""
        state = {k: v.clone() for k, v in self.module_.state_dict().items()}
        with torch.device("meta"):
            module = self._build(self._input_shape(), self.n_outputs_)
        expected = {k: v.shape for k, v in module.state_dict().items()}
        if expected != {k: v.shape for k, v in state.items()}:
            now = {name: getattr(self, name) for name in self._shape}
            name = next(k for k, v in self._shape.items() if not np.array_equal(v, now[k]))
            raise ValueError(
                f"The {name!r} parameter of {type(self).__name__} changes the shape of the "
                f"network and cannot change when training goes on: it was {self._shape[name]!r} "
                f"and is {now[name]!r}. Call fit with warm_start=False."
            )
        return self._module_with(state)

    def _module_with(self, state: dict[str, Tensor]) -> nn.Module:
        """A network that holds the given tensors."""
        with torch.device("meta"):
            module = self._build(self._input_shape(), self.n_outputs_)
        module.load_state_dict(state, assign=True)
        return module.requires_grad_(True)

    def _start_records(self) -> None:
        """What a fit from scratch starts from."""
        self.history_ = History()
        self.loss_curve_: list[float] = []
        self.t_ = self.n_iter_ = self._no_improvement_count = 0
        stopping = self.early_stopping
        self.best_loss_: float | None = None if stopping else np.inf
        self.validation_scores_: list[float] | None = [] if stopping else None
        self.best_validation_score_ = -np.inf if stopping else None

    def _trainer_callbacks(
        self, valid: TrainingSet | None, loss: Loss, given: dict[str, Any], incremental: bool
    ) -> list[Any]:
        """Callbacks in the order they must run: measure, report, decide, then the user's."""
        found: list[Any] = []
        if valid is not None:
            found.append(Validation(partial(self._measure, valid, loss)))
        if self.verbose:
            found.append(Printer())
        best = self.best_loss_ if valid is None else self.best_validation_score_
        self._stopping = NoImprovement(
            "train_loss" if valid is None else "valid_score",
            self.tol,
            np.inf if self._full_batch else self.n_iter_no_change,
            np.inf if best is None else best,
            self._no_improvement_count,
            keep_best=valid is not None,
        )
        found.append(self._stopping)
        if self.progress:
            found.append(Progress())
        if getattr(self, "_skl_callbacks", None):
            found.append(TaskCallbacks(self, given, self._fitted_now))
        if self.checkpoint is not None and not incremental:
            write = partial(
                checkpoint.write, self.checkpoint, self._identity, self._seed, self._stopping
            )
            found.append(Checkpoint(write))
        return found + list(self.callbacks or [])

    def _measure(self, valid: TrainingSet, loss: Loss) -> dict[str, float]:
        """Loss and score on the held-out samples."""
        with torch.inference_mode():
            raw = torch.cat(list(self._forward(valid.X, self.module_)))
            score = np.nan
            if torch.isfinite(raw).all():
                score = float(self._score(valid.target, raw, valid.weight))
            target = _target_tensor(valid.target, raw.dtype, raw.device)
            weight = None
            if valid.weight is not None:
                weight = as_tensor(valid.weight, raw.dtype, raw.device)
            value = weighted_mean(loss(raw, target), weight).item()
        return {"valid_loss": value, "valid_score": score}

    def _run(self, trainer: Trainer, batches: Data, incremental: bool, pretrain: bool) -> None:
        """Train, and set what was learnt, however the training ends."""
        try:
            if pretrain:
                self._pretrain(trainer, batches)
            trainer.train(batches)
        except DivergedError as error:
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                f"values and need to be preprocessed. ({type(self).__name__}: {error}; the weights "
                "before it are kept. A smaller learning_rate_init or a StandardScaler may help.)"
            ) from error
        finally:
            self._record(trainer)
        problem = self._problem(trainer, incremental)
        if problem is not None:
            warn(problem, ConvergenceWarning)

    def _record(self, trainer: Trainer) -> None:
        """Fitted attributes after (a part of) a training."""
        history, stopping = trainer.history, self._stopping
        self.n_iter_ = trainer.epochs_of_call
        self.t_ = trainer.samples_seen
        self.loss_curve_ = history[:, "train_loss"] if history else []
        if history:
            self.loss_ = self.loss_curve_[-1]
        self._no_improvement_count = stopping.count
        if stopping.keep_best:
            self.validation_scores_ = [r["valid_score"] for r in history if "valid_score" in r]
            self.best_validation_score_ = stopping.best
        elif not self.early_stopping:
            self.best_loss_ = stopping.best
        if trainer.result is not None:
            self.n_iter_ = min(trainer.result.n_iter, self.max_iter)
            self.loss_ = trainer.result.value
        elif not self._full_batch:
            self._training_state = trainer.state()
            snapshots = (trainer.flat.as_state_dict(s) for s in trainer.snapshots)
            earlier = getattr(self, "_snapshots", []) if trainer.continued else []
            taken = earlier + [to_arrays(state) for state in snapshots]
            self._snapshots = taken[-self.n_snapshots :]
        del self._stopping
        self.__dict__.pop("_identity", None)
        if trainer.compute_device.type == "cpu":
            parameter = next(self.module_.parameters())
            given = getattr(torch, self._input_dtype)
            self.module_.to(torch.promote_types(parameter.dtype, given))

    def _problem(self, trainer: Trainer, incremental: bool) -> str | None:
        """Why the training may not have converged."""
        result: FullBatchResult | None = trainer.result
        if result is not None:
            return (
                None
                if result.converged or trainer.stop_message
                else (
                    f"{self.solver} failed to converge after {result.n_iter} iteration(s): "
                    f"{result.message}. You might also want to scale the data or increase max_iter."
                )
            )
        if trainer.diverged:
            return (
                f"The training loss became non-finite in epoch {len(self.history_)}; the best "
                "weights before it are kept."
            )
        expected = incremental or trainer.recipe.schedule.ends_by_design
        if expected or trainer.stop_message or trainer.interrupted or self._full_batch:
            return None
        return (
            f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
            "optimization hasn't converged yet."
        )

    def _fitted_now(self) -> dict[str, Any]:
        """What a copy of this estimator needs to predict as if training ended here."""
        state = {k: v.detach().clone() for k, v in self.module_.state_dict().items()}
        return {"module_": self._module_with(state).eval()}

    def _objective(self, X: Any, y: Any, sample_weight: Any = None) -> FullObjective:
        """What training minimises, on given data, as a function of a copy of the weights."""
        check_is_fitted(self)
        X, y = self._validate(X, y, reset=False)
        target = self._encode(y, False, None)
        weight = self._weights(X, y, sample_weight)
        exact = torch.float64, torch.device("cpu")
        data = ResidentData(
            _input_tensor(X, *exact),
            _target_tensor(target, *exact),
            None if weight is None else as_tensor(weight, *exact),
            batch_size=len(target),
            dtype=exact[0],
            device=exact[1],
        )
        module = self._module_with(to_tensors(to_arrays(self.module_.state_dict())))
        module = module.to(torch.float64).eval()
        flat = FlatParameters(module)
        step = self._step(module, flat, self._loss_function())
        penalty = self._recipe(self._seed, None, incremental=False).penalty
        return FullObjective(module, flat, step, penalty, data)

    # -- prediction

    def _validated_rows(self, X: Any) -> Any:
        """Check the inputs of a prediction."""
        check_is_fitted(self)
        if isinstance(X, Dataset):
            return self._dataset_rows(X, reset=False)
        return validate_data(
            self, X, accept_sparse=["csr", "csc"], dtype=(np.float64, np.float32), reset=False
        )

    def _dataset_rows(self, dataset: Dataset, reset: bool) -> DatasetRows:
        """A torch Dataset as rows, its first item checked."""
        if not len(dataset):  # type: ignore[arg-type]
            raise ValueError(
                "Found a Dataset with 0 sample(s) while a minimum of 1 is required by "
                f"{type(self).__name__}."
            )
        X = DatasetRows(dataset)
        if reset:
            self.n_features_in_ = int(np.prod(X.shape[1:]))
        if X.shape[1:] != self._input_shape():
            raise ValueError(
                f"The items of X have shape {X.shape[1:]}, but {type(self).__name__} is expecting "
                f"{self._input_shape()} as input."
            )
        return X

    def _forward(self, X: Any, function: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
        """A function of the network over validated inputs, a slice of them at a time."""
        parameters = list(self.module_.parameters())
        dtype, device = parameters[0].dtype, parameters[0].device
        widest = max(X.shape[1], *(p.shape[0] for p in parameters))
        rows = min(X.shape[0], max(1, PREDICT_BYTES // (8 * widest)))
        work = 2.0 * rows * sum(p.numel() for p in parameters)
        for part in slices(X.shape[0], rows):
            with threads_for(work, device):
                yield function(_input_tensor(X[part], dtype, device))

    def _array(self, parts: Iterator[Tensor], X: Any) -> np.ndarray:
        """The parts of a result as one array in the dtype of the input."""
        tensors = list(parts)
        whole = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
        return whole.cpu().numpy().astype(X.dtype, copy=False)

    def _outputs(self, X: Any) -> np.ndarray:
        """Probabilities or means for validated inputs, averaged over the snapshots if any."""
        loss = self._loss_function()
        with torch.inference_mode():
            if self._has_snapshots:
                return self._array(self._forward(X, self._ensemble(loss)), X)
            # In the input's precision, so that probabilities add up to 1 in it.
            dtype = getattr(torch, np.dtype(X.dtype).name)
            return self._array(
                self._forward(X, lambda x: loss.outputs(self.module_(x).to(dtype))), X
            )

    @property
    def _has_snapshots(self) -> bool:
        return bool(getattr(self, "_snapshots", None))

    def _ensemble(self, loss: Loss) -> Callable[[Tensor], Tensor]:
        """The mean output of the snapshots (Huang et al., 2017)."""
        parameter = next(self.module_.parameters())
        states = [
            {name: tensor.to(parameter) for name, tensor in to_tensors(state).items()}
            for state in self._snapshots
        ]

        def mean(x: Tensor) -> Tensor:
            members = [torch.func.functional_call(self.module_, s, (x,)) for s in states]
            return torch.stack([loss.outputs(raw) for raw in members]).mean(0)

        return mean

    # -- state

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """Plain values and arrays: the network is rebuilt from its parameters when loaded."""
        state = dict(super().__getstate__())
        if "module_" in state:
            state["_module_state"] = to_arrays(state.pop("module_").state_dict())
            state["history_"] = checkpoint.plain_history(state["history_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        arrays = state.pop("_module_state", None)
        super().__setstate__(state)
        if arrays is not None:
            self.history_ = History(state["history_"])
            self.module_ = self._module_with(to_tensors(arrays)).eval()
            with suppress(ValueError):  # a device that this machine lacks: stay on the CPU
                self.module_.to(resolve_device(self.device))


def _target_tensor(target: np.ndarray, dtype: torch.dtype, device: Any) -> Tensor:
    """Class indices stay whole numbers, all else becomes the network's dtype."""
    return as_tensor(target, torch.int64 if target.dtype.kind in "iu" else dtype, device)


def _input_tensor(X: Any, dtype: torch.dtype, device: torch.device) -> Tensor:
    if sp.issparse(X):
        return sparse_tensor(sp.csr_array(X), device).to(dtype)
    return as_tensor(X, dtype, device)


def _seen(
    given: dict[str, Any], held_out: tuple[np.ndarray, np.ndarray] | None
) -> tuple[SkorchDataset, SkorchDataset | None]:
    """The data as it was given, which skorch's callbacks score the trainer on."""
    X, y = given["X"], given["y"]
    if held_out is None or isinstance(X, Dataset):
        return SkorchDataset(X, y), None
    train, valid = (
        SkorchDataset(_safe_indexing(X, rows), _safe_indexing(y, rows)) for rows in held_out
    )
    return train, valid


@contextmanager
def _unchanged_on_error(estimator: BaseEstimator) -> Iterator[None]:
    """Give the estimator back its attributes if an error ends the block."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
