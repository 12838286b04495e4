"""Progressive growing of generative adversarial networks.

Karras, Aila, Laine and Lehtinen (2018), https://arxiv.org/abs/1710.10196.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from math import prod
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sknets._params import (
    Interval,
    InvalidParameterError,
    OneOf,
    estimator,
    param,
    whole_numbers,
)
from sknets.gan.adversarial import Rules
from sknets.gan.growing import (
    LEAK,
    Equalised,
    GrowingBody,
    GrowingDiscriminator,
    GrowingGenerator,
    GrowingNet,
    Growth,
    Level,
    PixelNorm,
    convolution,
    dense,
    larger,
    sizes_of,
)
from sknets.gan.images import AdversarialImages
from sknets.gan.network import AdversarialNet
from sknets.gan.parameters import averaged_generator, told_of_deviation

DRIFT = 0.001  # of loss="wasserstein" (Karras et al., 2018, appendix A.1)
R1 = 0.3


class ProgressiveGenerator(GrowingGenerator):
    """Convolutions with pixel norm, from the smallest size on (Karras et al., 2018, table 2).

    Parameters
    ----------
    sizes, widths, channels
        As of a `GrowingGenerator`.
    n_code : int
        Numbers of a code with its class.
    """

    def __init__(
        self, sizes: list[tuple[int, ...]], widths: Sequence[int], channels: int, n_code: int
    ) -> None:
        super().__init__(sizes, widths, channels)
        n_sides, first = len(sizes[0]), prod(sizes[0])
        self.norm = PixelNorm()
        self.first = dense(n_code, widths[0] * first, gain=math.sqrt(2) / 4)
        self.start = nn.Sequential(
            nn.LeakyReLU(LEAK), PixelNorm(), *self._layer(n_sides, widths[0], widths[0])
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*self._layer(n_sides, n_in, n_out), *self._layer(n_sides, n_out, n_out))
            for n_in, n_out in pairwise(widths)
        )

    @staticmethod
    def _layer(n_sides: int, n_in: int, n_out: int) -> list[nn.Module]:
        return [convolution(n_sides, n_in, n_out), nn.LeakyReLU(LEAK), PixelNorm()]

    def maps(
        self, z: Tensor, classes: Tensor, drawn: torch.Generator | None, n: int
    ) -> tuple[Tensor, Tensor]:
        x = self.first(torch.cat([self.norm(z), classes], 1))
        x = before = self.start(x.view(len(x), -1, *self.sizes[0]))
        for i in range(1, n):
            before = x
            x = self.blocks[i - 1](larger(x, self.sizes[i]))
        return x, before


def is_share(value: Any) -> bool:
    """Whether a value is a finite number > 0."""
    return isinstance(value, Real) and 0 < float(value) < math.inf


@estimator
class GrowingImages(AdversarialImages):
    """Abstract: a generative adversarial network that grows with its images."""

    filters: Any = param(
        (64, 64, 32, 16),
        ["array-like", Interval(Integral, 1, None, closed="left")],
        "Channels of the layers of each size, from the smallest on; larger sizes than there are "
        "numbers take the last.",
        kw_only=False,
    )
    fade_in: float = param(
        0.5,
        Interval(Real, 0, 1, closed="both"),
        "Share of the time at a size in which its layers come in.",
    )
    size_shares: Any = param(
        None,
        [None, "array-like"],
        "How the epochs, of which there are max_iter also in calls of `partial_fit`, are shared "
        "among the sizes, from the smallest on. None: evenly.",
    )
    minibatch_std: bool = told_of_deviation(True)
    r1: Any = param(
        "auto",
        [OneOf("auto"), Interval(Real, 0, None, closed="left")],
        f"Weight of the penalty on the discriminator's slopes at real samples. 'auto' is {R1}, and "
        "0 where there is a gradient_penalty.",
    )
    learning_rate_init: float = param(
        0.016,
        Interval(Real, 0, None, closed="neither"),
        "The generator's initial learning rate; the highest of 'one_cycle'.",
    )
    beta_1: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "Decay rate of the first moment of adam, adamw and nadam.",
    )
    beta_2: float = param(
        0.99,
        Interval(Real, 0, 1, closed="left"),
        "Decay rate of the second moment of adam, adamw and nadam.",
    )
    averaging: Any = averaged_generator("ema")
    _shape_parameters: ClassVar[tuple[str, ...]] = ("filters", "minibatch_std")
    _blurs = False  # what is halved or doubled

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        name = type(self).__name__
        whole_numbers(self.filters, "filters", name)
        if self.spectral_norm or self.minibatch_discrimination:
            raise InvalidParameterError(
                f"The discriminator of {name} has scaled weights and minibatch_std: it knows no "
                "spectral_norm and no minibatch_discrimination."
            )

    def _rules(self) -> Rules:
        rules = super()._rules()
        if self.r1 == "auto":
            rules = rules._replace(r1=0.0 if rules.gradient_penalty else R1)
        return rules._replace(drift=DRIFT if self.loss == "wasserstein" else 0.0)

    def _sizes(self) -> list[tuple[int, ...]]:
        return sizes_of(self.image_shape_[1:])

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        X, y = super()._validate(X, y, reset)
        shares, n = self.size_shares, len(self._sizes())
        if shares is not None and (len(shares) != n or not all(map(is_share, shares))):
            raise InvalidParameterError(
                f"The 'size_shares' parameter of {type(self).__name__} must hold {n} numbers > 0, "
                f"one for each size of images of {self.image_shape_[1:]}. Got {shares!r} instead."
            )
        return X, y

    def _widths(self) -> list[int]:
        given = whole_numbers(self.filters, "filters", type(self).__name__)
        return [given[min(i, len(given) - 1)] for i in range(len(self._sizes()))]

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> AdversarialNet:
        sizes, widths, channels = self._sizes(), self._widths(), self.image_shape_[0]
        n_units, n_seen = widths[0], self.n_packed * (channels + self._n_seen_classes())
        body = GrowingBody(sizes, widths, n_seen, n_units, self.minibatch_std, self._blurs)
        discriminator = GrowingDiscriminator(
            body,
            channels,
            head=dense(n_units, 1, gain=1.0),
            projection=self._directions(n_units) if self._projects() else None,
            n_packed=self.n_packed,
            n_inputs=self.n_features_in_,
            n_classes=self._n_classes,
        )
        shares = [1.0] * len(sizes) if self.size_shares is None else list(self.size_shares)
        return GrowingNet(
            self._generator(sizes, widths, channels),
            discriminator,
            *self._shared(self.n_features_in_),
            self._images(),
            Growth(shares, self.fade_in),
        )

    def _directions(self, n_units: int) -> Equalised:
        """What makes directions of classes."""
        return Equalised(nn.Linear(self._n_classes, n_units, bias=False), gain=1.0)

    @abstractmethod
    def _generator(
        self, sizes: list[tuple[int, ...]], widths: list[int], channels: int
    ) -> GrowingGenerator:
        """The generator of images of some sizes."""

    def _fill(self, module: nn.Module, drawn: torch.Generator) -> None:
        for layer in module.modules():
            if isinstance(layer, Equalised):
                layer.initialise(drawn)
            elif isinstance(layer, Level):
                layer.value = 0.0
                layer.kept.zero_()


@estimator
class ProgressiveGAN(GrowingImages):
    r"""Generative adversarial network that grows from small images to large ones.

    Both players start from images of a few pixels; from time to time layers of the next size fade
    in, so that what is coarse is learnt before what is fine. Weights are scaled when they are used
    (equalised learning rate), the generator normalises the channels of each pixel, and the
    discriminator is told the deviation over a minibatch [1]_. Sides are halved as long as they are
    even and at least 8. The default ``loss`` and ``learning_rate_init`` suit thousands of updates
    of small networks; the paper's, for many more, are ``"wasserstein"`` and 0.001. See the
    :ref:`user guide <gan-growing>`.

    `X` is an array of images, (n, height, width) or (n, channels, height, width), of signals with
    ``signal=True``, (n, channels, length), or a table whose rows hold one each. Rows and arrays are
    interchangeable. Whole numbers of 8 bits are read as shares of 255; samples are shares, too.

    See Also
    --------
    DCGAN : Of one size from the start.
    StyleGAN : Whose code enters at every size.

    References
    ----------
    .. [1] Karras, Aila, Laine and Lehtinen (2018). "Progressive growing of GANs for improved
       quality, stability, and variation." ICLR. https://arxiv.org/abs/1710.10196

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import ProgressiveGAN
    >>> X = load_digits().images / 16
    >>> gan = ProgressiveGAN(16, filters=(16, 8), max_iter=2, random_state=0).fit(X)
    >>> gan.sample(3, random_state=0).shape
    (3, 8, 8)
    """

    def _generator(
        self, sizes: list[tuple[int, ...]], widths: list[int], channels: int
    ) -> GrowingGenerator:
        n_code = self.n_components + self._n_classes
        return ProgressiveGenerator(sizes, widths, channels, n_code)
