"""Variational autoencoders: codes with a distribution, likelihoods, and samples.

Kingma and Welling (2014), "Auto-encoding variational Bayes", https://arxiv.org/abs/1312.6114.
"""

from __future__ import annotations

from collections import OrderedDict
from math import prod
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from torch import nn

from sknets._data import Data, is_streamed, mean_of
from sknets._measure import Layer, Work, layers_of
from sknets._params import (
    Interval,
    InvalidParameterError,
    OneOf,
    estimator,
    param,
)
from sknets._random import Stream, derived_seed, generator
from sknets._training.parameters import FlatParameters
from sknets._training.trainer import Trainer
from sknets.autoencoders.base import check_range, extremes
from sknets.autoencoders.convolutions import ConvolutionParameters, Design, Layers
from sknets.autoencoders.inference import InferringNetwork
from sknets.autoencoders.tables import KINDS, likelihood_of
from sknets.autoencoders.variational_network import (
    MapsOfClasses,
    RowsOfMaps,
    ThroughMeans,
    VariationalNet,
    VariationalStep,
)
from sknets.base.columns import NO_CATEGORIES, Columns, categorical_columns
from sknets.base.dense import DenseLayers, hidden_layers
from sknets.cnn.images import Images, Rows
from sknets.cnn.reading import ImageMaker
from sknets.layers import ACTIVATIONS, initialise
from sknets.preprocessing.layout import holds_bytes, sample_shape


@estimator
class VariationalAutoencoder(InferringNetwork, ImageMaker, ConvolutionParameters, DenseLayers):
    r"""Variational autoencoder: a generative model whose codes have a distribution.

    A code is standard normal, and a decoder says how the data is distributed given it. An encoder
    gives a normal approximation :math:`q` of the code's posterior, and both learn by the bound

    .. math:: \log p(x) \ge E_{q(z | x)} \log p(x | z) - \beta \, KL(q(z | x) \| p(z)),

    or by a tighter one from several draws. See the :ref:`user guide <autoencoders-variational>`.

    See Also
    --------
    Autoencoder : Codes without a distribution.
    DBN : Another generative model, of binary units.

    References
    ----------
    .. [1] Kingma and Welling (2014). "Auto-encoding variational Bayes." ICLR.
       https://arxiv.org/abs/1312.6114
    .. [2] Burda, Grosse and Salakhutdinov (2016). "Importance weighted autoencoders." ICLR.
       https://arxiv.org/abs/1509.00519
    .. [3] Sohn, Lee and Yan (2015). "Learning structured output representation using deep
       conditional generative models." NIPS.
    .. [4] Bowman et al. (2016). "Generating sentences from a continuous space." CoNLL.
       https://arxiv.org/abs/1511.06349

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import VariationalAutoencoder
    >>> X = load_digits().data / 16
    >>> vae = VariationalAutoencoder(8, likelihood="bernoulli", max_iter=20,
    ...                              learning_rate="one_cycle", random_state=0).fit(X)
    >>> vae.transform(X).shape, vae.sample(3, random_state=0).shape
    ((1797, 8), (3, 64))
    """

    n_components: int = param(
        16, Interval(Integral, 1, None, closed="left"), "Numbers of a code.", kw_only=False
    )
    hidden_layer_sizes: Any = param(
        (128,),
        ["array-like", Interval(Integral, 1, None, closed="left")],
        "Units of each layer between inputs and code; the way back has the same.",
        kw_only=False,
    )
    activation: str = param(
        "relu", OneOf(*ACTIVATIONS), "Activation of the hidden layers.", kw_only=False
    )
    filters: Any = param(
        None,
        [None, "array-like", Interval(Integral, 1, None, closed="left")],
        "Channels of each block of convolutions before the dense layers, of images or signals, for "
        "which the way back has the same; a tuple in place of a number has one of each of its "
        "convolutions. None: no convolutions.",
    )
    likelihood: str = param(
        "gaussian",
        OneOf(*KINDS, "mixed"),
        "Distribution of columns given a code: normal ('gaussian', which sees columns less their "
        "mean and in units of their deviation); of zeros and ones ('bernoulli'); of categories, "
        "whatever numbers they have ('categorical'); or by column ('mixed').",
    )
    categorical_features: Any = param(
        None,
        [None, "array-like"],
        "Columns of categories with likelihood='mixed', as indices, a mask, or names. Of the "
        "others those of zeros and ones alone are Bernoulli, the rest Gaussian.",
    )
    variance: str = param(
        "columns",
        OneOf("one", "columns", "samples"),
        "Variances of Gaussian columns given a code: 'one' number, one for each of the 'columns', "
        "or those that the decoder gives each of the 'samples'.",
    )
    dynamic_binarization: bool = param(
        False,
        "boolean",
        "Whether values between 0 and 1 are probabilities, from which zeros and ones are drawn "
        "anew at each training step; for likelihood='bernoulli'.",
    )
    beta: float = param(
        1.0,
        Interval(Real, 0, None, closed="left"),
        "Weight of the divergence of codes from their prior; other values than 1 learn no bound.",
    )
    beta_warmup: float = param(
        0,
        Interval(Real, 0, None, closed="left"),
        "Epochs over which that weight rises linearly from 0.",
    )
    n_importance_samples: int = param(
        1,
        Interval(Integral, 1, None, closed="left"),
        "Draws of a code for each sample in training. Several are importance weighted, for a "
        "tighter bound.",
    )
    code: str = param(
        "mean",
        OneOf("mean", "draw"),
        "What `transform` gives: the mean of a code given a row, or a draw, which depends on the "
        "row and on random_state alone. It may be set after fit.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "column_kinds_": "list of str: The distribution of each column given a code.",
        "categories_": "list of ndarray: The categories of each column, none of others.",
    }
    _shape_parameters: ClassVar[tuple[str, ...]] = (
        "n_components",
        "filters",
        "variance",
        "dynamic_binarization",
    )
    _lasting_parameters: ClassVar[tuple[str, ...]] = (
        "likelihood",
        "categorical_features",
    )

    # -- what a fit takes

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        self._check_stochastic()
        name = type(self).__name__
        if self.dynamic_binarization and self.likelihood != "bernoulli":
            raise InvalidParameterError(
                f"The 'dynamic_binarization' parameter of {name} is for likelihood='bernoulli'. "
                f"Got likelihood={self.likelihood!r}."
            )
        if self.filters is not None:
            self._check_convolutions()
            if self.likelihood not in ("gaussian", "bernoulli"):
                raise InvalidParameterError(
                    f"The 'filters' parameter of {name} is for images, with likelihood='gaussian' "
                    f"or 'bernoulli'. Got likelihood={self.likelihood!r}."
                )
        if self.categorical_features is not None and self.likelihood != "mixed":
            raise InvalidParameterError(
                f"The 'categorical_features' parameter of {name} is for likelihood='mixed'. "
                f"Got likelihood={self.likelihood!r}."
            )

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        X = self._checked_rows(X, reset)
        if reset:
            self._find_columns(X)
        self._check_bits(X)
        return self._columns.expanded(X), None

    def _checked_rows(self, X: Any, reset: bool) -> Any:
        is_table = self.image_shape is None and self.filters is None and sample_shape(X) is None
        if is_table and holds_bytes(X):  # which are no shares of 255
            X = X.astype(np.float32)
        return super()._checked_rows(X, reset)

    def _check_bits(self, X: Any) -> None:
        """Raise ValueError for columns of bits that have other values."""
        bits = np.array(self.column_kinds_) == "bernoulli"
        if bits.any():
            low, high = (bounds[bits] for bounds in extremes(X))
            check_range(low, high, (0, 1), "A Bernoulli column", type(self).__name__)

    # -- columns

    @property
    def _columns(self) -> Columns:
        return Columns(self.categories_)

    def _find_columns(self, X: Any) -> None:
        """Decide on the kind of each column, and on categories."""
        n = self.n_features_in_
        if self.likelihood in ("gaussian", "bernoulli"):
            self.column_kinds_, self.categories_ = [self.likelihood] * n, [NO_CATEGORIES] * n
            return
        if is_streamed(X):
            raise ValueError(f"likelihood={self.likelihood!r} needs data that is held in memory.")
        names = getattr(self, "feature_names_in_", [])
        given = np.arange(n) if self.likelihood == "categorical" else self.categorical_features
        categorical = categorical_columns(given, n, names, type(self).__name__)
        self.categories_ = Columns.of(X, categorical).categories
        columns = (X.toarray() if sp.issparse(X) else X).T
        are_bits = np.array([np.isin(column, (0, 1)).all() for column in columns])
        kinds = np.where(categorical, "categorical", np.where(are_bits, "bernoulli", "gaussian"))
        self.column_kinds_ = kinds.tolist()

    @property
    def _has_moving_loss(self) -> bool:
        return self.beta_warmup > 0

    # -- the network

    def _input_shape(self) -> tuple[int, ...]:
        return (self._columns.n_expanded + self._n_classes,)

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> VariationalNet:
        likelihood = likelihood_of(self.column_kinds_, self._columns, self.variance)
        n_in, n_out, shape = input_shape[0], likelihood.n_raw, None
        first: Layers = OrderedDict()
        last: Layers = OrderedDict()
        if self.filters is not None:
            channels, *sides = self.image_shape_
            shape = (channels + self._n_classes, *sides)
            first, last = self._convolutions(shape, n_out // likelihood.n)
            n_in = n_out = prod(self._design().maps(shape)[-1])
        sizes = self._hidden_layer_sizes()
        there, back = (n_in, *sizes), (self.n_components + self._n_classes, *sizes[::-1])
        how: dict[str, Any] = {
            name: getattr(self, name) for name in ("activation", "dropout", "batch_norm")
        }
        encoder, decoder = first | hidden_layers(there, **how), hidden_layers(back, **how)
        encoder["moments"] = nn.Linear(there[-1], 2 * self.n_components)
        decoder["output"] = nn.Linear(back[-1], n_out)
        return VariationalNet(
            likelihood,
            nn.Sequential(encoder),
            nn.Sequential(decoder | last),
            self.n_components,
            self._n_classes,
            self.dynamic_binarization,
            shape,
        )

    def _design(self) -> Design:
        """The convolutions, which dense layers follow."""
        how = (self.activation, self.activation, self.batch_norm, self.dropout)
        sides = (self.kernel_size, self.pooling, self.pool_size, self.upsampling)
        return Design(self._blocks(), None, *sides, *how)

    def _convolutions(self, shape: tuple[int, ...], n_moments: int) -> tuple[Layers, Layers]:
        """Layers before the dense ones, for images of a shape, and after them.

        They put out so many numbers a pixel.
        """
        (channels, *sides), last = self.image_shape_, self.channels == "last"
        images = MapsOfClasses(Images(self.image_shape_, last), self._n_classes)
        there = OrderedDict(images=images) | self._design().encoder(shape, None)
        back = OrderedDict({f"{self.activation}_maps": ACTIVATIONS[self.activation]()})
        back |= self._design().decoder((n_moments * channels, *sides))
        back["rows"] = RowsOfMaps(Rows(last), channels)
        return there, back

    @torch.no_grad()
    def _initialise(self, module: Any, seed: int) -> None:
        if self.filters is not None and self.weight_init == "auto":
            initialise(module, "lecun_normal", "auto", 0.01, generator(seed, Stream.WEIGHTS))
        else:
            super()._initialise(module, seed)
        n = module.likelihood.n
        module.likelihood.fit_to(torch.zeros(n), torch.ones(n))
        module.noise.seed.fill_(derived_seed(seed, Stream.SAMPLE))

    @torch.no_grad()
    def _pretrain(self, trainer: Trainer, batches: Data) -> None:
        """Start from the moments of the data."""
        network: Any = trainer.module_
        mean = mean_of(batches, lambda inputs: network.split(inputs)[0])
        variance = mean_of(batches, lambda inputs: (network.split(inputs)[0] - mean).square())
        biases = network.likelihood.fit_to(mean, variance)
        if self.filters is not None:  # a bias of each channel, not of each pixel
            images = Images(self.image_shape_, self.channels == "last")
            biases = images(biases.unflatten(0, (-1, len(mean)))).flatten(2).mean(2).flatten()
        *_, last = (layer for layer in network.decoder if hasattr(layer, "bias"))
        last.bias.copy_(biases)

    def _step(self, module: Any, flat: FlatParameters) -> VariationalStep:
        return VariationalStep(
            module,
            flat.grad,
            self.n_importance_samples,
            self.beta,
            self.beta_warmup / self.max_iter,
            self._mixed,
        )

    def _layers(self) -> list[Layer]:
        network: VariationalNet = self.module_
        if network.shape is None:
            return super()._layers()
        return layers_of(ThroughMeans(network), network.shape)

    def _work(self) -> Work:
        return super()._work() if self.module_.shape is None else self.module_.work
