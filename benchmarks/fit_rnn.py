"""Fit time of RNNClassifier against a bare PyTorch loop and skorch, with equal and unequal lengths.

Every side trains the same LSTM on the same sequences for the same number of epochs with Adam, in
float32. With unequal lengths the bare loop and skorch fill all sequences up to the longest, as
users do.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNetClassifier
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks._timing import (
    Timing,
    alternate,
    arguments,
    at_most_threads,
    print_environment,
    print_table,
    write_json,
)
from sknets import RNNClassifier

RATE, BATCH, UNITS, FEATURES, CLASSES = 1e-3, 64, 64, 8, 5
BARS = {
    "64 steps": {"bare loop": 1.05, "skorch": 0.7},
    "5 to 200 steps": {"bare loop": 0.65},
}


class Net(nn.Module):
    """An LSTM whose output at the last real step is classified."""

    def __init__(self, n_units: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, n_units, batch_first=True)
        self.head = nn.Linear(n_units, CLASSES)

    def forward(self, X: Tensor, length: Tensor) -> Tensor:
        outputs, _ = self.lstm(X)
        return self.head(outputs[torch.arange(len(X)), length - 1])


Sequences = list[np.ndarray]


def ours(X: Sequences, y: np.ndarray, epochs: int, n_units: int) -> Any:
    model = RNNClassifier(
        cell="lstm",
        hidden_layer_sizes=(n_units,),
        batch_size=BATCH,
        learning_rate_init=RATE,
        max_iter=epochs,
        n_iter_no_change=np.inf,
        clip_norm=None,
        random_state=0,
        device="cpu",
    )
    return model.fit(X, y)


def filled(X: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """All sequences filled up to the longest, and their lengths."""
    lengths = np.array([len(x) for x in X])
    made = np.zeros((len(X), lengths.max(), FEATURES), dtype=np.float32)
    for row, x in zip(made, X, strict=True):
        row[: len(x)] = x
    return made, lengths


def bare_loop(X: Sequences, y: np.ndarray, epochs: int, n_units: int) -> Any:
    """The loop that somebody who knows PyTorch writes by hand."""
    torch.manual_seed(0)
    values, lengths = map(torch.from_numpy, filled(X))
    target = torch.from_numpy(y)
    net = Net(n_units)
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
    for _ in range(epochs):
        for rows in torch.randperm(len(values)).split(BATCH):
            optimizer.zero_grad()
            cross_entropy(net(values[rows], lengths[rows]), target[rows]).backward()
            optimizer.step()
    return net


def skorch(X: Sequences, y: np.ndarray, epochs: int, n_units: int) -> Any:
    """Skorch as it comes, but that it shuffles as the others do and holds out nothing."""
    torch.manual_seed(0)
    values, lengths = filled(X)
    net = NeuralNetClassifier(
        Net(n_units),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=RATE,
        max_epochs=epochs,
        batch_size=BATCH,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    return net.fit({"X": values, "length": lengths}, y)


SIDES: dict[str, Callable] = {"ours": ours, "bare loop": bare_loop, "skorch": skorch}


def sequences(n: int, shortest: int, longest: int) -> tuple[Sequences, np.ndarray]:
    """Random ones, which train as fast as any."""
    random = np.random.default_rng(0)
    lengths = random.integers(shortest, longest + 1, n)
    X = [random.normal(size=(k, FEATURES)).astype(np.float32) for k in lengths]
    return X, random.integers(0, CLASSES, n)


def main(
    toy: bool = False, repeats: int = 7, samples: int = 4_096, json: str | None = None
) -> list[Any]:
    print_environment()
    threads = os.cpu_count() or 1
    n_units = UNITS
    if toy:
        repeats, samples, n_units = 1, 128, 4
    results: list[Timing] = []
    with at_most_threads(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for case, spans in {"64 steps": (64, 64), "5 to 200 steps": (5, 200)}.items():
            X, y = sequences(samples, *spans)
            sides = {name: partial(fit, X, y, 1, n_units) for name, fit in SIDES.items()}
            about = f"{samples} sequences of {case}, one epoch, {threads} thread(s)"
            results.append(alternate(sides, repeats, case=about))
            print_table(results[-1], BARS[case])
    write_json(json, results)
    return results


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--samples", type=int, default=4_096, help="default: %(default)s")
    main(**vars(parser.parse_args()))
