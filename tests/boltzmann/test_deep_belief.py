"""What a step up and down does to a deep belief network."""

import pytest
import torch
from numpy.testing import assert_allclose
from scipy.special import expit

from sknets._data import Batch
from sknets._state import to_arrays
from sknets._training.parameters import FlatParameters
from sknets.boltzmann.deep_belief import DeepBeliefNet, DirectedLayers, UpDownStep
from sknets.boltzmann.draws import RawDraws
from sknets.boltzmann.units import Bernoulli

pytestmark = pytest.mark.global_state("torch random state")  # of layers that torch fills first


def network_of(n_visible=6, sizes=(5, 4), n_hidden=3, dtype=torch.float64):
    network = DeepBeliefNet([DirectedLayers(Bernoulli(n_visible), sizes)], n_hidden).to(dtype)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.5, generator=generator)
    return network


def rows(n, n_visible=6):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(n, n_visible, generator=generator).round().double()


def test_up_and_down_follow_the_paper(monkeypatch):
    """Hinton, Osindero and Teh (2006), appendix B, in numpy, given the same states."""
    network, v = network_of(), rows(8)
    states = {}

    def kept(name):
        method = getattr(DirectedLayers, name)

        def recorded(self, x, draws):
            states[name] = method(self, x, draws)
            return states[name]

        monkeypatch.setattr(DirectedLayers, name, recorded)

    kept("drawn_up")
    kept("drawn_down")
    UpDownStep(network, FlatParameters(network), RawDraws(0), n_steps=2)(Batch(v))
    path, top = network.path(0), network.top
    wake, sleep = ([x.numpy() for x in states[name]] for name in ("drawn_up", "drawn_down"))

    def predicted(layer, x):
        return expit(x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy())

    for i, (up, down) in enumerate(zip(path.up, path.down, strict=True)):
        missed = wake[i] - predicted(down, wake[i + 1])
        assert_allclose(down.weight.grad, -missed.T @ wake[i + 1] / 8, atol=1e-12)
        assert_allclose(down.bias.grad, -missed.mean(0), atol=1e-12)
        missed = sleep[i + 1] - predicted(up, sleep[i])
        assert_allclose(up.weight.grad, -missed.T @ sleep[i] / 8, atol=1e-12)
        assert_allclose(up.bias.grad, -missed.mean(0), atol=1e-12)
    given, free = (torch.from_numpy(x[-1]) for x in (wake, sleep))
    with torch.no_grad():
        expected = top(free).t() @ free - top(given).t() @ given
    assert_allclose(top.weight.grad, expected / 8, atol=1e-12)
    assert_allclose(top.visible_bias.grad, (free - given).mean(0), atol=1e-12)
    assert expected.abs().max() > 0.1


def test_states_of_a_layer_are_drawn_and_visible_ones_expected():
    path = network_of().path(0)
    with torch.no_grad():
        values = path.drawn_down(torch.ones(50, 4).double(), RawDraws(0))
    assert set(values[1].unique().tolist()) == {0, 1}
    assert_allclose(values[0], path.down[0](values[1]).detach().sigmoid())


@torch.no_grad()
def test_chains_on_top_go_on_or_start_at_the_data():
    starts = []

    class Recorded(DeepBeliefNet):
        def settled(self, seen, n_steps, draws):
            found = super().settled(seen, n_steps, draws)
            starts.append((seen, found))
            return found

    for persistent in (False, True):
        network = network_of()
        network.__class__ = Recorded
        flat = FlatParameters(network)
        step = UpDownStep(network, flat, RawDraws(0), n_steps=1, persistent=persistent)
        step(Batch(rows(8)))
        step(Batch(rows(5)))
        (_, first), (second, _) = starts[-2:]
        assert (second is first) == persistent
        kept = UpDownStep(network, flat, RawDraws(0), n_steps=1, persistent=persistent)
        kept.load_state(to_arrays(step.state()))
        if persistent:
            assert_allclose(kept.chains, step.chains)
        else:
            assert kept.chains is None


def test_products_in_bfloat16_have_the_gradient_rounded():
    """The same states are drawn as far as probabilities are the same, of many rows."""
    gradients = []
    for mixed in (False, True):
        network = network_of(dtype=torch.float32)
        flat = FlatParameters(network)
        step = UpDownStep(network, flat, RawDraws(0), n_steps=1, mixed=mixed)
        step(Batch(rows(4000).float()))
        gradients.append(flat.grad.clone())
    exact, rounded = gradients
    assert rounded.dtype == torch.float32
    assert 0 < (exact - rounded).abs().max() < 0.02
    assert exact.abs().max() > 0.1
