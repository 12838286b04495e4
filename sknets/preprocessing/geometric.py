"""Augmentations that move pixels: mirror, crop, shift, turn, scale, slant, distort.

Each says where the pixels of the result are in the image, by a map (x, y) -> A (x, y) + b. A run
of them is the product of their maps, and one interpolation (`Resampling`). Places are counted in
pixels from the centre of the image, x to the right and y down.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from numbers import Integral, Real
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from sknets._params import Interval, InvalidParameterError, OneOf, estimator, param
from sknets.preprocessing._batches import Augmentation, matrices, uniform, whole

FILLS = {"zero": "zeros", "edge": "border", "reflect": "reflection"}
X, Y, SHIFT = range(3)  # rows and columns of a map


class Geometric(Augmentation):
    """Abstract: an augmentation that moves pixels."""

    fill: Any = None  # whatever the neighbours in a run have
    _whole = False  # whether a pixel of the result is one of the image, or beyond it

    @abstractmethod
    def _maps(self, n: int, size: tuple[int, ...], generator: Generator) -> Tensor:
        """Where the pixels of the result are in the image: n affine maps, (n, 3, 3)."""

    def _size(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """The (height, width) of the result."""
        return size

    def _displacement(self, n: int, size: tuple[int, ...], generator: Generator) -> Tensor | None:
        """What is added to the pixels' places before they are mapped, (n, 2, height, width)."""
        return None

    def _changed(self, x: Tensor, generator: Generator) -> Tensor:
        return Resampling([self])(x, generator)


@estimator
class Moving(Geometric):
    """Abstract: an augmentation that may look beyond the image."""

    fill: str = param(
        "zero",
        OneOf(*FILLS),
        "What is beyond the image: zeros, its nearest edge, or its reflection.",
    )


def limits(
    owner: Augmentation, name: str, low: float = -math.inf, high: float = math.inf
) -> tuple[float, float] | None:
    """The parameter `name` where it is a pair of bounds; None where it is a number."""
    value = getattr(owner, name)
    if isinstance(value, Real):
        return None
    numbers = all(isinstance(v, Real) and low < float(v) < high for v in value)
    if len(value) != 2 or not numbers or value[0] > value[1]:
        raise InvalidParameterError(
            f"The {name!r} parameter of {type(owner).__name__} must be a number, or a pair (from, "
            f"to) of numbers in ({low}, {high}). Got {value!r} instead."
        )
    return value[0], value[1]


@estimator
class Flip(Geometric):
    """Mirror images.

    See Also
    --------
    Compose : Several augmentations, one after the other.

    References
    ----------
    .. [1] Krizhevsky, Sutskever and Hinton (2012). "ImageNet classification with deep
       convolutional neural networks." NeurIPS, section 4.1. https://doi.org/10.1145/3065386

    Examples
    --------
    >>> import torch
    >>> from sknets.preprocessing import Flip
    >>> x = torch.tensor([[[1.0, 2.0, 3.0]]])
    >>> Flip(p=1.0)(x, torch.Generator()).x
    tensor([[[3., 2., 1.]]])
    """

    p: float = param(
        0.5, Interval(Real, 0, 1, closed="both"), "Share of the samples that are mirrored."
    )
    axis: str = param(
        "horizontal",
        OneOf("horizontal", "vertical", "both"),
        "What changes its direction; with 'both' a sample may have either, both or neither.",
    )

    _whole = True

    def _maps(self, n: int, size: tuple[int, ...], generator: Generator) -> Tensor:
        def signs(axis: str) -> Tensor:
            p = self.p if self.axis in (axis, "both") else 0.0
            return torch.where(uniform(0, 1, n, generator) < p, -1.0, 1.0)

        return matrices({(X, X): signs("horizontal"), (Y, Y): signs("vertical")})


@estimator
class Crop(Moving):
    """A window of the padded image, of the same size or a smaller one.

    See Also
    --------
    Translate : Moves by a share of the image.

    References
    ----------
    .. [1] Krizhevsky, Sutskever and Hinton (2012). "ImageNet classification with deep
       convolutional neural networks." NeurIPS, section 4.1. https://doi.org/10.1145/3065386
    .. [2] He, Zhang, Ren and Sun (2016). "Deep residual learning for image recognition." CVPR,
       section 4.2. https://doi.org/10.1109/CVPR.2016.90

    Examples
    --------
    >>> import torch
    >>> from sknets.preprocessing import Crop
    >>> x, generator = torch.ones(16, 3, 32, 32), torch.Generator().manual_seed(0)
    >>> Crop()(x, generator).x.shape
    torch.Size([16, 3, 32, 32])
    >>> Crop(padding=0, size=28)(x, generator).x.shape
    torch.Size([16, 3, 28, 28])
    """

    padding: int = param(
        4, Interval(Integral, 0, None, closed="left"), "Pixels put around the image."
    )
    size: Any = param(
        None,
        [None, Interval(Integral, 1, None, closed="left")],
        "Side of the window, or its length in a signal; None is the size of the image.",
    )

    _whole = True

    def _maps(self, n: int, size: tuple[int, ...], generator: Generator) -> Tensor:
        def shifts(side: int, new: int) -> Tensor:
            room = 2 * self._padding(side) + side - new
            if room < 0:
                raise ValueError(
                    f"The 'size' parameter of Crop must be at most {room + new}, the side of the "
                    f"padded image. Got {new} instead."
                )
            return whole(0, room, n, generator) - room / 2

        down, across = map(shifts, size, self._size(size))
        return matrices({(X, SHIFT): across, (Y, SHIFT): down})

    def _padding(self, side: int) -> int:
        return self.padding if side > 1 else 0  # a signal is one pixel high

    def _size(self, size: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(side if self.size is None or side == 1 else self.size for side in size)


@estimator
class Translate(Moving):
    """Move what is in an image.

    See Also
    --------
    Crop : Pads, then cuts out.

    References
    ----------
    .. [1] LeCun, Bottou, Bengio and Haffner (1998). "Gradient-based learning applied to document
       recognition." Proceedings of the IEEE 86, 2278-2324. https://doi.org/10.1109/5.726791

    Examples
    --------
    >>> import torch
    >>> from sknets.preprocessing import Translate
    >>> x = torch.tensor([[[0.0, 1.0, 0.0]]]).repeat(4, 1, 1)
    >>> Translate(1)(x, torch.Generator().manual_seed(3)).x.squeeze()
    tensor([[0., 0., 1.],
            [0., 1., 0.],
            [0., 0., 1.],
            [1., 0., 0.]])
    """

    shift: float = param(
        0.1,
        [Interval(Integral, 0, None, closed="left"), Interval(Real, 0, 1, closed="both")],
        "Furthest move along each axis: an int is of whole pixels, a float a share of the side.",
        kw_only=False,
    )

    @property
    def _whole(self) -> bool:  # type: ignore[override]
        return isinstance(self.shift, Integral)

    def _maps(self, n: int, size: tuple[int, ...], generator: Generator) -> Tensor:
        def shifts(side: int) -> Tensor:
            if side == 1:  # a signal is one pixel high
                return torch.zeros(n, device=generator.device)
            if self._whole:
                return whole(-int(self.shift), int(self.shift), n, generator).float()
            return uniform(-self.shift * side, self.shift * side, n, generator)

        down, across = map(shifts, size)
        return matrices({(X, SHIFT): across, (Y, SHIFT): down})


@estimator
class Rotate(Moving):
    """Turn images about their centre.

    See Also
    --------
    Shear : Slants them.

    Examples
    --------
    >>> import torch
    >>> from sknets.preprocessing import Rotate
    >>> x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> Rotate((90, 90))(x, torch.Generator()).x.squeeze().round(decimals=4)
    tensor([[2., 4.],
            [1., 3.]])
    """

    degrees: Any = param(
        15,
        [Interval(Real, 0, 180, closed="both"), tuple, list],
        "Largest angle either way, or a pair (from, to); positive is counterclockwise.",
        kw_only=False,
    )

    images_only = True

    def _check(self) -> None:
        super()._check()
        limits(self, "degrees")

    def _maps(self, n: int, size: tuple[int, ...], generator: Generator) -> Tensor:
        low, high = limits(self, "degrees") or (-self.degrees, self.degrees)
        angle = uniform(math.radians(low), math.radians(high), n, generator)
        cos, sin = angle.cos(), angle.sin()
        return matrices({(X, X): cos, (X, Y): -sin, (Y, X): sin, (Y, Y): cos})


@estimator
class Scale(Moving):
    """Enlarge and shrink what is in an image, evenly in the logarithm.

    See Also
    --------
    ImageResizer : Another number of pixels.

    Examples
    --------
    >>> import torch
    >>> from sknets.preprocessing import Scale
    >>> x = torch.tensor([[[0.0, 1.0, 1.0, 0.0]]])
    >>> Scale((2, 2))(x, torch.Generator()).x
    tensor([[[0.7500, 1.0000, 1.0000, 0.7500]]])
    """

    factor: Any = param(
        1.1,
        [Interval(Real, 1, None, closed="left"), tuple, list],
        "Largest factor, whose inverse is the smallest, or a pair (from, to).",
        kw_only=False,
    )

    def _check(self) -> None:
        super()._check()
        limits(self, "factor", low=0)

    def _maps(self, n: int, size: tuple[int, ...], generator: Generator) -> Tensor:
        low, high = limits(self, "factor", low=0) or (1 / self.factor, self.factor)
        inverse = uniform(-math.log(high), -math.log(low), n, generator).exp()
        return matrices({(X, X): inverse, (Y, Y): inverse})


@estimator
class Shear(Moving):
    """Slant images: each row moves by its distance from the middle one.

    See Also
    --------
    Rotate : Turns them.

    References
    ----------
    .. [1] LeCun, Bottou, Bengio and Haffner (1998). "Gradient-based learning applied to document
       recognition." Proceedings of the IEEE 86, 2278-2324. https://doi.org/10.1109/5.726791

    Examples
    --------
    >>> import torch
    >>> from sknets.preprocessing import Shear
    >>> x = torch.tensor([[[[0.0, 1, 0], [0, 1, 0], [0, 1, 0]]]])
    >>> Shear((45, 45))(x, torch.Generator()).x.squeeze().round(decimals=4)
    tensor([[0., 0., 1.],
            [0., 1., 0.],
            [1., 0., 0.]])
    """

    degrees: Any = param(
        10,
        [Interval(Real, 0, 90, closed="left"), tuple, list],
        "Largest angle of upright lines either way, or a pair (from, to); positive leans to the "
        "right.",
        kw_only=False,
    )

    images_only = True

    def _check(self) -> None:
        super()._check()
        limits(self, "degrees", low=-90, high=90)

    def _maps(self, n: int, size: tuple[int, ...], generator: Generator) -> Tensor:
        low, high = limits(self, "degrees", low=-90, high=90) or (-self.degrees, self.degrees)
        return matrices({(X, Y): uniform(low, high, n, generator).deg2rad().tan()})


@estimator
class Elastic(Moving):
    r"""Elastic distortion: every pixel moves, its neighbours much as it does.

    The displacements, one field for each axis, are :math:`\alpha\, (G_\sigma * u)`: uniform noise
    on [-1, 1] under a Gaussian of standard deviation :math:`\sigma`. Their own standard deviation
    is :math:`\alpha / (2 \sigma \sqrt{3 \pi})` pixels. A signal is stretched here and compressed
    there.

    See Also
    --------
    Shear : One slant for the whole image.

    References
    ----------
    .. [1] Simard, Steinkraus and Platt (2003). "Best practices for convolutional neural networks
       applied to visual document analysis." ICDAR, section 2.
       https://doi.org/10.1109/ICDAR.2003.1227801

    Examples
    --------
    >>> import torch
    >>> from sknets.preprocessing import Elastic
    >>> x = torch.ones(16, 1, 29, 29)
    >>> Elastic(alpha=34, sigma=4)(x, torch.Generator().manual_seed(0)).x.shape
    torch.Size([16, 1, 29, 29])
    """

    alpha: float = param(
        34.0, Interval(Real, 0, None, closed="left"), "How far pixels move, in pixels of noise."
    )
    sigma: float = param(
        4.0,
        Interval(Real, 1, None, closed="left"),
        "How far the movement carries, in pixels: a small one crumples, a large one moves the "
        "image as a whole.",
    )

    def _maps(self, n: int, size: tuple[int, ...], generator: Generator) -> Tensor:
        return torch.eye(3, device=generator.device).expand(n, 3, 3)

    def _displacement(self, n: int, size: tuple[int, ...], generator: Generator) -> Tensor | None:
        down, across = (self._kernel(side, generator.device) for side in size)
        noise = torch.empty(n, 2, down.shape[1], across.shape[1], device=generator.device)
        noise.uniform_(-1, 1, generator=generator)  # of variance 1/3
        std = self.alpha / (2 * self.sigma * math.sqrt(3 * math.pi))
        # Along x, then y; a signal, which is one pixel high, stays in its row.
        reach = [math.sqrt(3) * std * (side > 1) for side in reversed(size)]
        noise *= noise.new_tensor(reach).view(2, 1, 1)
        return down @ (noise @ across.T)

    def _kernel(self, side: int, device: torch.device) -> Tensor:
        """Gaussian weights of noise at each pixel, of length one: (side, places of noise).

        Differs from the paper: noise every sigma pixels, not at every one. The smoothed fields
        have the same covariances, to one in a thousand, at a fraction of the draws.
        """
        n_places = math.ceil(side / self.sigma) + 7  # three sigma beyond the image
        places = self.sigma * centred(n_places, device)
        distance = (centred(side, device)[:, None] - places) / self.sigma
        # Without the threshold, products of tiny weights are denormal numbers, which are slow.
        weights = F.threshold(torch.exp(-(distance**2) / 2), 1e-4, 0)
        return F.normalize(weights, dim=1)


class Resampling:
    """A run of augmentations that move pixels, as one interpolation."""

    def __init__(self, steps: list[Geometric]) -> None:
        self.steps = steps
        fills = [step.fill for step in steps if step.fill is not None]
        self.padding = FILLS[fills[0]] if fills else "zeros"
        self.mode = "nearest" if all(step._whole for step in steps) else "bilinear"

    def can_go_on(self, step: Geometric) -> bool:
        """Whether `step` can be put to the run, which elastic distortion ends."""
        fills = {each.fill for each in (*self.steps, step)} - {None}
        return len(fills) <= 1 and not isinstance(self.steps[-1], Elastic)

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """What is in the images at the places that the results come from."""
        if x.ndim == 3:  # a signal is an image one pixel high
            return self(x.unsqueeze(2), generator).squeeze(2)
        n, size = len(x), tuple(x.shape[2:])
        # grid_sample counts in halves of the image.
        halves = torch.tensor([2 / size[1], 2 / size[0], 1.0], device=generator.device)
        maps = halves.diag().expand(n, 3, 3)
        for step in self.steps:
            maps = maps @ step._maps(n, size, generator)
            size = step._size(size)
        moves = self.steps[-1]._displacement(n, size, generator)
        maps = maps.to(x)
        linear, shift = maps[:, :2, :2], maps[:, :2, 2]
        axes = [centred(side, x.device).to(x) for side in reversed(size)]
        places = torch.stack(torch.meshgrid(*axes, indexing="xy")).flatten(1)
        sources = torch.addmm(shift.reshape(-1, 1), linear.reshape(-1, 2), places)
        sources = sources.view(n, 2, -1)  # (n, 2, height * width)
        if moves is not None:
            sources.baddbmm_(linear, moves.to(x).flatten(2))
        grid = sources.view(n, 2, *size).permute(0, 2, 3, 1)
        return F.grid_sample(x, grid, self.mode, self.padding, align_corners=False)


def centred(n: int, device: torch.device) -> Tensor:
    """n neighbouring places, counted from the middle of them."""
    return torch.arange(n, dtype=torch.float32, device=device) - (n - 1) / 2
