"""The state of a training in a file, from which a killed fit goes on as if nothing happened."""

from __future__ import annotations

import os
from typing import Any

import joblib

from sknets import _container
from sknets._state import to_arrays, to_tensors
from sknets._training.trainer import Trainer


def fingerprint(name: str, parameters: dict[str, Any], data: Any) -> dict[str, str]:
    """What tells one fit from another: the estimator, its parameters, and the data."""
    return {
        "estimator": name,
        "parameters": joblib.hash(sorted((k, repr(v)) for k, v in parameters.items())),
        "data": joblib.hash(data, coerce_mmap=True),
    }


def read(path: str, expected: dict[str, str]) -> dict[str, Any] | None:
    """The state in a checkpoint, or None where there is none yet.

    Raises
    ------
    ValueError
        If the file is damaged, or of another fit.
    """
    if not os.path.exists(path):
        return None
    state = _container.read(path)
    found = state.get("fingerprint", {})
    different = [part for part, value in expected.items() if found.get(part) != value]
    if different:
        raise ValueError(
            f"checkpoint={path!r} belongs to another fit: its {' and '.join(different)} "
            f"{'differs' if len(different) == 1 else 'differ'}. Delete the file, or give each fit "
            "a checkpoint of its own."
        )
    return state


def write(path: str, identity: dict[str, str], seed: int, net: Trainer) -> None:
    """Write the state at the end of an epoch."""
    _container.write(
        path,
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
    buffers = dict(net.module_.named_buffers())
    for name, value in to_tensors(state["buffers"]).items():
        buffers[name].copy_(value)
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
