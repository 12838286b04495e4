"""A file of plain values and arrays: safetensors, whose header carries the values as JSON.

Nothing in such a file is code, and nothing in it is executed when it is read.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sknets._optional import require

FORMAT = "sknets-1"
PLAIN = (type(None), bool, int, float, str)


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
    """
    safetensors = require("safetensors.numpy", extra="save", feature="Writing networks to a file")
    arrays: dict[str, np.ndarray] = {}
    text = json.dumps(_encoded(tree, "", arrays, encode))
    data = safetensors.save(arrays, metadata={"format": FORMAT, "tree": text})
    path = Path(path)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            file.write(data)
            file.close()
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def read(path: str | os.PathLike, decode: Callable | None = None) -> dict[str, Any]:
    """Read what `write` wrote.

    Parameters
    ----------
    path : str or path
    decode : callable, optional
        Turns what `encode` gave back into a value.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not such a file, or is damaged.
    """
    safetensors = require("safetensors", extra="save", feature="Reading networks from a file")
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {os.fspath(path)!r}.")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"its format is {metadata.get('format')!r}, not {FORMAT!r}")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _decoded(json.loads(metadata["tree"]), arrays, decode)
    except (
        safetensors.SafetensorError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        RecursionError,
        OverflowError,
        MemoryError,
    ) as error:
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
    if isinstance(value, np.ndarray) and value.dtype.kind in "OUS":
        flat = [inner(v, i) for i, v in enumerate(value.ravel().tolist())]
        return {"objects": [value.dtype.str, list(value.shape), flat]}
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
        return np.dtype(content[0]).type(content[1])
    if kind == "array":
        return arrays[content]
    if kind == "objects":
        dtype, shape, flat = content
        array = np.empty(len(flat), dtype=dtype)
        array[:] = [inner(v) for v in flat]
        return array.reshape(shape)
    if kind == "special" and decode is not None:
        return decode(inner(content))
    raise ValueError(f"unknown kind of value {kind!r}")
