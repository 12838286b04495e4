"""Restricted Boltzmann machines as estimators: scikit-learn's twin, and real-valued inputs."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from sknets._data import Data, as_tensor
from sknets._device import has_fast_bfloat16, resolve_device
from sknets._measure import Field, Layer
from sknets._params import Interval, InvalidParameterError, OneOf, check_values, estimator, param
from sknets._random import Stream, derived_seed, draw_seed
from sknets._training.optimizers import SGD
from sknets._training.parameters import FlatParameters, Penalty
from sknets._training.schedules import TIMED, Schedule
from sknets._training.trainer import Recipe, Trainer
from sknets.base import PacedParameters
from sknets.base.training_set import Call, TrainingSet, input_tensor
from sknets.boltzmann.ais import likelihood_bound, temperatures
from sknets.boltzmann.base import EnergyModel, TwoWays
from sknets.boltzmann.draws import Draws, NumpyDraws, draws_for
from sknets.boltzmann.energy import doubled
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
from sknets.boltzmann.pseudo_likelihood import (
    chosen_columns,
    conditional_log_density,
    with_flipped,
)
from sknets.boltzmann.real_units import RealUnits
from sknets.boltzmann.statistics import dense_tensor, mean_of
from sknets.boltzmann.units import Bernoulli, Categorical, Gaussian, Units

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
        return self._is_binary and large and has_fast_bfloat16(resolve_device(self.device))

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
        module.hidden_mean.fill_(0.5)

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
        return made.astype(bool)

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

    def _drawn(self, n: int, n_steps: int, draws: Draws) -> Tensor:
        return self.module_.sampled(n, n_steps, draws)

    # -- scikit-learn's view of the weights

    @property
    def affine_(self) -> tuple[np.ndarray, np.ndarray]:
        """The weights and biases of what hidden units get: X @ weight.T + bias."""
        return self.components_, self.intercept_hidden_

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

    def _features(self, x: Tensor) -> Tensor:
        return self.module_(x)

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


@estimator
class BernoulliRBM(RestrictedMachine):
    r"""Restricted Boltzmann machine with binary units, a drop-in for scikit-learn's.

    It learns the distribution of visible units `v` by hidden ones `h`,

    .. math:: p(v, h) = \frac{1}{Z} \exp(b v + c h + h W v),

    by stochastic gradient ascent on :math:`\log p(v)`: the data's statistics less those of samples
    that the machine draws. Values between 0 and 1 are probabilities. In double precision, with the
    same `random_state`, it is scikit-learn's machine. See the :ref:`user guide <boltzmann>`.

    See Also
    --------
    GaussianRBM : The same for real numbers.
    sklearn.neural_network.BernoulliRBM : The twin.

    References
    ----------
    .. [1] Hinton (2002). "Training products of experts by minimizing contrastive divergence."
       Neural Computation 14, 1771-1800. https://doi.org/10.1162/089976602760128018
    .. [2] Tieleman (2008). "Training restricted Boltzmann machines using approximations to the
       likelihood gradient." ICML. https://doi.org/10.1145/1390156.1390290
    .. [3] Tieleman and Hinton (2009). "Using fast weights to improve persistent contrastive
       divergence." ICML. https://doi.org/10.1145/1553374.1553506
    .. [4] Desjardins, Courville, Bengio, Vincent and Delalleau (2010). "Tempered Markov chain Monte
       Carlo for training of restricted Boltzmann machines." AISTATS.
    .. [5] Melchior, Fischer and Wiskott (2016). "How to center deep Boltzmann machines." Journal of
       Machine Learning Research 17. https://jmlr.org/papers/v17/14-237.html
    .. [6] Hinton (2010). "A practical guide to training restricted Boltzmann machines." Technical
       report 2010-003, University of Toronto.

    Examples
    --------
    >>> import numpy as np
    >>> from sknets import BernoulliRBM
    >>> X = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    >>> rbm = BernoulliRBM(n_components=2, random_state=0).fit(X)
    >>> rbm.transform(X).shape
    (4, 2)
    >>> bool(abs(np.exp(rbm.log_likelihood(X))).sum() < 1)
    True
    """

    groups: Any = param(
        None,
        [None, list, tuple],
        "Columns of each group of visible units of which one is 1 and the others are 0, such as a "
        "category that is one-hot. Training takes a group of zeros for a category that is not "
        "known, and draws it given the rest of the row. None: all columns are by themselves.",
    )
    copies: Any = param(
        (1, 1),
        ["array-like"],
        "Copies of each visible and of each hidden unit, with the same weights and bias. Two make "
        "up for the layer beyond that a machine of a DBM does not see while it learns alone.",
    )

    _shape_parameters: ClassVar[tuple[str, ...]] = ("groups", "copies")

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        each = list(self.copies)
        if len(each) != 2 or not all(isinstance(n, Integral) and int(n) > 0 for n in each):
            raise InvalidParameterError(
                f"The 'copies' parameter of {type(self).__name__} must hold two whole numbers > 0, "
                f"of visible and of hidden units. Got {self.copies!r} instead."
            )
        if self.groups and each[0] > 1:
            raise ValueError(
                f"Categories have no copies: got groups={self.groups!r} and copies={self.copies!r}."
            )

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        X, y = super()._validate(X, y, reset)
        problem = problem_of(self.groups or [], self.n_features_in_)
        if problem is not None:
            raise InvalidParameterError(
                f"The 'groups' parameter of {type(self).__name__} must hold the columns of each "
                f"group, two columns or more, of which no two have one in common: {problem}. Got "
                f"{self.groups!r} instead."
            )
        return X, y

    def _visible_units(self, n: int) -> Units:
        if not self.groups:
            return Bernoulli(n, self.copies[0])
        return Categorical(n, self.groups)

    def _hidden_units(self, n: int) -> Units:
        return Bernoulli(n, self.copies[1])

    def score_samples(self, X: Any) -> np.ndarray:
        """The pseudo-likelihood, a proxy of log p(v).

        Of each row one unit is flipped, and the probability of its value given the others counts
        for all units: the sum of the logarithms of these is not estimated by more. Which unit is
        decided by the values of the row and by `random_state`, not by the row's place.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, of zeros and ones.

        Returns
        -------
        pseudo_likelihood : ndarray of shape (n_samples,)
            In nats.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", reset=False, dtype=(np.float64, np.float32))
        columns = chosen_columns(X, draw_seed(self.random_state))
        flipped = with_flipped(X, columns)
        with torch.inference_mode():
            free_energy = self.module_.free_energy
            gap = self._array(self._forward(flipped, free_energy), X) - self._array(
                self._forward(X, free_energy), X
            )
        return -X.shape[1] * np.logaddexp(0, -gap)


@estimator
class GaussianRBM(RestrictedMachine):
    r"""Restricted Boltzmann machine with real visible units, whose variances are learnt.

    .. math:: p(v, h) = \frac{1}{Z} \exp\left(-\sum_i \frac{(v_i - b_i)^2}{2 s_i^2} + c h
       + \sum_i \frac{v_i}{s_i^2} (h W)_i\right),

    a mixture of as many normal distributions as hidden units have states. Learning rates are
    smaller than of binary units; they are of standardised values, so that the scale of a feature
    does not matter. See the :ref:`user guide <boltzmann>`.

    See Also
    --------
    BernoulliRBM : The same for binary data.

    References
    ----------
    .. [1] Cho, Ilin and Raiko (2011). "Improved learning of Gaussian-Bernoulli restricted Boltzmann
       machines." ICANN. https://doi.org/10.1007/978-3-642-21735-7_2

    Examples
    --------
    >>> import numpy as np
    >>> from sknets import GaussianRBM
    >>> random = np.random.default_rng(0)
    >>> X = random.choice([-2, 2], size=(500, 1)) + random.normal(scale=0.5, size=(500, 2))
    >>> rbm = GaussianRBM(n_components=2, n_iter=100, random_state=0).fit(X)
    >>> rbm.sample(3, random_state=0).shape
    (3, 2)
    """

    learning_rate: float = param(
        0.01,
        Interval(Real, 0, None, closed="neither"),
        "The learning rate, of the mean over a minibatch.",
    )
    visible_bias_init: str = param(
        "data",
        OneOf("zeros", "data"),
        "What visible biases start from: 0, or the data's means.",
    )
    centring: bool = param(
        True,
        "boolean",
        "Whether the gradient is that of deviations from mean activities, without which biases "
        "are slow to follow weights and variances.",
    )
    learning: str = param(
        "cd",
        OneOf("cd", "pcd", "fpcd", "tempering"),
        "Where samples of the machine come from: from chains that start at the data (contrastive "
        "divergence), that go on from step to step (persistent), that do so with fast weights, or "
        "that swap their states with hotter ones (parallel tempering). Chains that go on do not "
        "get from one cloud of data to another, and learnt variances may collapse; tempering gets "
        "there, and learns the best likelihoods.",
    )
    learn_variances: bool = param(
        True, "boolean", "Whether variances are learnt, rather than those of the data."
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "variances_": "ndarray of shape (n_features,): Those of visible units given hidden ones.",
    }
    _is_binary: ClassVar[bool] = False

    @property
    def variances_(self) -> np.ndarray:
        """The variances of visible units given hidden ones."""
        return self._values("variances_", lambda machine: machine.visible.log_variance.exp())

    @property
    def affine_(self) -> tuple[np.ndarray, np.ndarray]:
        """The weights and biases of what hidden units get: X @ weight.T + bias."""
        return self.components_ / self.variances_, self.intercept_hidden_

    def _visible_units(self, n: int) -> Units:
        return Gaussian(n)

    @torch.no_grad()
    def _initialise(self, module: Any, seed: int) -> None:
        super()._initialise(module, seed)
        module.visible.log_variance.zero_()

    @torch.no_grad()
    def _pretrain(self, trainer: Trainer, batches: Data) -> None:
        """The means and variances of the data."""
        super()._pretrain(trainer, batches)
        machine = trainer.module_
        units = RealUnits(machine.visible, machine.weight, machine.visible_bias)
        units.start(batches, machine.visible_mean)

    def _checked_rows(self, X: Any, reset: bool) -> Any:
        X = super()._checked_rows(X, reset)
        return X.toarray() if sp.issparse(X) else X

    def _choose_trained(self, module: Any) -> None:
        module.visible.log_variance.requires_grad_(self.learn_variances)

    def score_samples(self, X: Any) -> np.ndarray:
        """The pseudo-likelihood, a proxy of log p(v).

        The logarithm of the density of one value of a row given the others, times the number of
        values. Which one is decided by the values of the row and by `random_state`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.

        Returns
        -------
        pseudo_likelihood : ndarray of shape (n_samples,)
            In nats.
        """
        X = self._validated_rows(X)
        if not isinstance(X, np.ndarray):
            X = X[:]
        columns = torch.from_numpy(chosen_columns(X, draw_seed(self.random_state)))
        machine = doubled(self.module_)
        with torch.inference_mode():
            found = conditional_log_density(machine, as_tensor(X, torch.float64, "cpu"), columns)
        return (X.shape[1] * found.numpy()).astype(X.dtype)


BOUND = {
    "n_runs": [Interval(Integral, 1, None, closed="left")],
    "n_temperatures": [Interval(Integral, 2, None, closed="left")],
}


def problem_of(groups: Sequence[Any], n: int) -> str | None:
    """What is wrong with the groups of `n` columns, if anything is."""
    seen: set[int] = set()
    for group in groups:
        if not isinstance(group, (list, tuple, range, np.ndarray)) or len(group) < 2:
            return f"{group!r} are not two columns or more"
        for given in group:
            if not isinstance(given, Integral):
                return f"{given!r} is none of the whole numbers"
            column = int(given)
            if column in seen:
                return f"column {column} is in two groups"
            if not 0 <= column < n:
                return f"there is column {column}, and X has {n}"
            seen.add(column)
    return None


class WeightCost(Penalty):
    """The penalty of `Penalty`, the same for minibatches of any size."""

    def add_to(self, loss: Tensor, flat: FlatParameters, n: float) -> None:
        super().add_to(loss, flat, 1.0)
