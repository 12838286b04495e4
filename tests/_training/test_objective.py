"""The training objective as a function of one vector: value, gradient and curvature."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from sknets._data import ResidentData
from sknets._training.losses import AbsoluteError, Poisson, SoftmaxLogLoss, SquaredError
from sknets._training.objective import FullObjective
from sknets._training.parameters import FlatParameters, Penalty
from sknets._training.steps import AutogradStep

rng = np.random.default_rng(0)
X = rng.normal(size=(11, 3))
TARGETS = {
    SoftmaxLogLoss: rng.integers(0, 2, 11),
    SquaredError: rng.normal(size=(11, 2)),
    AbsoluteError: rng.normal(size=(11, 2)),
    Poisson: rng.integers(0, 4, (11, 2)).astype(float),
}
WEIGHT = rng.integers(0, 4, 11).astype(float)


def network(hidden=4, dtype=torch.float64):
    """A smooth network, or a linear one."""
    with torch.device("meta"):
        features = [nn.Linear(3, hidden), nn.Tanh()] if hidden else []
        module = nn.Sequential(*features, nn.Linear(hidden or 3, 2))
    return module.to(dtype).to_empty(device="cpu")


def objective(
    loss=SquaredError, penalty=(0.7, 0.0), weight=None, batch_size=11, rows=slice(None), **net
):
    module = network(**net)
    flat = FlatParameters(module)
    dtype = flat.values.dtype
    target, weight = (None if a is None else torch.tensor(a) for a in (TARGETS[loss], weight))
    data = ResidentData(
        torch.tensor(X, dtype=dtype)[rows],
        (target.to(dtype) if target.is_floating_point() else target)[rows],
        None if weight is None else weight.to(dtype)[rows],
        batch_size=batch_size,
        dtype=dtype,
        device=torch.device("cpu"),
    )
    return FullObjective(flat, AutogradStep(module, loss(), flat.grad), Penalty(*penalty), data)


def point(function):
    return np.random.default_rng(1).normal(size=len(function.flat.values))


def differences(function, x, h=1e-6):
    """Centred differences of a function by each coordinate."""
    steps = h * np.eye(len(x))
    return np.array([(function(x + s) - function(x - s)) / (2 * h) for s in steps])


CASES = pytest.mark.parametrize(
    ("loss", "settings"),
    [
        (SquaredError, {}),
        (SquaredError, {"penalty": (0.0, 0.0)}),
        (SquaredError, {"hidden": 0}),
        (SoftmaxLogLoss, {"weight": WEIGHT}),
        (SoftmaxLogLoss, {"penalty": (2.0, 0.4), "batch_size": 4}),
        (Poisson, {"weight": WEIGHT, "batch_size": 4}),
    ],
    ids=str,
)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3])
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_value_is_the_weighted_mean_of_the_losses_plus_the_penalty(weight, l1_ratio):
    function = objective(penalty=(0.7, l1_ratio), weight=weight, hidden=0)
    x = point(function)
    w, b = x[:6].reshape(2, 3), x[6:]
    losses = ((X @ w.T + b - TARGETS[SquaredError]) ** 2).sum(1) / 2
    n = 11 if weight is None else weight.sum()
    penalty = 0.7 * ((1 - l1_ratio) / 2 * (w**2).sum() + l1_ratio * abs(w).sum()) / n
    assert function(x)[0] == pytest.approx(np.average(losses, weights=weight) + penalty, rel=1e-12)


@CASES
def test_gradient_is_the_slope_of_the_value(loss, settings):
    function = objective(loss, **settings)
    x = point(function)
    slopes = differences(lambda x: function(x)[0], x)
    assert_allclose(function(x)[1], slopes, rtol=1e-6, atol=1e-8)


@CASES
def test_hessian_product_is_the_slope_of_the_gradient(loss, settings):
    function = objective(loss, **settings)
    x = point(function)
    v = np.random.default_rng(2).normal(size=len(x))
    along = differences(lambda t: function(x + t[0] * v)[1], np.zeros(1))[0]
    assert_allclose(function.hessian_product(x, v), along, rtol=1e-6, atol=1e-7)


def test_curvature_of_a_piecewise_linear_loss_is_the_penaltys():
    function = objective(AbsoluteError, penalty=(0.7, 0.0), hidden=0)
    v = np.arange(8.0)
    expected = np.where(v < 6, 0.7 / 11 * v, 0)  # the weights come first, biases go free
    assert_allclose(function.hessian_product(point(function), v), expected)


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("batch_size", [1, 4, 10])
def test_batches_add_up_to_the_whole(batch_size, weight):
    whole, parts = (objective(weight=weight, batch_size=size) for size in (11, batch_size))
    x = point(whole)
    v = x[::-1].copy()
    assert parts(x)[0] == pytest.approx(whole(x)[0], rel=1e-12)
    assert_allclose(parts(x)[1], whole(x)[1], rtol=1e-10, atol=1e-14)
    assert_allclose(parts.hessian_product(x, v), whole.hessian_product(x, v), rtol=1e-9, atol=1e-14)


def test_weight_is_as_good_as_repetition():
    weighted = objective(weight=WEIGHT, batch_size=4)
    repeated = objective(rows=np.repeat(np.arange(11), WEIGHT.astype(int)), batch_size=5)
    x = point(weighted)
    assert weighted(x)[0] == pytest.approx(repeated(x)[0], rel=1e-12)
    assert_allclose(weighted(x)[1], repeated(x)[1], rtol=1e-10, atol=1e-14)


def test_value_is_remembered_where_it_was_last_asked_for():
    function = objective()
    x = point(function)
    value = function(x)[0]
    x_before = x.copy()
    step, function.step = function.step, None  # a second evaluation would fail
    assert function.value_at(x) == value
    x += 1.0
    function.step = step
    assert function.value_at(x) == function(x)[0] != value
    assert function.value_at(x_before) == value


def test_results_are_float64_and_their_own():
    function = objective(dtype=torch.float32)
    x = point(function)
    _, gradient = function(x)
    before = gradient.copy()
    function(2 * x)
    assert_array_equal(gradient, before)
    assert gradient.dtype == function.hessian_product(x, x).dtype == np.float64
    assert_allclose(gradient, objective()(x)[1], rtol=1e-3, atol=1e-5)
