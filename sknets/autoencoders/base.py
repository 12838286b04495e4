"""What autoencoders have in common as estimators: codes, and what is restored from them."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if
from torch import Tensor, nn

from sknets._data import Batch, dense_tensor, is_streamed, slices
from sknets._params import Interval, InvalidParameterError, OneOf, estimator, param
from sknets._training import losses
from sknets._training.backpropagation import Backpropagation
from sknets._training.parameters import FlatParameters
from sknets._training.steps import AutogradStep, StepResult, SupervisedStep
from sknets.autoencoders.code import CodePenalty, LargestOnly, PenalisedStep
from sknets.autoencoders.corruption import CORRUPTIONS, SaltAndPepper
from sknets.autoencoders.network import AutoencoderNet
from sknets.base import DescentEstimator, InvertibleTransformer
from sknets.base.descent import is_stochastic
from sknets.base.training_set import Call, TrainingSet

ROWS = 2**13  # read at a time where all are looked at before a fit


class RestoringNetwork(InvertibleTransformer, DescentEstimator):
    """Abstract: a network that restores its inputs from a code of them."""

    @abstractmethod
    def _row_scores(self, X: Any) -> np.ndarray:
        """How well validated rows are restored, or how likely they are: higher is better."""

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        if self._n_snapshots:
            raise ValueError(
                f"A {type(self).__name__} is one network, whose codes are no mean of several: it "
                "knows no averaging='snapshots'."
            )

    def _measure(self, valid: TrainingSet) -> dict[str, float]:
        scores = self._row_scores(valid.X)
        score = float(np.average(scores, weights=valid.weight)) if len(scores) else np.nan
        return {"valid_loss": -score, "valid_score": score}

    def _n_hidden_layers(self) -> int:
        return 1

    @property
    def _n_features_out(self) -> int:
        return self.module_.n_code

    def _run_once(self) -> None:
        self.transform(np.zeros((1, self.n_features_in_)))


class WeightedRestoringNetwork(RestoringNetwork):
    """Abstract: one of samples that may have weights, where weighting equals repeating."""

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, difficulty: Any = None) -> Any:
        """Learn to restore the data from codes of it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or torch Dataset
            The data, or what else the class takes, such as images or sequences.
        y : None
            Ignored.
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
        return self._fit(Call(X, None, sample_weight, difficulty))

    @available_if(is_stochastic)
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Train for one more epoch on the given rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, or what else the class takes, such as images or sequences.
        y : None
            Ignored.
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
        return self._fit(Call(X, None, sample_weight, incremental=True))

    def score_samples(self, X: Any) -> np.ndarray:
        """Minus the reconstruction error of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, or what else the class takes, such as images or sequences.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            In the units of `loss`, without penalties and without noise: the logarithm of the
            likelihood of the row given its code, but for what does not depend on the code.
        """
        X = self._validated_rows(X)
        self._check_scored(X)
        return self._row_scores(X)

    def _check_scored(self, X: Any) -> None:
        """Raise ValueError for validated rows that the loss gives no likelihood."""

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `score_samples`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, or what else the class takes, such as images or sequences.
        y : None
            Ignored.

        Returns
        -------
        score : float
            Higher is better.
        """
        return float(np.mean(self.score_samples(X), dtype=float))


OUT_ACTIVATIONS = tuple(losses.LINKS)
RECONSTRUCTION_LOSSES = {
    "squared_error": losses.SquaredError(),
    "log_loss": losses.SigmoidLogLoss(),
    "poisson": losses.Poisson(),
}
# What each loss can restore: the least and the largest value.
RANGES = {"log_loss": (0.0, 1.0), "poisson": (0.0, np.inf)}
ROUNDING = 1e-6  # of a scaler, by which values may be beyond them


def reconstruction_loss(loss: str, out_activation: str) -> losses.Loss:
    """A loss by its name, with the activation of outputs that was asked for."""
    if out_activation in ("auto", "identity") or loss != "squared_error":
        return RECONSTRUCTION_LOSSES[loss]
    return losses.ActivatedSquaredError(out_activation)


@estimator
class ReconstructionParameters(BaseEstimator):
    """Abstract: what is to be restored, from what, by which codes."""

    loss: str = param(
        "squared_error",
        OneOf(*RECONSTRUCTION_LOSSES),
        "Reconstruction error of a sample, a sum over its values: half the squared error, of real "
        "numbers; the cross-entropy ('log_loss'), of values between 0 and 1; the Poisson deviance "
        "halved, of counts.",
    )
    out_activation: str = param(
        "auto",
        OneOf("auto", *OUT_ACTIVATIONS),
        "Activation of the outputs. 'auto' is the loss's: 'identity', 'logistic' with 'log_loss', "
        "the exponential function with 'poisson'. Others are for 'squared_error' alone.",
    )
    noise: Any = param(
        None,
        [None, OneOf(*CORRUPTIONS)],
        "What is done to inputs in training, of which the network restores what they were: a "
        "normal deviate is added ('gaussian'), or some are set to 0 ('masking'), or to the least "
        "or the largest value of their column at random ('salt_pepper').",
    )
    noise_level: float = param(
        0.3,
        Interval(Real, 0, None, closed="left"),
        "Standard deviation of noise='gaussian', else the share of inputs that are changed.",
    )
    code_l1: float = param(
        0.0,
        Interval(Real, 0, None, closed="left"),
        "Strength of the penalty on the absolute values of a sample's code.",
    )
    sparsity_target: Any = param(
        None,
        [None, Interval(Real, 0, 1, closed="neither")],
        "Mean activity over a minibatch that units of the code are drawn to, by its Kullback-"
        "Leibler divergence from theirs; for logistic codes. None: any.",
    )
    sparsity_cost: float = param(
        1.0, Interval(Real, 0, None, closed="left"), "How strongly they are drawn to it."
    )
    n_active: Any = param(
        None,
        [None, Interval(Integral, 1, None, closed="left")],
        "Units of a sample's code that stay, the largest; the others are 0 (k-sparse). None: all.",
    )
    n_active_factor: float = param(
        1.0,
        Interval(Real, 1, None, closed="left"),
        "How many times as many units stay after training, with n_active.",
    )
    n_active_init: Any = param(
        None,
        [None, Interval(Integral, 1, None, closed="left")],
        "Units that stay when training starts, whose number falls to n_active over the first half "
        "of max_iter epochs. None: n_active.",
    )
    contraction: float = param(
        0.0,
        Interval(Real, 0, None, closed="left"),
        "Strength of the penalty on the squared derivatives of a sample's code by its input, which "
        "with `noise` is the noisy one.",
    )

    _shape_parameters: ClassVar[tuple[str, ...]] = (
        "n_active",
        "n_active_factor",
        "n_active_init",
        "noise",
        "noise_level",
    )
    # A target of sparsity decides on the code's activation, where nothing else does.
    _decoding_parameters: ClassVar[tuple[str, ...]] = (
        "loss",
        "out_activation",
        "sparsity_target",
    )

    @abstractmethod
    def _code_size(self) -> int | None:
        """How many units the code has; None where that depends on the data."""

    @abstractmethod
    def _usual_code_activation(self) -> str:
        """The name of the code's activation where nothing is asked of it."""

    def _code_activation(self) -> str:
        """The name of the code's activation."""
        if self.code_activation != "auto":
            return str(self.code_activation)
        return self._usual_code_activation() if self.sparsity_target is None else "logistic"

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        self._check_noise()
        self._check_code()
        self._check_active(self._code_size())
        if self.loss != "squared_error" and self.out_activation != "auto":
            raise InvalidParameterError(
                f"The 'out_activation' parameter of {type(self).__name__} must be 'auto' with "
                f"loss={self.loss!r}. Got {self.out_activation!r} instead."
            )

    def _check_lasting(self) -> None:
        super()._check_lasting()
        same = self.code_activation == self._shape["code_activation"]
        if same and self._code_activation() != self._as_fitted()._code_activation():
            changed = self._changed("_decoding_parameters")
            if "sparsity_target" in changed:
                self._refuse("sparsity_target", "changes the activation of the code and ")

    def _check_noise(self) -> None:
        if self.noise not in (None, "gaussian") and self.noise_level > 1:
            raise InvalidParameterError(
                f"The 'noise_level' parameter of {type(self).__name__} must be a share, at most 1, "
                f"with noise={self.noise!r}. Got {self.noise_level!r} instead."
            )
        self._check_stochastic("noise", "n_active_init")

    def _check_code(self) -> None:
        if self.sparsity_target is not None and self._code_activation() != "logistic":
            raise InvalidParameterError(
                f"The 'sparsity_target' parameter of {type(self).__name__} needs units between 0 "
                f"and 1: code_activation='logistic'. Got {self._code_activation()!r} instead."
            )

    def _check_active(self, n_code: int | None) -> None:
        """Raise where more units of a code are to stay than it has, if it is known how many."""
        name = type(self).__name__
        for parameter in ("n_active", "n_active_init"):
            n = getattr(self, parameter)
            if n is not None and n_code is not None and n > n_code:
                raise InvalidParameterError(
                    f"The {parameter!r} parameter of {name} must be at most the code's number of "
                    f"units, {n_code}. Got {n} instead."
                )
        if self.n_active_init is not None and self.n_active_init < (self.n_active or np.inf):
            raise InvalidParameterError(
                f"The 'n_active_init' parameter of {name} must be at least n_active, which is "
                f"{self.n_active}. Got {self.n_active_init} instead."
            )

    def _check_contraction(self, batch_norm: bool) -> None:
        if self.contraction and batch_norm:
            raise InvalidParameterError(
                f"The 'contraction' parameter of {type(self).__name__} needs codes that depend on "
                f"one sample each: batch_norm=False. Got {self.contraction!r} and batch_norm=True "
                "instead."
            )

    @property
    def _has_moving_loss(self) -> bool:
        return self.n_active_init not in (None, self.n_active)

    def _sparsifier(self, n_code: int) -> LargestOnly | None:
        """What codes of so many units pass through last."""
        if self.n_active is None:
            return None
        predicting = min(n_code, round(self.n_active_factor * self.n_active))
        return LargestOnly(self.n_active, predicting, self.n_active_init or self.n_active)

    def _corruption(self, n_inputs: int) -> nn.Module | None:
        """What inputs pass through first, in training."""
        return None if self.noise is None else CORRUPTIONS[self.noise](self.noise_level, n_inputs)

    def _penalty(self) -> CodePenalty:
        return CodePenalty(self.code_l1, self.sparsity_target, self.sparsity_cost, self.contraction)


@estimator
class ReconstructingNetwork(ReconstructionParameters, WeightedRestoringNetwork):
    """Abstract: an autoencoder that minimises an error of reconstruction."""

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "out_activation_": "str: The activation of the output layer."
    }

    # -- fit

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        X = self._checked_rows(X, reset)
        noisy = reset and self.noise == "salt_pepper"
        if self.loss in RANGES or noisy:
            found = extremes(X)
            allowed = RANGES.get(self.loss, (-np.inf, np.inf))
            check_range(*found, allowed, f"loss={self.loss!r}", type(self).__name__)
            if noisy:
                self._extremes = found  # until the network knows them
        return X, None

    def _check_scored(self, X: Any) -> None:
        loss = self._shape["loss"]
        if loss in RANGES:
            check_range(*extremes(X), RANGES[loss], f"loss={loss!r}", type(self).__name__)

    def _encode(self, y: Any, fresh: bool, classes: Any) -> None:
        self.n_outputs_ = self.n_features_in_
        if fresh:
            self.out_activation_ = self._loss_function().out_activation

    def _loss_function(self) -> losses.Loss:
        return reconstruction_loss(self.loss, self.out_activation)

    def _fitted_loss(self) -> losses.Loss:
        """The loss that was minimised, whatever was set since."""
        return reconstruction_loss(self._shape["loss"], self._shape["out_activation"])

    def _step(self, module: Any, flat: FlatParameters) -> RestoringStep:
        loss, penalty = self._loss_function(), self._penalty()
        step: SupervisedStep
        if penalty:
            step = PenalisedStep(module, loss, flat.grad, penalty, self._mixed)
        elif not self._mixed and Backpropagation.is_possible(module.chain, loss):
            step = Backpropagation(module, module.chain, loss)
        else:
            step = AutogradStep(module, loss, flat.grad, self._mixed)
        return RestoringStep(step, module)

    def _fill_corruption(self, module: AutoencoderNet) -> None:
        """Tell noise of the data's extremes."""
        if isinstance(module.corruption, SaltAndPepper):
            low, high = map(torch.from_numpy, self._extremes)
            module.corruption.low.copy_(low)
            module.corruption.high.copy_(high)
            del self._extremes

    # -- what comes out

    def _features(self, x: Tensor) -> Tensor:
        return self.module_.encode(x)

    def _decoded(self, code: Tensor) -> Tensor:
        return self._fitted_loss().outputs(self.module_.decode(code))

    def _row_scores(self, X: Any) -> np.ndarray:
        loss, module = self._fitted_loss(), self.module_
        return self._by_rows(X, lambda x: -loss(module(x), dense_tensor(x).flatten(1)))


class RestoringStep:
    """A supervised step whose targets are the inputs, before noise."""

    def __init__(self, step: SupervisedStep, module: AutoencoderNet) -> None:
        self.step, self.module = step, module

    def __call__(self, batch: Batch) -> StepResult:
        """Set the gradients of the mean loss over a batch."""
        return self.step(self.restoring(batch))

    def forward(self, batch: Batch) -> Tensor:
        """The mean loss over a batch, for autograd to differentiate."""
        return self.step.forward(self.restoring(batch))

    def restoring(self, batch: Batch) -> Batch:
        """Inputs with noise, beside what they were."""
        clean = dense_tensor(batch.x).flatten(1)  # images of a Dataset as rows
        noisy = batch.x if self.module.corruption is None else self.module.corrupted(clean)
        return Batch(noisy, clean, batch.weight)


def check_range(
    lows: np.ndarray, highs: np.ndarray, allowed: tuple[float, float], what: str, owner: str
) -> None:
    """Raise ValueError for data, of which the extremes are given, that is not within a range."""
    least, largest, (low, high) = lows.min(), highs.max(), allowed
    if least < low - ROUNDING or largest > high + ROUNDING:
        among = f"between {low:g} and {high:g}" if np.isfinite(high) else f">= {low:g}"
        raise ValueError(
            f"{what} of {owner} needs values {among}, but X has values from {least:g} to "
            f"{largest:g}. Scale them, or take another."
        )


def extremes(X: Any) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest value of each column."""
    if sp.issparse(X):
        return X.min(axis=0).toarray().ravel(), X.max(axis=0).toarray().ravel()
    step = ROWS if is_streamed(X) else X.shape[0]
    bounds = [(X[rows].min(axis=0), X[rows].max(axis=0)) for rows in slices(X.shape[0], step)]
    lows, highs = zip(*bounds, strict=True)
    return np.min(lows, axis=0).ravel(), np.max(highs, axis=0).ravel()
