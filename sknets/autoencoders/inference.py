"""What a variational autoencoder says of data: codes, likelihoods, and samples.

Kingma and Welling (2014), "Auto-encoding variational Bayes", https://arxiv.org/abs/1312.6114;
Burda, Grosse and Salakhutdinov (2016), https://arxiv.org/abs/1509.00519.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sknets._data import dense_tensor
from sknets._params import Interval, check_values
from sknets._random import Stream, draw_seed, generator
from sknets.autoencoders.base import RestoringNetwork
from sknets.autoencoders.variational_network import VariationalNet
from sknets.base.columns import Columns
from sknets.base.conditional import ConditionalNetwork
from sknets.preprocessing.layout import as_image_array

N_SCORED = 16  # draws of a code by which a row is scored


class InferringNetwork(ConditionalNetwork, RestoringNetwork):
    """Abstract: a network of data that codes with a distribution explain."""

    @property
    @abstractmethod
    def _columns(self) -> Columns:
        """The columns of the network, of those of the data."""

    @abstractmethod
    def _check_bits(self, X: Any) -> None:
        """Raise ValueError for columns of bits that have other values."""

    def _validated_rows(self, X: Any) -> Any:
        rows = super()._validated_rows(X)
        return self._columns.expanded(rows)

    def _of_each_class(
        self, X: Any, function: Callable[[Any], np.ndarray] | None = None
    ) -> np.ndarray:
        """A log-likelihood of rows given each class, and the class's: (n_samples, n_classes)."""
        with np.errstate(divide="ignore"):
            prior = np.log(self.class_prior_)
        found = self._with_each_class(X, function or self._row_scores)
        return (found + prior).astype(X.dtype, copy=False)

    def _marginal(self, X: Any, y: Any, function: Callable[[Any], np.ndarray]) -> np.ndarray:
        """A log-likelihood of rows, given their classes or over all classes."""
        rows = super()._validated_rows(X)
        self._check_bits(rows)
        rows = self._columns.expanded(rows)
        if not self._n_classes:
            return function(rows)
        if y is None:
            return logsumexp(self._of_each_class(rows, function), axis=1)
        return function(self._joined(rows, self._places_of(y, rows)))

    def _row_scores(self, X: Any) -> np.ndarray:
        network: VariationalNet = self.module_

        def bounds(x: Tensor) -> Tensor:
            n = max(1, -(-len(x) // N_SCORED))  # whose draws take no more memory
            parts = dense_tensor(x).split(n)
            return torch.cat([network.importance_bound(part, N_SCORED) for part in parts])

        return self._by_rows(X, bounds)

    def _features(self, x: Tensor) -> Tensor:
        posterior = self.module_.posterior(x)
        if self.code == "mean":
            return posterior.mean
        return posterior.at(self.module_.noise(x, 1)[0])

    def _decoded(self, code: Tensor) -> Tensor:
        """Expected values of codes, which may have columns for their classes."""
        network: VariationalNet = self.module_
        n = network.n_code
        return network.likelihood.mean(network.decode(code[:, :n], code[:, n:]))

    def transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Codes: the means of q(z | x), or draws from it, as the parameter `code` says.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True. None takes the one that makes each row likeliest.

        Returns
        -------
        z : ndarray of shape (n_samples, n_components)
            The codes.
        """
        check_values("transform", self._parameter_constraints, {"code": self.code})
        return self._by_rows(self._given(self._validated_rows(X), y), self._features)

    def inverse_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """What data is expected to be, given codes: E(x | z), and the likeliest of categories.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes.
        y : array-like of shape (n_samples,), default=None
            Classes, which conditional=True needs.

        Returns
        -------
        x : ndarray of shape (n_samples, n_features)
            The expectations.
        """
        code = self._checked_code(X)
        if self._n_classes:
            if y is None:
                raise ValueError("conditional=True needs the class of each code: give y.")
            code = self._joined(code, self._places_of(y, code))
        return self._given_back(self._by_rows(code, self._decoded))

    def reconstruct(self, X: Any, y: Any = None) -> np.ndarray:
        """What data is expected to be, given the mean of its codes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True. None takes the one that makes each row likeliest.

        Returns
        -------
        x : ndarray of shape (n_samples, n_features)
            The expectations, and the likeliest of categories.
        """
        rows, network = self._given(self._validated_rows(X), y), self.module_
        made = self._by_rows(rows, lambda x: network.likelihood.mean(network(x)))
        shape = self._given_shape(as_image_array(X), rows)
        return self._columns.collapsed(made).reshape(len(made), *(shape or (-1,)))

    def score_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """A lower bound of log p(x), by 16 draws of a code with their importance weights.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True: log p(x | y). None: log p(x), over all classes by their
            shares in training. Ignored otherwise.

        Returns
        -------
        bound : ndarray of shape (n_samples,)
            In nats; of real numbers it is that of a density. Draws depend on the row and on
            random_state alone.
        """
        return self._marginal(X, y, self._row_scores)

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `score_samples`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True. Ignored otherwise.

        Returns
        -------
        score : float
            In nats; higher is better.
        """
        return float(np.mean(self.score_samples(X, y), dtype=float))

    def log_likelihood(
        self, X: Any, y: Any = None, *, n_samples: int = 5000, random_state: Any = None
    ) -> np.ndarray:
        """An estimate of log p(x) by importance sampling, on average too low.

        The logarithm of the mean of p(x, z) / q(z | x) over draws of z (Burda et al., 2016).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True: log p(x | y). None: log p(x), over all classes by their
            shares in training. Ignored otherwise.
        n_samples : int, default=5000
            Draws for each row.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws. None: that of the fit.

        Returns
        -------
        log_p : ndarray of shape (n_samples,)
            In nats; of real numbers it is a density.
        """
        check_is_fitted(self)
        check_values("log_likelihood", SAMPLING, {"n_samples": n_samples})
        network: VariationalNet = self.module_
        device = next(network.parameters()).device
        seed = self._seed if random_state is None else draw_seed(random_state)
        drawn = generator(seed, Stream.SAMPLE, device=device)

        def log_p(inputs: Any) -> np.ndarray:
            return self._by_rows(inputs, lambda x: network.log_mean_weight(x, n_samples, drawn))

        return self._marginal(X, y, log_p)

    def sample(
        self,
        n_samples: int = 1,
        *,
        y: Any = None,
        mean: bool = False,
        random_state: Any = None,
    ) -> np.ndarray:
        """Draw codes from their prior, and data given them.

        Parameters
        ----------
        n_samples : int, default=1
            How many. Ignored where `y` has several classes.
        y : object or array-like of shape (n_samples,), default=None
            The class of all, or of each, with conditional=True. None draws them by their shares in
            training. Ignored otherwise.
        mean : bool, default=False
            Whether to give what data is expected to be given the codes, rather than draws.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        x : ndarray of shape (n_samples, n_features)
            The data.
        """
        check_is_fitted(self)
        check_values("sample", SAMPLING, {"n_samples": n_samples, "mean": mean})
        given = self._places_for(n_samples, y)
        seed, network = draw_seed(random_state), self.module_
        places = self._drawn_places(n_samples, seed) if given is None else given
        n = n_samples if places is None else len(places)
        like = next(network.parameters())
        drawn = generator(seed, Stream.SAMPLE, device=like.device)
        with torch.inference_mode():
            z = like.new_empty(n, network.n_code).normal_(generator=drawn)
            classes = torch.from_numpy(self._joined(np.empty((n, 0)), places)).to(z)
            raw, likelihood = network.decode(z, classes), network.likelihood
            made = likelihood.mean(raw) if mean else likelihood.sample(raw, drawn)
        return self._given_back(made.cpu().numpy())

    def interpolate(self, start: Any, end: Any, n_steps: int = 10, *, y: Any = None) -> np.ndarray:
        """What data is expected to be along the line between the codes of two rows.

        Parameters
        ----------
        start, end : array-like of shape (n_features,)
            The rows.
        n_steps : int, default=10
            Points of the line, both ends among them.
        y : object, default=None
            The class of all, with conditional=True. None takes the likeliest of `start`.

        Returns
        -------
        x : ndarray of shape (n_steps, n_features)
            The expectations.
        """
        check_values("interpolate", SAMPLING, {"n_steps": n_steps})
        check_is_fitted(self)
        ends = [np.asarray(each) for each in (start, end)]
        if any(each.size != self.n_features_in_ for each in ends):
            raise ValueError(
                f"start and end must have {self.n_features_in_} values each. Got the shapes "
                f"{ends[0].shape} and {ends[1].shape}."
            )
        rows = self._validated_rows(self._as_given(np.stack([each.ravel() for each in ends])))
        if self._n_classes:  # both ends are of one class
            place = self._of_each_class(rows[:1]).argmax() if y is None else None
            places = np.full(2, place) if y is None else self._places([y, y])
            inputs = self._joined(rows, places)
        else:
            inputs = rows
        first, last = self._by_rows(inputs, lambda x: self.module_.posterior(x).mean)
        z = np.linspace(first, last, n_steps)
        classes = inputs[:1, self._columns.n_expanded :].repeat(n_steps, axis=0)
        return self._given_back(self._by_rows(np.hstack([z, classes]), self._decoded))

    def _given_back(self, values: np.ndarray) -> np.ndarray:
        """Values of the network's columns as data in the form of the fit."""
        return self._as_given(self._columns.collapsed(values))


SAMPLING = {
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "n_steps": [Interval(Integral, 2, None, closed="left")],
    "mean": ["boolean"],
}
