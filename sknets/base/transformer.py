"""Networks whose last hidden layer is a representation of their input."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sknets.base.estimator import NetworkEstimator


def _has_features(self: NetworkTransformer) -> bool:
    if not self._n_hidden_layers():
        raise AttributeError("transform needs a hidden layer.")
    return True


class NetworkTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NetworkEstimator):
    """Abstract: a network whose last hidden layer is a representation of its input."""

    @abstractmethod
    def _n_hidden_layers(self) -> int:
        """How many layers stand between input and output."""

    def _features(self, x: Tensor) -> Tensor:
        """The values of the last hidden layer."""
        return self.module_.features(x)

    @property
    def _n_features_out(self) -> int:
        """How many columns `transform` gives, for scikit-learn's names of them."""
        return self.module_.head.in_features

    def transform(self, X: Any) -> np.ndarray:
        """Values of the last hidden layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data, or what else the class takes, such as images or sequences.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_hidden_units)
            The values after activation.
        """
        return self._by_rows(self._validated_rows(X), self._features)

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> np.ndarray:
        """Fit to data, then give the values of the last hidden layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input data, or what else the class takes, such as images or sequences.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            The targets.
        **fit_params : dict
            Further arguments of `fit`.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_hidden_units)
            The values after activation.
        """
        return self.fit(X, y, **fit_params).transform(X)


class InvertibleTransformer(NetworkTransformer):
    """Abstract: a network that says what inputs were, given their representation."""

    @abstractmethod
    def _decoded(self, code: Tensor) -> Tensor:
        """What inputs are expected to be, given the values of the last hidden layer."""

    def inverse_transform(self, X: Any) -> np.ndarray:
        """What inputs are expected to be, given the values of the last hidden layer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_hidden_units)
            Values of the last hidden layer.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            The expectations.
        """
        return self._by_rows(self._checked_code(X), self._decoded)

    def _checked_code(self, X: Any) -> np.ndarray:
        """Values of the last hidden layer, validated."""
        check_is_fitted(self)
        code = check_array(X, dtype=(np.float64, np.float32))
        if code.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {code.shape[1]} columns, but the last layer of {type(self).__name__} has "
                f"{self._n_features_out} units."
            )
        return code

    def reconstruct(self, X: Any) -> np.ndarray:
        """What is left of inputs after the way to the last hidden layer and back.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, or what else the class takes, such as images or sequences.

        Returns
        -------
        X_restored : ndarray of shape (n_samples, n_features)
            The expectations.
        """
        X = self._validated_rows(X)
        return self._by_rows(X, lambda x: self._decoded(self._features(x)))


# After scikit-learn has wrapped the two for set_output, they are hidden where they cannot work.
for _name in ("transform", "fit_transform"):
    setattr(NetworkTransformer, _name, available_if(_has_features)(vars(NetworkTransformer)[_name]))
