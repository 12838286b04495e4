"""Columns of a table as a network takes them: categories become columns of one 1 each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from sknets.autoencoders.likelihoods import Bernoulli, Categorical, Gaussian, Likelihood, Side

KINDS = ("gaussian", "bernoulli", "categorical")


@dataclass(frozen=True)
class Columns:
    """What each column of a table holds.

    Parameters
    ----------
    kinds : list of str
        One of `KINDS` for each column.
    categories : list of ndarray
        The values of each column that is categorical, of the others none.
    """

    kinds: list[str]
    categories: list[np.ndarray]

    @property
    def are_alike(self) -> bool:
        """Whether all are of one kind that needs no columns of its own."""
        return len(set(self.kinds)) == 1 and self.kinds[0] != "categorical"

    @property
    def widths(self) -> list[int]:
        """How many columns of the network's input each has."""
        return [max(1, len(each)) for each in self.categories]

    @property
    def n_expanded(self) -> int:
        """Columns of the network's input."""
        return sum(self.widths)

    def expanded(self, X: Any) -> Any:
        """A table as the network takes it.

        Raises
        ------
        ValueError
            If a column has a category that is not known.
        """
        if self.are_alike:
            return X
        X = X.toarray() if sp.issparse(X) else X[:]
        parts = []
        for i, known in enumerate(self.categories):
            column = X[:, i : i + 1]
            if len(known):
                known = known.astype(X.dtype)  # rounded alike
                strange = np.setdiff1d(column, known)
                if len(strange):
                    raise ValueError(
                        f"Column {i} of X has categories that were not there in fit: {strange}."
                    )
                column = (column == known).astype(X.dtype)
            parts.append(column)
        return np.hstack(parts)

    def collapsed(self, values: np.ndarray) -> np.ndarray:
        """The way back, to the category that is likeliest."""
        if self.are_alike:
            return values
        parts = np.split(values, np.cumsum(self.widths)[:-1], axis=1)
        each = zip(parts, self.categories, strict=True)
        columns = [known[part.argmax(1)] if len(known) else part[:, 0] for part, known in each]
        return np.stack(columns, axis=1).astype(values.dtype, copy=False)

    def likelihood(self, variance: str) -> Likelihood:
        """Of the columns that the network takes."""
        if self.are_alike:
            n = len(self.kinds)
            return Bernoulli(n) if self.kinds[0] == "bernoulli" else Gaussian(n, variance)
        places = np.split(np.arange(self.n_expanded), np.cumsum(self.widths)[:-1])
        of_kind: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}
        for kind, columns in zip(self.kinds, places, strict=True):
            of_kind[kind].append(columns)
        gaussian, bernoulli, groups = of_kind.values()
        parts: list[tuple[Likelihood, np.ndarray]] = []
        if gaussian:
            parts.append((Gaussian(len(gaussian), variance), np.concatenate(gaussian)))
        if bernoulli:
            parts.append((Bernoulli(len(bernoulli)), np.concatenate(bernoulli)))
        parts += [(Categorical(len(columns)), columns) for columns in groups]
        return Side(*zip(*parts, strict=True))
