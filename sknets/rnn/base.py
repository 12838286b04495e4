"""What all recurrent estimators have in common: their layers."""

from __future__ import annotations

from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from sknets._params import Interval, InvalidParameterError, OneOf, estimator, param
from sknets._random import Stream, generator
from sknets.base import NetworkEstimator
from sknets.layers import INITIALIZERS
from sknets.rnn.cells import CELLS, PLAIN, cell_class
from sknets.rnn.network import Recurrent, initialise_recurrent

RECURRENT_INITIALIZERS = ("orthogonal", "identity", *INITIALIZERS[1:-2], "normal")
TWICE_DIFFERENTIATED = "newton-cg"  # the solver for which layers cannot be fused


@estimator
class RecurrentEstimator(NetworkEstimator):
    """Abstract: an estimator with recurrent layers."""

    cell: str = param(
        "gru",
        OneOf(*CELLS),
        "The recurrent cell: the plain one, long short-term memory, or gated recurrent units.",
    )
    hidden_layer_sizes: Any = param(
        (64,),
        ["array-like", Interval(Integral, 1, None, closed="left")],
        "Units of each recurrent layer, of each direction.",
    )
    activation: str = param(
        "tanh", OneOf(*PLAIN), "Activation of cell='rnn'. Ignored by the others."
    )
    reset_after: bool = param(
        True,
        "boolean",
        "Whether cell='gru' resets after the matrix product, as torch and cuDNN do, or before it, "
        "as the paper does, which is slower. Ignored by the others.",
    )
    dropout: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "Share of what each recurrent layer hands on that is silenced in training.",
    )
    input_dropout: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "Share of the inputs, or of their embeddings, that is silenced in training.",
    )
    embedding_dim: Any = param(
        None,
        [None, Interval(Integral, 1, None, closed="left")],
        "Length of the vectors that tokens are embedded in. None: one-hot vectors.",
    )
    weight_init: str = param(
        "auto",
        OneOf(*INITIALIZERS),
        "How the weights of inputs start; 'auto' is 'glorot_uniform', a gate at a time.",
    )
    recurrent_init: str = param(
        "orthogonal",
        OneOf(*RECURRENT_INITIALIZERS),
        "How the weights between steps start, a gate at a time; with 'identity', cell='rnn' and "
        "activation='relu' the network is an IRNN.",
    )
    init_std: float = param(
        0.01, Interval(Real, 0, None, closed="left"), "Standard deviation of 'normal' weights."
    )
    forget_bias: float = param(
        1.0,
        Interval(Real, None, None, closed="neither"),
        "What the biases of the forget gate of cell='lstm' start from.",
    )
    clip_norm: Any = param(
        1.0,
        [None, Interval(Real, 0, None, closed="neither")],
        "Largest Euclidean norm of the gradient of a minibatch, to which it is scaled down. "
        "Ignored by full-batch solvers.",
    )

    _shape_parameters: ClassVar[tuple[str, ...]] = (
        "cell",
        "hidden_layer_sizes",
        "activation",
        "reset_after",
        "dropout",
        "input_dropout",
        "embedding_dim",
    )

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        sizes = self._hidden_layer_sizes()
        if not sizes or not all(isinstance(size, Integral) and size > 0 for size in sizes):
            raise InvalidParameterError(
                f"The 'hidden_layer_sizes' parameter of {type(self).__name__} must hold one whole "
                f"number > 0 at least. Got {self.hidden_layer_sizes!r} instead."
            )
        random = {name: getattr(self, name) for name in ("dropout", "input_dropout")}
        if self._full_batch and any(random.values()):
            given = ", ".join(f"{name}={value}" for name, value in random.items() if value)
            raise ValueError(f"{given} needs a stochastic solver, got solver={self.solver!r}.")

    def _hidden_layer_sizes(self) -> tuple[int, ...]:
        sizes = self.hidden_layer_sizes
        return tuple(sizes if np.iterable(sizes) else [sizes])

    def _recurrent(
        self, n_inputs: int, bidirectional: bool = False, tbptt_steps: int | None = None
    ) -> Recurrent:
        layer = partial(
            cell_class(self.cell, self.activation, self.reset_after),
            fused=self.solver != TWICE_DIFFERENTIATED,
            tbptt_steps=tbptt_steps,
        )
        return Recurrent(
            layer,
            n_inputs,
            self._hidden_layer_sizes(),
            bidirectional=bidirectional,
            input_dropout=self.input_dropout,
            dropout=self.dropout,
        )

    def _initialise(self, module: Any, seed: int) -> None:
        how = "glorot_uniform" if self.weight_init == "auto" else self.weight_init
        initialise_recurrent(
            module,
            how,
            self.recurrent_init,
            self.forget_bias,
            self.init_std,
            generator(seed, Stream.WEIGHTS),
        )
