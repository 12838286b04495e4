"""Digits and clothes of 32 x 32 pixels by networks that grow, from 4 x 4 pixels on.

Karras, Aila, Laine and Lehtinen (2018), https://arxiv.org/abs/1710.10196, and Karras, Laine and
Aila (2019), https://arxiv.org/abs/1812.04948, have no figures on these. Ours are the Frechet
distance of samples from test images, in the features of a convolutional network that knows the
training images, beside that of as many training images, and how many samples that network is .9
sure of. A black frame makes images of 32 x 32 pixels. With ``--select`` the last 10,000 training
images judge, and the others train.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from benchmarks.reproduce._headline import Samples, parts
from benchmarks.reproduce._judge import N_SAMPLES, Judge, Verdict
from sknets import ProgressiveGAN, StyleGAN
from sknets.datasets import load_fashion_mnist, load_mnist

FRAME = 2  # pixels on each side
DATA = {"digits": load_mnist, "clothes": load_fashion_mnist}
SHARED: dict[str, Any] = {
    "max_iter": 8,
    "batch_size": 64,
    "precision": "bfloat16",
    "averaging_decay": 0.995,
}
NETWORKS: dict[str, tuple[Any, dict[str, Any]]] = {
    "ProgressiveGAN": (ProgressiveGAN, {}),
    "StyleGAN": (StyleGAN, {}),
}


def framed(samples: Samples, toy: bool) -> Samples:
    """Images of 32 x 32 pixels; of 8 x 8 at toy size."""
    side = 8 if toy else 28
    images = samples.X.reshape(-1, side, side)
    width = 0 if toy else FRAME
    return Samples(np.pad(images, [(0, 0), (width, width), (width, width)]), samples.y)


@cache
def data(name: str, select: bool, toy: bool) -> tuple[Samples, Judge]:
    """What is learnt from, and who judges."""
    train, judging = (framed(part, toy) for part in parts(DATA[name], select, toy))
    return train, Judge(train, judging, train.X.shape[1:], toy)


@cache
def made(network: str, name: str, select: bool, seed: int, toy: bool) -> tuple[Verdict, float]:
    """The verdict on samples, and the seconds of the fit."""
    train, judge = data(name, select, toy)
    kind, own = NETWORKS[network]
    small: dict[str, Any] = {"filters": (4, 4), "max_iter": 2} if toy else {}
    gan = kind(**SHARED | own | small, random_state=seed)
    seconds = timed(lambda: gan.fit(train.X), lambda _: 0.0).seconds
    samples = gan.sample(200 if toy else N_SAMPLES, random_state=seed)
    return judge(samples, None), seconds


def measured(what: str, network: str, name: str, select: bool, seed: int, toy: bool) -> Outcome:
    """A figure of the verdict."""
    verdict, seconds = made(network, name, select, seed, toy)
    return Outcome(getattr(verdict, what), seconds)


def of_training(name: str, select: bool, seed: int, toy: bool) -> Outcome:
    """The Frechet distance of training images."""
    train, judge = data(name, select, toy)
    chosen = np.random.default_rng(seed).permutation(len(train.y))[:N_SAMPLES]
    return Outcome(judge(*train.rows(chosen)).distance, 0.0)


FIGURES = {"Frechet distance": "distance", "% sure": "sure"}


def claims(select: bool) -> list[Claim]:
    found = []
    for name in DATA:
        found += [
            Claim(f"{name}, {network}, {words}", partial(measured, what, network, name, select))
            for network in NETWORKS
            for words, what in FIGURES.items()
        ]
        learnt = partial(of_training, name, select)
        found.append(Claim(f"{name}, training images, Frechet distance", learnt))
    return found


def main(select: bool = False, **how: Any) -> list[dict[str, Any]]:
    return reproduce(claims(select), **how)


if __name__ == "__main__":
    main(**vars(options(__doc__, claims(False), "the validation part").parse_args()))
