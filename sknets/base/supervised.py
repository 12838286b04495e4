"""Networks that learn targets from inputs: what classifiers and regressors add to a fit."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import validate_data
from torch import Tensor, nn
from torch.utils.data import Dataset

from sknets._data import ConvertedRows, as_array, as_tensor, is_converted, targets_of
from sknets._params import Interval, InvalidParameterError, OneOf, estimator, param
from sknets._sequences import flat
from sknets._state import to_tensors
from sknets._targets import (
    KINDS,
    LossClass,
    Targets,
    columns,
    dense,
    found_targets,
    given_targets,
    n_targets,
    same_classes,
    sorted_classes,
)
from sknets._training import losses
from sknets._training.parameters import FlatParameters
from sknets._training.steps import AutogradStep, Step, weighted_mean
from sknets.base.descent import DescentEstimator, is_stochastic
from sknets.base.training_set import Call, TrainingSet, target_tensor


class SupervisedNetwork(DescentEstimator):
    """Abstract: an estimator that learns `y` from `X`."""

    _decoding_parameters: ClassVar[tuple[str, ...]] = ("loss",)

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, difficulty: Any = None) -> Any:
        """Fit the network to inputs `X` and targets `y`.

        With a `checkpoint`, a fit that was killed goes on where it was; `partial_fit` keeps none.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or torch Dataset
            The input data, or what else the class takes, such as images or sequences.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_targets)
            The targets: classes, or real numbers. None takes them from the items of a Dataset.
            Multilabel classes may be in a sparse matrix, and are then predicted in one.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss and in the validation score.
        difficulty : array-like of shape (n_samples,), default=None
            How hard each sample is, by which a `curriculum` orders them. Ignored without one.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed, or if the loss stops being finite.
        """
        return self._fit(Call(X, y, sample_weight, difficulty))

    @abstractmethod
    def _score(self, target: np.ndarray, raw: Tensor, weight: np.ndarray | None) -> float:
        """The validation score of raw outputs against encoded targets."""

    @abstractmethod
    def _loss_function(self) -> losses.Loss:
        """The loss to minimise, once targets are encoded."""

    def _step(self, module: nn.Module, flat: FlatParameters) -> Step:
        return AutogradStep(module, self._loss_function(), flat.grad, self._mixed)

    def _measure(self, valid: TrainingSet) -> dict[str, float]:
        """Loss and score on the held-out samples."""
        with torch.inference_mode():
            raw = torch.cat(list(self._forward(valid.X, self.module_)))
            score = np.nan
            if torch.isfinite(raw).all():
                score = float(self._score(flat(valid.target), raw, flat(valid.weight)))
            target = target_tensor(flat(valid.target), raw.dtype, raw.device)
            weight = None
            if valid.weight is not None:
                weight = as_tensor(flat(valid.weight), raw.dtype, raw.device)
            value = weighted_mean(self._loss_function()(raw, target), weight).item()
        return {"valid_loss": value, "valid_score": score}

    # -- predictions

    def _outputs(self, X: Any) -> np.ndarray:
        """Probabilities or means for validated inputs, averaged over the members if several."""
        loss, members = self._fitted_loss(), self._members()
        # In the input's precision, so that probabilities add up to 1 in it.
        dtype = getattr(torch, np.dtype(X.dtype).name)

        def mean(x: Tensor) -> Tensor:
            outputs = [loss.outputs(member(x).to(dtype)) for member in members]
            return outputs[0] if len(outputs) == 1 else torch.stack(outputs).mean(0)

        with torch.inference_mode():
            return self._array(self._forward(X, mean), X)

    def _run_once(self) -> None:
        self._outputs(np.zeros((1, self.n_features_in_)))

    def _fitted_loss(self) -> losses.Loss:
        """The loss that was minimised, whatever `loss` was set to since."""
        if self._shape["loss"] == self.loss:
            return self._loss_function()
        return self._as_fitted()._loss_function()

    def _members(self) -> list[Callable[..., Tensor]]:
        """What predictions are the mean of: the network, or its snapshots (Huang et al., 2017)."""
        if not getattr(self, "_snapshots", None):
            return [self.module_]
        parameter = next(self.module_.parameters())
        states = (to_tensors(state) for state in self._snapshots)
        return [
            partial(_with_state, self.module_, {name: t.to(parameter) for name, t in state.items()})
            for state in states
        ]

    # -- inputs and targets

    def _validated_pair(
        self, X: Any, y: Any, reset: bool, y_numeric: bool = False
    ) -> tuple[Any, Any]:
        """scikit-learn's validation of inputs and targets; a Dataset's by its first item."""
        y = targets_of(X, y)
        if isinstance(X, Dataset):
            X = self._dataset_rows(X, reset)
            y = check_array(y, ensure_2d=False, dtype=None)
            check_consistent_length(X, y)
            return X, y
        X, y = as_array(X), as_array(y)
        converted = is_converted(X)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=y_numeric,
            dtype=None if converted else (np.float64, np.float32),
            reset=reset,
        )
        return (ConvertedRows(X) if converted else X), y


def _with_state(module: nn.Module, state: dict[str, Tensor], x: Tensor, **how: Any) -> Tensor:
    """The outputs of a network with other parameters and buffers."""
    return torch.func.functional_call(module, state, (x,), how)


CLASS_LOSSES: dict[str, tuple[LossClass, LossClass]] = {
    "log_loss": (losses.SigmoidLogLoss, losses.SoftmaxLogLoss),
    "hinge": (losses.BinaryHinge, losses.MulticlassHinge),
    "squared_hinge": (partial(losses.BinaryHinge, 2), partial(losses.MulticlassHinge, 2)),
}


def has_probabilities(self: NetworkClassifier) -> bool:
    """Whether the outputs are probabilities, for `available_if`."""
    if self.loss != "log_loss":
        raise AttributeError(f"probabilities are not available with loss={self.loss!r}.")
    return True


@estimator
class NetworkClassifier(ClassifierMixin, SupervisedNetwork):
    """Abstract: a network that tells classes apart."""

    loss: str = param(
        "log_loss",
        OneOf(*CLASS_LOSSES),
        "What is minimised; the hinge losses give no probabilities.",
    )
    class_weight: Any = param(
        None,
        [OneOf("balanced"), dict, list, None],
        "Weights of the classes, {class: weight}, or a list of such dicts for several targets; "
        "'balanced' for weights inversely proportional to class frequencies.",
    )
    label_smoothing: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "Share of each target that is spread evenly over all classes, with loss='log_loss'.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "classes_": "ndarray of shape (n_classes,) or list of ndarray: The classes of each target.",
        "out_activation_": "str: The activation of the output layer.",
    }
    _fit_state: ClassVar[dict[str, type]] = {"_target_kind": str}

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        if self.label_smoothing and self.loss != "log_loss":
            raise ValueError(
                f"label_smoothing needs loss='log_loss', got loss={self.loss!r} and "
                f"label_smoothing={self.label_smoothing}."
            )
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' is not supported by partial_fit, which sees only a part "
                "of the data. Pass the weights as a dict {class: weight} instead, e.g. from "
                "sklearn.utils.class_weight.compute_class_weight."
            )

    @property
    def _targets(self) -> Targets:
        """What is known of the targets, from the plain values that are learnt of them."""
        return KINDS[self._target_kind](self.classes_)

    def _loss_function(self) -> losses.Loss:
        settings = {"label_smoothing": self.label_smoothing} if self.loss == "log_loss" else {}
        return self._targets.loss(*CLASS_LOSSES[self.loss], settings)

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        X, y = self._validated_pair(X, y, reset)
        return X, _ravelled(y)

    def _encode(self, y: Any, fresh: bool, classes: Any) -> np.ndarray:
        if fresh:
            targets = found_targets(y) if classes is None else given_targets(y, classes)
            self._target_kind, self.classes_ = targets.kind, targets.classes
            self.n_outputs_ = targets.n_outputs
            self.out_activation_ = self._loss_function().out_activation
        else:
            self._check_known(dense(y), classes)
        return self._targets.encode(dense(y))

    def _check_known(self, y: np.ndarray, classes: Any) -> None:
        """Training that goes on must see the classes it started with."""
        targets = self._targets
        if classes is not None and not same_classes(sorted_classes(classes), targets.classes):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{targets.classes!r}"
            )
        expected = len(targets.each)
        if n_targets(y) != expected:
            raise ValueError(f"y has {n_targets(y)} targets, but {expected} in the last call.")
        if self.warm_start and expected == 1:
            found = unique_labels(y)
            if set(found) != set(targets.classes):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the "
                    f"previous call to fit. Previously got {targets.classes}, `y` has {found}"
                )
        targets.check(y)

    def _weights(self, X: Any, y: Any, sample_weight: Any) -> np.ndarray | None:
        weight = super()._weights(X, y, sample_weight)
        if self.class_weight is None:
            return weight
        by_class = self._weights_by_class(dense(y))
        return by_class if weight is None else weight * by_class

    def _weights_by_class(self, y: np.ndarray) -> np.ndarray:
        """The weight of each sample's class; of several targets, the product."""
        if self.class_weight == "balanced":
            return compute_sample_weight("balanced", y)
        each = self._targets.each
        n = len(each)
        dicts = [self.class_weight] if n == 1 else self.class_weight
        fits = isinstance(dicts, list) and len(dicts) == n
        if not fits or not all(isinstance(by_name, dict) for by_name in dicts):
            allowed = "a dict {class: weight}" if n == 1 else f"a list of {n} dicts"
            raise self._class_weight_error(f"be {allowed}, 'balanced' or None for {n} target(s)")
        product = np.ones(len(y))
        for by_name, classes, column in zip(dicts, each, columns(y), strict=True):
            product *= self._weights_of(by_name, classes)[np.searchsorted(classes, column)]
        return product

    def _weights_of(self, by_name: dict[Any, Any], classes: np.ndarray) -> np.ndarray:
        """The weight that a dict gives each class of a target: 1 unless it is named."""
        names = classes.tolist()
        # As in scikit-learn, a dict may name some of the classes, or all of them and more.
        if not (by_name.keys() <= set(names) or by_name.keys() >= set(names)):
            raise self._class_weight_error(f"have keys among the classes {classes}")
        weights = [by_name.get(name, 1.0) for name in names]
        if not all(isinstance(w, Real) and 0 <= float(w) < np.inf for w in weights):
            raise self._class_weight_error("hold finite weights >= 0")
        if not any(weights):
            raise self._class_weight_error("give a weight > 0 to one class at least")
        return np.array(weights, dtype=np.float64)

    def _class_weight_error(self, problem: str) -> InvalidParameterError:
        return InvalidParameterError(
            f"The 'class_weight' parameter of {type(self).__name__} must {problem}. "
            f"Got {self.class_weight!r} instead."
        )

    def _stratify(self, target: np.ndarray) -> np.ndarray | None:
        return self._targets.strata(target, int(np.ceil(self.validation_fraction * len(target))))

    def _score(self, target: np.ndarray, raw: Tensor, weight: np.ndarray | None) -> float:
        right = self._targets.decide(raw.cpu().numpy(), 0.0) == target
        return np.average(right.reshape(len(right), -1).all(axis=1), weights=weight)

    def predict(self, X: Any) -> Any:
        """Predict classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data, or what else the class takes, such as images or sequences.

        Returns
        -------
        y : {ndarray, sparse matrix} of shape (n_samples,) or (n_samples, n_targets)
            The predicted classes; sparse where multilabel classes were given so to `fit`.
        """
        outputs = self._outputs(self._validated_rows(X))
        targets = self._targets
        threshold = 0.5 if self._shape["loss"] == "log_loss" else 0.0
        return targets.labels(targets.decide(outputs, threshold))

    @available_if(has_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray | list[np.ndarray]:
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data, or what else the class takes, such as images or sequences.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes), or a list of them
            Probabilities in the order of `classes_`; of each label in a multilabel setting; a list
            with an array a target in a multioutput one.
        """
        outputs = self._outputs(self._validated_rows(X))
        return self._targets.probabilities(outputs)

    @available_if(has_probabilities)
    def predict_log_proba(self, X: Any) -> np.ndarray | list[np.ndarray]:
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data, or what else the class takes, such as images or sequences.

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes), or a list of them
            ``log(predict_proba(X))``.
        """
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            if isinstance(probabilities, list):
                return [np.log(p) for p in probabilities]
            return np.log(probabilities)

    def decision_function(self, X: Any) -> np.ndarray | list[np.ndarray]:
        """Scores of the classes before the output activation.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data, or what else the class takes, such as images or sequences.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes), or a list of them
            One number a sample for two classes (positive for ``classes_[1]``), else one a class.
        """
        X = self._validated_rows(X)
        if len(self._members()) > 1:
            raw = self._outputs(X)
            if self._shape["loss"] == "log_loss":
                raw = _link(raw, self.out_activation_)
        else:
            with torch.inference_mode():
                raw = self._array(self._forward(X, self.module_), X)
        return self._targets.scores(raw)

    @available_if(is_stochastic)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None
    ) -> NetworkClassifier:
        """Train for one more epoch on the given data.

        The optimiser goes on from the last call. A `checkpoint` is ignored; `early_stopping` and
        a `curriculum`, which need all of the data, are not supported.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data, or what else the class takes, such as images or sequences.
        y : {array-like, sparse matrix} of shape (n_samples,) or (n_samples, n_targets)
            The classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        classes : array-like of shape (n_classes,) or list of them, default=None
            All classes of all calls, for several targets those of each. Needed at the first call,
            where `y` may lack some.

        Returns
        -------
        self : object
            The trained estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed, or if the loss stops being finite.
        """
        if classes is None and not hasattr(self, "module_"):
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return self._fit(Call(X, y, sample_weight, classes=classes, incremental=True))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags


@estimator
class NetworkRegressor(RegressorMixin, SupervisedNetwork):
    """Abstract: a network that predicts numbers."""

    quantile: float = param(
        0.5,
        Interval(Real, 0, 1, closed="neither"),
        "Which conditional quantile loss='quantile' predicts.",
    )
    huber_delta: float = param(
        1.0,
        Interval(Real, 0, None, closed="neither"),
        "Residual up to which loss='huber' is quadratic, in units of y.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "out_activation_": "str: The activation of the output layer.",
    }

    def _loss_function(self) -> losses.Loss:
        return REGRESSION_LOSSES[self.loss](self)

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        X, y = self._validated_pair(X, y, reset, y_numeric=True)
        y = dense(_ravelled(y))
        if self.loss == "poisson" and (y < 0).any():
            raise ValueError("loss='poisson' needs y >= 0. Some values of y are negative.")
        return X, y

    def _encode(self, y: np.ndarray, fresh: bool, classes: Any) -> np.ndarray:
        columns = y.reshape(len(y), -1).astype(np.float64, copy=False)
        if fresh:
            self.n_outputs_ = columns.shape[1]
            self.out_activation_ = self._loss_function().out_activation
        elif columns.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y has {columns.shape[1]} targets, but {self.n_outputs_} in the last call."
            )
        return columns

    def _score(self, target: np.ndarray, raw: Tensor, weight: np.ndarray | None) -> float:
        predicted = self._loss_function().outputs(raw).cpu().numpy()
        return r2_score(target, predicted, sample_weight=weight)

    def predict(self, X: Any) -> np.ndarray:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data, or what else the class takes, such as images or sequences.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            The predicted values.
        """
        outputs = self._outputs(self._validated_rows(X))
        return outputs.ravel() if self.n_outputs_ == 1 else outputs

    @available_if(is_stochastic)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetworkRegressor:
        """Train for one more epoch on the given data.

        The optimiser goes on from the last call. A `checkpoint` is ignored; `early_stopping` and
        a `curriculum`, which need all of the data, are not supported.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data, or what else the class takes, such as images or sequences.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        self : object
            The trained estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed, or if the loss stops being finite.
        """
        return self._fit(Call(X, y, sample_weight, incremental=True))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


REGRESSION_LOSSES: dict[str, Callable[[Any], losses.Loss]] = {
    "squared_error": lambda est: losses.SquaredError(),
    "absolute_error": lambda est: losses.AbsoluteError(),
    "huber": lambda est: losses.Huber(est.huber_delta),
    "poisson": lambda est: losses.Poisson(),
    "quantile": lambda est: losses.Quantile(est.quantile),
}


def _ravelled(y: Any) -> Any:
    """One column is a vector, with scikit-learn's warning."""
    return column_or_1d(dense(y), warn=True) if y.ndim == 2 and y.shape[1] == 1 else y


def _link(outputs: np.ndarray, activation: str) -> np.ndarray:
    """From averaged probabilities back to scores."""
    with np.errstate(divide="ignore"):
        logs = np.log(outputs)
        return logs - np.log1p(-outputs) if activation == "logistic" else logs
