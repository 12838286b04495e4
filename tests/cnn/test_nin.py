"""Network in network: parameter counts, agreement, and the linear head."""

import pytest
import torch
from torch import nn

from sknets.cnn import get_architecture
from sknets.cnn.nin import NiN
from tests.cnn.reference import weights


def built(description, input_shape=(3, 32, 32), n_outputs=10):
    with torch.device("meta"):
        return description.build(input_shape, n_outputs)


@pytest.mark.parametrize(
    ("name", "side", "n_outputs", "n_parameters"),
    [("nin", 32, 10, 966_986), ("nin", 32, 100, 984_356), ("nin_imagenet", 224, 1000, 7_595_176)],
)
def test_parameters_are_as_many_as_published(name, side, n_outputs, n_parameters):
    network = built(get_architecture(name), (3, side, side), n_outputs)
    assert sum(p.numel() for p in network.parameters()) == n_parameters


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_outputs_agree_with_another_implementation():
    """But for the rest that pooling keeps, and the last rectification, which ours leaves out."""
    theirs_of = pytest.importorskip("pytorchcv.models.nin_cifar").nin_cifar10
    with torch.device("meta"):
        ours, theirs = built(NiN()), theirs_of()
    for stage, pool in ((theirs.features.stage2, "pool2"), (theirs.features.stage3, "pool3")):
        layer = stage.get_submodule(pool)
        layer.padding, layer.ceil_mode = 0, True
    theirs.output.final_conv.activ = nn.Identity()
    state = weights(ours)
    ours.load_state_dict(state, assign=True)
    shapes = theirs.state_dict().items()
    values = (
        tensor.reshape(t.shape) for (_, t), tensor in zip(shapes, state.values(), strict=True)
    )
    theirs.load_state_dict(dict(zip(theirs.state_dict(), values, strict=True)), assign=True)
    x = images(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), atol=1e-5, rtol=1e-5)


def test_head_is_the_average_of_maps_that_are_not_rectified():
    """The departure: 1 x 1 convolutions of the last maps, averaged, without rectification."""
    network = built(NiN())
    network.load_state_dict(weights(network), assign=True)
    x, (weight, bias) = images(2, 3, 32, 32), network.eval().head.parameters()
    with torch.inference_mode():
        maps = nn.functional.conv2d(network.features[:-2](x), weight[:, :, None, None], bias)
        assert maps.min() < 0
        torch.testing.assert_close(network(x), maps.mean((2, 3)), atol=1e-5, rtol=1e-5)


def test_variant_goes_by_size():
    assert built(NiN(), (3, 64, 64)).head.in_features == 192
    assert built(NiN(), (3, 65, 65)).head.in_features == 1024
    assert built(NiN(variant="cifar"), (3, 65, 65)).head.in_features == 192


@pytest.mark.parametrize(
    ("small", "variant", "smallest"),
    [((3, 3, 40), "auto", "4 x 4"), ((1, 3), "auto", "length 4"), ((1, 32), "imagenet", "39")],
)
def test_too_small_an_input_is_an_error_that_names_the_smallest(small, variant, smallest):
    with pytest.raises(ValueError, match=rf"NiN needs .*{smallest}, {small[0]} channel\(s\)"):
        NiN(variant=variant).build(small, 2)


@pytest.mark.parametrize("length", [20, 200])
def test_signals_are_taken(length):
    network = built(NiN(), (2, length), 5)
    assert network(torch.empty(7, 2, length, device="meta")).shape == (7, 5)
