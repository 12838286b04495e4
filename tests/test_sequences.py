"""Sequences of unequal length as arrays, as tensors, and in minibatches."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from sknets._sequences import SequenceData, SequenceRows, Sequences

LENGTHS = np.array([3, 1, 4, 2, 5])
STEPS = np.arange(30.0).reshape(15, 2)
ROWS = SequenceRows(STEPS, LENGTHS)
CPU = torch.device("cpu")
SETTINGS = dict(dtype=torch.float64, device=CPU)


def lists(rows):
    return [part.tolist() for part in rows]


def test_rows_are_taken_as_of_an_array():
    whole = lists(ROWS)
    assert [len(part) for part in whole] == LENGTHS.tolist()
    assert np.concatenate(whole).tolist() == STEPS.tolist()
    assert lists(ROWS[1:3]) == whole[1:3]
    assert lists(ROWS[np.array([4, 0, 0])]) == [whole[4], whole[0], whole[0]]
    assert lists(ROWS[LENGTHS > 2]) == [whole[0], whole[2], whole[4]]
    assert len(ROWS) == ROWS.shape[0] == 5


def test_batches_are_filled_up_with_zeros_to_the_longest():
    x = ROWS.tensor(**SETTINGS).filled(torch.tensor([1, 0]))
    assert x.values.shape == (2, 3, 2)
    assert x.lengths.tolist() == [1, 3]
    assert x.mask.tolist() == [[True, False, False], [True, True, True]]
    assert_array_equal(x.values[0, 1:], 0)
    assert_array_equal(x.joined(x.values), np.concatenate([STEPS[3:4], STEPS[:3]]))
    assert_array_equal(x.apart(x.joined(x.values)), x.values)


def test_sequences_of_one_length_need_no_mask():
    x = SequenceRows(np.arange(6), np.array([3, 3])).tensor(**SETTINGS).filled(torch.arange(2))
    assert x.lengths is None
    assert x.mask is None
    assert x.values.dtype == torch.int64  # ids stay whole
    assert x.joined(x.values).tolist() == list(range(6))
    assert_array_equal(x.apart(x.joined(x.values)), x.values)


def data(n, batch_size, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 50, n)
    steps = np.repeat(np.arange(n), lengths).astype(float)[:, None]  # each says whose it is
    x = SequenceRows(steps, lengths).tensor(**SETTINGS)
    y = torch.arange(n)
    return SequenceData(x, y, y + 0.5, batch_size=batch_size, **SETTINGS), lengths


@pytest.mark.parametrize("shuffled", [True, False])
def test_an_epoch_sees_each_sample_once_with_its_target_and_weight(shuffled):
    found, lengths = data(103, 10)
    generator = torch.Generator().manual_seed(0) if shuffled else None
    seen = []
    for batch in found.epoch(generator):
        assert_array_equal(batch.x.values[:, 0, 0], batch.y)
        assert_array_equal(batch.weight, batch.y + 0.5)
        expected = batch.x.shape[1] if batch.x.lengths is None else batch.x.lengths
        assert_array_equal(lengths[batch.y], expected)
        seen += batch.y.tolist()
    assert sorted(seen) == list(range(103))
    assert (seen == list(range(103))) != shuffled


def test_batches_hold_sequences_of_similar_length():
    found, lengths = data(6400, 32)
    generator = torch.Generator().manual_seed(0)
    filled = sum(batch.x.shape[0] * batch.x.shape[1] for batch in found.epoch(generator))
    assert filled < 1.03 * lengths.sum()
    in_order = sum(batch.x.shape[0] * batch.x.shape[1] for batch in found.epoch(None))
    assert in_order > 1.5 * lengths.sum()


def test_epochs_differ_and_can_be_limited_to_some_rows():
    found, _ = data(100, 10)
    first, second = (
        [tuple(batch.y.tolist()) for batch in found.epoch(torch.Generator().manual_seed(seed))]
        for seed in (0, 1)
    )
    assert first != second
    some = np.array([5, 50, 60])
    batches = list(found.epoch(torch.Generator().manual_seed(0), some))
    assert sorted(torch.cat([batch.y for batch in batches]).tolist()) == some.tolist()


def test_targets_and_weights_of_steps_come_joined():
    x = ROWS.tensor(**SETTINGS)
    labels = SequenceRows(np.arange(15), LENGTHS).tensor(**SETTINGS)
    weight = SequenceRows(np.arange(15.0), LENGTHS).tensor(**SETTINGS)
    found = SequenceData(x, labels, weight, batch_size=2, **SETTINGS)
    first = next(iter(found.epoch(None)))
    assert first.y.tolist() == [0, 1, 2, 3]
    assert first.weight.tolist() == [0, 1, 2, 3]
    assert isinstance(first.x, Sequences)
