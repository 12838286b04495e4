"""AlexNet: parameter counts, agreement with another implementation, and the small stem."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sknets.cnn import get_architecture
from sknets.cnn.alexnet import STREAMS, TWO_STREAMS, AlexNet
from sknets.cnn.layers import LocalResponseNorm
from tests.cnn.reference import assert_agrees


def built(description, input_shape=(3, 224, 224), n_outputs=10):
    with torch.device("meta"):
        return description.build(input_shape, n_outputs)


@pytest.mark.parametrize(
    ("name", "n_parameters"), [("alexnet", 61_100_840), ("alexnet_original", 60_965_224)]
)
def test_parameters_are_as_many_as_published(name, n_parameters):
    network = built(get_architecture(name), n_outputs=1000)
    assert sum(p.numel() for p in network.parameters()) == n_parameters


def test_original_in_one_group_has_as_many_parameters_as_published(monkeypatch):
    ungrouped = tuple(row._replace(groups=1) for row in TWO_STREAMS)
    monkeypatch.setitem(STREAMS, 2, ungrouped)
    network = built(AlexNet(streams=2), n_outputs=1000)
    assert sum(p.numel() for p in network.parameters()) == 62_378_344


def test_outputs_agree_with_another_implementation():
    assert_agrees(AlexNet(), "alexnet", "alexnetb", (3, 224, 224))


def test_original_agrees_with_another_implementation(monkeypatch):
    """Of one group, with normalisation as in the paper, and padded as here."""
    theirs = pytest.importorskip("pytorchcv.models.alexnet")
    norm = SimpleNamespace(local_response_norm=lambda x, **_: LocalResponseNorm()(x))
    monkeypatch.setattr(theirs, "F", norm)
    unpadded = TWO_STREAMS[0]._replace(padding=0, groups=1)
    others = (row._replace(groups=1) for row in TWO_STREAMS[1:])
    monkeypatch.setitem(STREAMS, 2, (unpadded, *others))
    assert_agrees(AlexNet(streams=2), "alexnet", "alexnet", (3, 227, 227))


@pytest.mark.parametrize(("streams", "n_norms"), [(1, 0), (2, 2)])
def test_normalisation_is_the_originals_alone(streams, n_norms):
    """A departure of torchvision's network."""
    layers = built(AlexNet(streams=streams)).modules()
    assert sum(isinstance(layer, LocalResponseNorm) for layer in layers) == n_norms


@pytest.mark.parametrize("streams", [1, 2])
def test_small_images_get_a_finer_stem_and_fewer_units(streams):
    network = built(AlexNet(streams=streams), (3, 32, 32))
    conv = network.features.conv1
    assert (conv.kernel_size, conv.stride, conv.padding) == ((5, 5), (1, 1), (2, 2))
    dense = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    assert [layer.in_features for layer in dense] == [256 * 3 * 3, 384, 192]


def test_dense_layers_are_as_declared():
    assert built(AlexNet(dense=(20, 30))).head.in_features == 30
    assert built(AlexNet(dense=())).head.in_features == 256 * 6 * 6


@pytest.mark.parametrize(("small", "smallest"), [((3, 14, 40), "15 x 15"), ((1, 14), "length 15")])
def test_too_small_an_input_is_an_error_that_names_the_smallest(small, smallest):
    with pytest.raises(ValueError, match=rf"AlexNet needs .*{smallest}, {small[0]} channel\(s\)"):
        AlexNet().build(small, 2)


@pytest.mark.parametrize("length", [20, 64, 65, 1000])
@pytest.mark.parametrize("streams", [1, 2])
def test_signals_are_taken(streams, length):
    network = built(AlexNet(streams=streams), (2, length), 5)
    assert network(torch.empty(7, 2, length, device="meta")).shape == (7, 5)
