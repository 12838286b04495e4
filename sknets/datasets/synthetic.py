"""Tasks for recurrent networks whose answers depend on what was long ago.

Hochreiter and Schmidhuber (1997), "Long short-term memory", https://doi.org/10.1162/neco.1997.9.8.1735.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from sknets._params import Interval, check_values

SAMPLES = {
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
}
REBER_SYMBOLS = "BEPSTVX"
# From each state of the grammar: what may come, and where it leads (Reber, 1967); 7 is the end.
REBER = {
    0: (("B", 1),),
    1: (("T", 2), ("P", 3)),
    2: (("S", 2), ("X", 4)),
    3: (("T", 3), ("V", 5)),
    4: (("X", 3), ("S", 6)),
    5: (("P", 4), ("V", 6)),
    6: (("E", 7),),
}


def make_adding_problem(
    n_samples: int = 1000, length: int = 100, random_state: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of numbers of which the two that are marked are to be added.

    One mark is in the first half, one in the second. Who always answers 1 has a mean squared error
    of 1/6.

    Parameters
    ----------
    n_samples : int, default=1000
        How many sequences.
    length : int, default=100
        Steps of each sequence, 2 at least.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    X : ndarray of shape (n_samples, length, 2)
        Numbers between 0 and 1, and the marks, zeros and two ones.
    y : ndarray of shape (n_samples,)
        The sums.

    See Also
    --------
    make_temporal_order : What counts is which of two symbols came first.

    References
    ----------
    .. [1] Hochreiter and Schmidhuber (1997). "Long short-term memory." Neural Computation 9,
       1735-1780, section 5.4. https://doi.org/10.1162/neco.1997.9.8.1735
    .. [2] Le, Jaitly and Hinton (2015). "A simple way to initialize recurrent networks of rectified
       linear units", section 4.1. https://doi.org/10.48550/arXiv.1504.00941

    Examples
    --------
    >>> from sknets.datasets import make_adding_problem
    >>> X, y = make_adding_problem(3, length=10, random_state=0)
    >>> X.shape
    (3, 10, 2)
    >>> bool(((X[..., 0] * X[..., 1]).sum(1) == y).all())
    True
    """
    lengths = {"length": [Interval(Integral, 2, None, closed="left")]}
    values = {"n_samples": n_samples, "length": length, "random_state": random_state}
    check_values("make_adding_problem", {**SAMPLES, **lengths}, values)
    random = check_random_state(random_state)
    X = np.zeros((n_samples, length, 2))
    X[..., 0] = random.uniform(size=(n_samples, length))
    half = length // 2
    rows = np.arange(n_samples)
    X[rows, random.randint(half, size=n_samples), 1] = 1
    X[rows, half + random.randint(length - half, size=n_samples), 1] = 1
    return X, (X[..., 0] * X[..., 1]).sum(axis=1)


def make_temporal_order(
    n_samples: int = 1000, random_state: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of symbols whose class is the order of two that are far apart.

    Between a first and a last symbol of their own, four symbols that mean nothing follow each other
    at random, but for an X or a Y at a step from 10 to 20 and another from 50 to 60. The classes
    are XX, XY, YX and YY.

    Parameters
    ----------
    n_samples : int, default=1000
        How many sequences.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    X : ndarray of shape (n_samples,) of ndarray of shape (100,) to (110,)
        Ids of symbols: 0 and 1 are X and Y, 2 to 5 mean nothing, 6 is the first and 7 the last.
    y : ndarray of shape (n_samples,)
        The classes.

    See Also
    --------
    make_adding_problem : Two numbers that are far apart are to be added.

    References
    ----------
    .. [1] Hochreiter and Schmidhuber (1997). "Long short-term memory." Neural Computation 9,
       1735-1780, section 5.6, task 6a. https://doi.org/10.1162/neco.1997.9.8.1735

    Examples
    --------
    >>> from sknets.datasets import make_temporal_order
    >>> X, y = make_temporal_order(100, random_state=0)
    >>> sorted(set(y.tolist()))
    ['XX', 'XY', 'YX', 'YY']
    """
    values = {"n_samples": n_samples, "random_state": random_state}
    check_values("make_temporal_order", SAMPLES, values)
    random = check_random_state(random_state)
    sequences, classes = np.empty(n_samples, dtype=object), []
    for i in range(n_samples):
        sequence = random.randint(2, 6, size=random.randint(100, 111))
        which = random.randint(2, size=2)
        sequence[[random.randint(10, 21), random.randint(50, 61)]] = which
        sequence[0], sequence[-1] = 6, 7
        sequences[i] = sequence
        classes.append("".join("XY"[k] for k in which))
    return sequences, np.array(classes)


def make_embedded_reber(
    n_samples: int = 1000, random_state: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Strings of the embedded Reber grammar, and what may come after each of their symbols.

    A string of Reber's grammar stands between two equal symbols, T or P, so that the last symbol
    but one depends on the second alone, however long the string between is.

    Parameters
    ----------
    n_samples : int, default=1000
        How many sequences.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    X : ndarray of shape (n_samples,) of ndarray of shape (n_symbols,)
        Ids of the symbols in the alphabetical order of B, E, P, S, T, V and X, without the last.
    y : ndarray of shape (n_samples,) of ndarray of shape (n_symbols, 7)
        After each symbol a 1 for what the grammar lets follow.

    See Also
    --------
    sknets.RNNTagger : Learns the labels of each step.

    References
    ----------
    .. [1] Fahlman (1991). "The recurrent cascade-correlation architecture." NIPS 3, 190-196.
    .. [2] Hochreiter and Schmidhuber (1997). "Long short-term memory." Neural Computation 9,
       1735-1780, section 5.1. https://doi.org/10.1162/neco.1997.9.8.1735

    Examples
    --------
    >>> from sknets.datasets import make_embedded_reber
    >>> X, y = make_embedded_reber(2, random_state=0)
    >>> "".join("BEPSTVX"[i] for i in X[0])
    'BTBPVPSET'
    >>> y[0][1]  # after T a B must come
    array([1, 0, 0, 0, 0, 0, 0])
    """
    values = {"n_samples": n_samples, "random_state": random_state}
    check_values("make_embedded_reber", SAMPLES, values)
    random = check_random_state(random_state)
    sequences, labels = np.empty(n_samples, dtype=object), np.empty(n_samples, dtype=object)
    for i in range(n_samples):
        symbols, choices = _embedded_string(random)
        ids = [REBER_SYMBOLS.index(symbol) for symbol in symbols[:-1]]
        sequences[i] = np.array(ids)
        labels[i] = np.array([[int(s in after) for s in REBER_SYMBOLS] for after in choices[1:]])
    return sequences, labels


def _embedded_string(random: np.random.RandomState) -> tuple[list[str], list[str]]:
    """A string, and for each of its symbols those that might have stood there."""
    outer = "TP"[random.randint(2)]
    symbols, choices = ["B", outer], ["B", "TP"]
    state = 0
    while state != 7:
        ways = REBER[state]
        symbol, state = ways[random.randint(len(ways))]
        symbols.append(symbol)
        choices.append("".join(way for way, _ in ways))
    return [*symbols, outer, "E"], [*choices, outer, "E"]
