"""Nests of tensors become nests of arrays, and come back as tensors of their own."""

import numpy as np
import torch
from numpy.testing import assert_array_equal

from sknets._state import to_arrays, to_tensors


def test_nest_goes_there_and_back():
    weights = torch.arange(6.0).reshape(2, 3).requires_grad_()
    steps = torch.tensor(3)
    tree = {"state": {0: {"step": steps, "mean": [weights, (weights, "adam", None)]}}, "lr": 0.1}
    arrays = to_arrays(tree)
    assert_array_equal(arrays["state"][0]["mean"][1][0], np.arange(6.0).reshape(2, 3))
    tensors = to_tensors(arrays)
    assert torch.equal(tensors["state"][0]["step"], steps)
    assert torch.equal(tensors["state"][0]["mean"][0], weights)
    assert tensors["state"][0]["mean"][1][1:] == ("adam", None)
    assert tensors["lr"] == 0.1


def test_dtypes_and_shapes_are_kept():
    for dtype in (torch.float32, torch.float64, torch.int64, torch.bool):
        tensor = torch.ones((), dtype=dtype)
        back = to_tensors(to_arrays(tensor))
        assert (back.dtype, back.shape) == (dtype, ())


def test_tensors_share_no_memory_with_the_arrays():
    array = np.zeros(3)
    array.flags.writeable = False
    to_tensors([array])[0].add_(1)
    assert_array_equal(array, 0)
