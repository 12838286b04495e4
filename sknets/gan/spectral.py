"""Layers whose weights have a spectral norm of 1.

Miyato, Kataoka, Koyama and Yoshida (2018), "Spectral normalization for generative adversarial
networks", https://arxiv.org/abs/1802.05957.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMALLEST = 1e-12


class SpectralNorm(nn.Module):
    """A linear layer or a convolution with its weights over their largest singular value.

    That is estimated by a step of power iteration at each training step (algorithm 1), from where
    the last one ended. Kernels count as the matrix of shape (channels out, all others).

    Parameters
    ----------
    layer : nn.Linear or a convolution
    """

    is_one_layer = True

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer: Any = layer
        self.left: Tensor
        weight: Any = layer.weight
        self.register_buffer("left", torch.empty(weight.shape[0]))

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Start from a random vector and some steps, after the weights are there."""
        self.left.normal_(generator=generator)
        for _ in range(N_FIRST_STEPS):
            self.iterate()

    @torch.no_grad()
    def iterate(self) -> None:
        """One step of power iteration."""
        matrix = self.layer.weight.flatten(1)
        right = from_left(matrix, self.left)
        self.left.copy_(F.normalize((matrix * right).sum(1), dim=0, eps=SMALLEST))

    def norm(self) -> Tensor:
        """The largest singular value, differentiable by the weights."""
        matrix = self.layer.weight.flatten(1)
        left = self.left.clone()  # which the next step changes in place
        right = from_left(matrix.detach(), left)
        return (matrix * right * left[:, None]).sum().clamp_min(SMALLEST)

    def forward(self, x: Tensor) -> Tensor:
        return multiplied(self.layer, x, self.layer.weight / self.norm(), self.layer.bias)


N_FIRST_STEPS = 15


def from_left(matrix: Tensor, left: Tensor) -> Tensor:
    """The right vector that goes with a left one.

    It is a sum rather than a product, which may be rounded to bfloat16.
    """
    return F.normalize((matrix * left[:, None]).sum(0), dim=0, eps=SMALLEST)


def multiplied(layer: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """What a linear layer or a convolution makes with other weights than its own.

    Other threads may be using the layer, whose own weights therefore stay in their place.
    """
    if isinstance(layer, nn.Linear):
        return F.linear(x, weight, bias)
    made: Tensor = layer._conv_forward(x, weight, bias)
    return made


def spectrally_normalised(layers: nn.Module) -> nn.Module:
    """The layers with all products among them normalised, in place."""
    for name, child in layers.named_children():
        if isinstance(child, (nn.Linear, nn.modules.conv._ConvNd)):
            setattr(layers, name, SpectralNorm(child))
        else:
            spectrally_normalised(child)
    return layers
