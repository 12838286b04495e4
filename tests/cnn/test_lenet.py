"""LeNets: the counts of their papers, sparse connections, and the departures."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from sknets.cnn import get_architecture
from sknets.cnn.lenet import (
    C3_OF_LENET4,
    C3_OF_LENET5,
    H2_OF_1989,
    H3_OF_LENET1,
    LeCun1989,
    LeNet,
    ScaledTanh,
    TableConv1d,
    TableConv2d,
)
from tests.cnn.reference import weights


def built(description, input_shape=(1, 28, 28), n_outputs=10):
    with torch.device("meta"):
        return description.build(input_shape, n_outputs)


def filled(description, *args):
    network = built(description, *args)
    network.load_state_dict(weights(network), assign=True)
    return network.eval()


def counts(network):
    each = [sum(p.numel() for p in layer.parameters()) for layer in network.features]
    return [n for n in each if n] + [sum(p.numel() for p in network.head.parameters())]


@pytest.mark.parametrize(
    ("name", "side", "by_layer"),
    [
        ("lecun1989", 16, [1068, 2592, 5790, 310]),
        ("lenet1", 28, [104, 8, 512, 24, 1930]),
        ("lenet4", 32, [104, 16, 1216, 32, 48_120, 1210]),
        ("lenet5", 32, [156, 12, 1516, 32, 48_120, 10_164, 850]),
    ],
)
def test_parameters_are_as_many_as_published(name, side, by_layer):
    assert counts(built(get_architecture(name), (1, side, side))) == by_layer


def test_whole_networks_have_as_many_parameters_as_published():
    assert sum(counts(built(LeCun1989(), (1, 16, 16)))) == 9760
    assert sum(counts(built(LeNet(version=1)))) == 2578
    assert sum(counts(built(LeNet(version=5)))[:-1]) == 60_000


@pytest.mark.parametrize(
    ("table", "n_in", "sizes"),
    [
        (H2_OF_1989, 12, {8}),
        (H3_OF_LENET1, 4, {1, 2}),
        (C3_OF_LENET4, 8, {3}),
        (C3_OF_LENET5, 6, {3, 4, 6}),
    ],
)
def test_tables_use_every_map_equally_often(table, n_in, sizes):
    assert {len(seen) for seen in table} == sizes
    assert all(len(set(seen)) == len(seen) for seen in table)
    uses = np.bincount(np.concatenate(table))
    assert len(uses) == n_in
    assert len(set(uses)) == 1


@pytest.mark.parametrize("dimension", [1, 2])
@pytest.mark.parametrize("of_units", [False, True])
def test_table_convolution_sees_what_the_table_lists(dimension, of_units):
    conv = (TableConv1d, TableConv2d)[dimension - 1]
    sides = [9] * dimension
    with torch.device("meta"):
        layer = conv(6, C3_OF_LENET5, 5, sides if of_units else None, stride=2, padding=1)
    layer.load_state_dict(weights(layer), assign=True)
    x = torch.randn(2, 6, *sides, generator=torch.Generator().manual_seed(0))
    kernels = iter(layer.weight.flatten(0, 1))
    plain = {1: nn.functional.conv1d, 2: nn.functional.conv2d}[dimension]
    for i, seen in enumerate(C3_OF_LENET5):
        expected = layer.bias[i] + sum(
            plain(x[:, [j]], next(kernels)[None, None], stride=2, padding=1)[:, 0] for j in seen
        )
        torch.testing.assert_close(layer(x)[:, i], expected, atol=1e-5, rtol=1e-5)
    assert layer.bias.shape[1:] == ((4,) * dimension if of_units else ())


def test_scaled_tanh_is_one_at_one():
    assert_allclose(ScaledTanh()(torch.tensor([-1.0, 0.0, 1.0])), [-1, 0, 1], atol=1e-4)


def test_subsampling_is_a_weight_and_a_bias_for_a_sum_of_four():
    features = filled(LeNet()).features
    x = torch.randn(2, 6, 4, 4, generator=torch.Generator().manual_seed(0))
    sums = sum(x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1))
    weight, bias = (p.reshape(6, 1, 1) for p in features.s2.parameters())
    torch.testing.assert_close(features.s2(features.average_s2(x)), weight / 4 * sums + bias)


@pytest.mark.parametrize(
    ("name", "side"), [("lecun1989", 16), ("lenet1", 28), ("lenet4", 32), ("lenet5", 32)]
)
@pytest.mark.parametrize("dimension", [1, 2])
def test_smaller_inputs_are_padded_to_the_papers_size(name, side, dimension):
    small = side - 4
    network = filled(get_architecture(name), (1, *[small] * dimension))
    whole = built(get_architecture(name), (1, *[side] * dimension))
    whole.load_state_dict(network.state_dict(), assign=True)
    x = torch.randn(3, 1, *[small] * dimension, generator=torch.Generator().manual_seed(0))
    padded = nn.functional.pad(x, (2, 2) * dimension)
    with torch.inference_mode():
        torch.testing.assert_close(network(x), whole.eval()(padded), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["lecun1989", "lenet1", "lenet4", "lenet5"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 50), (3, 1, 1), (1, 27, 31), (3, 64, 64)])
def test_any_size_is_taken(name, shape):
    network = built(get_architecture(name), shape, 3)
    assert network(torch.empty(5, *shape, device="meta")).shape == (5, 3)


def test_layers_are_as_declared():
    network = built(LeNet(dense=(50,), activation="relu"))
    assert network.head.in_features == 50
    assert sum(isinstance(layer, nn.ReLU) for layer in network.features) == 5
    assert built(LeCun1989(hidden=7)).head.in_features == 7


# -- departures


@pytest.mark.parametrize("description", [LeCun1989(), LeNet(version=1), LeNet()])
def test_heads_are_linear(description):
    network = filled(description)
    assert isinstance(network.head, nn.Linear)
    x = torch.randn(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(x), network.head(network.features(x)))


def test_the_first_network_has_zeros_around_images():
    h1 = built(LeCun1989(), (1, 16, 16)).features.h1
    assert (h1.padding, h1.padding_mode) == ((2, 2), "zeros")
