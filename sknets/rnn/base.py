"""What recurrent estimators have in common: their layers, and what they read and put out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from torch import nn

from sknets._measure import Layer, Work, layers_seeing
from sknets._params import Interval, InvalidParameterError, OneOf, estimator, param
from sknets._random import Stream, generator
from sknets._training.trainer import Seen
from sknets.base import DescentEstimator, clipping_norm
from sknets.base.training_set import Call
from sknets.layers import INITIALIZERS
from sknets.preprocessing.sequences import SequenceTokenizer, check_pattern, tokenizer_of
from sknets.rnn.cells import CELLS, PLAIN, RecurrentLayer, cell_class
from sknets.rnn.network import (
    POOLINGS,
    Reader,
    Recurrent,
    SequenceNetwork,
    Steps,
    initialise_recurrent,
)

RECURRENT_INITIALIZERS = ("orthogonal", "identity", *INITIALIZERS[1:-2], "normal")
TYPICAL_TIME = 100  # of sequences whose length varies, for what a summary shows and threads do
TWICE_DIFFERENTIATED = "newton-cg"  # the solver for which layers cannot be fused


@estimator
class RecurrentEstimator(DescentEstimator):
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
    clip_norm: Any = clipping_norm(1.0)

    _shape_parameters: ClassVar[tuple[str, ...]] = (
        "cell",
        "hidden_layer_sizes",
        "activation",
        "reset_after",
        "dropout",
        "input_dropout",
    )

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        sizes = self._hidden_layer_sizes()
        if not sizes or not all(isinstance(size, Integral) and size > 0 for size in sizes):
            raise InvalidParameterError(
                f"The 'hidden_layer_sizes' parameter of {type(self).__name__} must hold one whole "
                f"number > 0 at least. Got {self.hidden_layer_sizes!r} instead."
            )
        self._check_stochastic("dropout", "input_dropout")

    def _check_lasting(self) -> None:
        super()._check_lasting()
        names = ("cell", "activation", "reset_after")
        now, then = ([of[name] for name in names] for of in (vars(self), self._shape))
        if cell_class(*now) is not cell_class(*then) and self.cell == self._shape["cell"]:
            self._refuse("activation" if self.cell == "rnn" else "reset_after")

    def _hidden_layer_sizes(self) -> tuple[int, ...]:
        sizes = self.hidden_layer_sizes
        return tuple(sizes if np.iterable(sizes) else [sizes])

    def _recurrent(
        self, n_inputs: int, bidirectional: bool = False, tbptt_steps: int | None = None
    ) -> Recurrent:
        return Recurrent(
            self._layer_class(tbptt_steps),
            n_inputs,
            self._hidden_layer_sizes(),
            bidirectional=bidirectional,
            input_dropout=self.input_dropout,
            dropout=self.dropout,
        )

    def _layer_class(self, tbptt_steps: int | None = None) -> Callable[..., RecurrentLayer]:
        """What makes a recurrent layer of numbers of inputs and units."""
        return partial(
            cell_class(self.cell, self.activation, self.reset_after),
            fused=self.solver != TWICE_DIFFERENTIATED,
            tbptt_steps=tbptt_steps,
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


@estimator
class TokenEstimator(RecurrentEstimator):
    """Abstract: a recurrent estimator that reads, or writes, ids of tokens."""

    embedding_dim: Any = param(
        None,
        [None, Interval(Integral, 1, None, closed="left")],
        "Length of the vectors that tokens are embedded in. None: one-hot vectors.",
    )

    _shape_parameters: ClassVar[tuple[str, ...]] = ("embedding_dim",)


@estimator
class TextEstimator(TokenEstimator):
    """Abstract: a recurrent estimator that learns from texts, in minibatches, what to write."""

    level: str = param("word", OneOf("character", "word"), "What a token of texts is.")
    lowercase: bool = param(False, "boolean", "Whether texts are made lower case.")
    pattern: Any = param(
        None,
        [None, str],
        "A regular expression of a word, such as r'\\S+' where spaces are between all tokens. None "
        "finds words, with apostrophes inside, and single punctuation marks. Ignored with "
        "level='character'.",
    )

    _lasting_parameters: ClassVar[tuple[str, ...]] = ("level", "lowercase", "pattern")

    def _learnt_tokens(self, texts: list[str], **limits: Any) -> list[str]:
        """The tokens of texts, within limits of their number."""
        settings = {name: getattr(self, name) for name in TextEstimator._lasting_parameters}
        return SequenceTokenizer(**settings, **limits, boundaries=True).fit(texts).tokens_

    def _tokenizer(self, tokens: list[str], reset: bool = False) -> SequenceTokenizer:
        """What makes ids of texts: as parameters say, or as they did in the fit."""
        of = vars(self) if reset else self._shape
        return tokenizer_of(tokens, {name: of[name] for name in TextEstimator._lasting_parameters})

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        check_pattern(self.pattern, type(self).__name__)
        self._check_stochastic()
        for name, refused in (("curriculum", self.curriculum), ("averaging", self._n_snapshots)):
            if refused:
                raise ValueError(
                    f"A {type(self).__name__} takes all texts, and writes with one network: it "
                    f"knows no {name}={getattr(self, name)!r}."
                )

    def _seen(self, call: Call, held_out: Any) -> Seen:
        """All that was given: what is held out are pieces of it, not whole samples."""
        return call.seen(None)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


@estimator
class SequenceEstimator(RecurrentEstimator):
    """Abstract: recurrent layers over the steps of a sequence, each read as a vector."""

    bidirectional: bool = param(
        False, "boolean", "Whether each layer also reads from the last step to the first."
    )
    tbptt_steps: Any = param(
        None,
        [None, Interval(Integral, 1, None, closed="left")],
        "Steps after which back-propagation through time is truncated. None: never.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "sequence_shape_": "tuple: (time, features) of a sequence; time is None where it varies.",
    }
    _shape_parameters: ClassVar[tuple[str, ...]] = ("bidirectional",)

    @abstractmethod
    def _around(self, reader: Reader, recurrent: Recurrent, n_outputs: int) -> nn.Module:
        """The network that has the recurrent layers inside."""

    def _reader(self, step_shape: tuple[int, ...]) -> Reader:
        """What makes a vector of each step."""
        return Steps(step_shape)

    def _input_shape(self) -> tuple[Any, ...]:
        """(time, *shape of a step)."""
        return self.sequence_shape_

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> nn.Module:
        reader = self._reader(input_shape[1:])
        recurrent = self._recurrent(reader.n_outputs, self.bidirectional, self.tbptt_steps)
        return self._around(reader, recurrent, n_outputs)

    @property
    def _typical_time(self) -> int:
        return self.sequence_shape_[0] or TYPICAL_TIME

    def _work(self) -> Work:
        step, weights = self.module_.reader.work, self.module_.recurrent.weights
        time, widest = self._typical_time, max(step.widest, *(p.shape[0] for p in weights))
        n_products = step.multiply_adds + sum(p.numel() for p in weights)
        return Work(time * n_products, time * widest)

    def _layers(self) -> list[Layer]:
        time = self._typical_time
        x = self.module_.reader.example(time)
        return layers_seeing(self.module_, x, (time,))


@estimator
class ManyToOne(SequenceEstimator):
    """Abstract: a recurrent network with one answer a sequence."""

    pooling: str = param(
        "last",
        OneOf(*POOLINGS),
        "How the outputs of all steps become one vector: the last of each direction, their mean or "
        "maximum, or a mean weighted by attention.",
    )

    _shape_parameters: ClassVar[tuple[str, ...]] = ("pooling",)

    def _around(self, reader: Reader, recurrent: Recurrent, n_outputs: int) -> SequenceNetwork:
        pooling = POOLINGS[self.pooling](recurrent.n_outputs)
        return SequenceNetwork(reader, recurrent, pooling, n_outputs)
