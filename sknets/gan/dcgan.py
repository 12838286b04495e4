"""Generative adversarial networks of convolutions, for images and signals.

Radford, Metz and Chintala (2016), "Unsupervised representation learning with deep convolutional
generative adversarial networks", https://arxiv.org/abs/1511.06434.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import pairwise
from math import prod
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from torch import nn

from sknets._params import Interval, OneOf, estimator, param, whole_numbers
from sknets.autoencoders.convolutions import Layers, transposed
from sknets.cnn.architecture import DIMENSIONS
from sknets.cnn.images import Images
from sknets.cnn.layers import same_padding
from sknets.gan.images import AdversarialImages
from sknets.gan.network import AdversarialNet, ChainGenerator
from sknets.layers import ACTIVATIONS, Dropout, initialise

STEP = 2  # by which each convolution changes the sides
LEAK = 0.2  # of the discriminator's rectifiers
STD = 0.02  # of initial weights (Radford et al., section 4)


@estimator
class DCGAN(AdversarialImages):
    r"""Deep convolutional generative adversarial network, of images and signals.

    Transposed convolutions make an image of a code, each with sides twice as long, and convolutions
    of the same sizes tell it from those of the training set [1]_. Images of any size come out to
    the pixel. See the :ref:`user guide <gan-images>`.

    `X` is an array of images, (n, height, width) or (n, channels, height, width), of signals with
    ``signal=True``, (n, channels, length), or a table whose rows hold one each. Rows and arrays are
    interchangeable. Whole numbers of 8 bits are read as shares of 255; samples are shares, too.

    See Also
    --------
    GAN : Of vectors and tables.
    VariationalAutoencoder : Another generative model of images, with likelihoods.

    References
    ----------
    .. [1] Radford, Metz and Chintala (2016). "Unsupervised representation learning with deep
       convolutional generative adversarial networks." ICLR. https://arxiv.org/abs/1511.06434

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import DCGAN
    >>> X = load_digits().images / 16
    >>> gan = DCGAN(16, filters=(8, 16), max_iter=2, random_state=0).fit(X)
    >>> gan.sample(3, random_state=0).shape, gan.transform(X).shape
    ((3, 8, 8), (1797, 64))
    """

    filters: Any = param(
        (32, 64, 128),
        ["array-like", Interval(Integral, 1, None, closed="left")],
        "Channels of each convolution of the discriminator, from the image on, of which each "
        "halves the sides; the generator has the same in reverse.",
        kw_only=False,
    )
    kernel_size: int = param(
        4, Interval(Integral, STEP, None, closed="left"), "Side of the kernels of both."
    )
    activation: str = param(
        "relu", OneOf(*ACTIVATIONS), "Activation of the generator's hidden layers."
    )
    discriminator_activation: str = param(
        "leaky_relu",
        OneOf(*ACTIVATIONS),
        "Activation of the discriminator's hidden layers; 'leaky_relu' has a slope of .2.",
    )
    batch_norm: bool = param(
        True, "boolean", "Whether the generator normalises its hidden layers over the batch."
    )
    discriminator_batch_norm: Any = param(
        "auto",
        [OneOf("auto"), "boolean"],
        "Whether the discriminator does, but for its first. 'auto' is without a penalty on slopes "
        "and without spectral_norm, which are of samples one by one.",
    )
    dropout: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "Share of the discriminator's hidden values that are silenced in training.",
    )
    _shape_parameters: ClassVar[tuple[str, ...]] = (
        "filters",
        "kernel_size",
        "activation",
        "discriminator_activation",
        "batch_norm",
        "discriminator_batch_norm",
        "dropout",
    )

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        self._filters()

    def _filters(self) -> tuple[int, ...]:
        return whole_numbers(self.filters, "filters", type(self).__name__)

    def _normalises(self) -> bool:
        """Whether the discriminator normalises over the batch."""
        if self.discriminator_batch_norm != "auto":
            return bool(self.discriminator_batch_norm)
        return not (self._penalises_slopes() or self.spectral_norm)

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> AdversarialNet:
        channels, *sides = self.image_shape_
        filters, sizes = self._filters(), [tuple(sides)]
        for _ in filters:
            sizes.append(tuple(-(-side // STEP) for side in sizes[-1]))
        generator = ChainGenerator(nn.Sequential(self._up(channels, filters, sizes)))
        n_seen = self.n_packed * (channels + self._n_seen_classes())
        body = self._down(n_seen, filters, sizes)
        n_features = self._with_neighbours(body, filters[-1] * prod(sizes[-1]))
        return self._network(generator, self._images(), nn.Sequential(body), n_features)

    def _up(self, channels: int, filters: tuple[int, ...], sizes: list[tuple[int, ...]]) -> Layers:
        """The generator's layers, from codes to rows."""
        dimension, layers = DIMENSIONS[len(sizes[0])], OrderedDict[str, nn.Module]()
        first = (filters[-1], *sizes[-1])
        layers["linear"] = nn.Linear(self.n_components + self._n_classes, prod(first))
        layers["maps"] = Images(first, channels_last=False)
        widths, places = (channels, *filters)[::-1], sizes[::-1]
        for i, (n_in, n_out) in enumerate(pairwise(widths)):
            if self.batch_norm:
                layers[f"norm{i}"] = dimension.norm(n_in)
            layers[f"{self.activation}{i}"] = ACTIVATIONS[self.activation]()
            how = (self.kernel_size, STEP, places[i], places[i + 1])
            layers[f"transposed{i}"] = transposed(n_in, n_out, *how)
        layers["tanh"] = nn.Tanh()
        layers["rows"] = self._rows()
        return layers

    def _down(self, n_in: int, filters: tuple[int, ...], sizes: list[tuple[int, ...]]) -> Layers:
        """The discriminator's layers, from images to features."""
        n_sides, kernel = len(sizes[0]), self.kernel_size
        dimension, layers = DIMENSIONS[n_sides], OrderedDict[str, nn.Module]()
        for i, (n_before, n_out) in enumerate(pairwise((n_in, *filters))):
            pad, around = same_padding(kernel, n_sides)
            reached = [(side + 2 * around - kernel) // STEP + 1 for side in sizes[i]]
            if pad is not None and tuple(reached) != sizes[i + 1]:
                layers[f"pad{i}"] = pad
            layers[f"conv{i}"] = dimension.conv(n_before, n_out, kernel, STEP, padding=around)
            if i and self._normalises():
                layers[f"norm{i}"] = dimension.norm(n_out)
            name = self.discriminator_activation
            layers[f"{name}{i}"] = (
                nn.LeakyReLU(LEAK) if name == "leaky_relu" else ACTIVATIONS[name]()
            )
            if self.dropout:
                layers[f"dropout{i}"] = Dropout(self.dropout)
        layers["flatten"] = nn.Flatten()
        return layers

    def _fill(self, module: nn.Module, drawn: torch.Generator) -> None:
        initialise(module, "normal", "auto", STD, drawn)
