"""Warnings that point at the user's line, however deep they come from."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

INSIDE = {
    *("sknets", "sklearn", "skorch", "torch", "joblib"),
    *("contextlib", "concurrent", "multiprocessing", "threading"),
}


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the first line outside of this library and those that it runs in."""
    level, frame = 1, sys._getframe()
    while _is_inside(frame):
        if frame.f_back is None:  # in a worker process, which no line of the user's started
            level = 2
            break
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_inside(frame: FrameType) -> bool:
    name, spec = (frame.f_globals.get(key) for key in ("__name__", "__spec__"))
    if name == "__main__" and spec is not None:  # python -m
        name = spec.name
    return str(name).partition(".")[0] in INSIDE
