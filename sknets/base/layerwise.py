"""Greedy pre-training: each layer learns the distribution of what the layer below makes.

Hinton, Osindero and Teh (2006), https://doi.org/10.1162/neco.2006.18.7.1527; Bengio, Lamblin,
Popovici and Larochelle (2007), "Greedy layer-wise training of deep networks", NIPS.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import clone
from sklearn.neural_network import BernoulliRBM as ScikitLearnRBM

from sknets._data import Data
from sknets._params import InvalidParameterError
from sknets._random import Stream, derived_seed


class Affine(NamedTuple):
    """What hidden units get: ``X @ weight.T + bias``."""

    weight: np.ndarray  # (n_hidden, n_features)
    bias: np.ndarray

    @classmethod
    def of(cls, machine: Any) -> Affine:
        """Of a fitted machine, of ours or of scikit-learn's."""
        if hasattr(machine, "affine_"):
            return cls(*machine.affine_)
        return cls(machine.components_, machine.intercept_hidden_)

    @classmethod
    def down_of(cls, machine: Any) -> Affine:
        """What visible units get of a fitted machine: ``h @ weight.T + bias``."""
        if hasattr(machine, "affine_down_"):
            return cls(*machine.affine_down_)
        return cls(machine.components_.T, machine.intercept_visible_)

    def copy_to(self, layer: Any) -> None:
        """Start a linear layer from it."""
        layer.weight.data.copy_(layer.weight.new_tensor(self.weight))
        layer.bias.data.copy_(layer.bias.new_tensor(self.bias))


def is_stackable(machine: Any) -> bool:
    """Whether it is an estimator of ours, or scikit-learn's, whose hidden units make a layer."""
    return hasattr(type(machine), "affine_") or isinstance(machine, ScikitLearnRBM)


def check_machines(pretrain: Any, sizes: Sequence[int], name: str, owner: str) -> None:
    """Raise for what is neither a machine nor a list of one for each layer, or has bad settings."""
    n_layers = len(sizes)
    each = pretrain if isinstance(pretrain, (list, tuple)) else [pretrain] * n_layers
    right_number = each is not pretrain or len(each) == n_layers
    if not right_number or not all(map(is_stackable, each)):
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must be an estimator with hidden units, such as "
            f"BernoulliRBM(), or a list of one for each of {n_layers} layers. "
            f"Got {pretrain!r} instead."
        )
    for machine, size in zip(each, sizes, strict=True):
        check_settings(sized(machine, size))


def units_of(machine: Any) -> str:
    """The activation of hidden units."""
    if hasattr(machine, "_code_activation"):
        found: str = machine._code_activation()
        return found
    return "identity" if getattr(machine, "hidden", "binary") == "gaussian" else "logistic"


def with_units(machine: Any, activation: str) -> Any:
    """A machine as one with hidden units of an activation, if it can have them."""
    if units_of(machine) == activation:
        return machine
    made = clone(machine)
    if hasattr(machine, "_code_activation"):
        return made.set_params(code_activation=activation)
    if activation == "identity" and hasattr(machine, "hidden"):
        # Which take smaller steps (Hinton and Salakhutdinov, 2006, supporting material).
        return made.set_params(hidden="gaussian", learning_rate=machine.learning_rate / 10)
    return machine


def check_units(machines: Sequence[Any], activations: Sequence[str], name: str, owner: str) -> None:
    """Raise for machines whose hidden units are others than those of the layers."""
    for machine, activation in zip(machines, activations, strict=True):
        if units_of(machine) != activation:
            raise InvalidParameterError(
                f"The {name!r} parameter of {owner} must have units of the activation of the "
                f"layer, {activation!r}. Got {machine!r}, whose units are {units_of(machine)!r}."
            )


def sized(machine: Any, size: int, **settings: Any) -> Any:
    """A copy of a machine with so many hidden units."""
    made = clone(machine)
    known = "n_components" in made.get_params(deep=False)
    units = "n_components" if known else "hidden_layer_sizes"
    return made.set_params(**{units: int(size)}, **settings)


def check_settings(part: Any) -> None:
    """Raise for parameters that are not allowed, before a part's turn comes."""
    if hasattr(part, "_check_settings"):
        part._check_settings(incremental=False)
    else:
        part._validate_params()


def stacked(
    pretrain: Any, sizes: Sequence[int], X: np.ndarray, seed: int, device: torch.device
) -> list[Any]:
    """Fit a machine for each layer, to the features of those below.

    Parameters
    ----------
    pretrain : estimator or list of estimators
        Copies of which are fitted.
    sizes : sequence of int
        Hidden units of each layer.
    X : ndarray of shape (n_samples, n_features)
    seed : int
        Of machines without a `random_state` of their own.
    device : torch.device
        Of machines whose `device` is "auto".

    Returns
    -------
    machines : list of estimators
        Fewer where the training of the last of them was interrupted.
    """
    each = pretrain if isinstance(pretrain, (list, tuple)) else [pretrain] * len(sizes)
    machines: list[Any] = []
    for i, (machine, size) in enumerate(zip(each, sizes, strict=True), start=1):
        of_layer = derived_seed(seed, Stream.PRETRAIN, i)
        machines.append(fitted(machine, size, X, of_layer, device))
        if was_interrupted(machines):
            break
        if i < len(sizes):
            X = machines[-1].transform(X)
    return machines


def fitted(
    machine: Any, size: int, X: np.ndarray, seed: int, device: torch.device, **settings: Any
) -> Any:
    """A copy of a machine with so many hidden units, fitted; its own seed and device come first."""
    machine = sized(machine, size, **settings)
    known = machine.get_params(deep=False)
    left_open = {"random_state": (None, seed), "device": ("auto", str(device))}
    for name, (unset, value) in left_open.items():
        if name in known and known[name] == unset:
            machine.set_params(**{name: value})
    machine._is_layer = True
    return machine.fit(X)


def was_interrupted(machines: Sequence[Any]) -> bool:
    """Whether the training of the last of fitted machines, if any, ended by a Ctrl-C."""
    return bool(machines) and getattr(machines[-1], "_interrupted", False)


def all_inputs(data: Data) -> np.ndarray:
    """The inputs of minibatches, one after another."""
    parts = (batch.x for batch in data.epoch(None))
    return np.concatenate([(x.to_dense() if x.is_sparse else x).cpu().numpy() for x in parts])
