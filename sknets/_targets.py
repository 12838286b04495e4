"""What class labels become for a network, and how they come back: one object a kind of target.

Two classes share one output, more classes have one each, and so has each label of a multilabel
target. Several multiclass targets put their groups of outputs side by side.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.utils.multiclass import type_of_target, unique_labels

from sknets._training.losses import Grouped, Loss

Classes = np.ndarray | list[np.ndarray]
LossClass = Callable[..., Loss]

SPARSE = {"spmatrix": sp.csr_matrix, "sparray": sp.csr_array}  # by scikit-learn's configuration


@dataclass(frozen=True)
class Targets(ABC):
    """Abstract: targets of one kind. All that is learnt of them is `kind` and `classes`."""

    classes: Any  # an array, or with several targets a list of them
    kind: ClassVar[str]

    @property
    def each(self) -> Sequence[np.ndarray]:
        """The classes of each target."""
        return [self.classes]

    @property
    def n_outputs(self) -> int:
        """How many raw outputs a network needs."""
        return len(self.classes)

    def check(self, y: np.ndarray) -> None:
        """Raise for labels that are not among the classes."""
        for known, column in zip(self.each, columns(y), strict=True):
            found = unique_labels(column)
            if len(np.setdiff1d(found, known)):
                raise ValueError(
                    "`y` has classes not in `self.classes_`. "
                    f"`self.classes_` has {known}. 'y' has {found}."
                )

    @abstractmethod
    def encode(self, y: np.ndarray) -> np.ndarray:
        """Labels as the loss wants them."""

    @abstractmethod
    def decide(self, scores: np.ndarray, threshold: float) -> np.ndarray:
        """Encoded labels from a score an output: the largest wins, or all above the threshold."""

    @abstractmethod
    def labels(self, encoded: np.ndarray) -> Any:
        """Encoded labels as they were given."""

    @abstractmethod
    def loss(self, single: LossClass, multiclass: LossClass, settings: dict[str, Any]) -> Loss:
        """The loss: of outputs one by one, or of one output a class."""

    def strata(self, target: np.ndarray, n_held_out: int) -> np.ndarray | None:
        """What a split of encoded labels is stratified by."""
        return None

    def probabilities(self, outputs: np.ndarray) -> Any:
        """Outputs as `predict_proba` gives them."""
        return outputs

    def scores(self, raw: np.ndarray) -> Any:
        """Raw outputs as `decision_function` gives them."""
        return raw


class Binary(Targets):
    """Two classes, or one alone: 0 and 1, of shape (n, 1)."""

    kind = "binary"
    n_outputs = 1

    def encode(self, y: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.classes, y).astype(np.float32)[:, None]

    def decide(self, scores: np.ndarray, threshold: float) -> np.ndarray:
        return scores > threshold if len(self.classes) == 2 else np.zeros(scores.shape, bool)

    def labels(self, encoded: np.ndarray) -> np.ndarray:
        return self.classes[encoded[:, 0].astype(int)]

    def loss(self, single: LossClass, multiclass: LossClass, settings: dict[str, Any]) -> Loss:
        return single(**settings)

    def strata(self, target: np.ndarray, n_held_out: int) -> np.ndarray:
        return target.astype(bool)

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        two = np.hstack([1 - outputs, outputs])
        return two if len(self.classes) == 2 else np.ones_like(outputs)

    def scores(self, raw: np.ndarray) -> np.ndarray:
        return raw[:, 0]


class Multiclass(Targets):
    """Three classes or more: their indices, of shape (n,)."""

    kind = "multiclass"

    def encode(self, y: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.classes, y)

    def decide(self, scores: np.ndarray, threshold: float) -> np.ndarray:
        return scores.argmax(axis=1)

    def labels(self, encoded: np.ndarray) -> np.ndarray:
        return self.classes[encoded]

    def loss(self, single: LossClass, multiclass: LossClass, settings: dict[str, Any]) -> Loss:
        return multiclass(**settings)

    def strata(self, target: np.ndarray, n_held_out: int) -> np.ndarray | None:
        # Differs from scikit-learn, which stratifies two classes only: more are stratified too,
        # unless a class is too rare for it.
        counts = np.unique(target, return_counts=True)[1]
        possible = counts.min() >= 2 and len(counts) <= min(n_held_out, len(target) - n_held_out)
        return target if possible else None


class Multilabel(Targets):
    """Labels that a sample has or has not: 0 and 1, of shape (n, n_labels)."""

    kind = "multilabel"

    @property
    def each(self) -> Sequence[np.ndarray]:
        return [np.array([0, 1])] * len(self.classes)

    def check(self, y: np.ndarray) -> None:
        Binary(np.array([0, 1])).check(y.ravel())  # all at once, as there may be many labels

    def encode(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(y, dtype=np.float32)

    def decide(self, scores: np.ndarray, threshold: float) -> np.ndarray:
        return scores > threshold

    def labels(self, encoded: np.ndarray) -> Any:
        return encoded.astype(int)

    def loss(self, single: LossClass, multiclass: LossClass, settings: dict[str, Any]) -> Loss:
        return single(**settings)


class SparseMultilabel(Multilabel):
    """The same, given in a sparse matrix and predicted in one."""

    kind = "sparse multilabel"

    def labels(self, encoded: np.ndarray) -> Any:
        return SPARSE[get_config()["sparse_interface"]](super().labels(encoded))


class Multioutput(Targets):
    """Several multiclass targets: the indices of their classes, of shape (n, n_targets)."""

    kind = "multioutput"

    @property
    def each(self) -> Sequence[np.ndarray]:
        return self.classes

    @property
    def n_outputs(self) -> int:
        return sum(self._sizes)

    @property
    def _sizes(self) -> tuple[int, ...]:
        return tuple(len(classes) for classes in self.classes)

    def encode(self, y: np.ndarray) -> np.ndarray:
        pairs = zip(self.classes, y.T, strict=True)
        return np.stack([np.searchsorted(classes, column) for classes, column in pairs], axis=1)

    def decide(self, scores: np.ndarray, threshold: float) -> np.ndarray:
        return np.stack([group.argmax(axis=1) for group in self.scores(scores)], axis=1)

    def labels(self, encoded: np.ndarray) -> np.ndarray:
        pairs = zip(self.classes, encoded.T, strict=True)
        return np.stack([classes[column] for classes, column in pairs], axis=1)

    def loss(self, single: LossClass, multiclass: LossClass, settings: dict[str, Any]) -> Loss:
        return Grouped(multiclass(**settings), self._sizes)

    def probabilities(self, outputs: np.ndarray) -> list[np.ndarray]:
        return np.split(outputs, np.cumsum(self._sizes)[:-1], axis=1)

    def scores(self, raw: np.ndarray) -> list[np.ndarray]:
        return self.probabilities(raw)


KINDS: dict[str, type[Targets]] = {
    kind.kind: kind for kind in (Binary, Multiclass, Multilabel, SparseMultilabel, Multioutput)
}


def found_targets(y: Any) -> Targets:
    """What kind of target labels are, and their classes.

    Parameters
    ----------
    y : {ndarray, sparse matrix} of shape (n_samples,) or (n_samples, n_targets)
    """
    found = type_of_target(y, input_name="y")
    if found.startswith(("continuous", "unknown")):
        raise ValueError(
            f"Unknown label type: {found}. Maybe you are trying to fit a classifier, which "
            "expects discrete classes on a regression target with continuous values."
        )
    if y.ndim == 1:
        return _one_target(np.unique(y))
    several = dense(y)
    if found == "multilabel-indicator" and ((several == 0) | (several == 1)).all():
        kind = SparseMultilabel if sp.issparse(y) else Multilabel
        return kind(np.arange(y.shape[1]))
    return Multioutput([np.unique(column) for column in several.T])


def given_targets(y: Any, classes: Any) -> Targets:
    """The same where `y` may lack some classes, as in a first call of partial_fit."""
    known = sorted_classes(classes)
    if isinstance(known, list):
        targets: Targets = Multioutput(known)
    elif y.ndim == 1:
        targets = _one_target(known)
    else:
        targets = found_targets(y)
    if len(targets.each) != n_targets(y) or not same_classes(targets.classes, known):
        raise ValueError(
            f"`classes={classes!r}` are not of `y`, which has shape {y.shape}. Several targets "
            "take a list of the classes of each, and multilabel ones the numbers of their columns."
        )
    targets.check(dense(y))
    return targets


def _one_target(classes: np.ndarray) -> Targets:
    return Binary(classes) if len(classes) <= 2 else Multiclass(classes)


def sorted_classes(classes: Any) -> Classes:
    """The classes that a user names: of one target, or of each of several."""
    if isinstance(classes, (list, tuple)) and any(map(np.ndim, classes)):
        return [np.unique(of_target) for of_target in classes]
    return np.unique(classes)


def same_classes(a: Classes, b: Classes) -> bool:
    """Whether two sets of classes are equal, target by target."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(np.array_equal, a, b))
    return isinstance(a, list) == isinstance(b, list) and np.array_equal(a, b)


def n_targets(y: Any) -> int:
    """How many targets a sample has."""
    return 1 if y.ndim == 1 else y.shape[1]


def columns(y: np.ndarray) -> list[np.ndarray]:
    """The targets one by one."""
    return [y] if y.ndim == 1 else list(y.T)


def dense(y: Any) -> np.ndarray:
    """Labels in a sparse matrix as an array."""
    return y.toarray() if sp.issparse(y) else y
