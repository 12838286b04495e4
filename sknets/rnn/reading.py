"""Recurrent networks that are given sequences: what X may be, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import prod
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor
from torch.utils.data import Dataset

from sknets._data import DatasetRows, as_array, targets_of
from sknets._params import (
    Interval,
    InvalidParameterError,
    OneOf,
    check_values,
    estimator,
    param,
)
from sknets._sequences import SequenceRows, steps_of
from sknets.base import NetworkTransformer
from sknets.cnn.architecture import Architecture, named_architecture
from sknets.cnn.images import as_shares
from sknets.preprocessing.layout import image_shape_of
from sknets.preprocessing.ragged import Given, as_given
from sknets.rnn.base import SequenceEstimator, TokenEstimator
from sknets.rnn.network import Frames, Reader, Steps, Tokens
from sknets.rnn.pretrained import load_layers, vocabulary_of
from sknets.rnn.vision import Vision


@estimator
class ReadingNetwork(TokenEstimator, SequenceEstimator):
    """Abstract: a recurrent network that is given sequences."""

    vocabulary_size: Any = param(
        None,
        [None, OneOf("auto"), Interval(Integral, 1, None, closed="left")],
        "How many tokens there are, where X holds their ids from 0 on; 'auto' is the largest id of "
        "the training set plus 1, or what `pretrain` knows. None: X holds numbers, or ids as with "
        "'auto' where there is an `embedding_dim`.",
    )
    sequence_shape: Any = param(
        None,
        [None, tuple, list],
        "Shape of the sequence in a row of a table: (time, features), or of a film (time, "
        "channels, height, width). None takes a row for a series of one feature.",
    )
    padding_value: Any = param(
        None,
        [None, Interval(Real, None, None, closed="neither")],
        "What fills up sequences at their end. Steps of NaN and negative ids always do. It "
        "may be set after fit.",
    )
    pretrain: Any = param(
        None,
        [None, BaseEstimator],
        "A fitted estimator from whose recurrent layers, and embedding, training starts: a "
        "`LanguageModel` or a `RecurrentAutoencoder`, say, of the same layers. In a search as "
        "FrozenEstimator.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "vocabulary_size_": "int or None: How many tokens there are.",
    }
    _shape_parameters: ClassVar[tuple[str, ...]] = ("vocabulary_size",)
    _decoding_parameters: ClassVar[tuple[str, ...]] = ("sequence_shape",)
    _items_may_be_arrays = True

    def _reads_ids(self, how: Mapping[str, Any]) -> bool:
        """Whether steps are ids of tokens, as parameters say."""
        return how["vocabulary_size"] is not None or how["embedding_dim"] is not None

    def _reads_images(self, how: Mapping[str, Any]) -> bool:
        """Whether steps are images, whose bytes are shares of 255."""
        return False

    # -- sequences in

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        shape = self.sequence_shape
        if shape is not None and not all(isinstance(s, Integral) and int(s) > 0 for s in shape):
            raise InvalidParameterError(
                f"The 'sequence_shape' parameter of {type(self).__name__} must hold whole numbers "
                f"> 0. Got {shape!r} instead."
            )

    def _given(self, X: Any, how: Mapping[str, Any]) -> Given:
        """Inputs as a table or as sequences, as parameters say, and the shape of a sequence."""
        ids, named = self._reads_ids(how), how["sequence_shape"]
        given = as_given(X, ids, self.padding_value, shares=self._reads_images(how))
        if named is None or isinstance(given.rows, SequenceRows):
            return given
        flat = given.shape is None or len(given.shape) == 1
        return given._replace(shape=tuple(named)) if flat else given

    def _given_like_fit(self, X: Any, how: Mapping[str, Any]) -> Given:
        """The same after a fit: a table only where the fit's sequences were as long."""
        given = self._given(X, how)
        if isinstance(given.rows, SequenceRows):
            return given
        # A list of other lengths is one of sequences, even where all happen to be alike.
        listed = isinstance(X, (list, tuple)) and how["sequence_shape"] is None
        as_long = not listed or all(np.size(row) == self.n_features_in_ for row in X)
        if self._is_table(given.shape) and as_long:
            return given
        if isinstance(X, Dataset):
            given = self._given(list(DatasetRows(X).inputs()), how)
        return self._as_steps(given, X, how)

    def _as_steps(self, given: Given, X: Any, how: Mapping[str, Any]) -> Given:
        """A table of sequences as sequences one after another; X is what was given."""
        if isinstance(given.rows, SequenceRows):
            return given
        rows = check_array(given.rows, dtype=(np.float64, np.float32), input_name="X")
        rows = self._as_read(rows, X, how)
        time, *step = given.shape or rows.shape[1:]
        return Given(SequenceRows(rows.reshape(-1, *step), np.full(len(rows), time)), (time, *step))

    def _is_table(self, shape: tuple[Any, ...] | None) -> bool:
        """Whether arrays of sequences of a shape are read by columns, as in the fit."""
        time = self.sequence_shape_[0]
        if time is None or shape is None or len(shape) == 1:
            return time is not None
        return shape[0] == time

    def _given_to_fit(self, X: Any, reset: bool) -> Given:
        """Inputs of a fit, the first or one that goes on."""
        how = vars(self)
        return self._given(X, how) if reset else self._given_like_fit(X, how)

    def _read_in_fit(self, given: Given, X: Any, reset: bool) -> Any:
        """Validated inputs of a fit as what the network reads; X is what was given."""
        rows, shape = given
        if not isinstance(rows, SequenceRows):
            rows = self._as_read(rows, X, vars(self))
            shape = shape or rows.shape[1:]
        assert shape is not None
        if reset:
            self._learn_shape(rows, shape)
        self._check_steps(rows)
        return rows

    def _as_read(self, rows: Any, X: Any, how: Mapping[str, Any]) -> Any:
        """Validated rows of what was given, bytes as shares of 255 where they are images."""
        return as_shares(rows, X) if self._reads_images(how) else rows

    def _validated_rows(self, X: Any) -> Any:
        check_is_fitted(self)
        rows, _ = self._given_like_fit(X, self._shape)
        if not isinstance(rows, SequenceRows):
            return self._as_read(super()._validated_rows(rows), X, self._shape)
        self._check_steps(rows)
        return rows

    def _learn_shape(self, X: Any, shape: tuple[Any, ...]) -> None:
        """The shape of sequences, and how many tokens there are."""
        time, *step = shape
        ids = self._reads_ids(vars(self))
        self.vocabulary_size_: int | None = None
        if ids:
            self.vocabulary_size_ = self.vocabulary_size
            if self.vocabulary_size in (None, "auto"):
                known = vocabulary_of(self.pretrain)
                self.vocabulary_size_ = int(X.steps.max()) + 1 if known is None else known
        self.sequence_shape_ = (time, *(step if step or ids else (1,)))
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
        if self.vocabulary_size_ is not None:
            if X.steps.ndim > 1:
                raise ValueError(
                    f"{type(self).__name__}(vocabulary_size={self.vocabulary_size_!r}) takes ids "
                    f"of tokens, one a step. Got steps of shape {X.steps.shape[1:]} instead."
                )
            known = range(self.vocabulary_size_)
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

    def _reader(self, step_shape: tuple[int, ...]) -> Reader:
        if self._reads_ids(vars(self)):
            return Tokens(step_shape[0], self.embedding_dim)
        return Steps(step_shape)

    def _initialise(self, module: Any, seed: int) -> None:
        super()._initialise(module, seed)
        self._initialise_reader(module.reader, seed)
        if self.pretrain is not None:
            load_layers(module, self.pretrain, type(self).__name__)

    def _initialise_reader(self, reader: Any, seed: int) -> None:
        """Fill what a reader has of its own kind."""

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

    def _one_step(self) -> SequenceRows:
        """A sequence of one step, such as the fit's."""
        ids = self.vocabulary_size_ is not None
        steps = np.zeros((1, *self.sequence_shape_[1:]), dtype=np.int64 if ids else np.float64)
        return SequenceRows(steps, np.ones(1, dtype=np.int64))


@estimator
class RecurrentNetwork(ReadingNetwork, NetworkTransformer):
    """Abstract: a recurrent network that answers sequences, whose steps may be images."""

    encoder: Any = param(
        None,
        [None, str, Architecture],
        "A convolutional network that makes a vector of each step, for steps that are images: "
        "(channels, height, width) or (height, width). A name of "
        "`sknets.cnn.list_architectures`, or a description.",
    )
    states: str = param(
        "last",
        OneOf("last", "all"),
        "Whether `transform` gives one vector a sequence, or the outputs of all steps side by "
        "side, for which sequences must be of one length.",
    )

    _shape_parameters: ClassVar[tuple[str, ...]] = ("encoder",)

    # -- sequences in

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        named_architecture(self.encoder, "encoder", type(self).__name__)
        if self.encoder is not None and self._reads_ids(vars(self)):
            raise ValueError(
                f"An encoder reads images, not tokens: got encoder={self.encoder!r}, "
                f"vocabulary_size={self.vocabulary_size!r} and embedding_dim="
                f"{self.embedding_dim!r}."
            )

    def _reads_images(self, how: Mapping[str, Any]) -> bool:
        return how["encoder"] is not None

    def _learn_shape(self, X: Any, shape: tuple[Any, ...]) -> None:
        step = tuple(shape[1:])
        if self.encoder is not None and len(step) not in (2, 3):
            raise ValueError(
                f"{type(self).__name__}(encoder={self.encoder!r}) takes sequences of images, each "
                f"step (channels, height, width) or (height, width). Got steps of shape {step} "
                "instead."
            )
        super()._learn_shape(X, shape)

    def _validated_pair(
        self, X: Any, y: Any, reset: bool, y_numeric: bool = False
    ) -> tuple[Any, Any]:
        y = targets_of(X, y)
        given = self._given_to_fit(X, reset)
        if isinstance(given.rows, SequenceRows):
            y = validate_data(
                self, X="no_validation", y=as_array(y), multi_output=True, y_numeric=y_numeric
            )
            check_consistent_length(given.rows, y)
        else:
            rows, y = super()._validated_pair(given.rows, y, reset, y_numeric)
            given = given._replace(rows=rows)
        return self._read_in_fit(given, X, reset), y

    # -- the network

    def _n_hidden_layers(self) -> int:
        return len(self._hidden_layer_sizes())

    def _reader(self, step_shape: tuple[int, ...]) -> Reader:
        if self.encoder is None:
            return super()._reader(step_shape)
        description = named_architecture(self.encoder, "encoder", type(self).__name__)
        return Frames(Vision(description, image_shape_of(step_shape, False, False)))

    def _initialise_reader(self, reader: Any, seed: int) -> None:
        if self.encoder is not None:
            reader.vision.initialise(self.weight_init, self.init_std, seed)

    # -- what comes out

    def _run_once(self) -> None:
        self._outputs(self._one_step())

    def _features(self, x: Any) -> Tensor:
        if self.states == "last":
            return self.module_.features(x)
        states = self.module_.states(x)
        if states.lengths is not None:
            raise ValueError("states='all' needs sequences that are all of one length.")
        return states.values.flatten(1)

    def transform(self, X: Any) -> np.ndarray:
        """The outputs of the last recurrent layer, after all steps or, if asked for, at each.

        Parameters
        ----------
        X : array-like of shape (n_samples, time[, n_features]), or sequence of such sequences
            The sequences.

        Returns
        -------
        states : ndarray of shape (n_samples, n_units), or (n_samples, time * n_units)
            With ``states="last"``, what `pooling` makes of the outputs; with "all" the outputs of
            all steps side by side.

        Raises
        ------
        ValueError
            With ``states="all"``, if the sequences are not of one length.
        """
        given = {"states": self.states}  # which may be set after fit
        check_values(type(self).__name__, self._parameter_constraints, given)
        return super().transform(X)

    @property
    def _n_features_out(self) -> int:
        n_units, time = self.module_.recurrent.n_outputs, self.sequence_shape_[0]
        if self.states == "last":
            return n_units
        if time is None:
            raise ValueError(
                "With states='all' there are names for what comes out only where the sequences of "
                "the fit were an array, and so of one length."
            )
        return n_units * time
