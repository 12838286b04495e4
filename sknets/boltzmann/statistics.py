"""Means and products of samples, which may be sparse."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Phase(NamedTuple):
    """Visible values, and what is expected of hidden units given them."""

    v: Tensor
    h: Tensor

    @property
    def n(self) -> int:
        """How many samples there are."""
        return self.v.shape[0]


def difference_of_products(out: Tensor, free: Phase, given: Phase) -> None:
    """Set to the mean of h' v over free samples, less that over the given ones."""
    if given.v.layout is torch.strided and free.n == given.n:
        h = torch.cat([free.h / free.n, given.h / -free.n])
        out.copy_(torch.mm(h.t(), torch.cat([free.v, given.v])))  # bfloat16 rounds the difference
        return
    out.copy_(torch.mm(free.h.t(), free.v)).div_(free.n)
    data = torch.mm(given.v.t(), given.h).t()  # either may be sparse on the left alone
    out.sub_(data, alpha=1 / given.n)
