"""Hyperparameters declared once: one line feeds ``__init__``, validation and the docstring.

An estimator is a dataclass whose fields are written with `param`::

    @estimator
    class MLPClassifier(NetworkClassifier):
        dropout: float = param(0.0, Interval(Real, 0, 1, closed="left"), "Share of units silenced.")

This module alone imports scikit-learn's private ``_param_validation``.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from numbers import Integral
from typing import Any, TypeVar, dataclass_transform

from sklearn import get_config
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    _type_name,
    validate_parameter_constraints,
)

__all__ = [
    "ClassLike",
    "Interval",
    "InvalidParameterError",
    "OneOf",
    "Options",
    "check_parameters",
    "check_values",
    "estimator",
    "is_count",
    "param",
    "whole_numbers",
]

T = TypeVar("T")

_SECTIONS = ("Attributes", "See Also", "Notes", "References", "Examples")
_TYPE_NAMES = {
    "array-like": "array-like",
    "boolean": "bool",
    "random_state": "int, RandomState instance or None",
    "verbose": "int or bool",
}


class OneOf(StrOptions):
    """One of a few names, which messages and docstrings list in this order."""

    def __init__(self, *names: str) -> None:
        super().__init__(set(names))
        self.options = names  # in place of the set, which has no order


class ClassLike(HasMethods):
    """A class of some kind, or what is called like one, such as a ``functools.partial`` of it."""

    def __init__(self, kind: str) -> None:
        super().__init__("__call__")
        self.kind = kind

    def __str__(self) -> str:
        return f"a {self.kind} class"


def param(default: Any, constraint: Any, sentence: str, *, kw_only: bool = True) -> Any:
    """Declare a hyperparameter: its default, its allowed values, and what it does.

    Parameters
    ----------
    default : object
        The default, of an immutable type.
    constraint : object or list of objects
        What scikit-learn's parameter validation takes: `Interval`, `OneOf`, `ClassLike`, a type,
        ``"boolean"``, ``"random_state"``, ``"array-like"``, ``callable``, ``None``; a list allows
        any of its members.
    sentence : str
        Effect, unit and range, for the docstring.
    kw_only : bool, default=True
        False lets the parameter be given by position. Only leaf classes may say so.
    """
    constraints = constraint if isinstance(constraint, list) else [constraint]
    return field(
        default=default,
        kw_only=kw_only,
        metadata={"constraints": constraints, "sentence": sentence},
    )


@dataclass_transform(eq_default=False, kw_only_default=True, field_specifiers=(param,))
def estimator(cls: type[T]) -> type[T]:
    """Make a dataclass of parameters whose docstring has its Parameters and Attributes."""
    made: Any = dataclass(eq=False, repr=False, kw_only=True)(cls)
    made._parameter_constraints = {f.name: f.metadata["constraints"] for f in fields(made)}
    made.__doc__ = _assembled_docstring(made)
    return made


def check_parameters(obj: Any) -> None:
    """Raise InvalidParameterError for the first parameter of `obj` outside its constraint."""
    check_values(type(obj).__name__, obj._parameter_constraints, obj.get_params(deep=False))


def check_values(owner: str, constraints: dict[str, list[Any]], values: dict[str, Any]) -> None:
    """Raise InvalidParameterError for the first parameter of `owner` outside its constraint."""
    if get_config()["skip_parameter_validation"]:
        return
    for name, value in values.items():
        try:
            validate_parameter_constraints(constraints, {name: value}, owner)
        except InvalidParameterError as error:
            raise InvalidParameterError(f"{error}{_hint(value, constraints[name])}") from None


def is_count(value: Any) -> bool:
    """Whether it is a whole number > 0."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) > 0


def whole_numbers(value: Any, name: str, owner: str) -> tuple[int, ...]:
    """One whole number > 0 or several, as a tuple.

    Raises
    ------
    InvalidParameterError
        If the parameter of that name holds anything else, or none.
    """
    given = tuple(value) if isinstance(value, Iterable) else (value,)
    if not given or not all(map(is_count, given)):
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must hold whole numbers > 0. Got {value!r} instead."
        )
    return tuple(map(int, given))


def _hint(value: Any, constraints: list[Any]) -> str:
    """The allowed name that a wrong one resembles, as a question."""
    if not isinstance(value, str):
        return ""
    names = [name for c in constraints if isinstance(c, OneOf) for name in c.options]
    close = get_close_matches(value.lower(), names, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _assembled_docstring(cls: type) -> str:
    """The class docstring with its Parameters (own first) and the shared Attributes put in."""
    text = inspect.cleandoc(cls.__doc__ or cls.__name__)
    positional_first = sorted(fields(cls), key=lambda f: bool(f.kw_only))
    parameters = [
        _entry(
            f.name,
            f"{_type_text(f.metadata['constraints'])}, default={f.default!r}",
            f.metadata["sentence"],
        )
        for f in sorted(positional_first, key=lambda f: _depth(cls, f.name))
    ]
    shared: dict[str, str] = {}
    for base in cls.__mro__:
        shared = {**shared, **vars(base).get("_fitted_attributes", {})}
    attributes = [_entry(name, *spec.split(": ", 1)) for name, spec in shared.items()]
    text = _insert_section(text, "Parameters", parameters)
    return _insert_section(text, "Attributes", attributes)


def _depth(cls: type, name: str) -> int:
    """How far up the class order a parameter is declared: 0 is the class itself."""
    order = [base for base in cls.__mro__ if name in vars(base).get("__annotations__", {})]
    return cls.__mro__.index(order[0]) if order else len(cls.__mro__)


def _entry(name: str, kind: str, sentence: str) -> str:
    body = textwrap.fill(sentence, 92, initial_indent="    ", subsequent_indent="    ")
    return f"{name} : {kind}\n{body}"


def _insert_section(text: str, title: str, entries: Iterable[str]) -> str:
    """Put numpydoc entries under `title`: at the end of it if it is there, else in its place."""
    entries = list(entries)
    if not entries:
        return text
    later = _SECTIONS if title == "Parameters" else _SECTIONS[1:]
    lines = text.split("\n")
    heads = [i for i, line in enumerate(lines[:-1]) if line and set(lines[i + 1]) == {"-"}]
    titles = {lines[i]: i for i in heads}
    at = min((titles[t] for t in later if t in titles), default=len(lines))
    block = entries if title in titles else [title, "-" * len(title), *entries]
    before = "\n".join(lines[:at]).rstrip()
    after = "\n".join(lines[at:])
    gap = "\n" if title in titles else "\n\n"
    return before + gap + "\n".join(block) + ("\n\n" + after if after else "\n")


def _type_text(constraints: list[Any]) -> str:
    """What the docstring says of a parameter's type, from its constraints."""
    return " or ".join(_one_type_text(c) for c in constraints)


def _one_type_text(constraint: Any) -> str:
    if isinstance(constraint, OneOf):
        return "{" + ", ".join(map(repr, constraint.options)) + "}"
    if isinstance(constraint, ClassLike):
        return f"{constraint.kind} class"
    if isinstance(constraint, Options):
        return ", ".join(str(option) for option in constraint.options)
    if isinstance(constraint, Interval):
        left = "[" if constraint.closed in ("left", "both") else "("
        right = "]" if constraint.closed in ("right", "both") else ")"
        low = "-inf" if constraint.left is None else constraint.left
        high = "inf" if constraint.right is None else constraint.right
        return f"{_type_name(constraint.type)} in {left}{low}, {high}{right}"
    if constraint is None:
        return "None"
    if isinstance(constraint, str):
        return _TYPE_NAMES[constraint]
    return str(_type_name(constraint))
