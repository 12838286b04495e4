"""Images and signals as rows, and rows as images."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from sknets.cnn.images import Images, as_rows

PICTURES = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
LAST = np.moveaxis(PICTURES, 1, -1)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(("stored", "channels_last"), [(PICTURES, False), (LAST, True)])
def test_rows_become_the_images_that_they_were(stored, channels_last, flat, sparse):
    x = torch.tensor(stored.reshape(2, -1) if flat or sparse else stored)
    images = Images((3, 4, 5), channels_last)(x.to_sparse() if sparse else x)
    assert_array_equal(images, PICTURES)
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_one_channel_is_laid_out_as_channels_last():
    images = Images((1, 4, 5), channels_last=False)(torch.tensor(PICTURES[:, 0]))
    assert_array_equal(images[:, 0], PICTURES[:, 0])
    assert images.stride() == (20, 1, 5, 1)


@pytest.mark.parametrize("channels_last", [False, True])
def test_signals_keep_their_axes(channels_last):
    stored = PICTURES[:, 0].swapaxes(1, 2) if channels_last else PICTURES[:, 0]
    images = Images((4, 5), channels_last)(torch.tensor(stored.reshape(2, -1)))
    assert_array_equal(images, PICTURES[:, 0])


def test_whole_numbers_of_8_bits_are_shares_of_255():
    rows = as_rows(np.array([[[0, 51], [102, 255]]], dtype=np.uint8))
    assert rows.dtype == np.float32
    assert_array_equal(rows, np.array([[0, 0.2, 0.4, 1]], dtype=np.float32))
    assert as_rows(PICTURES).shape == (2, 60)
    table = np.ones((2, 3), dtype=np.int64)
    assert as_rows(table) is table
