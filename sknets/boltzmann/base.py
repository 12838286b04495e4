"""What Boltzmann machines have in common as estimators: likelihoods, and samples."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sknets._params import Interval, OneOf, check_values
from sknets._random import Stream, draw_seed, generator
from sknets.base import DescentEstimator, InvertibleTransformer, NetworkTransformer
from sknets.base.training_set import Call, TrainingSet
from sknets.boltzmann.ais import LogPartition, annealed, drawn, reverse_annealed, temperatures
from sknets.boltzmann.draws import Draws, draws_for
from sknets.boltzmann.energy import counted

COUNTED = 20  # binary units whose states are counted unless something else is asked for
N_STEPS = 1000  # of chains from which samples are annealed back


class GenerativeMachine(NetworkTransformer):
    """Abstract: a machine with hidden units that draws what looks like its data."""

    def _drawn(self, n: int, n_steps: int, draws: Draws) -> Tensor:
        """States after some steps of Gibbs sampling, visible units first."""
        found: Tensor = self.module_.sampled(n, n_steps, draws)
        return found

    def _features(self, x: Tensor) -> Tensor:
        found: Tensor = self.module_(x)
        return found

    # -- fit

    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn the distribution of the data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or torch Dataset
            The data.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed, or if weights stop being finite.
        """
        return self._fit(Call(X, None))

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        return self._checked_rows(X, reset), None

    def sample(
        self,
        n_samples: int = 1,
        *,
        y: None = None,
        n_steps: int = 1000,
        random_state: Any = None,
    ) -> np.ndarray:
        """Draw from the machine, by Gibbs sampling.

        Parameters
        ----------
        n_samples : int, default=1
            How many, each from a chain of its own.
        y : None
            Ignored.
        n_steps : int, default=1000
            Steps of a chain, which starts at units with the data's means.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        v : ndarray of shape (n_samples, n_features)
            The visible values after the last step, of which `reconstruct` makes probabilities.
        """
        check_is_fitted(self)
        values = {"n_samples": n_samples, "n_steps": n_steps}
        check_values("sample", SAMPLING, values)
        with torch.inference_mode():
            v = self._drawn(n_samples, n_steps, self._own_draws(random_state))
        return v[:, : self.n_features_in_].cpu().numpy()

    def _own_draws(self, random_state: Any) -> Draws:
        device = next(self.module_.parameters()).device
        return draws_for(device, draw_seed(random_state))

    def _values(self, attribute: str, of: Callable[[Any], Tensor]) -> np.ndarray:
        """Parameters of the network, as an attribute."""
        return values_of(self, attribute, of)

    def _n_hidden_layers(self) -> int:
        return 1

    @property
    def _n_features_out(self) -> int:
        return self.n_outputs_

    def _run_once(self) -> None:
        self.transform(np.zeros((1, self.n_features_in_)))


class TwoWays(InvertibleTransformer, GenerativeMachine):
    """Abstract: a machine whose hidden layer says what the visible one was."""

    def _decoded(self, code: Tensor) -> Tensor:
        """E(v | h) of a machine."""
        found: Tensor = self.module_.backward_mean(code)
        return found

    def _measure(self, valid: TrainingSet) -> dict[str, float]:
        """By the error of reconstruction."""
        error = float(self._by_rows(valid.X, self.module_.reconstruction_error).mean(dtype=float))
        return {"valid_loss": error, "valid_score": -error}


class EnergyModel(GenerativeMachine):
    """Abstract: a machine of `n_components` hidden units that gives states an energy."""

    n_components: Any

    def _encode(self, y: Any, fresh: bool, classes: Any) -> None:
        self.n_outputs_ = self.n_components

    # -- the machine's view of the data

    def free_energy(self, X: Any) -> np.ndarray:
        """F(v) = -log of the sum of exp(-E(v, h)) over all h: -log p(v) up to log Z.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.

        Returns
        -------
        free_energy : ndarray of shape (n_samples,)
            In nats.
        """
        return self._by_rows(self._validated_rows(X), self.module_.free_energy)

    def log_partition(
        self,
        method: str = "auto",
        *,
        n_runs: int = 100,
        n_temperatures: int = 14_500,
        random_state: Any = None,
    ) -> LogPartition:
        """The logarithm of Z, the sum of exp(-E(v, h)) over all v and h.

        Parameters
        ----------
        method : {"auto", "exact", "ais", "reverse_ais"}, default="auto"
            "exact" counts all states, of the smaller layer if there are two, "ais" estimates by
            annealed importance sampling from a machine without weights, which on average is too
            low, "reverse_ais" by annealing the machine's samples back to it, which is too high.
            "auto" counts up to 2 ** 20 states, and estimates by "ais" beyond.
        n_runs : int, default=100
            Chains of the estimates.
        n_temperatures : int, default=14_500
            Steps of each chain.
        random_state : int, RandomState instance or None, default=None
            Seed of the estimates.

        Returns
        -------
        log_partition : LogPartition
            `value` and `std_error`, in nats.

        References
        ----------
        .. [1] Salakhutdinov and Murray (2008). "On the quantitative analysis of deep belief
           networks." ICML. https://doi.org/10.1145/1390156.1390266
        """
        check_is_fitted(self)
        given = {"method": method, "n_runs": n_runs, "n_temperatures": n_temperatures}
        check_values("log_partition", PARTITION, given)
        if method == "auto":
            method = "exact" if self.module_.n_counted <= 2**COUNTED else "ais"
        with torch.inference_mode():
            if method == "exact":
                return counted(self.module_)
            draws = self._own_draws(random_state)
            betas, path = temperatures(n_temperatures), self.module_.path()
            if method == "ais":
                return annealed(path, betas, n_runs, draws)
            return reverse_annealed(path, betas, drawn(path, n_runs, N_STEPS, draws), draws)

    def log_likelihood(self, X: Any, log_partition: Any = None) -> np.ndarray:
        """The logarithm of p(v): -F(v) - log Z.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        log_partition : LogPartition or float, default=None
            The logarithm of Z. None: ``log_partition()``.

        Returns
        -------
        log_p : ndarray of shape (n_samples,)
            In nats; of real-valued units it is a density.
        """
        return -self.free_energy(X) - self._log_z(log_partition, self.random_state)

    def _log_z(self, given: Any, random_state: Any) -> float:
        """The logarithm of Z, as it was given or found out."""
        found = self.log_partition(random_state=random_state) if given is None else given
        return found.value if isinstance(found, LogPartition) else float(found)


class MachineDescent(GenerativeMachine, DescentEstimator):
    """Abstract: a machine in MLPClassifier's words, with a loss that is none.

    The loss of an epoch is the mean energy of the data less that of samples, which is about 0 when
    all is learnt, and may be so before. It stops no training, and a full-batch solver cannot
    minimise it.
    """

    def partial_fit(self, X: Any, y: Any = None) -> Any:
        """Train for one more epoch on the given rows.

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

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        self._check_stochastic()
        for name, refused in (("curriculum", self.curriculum), ("averaging", self._n_snapshots)):
            if refused:
                raise ValueError(
                    f"A {type(self).__name__} takes all samples, and is one machine: it knows no "
                    f"{name}={getattr(self, name)!r}."
                )

    def _initialise(self, module: Any, seed: int) -> None:
        module.initialise(generator(seed, Stream.WEIGHTS))

    @property
    def _has_moving_loss(self) -> bool:
        return True  # what is recorded is not what is minimised


def values_of(estimator: Any, attribute: str, of: Callable[[Any], Tensor]) -> np.ndarray:
    """Parameters of a fitted network, as an attribute of its estimator."""
    if "module_" not in vars(estimator):
        raise AttributeError(
            f"{attribute!r} is not there before {type(estimator).__name__} is fitted."
        )
    values = of(estimator.module_).detach().cpu().numpy()
    return values.astype(estimator._input_dtype, copy=False)


PARTITION = {
    "method": [OneOf("auto", "exact", "ais", "reverse_ais")],
    "n_runs": [Interval(Integral, 2, None, closed="left")],
    "n_temperatures": [Interval(Integral, 2, None, closed="left")],
}
SAMPLING = {
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "n_steps": [Interval(Integral, 1, None, closed="left")],
}
