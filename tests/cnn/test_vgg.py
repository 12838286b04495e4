"""VGG: parameter counts, agreement with another implementation, and the small stem."""

import pytest
import torch

from sknets.cnn import VGG, get_architecture
from tests.cnn.reference import assert_agrees


@pytest.mark.parametrize(
    ("name", "n_parameters"),
    [
        ("vgg11", 132_863_336),
        ("vgg13", 133_047_848),
        ("vgg16", 138_357_544),
        ("vgg16_bn", 138_365_992),
        ("vgg19", 143_667_240),
        ("vgg19_bn", 143_678_248),
    ],
)
def test_parameters_are_as_many_as_published(name, n_parameters):
    with torch.device("meta"):
        network = get_architecture(name).build((3, 224, 224), 1000)
    assert sum(p.numel() for p in network.parameters()) == n_parameters


def test_outputs_agree_with_another_implementation():
    assert_agrees(VGG(depth=11), "vgg", "vgg11", (3, 224, 224))


def test_small_images_get_one_dense_layer():
    with torch.device("meta"):
        network = VGG(depth=16, batch_norm=True).build((3, 32, 32), 10)
    dense = [layer for layer in network.modules() if isinstance(layer, torch.nn.Linear)]
    assert [layer.in_features for layer in dense] == [512, 512]


@pytest.mark.parametrize(("small", "smallest"), [((3, 31, 40), "32 x 32"), ((1, 31), "length 32")])
def test_too_small_an_input_is_an_error_that_names_the_smallest(small, smallest):
    with pytest.raises(ValueError, match=rf"VGG needs .*{smallest}, {small[0]} channel\(s\)"):
        VGG().build(small, 2)


def test_signals_are_taken():
    with torch.device("meta"):
        network = VGG(depth=11).build((2, 100), 5)
        assert network(torch.empty(7, 2, 100)).shape == (7, 5)
