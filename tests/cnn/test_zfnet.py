"""ZFNet: parameter counts, agreement with another implementation, and the small stem."""

from types import SimpleNamespace

import pytest
import torch

from sknets.cnn import get_architecture
from sknets.cnn.alexnet import THEN
from sknets.cnn.zfnet import ZFNet
from tests.cnn.reference import assert_agrees


def built(description, input_shape=(3, 224, 224), n_outputs=10):
    with torch.device("meta"):
        return description.build(input_shape, n_outputs)


@pytest.mark.parametrize(
    ("name", "n_parameters"), [("zfnet", 62_357_608), ("zfnet_wide", 107_627_624)]
)
def test_parameters_are_as_many_as_published(name, n_parameters):
    network = built(get_architecture(name), n_outputs=1000)
    assert sum(p.numel() for p in network.parameters()) == n_parameters


def test_outputs_agree_with_another_implementation(monkeypatch):
    """But for normalisation, which theirs has before the pooling, and the paper after it."""
    theirs = pytest.importorskip("pytorchcv.models.alexnet")
    norm = SimpleNamespace(local_response_norm=lambda x, **_: x)
    monkeypatch.setattr(theirs, "F", norm)
    monkeypatch.setitem(THEN, "norm", lambda layer: torch.nn.Identity())
    assert_agrees(ZFNet(), "zfnet", "zfnet", (3, 224, 224))


def test_maps_are_as_large_as_in_the_paper():
    """Figure 3: 110, 55, 26, 13, 13, 13, 13 and 6 positions along each side."""
    x = torch.empty(1, 3, 224, 224, device="meta")
    sides = {}
    for name, layer in built(ZFNet()).features.named_children():
        x = layer(x)
        sides[name] = x.shape[-1]
    assert [sides[f"conv{i}"] for i in range(1, 6)] == [110, 26, 13, 13, 13]
    assert [sides[f"pool_rest{i}"] for i in (1, 2, 5)] == [55, 13, 6]


def test_normalisation_follows_pooling():
    names = list(dict(built(ZFNet()).features.named_children()))
    assert names[:8] == [
        *("conv1", "relu1", "pool_rest1", "norm1"),
        *("conv2", "relu2", "pool_rest2", "norm2"),
    ]


def test_small_images_get_a_finer_stem_and_fewer_units():
    features = built(ZFNet(), (3, 32, 32)).features
    for conv in (features.conv1, features.conv2):
        assert (conv.kernel_size, conv.stride, conv.padding) == ((5, 5), (1, 1), (2, 2))
    assert (features.fc6.out_features, features.fc7.out_features) == (384, 192)


def test_channels_are_as_declared():
    assert built(ZFNet(channels=(8, 16), dense=())).head.in_features == 16 * 6 * 6


@pytest.mark.parametrize(("small", "smallest"), [((3, 7, 40), "8 x 8"), ((1, 7), "length 8")])
def test_too_small_an_input_is_an_error_that_names_the_smallest(small, smallest):
    with pytest.raises(ValueError, match=rf"ZFNet needs .*{smallest}, {small[0]} channel\(s\)"):
        ZFNet().build(small, 2)


def test_signals_are_taken():
    network = built(ZFNet(), (2, 100), 5)
    assert network(torch.empty(7, 2, 100, device="meta")).shape == (7, 5)
