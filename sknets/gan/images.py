"""What generative adversarial networks of images and signals share."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from sknets._data import Data
from sknets._measure import Work
from sknets._params import InvalidParameterError, estimator, param
from sknets._random import generator
from sknets.cnn.architecture import DIMENSIONS
from sknets.cnn.images import Images, Rows
from sknets.cnn.reading import ImageMaker
from sknets.gan.base import SCORING_SEED, AdversarialNetwork
from sknets.gan.network import AdversarialNet
from sknets.layers import initialise

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


@estimator
class AdversarialImages(ImageMaker, AdversarialNetwork):
    """Abstract: a generative adversarial network of images or signals."""

    feature_extractor: Any = param(
        None,
        [BaseEstimator, None],
        "What maps images to the features on which `score` compares them, such as a fitted "
        "CNNClassifier in scikit-learn's FrozenEstimator, so that copies of this estimator keep "
        "it. None: random convolutions, the same for all.",
    )

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        extractor = self.feature_extractor
        if extractor is not None and not hasattr(extractor, "transform"):
            raise InvalidParameterError(
                f"The 'feature_extractor' parameter of {type(self).__name__} must have a method "
                f"transform. Got {extractor!r} instead."
            )

    def _given_back(self, values: np.ndarray) -> np.ndarray:
        return self._as_given(values)

    def _fit_units(self, network: AdversarialNet, batches: Data) -> None:
        """Pixels are between -1 and 1."""
        low, high = 0.0, 1.0
        for batch in batches.epoch(None):
            x = network.columns(batch.x)
            low, high = min(low, float(x.min())), max(high, float(x.max()))
        network.units.shift.fill_((low + high) / 2)
        network.units.scale.fill_((high - low) / 2)

    def _images(self) -> Images:
        return Images(self.image_shape_, self._shape_of("channels") == "last")

    def _rows(self) -> Rows:
        return Rows(self._images().channels_last)

    def _work(self) -> Work:
        return self.module_.work

    def _mapped(self, real: np.ndarray, made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features, of the extractor or random convolutions, in units of the real ones' spread."""
        extractor = self.feature_extractor
        if extractor is None:
            with torch.device("meta"):
                network = RandomFeatures(self.image_shape_, self._images().channels_last)
            network = network.to_empty(device="cpu")
            initialise(network, "he_normal", "auto", 0.0, generator(SCORING_SEED))
            with torch.inference_mode():
                found = [network(torch.from_numpy(x).float()).numpy() for x in (real, made)]
        else:
            found = [np.asarray(extractor.transform(self._given_back(x))) for x in (real, made)]
            if any(len(each) != len(real) for each in found):
                raise InvalidParameterError(
                    f"The 'feature_extractor' parameter of {type(self).__name__} must give a row "
                    f"for each image. Got the shapes {[each.shape for each in found]}."
                )
        real, made = (each.reshape(len(each), -1).astype(np.float64) for each in found)
        return super()._mapped(real, made)
