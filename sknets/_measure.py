"""What each layer of a network does: the shape it makes, its parameters, operations and view.

A network runs once without numbers, on torch's meta device, while every function that it calls is
watched, so that branches and functions outside of layers count as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary


class Field(NamedTuple):
    """How many values of the input a value sees along an axis, and how far its neighbour is."""

    size: int
    step: int


class Layer(NamedTuple):
    """A layer of a network, for one sample."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    n_parameters: int
    multiply_adds: int
    field: tuple[int, ...]  # receptive field along each axis of the input


CONVOLUTIONS = {torch.conv1d: 1, torch.conv2d: 2, torch.conv3d: 3}
POOLS = {
    F.max_pool1d: 1,
    F.max_pool2d: 2,
    F.avg_pool1d: 1,
    F.avg_pool2d: 2,
    torch.max_pool1d: 1,
    torch.max_pool2d: 2,
}
WHOLE = {
    F.adaptive_avg_pool1d,
    F.adaptive_avg_pool2d,
    F.adaptive_max_pool1d,
    F.adaptive_max_pool2d,
    F.linear,
    Tensor.mean,
    torch.mean,
}


class Watch(TorchFunctionMode):
    """Counts multiply-adds, and follows receptive fields through the functions of a network."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.multiply_adds = 0
        self.sides = tuple(x.shape[2:]) or (x.shape[1],)
        self.fields: Any = WeakIdKeyDictionary()
        self.fields[x] = tuple(Field(1, 1) for _ in self.sides)

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        if isinstance(made, Tensor):
            self._count(func, args, made)
            found = self._seen_by(func, args, kwargs)
            if found is not None:
                self.fields[made] = found
        return made

    def field_of(self, x: Tensor) -> tuple[int, ...]:
        """The receptive field of the values of a tensor, at most the whole input."""
        fields = self.fields.get(x, ())
        return tuple(min(f.size, side) for f, side in zip(fields, self.sides, strict=False))

    def _count(self, func: Callable, args: tuple, made: Tensor) -> None:
        if func in CONVOLUTIONS:
            self.multiply_adds += made.numel() * args[1][0].numel()
        elif func is F.linear:
            self.multiply_adds += made.numel() * args[1].shape[1]

    def _seen_by(self, func: Callable, args: tuple, kwargs: dict) -> tuple[Field, ...] | None:
        """The fields of a result, from those of what it was made of."""
        inputs = [self.fields[t] for t in _tensors(args) if t in self.fields]
        if not inputs:
            return None
        fields = tuple(
            Field(max(f.size for f in each), max(f.step for f in each))
            for each in zip(*inputs, strict=True)
        )
        if func in WHOLE:
            return tuple(Field(side, side) for side in self.sides)
        if func in CONVOLUTIONS:
            n = CONVOLUTIONS[func]
            stride, dilation = _argument(args, kwargs, 3, "stride", 1), kwargs.get("dilation")
            dilation = args[5] if len(args) > 5 else dilation or 1
            return _widened(fields, args[1].shape[2:], _each(stride, n), _each(dilation, n))
        if func in POOLS:
            n = POOLS[func]
            kernel = _each(_argument(args, kwargs, 1, "kernel_size", 1), n)
            stride = _argument(args, kwargs, 2, "stride", None) or kernel
            return _widened(fields, kernel, _each(stride, n), (1,) * n)
        return fields


def without_numbers(
    module: nn.Module, input_shape: tuple[int, ...]
) -> tuple[dict[str, Tensor], Tensor]:
    """A module's tensors and one input on the meta device, for `functional_call`."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    meta = {name: tensor.to("meta") for name, tensor in tensors}
    dtype = next((t.dtype for t in meta.values() if t.is_floating_point()), None)
    return meta, torch.empty(1, *input_shape, dtype=dtype, device="meta")


@contextmanager
def predicting(module: nn.Module) -> Iterator[None]:
    """A module in the mode of prediction for a while; then every part is as it was."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def layers_of(module: nn.Module, input_shape: tuple[int, ...]) -> list[Layer]:
    """The layers that have none inside them, in the order in which they are called."""
    found: list[Layer] = []
    meta, x = without_numbers(module, input_shape)
    watch = Watch(x)

    def called(layer: nn.Module, name: str, made: Any, before: list[int]) -> None:
        if isinstance(made, Tensor):
            n = sum(p.numel() for p in layer.parameters())
            cost = watch.multiply_adds - before.pop()
            shape = tuple(made.shape[1:])
            found.append(Layer(name, type(layer).__name__, shape, n, cost, watch.field_of(made)))

    hooks = []
    for name, layer in module.named_modules():
        if not any(layer.children()):
            before: list[int] = []
            hooks += [
                layer.register_forward_pre_hook(
                    lambda *_, before=before: before.append(watch.multiply_adds)
                ),
                layer.register_forward_hook(
                    lambda layer, _, made, name=name, before=before: called(
                        layer, name, made, before
                    )
                ),
            ]
    try:
        with torch.no_grad(), predicting(module), watch:
            functional_call(module, meta, (x,))
    finally:
        for hook in hooks:
            hook.remove()
    return found


class Work(NamedTuple):
    """What a sample costs: multiply-adds, and the most values that a layer makes of it."""

    multiply_adds: int
    widest: int


def work_of(module: nn.Module, input_shape: tuple[int, ...]) -> Work:
    """What a sample costs in a network."""
    layers = layers_of(module, input_shape)
    widest = max(prod(shape) for shape in (input_shape, *(each.output_shape for each in layers)))
    return Work(sum(each.multiply_adds for each in layers), widest)


def _widened(fields: tuple[Field, ...], kernel: Any, stride: Any, dilation: Any) -> Any:
    """The fields behind a window that moves (Araujo, Norris and Sim, 2019)."""
    return tuple(
        Field(field.size + (k - 1) * d * field.step, field.step * s)
        for field, k, s, d in zip(fields, kernel, stride, dilation, strict=True)
    )


def _tensors(args: Any) -> list[Tensor]:
    if isinstance(args, Tensor):
        return [args]
    return [t for a in args for t in _tensors(a)] if isinstance(args, (tuple, list)) else []


def _argument(args: tuple, kwargs: dict, place: int, name: str, default: Any) -> Any:
    return args[place] if len(args) > place else kwargs.get(name, default)


def _each(value: Any, n: int) -> tuple[int, ...]:
    return (
        tuple(value) * (n if len(value) == 1 else 1)
        if isinstance(value, (tuple, list))
        else (value,) * n
    )
