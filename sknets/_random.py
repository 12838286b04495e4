"""Randomness that belongs to one fit: seeds and generators, never global state.

A fit has one seed. Everything it draws comes from generators keyed by that seed and the purpose:
initialisation, the validation split, and each epoch by its number. An epoch's draws therefore do
not depend on what was drawn before it, so that ``k`` calls of ``partial_fit`` see the same
permutations as one ``fit`` of ``k`` epochs, and a resumed fit those of an uninterrupted one.
"""

from __future__ import annotations

from enum import IntEnum
from numbers import Integral

import numpy as np
import torch
from sklearn.utils import check_random_state

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15


class Stream(IntEnum):
    """What random numbers are drawn for."""

    WEIGHTS = 0
    SPLIT = 1
    SHUFFLE = 2
    LAYERS = 3
    PRETRAIN = 4
    SAMPLE = 5


def draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """One seed from scikit-learn's `random_state`: an int is the seed itself.

    None draws it from numpy's global state, as scikit-learn does.
    """
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def derived_seed(seed: int, *key: int) -> int:
    """A seed of its own for each `key`, far from those of its neighbours.

    By the finaliser of SplitMix64 (Steele, Lea and Flood, 2014), one round a part of the key.
    """
    z = seed
    for part in key:
        z = (z + (part + 1) * GOLDEN) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
    return z >> 32


def generator(seed: int, *key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator for one purpose of one fit."""
    return torch.Generator(device=device).manual_seed(derived_seed(seed, *key))
