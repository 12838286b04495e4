"""All parameters of a network as views of one vector, so that an update is one operation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class FlatSlice:
    """Parameters that lie side by side in a vector, weights before biases.

    Weights have two dimensions or more; penalties reach them as one slice, and leave biases alone.

    Parameters
    ----------
    parameters : list of nn.Parameter
        Views of `values`, in its order.
    buffers : list of Tensor
        What else training changes.
    values, grad : Tensor of shape (n_parameters,)
        The vector, and its gradient.

    Attributes
    ----------
    vector : nn.Parameter of shape (n_parameters,)
        What an optimiser steps on: the same memory as `values`, with `grad`.
    """

    def __init__(
        self,
        parameters: list[nn.Parameter],
        buffers: list[Tensor],
        values: Tensor,
        grad: Tensor,
    ) -> None:
        self.parameters, self.buffers = parameters, buffers
        self.vector = nn.Parameter(values)
        self.vector.grad = grad
        self.values, self.grad = self.vector.detach(), grad
        n_weights = sum(p.numel() for p in parameters if p.ndim >= 2)
        self.weights, self.weight_grad = self.values[:n_weights], grad[:n_weights]

    def snapshot(self) -> list[Tensor]:
        """A copy of everything that training changes."""
        return [t.clone() for t in (self.values, *self.buffers)]

    def restore(self, snapshot: list[Tensor]) -> None:
        """Put a snapshot back, in place."""
        for tensor, value in zip((self.values, *self.buffers), snapshot, strict=True):
            tensor.copy_(value)


class FlatParameters(FlatSlice):
    """The trainable parameters of a module, laid out in one vector with one gradient.

    The module's parameters become views of `vector` and their ``grad`` views of ``vector.grad``:
    what an optimiser does to the vector it does to the network.

    Parameters
    ----------
    module : nn.Module
    parts : sequence of nn.Module
        Modules in it that are trained apart, of which each has its own `slices`, weights first.
    """

    def __init__(self, module: nn.Module, parts: Sequence[nn.Module] = ()) -> None:
        trainable = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        place = {id(p): i for i, part in enumerate(parts) for p in part.parameters()}
        order = {name: (place.get(id(p), 0), p.ndim < 2) for name, p in trainable}
        ordered = sorted(trainable, key=lambda named: order[named[0]])
        buffers = [(name, b) for name, b in module.named_buffers() if b.is_floating_point()]
        self.names = [name for name, _ in ordered + buffers]
        parameters = [p for _, p in ordered]
        vectors = [p.detach().reshape(-1) for p in parameters]
        values = torch.cat(vectors) if vectors else torch.zeros(0)
        grad = torch.zeros_like(values)
        start = 0
        for parameter in parameters:
            end = start + parameter.numel()
            shape = parameter.shape
            parameter.data = values[start:end].view(shape)
            parameter.grad = grad[start:end].view(shape)
            start = end
        super().__init__(parameters, [b for _, b in buffers], values, grad)
        self.slices = [self.slice_of(part) for part in parts]

    def slice_of(self, part: nn.Module) -> FlatSlice:
        """The parameters of one of the parts."""
        own = {id(p) for p in part.parameters()}
        places = [i for i, p in enumerate(self.parameters) if id(p) in own]
        before, after = places[0], places[-1] + 1
        start = sum(p.numel() for p in self.parameters[:before])
        parameters = self.parameters[before:after]
        end = start + sum(p.numel() for p in parameters)
        buffers = {id(b) for b in part.buffers()}
        return FlatSlice(
            parameters,
            [b for b in self.buffers if id(b) in buffers],
            self.values[start:end],
            self.grad[start:end],
        )

    def as_state_dict(self, snapshot: list[Tensor]) -> dict[str, Tensor]:
        """A snapshot by the names of the module's state dict."""
        vector, *buffers = snapshot
        parts = vector.split([p.numel() for p in self.parameters])
        shaped = (part.view(p.shape) for part, p in zip(parts, self.parameters, strict=True))
        return dict(zip(self.names, [*shaped, *buffers], strict=True))


class Penalty:
    """Elastic net on the weights: alpha ((1 - l1_ratio) / 2 |w|^2 + l1_ratio |w|_1) / n.

    As in scikit-learn's perceptrons, `alpha` is divided by the number of samples (the sum of their
    weights) in the batch, and biases go free.
    """

    def __init__(self, alpha: float, l1_ratio: float = 0.0) -> None:
        self.l2, self.l1 = alpha * (1 - l1_ratio), alpha * l1_ratio

    def __bool__(self) -> bool:
        return bool(self.l1 > 0 or self.l2 > 0)

    def add_to(self, loss: Tensor, flat: FlatSlice, n: float) -> None:
        """Add the value to a loss, in place, and the gradient to the vector's."""
        weights = flat.weights
        loss.add_(torch.dot(weights, weights), alpha=self.l2 / 2 / n)
        flat.weight_grad.add_(weights, alpha=self.l2 / n)
        if self.l1:
            loss.add_(weights.abs().sum(), alpha=self.l1 / n)
            flat.weight_grad.add_(weights.sign(), alpha=self.l1 / n)


def clip_rows_(parameters: list[nn.Parameter], max_norm: float) -> None:
    """Max-norm: scale the incoming weights of each unit back to `max_norm` where they exceed it."""
    for parameter in parameters:
        if parameter.ndim >= 2:
            parameter.data.renorm_(2, 0, max_norm)


def clip_(gradient: Tensor, clip_norm: float) -> None:
    """Scale a gradient down to a norm where it exceeds it (Pascanu et al., 2013, section 3.2)."""
    gradient.mul_((clip_norm / torch.linalg.vector_norm(gradient)).clamp_max_(1).nan_to_num_(1))
