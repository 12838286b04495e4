"""Residual blocks: what trains with what, stochastic depth, and where a shortcut begins."""

import re

import pytest
import torch
from numpy.testing import assert_array_equal
from torch import nn

from sknets.cnn import ResNet, WideResNet, get_architecture
from sknets.cnn.residual import Residual
from sknets.layers import RandomLayer
from tests.cnn.reference import weights


def built(description, input_shape=(3, 8, 8)):
    with torch.device("meta"):
        network = description.build(input_shape, 10)
    network.load_state_dict(weights(network), assign=True)
    return network.requires_grad_(True)


@pytest.mark.parametrize("preactivation", [False, True])
@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize("input_shape", [(3, 8, 8), (3, 9)])
def test_stochastic_depth_trains(shortcut, preactivation, input_shape):
    description = ResNet(depth=20, shortcut=shortcut, preactivation=preactivation, survival=0.1)
    network = built(description, input_shape)
    generator = torch.Generator().manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, RandomLayer):
            layer.generator = generator
    x = torch.randn(4, *input_shape, generator=generator)
    skipped = 0
    for _ in range(5):
        network.zero_grad()
        network(x).square().mean().backward()
        grads = [p.grad for p in network.parameters()]
        skipped += sum(g is None for g in grads)
        assert all(g.isfinite().all() for g in grads if g is not None)
    assert skipped


def test_a_skipped_block_leaves_what_came_as_it_is():
    block = Residual(nn.Identity(), nn.Identity(), nn.ReLU(), survival=1e-9)
    block.generator = torch.Generator().manual_seed(0)
    x = torch.tensor([-1.0, 2.0])
    assert_array_equal(block(x), [0.0, 2.0])
    assert_array_equal(x, [-1.0, 2.0])


def test_stochastic_depth_needs_shortcuts():
    with pytest.raises(ValueError, match=r"The 'survival' parameter of ResNet must be 1 where"):
        ResNet(depth=20, shortcut=None, survival=0.5).build((3, 32, 32), 10)


@pytest.mark.parametrize("name", ["resnet20", "preact_resnet20", "wrn16_4", "resnext29_8x64d"])
def test_stages_are_the_stem_and_those_of_the_paper(name):
    with torch.device("meta"):
        network = get_architecture(name).build((3, 32, 32), 10)
    parts = dict(network.features.named_children())
    assert network.stages == [[parts[name]] for name in ("stem", "layer1", "layer2", "layer3")]


def test_names_become_torchvisions():
    with torch.device("meta"):
        network = ResNet(depth=50).build((3, 224, 224), 1000)
    names = list(network.state_dict())
    for pattern, replacement in network.renames:
        names = [re.sub(pattern, replacement, name) for name in names]
    assert names[:2] == ["conv1.weight", "bn1.weight"]
    assert {"layer1.0.conv3.weight", "layer1.0.downsample.1.running_var", "fc.bias"} <= set(names)


def test_the_first_shortcut_starts_before_the_activation():
    first = built(ResNet(depth=20, preactivation=True)).eval().features.layer1[0]
    x = torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(first(x), x + first.branch(first.before(x)))


def test_width_is_that_of_the_first_stage():
    with torch.device("meta"):
        network = ResNet(depth=20, width=4).build((3, 32, 32), 10)
        bottlenecks = ResNet(depth=50, width=32).build((3, 32, 32), 10)
    assert network.head.in_features == 16
    assert bottlenecks.head.in_features == 4 * 8 * 32


@pytest.mark.parametrize(
    ("description", "drops", "epochs"),
    [
        (ResNet(depth=50), [30, 60], 90),
        (ResNet(depth=20), [61.5, 123], 164),
        (get_architecture("resnet110_sd"), [187.5, 375], 500),
        (get_architecture("resnext29_8x64d"), [112.5, 225], 300),
        (get_architecture("resnext50_32x4d"), [30, 60], 90),
        (WideResNet(depth=28, width=10), [60, 120, 180], 200),
    ],
    ids=str,
)
def test_the_learning_rate_falls_as_said(description, drops, epochs):
    recipe = description.recipe()
    every = recipe["decay_every"]
    assert [every * i for i in range(1, len(drops) + 1)] == pytest.approx(drops)
    assert (len(drops) + 1) * every >= epochs == recipe["max_iter"]
