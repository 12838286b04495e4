"""Time of one row through ``predict``, against scikit-learn's MLPClassifier."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as ScikitLearnMLPClassifier

from benchmarks._timing import (
    Timing,
    alternate,
    arguments,
    print_environment,
    print_table,
    wall_time,
    write_json,
)
from benchmarks.fit_mlp import digits
from sknets import MLPClassifier

BARS = {"scikit-learn": 1.2}


def fitted(estimator: type, X: np.ndarray, y: np.ndarray, **more: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator(max_iter=3, random_state=0, **more).fit(X, y)


def predict_often(model: Any, row: np.ndarray, calls: int) -> None:
    for _ in range(calls):
        model.predict(row)


def compare(dtype: str, calls: int, repeats: int) -> Timing:
    X, y = digits()
    X = X.astype(dtype)
    models = {
        "ours": fitted(MLPClassifier, X, y, device="cpu"),
        "scikit-learn": fitted(ScikitLearnMLPClassifier, X, y),
    }
    sides = {side: lambda m=model: predict_often(m, X[:1], calls) for side, model in models.items()}

    def seconds_a_call(run: Callable[[], None]) -> float:
        return wall_time(run) / calls

    title = f"digits 64-100-10, one row, {dtype}; seconds a call"
    return alternate(sides, repeats, case=title, measure=seconds_a_call)


def main(
    toy: bool = False, repeats: int = 15, calls: int = 1000, json: str | None = None
) -> list[Timing]:
    if toy:
        repeats, calls = 1, 3
    print_environment()
    results = [compare(dtype, calls, repeats) for dtype in ("float32", "float64")]
    for result in results:
        print_table(result, BARS)
    write_json(json, results)
    return results


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=15)
    parser.add_argument(
        "--calls", type=int, default=1000, help="in each measurement; default: %(default)s"
    )
    main(**vars(parser.parse_args()))
