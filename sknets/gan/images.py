"""What generative adversarial networks of images and signals share."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from sknets._data import Data
from sknets._measure import Work
from sknets._params import InvalidParameterError, estimator, param
from sknets.cnn.images import Images, Rows
from sknets.cnn.reading import ImageMaker
from sknets.gan.base import AdversarialNetwork
from sknets.gan.features import random_features
from sknets.gan.network import AdversarialNet


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
            how = self.image_shape_, self._images().channels_last
            found = [random_features(x, *how) for x in (real, made)]
        else:
            found = [np.asarray(extractor.transform(self._given_back(x))) for x in (real, made)]
            if any(len(each) != len(real) for each in found):
                raise InvalidParameterError(
                    f"The 'feature_extractor' parameter of {type(self).__name__} must give a row "
                    f"for each image. Got the shapes {[each.shape for each in found]}."
                )
        real, made = (each.reshape(len(each), -1).astype(np.float64) for each in found)
        return super()._mapped(real, made)
