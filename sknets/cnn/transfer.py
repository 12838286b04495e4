"""Weights from elsewhere: a fitted estimator, a file, or a state dict in torchvision's layout.

Weights are matched by their places in the network and by their shapes, so that names may differ.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sknets import _container, persistence
from sknets._optional import require
from sknets.cnn.architecture import Network

COUNTER = "num_batches_tracked"  # of batch normalisation, which older files lack


def load_weights(network: Network, weights: Any, head: bool = True) -> list[str]:
    """Copy weights into a network of the same shape, but perhaps for other classes.

    Parameters
    ----------
    network : torch.nn.Module
        What a description builds. Its values are replaced, in place.
    weights : estimator, path, or mapping of names to arrays or tensors
        A fitted `CNNClassifier` or `CNNRegressor`; a file that `sknets.save` wrote, or one of a
        state dict (``.safetensors``, or of ``torch.save``, read without executing code); or a
        state dict, in the order of the network's own, which is torchvision's where torchvision has
        the network.
    head : bool, default=True
        Whether to take over the last layer where it fits. One for another number of outputs is
        left as it is.

    Returns
    -------
    names : list of str
        The parameters and buffers of `network` that were loaded.

    Raises
    ------
    ValueError
        If the weights are not those of such a network; the message names the first that differs.
        Nothing is loaded then.
    OSError
        If a file cannot be read.
    NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_digits
    >>> from sknets.cnn import CNNClassifier, ConvNet, load_weights
    >>> digits = load_digits()
    >>> ten = CNNClassifier(architecture=ConvNet(channels=8, dense=16), max_iter=1, random_state=0)
    >>> ten = ten.partial_fit(digits.images, digits.target, classes=range(10))
    >>> with torch.device("meta"):
    ...     two = ConvNet(channels=8, dense=16).build((1, 8, 8), 2).to_empty(device="cpu")
    >>> load_weights(two, ten)
    ['features.conv1_1.weight', 'features.conv1_1.bias', 'features.dense1.weight', \
'features.dense1.bias']
    """
    ours, theirs = dict(network.state_dict()), _state_dict(weights)
    if len(ours) != len(theirs):
        ours, theirs = _without_counters(ours), _without_counters(theirs)
    if len(ours) != len(theirs):
        raise ValueError(
            f"The weights are those of another network: they are {len(theirs)} arrays, and the "
            f"network has {len(ours)}."
        )
    last = _names_within(network, network.heads)
    taken: dict[str, Tensor] = {}
    for (name, own), (their_name, value) in zip(ours.items(), theirs.items(), strict=True):
        if own.shape == value.shape:
            if head or name not in last:
                taken[name] = value
        elif name not in last:
            raise ValueError(
                f"The weights are those of another network: its {name!r} has shape "
                f"{tuple(own.shape)}, where {their_name!r} has {tuple(value.shape)}."
            )
    if len(last & taken.keys()) < len(last):  # a layer is taken whole or not at all
        taken = {name: value for name, value in taken.items() if name not in last}
    with torch.no_grad():
        for name, value in taken.items():
            ours[name].copy_(value)
    return list(taken)


def fitted_source(weights: Any) -> Any:
    """The fitted estimator that weights come from, or None where they come from elsewhere."""
    if isinstance(weights, FrozenEstimator):
        weights = weights.estimator
    if not isinstance(weights, BaseEstimator):
        return None
    check_is_fitted(
        weights,
        msg="The 'weights' parameter holds a %(name)s that is not fitted. A search clones what it "
        "finds among parameters, which unlearns it: give sklearn.frozen.FrozenEstimator(...) of "
        "the fitted one instead.",
    )
    return weights


def _state_dict(weights: Any) -> dict[str, Tensor]:
    """The tensors of whatever weights come from."""
    if isinstance(weights, (str, os.PathLike)):
        weights = _from_file(Path(weights))
    source = fitted_source(weights)
    if source is not None:
        return source.module_.network.state_dict()
    if not isinstance(weights, Mapping):
        raise ValueError(
            f"weights must be a fitted estimator, a file or a state dict. Got {weights!r} instead."
        )
    return {
        name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        for name, value in weights.items()
    }


def _from_file(path: Path) -> Any:
    """An estimator or a state dict, by what is in the file."""
    if path.suffix in (".pt", ".pth"):
        return torch.load(path, map_location="cpu", weights_only=True)
    safetensors = require("safetensors", extra="save", feature="Reading weights from a file")
    with safetensors.safe_open(path, framework="pt") as file:
        if (file.metadata() or {}).get("format") != _container.FORMAT:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return persistence.load(path)


def _names_within(network: nn.Module, modules: list[nn.Module]) -> set[str]:
    """The names of the parameters and buffers of some parts of a network."""
    chosen = {id(module) for module in modules}
    found = ((name, module) for name, module in network.named_modules() if id(module) in chosen)
    return {f"{prefix}.{name}" for prefix, module in found for name in module.state_dict()}


def _without_counters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if not name.endswith(COUNTER)}
