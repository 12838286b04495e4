"""Convolutional networks that see for recurrent ones."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from sknets._measure import Work, work_of
from sknets._random import Stream, generator
from sknets.cnn.architecture import Architecture
from sknets.cnn.images import Images
from sknets.layers import initialise


class Vision(nn.Module):
    """Rows of pixels, or images, to vectors: a convolutional network without its last layer.

    Parameters
    ----------
    architecture : Architecture
    shape : tuple of int
        (channels, height, width).
    channels_last : bool
        Whether the channels of a pixel stand beside each other in a row.
    """

    def __init__(
        self, architecture: Architecture, shape: tuple[int, ...], channels_last: bool = False
    ):
        super().__init__()
        self.shape = shape
        self.images = Images(shape, channels_last)
        self.network: Any = architecture.build(shape, 1)
        self.n_outputs = self.network.head.in_features
        self.network.head = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.network.features(self.images(x))

    def initialise(self, weight_init: str, init_std: float, seed: int) -> None:
        """Fill the network, by default as convolutional estimators do."""
        how = "he_normal" if weight_init == "auto" else weight_init
        initialise(self.network, how, "auto", init_std, generator(seed, Stream.WEIGHTS, 1))

    @property
    def work(self) -> Work:
        """What an image costs."""
        return work_of(self.network, self.shape)
