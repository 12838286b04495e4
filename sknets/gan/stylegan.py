"""Generative adversarial networks whose code enters at every size.

Karras, Laine and Aila (2019), "A style-based generator architecture for generative adversarial
networks", https://arxiv.org/abs/1812.04948.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sknets._params import (
    Interval,
    InvalidParameterError,
    check_values,
    estimator,
    is_count,
    param,
)
from sknets.gan.growing import (
    LEAK,
    GrowingGenerator,
    PixelNorm,
    blurred,
    convolution,
    dense,
    larger,
)
from sknets.gan.progressive import GrowingImages

MAPPING_RATE = 0.01  # of learning, of the mapping beside the rest (appendix C)
KEPT = 0.995  # of the mean style at each minibatch
SMALLEST = 1e-8


class Styled(nn.Module):
    """Noise, an activation, and the mean and deviation of each map that a style says (section 2).

    Parameters
    ----------
    n_maps, n_style : int
    """

    def __init__(self, n_maps: int, n_style: int) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.empty(n_maps))
        self.activation = nn.LeakyReLU(LEAK)
        self.style = dense(n_style, 2 * n_maps, gain=1.0)

    def forward(self, x: Tensor, style: Tensor, drawn: torch.Generator | None) -> Tensor:
        """Maps of the same shape; without a generator there is no noise."""
        axes = tuple(range(2, x.ndim))
        if drawn is not None:
            noise = x.new_empty(len(x), 1, *x.shape[2:]).normal_(generator=drawn)
            x = x + self.strength.view(-1, *(1 for _ in axes)) * noise
        x = self.activation(x)
        centred = x - x.mean(axes, keepdim=True)
        x = centred * (centred.square().mean(axes, keepdim=True) + SMALLEST).rsqrt()
        scale, shift = self.style(style).view(len(x), 2, -1, *(1 for _ in axes)).unbind(1)
        return x * (1 + scale) + shift


class StyleGenerator(GrowingGenerator):
    """A mapping from codes to styles, and a synthesis of images from those (figure 1b).

    Parameters
    ----------
    sizes, widths, channels
        As of a `GrowingGenerator`.
    n_code : int
        Numbers of a code with its class.
    n_style, n_mapping_layers : int
    mixing : float
        Share of the samples in training whose styles are of two codes (section 3.1).
    """

    def __init__(
        self,
        sizes: list[tuple[int, ...]],
        widths: Sequence[int],
        channels: int,
        n_code: int,
        n_style: int,
        n_mapping_layers: int,
        mixing: float,
    ) -> None:
        super().__init__(sizes, widths, channels)
        self.mixing, n_sides = mixing, len(sizes[0])
        layers: list[nn.Module] = [PixelNorm()]
        for i in range(n_mapping_layers):
            n_in = n_style if i else n_code
            layers += [dense(n_in, n_style, rate=MAPPING_RATE), nn.LeakyReLU(LEAK)]
        self.mapping = nn.Sequential(*layers)
        self.start = nn.Parameter(torch.empty(widths[0], *sizes[0]))
        self.convolutions = nn.ModuleList([nn.Identity()])
        for i, (n_in, n_out) in enumerate(pairwise((widths[0], *widths))):
            if i:
                self.convolutions.append(convolution(n_sides, n_in, n_out))
            self.convolutions.append(convolution(n_sides, n_out, n_out))
        self.styled = nn.ModuleList(Styled(n, n_style) for n in widths for _ in range(2))
        self.mean_style: Tensor
        self.register_buffer("mean_style", torch.zeros(n_style))

    def style(self, z: Tensor, classes: Tensor) -> Tensor:
        """Styles of codes, of shape (n, n_style)."""
        made: Tensor = self.mapping(torch.cat([z, classes], 1))
        return made

    def maps(
        self, z: Tensor, classes: Tensor, drawn: torch.Generator | None, n: int
    ) -> tuple[Tensor, Tensor]:
        style = self.style(z, classes)
        styles = style[:, None].expand(-1, 2 * n, -1)
        if self.training:
            with torch.no_grad():
                mean = style.mean(0).to(self.mean_style.dtype)
                self.mean_style.lerp_(mean, 1 - KEPT)
            if self.mixing:
                styles = self.mixed(style, self.style(z.roll(1, 0), classes), drawn, n)
        return self.synthesised(styles, drawn, n)

    def mixed(self, style: Tensor, other: Tensor, drawn: torch.Generator | None, n: int) -> Tensor:
        """Styles of two codes, of which the other one's begin at a layer that is drawn."""
        like = torch.empty(len(style), device=style.device)
        place = like.clone().uniform_(1, 2 * n, generator=drawn).floor()
        place[like.uniform_(generator=drawn) >= self.mixing] = 2 * n
        is_first = torch.arange(2 * n, device=style.device) < place[:, None]
        return torch.where(is_first[..., None], style[:, None], other[:, None])

    def synthesised(
        self, styles: Tensor, drawn: torch.Generator | None, n: int
    ) -> tuple[Tensor, Tensor]:
        """Maps of the `n`-th size, and of the one before, from styles (n_samples, 2 n, n_style)."""
        x = before = self.start.expand(len(styles), *self.start.shape)
        for i in range(2 * n):
            if i and i % 2 == 0:
                before = x
                x = blurred(larger(x, self.sizes[i // 2]))
            x = self.styled[i](self.convolutions[i](x), styles[:, i], drawn)
        return x, before

    def images(self, styles: Tensor, drawn: torch.Generator | None) -> Tensor:
        """Images of the size that is grown to, as rows, from styles of each layer."""
        place, weight = self.level.stage()
        maps, before = self.synthesised(styles, drawn, place + 1)
        return self.coloured(maps, before, place, weight).flatten(1)


@estimator
class StyleGAN(GrowingImages):
    r"""Generative adversarial network whose code enters at every size of an image, as a style.

    A network maps a code to a style, which says the mean and the deviation of each map of a
    synthesis that starts from a constant; noise on each pixel makes what is different by chance
    [1]_. Styles of two codes can be mixed, one for what is coarse and one for what is fine, and
    those far from the mean avoided. Both players grow as those of a :class:`ProgressiveGAN`. See
    the :ref:`user guide <gan-growing>`.

    `X` is an array of images, (n, height, width) or (n, channels, height, width), of signals with
    ``signal=True``, (n, channels, length), or a table whose rows hold one each. Rows and arrays are
    interchangeable. Whole numbers of 8 bits are read as shares of 255; samples are shares, too.

    See Also
    --------
    ProgressiveGAN : The same growth, from a code that enters once.

    References
    ----------
    .. [1] Karras, Laine and Aila (2019). "A style-based generator architecture for generative
       adversarial networks." CVPR. https://arxiv.org/abs/1812.04948

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sknets import StyleGAN
    >>> X = load_digits().images / 16
    >>> gan = StyleGAN(16, filters=(16, 8), max_iter=2, random_state=0).fit(X)
    >>> coarse, fine = np.random.default_rng(0).normal(size=(2, 3, 16))
    >>> gan.sample(3, random_state=0).shape, gan.mix_styles(coarse, fine).shape
    ((3, 8, 8), (3, 8, 8))
    """

    n_style_components: int = param(
        64, Interval(Integral, 1, None, closed="left"), "Numbers of a style."
    )
    n_mapping_layers: int = param(
        4, Interval(Integral, 1, None, closed="left"), "Layers from codes to styles."
    )
    style_mixing: float = param(
        0.9,
        Interval(Real, 0, 1, closed="both"),
        "Share of the samples in training whose styles are of two codes.",
    )
    _shape_parameters: ClassVar[tuple[str, ...]] = ("n_style_components", "n_mapping_layers")
    _blurs = True

    def _generator(
        self, sizes: list[tuple[int, ...]], widths: list[int], channels: int
    ) -> GrowingGenerator:
        n_code = self.n_components + self._n_classes
        how = (self.n_style_components, self.n_mapping_layers, self.style_mixing)
        return StyleGenerator(sizes, widths, channels, n_code, *how)

    def _fill(self, module: nn.Module, drawn: torch.Generator) -> None:
        super()._fill(module, drawn)
        for layer in module.modules():
            if isinstance(layer, Styled):
                layer.strength.zero_()
        network: Any = module
        network.generator.start.fill_(1.0)
        network.generator.mean_style.zero_()

    def sample(
        self,
        n_samples: int = 1,
        *,
        y: Any = None,
        truncation: float = 1.0,
        random_state: Any = None,
    ) -> np.ndarray:
        """Draw codes from their prior, and make images of them.

        Parameters
        ----------
        n_samples : int, default=1
            How many. Ignored where `y` has several classes.
        y : object or array-like of shape (n_samples,), default=None
            The class of all, or of each, with conditional=True. None draws them by their shares in
            training. Ignored otherwise.
        truncation : float, default=1.0
            How far styles are from their mean, as a share: less than 1 makes better images that are
            more alike (appendix B of the paper).
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        x : ndarray of shape (n_samples, n_features)
            The images, in the form of the fit.
        """
        check_is_fitted(self)
        check_values("sample", STYLES, {"truncation": truncation})
        if truncation == 1:
            return super().sample(n_samples, y=y, random_state=random_state)
        return self._sampled(n_samples, y, random_state, self._truncated(truncation))

    def _truncated(self, truncation: float) -> Any:
        """What makes samples of codes whose styles are nearer to their mean."""
        network = self.module_

        def made(z: Tensor, classes: Tensor, drawn: torch.Generator | None) -> Tensor:
            generator = network.generator
            style = torch.lerp(generator.mean_style, generator.style(z, classes), truncation)
            n = 2 * (generator.level.stage()[0] + 1)
            styles = style[:, None].expand(-1, n, -1)
            return network.restored(generator.images(styles, drawn))

        return made

    def mix_styles(self, coarse: Any, fine: Any, level: int = 1, *, y: Any = None) -> np.ndarray:
        """Make images whose coarse styles are of one code, and whose fine ones of another.

        Parameters
        ----------
        coarse, fine : array-like of shape (n_samples, n_components)
            The codes.
        level : int, default=1
            The first size of images whose styles are the fine ones: 0 is the smallest.
        y : object or array-like of shape (n_samples,), default=None
            The class of all, or of each, which conditional=True needs.

        Returns
        -------
        x : ndarray of shape (n_samples, n_features)
            The images, in the form of the fit, without noise.
        """
        codes, other = self._checked_codes(coarse), self._checked_codes(fine)
        if codes.shape != other.shape:
            raise ValueError(
                f"coarse and fine must have one shape. Got {codes.shape} and {other.shape}."
            )
        network = self.module_
        n_sizes = network.generator.level.stage()[0] + 1
        if (level != 0 and not is_count(level)) or level > n_sizes:
            raise InvalidParameterError(
                f"The 'level' parameter of mix_styles must be from 0 to {n_sizes}, the number of "
                f"sizes of images. Got {level!r} instead."
            )
        n, n_first = codes.shape[1], 2 * int(level)

        def made(x: Tensor, classes: Tensor, drawn: None) -> Tensor:
            generator = network.generator
            first, last = (generator.style(z, classes) for z in (x[:, :n], x[:, n:]))
            parts = [first] * n_first + [last] * (2 * n_sizes - n_first)
            return network.restored(generator.images(torch.stack(parts, 1), None))

        places = self._needed_places(len(codes), y)
        both = np.hstack([codes, other])
        return self._given_back(self._by_codes(both, places, None, made))


STYLES = {"truncation": [Interval(Real, 0, None, closed="left")]}
