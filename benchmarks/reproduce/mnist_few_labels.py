"""MNIST with few labels: machines that learnt from all images first, against a random start.

A replication has 18.3 against 24.0 % with 100 labels, 6.35 against 11.29 % with 1,000, 2.73 against
5.27 % with 10,000 (yell/boltzmann-machines). As many of each digit are drawn from the training
images by the seed, the others come without a label; errors are of the test images. Settings were
chosen with the last 10,000 training images, which is more than a hundred labels would allow.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from benchmarks.reproduce._headline import Samples, parts
from sknets import BernoulliRBM, DBNClassifier, MLPClassifier
from sknets.datasets import load_mnist

UNLABELED = -1
LAYERS = (500, 500, 2000)
RBM: dict[str, Any] = {
    "learning": "cd",
    "learning_rate": 0.1,
    "learning_rate_schedule": "cosine",
    "momentum": 0.5,
    "batch_size": 100,
    "n_iter": 20,
    "shuffle": True,
}
SHARED: dict[str, Any] = {
    "dropout": 0.5,
    "input_dropout": 0.2,
    "batch_size": 100,
    "learning_rate": "one_cycle",
    "n_iter_no_change": np.inf,
}
# Of a random start: rectifiers, which err less than logistic units.
RANDOM: dict[str, Any] = {"activation": "relu", "learning_rate_init": 0.001}
EPOCHS = {100: 200, 1000: 100, 10_000: 40}
PUBLISHED = {100: (18.3, 24.0), 1000: (6.35, 11.29), 10_000: (2.73, 5.27)}


def labelled(y: np.ndarray, n: int, seed: int) -> np.ndarray:
    """The places of as many samples of each class, `n` in all."""
    random, classes = np.random.default_rng(seed), np.unique(y)
    each = n // len(classes)
    drawn = [random.permutation(np.flatnonzero(y == c))[:each] for c in classes]
    return np.concatenate(drawn)


def pretrained(n: int, select: bool, seed: int, toy: bool) -> Outcome:
    """The error in % of a network that starts from machines."""
    train, judging = parts(load_mnist, select, toy)
    known = labelled(train.y, n, seed)
    y = np.full(len(train.y), UNLABELED)
    y[known] = train.y[known]
    rbm: Any = BernoulliRBM
    clf = DBNClassifier(
        (20,) if toy else LAYERS,
        rbm=rbm(**RBM).set_params(n_iter=1 if toy else RBM["n_iter"]),
        unlabeled=UNLABELED,
        learning_rate_init=0.003,
        max_iter=2 if toy else EPOCHS[n],
        random_state=seed,
        **SHARED,
    )
    return timed(lambda: clf.fit(train.X, y), lambda fitted: error(fitted, judging))


def from_random_start(n: int, select: bool, seed: int, toy: bool) -> Outcome:
    """The same of a network that sees the labelled images alone."""
    train, judging = parts(load_mnist, select, toy)
    known = train.rows(labelled(train.y, n, seed))
    clf = MLPClassifier(
        (20,) if toy else LAYERS,
        max_iter=2 if toy else EPOCHS[n],
        random_state=seed,
        **SHARED,
        **RANDOM,
    )
    return timed(lambda: clf.fit(*known), lambda fitted: error(fitted, judging))


def error(fitted: Any, judging: Samples) -> float:
    return 100 * float(1 - fitted.score(*judging))


def claims(select: bool) -> list[Claim]:
    found = []
    for n, (with_machines, without) in PUBLISHED.items():
        seeds = {"most": with_machines, "seeds": 3}
        found.append(Claim(f"{n} labels, machines first", partial(pretrained, n, select), **seeds))
        seeds = {"most": without, "seeds": 3}
        start = partial(from_random_start, n, select)
        found.append(Claim(f"{n} labels, random start", start, **seeds))
    return found


def main(select: bool = False, **how: Any) -> list[dict[str, Any]]:
    return reproduce(claims(select), **how)


if __name__ == "__main__":
    main(**vars(options(__doc__, claims(False), "the validation part").parse_args()))
