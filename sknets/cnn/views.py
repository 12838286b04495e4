"""Test-time augmentation: the views of an image over which predictions are averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial, reduce
from itertools import product
from typing import Any

import torch.nn.functional as F
from torch import Tensor

View = Callable[[Tensor], Tensor]

SCALES = (0.9, 1.0, 1.1)
MARGIN = 8  # crops of an image as large as the network's are moved by a part of this many


def views_of(tta: Any, size: tuple[int, ...]) -> list[View]:
    """Every combination of what the names (or callables) do, each ending at the network's size."""
    given = (tta,) if isinstance(tta, str) or callable(tta) else tuple(tta or ())
    choices = [VIEWS[each](size) if isinstance(each, str) else [_same, each] for each in given]
    ending = partial(centre, size=size)
    return [partial(_in_turn, steps=(*steps, ending)) for steps in product(*choices)]


def centre(images: Tensor, size: tuple[int, ...]) -> Tensor:
    """The middle of images, cut out or with zeros around it."""
    before = [(side - new) // 2 for side, new in zip(images.shape[2:], size, strict=True)]
    return _window(images, before, size)


def _flips(size: tuple[int, ...]) -> list[View]:
    """As it is, and mirrored."""
    return [_same, _mirrored]


def _crops(size: tuple[int, ...]) -> list[View]:
    """The centre and the corners (Krizhevsky et al., 2012, section 4.1)."""
    corners = product((0, 1), repeat=len(size))
    return [partial(_crop, where=where, size=size) for where in ((0.5,) * len(size), *corners)]


def _mirrored_crops(size: tuple[int, ...]) -> list[View]:
    """The five crops and their mirror images."""
    turns = product(_crops(size), _flips(size))
    return [partial(_in_turn, steps=steps) for steps in turns]


def _scales(size: tuple[int, ...]) -> list[View]:
    """Smaller, as it is, and larger (Simonyan and Zisserman, 2015, section 3.2)."""
    return [partial(_resized, scale=scale) for scale in SCALES]


VIEWS: dict[str, Callable[[tuple[int, ...]], list[View]]] = {
    "flip": _flips,
    "five_crop": _crops,
    "ten_crop": _mirrored_crops,
    "scales": _scales,
}


def _same(images: Tensor) -> Tensor:
    return images


def _mirrored(images: Tensor) -> Tensor:
    return images.flip(-1)


def _in_turn(images: Tensor, steps: Iterable[View]) -> Tensor:
    return reduce(lambda x, step: step(x), steps, images)


def _resized(images: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return images
    size = [max(1, round(scale * side)) for side in images.shape[2:]]
    if images.ndim == 3:  # a signal is an image one pixel high
        return _interpolated(images.unsqueeze(2), [1, *size]).squeeze(2)
    return _interpolated(images, size)


def _interpolated(images: Tensor, size: list[int]) -> Tensor:
    return F.interpolate(images, size, mode="bilinear", antialias=True)


def _crop(images: Tensor, where: tuple[float, ...], size: tuple[int, ...]) -> Tensor:
    """A window at a place from 0, the first, to 1, the last, along each axis."""
    before = []
    for side, new, share in zip(images.shape[2:], size, where, strict=True):
        middle = (side - new) // 2
        reach = max(middle, new // MARGIN)
        before.append(round(middle + (2 * share - 1) * reach))
    return _window(images, before, size)


def _window(images: Tensor, before: list[int], size: tuple[int, ...]) -> Tensor:
    """What is in the images from some place on, with zeros beyond them."""
    pads: list[int] = []
    for side, start, new in zip(images.shape[2:], before, size, strict=True):
        pads = [-start, start + new - side, *pads]  # the last axis comes first
    return F.pad(images, pads) if any(pads) else images
