"""Deep Boltzmann machines as estimators.

Salakhutdinov and Hinton (2009), "Deep Boltzmann machines", AISTATS.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import clone

from sknets._data import Data, mean_of
from sknets._measure import Field, Layer
from sknets._params import ClassLike, Interval, OneOf, estimator, param
from sknets._training.optimizers import STOCHASTIC
from sknets._training.parameters import FlatParameters
from sknets._training.trainer import Trainer
from sknets.base.layerwise import all_inputs, stacked, was_interrupted
from sknets.boltzmann.base import EnergyModel, MachineDescent, TwoWays
from sknets.boltzmann.dbn import FILTERS, BeliefParameters, is_binary
from sknets.boltzmann.deep_boltzmann import DeepMachine, DeepStep
from sknets.boltzmann.draws import draws_for
from sknets.boltzmann.network import RBM


@estimator
class DBM(BeliefParameters, TwoWays, EnergyModel, MachineDescent):
    r"""Deep Boltzmann machine: hidden layers, each connected with its neighbours both ways.

    .. math:: p(v, h_1, \dots, h_L) = \frac{1}{Z} \exp\Big(b v + \sum_l c_l h_l + h_1 W_1 v +
       \sum_{l > 1} h_l W_l h_{l-1}\Big).

    Other than in a :class:`DBN`, what a layer makes of the data depends on the layers above it too:
    given the data, hidden layers are a mean field, found by going up and down until it settles.
    Layers start from machines that learn one after another, and all of them then learn together,
    by the difference between the mean field and what samples of the machine say. Likelihoods and
    free energies are sums over states for small machines, and bounds by the mean field for others.
    See the :ref:`user guide <boltzmann>`.

    See Also
    --------
    DBN : Directed below the last two layers.
    BernoulliRBM : A single hidden layer.

    References
    ----------
    .. [1] Salakhutdinov and Hinton (2009). "Deep Boltzmann machines." AISTATS.
    .. [2] Melchior, Fischer and Wiskott (2016). "How to center deep Boltzmann machines." Journal of
       Machine Learning Research 17. https://jmlr.org/papers/v17/14-237.html

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import DBM, BernoulliRBM
    >>> X = load_digits().data / 16
    >>> dbm = DBM((32, 16), rbm=BernoulliRBM(batch_size=50, n_iter=5), max_iter=5,
    ...           random_state=0).fit(X)
    >>> dbm.transform(X).shape, dbm.sample(3, n_steps=50, random_state=0).shape
    ((1797, 16), (3, 64))
    """

    greedy: bool = param(
        True,
        "boolean",
        "Whether layers start from machines that learn one after another, described by `rbm`; "
        "otherwise from small random weights, which goes well with `centring`.",
    )
    learning: str = param(
        "pcd",
        OneOf("cd", "pcd"),
        "Where samples of the machine come from: from chains that start at the mean field "
        "(contrastive divergence), or that go on from minibatch to minibatch (persistent).",
    )
    n_gibbs_steps: int = param(
        5,
        Interval(Integral, 1, None, closed="left"),
        "Gibbs steps of the chains a minibatch, of all layers each.",
    )
    n_chains: int = param(
        100,
        Interval(Integral, 1, None, closed="left"),
        "Persistent chains. Ignored with learning='cd'.",
    )
    centring: bool = param(
        True,
        "boolean",
        "Whether the gradient is that of deviations from mean activities.",
    )
    centring_rate: float = param(
        0.01,
        Interval(Real, 0, 1, closed="both"),
        "How much of the mean activities a minibatch renews.",
    )
    learn_variances: bool = param(
        False,
        "boolean",
        "Whether variances of real visible units go on learning while all layers learn together, "
        "by which they may collapse; otherwise they stay those of the first machine, or of the "
        "data.",
    )
    alpha: float = param(
        0.0,
        Interval(Real, 0, None, closed="left"),
        "Strength of the penalty on the weights, divided by the sample size.",
    )
    solver: Any = param(
        "sgd",
        [OneOf(*STOCHASTIC), ClassLike("torch.optim.Optimizer")],
        "How weights are updated. With `centring`, which ties the steps of biases to those of "
        "weights, by 'sgd' alone.",
    )
    learning_rate_init: float = param(
        0.01, Interval(Real, 0, None, closed="neither"), "The initial learning rate."
    )
    max_iter: int = param(
        20, Interval(Integral, 0, None, closed="left"), "Epochs in which all layers learn together."
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {"components_": FILTERS}
    _shape_parameters: ClassVar[tuple[str, ...]] = ("hidden_layer_sizes",)

    # -- fit

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        if self.centring and self.solver != "sgd":
            raise ValueError(
                f"centring=True of {type(self).__name__} needs solver='sgd', whose steps of biases "
                f"and weights go together. Got solver={self.solver!r} instead."
            )

    def _encode(self, y: Any, fresh: bool, classes: Any) -> None:
        self.n_outputs_ = int(self._sizes()[-1])

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> DeepMachine:
        return DeepMachine(self._machines()[0]._visible_units(input_shape[0]), self._sizes())

    def _choose_trained(self, module: Any) -> None:
        if module.real_units is not None:
            module.units(0).log_variance.requires_grad_(self.learn_variances)

    @torch.no_grad()
    def _pretrain(self, trainer: Trainer, batches: Data) -> None:
        """Greedy layer-wise training (Salakhutdinov and Hinton, 2009, section 3.1)."""
        machine: DeepMachine = trainer.module_
        if self.greedy:
            doubled = doubled_machines(self._machines())
            X = all_inputs(batches)
            fitted = stacked(doubled, self._sizes(), X, self._seed, batches.device)
            trainer.interrupted = was_interrupted(fitted)
            take_machines(machine, [each.module_ for each in fitted])
        else:
            visible = mean_of(batches, lambda v: v)
            machine.biases[0].copy_(machine.units(0).biases_of(visible))
            if machine.real_units is not None:
                machine.real_units.start(batches, visible)
        means = mean_of(batches, lambda v: torch.cat(machine.given_visible(v), 1))
        for mean, found in zip(machine.means, means.split([*map(len, machine.means)]), strict=True):
            mean.copy_(found)

    def _step(self, module: Any, flat: FlatParameters) -> DeepStep:
        return DeepStep(
            module,
            flat,
            draws_for(flat.values.device, self._seed),
            n_steps=self.n_gibbs_steps,
            n_chains=self.n_chains if self.learning == "pcd" else None,
            centring_rate=self.centring_rate if self.centring else None,
            mixed=self._mixed,
        )

    # -- the machine's view of the data

    @property
    def components_(self) -> np.ndarray:
        """The weights of the first hidden layer, of shape (hidden_layer_sizes[0], n_features)."""
        return self._values("components_", lambda machine: machine.weights[0])

    def transform(self, X: Any) -> np.ndarray:
        """The probabilities of the last hidden layer, by the mean field.

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

    def log_likelihood_bound(self, X: Any, log_partition: Any = None) -> np.ndarray:
        """A lower bound of the logarithm of p(v), by the mean field.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        log_partition : LogPartition or float, default=None
            The logarithm of Z. None: ``log_partition()``, of which an estimate may be off.

        Returns
        -------
        bound : ndarray of shape (n_samples,)
            In nats.
        """
        X = self._validated_rows(X)
        log_z = self._log_z(log_partition, self.random_state)
        return -self._by_rows(X, self.module_.variational_free_energy) - log_z

    def _layers(self) -> list[Layer]:
        found, below = [], self.n_features_in_
        for i in range(1, self.module_.n_layers):
            n = self.module_.units(i).n
            field = (Field(below, below, (below - 1) / 2),)
            found.append(Layer(f"hidden{i}", "Bernoulli", (n,), n * (below + 1), n * below, field))
            below = n
        return found


def doubled_machines(machines: Sequence[Any]) -> list[Any]:
    """Descriptions of machines that make up for the layers beyond them, where there are any."""
    found, last = [], len(machines) - 1
    for i, machine in enumerate(machines):
        has_copies = is_binary(machine) and not machine.groups
        copies = (2 if i < last and has_copies else 1, 2 if i > 0 else 1)
        found.append(clone(machine))
        if is_binary(machine):
            found[-1].set_params(copies=copies)
    return found


@torch.no_grad()
def take_machines(machine: DeepMachine, found: Sequence[RBM]) -> None:
    """Start layers from fitted machines, as many as there are.

    A layer between two gets the mean of what it had from each.
    """
    last = len(machine.weights) - 1
    for i, rbm in enumerate(found):
        copies = getattr(rbm.visible, "copies", 1)
        machine.weights[i].copy_(rbm.weight if i == last else rbm.weight * (copies / 2))
        below = rbm.visible_bias if i == 0 else (machine.biases[i] + rbm.visible_bias) / 2
        machine.biases[i].copy_(below)
        machine.biases[i + 1].copy_(rbm.hidden_bias)
    if found:
        machine.units(0).load_state_dict(found[0].visible.state_dict())
