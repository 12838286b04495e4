"""What one minibatch does: a loss, and the gradients it leaves in the parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from sknets._data import Batch
from sknets._training.losses import Loss


class StepResult(NamedTuple):
    """The mean loss over a batch, and the network's raw outputs for it."""

    loss: Tensor
    raw: Tensor | None


class Step(Protocol):
    """Compute a batch's loss and set (not add) the gradient of every parameter.

    What a step has beside the network, and needs to go on, it gives by ``state()`` and takes by
    ``load_state(state)``.
    """

    def __call__(self, batch: Batch) -> StepResult: ...


class DifferentiableStep(Step, Protocol):
    """A step whose loss is a function of the network, rather than of samples of it."""

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
        return self.evaluate(batch).loss

    def evaluate(self, batch: Batch) -> StepResult:
        """The mean loss over a batch and the raw outputs, not detached."""
        raw = self.module(batch.x)
        return StepResult(weighted_mean(self.loss(raw, batch.targets), batch.weight), raw)


class GradientStep(ABC):
    """Abstract: a step whose loss autograd differentiates.

    Parameters
    ----------
    gradient : Tensor of shape (n_parameters,)
        Of all parameters, one vector.
    mixed : bool
        Whether the network multiplies in bfloat16; weights, sums and the loss stay float32.
    """

    def __init__(self, gradient: Tensor, mixed: bool = False) -> None:
        self.gradient = gradient
        self.mixed = mixed and gradient.dtype == torch.float32

    @abstractmethod
    def evaluate(self, batch: Batch) -> StepResult:
        """The mean loss over a batch and the raw outputs, not detached."""

    def forward(self, batch: Batch) -> Tensor:
        """The mean loss over a batch, for autograd to differentiate."""
        return self.evaluate(batch).loss

    def __call__(self, batch: Batch) -> StepResult:
        """Set the gradients of the mean loss over a batch."""
        self.gradient.zero_()
        with torch.enable_grad():
            loss, raw = self.evaluate(batch)
            loss.backward()
        return StepResult(loss.detach(), None if raw is None else raw.detach())

    def multiplying(self) -> AbstractContextManager[Any]:
        """Within, products are in bfloat16 where that was asked for."""
        return multiplying(self.mixed, self.gradient.device)


class AutogradStep(GradientStep, SupervisedStep):
    """A supervised step of any network.

    Parameters
    ----------
    module : nn.Module
    loss : Loss
    gradient : Tensor of shape (n_parameters,)
        Of all parameters, one vector.
    mixed : bool
        Whether the network multiplies in bfloat16; weights, sums and the loss stay float32.
    """

    def __init__(
        self, module: nn.Module, loss: Loss, gradient: Tensor, mixed: bool = False
    ) -> None:
        GradientStep.__init__(self, gradient, mixed)
        SupervisedStep.__init__(self, module, loss)

    def evaluate(self, batch: Batch) -> StepResult:
        """The mean loss over a batch and the raw outputs, not detached."""
        with self.multiplying():
            raw = self.module(batch.x)
        raw = raw.to(self.gradient.dtype)
        return StepResult(weighted_mean(self.loss(raw, batch.targets), batch.weight), raw)


def multiplying(mixed: bool, device: torch.device) -> AbstractContextManager[Any]:
    """Within, products are in bfloat16 where that was asked for."""
    return torch.autocast(device.type, torch.bfloat16) if mixed else nullcontext()


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """The mean of values of shape (n,), by weights of shape (n,) or None."""
    if weight is None:
        return values.mean()
    return torch.dot(values, weight) / weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
