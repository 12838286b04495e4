"""The partition function: counted against every state, estimated against the count."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sknets.boltzmann import ais
from sknets.boltzmann.draws import TorchDraws
from sknets.boltzmann.energy import counted
from sknets.boltzmann.units import Bernoulli, Categorical, Gaussian

from .test_learning import GROUPS, machine_of


def draws_of(seed):
    return TorchDraws(torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "visible", [Bernoulli(6), Categorical(6, GROUPS)], ids=["binary", "groups"]
)
@pytest.mark.parametrize("n_hidden", [3, 7])
@torch.no_grad()
def test_count_is_the_sum_over_all_states(visible, n_hidden):
    machine = machine_of(visible, n_hidden)
    hidden = torch.cat(list(machine.hidden.states()))
    total = 0.0
    for v in torch.cat(list(visible.states())):
        total += (-machine.energy(v.expand(len(hidden), -1), hidden)).exp().sum().item()
    assert_allclose(counted(machine).value, np.log(total), rtol=1e-12)
    assert counted(machine).std_error == 0


@torch.no_grad()
def test_count_of_real_units_is_the_integral():
    machine = machine_of(Gaussian(2), n_hidden=3)
    grid = torch.linspace(-40, 40, 1601, dtype=torch.float64)
    v = torch.cartesian_prod(grid, grid)
    step = (grid[1] - grid[0]).item()
    integral = (-machine.free_energy(v)).logsumexp(0).item() + 2 * np.log(step)
    assert_allclose(counted(machine).value, integral, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize(
    "visible", [Bernoulli(8), Categorical(6, GROUPS), Gaussian(4)], ids=["binary", "groups", "real"]
)
def test_annealing_estimates_the_count(visible):
    machine = machine_of(visible, n_hidden=6)
    exact = counted(machine).value
    path = machine.path()
    betas = ais.temperatures(1000)
    found = [ais.annealed(path, betas, 100, draws_of(seed)) for seed in range(20)]
    errors = np.array([each.value - exact for each in found])
    scores = errors / [each.std_error for each in found]
    assert abs(scores).max() < 4
    assert 0.4 < scores.std() < 2  # the error is neither under- nor overestimated
    assert abs(errors.mean()) < 0.05


@torch.no_grad()
def test_reverse_annealing_estimates_it_too():
    machine = machine_of(Bernoulli(8), n_hidden=6)
    exact = counted(machine).value
    path = machine.path()
    states = torch.cat(list(machine.visible.states()))
    p = (-machine.free_energy(states)).softmax(0)
    betas, found = ais.temperatures(1000), []
    for seed in range(20):
        chosen = torch.multinomial(p, 100, True, generator=torch.Generator().manual_seed(seed))
        found.append(ais.reverse_annealed(path, betas, states[chosen], draws_of(seed)))
    errors = np.array([each.value - exact for each in found])
    assert abs(errors / [each.std_error for each in found]).max() < 4
    assert abs(errors.mean()) < 0.05


@torch.no_grad()
def test_bound_is_below_the_likelihood_and_comes_close():
    machine = machine_of(Bernoulli(8), n_hidden=6)
    machine.weight *= 3
    v = torch.cat(list(machine.visible.states()))
    exact = -machine.free_energy(v) - counted(machine).value
    few, many = (
        ais.likelihood_bound(machine.path(), ais.temperatures(n), v, 100, draws_of(0))
        for n in (5, 1000)
    )
    # On average over the machine's samples; that of single states may be higher.
    p = exact.exp()
    assert (p @ few) < (p @ exact) - 0.05
    assert abs(p @ many - p @ exact) < 0.03
    assert_allclose(many, exact, atol=0.3)


def test_temperatures_are_the_published_ones():
    betas = ais.temperatures(14_501)
    assert_allclose(
        betas[[0, 1, 500, 501, 4500, 4501, 14_500]],
        [0, 0.001, 0.5, 0.5001, 0.9, 0.90001, 1],
        rtol=1e-12,
    )
    assert (np.diff(ais.temperatures(50)) > 0).all()


def test_too_many_states_are_refused():
    with pytest.raises(ValueError, match=r"sum over 1e\+09 states"):
        counted(machine_of(Bernoulli(40), n_hidden=30))
