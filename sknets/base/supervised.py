"""Networks that learn targets from inputs: what classifiers and regressors add to a fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import validate_data
from torch import Tensor
from torch.utils.data import Dataset

from sknets import _targets
from sknets._data import ConvertedRows, as_array, is_converted
from sknets._params import Interval, OneOf, estimator, param
from sknets._training import losses
from sknets.base.estimator import NetworkEstimator
from sknets.base.training_set import Call


class SupervisedNetwork(NetworkEstimator):
    """Abstract: an estimator that learns `y` from `X`."""

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, difficulty: Any = None) -> Any:
        """Fit the network to inputs `X` and targets `y`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or torch Dataset
            The input data.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets: classes, or real numbers. None takes them from the items of a Dataset.
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

    def _validated_pair(
        self, X: Any, y: Any, reset: bool, y_numeric: bool = False
    ) -> tuple[Any, np.ndarray]:
        """scikit-learn's validation of inputs and targets; a Dataset's by its first item."""
        if isinstance(X, Dataset):
            X = self._dataset_rows(X, reset)
            y = check_array(X.targets() if y is None else y, ensure_2d=False, dtype=None)
            check_consistent_length(X, y)
            return X, y
        X, y = as_array(X), as_array(y)
        y = y.toarray() if issparse(y) else y  # of labels
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


def _is_stochastic(self: NetworkEstimator) -> bool:
    if self._full_batch:
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{self.solver} is not stochastic."
        )
    return True


CLASS_LOSSES: dict[str, tuple[Callable[..., losses.Loss], Callable[..., losses.Loss]]] = {
    "log_loss": (losses.SigmoidLogLoss, losses.SoftmaxLogLoss),
    "hinge": (losses.BinaryHinge, losses.MulticlassHinge),
    "squared_hinge": (partial(losses.BinaryHinge, 2), partial(losses.MulticlassHinge, 2)),
}


def _has_probabilities(self: NetworkClassifier) -> bool:
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
        "Weights of the classes, {class: weight}, or 'balanced' for weights inversely "
        "proportional to class frequencies.",
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

    def _loss_function(self) -> losses.Loss:
        kind = self._target_kind
        single, multiclass = CLASS_LOSSES[self.loss]
        settings = {"label_smoothing": self.label_smoothing} if self.loss == "log_loss" else {}
        if kind in (_targets.BINARY, _targets.MULTILABEL):
            return single(**settings)
        if kind == _targets.MULTICLASS:
            return multiclass(**settings)
        return losses.Grouped(multiclass(**settings), tuple(len(c) for c in self.classes_))

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        X, y = self._validated_pair(X, y, reset)
        return X, _ravelled(y)

    def _encode(self, y: np.ndarray, fresh: bool, classes: Any) -> np.ndarray:
        if not fresh:
            self._check_known(y, classes)
        else:
            if classes is None:
                self._target_kind, self.classes_ = _targets.find_classes(y)
            else:
                self._target_kind, self.classes_ = _given_classes(y, classes)
            self.n_outputs_ = _targets.n_outputs(self._target_kind, self.classes_)
            self.out_activation_ = self._loss_function().out_activation
        return _targets.encode(self._target_kind, self.classes_, y)

    def _check_known(self, y: np.ndarray, classes: Any) -> None:
        """Training that goes on must see the classes it started with."""
        if classes is not None and not _targets.same_classes(
            _targets.sorted_classes(classes), self.classes_
        ):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{self.classes_!r}"
            )
        n_targets = y.shape[1] if y.ndim == 2 else 1
        expected = _targets.n_targets(self._target_kind, self.classes_)
        if n_targets != expected:
            raise ValueError(f"y has {n_targets} targets, but {expected} in the last call.")
        if self._target_kind == _targets.MULTIOUTPUT:
            for column, known in zip(y.T, self.classes_, strict=True):
                _raise_for_unknown(np.unique(column), known)
        elif self._target_kind == _targets.MULTILABEL:
            _raise_for_unknown(np.unique(y), np.array([0, 1]))
        else:
            found = unique_labels(y)
            if self.warm_start and set(found) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the "
                    f"previous call to fit. Previously got {self.classes_}, `y` has {found}"
                )
            _raise_for_unknown(found, self.classes_)

    def _weights(self, X: Any, y: Any, sample_weight: Any) -> np.ndarray | None:
        weight = super()._weights(X, y, sample_weight)
        if self.class_weight is None:
            return weight
        if self._target_kind in (_targets.MULTILABEL, _targets.MULTIOUTPUT):
            by_class = compute_sample_weight(self.class_weight, y)
        else:
            weights = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
            by_class = weights[np.searchsorted(self.classes_, y)]
        return by_class if weight is None else weight * by_class

    def _stratify(self, target: np.ndarray) -> np.ndarray | None:
        if self._target_kind == _targets.BINARY:
            return target.astype(bool)
        if self._target_kind != _targets.MULTICLASS:
            return None
        # Differs from scikit-learn, which stratifies two classes only: more are stratified too,
        # unless a class is too rare for it.
        counts = np.bincount(target)
        counts = counts[counts > 0]
        held_out = int(np.ceil(self.validation_fraction * len(target)))
        possible = counts.min() >= 2 and len(counts) <= min(held_out, len(target) - held_out)
        return target if possible else None

    def _score(self, target: np.ndarray, raw: Tensor, weight: np.ndarray | None) -> float:
        predicted = self._decide(raw.cpu().numpy(), 0.0)
        expected = _targets.decode(
            self._target_kind,
            self.classes_,
            _as_scores(target, self._target_kind, self.classes_),
            0.5,
        )
        right = predicted == expected
        return np.average(right if right.ndim == 1 else right.all(axis=1), weights=weight)

    def _decide(self, scores: np.ndarray, threshold: float) -> np.ndarray:
        return _targets.decode(self._target_kind, self.classes_, scores, threshold)

    def predict(self, X: Any) -> np.ndarray:
        """Predict classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            The predicted classes.
        """
        outputs = self._outputs(self._validated_rows(X))
        return self._decide(outputs, 0.5 if self.loss == "log_loss" else 0.0)

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray | list[np.ndarray]:
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes), or a list of them
            Probabilities in the order of `classes_`; of each label in a multilabel setting; a list
            with an array a target in a multioutput one.
        """
        outputs = self._outputs(self._validated_rows(X))
        if self._target_kind == _targets.MULTIOUTPUT:
            return _targets.split(self.classes_, outputs)
        if self._target_kind == _targets.BINARY:
            two = np.hstack([1 - outputs, outputs])
            return two if len(self.classes_) == 2 else np.ones_like(outputs)
        return outputs

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: Any) -> np.ndarray | list[np.ndarray]:
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.

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
            The input data.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes), or a list of them
            One number a sample for two classes (positive for ``classes_[1]``), else one a class.
        """
        X = self._validated_rows(X)
        if self._has_snapshots and self.loss == "log_loss":
            scores = _link(self._outputs(X), self.out_activation_)
        else:
            with torch.inference_mode():
                scores = self._array(self._forward(X, self.module_), X)
        if self._target_kind == _targets.MULTIOUTPUT:
            return _targets.split(self.classes_, scores)
        return scores[:, 0] if self._target_kind == _targets.BINARY else scores

    @available_if(_is_stochastic)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None
    ) -> NetworkClassifier:
        """Train for one more epoch on the given data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,)
            The classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        classes : array-like of shape (n_classes,), default=None
            All classes of all calls. Needed at the first call, where `y` may lack some.

        Returns
        -------
        self : object
            The trained estimator.
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
        y = _ravelled(y)
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
            The input data.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            The predicted values.
        """
        outputs = self._outputs(self._validated_rows(X))
        return outputs.ravel() if self.n_outputs_ == 1 else outputs

    @available_if(_is_stochastic)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetworkRegressor:
        """Train for one more epoch on the given data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        self : object
            The trained estimator.
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


def _ravelled(y: np.ndarray) -> np.ndarray:
    """One column is a vector, with scikit-learn's warning."""
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y


def _given_classes(y: np.ndarray, classes: Any) -> tuple[str, _targets.Classes]:
    """Kind and classes at a first call of partial_fit, where `y` may lack some."""
    known = _targets.sorted_classes(classes)
    if isinstance(known, list):
        if y.ndim != 2 or y.shape[1] != len(known):
            raise ValueError(f"classes are of {len(known)} targets, but y has shape {y.shape}.")
        for column, of_column in zip(y.T, known, strict=True):
            _raise_for_unknown(np.unique(column), of_column)
        return _targets.MULTIOUTPUT, known
    kind, found = _targets.find_classes(y)
    if kind in (_targets.MULTILABEL, _targets.MULTIOUTPUT):
        return kind, found
    _raise_for_unknown(found, known)
    return (_targets.BINARY if len(known) <= 2 else _targets.MULTICLASS), known


def _raise_for_unknown(found: Any, known: Any) -> None:
    if len(np.setdiff1d(found, known)):
        raise ValueError(
            f"`y` has classes not in `self.classes_`. `self.classes_` has {known}. 'y' has {found}."
        )


def _as_scores(target: np.ndarray, kind: str, classes: Any) -> np.ndarray:
    """Encoded targets as scores that decode to the same labels."""
    if kind in (_targets.BINARY, _targets.MULTILABEL):
        return target
    if kind == _targets.MULTICLASS:
        return np.eye(len(classes))[target]
    return np.hstack([np.eye(len(c))[column] for c, column in zip(classes, target.T, strict=True)])


def _link(outputs: np.ndarray, activation: str) -> np.ndarray:
    """From averaged probabilities back to scores."""
    with np.errstate(divide="ignore"):
        logs = np.log(outputs)
        return logs - np.log1p(-outputs) if activation == "logistic" else logs
