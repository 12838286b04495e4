"""What one minibatch does: its loss, and the gradients it leaves."""

import numpy as np
import pytest
import torch

from sknets._data import Batch
from sknets._training.losses import SquaredError
from sknets._training.steps import AutogradStep, weighted_mean

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(9, 3)), rng.normal(size=(9, 1))
WEIGHT = rng.integers(1, 4, 9).astype(float)


def test_weighted_mean_equals_mean_over_repeated_samples():
    values, weight = torch.tensor([1.0, 5.0, 2.0]), torch.tensor([2.0, 0.0, 3.0])
    assert weighted_mean(values, None) == pytest.approx(8 / 3)
    assert weighted_mean(values, weight) == pytest.approx((1 + 1 + 2 + 2 + 2) / 5)
    assert weighted_mean(values, torch.zeros(3)) == 0


def test_step_sets_the_gradient_instead_of_adding_to_it():
    module = torch.nn.Linear(3, 1, device="meta").double().to_empty(device="cpu")
    torch.nn.init.constant_(module.weight, 0.5)
    torch.nn.init.constant_(module.bias, -1.0)
    gradient = torch.zeros(4, dtype=torch.float64)
    module.weight.grad, module.bias.grad = gradient[:3].view(1, 3), gradient[3:]
    step = AutogradStep(module, SquaredError(), gradient)
    batch = Batch(*map(torch.tensor, (X, Y, WEIGHT)))
    first = step(batch)
    once = gradient.clone()
    second = step(batch)
    torch.testing.assert_close(gradient, once, rtol=0, atol=0)
    assert first.loss == second.loss
    error = first.raw - batch.y
    share = (batch.weight / batch.weight.sum())[:, None]
    torch.testing.assert_close(once[:3], (share * error * batch.x).sum(0))
    torch.testing.assert_close(once[3], (share * error).sum())
