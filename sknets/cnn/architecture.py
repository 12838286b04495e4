"""Descriptions of convolutional networks: sizes and structure as hyperparameters, without weights.

A description is a parameter object, so that a search reaches into it and over kinds of it. What it
builds is a plain network with `features`, whose outputs `transform` gives, and a linear `head`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from functools import partial
from math import prod
from numbers import Integral
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn
from torch.func import functional_call

from sknets._measure import one_input, predicting, without_numbers
from sknets._params import InvalidParameterError, check_parameters, estimator
from sknets.layers import BatchNorm1d, BatchNorm2d

SMALL_IMAGE = 64  # pixels of the longer side up to which an image gets the published small stem

FOLLOWERS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.PReLU)

SIDES = [2**i for i in range(13)]  # among which the search for the smallest input begins

A = TypeVar("A", bound="Architecture")
_BY_NAME: dict[str, Callable[[], Architecture]] = {}


class TooSmallError(ValueError):
    """An input that is used up before a network ends."""


class Dimension(NamedTuple):
    """The layers for signals, or for images."""

    conv: Any
    max_pool: Any
    average_pool: Any
    adaptive_pool: Any
    norm: Any


DIMENSIONS = {
    1: Dimension(nn.Conv1d, nn.MaxPool1d, nn.AvgPool1d, nn.AdaptiveAvgPool1d, BatchNorm1d),
    2: Dimension(nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, BatchNorm2d),
}


def stages_of(parts: Iterable[nn.Module]) -> list[list[nn.Module]]:
    """The parts that hold weights, a normalisation or activation with what it follows."""
    stages: list[list[nn.Module]] = []
    for part in parts:
        if not any(True for _ in part.parameters()):
            continue
        if stages and isinstance(part, FOLLOWERS):
            stages[-1].append(part)
        else:
            stages.append([part])
    return stages


class Network(nn.Module):
    """Abstract: from images to `features`, one vector a sample, and by a `head` to outputs."""

    features: Any
    head: Any
    auxiliary_share: float = 0.0  # of the losses of auxiliary outputs in training
    numbered: bool = False  # whether torchvision numbers the layers that have names here
    renames: tuple[tuple[str, str], ...] = ()  # patterns, and what torchvision has in their places

    def all_outputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """The outputs, and after them those of auxiliary heads."""
        return (self(x),)

    @property
    def heads(self) -> list[nn.Module]:
        """The layers that the number of outputs gives their shape."""
        return [self.head]

    @property
    def stages(self) -> list[list[nn.Module]]:
        """The parts of `features` that hold weights, in order."""
        return stages_of(self.features.children())

    def torchvision_names(self) -> dict[str, str]:
        """The names of all parameters and buffers, and what torchvision calls them."""
        names = {name: name for name in self.state_dict()}
        for old, new in (*(self._numbers() if self.numbered else ()), *self.renames):
            names = {ours: re.sub(old, new, theirs) for ours, theirs in names.items()}
        return names

    def _numbers(self) -> Iterator[tuple[str, str]]:
        """Layers by their places among the features, or, from flattening on, in the classifier."""
        part, place = "features", 0
        for name, _ in self.features.named_children():
            if name == "flatten":
                part, place = "classifier", 0
            else:
                yield rf"^features\.{name}\.", f"{part}.{place}."
                place += 1
        yield r"^head\.(?=weight|bias)", f"classifier.{place}."


class Trunk(Network):
    """A network whose features are one module's, and whose head is linear in them."""

    def __init__(self, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


class Architecture(BaseEstimator, ABC):
    """Abstract: a description of a convolutional network.

    Attributes
    ----------
    names : dict of dict
        The networks that a name finds, as parameters.

    See Also
    --------
    ConvNet : The one that can be any.

    Examples
    --------
    >>> from sknets.cnn import Architecture, get_architecture
    >>> isinstance(get_architecture("resnet18"), Architecture)
    True
    """

    names: ClassVar[dict[str, dict[str, Any]]] = {}
    numbered: ClassVar[bool] = False
    renames: ClassVar[tuple[tuple[str, str], ...]] = ()

    @abstractmethod
    def _network(self, input_shape: tuple[int, ...], n_outputs: int) -> Network:
        """The network, where the input is large enough for it."""

    def recipe(self) -> dict[str, Any]:
        """How the paper trains the network, as parameters of a `CNNClassifier`.

        Returns
        -------
        parameters : dict
            For ``set_params``.
        """
        return {}

    def build(self, input_shape: tuple[int, ...], n_outputs: int) -> Network:
        """Build the network, with torch's initial weights.

        Parameters
        ----------
        input_shape : tuple of int
            (channels, height, width), or (channels, length) of signals.
        n_outputs : int
            Size of the last layer.

        Returns
        -------
        network : torch.nn.Module
            From ``(n, *input_shape)`` to (n, n_outputs), with `features` and `head`.

        Raises
        ------
        InvalidParameterError
            If a parameter is out of its range.
        ValueError
            If the input is too small; the message names the smallest.
        """
        check_parameters(self)
        _check_sizes(self)
        try:
            self._check(input_shape)
        except TooSmallError as error:
            raise ValueError(self._why_too_small(input_shape, error)) from None
        network = self._network(input_shape, n_outputs)
        network.numbered, network.renames = self.numbered, self.renames
        return network

    def _check(self, input_shape: tuple[int, ...]) -> None:
        """Let an input of the shape go through a network without numbers."""
        with torch.device("meta"):
            output_shape(self._network(input_shape, 1), input_shape)

    def _why_too_small(self, input_shape: tuple[int, ...], error: TooSmallError) -> str:
        name, given = type(self).__name__, _described(input_shape)
        smallest = self._smallest(input_shape)
        if smallest is None:
            return f"{self!r} takes no {given}, nor larger ones: {error}"
        return f"{name} needs {_described(smallest)} at least. Got {given} instead."

    def _smallest(self, input_shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """The smallest square image (or signal) of as many channels that the network takes.

        Where a square would get another stem than the image, the smallest longer one that does;
        None where there is none of a size that makes sense.
        """
        channels, *sides = input_shape

        def takes(shape: tuple[int, ...]) -> bool:
            try:
                self._check(shape)
            except TooSmallError:
                return False
            return True

        def longer(side: int) -> tuple[int, ...]:
            return (channels, *(max(side, given) for given in sides))

        enough = next((side for side in SIDES if takes(longer(side))), None)
        if enough is None:
            return None
        least = bisect_left(range(enough), True, lo=1, key=lambda side: takes(longer(side)))
        square = (channels, *[least] * len(sides))
        return square if takes(square) else longer(least)


def output_shape(module: nn.Module, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of what a module makes of one input, found without computing it.

    Raises
    ------
    TooSmallError
        If the input is used up before the end.
    """
    x = one_input(module, input_shape)
    try:
        with predicting(module):
            return tuple(functional_call(module, without_numbers(module), (x,)).shape[1:])
    except RuntimeError as error:
        raise TooSmallError(str(error)) from error


def _check_sizes(description: Any) -> None:
    """Raise InvalidParameterError unless all that is listed is a whole number > 0."""
    for name, given in description.get_params(deep=False).items():
        if isinstance(given, str) or not np.iterable(given):
            continue
        sizes = list(_flattened(given))
        whole = all(isinstance(size, Integral) and int(size) > 0 for size in sizes)
        if not whole or (name == "channels" and not sizes):
            raise InvalidParameterError(
                f"The {name!r} parameter of {type(description).__name__} must hold whole numbers "
                f"> 0. Got {given!r} instead."
            )


def _flattened(values: Any) -> Iterator[Any]:
    if isinstance(values, str) or not np.iterable(values):
        yield values
        return
    for value in values:
        yield from _flattened(value)


def flat_size(module: nn.Module, input_shape: tuple[int, ...]) -> int:
    """How many numbers a module makes of one input."""
    return prod(output_shape(module, input_shape))


def is_small(input_shape: tuple[int, ...]) -> bool:
    """Whether an image gets the stem that was published for small ones."""
    return max(input_shape[1:]) <= SMALL_IMAGE


def architecture(cls: type[A]) -> type[A]:
    """Make a description, as `estimator` does, and let its names be found."""
    made = estimator(cls)
    for name, parameters in made.names.items():
        _BY_NAME[name] = partial(made, **parameters)
    return made


def get_architecture(name: str) -> Architecture:
    """A description by its name.

    Parameters
    ----------
    name : str
        One of `list_architectures`.

    Returns
    -------
    description : Architecture

    Raises
    ------
    ValueError
        If there is none of the name; the message suggests those that resemble it.

    See Also
    --------
    list_architectures : The names.

    Examples
    --------
    >>> from sknets.cnn import get_architecture
    >>> get_architecture("vgg11_bn")
    VGG(batch_norm=True, depth=11)
    """
    if name not in _BY_NAME:
        close = get_close_matches(str(name), _BY_NAME, n=3)
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise ValueError(
            f"The name of an architecture must be one of sknets.cnn.list_architectures(). "
            f"Got {name!r} instead.{hint}"
        )
    return _BY_NAME[name]()


def named_architecture(given: Any, parameter: str, owner: str) -> Any:
    """What a parameter holds, a name as its description; InvalidParameterError for unknown ones."""
    if not isinstance(given, str):
        return given
    try:
        return get_architecture(given)
    except ValueError as error:
        raise InvalidParameterError(f"The {parameter!r} parameter of {owner}: {error}") from None


def list_architectures() -> list[str]:
    """The names that `get_architecture` knows.

    Returns
    -------
    names : list of str
        In alphabetical order.

    See Also
    --------
    get_architecture : The description of a name.

    Examples
    --------
    >>> from sknets.cnn import list_architectures
    >>> "vgg16" in list_architectures()
    True
    """
    return sorted(_BY_NAME)


def _described(input_shape: tuple[int, ...]) -> str:
    channels, *sides = input_shape
    what = "signals of length" if len(sides) == 1 else "images of"
    return f"{what} {' x '.join(map(str, sides))}, {channels} channel(s)"
