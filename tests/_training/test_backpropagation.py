"""The gradient written out against autograd's."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from sknets._data import Batch
from sknets._training import losses
from sknets._training.backpropagation import Backpropagation
from sknets._training.parameters import FlatParameters
from sknets._training.steps import AutogradStep
from sknets.mlp import MLP


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(
    "loss",
    [
        losses.SoftmaxLogLoss(),
        losses.SoftmaxLogLoss(label_smoothing=0.1),
        losses.SigmoidLogLoss(),
        losses.SigmoidLogLoss(label_smoothing=0.1),
        losses.SquaredError(),
        losses.Poisson(),
    ],
    ids=str,
)
def test_backpropagation_equals_autograd(activation, weighted, sparse, loss):
    random = np.random.default_rng(0)
    with torch.device("meta"):  # where making a module draws no random numbers
        net = MLP(6, (5, 4), 3, activation=activation)
    net = net.double().to_empty(device="cpu")
    flat = FlatParameters(net)
    flat.values.copy_(torch.from_numpy(random.standard_normal(len(flat.values))))
    multiclass = isinstance(loss, losses.SoftmaxLogLoss)
    y = random.integers(0, 3, 8) if multiclass else random.integers(0, 2, (8, 3)).astype(float)
    x = torch.from_numpy(random.standard_normal((8, 6)))
    weight = torch.from_numpy(random.random(8)) if weighted else None
    batch = Batch(x.to_sparse() if sparse else x, torch.from_numpy(y), weight)
    assert Backpropagation.is_possible(net.chain, loss)
    expected = AutogradStep(net, loss, flat.grad)(batch)
    gradient = flat.grad.clone()
    flat.grad.fill_(np.nan)  # the step must set every gradient, not add to it
    result = Backpropagation(net, net.chain, loss)(batch)
    assert_allclose(flat.grad, gradient, atol=1e-12)
    assert_allclose(result.loss, expected.loss, rtol=1e-12)
    assert_allclose(result.raw, expected.raw, rtol=1e-12)


def test_layers_may_have_different_activations():
    random = np.random.default_rng(0)
    with torch.device("meta"):
        up = [nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)]
        net = nn.Sequential(*up, nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4))
    net = net.double().to_empty(device="cpu")
    flat = FlatParameters(net)
    flat.values.copy_(torch.from_numpy(random.standard_normal(len(flat.values))))
    x = torch.from_numpy(random.standard_normal((8, 4)))
    batch, loss = Batch(x, x), losses.SquaredError()
    assert Backpropagation.is_possible([*net], loss)
    expected = AutogradStep(net, loss, flat.grad)(batch)
    gradient = flat.grad.clone()
    flat.grad.fill_(np.nan)
    result = Backpropagation(net, [*net], loss)(batch)
    assert_allclose(flat.grad, gradient, atol=1e-12)
    assert_allclose(result.loss, expected.loss, rtol=1e-12)


@pytest.mark.parametrize(
    ("layer", "loss"),
    [
        (nn.GELU(), losses.SquaredError()),
        (nn.Dropout(), losses.SquaredError()),
        (nn.ReLU(), losses.AbsoluteError()),
    ],
    ids=str,
)
def test_other_layers_and_losses_are_left_to_autograd(layer, loss):
    with torch.device("meta"):
        chain = [nn.Linear(2, 2), layer, nn.Linear(2, 2)]
    assert not Backpropagation.is_possible(chain, loss)
