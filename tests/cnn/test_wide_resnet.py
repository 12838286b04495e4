"""Wide ResNets: parameter counts and agreement with another implementation."""

import pytest
import torch

from sknets.cnn import WideResNet, get_architecture
from sknets.layers import Dropout
from tests.cnn.reference import assert_agrees


@pytest.mark.parametrize(
    ("name", "shape", "n_outputs", "n_parameters"),
    [
        ("wrn28_10", (3, 32, 32), 10, 36_479_194),
        ("wide_resnet50_2", (3, 224, 224), 1000, 68_883_240),
        ("wide_resnet101_2", (3, 224, 224), 1000, 126_886_696),
    ],
)
def test_parameters_are_as_many_as_published(name, shape, n_outputs, n_parameters):
    with torch.device("meta"):
        network = get_architecture(name).build(shape, n_outputs)
    assert sum(p.numel() for p in network.parameters()) == n_parameters


def test_outputs_agree_with_another_implementation():
    description = WideResNet(depth=16, width=10)
    assert_agrees(description, "wrn_cifar", "wrn16_10_cifar10", (3, 32, 32))


def test_dropout_is_between_the_convolutions_of_each_block():
    with torch.device("meta"):
        network = WideResNet(depth=16, width=2, dropout=0.3).build((3, 32, 32), 10)
    assert sum(isinstance(layer, Dropout) for layer in network.modules()) == 6


def test_small_images_get_the_small_stem():
    with torch.device("meta"):
        features = WideResNet(depth=50, width=2).build((3, 32, 32), 10).features
    assert features.stem.conv1.kernel_size == (3, 3)


def test_a_depth_that_is_none_is_an_error():
    with pytest.raises(ValueError, match=r"must be 50, 101 or 6 n \+ 4. Got 20 instead"):
        WideResNet(depth=20).build((3, 32, 32), 10)
