"""Captions of Flickr8k's photographs, beside a captioner that sees none: BLEU-1 to -4.

Of the 8,000 photographs some 1,000 are at hand. The convolutional network first learns CIFAR-10's
classes, for which photographs are halved to 32 x 32 pixels. Who ignores the image learns the same
captions of blank ones. Vinyals et al. (2015), https://doi.org/10.48550/arXiv.1411.4555, report
BLEU-1 63 from all photographs and a network trained on ImageNet. With ``--select`` the validation
part judges.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from sknets import CNNClassifier, ImageCaptioner
from sknets.cnn import ConvNet
from sknets.datasets import load_cifar10, load_flickr8k
from sknets.preprocessing import ImageResizer

SEEING = ConvNet(channels=((32, 32), (64, 64), 128), batch_norm=True, dense=256, dropout=0.3)
TOY = ConvNet(channels=4, dense=8)
SETTINGS: dict[str, Any] = {
    "lowercase": True,
    "hidden_layer_sizes": (256,),
    "embedding_dim": 128,
    "dropout": 0.5,
    "batch_size": 64,
    "max_iter": 10,
    "learning_rate": "one_cycle",
    "learning_rate_init": 0.002,
    "precision": "bfloat16",
    "beam_size": 4,
    "device": "cpu",
}
Captioned = tuple[np.ndarray, list[list[str]]]


def photographs(subset: str) -> Captioned:
    """Halved, and five captions of each."""
    found = load_flickr8k(subset=subset)
    return ImageResizer(32).fit_transform(found.images), found.target


def toy_photographs() -> Captioned:
    images = np.random.default_rng(0).random((20, 3, 8, 8)).astype(np.float32)
    return images, [["a dog runs on the grass .", "a dog runs on the grass ."]] * 20


@cache
def seeing(seed: int) -> CNNClassifier:
    """The network that knows CIFAR-10's classes."""
    model = CNNClassifier(
        SEEING,
        augment=("flip", "crop"),
        batch_size=128,
        max_iter=15,
        learning_rate="one_cycle",
        learning_rate_init=0.005,
        random_state=seed,
        device="cpu",
    )
    found = load_cifar10()
    return model.fit(found.images, found.target)


@cache
def written(seed: int, toy: bool, select: bool, sees: bool) -> tuple[ImageCaptioner, Captioned]:
    """The fitted captioner, and what judges it."""
    settings = SETTINGS | {"random_state": seed}
    if toy:
        train = unseen = toy_photographs()
        settings |= {
            "architecture": TOY,
            "hidden_layer_sizes": (4,),
            "batch_size": 10,
            "max_iter": 1,
        }
    else:
        train, unseen = map(photographs, ("train", "validation" if select else "test"))
        settings |= {"architecture": SEEING, "weights": seeing(seed) if sees else None}
    if not sees:
        train, unseen = ((np.zeros_like(X), y) for X, y in (train, unseen))
    return ImageCaptioner(**settings).fit(*train), unseen


def bleu(seed: int, toy: bool, select: bool, sees: bool, n: int) -> Outcome:
    """In %; the fit is the same for each `n`."""

    def value(found: tuple[ImageCaptioner, Captioned]) -> float:
        model, (X, y) = found
        return 100 * model.bleu(X, y, n)

    return timed(lambda: written(seed, toy, select, sees), value)


def claims(select: bool) -> list[Claim]:
    return [
        Claim(
            f"BLEU-{n}, {'photographs' if sees else 'blank images'}",
            partial(bleu, select=select, sees=sees, n=n),
            seeds=3,
        )
        for sees in (True, False)
        for n in (1, 2, 3, 4)
    ]


def main(select: bool = False, **how: Any) -> list[dict[str, Any]]:
    return reproduce(claims(select), **how)


if __name__ == "__main__":
    main(**vars(options(__doc__, claims(False), "the validation part").parse_args()))
