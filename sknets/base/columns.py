"""Columns of a table as a network takes them: categories become columns of one 1 each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from sknets._params import InvalidParameterError
from sknets._warnings import warn

NO_CATEGORIES = np.empty(0)


@dataclass(frozen=True)
class Columns:
    """What each column of a table holds.

    Parameters
    ----------
    categories : list of ndarray
        The values of each column that is categorical, of the others none.
    """

    categories: list[np.ndarray]

    @classmethod
    def of(cls, X: Any, are_categorical: np.ndarray) -> Columns:
        """What those of some rows hold, of which some are categorical."""
        if not are_categorical.any():
            return cls([NO_CATEGORIES] * len(are_categorical))
        columns = zip((X.toarray() if sp.issparse(X) else X[:]).T, are_categorical, strict=True)
        return cls([np.unique(column) if known else NO_CATEGORIES for column, known in columns])

    @property
    def are_numbers(self) -> bool:
        """Whether none of them is categorical."""
        return not any(map(len, self.categories))

    @property
    def widths(self) -> list[int]:
        """How many columns of the network's input each has."""
        return [max(1, len(each)) for each in self.categories]

    @property
    def n_expanded(self) -> int:
        """Columns of the network's input."""
        return sum(self.widths)

    @property
    def places(self) -> list[np.ndarray]:
        """Which columns of the network's input each has."""
        return np.split(np.arange(self.n_expanded), np.cumsum(self.widths)[:-1])

    def expanded(self, X: Any, *, strict: bool = True) -> Any:
        """A table as the network takes it.

        Raises
        ------
        ValueError
            If a column has a category that is not known; if not `strict` that is a warning, and
            the category is none of those that are.
        """
        if self.are_numbers:
            return X
        X = X.toarray() if sp.issparse(X) else X[:]
        parts = []
        for i, known in enumerate(self.categories):
            column = X[:, i : i + 1]
            if len(known):
                rounded = min(known.dtype, X.dtype, key=lambda dtype: dtype.itemsize)
                column, known = column.astype(rounded), known.astype(rounded)
                strange = np.setdiff1d(column, known)
                if len(strange):
                    message = f"Column {i} of X has categories that were not there in fit"
                    if strict:
                        raise ValueError(f"{message}: {strange}.")
                    warn(f"{message}, and are taken for none of those: {strange}.")
                column = (column == known).astype(X.dtype)
            parts.append(column)
        return np.hstack(parts)

    def collapsed(self, values: np.ndarray) -> np.ndarray:
        """The way back, to the category that is likeliest."""
        if self.are_numbers:
            return values
        parts = np.split(values, np.cumsum(self.widths)[:-1], axis=1)
        each = zip(parts, self.categories, strict=True)
        columns = [known[part.argmax(1)] if len(known) else part[:, 0] for part, known in each]
        return np.stack(columns, axis=1).astype(values.dtype, copy=False)


def categorical_columns(given: Any, n: int, names: Any, owner: str) -> np.ndarray:
    """Which of `n` columns are categories, as a mask.

    Parameters
    ----------
    given : array-like or None
        Indices, names or a mask; None for none.
    n : int
    names : sequence of str
        Of the columns; empty where they have none.
    owner : str
        The class whose parameter 'categorical_features' it is.

    Raises
    ------
    InvalidParameterError
        If `given` is none of these.
    """
    columns = np.asarray([] if given is None else given)
    is_mask = columns.dtype.kind == "b"
    if is_mask and columns.shape == (n,):
        return columns
    known = list(names) if columns.dtype.kind in "UO" else list(range(n))
    if is_mask or columns.ndim != 1 or not set(columns.tolist()) <= set(known):
        raise InvalidParameterError(
            f"The 'categorical_features' parameter of {owner} must hold indices from 0 on or names "
            f"of columns, or whether each of {n} is one. Got {given!r} instead."
        )
    return np.isin(known, columns)
