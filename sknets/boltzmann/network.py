"""The restricted Boltzmann machine: visible and hidden units, and weights between the two alone.

Smolensky (1986), "Information processing in dynamical systems", in Parallel Distributed Processing;
Hinton (2010), "A practical guide to training restricted Boltzmann machines".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sknets.boltzmann.units import Units


class RBM(nn.Module):
    r"""p(v, h) = exp(-E(v, h)) / Z, with E = own(v) + own(h) - h W v.

    Parameters
    ----------
    visible, hidden : Units
    """

    def __init__(self, visible: Units, hidden: Units) -> None:
        super().__init__()
        self.visible, self.hidden = visible, hidden
        self.weight = nn.Parameter(torch.empty(hidden.n, visible.n))
        self.visible_bias = nn.Parameter(torch.empty(visible.n))
        self.hidden_bias = nn.Parameter(torch.empty(hidden.n))
        self.visible_mean: Tensor  # of the data
        self.hidden_mean: Tensor
        self.register_buffer("visible_mean", torch.empty(visible.n))
        self.register_buffer("hidden_mean", torch.empty(hidden.n))

    def hidden_inputs(self, v: Tensor) -> Tensor:
        """c + W v, of shape (n, n_hidden)."""
        return torch.addmm(self.hidden_bias, self.visible.seen(v), self.weight.t())

    def visible_inputs(self, h: Tensor) -> Tensor:
        """b + h W, of shape (n, n_visible)."""
        return torch.addmm(self.visible_bias, self.hidden.seen(h), self.weight)

    def forward(self, v: Tensor) -> Tensor:
        """The expectation of h given v."""
        return self.hidden.mean(self.hidden_inputs(v))

    def backward_mean(self, h: Tensor) -> Tensor:
        """The expectation of v given h."""
        return self.visible.mean(self.visible_inputs(h))

    def energy(self, v: Tensor, h: Tensor) -> Tensor:
        """E(v, h), of shape (n,)."""
        between = (self.hidden.seen(h) @ self.weight * self.visible.seen(v)).sum(1)
        own = self.visible.own(v, self.visible_bias) + self.hidden.own(h, self.hidden_bias)
        return -own - between

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) = -log of the sum of exp(-E(v, h)) over all h, of shape (n,)."""
        hidden = self.hidden.log_normaliser(self.hidden_inputs(v), self.hidden_bias)
        return -self.visible.own(v, self.visible_bias) - hidden

    def hidden_free_energy(self, h: Tensor) -> Tensor:
        """F(h) = -log of the sum of exp(-E(v, h)) over all v, of shape (n,)."""
        visible = self.visible.log_normaliser(self.visible_inputs(h), self.visible_bias)
        return -self.hidden.own(h, self.hidden_bias) - visible
