"""What one minibatch does: a loss, and the gradients it leaves in the parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from sknets._data import Batch
from sknets._training.losses import Loss


class StepResult(NamedTuple):
    """The mean loss over a batch, detached, and the network's raw outputs."""

    loss: Tensor
    raw: Tensor | None


class Step(Protocol):
    """Compute a batch's loss and set (not add) the gradient of every parameter."""

    def __call__(self, batch: Batch) -> StepResult: ...

    def forward(self, batch: Batch) -> Tensor:
        """The loss alone, for autograd to differentiate."""
        ...


class SupervisedStep(ABC):
    """Abstract: the loss between a network's outputs and the targets."""

    def __init__(self, module: nn.Module, loss: Loss) -> None:
        self.module, self.loss = module, loss

    @abstractmethod
    def __call__(self, batch: Batch) -> StepResult:
        """Set the gradients of the mean loss over a batch."""

    def forward(self, batch: Batch) -> Tensor:
        """The mean loss over a batch, for autograd to differentiate."""
        return self.mean_loss(self.module(batch.x), batch)

    def mean_loss(self, raw: Tensor, batch: Batch) -> Tensor:
        """The (weighted) mean of the losses of raw outputs."""
        return weighted_mean(self.loss(raw, batch.targets), batch.weight)


class AutogradStep(SupervisedStep):
    """A supervised step of any network, which autograd differentiates."""

    def __init__(self, module: nn.Module, loss: Loss, gradient: Tensor) -> None:
        super().__init__(module, loss)
        self.gradient = gradient  # of all parameters, one vector

    def __call__(self, batch: Batch) -> StepResult:
        """Set the gradients of the mean loss over a batch."""
        self.gradient.zero_()
        with torch.enable_grad():
            raw = self.module(batch.x)
            loss = self.mean_loss(raw, batch)
            loss.backward()
        return StepResult(loss.detach(), raw.detach())


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """The mean of values of shape (n,), by weights of shape (n,) or None."""
    if weight is None:
        return values.mean()
    return torch.dot(values, weight) / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
