"""What a minibatch does to a machine: against sums over all states."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sknets._data import Batch
from sknets._training.parameters import FlatParameters
from sknets.boltzmann import real_units
from sknets.boltzmann.draws import NumpyDraws, TorchDraws
from sknets.boltzmann.learning import (
    Centring,
    FastPersistent,
    FromData,
    LikelihoodStep,
    Persistent,
    Phase,
    Sparsity,
    Tempered,
)
from sknets.boltzmann.network import RBM
from sknets.boltzmann.units import Bernoulli, Categorical, Gaussian

GROUPS = [[0, 2], [1, 4, 5]]


def machine_of(visible, n_hidden=3, seed=0, copies=1):
    machine = RBM(visible, Bernoulli(n_hidden, copies)).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in machine.parameters():
            parameter.normal_(generator=generator)
        machine.visible_mean.uniform_(0.2, 0.8, generator=generator)
        machine.hidden_mean.uniform_(0.2, 0.8, generator=generator)
    return machine


def data_of(visible, n=5, seed=1):
    generator = torch.Generator().manual_seed(seed)
    if isinstance(visible, Gaussian):
        return torch.randn(n, visible.n, generator=generator, dtype=torch.float64)
    states = torch.cat(list(visible.states()))
    return states[torch.randint(len(states), (n,), generator=generator)]


def of_data(visible):
    """Units that have one copy each, as data has."""
    return Bernoulli(visible.n) if isinstance(visible, Bernoulli) else visible


class Given:
    """In place of samples: values that are given."""

    def __init__(self, machine, v):
        self.machine, self.v, self.draws = machine, v, None

    def negative(self, positive):
        return Phase(self.v, self.machine(self.v))

    def updated(self, gradient):
        pass


def visible_units():
    return [Bernoulli(6), Categorical(6, GROUPS), Gaussian(6)]


def named_gradients(machine):
    return {name: p.grad.clone() for name, p in machine.named_parameters()}


# -- the gradient


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize(
    "visible",
    [*visible_units(), Bernoulli(6, 2)],
    ids=["binary", "groups", "real", "pairs"],
)
def test_gradient_is_that_of_free_energies(visible, copies, monkeypatch):
    monkeypatch.setattr(real_units, "STEEPEST", math.inf)
    machine = machine_of(visible, copies=copies)
    v, samples = (data_of(of_data(visible), n=n, seed=n) for n in (5, 7))
    for parameter in machine.parameters():
        parameter.requires_grad_(True)
    expected = torch.autograd.grad(
        machine.free_energy(v).mean() - machine.free_energy(samples).mean(),
        list(machine.parameters()),
    )
    flat = FlatParameters(machine)
    LikelihoodStep(machine, flat, Given(machine, samples))(Batch(v))
    for (name, parameter), value in zip(machine.named_parameters(), expected, strict=True):
        scale = 1.0
        if isinstance(visible, Gaussian) and name in ("weight", "visible_bias"):
            scale = visible.log_variance.detach().exp()  # steps as of standardised values
        assert_allclose(parameter.grad, value * scale, atol=1e-12)


def test_sparse_rows_have_the_same_gradient():
    machine = machine_of(Bernoulli(6))
    v, samples = data_of(machine.visible), data_of(machine.visible, n=7, seed=2)
    step = LikelihoodStep(machine, FlatParameters(machine), Given(machine, samples))
    step(Batch(v))
    dense = named_gradients(machine)
    step(Batch(v.to_sparse()))
    for name, value in named_gradients(machine).items():
        assert_allclose(value, dense[name], atol=1e-12)


def test_exact_gradient_is_that_of_the_likelihood():
    machine = machine_of(Bernoulli(5), n_hidden=3)
    v = data_of(machine.visible, n=4)
    states = torch.cat(list(machine.visible.states()))

    def log_likelihood():
        return -machine.free_energy(v).mean() - (-machine.free_energy(states)).logsumexp(0)

    expected = torch.autograd.grad(-log_likelihood(), list(machine.parameters()))
    p = (-machine.free_energy(states)).softmax(0).detach()
    found = [torch.zeros_like(e) for e in expected]
    step = LikelihoodStep(machine, flat := FlatParameters(machine), None)
    for share, state in zip(p, states, strict=True):
        step.sampler = Given(machine, state[None])
        step(Batch(v))
        for total, parameter in zip(found, machine.parameters(), strict=True):
            total += share * parameter.grad
    assert flat.grad.abs().max() > 0.1
    for value, total in zip(expected, found, strict=True):
        assert_allclose(total, value, atol=1e-12)


@pytest.mark.parametrize("k", [1, 2])
def test_expected_update_of_contrastive_divergence(k):
    machine = machine_of(Bernoulli(4), n_hidden=2)
    row = data_of(machine.visible, n=1)
    states = torch.cat(list(machine.visible.states()))
    hidden = torch.cat(list(machine.hidden.states()))
    with torch.no_grad():
        p_h = conditional(machine(states), hidden)  # (visible, hidden)
        p_v = conditional(machine.backward_mean(hidden.clone()), states)  # (hidden, visible)
        start = (states == row).all(1).double()

        def expected(k):
            p = start @ torch.linalg.matrix_power(p_h @ p_v, k)
            found = (p[:, None, None] * machine(states)[:, :, None] * states[:, None]).sum(0)
            return found - machine(row)[0][:, None] * row[0]

    n = 160_000
    sampler = FromData(machine, TorchDraws(torch.Generator().manual_seed(0)), k)
    LikelihoodStep(machine, FlatParameters(machine), sampler)(Batch(row.repeat(n, 1)))
    assert abs(machine.weight.grad - expected(k)).max() < 5 * 0.5 / np.sqrt(n)
    assert abs(machine.weight.grad - expected(3 - k)).max() > 10 * 0.5 / np.sqrt(n)


def conditional(means, states):
    """The probability of each state of independent binary units with given means."""
    p = means[:, None, :] * states + (1 - means[:, None, :]) * (1 - states)
    return p.prod(2)


# -- where samples come from


def gap_to_exact(sampler, machine, n_rounds):
    """How far the sampled states are from their probabilities, in standard errors."""
    states = torch.cat(list(machine.visible.states()))
    p = (-machine.free_energy(states)).softmax(0)
    places = 2 ** torch.arange(machine.visible.n, dtype=torch.float64)
    counts = torch.zeros(len(states))
    data = Phase(states[:1], machine(states[:1]))
    for i in range(n_rounds):
        found = (sampler.negative(data).v @ places).long()
        if i >= n_rounds // 10:
            counts += torch.bincount(found, minlength=len(states))
    n = counts.sum()
    assert abs(states @ places - torch.arange(len(states))).max() == 0
    return (abs(counts / n - p) / (p * (1 - p) / n).sqrt()).max().item()


@torch.no_grad()
@pytest.mark.parametrize("kind", ["pcd", "tempering"])
def test_chains_sample_the_machine(kind):
    machine = machine_of(Bernoulli(4), n_hidden=3)
    draws = TorchDraws(torch.Generator().manual_seed(0))
    sampler = (
        Persistent(machine, draws, 5, 500)
        if kind == "pcd"
        else Tempered(machine, draws, 2, 500, n_temperatures=4)
    )
    assert gap_to_exact(sampler, machine, 200) < 8  # correlated, so that errors are larger


@torch.no_grad()
def test_tempered_chains_cross_where_cold_ones_are_stuck():
    machine = machine_of(Bernoulli(6), n_hidden=2)
    machine.weight.fill_(0)
    machine.weight[0] = 8.0  # two states, all or nothing, far from each other
    machine.visible_bias.fill_(-4.0)
    machine.hidden_bias[:] = torch.tensor([-24.0, 0.0])
    machine.visible_mean.fill_(0.5)
    phase = Phase(torch.zeros(1, 6).double(), torch.zeros(1, 2).double())

    def share(sampler):
        seen = [sampler.negative(phase).v.mean(1) > 0.5 for _ in range(100)]
        return torch.stack(seen).double().mean(0)

    cold = share(Persistent(machine, TorchDraws(torch.Generator().manual_seed(0)), 1, 50))
    tempered = Tempered(
        machine, TorchDraws(torch.Generator().manual_seed(0)), 1, 50, n_temperatures=12
    )
    mixed = share(tempered)
    assert ((cold == 0) | (cold == 1)).double().mean() > 0.8
    assert ((mixed > 0.1) & (mixed < 0.9)).double().mean() > 0.8


@torch.no_grad()
def test_fast_weights_push_chains_away_and_decay():
    machine = machine_of(Bernoulli(4), n_hidden=3)
    flat = FlatParameters(machine)
    draws = NumpyDraws(np.random.RandomState(0))
    sampler = FastPersistent(machine, draws, 1, 6, flat=flat, rate=0.5, decay=0.9)
    gradient = torch.ones_like(flat.values)
    sampler.updated(gradient)
    assert_allclose(sampler.fast, -0.5)
    sampler.updated(gradient)
    assert_allclose(sampler.fast, -0.5 * 1.9)
    v = data_of(machine.visible)
    phase = sampler.negative(Phase(v, machine(v)))
    assert_allclose(sampler.machine.weight, machine.weight - 0.95)
    assert_allclose(phase.h, sampler.machine(phase.v))


# -- what changes the gradient


@torch.no_grad()
def test_centred_gradient_is_that_of_the_centred_machine():
    machine = machine_of(Bernoulli(5), n_hidden=3)
    v, samples = data_of(machine.visible), data_of(machine.visible, n=8, seed=3)
    m, mean = machine.visible_mean.clone(), machine.hidden_mean.clone()
    centring = Centring(machine, 0.1)
    LikelihoodStep(machine, FlatParameters(machine), Given(machine, samples), centring)(Batch(v))

    # Of E(v, h) = -(v - m) b' - (h - l) c' - (h - l) W (v - m), taken back to plain biases.
    def product(v):
        return (machine(v) - mean).T @ (v - m) / len(v)

    weight = product(samples) - product(v)
    visible = samples.mean(0) - v.mean(0) - mean @ weight
    hidden = machine(samples).mean(0) - machine(v).mean(0) - weight @ m
    assert_allclose(machine.weight.grad, weight, atol=1e-12)
    assert_allclose(machine.visible_bias.grad, visible, atol=1e-12)
    assert_allclose(machine.hidden_bias.grad, hidden, atol=1e-12)
    assert_allclose(machine.visible_mean, 0.9 * m + 0.1 * v.mean(0))
    assert_allclose(machine.hidden_mean, 0.9 * mean + 0.1 * machine(v).mean(0))


def test_centred_gradient_does_not_mind_flipped_bits():
    machine = machine_of(Bernoulli(5), n_hidden=3)
    twin = machine_of(Bernoulli(5), n_hidden=3)
    with torch.no_grad():  # the same machine of 1 - v
        twin.weight.neg_()
        twin.visible_bias.neg_()
        twin.hidden_bias += machine.weight.sum(1)
        twin.visible_mean.copy_(1 - machine.visible_mean)
    v, samples = data_of(machine.visible), data_of(machine.visible, n=8, seed=3)
    for each, flip in ((machine, lambda v: v), (twin, lambda v: 1 - v)):
        given = Given(each, flip(samples))
        LikelihoodStep(each, FlatParameters(each), given, Centring(each, 0.1))(Batch(flip(v)))
    assert_allclose(twin.weight.grad, -machine.weight.grad, atol=1e-12)
    assert_allclose(twin.visible_bias.grad, -machine.visible_bias.grad, atol=1e-12)


def test_sparsity_pulls_towards_its_target():
    machine = machine_of(Bernoulli(5), n_hidden=3)
    v = data_of(machine.visible)
    step = LikelihoodStep(machine, FlatParameters(machine), Given(machine, v))
    step(Batch(v))
    assert_allclose(machine.weight.grad, 0, atol=1e-12)
    step.sparsity = Sparsity(machine.hidden_bias.detach(), target=0.1, cost=2.0, decay=0.75)
    step(Batch(v))
    activity = 0.75 * 0.1 + 0.25 * machine(v).detach().mean(0)
    assert_allclose(machine.hidden_bias.grad, 2 * (activity - 0.1), atol=1e-12)
    assert_allclose(machine.weight.grad, torch.outer(2 * (activity - 0.1), v.mean(0)), atol=1e-12)
