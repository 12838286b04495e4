"""The state of a training in a file, from which a killed fit goes on as if nothing happened."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import joblib
import numpy as np
from torch import nn

from sknets import _container
from sknets._state import to_arrays, to_tensors
from sknets._training.trainer import Trainer

SEPARATORS = (os.sep, os.altsep or os.sep)


def is_folder(path: str | os.PathLike) -> bool:
    """Whether a path names a folder: it is one, or ends as one does."""
    return os.path.isdir(path) or os.fspath(path).endswith(SEPARATORS)


def file_of(path: str | os.PathLike, identity: dict[str, Any]) -> str:
    """The file of a fit: the path itself, or in a folder the one that its fingerprint names.

    Where equal fits run at once, each writes whole files of the same training, and the last one
    stays: what is read is never a mixture.
    """
    if not is_folder(path):
        return os.fspath(path)
    return os.path.join(path, f"{identity['estimator']}-{joblib.hash(identity)}.checkpoint")


def fingerprint(name: str, parameters: dict[str, Any], data: Any, start: Any) -> dict[str, Any]:
    """What tells one fit from another: estimator, parameters, data, weights that it starts from."""
    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):  # arrays to the last bit
        described = {key: _described(value) for key, value in parameters.items()}
    return {
        "estimator": name,
        "parameters": described,
        "data": joblib.hash(data, coerce_mmap=True),
        "start": joblib.hash(start),
    }


def _described(value: Any) -> str:
    """A parameter in words, and where these leave out its weights, their hash."""
    module = value if isinstance(value, nn.Module) else getattr(value, "module_", None)
    weights = module.state_dict() if isinstance(module, nn.Module) else value
    if not isinstance(weights, Mapping):
        return repr(value)
    return f"{value!r} {joblib.hash(to_arrays(dict(weights)))}"


def read(path: str | os.PathLike, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The state in the file of a fit, or None where there is none yet.

    Raises
    ------
    ValueError
        If the file is damaged, or of another fit.
    """
    file = file_of(path, identity)
    if not os.path.exists(file):
        return None
    state = _container.read(file)
    found = state.get("fingerprint")
    if not isinstance(found, dict) or _kinds(found) != _kinds(identity):
        raise ValueError(f"checkpoint={file!r} is a file of another kind than a checkpoint.")
    if found != identity:
        raise ValueError(
            f"checkpoint={file!r} belongs to another fit: {_difference(found, identity)}. Delete "
            "the file, or name a folder, in which each fit keeps a file of its own."
        )
    return state


def _kinds(parts: dict[str, Any]) -> dict[str, type]:
    return {name: type(part) for name, part in parts.items()}


def _difference(then: dict[str, Any], now: dict[str, Any]) -> str:
    """How one fit differs from another, in words."""
    if then["estimator"] != now["estimator"]:
        return f"its estimator is {then['estimator']}"
    old, new = then["parameters"], now["parameters"]
    changed = [
        f"{name} was {old.get(name, 'absent')}, is {new.get(name, 'absent')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    found = [f"its parameters differ ({'; '.join(changed)})"] if changed else []
    if then["data"] != now["data"]:
        found.append("its data differs")
    if then["start"] != now["start"]:
        found.append("the weights that it starts from differ")
    return " and ".join(found)


def write(path: str | os.PathLike, identity: dict[str, Any], seed: int, net: Trainer) -> None:
    """Write the state at the end of an epoch."""
    _container.write(
        file_of(path, identity),
        {
            "fingerprint": identity,
            "seed": seed,
            "finished": net.stop_message,
            "weights": to_arrays(net.flat.snapshot()),
            "buffers": to_arrays(dict(net.module_.named_buffers())),
            "training": net.state(),
            "samples_seen": net.samples_seen,
            "snapshots": to_arrays(net.snapshots),
            "history": plain_history(net.history),
            "stopping": to_arrays(net.stopping.state()),
        },
    )


def plain_history(history: Any) -> list[dict[str, Any]]:
    """The epochs' records without those of their batches."""
    return [{k: v for k, v in record.items() if k != "batches"} for record in history]


def restore(state: dict[str, Any], net: Trainer) -> None:
    """Put a trainer where the checkpoint left it."""
    module = net.module_
    module.load_state_dict({**module.state_dict(), **to_tensors(state["buffers"])})
    net.flat.restore(to_tensors(state["weights"]))
    net.load_state(state["training"])
    net.samples_seen = state["samples_seen"]
    net.snapshots = [
        [own.new_tensor(value) for own, value in zip(net.flat.snapshot(), snapshot, strict=True)]
        for snapshot in state["snapshots"]
    ]
    net.epochs_of_call = net.epochs_of_fit
    net.stop_message = state["finished"]
    net.stopping.load_state(to_tensors(state["stopping"]))
    net.history.clear()
    for record in state["history"]:
        net.history.new_epoch()
        for key, value in record.items():
            net.history.record(key, value)
