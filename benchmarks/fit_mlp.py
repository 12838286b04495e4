"""Fit time of MLPClassifier against scikit-learn's, a bare PyTorch loop and skorch.

Every side trains the same layers on the same rows for the same number of epochs with Adam. On
float64 input scikit-learn computes in float64; ours computes in float32, and so do the two that a
user would write in PyTorch, which convert the rows once (a module of torch is float32).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as ScikitLearnMLPClassifier
from skorch import NeuralNetClassifier
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks._timing import (
    Timing,
    alternate,
    at_most_threads,
    case_arguments,
    print_environment,
    print_table,
    write_json,
)
from sknets import MLPClassifier
from sknets.datasets import load_mnist

RATE = 1e-3


class Case(NamedTuple):
    """Data, layers, and how long to train."""

    load: Callable[[], tuple[np.ndarray, np.ndarray]]
    hidden: tuple[int, ...]
    batch_size: int
    epochs: int
    bars: dict[str, float]


def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    return X / 16, y


def mnist() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_mnist(return_X_y=True)
    return X / 255, y


CASES = {
    "digits 64-100-10": Case(
        digits, (100,), 200, 100, {"scikit-learn": 0.65, "bare loop": 0.8, "skorch": 0.25}
    ),
    # The bar against scikit-learn is for two threads.
    "MNIST 784-256-128-10": Case(
        mnist, (256, 128), 128, 2, {"scikit-learn": 0.7, "bare loop": 1.0}
    ),
}


def perceptron(estimator: type, case: Case, **more: Any) -> Any:
    """scikit-learn's estimator or ours, kept from stopping early."""
    return estimator(
        case.hidden,
        batch_size=case.batch_size,
        learning_rate_init=RATE,
        max_iter=case.epochs,
        tol=0,
        n_iter_no_change=np.inf,
        random_state=0,
        **more,
    )


def fit_ours(X: np.ndarray, y: np.ndarray, case: Case) -> Any:
    return perceptron(MLPClassifier, case, device="cpu").fit(X, y)


def fit_scikit_learn(X: np.ndarray, y: np.ndarray, case: Case) -> Any:
    return perceptron(ScikitLearnMLPClassifier, case).fit(X, y)


def module(X: np.ndarray, case: Case) -> nn.Sequential:
    sizes = (X.shape[1], *case.hidden)
    hidden = [(nn.Linear(fan_in, fan_out), nn.ReLU()) for fan_in, fan_out in pairwise(sizes)]
    return nn.Sequential(*sum(hidden, ()), nn.Linear(sizes[-1], 10))


def fit_bare_loop(X: np.ndarray, y: np.ndarray, case: Case) -> nn.Module:
    """The loop that somebody who knows PyTorch writes by hand."""
    x, target = torch.from_numpy(X).float(), torch.from_numpy(y)
    net = module(X, case)
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
    for _ in range(case.epochs):
        order = torch.randperm(len(x))
        x_epoch, target_epoch = x[order], target[order]
        for start in range(0, len(x), case.batch_size):
            rows = slice(start, start + case.batch_size)
            optimizer.zero_grad()
            cross_entropy(net(x_epoch[rows]), target_epoch[rows]).backward()
            optimizer.step()
    return net


def fit_skorch(X: np.ndarray, y: np.ndarray, case: Case) -> NeuralNetClassifier:
    """Skorch as it comes, but that it shuffles as the others do and holds out nothing."""
    net = NeuralNetClassifier(
        module(X, case),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=RATE,
        max_epochs=case.epochs,
        batch_size=case.batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    return net.fit(X.astype(np.float32), y)


SIDES = {
    "ours": fit_ours,
    "scikit-learn": fit_scikit_learn,
    "bare loop": fit_bare_loop,
    "skorch": fit_skorch,
}


def compare(name: str, case: Case, dtype: str, n_threads: int, repeats: int) -> Timing:
    X, y = case.load()
    X = np.ascontiguousarray(X, dtype=dtype)
    sides = {side: lambda fit=fit: fit(X, y, case) for side, fit in SIDES.items()}
    title = f"{name}, {dtype}, {n_threads} thread(s), {case.epochs} epochs"
    with at_most_threads(n_threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return alternate(sides, repeats, case=title)


def main(
    toy: bool = False,
    repeats: int = 7,
    threads: list[int] | None = None,
    cases: list[str] | None = None,
    json: str | None = None,
) -> list[Timing]:
    print_environment()
    results = []
    for name in ["digits 64-100-10"] if toy else cases or CASES:
        case = CASES[name]
        if toy:
            case, repeats, threads = case._replace(epochs=1), 1, [1]
        for dtype in ("float32", "float64"):
            for n_threads in threads or sorted({1, os.cpu_count() or 1}):
                results.append(compare(name, case, dtype, n_threads, repeats))
                print_table(results[-1], case.bars)
    write_json(json, results)
    return results


if __name__ == "__main__":
    main(**vars(case_arguments(__doc__, CASES).parse_args()))
