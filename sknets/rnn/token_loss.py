"""The loss of tokens among many, whose scores are products with the weights of a last layer."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

from sknets._data import Batch, slices
from sknets._training.steps import AutogradStep, StepResult

# Scores that are computed at a time: on a processor few enough to stay in its cache, elsewhere
# enough to keep an accelerator busy.
CACHED, HELD = 2**19, 2**25


class TokenLoss(Function):
    r"""The mean of :math:`-\log \mathrm{softmax}(V h + b)_t` over tokens `t`.

    Scores become their gradient while they are in a cache, and are not kept: with ten thousand
    tokens they are what takes time and memory. It cannot be differentiated twice.

    Shapes: `hidden` (n, n_units), `weight` (n_tokens, n_units), `bias` (n_tokens,), `targets` (n,).
    Products are in `dtype`, everything else in that of the weights.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, dtype: torch.dtype
    ) -> Tensor:
        n, n_tokens = len(hidden), len(weight)
        h, w, column = hidden.to(dtype), weight.to(dtype), targets[:, None]
        d_scores = h.new_empty(n, n_tokens)
        total, d_bias = weight.new_zeros(()), torch.zeros_like(bias)
        at_once = CACHED if hidden.device.type == "cpu" else HELD
        for rows in slices(n, max(1, at_once // n_tokens)):
            scores = torch.mm(h[rows], w.t()).to(weight.dtype).add_(bias)
            scores.sub_(scores.amax(1, keepdim=True))
            right = scores.gather(1, column[rows])
            sums = scores.exp_().sum(1, keepdim=True)
            total += sums.log().sub_(right).sum()
            p = scores.div_(sums)
            p.scatter_add_(1, column[rows], p.new_full((len(p), 1), -1))
            d_scores[rows] = p.div_(n)
            d_bias += p.sum(0)
        ctx.save_for_backward(h, w, d_scores, d_bias)
        ctx.dtypes = hidden.dtype, weight.dtype
        return total / n

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_loss: Tensor) -> tuple[Tensor | None, ...]:
        h, w, d_scores, d_bias = ctx.saved_tensors
        of_hidden, of_weight = ctx.dtypes
        d_hidden = torch.mm(d_scores, w).to(of_hidden)
        d_weight = torch.mm(d_scores.t(), h).to(of_weight)
        return d_hidden * d_loss.to(of_hidden), d_weight * d_loss, d_bias * d_loss, None, None


class TokenStep(AutogradStep):
    """Abstract: a training step of a network whose `head` makes scores of tokens."""

    module: Any

    @abstractmethod
    def hidden(self, batch: Batch) -> Tensor:
        """What the head takes for each target, (n, units)."""

    def evaluate(self, batch: Batch) -> StepResult:
        """The mean loss over the tokens of a batch."""
        with self.multiplying():
            hidden = self.hidden(batch)
        head = self.module.head
        dtype = torch.bfloat16 if self.mixed else self.gradient.dtype
        loss = TokenLoss.apply(hidden, head.weight, head.bias, batch.targets, dtype)
        return StepResult(loss, None)
