"""What a network that learnt the digits 0 to 4 is worth for 5 to 9, with few labels of these.

A network is fitted to MNIST's digits below 5. Then, several times, ten examples of each digit from
5 on are drawn, and these learn from them: a linear support vector machine on pixels, the same on
the network's features, the network fine-tuned, and the same network from scratch. All are scored on
the test set's digits from 5 on. No setting was tuned on them.
"""

from __future__ import annotations

import warnings
from statistics import fmean, stdev
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from benchmarks._timing import arguments, print_environment, write_json
from sknets import CNNClassifier
from sknets.cnn import ConvNet
from sknets.datasets import load_mnist

NETWORK = ConvNet(channels=((32, 32), (64, 64)), batch_norm=True, dense=128)
Images = tuple[np.ndarray, np.ndarray]


def mnist(subset: str) -> Images:
    part = load_mnist(subset=subset)
    return (part.images / 255).astype(np.float32), part.target


def toy_images(subset: str) -> Images:
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)
    rows = slice(1200) if subset == "train" else slice(1200, None)
    return images[rows], digits.target[rows]


def as_rows(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)


def learners(source: CNNClassifier, epochs: int, seed: int) -> dict[str, Any]:
    """What learns from the few labels; both networks train equally long."""
    image_shape = source.image_shape_[1:]
    scratch = clone(source).set_params(
        max_iter=epochs, batch_size=10, image_shape=image_shape, random_state=seed
    )
    machine = LinearSVC(C=0.01, random_state=seed)
    return {
        "linear SVM on pixels": make_pipeline(StandardScaler(), machine),
        "linear SVM on features": make_pipeline(FrozenEstimator(source), StandardScaler(), machine),
        "network fine-tuned": clone(scratch).set_params(weights=source),
        "network from scratch": scratch,
    }


def main(
    toy: bool = False, repeats: int = 10, labels: int = 10, json: str | None = None
) -> list[dict[str, Any]]:
    print_environment()
    load, source_epochs, epochs = (toy_images, 2, 2) if toy else (mnist, 5, 30)
    repeats = 1 if toy else repeats
    (X, y), (X_test, y_test) = load("train"), load("test")
    known, new, new_test = y < 5, y >= 5, y_test >= 5
    X_test, y_test = as_rows(X_test[new_test]), y_test[new_test]
    accuracies: dict[str, list[float]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        source = CNNClassifier(
            NETWORK,
            max_iter=source_epochs,
            learning_rate_init=0.003,
            learning_rate="one_cycle",
            batch_size=128,
            n_iter_no_change=np.inf,
            random_state=0,
        ).fit(X[known], y[known])
        for seed in range(repeats):
            few, _, y_few, _ = train_test_split(
                *(as_rows(X[new]), y[new]),
                train_size=5 * labels,
                stratify=y[new],
                random_state=seed,
            )
            for name, model in learners(source, epochs, seed).items():
                accuracy = model.fit(few, y_few).score(X_test, y_test)
                accuracies.setdefault(name, []).append(accuracy)
    print(f"MNIST's digits 5 to 9 from {labels} labels of each, {repeats} draw(s) of them")
    for name, values in accuracies.items():
        spread = f" +- {stdev(values):.3f}" if len(values) > 1 else ""
        print(f"  {name:24}test accuracy {fmean(values):.3f}{spread}")
    results = [{"side": name, "accuracies": values} for name, values in accuracies.items()]
    write_json(json, results)
    return results


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=10)
    parser.add_argument("--labels", type=int, default=10, help="of each digit; default: 10")
    main(**vars(parser.parse_args()))
