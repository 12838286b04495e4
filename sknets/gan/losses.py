"""What two players of a generative adversarial network want of the discriminator's logits.

A logit is positive for what looks real. Losses are means over logits of real samples, `real`, and
of made ones, `made`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus


class GameLoss(ABC):
    """Abstract: the losses of both players.

    Parameters
    ----------
    smoothing : float
        By how much the target of real samples is below 1 (Salimans et al., 2016, section 3.4),
        where there are targets.
    """

    has_targets = True

    def __init__(self, smoothing: float = 0.0) -> None:
        self.smoothing = smoothing

    @abstractmethod
    def of_discriminator(self, real: Tensor, made: Tensor) -> Tensor:
        """What telling them apart costs."""

    @abstractmethod
    def of_generator(self, made: Tensor) -> Tensor:
        """What being told apart costs."""


class NonSaturating(GameLoss):
    """The cross-entropy, of which the generator maximises log D (Goodfellow et al., 2014)."""

    def of_discriminator(self, real: Tensor, made: Tensor) -> Tensor:
        smoothed = softplus(-real) + self.smoothing * real  # of the target 1 - smoothing
        return smoothed.mean() + softplus(made).mean()

    def of_generator(self, made: Tensor) -> Tensor:
        return softplus(-made).mean()


class Minimax(NonSaturating):
    """The cross-entropy, of which the generator minimises log(1 - D) (Goodfellow et al., eq. 1)."""

    def of_generator(self, made: Tensor) -> Tensor:
        return -softplus(made).mean()


class LeastSquares(GameLoss):
    """Half the squared distance to 1 and 0 (Mao et al., 2017, equation 9)."""

    def of_discriminator(self, real: Tensor, made: Tensor) -> Tensor:
        return ((real - 1 + self.smoothing).square().mean() + made.square().mean()) / 2

    def of_generator(self, made: Tensor) -> Tensor:
        return (made - 1).square().mean() / 2


class Wasserstein(GameLoss):
    """The difference of the means (Arjovsky, Chintala and Bottou, 2017)."""

    has_targets = False

    def of_discriminator(self, real: Tensor, made: Tensor) -> Tensor:
        return made.mean() - real.mean()

    def of_generator(self, made: Tensor) -> Tensor:
        return -made.mean()


class Hinge(Wasserstein):
    """What is within a margin of 1 (Lim and Ye, 2017; Miyato et al., 2018, equations 16 and 17)."""

    def of_discriminator(self, real: Tensor, made: Tensor) -> Tensor:
        return relu(1 - real).mean() + relu(1 + made).mean()


GAME_LOSSES: dict[str, type[GameLoss]] = {
    "non_saturating": NonSaturating,
    "minimax": Minimax,
    "least_squares": LeastSquares,
    "wasserstein": Wasserstein,
    "hinge": Hinge,
}


def squared_slopes(logits: Tensor, x: Tensor) -> Tensor:
    """The squared norm of each logit's gradient by its samples, of shape (n,), differentiable."""
    (slopes,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    n_each = len(x) // len(logits)
    return slopes[: n_each * len(logits)].reshape(len(logits), -1).square().sum(1)


def gradient_penalty(logits: Tensor, x: Tensor) -> Tensor:
    """The squared distance of slopes from 1 (Gulrajani et al., 2017, equation 3).

    Parameters
    ----------
    logits : Tensor of shape (n,)
        Of `x`.
    x : Tensor
        Points on the lines between real and made samples, which require gradients.
    """
    squares = squared_slopes(logits, x)
    return ((squares + SMALLEST).sqrt() - 1).square().mean()


def r1_penalty(logits: Tensor, x: Tensor) -> Tensor:
    """Half the squared slopes at real samples (Mescheder et al., 2018, equation 9)."""
    return squared_slopes(logits, x).mean() / 2


SMALLEST = 1e-12  # under a root, where its slope is not finite
