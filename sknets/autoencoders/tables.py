"""How columns of a table are distributed, given a code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sknets.autoencoders.likelihoods import Bernoulli, Categorical, Gaussian, Likelihood, Side
from sknets.base.columns import Columns

KINDS = ("gaussian", "bernoulli", "categorical")


def likelihood_of(kinds: Sequence[str], columns: Columns, variance: str) -> Likelihood:
    """Of the columns that a network takes for those of a table, of which each has its kind."""
    if columns.are_numbers and len(set(kinds)) == 1:
        n = len(kinds)
        return Bernoulli(n) if kinds[0] == "bernoulli" else Gaussian(n, variance)
    of_kind: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}
    for kind, places in zip(kinds, columns.places, strict=True):
        of_kind[kind].append(places)
    gaussian, bernoulli, groups = of_kind.values()
    parts: list[tuple[Likelihood, np.ndarray]] = []
    if gaussian:
        parts.append((Gaussian(len(gaussian), variance), np.concatenate(gaussian)))
    if bernoulli:
        parts.append((Bernoulli(len(bernoulli)), np.concatenate(bernoulli)))
    parts += [(Categorical(len(places)), places) for places in groups]
    return Side(*zip(*parts, strict=True))
