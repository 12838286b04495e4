"""Fit time of Autoencoder against a bare PyTorch loop.

Both train the same layers on the same rows for the same number of epochs with Adam, in float32. The
loop is what somebody who knows PyTorch writes by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import mse_loss

from benchmarks._timing import case_arguments, run_cases
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


def sides(case: Case) -> dict[str, Callable[[], Any]]:
    X = np.ascontiguousarray(case.load(), dtype=np.float32)
    return {side: partial(fit, X, case) for side, fit in SIDES.items()}


main = partial(run_cases, CASES, sides, BARS)

if __name__ == "__main__":
    main(**vars(case_arguments(__doc__, CASES).parse_args()))
