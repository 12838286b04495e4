"""What is done to inputs that are to be restored.

Vincent, Larochelle, Lajoie, Bengio and Manzagol (2010), "Stacked denoising autoencoders", section
3.3, https://jmlr.org/papers/v11/vincent10a.html.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sknets.layers import GaussianNoise, RandomLayer


class Masking(RandomLayer):
    """A share `p` of the inputs of each training step is 0."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return torch.where(self.chosen(x, self.p), 0.0, x)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class SaltAndPepper(RandomLayer):
    """A share `p` of the inputs of each training step is the least or the largest of its column.

    Parameters
    ----------
    p : float
    n_inputs : int
        Of which the data's extremes are in ``low`` and ``high``.
    """

    def __init__(self, p: float, n_inputs: int) -> None:
        super().__init__()
        self.p = p
        self.low: Tensor
        self.high: Tensor
        self.register_buffer("low", torch.empty(n_inputs))
        self.register_buffer("high", torch.empty(n_inputs))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        extreme = torch.where(self.chosen(x, 0.5), self.low, self.high)
        return torch.where(self.chosen(x, self.p), extreme, x)

    def extra_repr(self) -> str:
        return f"p={self.p}"


CORRUPTIONS: dict[str, Callable[[float, int], nn.Module]] = {
    "gaussian": lambda level, n_inputs: GaussianNoise(level),
    "masking": lambda level, n_inputs: Masking(level),
    "salt_pepper": SaltAndPepper,
}
