"""Images and signals as an estimator reads them: arrays, or rows with a shape."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from sknets._data import DatasetRows
from sknets._params import OneOf, estimator, param
from sknets.base.estimator import NetworkEstimator
from sknets.cnn.images import as_rows, as_shares
from sknets.preprocessing.layout import Layout, as_image_array, sample_shape


@estimator
class ImageReader(NetworkEstimator):
    """Abstract: an estimator of images or signals, which may come as rows of a table."""

    image_shape: Any = param(
        None,
        [None, tuple, list],
        "Shape of the image in a row of a table: (height, width), or that with an axis of "
        "channels; with signal=True (length,) or that with one. None takes a row for a signal of "
        "one channel. Arrays of images have shapes of their own.",
    )
    channels: str = param(
        "first",
        OneOf("first", "last"),
        "Whether the axis of channels is the first or the last of an image.",
    )
    signal: bool = param(
        False,
        "boolean",
        "Whether three-dimensional arrays are signals, (n, channels, length), rather than images "
        "of one channel, (n, height, width).",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "image_shape_": "tuple of int: (channels, height, width) of an image, or (channels, "
        "length) of a signal.",
    }
    _shape_parameters: ClassVar[tuple[str, ...]] = ("image_shape",)
    _lasting_parameters: ClassVar[tuple[str, ...]] = ("channels", "signal")

    _items_may_be_arrays = True

    def _checked_rows(self, X: Any, reset: bool) -> Any:
        X = as_image_array(X)
        return self._read(X, super()._checked_rows(as_rows(X), reset), reset)

    def _read(self, X: Any, rows: Any, reset: bool) -> Any:
        """Validated rows as a network takes them; in a fit, how images lie in them is learnt."""
        given, name = self._given_shape(X, rows), type(self).__name__
        if reset:
            how = (self.image_shape, self.channels, self.signal)
            self.image_shape_ = Layout.of(given, self.n_features_in_, name, *how).shape
        else:
            self._layout.check(given, name, self._shape["signal"])
        return as_shares(rows, X)

    @staticmethod
    def _given_shape(X: Any, rows: Any) -> tuple[int, ...] | None:
        """The shape of each image in an array or a Dataset of them; None for rows."""
        if isinstance(rows, DatasetRows):
            return rows.shape[1:] if len(rows.shape) > 2 else None
        return sample_shape(X)

    def _check_lasting(self) -> None:
        super()._check_lasting()
        if self.image_shape is None:
            return
        how = (self.image_shape, self.channels, self.signal)
        layout = Layout.of(None, self.n_features_in_, type(self).__name__, *how)
        if layout != self._layout:
            self._refuse("image_shape")

    @property
    def _layout(self) -> Layout:
        """How the images of the fit lie in rows."""
        return Layout(self.image_shape_, self._shape["channels"] == "last")

    def _input_shape(self) -> tuple[int, ...]:
        return self.image_shape_


@estimator
class ImageMaker(ImageReader):
    """Abstract: an estimator that makes images, in the form in which the fit was given them."""

    _fit_state: ClassVar[dict[str, type]] = {"_item_shape": tuple}

    def _read(self, X: Any, rows: Any, reset: bool) -> Any:
        if reset:
            self._item_shape = self._given_shape(X, rows) or (self.n_features_in_,)
        return super()._read(X, rows, reset)

    def _as_given(self, rows: np.ndarray) -> np.ndarray:
        """Rows as arrays of images, if those of the fit were such."""
        return rows.reshape(-1, *self._item_shape)
