"""Synthetic tasks: what they hold, and that their answers are those of their rules."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sknets.datasets import make_adding_problem, make_embedded_reber, make_temporal_order
from sknets.datasets.synthetic import REBER, REBER_SYMBOLS


@pytest.mark.parametrize("make", [make_adding_problem, make_embedded_reber, make_temporal_order])
def test_draws_follow_the_seed(make):
    one, again, other = (make(5, random_state=seed)[0] for seed in (0, 0, 1))
    for a, b in zip(one, again, strict=True):
        assert_array_equal(a, b)
    assert any(len(a) != len(b) or (a != b).any() for a, b in zip(one, other, strict=True))
    with pytest.raises(ValueError, match=f"'n_samples' parameter of {make.__name__}"):
        make(0)


@pytest.mark.parametrize("length", [2, 9, 100])
def test_the_marked_numbers_are_added(length):
    X, y = make_adding_problem(500, length, random_state=0)
    half = length // 2
    marks = X[..., 1]
    assert_array_equal(marks[:, :half].sum(1), 1)
    assert_array_equal(marks[:, half:].sum(1), 1)
    assert_allclose((X[..., 0] * marks).sum(1), y)
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, rel=0.2)


def test_the_class_is_the_order_of_two_symbols():
    X, y = make_temporal_order(200, random_state=0)
    for sequence, name in zip(X, y, strict=True):
        assert 100 <= len(sequence) <= 110
        places = np.flatnonzero(sequence < 2)
        assert 10 <= places[0] <= 20
        assert 50 <= places[1] <= 60
        assert "".join("XY"[i] for i in sequence[places]) == name
        assert (sequence[0], sequence[-1]) == (6, 7)
    assert min(np.unique(y, return_counts=True)[1]) > 30


def test_strings_are_of_the_grammar():
    X, y = make_embedded_reber(200, random_state=0)
    for ids, labels in zip(X, y, strict=True):
        string = "".join(REBER_SYMBOLS[i] for i in ids)
        assert string[0] == "B"
        assert string[1] == string[-1] in "TP"
        state = 0
        for place, symbol in enumerate(string[2:-1], 2):
            ways = dict(REBER[state])
            allowed = {REBER_SYMBOLS[i] for i in np.flatnonzero(labels[place - 1])}
            assert allowed == set(ways)
            state = ways[symbol]
        assert state == 7
        assert [REBER_SYMBOLS[i] for i in np.flatnonzero(labels[-2])] == [string[1]]
        assert [REBER_SYMBOLS[i] for i in np.flatnonzero(labels[-1])] == ["E"]
