"""Variational autoencoders: codes with a distribution, likelihoods, and samples.

Kingma and Welling (2014), "Auto-encoding variational Bayes", https://arxiv.org/abs/1312.6114.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from math import prod
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sknets._data import Data, dense_tensor, is_streamed, mean_of
from sknets._measure import Layer, Work, layers_of
from sknets._params import (
    Interval,
    InvalidParameterError,
    OneOf,
    check_values,
    estimator,
    param,
)
from sknets._random import Stream, derived_seed, draw_seed, generator
from sknets._training.parameters import FlatParameters
from sknets._training.trainer import Trainer
from sknets.autoencoders.base import RestoringNetwork, check_range, extremes
from sknets.autoencoders.convolutions import ConvolutionParameters, Design, Layers
from sknets.autoencoders.tables import KINDS, likelihood_of
from sknets.autoencoders.variational_network import (
    MapsOfClasses,
    RowsOfMaps,
    ThroughMeans,
    VariationalNet,
    VariationalStep,
)
from sknets.base.columns import NO_CATEGORIES, Columns, categorical_columns
from sknets.base.conditional import ConditionalNetwork
from sknets.base.dense import DenseLayers, hidden_layers
from sknets.cnn.images import Images, Rows
from sknets.cnn.reading import ImageMaker
from sknets.layers import ACTIVATIONS, initialise
from sknets.preprocessing.layout import as_image_array, holds_bytes, sample_shape

N_SCORED = 16  # draws of a code by which a row is scored


@estimator
class VariationalAutoencoder(
    ConditionalNetwork, ImageMaker, ConvolutionParameters, RestoringNetwork, DenseLayers
):
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

    # -- what comes out

    def _validated_rows(self, X: Any) -> Any:
        rows = super()._validated_rows(X)
        return self._columns.expanded(rows)

    def _of_each_class(
        self, X: Any, function: Callable[[Any], np.ndarray] | None = None
    ) -> np.ndarray:
        """A log-likelihood of rows given each class, and the class's: (n_samples, n_classes)."""
        with np.errstate(divide="ignore"):
            prior = np.log(self.class_prior_)
        found = self._with_each_class(X, function or self._row_scores)
        return (found + prior).astype(X.dtype, copy=False)

    def _marginal(self, X: Any, y: Any, function: Callable[[Any], np.ndarray]) -> np.ndarray:
        """A log-likelihood of rows, given their classes or over all classes."""
        rows = super()._validated_rows(X)
        self._check_bits(rows)
        rows = self._columns.expanded(rows)
        if not self._n_classes:
            return function(rows)
        if y is None:
            return logsumexp(self._of_each_class(rows, function), axis=1)
        return function(self._joined(rows, self._places_of(y, rows)))

    def _row_scores(self, X: Any) -> np.ndarray:
        network: VariationalNet = self.module_

        def bounds(x: Tensor) -> Tensor:
            n = max(1, -(-len(x) // N_SCORED))  # whose draws take no more memory
            parts = dense_tensor(x).split(n)
            return torch.cat([network.importance_bound(part, N_SCORED) for part in parts])

        return self._by_rows(X, bounds)

    def _features(self, x: Tensor) -> Tensor:
        posterior = self.module_.posterior(x)
        if self.code == "mean":
            return posterior.mean
        return posterior.at(self.module_.noise(x, 1)[0])

    def _decoded(self, code: Tensor) -> Tensor:
        """Expected values of codes, which may have columns for their classes."""
        network: VariationalNet = self.module_
        n = network.n_code
        return network.likelihood.mean(network.decode(code[:, :n], code[:, n:]))

    def transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Codes: the means of q(z | x), or draws from it, as the parameter `code` says.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True. None takes the one that makes each row likeliest.

        Returns
        -------
        z : ndarray of shape (n_samples, n_components)
            The codes.
        """
        check_values("transform", self._parameter_constraints, {"code": self.code})
        return self._by_rows(self._given(self._validated_rows(X), y), self._features)

    def inverse_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """What data is expected to be, given codes: E(x | z), and the likeliest of categories.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes.
        y : array-like of shape (n_samples,), default=None
            Classes, which conditional=True needs.

        Returns
        -------
        x : ndarray of shape (n_samples, n_features)
            The expectations.
        """
        code = self._checked_code(X)
        if self._n_classes:
            if y is None:
                raise ValueError("conditional=True needs the class of each code: give y.")
            code = self._joined(code, self._places_of(y, code))
        return self._given_back(self._by_rows(code, self._decoded))

    def reconstruct(self, X: Any, y: Any = None) -> np.ndarray:
        """What data is expected to be, given the mean of its codes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True. None takes the one that makes each row likeliest.

        Returns
        -------
        x : ndarray of shape (n_samples, n_features)
            The expectations, and the likeliest of categories.
        """
        rows, network = self._given(self._validated_rows(X), y), self.module_
        made = self._by_rows(rows, lambda x: network.likelihood.mean(network(x)))
        shape = self._given_shape(as_image_array(X), rows)
        return self._columns.collapsed(made).reshape(len(made), *(shape or (-1,)))

    def score_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """A lower bound of log p(x), by 16 draws of a code with their importance weights.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True: log p(x | y). None: log p(x), over all classes by their
            shares in training. Ignored otherwise.

        Returns
        -------
        bound : ndarray of shape (n_samples,)
            In nats; of real numbers it is that of a density. Draws depend on the row and on
            random_state alone.
        """
        return self._marginal(X, y, self._row_scores)

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `score_samples`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True. Ignored otherwise.

        Returns
        -------
        score : float
            In nats; higher is better.
        """
        return float(np.mean(self.score_samples(X, y), dtype=float))

    def log_likelihood(
        self, X: Any, y: Any = None, *, n_samples: int = 5000, random_state: Any = None
    ) -> np.ndarray:
        """An estimate of log p(x) by importance sampling, on average too low.

        The logarithm of the mean of p(x, z) / q(z | x) over draws of z (Burda et al., 2016).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True: log p(x | y). None: log p(x), over all classes by their
            shares in training. Ignored otherwise.
        n_samples : int, default=5000
            Draws for each row.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws. None: that of the fit.

        Returns
        -------
        log_p : ndarray of shape (n_samples,)
            In nats; of real numbers it is a density.
        """
        check_is_fitted(self)
        check_values("log_likelihood", SAMPLING, {"n_samples": n_samples})
        network: VariationalNet = self.module_
        device = next(network.parameters()).device
        seed = self._seed if random_state is None else draw_seed(random_state)
        drawn = generator(seed, Stream.SAMPLE, device=device)

        def log_p(inputs: Any) -> np.ndarray:
            return self._by_rows(inputs, lambda x: network.log_mean_weight(x, n_samples, drawn))

        return self._marginal(X, y, log_p)

    def sample(
        self,
        n_samples: int = 1,
        *,
        y: Any = None,
        mean: bool = False,
        random_state: Any = None,
    ) -> np.ndarray:
        """Draw codes from their prior, and data given them.

        Parameters
        ----------
        n_samples : int, default=1
            How many. Ignored where `y` has several classes.
        y : object or array-like of shape (n_samples,), default=None
            The class of all, or of each, with conditional=True. None draws them by their shares in
            training. Ignored otherwise.
        mean : bool, default=False
            Whether to give what data is expected to be given the codes, rather than draws.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        x : ndarray of shape (n_samples, n_features)
            The data.
        """
        check_is_fitted(self)
        check_values("sample", SAMPLING, {"n_samples": n_samples, "mean": mean})
        given = self._places_for(n_samples, y)
        seed, network = draw_seed(random_state), self.module_
        places = self._drawn_places(n_samples, seed) if given is None else given
        n = n_samples if places is None else len(places)
        like = next(network.parameters())
        drawn = generator(seed, Stream.SAMPLE, device=like.device)
        with torch.inference_mode():
            z = like.new_empty(n, network.n_code).normal_(generator=drawn)
            classes = torch.from_numpy(self._joined(np.empty((n, 0)), places)).to(z)
            raw, likelihood = network.decode(z, classes), network.likelihood
            made = likelihood.mean(raw) if mean else likelihood.sample(raw, drawn)
        return self._given_back(made.cpu().numpy())

    def interpolate(self, start: Any, end: Any, n_steps: int = 10, *, y: Any = None) -> np.ndarray:
        """What data is expected to be along the line between the codes of two rows.

        Parameters
        ----------
        start, end : array-like of shape (n_features,)
            The rows.
        n_steps : int, default=10
            Points of the line, both ends among them.
        y : object, default=None
            The class of all, with conditional=True. None takes the likeliest of `start`.

        Returns
        -------
        x : ndarray of shape (n_steps, n_features)
            The expectations.
        """
        check_values("interpolate", SAMPLING, {"n_steps": n_steps})
        check_is_fitted(self)
        ends = [np.asarray(each) for each in (start, end)]
        if any(each.size != self.n_features_in_ for each in ends):
            raise ValueError(
                f"start and end must have {self.n_features_in_} values each. Got the shapes "
                f"{ends[0].shape} and {ends[1].shape}."
            )
        rows = self._validated_rows(self._as_given(np.stack([each.ravel() for each in ends])))
        if self._n_classes:  # both ends are of one class
            place = self._of_each_class(rows[:1]).argmax() if y is None else None
            places = np.full(2, place) if y is None else self._places([y, y])
            inputs = self._joined(rows, places)
        else:
            inputs = rows
        first, last = self._by_rows(inputs, lambda x: self.module_.posterior(x).mean)
        z = np.linspace(first, last, n_steps)
        classes = inputs[:1, self._columns.n_expanded :].repeat(n_steps, axis=0)
        return self._given_back(self._by_rows(np.hstack([z, classes]), self._decoded))

    def _given_back(self, values: np.ndarray) -> np.ndarray:
        """Values of the network's columns as data in the form of the fit."""
        return self._as_given(self._columns.collapsed(values))


SAMPLING = {
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "n_steps": [Interval(Integral, 2, None, closed="left")],
    "mean": ["boolean"],
}
