"""What one minibatch does: a loss, and the gradients it leaves in the parameters."""

from __future__ import annotations

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

    def differentiable(self, raw: Tensor, batch: Batch) -> Tensor:
        """The loss as a function of the raw outputs, for autograd."""
        ...


class SupervisedStep:
    """The loss between a network's outputs and the targets, differentiated by autograd."""

    def __init__(self, module: nn.Module, loss: Loss, gradient: Tensor) -> None:
        self.module, self.loss, self.gradient = module, loss, gradient

    def __call__(self, batch: Batch) -> StepResult:
        self.gradient.zero_()
        with torch.enable_grad():
            raw = self.module(batch.x)
            loss = self.differentiable(raw, batch)
            loss.backward()
        return StepResult(loss.detach(), raw.detach())

    def differentiable(self, raw: Tensor, batch: Batch) -> Tensor:
        """The (weighted) mean loss over the batch."""
        return weighted_mean(self.loss(raw, batch.targets), batch.weight)


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """The mean of values of shape (n,), by weights of shape (n,) or None."""
    if weight is None:
        return values.mean()
    return torch.dot(values, weight) / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
