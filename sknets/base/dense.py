"""Fully connected layers: how they are made, and what estimators that have them share."""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from sknets._params import Interval, OneOf, estimator, param
from sknets._random import Stream, generator
from sknets.base.descent import DescentEstimator
from sknets.layers import (
    ACTIVATIONS,
    INITIALIZERS,
    BatchNorm1d,
    Dropout,
    GaussianNoise,
    Maxout,
    initialise,
)


def hidden_layers(
    sizes: tuple[int, ...],
    *,
    activation: str,
    dropout: float = 0.0,
    noise_std: float = 0.0,
    batch_norm: bool = False,
    maxout_pieces: int = 2,
) -> OrderedDict[str, nn.Module]:
    """Layers between units of the given sizes, by their names.

    Parameters
    ----------
    sizes : tuple of int
        Of the inputs, and of each layer.
    activation : str
        One of `ACTIVATIONS`, or "maxout".
    dropout : float
        Share of units that are silenced in training.
    noise_std : float
        Standard deviation of the noise before each activation in training.
    batch_norm : bool
        Whether to normalise before each activation (Ioffe and Szegedy, 2015).
    maxout_pieces : int
        Linear functions a unit of "maxout".
    """
    maxout = activation == "maxout"
    pieces = maxout_pieces if maxout else 1
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        layers[f"linear{i}"] = nn.Linear(fan_in, fan_out * pieces)
        if batch_norm:
            layers[f"norm{i}"] = BatchNorm1d(fan_out * pieces)
        if noise_std:
            layers[f"noise{i}"] = GaussianNoise(noise_std)
        layers[f"{activation}{i}"] = Maxout(pieces) if maxout else ACTIVATIONS[activation]()
        if dropout:
            layers[f"dropout{i}"] = Dropout(dropout)
    return layers


@torch.no_grad()
def _initialise_like_scikit_learn(
    layers: list[nn.Linear], logistic: bool, bias_init: str | float, seed: int
) -> None:
    """Glorot and Bengio's uniform, for biases too, in scikit-learn's order of draws.

    The same integer `random_state` thus gives the same initial network as scikit-learn's.
    """
    random = np.random.RandomState(seed)
    for layer in layers:
        fan_out, fan_in = layer.weight.shape
        bound = np.sqrt((2 if logistic else 6) / (fan_in + fan_out))
        layer.weight.copy_(torch.from_numpy(random.uniform(-bound, bound, (fan_in, fan_out)).T))
        bias = random.uniform(-bound, bound, fan_out)
        if bias_init == "auto":
            layer.bias.copy_(torch.from_numpy(bias))


@estimator
class DenseLayers(DescentEstimator):
    """Abstract: a network of fully connected layers."""

    dropout: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "Share of hidden units silenced at each training step (inverted dropout).",
    )
    batch_norm: bool = param(
        False, "boolean", "Whether to normalise each hidden layer over the batch."
    )
    weight_init: str = param(
        "auto",
        OneOf(*INITIALIZERS),
        "How weights start; 'auto' is scikit-learn's (Glorot's uniform), 'normal' has standard "
        "deviation init_std.",
    )
    bias_init: Any = param(
        "auto",
        [OneOf("auto"), Interval(Real, None, None, closed="neither")],
        "What biases start from; 'auto' is 0, or scikit-learn's with weight_init='auto'.",
    )
    init_std: float = param(
        0.01,
        Interval(Real, 0, None, closed="left"),
        "Standard deviation of weight_init='normal'.",
    )
    _fitted_attributes: ClassVar[dict[str, str]] = {
        "coefs_": "list of ndarray of shape (fan_in, fan_out): The weights of each layer.",
        "intercepts_": "list of ndarray of shape (fan_out,): The biases of each layer.",
        "n_layers_": "int: Number of layers, input and output included.",
    }
    _shape_parameters: ClassVar[tuple[str, ...]] = (
        "hidden_layer_sizes",
        "activation",
        "dropout",
        "batch_norm",
    )
    _fewest_layers: ClassVar[int] = 0

    def _hidden_layer_sizes(self) -> tuple[int, ...]:
        sizes = self.hidden_layer_sizes
        return tuple(sizes if np.iterable(sizes) else [np.asarray(sizes).tolist()])

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        sizes = self._hidden_layer_sizes()
        if not all(isinstance(size, Integral) for size in sizes):
            raise ValueError(
                f"The 'hidden_layer_sizes' parameter of {type(self).__name__} must hold whole "
                f"numbers. Got {list(sizes)} instead."
            )
        if len(sizes) < self._fewest_layers:
            raise ValueError(
                f"The 'hidden_layer_sizes' parameter of {type(self).__name__} must hold "
                f"{self._fewest_layers} number at least. Got {self.hidden_layer_sizes!r} instead."
            )
        if any(size <= 0 for size in sizes):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {list(sizes)}.")
        self._check_stochastic("dropout")

    def _initialise(self, module: Any, seed: int) -> None:
        weights = generator(seed, Stream.WEIGHTS)
        if self.weight_init != "auto":
            initialise(module, self.weight_init, self.bias_init, self.init_std, weights)
            return
        initialise(module, "normal", self.bias_init, self.init_std, weights)
        logistic = self.activation == "logistic"
        _initialise_like_scikit_learn(module.linear_layers, logistic, self.bias_init, seed)

    # -- scikit-learn's view of the weights

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights of each layer, of shape (fan_in, fan_out)."""
        return [self._values(layer.weight).T for layer in self._linear_layers("coefs_")]

    @coefs_.setter
    def coefs_(self, values: list[np.ndarray]) -> None:
        layers = self._linear_layers("coefs_")
        self._assign("coefs_", [layer.weight.T for layer in layers], values)

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer, of shape (fan_out,)."""
        return [self._values(layer.bias) for layer in self._linear_layers("intercepts_")]

    @intercepts_.setter
    def intercepts_(self, values: list[np.ndarray]) -> None:
        layers = self._linear_layers("intercepts_")
        self._assign("intercepts_", [layer.bias for layer in layers], values)

    @property
    def n_layers_(self) -> int:
        """How many layers there are, input and output included."""
        return len(self._linear_layers("n_layers_")) + 1

    def _linear_layers(self, name: str) -> list[nn.Linear]:
        if "module_" not in vars(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        layers: list[nn.Linear] = self.module_.linear_layers
        return layers

    def _assign(self, name: str, tensors: list[Tensor], values: list[np.ndarray]) -> None:
        """Put arrays into the network, all or none of them."""
        arrays = [np.asarray(value, dtype=np.float64) for value in values]
        expected = [tuple(tensor.shape) for tensor in tensors]
        if [array.shape for array in arrays] != expected:
            raise ValueError(
                f"{name} of this {type(self).__name__} have shapes {expected}. "
                f"Got {[array.shape for array in arrays]} instead."
            )
        before = [tensor.detach().clone() for tensor in tensors]
        given = [torch.from_numpy(array).to(old) for array, old in zip(arrays, before, strict=True)]
        with torch.no_grad():
            for tensor, value in zip(tensors, given, strict=True):
                tensor.copy_(value)
            if not all(map(torch.equal, tensors, given)):
                for tensor, old in zip(tensors, before, strict=True):
                    tensor.copy_(old)
                raise ValueError(f"{name} of layers with tied weights must be those of one matrix.")
        self._snapshots: list[dict[str, np.ndarray]] = []  # which were of other weights

    def _values(self, parameter: Tensor) -> np.ndarray:
        return parameter.detach().cpu().numpy().astype(self._input_dtype, copy=False)
