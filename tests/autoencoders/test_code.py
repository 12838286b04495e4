"""Penalties of codes against their definitions, and codes with few active units."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import rel_entr
from sklearn.datasets import load_digits
from torch import nn

from sknets import Autoencoder
from sknets.autoencoders.code import (
    CodePenalty,
    LargestOnly,
    divergence,
    squared_jacobian_norms,
)

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

rng = np.random.default_rng(0)
DIGITS = load_digits().data / 16


def encoder(*sizes, activation=nn.Sigmoid):
    """Layers with random weights."""
    layers = []
    with torch.device("meta"):
        for n_in, n_out in pairwise(sizes):
            layers += [nn.Linear(n_in, n_out), activation()]
        net = nn.Sequential(*layers).double()
    net = net.to_empty(device="cpu")
    for p in net.parameters():
        p.data.copy_(torch.from_numpy(rng.standard_normal(p.shape)))
    return net


@pytest.mark.parametrize("activation", [nn.Sigmoid, nn.Tanh, nn.ReLU, nn.GELU, nn.Identity])
@pytest.mark.parametrize("sizes", [(4, 3), (4, 5, 3), (4, 5, 6, 2)])
def test_norms_are_those_of_the_jacobian_by_autograd(activation, sizes):
    net = encoder(*sizes, activation=activation)
    x = torch.from_numpy(rng.standard_normal((6, 4))).requires_grad_()
    norms = squared_jacobian_norms(net, x, net(x))
    each = [torch.autograd.functional.jacobian(net, row).square().sum() for row in x.detach()]
    assert_allclose(norms.detach(), torch.stack(each), rtol=1e-10)


@pytest.mark.parametrize("sizes", [(4, 3), (4, 5, 3)])
def test_contraction_has_the_gradient_of_differences(sizes):
    net = encoder(*sizes)
    x = torch.from_numpy(rng.standard_normal((6, 4))).requires_grad_()
    weight = net[0].weight

    def total():
        return squared_jacobian_norms(net, x, net(x)).sum()

    (gradient,) = torch.autograd.grad(total(), weight)
    step = 1e-6
    with torch.no_grad():
        weight[1, 2] += step
    above = total().item()
    with torch.no_grad():
        weight[1, 2] -= 2 * step
    assert (above - total().item()) / (2 * step) == pytest.approx(gradient[1, 2].item(), rel=1e-6)


@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 0, 2, 1], dtype=torch.float64)])
def test_penalty_is_the_sum_of_its_parts(weight):
    net = encoder(3, 2)
    x = torch.from_numpy(rng.standard_normal((4, 3))).requires_grad_()
    h = net(x).detach().numpy()
    share = np.ones(4) if weight is None else weight.numpy()
    activity = np.average(h, axis=0, weights=share)
    kl = (rel_entr(0.1, activity) + rel_entr(0.9, 1 - activity)).sum()
    norms = squared_jacobian_norms(net, x, net(x)).detach().numpy()
    expected = {
        CodePenalty(l1=0.5): 0.5 * np.average(abs(h).sum(1), weights=share),
        CodePenalty(sparsity_target=0.1, sparsity_cost=3.0): 3 * kl,
        CodePenalty(contraction=0.2): 0.2 * np.average(norms, weights=share),
    }
    for penalty, value in expected.items():
        assert penalty(net, x, net(x), weight).item() == pytest.approx(value)
    together = CodePenalty(0.5, 0.1, 3.0, 0.2)
    assert together(net, x, net(x), weight).item() == pytest.approx(sum(expected.values()))
    assert not CodePenalty()


def test_divergence_is_finite_and_least_at_the_target():
    activity = torch.linspace(0, 1, 101, dtype=torch.float64)
    values = divergence(0.3, activity)
    assert torch.isfinite(values).all()
    assert activity[values.argmin()].item() == pytest.approx(0.3)
    assert values.min().item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("target", [0.05, 0.2])
def test_mean_activity_of_sparse_codes_meets_its_target(target):
    coder = Autoencoder(
        50,
        sparsity_target=target,
        sparsity_cost=3,
        learning_rate="one_cycle",
        learning_rate_init=0.01,
        max_iter=60,
        random_state=0,
    ).fit(DIGITS[:1000])
    assert coder.transform(DIGITS[:1000]).mean() == pytest.approx(target, rel=0.1)
    assert coder.transform(DIGITS[1000:]).mean() == pytest.approx(target, rel=0.1)


def test_an_l1_penalty_makes_codes_smaller_and_more_of_them_zero():
    how = {"max_iter": 60, "learning_rate_init": 0.01, "random_state": 0}
    dense, sparse = (
        Autoencoder(50, code_l1=l1, **how).fit(DIGITS[:500]).transform(DIGITS[500:])
        for l1 in (0, 0.3)
    )
    assert sparse.mean() < 0.5 * dense.mean()
    assert (sparse == 0).mean() > (dense == 0).mean() + 0.2


def test_contraction_makes_codes_follow_inputs_less():
    how = {"activation": "logistic", "max_iter": 60, "learning_rate_init": 0.01, "random_state": 0}
    x = torch.from_numpy(DIGITS[500:520]).requires_grad_()
    plain, still = (
        Autoencoder(20, contraction=c, **how).fit(DIGITS[:500]).module_ for c in (0, 0.5)
    )
    of_plain, of_still = (
        squared_jacobian_norms(net.encoder, x, net.encode(x)).mean().item()
        for net in (plain, still)
    )
    assert of_still < 0.7 * of_plain


# -- few active units


def test_the_largest_stay_as_they_are():
    code = torch.tensor([[3.0, -1, 2, 0], [-4, -3, -2, -1]])
    layer = LargestOnly(2, 3, 2)
    assert layer(code).tolist() == [[3, 0, 2, 0], [0, 0, -2, -1]]
    assert layer.eval()(code).tolist() == [[3, 0, 2, 0], [0, -3, -2, -1]]


def test_number_of_active_units_falls_over_the_first_half():
    layer, code = LargestOnly(2, 2, 10), torch.arange(1.0, 13)[None]
    found = []
    for layer.progress in (0, 0.25, 0.5, 0.9):
        found.append(int((layer(code) > 0).sum()))
    assert found == [10, 6, 2, 2]


def test_codes_have_as_many_active_units_as_asked_for():
    coder = Autoencoder(
        40,
        "identity",
        n_active=6,
        n_active_factor=1.5,
        n_active_init=20,
        max_iter=20,
        learning_rate_init=0.01,
        n_iter_no_change=np.inf,
        random_state=0,
    ).fit(DIGITS[:500])
    assert ((coder.transform(DIGITS[500:]) != 0).sum(1) == 9).all()
    used = (coder.transform(DIGITS[:500]) != 0).any(axis=0)
    assert used.mean() > 0.5
