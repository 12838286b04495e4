"""Multilayer perceptrons: stacked fully connected layers, scikit-learn's estimators on PyTorch.

Rumelhart, Hinton and Williams (1986), https://doi.org/10.1038/323533a0.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from sknets._data import Data, MappedData
from sknets._params import Interval, OneOf, estimator, param
from sknets._random import Stream, derived_seed
from sknets._training.backpropagation import Backpropagation
from sknets._training.callbacks import NoImprovement
from sknets._training.parameters import FlatParameters
from sknets._training.steps import Step
from sknets._training.trainer import Trainer
from sknets.base import (
    REGRESSION_LOSSES,
    NetworkClassifier,
    NetworkRegressor,
    NetworkTransformer,
    SupervisedNetwork,
)
from sknets.base.dense import DenseLayers, hidden_layers
from sknets.base.layerwise import (
    Affine,
    all_inputs,
    check_machines,
    check_units,
    stacked,
    was_interrupted,
)
from sknets.layers import ACTIVATIONS, Dropout, GaussianNoise, RandomLayer


class MLP(nn.Module):
    """Hidden layers (`features`) and a linear output layer (`head`).

    Parameters
    ----------
    n_inputs, n_outputs : int
    hidden_layer_sizes : tuple of int
    activation : str
        One of `ACTIVATIONS`, or "maxout".
    input_dropout, dropout : float
        Share of inputs and of hidden units that are silenced in training.
    noise_std : float
        Standard deviation of the noise on inputs and before each activation in training.
    batch_norm : bool
        Whether to normalise before each activation (Ioffe and Szegedy, 2015).
    maxout_pieces : int
        Linear functions a unit of "maxout".
    """

    def __init__(
        self,
        n_inputs: int,
        hidden_layer_sizes: tuple[int, ...],
        n_outputs: int,
        *,
        activation: str = "relu",
        input_dropout: float = 0.0,
        dropout: float = 0.0,
        noise_std: float = 0.0,
        batch_norm: bool = False,
        maxout_pieces: int = 2,
    ) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if input_dropout:
            layers["input_dropout"] = Dropout(input_dropout)
        if noise_std:
            layers["input_noise"] = GaussianNoise(noise_std)
        layers |= hidden_layers(
            (n_inputs, *hidden_layer_sizes),
            activation=activation,
            dropout=dropout,
            noise_std=noise_std,
            batch_norm=batch_norm,
            maxout_pieces=maxout_pieces,
        )
        self.features = nn.Sequential(layers)
        self.head = nn.Linear((n_inputs, *hidden_layer_sizes)[-1], n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def before(self, i: int) -> nn.Sequential:
        """What comes before the `i`-th hidden layer, counted from 1, but for what is random."""
        names = list(self.features._modules)
        layers = list(self.features)[: names.index(f"linear{i}")]
        return nn.Sequential(*(layer for layer in layers if not isinstance(layer, RandomLayer)))

    def take_layer(self, i: int, shallow: MLP) -> None:
        """Copy the hidden layer of a shallow network to the `i`-th place, and its output layer."""
        own = dict(self.features.named_children())
        for name, layer in shallow.features.named_children():
            if name.endswith("1"):
                own[f"{name[:-1]}{i}"].load_state_dict(layer.state_dict())
        if self.head.weight.shape == shallow.head.weight.shape:
            self.head.load_state_dict(shallow.head.state_dict())

    @property
    def chain(self) -> list[nn.Module]:
        """All layers, one after another."""
        return [*self.features, self.head]

    @property
    def linear_layers(self) -> list[nn.Linear]:
        """The fully connected layers from input to output."""
        return [layer for layer in self.modules() if isinstance(layer, nn.Linear)]


# What parameters and the network have the same words for.
OF_LAYERS = (
    "activation",
    "input_dropout",
    "dropout",
    "noise_std",
    "batch_norm",
    "maxout_pieces",
)
# Declared by both leaves, as what may be given by position follows their own order.
_hidden_layer_sizes = partial(
    param,
    (100,),
    ["array-like", Interval(Integral, 1, None, closed="left")],
    "Units of each hidden layer; () is a linear model.",
    kw_only=False,
)
_activation = partial(
    param, "relu", OneOf(*ACTIVATIONS, "maxout"), "Activation of the hidden layers.", kw_only=False
)


@estimator
class DenseNetwork(DenseLayers, NetworkTransformer, SupervisedNetwork):
    """Abstract: fully connected layers that learn targets."""

    input_dropout: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "Share of inputs silenced at each training step.",
    )
    noise_std: float = param(
        0.0,
        Interval(Real, 0, None, closed="left"),
        "Standard deviation of the Gaussian noise added in training to the inputs and to what each "
        "hidden activation takes, normalised before with batch_norm=True.",
    )
    maxout_pieces: int = param(
        2,
        Interval(Integral, 1, None, closed="left"),
        "Linear functions of which a unit of activation='maxout' is the largest.",
    )
    _shape_parameters: ClassVar[tuple[str, ...]] = OF_LAYERS

    # -- the network

    def _n_hidden_layers(self) -> int:
        return len(self._hidden_layer_sizes())

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        self._check_stochastic("input_dropout", "noise_std")

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> MLP:
        return self._network(input_shape[0], self._hidden_layer_sizes(), n_outputs)

    def _network(self, n_inputs: int, hidden_layer_sizes: tuple[int, ...], n_outputs: int) -> MLP:
        return MLP(n_inputs, hidden_layer_sizes, n_outputs, **self._how())

    def _how(self) -> dict[str, Any]:
        """How layers compute, in the network's words."""
        return {name: getattr(self, name) for name in OF_LAYERS}

    def _step(self, module: Any, flat: FlatParameters) -> Step:
        loss = self._loss_function()
        if not self._mixed and Backpropagation.is_possible(module.chain, loss):
            return Backpropagation(module, module.chain, loss)
        return super()._step(module, flat)

    def _start_from(self, machines: Any, trainer: Trainer, X: np.ndarray) -> None:
        """Greedy layer-wise training without targets (Hinton, Osindero and Teh, 2006)."""
        *hidden, _ = trainer.module_.linear_layers
        sizes = [layer.out_features for layer in hidden]
        device = trainer.compute_device
        fitted = stacked(machines, sizes, X, self._seed, device)
        trainer.interrupted = was_interrupted(fitted)
        for layer, machine in zip(hidden, fitted, strict=False):
            Affine.of(machine).copy_to(layer)


@estimator
class MultilayerPerceptron(DenseNetwork):
    """Abstract: what both perceptrons have in common."""

    pretrain: Any = param(
        None,
        [None, OneOf("supervised"), BaseEstimator, list, tuple],
        "'supervised' first trains shallow networks one after the other, each on the features of "
        "the last, and starts from their hidden layers. An estimator with hidden units does so "
        "without the targets: BernoulliRBM(n_iter=10), for activation='logistic', or "
        "Autoencoder(noise='masking'), of the same activation. A list has one for each hidden "
        "layer.",
    )

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        if self.pretrain is not None and not isinstance(self.pretrain, str):
            sizes, name = self._hidden_layer_sizes(), type(self).__name__
            check_machines(self.pretrain, sizes, "pretrain", name)
            given = self.pretrain
            each = given if isinstance(given, (list, tuple)) else [given]
            coders = [each for each in each if hasattr(each, "_code_activation")]
            check_units(coders, [self.activation] * len(coders), "pretrain", name)

    def _pretrain(self, trainer: Trainer, batches: Data) -> None:
        if isinstance(self.pretrain, str):
            self._pretrain_supervised(trainer, batches)
        elif self.pretrain is not None:
            self._start_from(self.pretrain, trainer, all_inputs(batches))

    def _pretrain_supervised(self, trainer: Trainer, batches: Data) -> None:
        """Greedy layer-wise supervised training (Bengio et al., 2007, section 5)."""
        module = trainer.module_
        sizes = (self.n_features_in_, *self._hidden_layer_sizes())
        for i in range(1, self._n_hidden_layers() + 1):
            seed = derived_seed(self._seed, Stream.PRETRAIN, i)
            build = partial(self._network, sizes[i - 1], (sizes[i],), self.n_outputs_)
            shallow = self._initialised(build, seed).to(batches.device, batches.dtype)
            flat = FlatParameters(shallow)
            patience = NoImprovement(
                "train_loss", self.tol, self._patience, np.inf, 0, keep_best=False
            )
            stage = Trainer(
                shallow,
                flat,
                self._step(shallow, flat),
                self._recipe(seed, None, incremental=False),
                callbacks=[patience],
                device=batches.device,
            )
            stage.train(MappedData(batches, module.before(i)))
            module.take_layer(i, shallow)
            if stage.interrupted:
                trainer.interrupted = True
                break


@estimator
class MLPClassifier(MultilayerPerceptron, NetworkClassifier):
    r"""Multilayer perceptron classifier, a drop-in for scikit-learn's.

    The network is a stack of fully connected layers,

    .. math:: h_0 = x, \quad h_l = f(W_l h_{l-1} + b_l), \quad p(y | x) = g(W_L h_{L-1} + b_L),

    with `f` the activation and `g` the softmax, or the logistic function for two classes and for
    each label of a multilabel problem. It minimises the log loss plus the penalty on the weights.
    Everything that scikit-learn's estimator of this name does works here: parameters, attributes,
    warnings and errors. See the :ref:`user guide <mlp>`, and :ref:`training` for what the training
    parameters mean in depth.

    See Also
    --------
    MLPRegressor : The same for numbers.
    sklearn.neural_network.MLPClassifier : The twin.

    References
    ----------
    .. [1] Rumelhart, Hinton and Williams (1986). "Learning representations by back-propagating
       errors." Nature 323, 533-536. https://doi.org/10.1038/323533a0
    .. [2] Glorot and Bengio (2010). "Understanding the difficulty of training deep feedforward
       neural networks." AISTATS.
    .. [3] Kingma and Ba (2015). "Adam: a method for stochastic optimization." ICLR.
       https://doi.org/10.48550/arXiv.1412.6980

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from sknets import MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> clf = MLPClassifier(max_iter=30, learning_rate="one_cycle", learning_rate_init=0.01,
    ...                     random_state=0).fit(X_train, y_train)
    >>> clf.score(X_test, y_test) > 0.95
    True
    """

    hidden_layer_sizes: Any = _hidden_layer_sizes()
    activation: str = _activation()


@estimator
class MLPRegressor(MultilayerPerceptron, NetworkRegressor):
    r"""Multilayer perceptron regressor, a drop-in for scikit-learn's.

    The network is a stack of fully connected layers,

    .. math:: h_0 = x, \quad h_l = f(W_l h_{l-1} + b_l), \quad \hat y = W_L h_{L-1} + b_L,

    with `f` the activation (and an exponential at the end for ``loss="poisson"``). It minimises
    the loss plus the penalty on the weights. See the :ref:`user guide <mlp>`, and :ref:`training`
    for what the training parameters mean in depth.

    See Also
    --------
    MLPClassifier : The same for classes.
    sklearn.neural_network.MLPRegressor : The twin.

    References
    ----------
    .. [1] Rumelhart, Hinton and Williams (1986). "Learning representations by back-propagating
       errors." Nature 323, 533-536. https://doi.org/10.1038/323533a0

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sknets import MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> reg = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(10,), alpha=1000,
    ...                                                    solver="lbfgs", max_iter=1000,
    ...                                                    random_state=0))
    >>> reg.fit(X, y).score(X, y) > 0.5
    True
    """

    loss: str = param(
        "squared_error",
        OneOf(*REGRESSION_LOSSES),
        "What is minimised; squared error and Poisson deviance are halved, as in scikit-learn.",
        kw_only=False,
    )
    hidden_layer_sizes: Any = _hidden_layer_sizes()
    activation: str = _activation()
