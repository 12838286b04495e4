"""ResNeXts: parameter counts and agreement with another implementation."""

import pytest
import torch

from sknets.cnn import ResNeXt, get_architecture
from tests.cnn.reference import assert_agrees


@pytest.mark.parametrize(
    ("name", "shape", "n_outputs", "n_parameters"),
    [
        ("resnext50_32x4d", (3, 224, 224), 1000, 25_028_904),
        ("resnext101_32x8d", (3, 224, 224), 1000, 88_791_336),
        ("resnext29_8x64d", (3, 32, 32), 10, 34_426_698),
    ],
)
def test_parameters_are_as_many_as_published(name, shape, n_outputs, n_parameters):
    with torch.device("meta"):
        network = get_architecture(name).build(shape, n_outputs)
    assert sum(p.numel() for p in network.parameters()) == n_parameters


@pytest.mark.parametrize(
    ("description", "module", "name", "shape"),
    [
        (ResNeXt(depth=50), "resnext", "resnext50_32x4d", (3, 224, 224)),
        (
            ResNeXt(depth=20, cardinality=16, width=4),
            "resnext_cifar",
            "resnext20_16x4d_cifar10",
            (3, 32, 32),
        ),
    ],
    ids=str,
)
def test_outputs_agree_with_another_implementation(description, module, name, shape):
    assert_agrees(description, module, name, shape)


def test_small_images_get_the_small_stem():
    with torch.device("meta"):
        features = ResNeXt().build((3, 32, 32), 10).features
    assert features.stem.conv1.kernel_size == (3, 3)


def test_a_depth_that_is_none_is_an_error():
    with pytest.raises(ValueError, match=r"must be 50, 101, 152 or 9 n \+ 2. Got 30 instead"):
        ResNeXt(depth=30).build((3, 32, 32), 10)
