"""Log-likelihoods of restricted Boltzmann machines on MNIST, thresholded at a half, in nats.

PyDeep's tutorial has -142.56 with 16 hidden units (exact) and -84.86 with 500 (annealed importance
sampling); Salakhutdinov and Murray (2008), https://doi.org/10.1145/1390156.1390266, -86.34 with
500. Of 500 units the lowest of three estimates counts: by annealing from the base, by annealing the
machine's samples back, and by annealing the data back (RAISE: Burda et al., 2015), on fewer rows.
With ``--select`` the last 10,000 training images judge, and the others train.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from sknets import BernoulliRBM
from sknets.datasets import load_mnist

N_VALIDATION = 10_000
EVERY = 100  # rows between those that are annealed back
SETTINGS: dict[str, Any] = {
    "batch_size": 100,
    "n_iter": 50,
    "centring": True,
    "learning_rate": 0.3,
    "learning_rate_schedule": "cosine",
    "visible_bias_init": "data",
    "shuffle": True,
}
LARGE = SETTINGS | {"n_components": 500, "n_iter": 100, "learning_rate": 0.05}


def images(subset: str, toy: bool) -> np.ndarray:
    """Pixels that are 0 or 1."""
    X = load_digits().data / 16 if toy else load_mnist(subset=subset).data / 255
    return (X > 0.5).astype(np.float32)


def parts(select: bool, toy: bool) -> tuple[np.ndarray, np.ndarray]:
    """What is learnt from, and what judges."""
    train = images("train", toy)
    if select or toy:
        n = min(N_VALIDATION, len(train) // 4)
        return train[:-n], train[-n:]
    return train, images("test", toy)


def exact(n_components: int, inverted: bool, select: bool, seed: int, toy: bool) -> Outcome:
    """The mean log-likelihood, by a sum over all states of the hidden units."""
    train, judging = (1 - X if inverted else X for X in parts(select, toy))
    settings = SETTINGS | ({"n_iter": 1} if toy else {})
    rbm = BernoulliRBM(n_components, **settings, random_state=seed)
    return timed(
        lambda: rbm.fit(train),
        lambda fitted: fitted.log_likelihood(judging, fitted.log_partition("exact")).mean(
            dtype=float
        ),
    )


def estimated(select: bool, seed: int, toy: bool) -> Outcome:
    """The lowest of three estimates, which are printed."""
    train, judging = parts(select, toy)
    settings = LARGE | ({"n_components": 12, "n_iter": 1} if toy else {})
    few = {"n_temperatures": 20} if toy else {}
    rbm = BernoulliRBM(**settings, random_state=seed)

    def lowest(fitted: BernoulliRBM) -> float:
        found = {}
        for method in ("ais", "reverse_ais"):
            log_z = fitted.log_partition(method, random_state=seed, **few)
            found[method] = fitted.log_likelihood(judging, log_z).mean(dtype=float)
        rows = judging[::EVERY]
        of_rows = fitted.log_likelihood_bound(rows, random_state=seed, **few).mean(dtype=float)
        gap = fitted.free_energy(rows).mean(dtype=float) - fitted.free_energy(judging).mean(
            dtype=float
        )
        found["raise"] = of_rows + gap  # as of all rows
        print("  " + ", ".join(f"{k} {v:.2f}" for k, v in found.items()), flush=True)
        return min(found.values())

    return timed(lambda: rbm.fit(train), lowest)


def claims(select: bool) -> list[Claim]:
    return [
        Claim("16 hidden units", partial(exact, 16, False, select), least=-141.5, seeds=3),
        Claim("16 hidden units, inverted", partial(exact, 16, True, select), seeds=3),
        Claim("20 hidden units", partial(exact, 20, False, select), seeds=3),
        Claim("500 hidden units", partial(estimated, select), least=-84.9, minutes=40),
    ]


def main(select: bool = False, **how: Any) -> list[dict[str, Any]]:
    return reproduce(claims(select), **how)


if __name__ == "__main__":
    main(**vars(options(__doc__, claims(False), "the validation part").parse_args()))
