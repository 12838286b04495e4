"""DenseNet: parameter counts, agreement with another implementation, stems and dropout."""

import re

import pytest
import torch

from sknets.cnn import get_architecture
from sknets.cnn.densenet import DenseNet
from sknets.layers import Dropout
from tests.cnn.reference import assert_agrees


@pytest.mark.parametrize(
    ("name", "n_parameters"),
    [
        ("densenet121", 7_978_856),
        ("densenet161", 28_681_000),
        ("densenet169", 14_149_480),
        ("densenet201", 20_013_928),
    ],
)
def test_parameters_are_as_many_as_published(name, n_parameters):
    with torch.device("meta"):
        network = get_architecture(name).build((3, 224, 224), 1000)
    assert sum(p.numel() for p in network.parameters()) == n_parameters


@pytest.mark.parametrize(
    ("name", "n_parameters"),
    [
        ("densenet40_12", 1_019_722),
        ("densenet_bc100_12", 769_162),
        ("densenet_bc250_24", 15_324_406),
        ("densenet_bc190_40", 25_624_430),
    ],
)
def test_parameters_for_small_images_are_as_many_as_published(name, n_parameters):
    with torch.device("meta"):
        network = get_architecture(name).build((3, 32, 32), 10)
    assert sum(p.numel() for p in network.parameters()) == n_parameters


@pytest.mark.parametrize(
    ("depth", "module", "name", "side"),
    [
        (121, "densenet", "densenet121", 224),
        (40, "densenet_cifar", "densenet40_k12_bc_cifar10", 32),
    ],
)
def test_outputs_agree_with_another_implementation(depth, module, name, side):
    description = DenseNet(depth=depth, growth=32 if depth == 121 else 12)
    assert_agrees(description, module, name, (3, side, side))


def test_outputs_without_bottlenecks_agree_with_another_implementation():
    # Theirs begins with 2 * growth features and compresses, with or without bottlenecks.
    description = DenseNet(depth=40, growth=8, bottleneck=False)
    theirs = {"blocks": 40, "growth_rate": 8, "bottleneck": False}
    assert_agrees(description, "densenet_cifar", "get_densenet_cifar", (3, 32, 32), **theirs)


def test_names_are_torchvisions_but_for_the_head():
    with torch.device("meta"):
        network = DenseNet(depth=121).build((3, 224, 224), 1000)
    (pattern,) = network.renames
    names = [re.sub(*pattern, name) for name, _ in network.named_parameters()]
    assert names[:6] == [
        "features.conv0.weight",
        "features.norm0.weight",
        "features.norm0.bias",
        "features.denseblock1.denselayer1.norm1.weight",
        "features.denseblock1.denselayer1.norm1.bias",
        "features.denseblock1.denselayer1.conv1.weight",
    ]
    assert names[-5:] == [
        "features.denseblock4.denselayer16.conv2.weight",
        "features.norm5.weight",
        "features.norm5.bias",
        "classifier.weight",
        "classifier.bias",
    ]
    assert "features.transition1.conv.weight" in names


def test_compression_keeps_a_share_of_the_features():
    kept = {}
    for compression in (0.25, 1.0):
        with torch.device("meta"):
            network = DenseNet(depth=10, growth=8, compression=compression).build((1, 8, 8), 2)
        kept[compression] = network.features.transition1.conv.weight.shape[:2]
    # 16 features come first, and one layer adds 8.
    assert kept == {0.25: (6, 24), 1.0: (24, 24)}


def test_dropout_follows_every_convolution_but_the_first():
    with torch.device("meta"):
        network = DenseNet(depth=22, growth=4, dropout=0.2).build((3, 32, 32), 2)
    layers = [m for m in network.modules() if isinstance(m, (torch.nn.Conv2d, Dropout))]
    assert isinstance(layers[0], torch.nn.Conv2d)
    assert len(layers) == 1 + 2 * (3 * 3 * 2 + 2)  # blocks of 3 pairs, and 2 transitions
    assert all(isinstance(layer, Dropout) for layer in layers[2::2])


def test_small_images_are_not_halved_at_once():
    with torch.device("meta"):
        network = DenseNet(depth=121).build((3, 64, 64), 10)
    assert network.features.conv0.kernel_size == (3, 3)
    assert not hasattr(network.features, "pool0")


@pytest.mark.parametrize(("depth", "bottleneck", "of"), [(41, False, 3), (43, True, 6)])
def test_a_depth_of_unequal_blocks_is_an_error(depth, bottleneck, of):
    with pytest.raises(ValueError, match=rf"'depth' .* a multiple of {of} .* Got {depth} instead"):
        DenseNet(depth=depth, bottleneck=bottleneck).build((3, 32, 32), 2)


@pytest.mark.parametrize(("small", "smallest"), [((3, 7, 9), "8 x 8"), ((1, 7), "length 8")])
def test_too_small_an_input_is_an_error_that_names_the_smallest(small, smallest):
    with pytest.raises(ValueError, match=rf"DenseNet needs .*{smallest}, {small[0]} channel\(s\)"):
        DenseNet().build(small, 2)


@pytest.mark.parametrize("length", [20, 100])
def test_signals_are_taken(length):
    with torch.device("meta"):
        network = DenseNet(depth=22, growth=4).build((2, length), 5)
        assert network(torch.empty(7, 2, length)).shape == (7, 5)


def test_small_images_have_their_last_step_at_225_epochs():
    recipe = DenseNet(depth=100, growth=12).recipe()
    assert 2 * recipe["decay_every"] == 225
    assert recipe["max_iter"] == 300
    assert recipe["alpha"] / recipe["batch_size"] == pytest.approx(1e-4)
    assert DenseNet(depth=121).recipe()["decay_every"] == 30
