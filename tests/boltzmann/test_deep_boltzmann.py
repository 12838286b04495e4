"""Deep Boltzmann machines: against sums over all states."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import chisquare

from sknets._data import Batch
from sknets._training.parameters import FlatParameters
from sknets.boltzmann import ais, real_units
from sknets.boltzmann.deep_boltzmann import DeepMachine, DeepStep
from sknets.boltzmann.draws import RawDraws
from sknets.boltzmann.energy import counted
from sknets.boltzmann.learning import Centring, LikelihoodStep, Sampler
from sknets.boltzmann.network import RBM
from sknets.boltzmann.statistics import Phase
from sknets.boltzmann.units import Bernoulli, Gaussian

SIZES = [(3,), (3, 4), (4, 3, 2), (2, 3, 2, 2)]
each_depth = pytest.mark.parametrize("sizes", SIZES)

pytestmark = pytest.mark.global_state("torch random state")


def machine_of(sizes, visible=None, seed=0, scale=1.0):
    machine = DeepMachine(visible or Bernoulli(4), sizes).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in machine.parameters():
            parameter.normal_(generator=generator).mul_(scale)
        for mean in machine.means:
            mean.uniform_(0.2, 0.8, generator=generator)
    return machine


def all_values(machine):
    """Every state of all layers."""
    widths = [machine.units(i).n for i in range(machine.n_layers)]
    states = torch.cat(list(Bernoulli(sum(widths)).states()))
    return list(states.split(widths, 1))


def log_p_of_visible(machine):
    """log p(v) up to log Z by sums over all hidden states, in the order of states of v."""
    values = all_values(machine)
    log_p, index = machine.log_p(values), values[0] @ (2.0 ** torch.arange(4)).double()
    return torch.stack([log_p[index == i].logsumexp(0) for i in range(16)])


VISIBLE = torch.cat(list(Bernoulli(4).states()))


@each_depth
@torch.no_grad()
def test_sums_over_layers_are_those_over_all_states(sizes):
    machine = machine_of(sizes)
    exact = log_p_of_visible(machine)
    assert_allclose(-machine.free_energy(VISIBLE), exact, atol=1e-10)
    assert_allclose(counted(machine).value, exact.logsumexp(0), rtol=1e-12)


@each_depth
@torch.no_grad()
def test_mean_field_bounds_the_likelihood(sizes):
    machine = machine_of(sizes)
    bound, exact = -machine.variational_free_energy(VISIBLE), -machine.free_energy(VISIBLE)
    assert (bound <= exact + 1e-9).all()
    if len(sizes) == 1:
        assert_allclose(bound, exact, atol=1e-9)
    else:
        assert (exact - bound).max() > 1e-3
        weak = machine_of(sizes, scale=0.03)
        gap = weak.variational_free_energy(VISIBLE) - weak.free_energy(VISIBLE)
        assert gap.max() < 1e-3


@torch.no_grad()
def test_mean_field_is_a_fixed_point():
    machine = machine_of((4, 3, 2))
    values = machine.given_visible(VISIBLE)
    for i in range(1, 4):
        assert_allclose(machine.inputs(values, i).sigmoid(), values[i], atol=1e-3)


@each_depth
@torch.no_grad()
def test_samples_follow_the_machine(sizes):
    machine = machine_of(sizes)
    p = log_p_of_visible(machine).softmax(0)
    drawn = machine.sampled(4000, 60, RawDraws(1))
    index = (drawn @ (2.0 ** torch.arange(4)).double()).long()
    counts = torch.bincount(index, minlength=16)
    assert chisquare(counts, 4000 * p).pvalue > 0.001


@torch.no_grad()
@pytest.mark.parametrize("visible", [Bernoulli(4), Gaussian(3)], ids=["binary", "real"])
def test_annealing_estimates_the_count(visible):
    machine = machine_of((4, 3, 2), visible)
    exact, path, betas = counted(machine).value, machine.path(), ais.temperatures(500)
    found = [ais.annealed(path, betas, 100, RawDraws(seed)) for seed in range(10)]
    scores = [(each.value - exact) / each.std_error for each in found]
    assert max(map(abs, scores)) < 4
    assert abs(np.mean([each.value for each in found]) - exact) < 0.05


def step_of(machine, **settings):
    settings = dict(n_steps=50, n_chains=20_000, centring_rate=None) | settings
    return DeepStep(machine, FlatParameters(machine), RawDraws(0), **settings)


def exact_gradient(machine, v):
    """Of minus the bound of log p(v), with the mean field held as it is."""
    for parameter in machine.parameters():
        parameter.requires_grad_(True)
    with torch.no_grad():
        data = machine.given_visible(v)
    loss = machine.log_p(all_values(machine)).logsumexp(0) - machine.log_p(data).mean()
    return torch.autograd.grad(loss, list(machine.parameters()))


@pytest.mark.parametrize("sizes", SIZES[:3])
def test_gradient_is_that_of_the_bound(sizes):
    machine = machine_of(sizes, scale=0.5)
    v = VISIBLE[[3, 5, 6, 9]]
    expected = exact_gradient(machine, v)
    step_of(machine)(Batch(v))
    for parameter, value in zip(machine.parameters(), expected, strict=True):
        assert_allclose(parameter.grad, value, atol=0.015)  # of 20,000 chains
    assert max(abs(value).max() for value in expected) > 0.15


@pytest.mark.parametrize("sizes", SIZES[:3])
def test_gradient_of_real_units_is_that_of_the_bound(sizes, monkeypatch):
    monkeypatch.setattr(real_units, "STEEPEST", math.inf)
    machine = machine_of(sizes, Gaussian(2), scale=0.5)
    v = torch.tensor([[0.5, -1.0], [2.0, 0.3]]).double()
    with torch.no_grad():
        data = machine.given_visible(v)
    log_z = torch.cat(list(machine.log_terms())).logsumexp(0)
    loss = log_z - machine.log_p(data).mean()
    expected = torch.autograd.grad(loss, list(machine.parameters()))
    step_of(machine)(Batch(v))
    variance = machine.units(0).log_variance.detach().exp()
    for (name, parameter), value in zip(machine.named_parameters(), expected, strict=True):
        of_values = name in ("weights.0", "biases.0")  # steps as of standardised values
        assert_allclose(parameter.grad, value * (variance if of_values else 1), atol=0.04)
    assert expected[0].abs().max() > 0.2  # of the variances
    assert machine.units(0).log_variance.grad.abs().max() > 0.2


@torch.no_grad()
def test_one_layer_of_real_units_learns_as_a_restricted_machine(monkeypatch):
    deep = machine_of((3,), Gaussian(2))
    flat, rbm = FlatParameters(deep), RBM(Gaussian(2), Bernoulli(3)).double()
    rbm.weight.copy_(deep.weights[0])
    rbm.visible_bias.copy_(deep.biases[0])
    rbm.hidden_bias.copy_(deep.biases[1])
    rbm.visible_mean.copy_(deep.means[0])
    rbm.hidden_mean.copy_(deep.means[1])
    rbm.visible.load_state_dict(deep.units(0).state_dict())
    v, samples = torch.randn(2, 5, 2, generator=torch.Generator().manual_seed(0)).double()

    class Given(Sampler):
        def negative(self, positive):
            return Phase(samples, self.machine(samples))

    sampler = Given(rbm, RawDraws(0), 1)
    LikelihoodStep(rbm, FlatParameters(rbm), sampler, Centring(rbm, 0.1))(Batch(v))
    monkeypatch.setattr(DeepStep, "samples", lambda *_: [samples, rbm(samples)])
    DeepStep(deep, flat, RawDraws(0), n_steps=1, n_chains=None, centring_rate=0.1)(Batch(v))
    of_restricted = (rbm.visible.log_variance, rbm.weight, rbm.visible_bias, rbm.hidden_bias)
    for parameter, same in zip(deep.parameters(), of_restricted, strict=True):
        assert_allclose(parameter.grad, same.grad, atol=1e-12)
    assert_allclose(deep.means[0], rbm.visible_mean)


@torch.no_grad()
def test_steep_slopes_of_variances_are_cut():
    machine = machine_of((3, 2), Gaussian(2), scale=0.1)
    step_of(machine, n_chains=10)(Batch(torch.full((4, 2), 30.0).double()))
    assert machine.units(0).log_variance.grad.tolist() == [-1, -1]


@torch.no_grad()
def test_products_in_bfloat16_have_the_gradient_rounded():
    gradients = []
    for mixed in (False, True):
        machine = machine_of((3, 4), scale=0.5).float()
        step = step_of(machine, n_steps=10, mixed=mixed)
        step(Batch(VISIBLE[[3, 5, 6, 9]].float()))
        gradients.append(step.flat.grad.clone())
    exact, rounded = gradients
    assert rounded.dtype == torch.float32
    assert 0 < (exact - rounded).abs().max() < 0.03  # of 20,000 chains of which some differ
    assert exact.abs().max() > 0.15


def test_centred_gradient_is_that_of_deviations():
    machine, v = machine_of((3, 2)), VISIBLE[[3, 5, 6]]
    plain = step_of(machine, n_chains=100)
    plain(Batch(v))
    (w1, w2), (a, b, c) = ([p.grad.clone() for p in ps] for ps in (machine.weights, machine.biases))
    m, n, o = (mean.clone() for mean in machine.means)
    step_of(machine, n_chains=100, centring_rate=0.0)(Batch(v))
    first = w1 - torch.outer(n, a) - torch.outer(b, m)
    second = w2 - torch.outer(o, b) - torch.outer(c, n)
    for parameter, value in (
        (machine.weights[0], first),
        (machine.weights[1], second),
        (machine.biases[0], a - n @ first),
        (machine.biases[1], b - first @ m - o @ second),
        (machine.biases[2], c - second @ n),
    ):
        assert_allclose(parameter.grad, value, atol=1e-12)


@torch.no_grad()
def test_chains_go_on_or_start_at_the_data():
    machine, v = machine_of((3, 2)), VISIBLE[[3, 5, 6]].repeat(50, 1)
    step = step_of(machine, n_chains=10, n_steps=1)
    step(Batch(v))
    kept = step.state()
    other = step_of(machine, n_chains=10, n_steps=1)
    other.load_state({k: s.numpy() if isinstance(s, torch.Tensor) else s for k, s in kept.items()})
    for a, b in zip(step.chains, other.chains, strict=True):
        assert_allclose(a, b)
    from_data = step_of(machine, n_chains=None, n_steps=1)
    from_data(Batch(v))
    assert not from_data.chains
