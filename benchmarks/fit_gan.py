"""Fit time of GAN and DCGAN against a bare PyTorch loop with two optimisers.

Both train the same networks on the same rows for as many epochs with Adam, in float32, the
generator's samples made once for both players. The loop is what somebody who knows PyTorch writes
by hand, after its tutorial on DCGAN.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks._timing import case_arguments, run_cases
from sknets import DCGAN, GAN
from sknets.datasets import load_mnist

RATE, BETAS = 2e-4, (0.5, 0.999)
N_CODE = 64
FILTERS = (32, 64)


def ring() -> np.ndarray:
    """Eight clouds on a circle."""
    random = np.random.default_rng(0)
    angle = 2 * np.pi * random.integers(0, 8, 10_000) / 8
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return (points + 0.01 * random.normal(size=points.shape)).astype(np.float32)


def digits() -> np.ndarray:
    """The first 6,000 images of MNIST, between 0 and 1."""
    return (load_mnist().data[:6000] / 255).astype(np.float32)


def dense_players() -> tuple[nn.Module, nn.Module]:
    generator = nn.Sequential(
        nn.Linear(N_CODE, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2)
    )
    discriminator = nn.Sequential(
        nn.Linear(2, 128), nn.LeakyReLU(), nn.Linear(128, 128), nn.LeakyReLU(), nn.Linear(128, 1)
    )
    return generator, discriminator


def convolutional_players() -> tuple[nn.Module, nn.Module]:
    small, large = FILTERS
    first = (large, 7, 7)
    generator = nn.Sequential(
        nn.Linear(N_CODE, prod(first)),
        nn.Unflatten(1, first),
        nn.BatchNorm2d(large),
        nn.ReLU(),
        nn.ConvTranspose2d(large, small, 4, 2, 1),
        nn.BatchNorm2d(small),
        nn.ReLU(),
        nn.ConvTranspose2d(small, 1, 4, 2, 1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, small, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(small, large, 4, 2, 1),
        nn.BatchNorm2d(large),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(prod(first), 1),
    )
    return generator, discriminator


class Case(NamedTuple):
    """Data, how both sides make their networks, and how long to train."""

    load: Callable[[], np.ndarray]
    ours: Callable[[], Any]
    players: Callable[[], tuple[nn.Module, nn.Module]]
    item: tuple[int, ...]
    batch_size: int
    epochs: int


CASES = {
    "ring of clouds, 64-128-128-2": Case(
        ring,
        lambda **how: GAN(N_CODE, **how),
        dense_players,
        (2,),
        256,
        20,
    ),
    "MNIST, DCGAN of 32 and 64 filters": Case(
        digits,
        lambda **how: DCGAN(N_CODE, FILTERS, image_shape=(28, 28), **how),
        convolutional_players,
        (1, 28, 28),
        128,
        1,
    ),
}
BARS = {"bare loop": 1.05}


def fit_ours(X: np.ndarray, case: Case, **more: Any) -> Any:
    how = {"batch_size": case.batch_size, "max_iter": case.epochs, "learning_rate_init": RATE}
    return case.ours(**how, random_state=0, device="cpu", **more).fit(X)


def fit_in_bfloat16(X: np.ndarray, case: Case) -> Any:
    return fit_ours(X, case, precision="bfloat16")


def cost(logits: Tensor, target: float) -> Tensor:
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def fit_bare_loop(X: np.ndarray, case: Case) -> nn.Module:
    x = torch.from_numpy(X).reshape(-1, *case.item)
    x = 2 * x - 1 if len(case.item) > 1 else (x - x.mean(0)) / x.std(0)
    generator, discriminator = case.players()
    optimizers = [
        torch.optim.Adam(player.parameters(), RATE, BETAS, fused=True)
        for player in (generator, discriminator)
    ]
    for _ in range(case.epochs):
        for real in x[torch.randperm(len(x))].split(case.batch_size):
            made = generator(torch.randn(len(real), N_CODE))
            optimizers[1].zero_grad()
            cost(discriminator(real), 1.0).backward()
            cost(discriminator(made.detach()), 0.0).backward()
            optimizers[1].step()
            optimizers[0].zero_grad()
            cost(discriminator(made), 1.0).backward()
            optimizers[0].step()
    return generator


SIDES = {"ours": fit_ours, "bare loop": fit_bare_loop, "ours, bfloat16": fit_in_bfloat16}


def sides(case: Case) -> dict[str, Callable[[], Any]]:
    X = case.load()
    return {side: partial(fit, X, case) for side, fit in SIDES.items()}


main = partial(run_cases, CASES, sides, BARS)

if __name__ == "__main__":
    main(**vars(case_arguments(__doc__, CASES).parse_args()))
