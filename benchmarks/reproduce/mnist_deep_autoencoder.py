"""MNIST in codes of 30 numbers: the deep autoencoder 784-1000-500-250-30, and PCA.

The figure is the squared error of a test image, a sum over pixels between 0 and 1. Hinton and
Salakhutdinov (2006), https://doi.org/10.1126/science.1127647, have 3.00 from Boltzmann machines;
rectifiers with batch normalisation, without pre-training, 2.86 after 200 epochs and 2.65 after 500.
With ``--select`` the last 10,000 training images judge, and the others train.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from benchmarks.reproduce._headline import parts
from sknets import Autoencoder, BernoulliRBM
from sknets.datasets import load_mnist

LAYERS = (1000, 500, 250, 30)
SHARED: dict[str, Any] = {
    "out_activation": "logistic",
    "learning_rate": "one_cycle",
    "batch_size": 200,
    "max_iter": 200,
    "n_iter_no_change": np.inf,
    "precision": "bfloat16",
}
RANDOM_START: dict[str, Any] = SHARED | {
    "activation": "silu",
    "batch_norm": True,
    "solver": "adamw",
    "alpha": 0.1,
    "learning_rate_init": 0.003,
}
RBM: dict[str, Any] = {
    "learning": "cd",
    "learning_rate": 0.1,
    "learning_rate_schedule": "cosine",
    "momentum": 0.5,
    "batch_size": 100,
    "n_iter": 20,
    "shuffle": True,
}
LINEAR: dict[str, Any] = {"hidden": "gaussian", "learning_rate": 0.01}
FROM_MACHINES: dict[str, Any] = SHARED | {"activation": "logistic", "learning_rate_init": 0.001}


def pca(seed: int, toy: bool) -> PCA:
    return PCA(4 if toy else LAYERS[-1], svd_solver="covariance_eigh")


def deep(settings: dict[str, Any], seed: int, toy: bool, **more: Any) -> Autoencoder:
    small = {"max_iter": 1} if toy else {}
    layers = (20, 4) if toy else LAYERS
    return Autoencoder(layers, **settings | small | more, random_state=seed)


def random_start(seed: int, toy: bool) -> Autoencoder:
    return deep(RANDOM_START, seed, toy)


def from_machines(seed: int, toy: bool) -> Autoencoder:
    n_iter = 1 if toy else RBM["n_iter"]
    logistic = BernoulliRBM(**RBM | {"n_iter": n_iter})
    linear = BernoulliRBM(**RBM | LINEAR | {"n_iter": n_iter})
    n_below = 1 if toy else len(LAYERS) - 1
    return deep(FROM_MACHINES, seed, toy, pretrain=[*[logistic] * n_below, linear])


def squared_error(make: Any, select: bool, seed: int, toy: bool) -> Outcome:
    """The mean over images that judge, a sum over pixels."""
    train, judging = parts(load_mnist, select, toy)

    def error(fitted: Any) -> float:
        made = fitted.inverse_transform(fitted.transform(judging.X))
        return np.square(made - judging.X).sum(axis=1).mean(dtype=float)

    return timed(lambda: make(seed, toy).fit(train.X), error)


def claims(select: bool) -> list[Claim]:
    def measured(make: Any) -> Any:
        return partial(squared_error, make, select)

    return [
        Claim("PCA", measured(pca)),
        Claim("random start", measured(random_start), most=2.86, minutes=40),
        Claim("from Boltzmann machines", measured(from_machines), most=3.0, minutes=40),
    ]


def main(select: bool = False, **how: Any) -> list[dict[str, Any]]:
    return reproduce(claims(select), **how)


if __name__ == "__main__":
    main(**vars(options(__doc__, claims(False), "the validation part").parse_args()))
