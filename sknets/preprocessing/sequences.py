"""Transformers of sequences for Pipelines: texts to ids of tokens, filling up, scaling.

They take sequences of unequal length as lists or arrays of objects, and arrays where all are of one
length.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sknets._data import as_objects
from sknets._params import (
    Interval,
    InvalidParameterError,
    OneOf,
    check_parameters,
    estimator,
    param,
)
from sknets._sequences import SequenceRows
from sknets.preprocessing.ragged import as_sequences, like

PADDING, UNKNOWN, START, END = "<pad>", "<unk>", "<start>", "<end>"
WORDS = r"\w+(?:'\w+)?|[^\w\s]"  # words, with what an apostrophe adds to them, and signs


class SequenceTransformer(TransformerMixin, BaseEstimator):
    """Abstract: a transformer of sequences."""

    _doc_link_module = "sknets"
    _doc_link_template = (
        "https://sknets.readthedocs.io/en/latest/generated/"
        "sknets.preprocessing.{estimator_name}.html"
    )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


@estimator
class SequenceTokenizer(SequenceTransformer):
    """Texts to ids of their words or characters.

    Id 0 is for what fills up sequences, 1 for tokens that were not seen or are too rare; with
    ``boundaries=True`` 2 and 3 are for the start and the end of each text. The others go by
    frequency. Without boundaries a text that has no token becomes one that is unknown.

    See Also
    --------
    SequencePadder : Sequences of one length, as an array.
    sknets.RNNClassifier : Reads what comes out with ``vocabulary_size="auto"``.

    Examples
    --------
    >>> from sknets.preprocessing import SequenceTokenizer
    >>> tokenizer = SequenceTokenizer("word").fit(["A rose is a rose is a rose"])
    >>> tokenizer.tokens_
    ['<pad>', '<unk>', 'a', 'rose', 'is']
    >>> ids = tokenizer.transform(["A rose is red", "A"])
    >>> [each.tolist() for each in ids]
    [[2, 3, 4, 1], [2]]
    >>> tokenizer.inverse_transform(ids)
    ['a rose is <unk>', 'a']
    """

    level: str = param(
        "word",
        OneOf("word", "character"),
        "What a token is: a word or a punctuation mark, or a character.",
        kw_only=False,
    )
    vocabulary_size: Any = param(
        None,
        [None, Interval(Integral, 3, None, closed="left")],
        "The most tokens to know, those that stand for something else included; the most frequent "
        "ones are kept. None: all.",
    )
    min_count: int = param(
        1,
        Interval(Integral, 1, None, closed="left"),
        "How often a token must be seen to be known.",
    )
    lowercase: Any = param(
        "auto",
        [OneOf("auto"), "boolean"],
        "Whether texts are made lower case; 'auto' does so to words.",
    )
    pattern: Any = param(
        None,
        [None, str],
        "A regular expression of a word. None finds words, with apostrophes inside, and single "
        "punctuation marks. Ignored with level='character'.",
    )
    boundaries: bool = param(
        False, "boolean", "Whether to put tokens for the start and the end around each text."
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "tokens_": "list of str: The tokens; their places are their ids.",
        "vocabulary_": "dict of {str: int}: The id of each token.",
    }

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the tokens of texts.

        Parameters
        ----------
        X : iterable of str
            The texts.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        InvalidParameterError
            If a parameter is out of its range, or `pattern` is no regular expression.
        ValueError
            If X holds something else than texts.
        """
        check_parameters(self)
        check_pattern(self.pattern, type(self).__name__)
        counts = Counter(token for text in texts_of(X) for token in self.tokenize(text))
        special = self._special
        frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        found = [token for token, n in frequent if n >= self.min_count and token not in special]
        if self.vocabulary_size is not None:
            if self.vocabulary_size <= len(special):
                raise InvalidParameterError(
                    f"The 'vocabulary_size' parameter of SequenceTokenizer must be > "
                    f"{len(special)}, as {', '.join(special)} count too. "
                    f"Got {self.vocabulary_size} instead."
                )
            found = found[: self.vocabulary_size - len(special)]
        self.tokens_ = special + found
        self.vocabulary_ = {token: i for i, token in enumerate(self.tokens_)}
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Ids of the tokens of texts.

        Parameters
        ----------
        X : iterable of str
            The texts.

        Returns
        -------
        ids : ndarray of shape (n_samples,) of ndarray of shape (n_tokens,)
            An array of objects, each the ids of a text.
        """
        check_is_fitted(self)
        return as_objects(self._ids(text) for text in texts_of(X))

    def inverse_transform(self, X: Any) -> list[str]:
        """Texts of ids: words with spaces between them, or characters.

        Parameters
        ----------
        X : iterable of array-like of shape (n_tokens,)
            Ids. What fills up is left out, and with ``boundaries=True`` the start, and the end
            with all after it.

        Returns
        -------
        texts : list of str
            The texts; words are apart, also from punctuation marks.
        """
        check_is_fitted(self)
        return [self._text(ids) for ids in X]

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text, known or not.

        Parameters
        ----------
        text : str
            A text.

        Returns
        -------
        tokens : list of str
            Its words and punctuation marks, or its characters.
        """
        lower = self.level == "word" if self.lowercase == "auto" else self.lowercase
        text = text.lower() if lower else text
        if self.level == "character":
            return list(text)
        return [found.group() for found in re.finditer(self.pattern or WORDS, text)]

    @property
    def _special(self) -> list[str]:
        """The tokens that stand for something else."""
        return [PADDING, UNKNOWN, *([START, END] if self.boundaries else [])]

    def _ids(self, text: str) -> np.ndarray:
        unknown, known = self.vocabulary_[UNKNOWN], self.vocabulary_
        special = self._special  # which a text may spell
        ids = [
            unknown if token in special else known.get(token, unknown)
            for token in self.tokenize(text)
        ]
        if self.boundaries:
            ids = [known[START], *ids, known[END]]
        return np.array(ids or [unknown], dtype=np.int64)

    def _text(self, ids: Any) -> str:
        tokens: list[str] = []
        for i in _whole_numbers(ids):
            if i >= len(self.tokens_):
                raise ValueError(
                    f"X holds the id {i}, but SequenceTokenizer knows tokens from 0 to "
                    f"{len(self.tokens_) - 1}."
                )
            token = PADDING if i < 0 else self.tokens_[i]
            if self.boundaries and token == END:
                break
            if token != PADDING and not (self.boundaries and token == START):
                tokens.append(token)
        return ("" if self.level == "character" else " ").join(tokens)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = False
        tags.input_tags.string = True
        return tags


def check_pattern(pattern: str | None, owner: str) -> None:
    """Raise for what is no regular expression."""
    try:
        re.compile(pattern or WORDS)
    except re.error as error:
        raise InvalidParameterError(
            f"The 'pattern' parameter of {owner} must be a regular expression. "
            f"Got {pattern!r} instead: {error}."
        ) from error


def tokenizer_of(tokens: list[str], settings: Mapping[str, Any]) -> SequenceTokenizer:
    """A tokenizer that has learnt some tokens, those for the start and the end among them."""
    tokenizer = SequenceTokenizer(**settings, boundaries=True)
    tokenizer.tokens_ = tokens
    tokenizer.vocabulary_ = {token: i for i, token in enumerate(tokens)}
    return tokenizer


def texts_of(X: Any, name: str = "X") -> list[str]:
    """The texts of an iterable of them, or of a table's only column.

    Raises
    ------
    ValueError
        If there are none, or if it holds something else.
    """
    if isinstance(X, str):
        raise ValueError(
            f"{name} must be an iterable of texts. Got a single text; put it into a list."
        )
    if not np.iterable(X) or isinstance(X, Mapping):
        raise ValueError(f"{name} must be an iterable of texts. Got {type(X).__name__} instead.")
    texts = list(one_column(X))
    if not texts:
        raise ValueError(f"{name} holds no texts.")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"{name} must hold texts. Got {text!r} at place {i} instead.")
    return texts


def holds_texts(X: Any) -> bool:
    """Whether texts are what a list, an array or a table holds."""
    column = one_column(X)
    return len(column) > 0 and isinstance(next(iter(column)), str)


def one_column(X: Any) -> Any:
    """The only column of a table, a table of several as an array, and all else as it is."""
    if not hasattr(X, "columns") and getattr(X, "ndim", 1) != 2:
        return X
    values = np.asarray(X)
    return values[:, 0] if values.shape[1] == 1 else values


def _whole_numbers(ids: Any) -> list[int]:
    """Ids as whole numbers, NaN as what fills up."""
    values = np.asarray(ids)
    if values.ndim == 1 and values.dtype.kind == "f":
        values = np.where(np.isnan(values), -1, values)
    if values.ndim != 1 or values.dtype.kind not in "iuf" or (values % 1).any():
        raise ValueError(f"X must hold sequences of ids, whole numbers. Got {ids!r} instead.")
    return values.astype(np.int64).tolist()


@estimator
class SequencePadder(SequenceTransformer):
    """Sequences of unequal length as one array, filled up at their ends.

    Networks for sequences need no padding; it is for what takes arrays alone. What they find at the
    end of a sequence, NaN or negative ids, they leave out.

    See Also
    --------
    SequenceTokenizer : Texts to sequences of ids.

    Examples
    --------
    >>> from sknets.preprocessing import SequencePadder
    >>> SequencePadder().fit_transform([[1.0, 2.0, 3.0], [4.0]])
    array([[ 1.,  2.,  3.],
           [ 4., nan, nan]])
    """

    max_length: Any = param(
        None,
        [None, Interval(Integral, 1, None, closed="left")],
        "How many steps to keep. None: as many as the longest sequence of the fit has.",
    )
    padding_value: Any = param(
        "auto",
        [OneOf("auto"), Interval(Real, None, None, closed="neither")],
        "What fills up; 'auto' is NaN among numbers, and -1 among whole numbers.",
    )
    keep: str = param(
        "start", OneOf("start", "end"), "Which part of a sequence that is too long is kept."
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "max_length_": "int: Steps of what comes out.",
    }

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the length of the longest sequence.

        Parameters
        ----------
        X : sequence of array-like of shape (time,) or (time, n_features), or array of them
            The sequences.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        check_parameters(self)
        self.max_length_ = self.max_length or int(as_sequences(X, whole=True).lengths.max())
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Fill sequences up, and cut those that are too long.

        Parameters
        ----------
        X : sequence of array-like of shape (time,) or (time, n_features), or array of them
            The sequences; NaN at their ends is left out.

        Returns
        -------
        X_new : ndarray of shape (n_samples, length) or (n_samples, length, n_features)
            The sequences side by side, each of `max_length_` steps.
        """
        check_is_fitted(self)
        rows = as_sequences(X, whole=True)
        whole = rows.steps.dtype.kind in "iu"
        filling = (-1 if whole else np.nan) if self.padding_value == "auto" else self.padding_value
        if whole and filling != int(filling):
            raise ValueError(
                f"padding_value={filling!r} cannot stand among whole numbers, which X holds."
            )
        shape = (len(rows), self.max_length_, *rows.steps.shape[1:])
        made = np.full(shape, filling, dtype=rows.steps.dtype)
        for row, sequence in zip(made, rows, strict=True):
            kept = sequence[: len(row)] if self.keep == "start" else sequence[-len(row) :]
            row[: len(kept)] = kept
        return made


@estimator
class SequenceScaler(SequenceTransformer):
    """Subtraction of the mean and division by the standard deviation, of all steps of a feature.

    See Also
    --------
    sklearn.preprocessing.StandardScaler : The same for each column of a table, that is each step.

    Examples
    --------
    >>> from sknets.preprocessing import SequenceScaler
    >>> scaled = SequenceScaler().fit_transform([[1.0, 2.0, 3.0], [4.0, 5.0]])
    >>> [each.round(2).tolist() for each in scaled]
    [[-1.41, -0.71, 0.0], [0.71, 1.41]]
    """

    with_mean: bool = param(True, "boolean", "Whether to subtract the mean.")
    with_std: bool = param(True, "boolean", "Whether to divide by the standard deviation.")

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "mean_": "ndarray of shape (n_features,): The means.",
        "scale_": "ndarray of shape (n_features,): The standard deviations, 1 where they are 0.",
    }

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the mean and the standard deviation of each feature.

        Parameters
        ----------
        X : sequence of array-like of shape (time,) or (time, n_features), or array of them
            The sequences.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        check_parameters(self)
        steps = as_sequences(X).steps
        steps = steps.reshape(len(steps), -1).astype(np.float64)
        self.mean_ = steps.mean(axis=0) * self.with_mean
        scale = steps.std(axis=0)
        self.scale_ = np.where((scale > 0) & self.with_std, scale, 1.0)
        return self

    def transform(self, X: Any) -> Any:
        """Scale sequences.

        Parameters
        ----------
        X : sequence of array-like of shape (time,) or (time, n_features), or array of them
            The sequences.

        Returns
        -------
        X_new : ndarray
            The sequences as an array where X is one, else as an array of objects.
        """
        check_is_fitted(self)
        return self._changed(X, lambda steps, mean, scale: (steps - mean) / scale)

    def inverse_transform(self, X: Any) -> Any:
        """Undo `transform`.

        Parameters
        ----------
        X : sequence of array-like of shape (time,) or (time, n_features), or array of them
            Scaled sequences.

        Returns
        -------
        X_original : ndarray
            The sequences as an array where X is one, else as an array of objects.
        """
        check_is_fitted(self)
        return self._changed(X, lambda steps, mean, scale: steps * scale + mean)

    def _changed(self, X: Any, function: Any) -> Any:
        rows = as_sequences(X)
        steps = rows.steps.reshape(len(rows.steps), -1)
        if steps.shape[1] != len(self.mean_):
            raise ValueError(
                f"The steps of X have {steps.shape[1]} features, but SequenceScaler is expecting "
                f"{len(self.mean_)} as input."
            )
        made = function(steps, *(a.astype(steps.dtype) for a in (self.mean_, self.scale_)))
        made = made.reshape(rows.steps.shape)
        return like(X, SequenceRows(made, rows.lengths))
