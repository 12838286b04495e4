"""What restricted Boltzmann machines have in common as estimators, whatever their visible units."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sknets._data import Data, dense_tensor, mean_of
from sknets._device import has_fast_bfloat16, resolve_device
from sknets._measure import Field, Layer
from sknets._params import Interval, OneOf, check_values, estimator, param
from sknets._random import Stream, derived_seed, draw_seed
from sknets._training.optimizers import SGD
from sknets._training.parameters import FlatParameters, FlatSlice, Penalty
from sknets._training.schedules import TIMED, Schedule
from sknets._training.trainer import Recipe, Trainer
from sknets.base import PacedParameters
from sknets.base.training_set import Call, TrainingSet, input_tensor
from sknets.boltzmann.ais import likelihood_bound, temperatures
from sknets.boltzmann.base import EnergyModel, TwoWays
from sknets.boltzmann.draws import Draws, NumpyDraws, draws_for
from sknets.boltzmann.learning import (
    Centring,
    FastPersistent,
    FromData,
    LikelihoodStep,
    Persistent,
    Sampler,
    Sparsity,
    Tempered,
)
from sknets.boltzmann.monitoring import Monitor, PseudoLikelihood
from sknets.boltzmann.network import RBM
from sknets.boltzmann.units import Bernoulli, Units

AT_ONCE = 1000  # chains
WORTH_ROUNDING = 3e6  # multiplications of a product from which bfloat16 saves time


@estimator
class RestrictedMachine(TwoWays, EnergyModel, PacedParameters):
    """Abstract: what restricted Boltzmann machines have in common, whatever their visible units."""

    n_components: int = param(
        256,
        Interval(Integral, 1, None, closed="left"),
        "Binary hidden units.",
        kw_only=False,
    )
    learning_rate: float = param(
        0.1,
        Interval(Real, 0, None, closed="neither"),
        "The learning rate, of the mean over a minibatch.",
    )
    batch_size: int = param(
        10, Interval(Integral, 1, None, closed="left"), "Samples in a minibatch."
    )
    n_iter: int = param(
        10, Interval(Integral, 0, None, closed="left"), "Epochs: passes over the data."
    )
    shuffle: bool = param(False, "boolean", "Whether to permute the samples in each epoch.")
    learning: str = param(
        "pcd",
        OneOf("cd", "pcd", "fpcd", "tempering"),
        "Where samples of the machine come from: from chains that start at the data (contrastive "
        "divergence), that go on from step to step (persistent), that do so with fast weights, or "
        "that swap their states with hotter ones (parallel tempering).",
    )
    n_gibbs_steps: int = param(
        1, Interval(Integral, 1, None, closed="left"), "Gibbs steps of the chains a minibatch."
    )
    n_chains: Any = param(
        None,
        [None, Interval(Integral, 1, None, closed="left")],
        "Persistent chains, with tempering at each temperature. None: batch_size. Ignored with "
        "learning='cd'.",
    )
    n_temperatures: int = param(
        10,
        Interval(Integral, 2, None, closed="left"),
        "Temperatures with learning='tempering', evenly in their inverse.",
    )
    fast_learning_rate: Any = param(
        None,
        [None, Interval(Real, 0, None, closed="neither")],
        "The learning rate of fast weights, with learning='fpcd'. None: the other one.",
    )
    fast_decay: float = param(
        0.95,
        Interval(Real, 0, 1, closed="left"),
        "What is left of fast weights after a minibatch.",
    )
    centring: bool = param(
        False,
        "boolean",
        "Whether the gradient is that of deviations from mean activities, which learns faster and "
        "does not mind if zeros and ones change their roles.",
    )
    centring_rate: float = param(
        0.01,
        Interval(Real, 0, 1, closed="both"),
        "How much of the mean activities a minibatch renews.",
    )
    momentum: float = param(0.0, Interval(Real, 0, 1, closed="left"), "Momentum of the updates.")
    alpha: float = param(
        0.0,
        Interval(Real, 0, None, closed="left"),
        "Strength of the penalty on the weights, the same for minibatches of any size.",
    )
    l1_ratio: float = param(
        0.0,
        Interval(Real, 0, 1, closed="both"),
        "Share of the L1 norm in the penalty: 0 is L2 alone, 1 is L1 alone.",
    )
    sparsity_target: Any = param(
        None,
        [None, Interval(Real, 0, 1, closed="neither")],
        "Mean activity that hidden units are drawn to. None: any.",
    )
    sparsity_cost: float = param(
        0.1, Interval(Real, 0, None, closed="left"), "How strongly they are drawn to it."
    )
    sparsity_decay: float = param(
        0.9,
        Interval(Real, 0, 1, closed="left"),
        "How much a minibatch leaves of the mean activity that is compared.",
    )
    learning_rate_schedule: str = param(
        "constant",
        OneOf("constant", *(name for name in TIMED if name != "cyclic")),
        "How the learning rate changes over training.",
    )
    init_std: float = param(
        0.01,
        Interval(Real, 0, None, closed="left"),
        "Standard deviation of the initial weights.",
    )
    visible_bias_init: str = param(
        "zeros",
        OneOf("zeros", "data"),
        "What visible biases start from: 0, or what gives a machine without weights the data's "
        "means.",
    )
    precision: str = param(
        "auto",
        OneOf("auto", "float32", "float64", "bfloat16"),
        "Precision of training; 'bfloat16' multiplies in it and adds in float32. 'auto' is that "
        "for large products of binary units where the device is fast at it, else float32, or the "
        "input's float64 where an epoch is one batch. What is asked of the machine afterwards is "
        "never computed in bfloat16.",
    )
    validation_fraction: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "Share of the data held out, of which `history_` has the free energy by epoch.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "components_": "ndarray of shape (n_components, n_features): The weights.",
        "intercept_hidden_": "ndarray of shape (n_components,): Biases of the hidden units.",
        "intercept_visible_": "ndarray of shape (n_features,): Biases of the visible units.",
        "h_samples_": "ndarray of shape (n_chains, n_components): Hidden units of the persistent "
        "chains.",
        "random_state_": "RandomState: What `gibbs` draws from.",
    }
    _shape_parameters: ClassVar[tuple[str, ...]] = ("n_components",)

    _is_binary: ClassVar[bool] = True  # of visible units

    @abstractmethod
    def _visible_units(self, n: int) -> Units:
        """The visible layer."""

    @property
    def _mixed(self) -> bool:
        """By default where it is faster; rounding does not show beside the noise of samples."""
        if self.precision != "auto":
            return super()._mixed
        large = self.batch_size * self.n_features_in_ * self.n_components >= WORTH_ROUNDING
        binary = self._is_binary and not self._has_linear_units
        return binary and large and has_fast_bfloat16(resolve_device(self.device))

    @property
    def _has_linear_units(self) -> bool:
        """Whether hidden units are real numbers."""
        return False

    # -- fit

    def partial_fit(self, X: Any, y: Any = None) -> Any:
        """Update the machine once, with all given rows as one minibatch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The trained estimator.
        """
        return self._fit(Call(X, None, incremental=True))

    def _draw_seed(self) -> int:
        """The seed, and scikit-learn's source of random numbers."""
        continued = hasattr(self, "module_")
        if isinstance(self.random_state, np.random.RandomState) and not continued:
            self._random = self.random_state
            return draw_seed(copy.deepcopy(self.random_state))
        seed = super()._draw_seed()
        self._random = np.random.RandomState(seed % 2**32)
        return seed

    def _batches(self, data: TrainingSet, incremental: bool) -> Data:
        batches = super()._batches(data, incremental)
        if incremental:
            batches.batch_size = batches.n_samples
        return batches

    def _batch_size(self, n: int) -> int:
        return min(self.batch_size, n)

    @classmethod
    def _holding(cls, machine: RBM, dtype: str, **settings: Any) -> Any:
        """A fitted estimator of a machine that learnt otherwise."""
        found: Any = cls(n_components=machine.hidden.n, **settings)
        found.n_features_in_, found.n_outputs_ = machine.visible.n, machine.hidden.n
        found._keep_shape()
        found._input_dtype, found.module_, found.history_ = dtype, machine, []
        return found

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> RBM:
        return RBM(self._visible_units(input_shape[0]), self._hidden_units(n_outputs))

    def _hidden_units(self, n: int) -> Units:
        """The hidden layer."""
        return Bernoulli(n)

    @torch.no_grad()
    def _initialise(self, module: Any, seed: int) -> None:
        weights = self._random.normal(0, self.init_std, tuple(module.weight.shape))
        module.weight.copy_(torch.from_numpy(weights))
        module.visible_bias.zero_()
        module.hidden_bias.zero_()
        module.visible_mean.zero_()
        module.hidden_mean.fill_(0 if self._has_linear_units else 0.5)
        module.visible.reset()
        module.hidden.reset()

    @torch.no_grad()
    def _pretrain(self, trainer: Trainer, batches: Data) -> None:
        """The means of the data, from which much starts."""
        machine = trainer.module_
        machine.visible_mean.copy_(mean_of(batches, lambda v: v))
        if self.visible_bias_init == "data":
            machine.visible_bias.copy_(machine.visible.biases_of(machine.visible_mean))

    def _step(self, module: Any, flat: FlatParameters) -> LikelihoodStep:
        # In double precision scikit-learn's draws, of its source.
        exact = flat.values.dtype == torch.float64 and flat.values.device.type == "cpu"
        draws: Draws = NumpyDraws(self._random)
        if not exact:
            draws = draws_for(flat.values.device, self._seed)
        n_chains = self.n_chains or self.batch_size
        sampler: Sampler
        if self.learning == "cd":
            sampler = FromData(module, draws, self.n_gibbs_steps)
        elif self.learning == "pcd":
            sampler = Persistent(module, draws, self.n_gibbs_steps, n_chains)
        elif self.learning == "fpcd":
            sampler = FastPersistent(
                module,
                draws,
                self.n_gibbs_steps,
                n_chains,
                flat=flat,
                rate=self.fast_learning_rate or self.learning_rate,
                decay=self.fast_decay,
            )
        else:
            sampler = Tempered(
                module, draws, self.n_gibbs_steps, n_chains, n_temperatures=self.n_temperatures
            )
        sparsity = None
        if self.sparsity_target is not None:
            sparsity = Sparsity(
                module.hidden_bias, self.sparsity_target, self.sparsity_cost, self.sparsity_decay
            )
        centring = Centring(module, self.centring_rate) if self.centring else None
        return LikelihoodStep(
            module,
            flat,
            sampler,
            centring,
            sparsity,
            mixed=self._mixed,
        )

    def _recipe(self, seed: int, difficulty: Any, incremental: bool) -> Recipe:
        return Recipe(
            solver="sgd",
            optimizer=lambda flat: SGD([flat.vector], self.learning_rate, self.momentum, False),
            schedule=Schedule(
                self.learning_rate_schedule,
                self.learning_rate,
                self.n_iter,
                self.decay_rate,
                self.decay_every,
                warmup=self.warmup,
            ),
            penalty=WeightCost(self.alpha, self.l1_ratio),
            max_epochs=1 if incremental else self.n_iter,
            seed=seed,
            shuffle=self.shuffle and not incremental,
        )

    def _split(self, data: TrainingSet) -> tuple[np.ndarray, np.ndarray] | None:
        """The rows to train on and those that are watched, if any are."""
        if not self.validation_fraction:
            return None
        return train_test_split(
            np.arange(data.n_samples),
            test_size=float(self.validation_fraction),
            random_state=derived_seed(self._seed, Stream.SPLIT),
        )

    def _reports(self, train: TrainingSet, valid: TrainingSet | None) -> list[Any]:
        watched = {"": train.X} if valid is None else {"": train.X, "valid_": valid.X}
        found: list[Any] = [Monitor(self, watched)]
        return [*found, PseudoLikelihood(self, train.X)] if self.verbose else found

    def _record(self, trainer: Trainer) -> None:
        super()._record(trainer)
        step: Any = trainer.step
        state = step.state()["sampler"]
        del self._random
        if "chains" in state:
            self.h_samples_ = state["chains"].cpu().numpy().astype(self._input_dtype)

    # -- the machine's view of the data

    def transform(self, X: Any) -> np.ndarray:
        """P(h = 1 | v), the probabilities of hidden units.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.

        Returns
        -------
        h : ndarray of shape (n_samples, n_components)
            The probabilities.
        """
        return super().transform(X)

    def _measured(self, X: Any) -> dict[str, float]:
        """The means over validated rows of the free energy and of the squared error."""
        functions = self.module_.free_energy, self.module_.reconstruction_error
        found = (float(self._by_rows(X, function).mean(dtype=float)) for function in functions)
        return dict(zip(("free_energy", "reconstruction_error"), found, strict=True))

    def gibbs(self, v: Any) -> np.ndarray:
        """One step of Gibbs sampling: hidden units given visible ones, visible given hidden.

        Parameters
        ----------
        v : {array-like, sparse matrix} of shape (n_samples, n_features)
            Values to start from.

        Returns
        -------
        v_new : ndarray of shape (n_samples, n_features)
            Values drawn by `random_state_`; true and false of binary units.
        """
        check_is_fitted(self)
        if not hasattr(self, "random_state_"):
            self.random_state_ = check_random_state(self.random_state)
        return self._sample_visibles(
            self._sample_hiddens(v, self.random_state_), self.random_state_
        )

    def _mean_hiddens(self, v: Any) -> np.ndarray:
        """P(h = 1 | v), of one sample or several."""
        return self._unchecked(v, lambda v: self.module_(v))

    def _sample_hiddens(self, v: Any, rng: np.random.RandomState) -> np.ndarray:
        """Draw from P(h | v)."""
        machine, draws = self.module_, NumpyDraws(rng)
        made = self._unchecked(v, lambda v: machine.hidden.drawn(machine(v), draws))
        return made if self._has_linear_units else made.astype(bool)

    def _sample_visibles(self, h: Any, rng: np.random.RandomState) -> np.ndarray:
        """Draw from P(v | h)."""
        machine, draws = self.module_, NumpyDraws(rng)
        made = self._unchecked(h, lambda h: machine.visible.drawn(machine.backward_mean(h), draws))
        return made.astype(bool) if self._is_binary else made

    def _unchecked(self, values: Any, function: Callable[[Tensor], Tensor]) -> np.ndarray:
        """A function of the machine's tensors over rows, or over one."""
        weight = self.module_.weight
        rows = values if sp.issparse(values) else np.atleast_2d(np.asarray(values))
        with torch.inference_mode():
            made = function(input_tensor(rows, weight.dtype, weight.device)).cpu().numpy()
        return made if sp.issparse(values) or np.ndim(values) > 1 else made[0]

    def log_likelihood_bound(
        self,
        X: Any,
        *,
        n_runs: int = 10,
        n_temperatures: int = 14_500,
        random_state: Any = None,
    ) -> np.ndarray:
        """A likelihood that on average is too low, by reverse annealing (RAISE).

        It is that of a model that annealing from a machine without weights is, and comes close to
        the machine's own where there are temperatures enough. Where `log_likelihood` with an
        estimated partition function, on average too high, says much more, neither can be trusted.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        n_runs : int, default=10
            Chains for each row.
        n_temperatures : int, default=14_500
            Steps of each chain.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws. None: the estimator's.

        Returns
        -------
        bound : ndarray of shape (n_samples,)
            In nats.

        References
        ----------
        .. [1] Burda, Grosse and Salakhutdinov (2015). "Accurate and conservative estimates of MRF
           log-likelihood using reverse annealing." AISTATS.
        """
        X = self._validated_rows(X)
        given = {"n_runs": n_runs, "n_temperatures": n_temperatures}
        check_values("log_likelihood_bound", BOUND, given)
        draws = self._own_draws(self.random_state if random_state is None else random_state)
        path, betas = self.module_.path(), temperatures(n_temperatures)

        def bound(v: Tensor) -> Tensor:
            parts = dense_tensor(v).split(max(1, AT_ONCE // n_runs))
            made = [likelihood_bound(path, betas, part, n_runs, draws) for part in parts]
            return torch.cat(made)

        return self._by_rows(X, bound)

    # -- scikit-learn's view of the weights

    @property
    def affine_(self) -> tuple[np.ndarray, np.ndarray]:
        """The weights and biases of what hidden units get: X @ weight.T + bias."""
        weight = self._values("affine_", lambda machine: machine.visible.seen(machine.weight))
        return weight, self.intercept_hidden_

    @property
    def components_(self) -> np.ndarray:
        """The weights, of shape (n_components, n_features)."""
        return self._values("components_", lambda machine: machine.weight)

    @property
    def intercept_hidden_(self) -> np.ndarray:
        """The biases of the hidden units."""
        return self._values("intercept_hidden_", lambda machine: machine.hidden_bias)

    @property
    def intercept_visible_(self) -> np.ndarray:
        """The biases of the visible units."""
        return self._values("intercept_visible_", lambda machine: machine.visible_bias)

    def _layers(self) -> list[Layer]:
        n, units = self.n_features_in_, type(self.module_.hidden).__name__
        n_parameters = sum(p.numel() for p in self.module_.parameters())
        n_hidden = self.n_outputs_
        field = (Field(n, n, (n - 1) / 2),)
        return [Layer("hidden", units, (n_hidden,), n_parameters, n * n_hidden, field)]

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if "random_state_" in state:
            state["random_state_"] = state["random_state_"].get_state(legacy=False)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        position = state.pop("random_state_", None)
        super().__setstate__(state)
        if position is not None:
            self.random_state_ = np.random.RandomState()
            self.random_state_.set_state(position)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


BOUND = {
    "n_runs": [Interval(Integral, 1, None, closed="left")],
    "n_temperatures": [Interval(Integral, 2, None, closed="left")],
}


class WeightCost(Penalty):
    """The penalty of `Penalty`, the same for minibatches of any size."""

    def add_to(self, loss: Tensor, flat: FlatSlice, n: float) -> None:
        super().add_to(loss, flat, 1.0)
