"""A file of plain values and arrays: safetensors, whose header carries the values as JSON.

Nothing in such a file is code, and nothing in it is executed when it is read.
"""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from sknets._optional import require

FORMAT = "sknets-1"
PLAIN = (type(None), bool, int, float, str)
CHARACTERS = {"U": np.uint32, "S": np.uint8}  # what numpy's strings are made of, by kind
LEFTOVER_AGE = 600  # seconds


class NotPlainError(TypeError):
    """A value that is not plain; `where` is the path to it."""

    def __init__(self, where: str, value: Any) -> None:
        super().__init__(f"{where} is {value!r}, which is not a plain value or array.")
        self.where, self.value = where, value


def write(path: str | os.PathLike, tree: dict[str, Any], encode: Callable | None = None) -> None:
    """Write a nest of dicts, lists, tuples, plain values and arrays, atomically.

    Parameters
    ----------
    path : str or path
    tree : dict
    encode : callable, optional
        ``encode(value)`` gives a nest that stands for a value of another kind, or None.

    Raises
    ------
    NotPlainError
        If a value is not plain.
    OSError
        If the file cannot be written.
    """
    safetensors = require("safetensors.numpy", extra="save", feature="Writing networks to a file")
    arrays: dict[str, np.ndarray] = {}
    text = json.dumps(_encoded(tree, "", arrays, encode))
    data = safetensors.save(arrays, metadata={"format": FORMAT, "tree": text})
    path = Path(path)
    beside = path.parent / _beside(path.name, uuid4().hex)
    try:
        beside.write_bytes(data)
        _remove_leftovers(path, beside.stat().st_mtime)
        os.replace(beside, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
    finally:
        with suppress(OSError):
            beside.unlink()


def _beside(name: str, key: str) -> str:
    """The name under which a file is written before it takes its place."""
    return f".{name}.{key}.tmp"


def _remove_leftovers(path: Path, now: float) -> None:
    """Remove what earlier writes left behind that were killed.

    Age tells them, on every platform and file system, from those of processes that live, which
    take their place as soon as they are written.
    """
    for file in path.parent.glob(_beside(glob.escape(path.name), "[0-9a-f]" * 32)):
        with suppress(OSError):
            if now - file.stat().st_mtime > LEFTOVER_AGE:
                file.unlink()


def read(path: str | os.PathLike, decode: Callable | None = None) -> dict[str, Any]:
    """Read what `write` wrote.

    Parameters
    ----------
    path : str or path
    decode : callable, optional
        Turns what `encode` gave back into a value.

    Raises
    ------
    OSError
        If there is no such file, or it cannot be opened.
    ValueError
        If it is not such a file, or is damaged.
    """
    safetensors = require("safetensors", extra="save", feature="Reading networks from a file")
    with open(path, "rb"):
        pass  # where it cannot be opened, Python's error is the better one
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"its format is {metadata.get('format')!r}, not {FORMAT!r}")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        tree = _decoded(json.loads(metadata["tree"]), arrays, decode)
        if not isinstance(tree, dict):
            raise ValueError(f"it holds a {type(tree).__name__}, not a dict")
        return tree
    except Exception as error:  # a hostile file may lead to any
        raise ValueError(
            f"{os.fspath(path)!r} is not a file that sknets wrote, or it is damaged: {error}"
        ) from error


def _encoded(value: Any, where: str, arrays: dict[str, np.ndarray], encode: Any) -> Any:
    """A JSON value: plain ones are themselves, all else is ``{kind: content}``."""

    def inner(child: Any, name: Any) -> Any:
        return _encoded(child, f"{where}.{name}" if where else str(name), arrays, encode)

    if type(value) in PLAIN:
        return value
    if isinstance(value, dict):
        return {"dict": [[inner(k, "key"), inner(v, k)] for k, v in value.items()]}
    if type(value) in (list, tuple):
        return {type(value).__name__: [inner(v, i) for i, v in enumerate(value)]}
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return {"scalar": [value.dtype.name, value.item()]}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        name = f"{len(arrays)}:{where}"
        arrays[name] = np.require(value, requirements="C")  # 0-d arrays stay so
        return {"array": name}
    if isinstance(value, np.ndarray) and value.dtype.kind in CHARACTERS:
        native = np.ascontiguousarray(value, value.dtype.newbyteorder("="))
        codes = native.reshape(*value.shape, 1).view(CHARACTERS[value.dtype.kind])
        return {"text": [value.dtype.kind, inner(codes, "codes")]}
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        flat = [inner(v, i) for i, v in enumerate(value.ravel().tolist())]
        return {"objects": [list(value.shape), flat]}
    special = encode(value) if encode else None
    if special is None:
        raise NotPlainError(where, value)
    return {"special": inner(special, "")}


def _decoded(value: Any, arrays: dict[str, np.ndarray], decode: Any) -> Any:
    def inner(child: Any) -> Any:
        return _decoded(child, arrays, decode)

    if type(value) in PLAIN:
        return value
    ((kind, content),) = value.items()
    if kind == "dict":
        return {inner(k): inner(v) for k, v in content}
    if kind == "list":
        return [inner(v) for v in content]
    if kind == "tuple":
        return tuple(inner(v) for v in content)
    if kind == "scalar":
        dtype = np.dtype(content[0])
        if dtype.kind not in "biuf":
            raise ValueError(f"unknown kind of number {content[0]!r}")
        return dtype.type(content[1])
    if kind == "array":
        return arrays[content]
    if kind == "text":
        return _text(content[0], inner(content[1]))
    if kind == "objects":
        shape, flat = content
        array = np.empty(len(flat), dtype=object)
        for i, child in enumerate(flat):
            array[i] = inner(child)
        return array.reshape(shape)
    if kind == "special" and decode is not None:
        return decode(inner(content))
    raise ValueError(f"unknown kind of value {kind!r}")


def _text(kind: str, codes: np.ndarray) -> np.ndarray:
    """Strings from the codes of their characters, which are along the last axis."""
    if codes.dtype != CHARACTERS[kind]:
        raise ValueError(f"characters of type {codes.dtype}")
    text = codes.view(f"{kind}{codes.shape[-1]}").reshape(codes.shape[:-1])
    text.tolist()  # an error where a code is no character
    return text
