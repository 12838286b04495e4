"""CIFAR-10 by ResNet-20, WRN-16-4 and DenseNet-40 beside each other, each by its paper's training.

The images at hand may be a subset (see `sknets.datasets.load_cifar10`); nothing is chosen on them,
so that each network is fitted once a seed and scored once. The papers' schedules are shortened to
the epochs asked for, as one cycle from and to small learning rates.
"""

from __future__ import annotations

import warnings
from statistics import fmean, stdev
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from benchmarks._timing import arguments, print_environment, write_json
from sknets import CNNClassifier
from sknets.cnn import get_architecture
from sknets.datasets import load_cifar10

NETWORKS = ("resnet20", "wrn16_4", "densenet40_12")
Images = tuple[np.ndarray, np.ndarray]


def photographs(subset: str) -> Images:
    part = load_cifar10(subset=subset)
    return part.images, part.target


def toy_images(subset: str) -> Images:
    """Digits in three colours."""
    digits = load_digits()
    images = np.repeat(digits.images[:, None] / 16, 3, axis=1).astype(np.float32)
    rows = slice(200) if subset == "train" else slice(200, 300)
    return images[rows], digits.target[rows]


def network(name: str, epochs: int, seed: int, device: str) -> CNNClassifier:
    papers = get_architecture(name).recipe()
    ours = dict(
        learning_rate="one_cycle",
        max_iter=epochs,
        n_iter_no_change=np.inf,
        augment=("flip", "crop"),
        random_state=seed,
        device=device,
    )
    return CNNClassifier(name, **papers | ours)


def main(
    toy: bool = False,
    networks: tuple[str, ...] = NETWORKS,
    epochs: int = 100,
    seeds: int = 1,
    device: str = "auto",
    json: str | None = None,
) -> list[dict[str, Any]]:
    print_environment()
    load = toy_images if toy else photographs
    epochs, networks = (1, networks[:1]) if toy else (epochs, networks)
    train, test = load("train"), load("test")
    print(f"\n{len(train[0])} images for training, {len(test[0])} for testing, {epochs} epoch(s)")
    results = []
    for name in networks:
        accuracies, seconds = [], []
        for seed in range(seeds):
            model = network(name, epochs, seed, device)
            start = perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(*train)
            seconds.append(perf_counter() - start)
            accuracies.append(model.score(*test))
        spread = f" +- {stdev(accuracies):.4f}" if seeds > 1 else ""
        parameters = list(model.module_.parameters())
        n_parameters = sum(p.numel() for p in parameters)
        print(
            f"  {name:16}{n_parameters:>12,} parameters  test accuracy {fmean(accuracies):.4f}"
            f"{spread}  {fmean(seconds):.0f} s a fit on {parameters[0].device.type}",
            flush=True,
        )
        results.append({"network": name, "accuracies": accuracies, "seconds": seconds})
    write_json(json, results)
    return results


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=None)
    parser.add_argument("--networks", nargs="+", default=NETWORKS, help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--seeds", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--device", default="auto", help="default: %(default)s")
    main(**vars(parser.parse_args()))
