"""Torch layers that several convolutional networks share."""

from __future__ import annotations

from torch import nn


class LocalResponseNorm(nn.LocalResponseNorm):
    """x / (k + alpha * sum of x^2 over n neighbouring channels)^beta.

    Krizhevsky et al. (2012, section 3.3). Torch divides its alpha by n, the paper does not.
    """

    def __init__(self, n: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0) -> None:
        super().__init__(n, n * alpha, beta, k)
