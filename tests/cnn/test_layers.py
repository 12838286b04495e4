"""The layers of convolutional networks beside numpy, written from their formulas."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sknets.cnn.architecture import DIMENSIONS, output_shape
from sknets.cnn.layers import LocalResponseNorm

IMAGES = torch.randn(2, 6, 9, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
SIGNALS = IMAGES[..., 0]


def windows(x, size, stride, padding=0):
    """Every window of an image, as (n, channels, rows, columns, size, size)."""
    x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    rows = range(0, x.shape[2] - size + 1, stride)
    columns = range(0, x.shape[3] - size + 1, stride)
    cut = [[x[:, :, i : i + size, j : j + size] for j in columns] for i in rows]
    return np.moveaxis(np.array(cut), (0, 1), (2, 3))


@pytest.mark.parametrize("x", [IMAGES, SIGNALS], ids=["images", "signals"])
@pytest.mark.parametrize("n", [3, 5])
def test_local_response_norm_is_the_papers_formula(x, n):
    """b_i = a_i / (k + alpha sum_j a_j^2)^beta, over the n maps around i (section 3.3)."""
    a, n_maps = x.numpy(), x.shape[1]
    alpha, beta, k = 0.3, 0.75, 2.0
    expected = np.empty_like(a)
    for i in range(n_maps):
        near = slice(max(0, i - n // 2), min(n_maps - 1, i + n // 2) + 1)
        expected[:, i] = a[:, i] / (k + alpha * (a[:, near] ** 2).sum(1)) ** beta
    assert_allclose(LocalResponseNorm(n, alpha, beta, k)(x), expected, rtol=1e-12)


def test_local_response_norm_has_the_papers_constants():
    norm = LocalResponseNorm()
    assert (norm.size, norm.alpha / norm.size, norm.beta, norm.k) == (5, 1e-4, 0.75, 2)


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2)], ids=["apart", "overlapping"])
def test_pooling_is_over_windows(size, stride):
    each = windows(IMAGES.numpy(), size, stride)
    layer = DIMENSIONS[2]
    assert_allclose(layer.max_pool(size, stride)(IMAGES), each.max((-2, -1)))
    assert_allclose(layer.average_pool(size, stride)(IMAGES), each.mean((-2, -1)))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(("size", "stride", "padding"), [(3, 1, 0), (3, 2, 1), (5, 2, 2)])
def test_convolution_is_a_sum_over_windows(groups, size, stride, padding):
    generator = torch.Generator().manual_seed(1)
    with torch.device("meta"):
        conv = DIMENSIONS[2].conv(6, 4, size, stride, padding, groups=groups)
    state = {
        name: torch.randn(t.shape, generator=generator, dtype=torch.float64)
        for name, t in conv.state_dict().items()
    }
    conv.load_state_dict(state, assign=True)
    w, b = (tensor.numpy() for tensor in state.values())
    each = windows(IMAGES.numpy(), size, stride, padding)
    maps, kernels = np.split(each, groups, 1), np.split(w, groups)
    sums = [np.einsum("ncijkl,mckl->nmij", x, k) for x, k in zip(maps, kernels, strict=True)]
    with torch.inference_mode():
        assert_allclose(conv(IMAGES), np.concatenate(sums, 1) + b[:, None, None], atol=1e-12)


@pytest.mark.parametrize("n", [7, 8, 28, 224])
@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(3, 1, 1), (5, 2, 0), (7, 2, 3), (2, 2, 0)]
)
@pytest.mark.parametrize("dimension", [1, 2])
def test_sizes_are_those_of_the_formula(n, size, stride, padding, dimension):
    """(N - F + 2 P) / S + 1, rounded down."""
    layer = DIMENSIONS[dimension]
    expected = (4, *[(n - size + 2 * padding) // stride + 1] * dimension)
    with torch.device("meta"):
        conv = layer.conv(4, 4, size, stride, padding)
    for module in (
        conv,
        layer.max_pool(size, stride, padding),
        layer.average_pool(size, stride, padding),
    ):
        assert output_shape(module, (4, *[n] * dimension)) == expected
