"""Codes of a generator: ways between them, and those whose samples are nearest to data."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sknets.gan.network import AdversarialNet

INVERSION_RATE = 0.05
SMALLEST_SINE = 1e-6


def line(first: np.ndarray, last: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Points along the line between two codes, of shape (n, n_components)."""
    return first + shares * (last - first)


def arc(first: np.ndarray, last: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Points along an arc between two codes (Shoemake, 1985), of shape (n, n_components)."""
    lengths = np.linalg.norm(first), np.linalg.norm(last)
    cosine = np.clip(first @ last / max(lengths[0] * lengths[1], np.finfo(float).tiny), -1, 1)
    angle = np.arccos(cosine)
    if np.sin(angle) < SMALLEST_SINE:
        return line(first, last, shares)
    weights = np.sin((1 - shares) * angle), np.sin(shares * angle)
    return (weights[0] * first + weights[1] * last) / np.sin(angle)


def nearest_codes(network: AdversarialNet, inputs: Tensor, starts: Tensor, n_steps: int) -> Tensor:
    """Codes whose samples are nearest to rows, which have their classes beside them.

    Adam descends from each of some codes, and a row keeps the best (Lipton and Tripathi, 2017,
    https://arxiv.org/abs/1702.04782). The distance is the squared one in the network's units.
    """
    target, classes = network.split(inputs)
    n = len(target)
    found = [descended(network, z.expand(n, -1), classes, target, n_steps) for z in starts]
    codes, distances = map(torch.stack, zip(*found, strict=True))
    return codes[distances.argmin(0), torch.arange(n, device=codes.device)]


def descended(
    network: AdversarialNet, z: Tensor, classes: Tensor, target: Tensor, n_steps: int
) -> tuple[Tensor, Tensor]:
    """Codes nearer to a target, and how far their samples are, squared."""
    z = z.clone().requires_grad_()
    optimizer = torch.optim.Adam([z], lr=INVERSION_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    for _ in range(n_steps):
        made = network.generator(z, classes, None)
        (made - target).square().sum().backward(inputs=[z])
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if network.prior.kind == "uniform":
            z.data.clamp_(-1, 1)
    with torch.no_grad():
        distance = (network.generator(z, classes, None) - target).square().sum(1)
    return z.detach(), distance
