"""Fit time of Autoencoder against a bare PyTorch loop.

Both train the same layers on the same rows for the same number of epochs with Adam, in float32. The
loop is what somebody who knows PyTorch writes by hand.
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
from torch import nn
from torch.nn.functional import mse_loss

from benchmarks._timing import (
    Timing,
    alternate,
    arguments,
    at_most_threads,
    print_environment,
    print_table,
    write_json,
)
from sknets import Autoencoder
from sknets.datasets import load_mnist

RATE = 1e-3


class Case(NamedTuple):
    """Data, layers down to the code, and how long to train."""

    load: Callable[[], np.ndarray]
    layers: tuple[int, ...]
    batch_size: int
    epochs: int


def digits() -> np.ndarray:
    return load_digits().data / 16


def mnist() -> np.ndarray:
    return load_mnist().data / 255


CASES = {
    "digits 64-32-64": Case(digits, (32,), 200, 100),
    "MNIST 784-128-32-128-784": Case(mnist, (128, 32), 128, 2),
    "MNIST 784-1000-500-250-30 and back": Case(mnist, (1000, 500, 250, 30), 200, 1),
}
BARS = {"bare loop": 0.85}


def fit_ours(X: np.ndarray, case: Case, **more: Any) -> Autoencoder:
    return Autoencoder(
        case.layers,
        batch_size=case.batch_size,
        learning_rate_init=RATE,
        max_iter=case.epochs,
        tol=0,
        n_iter_no_change=np.inf,
        random_state=0,
        device="cpu",
        **more,
    ).fit(X)


def fit_in_bfloat16(X: np.ndarray, case: Case) -> Autoencoder:
    return fit_ours(X, case, precision="bfloat16")


def module(n_inputs: int, layers: tuple[int, ...]) -> nn.Sequential:
    sizes = (n_inputs, *layers, *layers[-2::-1], n_inputs)
    linear = [nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(sizes)]
    found: list[nn.Module] = []
    for i, layer in enumerate(linear, start=1):
        is_code = i == len(layers) > 1
        found += [layer] if is_code or i == len(linear) else [layer, nn.ReLU()]
    return nn.Sequential(*found)


def fit_bare_loop(X: np.ndarray, case: Case) -> nn.Module:
    x = torch.from_numpy(X).float()
    net = module(X.shape[1], case.layers)
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
    for _ in range(case.epochs):
        x_epoch = x[torch.randperm(len(x))]
        for rows in x_epoch.split(case.batch_size):
            optimizer.zero_grad()
            mse_loss(net(rows), rows).backward()
            optimizer.step()
    return net


SIDES = {"ours": fit_ours, "bare loop": fit_bare_loop, "ours, bfloat16": fit_in_bfloat16}


def compare(name: str, case: Case, n_threads: int, repeats: int) -> Timing:
    X = np.ascontiguousarray(case.load(), dtype=np.float32)
    sides = {side: lambda fit=fit: fit(X, case) for side, fit in SIDES.items()}
    title = f"{name}, {n_threads} thread(s), {case.epochs} epochs"
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
    for name in ["digits 64-32-64"] if toy else cases or CASES:
        case = CASES[name]
        if toy:
            case, repeats, threads = case._replace(epochs=1), 1, [1]
        for n_threads in threads or sorted({1, os.cpu_count() or 1}):
            results.append(compare(name, case, n_threads, repeats))
            print_table(results[-1], BARS)
    write_json(json, results)
    return results


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument(
        "--threads", type=int, nargs="+", help="default: one, and as many as there are cores"
    )
    parser.add_argument("--cases", nargs="+", choices=CASES, help="default: all")
    main(**vars(parser.parse_args()))
