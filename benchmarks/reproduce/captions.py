"""Captions of digits side by side, by their names: 97 % without a fault.

Vinyals et al. (2015), https://doi.org/10.48550/arXiv.1411.4555.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from sknets import ImageCaptioner
from sknets.cnn import ConvNet
from sknets.datasets import load_mnist

NAMES = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
SEEN = ConvNet(channels=((32, 32), (64, 64), 128), batch_norm=True, dense=512, dropout=0.3)
SHARED: dict[str, Any] = {
    "learning_rate": "one_cycle",
    "batch_size": 64,
    "embedding_dim": 64,
    "precision": "bfloat16",
    "device": "cpu",
}


def side_by_side(
    images: np.ndarray, digits: np.ndarray, n: int, random: np.random.Generator
) -> tuple[np.ndarray, list[str]]:
    """One to four digits beside each other from the left, and their names."""
    side = images.shape[1]
    X, y = np.zeros((n, side, 4 * side), dtype=np.float32), []
    for row, count in zip(X, random.integers(1, 5, n), strict=True):
        chosen = random.integers(len(images), size=count)
        for place, i in enumerate(chosen):
            row[:, place * side : (place + 1) * side] = images[i]
        y.append(" ".join(NAMES[digits[chosen]]))
    return X, y


def digits(toy: bool, subset: str) -> tuple[np.ndarray, np.ndarray]:
    if toy:
        found = load_digits()
        return (found.images / 16).astype(np.float32), found.target
    found = load_mnist(subset=subset)
    return (found.images / 255).astype(np.float32), found.target.astype(int)


def exact(seed: int, toy: bool) -> Outcome:
    """The share of unseen images whose digits are all named; they are MNIST's test images."""
    n_train, n_test = (100, 20) if toy else (30_000, 5_000)
    random = np.random.default_rng(seed)
    X, y = side_by_side(*digits(toy, "train"), n_train, random)
    unseen, right = side_by_side(*digits(toy, "test"), n_test, random)
    model = ImageCaptioner(
        architecture=ConvNet(channels=4, dense=8) if toy else SEEN,
        hidden_layer_sizes=(4 if toy else 128,),
        learning_rate_init=0.003,
        max_iter=1 if toy else 8,
        random_state=seed,
        **SHARED,
    )

    def share(fitted: ImageCaptioner) -> float:
        written = fitted.predict(unseen)
        return float(np.mean([a == b for a, b in zip(written, right, strict=True)]))

    return timed(lambda: model.fit(X, y), share)


CLAIMS = [Claim("digits side by side", exact, least=0.97, seeds=3)]
main = partial(reproduce, CLAIMS)

if __name__ == "__main__":
    main(**vars(options(__doc__, CLAIMS).parse_args()))
