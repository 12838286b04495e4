"""Fit time of BernoulliRBM against scikit-learn's, and the time of annealed importance sampling.

Both sides take the same rows in the same minibatches for the same number of epochs. On float64
input scikit-learn computes in float64, ours in float32; where the processor is fast at it, ours
multiplies in bfloat16.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import BernoulliRBM as ScikitLearnRBM

from benchmarks._timing import (
    Timing,
    alternate,
    arguments,
    at_most_threads,
    print_environment,
    print_table,
    wall_time,
    write_json,
)
from sknets import BernoulliRBM
from sknets.datasets import load_mnist


class Case(NamedTuple):
    """Data, and how both sides train."""

    load: Callable[[], np.ndarray]
    settings: dict[str, Any]
    of_ours: dict[str, Any]
    bars: dict[str, float]  # by dtype


def digits() -> np.ndarray:
    return load_digits().data / 16


def mnist() -> np.ndarray:
    return (load_mnist(subset="train").data / 255 > 0.5).astype(float)


LARGE = {"n_components": 500, "batch_size": 100, "n_iter": 1}
CASES = {
    "digits, defaults": Case(digits, {"n_iter": 5}, {}, {}),
    "MNIST 784-500, batch 100, CD-1": Case(
        mnist, LARGE, {"learning": "cd"}, {"float32": 0.35, "float64": 0.12}
    ),
    "MNIST 784-500, batch 100, PCD-1": Case(mnist, LARGE, {}, {}),
}


def compare(name: str, case: Case, dtype: str, n_threads: int, repeats: int) -> Timing:
    X = case.load().astype(dtype)
    settings = case.settings | {"random_state": 0}
    sides = {
        "ours": lambda: BernoulliRBM(**settings, **case.of_ours, device="cpu").fit(X),
        "scikit-learn": lambda: ScikitLearnRBM(**settings).fit(X),
    }
    with at_most_threads(n_threads):
        return alternate(sides, repeats, case=f"{name}, {dtype}")


def annealing(toy: bool, n_threads: int) -> float:
    """Seconds of 100 runs over 14,500 temperatures."""
    X = digits() if toy else mnist()[:10_000]
    settings = {"n_components": 8} if toy else {"n_components": 500, "batch_size": 100}
    rbm = BernoulliRBM(**settings, n_iter=1, random_state=0).fit(X.astype(np.float32))
    few = {"n_runs": 5, "n_temperatures": 10} if toy else {}
    with at_most_threads(n_threads):
        return wall_time(lambda: rbm.log_partition("ais", random_state=0, **few))


def main(
    toy: bool = False,
    repeats: int = 5,
    threads: int | None = None,
    cases: list[str] | None = None,
    json: str | None = None,
) -> list[Any]:
    print_environment()
    n_threads = threads or os.cpu_count() or 1
    results: list[Any] = []
    for name in ["digits, defaults"] if toy else cases or CASES:
        case = CASES[name]
        if toy:
            case, repeats = case._replace(settings={"n_iter": 1}), 1
        for dtype in ("float32", "float64"):
            results.append(compare(name, case, dtype, n_threads, repeats))
            bar = {"scikit-learn": case.bars[dtype]} if dtype in case.bars else {}
            print_table(results[-1], bar)
    seconds = annealing(toy, n_threads)
    print(
        f"\nannealed importance sampling, 100 runs, 14,500 temperatures: {seconds:.1f} s (bar 60)"
    )
    write_json(json, [*results, {"case": "annealing", "seconds": seconds}])
    return results


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=5)
    parser.add_argument("--threads", type=int, help="default: as many as there are cores")
    parser.add_argument("--cases", nargs="+", choices=CASES, help="default: all")
    main(**vars(parser.parse_args()))
