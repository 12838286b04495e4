"""Networks that start from machines, which know no weights of samples."""

from __future__ import annotations

from typing import Any

from sklearn.utils.metaestimators import available_if

from sknets._params import estimator
from sknets.base import NetworkClassifier
from sknets.base.descent import is_stochastic
from sknets.base.training_set import Call
from sknets.mlp import DenseNetwork


@estimator
class UnweightedNetwork(DenseNetwork):
    """Abstract: fully connected layers that learn inputs first, and targets then."""

    def fit(self, X: Any, y: Any, *, difficulty: Any = None) -> Any:  # type: ignore[override]
        """Fit the machines to `X`, and then the network to `X` and targets `y`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or torch Dataset
            The inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets: classes, or real numbers.
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
        return self._fit(Call(X, y, difficulty=difficulty))


@estimator
class UnweightedClassifier(UnweightedNetwork, NetworkClassifier):
    """Abstract: one that tells classes apart."""

    @available_if(is_stochastic)
    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Any:
        """Train for one more epoch on the given data; at the first call the machines, too.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The classes.
        classes : array-like of shape (n_classes,) or list of them, default=None
            All classes of all calls. Needed at the first call, where `y` may lack some.

        Returns
        -------
        self : object
            The trained estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed, or if the loss stops being finite.
        """
        return super().partial_fit(X, y, classes=classes)
