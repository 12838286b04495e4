"""Each loss against a formula in numpy, and its gradient against centred differences."""

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax, softmax, xlogy
from sklearn.metrics import d2_pinball_score, log_loss, mean_pinball_loss, mean_poisson_deviance

from sknets._training.losses import (
    AbsoluteError,
    ActivatedSquaredError,
    BinaryHinge,
    Grouped,
    Huber,
    MulticlassHinge,
    Poisson,
    Quantile,
    SigmoidLogLoss,
    SoftmaxLogLoss,
    SquaredError,
)

rng = np.random.default_rng(0)
RAW = 2 * rng.normal(size=(9, 3))
CLASS = rng.permutation(9) % 3
BITS = rng.integers(0, 2, (9, 3)).astype(float)
NUMBERS = rng.normal(size=(9, 3))
COUNTS = rng.poisson(1.0, (9, 3)).astype(float)  # with zeros among them
GROUPS = np.stack([rng.integers(0, 2, 9), np.zeros(9, int)], axis=1)


def smoothed(bits, share):
    return bits * (1 - share) + share / 2


def softmax_log_loss(raw, label, share=0.0):
    right = np.eye(raw.shape[1])[label] * (1 - share) + share / raw.shape[1]
    return -(right * log_softmax(raw, axis=1)).sum(1)


def sigmoid_log_loss(raw, bits, share=0.0):
    p, t = expit(raw), smoothed(bits, share)
    return -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum(1)


def multiclass_hinge(raw, label, power):
    margins = [
        [max(0, s - scores[right] + 1) ** power for j, s in enumerate(scores) if j != right]
        for scores, right in zip(raw, label, strict=True)
    ]
    return np.sum(margins, axis=1)


def binary_hinge(raw, bits, power):
    return (np.maximum(0, 1 - np.where(bits == 1, 1, -1) * raw) ** power).sum(1)


def huber(raw, target, delta):
    error = abs(raw - target)
    return np.where(error <= delta, error**2 / 2, delta * (error - delta / 2)).sum(1)


def pinball(raw, target, quantile):
    error = target - raw
    return np.where(error > 0, quantile * error, (quantile - 1) * error).sum(1)


# name -> (loss, targets, formula)
LOSSES = {
    "softmax": (SoftmaxLogLoss(), CLASS, softmax_log_loss),
    "softmax, smoothed": (SoftmaxLogLoss(0.2), CLASS, lambda r, t: softmax_log_loss(r, t, 0.2)),
    "sigmoid": (SigmoidLogLoss(), BITS, sigmoid_log_loss),
    "sigmoid, smoothed": (SigmoidLogLoss(0.2), BITS, lambda r, t: sigmoid_log_loss(r, t, 0.2)),
    "multiclass hinge": (MulticlassHinge(), CLASS, lambda r, t: multiclass_hinge(r, t, 1)),
    "multiclass hinge, squared": (
        MulticlassHinge(2),
        CLASS,
        lambda r, t: multiclass_hinge(r, t, 2),
    ),
    "binary hinge": (BinaryHinge(), BITS, lambda r, t: binary_hinge(r, t, 1)),
    "binary hinge, squared": (BinaryHinge(2), BITS, lambda r, t: binary_hinge(r, t, 2)),
    "squared error": (SquaredError(), NUMBERS, lambda r, t: ((r - t) ** 2).sum(1) / 2),
    "squared error of activated outputs": (
        ActivatedSquaredError("logistic"),
        NUMBERS,
        lambda r, t: ((expit(r) - t) ** 2).sum(1) / 2,
    ),
    "absolute error": (AbsoluteError(), NUMBERS, lambda r, t: abs(r - t).sum(1)),
    "huber": (Huber(0.7), NUMBERS, lambda r, t: huber(r, t, 0.7)),
    "poisson": (
        Poisson(),
        COUNTS,
        lambda r, t: (np.exp(r) - t * r + xlogy(t, t) - t).sum(1),
    ),
    "quantile": (Quantile(0.3), NUMBERS, lambda r, t: pinball(r, t, 0.3)),
    "grouped": (
        Grouped(SoftmaxLogLoss(), (2, 1)),
        GROUPS,
        lambda r, t: softmax_log_loss(r[:, :2], t[:, 0]) + softmax_log_loss(r[:, 2:], t[:, 1]),
    ),
}
CANONICAL = [name for name, (loss, *_) in LOSSES.items() if loss.canonical]


def tensors(name):
    loss, target, formula = LOSSES[name]
    return loss, torch.tensor(RAW, requires_grad=True), torch.tensor(target), formula


@pytest.mark.parametrize("name", LOSSES)
def test_loss_equals_its_formula(name):
    loss, raw, target, formula = tensors(name)
    values = loss(raw, target).detach().numpy()
    assert values.shape == (9,)
    np.testing.assert_allclose(values, formula(RAW, target.numpy()), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_equals_centred_differences(name):
    loss, raw, target, formula = tensors(name)
    loss(raw, target).sum().backward()
    differences = np.empty_like(RAW)
    for i in np.ndindex(RAW.shape):
        step = np.zeros_like(RAW)
        step[i] = 1e-6
        above, below = (formula(RAW + s, target.numpy()).sum() for s in (step, -step))
        differences[i] = (above - below) / 2e-6
    np.testing.assert_allclose(raw.grad, differences, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", CANONICAL)
def test_gradient_of_canonical_loss_is_output_minus_target(name):
    loss, raw, target, formula = tensors(name)
    loss(raw, target).sum().backward()
    share = getattr(loss, "label_smoothing", 0)
    dense = {
        "softmax": np.eye(3)[CLASS] * (1 - share) + share / 3,
        "logistic": smoothed(BITS, share),
    }.get(loss.out_activation, target.numpy())
    difference = loss.outputs(raw).detach().numpy() - dense
    np.testing.assert_allclose(raw.grad, difference, rtol=1e-12, atol=1e-14)
    values, delta = loss.with_gradient(raw.detach(), target)
    np.testing.assert_allclose(values, formula(RAW, target.numpy()), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(delta, difference, rtol=1e-12, atol=1e-14)


def test_canonical_losses_are_those_of_the_generalised_linear_models():
    kinds = {type(LOSSES[name][0]) for name in CANONICAL}
    assert kinds == {SoftmaxLogLoss, SigmoidLogLoss, SquaredError, Poisson}


@pytest.mark.parametrize(
    ("loss", "activation", "link"),
    [
        (SoftmaxLogLoss(), "softmax", lambda raw: softmax(raw, axis=1)),
        (SigmoidLogLoss(), "logistic", expit),
        (Poisson(), "exp", np.exp),
        (SquaredError(), "identity", lambda raw: raw),
        (ActivatedSquaredError("tanh"), "tanh", np.tanh),
        (ActivatedSquaredError("relu"), "relu", lambda raw: np.maximum(raw, 0)),
        (MulticlassHinge(), "identity", lambda raw: raw),
        (
            Grouped(SoftmaxLogLoss(), (2, 1)),
            "softmax",
            lambda raw: np.hstack([softmax(raw[:, :2], axis=1), np.ones((9, 1))]),
        ),
    ],
    ids=lambda value: getattr(type(value), "__name__", value),
)
def test_outputs_are_the_inverse_link(loss, activation, link):
    assert loss.out_activation == activation
    np.testing.assert_allclose(loss.outputs(torch.tensor(RAW)), link(RAW), rtol=1e-12)


def test_losses_agree_with_the_metrics_of_scikit_learn():
    raw = torch.tensor(RAW)
    ours = SoftmaxLogLoss()(raw, torch.tensor(CLASS)).mean().item()
    assert ours == pytest.approx(log_loss(CLASS, softmax(RAW, axis=1)))
    ours = Poisson()(raw, torch.tensor(COUNTS)).mean().item() / 3
    assert 2 * ours == pytest.approx(mean_poisson_deviance(COUNTS.ravel(), np.exp(RAW).ravel()))
    ours = Quantile(0.3)(raw, torch.tensor(NUMBERS)).mean().item() / 3
    assert ours == pytest.approx(mean_pinball_loss(NUMBERS, RAW, alpha=0.3))


@pytest.mark.parametrize("loss", [SoftmaxLogLoss(), SigmoidLogLoss()])
def test_log_loss_of_huge_scores_is_finite(loss):
    raw = torch.tensor([[1000.0, -1000.0]], requires_grad=True)
    target = torch.tensor([1]) if loss.out_activation == "softmax" else torch.tensor([[0.0, 1.0]])
    value = loss(raw, target)
    value.sum().backward()
    assert value.item() == 2000
    assert torch.isfinite(raw.grad).all()


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_pinball_loss_is_least_at_the_quantile(quantile):
    y = torch.tensor(rng.normal(size=(99, 1)))
    grid = torch.linspace(-3, 3, 601, dtype=torch.float64)
    losses = torch.stack([Quantile(quantile)(torch.full_like(y, q), y).mean() for q in grid])
    best = grid[losses.argmin()].numpy()
    assert best == pytest.approx(np.quantile(y.numpy(), quantile), abs=0.01)
    constant = np.full(99, best)
    assert d2_pinball_score(y.numpy(), constant, alpha=quantile) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("delta", [0.1, 100.0])
def test_huber_joins_absolute_and_squared_error(delta):
    target = torch.tensor(NUMBERS)
    raw = target + torch.tensor(RAW).sign()  # all errors are 1: beyond 0.1, within 100
    linear = delta * AbsoluteError()(raw, target) - 3 * delta**2 / 2
    expected = linear if delta < 1 else SquaredError()(raw, target)
    torch.testing.assert_close(Huber(delta)(raw, target), expected)
