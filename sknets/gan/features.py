"""Features of images on which samples are compared with data."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from sknets._data import slices
from sknets._random import generator
from sknets.cnn.architecture import DIMENSIONS
from sknets.cnn.images import Images
from sknets.layers import initialise

SEED = 0  # of the weights, the same for all that are compared
AT_ONCE = 500  # images
N_MAPS = (32, 64, 128)  # of the random convolutions on which images are compared


class RandomFeatures(nn.Module):
    """Fixed random convolutions, as a map on which images are compared.

    Each layer halves the sides; the means of its maps over the four quarters of an image, or the
    two halves of a signal, are features.

    Parameters
    ----------
    shape : tuple of int
        (channels, *sides) of an image.
    channels_last : bool
        Whether the channels of a pixel stand beside each other in a row.
    """

    def __init__(self, shape: tuple[int, ...], channels_last: bool) -> None:
        super().__init__()
        channels, *sides = shape
        self.images = Images(shape, channels_last)
        dimension = DIMENSIONS[len(sides)]
        self.pool = dimension.adaptive_pool(2)
        sizes = zip((channels, *N_MAPS), N_MAPS, strict=False)
        self.layers = nn.ModuleList(
            dimension.conv(n_in, n_out, 3, 2, padding=1) for n_in, n_out in sizes
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.images(x)
        found = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.2)
            found.append(self.pool(x).flatten(1))
        return torch.cat(found, 1)


def random_features(rows: np.ndarray, shape: tuple[int, ...], channels_last: bool) -> np.ndarray:
    """The features of images in rows, of shape (n_samples, n_features)."""
    with torch.device("meta"):
        network = RandomFeatures(shape, channels_last)
    network = network.to_empty(device="cpu")
    initialise(network, "he_normal", "auto", 0.0, generator(SEED))
    with torch.inference_mode():
        parts = (torch.from_numpy(rows[part]).float() for part in slices(len(rows), AT_ONCE))
        return np.concatenate([network(part).numpy() for part in parts])
