"""Fit time of CNNClassifier against a bare PyTorch loop and skorch, and what augmentation costs.

Every side trains the same network, 32-32-pool-64-pool-128, on the same images for the same number
of epochs with Adam. The bare loop and skorch compute in float32, as a user's would; ours in what
``precision="auto"`` takes. Their accuracies stand beside the times.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNetClassifier
from torch import nn
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
from sknets import CNNClassifier
from sknets.datasets import load_mnist

RATE, BATCH = 1e-3, 128
BARS = {"bare loop": 0.5, "skorch": 0.45}
Images = tuple[np.ndarray, np.ndarray]


def ours(X: np.ndarray, y: np.ndarray, epochs: int, seed: int, **more: Any) -> Callable:
    model = CNNClassifier(
        batch_size=BATCH,
        learning_rate_init=RATE,
        max_iter=epochs,
        n_iter_no_change=np.inf,
        random_state=seed,
        device="cpu",
        **more,
    )
    return model.fit(X, y).predict


def network(side: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * (side // 4) ** 2, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def bare_loop(X: np.ndarray, y: np.ndarray, epochs: int, seed: int) -> Callable:
    """The loop that somebody who knows PyTorch writes by hand."""
    torch.manual_seed(seed)
    x, target = torch.from_numpy(X)[:, None], torch.from_numpy(y)
    net = network(X.shape[1])
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
    for _ in range(epochs):
        order = torch.randperm(len(x))
        x_epoch, target_epoch = x[order], target[order]
        for start in range(0, len(x), BATCH):
            rows = slice(start, start + BATCH)
            optimizer.zero_grad()
            cross_entropy(net(x_epoch[rows]), target_epoch[rows]).backward()
            optimizer.step()

    def predict(X: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            parts = torch.from_numpy(X)[:, None].split(1000)
            return torch.cat([net(part).argmax(1) for part in parts]).numpy()

    return predict


def skorch(X: np.ndarray, y: np.ndarray, epochs: int, seed: int) -> Callable:
    """Skorch as it comes, but that it shuffles as the others do and holds out nothing."""
    torch.manual_seed(seed)
    net = NeuralNetClassifier(
        network(X.shape[1]),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=RATE,
        max_epochs=epochs,
        batch_size=BATCH,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    net.fit(X[:, None], y)
    return lambda X: net.predict(X[:, None])


def augmented(X: np.ndarray, y: np.ndarray, epochs: int, seed: int) -> Callable:
    return ours(X, y, epochs, seed, augment=("translate", "rotate"))


SIDES = {"ours": ours, "bare loop": bare_loop, "skorch": skorch, "augmented": augmented}


def accuracies(train: Images, test: Images, seeds: int) -> dict[str, list[float]]:
    """Of each side but the augmented one after an epoch of all images, a seed after the other."""
    X, y = test

    def accuracy(fit: Callable, seed: int) -> float:
        return float((fit(*train, 1, seed)(X) == y).mean())

    return {
        name: [accuracy(fit, seed) for seed in range(seeds)]
        for name, fit in SIDES.items()
        if name != "augmented"
    }


def data(toy: bool) -> tuple[Images, Images]:
    if toy:
        X, y = load_digits(return_X_y=True)
        images = (X / 16).astype(np.float32).reshape(-1, 8, 8)
        return (images[:300], y[:300]), (images[300:], y[300:])
    parts = (load_mnist(subset=subset) for subset in ("train", "test"))
    train, test = (((p.images / 255).astype(np.float32), p.target) for p in parts)
    return train, test


def main(
    toy: bool = False,
    repeats: int = 5,
    images: int = 12_800,
    seeds: int = 5,
    json: str | None = None,
) -> list[Any]:
    print_environment()
    if toy:
        repeats = seeds = 1
    train, test = data(toy)
    threads = os.cpu_count() or 1
    timed = [part[:images] for part in train]
    sides = {name: lambda fit=fit: fit(*timed, 1, 0) for name, fit in SIDES.items()}
    results: list[Any] = []
    with at_most_threads(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        timing: Timing = alternate(
            sides,
            repeats,
            case=f"{len(timed[0])} of MNIST's images, one epoch, {threads} thread(s)",
        )
        print_table(timing, BARS)
        medians = timing.medians
        print(f"  augmentation costs {medians['augmented'] / medians['ours'] - 1:.0%} (bar: 15 %)")
        found = accuracies(train, test, seeds)
    for name, values in found.items():
        spread = f" +- {stdev(values):.4f}" if len(values) > 1 else ""
        print(f"  {name:14}test accuracy {fmean(values):.4f}{spread}")
    results += [timing, {"accuracy": found}]
    write_json(json, results)
    return results


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=5)
    parser.add_argument("--images", type=int, default=12_800, help="timed; default: %(default)s")
    parser.add_argument("--seeds", type=int, default=5, help="for the accuracies; default: 5")
    main(**vars(parser.parse_args()))
