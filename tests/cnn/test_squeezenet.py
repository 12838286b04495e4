"""SqueezeNet: parameter counts, agreement with another implementation, its head and bypass."""

import pytest
import torch

from sknets.cnn import get_architecture
from sknets.cnn.architecture import DIMENSIONS
from sknets.cnn.squeezenet import ConvolutionalHead, SqueezeNet
from tests.cnn.reference import assert_agrees, weights

# torchvision's layers with weights, by their places in its `features` and `classifier`.
TORCHVISION = {"1.0": (0, 3, 4, 5, 7, 8, 9, 10, 12), "1.1": (0, 3, 4, 6, 7, 9, 10, 11, 12)}


@pytest.mark.parametrize(
    ("name", "n_parameters"), [("squeezenet1_0", 1_248_424), ("squeezenet1_1", 1_235_496)]
)
def test_parameters_are_as_many_as_published(name, n_parameters):
    with torch.device("meta"):
        network = get_architecture(name).build((3, 224, 224), 1000)
    assert sum(p.numel() for p in network.parameters()) == n_parameters


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("bypass", [False, True])
def test_outputs_agree_with_another_implementation(version, bypass):
    name = f"squeeze{'res' if bypass else ''}net_v{version.replace('.', '_')}"
    assert_agrees(SqueezeNet(version=version, bypass=bypass), "squeezenet", name, (3, 224, 224))


@pytest.mark.parametrize("version", TORCHVISION)
def test_layers_have_torchvisions_places(version):
    with torch.device("meta"):
        network = SqueezeNet(version=version).build((3, 224, 224), 10)
    layers = list(network.features)
    with_weights = [i for i, layer in enumerate(layers) if any(True for _ in layer.parameters())]
    assert tuple(with_weights) == TORCHVISION[version]
    assert list(layers[3].state_dict())[::2] == [
        "squeeze.weight",
        "expand1x1.weight",
        "expand3x3.weight",
    ]
    assert [name for name, _ in network.head.named_children()].index("conv") == 1


def test_features_are_the_means_that_the_head_would_see():
    with torch.device("meta"):
        network = SqueezeNet().build((3, 64, 64), 10)
    network.load_state_dict(weights(network), assign=True)
    network.eval()
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        maps = network.features[:-1](x)
        assert network.features(x).shape == (2, network.head.in_features)
        torch.testing.assert_close(network.features(x), maps.mean((2, 3)))
        torch.testing.assert_close(network(x), network.head(maps))


def test_the_head_is_the_mean_of_rectified_scores():
    with torch.device("meta"):
        head = ConvolutionalHead(DIMENSIONS[2], 3, 2, dropout=0.5)
    head.load_state_dict(weights(head), assign=True)
    maps = torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    scores = torch.einsum("oi,nihw->nohw", head.conv.weight[..., 0, 0], maps)
    scores += head.conv.bias[:, None, None]
    with torch.inference_mode():
        torch.testing.assert_close(head.eval()(maps), scores.clamp_min(0).mean((2, 3)))


def test_bypass_is_where_the_number_of_channels_stays():
    with torch.device("meta"):
        features = SqueezeNet(bypass=True).build((3, 224, 224), 10).features
    assert [i for i in range(2, 10) if features.get_submodule(f"fire{i}").bypass] == [3, 5, 7, 9]


def test_small_images_are_not_halved_at_once():
    with torch.device("meta"):
        network = SqueezeNet().build((3, 32, 32), 10)
        assert network.features[:-1](torch.empty(1, 3, 32, 32)).shape == (1, 512, 4, 4)
    assert network.features.conv1.kernel_size == (3, 3)


@pytest.mark.parametrize(("small", "smallest"), [((3, 7, 9), "8 x 8"), ((1, 7), "length 8")])
def test_too_small_an_input_is_an_error_that_names_the_smallest(small, smallest):
    with pytest.raises(ValueError, match=rf"SqueezeNet needs .*{smallest}, {small[0]} chan"):
        SqueezeNet().build(small, 2)


@pytest.mark.parametrize("length", [20, 100])
def test_signals_are_taken(length):
    with torch.device("meta"):
        network = SqueezeNet(version="1.1").build((2, length), 5)
        assert network(torch.empty(7, 2, length)).shape == (7, 5)


def test_the_rate_falls_to_nothing_at_the_end_of_170_000_steps():
    recipe = SqueezeNet().recipe()
    assert recipe["learning_rate"] == "cosine"
    assert recipe["max_iter"] == round(170_000 * recipe["batch_size"] / 1_281_167)
    assert recipe["alpha"] / recipe["batch_size"] == pytest.approx(2e-4)
