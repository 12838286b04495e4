"""Reading a file, so that a damaged one gets one error that names it."""

from __future__ import annotations

import csv
import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

DAMAGE = (
    ValueError,
    EOFError,
    LookupError,
    csv.Error,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def blaming(*origins: Path | str) -> Iterator[None]:
    """Whatever a reader stumbles over, say in which file."""
    try:
        yield
    except DAMAGE as error:
        names = ", ".join(map(str, origins))
        raise ValueError(f"{names}: damaged, or not of the expected format: {error}") from error


def contents(path: Path) -> bytes:
    """The bytes of a file, unpacked if it ends in ``.gz``."""
    packed = path.read_bytes()
    with blaming(path):
        return gzip.decompress(packed) if path.suffix == ".gz" else packed


def lines(path: Path) -> list[str]:
    """The lines of a text in UTF-8, or in Latin-1 if it is not in UTF-8."""
    content = contents(path)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")


def arrays(path: Path, *names: str) -> list[np.ndarray]:
    """Arrays of an ``.npz`` archive; none that would have to be unpickled."""
    with blaming(path), np.load(path, allow_pickle=False) as archive:
        return [archive[name] for name in names]
