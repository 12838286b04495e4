"""A fitted network as a function of its inputs, for what looks into it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from torch import Tensor

from sknets._data import as_array
from sknets._params import InvalidParameterError
from sknets.base.training_set import input_tensor
from sknets.inspection._fitted import having
from sknets.inspection.images import as_images


class Probe(NamedTuple):
    """A fitted estimator and inputs of its network.

    Attributes
    ----------
    estimator : fitted estimator of sknets
    X : ndarray
        The inputs as they were given, or as the Pipeline before the network made them.
    x : Tensor of shape (n_samples, n_features)
        The same as rows, in the precision of the network.
    """

    estimator: Any
    X: np.ndarray
    x: Tensor

    @classmethod
    def of(cls, estimator: Any, X: Any, owner: str) -> Probe:
        """A probe; raises what `predict` would, and InvalidParameterError for other estimators."""
        fitted = having("module_", estimator, owner)
        if isinstance(getattr(estimator, "best_estimator_", estimator), Pipeline):
            X = getattr(estimator, "best_estimator_", estimator)[:-1].transform(X)
        X = np.asarray(as_array(X))
        rows = fitted._validated_rows(X)
        first = next(fitted.module_.parameters())
        return cls(fitted, X, input_tensor(rows[:], first.dtype, first.device))

    def scores(self, x: Tensor) -> Tensor:
        """Raw outputs with a column for each class, also where there are two: (n, n_outputs)."""
        raw = self.estimator.module_(x)
        binary = is_classifier(self.estimator) and raw.shape[1] == 1
        return torch.cat([-raw, raw], 1) if binary else raw

    def columns(self, y: Any, owner: str) -> Tensor:
        """The column of each sample's score: of its class, or of the highest where y is None."""
        if y is None:
            with torch.no_grad():
                return self.scores(self.x).argmax(1)
        if not is_classifier(self.estimator):
            return torch.as_tensor(np.broadcast_to(np.asarray(y), len(self.x)).copy())
        classes, y = np.asarray(self.estimator.classes_), np.asarray(y)
        if y.shape != (len(self.x),) or not np.isin(y, classes).all():
            raise InvalidParameterError(
                f"The 'y' parameter of {owner} must be one of the classes {classes} for each of "
                f"the {len(self.x)} samples. Got {y!r} instead."
            )
        return torch.from_numpy(np.searchsorted(classes, y)).to(self.x.device)

    def images(self, rows: Tensor | np.ndarray) -> np.ndarray:
        """Rows as images to show: (n, height, width), or (n, height, width, 3)."""
        rows = rows.detach().cpu().numpy() if isinstance(rows, Tensor) else rows
        shape = getattr(self.estimator, "image_shape_", None)
        if shape is None:
            return as_images(rows, None, "X")
        module = self.estimator.module_.images
        maps = module(torch.as_tensor(rows)).numpy()
        return as_images(maps[:, None] if maps.ndim == 3 else maps, None, "X")


def scaled(images: np.ndarray) -> np.ndarray:
    """Each image with its smallest value at 0 and its largest at 1."""
    axes = tuple(range(1, images.ndim))
    low, high = images.min(axes, keepdims=True), images.max(axes, keepdims=True)
    return (images - low) / np.where(high > low, high - low, 1)
