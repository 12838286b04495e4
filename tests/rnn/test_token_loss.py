"""The loss of tokens that keeps no scores, against torch's of all of them."""

import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn.functional import cross_entropy, linear

from sknets.rnn.token_loss import TokenLoss

N, UNITS, TOKENS = 7, 5, 11
DRAWS = torch.Generator().manual_seed(0)
TARGETS = torch.randint(TOKENS, (N,), generator=DRAWS)


def given(dtype):
    shapes = (N, UNITS), (TOKENS, UNITS), (TOKENS,)
    made = [torch.randn(shape, dtype=torch.float64, generator=DRAWS) for shape in shapes]
    return [tensor.to(dtype).requires_grad_() for tensor in made]


@pytest.mark.parametrize("cached", [2 * TOKENS, 1, 10**6])
def test_loss_and_gradients_are_those_of_the_cross_entropy(monkeypatch, cached):
    monkeypatch.setattr("sknets.rnn.token_loss.CACHED", cached)
    tensors = given(torch.float64)
    loss = TokenLoss.apply(*tensors, TARGETS, torch.float64)
    expected = cross_entropy(linear(*tensors), TARGETS)
    assert_allclose(loss.detach(), expected.detach(), rtol=1e-12)
    found, right = (torch.autograd.grad(3 * each, tensors) for each in (loss, expected))
    for ours, theirs in zip(found, right, strict=True):
        assert_allclose(ours, theirs, atol=1e-12)


def test_large_scores_neither_overflow_nor_vanish():
    hidden, weight, bias = (tensor.detach() for tensor in given(torch.float32))
    loss = TokenLoss.apply(1e4 * hidden, weight, bias, TARGETS, torch.float32)
    expected = cross_entropy(linear(1e4 * hidden, weight, bias), TARGETS)
    assert_allclose(loss, expected, rtol=1e-5)


def test_products_in_bfloat16_leave_sums_in_float32():
    tensors = given(torch.float32)
    hidden = tensors[0].detach().bfloat16().requires_grad_()  # as a layer hands it on
    loss = TokenLoss.apply(hidden, *tensors[1:], TARGETS, torch.bfloat16)
    expected = cross_entropy(linear(*tensors), TARGETS)
    assert loss.dtype == torch.float32
    assert_allclose(loss.detach(), expected.detach(), rtol=0.02)
    found = torch.autograd.grad(loss, (hidden, *tensors[1:]))
    right = torch.autograd.grad(expected, tensors)
    assert [g.dtype for g in found] == [torch.bfloat16, torch.float32, torch.float32]
    for ours, theirs in zip(found, right, strict=True):
        assert_allclose(ours.float(), theirs, atol=0.01)
