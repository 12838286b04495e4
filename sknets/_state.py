"""Nests of plain values and tensors as nests of plain values and arrays, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor


def to_arrays(tree: Any) -> Any:
    """The tensors of a nest of dicts, lists and tuples as arrays."""
    return _mapped(tree, Tensor, lambda tensor: tensor.detach().cpu().numpy())


def to_tensors(tree: Any) -> Any:
    """The arrays of a nest as tensors of their own."""
    return _mapped(tree, np.ndarray, lambda array: torch.from_numpy(array.copy()))


def _mapped(tree: Any, kind: type, function: Callable[[Any], Any]) -> Any:
    if isinstance(tree, kind):
        return function(tree)
    if isinstance(tree, dict):
        return {key: _mapped(value, kind, function) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_mapped(value, kind, function) for value in tree)
    return tree


def taken(state: dict[str, Any], name: str, present: Tensor) -> Tensor:
    """A tensor of a state, or the present one where there is none of its shape."""
    found = state.get(name)
    if found is None or tuple(found.shape) != tuple(present.shape):
        return present
    return torch.from_numpy(np.array(found)).to(present)
