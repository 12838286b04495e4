"""The general Boltzmann machine: visible and hidden units, all connected with one another.

Ackley, Hinton and Sejnowski (1985), https://doi.org/10.1207/s15516709cog0901_7; Peterson and
Anderson (1987), "A mean field theory learning algorithm for neural networks", Complex Systems 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sknets._data import Batch, Data
from sknets._measure import Field, Layer
from sknets._params import Interval, InvalidParameterError, OneOf, estimator, param
from sknets._random import Stream, generator
from sknets._training.parameters import FlatParameters
from sknets._training.steps import StepResult
from sknets._training.trainer import Trainer
from sknets.base.training_set import TrainingSet
from sknets.boltzmann.ais import LARGEST, Beta, LogPartition, Path
from sknets.boltzmann.base import EnergyModel, MachineDescent
from sknets.boltzmann.draws import Draws, TorchDraws
from sknets.boltzmann.learning import dense_tensor, mean_of, taken
from sknets.boltzmann.units import RAREST, Bernoulli, softplus

MEAN_FIELD_STEPS = 50  # of mean fields, at most
SETTLED = 1e-4  # the largest change of a mean field that has settled
SUMMED = 12  # hidden units whose values are summed over for a free energy


class FullMachine(nn.Module):
    r"""p(s) = exp(-E(s) / T) / Z, with E = -s W s / 2 - b s for binary units s.

    The weights are symmetric, and no unit is connected with itself. Visible units come first.

    Parameters
    ----------
    n_visible, n_hidden : int
    temperature : float
    """

    def __init__(self, n_visible: int, n_hidden: int, temperature: float = 1.0) -> None:
        super().__init__()
        self.n_visible, self.n_hidden, self.temperature = n_visible, n_hidden, temperature
        self.weight = nn.Parameter(torch.empty(self.n, self.n))
        self.bias = nn.Parameter(torch.empty(self.n))
        self.mean: Tensor  # of the data; of hidden units a half
        self.register_buffer("mean", torch.empty(self.n))

    @property
    def n(self) -> int:
        """How many units there are."""
        return self.n_visible + self.n_hidden

    @property
    def hidden(self) -> range:
        """The places of hidden units."""
        return range(self.n_visible, self.n)

    def energy(self, s: Tensor) -> Tensor:
        """E(s), of shape (n_samples,)."""
        return -(s @ self.weight * s).sum(1) / 2 - s @ self.bias

    def swept(self, s: Tensor, places: range, draws: Draws, temperature: float) -> Tensor:
        """Draw some units, one after another, given all others; in place."""
        for i in places:
            inputs = torch.addmv(self.bias[i], s, self.weight[i]) / temperature
            s[:, i] = draws.bernoulli(inputs.sigmoid())
        return s

    def settled(self, s: Tensor, places: range, temperature: float) -> Tensor:
        """The means m = sigmoid((b + W m) / T) of some units, from where they are.

        They change one after another, each of which lowers the free energy of the mean field, until
        a row no longer changes.
        """
        s, moving = s.clone(), torch.arange(len(s), device=s.device)
        for _ in range(MEAN_FIELD_STEPS):
            rows = s[moving]
            for i in places:
                inputs = torch.addmv(self.bias[i], rows, self.weight[i]) / temperature
                rows[:, i] = inputs.sigmoid()
            changed = (rows - s[moving]).abs().amax(1) > SETTLED
            s[moving] = rows
            moving = moving[changed]
            if not len(moving):
                break
        return s

    def states_of_hidden(self) -> Tensor:
        """All values of hidden units, of shape (2 ** n_hidden, n_hidden)."""
        return torch.cat(list(Bernoulli(self.n_hidden).states())).to(self.weight)

    def with_hidden(self, v: Tensor, h: Tensor) -> Tensor:
        """Every row of v with every row of h, of shape (len(v), len(h), n)."""
        shape = len(v), len(h)
        return torch.cat([v[:, None].expand(*shape, -1), h[None].expand(*shape, -1)], 2)

    def given_visible(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """All states with given visible values, (n, n_states, ...), and their probabilities."""
        states = self.with_hidden(v, self.states_of_hidden())
        energy = self.energy(states.flatten(0, 1)).view(states.shape[:2])
        return states, (-energy / self.temperature).softmax(1)

    def forward(self, v: Tensor) -> Tensor:
        """The means of hidden units given visible ones, by a mean field."""
        v = dense_tensor(v)
        s = torch.cat([v, v.new_full((len(v), self.n_hidden), 0.5)], 1)
        return self.settled(s, self.hidden, self.temperature)[:, self.n_visible :]

    def free_energy(self, v: Tensor) -> Tensor:
        """-log of the sum of exp(-E / T) over all hidden values, or what mean fields say of it.

        The latter is an upper bound: the energy expected by the mean field, less its entropy.
        """
        v = dense_tensor(v)
        if self.n_hidden <= SUMMED:
            states = self.with_hidden(v, self.states_of_hidden())
            energy = self.energy(states.flatten(0, 1)).view(states.shape[:2])
            return -(-energy / self.temperature).logsumexp(1)
        h = self(v)
        entropy = torch.special.entr(h) + torch.special.entr(1 - h)
        return self.energy(torch.cat([v, h], 1)) / self.temperature - entropy.sum(1)


class Expectations(NamedTuple):
    """What a phase expects: of each unit, (n,), and of each pair of units, (n, n)."""

    units: Tensor
    pairs: Tensor

    @classmethod
    def of(cls, states: Tensor, weight: Tensor | None = None) -> Expectations:
        """The means over rows, or with their weights."""
        share = torch.full_like(states[:, 0], 1 / len(states)) if weight is None else weight
        return cls(share @ states, (states * share[:, None]).t() @ states)


class MachineStep:
    """Set the gradient of -log p(v): what the free machine expects, less what it does given data.

    Parameters
    ----------
    machine : FullMachine
    flat : FlatParameters
    draws : Draws
    given_data, free : str
        How expectations are found: one of `PHASES`.
    temperatures : sequence of float
        Gone through before units are looked at, the machine's own the last; a sweep each.
    n_sweeps : int
        Sweeps at the machine's temperature whose states count.
    n_chains : int
        Of the free machine; they go on from step to step.
    """

    def __init__(
        self,
        machine: FullMachine,
        flat: FlatParameters,
        draws: Draws,
        *,
        given_data: str,
        free: str,
        temperatures: Sequence[float],
        n_sweeps: int,
        n_chains: int,
    ) -> None:
        self.machine, self.flat, self.draws = machine, flat, draws
        self.given_data, self.free = given_data, free
        self.temperatures, self.n_sweeps = temperatures, n_sweeps
        self.chains = machine.weight.new_full((n_chains, machine.n), 0.5)
        self.started = False

    @torch.no_grad()
    def __call__(self, batch: Batch) -> StepResult:
        """The loss is the mean energy of the data less that of the free machine."""
        machine = self.machine
        v = dense_tensor(batch.x)
        clamped = torch.cat([v, v.new_full((len(v), machine.n_hidden), 0.5)], 1)
        data = PHASES[self.given_data](self, clamped, machine.hidden)
        if not self.started:
            self.chains = self.draws.bernoulli(self.chains)
            self.started = True
        model = PHASES[self.free](self, self.chains, range(machine.n))
        weight, bias = machine.weight.grad, machine.bias.grad
        assert weight is not None
        assert bias is not None
        torch.sub(model.pairs, data.pairs, out=weight).div_(machine.temperature).fill_diagonal_(0)
        torch.sub(model.units, data.units, out=bias).div_(machine.temperature)
        return StepResult(torch.dot(self.flat.values, self.flat.grad), None)

    def drawn(self, s: Tensor, places: range) -> Expectations:
        """By Gibbs sampling, the temperature lowered before: simulated annealing.

        Chains of the free machine go on from where they were, which heat would undo.
        """
        starts_anew = len(places) < self.machine.n
        for temperature in self.temperatures if starts_anew else ():
            self.machine.swept(s, places, self.draws, temperature)
        found = []
        for _ in range(self.n_sweeps):
            self.machine.swept(s, places, self.draws, self.machine.temperature)
            found.append(s.clone())
        return Expectations.of(torch.cat(found))

    def mean_field(self, s: Tensor, places: range) -> Expectations:
        """By mean fields, in which units are independent of each other given what is fixed."""
        if len(places) == self.machine.n:
            s = self.draws.uniform(s)  # there are many mean fields: one for each start
        for temperature in (*self.temperatures, self.machine.temperature):
            s = self.machine.settled(s, places, temperature)
        return Expectations.of(s)

    def counted(self, s: Tensor, places: range) -> Expectations:
        """By a sum over all values of the units."""
        machine = self.machine
        if len(places) == machine.n:
            states = torch.cat(list(Bernoulli(machine.n).states())).to(s)
            return Expectations.of(
                states, (-machine.energy(states) / machine.temperature).softmax(0)
            )
        states, p = machine.given_visible(s[:, : machine.n_visible])
        return Expectations.of(states.flatten(0, 1), p.flatten() / len(s))

    def state(self) -> dict[str, Any]:
        """What outlasts a step, beside the machine."""
        chains = {"chains": self.chains} if self.started else {}
        return {**chains, "draws": self.draws.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        before = self.chains
        self.chains = taken(state, "chains", before)
        self.started = self.chains is not before
        self.draws.load(state["draws"])


PHASES = {
    "gibbs": MachineStep.drawn,
    "mean_field": MachineStep.mean_field,
    "exact": MachineStep.counted,
}


class FullPath(Path):
    """Machines between one without weights and a given one, by inverse temperature."""

    def __init__(self, machine: FullMachine) -> None:
        self.machine = machine
        self.base = machine.mean.logit(RAREST)

    @property
    def log_partition(self) -> float:
        return softplus(self.base).sum().item()

    def start(self, n: int, draws: Draws) -> Tensor:
        return draws.bernoulli(self.base.sigmoid().expand(n, -1))

    def inputs(self, v: Tensor) -> Tensor:
        """Minus the energies in the two machines, (n, 2)."""
        return torch.stack([v @ self.base, -self.machine.energy(v) / self.machine.temperature], 1)

    def log_p(self, v: Tensor, inputs: Tensor, beta: Beta) -> Tensor:
        return torch.lerp(inputs[:, 0], inputs[:, 1], beta)

    def step(self, v: Tensor, inputs: Tensor, beta: Beta, draws: Draws) -> Tensor:
        machine, scale = self.machine, float(beta / self.machine.temperature)
        bias = (1 - beta) * self.base + scale * machine.bias
        for i in range(machine.n):
            p = torch.addmv(bias[i], v, machine.weight[i], alpha=scale).sigmoid()
            v[:, i] = draws.bernoulli(p)
        return v


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
        OneOf(*PHASES),
        "How expectations of hidden units given the data are found: by Gibbs sampling, by mean "
        "fields, or by a sum over all of their values.",
    )
    free: str = param(
        "gibbs",
        OneOf(*PHASES),
        "How expectations of all units of the free machine are found, likewise. Mean fields are "
        "poor ones of a machine with several modes.",
    )
    annealing: Any = param(
        (),
        ["array-like"],
        "Temperatures that units go through before they are looked at, a sweep each, from high to "
        "low: simulated annealing. (): none.",
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
        "intercept_": "ndarray of shape (n_units,): The biases.",
    }
    _shape_parameters: ClassVar[tuple[str, ...]] = ("n_components",)
    _lasting_parameters: ClassVar[tuple[str, ...]] = ("temperature",)

    # -- fit

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
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
        device = flat.values.device
        return MachineStep(
            module,
            flat,
            TorchDraws(generator(self._seed, Stream.SAMPLE, device=device)),
            given_data=self.given_data,
            free=self.free,
            temperatures=[float(t) for t in self.annealing],
            n_sweeps=self.n_sweeps,
            n_chains=self.n_chains,
        )

    def _measure(self, valid: TrainingSet) -> dict[str, float]:
        """By the pseudo-likelihood."""
        score = float(self._pseudo_likelihood(valid.X).mean())
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
        return self._pseudo_likelihood(self._validated_rows(X))

    def _pseudo_likelihood(self, X: Any) -> np.ndarray:
        machine = self.module_

        def summed(v: Tensor) -> Tensor:
            v = dense_tensor(v)
            here, total = machine.free_energy(v), v.new_zeros(len(v))
            for i in range(machine.n_visible):
                flipped = v.clone()
                flipped[:, i] = 1 - v[:, i]
                total -= softplus(here - machine.free_energy(flipped))
            return total

        with torch.inference_mode():
            return self._array(self._forward(X, summed), X)

    @property
    def _n_counted(self) -> float:
        return 2.0**self.module_.n

    def _counted(self) -> LogPartition:
        machine = self.module_
        if 2.0**machine.n > LARGEST:
            raise ValueError(
                f"{machine.n} units have too many states to count: estimate the partition function "
                "with method='ais'."
            )
        total = torch.tensor(-math.inf, dtype=torch.float64)
        for states in Bernoulli(machine.n).states():
            energy = machine.energy(states.to(machine.weight)).cpu().double()
            total = torch.logaddexp(total, (-energy / machine.temperature).logsumexp(0))
        return LogPartition(total.item())

    def _path(self) -> FullPath:
        return FullPath(self.module_)

    def _drawn(self, n: int, n_steps: int, draws: Draws) -> Tensor:
        s = self._path().start(n, draws)
        for temperature in (*self.annealing, *[self.module_.temperature] * n_steps):
            self.module_.swept(s, range(self.module_.n), draws, float(temperature))
        return s

    # -- scikit-learn's view of the weights

    @property
    def weights_(self) -> np.ndarray:
        """The weights, symmetric, of shape (n_units, n_units)."""
        return self._values("weight", "weights_")

    @property
    def intercept_(self) -> np.ndarray:
        """The biases of all units."""
        return self._values("bias", "intercept_")

    def _features(self, x: Tensor) -> Tensor:
        return self.module_(x)

    def _layers(self) -> list[Layer]:
        n, n_units = self.n_features_in_, self.module_.n
        field = (Field(n, n, (n - 1) / 2),)
        n_parameters = n_units * (n_units + 1) // 2
        return [Layer("units", "Bernoulli", (n_units,), n_parameters, n_units**2, field)]
