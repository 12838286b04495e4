"""Recurrent layers that start from those of another estimator (Dai and Le, 2015)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from sknets.base.source import fitted_source
from sknets.rnn.network import Recurrent, Tokens

SHARED = ("reader.", "recurrent.")  # the parts of a network that another may take over


def load_layers(module: nn.Module, pretrain: Any, owner: str) -> None:
    """Copy the reader and the recurrent layers of a fitted estimator into a network.

    Raises
    ------
    ValueError
        If the estimator has no such layers, or others; the message names the first that differs.
    """
    theirs = _source(pretrain).module_.state_dict()
    ours = {k: v for k, v in module.state_dict().items() if k.startswith(SHARED)}
    for name, value in ours.items():
        found = theirs.get(name)
        if found is None or found.shape != value.shape:
            what = "has none" if found is None else f"has one of shape {tuple(found.shape)}"
            raise ValueError(
                f"The 'pretrain' parameter of {owner} must hold a fitted estimator of the same "
                f"layers: where {name!r} has shape {tuple(value.shape)}, it {what}."
            )
    if _cells(module) != _cells(_source(pretrain).module_):
        raise ValueError(
            f"The 'pretrain' parameter of {owner} must hold a fitted estimator of the same "
            f"recurrent layers, {_cells(module)}. Got {_cells(_source(pretrain).module_)} instead."
        )
    with torch.no_grad():
        for name, value in ours.items():
            value.copy_(theirs[name])


def _cells(network: Any) -> list[str]:
    """The recurrent layers by their kinds."""
    layers = network.recurrent.modules()
    return [str(layer) for layer in layers if any(True for _ in layer.parameters(recurse=False))]


def vocabulary_of(pretrain: Any) -> int | None:
    """How many tokens a fitted estimator knows, if it reads tokens."""
    reader = None if pretrain is None else _source(pretrain).module_.reader
    return reader.vocabulary_size if isinstance(reader, Tokens) else None


def _source(pretrain: Any) -> Any:
    source = fitted_source(pretrain, "pretrain")
    if not isinstance(getattr(getattr(source, "module_", None), "recurrent", None), Recurrent):
        raise ValueError(
            "The 'pretrain' parameter must hold an estimator with recurrent layers, such as a "
            f"LanguageModel. Got {source!r} instead."
        )
    return source
