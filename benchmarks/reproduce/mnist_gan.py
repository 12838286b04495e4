"""MNIST made by generators, and judged by a convolutional network that knows the training images.

Of 10,000 samples: how many the judge is .9 sure of, the smallest and the largest share of a digit,
and the Frechet distance of the judge's features from those of the test images, beside that of as
many training images. Of a conditional generator, how many samples are taken for the digit that was
asked for. The judge errs in less than 1 % of the test images, which nothing else sees. With
``--select`` the last 10,000 training images judge, and the others train.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from benchmarks.reproduce._headline import Samples, parts
from benchmarks.reproduce._judge import N_SAMPLES, Judge, Verdict
from sknets import DCGAN
from sknets.datasets import load_mnist

# On the validation part, one seed, 10 epochs: sure of 89.7 %, a distance of 7.5. In minibatches of
# 128 with less of a penalty and two layers 76.2 % and 55, at half the rate 75.0 % and 64, and with
# beta_1=0.5 and beta_2=0.999 then 65.0 % and 107.
SETTINGS: dict[str, Any] = {
    "n_components": 64,
    "filters": (32, 64, 128),
    "r1": 0.3,
    "learning_rate": "cosine",
    "learning_rate_init": 0.002,
    "beta_1": 0.0,
    "beta_2": 0.99,
    "batch_size": 64,
    "max_iter": 20,
    "averaging": "ema",
    "precision": "bfloat16",
}


@cache
def data(select: bool, toy: bool) -> tuple[Samples, Judge]:
    """What is learnt from, and who judges."""
    train, judging = parts(load_mnist, select, toy)
    return train, Judge(train, judging, sides(toy), toy)


def sides(toy: bool) -> tuple[int, int]:
    return (8, 8) if toy else (28, 28)


@cache
def made(conditional: bool, select: bool, seed: int, toy: bool) -> tuple[Verdict, float]:
    """The verdict on samples, and the seconds of the fit."""
    train, judge = data(select, toy)
    small: dict[str, Any] = {"filters": 4, "max_iter": 1} if toy else {}
    gan = DCGAN(
        **SETTINGS | small, conditional=conditional, image_shape=sides(toy), random_state=seed
    )
    seconds = timed(lambda: gan.fit(*train), lambda _: 0.0).seconds
    asked = np.arange(200 if toy else N_SAMPLES) % 10
    samples = gan.sample(len(asked), y=asked if conditional else None, random_state=seed)
    return judge(samples, asked), seconds


def measured(what: str, conditional: bool, select: bool, seed: int, toy: bool) -> Outcome:
    """A figure of the verdict."""
    verdict, seconds = made(conditional, select, seed, toy)
    return Outcome(getattr(verdict, what), seconds)


def of_training(select: bool, seed: int, toy: bool) -> Outcome:
    """The Frechet distance of training images."""
    train, judge = data(select, toy)
    chosen = np.random.default_rng(seed).permutation(len(train.y))[:N_SAMPLES]
    return Outcome(judge(*train.rows(chosen)).distance, 0.0)


def claims(select: bool) -> list[Claim]:
    bar: dict[str, Any] = {"seeds": 3, "minutes": 40}
    plain, asked = (
        {what: partial(measured, what, conditional, select) for what in Verdict._fields}
        for conditional in (False, True)
    )
    return [
        Claim("% of samples that the judge is sure of", plain["sure"], least=85, **bar),
        Claim("smallest share of a digit", plain["smallest"], least=5, each=True, **bar),
        Claim("largest share of a digit", plain["largest"], most=15, each=True, **bar),
        Claim("Frechet distance", plain["distance"], seeds=3),
        Claim("Frechet distance of training images", partial(of_training, select), seeds=3),
        Claim("% of asked digits recognised", asked["recognised"], least=95, **bar),
        Claim("% of asked digits that the judge is sure of", asked["sure"], seeds=3),
        Claim("Frechet distance of asked digits", asked["distance"], seeds=3),
    ]


def main(select: bool = False, **how: Any) -> list[dict[str, Any]]:
    return reproduce(claims(select), **how)


if __name__ == "__main__":
    main(**vars(options(__doc__, claims(False), "the validation part").parse_args()))
