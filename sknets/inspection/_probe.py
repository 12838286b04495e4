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
from sknets._sequences import SequenceRows
from sknets._targets import Binary, Multiclass
from sknets.base.training_set import input_tensor
from sknets.inspection._fitted import having
from sknets.inspection.images import as_images

SLICE = 256  # samples that go through the network at a time


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
        rows = fitted._validated_rows(X)
        if isinstance(rows, SequenceRows):
            raise ValueError(
                f"{owner} takes sequences that are all of one length, an array like that of the "
                "fit. Got others."
            )
        X = np.asarray(as_array(X))
        first = next(fitted.module_.parameters())
        return cls(fitted, X, input_tensor(rows[:], first.dtype, first.device))

    @property
    def classes(self) -> np.ndarray | None:
        """The classes that a classifier of a single target chooses from; None of others."""
        if not is_classifier(self.estimator):
            return None
        targets = self.estimator._targets
        return targets.classes if isinstance(targets, (Binary, Multiclass)) else None

    def scores(self, x: Tensor) -> Tensor:
        """Raw outputs with a column for each class, also where there are two: (n, n_outputs)."""
        raw = self.estimator.module_(x)
        binary = self.classes is not None and raw.shape[1] == 1
        return torch.cat([-raw, raw], 1) if binary else raw

    def decisions(self, x: Tensor) -> Tensor:
        """The column with the highest score of each row, a slice of the rows at a time."""
        with torch.no_grad():
            return torch.cat([self.scores(part).argmax(1) for part in x.split(SLICE)])

    def columns(self, y: Any, owner: str) -> Tensor:
        """The column of each sample's score: of what y says, or the highest where y is None."""
        if y is None:
            return self.decisions(self.x)
        classes, y = self.classes, np.asarray(y)
        if classes is None:
            return self._given_columns(y, self.estimator.n_outputs_, owner)
        if y.shape != (len(self.x),) or not np.isin(y, classes).all():
            raise InvalidParameterError(
                f"The 'y' parameter of {owner} must be one of the classes {classes} for each of "
                f"the {len(self.x)} samples. Got {y!r} instead."
            )
        return torch.from_numpy(np.searchsorted(classes, y)).to(self.x.device)

    def _given_columns(self, y: np.ndarray, n_outputs: int, owner: str) -> Tensor:
        n = len(self.x)
        shapes, numbers = ((), (n,)), range(n_outputs)
        if y.dtype.kind not in "iu" or y.shape not in shapes or not np.isin(y, numbers).all():
            raise InvalidParameterError(
                f"The 'y' parameter of {owner} must be a column of the {n_outputs} outputs, "
                f"counted from 0, or one for each of the {n} samples. Got {y!r} instead."
            )
        return torch.from_numpy(np.broadcast_to(y, n).astype(np.int64)).to(self.x.device)

    def images(self, rows: Tensor | np.ndarray) -> np.ndarray:
        """Rows as images to show: (n, height, width), or (n, height, width, 3).

        Of images of other than one or three channels it is the mean of the channels.
        """
        rows = rows.detach().cpu().numpy() if isinstance(rows, Tensor) else rows
        shape = getattr(self.estimator, "image_shape_", None)
        if shape is None:
            return as_images(rows, None, "X")
        module = self.estimator.module_.images
        return shown(module(torch.as_tensor(rows)))


def shown(maps: Tensor) -> np.ndarray:
    """Images or signals, (n, channels, *sides), as images to show."""
    if maps.ndim == 3:  # a signal is an image whose rows are its channels
        maps = maps[:, None]
    elif maps.shape[1] not in (1, 3):
        maps = maps.mean(1, keepdim=True)
    return as_images(maps.cpu().numpy(), None, "X")


def scaled(images: np.ndarray) -> np.ndarray:
    """Each image with its smallest value at 0 and its largest at 1."""
    axes = tuple(range(1, images.ndim))
    low, high = images.min(axes, keepdims=True), images.max(axes, keepdims=True)
    return (images - low) / np.where(high > low, high - low, 1)
