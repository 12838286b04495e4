"""A hyperparameter is declared once and then is everywhere: signature, validation, docstring."""

import inspect
import pickle
import re
from functools import partial
from numbers import Integral, Real

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import BaseEstimator, clone

from sknets import MLPClassifier, MLPRegressor
from sknets._params import (
    ClassLike,
    Interval,
    InvalidParameterError,
    OneOf,
    Options,
    check_parameters,
    check_values,
    estimator,
    param,
)


@estimator
class Shared(BaseEstimator):
    """Abstract: what the small estimators share."""

    seed: int = param(0, Interval(Integral, 0, None, closed="left"), "Where it starts.")
    rate: float = param(0.5, Interval(Real, 0, 1, closed="right"), "How fast it goes.")


@estimator
class Small(Shared):
    """A small estimator.

    See Also
    --------
    Shared : What it shares.

    Examples
    --------
    >>> 1 + 1
    2
    """

    size: int = param(
        3, [Interval(Integral, 1, None, closed="left"), None], "How large.", kw_only=False
    )
    kind: str = param("round", OneOf("round", "square"), "Which.", kw_only=False)
    loud: bool = param(False, "boolean", "Whether it makes a noise.")
    rate: float = param(0.25, Interval(Real, 0, 1, closed="both"), "Slower here.")

    _fitted_attributes = {"size_": "int: How large it became."}  # noqa: RUF012


def test_signature_is_explicit():
    parameters = inspect.signature(Small).parameters
    assert {name: p.default for name, p in parameters.items()} == {
        "size": 3,
        "kind": "round",
        "seed": 0,
        "rate": 0.25,
        "loud": False,
    }
    positional = [n for n, p in parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == ["size", "kind"]
    small = Small(5, "square", loud=True)
    assert (small.size, small.kind, small.loud) == (5, "square", True)
    with pytest.raises(TypeError, match="positional"):
        Small(5, "square", True)
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        Small(colour="red")


def test_estimator_has_scikit_learns_manners():
    small = Small(size=4, rate=1)
    assert small.get_params() == {"size": 4, "kind": "round", "loud": False, "seed": 0, "rate": 1}
    assert clone(small).get_params() == small.get_params()
    assert pickle.loads(pickle.dumps(small)).get_params() == small.get_params()
    assert repr(small) == "Small(rate=1, size=4)"
    assert small.set_params(size=None) is small
    assert small.size is None
    assert small != Small(size=4, rate=1)  # as any two estimators
    assert hash(small) != hash(Small())


def test_docstring_has_own_parameters_first_then_those_that_are_shared():
    text = inspect.getdoc(Small)
    sections = ["Parameters\n----------", "Attributes\n----------", "See Also", "Examples"]
    places = [text.index(section) for section in sections]
    assert places == sorted(places)
    entries = [
        "size : int in [1, inf) or None, default=3\n    How large.",
        "kind : {'round', 'square'}, default='round'\n    Which.",
        "rate : float in [0, 1], default=0.25\n    Slower here.",
        "loud : bool, default=False\n    Whether it makes a noise.",
        "seed : int in [0, inf), default=0\n    Where it starts.",
        "size_ : int\n    How large it became.",
    ]
    places = [text.index(entry) for entry in entries]
    assert places == sorted(places)
    assert text.count("rate : ") == 1


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_docstring_of_public_estimators_has_every_parameter_once(cls):
    text = inspect.getdoc(cls)
    for name, parameter in inspect.signature(cls).parameters.items():
        assert text.count(f"\n{name} : ") == 1, name
        assert f"default={parameter.default!r}" in text
    for section in ("Parameters", "Attributes", "See Also", "References", "Examples"):
        assert text.count(f"\n{section}\n---") == 1


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("size", 0, r"must be an int in the range \[1, inf\) or None. Got 0 instead"),
        ("size", 2.5, r"Got 2.5 instead"),
        ("kind", "oval", r"must be a str among \{'round', 'square'\}. Got 'oval' instead"),
        ("kind", None, r"Got None instead"),
        ("loud", "no", r"Got 'no' instead"),
        ("rate", -0.1, r"must be a float in the range \[0.?0?, 1.?0?\]. Got -0.1 instead"),
        ("rate", "fast", r"Got 'fast' instead"),
        ("rate", np.nan, r"Got nan instead"),
        ("seed", -1, r"Got -1 instead"),
    ],
)
def test_value_outside_its_constraint_is_an_error_that_says_what_is_allowed(name, value, allowed):
    small = Small(**{name: value})  # not before fit
    with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter of Small .*{allowed}"):
        check_parameters(small)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"size": None},
        {"size": np.int64(7)},
        {"rate": 0},
        {"rate": np.float32(0.5)},
        {"loud": np.True_},
    ],
)
def test_value_within_its_constraint_passes(values):
    check_parameters(Small(**values))


def test_validation_can_be_skipped_as_in_scikit_learn():
    with config_context(skip_parameter_validation=True):
        check_parameters(Small(size=-1))


def test_values_of_a_function_are_checked_alike():
    constraints = {"step": [Interval(Real, 0, None, closed="neither")]}
    check_values("walk", constraints, {"step": 1})
    with pytest.raises(InvalidParameterError, match="The 'step' parameter of walk must be"):
        check_values("walk", constraints, {"step": 0})
    with config_context(skip_parameter_validation=True):
        check_values("walk", constraints, {"step": 0})


def test_one_of_takes_any_of_its_names():
    constraint = OneOf("a", "b")
    assert constraint.is_satisfied_by("a")
    assert not constraint.is_satisfied_by("c")
    assert not constraint.is_satisfied_by(1)


def test_names_are_listed_in_their_order():
    names = [f"name{i}" for i in range(20)][::-1]
    listed = ", ".join(map(repr, names))
    assert str(OneOf(*names)) == f"a str among {{{listed}}}"
    assert str(pickle.loads(pickle.dumps(OneOf(*names)))) == str(OneOf(*names))


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("rond", "'round'"),
        ("Round", "'round'"),
        ("SQUARED", "'square'"),
        ("triangle", None),
        ("", None),
        (["round"], None),
        (None, None),
    ],
)
def test_message_suggests_a_name_that_is_close(value, hint):
    ending = "instead." if hint is None else f"instead. Did you mean {hint}?"
    with pytest.raises(InvalidParameterError, match=rf"Got .* {re.escape(ending)}$"):
        check_parameters(Small(kind=value))


def test_class_like_takes_classes_and_what_is_called_like_one():
    constraint = ClassLike("torch.optim.Optimizer")
    assert constraint.is_satisfied_by(torch.optim.SGD)
    assert constraint.is_satisfied_by(partial(torch.optim.SGD, momentum=0.9))
    assert not constraint.is_satisfied_by("sgd")
    assert str(constraint) == "a torch.optim.Optimizer class"


@pytest.mark.parametrize(
    ("constraint", "text"),
    [
        (Interval(Real, None, 1, closed="neither"), "float in (-inf, 1)"),
        (Options(Real, {np.inf}), "inf"),
        (callable, "callable"),
        (ClassLike("torch.optim.Optimizer"), "torch.optim.Optimizer class"),
        (OneOf("b", "a"), "{'b', 'a'}"),
        (Interval(Integral, 1, None, closed="left"), "int in [1, inf)"),
        (torch.device, "torch.device"),
        ("random_state", "int, RandomState instance or None"),
        ("array-like", "array-like"),
        ("verbose", "int or bool"),
        (list, "list"),
    ],
)
def test_docstring_says_each_kind_of_constraint(constraint, text):
    @estimator
    class Any(BaseEstimator):
        """Any."""

        value: object = param(None, [constraint, None], "A value.")

    assert f"value : {text} or None, default=None\n" in Any.__doc__


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_every_default_satisfies_its_constraint(cls):
    check_parameters(cls())


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_every_default_is_immutable(cls):
    for name, value in cls().get_params().items():
        assert isinstance(value, (str, int, float, bool, tuple, type(None))), name
