"""Class labels to what a loss compares with, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets, type_of_target

# How labels become outputs: one output for two classes, one a class for more, one a label for
# multilabel; several multiclass targets put their groups of outputs side by side.
BINARY, MULTICLASS, MULTILABEL, MULTIOUTPUT = "binary", "multiclass", "multilabel", "multioutput"

Classes = np.ndarray | list[np.ndarray]


def find_classes(y: np.ndarray) -> tuple[str, Classes]:
    """The kind of classification that `y` asks for, and its classes.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)

    Returns
    -------
    kind : {"binary", "multiclass", "multilabel", "multioutput"}
    classes : ndarray of shape (n_classes,), or a list of them for "multioutput"
    """
    check_classification_targets(y)
    if type_of_target(y) == "multilabel-indicator":
        return MULTILABEL, np.arange(y.shape[1])
    if y.ndim == 2:
        return MULTIOUTPUT, [np.unique(column) for column in y.T]
    classes = np.unique(y)
    return (BINARY if len(classes) <= 2 else MULTICLASS), classes


def n_outputs(kind: str, classes: Classes) -> int:
    """How many raw outputs a network needs."""
    if kind == BINARY:
        return 1
    if kind == MULTIOUTPUT:
        return sum(len(c) for c in classes)
    return len(classes)


def encode(kind: str, classes: Classes, y: np.ndarray) -> np.ndarray:
    """Labels as class indices (multiclass and multioutput) or as 0 and 1 of shape (n, outputs)."""
    if kind == MULTILABEL:
        return np.asarray(y, dtype=np.float32)
    if kind == MULTIOUTPUT:
        return np.stack(
            [np.searchsorted(c, column) for c, column in zip(classes, y.T, strict=True)], axis=1
        )
    indices = np.searchsorted(classes, y)
    return indices.astype(np.float32)[:, None] if kind == BINARY else indices


def decode(kind: str, classes: Classes, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Labels from a score an output: the largest wins, or all above the threshold."""
    if kind == BINARY:
        return classes[
            (scores[:, 0] > threshold).astype(int)
            if len(classes) > 1
            else np.zeros(len(scores), int)
        ]
    if kind == MULTICLASS:
        return classes[scores.argmax(axis=1)]
    if kind == MULTILABEL:
        return (scores > threshold).astype(int)
    best = [
        c[group.argmax(axis=1)] for c, group in zip(classes, split(classes, scores), strict=True)
    ]
    return np.stack(best, axis=1)


def split(classes: Classes, scores: np.ndarray) -> list[np.ndarray]:
    """The scores of each target of a multioutput problem."""
    return np.split(scores, np.cumsum([len(c) for c in classes])[:-1], axis=1)


def n_targets(kind: str, classes: Classes) -> int:
    """How many columns a target has."""
    return len(classes) if kind in (MULTILABEL, MULTIOUTPUT) else 1


def sorted_classes(classes: Any) -> Classes:
    """The classes that a user names: of one target, or a list of several targets'."""
    if isinstance(classes, (list, tuple)) and any(np.ndim(c) for c in classes):
        return [np.unique(c) for c in classes]
    return np.unique(classes)


def same_classes(a: Any, b: Any) -> bool:
    """Whether two sets of classes are equal, target by target."""
    if isinstance(a, list) != isinstance(b, list):
        return False
    pairs = list(zip(a, b, strict=False)) if isinstance(a, list) else [(a, b)]
    return len(a) == len(b) and all(np.array_equal(left, right) for left, right in pairs)
