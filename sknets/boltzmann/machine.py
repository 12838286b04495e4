"""The general Boltzmann machine as an estimator."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from sknets._data import Data, mean_of
from sknets._measure import Field, Layer
from sknets._params import Interval, InvalidParameterError, OneOf, estimator, param
from sknets._random import Stream, generator
from sknets._training.parameters import FlatParameters
from sknets._training.trainer import Trainer
from sknets.base.training_set import TrainingSet
from sknets.boltzmann.base import EnergyModel, MachineDescent
from sknets.boltzmann.draws import Draws, draws_for
from sknets.boltzmann.energy import LARGEST
from sknets.boltzmann.fully_connected import FREE, GIVEN_DATA, FullMachine, MachineStep


@estimator
class BoltzmannMachine(EnergyModel, MachineDescent):
    r"""Boltzmann machine: binary visible and hidden units, all connected with one another.

    .. math:: p(s) = \frac{1}{Z} \exp\left(\frac{1}{T} \Big(\frac{1}{2} s W s + b s\Big)\right),
       \quad s = (v, h),

    learns the distribution of the visible units by the difference between how often two units are 1
    together given the data, and how often when the machine runs freely. It is for few units, a
    hundred or so; a :class:`BernoulliRBM` learns much faster. See the
    :ref:`user guide <boltzmann>`.

    See Also
    --------
    BernoulliRBM : Without connections among visible units, and among hidden ones.

    References
    ----------
    .. [1] Ackley, Hinton and Sejnowski (1985). "A learning algorithm for Boltzmann machines."
       Cognitive Science 9, 147-169. https://doi.org/10.1207/s15516709cog0901_7
    .. [2] Peterson and Anderson (1987). "A mean field theory learning algorithm for neural
       networks." Complex Systems 1, 995-1019.
    .. [3] Kirkpatrick, Gelatt and Vecchi (1983). "Optimization by simulated annealing." Science
       220, 671-680. https://doi.org/10.1126/science.220.4598.671

    Examples
    --------
    >>> import numpy as np
    >>> from sknets import BoltzmannMachine
    >>> xor = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]] * 10)
    >>> machine = BoltzmannMachine(n_components=2, given_data="exact", free="exact",
    ...                            learning_rate_init=0.2, max_iter=300, random_state=0).fit(xor)
    >>> np.exp(machine.log_likelihood([[1, 0, 1], [1, 1, 1]])).round(1)
    array([0.2, 0. ])
    """

    n_components: int = param(
        8, Interval(Integral, 1, None, closed="left"), "Hidden units.", kw_only=False
    )
    temperature: float = param(
        1.0,
        Interval(Real, 0, None, closed="neither"),
        "What energies are divided by: the higher, the more random the machine.",
    )
    given_data: str = param(
        "mean_field",
        OneOf(*GIVEN_DATA),
        "How expectations of hidden units given the data are found: by Gibbs sampling, by mean "
        "fields, or by a sum over all of their values.",
    )
    free: str = param(
        "gibbs",
        OneOf(*FREE),
        "How expectations of all units of the free machine are found: likewise, or by parallel "
        "tempering, whose chains go from mode to mode. Mean fields know of one mode.",
    )
    annealing: Any = param(
        (),
        ["array-like"],
        "Temperatures that units go through before they are looked at, a sweep each, from high to "
        "low: simulated annealing. (): none. Chains of the free machine go on without.",
    )
    n_sweeps: int = param(
        2,
        Interval(Integral, 1, None, closed="left"),
        "Sweeps over all units, at the machine's temperature, that samples are taken from for a "
        "minibatch.",
    )
    n_chains: int = param(
        100,
        Interval(Integral, 1, None, closed="left"),
        "Chains of the free machine, which go on from minibatch to minibatch.",
    )
    n_temperatures: int = param(
        10,
        Interval(Integral, 2, None, closed="left"),
        "Temperatures with free='tempering', evenly in their inverse, of `n_chains` chains each.",
    )
    alpha: float = param(
        0.0,
        Interval(Real, 0, None, closed="left"),
        "Strength of the penalty on the weights, divided by the sample size.",
    )
    learning_rate_init: float = param(
        0.01, Interval(Real, 0, None, closed="neither"), "The initial learning rate."
    )
    init_std: float = param(
        0.1,
        Interval(Real, 0, None, closed="left"),
        "Standard deviation of the initial weights.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "weights_": "ndarray of shape (n_units, n_units): Symmetric; visible units come first.",
        "components_": "ndarray of shape (n_components, n_features): The weights between hidden "
        "and visible units.",
        "intercept_": "ndarray of shape (n_units,): The biases.",
    }
    _shape_parameters: ClassVar[tuple[str, ...]] = ("n_components",)
    _lasting_parameters: ClassVar[tuple[str, ...]] = ("temperature",)

    # -- fit

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        if self.precision == "bfloat16":
            raise ValueError(
                f"Units of a {type(self).__name__} change one after another, without the large "
                "products that precision='bfloat16' is for."
            )
        if not all(isinstance(t, Real) and 0 < float(t) < np.inf for t in self.annealing):
            raise InvalidParameterError(
                f"The 'annealing' parameter of {type(self).__name__} must hold temperatures, "
                f"numbers > 0. Got {self.annealing!r} instead."
            )

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> FullMachine:
        machine = FullMachine(input_shape[0], n_outputs, self.temperature)
        n_states = {self.given_data: n_outputs, self.free: machine.n}.get("exact", 0)
        if 2.0**n_states > LARGEST:
            raise ValueError(
                f"{n_states} units have too many states to count: set given_data='gibbs' and "
                "free='gibbs'."
            )
        return machine

    @torch.no_grad()
    def _initialise(self, module: Any, seed: int) -> None:
        upper = torch.empty_like(module.weight)
        upper.normal_(0, self.init_std, generator=generator(seed, Stream.WEIGHTS)).triu_(1)
        module.weight.copy_(upper + upper.t())
        module.bias.zero_()
        module.mean.fill_(0.5)

    @torch.no_grad()
    def _pretrain(self, trainer: Trainer, batches: Data) -> None:
        """The means of the data, from which estimates of the partition function start."""
        machine = trainer.module_
        machine.mean[: machine.n_visible] = mean_of(batches, lambda v: v)

    def _step(self, module: Any, flat: FlatParameters) -> MachineStep:
        return MachineStep(
            module,
            flat,
            draws_for(flat.values.device, self._seed),
            given_data=self.given_data,
            free=self.free,
            annealing=[float(t) for t in self.annealing],
            n_sweeps=self.n_sweeps,
            n_chains=self.n_chains,
            n_temperatures=self.n_temperatures,
        )

    def _measure(self, valid: TrainingSet) -> dict[str, float]:
        """By the pseudo-likelihood."""
        score = float(self._by_rows(valid.X, self.module_.pseudo_likelihood).mean())
        return {"valid_loss": -score, "valid_score": score}

    # -- what is known of the data

    def score_samples(self, X: Any) -> np.ndarray:
        """The pseudo-likelihood, the sum of the log-probabilities of each value given the others.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, of zeros and ones.

        Returns
        -------
        pseudo_likelihood : ndarray of shape (n_samples,)
            In nats; with more than twelve hidden units by mean fields.
        """
        return self._by_rows(self._validated_rows(X), self.module_.pseudo_likelihood)

    def _drawn(self, n: int, n_steps: int, draws: Draws) -> Tensor:
        machine = self.module_
        betas = [machine.temperature / float(t) for t in self.annealing] + [1.0] * n_steps
        return machine.sampled(n, betas, draws)

    # -- scikit-learn's view of the weights

    @property
    def weights_(self) -> np.ndarray:
        """The weights, symmetric, of shape (n_units, n_units)."""
        return self._values("weights_", lambda machine: machine.weight)

    @property
    def components_(self) -> np.ndarray:
        """The weights between hidden and visible units, of shape (n_components, n_features)."""
        return self._values("components_", lambda machine: machine.between_layers)

    @property
    def intercept_(self) -> np.ndarray:
        """The biases of all units."""
        return self._values("intercept_", lambda machine: machine.bias)

    def _layers(self) -> list[Layer]:
        n, n_units = self.n_features_in_, self.module_.n
        field = (Field(n, n, (n - 1) / 2),)
        n_parameters = n_units * (n_units + 1) // 2
        return [Layer("units", "Bernoulli", (n_units,), n_parameters, n_units**2, field)]
