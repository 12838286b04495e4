"""A network of the user's own, where a description could stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from sknets._measure import watched
from sknets._random import Stream, derived_seed
from sknets.cnn.architecture import Network, TooSmallError, output_shape, stages_of

LINEAR = (nn.Linear, nn.modules.conv._ConvNd)


class OwnNetwork(Network):
    """Any module from images to outputs, whose last layer with weights counts as its head."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    @property
    def head(self) -> Any:
        """The last layer that is linear in its input."""
        layers = [layer for layer in self.module.modules() if isinstance(layer, LINEAR)]
        if not layers:
            raise ValueError(f"{type(self.module).__name__} has no layer to take features from.")
        return layers[-1]

    @property
    def stages(self) -> list[list[nn.Module]]:
        """The parts of the module that hold weights, without the head."""
        return stages_of(_around(self.module, self.head))

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x)

    def features(self, x: Tensor) -> Tensor:
        """What reaches the head."""
        with watched(self.head, inputs=True) as seen:
            self.module(x)
        return seen[-1].flatten(1)


def _around(module: nn.Module, head: nn.Module) -> Iterator[nn.Module]:
    """The parts of a module but for its head, and for what holds that among others."""
    for part in module.children():
        if part is head:
            continue
        if any(inner is head for inner in part.modules()):
            yield from _around(part, head)
        else:
            yield part


class OwnArchitecture:
    """What stands for a description: a module, or what makes one for a shape and outputs.

    Parameters
    ----------
    given : nn.Module or callable
        A module is copied, weights and all; a callable ``(input_shape, n_outputs)`` makes one.
    owner : str
        Whose parameter it is, for messages.
    """

    def __init__(self, given: nn.Module | Callable[..., nn.Module], owner: str) -> None:
        self.given, self.owner = given, owner

    def build(self, input_shape: tuple[int, ...], n_outputs: int) -> OwnNetwork:
        """The network; raises ValueError for one that does not fit the data."""
        made = self._made(input_shape, n_outputs)
        try:
            found: Any = output_shape(made, input_shape)
        except TooSmallError as error:
            found = error
        if found != (n_outputs,):
            raise ValueError(
                f"The 'architecture' parameter of {self.owner} must take images of shape "
                f"{input_shape} to {n_outputs} output(s). Got {found} instead."
            )
        return OwnNetwork(made)

    def initial_state(
        self, input_shape: tuple[int, ...], n_outputs: int, seed: int
    ) -> dict[str, Tensor]:
        """The weights that a module comes with, or those that a callable gives it."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(seed, Stream.WEIGHTS))
            return OwnNetwork(self._made(input_shape, n_outputs)).state_dict()

    def _made(self, input_shape: tuple[int, ...], n_outputs: int) -> nn.Module:
        if isinstance(self.given, nn.Module):
            return deepcopy(self.given)
        made = self.given(input_shape, n_outputs)
        if not isinstance(made, nn.Module):
            raise TypeError(
                f"The 'architecture' parameter of {self.owner}, a callable, must return a "
                f"torch.nn.Module. Got {made!r} instead."
            )
        return made
