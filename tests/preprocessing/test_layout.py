"""The shape of an image, from that of a sample in an array."""

import pytest

from sknets.preprocessing.layout import image_shape_of


@pytest.mark.parametrize(
    ("stored", "channels_last", "signal", "expected"),
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
def test_shape_has_the_channels_first(stored, channels_last, signal, expected):
    assert image_shape_of(stored, channels_last, signal) == expected
