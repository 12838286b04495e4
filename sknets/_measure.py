"""What each layer of a network does: the shape it makes, its parameters, operations and view.

A network runs once without numbers, on torch's meta device, while every function that it calls is
watched, so that branches and functions outside of layers count as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from threading import get_ident
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary


@contextmanager
def watched(module: nn.Module, inputs: bool = False) -> Iterator[list[Tensor]]:
    """What a layer makes of each of its inputs while this lasts, or those inputs themselves.

    Only in the thread that watches: others may be using the network as well. Copies, since an
    activation that comes after may work in place.
    """
    seen: list[Tensor] = []
    thread = get_ident()

    def keep(layer: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        if get_ident() == thread:
            seen.append((given[0] if inputs else made).clone())

    hook = module.register_forward_hook(keep)
    try:
        yield seen
    finally:
        hook.remove()


class Field(NamedTuple):
    """What a value sees of the input along an axis: how many values of it, and where they are."""

    size: int
    step: int  # to what its neighbour sees
    first: float  # the middle of what the first value sees


class Layer(NamedTuple):
    """A layer of a network, for one sample."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    n_parameters: int
    multiply_adds: int
    fields: tuple[Field, ...]  # along each axis of the input

    @property
    def field(self) -> tuple[int, ...]:
        """The size of the receptive field."""
        return tuple(field.size for field in self.fields)


CONVOLUTIONS = {torch.conv1d: 1, torch.conv2d: 2, torch.conv3d: 3}
TRANSPOSED = {torch.conv_transpose1d: 1, torch.conv_transpose2d: 2}
MAX_POOLS = {F.max_pool1d: 1, F.max_pool2d: 2, torch.max_pool1d: 1, torch.max_pool2d: 2}
AVERAGE_POOLS = {F.avg_pool1d: 1, F.avg_pool2d: 2}
POOLS = MAX_POOLS | AVERAGE_POOLS
RECURRENCES = {torch.rnn_tanh, torch.rnn_relu, torch.lstm, torch.gru}
# Where functions have their settings, and what these are by default; averages know no dilation.
OF_CONVOLUTIONS = {"stride": (3, 1), "padding": (4, 0), "dilation": (5, 1)}
OF_MAX_POOLS = {"stride": (2, None), "padding": (3, 0), "dilation": (4, 1)}
OF_AVERAGE_POOLS = {**OF_MAX_POOLS, "dilation": (99, 1)}
PLACES: dict[Any, dict[str, tuple[int, Any]]] = {
    **dict.fromkeys(CONVOLUTIONS, OF_CONVOLUTIONS),
    **dict.fromkeys(MAX_POOLS, OF_MAX_POOLS),
    **dict.fromkeys(AVERAGE_POOLS, OF_AVERAGE_POOLS),
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
    """Counts multiply-adds, and follows receptive fields through the functions of a network.

    Parameters
    ----------
    x : Tensor
        The input.
    sides : tuple of int
        Along which fields are measured: the height and width of an image, the time of a sequence.
    """

    def __init__(self, x: Tensor, sides: tuple[int, ...]) -> None:
        super().__init__()
        self.multiply_adds = 0
        self.sides = sides
        self.fields: Any = WeakIdKeyDictionary()
        self.fields[x] = tuple(Field(1, 1, 0.0) for _ in self.sides)

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        if tensors := _tensors(made):
            self._count(func, args, tensors[0])
            found = self._seen_by(func, args, kwargs, tensors[0])
            if found is not None:
                self.fields.update((tensor, found) for tensor in tensors)
        return made

    def fields_of(self, x: Tensor) -> tuple[Field, ...]:
        """What the values of a tensor see, at most the whole input."""
        each = zip(self.fields.get(x, ()), self.sides, strict=False)
        return tuple(f._replace(size=min(f.size, side)) for f, side in each)

    def _count(self, func: Callable, args: tuple, made: Tensor) -> None:
        if func in CONVOLUTIONS:
            self.multiply_adds += made.numel() * args[1][0].numel()
        elif func in TRANSPOSED:  # each value is spread by a kernel
            self.multiply_adds += made.shape[0] * args[0][0].numel() * args[1][0].numel()
        elif func is F.linear:
            self.multiply_adds += made.numel() * args[1].shape[1]
        elif func in RECURRENCES:
            weights = [t for t in args[2] if t.ndim == 2]
            self.multiply_adds += prod(made.shape[:2]) * sum(t.numel() for t in weights)

    def _seen_by(
        self, func: Callable, args: tuple, kwargs: dict, made: Tensor
    ) -> tuple[Field, ...] | None:
        """The fields of a result, from those of what it was made of."""
        inputs = [self.fields[t] for t in _tensors(args) if t in self.fields]
        if not inputs:
            return None
        fields = tuple(max(each) for each in zip(*inputs, strict=True))
        if func in WHOLE or func in RECURRENCES:
            return tuple(Field(side, side, (side - 1) / 2) for side in self.sides)
        if func in TRANSPOSED:
            n, kernel = TRANSPOSED[func], args[1].shape[2:]
            stride = _each(_argument(args, kwargs, "stride", 3, 1), n)
            padding = _each(_argument(args, kwargs, "padding", 4, 0), n)
            return tuple(map(_spread, fields, kernel, stride, padding))
        if func is F.interpolate:
            scales = [-(-new // old) for new, old in zip(made.shape, args[0].shape, strict=True)]
            return tuple(
                _spread(f, 1, scale, 0) for f, scale in zip(fields, scales[2:], strict=False)
            )
        if func not in PLACES:
            return fields
        if func in CONVOLUTIONS:
            n, kernel = CONVOLUTIONS[func], args[1].shape[2:]
        else:
            n = POOLS[func]
            kernel = _each(_argument(args, kwargs, "kernel_size", 1, None), n)
        stride, padding, dilation = (
            _each(_argument(args, kwargs, name, *where), n) for name, where in PLACES[func].items()
        )
        stride = kernel if None in stride else stride
        return tuple(map(_widened, fields, kernel, stride, padding, dilation))


def without_numbers(module: nn.Module) -> dict[str, Tensor]:
    """A module's parameters and buffers on the meta device, for `functional_call`."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {name: tensor.to("meta") for name, tensor in tensors}


def one_input(module: nn.Module, input_shape: tuple[int, ...]) -> Tensor:
    """An input of a module, on the meta device."""
    dtype = next((t.dtype for t in module.parameters() if t.is_floating_point()), None)
    return torch.empty(1, *input_shape, dtype=dtype, device="meta")


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
    """The layers that have none inside them, in the order in which they are called.

    One that uses the weights of a layer inside it in a way of its own, and says that it
    ``is_one_layer``, counts as one.
    """
    return layers_seeing(module, one_input(module, input_shape), input_shape[1:] or input_shape)


def layers_seeing(module: nn.Module, x: Any, sides: tuple[int, ...]) -> list[Layer]:
    """The same for an input, on the meta device, of any kind that holds tensors.

    Receptive fields are those along `sides` of the first of its tensors.
    """
    found: list[Layer] = []
    watch = Watch(_tensors(x)[0], sides)

    def called(layer: nn.Module, name: str, made: Any, before: list[int]) -> None:
        cost = watch.multiply_adds - before.pop()
        for first in _tensors(made)[:1]:
            n = sum(p.numel() for p in layer.parameters())
            shape = tuple(first.shape[1:])
            found.append(Layer(name, type(layer).__name__, shape, n, cost, watch.fields_of(first)))

    hooks = []
    for name, layer in module.named_modules():
        if not any(layer.children()) or getattr(layer, "is_one_layer", False):
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
            functional_call(module, without_numbers(module), (x,))
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


def _widened(field: Field, kernel: int, stride: int, padding: Any, dilation: int) -> Field:
    """The field behind a window that moves (Araujo, Norris and Sim, 2019)."""
    reach = (kernel - 1) * dilation
    before = {"same": reach // 2, "valid": 0}.get(padding, padding)
    middle = field.first + (reach / 2 - before) * field.step
    return Field(field.size + reach * field.step, field.step * stride, middle)


def _spread(field: Field, kernel: int, stride: int, padding: int) -> Field:
    """The field behind a value that a kernel has a part in spreading over several."""
    reach = (kernel - 1) // stride
    middle = field.first + (padding - (kernel - 1) / 2) / stride * field.step
    return Field(field.size + reach * field.step, -(-field.step // stride), middle)


def _tensors(args: Any) -> list[Tensor]:
    if isinstance(args, Tensor):
        return [args]
    return [t for a in args for t in _tensors(a)] if isinstance(args, (tuple, list)) else []


def _argument(args: tuple, kwargs: dict, name: str, place: int, default: Any) -> Any:
    return args[place] if len(args) > place else kwargs.get(name, default)


def _each(value: Any, n: int) -> tuple[Any, ...]:
    if not isinstance(value, (tuple, list)):
        return (value,) * n
    return tuple(value) * (n if len(value) == 1 else 1)
