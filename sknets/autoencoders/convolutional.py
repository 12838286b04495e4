"""Autoencoders of images and signals: convolution and pooling down, learnt upsampling back.

Masci, Meier, Ciresan and Schmidhuber (2011), https://doi.org/10.1007/978-3-642-21735-7_7; Odena,
Dumoulin and Olah (2016), https://doi.org/10.23915/distill.00003.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn

from sknets._measure import Layer, Work, layers_of, work_of
from sknets._params import Interval, OneOf, estimator, param
from sknets._random import Stream, generator
from sknets.autoencoders.base import ReconstructingNetwork
from sknets.autoencoders.convolutions import ConvolutionParameters, Design
from sknets.autoencoders.network import AutoencoderNet
from sknets.cnn.images import Images, Rows
from sknets.cnn.reading import ImageMaker
from sknets.layers import ACTIVATIONS, INITIALIZERS, initialise
from sknets.preprocessing.layout import as_image_array


class ConvAutoencoderNet(AutoencoderNet):
    """Rows of pixels to images, those to a code, and all the way back.

    Parameters
    ----------
    images : Images
    shape : tuple of int
        (channels, *sides) of an image.
    encoder, decoder : nn.Sequential
        From images to codes, and from codes to images.
    n_code : int
    corruption : nn.Module, optional
        What happens to rows on their way in, in training.
    """

    def __init__(
        self,
        images: Images,
        shape: tuple[int, ...],
        encoder: nn.Sequential,
        decoder: nn.Sequential,
        n_code: int,
        corruption: nn.Module | None = None,
    ) -> None:
        super().__init__(encoder, decoder, n_code, corruption)
        self.images, self.rows = images, Rows(images.channels_last)
        self.shape = shape

    def seen(self, x: Tensor) -> Tensor:
        """The images as the encoder takes them."""
        return self.images(x)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(self.images(x))

    def decode(self, code: Tensor) -> Tensor:
        return self.rows(self.decoder(code))

    @property
    def network(self) -> nn.Sequential:
        """From images to images."""
        return nn.Sequential(OrderedDict(encoder=self.encoder, decoder=self.decoder))

    @cached_property
    def work(self) -> Work:
        """What an image costs."""
        return work_of(self.network, self.shape)


@estimator
class ConvAutoencoder(ImageMaker, ConvolutionParameters, ReconstructingNetwork):
    r"""Convolutional autoencoder: it restores images, or signals, from codes of them.

    Convolutions with pooling after them see more and more of the image, a dense layer makes the
    code, and the way back mirrors it with upsampling that is learnt,

    .. math:: h = f(x), \qquad \min \; \frac{1}{n} \sum_i L(x_i, g(f(\tilde x_i))) + \Omega(h_i),

    where :math:`\tilde x` is the input, perhaps with `noise`, and :math:`\Omega` are penalties on
    the code. All options combine. See the :ref:`user guide <autoencoders-convolutional>`.

    `X` is an array of images, (n, height, width) or (n, channels, height, width), of signals with
    ``signal=True``, (n, channels, length), or a table whose rows hold one each. Rows and arrays are
    interchangeable. Whole numbers of 8 bits are read as shares of 255, and restored as such.

    See Also
    --------
    Autoencoder : Where neighbouring columns have nothing to do with each other.
    sknets.CNNClassifier : Classes of images.
    sklearn.decomposition.PCA : What one linear layer learns.

    References
    ----------
    .. [1] Masci, Meier, Ciresan and Schmidhuber (2011). "Stacked convolutional auto-encoders for
       hierarchical feature extraction." ICANN. https://doi.org/10.1007/978-3-642-21735-7_7
    .. [2] Odena, Dumoulin and Olah (2016). "Deconvolution and checkerboard artifacts." Distill.
       https://doi.org/10.23915/distill.00003
    .. [3] Dumoulin and Visin (2016). "A guide to convolution arithmetic for deep learning."
       https://arxiv.org/abs/1603.07285

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import ConvAutoencoder
    >>> X = load_digits().images / 16
    >>> coder = ConvAutoencoder(8, filters=(8, 16), max_iter=5, learning_rate="one_cycle",
    ...                         learning_rate_init=0.01, random_state=0).fit(X)
    >>> coder.transform(X).shape, coder.inverse_transform(coder.transform(X)).shape
    ((1797, 8), (1797, 8, 8))
    """

    n_components: Any = param(
        32,
        [None, Interval(Integral, 1, None, closed="left")],
        "Units of the code. None takes the maps of the last block for it, one after another in a "
        "row, with no dense layer.",
        kw_only=False,
    )
    filters: Any = param(
        (16, 32),
        ["array-like", Interval(Integral, 1, None, closed="left")],
        "Channels of each block; a tuple in place of a number has one of each of its convolutions. "
        "The way back has the same.",
    )
    activation: str = param("relu", OneOf(*ACTIVATIONS), "Activation of the hidden layers.")
    code_activation: str = param(
        "auto",
        OneOf("auto", *ACTIVATIONS),
        "Activation of the code. 'auto' is 'logistic' with a sparsity_target, `activation` with "
        "n_components=None, else 'identity'.",
    )
    batch_norm: bool = param(
        False, "boolean", "Whether to normalise each hidden convolution over the batch."
    )
    dropout: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "Share of hidden values, but for the code's, silenced at each training step.",
    )
    weight_init: str = param(
        "auto",
        OneOf(*INITIALIZERS),
        "How weights start; 'auto' is 'lecun_normal', 'normal' has standard deviation 0.01.",
    )

    _shape_parameters: ClassVar[tuple[str, ...]] = (
        "n_components",
        "filters",
        "activation",
        "code_activation",
        "batch_norm",
        "dropout",
    )

    # -- parameters, and images in

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        self._check_convolutions()
        self._check_contraction(self.batch_norm)
        self._check_stochastic("dropout")

    def _design(self) -> Design:
        return Design(
            self._blocks(),
            self.n_components,
            self.kernel_size,
            self.pooling,
            self.pool_size,
            self.upsampling,
            self.activation,
            self._code_activation(),
            self.batch_norm,
            self.dropout,
        )

    def _code_size(self) -> int | None:
        return self.n_components

    def _usual_code_activation(self) -> str:
        return self.activation if self.n_components is None else "identity"

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        X, y = super()._validate(X, y, reset)
        self._check_active(self._design().n_code(self.image_shape_))
        return X, y

    # -- the network

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> ConvAutoencoderNet:
        design = self._design()
        n_code = design.n_code(input_shape)
        return ConvAutoencoderNet(
            Images(input_shape, self.channels == "last"),
            input_shape,
            nn.Sequential(design.encoder(input_shape, self._sparsifier(n_code))),
            nn.Sequential(design.decoder(input_shape)),
            n_code,
            self._corruption(n_outputs),
        )

    def _initialise(self, module: Any, seed: int) -> None:
        # He's, with twice the variance at each layer, starts from images that are far too bright.
        how = "lecun_normal" if self.weight_init == "auto" else self.weight_init
        initialise(module, how, "auto", 0.01, generator(seed, Stream.WEIGHTS))
        self._fill_corruption(module)

    def _work(self) -> Work:
        return self.module_.work

    def _layers(self) -> list[Layer]:
        return layers_of(self.module_.network, self.module_.shape)

    # -- images out

    def inverse_transform(self, X: Any) -> np.ndarray:
        """What images are expected to be, given their codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            The codes.

        Returns
        -------
        X_original : ndarray
            The expectations, one a code, each of the shape that an image had in the fit: rows if
            that was given rows, as in a Pipeline.
        """
        return self._as_given(super().inverse_transform(X))

    def reconstruct(self, X: Any) -> np.ndarray:
        """What is left of images after the way to the code and back.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), \
                (n_samples, height, width), (n_samples, channels, height, width) or \
                (n_samples, channels, length), or torch Dataset
            The images or signals.

        Returns
        -------
        X_restored : ndarray
            The expectations, of the shape of X: an array for an array, rows for rows.
        """
        X = as_image_array(X)
        rows = self._validated_rows(X)
        made = self._by_rows(rows, lambda x: self._decoded(self._features(x)))
        shape = self._given_shape(X, rows)
        return made if shape is None else made.reshape(-1, *shape)
