"""What a machine says of a category: a group of its visible units of which one is 1.

Larochelle and Bengio (2008), "Classification using discriminative restricted Boltzmann machines",
https://doi.org/10.1145/1390156.1390224, whose sums over hidden units for all categories at once
are these.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sknets._data import dense_tensor
from sknets.boltzmann.draws import Draws
from sknets.boltzmann.network import RBM
from sknets.boltzmann.units import Categorical

AT_ONCE = 2**22  # numbers that are held at a time


def log_odds(machine: RBM, v: Tensor, group: Tensor) -> Tensor:
    """-F(v) with each category of a group, whatever v has there, up to a term of the rest.

    The softmax of a row is p(category | all other visible values): (n, len(group)).
    """
    weight = machine.weight[:, group]  # (n_hidden, n_categories)
    rest = v.clone()
    rest[:, group] = 0
    found = []
    for rows in rest.split(max(1, AT_ONCE // weight.numel())):
        inputs = machine.hidden_inputs(rows)[:, :, None] + weight  # (n, n_hidden, n_categories)
        hidden = machine.hidden.log_normaliser(inputs, machine.hidden_bias)
        found.append(machine.visible_bias[group] + hidden)
    return torch.cat(found)


def completed(machine: RBM, v: Tensor, draws: Draws) -> Tensor:
    """Rows in which a category that is unknown, a group of zeros, is drawn given the others."""
    units = machine.visible
    if not isinstance(units, Categorical):
        return v
    v = dense_tensor(v)
    for group in units.groups:
        unknown = (v[:, group] == 0).all(1)
        if unknown.any():
            rows = v[unknown]
            p = log_odds(machine, rows, group).softmax(1)
            rows[:, group] = F.one_hot(draws.categorical(p), len(group)).to(v.dtype)
            v = v.index_put((unknown.nonzero()[:, 0],), rows)
    return v
