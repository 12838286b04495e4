"""Multilayer perceptrons: stacked fully connected layers, scikit-learn's estimators on PyTorch.

Rumelhart, Hinton and Williams (1986), https://doi.org/10.1038/323533a0.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from sknets._data import Batch, Data, MappedData
from sknets._params import Interval, OneOf, estimator, param
from sknets._random import Stream, derived_seed, generator
from sknets._training.callbacks import NoImprovement
from sknets._training.losses import Loss
from sknets._training.parameters import FlatParameters
from sknets._training.steps import Step, StepResult, SupervisedStep
from sknets._training.trainer import Trainer
from sknets.base import (
    REGRESSION_LOSSES,
    NetworkClassifier,
    NetworkRegressor,
    NetworkTransformer,
    SupervisedNetwork,
)
from sknets.base.layerwise import Affine, all_inputs, check_machines, stacked, was_interrupted
from sknets.layers import (
    ACTIVATIONS,
    INITIALIZERS,
    BatchNorm1d,
    Dropout,
    GaussianNoise,
    Maxout,
    RandomLayer,
    initialise,
)


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
        pieces = maxout_pieces if activation == "maxout" else 1
        sizes = (n_inputs, *hidden_layer_sizes)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if input_dropout:
            layers["input_dropout"] = Dropout(input_dropout)
        if noise_std:
            layers["input_noise"] = GaussianNoise(noise_std)
        for i, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
            layers[f"linear{i}"] = nn.Linear(fan_in, fan_out * pieces)
            if batch_norm:
                layers[f"norm{i}"] = BatchNorm1d(fan_out * pieces)
            if noise_std:
                layers[f"noise{i}"] = GaussianNoise(noise_std)
            maxout = activation == "maxout"
            layers[f"{activation}{i}"] = Maxout(pieces) if maxout else ACTIVATIONS[activation]()
            if dropout:
                layers[f"dropout{i}"] = Dropout(dropout)
        self.features = nn.Sequential(layers)
        self.head = nn.Linear(sizes[-1], n_outputs)

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
    def linear_layers(self) -> list[nn.Linear]:
        """The fully connected layers from input to output."""
        return [layer for layer in self.modules() if isinstance(layer, nn.Linear)]


aten = torch.ops.aten
# activation -> (apply in place, multiply delta in place by the derivative, given its value)
DERIVATIVES: dict[type[nn.Module], tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    nn.Identity: (lambda z: z, lambda delta, a: delta),
    nn.Sigmoid: (
        torch.Tensor.sigmoid_,
        lambda delta, a: aten.sigmoid_backward.grad_input(delta, a, grad_input=delta),
    ),
    nn.Tanh: (
        torch.Tensor.tanh_,
        lambda delta, a: aten.tanh_backward.grad_input(delta, a, grad_input=delta),
    ),
    nn.ReLU: (
        torch.Tensor.relu_,
        lambda delta, a: aten.threshold_backward.grad_input(delta, a, 0, grad_input=delta),
    ),
}


class LinearTensors(NamedTuple):
    """The parameters of a linear layer, and where their gradients go."""

    weight: Tensor
    transposed: Tensor
    bias: Tensor
    weight_grad: Any
    bias_grad: Any

    @classmethod
    def of(cls, layer: nn.Linear) -> LinearTensors:
        weight, bias = layer.weight, layer.bias
        return cls(weight.detach(), weight.detach().t(), bias.detach(), weight.grad, bias.grad)


class Backpropagation(SupervisedStep):
    """The training step of a plain MLP with its gradient written out, without autograd.

    With a canonical link the gradient by the raw output is *output - target*; layer by layer
    ``dL/dW = delta.T @ a`` and ``delta = (delta @ W) * f'(z)`` (Rumelhart et al., 1986). On small
    networks autograd's bookkeeping costs as much as the arithmetic.
    """

    def __init__(self, module: MLP, loss: Loss) -> None:
        super().__init__(module, loss)
        self.layers = [LinearTensors.of(layer) for layer in module.linear_layers]
        *self.hidden, self.head = self.layers
        self.head_bias = self.head.bias[:, None]
        if self.hidden:
            self.activate, self.derivative = DERIVATIVES[type(module.features[1])]

    @staticmethod
    def is_possible(module: MLP, loss: Loss) -> bool:
        """Whether layers are linear or simple activations, and the loss has a canonical link."""
        plain = {nn.Linear, *DERIVATIVES}
        return loss.canonical and all(type(layer) in plain for layer in module.features)

    def __call__(self, batch: Batch) -> StepResult:
        """Set the gradients of the mean loss over a batch."""
        a = batch.x
        inputs = [a]
        for layer in self.hidden:
            a = self.activate(torch.addmm(layer.bias, a, layer.transposed))
            inputs.append(a)
        raw = self._raw_outputs(a)
        loss, delta = self._loss_and_delta(raw, batch)
        for layer in reversed(self.layers):
            a = inputs.pop()
            if a.layout is torch.strided:
                torch.mm(delta.t(), a, out=layer.weight_grad)
            else:
                layer.weight_grad.copy_(torch.mm(a.t(), delta).t())
            torch.sum(delta, 0, out=layer.bias_grad)
            if inputs:
                delta = self.derivative(torch.mm(delta, layer.weight), a)
        return StepResult(loss, raw)

    def _raw_outputs(self, x: Tensor) -> Tensor:
        if x.layout is not torch.strided:
            return torch.addmm(self.head.bias, x, self.head.transposed)
        # Column by column in memory: a loss reduces over the outputs, which mostly are few.
        return torch.addmm(self.head_bias, self.head.weight, x.t()).t()

    def _loss_and_delta(self, raw: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The mean loss and its gradient by the raw outputs."""
        if batch.weight is None:
            return self.loss.mean_with_gradient(raw, batch.targets)
        values, delta = self.loss.with_gradient(raw, batch.targets)
        share = batch.weight / batch.weight.sum().clamp_min(torch.finfo(raw.dtype).tiny)
        return torch.dot(values, share), delta.mul_(share[:, None])


@torch.no_grad()
def _initialise_like_scikit_learn(
    layers: list[nn.Linear], logistic: bool, bias_init: str | float, seed: int
) -> None:
    """Glorot and Bengio's uniform, for biases too, in scikit-learn's order of draws.

    The same integer `random_state` thus gives the same initial network as scikit-learn's.
    """
    random = np.random.RandomState(seed)
    for layer in layers:
        fan_out, fan_in = layer.weight.shape
        bound = np.sqrt((2 if logistic else 6) / (fan_in + fan_out))
        layer.weight.copy_(torch.from_numpy(random.uniform(-bound, bound, (fan_in, fan_out)).T))
        bias = random.uniform(-bound, bound, fan_out)
        if bias_init == "auto":
            layer.bias.copy_(torch.from_numpy(bias))


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
class DenseNetwork(NetworkTransformer, SupervisedNetwork):
    """Abstract: fully connected layers that learn targets."""

    input_dropout: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "Share of inputs silenced at each training step.",
    )
    dropout: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "Share of hidden units silenced at each training step (inverted dropout).",
    )
    noise_std: float = param(
        0.0,
        Interval(Real, 0, None, closed="left"),
        "Standard deviation of the Gaussian noise added in training to the inputs and to what each "
        "hidden activation takes, normalised before with batch_norm=True.",
    )
    batch_norm: bool = param(
        False, "boolean", "Whether to normalise each hidden layer over the batch."
    )
    maxout_pieces: int = param(
        2,
        Interval(Integral, 1, None, closed="left"),
        "Linear functions of which a unit of activation='maxout' is the largest.",
    )
    weight_init: str = param(
        "auto",
        OneOf(*INITIALIZERS),
        "How weights start; 'auto' is scikit-learn's (Glorot's uniform), 'normal' has standard "
        "deviation init_std.",
    )
    bias_init: Any = param(
        "auto",
        [OneOf("auto"), Interval(Real, None, None, closed="neither")],
        "What biases start from; 'auto' is 0, or scikit-learn's with weight_init='auto'.",
    )
    init_std: float = param(
        0.01,
        Interval(Real, 0, None, closed="left"),
        "Standard deviation of weight_init='normal'.",
    )
    _fitted_attributes: ClassVar[dict[str, str]] = {
        "coefs_": "list of ndarray of shape (fan_in, fan_out): The weights of each layer.",
        "intercepts_": "list of ndarray of shape (fan_out,): The biases of each layer.",
        "n_layers_": "int: Number of layers, input and output included.",
    }
    _shape_parameters: ClassVar[tuple[str, ...]] = ("hidden_layer_sizes", *OF_LAYERS)

    # -- the network

    def _hidden_layer_sizes(self) -> tuple[int, ...]:
        sizes = self.hidden_layer_sizes
        return tuple(sizes if np.iterable(sizes) else [np.asarray(sizes).tolist()])

    def _n_hidden_layers(self) -> int:
        return len(self._hidden_layer_sizes())

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        sizes = self._hidden_layer_sizes()
        if not all(isinstance(size, Integral) for size in sizes):
            raise ValueError(
                f"The 'hidden_layer_sizes' parameter of {type(self).__name__} must hold whole "
                f"numbers. Got {list(sizes)} instead."
            )
        if any(size <= 0 for size in sizes):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {list(sizes)}.")
        self._check_stochastic("dropout", "input_dropout", "noise_std")

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> MLP:
        return self._network(input_shape[0], self._hidden_layer_sizes(), n_outputs)

    def _network(self, n_inputs: int, hidden_layer_sizes: tuple[int, ...], n_outputs: int) -> MLP:
        return MLP(n_inputs, hidden_layer_sizes, n_outputs, **self._how())

    def _how(self) -> dict[str, Any]:
        """How layers compute, in the network's words."""
        return {name: getattr(self, name) for name in OF_LAYERS}

    def _initialise(self, module: Any, seed: int) -> None:
        weights = generator(seed, Stream.WEIGHTS)
        if self.weight_init != "auto":
            initialise(module, self.weight_init, self.bias_init, self.init_std, weights)
            return
        initialise(module, "normal", self.bias_init, self.init_std, weights)
        logistic = self.activation == "logistic"
        _initialise_like_scikit_learn(module.linear_layers, logistic, self.bias_init, seed)

    def _step(self, module: Any, flat: FlatParameters) -> Step:
        loss = self._loss_function()
        if not self._mixed and Backpropagation.is_possible(module, loss):
            return Backpropagation(module, loss)
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

    # -- scikit-learn's view of the weights

    @property
    def coefs_(self) -> list[np.ndarray]:
        """The weights of each layer, of shape (fan_in, fan_out)."""
        return [self._values(layer.weight).T for layer in self._linear_layers("coefs_")]

    @coefs_.setter
    def coefs_(self, values: list[np.ndarray]) -> None:
        layers = self._linear_layers("coefs_")
        self._assign("coefs_", [layer.weight.T for layer in layers], values)

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """The biases of each layer, of shape (fan_out,)."""
        return [self._values(layer.bias) for layer in self._linear_layers("intercepts_")]

    @intercepts_.setter
    def intercepts_(self, values: list[np.ndarray]) -> None:
        layers = self._linear_layers("intercepts_")
        self._assign("intercepts_", [layer.bias for layer in layers], values)

    @property
    def n_layers_(self) -> int:
        """How many layers there are, input and output included."""
        return len(self._linear_layers("n_layers_")) + 1

    def _linear_layers(self, name: str) -> list[nn.Linear]:
        if "module_" not in vars(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        layers: list[nn.Linear] = self.module_.linear_layers
        return layers

    def _assign(self, name: str, tensors: list[Tensor], values: list[np.ndarray]) -> None:
        """Put arrays into the network, all or none of them."""
        arrays = [np.asarray(value, dtype=np.float64) for value in values]
        expected = [tuple(tensor.shape) for tensor in tensors]
        if [array.shape for array in arrays] != expected:
            raise ValueError(
                f"{name} of this {type(self).__name__} have shapes {expected}. "
                f"Got {[array.shape for array in arrays]} instead."
            )
        with torch.no_grad():
            for tensor, array in zip(tensors, arrays, strict=True):
                tensor.copy_(torch.from_numpy(array))
        self._snapshots: list[dict[str, np.ndarray]] = []  # which were of other weights

    def _values(self, parameter: Tensor) -> np.ndarray:
        return parameter.detach().cpu().numpy().astype(self._input_dtype, copy=False)


@estimator
class MultilayerPerceptron(DenseNetwork):
    """Abstract: what both perceptrons have in common."""

    pretrain: Any = param(
        None,
        [None, OneOf("supervised"), BaseEstimator, list, tuple],
        "'supervised' first trains shallow networks one after the other, each on the features of "
        "the last, and starts from their hidden layers. An estimator with hidden units, such as "
        "BernoulliRBM(n_iter=10), does so without the targets, for activation='logistic'; a list "
        "has one for each hidden layer.",
    )

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        if self.pretrain is not None and not isinstance(self.pretrain, str):
            n_layers = self._n_hidden_layers()
            check_machines(self.pretrain, n_layers, "pretrain", type(self).__name__)

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
