"""Back-propagation through a chain of layers, its gradient written out.

With a canonical link the gradient by the raw output is *output - target*; layer by layer
``dL/dW = delta.T @ a`` and ``delta = (delta @ W) * f'(z)`` (Rumelhart, Hinton and Williams, 1986).
On small networks autograd's bookkeeping costs as much as the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sknets._data import Batch
from sknets._training.losses import Loss
from sknets._training.steps import StepResult, SupervisedStep

aten = torch.ops.aten


class Activation(NamedTuple):
    """A function of one number: applied in place, and its derivative by its value."""

    apply: Callable[[Tensor], Tensor]
    multiply: Callable[[Tensor, Tensor], Tensor]  # delta, in place, by the derivative at a


IDENTITY = Activation(lambda z: z, lambda delta, a: delta)
ACTIVATIONS: dict[type[nn.Module | None], Activation] = {
    nn.Identity: IDENTITY,
    nn.Sigmoid: Activation(
        torch.Tensor.sigmoid_,
        lambda delta, a: aten.sigmoid_backward.grad_input(delta, a, grad_input=delta),
    ),
    nn.Tanh: Activation(
        torch.Tensor.tanh_,
        lambda delta, a: aten.tanh_backward.grad_input(delta, a, grad_input=delta),
    ),
    nn.ReLU: Activation(
        torch.Tensor.relu_,
        lambda delta, a: aten.threshold_backward.grad_input(delta, a, 0, grad_input=delta),
    ),
}


class Layer(NamedTuple):
    """A linear layer: its parameters, where their gradients go, and the activation after it."""

    weight: Tensor
    transposed: Tensor
    bias: Tensor
    weight_grad: Any
    bias_grad: Any
    activation: Activation

    @classmethod
    def of(cls, linear: nn.Linear, activation: Activation) -> Layer:
        weight, bias = linear.weight, linear.bias
        values = weight.detach(), weight.detach().t(), bias.detach()
        return cls(*values, weight.grad, bias.grad, activation)


class Backpropagation(SupervisedStep):
    """The training step of a chain of linear layers and simple activations, without autograd.

    Parameters
    ----------
    module : nn.Module
    chain : sequence of nn.Module
        The layers that `module` is, the last of them linear.
    loss : Loss
        With a canonical link.
    """

    def __init__(self, module: nn.Module, chain: Sequence[nn.Module], loss: Loss) -> None:
        super().__init__(module, loss)
        *self.hidden, self.last = self.layers = list(_layers(chain))
        self.last_bias = self.last.bias[:, None]

    @staticmethod
    def is_possible(chain: Sequence[nn.Module], loss: Loss) -> bool:
        """Whether layers are linear or simple activations, and the loss has a canonical link."""
        plain = {nn.Linear, *ACTIVATIONS}
        return loss.canonical and all(type(layer) in plain for layer in chain)

    def __call__(self, batch: Batch) -> StepResult:
        """Set the gradients of the mean loss over a batch."""
        a = batch.x
        inputs = [a]
        for layer in self.hidden:
            a = layer.activation.apply(torch.addmm(layer.bias, a, layer.transposed))
            inputs.append(a)
        raw = self._raw_outputs(a)
        loss, delta = self._loss_and_delta(raw, batch)
        for layer, below in zip(reversed(self.layers), [*reversed(self.hidden), None], strict=True):
            a = inputs.pop()
            if a.layout is torch.strided:
                torch.mm(delta.t(), a, out=layer.weight_grad)
            else:
                layer.weight_grad.copy_(torch.mm(a.t(), delta).t())
            torch.sum(delta, 0, out=layer.bias_grad)
            if below is not None:
                delta = below.activation.multiply(torch.mm(delta, layer.weight), a)
        return StepResult(loss, raw)

    def _raw_outputs(self, x: Tensor) -> Tensor:
        if x.layout is not torch.strided:
            return torch.addmm(self.last.bias, x, self.last.transposed)
        # Column by column in memory: a loss reduces over the outputs, which mostly are few.
        return torch.addmm(self.last_bias, self.last.weight, x.t()).t()

    def _loss_and_delta(self, raw: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The mean loss and its gradient by the raw outputs."""
        if batch.weight is None:
            return self.loss.mean_with_gradient(raw, batch.targets)
        values, delta = self.loss.with_gradient(raw, batch.targets)
        share = batch.weight / batch.weight.sum().clamp_min(torch.finfo(raw.dtype).tiny)
        return torch.dot(values, share), delta.mul_(share[:, None])


def _layers(chain: Sequence[nn.Module]) -> Iterator[Layer]:
    """Each linear layer of a chain with the activation that follows it, if one does."""
    for layer, following in zip(chain, [*chain[1:], None], strict=True):
        if isinstance(layer, nn.Linear):
            follows = isinstance(following, tuple(ACTIVATIONS))
            yield Layer.of(layer, ACTIVATIONS[type(following)] if follows else IDENTITY)
