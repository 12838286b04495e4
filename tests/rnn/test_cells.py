"""Recurrent cells against their published equations, written in numpy, and against torch's."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from sknets._sequences import Sequences
from sknets.rnn.cells import GRU, LSTM, PaperGRU, ReLURNN, TanhRNN, cell_class, reversed_steps

N, TIME, FEATURES, UNITS = 3, 7, 4, 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, TIME, FEATURES))
EACH = [TanhRNN, ReLURNN, LSTM, GRU, PaperGRU]

each = pytest.mark.parametrize("cls", EACH)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def elman(x, h, W, U, b, c, f):
    """Elman (1990): the state is a function of the input and of the state before."""
    return (f(x @ W[0].T + b[0] + h[0] @ U[0].T + c[0]),)


def lstm(x, state, W, U, b, c):
    """Gers et al. (2000), equations 1 to 6, with torch's order of gates: i, f, g, o."""
    h, cell = state
    i, f, g, o = (x @ W[k].T + b[k] + h @ U[k].T + c[k] for k in range(4))
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(cell), cell


def gru(x, state, W, U, b, c):
    """The variant of cuDNN: the reset gate acts on U h + c."""
    (h,) = state
    r, z = (sigmoid(x @ W[k].T + b[k] + h @ U[k].T + c[k]) for k in range(2))
    n = np.tanh(x @ W[2].T + b[2] + r * (h @ U[2].T + c[2]))
    return ((1 - z) * n + z * h,)


def paper_gru(x, state, W, U, b, c):
    """Cho et al. (2014), equations 5 to 8: the reset gate acts on h."""
    (h,) = state
    r, z = (sigmoid(x @ W[k].T + b[k] + h @ U[k].T + c[k]) for k in range(2))
    n = np.tanh(x @ W[2].T + b[2] + (r * h) @ U[2].T + c[2])
    return (z * h + (1 - z) * n,)


EQUATIONS = {
    TanhRNN: lambda *args: elman(*args, np.tanh),
    ReLURNN: lambda *args: elman(*args, lambda z: np.maximum(z, 0)),
    LSTM: lstm,
    GRU: gru,
    PaperGRU: paper_gru,
}


def layer_of(cls, **settings):
    layer = cls(FEATURES, UNITS, **settings).double()
    draws = torch.Generator().manual_seed(0)
    for p in layer.parameters():
        nn.init.normal_(p, 0, 0.5, generator=draws)
    return layer


def by_equations(cls, layer, x):
    """The outputs of all steps, (n, time, units), and the last state."""
    tensors = (layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh)
    W, U, b, c = (np.split(t.detach().numpy(), layer.n_gates) for t in tensors)
    state = (np.zeros((len(x), UNITS)),) * layer.n_states
    outputs = []
    for t in range(x.shape[1]):
        state = EQUATIONS[cls](x[:, t], state, W, U, b, c)
        outputs.append(state[0])
    return np.stack(outputs, 1), state


@each
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("time", [1, TIME])
@pytest.mark.parametrize("learning", [True, False])
def test_cells_follow_their_equations(cls, fused, time, learning):
    layer = layer_of(cls, fused=fused)
    with torch.set_grad_enabled(learning):
        outputs, state = layer(Sequences(torch.from_numpy(X[:, :time])))
    expected, last = by_equations(cls, layer, X[:, :time])
    assert_allclose(outputs.detach(), expected, atol=1e-12)
    for ours, theirs in zip(state, last, strict=True):
        assert_allclose(ours.detach(), theirs, atol=1e-12)


@each
@pytest.mark.parametrize("reverse", [False, True])
def test_gradients_are_those_of_finite_differences(cls, reverse):
    layer = layer_of(cls, reverse=reverse)
    x = torch.from_numpy(X[:2, :4]).requires_grad_()
    lengths = torch.tensor([4, 2])

    def outputs(x, *parameters):
        named = dict(zip(dict(layer.named_parameters()), parameters, strict=True))
        made, _ = torch.func.functional_call(layer, named, (Sequences(x, lengths),))
        return made[0].sum() + made[1, :2].square().sum()

    assert torch.autograd.gradcheck(outputs, (x, *layer.parameters()))


@pytest.mark.parametrize("time", [1, TIME])
def test_gradient_of_the_gru_is_torchs_block_by_block(monkeypatch, time):
    monkeypatch.setattr("sknets.rnn.gru.CACHED", 2 * N * UNITS)  # two steps a block
    layer = layer_of(GRU)
    x = torch.from_numpy(X[:, :time]).requires_grad_()
    h = torch.from_numpy(RNG.normal(size=(N, UNITS))).requires_grad_()
    weight = torch.from_numpy(RNG.normal(size=(N, time, UNITS)))
    found = []
    for whole in (layer.whole, super(GRU, layer).whole):
        outputs, (last,) = whole(x, (h,))
        loss = (weight * outputs).sum() + last.square().sum()
        gradients = torch.autograd.grad(loss, (x, h, *layer.parameters()))
        found.append([outputs.detach(), last.detach(), *gradients])
    for ours, theirs in zip(*found, strict=True):
        assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize(("cls", "theirs"), [(TanhRNN, nn.RNN), (LSTM, nn.LSTM), (GRU, nn.GRU)])
def test_weights_are_laid_out_as_torchs(cls, theirs):
    layer = layer_of(cls).float()
    with torch.random.fork_rng():
        reference = theirs(FEATURES, UNITS, batch_first=True)
    reference.load_state_dict({f"{k}_l0": v for k, v in layer.state_dict().items()})
    x = torch.from_numpy(X).float()
    assert_allclose(layer(Sequences(x))[0].detach(), reference(x)[0].detach(), atol=1e-6)


@each
@pytest.mark.parametrize("reverse", [False, True])
def test_what_fills_up_does_not_matter(cls, reverse):
    layer = layer_of(cls, reverse=reverse)
    lengths = torch.tensor([7, 3, 1])
    x = torch.from_numpy(X).clone()
    with torch.no_grad():
        outputs, (last, *_) = layer(Sequences(x, lengths))
        x[1, 3:], x[2, 1:] = 99, -99
        again, _ = layer(Sequences(x, lengths))
        for i, n in enumerate(lengths.tolist()):
            alone, (state, *_) = layer(Sequences(x[i : i + 1, :n]))
            assert_allclose(outputs[i, :n], alone[0], atol=1e-12)
            assert_allclose(again[i, :n], alone[0], atol=1e-12)
            assert_allclose(last[i], state[0], atol=1e-12)


@each
def test_state_is_taken_up_where_it_was_left(cls):
    layer = layer_of(cls)
    x = torch.from_numpy(X)
    with torch.no_grad():
        whole, last = layer(Sequences(x))
        first, state = layer(Sequences(x[:, :3]))
        second, end = layer(Sequences(x[:, 3:]), state)
    assert_allclose(torch.cat([first, second], 1), whole, atol=1e-12)
    for ours, theirs in zip(end, last, strict=True):
        assert_allclose(ours, theirs, atol=1e-12)


@each
def test_truncation_cuts_the_gradient_and_nothing_else(cls):
    truncated, whole = layer_of(cls, tbptt_steps=3), layer_of(cls)
    x = torch.from_numpy(X).requires_grad_()
    outputs, _ = truncated(Sequences(x))
    assert_allclose(outputs.detach(), whole(Sequences(x))[0].detach(), atol=1e-12)
    (gradient,) = torch.autograd.grad(outputs[:, 6].sum(), x)  # steps 0 - 2, 3 - 5, and 6
    assert gradient[:, 6].abs().min() > 0
    assert_array_equal(gradient[:, :6], 0)
    truncated.eval()
    (gradient,) = torch.autograd.grad(truncated(Sequences(x))[0][:, 6].sum(), x)
    assert gradient[:, 0].abs().max() > 0


def test_layers_that_are_not_fused_are_differentiated_twice():
    for cls in EACH:
        layer = layer_of(cls, fused=False)
        loss = layer(Sequences(torch.from_numpy(X)))[0].square().sum()
        (gradient,) = torch.autograd.grad(loss, layer.weight_hh, create_graph=True)
        (second,) = torch.autograd.grad(gradient.square().sum(), layer.weight_hh)
        assert second.abs().max() > 0


def test_only_real_steps_are_reversed():
    x = torch.arange(8.0).view(2, 4, 1)
    assert reversed_steps(Sequences(x)).flatten(1).tolist() == [[3, 2, 1, 0], [7, 6, 5, 4]]
    cut = reversed_steps(Sequences(x, torch.tensor([4, 2]))).flatten(1)
    assert cut.tolist() == [[3, 2, 1, 0], [5, 4, 7, 6]]


def test_names_resolve_to_cells():
    assert cell_class("rnn", "relu", True) is ReLURNN
    assert cell_class("lstm", "tanh", True) is LSTM
    assert cell_class("gru", "tanh", True) is GRU
    assert cell_class("gru", "tanh", False) is PaperGRU
