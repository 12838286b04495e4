"""Networks whose last hidden layer is a representation of their input."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
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
        X = self._validated_rows(X)
        with torch.inference_mode():
            return self._array(self._forward(X, self._features), X)

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


# After scikit-learn has wrapped the two for set_output, they are hidden where they cannot work.
for _name in ("transform", "fit_transform"):
    setattr(NetworkTransformer, _name, available_if(_has_features)(vars(NetworkTransformer)[_name]))
