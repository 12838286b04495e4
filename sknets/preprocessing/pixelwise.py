"""Augmentations that change values where they are: colours, a part left out, samples mixed."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from sknets._params import Interval, estimator, param
from sknets.preprocessing._batches import Augmentation, AugmentedBatch, matrices, uniform, whole

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)
YIQ = (LUMA, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


@estimator
class ColorJitter(Augmentation):
    """Change the brightness, contrast, saturation and hue of images.

    Each is drawn evenly about 1, or the hue about 0, and they apply in this order. Values are not
    cut off. Of images with other than three channels the saturation is the distance of the
    channels from their mean; signals have brightness and contrast too.

    See Also
    --------
    PCAJitter : Moves colours along their principal components.

    References
    ----------
    .. [1] Howard (2013). "Some improvements on deep convolutional neural network based image
       classification." https://doi.org/10.48550/arXiv.1312.5402

    Examples
    --------
    >>> import torch
    >>> from sknets.preprocessing import ColorJitter
    >>> x = torch.ones(1, 3, 2, 2)
    >>> jitter = ColorJitter(brightness=0.5, contrast=0, saturation=0)
    >>> bool((0.5 <= jitter(x, torch.Generator().manual_seed(0)).x).all())
    True
    """

    brightness: float = param(
        0.2, Interval(Real, 0, None, closed="left"), "Largest change of the factor of all values."
    )
    contrast: float = param(
        0.2,
        Interval(Real, 0, None, closed="left"),
        "Largest change of the factor of the distances from the image's mean grey.",
    )
    saturation: float = param(
        0.2,
        Interval(Real, 0, None, closed="left"),
        "Largest change of the factor of the distances from the pixel's grey.",
    )
    hue: float = param(
        0.0,
        Interval(Real, 0, 0.5, closed="both"),
        "Largest turn of the colours about the axis of greys, as a share of the full turn; it "
        "needs three channels.",
    )

    def _changed(self, x: Tensor, generator: Generator) -> Tensor:
        n, n_channels = x.shape[:2]
        if self.hue and n_channels != 3:
            raise ValueError(
                f"The 'hue' parameter of ColorJitter must be 0 for images of {n_channels} "
                f"channel(s). Got {self.hue} instead."
            )

        def factors(most: float) -> Tensor:
            drawn = uniform(max(0.0, 1 - most), 1 + most, n, generator)
            return drawn.to(x).view(n, 1, 1)

        brightness, contrast, saturation = map(
            factors, (self.brightness, self.contrast, self.saturation)
        )
        turn = uniform(-self.hue, self.hue, n, generator).to(x)
        luma = x.new_tensor([LUMA] if n_channels == 3 else [[1 / n_channels] * n_channels])
        colours = x.flatten(2)  # (n, channels, pixels)
        grey = luma @ colours.mean(2, keepdim=True)  # (n, 1, 1)
        mixing = torch.lerp(luma.expand(n_channels, -1), torch.eye(n_channels).to(x), saturation)
        if self.hue:
            mixing = _hue_turns(turn) @ mixing
        # Mixing leaves greys as they are, so what contrast adds can be added in the end.
        return torch.baddbmm(
            (1 - contrast) * brightness * grey, contrast * brightness * mixing, colours
        ).view_as(x)


def _hue_turns(turn: Tensor) -> Tensor:
    """Matrices that turn colours by shares of the full turn, in the plane of constant luma."""
    angle = 2 * math.pi * turn
    cos, sin = angle.cos(), angle.sin()
    turns = matrices({(1, 1): cos, (1, 2): -sin, (2, 1): sin, (2, 2): cos})
    yiq = turn.new_tensor(YIQ)
    return torch.linalg.inv(yiq) @ turns @ yiq


@estimator
class PCAJitter(Augmentation):
    r"""Shift the colours of each image along their principal components.

    To every pixel is added :math:`\sum_i \alpha_i \sqrt{\lambda_i}\, p_i` with
    :math:`\alpha_i \sim N(0, s^2)`, drawn once an image, for the eigenvectors :math:`p_i` and
    eigenvalues :math:`\lambda_i` of the covariance of the channels: roughly a change of the light.
    The paper has :math:`\lambda_i` in place of its root, the author's programs (cuda-convnet2) the
    root, with which the scale of the values does not matter.

    See Also
    --------
    ColorJitter : Changes brightness, contrast, saturation and hue.

    References
    ----------
    .. [1] Krizhevsky, Sutskever and Hinton (2012). "ImageNet classification with deep
       convolutional neural networks." NeurIPS, section 4.1. https://doi.org/10.1145/3065386

    Examples
    --------
    >>> import torch
    >>> from sknets.preprocessing import PCAJitter
    >>> x = torch.arange(2 * 3 * 4.0).reshape(2, 3, 2, 2)
    >>> change = PCAJitter()(x, torch.Generator().manual_seed(0)).x - x
    >>> bool(change.std(dim=(2, 3)).max() < 1e-5)  # the same in every pixel
    True
    """

    scale: float = param(
        0.1,
        Interval(Real, 0, None, closed="left"),
        "Standard deviation of the draws, in standard deviations of the colours.",
    )
    covariance: Any = param(
        None,
        [None, "array-like"],
        "Covariance of the channels over the training set, (channels, channels); None takes that "
        "of each batch.",
    )

    def _changed(self, x: Tensor, generator: Generator) -> Tensor:
        n, n_channels = x.shape[:2]
        variance, directions = torch.linalg.eigh(self._covariance(x))
        spread = directions * variance.clamp_min(0).sqrt()
        drawn = torch.empty(n, n_channels, device=generator.device)
        drawn.normal_(0, self.scale, generator=generator)
        return x + (drawn.to(x) @ spread.T).view(n, n_channels, *[1] * (x.ndim - 2))

    def _covariance(self, x: Tensor) -> Tensor:
        n_channels = x.shape[1]
        if self.covariance is None:
            pixels = x.movedim(1, 0).flatten(1)
            return torch.cov(pixels, correction=0).view(n_channels, n_channels)
        given = torch.from_numpy(np.asarray(self.covariance, dtype=float)).to(x)
        if given.shape != (n_channels, n_channels):
            raise ValueError(
                f"The 'covariance' parameter of PCAJitter must be of shape ({n_channels}, "
                f"{n_channels}), as the images have {n_channels} channel(s). "
                f"Got {tuple(given.shape)} instead."
            )
        return given


@estimator
class Cutout(Augmentation):
    """Set a rectangle of each image, or a piece of each signal, to zero.

    Its centre may be any pixel, so that a part of the rectangle may lie beyond the image.

    See Also
    --------
    Crop : Keeps a window instead.

    References
    ----------
    .. [1] DeVries and Taylor (2017). "Improved regularization of convolutional neural networks with
       cutout." https://doi.org/10.48550/arXiv.1708.04552

    Examples
    --------
    >>> import torch
    >>> from sknets.preprocessing import Cutout
    >>> x = torch.ones(2, 1, 6)
    >>> Cutout(2)(x, torch.Generator().manual_seed(0)).x.squeeze()
    tensor([[1., 1., 1., 0., 0., 1.],
            [1., 1., 0., 0., 1., 1.]])
    """

    size: float = param(
        0.5,
        [Interval(Integral, 0, None, closed="left"), Interval(Real, 0, 1, closed="both")],
        "An int is the side in pixels, a float a share of each side of the image.",
        kw_only=False,
    )

    def _changed(self, x: Tensor, generator: Generator) -> Tensor:
        kept = torch.zeros((), dtype=torch.bool, device=x.device)
        for axis, side in enumerate(x.shape[2:], 2):
            length = self.size if isinstance(self.size, Integral) else round(self.size * side)
            start = whole(0, side - 1, len(x), generator).to(x.device) - int(length) // 2
            place = torch.arange(side, device=x.device) - start[:, None]
            shape = [1] * x.ndim
            shape[0], shape[axis] = place.shape
            kept = kept | ((place < 0) | (place >= length)).view(shape)
        return x * kept


@estimator
class Mixup(Augmentation):
    r"""Mix each sample with another of the batch, and their targets likewise.

    :math:`\tilde x = \lambda x_i + (1 - \lambda) x_j` with a share
    :math:`\lambda \sim \mathrm{Beta}(\alpha, \alpha)` for each sample. The loss is mixed with
    the same shares, which is the loss of the mixed target where the loss is linear in it, as
    cross-entropy is.

    See Also
    --------
    AugmentedBatch : Has the shares, and the partners.

    References
    ----------
    .. [1] Zhang, Cisse, Dauphin and Lopez-Paz (2018). "mixup: Beyond empirical risk minimization."
       ICLR. https://doi.org/10.48550/arXiv.1710.09412

    Examples
    --------
    >>> import torch
    >>> from sknets.preprocessing import Mixup
    >>> x = torch.eye(3).view(3, 1, 3)
    >>> batch = Mixup(alpha=1)(x, torch.Generator().manual_seed(0))
    >>> own = batch.share.view(3, 1, 1)
    >>> torch.allclose(batch.x, own * x + (1 - own) * x[batch.partner])
    True
    """

    alpha: float = param(
        0.2,
        Interval(Real, 0, None, closed="neither"),
        "How even the shares are: near 0 one sample is nearly all, 1 takes every share alike. The "
        "paper has 0.1 to 0.4 for ImageNet and 1 for CIFAR-10.",
        kw_only=False,
    )

    def _changed(self, x: Tensor, generator: Generator) -> AugmentedBatch:
        n, device = len(x), generator.device
        partner = torch.randperm(n, generator=generator, device=device).to(x.device)
        alphas = torch.full((n, 2), float(self.alpha), device=device)
        share = torch._sample_dirichlet(alphas, generator=generator)[:, 0].to(x)
        mixed = torch.lerp(x[partner], x, share.view(n, *[1] * (x.ndim - 1)))
        return AugmentedBatch(mixed, partner, share)
