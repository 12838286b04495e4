"""Autoencoders of fully connected layers: deep, tied, denoising, sparse and contractive.

Hinton and Salakhutdinov (2006), https://doi.org/10.1126/science.1127647; Vincent, Larochelle,
Lajoie, Bengio and Manzagol (2010), https://jmlr.org/papers/v11/vincent10a.html.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from torch import nn

from sknets._data import Data
from sknets._params import Interval, OneOf, estimator, param
from sknets._training.trainer import Trainer
from sknets.autoencoders.base import OUT_ACTIVATIONS, ReconstructingNetwork
from sknets.autoencoders.network import AutoencoderNet, Tied, dense_autoencoder
from sknets.base.dense import DenseLayers
from sknets.base.layerwise import (
    Affine,
    all_inputs,
    check_machines,
    check_units,
    stacked,
    was_interrupted,
    with_units,
)
from sknets.layers import ACTIVATIONS


@estimator
class Autoencoder(ReconstructingNetwork, DenseLayers):
    r"""Autoencoder: a network that restores its input from a code of it.

    An encoder makes a code of the input, and a decoder what the input was,

    .. math:: h = f(x), \qquad \min \; \frac{1}{n} \sum_i L(x_i, g(f(\tilde x_i))) + \Omega(h_i),

    where :math:`\tilde x` is the input, perhaps with `noise`, and :math:`\Omega` are penalties that
    make codes sparse or keep them still. All options combine. See the
    :ref:`user guide <autoencoders>`.

    See Also
    --------
    ConvAutoencoder : For images and signals.
    MLPClassifier : Starts from such layers with ``pretrain=Autoencoder(noise="masking")``.
    DBN : Codes of Boltzmann machines, which can be sampled.
    sklearn.decomposition.PCA : What one linear layer learns.

    References
    ----------
    .. [1] Hinton and Salakhutdinov (2006). "Reducing the dimensionality of data with neural
       networks." Science 313, 504-507. https://doi.org/10.1126/science.1127647
    .. [2] Vincent, Larochelle, Lajoie, Bengio and Manzagol (2010). "Stacked denoising
       autoencoders." Journal of Machine Learning Research 11, 3371-3408.
       https://jmlr.org/papers/v11/vincent10a.html
    .. [3] Rifai, Vincent, Muller, Glorot and Bengio (2011). "Contractive auto-encoders: explicit
       invariance during feature extraction." ICML.
    .. [4] Makhzani and Frey (2014). "k-sparse autoencoders." ICLR.
       https://arxiv.org/abs/1312.5663
    .. [5] Ng (2011). "Sparse autoencoder." Lecture notes of CS294A, Stanford.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import Autoencoder
    >>> X = load_digits().data / 16
    >>> coder = Autoencoder((64, 8), max_iter=20, learning_rate="one_cycle",
    ...                     learning_rate_init=0.01, random_state=0).fit(X)
    >>> coder.transform(X).shape, coder.inverse_transform(coder.transform(X)).shape
    ((1797, 8), (1797, 64))
    """

    hidden_layer_sizes: Any = param(
        (32,),
        ["array-like", Interval(Integral, 1, None, closed="left")],
        "Units of each layer down to the code, which is the last; the way back has the same.",
        kw_only=False,
    )
    activation: str = param(
        "relu", OneOf(*ACTIVATIONS), "Activation of the hidden layers.", kw_only=False
    )
    code_activation: str = param(
        "auto",
        OneOf("auto", *ACTIVATIONS),
        "Activation of the code. 'auto' is 'logistic' with a sparsity_target, `activation` where "
        "the code is the only hidden layer, which would be linear otherwise, else 'identity'.",
    )
    tied_weights: bool = param(
        False, "boolean", "Whether the weights of the way back are those of the way there."
    )
    pretrain: Any = param(
        None,
        [None, OneOf("layerwise"), BaseEstimator, list, tuple],
        "'layerwise' first trains each layer as an autoencoder of one layer, of the codes of the "
        "last, with the parameters of this one. Another Autoencoder(...) does so with its own, "
        "BernoulliRBM(...) by Boltzmann machines, for activation='logistic', and a list has one "
        "for each layer. One for all has the code's units in the last layer: linear ones of a "
        "machine at a tenth of its learning rate.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "components_": "ndarray of shape (hidden_layer_sizes[0], n_features): The weights of the "
        "first layer."
    }
    _shape_parameters: ClassVar[tuple[str, ...]] = ("code_activation", "tied_weights")

    _fewest_layers = 1

    # -- the network

    def _code_size(self) -> int:
        return int(self._hidden_layer_sizes()[-1])

    def _usual_code_activation(self) -> str:
        return self.activation if len(self._hidden_layer_sizes()) == 1 else "identity"

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        name, sizes = type(self).__name__, self._hidden_layer_sizes()
        self._check_contraction(self.batch_norm)
        if self.pretrain is not None:
            if not isinstance(self.pretrain, str):
                check_machines(self.pretrain, sizes, "pretrain", name)
            units = [*[self.activation] * (len(sizes) - 1), self._code_activation()]
            check_units(self._machines(), units, "pretrain", name)

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> AutoencoderNet:
        return dense_autoencoder(
            n_outputs,
            self._hidden_layer_sizes(),
            activation=self.activation,
            code_activation=self._code_activation(),
            dropout=self.dropout,
            batch_norm=self.batch_norm,
            tied_weights=self.tied_weights,
            sparsifier=self._sparsifier(self._code_size()),
            corruption=self._corruption(n_outputs),
        )

    @torch.no_grad()
    def _initialise(self, module: Any, seed: int) -> None:
        super()._initialise(module, seed)
        for layer in module.linear_layers:
            if isinstance(layer, Tied):
                layer.bias.zero_()
        self._fill_corruption(module)

    # -- layer by layer

    def _pretrain(self, trainer: Trainer, batches: Data) -> None:
        """Greedy layer-wise training; what codes all layers is unrolled (both papers above)."""
        if self.pretrain is None:
            return
        network: AutoencoderNet = trainer.module_
        sizes = self._hidden_layer_sizes()
        X = all_inputs(batches)
        fitted = stacked(self._machines(), sizes, X, self._seed, trainer.compute_device)
        trainer.interrupted = was_interrupted(fitted)
        up, down = network.linear_layers[: len(sizes)], network.linear_layers[len(sizes) :]
        for machine, there, back in zip(fitted, up, reversed(down), strict=False):
            Affine.of(machine).copy_to(there)
            way_back = Affine.down_of(machine)
            if isinstance(back, Tied):  # the weights are those of the way there
                back.bias.data.copy_(back.bias.new_tensor(way_back.bias))
            else:
                way_back.copy_to(back)

    def _of_layers(self) -> list[Autoencoder]:
        """An autoencoder like it for each layer, of which the upper restore activations."""
        n, codes = len(self._hidden_layer_sizes()), self._code_activation()
        alone = {"pretrain": None, "checkpoint": None, "callbacks": None, "random_state": None}
        dense = {"n_active": None, "n_active_init": None, "sparsity_target": None, "code_l1": 0.0}
        first: Any = clone(self).set_params(code_activation=self.activation, **alone, **dense)
        found = [first]
        for _ in range(n - 1):
            found.append(clone(first).set_params(**self._restoring_activations()))
        of_code = {name: getattr(self, name) for name in dense}
        found[-1].set_params(code_activation=codes, **of_code)
        return found

    def _machines(self) -> list[Any]:
        """What each layer starts from."""
        if isinstance(self.pretrain, str):
            return self._of_layers()
        if isinstance(self.pretrain, (list, tuple)):
            return list(self.pretrain)
        n = len(self._hidden_layer_sizes())
        return [self.pretrain] * (n - 1) + [with_units(self.pretrain, self._code_activation())]

    def _restoring_activations(self) -> dict[str, Any]:
        """How the layer below the code of an upper autoencoder is restored."""
        if self.loss == "log_loss" and self.activation == "logistic":
            return {}
        known = self.activation in OUT_ACTIVATIONS
        out_activation = self.activation if known else "auto"
        return {"loss": "squared_error", "out_activation": out_activation}

    @property
    def affine_(self) -> tuple[np.ndarray, np.ndarray]:
        """The weights, (n_hidden, n_features), and biases of what goes into a single layer."""
        return self._affine("affine_", 0)

    @property
    def affine_down_(self) -> tuple[np.ndarray, np.ndarray]:
        """The weights, (n_features, n_hidden), and biases of the way back from a single layer."""
        return self._affine("affine_down_", -1)

    def _affine(self, name: str, place: int) -> tuple[np.ndarray, np.ndarray]:
        layer: nn.Linear = self._linear_layers(name)[place]
        return self._values(layer.weight), self._values(layer.bias)

    @property
    def components_(self) -> np.ndarray:
        """The weights of the first layer, of shape (hidden_layer_sizes[0], n_features)."""
        return self._affine("components_", 0)[0]
