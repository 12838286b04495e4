"""MNIST made by generators, and judged by a convolutional network that knows the training images.

Of 10,000 samples: how many the judge is .9 sure of, the smallest and the largest share of a digit,
and the Frechet distance of the judge's features (Heusel et al., 2017,
https://arxiv.org/abs/1706.08500) from those of the test images, beside that of as many training
images. Of a conditional generator, how many samples are taken for the digit that was asked for. The
judge errs in less than 1 % of the test images, which nothing else sees. With ``--select`` the last
10,000 training images judge, and the others train.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from benchmarks.reproduce._headline import Samples, parts
from sknets import DCGAN, CNNClassifier
from sknets.cnn import ConvNet
from sknets.datasets import load_mnist

N_SAMPLES = 10_000
SURE = 0.9
SETTINGS: dict[str, Any] = {
    "n_components": 64,
    "filters": (64, 128),
    "learning_rate_init": 0.0005,
    "batch_size": 128,
    "max_iter": 25,
    "averaging": "ema",
    "precision": "bfloat16",
}


def judge_of(train: Samples, judging: Samples, toy: bool) -> CNNClassifier:
    """A convolutional network that tells images apart."""
    clf = CNNClassifier(
        ConvNet(channels=(32, 64), kernel_size=5, batch_norm=True, dense=256, dropout=0.5),
        image_shape=(8, 8) if toy else (28, 28),
        learning_rate="one_cycle",
        learning_rate_init=0.01,
        batch_size=128,
        max_iter=1 if toy else 5,
        random_state=0,
    ).fit(*train)
    print(f"  the judge errs in {100 * (1 - clf.score(*judging)):.2f} %", flush=True)
    return clf


@cache
def data(select: bool, toy: bool) -> tuple[Samples, Samples, CNNClassifier]:
    """What is learnt from, what judges, and the network in whose features."""
    train, judging = parts(load_mnist, select, toy)
    return train, judging, judge_of(train, judging, toy)


@cache
def made(
    conditional: bool, select: bool, seed: int, toy: bool
) -> tuple[np.ndarray, np.ndarray, Outcome]:
    """Samples, the classes that were asked for, and what the fit took."""
    train, _, _ = data(select, toy)
    small: dict[str, Any] = {"filters": 4, "max_iter": 1} if toy else {}
    gan = DCGAN(
        **SETTINGS | small,
        conditional=conditional,
        image_shape=(8, 8) if toy else (28, 28),
        random_state=seed,
    )
    fitted: list[Any] = []
    outcome = timed(lambda: gan.fit(*train), lambda fit: fitted.append(fit) or 0.0)
    asked = np.arange(200 if toy else N_SAMPLES) % 10
    given = {"y": asked} if conditional else {}
    return fitted[0].sample(len(asked), **given, random_state=seed), asked, outcome


def sure(select: bool, seed: int, toy: bool) -> Outcome:
    """Of how many samples the judge is sure, in %."""
    _, _, judge = data(select, toy)
    samples, _, outcome = made(False, select, seed, toy)
    surest = judge.predict_proba(samples).max(axis=1)
    return outcome._replace(value=100 * float((surest >= SURE).mean()))


def share(which: str, select: bool, seed: int, toy: bool) -> Outcome:
    """The smallest or the largest share of a digit among the samples, in %."""
    _, _, judge = data(select, toy)
    samples, _, outcome = made(False, select, seed, toy)
    counts = np.bincount(judge.predict(samples).astype(int), minlength=10)
    return outcome._replace(value=100 * float(getattr(counts, which)() / counts.sum()))


def recognised(select: bool, seed: int, toy: bool) -> Outcome:
    """How many samples are taken for what was asked for, in %."""
    _, _, judge = data(select, toy)
    samples, asked, outcome = made(True, select, seed, toy)
    return outcome._replace(value=100 * float((judge.predict(samples) == asked).mean()))


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Between normal distributions with the moments of two samples."""
    first, second = (np.cov(each, rowvar=False) for each in (a, b))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * values.clip(0) ** 0.5) @ vectors.T
    # The eigenvalues of first @ second, of a matrix that is symmetric.
    of_product = np.linalg.eigvalsh(root @ second @ root).clip(0)
    shift = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    return float(shift + np.trace(first) + np.trace(second) - 2 * np.sqrt(of_product).sum())


def distance(of_real: bool, select: bool, seed: int, toy: bool) -> Outcome:
    """The Frechet distance to images that were not learnt from, of samples or of learnt ones."""
    train, judging, judge = data(select, toy)
    samples, _, outcome = made(False, select, seed, toy)
    if of_real:
        samples = np.random.default_rng(seed).permutation(train.X)[: len(samples)]
    features = [judge.transform(X).astype(float) for X in (samples, judging.X)]
    return outcome._replace(value=frechet_distance(*features))


def claims(select: bool) -> list[Claim]:
    bar: dict[str, Any] = {"seeds": 3, "minutes": 40}
    each: dict[str, Any] = {"seeds": 3, "each": True}
    of_made, of_real = (partial(distance, of_real, select) for of_real in (False, True))
    return [
        Claim("% of samples that the judge is sure of", partial(sure, select), least=85, **bar),
        Claim("smallest share of a digit", partial(share, "min", select), least=5, **each),
        Claim("largest share of a digit", partial(share, "max", select), most=15, **each),
        Claim("Frechet distance", of_made, seeds=3),
        Claim("Frechet distance of training images", of_real, seeds=3),
        Claim("% of asked digits recognised", partial(recognised, select), least=95, **bar),
    ]


def main(select: bool = False, **how: Any) -> list[dict[str, Any]]:
    return reproduce(claims(select), **how)


if __name__ == "__main__":
    main(**vars(options(__doc__, claims(False), "the validation part").parse_args()))
