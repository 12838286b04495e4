"""Recurrent networks as estimators: sequences where a support vector machine takes rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from math import prod
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from sknets._data import as_array
from sknets._measure import Work
from sknets._params import Interval, OneOf, estimator, param
from sknets._sequences import SequenceRows, steps_of
from sknets.base import REGRESSION_LOSSES, NetworkClassifier, NetworkRegressor, NetworkTransformer
from sknets.preprocessing.ragged import Given, as_given
from sknets.rnn.base import RecurrentEstimator
from sknets.rnn.network import (
    POOLINGS,
    Recurrent,
    SequenceNetwork,
    Steps,
    Tokens,
)

TYPICAL_TIME = 100  # of sequences whose length varies, for choosing how many threads to use


@estimator
class RecurrentNetwork(RecurrentEstimator, NetworkTransformer):
    """Abstract: a recurrent network that is given sequences."""

    bidirectional: bool = param(
        False, "boolean", "Whether each layer also reads from the last step to the first."
    )
    vocabulary_size: Any = param(
        None,
        [None, OneOf("auto"), Interval(Integral, 1, None, closed="left")],
        "How many tokens there are, where X holds their ids from 0 on; 'auto' is the largest id of "
        "the training set plus 1. None: X holds numbers.",
    )
    sequence_shape: Any = param(
        None,
        [None, tuple, list],
        "Shape of the sequence in a row of a table: (time, features). None takes a row for a "
        "series of one feature.",
    )
    padding_value: Any = param(
        None,
        [None, Interval(Real, None, None, closed="neither")],
        "What fills up sequences at their end. Steps of NaN and negative ids always do.",
    )
    states: str = param(
        "last",
        OneOf("last", "all"),
        "Whether `transform` gives one vector a sequence, or the outputs of all steps side by "
        "side, for which sequences must be of one length.",
    )
    tbptt_steps: Any = param(
        None,
        [None, Interval(Integral, 1, None, closed="left")],
        "Steps after which back-propagation through time is truncated. None: never.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "sequence_shape_": "tuple: (time, features) of a sequence; time is None where it varies.",
        "vocabulary_size_": "int or None: How many tokens there are.",
    }
    _shape_parameters: ClassVar[tuple[str, ...]] = (
        *RecurrentEstimator._shape_parameters,
        "bidirectional",
        "vocabulary_size",
    )

    # -- sequences in

    @property
    def _takes_tokens(self) -> bool:
        return self.vocabulary_size is not None

    def _given(self, X: Any) -> Given:
        """The inputs as a table or as sequences, and the shape of a sequence."""
        given = as_given(X, self._takes_tokens, self.padding_value)
        if self.sequence_shape is not None and not isinstance(given.rows, SequenceRows):
            flat = given.shape is None or len(given.shape) == 1
            return given._replace(shape=tuple(self.sequence_shape)) if flat else given
        return given

    def _validated_pair(
        self, X: Any, y: Any, reset: bool, y_numeric: bool = False
    ) -> tuple[Any, Any]:
        X, shape = self._given(X)
        if isinstance(X, SequenceRows):
            assert shape is not None
            y = validate_data(
                self, X="no_validation", y=as_array(y), multi_output=True, y_numeric=y_numeric
            )
            check_consistent_length(X, y)
        else:
            X, y = super()._validated_pair(X, y, reset, y_numeric)
            shape = shape or (X.shape[1],)
        if reset:
            self._learn_shape(X, shape)
        self._check_steps(X)
        return X, y

    def _validated_rows(self, X: Any) -> Any:
        check_is_fitted(self)
        X, shape = self._given(X)
        if not isinstance(X, SequenceRows):
            if self._is_table(shape):
                return super()._validated_rows(X)
            X = check_array(X, dtype=(np.float64, np.float32))
            time, *step = X.shape[1:] if shape is None else shape
            X = SequenceRows(X.reshape(-1, *step), np.full(len(X), time))
        self._check_steps(X)
        return X

    def _is_table(self, shape: tuple[Any, ...] | None) -> bool:
        """Whether arrays of sequences of a shape are read by columns, as in the fit."""
        time = self.sequence_shape_[0]
        if time is None or shape is None or len(shape) == 1:
            return time is not None
        return shape[0] == time

    def _learn_shape(self, X: Any, shape: tuple[Any, ...]) -> None:
        """The shape of sequences, and how many tokens there are."""
        time, *step = shape
        self.vocabulary_size_: int | None = None
        if self._takes_tokens:
            automatic = self.vocabulary_size == "auto"
            largest = X.steps.max()
            self.vocabulary_size_ = int(largest) + 1 if automatic else self.vocabulary_size
        self.sequence_shape_ = (time, *(step if step or self._takes_tokens else (1,)))
        if isinstance(X, SequenceRows):
            self.n_features_in_ = prod(self.sequence_shape_[1:])
        elif time is None or prod(self.sequence_shape_) != self.n_features_in_:
            raise ValueError(
                f"The 'sequence_shape' parameter of {type(self).__name__} must have as many values "
                f"as X has columns, {self.n_features_in_}. Got {self.sequence_shape} instead."
            )

    def _check_steps(self, X: Any) -> None:
        """Raise for steps of another shape than in the fit, and for unknown tokens."""
        if not isinstance(X, SequenceRows):
            return
        if self._takes_tokens:
            if X.steps.ndim > 1:
                raise ValueError(
                    f"{type(self).__name__}(vocabulary_size={self.vocabulary_size!r}) takes ids of "
                    f"tokens, one a step. Got steps of shape {X.steps.shape[1:]} instead."
                )
            known = range(self.vocabulary_size_ or 0)
            if (largest := int(X.steps.max())) not in known:
                raise ValueError(
                    f"X holds the id {largest}, but {type(self).__name__} knows tokens from 0 to "
                    f"{known[-1]}."
                )
            return
        expected = self.sequence_shape_[1:]
        if (found := X.steps.shape[1:] or (1,)) != expected:
            raise ValueError(
                f"The steps of X have shape {found}, but {type(self).__name__} is expecting "
                f"{expected} as input."
            )

    def _input_shape(self) -> tuple[Any, ...]:
        """(time, *shape of a step), of tokens (time, how many there are)."""
        if self.vocabulary_size_ is not None:
            return (self.sequence_shape_[0], self.vocabulary_size_)
        return self.sequence_shape_

    # -- the network

    def _n_hidden_layers(self) -> int:
        return len(self._hidden_layer_sizes())

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> SequenceNetwork:
        reader = self._reader(input_shape[1:])
        recurrent = self._recurrent(reader.n_outputs, self.bidirectional, self.tbptt_steps)
        return self._around(reader, recurrent, n_outputs)

    @abstractmethod
    def _around(self, reader: Any, recurrent: Recurrent, n_outputs: int) -> SequenceNetwork:
        """The network that has the recurrent layers inside."""

    def _reader(self, step_shape: tuple[int, ...]) -> Steps | Tokens:
        if self._takes_tokens:
            return Tokens(step_shape[0], self.embedding_dim)
        return Steps(step_shape)

    def _work(self) -> Work:
        time = self.sequence_shape_[0] or TYPICAL_TIME
        weights = [p for p in self.module_.recurrent.parameters() if p.ndim == 2]
        widest = max(self.module_.reader.n_outputs, *(p.shape[0] for p in weights))
        return Work(time * sum(p.numel() for p in weights), time * widest)

    # -- what comes out

    def _forward(self, X: Any, function: Callable[[Any], Tensor]) -> Iterator[Tensor]:
        if not isinstance(X, SequenceRows):
            yield from super()._forward(X, function)
            return
        order = np.argsort(X.lengths, kind="stable")  # so that little is filled up
        made = torch.cat(list(super()._forward(X[order], function)))
        places: Any = np.argsort(order)
        if len(made) != len(order):  # of steps, not of sequences
            places = steps_of(X[order].starts[places], X.lengths)
        yield made[torch.from_numpy(places).to(made.device)]

    def _features(self, x: Any) -> Tensor:
        if self.states == "last":
            return self.module_.features(x)
        states = self.module_.states(x)
        if states.lengths is not None:
            raise ValueError("states='all' needs sequences that are all of one length.")
        return states.values.flatten(1)

    @property
    def _n_features_out(self) -> int:
        n_units = self.module_.recurrent.n_outputs
        return n_units if self.states == "last" else n_units * (self.sequence_shape_[0] or 1)


@estimator
class ManyToOne(RecurrentNetwork):
    """Abstract: a recurrent network with one answer a sequence."""

    pooling: str = param(
        "last",
        OneOf(*POOLINGS),
        "How the outputs of all steps become one vector: the last of each direction, their mean or "
        "maximum, or a mean weighted by attention.",
    )

    _shape_parameters: ClassVar[tuple[str, ...]] = (*RecurrentNetwork._shape_parameters, "pooling")

    def _around(self, reader: Any, recurrent: Recurrent, n_outputs: int) -> SequenceNetwork:
        pooling = POOLINGS[self.pooling](recurrent.n_outputs)
        return SequenceNetwork(reader, recurrent, pooling, n_outputs)


@estimator
class RNNClassifier(ManyToOne, NetworkClassifier):
    r"""Recurrent network classifier, for sequences: one class each.

    A cell goes over the steps of a sequence and carries a state, for cell='rnn'

    .. math:: h_t = f(W x_t + b + U h_{t-1} + c),

    of which the last, or a mean over steps, is classified. `X` is a table whose rows are series, an
    array (n_samples, time, n_features), or a list of sequences of any length; with
    `vocabulary_size` it holds ids of tokens. What fills up a sequence at its end, NaN or a negative
    id, never reaches the result. See the :ref:`user guide <rnn>`.

    See Also
    --------
    RNNRegressor : The same for numbers.
    sknets.rnn.RNNTagger : A class for each step.
    CNNClassifier : Where what counts is near.

    References
    ----------
    .. [1] Elman (1990). "Finding structure in time." Cognitive Science 14, 179-211.
       https://doi.org/10.1207/s15516709cog1402_1
    .. [2] Hochreiter and Schmidhuber (1997). "Long short-term memory." Neural Computation 9,
       1735-1780. https://doi.org/10.1162/neco.1997.9.8.1735
    .. [3] Cho, van Merrienboer, Gulcehre, Bahdanau, Bougares, Schwenk and Bengio (2014). "Learning
       phrase representations using RNN encoder-decoder for statistical machine translation." EMNLP.
       https://doi.org/10.48550/arXiv.1406.1078

    Examples
    --------
    >>> from sknets import RNNClassifier
    >>> from sknets.datasets import make_adding_problem
    >>> X, sums = make_adding_problem(400, length=8, random_state=0)
    >>> clf = RNNClassifier(hidden_layer_sizes=(16,), batch_size=50, max_iter=60,
    ...                     learning_rate="one_cycle", learning_rate_init=0.02, random_state=0)
    >>> clf.fit(X[:300], sums[:300] > 1).score(X[300:], sums[300:] > 1) > 0.9
    True
    >>> clf.predict([X[0], X[1, :5]]).shape  # sequences of unequal length
    (2,)
    """


@estimator
class RNNRegressor(ManyToOne, NetworkRegressor):
    """Recurrent network regressor, for sequences: one or several numbers each.

    It takes what `RNNClassifier` takes.

    See Also
    --------
    RNNClassifier : The same for classes, with more on the input.
    sknets.rnn.RNNForecaster : The future of a single series.

    References
    ----------
    .. [1] Elman (1990). "Finding structure in time." Cognitive Science 14, 179-211.
       https://doi.org/10.1207/s15516709cog1402_1
    .. [2] Hochreiter and Schmidhuber (1997). "Long short-term memory." Neural Computation 9,
       1735-1780. https://doi.org/10.1162/neco.1997.9.8.1735
    .. [3] Cho, van Merrienboer, Gulcehre, Bahdanau, Bougares, Schwenk and Bengio (2014). "Learning
       phrase representations using RNN encoder-decoder for statistical machine translation." EMNLP.
       https://doi.org/10.48550/arXiv.1406.1078

    Examples
    --------
    >>> from sknets import RNNRegressor
    >>> from sknets.datasets import make_adding_problem
    >>> X, sums = make_adding_problem(400, length=8, random_state=0)
    >>> reg = RNNRegressor(hidden_layer_sizes=(16,), batch_size=50, max_iter=60,
    ...                    learning_rate="one_cycle", learning_rate_init=0.02, random_state=0)
    >>> reg.fit(X[:300], sums[:300]).score(X[300:], sums[300:]) > 0.8
    True
    """

    loss: str = param(
        "squared_error",
        OneOf(*REGRESSION_LOSSES),
        "What is minimised; squared error and Poisson deviance are halved, as in scikit-learn.",
    )
