"""The general Boltzmann machine: against sums over all states."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare

from sknets import BoltzmannMachine
from sknets._data import Batch
from sknets._training.parameters import FlatParameters
from sknets.boltzmann.draws import TorchDraws
from sknets.boltzmann.fully_connected import FullMachine, MachineStep

STATES = np.array([[i >> k & 1 for k in range(4)] for i in range(16)], dtype=float)
# Of four values the last is the parity of the others: no two of them depend on each other.
PARITY = STATES[STATES.sum(1) % 2 == 0]
EXACT = dict(given_data="exact", free="exact")


def machine_of(n_visible=4, n_hidden=2, temperature=1.5, seed=0):
    machine = FullMachine(n_visible, n_hidden, temperature).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        weight = torch.randn(machine.n, machine.n, generator=generator).double().triu(1)
        machine.weight.copy_(weight + weight.t())
        machine.bias.normal_(generator=generator)
        machine.mean.fill_(0.5)
    return machine


def all_states(n):
    return torch.tensor([[i >> k & 1 for k in range(n)] for i in range(2**n)]).double()


def step_of(machine, given_data, free, **settings):
    draws = TorchDraws(torch.Generator().manual_seed(0))
    settings = dict(annealing=(), n_sweeps=20, n_chains=2000, n_temperatures=5) | settings
    flat = FlatParameters(machine)
    return MachineStep(machine, flat, draws, given_data=given_data, free=free, **settings)


def log_likelihood(machine, v):
    """By sums over all hidden values, and over all values."""
    states = all_states(machine.n)
    log_p = machine.log_p(states)
    hidden = all_states(machine.n_hidden)
    rows = [torch.cat([row.expand(len(hidden), -1), hidden], 1) for row in v]
    free = torch.stack([machine.log_p(r).logsumexp(0) for r in rows])
    return free.mean() - log_p.logsumexp(0)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_exact_gradient_is_that_of_the_likelihood(temperature):
    machine = machine_of(temperature=temperature)
    v = torch.from_numpy(STATES[[3, 5, 6, 9]])
    loss = -log_likelihood(machine, v)
    weight, bias = torch.autograd.grad(loss, [machine.weight, machine.bias])
    step_of(machine, "exact", "exact")(Batch(v))
    symmetric = (weight + weight.t()).fill_diagonal_(0)  # a pair has two places
    assert_allclose(machine.weight.grad, symmetric, atol=1e-12)
    assert_allclose(machine.bias.grad, bias, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("free", ["gibbs", "tempering"])
def test_sampled_gradient_is_close_to_the_exact_one(free):
    machine = machine_of()
    v = torch.from_numpy(np.repeat(STATES[[3, 5, 6, 9]], 500, axis=0))
    step_of(machine, "exact", "exact")(Batch(v))
    exact = machine.weight.grad.clone()
    step = step_of(machine, "gibbs", free, annealing=(4.0, 2.0), n_sweeps=50)
    step(Batch(v))
    assert abs(machine.weight.grad - exact).max() < 0.02
    assert abs(exact).max() > 0.1


@torch.no_grad()
def test_mean_fields_are_fixed_points_and_bound_the_free_energy():
    machine = machine_of(n_hidden=3)
    v = torch.from_numpy(STATES)
    h = machine(v)
    s = torch.cat([v, h], 1)
    inputs = (s @ machine.weight + machine.bias) / machine.temperature
    assert_allclose(h, inputs.sigmoid()[:, 4:], atol=1e-3)
    exact = machine.free_energy(v)
    entropy = (torch.special.entr(h) + torch.special.entr(1 - h)).sum(1)
    bound = -machine.log_p(s) - entropy
    assert (bound >= exact - 1e-9).all()
    assert (bound - exact).max() > 1e-4  # it is one, not the same


@torch.no_grad()
def test_weakly_coupled_machine_is_its_mean_field():
    machine = machine_of(n_hidden=3)
    machine.weight *= 0.02
    step_of(machine, "exact", "exact")(Batch(torch.from_numpy(STATES)))
    exact = machine.weight.grad.clone()
    step_of(machine, "mean_field", "mean_field")(Batch(torch.from_numpy(STATES)))
    assert_allclose(machine.weight.grad, exact, atol=0.01)


def test_parity_is_learnt_with_hidden_units_and_not_without():
    # What a machine without hidden units sees is that of all sixteen states, as likely each.
    assert_allclose(PARITY.T @ PARITY / 8, STATES.T @ STATES / 16)
    X = np.repeat(PARITY, 10, axis=0)
    settings = dict(learning_rate="cosine", learning_rate_init=0.1, batch_size="full")

    def divergence(n_components):
        machine = BoltzmannMachine(n_components, **EXACT, **settings, init_std=0.3)
        machine.set_params(max_iter=1500, random_state=0).fit(X)
        return -machine.log_likelihood(PARITY).mean() - np.log(8)

    assert divergence(4) < 0.02
    assert divergence(1) > 0.5


@pytest.mark.slow
def test_parity_is_learnt_from_samples():
    machine = BoltzmannMachine(
        8,
        given_data="gibbs",
        free="tempering",
        annealing=(4.0, 2.0),
        n_sweeps=10,
        n_chains=500,
        n_temperatures=5,
        learning_rate="cosine",
        learning_rate_init=0.1,
        init_std=1.0,
        max_iter=3000,
        batch_size="full",
        random_state=0,
    ).fit(np.repeat(PARITY, 50, axis=0))
    assert -machine.log_likelihood(PARITY).mean() - np.log(8) < 0.05


def test_probabilities_add_up_and_samples_follow_them():
    X = np.repeat(PARITY, 5, axis=0)
    settings = dict(learning_rate_init=0.05, max_iter=60, random_state=0)
    machine = BoltzmannMachine(3, **EXACT, **settings).fit(X)
    p = np.exp(machine.log_likelihood(STATES))
    assert_allclose(p.sum(), 1, rtol=1e-5)
    drawn = machine.sample(4000, n_steps=60, random_state=0)
    counts = np.bincount((drawn @ 2 ** np.arange(4)).astype(int), minlength=16)
    assert chisquare(counts, 4000 * p / p.sum()).pvalue > 0.001
    exact = machine.log_partition("exact").value
    estimate = machine.log_partition("ais", n_temperatures=300, random_state=0)
    assert abs(estimate.value - exact) < 4 * estimate.std_error < 0.2
    reverse = machine.log_partition("reverse_ais", n_temperatures=300, random_state=0)
    assert abs(reverse.value - exact) < 4 * reverse.std_error < 0.2


def test_pseudo_likelihood_is_that_of_the_conditionals():
    machine = BoltzmannMachine(2, max_iter=20, n_chains=20, random_state=0).fit(PARITY)
    log_p = machine.log_likelihood(STATES)
    index = (STATES @ 2 ** np.arange(4)).astype(int)
    assert_array_equal(index, np.arange(16))
    expected = sum(log_p - np.logaddexp(log_p, log_p[index ^ (1 << i)]) for i in range(4))
    assert_allclose(machine.score_samples(STATES), expected, rtol=1e-5)


def test_weights_are_symmetric_and_no_unit_sees_itself():
    machine = BoltzmannMachine(3, max_iter=5, n_chains=20, random_state=0).fit(PARITY)
    assert_allclose(machine.weights_, machine.weights_.T, atol=1e-7)
    assert_array_equal(np.diag(machine.weights_), 0)
    assert machine.intercept_.shape == (7,)


def test_settings_that_cannot_be_are_errors():
    with pytest.raises(ValueError, match="'annealing' parameter of BoltzmannMachine must"):
        BoltzmannMachine(2, annealing=(2.0, -1.0)).fit(PARITY)
    with pytest.raises(ValueError, match="34 units have too many states to count"):
        BoltzmannMachine(30, free="exact", random_state=0).fit(PARITY)
    with pytest.raises(ValueError, match="change one after another"):
        BoltzmannMachine(2, precision="bfloat16").fit(PARITY)
    with pytest.raises(ValueError, match="needs a stochastic solver"):
        BoltzmannMachine(2, solver="lbfgs").fit(PARITY)
    big = BoltzmannMachine(30, max_iter=1, n_chains=5, random_state=0).fit(PARITY)
    with pytest.raises(ValueError, match=r"sum over 2e\+10 states"):
        big.log_partition("exact")
