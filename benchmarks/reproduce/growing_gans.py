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
from benchmarks.reproduce.mnist_gan import N_SAMPLES, SURE, frechet_distance, judge_of
from sknets import CNNClassifier, ProgressiveGAN, StyleGAN
from sknets.datasets import load_fashion_mnist, load_mnist

FRAME = 2  # pixels on each side
DATA = {"digits": load_mnist, "clothes": load_fashion_mnist}
SHARED: dict[str, Any] = {
    "max_iter": 16,
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
def data(name: str, select: bool, toy: bool) -> tuple[Samples, Samples, CNNClassifier]:
    """What is learnt from, what judges, and the network in whose features."""
    train, judging = (framed(part, toy) for part in parts(DATA[name], select, toy))
    return train, judging, judge_of(train, judging, toy)


@cache
def made(network: str, name: str, select: bool, seed: int, toy: bool) -> tuple[np.ndarray, Outcome]:
    """Samples, and what the fit took."""
    train, _, _ = data(name, select, toy)
    kind, own = NETWORKS[network]
    small: dict[str, Any] = {"filters": (4, 4), "max_iter": 2} if toy else {}
    gan = kind(**SHARED | own | small, random_state=seed)
    fitted: list[Any] = []
    outcome = timed(lambda: gan.fit(train.X), lambda fit: fitted.append(fit) or 0.0)
    return fitted[0].sample(200 if toy else N_SAMPLES, random_state=seed), outcome


def distance(network: str, name: str, select: bool, seed: int, toy: bool) -> Outcome:
    """The Frechet distance to images that were not learnt from."""
    _, judging, judge = data(name, select, toy)
    samples, outcome = made(network, name, select, seed, toy)
    features = [judge.transform(X).astype(float) for X in (samples, judging.X)]
    return outcome._replace(value=frechet_distance(*features))


def of_training(name: str, select: bool, seed: int, toy: bool) -> Outcome:
    """That of training images."""
    train, judging, judge = data(name, select, toy)
    chosen = np.random.default_rng(seed).permutation(train.X)[:N_SAMPLES]
    features = [judge.transform(X).astype(float) for X in (chosen, judging.X)]
    return Outcome(frechet_distance(*features), 0.0)


def sure(network: str, name: str, select: bool, seed: int, toy: bool) -> Outcome:
    """Of how many samples the judge is sure, in %."""
    _, _, judge = data(name, select, toy)
    samples, outcome = made(network, name, select, seed, toy)
    surest = judge.predict_proba(samples).max(axis=1)
    return outcome._replace(value=100 * float((surest >= SURE).mean()))


def claims(select: bool) -> list[Claim]:
    found = []
    for name in DATA:
        found += [
            Claim(f"{name}, {network}, {what}", partial(measure, network, name, select))
            for network in NETWORKS
            for what, measure in (("Frechet distance", distance), ("% sure", sure))
        ]
        learnt = partial(of_training, name, select)
        found.append(Claim(f"{name}, training images, Frechet distance", learnt))
    return found


def main(select: bool = False, **how: Any) -> list[dict[str, Any]]:
    return reproduce(claims(select), **how)


if __name__ == "__main__":
    main(**vars(options(__doc__, claims(False), "the validation part").parse_args()))
