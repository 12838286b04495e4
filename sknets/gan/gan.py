"""Generative adversarial networks of fully connected layers, for vectors and tables.

Goodfellow et al. (2014), "Generative adversarial networks", https://arxiv.org/abs/1406.2661.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from sknets._data import Data, mean_of
from sknets._params import Interval, OneOf, estimator, param, whole_numbers
from sknets.base.columns import Columns, categorical_columns
from sknets.base.dense import hidden_layers
from sknets.gan.base import AdversarialNetwork
from sknets.gan.network import AdversarialNet, Categories, ChainGenerator, varies
from sknets.layers import ACTIVATIONS, initialise


@estimator
class GAN(AdversarialNetwork):
    r"""Generative adversarial network of fully connected layers, for vectors and tables.

    A generator makes samples of random codes, and a discriminator learns to tell them from those of
    the training set, from which the generator learns in turn [1]_. Columns of numbers are
    standardised within, those of categories drawn [2]_. See the :ref:`user guide <gan>`.

    See Also
    --------
    VariationalAutoencoder : Another generative model, with likelihoods.
    DBN : Another generative model, of binary units.

    References
    ----------
    .. [1] Goodfellow et al. (2014). "Generative adversarial networks." NIPS.
       https://arxiv.org/abs/1406.2661
    .. [2] Xu, Skoularidou, Cuesta-Infante and Veeramachaneni (2019). "Modeling tabular data using
       conditional GAN." NeurIPS. https://arxiv.org/abs/1907.00503

    Examples
    --------
    >>> import numpy as np
    >>> from sknets import GAN
    >>> angle = np.random.default_rng(0).uniform(0, np.pi, size=1000)
    >>> X = np.stack([np.cos(angle), np.sin(angle)], axis=1)  # half a circle
    >>> gan = GAN(2, r1=0.1, learning_rate_init=0.001, max_iter=100, random_state=0).fit(X)
    >>> radius = np.linalg.norm(gan.sample(1000, random_state=0), axis=1)
    >>> bool(abs(radius.mean() - 1) < 0.1)
    True
    """

    hidden_layer_sizes: Any = param(
        (128, 128),
        ["array-like", Interval(Integral, 1, None, closed="left")],
        "Units of each hidden layer of the generator.",
        kw_only=False,
    )
    discriminator_layer_sizes: Any = param(
        None,
        [None, "array-like", Interval(Integral, 1, None, closed="left")],
        "Units of each hidden layer of the discriminator. None: the generator's in reverse.",
    )
    activation: str = param(
        "relu", OneOf(*ACTIVATIONS), "Activation of the generator's hidden layers."
    )
    discriminator_activation: str = param(
        "leaky_relu", OneOf(*ACTIVATIONS), "Activation of the discriminator's hidden layers."
    )
    batch_norm: bool = param(
        False, "boolean", "Whether the generator normalises its hidden layers over the batch."
    )
    dropout: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "Share of the discriminator's hidden units that are silenced in training.",
    )
    categorical_features: Any = param(
        None,
        [None, "array-like"],
        "Columns of categories, as indices, a mask, or names; the others are numbers.",
    )
    _fitted_attributes: ClassVar[dict[str, str]] = {
        "categories_": "list of ndarray: The categories of each column, none of numbers.",
    }
    _lasting_parameters: ClassVar[tuple[str, ...]] = ("categorical_features",)
    _shape_parameters: ClassVar[tuple[str, ...]] = (
        "hidden_layer_sizes",
        "discriminator_layer_sizes",
        "activation",
        "discriminator_activation",
        "batch_norm",
        "dropout",
    )

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        self._sizes("hidden_layer_sizes")
        self._sizes("discriminator_layer_sizes")

    def _sizes(self, name: str) -> tuple[int, ...]:
        """Units of hidden layers."""
        given = getattr(self, name)
        if given is None:
            return self._sizes("hidden_layer_sizes")[::-1]
        return whole_numbers(given, name, type(self).__name__)

    @property
    def _columns(self) -> Columns:
        return Columns(self.categories_)

    def _n_columns(self) -> int:
        return self._columns.n_expanded

    def _inputs(self, X: Any, strict: bool = False) -> Any:
        return self._columns.expanded(X, strict=strict)

    def _given_back(self, values: np.ndarray) -> np.ndarray:
        return self._columns.collapsed(values)

    def _learn_columns(self, X: Any) -> None:
        names = getattr(self, "feature_names_in_", [])
        how = (self.categorical_features, self.n_features_in_, names, type(self).__name__)
        self.categories_ = Columns.of(X, categorical_columns(*how)).categories

    def _fit_units(self, network: AdversarialNet, batches: Data) -> None:
        """Columns of numbers are standardised."""
        units = network.units
        mean = mean_of(batches, network.columns)
        variance = mean_of(batches, lambda inputs: (network.columns(inputs) - mean).square())
        numbers = [places for places in self._columns.places if len(places) == 1]
        if numbers:
            chosen = torch.from_numpy(np.concatenate(numbers))
            spread = variance.sqrt()
            units.shift[chosen] = mean[chosen]
            units.scale[chosen] = torch.where(varies(spread, mean), spread, 0.0)[chosen]

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> AdversarialNet:
        n_inputs = self._n_columns()
        sizes = (self.n_components + self._n_classes, *self._sizes("hidden_layer_sizes"))
        layers = hidden_layers(sizes, activation=self.activation, batch_norm=self.batch_norm)
        layers["output"] = nn.Linear(sizes[-1], n_inputs)
        seen = self.n_packed * (n_inputs + self._n_seen_classes())
        sizes = (seen, *self._sizes("discriminator_layer_sizes"))
        body = hidden_layers(sizes, activation=self.discriminator_activation, dropout=self.dropout)
        n_features = self._with_neighbours(body, sizes[-1])
        columns = self._columns
        head = None if columns.are_numbers else Categories(columns.widths)
        generator = ChainGenerator(nn.Sequential(layers), head)
        return self._network(generator, nn.Identity(), nn.Sequential(body), n_features)

    def _fill(self, module: nn.Module, drawn: torch.Generator) -> None:
        initialise(module, "he_normal", "auto", 0.0, drawn)
