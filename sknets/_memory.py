"""Memory that is freed and wanted again a moment later.

Each minibatch allocates the tensors of the last anew. Those above 32 MiB the GNU C library takes
from the system and gives back every time, a page fault for every 4 KiB of them, which can cost as
much as all that is computed. While a network trains it is told not to.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
KEPT = 2**30 - 1  # bytes of a block, and of what lies free, up to which nothing is given back
LARGEST_DEFAULT = 2**25  # where the library's own threshold ends when blocks of that size are freed

_lock = Lock()
_n_inside = 0


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep what is freed within for what is allocated next, and give it back at the end.

    Without effect where the C library is another, or where the environment says what it is to do.
    """
    library = _library()
    if library is None:
        yield
        return
    _enter(library)
    try:
        yield
    finally:
        _leave(library)


def _enter(library: Any) -> None:
    global _n_inside
    with _lock:
        _n_inside += 1
        if _n_inside == 1:
            _set_thresholds(library, KEPT, KEPT)


def _leave(library: Any) -> None:
    global _n_inside
    with _lock:
        _n_inside -= 1
        if not _n_inside:  # of all fits, in whatever threads
            _set_thresholds(library, LARGEST_DEFAULT, 2 * LARGEST_DEFAULT)
            library.malloc_trim(0)


def _set_thresholds(library: Any, of_blocks: int, of_rest: int) -> None:
    library.mallopt(M_MMAP_THRESHOLD, of_blocks)
    library.mallopt(M_TRIM_THRESHOLD, of_rest)


@cache
def _library() -> Any:
    """The GNU C library of this process, if it has one that is left to itself."""
    told = "MALLOC_MMAP_THRESHOLD_" in os.environ or "malloc" in os.environ.get(
        "GLIBC_TUNABLES", ""
    )
    if told or os.name != "posix":
        return None
    library = ctypes.CDLL(None)
    names = ("gnu_get_libc_version", "mallopt", "malloc_trim")
    return library if all(hasattr(library, name) for name in names) else None
