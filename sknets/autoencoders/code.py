"""What makes codes sparse, and what keeps them still where inputs move.

Ng (2011), "Sparse autoencoder", CS294A lecture notes; Makhzani and Frey (2014), "k-sparse
autoencoders", https://arxiv.org/abs/1312.5663; Rifai, Vincent, Muller, Glorot and Bengio (2011),
"Contractive auto-encoders", ICML.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sknets._data import Batch, dense_tensor
from sknets._training.losses import Loss
from sknets._training.steps import AutogradStep, StepResult, weighted_mean
from sknets.autoencoders.network import AutoencoderNet
from sknets.layers import RandomLayer

LEAST = 1e-6  # mean activity that a logarithm is taken of


class LargestOnly(RandomLayer):
    """The largest units of a code stay, the others are 0 (Makhzani and Frey, 2014, section 2.1).

    Parameters
    ----------
    n_active : int
        Units that stay in training.
    n_active_predicting : int
        Units that stay afterwards.
    n_active_init : int
        Units that stay at first; their number falls to `n_active` over the first half of training
        (section 2.3), by which no unit is left out for good.
    """

    def __init__(self, n_active: int, n_active_predicting: int, n_active_init: int) -> None:
        super().__init__()
        self.n_active, self.n_active_predicting = n_active, n_active_predicting
        self.n_active_init = n_active_init

    def forward(self, code: Tensor) -> Tensor:
        n = self.n_active_predicting
        if self.training:
            ahead = max(0.0, 1 - 2 * self.progress)
            n = round(self.n_active + ahead * (self.n_active_init - self.n_active))
        largest, places = code.topk(n, 1, sorted=False)
        return torch.zeros_like(code).scatter(1, places, largest)

    def extra_repr(self) -> str:
        return f"n_active={self.n_active}"


class CodePenalty(NamedTuple):
    """What is added to the reconstruction error, for the sake of the code.

    Parameters
    ----------
    l1 : float
        Strength of the sum of absolute values.
    sparsity_target : float or None
        Mean activity of each unit over a minibatch.
    sparsity_cost : float
        Strength of the divergence from it.
    contraction : float
        Strength of the squared norm of the code's derivative by the input.
    """

    l1: float = 0.0
    sparsity_target: float | None = None
    sparsity_cost: float = 0.0
    contraction: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.l1 or self.contraction or self.sparsity_target)

    def __call__(
        self, encoder: nn.Sequential, x: Tensor, code: Tensor, weight: Tensor | None
    ) -> Tensor:
        """The penalty for a minibatch; `code` must be a function of `x` to autograd."""
        total = code.new_zeros(())
        if self.l1:
            total = total + self.l1 * weighted_mean(code.abs().sum(1), weight)
        if self.sparsity_target:
            share = torch.ones_like(code[:, 0]) if weight is None else weight
            activity = share @ code / share.sum().clamp_min(torch.finfo(code.dtype).tiny)
            total = total + self.sparsity_cost * divergence(self.sparsity_target, activity).sum()
        if self.contraction:
            norms = squared_jacobian_norms(encoder, x, code)
            total = total + self.contraction * weighted_mean(norms, weight)
        return total


def divergence(target: float, activity: Tensor) -> Tensor:
    """KL(target || activity) of units that are 1 with such probabilities."""
    p, q = torch.tensor(target).to(activity), activity.clamp(LEAST, 1 - LEAST)
    return torch.xlogy(p, p / q) + torch.xlogy(1 - p, (1 - p) / (1 - q))


def squared_jacobian_norms(encoder: nn.Sequential, x: Tensor, code: Tensor) -> Tensor:
    """The squared Frobenius norm of d code / d x for each sample (Rifai et al., 2011, equation 4).

    Of one layer it is the sum over units of their squared slopes times the squared norms of their
    weights, else all rows of the derivative are found by as many backward passes at once.
    """
    if len(encoder) == 2 and isinstance(encoder[0], nn.Linear):
        linear: Any = encoder[0]
        activation: Any = encoder[1]
        inputs = linear(x)
        (slope,) = torch.autograd.grad(activation(inputs).sum(), inputs, create_graph=True)
        return slope.square() @ linear.weight.square().sum(1)
    n, n_code = code.shape
    each = torch.eye(n_code, dtype=code.dtype, device=code.device)
    units = each[:, None].expand(n_code, n, n_code)
    (rows,) = torch.autograd.grad(code, x, units, create_graph=True, is_grads_batched=True)
    return rows.square().sum((0, *range(2, rows.ndim)))


class PenalisedStep(AutogradStep):
    """The step of an autoencoder whose codes are penalised."""

    module: AutoencoderNet

    def __init__(
        self,
        module: AutoencoderNet,
        loss: Loss,
        gradient: Tensor,
        penalty: CodePenalty,
        mixed: bool = False,
    ) -> None:
        super().__init__(module, loss, gradient, mixed)
        self.penalty = penalty

    def evaluate(self, batch: Batch) -> StepResult:
        """The mean loss over a batch with the penalty, and the raw outputs, not detached."""
        x = batch.x
        if self.penalty.contraction:
            x = dense_tensor(x).detach().requires_grad_()
        with self.multiplying():
            code = self.module.encode(x)
            raw = self.module.decode(code)
        code, raw = code.to(self.gradient.dtype), raw.to(self.gradient.dtype)
        loss = weighted_mean(self.loss(raw, batch.targets), batch.weight)
        penalty = self.penalty(self.module.encoder, x, code, batch.weight)
        return StepResult(loss + penalty, raw)
