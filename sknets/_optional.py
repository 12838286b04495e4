"""Packages that only some features need."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def require(module: str, *, extra: str, feature: str) -> ModuleType:
    """Import an optional package, or say how to get it."""
    try:
        return import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        raise ImportError(
            f'{feature} needs {package}. Install it with: pip install "sknets[{extra}]"'
        ) from error
