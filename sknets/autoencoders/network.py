"""The network of an autoencoder: from inputs to a code, and from a code to what inputs were.

Hinton and Salakhutdinov (2006), https://doi.org/10.1126/science.1127647.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sknets.base.dense import hidden_layers
from sknets.layers import ACTIVATIONS


class AutoencoderNet(nn.Module):
    """What codes inputs, and what decodes them.

    Parameters
    ----------
    encoder, decoder : nn.Sequential
    n_code : int
        Units of the code.
    corruption : nn.Module, optional
        What happens to inputs on their way in, in training.
    """

    def __init__(
        self,
        encoder: nn.Sequential,
        decoder: nn.Sequential,
        n_code: int,
        corruption: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.n_code = n_code
        self.corruption = corruption

    def corrupted(self, x: Tensor) -> Tensor:
        """Inputs as the encoder gets them in training."""
        return x if self.corruption is None else self.corruption(x)

    def encode(self, x: Tensor) -> Tensor:
        """Codes of inputs."""
        return self.encoder(x)

    def decode(self, code: Tensor) -> Tensor:
        """Raw outputs of codes."""
        return self.decoder(code)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))

    @property
    def chain(self) -> list[nn.Module]:
        """All layers, one after another."""
        return [*self.encoder, *self.decoder]

    @property
    def linear_layers(self) -> list[nn.Module]:
        """The fully connected layers from input to output."""
        return [layer for layer in self.chain if isinstance(layer, (nn.Linear, Tied))]


class Tied(nn.Module):
    """A linear layer whose weights are those of another, transposed; its biases are its own."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.tied_to = (linear,)  # in a tuple, by which it is no part of this layer
        self.bias = nn.Parameter(torch.empty(linear.in_features))

    @property
    def weight(self) -> Tensor:
        """The weights, of shape (out_features, in_features)."""
        return self.tied_to[0].weight.t()

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        n_out, n_in = self.weight.shape
        return f"in_features={n_in}, out_features={n_out}"


def dense_autoencoder(
    n_inputs: int,
    hidden_layer_sizes: tuple[int, ...],
    *,
    activation: str,
    code_activation: str,
    dropout: float,
    batch_norm: bool,
    tied_weights: bool,
    sparsifier: nn.Module | None,
    corruption: nn.Module | None,
) -> AutoencoderNet:
    """Layers down to the code, which is the last of the given sizes, and the same back.

    Parameters
    ----------
    n_inputs : int
    hidden_layer_sizes : tuple of int
    activation, code_activation : str
        One of `ACTIVATIONS`, of the code and of the other hidden layers.
    dropout : float
        Share of hidden units, but for the code's, that are silenced in training.
    batch_norm : bool
        Whether to normalise before each activation but the code's.
    tied_weights : bool
        Whether the weights of the way back are those of the way there.
    sparsifier : nn.Module, optional
        What codes pass through last.
    corruption : nn.Module, optional
        What inputs pass through first, in training.
    """
    *between, n_code = hidden_layer_sizes
    how: dict[str, Any] = {"activation": activation, "dropout": dropout, "batch_norm": batch_norm}
    encoder = hidden_layers((n_inputs, *between), **how)
    encoder["code"] = nn.Linear((n_inputs, *between)[-1], n_code)
    encoder[f"{code_activation}_code"] = ACTIVATIONS[code_activation]()
    if sparsifier is not None:
        encoder["sparse_code"] = sparsifier
    back = hidden_layer_sizes[::-1]
    decoder = hidden_layers(back, **how)
    decoder["output"] = nn.Linear(back[-1], n_inputs)
    if tied_weights:
        _tie(encoder, decoder)
    return AutoencoderNet(nn.Sequential(encoder), nn.Sequential(decoder), n_code, corruption)


def _tie(encoder: OrderedDict[str, nn.Module], decoder: OrderedDict[str, nn.Module]) -> None:
    """Give each layer of the way back the weights of its counterpart."""
    there = [layer for layer in encoder.values() if isinstance(layer, nn.Linear)]
    for name, layer in decoder.items():
        if isinstance(layer, nn.Linear):
            decoder[name] = Tied(there.pop())
