"""FCN: parameter counts, and its layers against numpy."""

import numpy as np
import pytest
import torch

from sknets.cnn import get_architecture
from sknets.cnn.fcn import FCN
from tests.cnn.reference import weights


def built(description, input_shape, n_outputs=3):
    with torch.device("meta"):
        network = description.build(input_shape, n_outputs)
    network.load_state_dict(weights(network), assign=True)
    return network.eval()


def test_parameters_are_as_many_as_published():
    with torch.device("meta"):
        network = get_architecture("fcn").build((1, 150), 2)
    # Ismail Fawaz et al. (2019), GunPoint, in Keras.
    assert sum(p.numel() for p in network.parameters()) == 264_962


def test_outputs_agree_with_numpy():
    network = built(FCN(channels=(4, 5, 3)), (2, 11))
    x = torch.randn(3, 2, 11, generator=torch.Generator().manual_seed(1))
    h = x.numpy()
    for i, kernel in enumerate((8, 5, 3), 1):
        conv, norm = (network.features.get_submodule(f"{kind}{i}") for kind in ("conv", "norm"))
        # As Keras pads: of an odd number of zeros, one more at the end.
        padded = np.pad(h, ((0, 0), (0, 0), ((kernel - 1) // 2, kernel // 2)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=2)
        y = np.einsum("nitk,oik->not", windows, conv.weight.detach().numpy())
        y += conv.bias.detach().numpy()[:, None]
        mean, var, scale, shift = (
            p.detach().numpy()[:, None]
            for p in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        )
        h = np.maximum(scale * (y - mean) / np.sqrt(var + norm.eps) + shift, 0)
    head = network.head
    expected = h.mean(2) @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    with torch.inference_mode():
        np.testing.assert_allclose(network(x).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (3, 1, 1), (1, 9, 4)])
def test_inputs_of_any_size_keep_it_up_to_the_mean(shape):
    network = built(FCN(channels=(2, 3, 2), kernel_size=(8, 4, 3)), shape)
    x = torch.zeros(4, *shape)
    with torch.inference_mode():
        assert network.features[:-2](x).shape == (4, 2, *shape[1:])
        assert network(x).shape == (4, 3)


def test_an_even_kernel_pads_images_as_it_pads_signals():
    network = built(FCN(channels=(4,), kernel_size=(8,)), (2, 5, 9))
    x = torch.randn(2, 2, 5, 9, generator=torch.Generator().manual_seed(1))
    conv = network.features.conv1
    padded = torch.nn.functional.pad(x, (3, 4, 3, 4))
    with torch.inference_mode():
        expected = torch.nn.functional.conv2d(padded, conv.weight, conv.bias)
        torch.testing.assert_close(network.features[:2](x), expected, atol=1e-5, rtol=1e-5)


def test_kernels_of_another_number_are_an_error():
    with pytest.raises(ValueError, match=r"'kernel_size' .* each of the 2 .* Got \(8, 5, 3\) inst"):
        FCN(channels=(4, 4)).build((1, 20), 2)
