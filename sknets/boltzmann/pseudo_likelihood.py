"""The probability of one value of a row given the others, a proxy of the likelihood (Besag, 1975).

Which value it is depends on the row alone, so that a row has the same score in any company.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from sknets._data import slices
from sknets.boltzmann.network import RBM
from sknets.boltzmann.units import softplus

MIXER = 0x9E3779B97F4A7C15
TAIL = 8.0  # standard deviations beyond the last mean, where a density ends
AT_ONCE = 2**23  # numbers that are held at a time


def with_flipped(X: Any, columns: np.ndarray) -> Any:
    """A copy in which the value in one column of each row is 1 less what it was."""
    rows = np.arange(X.shape[0])
    if not sp.issparse(X):
        flipped = X.copy()
        flipped[rows, columns] = 1 - X[rows, columns]
        return flipped
    X = sp.csr_array(X)
    found = X[rows, columns]
    values = np.ravel(found.toarray() if sp.issparse(found) else found)
    return X + sp.csr_array((1 - 2 * values, (rows, columns)), shape=X.shape)


def chosen_columns(X: Any, seed: int) -> np.ndarray:
    """A column for each row, by the row's values and a seed: a hash, of sparse rows the same."""
    random = np.random.Generator(np.random.PCG64(seed))
    keys = random.integers(2**64, size=X.shape[1], dtype=np.uint64) | np.uint64(1)
    if sp.issparse(X):
        X = sp.csr_array(X)
        rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        hashes = np.zeros(X.shape[0], dtype=np.uint64)
        np.add.at(hashes, rows, mixed_bits(X.data) * keys[X.indices])
    else:
        hashes = (mixed_bits(X) * keys).sum(axis=1, dtype=np.uint64)
    mixed = (hashes ^ (hashes >> np.uint64(32))) * np.uint64(MIXER)
    return (mixed >> np.uint64(33)).astype(np.int64) % X.shape[1]


def mixed_bits(values: np.ndarray) -> np.ndarray:
    """The bits of numbers in which small differences are spread; 0 of either sign stays 0."""
    bits = (values + 0.0).astype(np.float64).view(np.uint64)
    return bits ^ (bits >> np.uint64(52)) ^ (bits >> np.uint64(31))


def conditional_log_density(machine: RBM, v: Tensor, columns: Tensor) -> Tensor:
    """log p(v_i | all others), for one column i of each row, by the trapezoidal rule.

    Given the others the value has a mixture of normal distributions of one variance, the means of
    which are the bias and sums of weights; on a grid of a fourth of the standard deviation the rule
    is exact to many digits.
    """
    units: Any = machine.visible
    weight, bias = machine.weight, machine.visible_bias
    std = (units.log_variance / 2).exp()
    low = bias + weight.clamp_max(0).sum(0) - TAIL * std
    high = bias + weight.clamp_min(0).sum(0) + TAIL * std
    n = math.ceil(((high - low) / std).max().item() * 4) + 1
    share = torch.linspace(0, 1, n, dtype=v.dtype)
    made = []
    for part in slices(len(v), max(1, AT_ONCE // (n * machine.hidden.n))):
        x, i = v[part], columns[part]
        rows = torch.arange(len(x))
        inputs, now = machine.hidden_inputs(x), x[rows, i]
        grid = low[i, None] + (high - low)[i, None] * share  # (rows, n)
        values = torch.cat([now[:, None], grid], 1)
        moved = (values - now[:, None]) * units.precision[i, None]
        hidden = softplus(inputs[:, None] + moved[..., None] * weight[:, i].t()[:, None]).sum(2)
        log_p = hidden - (values - bias[i, None]).square() * units.precision[i, None] / 2
        step = (grid[:, 1] - grid[:, 0]).log()
        made.append(log_p[:, 0] - log_p[:, 1:].logsumexp(1) - step)
    return torch.cat(made)
