"""Convolutional networks as estimators: images where a support vector machine takes rows."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from sknets._data import as_array
from sknets._device import has_fast_bfloat16, resolve_device
from sknets._params import InvalidParameterError, OneOf, estimator, param
from sknets._random import Stream, generator
from sknets.base import REGRESSION_LOSSES, NetworkClassifier, NetworkRegressor, NetworkTransformer
from sknets.cnn.architecture import Architecture, get_architecture
from sknets.cnn.images import FORMS, Images, as_rows, image_shape_of
from sknets.layers import INITIALIZERS, initialise


class ImageNetwork(nn.Module):
    """Rows of pixels to images, and those through a network.

    Parameters
    ----------
    images : Images
    network : nn.Module
        With `features` and `head`.
    mixed : bool
        Whether training multiplies in bfloat16 (weights and sums stay float32); prediction never
        does, so that the answer for a row does not depend on the rows that come with it.
    """

    def __init__(self, images: Images, network: nn.Module, mixed: bool) -> None:
        super().__init__()
        self.images = images
        self.network: Any = network
        self.mixed = mixed

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.mixed and self.training and x.dtype == torch.float32
        with torch.autocast(x.device.type, torch.bfloat16, enabled=mixed):
            return self.network(self.images(x)).to(x.dtype)

    def features(self, x: Tensor) -> Tensor:
        """The values before the last layer, one vector a sample."""
        return self.network.features(self.images(x))


@estimator
class ConvolutionalNetwork(NetworkTransformer):
    """Abstract: what both convolutional estimators have in common."""

    architecture: Any = param(
        "convnet",
        [str, Architecture],
        "The network: a name of `sknets.cnn.list_architectures`, or a description such as "
        "``ResNet(depth=20)``, whose parameters a search reaches as ``architecture__depth``.",
    )
    image_shape: Any = param(
        None,
        [None, tuple, list],
        "Shape of the image in a row of a table: (height, width) or (channels, height, width), "
        "with signal=True (channels, length). None takes a row for a signal of one channel.",
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
    precision: str = param(
        "auto",
        OneOf("auto", "float32", "float64", "bfloat16"),
        "Precision of training; 'bfloat16' multiplies in it and adds in float32. 'auto' is that "
        "where the device is fast at it, else float32, or the input's float64 where an epoch is "
        "one batch or the solver is a full-batch one. Predictions are never computed in bfloat16.",
    )
    weight_init: str = param(
        "auto",
        OneOf(*INITIALIZERS),
        "How weights start; 'auto' is 'he_normal', 'normal' has standard deviation init_std.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "image_shape_": "tuple of int: (channels, height, width) of an image, or (channels, "
        "length) of a signal.",
    }
    _shape_parameters: ClassVar[tuple[str, ...]] = ("architecture", "channels")

    # -- images in

    def _validated_pair(
        self, X: Any, y: Any, reset: bool, y_numeric: bool = False
    ) -> tuple[Any, Any]:
        stored = self._stored_shape(X)
        X, y = super()._validated_pair(as_rows(as_array(X)), y, reset, y_numeric)
        if reset:
            stored = stored or (self.n_features_in_,)
            if prod(stored) != self.n_features_in_:
                raise ValueError(
                    f"The 'image_shape' parameter of {type(self).__name__} must have as many "
                    f"values as X has columns, {self.n_features_in_}. Got {stored} instead."
                )
            last = self.channels == "last"
            self.image_shape_ = image_shape_of(stored, last, self.signal)
        return X, y

    def _validated_rows(self, X: Any) -> Any:
        return super()._validated_rows(as_rows(as_array(X)))

    def _stored_shape(self, X: Any) -> tuple[int, ...] | None:
        """The shape of a sample, from its array or from `image_shape`."""
        shape = tuple(np.shape(X)[1:]) if getattr(X, "ndim", 2) > 2 else self.image_shape
        if shape is None:
            return None
        if len(shape) not in FORMS[self.signal]:
            allowed = " or ".join(FORMS[self.signal].values())
            raise ValueError(
                f"{type(self).__name__}(signal={self.signal}) takes samples of shape {allowed}. "
                f"Got {tuple(shape)} instead."
            )
        return tuple(shape)

    def _input_shape(self) -> tuple[int, ...]:
        return self.image_shape_

    # -- the network

    def _description(self) -> Architecture:
        if isinstance(self.architecture, str):
            return get_architecture(self.architecture)
        return self.architecture

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        if isinstance(self.architecture, str):
            try:
                get_architecture(self.architecture)
            except ValueError as error:
                raise InvalidParameterError(
                    f"The 'architecture' parameter of {type(self).__name__}: {error}"
                ) from None

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> ImageNetwork:
        network = self._description().build(input_shape, n_outputs)
        images = Images(input_shape, self.channels == "last")
        fast = has_fast_bfloat16(resolve_device(self.device))
        mixed = self.precision == "bfloat16" or (self.precision == "auto" and fast)
        return ImageNetwork(images, network, mixed)

    def _initialise(self, module: Any, seed: int) -> None:
        how = "he_normal" if self.weight_init == "auto" else self.weight_init
        initialise(module, how, "auto", 0.01, generator(seed, Stream.WEIGHTS))

    def _n_hidden_layers(self) -> int:
        return 1

    @property
    def _n_features_out(self) -> int:
        return self.module_.network.head.in_features


@estimator
class CNNClassifier(ConvolutionalNetwork, NetworkClassifier):
    """Convolutional network classifier, for images and signals.

    `X` is an array of images, (n, height, width) or (n, channels, height, width), of signals with
    ``signal=True``, (n, channels, length), or a table whose rows hold one each. Rows and arrays are
    interchangeable. Whole numbers of 8 bits are read as shares of 255.

    See Also
    --------
    CNNRegressor : The same for numbers.
    sknets.cnn.list_architectures : The names that `architecture` takes.
    sknets.MLPClassifier : Where neighbouring columns have nothing to do with each other.

    References
    ----------
    .. [1] LeCun, Bottou, Bengio and Haffner (1998). "Gradient-based learning applied to document
       recognition." Proceedings of the IEEE 86, 2278-2324. https://doi.org/10.1109/5.726791

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from sknets.cnn import CNNClassifier, ConvNet
    >>> digits = load_digits()
    >>> X_train, X_test, y_train, y_test = train_test_split(
    ...     digits.images / 16, digits.target, random_state=0)
    >>> clf = CNNClassifier(architecture=ConvNet(channels=(8, 16), dense=32), batch_size=64,
    ...                     max_iter=12, learning_rate="one_cycle", learning_rate_init=0.01,
    ...                     random_state=0)
    >>> clf.fit(X_train, y_train).score(X_test, y_test) > 0.95
    True
    """


@estimator
class CNNRegressor(ConvolutionalNetwork, NetworkRegressor):
    """Convolutional network regressor, for images and signals.

    It takes what `CNNClassifier` takes.

    See Also
    --------
    CNNClassifier : The same for classes, with more on the input.
    sknets.MLPRegressor : Where neighbouring columns have nothing to do with each other.

    References
    ----------
    .. [1] LeCun, Bottou, Bengio and Haffner (1998). "Gradient-based learning applied to document
       recognition." Proceedings of the IEEE 86, 2278-2324. https://doi.org/10.1109/5.726791

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets.cnn import CNNRegressor, ConvNet
    >>> X = load_digits().images / 16
    >>> ink = X.sum(axis=(1, 2))
    >>> reg = CNNRegressor(architecture=ConvNet(channels=8, dense=16), batch_size=64, max_iter=20,
    ...                    learning_rate="one_cycle", learning_rate_init=0.01, random_state=0)
    >>> reg.fit(X, ink).score(X, ink) > 0.9
    True
    """

    loss: str = param(
        "squared_error",
        OneOf(*REGRESSION_LOSSES),
        "What is minimised; squared error and Poisson deviance are halved, as in scikit-learn.",
    )
