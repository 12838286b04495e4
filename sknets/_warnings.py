"""Warnings that point at the user's line, however deep they come from."""

from __future__ import annotations

import sys
import warnings

INSIDE = {
    *("sknets", "sklearn", "skorch", "torch", "joblib"),
    *("contextlib", "concurrent", "multiprocessing", "threading"),
}


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the first line outside of this library and those that it runs in."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and _is_inside(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_inside(module: str) -> bool:
    return module.partition(".")[0] in INSIDE
