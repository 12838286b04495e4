"""All steps of a GRU on a processor, with a gradient that is derived by hand.

torch composes its own of some twenty operations a step on the way back. Here what does not depend
on the step after is computed for many steps at once, so that three operations a step remain. Like
torch's own, it cannot be differentiated twice, nor transformed by `torch.func`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

CACHED = 2**15  # numbers that a block of steps has in each of its tensors, to stay in a cache


class GRUSteps(Function):
    """From (n, time, inputs) to the output at each step, (n, time, units).

    It takes the tensors of a `RecurrentLayer`, and follows the equations of `GRU`. Within, time
    comes first, so that a step is one piece of memory.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
    ) -> Tensor:
        (n, time, _), n_units = x.shape, w_hh.shape[1]
        gated = slice(2 * n_units)  # r and z; after them stands n
        flat = x.transpose(0, 1).flatten(0, 1)
        bias = b_ih.clone()
        bias[gated] += b_hh[gated]
        gates = torch.addmm(bias, flat, w_ih.t()).unflatten(0, (time, n))
        inner = x.new_empty(time, n, n_units)  # U h + c of n
        states = x.new_empty(1 + time, n, n_units)
        states[0] = h
        u_gated, (u, c) = w_hh[gated].t(), (w_hh[gated.stop :].t(), b_hh[gated.stop :])
        steps = zip(*map(torch.unbind, (states, states[1:], gates, inner)), strict=False)
        for before, after, gate, reset in steps:
            rz, new = gate[:, gated], gate[:, gated.stop :]
            rz.addmm_(before, u_gated).sigmoid_()
            torch.addmm(c, before, u, out=reset)
            new.addcmul_(rz[:, :n_units], reset).tanh_()
            torch.lerp(new, before, rz[:, n_units:], out=after)
        ctx.save_for_backward(flat, w_ih, w_hh, gates, inner, states)
        return states[1:].transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_outputs: Tensor) -> tuple[Tensor | None, ...]:
        flat, w_ih, w_hh, gates, inner, states = ctx.saved_tensors
        time, n, n_units = inner.shape
        d_gates = gates.new_empty(time, n, 3, n_units)  # of W x + b + U h + c, but of n of U h + c
        d_new = gates.new_empty(time, n, n_units)  # of n, of W x + b
        above = d_outputs.transpose(0, 1)
        d_h = above[-1]
        block = max(1, CACHED // max(1, n * n_units))
        for end in range(time, 0, -block):
            first = max(0, end - block)
            now = slice(first, end)
            r, z, new = gates[now].unflatten(2, (3, n_units)).unbind(2)
            d_r, d_z, d_reset = d_gates[now].unbind(2)
            # What d_h is to be multiplied with.
            torch.mul(1 - z, 1 - new * new, out=d_new[now])
            torch.mul(d_new[now], r, out=d_reset)
            torch.mul(d_reset * inner[now], 1 - r, out=d_r)
            torch.mul((states[now] - new) * z, 1 - z, out=d_z)
            for t in range(end - 1, first - 1, -1):
                d_gates[t].mul_(d_h[:, None])
                d_new[t].mul_(d_h)
                d_h = torch.addcmul(above[t - 1], d_h, z[t - first]) if t else d_h * z[0]
                d_h.addmm_(d_gates[t].flatten(1), w_hh)
        d = d_gates.flatten(0, 1).flatten(1)
        d_w_hh, d_b_hh = d.t() @ states[:-1].flatten(0, 1), d.sum(0)
        d_gates[:, :, 2] = d_new
        d_x = None
        if ctx.needs_input_grad[0]:
            d_x = (d @ w_ih).unflatten(0, (time, n)).transpose(0, 1)
        return d_x, d_h, d.t() @ flat, d_w_hh, d.sum(0), d_b_hh
