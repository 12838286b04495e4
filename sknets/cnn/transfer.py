"""Weights from elsewhere: a fitted estimator, a file, or a state dict in torchvision's layout.

Weights are matched by name, or else by their places in the network, so that names may differ.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from sknets import _container, persistence
from sknets._optional import require
from sknets.base.source import fitted_source
from sknets.cnn.architecture import Network

PICKLED = (".pt", ".pth")  # files of torch.save, which keep the order
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

    See Also
    --------
    CNNClassifier : Takes weights as a parameter.

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
    ours, found = network.state_dict(), _state_dict(weights)
    last = _names_within(network, network.heads)
    taken: dict[str, Tensor] = {}
    for name, (their_name, value) in _matched(network, found).items():
        if ours[name].shape == value.shape:
            if head or name not in last:
                taken[name] = value
        elif name not in last:
            raise ValueError(
                f"The weights are those of another network: its {name!r} has shape "
                f"{tuple(ours[name].shape)}, where {their_name!r} has {tuple(value.shape)}."
            )
    if len(last & taken.keys()) < len(last):  # a layer is taken whole or not at all
        taken = {name: value for name, value in taken.items() if name not in last}
    with torch.no_grad():
        for name, value in taken.items():
            ours[name].copy_(value)
    return list(taken)


def fitted_network(weights: Any) -> Any:
    """The fitted estimator that weights come from, or None where they come from elsewhere."""
    if not isinstance(weights, BaseEstimator):
        return None
    source = fitted_source(weights, "weights")
    if not isinstance(getattr(getattr(source, "module_", None), "network", None), Network):
        raise ValueError(
            "The 'weights' parameter must hold a convolutional estimator, where it holds one. "
            f"Got {source!r} instead."
        )
    return source


class Found(NamedTuple):
    """The tensors of whatever weights come from, and whether they are in the network's order."""

    state: dict[str, Tensor]
    ordered: bool


def _matched(network: Network, found: Found) -> dict[str, tuple[str, Tensor]]:
    """What there is for each of our names: by the same name, by torchvision's, or by the place."""
    translated = network.torchvision_names()
    ours = list(translated)
    needed = [name for name in ours if not name.endswith(COUNTER)]
    for theirs in ({name: name for name in ours}, translated):
        if all(theirs[name] in found.state for name in needed):
            return {n: (t, found.state[t]) for n, t in theirs.items() if t in found.state}
    if not found.ordered:
        missing = next(translated[n] for n in needed if translated[n] not in found.state)
        raise ValueError(
            "The file keeps no order, and its names are neither the network's own nor "
            f"torchvision's: there is no {missing!r}."
        )
    given = found.state
    if len(ours) != len(given):
        given = {name: value for name, value in given.items() if not name.endswith(COUNTER)}
    else:
        needed = ours
    if len(needed) != len(given):
        raise ValueError(
            f"The weights are those of another network: they are {len(given)} arrays, and the "
            f"network has {len(needed)}.{_hint(given)}"
        )
    return dict(zip(needed, given.items(), strict=True))


def _state_dict(weights: Any) -> Found:
    ordered = True
    if isinstance(weights, (str, os.PathLike)):
        ordered = Path(weights).suffix in PICKLED
        weights = _from_file(Path(weights))
    source = fitted_network(weights)
    if source is not None:
        return Found(source.module_.network.state_dict(), ordered=True)
    if not isinstance(weights, Mapping):
        raise ValueError(
            f"weights must be a fitted estimator, a file or a state dict. Got {weights!r} instead."
        )
    state = {
        name: torch.tensor(value) if isinstance(value, np.ndarray) else value
        for name, value in weights.items()
    }
    return Found(state, ordered)


def _hint(given: Mapping[str, Any]) -> str:
    """Where in a checkpoint of a training script the weights might be."""
    inner = [repr(name) for name, value in given.items() if isinstance(value, Mapping)]
    return f" Did you mean its {' or '.join(inner)}?" if inner else ""


def _from_file(path: Path) -> Any:
    """An estimator or a state dict, by what is in the file."""
    if path.suffix in PICKLED:
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
