"""Deep belief networks as estimators."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator, clone
from torch import nn

from sknets._data import Data
from sknets._measure import Layer, layers_of
from sknets._params import (
    Interval,
    InvalidParameterError,
    OneOf,
    check_values,
    estimator,
    is_count,
    param,
)
from sknets._training.parameters import FlatParameters
from sknets._training.trainer import Recipe, Trainer
from sknets.base.layerwise import Affine, all_inputs, check_machines, stacked, was_interrupted
from sknets.base.training_set import TrainingSet
from sknets.boltzmann.base import MachineDescent, TwoWays
from sknets.boltzmann.deep_belief import DeepBeliefNet, DirectedLayers, UpDownStep
from sknets.boltzmann.draws import draws_for
from sknets.boltzmann.rbm import BernoulliRBM, GaussianRBM
from sknets.boltzmann.restricted import RestrictedMachine
from sknets.boltzmann.units import Gaussian

ROUNDING = 1e-6  # of a scaler, by which values may be beyond 0 and 1
FILTERS = (
    "ndarray of shape (hidden_layer_sizes[0], n_features): The weights of the first hidden layer."
)


@estimator
class BeliefParameters(BaseEstimator):
    """Abstract: layers that are restricted Boltzmann machines."""

    hidden_layer_sizes: Any = param(
        (256, 256),
        ["array-like", Interval(Integral, 1, None, closed="left")],
        "Units of each hidden layer, from below.",
        kw_only=False,
    )
    rbm: Any = param(
        None,
        [None, BaseEstimator, list, tuple],
        "The machines that the layers are, but for their `n_components`: a BernoulliRBM, or a list "
        "with one for each layer, the first of which may be a GaussianRBM. None: "
        "BernoulliRBM(init_std=0.1), or a GaussianRBM(init_std=0.1) for the first where the data "
        "is not between 0 and 1.",
    )

    _fit_state: ClassVar[dict[str, type]] = {"_is_real": bool}

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        sizes = self._sizes()
        if not sizes or not all(map(is_count, sizes)):
            raise InvalidParameterError(
                f"The 'hidden_layer_sizes' parameter of {type(self).__name__} must hold one whole "
                f"number > 0 at least. Got {self.hidden_layer_sizes!r} instead."
            )
        if self.rbm is None:
            return
        check_machines(self.rbm, sizes, "rbm", type(self).__name__)
        first, *others = self._machines()
        if not (isinstance(first, RestrictedMachine) and all(map(is_binary, others))):
            raise InvalidParameterError(
                f"The 'rbm' parameter of {type(self).__name__} must hold restricted Boltzmann "
                f"machines of sknets, binary ones above the first. Got {self.rbm!r} instead."
            )
        check_units(self._machines(), type(self).__name__)

    def _sizes(self) -> tuple[int, ...]:
        sizes = self.hidden_layer_sizes
        return tuple(sizes if np.iterable(sizes) else [sizes])

    def _machines(self) -> list[Any]:
        """The description of each layer."""
        if isinstance(self.rbm, (list, tuple)):
            return list(self.rbm)
        if self.rbm is not None:
            return of_layers(self.rbm, len(self._sizes()))
        return default_machines(len(self._sizes()), self._is_real)

    def _first_machines(self) -> list[Any]:
        """The description of the layer above each part of the data, of which there is one."""
        return self._machines()[:1]

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        X, y = super()._validate(X, y, reset)
        if reset:
            self._is_real = is_real(X)
        return X, y


@estimator
class BeliefModel(TwoWays, MachineDescent):
    """Abstract: a generative model of a machine on top of directed layers."""

    fine_tuning: Any = param(
        None,
        [None, OneOf("up_down")],
        "Whether all weights are trained at once after the layers, for `max_iter` epochs: by "
        "contrastive wake-sleep, up and down. None: `fit` leaves them as layers learnt them, and "
        "what says how is ignored; `partial_fit` goes on up and down.",
    )
    learning: str = param(
        "cd",
        OneOf("cd", "pcd"),
        "Where samples of the machine on top come from while all weights are trained: from chains "
        "that start at the data (contrastive divergence), or that go on from minibatch to "
        "minibatch (persistent), from which better samples are learnt.",
    )
    n_gibbs_steps: int = param(
        3,
        Interval(Integral, 1, None, closed="left"),
        "Gibbs steps of the machine on top for a minibatch, with fine_tuning='up_down'.",
    )
    alpha: float = param(
        0.0,
        Interval(Real, 0, None, closed="left"),
        "Strength of the penalty on the weights, divided by the sample size.",
    )
    max_iter: int = param(10, Interval(Integral, 1, None, closed="left"), "Epochs of fine-tuning.")

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "top_": "BernoulliRBM or GaussianRBM: The machine on top, fitted to the layer below it.",
        "n_iter_": "int: Epochs of fine-tuning; without it, of all layers.",
    }
    _fit_state: ClassVar[dict[str, type]] = {"_n_epochs_of_layers": int}
    _shape_parameters: ClassVar[tuple[str, ...]] = ("hidden_layer_sizes",)

    # -- fit

    @abstractmethod
    def _first_machines(self) -> list[Any]:
        """The description of the layer above each part of the data."""

    def _step(self, module: Any, flat: FlatParameters) -> UpDownStep:
        return up_down_step(self, module, flat)

    def _choose_trained(self, module: Any) -> None:
        """Variances that machines were not to learn stay as they are."""
        for path, machine in zip(module.each_path, self._first_machines(), strict=True):
            units = path.units(0)
            if isinstance(units, Gaussian):
                units.log_variance.requires_grad_(machine.learn_variances)

    def _split(self, data: TrainingSet) -> tuple[np.ndarray, np.ndarray] | None:
        """Without fine-tuning nothing is held out: all rows are for the layers."""
        return None if self.fine_tuning is None else super()._split(data)

    def _recipe(self, seed: int, difficulty: Any, incremental: bool) -> Recipe:
        recipe = super()._recipe(seed, difficulty, incremental)
        if self.fine_tuning is None and not incremental:
            recipe.max_epochs = 0
        return recipe

    def _record(self, trainer: Trainer) -> None:
        super()._record(trainer)
        if not trainer.recipe.max_epochs:
            self.n_iter_ = self._n_epochs_of_layers

    # -- the network's view of the data

    def log_likelihood_bound(
        self,
        X: Any,
        log_partition: Any = None,
        *,
        n_draws: int = 20,
        random_state: Any = None,
    ) -> np.ndarray:
        """A lower bound of the logarithm of p(v), estimated with draws of hidden layers.

        The mean of log p(v, h) - log q(h | v) over hidden layers below the last that are drawn from
        the way up, q (Salakhutdinov and Murray, 2008, section 5).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        log_partition : LogPartition or float, default=None
            The logarithm of the partition function of the machine on top. None:
            ``top_.log_partition()``.
        n_draws : int, default=20
            Draws for each row.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws, and of an estimate of the partition function. None: the estimator's.

        Returns
        -------
        bound : ndarray of shape (n_samples,)
            In nats.
        """
        X = self._validated_rows(X)
        given = {"n_draws": n_draws}
        check_values(
            "log_likelihood_bound",
            {"n_draws": [Interval(Integral, 1, None, closed="left")]},
            given,
        )
        random_state = self.random_state if random_state is None else random_state
        log_z = self.top_._log_z(log_partition, random_state)
        draws, network = self._own_draws(random_state), self.module_
        return self._by_rows(X, lambda v: network.log_bound(v, n_draws, draws)) - log_z

    @property
    def top_(self) -> Any:
        """The machine on top, as an estimator fitted to the layer below it."""
        if "module_" not in vars(self):
            raise AttributeError(f"'top_' needs a fitted {type(self).__name__}.")
        machine = self.module_.top
        if isinstance(machine.visible, Gaussian):
            return GaussianRBM._holding(machine, self._input_dtype)
        groups = [group.tolist() for group in getattr(machine.visible, "groups", [])]
        return BernoulliRBM._holding(machine, self._input_dtype, groups=groups or None)

    def _layers(self) -> list[Layer]:
        return layers_of(self.module_, self._input_shape())


@estimator
class DBN(BeliefParameters, BeliefModel):
    r"""Deep belief network: features, and samples, of a stack of Boltzmann machines.

    Each layer is the hidden one of a restricted machine that learns the distribution of what the
    layer below makes. Together they are a generative model, the machine on top and directed layers
    below it,

    .. math:: p(v, h_1, \dots, h_L) = p(h_{L-1}, h_L) \, p(h_{L-2} | h_{L-1}) \cdots p(v | h_1),

    of which `fine_tuning` can train all weights at once. See the :ref:`user guide <boltzmann>`.

    See Also
    --------
    BernoulliRBM : A single layer.
    MLPClassifier : Starts from such layers with ``pretrain=BernoulliRBM()``.

    References
    ----------
    .. [1] Hinton, Osindero and Teh (2006). "A fast learning algorithm for deep belief nets." Neural
       Computation 18, 1527-1554. https://doi.org/10.1162/neco.2006.18.7.1527

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import DBN, BernoulliRBM
    >>> X = load_digits().data / 16
    >>> dbn = DBN((32, 16), rbm=BernoulliRBM(batch_size=50, n_iter=5), random_state=0).fit(X)
    >>> dbn.transform(X).shape, dbn.sample(3, n_steps=50, random_state=0).shape
    ((1797, 16), (3, 64))
    """

    _fitted_attributes: ClassVar[dict[str, str]] = {"components_": FILTERS}

    # -- fit

    def _encode(self, y: Any, fresh: bool, classes: Any) -> None:
        self.n_outputs_ = int(self._sizes()[-1])

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> DeepBeliefNet:
        *below, last = self._sizes()
        visible = self._machines()[0]._visible_units(input_shape[0])
        return DeepBeliefNet([DirectedLayers(visible, below)], last)

    def _pretrain(self, trainer: Trainer, batches: Data) -> None:
        """Greedy layer-wise training (Hinton, Osindero and Teh, 2006, section 4)."""
        self._n_epochs_of_layers, sizes = 0, self._sizes()
        X = all_inputs(batches)
        fitted = stacked(self._machines(), sizes, X, self._seed, batches.device)
        trainer.interrupted = was_interrupted(fitted)
        self._n_epochs_of_layers = sum(machine.n_iter_ for machine in fitted)
        network: DeepBeliefNet = trainer.module_
        take_layers(network.path(0), fitted[: len(sizes) - 1])
        if len(fitted) == len(sizes):
            network.top.load_state_dict(fitted[-1].module_.state_dict())

    # -- the network's view of the data

    @property
    def components_(self) -> np.ndarray:
        """The weights of the first hidden layer, of shape (hidden_layer_sizes[0], n_features)."""
        return self._values("components_", lambda network: network.first_weight)

    def transform(self, X: Any) -> np.ndarray:
        """The probabilities of the last hidden layer, all others replaced by theirs on the way.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.

        Returns
        -------
        h : ndarray of shape (n_samples, hidden_layer_sizes[-1])
            The probabilities.
        """
        return super().transform(X)


def up_down_step(estimator: Any, module: DeepBeliefNet, flat: FlatParameters) -> UpDownStep:
    """The step of an estimator that trains all weights at once."""
    return UpDownStep(
        module,
        flat,
        draws_for(flat.values.device, estimator._seed),
        estimator.n_gibbs_steps,
        persistent=estimator.learning == "pcd",
        mixed=estimator._mixed,
    )


@torch.no_grad()
def take_layers(path: DirectedLayers, machines: Sequence[Any]) -> None:
    """Start layers from machines that were fitted one after another, as many as there are."""
    for machine, up, down in zip(machines, path.up, path.down, strict=False):
        for layer, values in ((up, Affine.of(machine)), (down, Affine.down_of(machine))):
            assert isinstance(layer, nn.Linear)
            values.copy_to(layer)
    if machines:
        path.units(0).load_state_dict(machines[0].module_.visible.state_dict())


def default_machines(n: int, of_real_values: bool = False) -> list[Any]:
    """Machines for some layers; units differ from the start, as few samples would not make them."""
    binary: Any = BernoulliRBM
    real: Any = GaussianRBM
    upper = binary(init_std=0.1)
    return ([real(init_std=0.1) if of_real_values else upper] + [upper] * (n - 1))[:n]


def of_layers(machine: Any, n: int) -> list[Any]:
    """One machine as that of some layers, of which the first has the groups of visible units."""
    grouped = is_binary(machine) and machine.groups
    upper = clone(machine).set_params(groups=None) if grouped else machine
    return ([machine] + [upper] * (n - 1))[:n]


def check_units(machines: Sequence[Any], owner: str) -> None:
    """Raise for units that layers do not have."""
    for i, machine in enumerate(machines):
        if not is_binary(machine):
            continue
        if machine.hidden != "binary":
            raise InvalidParameterError(
                f"Machines in the 'rbm' parameter of {owner} have binary hidden units. "
                f"Got hidden={machine.hidden!r}."
            )
        if tuple(machine.copies) != (1, 1):
            raise InvalidParameterError(
                f"Machines in the 'rbm' parameter of {owner} have no copies of units. "
                f"Got copies={machine.copies!r}."
            )
        if i and machine.groups:
            raise InvalidParameterError(
                f"Only the first of several machines in the 'rbm' parameter of {owner} can have "
                f"groups, of visible units. Got groups={machine.groups!r}."
            )


def is_real(X: Any) -> bool:
    """Whether values are none of binary units, nor probabilities of their being 1."""
    values = X.data if sp.issparse(X) else X[:]
    return bool(values.size and (values.min() < -ROUNDING or values.max() > 1 + ROUNDING))


def is_binary(machine: Any) -> bool:
    """Whether it is a restricted machine with binary visible units."""
    return isinstance(machine, RestrictedMachine) and machine._is_binary
