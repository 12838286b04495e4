"""Layers against their formulas, initialisers against their variances."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import stats
from scipy.special import erf, expit
from torch import nn

from sknets.layers import (
    ACTIVATIONS,
    INITIALIZERS,
    BatchNorm1d,
    Dropout,
    GaussianNoise,
    Maxout,
    initialise,
)
from sknets.mlp import MLP

GRID = torch.linspace(-4, 4, 81, dtype=torch.float64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def new(cls, *args, **kwargs):
    """A module whose contents are undefined and draw nothing from global state."""
    with torch.device("meta"):
        module = cls(*args, **kwargs)
    return module.to_empty(device="cpu")


# -- dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_silences_a_share_and_scales_the_rest(p):
    layer = Dropout(p)
    layer.generator = seeded()
    n = 100_000
    out = layer(torch.ones(n // 100, 100))
    assert out.unique().tolist() == pytest.approx([0, 1 / (1 - p)], rel=1e-4)
    # A share of n draws has standard deviation sqrt(p (1 - p) / n).
    assert (out == 0).float().mean().item() == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / n))
    assert out.mean().item() == pytest.approx(1, abs=5 * math.sqrt(p / (1 - p) / n))


def test_dropout_masks_are_independent_of_each_other():
    layer = Dropout(0.5)
    layer.generator = seeded()
    masks = torch.stack([layer(torch.ones(500)) for _ in range(20)]).numpy()
    correlation = np.corrcoef(masks) - np.eye(20)
    assert abs(correlation).max() < 5 / math.sqrt(500)


def test_dropout_repeats_with_its_generator():
    layer, x = Dropout(0.5), torch.ones(10, 10)
    layer.generator = seeded(1)
    first = layer(x)
    layer.generator = seeded(1)
    torch.testing.assert_close(layer(x), first, rtol=0, atol=0)
    layer.generator = seeded(2)
    assert not torch.equal(layer(x), first)


def test_dropout_passes_the_gradient_of_what_it_kept():
    layer = Dropout(0.5)
    layer.generator = seeded()
    x = torch.ones(50, requires_grad=True)
    out = layer(x)
    out.sum().backward()
    torch.testing.assert_close(x.grad, out.detach())


def test_dropout_does_nothing_in_prediction_or_at_zero():
    x = torch.ones(5)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


# -- activations


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("identity", lambda z: z),
        ("logistic", expit),
        ("tanh", np.tanh),
        ("relu", lambda z: np.maximum(z, 0)),
        ("leaky_relu", lambda z: np.where(z > 0, z, 0.01 * z)),
        ("prelu", lambda z: np.where(z > 0, z, 0.25 * z)),
        ("elu", lambda z: np.where(z > 0, z, np.exp(z) - 1)),
        (
            "selu",
            lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * (np.exp(z) - 1)),
        ),
        ("gelu", lambda z: z * (1 + erf(z / np.sqrt(2))) / 2),
        ("silu", lambda z: z * expit(z)),
    ],
)
def test_activation_equals_its_formula(name, formula):
    layer = ACTIVATIONS[name]().double()
    assert_allclose(layer(GRID).detach(), formula(GRID.numpy()), rtol=1e-10, atol=1e-12)


def test_every_activation_has_a_formula():
    tested = test_activation_equals_its_formula.pytestmark[0].args[1]
    assert {name for name, _ in tested} == set(ACTIVATIONS)


def test_maxout_takes_the_largest_of_each_units_pieces():
    x = torch.tensor([[1.0, 5, -2, 0, 3, 2], [0, 0, -1, -4, 9, 8]])
    assert Maxout(3)(x).tolist() == [[5, 3], [0, 9]]
    assert Maxout(2)(x).tolist() == [[5, 0, 3], [0, -1, 9]]
    assert Maxout(1)(x).tolist() == x.tolist()


def test_layers_print_their_settings():
    assert repr(Dropout(0.25)) == "Dropout(p=0.25)"
    assert repr(Maxout(3)) == "Maxout(pieces=3)"


# -- initialisers

FAN_IN, FAN_OUT = 300, 200
N = FAN_IN * FAN_OUT
VARIANCE = {"glorot": 2 / 500, "he": 2 / 300, "lecun": 1 / 300}
KURTOSIS = {"uniform": 1.8, "normal": 3.0, "truncated_normal": 3.0}  # at most


def initialised(weight_init, bias_init="auto", seed=0, layer=None, init_std=0.01):
    layer = new(nn.Linear, FAN_IN, FAN_OUT) if layer is None else layer
    initialise(layer, weight_init, bias_init, init_std, seeded(seed))
    return layer


@pytest.mark.parametrize("shape", KURTOSIS)
@pytest.mark.parametrize("family", VARIANCE)
def test_initialiser_has_the_variance_of_its_paper(family, shape):
    w = initialised(f"{family}_{shape}").weight.detach().numpy().ravel()
    variance = VARIANCE[family]
    # Of n draws the mean has standard deviation s / sqrt(n), the variance s^2 sqrt((k - 1) / n).
    assert w.mean() == pytest.approx(0, abs=5 * math.sqrt(variance / N))
    assert w.var() == pytest.approx(variance, rel=5 * math.sqrt((KURTOSIS[shape] - 1) / N))


@pytest.mark.parametrize("family", VARIANCE)
def test_initialiser_has_the_shape_of_its_name(family):
    std = math.sqrt(VARIANCE[family])
    uniform, normal, truncated = (
        initialised(f"{family}_{shape}").weight.detach().numpy().ravel() for shape in KURTOSIS
    )
    assert abs(uniform).max() <= math.sqrt(3) * std * (1 + 1e-6)
    assert abs(normal).max() > 3.5 * std
    cut = 2 * std / stats.truncnorm(-2, 2).std()
    assert 0.99 * cut < abs(truncated).max() <= cut * (1 + 1e-6)
    scaled = {
        "uniform": (uniform, stats.uniform(-math.sqrt(3), 2 * math.sqrt(3))),
        "normal": (normal, stats.norm()),
        "truncated": (truncated, stats.truncnorm(-2, 2, scale=1 / stats.truncnorm(-2, 2).std())),
    }
    for w, distribution in scaled.values():
        distance = stats.kstest(w / std, distribution.cdf).statistic
        assert distance < 1.95 / math.sqrt(N)  # exceeded by one sample in a thousand


def test_every_initialiser_is_tested():
    named = {f"{family}_{shape}" for family in VARIANCE for shape in KURTOSIS}
    assert set(INITIALIZERS) == named | {"auto", "orthogonal", "normal"}


@pytest.mark.parametrize("std", [0.0, 0.3])
def test_normal_has_the_given_standard_deviation(std):
    w = initialised("normal", init_std=std).weight.detach().numpy()
    assert w.std() == pytest.approx(std, rel=5 / math.sqrt(2 * N))


@pytest.mark.parametrize("shape", [(40, 20), (20, 40), (30, 30)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape):
    layer = initialised("orthogonal", layer=new(nn.Linear, shape[1], shape[0]))
    w = layer.weight.detach().double().numpy()
    gram = w @ w.T if shape[0] <= shape[1] else w.T @ w
    assert_allclose(gram, np.eye(min(shape)), atol=1e-5)


def test_fans_of_a_convolution_count_its_receptive_field():
    conv = new(nn.Conv2d, 20, 60, 5)
    initialise(conv, "he_normal", "auto", 0.01, seeded())
    assert conv.weight.var().item() == pytest.approx(2 / (20 * 25), rel=5 * math.sqrt(2 / 30_000))
    assert not conv.bias.any()


def test_fans_of_a_transposed_convolution_are_those_that_a_value_meets():
    conv = new(nn.ConvTranspose2d, 20, 60, 4, 2)
    initialise(conv, "he_normal", "auto", 0.01, seeded())
    assert conv.weight.var().item() == pytest.approx(2 / (20 * 4), rel=5 * math.sqrt(2 / 19_200))
    x = torch.randn(10, 20, 9, 9, generator=seeded())
    inside = conv(x)[:, :, 4:-4, 4:-4]
    assert inside.var().item() == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize(("bias_init", "value"), [("auto", 0.0), (0.0, 0.0), (0.1, 0.1), (-2, -2)])
def test_biases_start_from_bias_init(bias_init, value):
    bias = initialised("he_normal", bias_init).bias
    torch.testing.assert_close(bias.detach(), torch.full((FAN_OUT,), float(value)))


def test_prelu_and_batch_norm_start_from_their_papers_values():
    module = nn.Sequential(new(nn.BatchNorm1d, 4), new(nn.PReLU), new(nn.Linear, 4, 2, bias=False))
    initialise(module, "he_normal", "auto", 0.01, seeded())
    assert module[1].weight.item() == 0.25
    state = module[0].state_dict()
    assert state["weight"].tolist() == state["running_var"].tolist() == [1] * 4
    assert state["bias"].tolist() == state["running_mean"].tolist() == [0] * 4
    assert state["num_batches_tracked"] == 0


@pytest.mark.parametrize("weight_init", [name for name in INITIALIZERS if name != "auto"])
def test_initialiser_repeats_with_its_generator(weight_init):
    first, again, other = (initialised(weight_init, seed=seed).weight for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


# -- the perceptron's own network


def mlp(sizes, **settings):
    module = new(MLP, *sizes, **settings)
    initialise(module, "he_normal", 0.1, 0.01, seeded())
    return module


def test_mlp_is_its_equations():
    module = mlp((5, (4, 3), 2), activation="tanh")
    x = torch.randn(6, 5, generator=seeded())
    (w1, b1), (w2, b2), (w3, b3) = (
        (layer.weight.detach().numpy(), layer.bias.detach().numpy())
        for layer in module.linear_layers
    )
    hidden = np.tanh(np.tanh(x.numpy() @ w1.T + b1) @ w2.T + b2)
    assert_allclose(module.features(x).detach(), hidden, rtol=1e-5, atol=1e-6)
    assert_allclose(module(x).detach(), hidden @ w3.T + b3, rtol=1e-5, atol=1e-6)


def test_batch_norm_normalises_a_batch_and_remembers_its_statistics():
    module = mlp((5, (4,), 2), activation="identity", batch_norm=True)
    x = 3 + 2 * torch.randn(50, 5, generator=seeded())
    out = module.train().features(x).detach()
    assert_allclose(out.mean(0), np.zeros(4), atol=1e-6)
    assert_allclose(out.var(0, correction=0), np.ones(4), rtol=1e-4)
    before = module.features.linear1(x).detach()
    norm = module.features.norm1
    assert_allclose(norm.running_mean, 0.1 * before.mean(0), rtol=1e-5)
    assert_allclose(norm.running_var, 0.9 + 0.1 * before.var(0), rtol=1e-5)
    predicted = module.eval().features(x).detach()
    expected = (before - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
    assert_allclose(predicted, expected, rtol=1e-4, atol=1e-5)


def test_batch_norm_passes_a_single_sample_as_in_prediction():
    norm = new(BatchNorm1d, 4)
    initialise(norm, "he_normal", "auto", 0.01, seeded())
    norm(torch.randn(50, 4, generator=seeded()))
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    x = torch.randn(1, 4, generator=seeded(1))
    out = norm.train()(x)
    torch.testing.assert_close(out, norm.eval()(x))
    for name, tensor in norm.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
    out.sum().backward()
    assert norm.weight.grad is not None


def test_dropout_takes_sparse_rows():
    layer = Dropout(0.5)
    layer.generator = seeded()
    dense = torch.ones(20, 5)
    dropped = layer(dense)
    layer.generator = seeded()
    torch.testing.assert_close(layer(dense.to_sparse()), dropped, rtol=0, atol=0)


def test_mlp_of_no_hidden_layer_is_linear():
    module = mlp((5, (), 2))
    x = torch.randn(3, 5, generator=seeded())
    torch.testing.assert_close(module.features(x), x)
    assert len(module.linear_layers) == 1


def test_noise_is_added_in_training_alone():
    layer, x = GaussianNoise(0.5), torch.ones(1000, 100)
    layer.generator = seeded()
    added = layer(x) - x
    assert abs(added.mean()) < 0.01
    assert abs(added.std() - 0.5) < 0.01
    assert layer.eval()(x) is x
    assert repr(layer) == "GaussianNoise(std=0.5)"


def test_noise_makes_sparse_rows_dense():
    layer, dense = GaussianNoise(0.5), torch.eye(4)
    layer.generator = seeded()
    noisy = layer(dense)
    layer.generator = seeded()
    torch.testing.assert_close(layer(dense.to_sparse()), noisy, rtol=0, atol=0)


def test_layers_stand_in_the_order_of_their_papers():
    settings = dict(input_dropout=0.1, dropout=0.2, noise_std=0.3, batch_norm=True)
    module = mlp((5, (4,), 2), **settings)
    hidden = ["linear1", "norm1", "noise1", "relu1", "dropout1"]
    assert list(module.features._modules) == ["input_dropout", "input_noise", *hidden]
    assert module.features.noise1.std == 0.3
    assert module.features.input_dropout.p == 0.1
    assert module.features.dropout1.p == 0.2
