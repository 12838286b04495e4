"""What holds for every test, doctest and documentation page: global state is left as it was found.

It stands beside the packages rather than in ``tests/`` so that the doctests of ``sknets/`` and
``docs/`` are watched too.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import random
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

os.environ["MPLBACKEND"] = "Agg"  # figures are drawn, never shown

# When first imported these set warnings filters or environment variables of their own, for which no
# test is to blame. (torch imports its compiler, torch._dynamo, with its own optimisers.)
for library in ("polars", "scipy.optimize", "sklearn", "skorch", "sknets", "torch._dynamo"):
    with contextlib.suppress(ImportError):
        importlib.import_module(library)


@pytest.fixture(autouse=True)
def global_state(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that changes global state.

    ``@pytest.mark.global_state("numpy random state")`` says that a test is meant to, as one is that
    leaves an estimator's ``random_state`` at None.
    """
    meant = {what for mark in request.node.iter_markers("global_state") for what in mark.args}
    if isinstance(request.node, pytest.DoctestItem):
        meant.add("numpy random state")  # as scikit-learn's own estimators do in our examples
    before = _global_state()
    assert meant <= before.keys(), f"global_state takes {sorted(before)}, got {sorted(meant)}"
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
    after = _global_state()
    changed = [what for what in before if after[what] != before[what] and what not in meant]
    for what in changed:
        if isinstance(after[what], list):
            print(f"New in {what}:", *(item for item in after[what] if item not in before[what]))
    if changed:
        pytest.fail("The test changed global state: " + ", ".join(changed), pytrace=False)


def _global_state() -> dict[str, Any]:
    """All that a library could change behind its user's back, in values that can be compared."""
    kind, key, *position = np.random.get_state()
    state = {
        "numpy random state": (kind, key.tobytes(), *position),
        "python random state": random.getstate(),
        "torch random state": torch.get_rng_state().numpy().tobytes(),
        "torch default dtype": torch.get_default_dtype(),
        "torch grad mode": torch.is_grad_enabled(),
        "torch matmul precision": torch.get_float32_matmul_precision(),
        "torch thread count": torch.get_num_threads(),
        "matplotlib backend": "agg",
        "environment": [item for item in os.environ.items() if item[0] != "PYTEST_CURRENT_TEST"],
        "warnings filters": list(warnings.filters),
    }
    if torch.cuda.is_initialized():
        state["cuda random state"] = torch.cuda.get_rng_state().numpy().tobytes()
    if matplotlib := sys.modules.get("matplotlib"):
        state["matplotlib backend"] = matplotlib.get_backend().lower()
    return state


@pytest.fixture(autouse=True)
def empty_folder(request: pytest.FixtureRequest) -> None:
    """Doctests write files where they stand, as a reader would."""
    if isinstance(request.node, pytest.DoctestItem):
        folder = request.getfixturevalue("tmp_path")
        request.getfixturevalue("monkeypatch").chdir(folder)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """GPU tests skip themselves."""
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.fixture(scope="session")
def global_random_seed() -> int:
    """The seed that scikit-learn's own tests ask for."""
    return 42


@pytest.fixture(scope="session")
def data_home() -> Path:
    """Folder of real data sets; a test that needs one skips where SKNETS_DATA is not set."""
    if not os.environ.get("SKNETS_DATA"):
        pytest.skip("SKNETS_DATA is not set")
    return Path(os.environ["SKNETS_DATA"])
