"""Every benchmark runs, at toy size."""

from importlib import import_module
from itertools import groupby
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(
    path.relative_to(ROOT)
    for path in (ROOT / "benchmarks").rglob("*.py")
    if not path.name.startswith("_")
)


def imported(script):
    return import_module(".".join(script.with_suffix("").parts))


# PyTorch loops and skorch, which ours are compared with, draw from torch's global state, and
# scikit-learn's support vector machines from numpy's.
@pytest.mark.global_state("torch random state", "numpy random state")
@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_benchmark_runs(script, tmp_path):
    results = tmp_path / "results.json"
    assert imported(script).main(toy=True, json=str(results))
    assert "scikit-learn" in results.read_text()


CHOOSING = [script for script in SCRIPTS if hasattr(imported(script), "HEADLINE")]


@pytest.mark.parametrize("script", CHOOSING, ids=str)
def test_chosen_settings_are_among_the_candidates(script):
    headline = imported(script).HEADLINE
    assert headline.chosen in headline.candidates


@pytest.mark.parametrize("script", CHOOSING, ids=str)
def test_selection_runs(script):
    table = imported(script).main(toy=True, select=True)
    for _, rows in groupby(table, key=lambda row: row["headline"]):
        errors = [row["error"] for row in rows]
        assert errors == sorted(errors)


def test_alternate_runs_the_sides_in_turn():
    calls = []
    sides = {"ours": lambda: calls.append(2.0), "theirs": lambda: calls.append(8.0)}

    def seconds(run):
        run()
        return calls[-1]

    result = import_module("benchmarks._timing").alternate(sides, 3, measure=seconds)
    assert calls == [2, 8] * 4  # the first of each is to warm up
    assert result.medians == {"ours": 2, "theirs": 8}
    assert result.ratios == {"ours": 1, "theirs": 0.25}
