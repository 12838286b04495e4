"""Weights over their spectral norm."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from sknets.gan.spectral import SpectralNorm, spectrally_normalised


def filled(layer):
    drawn = torch.Generator().manual_seed(0)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, generator=drawn)
    return layer


def made(layer):
    with torch.device("meta"):
        module = layer()
    return filled(module.to_empty(device="cpu").double())


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (lambda: nn.Linear(4, 3), torch.ones(2, 4)),
        (lambda: nn.Conv2d(2, 3, 3), torch.ones(1, 2, 5, 5)),
    ],
)
def test_weights_have_a_norm_of_one(layer, x):
    own = made(layer)
    normed = SpectralNorm(own).double()
    normed.initialise(torch.Generator().manual_seed(1))
    for _ in range(200):
        normed.iterate()
    largest = np.linalg.svd(own.weight.detach().flatten(1).numpy())[1][0]
    assert normed.norm().item() == pytest.approx(largest, rel=1e-6)
    bias = own.bias.view(-1, *(1 for _ in x.shape[2:]))
    expected = (own(x.double()) - bias) / largest + bias
    assert_allclose(normed(x.double()).detach(), expected.detach(), rtol=1e-6)


def test_gradient_is_that_of_the_quotient():
    own = made(lambda: nn.Linear(4, 3))
    normed = SpectralNorm(own).double()
    normed.initialise(torch.Generator().manual_seed(1))
    for _ in range(300):
        normed.iterate()
    x = torch.ones(2, 4, dtype=torch.float64)
    normed(x).square().sum().backward()
    i, step = (1, 2), 1e-6
    values = []
    for sign in (1, -1):
        moved = own.weight.detach().numpy().copy()
        moved[i] += sign * step
        norm = np.linalg.svd(moved)[1][0]
        values.append(((x.numpy() @ moved.T / norm + own.bias.detach().numpy()) ** 2).sum())
    assert own.weight.grad[i].item() == pytest.approx(
        (values[0] - values[1]) / (2 * step), rel=1e-4
    )


def test_all_products_of_a_network_are_normalised():
    net = nn.Sequential(
        made(lambda: nn.Linear(2, 3)), nn.ReLU(), nn.Sequential(made(lambda: nn.Linear(3, 1)))
    )
    spectrally_normalised(net)
    assert [type(m) for m in (net[0], net[1], net[2][0])] == [SpectralNorm, nn.ReLU, SpectralNorm]
