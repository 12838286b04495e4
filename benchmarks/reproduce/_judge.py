"""Made images in the eyes of a convolutional network that knows the training images."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from benchmarks.reproduce._headline import Samples
from sknets import CNNClassifier
from sknets.cnn import ConvNet

N_SAMPLES = 10_000
SURE = 0.9


class Verdict(NamedTuple):
    """What a judge says of samples.

    Parameters
    ----------
    sure : float
        Of how many it is .9 sure, in %.
    smallest, largest : float
        Shares of a class, in %.
    recognised : float
        How many it takes for what was asked for, in %.
    distance : float
        Between the moments of its features of them and of images that were not learnt from (Heusel
        et al., 2017, https://arxiv.org/abs/1706.08500).
    """

    sure: float
    smallest: float
    largest: float
    recognised: float
    distance: float


class Judge:
    """A convolutional network that tells images apart, and the images that others are like.

    Parameters
    ----------
    train, judging : Samples
        What it learns from, and what samples should be like.
    sides : tuple of int
    toy : bool
    """

    def __init__(self, train: Samples, judging: Samples, sides: tuple[int, int], toy: bool) -> None:
        self.clf = CNNClassifier(
            ConvNet(channels=(32, 64), kernel_size=5, batch_norm=True, dense=256, dropout=0.5),
            image_shape=sides,
            learning_rate="one_cycle",
            learning_rate_init=0.01,
            batch_size=128,
            max_iter=1 if toy else 5,
            random_state=0,
        ).fit(*train)
        print(f"  the judge errs in {100 * (1 - self.clf.score(*judging)):.2f} %", flush=True)
        self.features = self.clf.transform(judging.X).astype(float)

    def __call__(self, samples: np.ndarray, asked: Any) -> Verdict:
        """The verdict on samples, for which classes were asked."""
        chances = self.clf.predict_proba(samples)
        seen = chances.argmax(axis=1)
        shares = 100 * np.bincount(seen, minlength=chances.shape[1]) / len(seen)
        return Verdict(
            sure=100 * float((chances.max(axis=1) >= SURE).mean()),
            smallest=float(shares.min()),
            largest=float(shares.max()),
            recognised=100 * float((self.clf.classes_[seen] == asked).mean()),
            distance=frechet_distance(self.clf.transform(samples).astype(float), self.features),
        )


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Between normal distributions with the moments of two samples."""
    first, second = (np.cov(each, rowvar=False) for each in (a, b))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * values.clip(0) ** 0.5) @ vectors.T
    # The eigenvalues of first @ second, of a matrix that is symmetric.
    of_product = np.linalg.eigvalsh(root @ second @ root).clip(0)
    shift = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    return float(shift + np.trace(first) + np.trace(second) - 2 * np.sqrt(of_product).sum())
