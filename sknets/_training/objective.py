"""The whole training objective as a function of one vector, for solvers and gradient checks."""

from __future__ import annotations

import numpy as np
import torch

from sknets._data import Data
from sknets._training.parameters import FlatParameters, Penalty
from sknets._training.steps import DifferentiableStep


class FullObjective:
    """The penalised mean loss over all data as a function of the flat vector, in float64."""

    def __init__(
        self, flat: FlatParameters, step: DifferentiableStep, penalty: Penalty, data: Data
    ) -> None:
        self.flat, self.step = flat, step
        self.penalty, self.data = penalty, data
        self.weight_sum = sum(batch.total_weight for batch in data.epoch(None))
        self.last: tuple[np.ndarray, float] | None = None

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        self.flat.values.copy_(torch.from_numpy(x))
        total = torch.zeros((), dtype=self.flat.values.dtype, device=self.flat.values.device)
        gradient = torch.zeros_like(self.flat.grad)
        for batch in self.data.epoch(None):
            share = batch.total_weight / self.weight_sum
            total += self.step(batch).loss * share
            gradient.add_(self.flat.grad, alpha=share)
        self.flat.grad.copy_(gradient)
        self.penalty.add_to(total, self.flat, self.weight_sum)
        value = total.item()
        self.last = x.copy(), value
        return value, self.flat.grad.cpu().double().numpy().copy()

    def value_at(self, x: np.ndarray) -> float:
        """The value, remembered from the last call where it was at `x`."""
        if self.last is not None and np.array_equal(self.last[0], x):
            return self.last[1]
        return self(x)[0]

    def hessian_product(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """The Hessian at `x` times `v`, by differentiating the gradient's product with `v`."""
        flat = self.flat
        flat.values.copy_(torch.from_numpy(x))
        direction = torch.from_numpy(v).to(flat.values)
        product = torch.zeros_like(flat.values)
        for batch in self.data.epoch(None):
            with torch.enable_grad():
                loss = self.step.forward(batch)
                gradients = torch.autograd.grad(loss, flat.parameters, create_graph=True)
                flattened = torch.cat([g.reshape(-1) for g in gradients])
                along = torch.dot(flattened, direction)
            if along.requires_grad:
                seconds = torch.autograd.grad(along, flat.parameters, materialize_grads=True)
                curvature = torch.cat([s.reshape(-1) for s in seconds])
                product.add_(curvature, alpha=batch.total_weight / self.weight_sum)
        n = len(flat.weights)
        product[:n].add_(direction[:n], alpha=self.penalty.l2 / self.weight_sum)
        return product.cpu().double().numpy()
