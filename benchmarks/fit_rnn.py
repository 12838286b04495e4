"""Fit time of RNNClassifier against a bare PyTorch loop and skorch, with equal and unequal lengths.

Every side trains the same layer on the same sequences for the same number of epochs with Adam, in
float32 unless a case says otherwise. With unequal lengths the bare loop and skorch fill all
sequences up to the longest, as users do. "The layer alone" is torch's operation for all steps of a
batch and its gradient, without anything around it: what nobody who calls it can go below.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

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

RATE, UNITS, FEATURES, CLASSES = 1e-3, 64, 8, 5
LAYERS: dict[str, type[nn.Module]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class Case(NamedTuple):
    """What is trained on what, and the most that ours may take of another side's time."""

    cell: str
    shortest: int
    longest: int
    bars: dict[str, float]
    batch: int = 64
    precision: str = "float32"

    def __str__(self) -> str:
        span = (
            f"{self.shortest} to {self.longest}" if self.longest > self.shortest else self.longest
        )
        ours = "" if self.precision == "float32" else f", ours in {self.precision}"
        return f"{self.cell.upper()}, {span} steps, batch {self.batch}{ours}"


CASES = [
    Case("lstm", 64, 64, {"bare loop": 1.05, "skorch": 0.7}),
    Case("lstm", 64, 64, {"bare loop": 1.05, "skorch": 0.7}, batch=200),  # our default
    Case("lstm", 64, 64, {"skorch": 0.7}, precision="bfloat16"),
    Case("gru", 64, 64, {"bare loop": 1.05, "skorch": 0.7}),
    Case("gru", 64, 64, {"bare loop": 1.05, "skorch": 0.7}, batch=200),
    Case("lstm", 5, 200, {"bare loop": 0.65}),
]


class Net(nn.Module):
    """A recurrent layer whose output at the last real step is classified."""

    def __init__(self, n_units: int, cell: str) -> None:
        super().__init__()
        self.layer = LAYERS[cell](FEATURES, n_units, batch_first=True)
        self.head = nn.Linear(n_units, CLASSES)

    def forward(self, X: Tensor, length: Tensor) -> Tensor:
        outputs, _ = self.layer(X)
        return self.head(outputs[torch.arange(len(X)), length - 1])


Sequences = list[np.ndarray]


def ours(X: Sequences, y: np.ndarray, case: Case, n_units: int) -> Any:
    model = RNNClassifier(
        cell=case.cell,
        precision=case.precision,
        hidden_layer_sizes=(n_units,),
        batch_size=case.batch,
        learning_rate_init=RATE,
        max_iter=1,
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


def bare_loop(X: Sequences, y: np.ndarray, case: Case, n_units: int) -> Any:
    """The loop that somebody who knows PyTorch writes by hand."""
    torch.manual_seed(0)
    values, lengths = map(torch.from_numpy, filled(X))
    target = torch.from_numpy(y)
    net = Net(n_units, case.cell)
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
    for rows in torch.randperm(len(values)).split(case.batch):
        optimizer.zero_grad()
        cross_entropy(net(values[rows], lengths[rows]), target[rows]).backward()
        optimizer.step()
    return net


def layer_alone(X: Sequences, y: np.ndarray, case: Case, n_units: int) -> Any:
    """Torch's operation and its gradient, batch after batch."""
    values, _ = map(torch.from_numpy, filled(X))
    layer = LAYERS[case.cell](FEATURES, n_units, batch_first=True)
    for batch in values.split(case.batch):
        outputs, _ = layer(batch)
        outputs.backward(torch.ones_like(outputs))
    return layer


def skorch(X: Sequences, y: np.ndarray, case: Case, n_units: int) -> Any:
    """Skorch as it comes, but that it shuffles as the others do and holds out nothing."""
    torch.manual_seed(0)
    values, lengths = filled(X)
    net = NeuralNetClassifier(
        Net(n_units, case.cell),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=RATE,
        max_epochs=1,
        batch_size=case.batch,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    return net.fit({"X": values, "length": lengths}, y)


SIDES: dict[str, Callable] = {
    "ours": ours,
    "bare loop": bare_loop,
    "skorch": skorch,
    "the layer alone": layer_alone,
}


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
        repeats, samples, n_units = 1, 256, 4
    results: list[Timing] = []
    with at_most_threads(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for case in CASES:
            X, y = sequences(samples, case.shortest, case.longest)
            sides = {name: partial(fit, X, y, case, n_units) for name, fit in SIDES.items()}
            about = f"{case}, {samples} sequences, one epoch, {threads} thread(s)"
            results.append(alternate(sides, repeats, case=about))
            print_table(results[-1], case.bars)
    write_json(json, results)
    return results


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--samples", type=int, default=4_096, help="default: %(default)s")
    main(**vars(parser.parse_args()))
