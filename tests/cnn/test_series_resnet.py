"""SeriesResNet: its parameters, and its blocks against torch's functions."""

import pytest
import torch
import torch.nn.functional as F

from sknets.cnn import SeriesResNet, get_architecture
from tests.cnn.reference import weights


def built(description, input_shape, n_outputs=3):
    with torch.device("meta"):
        network = description.build(input_shape, n_outputs)
    network.load_state_dict(weights(network), assign=True)
    return network.eval()


def test_parameters_are_as_many_as_published():
    with torch.device("meta"):
        network = get_architecture("series_resnet").build((1, 150), 2)
    n_trained = sum(p.numel() for p in network.parameters())
    n_statistics = sum(b.numel() for b in network.buffers() if b.is_floating_point() and b.ndim)
    assert n_trained + n_statistics == 506_818  # the review's code, in Keras, which counts both


def normalised(x, norm):
    return F.batch_norm(
        x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
    )


def test_a_block_adds_a_normalised_shortcut():
    network = built(SeriesResNet(channels=(4, 4)), (2, 11))
    x = torch.randn(3, 2, 11, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        h = x
        for block in (network.features.block1, network.features.block2):
            y = h
            for i, kernel in enumerate((8, 5, 3), 1):
                conv = block.branch.get_submodule(f"conv{i}")
                padded = F.pad(y, ((kernel - 1) // 2, kernel // 2))
                y = F.conv1d(padded, conv.weight, conv.bias)
                y = normalised(y, block.branch.get_submodule(f"norm{i}"))
                y = y.relu() if i < 3 else y
            *projection, norm = block.shortcut
            carried = projection[0](h) if projection else h
            h = (normalised(carried, norm) + y).relu()
        torch.testing.assert_close(network.features(x), h.mean(2), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (1, 9, 4)])
def test_inputs_of_any_size_are_taken(shape):
    network = built(SeriesResNet(channels=(2, 3)), shape)
    with torch.inference_mode():
        assert network(torch.zeros(4, *shape)).shape == (4, 3)
    assert len(network.stages) == 2
