"""What generative adversarial networks of images and signals share."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

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
        "What maps images, in the form of the fit, to the features on which `score` compares "
        "them, such as a fitted CNNClassifier in scikit-learn's FrozenEstimator, so that copies of "
        "this estimator keep it. None: random convolutions, the same for all.",
    )

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        extractor = self.feature_extractor
        if extractor is not None and not hasattr(extractor, "transform"):
            raise InvalidParameterError(
                f"The 'feature_extractor' parameter of {type(self).__name__} must have a method "
                f"transform. Got {extractor!r} instead."
            )
        if extractor is not None:
            try:
                check_is_fitted(extractor)
            except NotFittedError:
                raise InvalidParameterError(
                    f"The 'feature_extractor' parameter of {type(self).__name__} must be fitted. "
                    "Put it in scikit-learn's FrozenEstimator, so that copies, as those of a "
                    f"search, stay fitted. Got {extractor!r} instead."
                ) from None

    def _given_back(self, values: np.ndarray) -> np.ndarray:
        return self._as_given(values)

    def _fit_units(self, network: AdversarialNet, batches: Data) -> None:
        """Values are between -1 and 1, as those of the data are between its least and largest.

        Shares that fill at least half of what is from 0 to 1 are taken to be between these.
        """
        parts = [network.columns(batch.x) for batch in batches.epoch(None)]
        low, high = min(float(x.min()) for x in parts), max(float(x.max()) for x in parts)
        if low >= 0 and 0.5 <= high <= 1:
            low, high = 0.0, 1.0
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
