"""Save and load estimators without pickle: weights as safetensors, the rest as JSON.

A file holds values, never code: loading builds the estimator of a name that sknets knows, from
checked parameters, and fills its network with arrays of exactly the shapes it expects.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator

from sknets import _container
from sknets._params import check_parameters
from sknets.base.held import declared_state

__all__ = ["load", "save"]


def save(estimator: BaseEstimator, path: str | os.PathLike) -> None:
    """Write an estimator of sknets to a file.

    Parameters
    ----------
    estimator : estimator of sknets
        Fitted or not. Estimators among its parameters are saved with it; callbacks, metadata
        requests and attributes set by hand are not.
    path : str or path
        The file, which is replaced if it is there.

    Raises
    ------
    TypeError
        If the estimator is not one of sknets, or a parameter is not a plain value: a callable, a
        module, an optimiser's class. Those can be pickled.
    InvalidParameterError
        If a parameter was set to what is not allowed, which `load` would refuse.
    OSError
        If the file cannot be written.
    ImportError
        If safetensors is not installed.

    See Also
    --------
    load : The way back.

    Examples
    --------
    >>> import tempfile, os
    >>> from sklearn.datasets import load_iris
    >>> from sknets import MLPClassifier, load, save
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifier(solver="lbfgs", alpha=1, tol=0.01, random_state=0).fit(X, y)
    >>> path = os.path.join(tempfile.mkdtemp(), "iris.sknets")
    >>> save(clf, path)
    >>> bool((load(path).predict(X) == clf.predict(X)).all())
    True
    """
    try:
        _container.write(path, _described(estimator), _encode)
    except _container.NotPlainError as error:
        name = error.where.split(".", 1)[-1]
        raise TypeError(
            f"The {name!r} of {type(estimator).__name__} is {error.value!r}, which is not a plain "
            "value, so that it cannot be saved without code. Pickle the estimator instead, or "
            "choose a value by name."
        ) from None


def load(path: str | os.PathLike) -> Any:
    """Read an estimator that `save` wrote.

    Parameters
    ----------
    path : str or path
        The file. It may come from anyone: nothing in it is executed.

    Returns
    -------
    estimator : estimator of sknets
        On the device that its `device` parameter names, or on the CPU where there is none.

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    ValueError
        If it is not a file of sknets, is damaged, or does not fit together.
    ImportError
        If safetensors is not installed.

    See Also
    --------
    save : The way here, with an example.

    Examples
    --------
    >>> from sknets import load
    >>> load("no_such_file.sknets")
    Traceback (most recent call last):
        ...
    FileNotFoundError: [Errno 2] No such file or directory: 'no_such_file.sknets'
    """
    tree = _container.read(path, _decode)
    try:
        return _rebuilt(tree)
    except Exception as error:
        raise ValueError(
            f"{os.fspath(path)!r} does not hold an estimator of sknets that fits together: {error}"
        ) from error


def _described(estimator: Any) -> dict[str, Any]:
    """An estimator as its name, parameters and learnt state."""
    kind: Any = type(estimator)
    name = kind.__name__
    if _known().get(name) is not kind:
        raise TypeError(
            f"save writes estimators of sknets, got {kind.__module__}.{kind.__qualname__}. "
            "A Pipeline of them goes through skops."
        )
    check_parameters(estimator)  # what load would refuse
    declared = _declared(type(estimator))
    state = {k: v for k, v in estimator.__getstate__().items() if k in declared}
    return {"estimator": name, "parameters": estimator.get_params(deep=False), "state": state}


def _rebuilt(tree: dict[str, Any]) -> BaseEstimator:
    """The estimator that `_described` described."""
    if "estimator" not in tree:
        raise ValueError("it holds something else, such as a checkpoint")
    cls: Any = _known()[tree["estimator"]]
    estimator: Any = cls(**tree["parameters"])
    check_parameters(estimator)
    declared, state = _declared(cls), tree["state"]
    for name, value in state.items():
        if name not in declared:
            raise ValueError(f"{name!r} is not something that {cls.__name__} learns")
        if not isinstance(value, declared[name]):
            raise ValueError(f"its {name!r} is not a {declared[name].__name__}")
    if not all(isinstance(record, dict) for record in state.get("history_", [])):
        raise ValueError("its history is not one of records")
    estimator.__setstate__({**estimator.get_params(deep=False), **state})
    if hasattr(estimator, "module_"):  # what cannot predict is not whole
        estimator._run_once()
    return estimator


def _declared(cls: type) -> dict[str, type]:
    """What an estimator of a class holds beside its parameters, and the type of each."""
    return {"_sklearn_output_config": dict, **declared_state(cls)}  # the first by set_output


def _encode(value: Any) -> Any:
    """Estimators among the parameters, numpy's old random states, and what stands for a name."""
    if isinstance(value, BaseEstimator):
        return {"kind": "estimator", **_described(value)}
    if isinstance(value, np.random.RandomState):
        return {"kind": "random_state", "state": value.get_state(legacy=False)}
    if isinstance(value, (os.PathLike, torch.device)):
        return {"kind": "name", "name": str(value)}
    return None


def _decode(content: dict[str, Any]) -> Any:
    if content["kind"] == "estimator":
        return _rebuilt(content)
    if content["kind"] == "name":
        return content["name"]
    random_state = np.random.RandomState()
    random_state.set_state(content["state"])
    return random_state


def _known() -> dict[str, type]:
    """The estimators that a file may name."""
    import sknets.cnn
    import sknets.preprocessing

    places = (sknets, sknets.cnn, sknets.preprocessing)
    public = {name: getattr(place, name) for place in places for name in place.__all__}
    return {n: c for n, c in public.items() if isinstance(c, type) and issubclass(c, BaseEstimator)}
