"""Log-likelihoods of variational autoencoders on MNIST, in nats, by 5,000 draws a test image.

Burda, Grosse and Salakhutdinov (2016), https://arxiv.org/abs/1509.00519, have -86.76 for
784-200-200-50 after 3,280 epochs, with pixels drawn anew at each step of training and once for the
test. What they call MNIST and the fixed binarisation of Larochelle and Murray (2011) are two data
sets, whose figures are not to be compared: they stand apart here. With ``--select`` the last 10,000
training images judge, or those that the fixed set has for it, and the others train.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from benchmarks.reproduce._headline import parts
from sknets import VariationalAutoencoder
from sknets.datasets import load_binarized_mnist, load_mnist

N_DRAWS = 5000
SETTINGS: dict[str, Any] = {
    "n_components": 50,
    "hidden_layer_sizes": (200, 200),
    "activation": "silu",
    "likelihood": "bernoulli",
    "alpha": 0.0,
    "learning_rate": "cosine",
    "learning_rate_init": 0.002,
    "batch_size": 100,
    "beta_warmup": 30,
    "max_iter": 300,
    "n_iter_no_change": np.inf,
    "precision": "bfloat16",
}


def network(seed: int, toy: bool, **more: Any) -> VariationalAutoencoder:
    small = {"hidden_layer_sizes": (10,), "n_components": 3, "max_iter": 1} if toy else {}
    return VariationalAutoencoder(**SETTINGS | small | more, random_state=seed)


def log_likelihood(judging: np.ndarray, seed: int, toy: bool, fitted: Any) -> float:
    n = 10 if toy else N_DRAWS
    return fitted.log_likelihood(judging, n_samples=n, random_state=seed).mean(dtype=float)


def drawn_anew(select: bool, seed: int, toy: bool) -> Outcome:
    """Pixels are probabilities, of which those that judge are drawn once."""
    train, judging = parts(load_mnist, select, toy)
    bits = np.random.default_rng(seed).random(judging.X.shape) < judging.X
    vae = network(seed, toy, dynamic_binarization=True)
    value = partial(log_likelihood, bits.astype(np.float32), seed, toy)
    return timed(lambda: vae.fit(train.X), value)


def fixed(select: bool, seed: int, toy: bool) -> Outcome:
    """Pixels were drawn once for all."""
    if toy:
        X = (parts(load_mnist, select, toy)[0].X > 0.5).astype(np.float32)
        train, judging = X[:-50], X[-50:]
    else:
        of_part = {name: load_binarized_mnist(subset=name).data for name in ("train", "validation")}
        train, judging = of_part["train"], of_part["validation"]
        if not select:
            train = np.concatenate([train, judging])
            judging = load_binarized_mnist(subset="test").data
        train, judging = train.astype(np.float32), judging.astype(np.float32)
    vae = network(seed, toy)
    return timed(lambda: vae.fit(train), partial(log_likelihood, judging, seed, toy))


def claims(select: bool) -> list[Claim]:
    return [
        Claim("drawn anew at each step", partial(drawn_anew, select), least=-89.0, minutes=30),
        Claim("fixed binarisation", partial(fixed, select)),
    ]


def main(select: bool = False, **how: Any) -> list[dict[str, Any]]:
    return reproduce(claims(select), **how)


if __name__ == "__main__":
    main(**vars(options(__doc__, claims(False), "the validation part").parse_args()))
