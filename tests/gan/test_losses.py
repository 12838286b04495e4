"""Losses and penalties against their formulas in numpy."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sknets.gan.losses import GAME_LOSSES, gradient_penalty, r1_penalty, squared_slopes

rng = np.random.default_rng(0)
REAL, MADE = rng.normal(size=7), rng.normal(size=5)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cross_entropy(target, logits):
    p = sigmoid(logits)
    return -(target * np.log(p) + (1 - target) * np.log(1 - p)).mean()


FORMULAS = {
    "minimax": (
        lambda s: cross_entropy(1 - s, REAL) + cross_entropy(0, MADE),
        lambda: np.log(1 - sigmoid(MADE)).mean(),
    ),
    "non_saturating": (
        lambda s: cross_entropy(1 - s, REAL) + cross_entropy(0, MADE),
        lambda: -np.log(sigmoid(MADE)).mean(),
    ),
    "least_squares": (
        lambda s: ((REAL - (1 - s)) ** 2).mean() / 2 + (MADE**2).mean() / 2,
        lambda: ((MADE - 1) ** 2).mean() / 2,
    ),
    "wasserstein": (lambda s: MADE.mean() - REAL.mean(), lambda: -MADE.mean()),
    "hinge": (
        lambda s: np.maximum(0, 1 - REAL).mean() + np.maximum(0, 1 + MADE).mean(),
        lambda: -MADE.mean(),
    ),
}


@pytest.mark.parametrize("name", GAME_LOSSES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_losses_are_their_formulas(name, smoothing):
    loss, (of_discriminator, of_generator) = GAME_LOSSES[name](smoothing), FORMULAS[name]
    real, made = map(torch.from_numpy, (REAL, MADE))
    assert_allclose(loss.of_discriminator(real, made).item(), of_discriminator(smoothing))
    assert_allclose(loss.of_generator(made).item(), of_generator())


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
def test_losses_of_sure_logits_are_finite(name):
    far = torch.tensor([1000.0, -1000.0], requires_grad=True)
    loss = GAME_LOSSES[name]()
    (loss.of_discriminator(far, -far) + loss.of_generator(far)).backward()
    assert torch.isfinite(far.grad).all()


def cubic(x):
    """f(x) = sum of cubes, whose gradient is 3 x^2."""
    return (x**3).sum(1)


def test_penalties_are_their_formulas():
    points = np.random.default_rng(1).normal(size=(6, 3))
    x = torch.from_numpy(points).requires_grad_()
    norms = np.linalg.norm(3 * points**2, axis=1)
    assert_allclose(squared_slopes(cubic(x), x).detach(), norms**2)
    assert_allclose(gradient_penalty(cubic(x), x).item(), ((norms - 1) ** 2).mean())
    assert_allclose(r1_penalty(cubic(x), x).item(), (norms**2).mean() / 2)


def test_slopes_of_packs_are_by_all_their_samples():
    points = np.random.default_rng(1).normal(size=(7, 2))  # three packs of two, and a rest
    x = torch.from_numpy(points).requires_grad_()
    logits = (x[:6].reshape(3, 4) ** 2).sum(1)
    expected = ((2 * points[:6].reshape(3, 4)) ** 2).sum(1)
    assert_allclose(squared_slopes(logits, x).detach(), expected)


def test_penalties_can_be_differentiated():
    w = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    x = torch.ones(1, 1, dtype=torch.float64, requires_grad=True)
    r1_penalty((w * x).sum(1), x).backward()
    assert w.grad.item() == pytest.approx(2)  # of w^2 / 2
