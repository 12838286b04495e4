"""Warnings point at the user's line, however deep they come from."""

import inspect
import threading
import warnings
from functools import partial

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknets import MLPClassifier
from sknets._warnings import warn

X = np.random.default_rng(0).normal(size=(40, 3))
y = (X[:, 0] > 0).astype(int)


def here():
    """The line of the caller."""
    return inspect.currentframe().f_back.f_lineno


def through(modules, call):
    """Wrap a call in one that comes from each of some modules."""
    for module in modules:
        scope = {"__name__": module, "call": call}
        exec(compile("def inner(): call()", module, "exec"), scope)
        call = scope["inner"]
    return call


@pytest.mark.parametrize(
    "modules",
    [
        (),
        ("sknets.base",),
        ("sknets", "sklearn.pipeline", "joblib.parallel", "sknets.cli"),
        ("torch.nn.modules", "skorch.net", "contextlib", "concurrent.futures.thread"),
    ],
)
def test_warning_points_at_the_first_line_outside(modules):
    call = through(modules, partial(warn, "slow", ConvergenceWarning))
    line = here() + 2
    with pytest.warns(ConvergenceWarning, match="^slow$") as caught:
        call()
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)


def test_names_that_only_begin_alike_are_outside():
    call = through(["torchvision.ops"], partial(warn, "slow"))
    with pytest.warns(UserWarning, match="slow") as caught:
        call()
    assert caught[0].filename == "torchvision.ops"


@pytest.mark.parametrize("wrapped", ["alone", "pipeline", "search"])
def test_warning_of_a_fit_points_at_the_callers_line(wrapped):
    net = MLPClassifier(3, max_iter=1, random_state=0)
    if wrapped == "pipeline":
        net = make_pipeline(StandardScaler(), net)
    elif wrapped == "search":
        net = GridSearchCV(net, {"alpha": [0.1]}, cv=2)
    line = here() + 2
    with pytest.warns(ConvergenceWarning) as caught:
        net.fit(X, y)
    assert {(w.filename, w.lineno) for w in caught} == {(__file__, line)}


def test_warning_of_a_thread_is_given_though_no_line_is_outside():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        thread = threading.Thread(target=partial(warn, "slow"))
        thread.start()
        thread.join()
    assert [str(w.message) for w in caught] == ["slow"]
