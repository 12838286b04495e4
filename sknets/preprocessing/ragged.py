"""Sequences as users have them: tables, arrays and lists, of one length, of many, or filled up."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import _safe_indexing, assert_all_finite
from torch.utils.data import Dataset

from sknets._data import DatasetRows, as_array, as_objects, is_converted, is_memory_map
from sknets._sequences import SequenceRows
from sknets.preprocessing.layout import as_floats

TEXT = (
    "{} is a text. Put a sknets.preprocessing.SequenceTokenizer before, with "
    'vocabulary_size="auto" to read what it makes.'
)


class Given(NamedTuple):
    """Inputs as they came: a table of whole sequences, or sequences one after another."""

    rows: Any  # a table, or SequenceRows
    shape: tuple[Any, ...] | None  # (time, *step), time None if it varies; None: unknown


def as_given(X: Any, ids: bool, padding_value: float | None, shares: bool = False) -> Given:
    """Inputs as a table where they can be one, else as sequences.

    Parameters
    ----------
    X : array-like of shape (n, time) or (n, time, ...), or sequence of array-like (time, ...)
        Of ids of tokens with `ids`.
    ids : bool
    padding_value : float, optional
        What marks steps at the end as padding, beside NaN and, of ids, what is negative.
    shares : bool
        Whether bytes in arrays and lists are read as shares of 255. Those that stay on disk, or in
        a Dataset or a data frame, are left to who validates them.

    Raises
    ------
    ValueError
        If a sequence is empty or is no array of numbers, if steps differ in shape, or if values
        are not finite.
    """
    X = as_array(X)
    if isinstance(X, Dataset):
        if not len(X):  # type: ignore[arg-type]
            return Given(X, None)
        items = DatasetRows(X)
        shapes = {np.shape(x) for x in items.inputs()}
        if len(shapes) == 1 and not ids and padding_value is None:
            return Given(X, *shapes)
        X = list(items.inputs())
    if shares:
        X = _with_shares(X)
    if not _is_list_of_sequences(X):
        if hasattr(X, "__iter__") and np.ndim(X) == 1 and isinstance(next(iter(X), None), str):
            raise ValueError(TEXT.format("Sequence 0 of X"))
        if hasattr(X, "columns") or not hasattr(X, "ndim"):
            if not ids and not _may_be_padded(_last_column(X), padding_value):
                return Given(X, None)
            X = np.asarray(X)
        if ids and hasattr(X, "tocsr"):
            raise ValueError("Ids of tokens must be dense. Got a sparse matrix instead.")
        if X.ndim < 2 or hasattr(X, "tocsr"):
            return Given(X, None)
        return _of_array(X, ids, padding_value)
    rows = _without_padding(*_of_list(X, ids), ids, padding_value)
    return Given(rows, (None, *rows.steps.shape[1:]))


def as_sequences(
    X: Any, ids: bool = False, *, whole: bool = False, name: str = "X"
) -> SequenceRows:
    """Inputs as sequences, whatever they came as, without what fills them up.

    Whole numbers stay such where they can be `ids`, which negative ones fill up, or with `whole`;
    else they become floats. For what is raised see `as_given`; `name` is what messages call X.
    """
    X, whole = as_array(X), whole or ids
    if _is_list_of_sequences(X):
        steps, lengths = _of_list(X, whole, name)
    else:
        X = np.asarray(X)
        if X.ndim < 2 or X.dtype.kind not in "biuf":
            raise ValueError(
                f"{name} must be an array of numbers, (n, time) or (n, time, features), or a list "
                f"of sequences. Got {X.dtype} of shape {X.shape} instead."
            )
        lengths = np.full(len(X), X.shape[1])
        steps = X.reshape(X.shape[0] * X.shape[1], *X.shape[2:])
    whole = whole and steps.dtype.kind in "iu"
    if not whole and steps.dtype.kind != "f":
        steps = steps.astype(np.float64)
    return _without_padding(steps, lengths, ids and whole, None, name)


def like(X: Any, rows: SequenceRows, filling: float = np.nan) -> np.ndarray:
    """Sequences as an array of numbers where X was one, filled up, else as one of objects."""
    shape = np.shape(X) if hasattr(X, "ndim") and X.ndim > 1 else None
    if shape is None:
        return as_objects(rows)
    if rows.steps.size == prod(shape):
        return rows.steps.reshape(shape)
    made = np.full(shape, filling, dtype=rows.steps.dtype)
    made[np.arange(shape[1]) < rows.lengths[:, None]] = rows.steps
    return made


def _of_array(X: np.ndarray, ids: bool, padding_value: float | None) -> Given:
    """An array of sequences that are all of one length, but for what fills them up."""
    n, time, *step = X.shape
    shape = (time, *step)
    if not time and step:
        raise ValueError("The sequences of X are empty.")
    if not X.size:
        return Given(X, shape)
    if not ids:
        unread = is_memory_map(X) and padding_value is None
        if unread or not _may_be_padded(X[:, -1:], padding_value):
            return Given(X.reshape(n, -1) if step else X, shape)
    elif X.dtype.kind not in "iuf":
        raise ValueError(f"Ids of tokens must be whole numbers. Got dtype {X.dtype} instead.")
    steps = X.reshape(n * time, *step)
    rows = _without_padding(steps, np.full(n, time), ids, padding_value)
    if not ids and (rows.lengths == time).all():
        return Given(X.reshape(n, -1) if step else X, shape)
    return Given(rows, (None, *step))


def _last_column(X: Any) -> np.ndarray:
    """What a table or a list of rows ends with."""
    if hasattr(X, "columns"):
        return np.asarray(_safe_indexing(X, [-1], axis=1)) if len(X.columns) else np.empty(0)
    values = np.asarray(X)
    return values[:, -1:] if values.ndim > 1 and values.shape[1] else np.empty(0)


def _may_be_padded(last: np.ndarray, padding_value: float | None) -> bool:
    """Whether the last steps of sequences of one length say that some are filled up."""
    if last.dtype.kind not in "biuf":
        return False
    if padding_value is not None and (last == padding_value).any():
        return True
    return last.dtype.kind == "f" and bool(np.isnan(last).any())


def _without_padding(
    steps: np.ndarray,
    lengths: np.ndarray,
    ids: bool,
    padding_value: float | None,
    name: str = "X",
) -> SequenceRows:
    """Sequences without the padding at their ends, checked."""
    values = steps.reshape(len(steps), -1)
    padding = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    if ids:
        padding |= values < 0
    if padding_value is not None:
        padding |= values == padding_value
    real = ~padding.all(axis=1)
    ends = np.cumsum(lengths)
    kept = np.zeros(len(lengths), dtype=np.int64)
    where = np.flatnonzero(real)
    owner = np.repeat(np.arange(len(lengths)), lengths)[where]
    np.maximum.at(kept, owner, where - (ends - lengths)[owner] + 1)
    if not kept.all():
        i = int(np.argmin(kept))
        raise ValueError(f"Sequence {i} of {name} is empty, or contains NaN or padding alone.")
    rows = SequenceRows(steps, lengths)
    if (kept < lengths).any():
        places = np.arange(len(steps)) - np.repeat(ends - lengths, lengths)
        rows = SequenceRows(steps[places < np.repeat(kept, lengths)], kept)
    if ids:
        return SequenceRows(_as_ids(rows.steps), rows.lengths)
    assert_all_finite(rows.steps, input_name=name)
    return rows


def _as_ids(steps: np.ndarray) -> np.ndarray:
    whole = steps.astype(np.int64)
    if steps.dtype.kind == "f" and not (whole == steps).all():
        raise ValueError("Ids of tokens must be whole numbers. Got fractions instead.")
    if (whole < 0).any():
        raise ValueError("Negative ids of tokens are padding, which may only be at the end.")
    return whole


def _is_list_of_sequences(X: Any) -> bool:
    """Whether X is a list (or an array of objects) of sequences that no table could hold."""
    if hasattr(X, "columns"):
        return False
    objects = getattr(X, "dtype", None) == np.dtype(object) and getattr(X, "ndim", 1) == 1
    if not objects and not isinstance(X, (list, tuple)):
        return False
    if not len(X) or any(isinstance(x, str) for x in X):
        return len(X) > 0
    shapes = {np.shape(x) if hasattr(x, "shape") else _shape_of(x) for x in X}
    return objects or len(shapes) > 1 or len(next(iter(shapes))) > 1


def _shape_of(x: Any) -> tuple[int, ...]:
    return np.asarray(x).shape if isinstance(x, Sequence) else ()


def _with_shares(X: Any) -> Any:
    """Arrays and lists of images, bytes as shares of 255; everything else as it is."""
    if isinstance(X, np.ndarray) and X.dtype != np.dtype(object):
        return X if is_converted(X) else as_floats(X)
    if _is_list_of_sequences(X):
        return [as_floats(np.asarray(as_array(x))) for x in X]
    return X


def _of_list(X: Any, whole: bool, name: str = "X") -> tuple[np.ndarray, np.ndarray]:
    """The steps of all sequences of a list, and how many each has."""
    sequences = [_of_sequence(x, i, whole, name) for i, x in enumerate(X)]
    shapes = {x.shape[1:] for x in sequences}
    if len(shapes) > 1:
        raise ValueError(f"All steps of {name} must have one shape. Got {sorted(shapes)} instead.")
    return np.concatenate(sequences), np.array([len(x) for x in sequences])


def _of_sequence(x: Any, i: int, whole: bool, name: str) -> np.ndarray:
    """One sequence as an array of numbers."""
    if isinstance(x, str):
        raise ValueError(TEXT.format(f"Sequence {i} of {name}"))
    try:
        x = np.asarray(as_array(x))
    except ValueError as error:
        raise ValueError(f"Sequence {i} of {name} is no array: {error}") from error
    if x.dtype.kind not in "biuf" or not x.ndim:
        raise ValueError(
            f"Sequence {i} of {name} must be an array of numbers, (time,) or (time, features). "
            f"Got {x!r} instead."
        )
    if x.dtype.kind != "f" and not whole:
        x = x.astype(np.float64)
    return x
