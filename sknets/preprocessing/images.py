"""Transformers of images for Pipelines: scaling, whitening, resizing.

They take images as rows of a table or as arrays, and give them back as they came. Bytes (uint8) are
read as shares of 255, in float32, as the networks read them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import prod
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    OneToOneFeatureMixin,
    TransformerMixin,
)
from sklearn.utils.extmath import svd_flip
from sklearn.utils.validation import check_is_fitted, validate_data

from sknets._data import as_tensor, slices
from sknets._params import (
    Interval,
    InvalidParameterError,
    OneOf,
    check_parameters,
    estimator,
    param,
)
from sknets.preprocessing.layout import (
    Layout,
    as_floats,
    as_image_array,
    checked_rows,
    sample_shape,
)

CHUNK_BYTES = 32 * 2**20  # of float64, that statistics are computed from at a time
CONSTANT = 1e-12  # standard deviation, by the mean, of what varies by rounding alone


def chunks(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Rows in float64, as many at a time as memory is spent on."""
    for part in slices(len(rows), max(1, CHUNK_BYTES // (8 * rows.shape[1]))):
        yield as_floats(rows[part]).astype(np.float64, copy=False)


@estimator
class ImageTransformer(TransformerMixin, BaseEstimator, ABC):
    """Abstract: images in, as rows or arrays, and images out as they came."""

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
        "n_features_in_": "int: Values of an image.",
        "feature_names_in_": "ndarray of shape (`n_features_in_`,): Names of features seen during "
        "fit, when they are all strings.",
    }
    _doc_link_module = "sknets"
    _doc_link_template = (
        "https://sknets.readthedocs.io/en/latest/generated/"
        "sknets.preprocessing.{estimator_name}.html"
    )

    @abstractmethod
    def _learn(self, rows: np.ndarray) -> None:
        """Set what `_transformed` needs."""

    @abstractmethod
    def _transformed(self, rows: np.ndarray) -> np.ndarray:
        """Rows of floats, transformed."""

    def _check_fits(self, image_shape: tuple[int, ...]) -> None:
        """Raise for a parameter that images of the shape rule out."""

    def _stored_shape(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """The shape of what becomes of an image of an array; None gives rows."""
        return shape

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width), \
                (n_samples, channels, height, width) or (n_samples, height, width, channels)
            The images; bytes are read as shares of 255.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        InvalidParameterError
            If a parameter is out of its range, or the shape is not that of the images.
        """
        check_parameters(self)
        self._learn(self._first_rows(X))
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Transform images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width), \
                (n_samples, channels, height, width) or (n_samples, height, width, channels)
            The images; bytes are read as shares of 255.

        Returns
        -------
        X_new : ndarray
            The images in floats, as rows where X has rows and as an array where it is one.
        """
        check_is_fitted(self)
        X = as_image_array(X)
        rows = as_floats(self._more_rows(X))
        return self._like(self._transformed(rows), X)

    def _first_rows(self, X: Any) -> np.ndarray:
        """Checked rows of the images that a fit begins with; sets their shape and names."""
        X = as_image_array(X)
        rows = checked_rows(X, self)
        layout = Layout.of(
            sample_shape(X),
            rows.shape[1],
            type(self).__name__,
            self.image_shape,
            self.channels,
            self.signal,
        )
        self._check_fits(layout.shape)
        validate_data(self, X if sample_shape(X) is None else rows, skip_check_array=True)
        self.image_shape_ = layout.shape
        return rows

    def _more_rows(self, X: Any) -> np.ndarray:
        """Checked rows of images that are like those of the fit."""
        X = as_image_array(X)
        rows, shape = checked_rows(X, self), sample_shape(X)
        named = X if shape is None else rows
        validate_data(self, named, reset=False, skip_check_array=True)
        self._layout.check(shape, type(self).__name__, self.signal)
        return rows

    def _like(self, rows: np.ndarray, X: Any) -> np.ndarray:
        """Rows in the shape of the images that they were made of."""
        shape = sample_shape(X)
        stored = None if shape is None else self._stored_shape(shape)
        return rows if stored is None else rows.reshape(-1, *stored)

    @property
    def _layout(self) -> Layout:
        return Layout(self.image_shape_, self.channels == "last")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.three_d_array = True
        return tags


@estimator
class InvertibleTransformer(OneToOneFeatureMixin, ImageTransformer):
    """Abstract: a transformer of images that has an inverse."""

    @abstractmethod
    def _restored(self, rows: np.ndarray) -> np.ndarray:
        """The inverse of `_transformed`."""

    @property
    def _n_features_out(self) -> int:
        return self.n_features_in_

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Undo `transform`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out) or array of images
            What `transform` gave.

        Returns
        -------
        X_original : ndarray
            The images, as rows where X has rows and as an array where it is one.
        """
        check_is_fitted(self)
        X = as_image_array(X)
        rows = as_floats(checked_rows(X, self))
        if rows.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {rows.shape[1]} features, but inverse_transform of {type(self).__name__} "
                f"is expecting {self._n_features_out} features as input."
            )
        restored = self._restored(rows)
        shape = sample_shape(X)
        return restored if shape is None else restored.reshape(-1, *shape)


@estimator
class ImageScaler(InvertibleTransformer):
    """Subtraction of the mean and division by the standard deviation, by channel or by pixel.

    ``ImageScaler(with_std=False)`` is what VGG networks were trained on [2]_, and
    ``ImageScaler(per="pixel", with_std=False)`` what AlexNet was [1]_. `partial_fit` learns the
    statistics of more images than memory holds.

    See Also
    --------
    ImageWhitener : Removes the correlations of pixels as well.
    sklearn.preprocessing.StandardScaler : The same by pixel, of rows.

    References
    ----------
    .. [1] Krizhevsky, Sutskever and Hinton (2012). "ImageNet classification with deep
       convolutional neural networks." NeurIPS, section 2. https://doi.org/10.1145/3065386
    .. [2] Simonyan and Zisserman (2015). "Very deep convolutional networks for large-scale image
       recognition." ICLR, section 2.1. https://doi.org/10.48550/arXiv.1409.1556
    .. [3] Chan, Golub and LeVeque (1983). "Algorithms for computing the sample variance: analysis
       and recommendations." The American Statistician 37, 242-247. https://doi.org/10.2307/2683386

    Examples
    --------
    >>> import numpy as np
    >>> from sknets.preprocessing import ImageScaler
    >>> X = np.random.default_rng(0).integers(256, size=(50, 3, 8, 8), dtype=np.uint8)
    >>> scaled = ImageScaler().fit_transform(X)
    >>> scaled.shape, scaled.std(axis=(0, 2, 3)).round(3).tolist()
    ((50, 3, 8, 8), [1.0, 1.0, 1.0])
    """

    per: str = param(
        "channel", OneOf("channel", "pixel"), "What has a mean and a standard deviation of its own."
    )
    with_std: bool = param(
        True,
        "boolean",
        "Whether to divide by the standard deviation; what does not vary is left undivided.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "mean_": "ndarray of shape (n_channels,) or (n_features,): The means.",
        "var_": "ndarray of shape (n_channels,) or (n_features,): The variances.",
        "scale_": "ndarray of shape (n_channels,) or (n_features,): What is divided by.",
        "n_samples_seen_": "int: Images learnt from.",
    }

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Learn from more images.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), (n_samples, height, width), \
                (n_samples, channels, height, width) or (n_samples, height, width, channels)
            The images; bytes are read as shares of 255.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        if not hasattr(self, "n_samples_seen_"):
            return self.fit(X)
        check_parameters(self)
        self._learn_more(self._more_rows(X))
        return self

    def _learn(self, rows: np.ndarray) -> None:
        size = rows.shape[1] if self.per == "pixel" else self.image_shape_[0]
        self.n_samples_seen_ = 0
        self.mean_, self.var_ = np.zeros(size), np.zeros(size)
        self._learn_more(rows)

    def _learn_more(self, rows: np.ndarray) -> None:
        for values in map(self._columns, chunks(rows)):
            # Chan et al.: the values seen, and with them a share `new` of them all.
            seen = self.n_samples_seen_ * self.n_features_in_ // len(self.mean_)
            new = len(values) / (seen + len(values))
            difference = values.mean(axis=0) - self.mean_
            self.mean_ = self.mean_ + new * difference
            self.var_ = (1 - new) * (self.var_ + new * difference**2) + new * values.var(axis=0)
            self.n_samples_seen_ += values.size // self.n_features_in_
        std = np.sqrt(self.var_)
        varies = self.with_std & (std > CONSTANT * np.abs(self.mean_))
        self.scale_ = np.where(varies, std, 1.0)

    def _columns(self, rows: np.ndarray) -> np.ndarray:
        """Values that share a mean below each other."""
        if self.per == "pixel":
            return rows
        return np.moveaxis(self._layout.split(rows), 1, -1).reshape(-1, self.image_shape_[0])

    def _row(self, values: np.ndarray, dtype: Any) -> np.ndarray:
        """A value for each column of a row, from one for each channel or each pixel."""
        n_pixels = self.n_features_in_ // len(values)
        last = self.channels == "last"
        return (np.tile if last else np.repeat)(values, n_pixels).astype(dtype)

    def _transformed(self, rows: np.ndarray) -> np.ndarray:
        return (rows - self._row(self.mean_, rows.dtype)) / self._row(self.scale_, rows.dtype)

    def _restored(self, rows: np.ndarray) -> np.ndarray:
        return rows * self._row(self.scale_, rows.dtype) + self._row(self.mean_, rows.dtype)


@estimator
class ImageWhitener(InvertibleTransformer):
    r"""Whitening: uncorrelated pixels, or components, of variance one.

    With the covariance :math:`P \Lambda P^T`, PCA whitening is
    :math:`(\Lambda + \epsilon)^{-1/2} P^T (x - \mu)`, and ZCA turns that back by :math:`P`, which
    makes it the whitening that changes an image least: edges stay where they are.

    See Also
    --------
    ImageScaler : Scales without a look at correlations.
    sklearn.decomposition.PCA : With ``whiten=True`` the PCA whitening without an epsilon.

    References
    ----------
    .. [1] Bell and Sejnowski (1997). "The 'independent components' of natural scenes are edge
       filters." Vision Research 37, 3327-3338. https://doi.org/10.1016/S0042-6989(97)00121-1

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sknets.preprocessing import ImageWhitener
    >>> X = load_digits().images[:, 2:6, 2:6]
    >>> white = ImageWhitener(epsilon=0).fit_transform(X)
    >>> white.shape
    (1797, 4, 4)
    >>> np.allclose(np.cov(white.reshape(-1, 16).T), np.eye(16))
    True
    """

    method: str = param(
        "zca",
        OneOf("zca", "pca"),
        "'zca' gives images; 'pca' gives rows of components, those of most variance first.",
    )
    epsilon: float = param(
        1e-5,
        Interval(Real, 0, None, closed="left"),
        "What is added to each variance, so that what hardly varies, mostly noise, is not blown "
        "up: more gives smoother images. With 0, what does not vary at all is left out.",
    )
    n_components: Any = param(
        None,
        [None, Interval(Integral, 1, None, closed="left")],
        "Components to keep, those of most variance; None keeps all.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "mean_": "ndarray of shape (n_features,): The mean image.",
        "components_": "ndarray of shape (n_components, n_features): The principal directions.",
        "explained_variance_": "ndarray of shape (n_components,): The variance along each.",
        "n_components_": "int: Components kept.",
    }

    def _check_fits(self, image_shape: tuple[int, ...]) -> None:
        if self.n_components is not None and self.n_components > prod(image_shape):
            raise InvalidParameterError(
                f"The 'n_components' parameter of ImageWhitener must be at most the "
                f"{prod(image_shape)} values of an image. Got {self.n_components} instead."
            )

    def _learn(self, rows: np.ndarray) -> None:
        n = len(rows)
        mean = sum(part.sum(axis=0) for part in chunks(rows)) / n
        centred = (part - mean for part in chunks(rows))
        covariance = sum(part.T @ part for part in centred) / max(1, n - 1)
        variance, vectors = np.linalg.eigh(covariance)
        self.mean_, self.n_components_ = mean, self.n_components or len(mean)
        largest = slice(None, -self.n_components_ - 1, -1)
        components = np.ascontiguousarray(vectors.T[largest])
        self.components_ = svd_flip(None, components, u_based_decision=False)[1]
        self.explained_variance_ = variance[largest].clip(min=0)

    def _scale(self, dtype: Any) -> np.ndarray:
        """1 / sqrt(variance + epsilon), and 0 where there is no variance to divide by."""
        total = self.explained_variance_ + self.epsilon
        rank_tolerance = self.n_features_in_ * np.finfo(np.float64).eps * total.max()
        scale = np.zeros(self.n_components_)
        np.divide(1, np.sqrt(total), out=scale, where=total > rank_tolerance)
        return scale.astype(dtype)

    def _transformed(self, rows: np.ndarray) -> np.ndarray:
        components = self.components_.astype(rows.dtype, copy=False)
        white = (rows - self.mean_.astype(rows.dtype)) @ components.T * self._scale(rows.dtype)
        return white @ components if self.method == "zca" else white

    def _restored(self, rows: np.ndarray) -> np.ndarray:
        components = self.components_.astype(rows.dtype, copy=False)
        scale = self._scale(rows.dtype)
        white = rows @ components.T if self.method == "zca" else rows
        parts = np.divide(white, scale, out=np.zeros_like(white), where=scale > 0)
        return parts @ components + self.mean_.astype(rows.dtype)

    def _stored_shape(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        return shape if self.method == "zca" else None

    @property
    def _n_features_out(self) -> int:
        return self.n_features_in_ if self.method == "zca" else self.n_components_

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns: those of the input by ZCA, "pca0", "pca1", ... by PCA.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input's columns, where they were not seen in `fit`.

        Returns
        -------
        names : ndarray of str
            One name a column.
        """
        names = super().get_feature_names_out(input_features)
        if self.method == "zca":
            return names
        return np.array([f"pca{i}" for i in range(self.n_components_)], dtype=object)


@estimator
class ImageResizer(ClassNamePrefixFeaturesOutMixin, ImageTransformer):
    """Images (or signals) of another size, by interpolation.

    When an image shrinks, the kernel of the interpolation widens, so that what is finer than the
    new pixels averages out instead of turning into false patterns. Bicubic values may go a little
    beyond those of the image.

    See Also
    --------
    Scale : An augmentation that enlarges and shrinks what is in an image.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets.preprocessing import ImageResizer
    >>> images = load_digits().images
    >>> ImageResizer(4).fit_transform(images).shape
    (1797, 4, 4)
    >>> rows = images.reshape(-1, 64)
    >>> ImageResizer((16, 12), image_shape=(8, 8)).fit_transform(rows).shape
    (1797, 192)
    """

    size: Any = param(
        32,
        [Interval(Integral, 1, None, closed="left"), tuple, list],
        "The new (height, width), or one number for both; of a signal its length.",
        kw_only=False,
    )
    interpolation: str = param(
        "bilinear", OneOf("bilinear", "bicubic"), "Of neighbouring pixels; 'bicubic' is sharper."
    )
    antialias: bool = param(
        True, "boolean", "Whether to average over what is finer than the new pixels."
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "size_": "tuple of int: The new (height, width), or (length,).",
    }

    def _check_fits(self, image_shape: tuple[int, ...]) -> None:
        size = self._sides(image_shape)
        whole = all(isinstance(side, Integral) and side > 0 for side in size)
        if len(size) != len(image_shape) - 1 or not whole:
            raise InvalidParameterError(
                "The 'size' parameter of ImageResizer must be a number of pixels, or "
                f"{len(image_shape) - 1} of them for images of shape {image_shape}. "
                f"Got {self.size!r} instead."
            )

    def _sides(self, image_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The new (height, width), or (length,)."""
        if isinstance(self.size, Integral):
            return (int(self.size),) * (len(image_shape) - 1)
        return tuple(self.size)

    def _learn(self, rows: np.ndarray) -> None:
        self.size_ = self._sides(self.image_shape_)

    def _transformed(self, rows: np.ndarray) -> np.ndarray:
        x = as_tensor(self._layout.split(rows), getattr(torch, rows.dtype.name), "cpu")
        signal = x.ndim == 3
        resized = F.interpolate(
            x.unsqueeze(2) if signal else x,
            (1, *self.size_) if signal else self.size_,
            mode=self.interpolation,
            align_corners=False,
            antialias=self.antialias,
        )
        return self._layout.join((resized.squeeze(2) if signal else resized).numpy())

    def _stored_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        n_sides = len(self.size_)
        if len(shape) == n_sides:
            return self.size_
        last = self.channels == "last"
        return (*self.size_, shape[-1]) if last else (shape[0], *self.size_)

    @property
    def _n_features_out(self) -> int:
        return self.image_shape_[0] * prod(self.size_)
