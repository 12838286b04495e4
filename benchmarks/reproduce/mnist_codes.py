"""MNIST with noise that is taken away, and codes of which few units are active.

Denoising: by how many decibels the peak signal-to-noise ratio of test images of which 30 % of the
pixels were set to 0 rises when a denoising autoencoder has restored them. Sparsity: how far the
mean activity of codes of test images is from the target, in %. With ``--select`` the last 10,000
training images judge, and the others train.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from benchmarks.reproduce._headline import parts
from sknets import Autoencoder
from sknets.datasets import load_mnist

HIDDEN = 0.3  # of the pixels
SHARED: dict[str, Any] = {
    "out_activation": "logistic",
    "learning_rate": "one_cycle",
    "batch_size": 200,
    "max_iter": 30,
    "n_iter_no_change": np.inf,
    "precision": "bfloat16",
}
DENOISING: dict[str, Any] = SHARED | {
    "hidden_layer_sizes": (1000, 500),
    "activation": "silu",
    "noise": "masking",
    "noise_level": HIDDEN,
    "learning_rate_init": 0.002,
}
SPARSE: dict[str, Any] = SHARED | {
    "hidden_layer_sizes": 500,
    "sparsity_cost": 3.0,
    "learning_rate_init": 0.01,
}


def network(settings: dict[str, Any], seed: int, toy: bool, **more: Any) -> Autoencoder:
    small = {"hidden_layer_sizes": 20, "max_iter": 1} if toy else {}
    return Autoencoder(**settings | small | more, random_state=seed)


def decibels(clean: np.ndarray, other: np.ndarray) -> float:
    """The mean over images of the peak signal-to-noise ratio, pixels from 0 to 1."""
    return float(np.mean(-10 * np.log10(np.square(clean - other).mean(axis=1))))


def raised(select: bool, seed: int, toy: bool) -> Outcome:
    """By how many decibels."""
    train, judging = parts(load_mnist, select, toy)
    seen = np.random.default_rng(seed).random(judging.X.shape) >= HIDDEN
    noisy = judging.X * seen
    before = decibels(judging.X, noisy)

    def gain(fitted: Autoencoder) -> float:
        after = decibels(judging.X, fitted.reconstruct(noisy))
        print(f"  from {before:.2f} to {after:.2f} dB", flush=True)
        return after - before

    return timed(lambda: network(DENOISING, seed, toy).fit(train.X), gain)


def off_target(target: float, select: bool, seed: int, toy: bool) -> Outcome:
    """How far the mean activity is from the target, in %."""
    train, judging = parts(load_mnist, select, toy)
    coder = network(SPARSE, seed, toy, sparsity_target=target)
    return timed(
        lambda: coder.fit(train.X),
        lambda fitted: 100 * abs(fitted.transform(judging.X).mean(dtype=float) / target - 1),
    )


def claims(select: bool) -> list[Claim]:
    return [
        Claim("decibels gained", partial(raised, select), least=6),
        *(
            Claim(f"off a target of {t}, in %", partial(off_target, t, select), most=10)
            for t in (0.05, 0.1)
        ),
    ]


def main(select: bool = False, **how: Any) -> list[dict[str, Any]]:
    return reproduce(claims(select), **how)


if __name__ == "__main__":
    main(**vars(options(__doc__, claims(False), "the validation part").parse_args()))
