"""ResNets: parameter counts, agreement with another implementation, shortcuts, depth by chance."""

import pytest
import torch
from numpy.testing import assert_array_equal

from sknets.cnn import ResNet, get_architecture
from sknets.cnn.residual import PaddedShortcut, Residual
from tests.cnn.reference import assert_agrees


@pytest.mark.parametrize(
    ("name", "n_parameters"),
    [
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
    ],
)
def test_parameters_for_imagenet_are_as_many_as_published(name, n_parameters):
    with torch.device("meta"):
        network = get_architecture(name).build((3, 224, 224), 1000)
    assert sum(p.numel() for p in network.parameters()) == n_parameters


@pytest.mark.parametrize(
    ("description", "n_parameters"),
    [
        (ResNet(depth=20), 269_722),
        (ResNet(depth=56), 853_018),
        (ResNet(depth=110), 1_727_962),
        (ResNet(depth=20, shortcut="B"), 272_474),
        (ResNet(depth=56, shortcut="B"), 855_770),
        (ResNet(depth=110, shortcut="B"), 1_730_714),
        (get_architecture("preact_resnet110"), 1_730_522),
        (get_architecture("preact_resnet164"), 1_703_258),
    ],
    ids=str,
)
def test_parameters_for_cifar_are_as_many_as_published(description, n_parameters):
    with torch.device("meta"):
        network = description.build((3, 32, 32), 10)
    assert sum(p.numel() for p in network.parameters()) == n_parameters


@pytest.mark.parametrize(
    ("description", "module", "name", "shape"),
    [
        (ResNet(depth=18), "resnet", "resnet18", (3, 224, 224)),
        (ResNet(depth=50), "resnet", "resnet50b", (3, 224, 224)),
        (ResNet(depth=20, shortcut="B"), "resnet_cifar", "resnet20_cifar10", (3, 32, 32)),
        (ResNet(depth=18, preactivation=True), "preresnet", "preresnet18", (3, 224, 224)),
        (
            get_architecture("preact_resnet20"),
            "preresnet_cifar",
            "preresnet20_cifar10",
            (3, 32, 32),
        ),
        (
            get_architecture("preact_resnet164"),
            "preresnet_cifar",
            "preresnet164bn_cifar10",
            (3, 32, 32),
        ),
    ],
    ids=str,
)
def test_outputs_agree_with_another_implementation(description, module, name, shape):
    assert_agrees(description, module, name, shape)


def test_the_shortcut_without_parameters_takes_every_second_pixel():
    x = torch.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)
    made = PaddedShortcut(2, stride=2)(x)
    assert_array_equal(made[:, :3], x[:, :, ::2, ::2])
    assert_array_equal(made[:, 3:], torch.zeros(2, 2, 2, 3))
    signals = PaddedShortcut(1, stride=2)(x[:, :, 0])
    assert_array_equal(signals[:, :3], x[:, :, 0, ::2])
    assert signals.shape == (2, 4, 3)


def test_plain_networks_have_no_shortcuts():
    with torch.device("meta"):
        network = get_architecture("plain20").build((3, 32, 32), 10)
        blocks = [m for m in network.modules() if isinstance(m, Residual)]
    assert len(blocks) == 9
    assert all(block.shortcut is None for block in blocks)
    plain = Residual(torch.nn.Identity(), None, torch.nn.Identity())
    assert_array_equal(plain(torch.ones(2)), torch.ones(2))


def test_survival_falls_linearly_to_that_of_the_last_block():
    with torch.device("meta"):
        network = get_architecture("resnet110_sd").build((3, 32, 32), 10)
    found = [m.survival for m in network.modules() if isinstance(m, Residual)]
    assert found == pytest.approx([1 - i / 54 * 0.5 for i in range(1, 55)])


def test_a_block_survives_as_often_as_it_should_and_counts_so_in_prediction():
    block = Residual(torch.nn.Identity(), torch.nn.Identity(), torch.nn.Identity(), survival=0.7)
    block.generator = torch.Generator().manual_seed(0)
    x = torch.ones(1)
    sums = torch.stack([block(x) for _ in range(1000)]).squeeze()
    assert set(sums.tolist()) == {1.0, 2.0}
    share = (sums == 2).double().mean().item()
    assert share == pytest.approx(0.7, abs=4 * (0.7 * 0.3 / 1000) ** 0.5)
    assert block.eval()(x).item() == pytest.approx(1.7)


def test_small_images_get_the_small_stem():
    with torch.device("meta"):
        features = ResNet(depth=18).build((3, 32, 32), 10).features
    assert features.stem.conv1.kernel_size == (3, 3)
    assert "pool1" not in dict(features.stem.named_children())


@pytest.mark.parametrize("name", ["resnet18", "resnet20", "preact_resnet50", "resnet50"])
def test_signals_and_single_pixels_are_taken(name):
    with torch.device("meta"):
        for shape in ((2, 100), (1, 1), (1, 1, 1)):
            network = get_architecture(name).build(shape, 5).eval()
            assert network(torch.empty(2, *shape)).shape == (2, 5)


@pytest.mark.parametrize("depth", [21, 165])
def test_a_depth_that_is_none_is_an_error(depth):
    with pytest.raises(ValueError, match=f"The 'depth' parameter of ResNet must be .* Got {depth}"):
        ResNet(depth=depth).build((3, 32, 32), 10)
