"""The user's own network: its layers, and the sizes of what they make."""

import pytest
import torch
from torch import nn

from sknets.cnn import ConvNet


def built(input_shape=(1, 28, 28), n_outputs=10, **settings):
    with torch.device("meta"):
        return ConvNet(**settings).build(input_shape, n_outputs)


def layers(network, *kinds):
    return [layer for layer in network.features if isinstance(layer, kinds)]


def test_blocks_and_dense_layers_are_as_declared():
    network = built(channels=((8, 16), 32), kernel_size=(5, 3), dense=(64, 20), batch_norm=True)
    convs = layers(network, nn.Conv2d)
    assert [(c.in_channels, c.out_channels, c.kernel_size[0]) for c in convs] == [
        (1, 8, 5),
        (8, 16, 5),
        (16, 32, 3),
    ]
    assert len(layers(network, nn.MaxPool2d)) == 2
    assert len(layers(network, nn.BatchNorm2d)) == 3
    dense = layers(network, nn.Linear)
    assert [layer.in_features for layer in dense] == [32 * 7 * 7, 64]
    assert network.head.in_features == 20


@pytest.mark.parametrize("n", [1, 5, 28, 31])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_sizes_are_those_of_the_formula(n, kernel, stride, padding):
    """(N - F + P) / S + 1, rounded down, with P zeros in all; "same" keeps the size at S = 1."""
    expected = -(-n // stride) if padding == "same" else (n - kernel) // stride + 1
    settings = dict(channels=3, kernel_size=kernel, stride=stride, padding=padding, pooling=None)
    if expected < 1:
        with pytest.raises(ValueError, match="ConvNet needs signals of length"):
            built((1, n), dense=(), **settings)
    else:
        assert built((1, n), dense=(), **settings).head.in_features == 3 * expected


def test_pooling_of_same_padding_drops_nothing():
    assert built((1, 7, 7), channels=3, dense=()).head.in_features == 3 * 4 * 4
    assert built((1, 7, 7), channels=3, dense=(), padding="valid").head.in_features == 3 * 2 * 2


def test_default_takes_a_single_value():
    network = built((1, 1), 2)
    assert network(torch.empty(3, 1, 1, device="meta")).shape == (3, 2)
    assert not layers(network, nn.BatchNorm1d)


def test_settings_of_another_number_of_blocks_are_refused():
    with pytest.raises(ValueError, match=r"'kernel_size' parameter of ConvNet .* 2 blocks"):
        built(kernel_size=(3, 3, 3))
