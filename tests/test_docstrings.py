"""Every public docstring is complete: each parameter and returned value has its words."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterator

import pytest

validate = pytest.importorskip("numpydoc.validate", reason="numpydoc is in the test extra").validate

PUBLIC_MODULES = (
    "sknets",
    "sknets.cnn",
    "sknets.datasets",
    "sknets.inspection",
    "sknets.model_selection",
    "sknets.preprocessing",
    "sknets.rnn",
)

IGNORED = {
    "ES01",  # a summary that says it all needs no second paragraph
    "GL02",  # an assembled docstring has no line for its closing quotes
    "RT02",  # returned values have names, as in scikit-learn
    "RT03",  # and their type may say it all
    "SS05",  # a summary says what a thing is, so it may well begin with a plural
}
IGNORED_IN_CLASSES = IGNORED | {
    "PR03",  # a class's own parameters come before those that all share
}
IGNORED_IN_METHODS = IGNORED | {
    "EX01",  # the class shows its methods at work
    "SA01",  # and knows its relatives
}


def public_objects() -> Iterator[tuple[str, set[str]]]:
    """Each public class, function, method and property once, with the errors to ignore in it."""
    seen = set()
    for module in PUBLIC_MODULES:
        if importlib.util.find_spec(module) is None:
            continue
        for name in importlib.import_module(module).__all__:
            thing = getattr(sys.modules[module], name)
            if not callable(thing) or thing in seen:
                continue
            seen.add(thing)
            if not inspect.isclass(thing):
                yield f"{module}.{name}", IGNORED
                continue
            yield f"{module}.{name}", IGNORED_IN_CLASSES
            for method in methods_written_here(thing):
                origin = (next(c for c in thing.__mro__ if method in vars(c)), method)
                if origin not in seen:
                    seen.add(origin)
                    yield f"{module}.{name}.{method}", IGNORED_IN_METHODS


def methods_written_here(cls: type) -> Iterator[str]:
    """Public methods and properties of `cls` that do not come from another library."""
    for name in dir(cls):
        member = inspect.getattr_static(cls, name)
        function = member.fget if isinstance(member, property) else getattr(cls, name)
        module = getattr(function, "__module__", None) or ""
        if callable(function) and module.startswith("sknets") and not name.startswith("_"):
            yield name


OBJECTS = dict(public_objects())


@pytest.mark.parametrize("path", OBJECTS)
def test_docstring_is_complete(path):
    errors = [error for error in validate(path)["errors"] if error[0] not in OBJECTS[path]]
    assert not errors, "\n".join([f"{path}:", *(f"  {code} {text}" for code, text in errors)])
