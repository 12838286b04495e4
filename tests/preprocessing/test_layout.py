"""The shape of an image, from that of a sample in an array."""

import pytest
import torch

from sknets.preprocessing.layout import channels_last, image_shape_of


@pytest.mark.parametrize("n_channels", [1, 3])
def test_channels_lie_side_by_side(n_channels):
    images = torch.arange(2.0 * n_channels * 4 * 5).view(2, n_channels, 4, 5)
    laid = channels_last(images)
    torch.testing.assert_close(laid, images)
    assert laid.stride() == (20 * n_channels, 1, 5 * n_channels, n_channels)
    assert channels_last(laid).data_ptr() == laid.data_ptr()


def test_signals_stay_as_they_are():
    signals = torch.ones(2, 3, 4)
    assert channels_last(signals) is signals


@pytest.mark.parametrize(
    ("stored", "last", "signal", "expected"),
    [
        ((7,), False, False, (1, 7)),
        ((7,), True, True, (1, 7)),
        ((4, 5), False, False, (1, 4, 5)),
        ((4, 5), True, False, (1, 4, 5)),
        ((4, 5), False, True, (4, 5)),
        ((4, 5), True, True, (5, 4)),
        ((3, 4, 5), False, False, (3, 4, 5)),
        ((4, 5, 3), True, False, (3, 4, 5)),
    ],
)
def test_shape_has_the_channels_first(stored, last, signal, expected):
    assert image_shape_of(stored, last, signal) == expected
