"""Classifiers that start from a deep Boltzmann machine and see what it makes of their input.

Salakhutdinov and Hinton (2009), "Deep Boltzmann machines", AISTATS, section 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator, clone
from torch import Tensor, nn

from sknets._data import Data
from sknets._params import Interval, InvalidParameterError, OneOf, estimator, param
from sknets._random import Stream, derived_seed, draw_seed
from sknets._training.parameters import FlatParameters
from sknets._training.steps import AutogradStep, Step
from sknets._training.trainer import Trainer
from sknets.base.layerwise import check_settings, was_interrupted
from sknets.base.training_set import Call, TrainingSet
from sknets.boltzmann.dbm import DBM
from sknets.boltzmann.unweighted import UnweightedClassifier
from sknets.layers import ACTIVATIONS, Dropout
from sknets.mlp import MLP


class AugmentedLayers(nn.Sequential):
    """Layers each of which takes, beside what the one below makes, given means of the one above.

    The input holds those means after the values of the visible layer. A layer whose name starts
    with "above" is one for them.
    """

    widths: tuple[int, ...]  # of the visible layer, and of hidden ones from the second

    def forward(self, x: Tensor) -> Tensor:
        x, *above = x.split(self.widths, 1)
        for name, layer in self.named_children():
            if name.startswith("above"):
                above[0] = layer(above[0])
                continue
            if name.startswith("linear") and above:
                x = torch.cat([x, above.pop(0)], 1)
            x = layer(x)
        return x


class AugmentedMLP(MLP):
    """A deep Boltzmann machine unrolled: a perceptron that takes the means of its mean field too.

    Hidden layer l takes layer l - 1 by the machine's weights W_l, and the mean field of layer l + 1
    by W_(l+1) transposed, so that at first it says what the mean field does.

    Parameters
    ----------
    n_inputs, n_outputs : int
    hidden_layer_sizes : tuple of int
    mean_field_dropout : float
        Share of the means that are silenced in training.
    **how : dict
        As of an `MLP`.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden_layer_sizes: Sequence[int],
        n_outputs: int,
        *,
        mean_field_dropout: float = 0.0,
        **how: Any,
    ) -> None:
        sizes = tuple(hidden_layer_sizes)
        super().__init__(n_inputs, sizes, n_outputs, **how)
        plain, self.features = self.features, AugmentedLayers()
        self.features.widths = (n_inputs, *sizes[1:])
        above = {f"linear{i}": size for i, size in enumerate(sizes[1:], start=1)}
        layer: Any
        for name, layer in plain.named_children():
            n_above = above.get(name, 0)
            if n_above:
                if mean_field_dropout:
                    self.features.add_module(f"above_{name}", Dropout(mean_field_dropout))
                layer = nn.Linear(layer.in_features + n_above, layer.out_features)
            self.features.add_module(name, layer)

    @torch.no_grad()
    def start_from(self, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> None:
        """Copy a machine's weights, and the biases of its hidden layers."""
        *hidden, _ = self.linear_layers
        for i, layer in enumerate(hidden):
            above = [weights[i + 1].t()] if i + 1 < len(weights) else []
            layer.weight.copy_(torch.cat([weights[i], *above], 1))
            layer.bias.copy_(biases[i + 1])


@estimator
class DBMClassifier(UnweightedClassifier):
    r"""Classifier that starts from a deep Boltzmann machine, fine-tuned by back-propagation.

    A :class:`DBM` learns the inputs first. Its layers become those of a perceptron, of which each
    also takes the mean field of the layer above,

    .. math:: h_l = \sigma(W_l h_{l-1} + W_{l+1}^T q_{l+1}(x) + c_l),

    so that at first it makes of an input what the machine does; `q` stays, and all weights are
    fine-tuned with an output layer on top. Weights of samples are not known to machines, so that
    `fit` takes none. See the :ref:`user guide <boltzmann>`.

    See Also
    --------
    DBNClassifier : Without connections downwards.

    References
    ----------
    .. [1] Salakhutdinov and Hinton (2009). "Deep Boltzmann machines." AISTATS.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import BernoulliRBM, DBM, DBMClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> dbm = DBM(rbm=BernoulliRBM(batch_size=50, n_iter=5), max_iter=5)
    >>> clf = DBMClassifier((64, 64), dbm=dbm, max_iter=20, learning_rate="one_cycle",
    ...                     learning_rate_init=0.01, random_state=0)
    >>> clf.fit(X / 16, y).score(X / 16, y) > 0.95
    True
    """

    hidden_layer_sizes: Any = param(
        (256, 256),
        ["array-like", Interval(Integral, 1, None, closed="left")],
        "Units of each hidden layer, from below.",
        kw_only=False,
    )
    dbm: Any = param(
        None, [None, BaseEstimator], "The machine, but for its hidden_layer_sizes. None: DBM()."
    )
    activation: str = param(
        "logistic",
        OneOf(*ACTIVATIONS),
        "Activation of the hidden layers, after the machine: its own is 'logistic'.",
    )

    mean_field_dropout: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "Share of the means from the layer above that are silenced at each training step. They are "
        "those of an input without noise and dropout, and give away what these hide.",
    )
    learning_rate_init: float = param(
        0.003,
        Interval(Real, 0, None, closed="neither"),
        "The initial learning rate; the highest of 'one_cycle'. Ignored by full-batch solvers.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "dbm_": "DBM: The machine, fitted to the inputs.",
    }
    _shape_parameters: ClassVar[tuple[str, ...]] = ("mean_field_dropout",)

    # -- fit

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        if not isinstance(self.dbm, (DBM, type(None))):
            raise InvalidParameterError(
                f"The 'dbm' parameter of {type(self).__name__} must be a DBM or None. "
                f"Got {self.dbm!r} instead."
            )
        check_settings(self._machine())

    def _machine(self) -> Any:
        """The description of the machine."""
        made: Any = DBM
        described = made() if self.dbm is None else self.dbm
        machine = clone(described).set_params(hidden_layer_sizes=self._hidden_layer_sizes())
        return machine.set_params(device=self.device) if machine.device == "auto" else machine

    def _training_set(self, call: Call, fresh: bool) -> TrainingSet:
        """The machine learns the inputs once targets are allowed; its mean fields stand beside."""
        data = super()._training_set(call, fresh)
        if fresh:
            machine = self._machine()
            if machine.random_state is None:
                seed = derived_seed(draw_seed(self.random_state), Stream.PRETRAIN)
                machine.set_params(random_state=seed)
            self.dbm_ = machine.fit(data.X)
        return data._replace(X=self._augmented(data.X))

    def _checked_rows(self, X: Any, reset: bool) -> np.ndarray:
        return self._augmented(super()._checked_rows(X, reset))

    def _augmented(self, X: Any) -> np.ndarray:
        """Rows, and beside them the mean fields of hidden layers from the second."""
        rows = X.toarray() if sp.issparse(X) else X[:]
        return np.hstack([rows, self.dbm_._by_rows(X, self.dbm_.module_.means_above_first)])

    def _input_shape(self) -> tuple[int, ...]:
        return (self.dbm_.module_.n_above_first + self.n_features_in_,)

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> AugmentedMLP:
        sizes = self._hidden_layer_sizes()
        n_inputs, how = input_shape[0] - sum(sizes[1:]), self._how()
        dropout = self.mean_field_dropout
        return AugmentedMLP(n_inputs, sizes, n_outputs, mean_field_dropout=dropout, **how)

    def _pretrain(self, trainer: Trainer, batches: Data) -> None:
        machine = self.dbm_.module_
        trainer.module_.start_from(machine.weights, machine.biases)
        trainer.interrupted = was_interrupted([self.dbm_])

    def _step(self, module: Any, flat: FlatParameters) -> Step:
        return AutogradStep(module, self._loss_function(), flat.grad, self._mixed)

    def _run_once(self) -> None:
        self._outputs(np.zeros((1, *self._input_shape())))
