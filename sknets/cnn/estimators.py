"""Convolutional networks as estimators: images where a support vector machine takes rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, is_classifier
from torch import Tensor, nn

from sknets._device import has_fast_bfloat16, resolve_device
from sknets._measure import Layer, Work, layers_of
from sknets._params import (
    Interval,
    InvalidParameterError,
    OneOf,
    check_values,
    estimator,
    param,
)
from sknets._random import Stream, generator
from sknets._training.parameters import FlatParameters
from sknets._training.steps import Step
from sknets._training.trainer import Recipe
from sknets.base import (
    REGRESSION_LOSSES,
    NetworkClassifier,
    NetworkRegressor,
    NetworkTransformer,
    SupervisedNetwork,
)
from sknets.cnn.architecture import Architecture, named_architecture
from sknets.cnn.images import Images, as_rows
from sknets.cnn.network import Augment, ImageNetwork, ImageStep
from sknets.cnn.own import OwnArchitecture
from sknets.cnn.reading import ImageReader
from sknets.cnn.transfer import fitted_network, load_weights
from sknets.cnn.views import VIEWS, views_of
from sknets.layers import INITIALIZERS, initialise
from sknets.preprocessing.augmentation import Chain
from sknets.preprocessing.layout import as_image_array


@estimator
class ConvolutionalNetwork(ImageReader, NetworkTransformer, SupervisedNetwork):
    """Abstract: what both convolutional estimators have in common."""

    architecture: Any = param(
        "convnet",
        [str, Architecture, nn.Module, callable],
        "The network: a name of `sknets.cnn.list_architectures`; a description such as "
        "``ResNet(depth=20)``, whose parameters a search reaches as ``architecture__depth``; a "
        "module of your own, whose weights are where training starts; or a callable (input_shape, "
        "n_outputs) that makes one.",
        kw_only=False,
    )
    augment: Any = param(
        None,
        [None, str, callable, tuple, list],
        "What is done to the images of each batch in training: names and objects of "
        "`sknets.preprocessing`, such as ``('flip', Crop(padding=4))``, or callables.",
    )
    tta: Any = param(
        None,
        [None, OneOf(*VIEWS), callable, tuple, list],
        "Views of an image over which predictions are averaged: 'flip', 'five_crop', 'ten_crop', "
        "'scales' (smaller and larger by a tenth), a callable that makes another, or a tuple for "
        "all combinations. It may be set after fit.",
    )
    weights: Any = param(
        None,
        [None, str, os.PathLike, Mapping, BaseEstimator],
        "Weights to start from: a fitted estimator (in a search as FrozenEstimator), a file, or a "
        "state dict, as `sknets.cnn.load_weights` takes them. Other classes get a new last layer.",
    )
    weights_rate: float = param(
        0.1,
        Interval(Real, 0, None, closed="left"),
        "Learning rate of what was loaded from `weights`, relative to that of a new last layer. "
        "Full-batch solvers ignore it.",
    )
    trainable: Any = param(
        "all",
        [OneOf("all", "head"), Interval(Integral, 0, None, closed="left")],
        "What is trained: 'all', 'head' (the last layer), or the last layer and as many of the "
        "stages before it. The rest keeps its weights and the statistics of its normalisation.",
    )
    features_layer: Any = param(
        None,
        [None, str],
        "The layer whose values `transform` gives, by its name in ``module_.network``, such as "
        "'features.relu2_1'; None is what the last layer takes.",
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

    _fit_state: ClassVar[dict[str, type]] = {"_loaded": list}  # names of what was not new
    _shape_parameters: ClassVar[tuple[str, ...]] = ("architecture", "augment")

    # -- images in

    def _validated_pair(
        self, X: Any, y: Any, reset: bool, y_numeric: bool = False
    ) -> tuple[Any, Any]:
        X = as_image_array(X)
        rows, y = super()._validated_pair(as_rows(X), y, reset, y_numeric)
        return self._read(X, rows, reset), y

    # -- the network

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        self._description()
        self._chain()
        self._check_views()
        self._check_stochastic("augment")

    def _description(self) -> Any:
        if isinstance(self.architecture, Architecture):
            return self.architecture
        if isinstance(self.architecture, type) and issubclass(self.architecture, Architecture):
            raise InvalidParameterError(
                f"The 'architecture' parameter of {type(self).__name__} must be a description, "
                f"such as {self.architecture.__name__}(), not its class. "
                f"Got {self.architecture.__name__} instead."
            )
        if not isinstance(self.architecture, str):
            return OwnArchitecture(self.architecture, type(self).__name__)
        return named_architecture(self.architecture, "architecture", type(self).__name__)

    def _chain(self) -> Chain:
        return Chain.of(() if self.augment is None else self.augment, type(self).__name__)

    def _check_views(self) -> None:
        check_values(type(self).__name__, self._parameter_constraints, {"tta": self.tta})
        views = self.tta if isinstance(self.tta, (tuple, list)) else ()
        for view in views:
            if not callable(view) and view not in VIEWS:
                raise InvalidParameterError(
                    f"The 'tta' parameter of {type(self).__name__} must hold names among "
                    f"{sorted(VIEWS)}, or callables. Got {view!r} instead."
                )

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> ImageNetwork:
        chain = self._chain()
        seen = chain.shape_of(input_shape)
        return ImageNetwork(
            Images(input_shape, self.channels == "last"),
            self._description().build(seen, n_outputs),
            seen,
            augment=Augment(chain) if chain.links else None,
        )

    def _initialise(self, module: Any, seed: int) -> None:
        how = "he_normal" if self.weight_init == "auto" else self.weight_init
        initialise(module, how, "auto", 0.01, generator(seed, Stream.WEIGHTS))
        description = self._description()
        if isinstance(description, OwnArchitecture) and self.weight_init == "auto":
            state = description.initial_state(module.shape, self.n_outputs_, seed)
            module.network.load_state_dict(state)
        self._loaded: list[str] = []
        if self.weights is not None:
            alike = self._has_outputs_of(fitted_network(self.weights))
            self._loaded = load_weights(module.network, self.weights, head=alike)

    def _has_outputs_of(self, source: Any) -> bool:
        """Whether the last layer of another estimator means the same; a state dict's may."""
        if source is None:
            return True
        if is_classifier(self) != is_classifier(source):
            return False
        return not is_classifier(self) or np.array_equal(self.classes_, source.classes_)

    def _choose_trained(self, module: Any) -> None:
        if self.trainable != "all":
            module.train_only(0 if self.trainable == "head" else self.trainable)
        if self.features_layer is not None:
            self._check_layer(module)

    def _check_layer(self, module: Any) -> None:
        names = [name for name, _ in module.network.named_modules() if name]
        if self.features_layer not in names:
            raise InvalidParameterError(
                f"The 'features_layer' parameter of {type(self).__name__} must be the name of a "
                f"layer, one of {', '.join(names)}. Got {self.features_layer!r} instead."
            )

    def _step(self, module: nn.Module, flat: FlatParameters) -> Step:
        return ImageStep(module, self._loss_function(), flat.grad, self._mixed)

    @property
    def _mixed(self) -> bool:
        if self.precision != "auto" or self._full_batch:
            return super()._mixed
        return has_fast_bfloat16(resolve_device(self.device))

    def _recipe(self, seed: int, difficulty: Any, incremental: bool) -> Recipe:
        recipe = super()._recipe(seed, difficulty, incremental)
        if self._loaded and self.weights_rate != 1:
            recipe.relative_rates = self._rates
        return recipe

    def _rates(self, flat: FlatParameters) -> Tensor:
        """The learning rate of each parameter, relative to that of new ones."""
        loaded = {f"network.{name}" for name in self._loaded}
        named = zip(flat.names, flat.parameters, strict=False)  # buffers have names too
        rates = [
            p.new_full((p.numel(),), self.weights_rate if n in loaded else 1) for n, p in named
        ]
        return torch.cat(rates)

    def _work(self) -> Work:
        return self.module_.work

    def _layers(self) -> list[Layer]:
        return layers_of(self.module_.network, self.module_.shape)

    # -- what comes out

    def _members(self) -> list[Callable[..., Tensor]]:
        if not self.tta:
            return super()._members()
        self._check_views()
        views = views_of(self.tta, self.module_.shape[1:])
        return [partial(each, view=view) for each in super()._members() for view in views]

    def _n_hidden_layers(self) -> int:
        return 1

    def _features(self, x: Tensor) -> Tensor:
        if self.features_layer is not None:
            self._check_layer(self.module_)
        return self.module_.features(x, self.features_layer)

    @property
    def _n_features_out(self) -> int:
        parameter = next(self.module_.parameters())
        with torch.inference_mode():
            return self._features(parameter.new_zeros(1, self.n_features_in_)).shape[1]


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
