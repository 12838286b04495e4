"""Estimators that write sequences of tokens from whatever an encoder makes a vector of."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_sample_weight, check_is_fitted
from torch import Tensor, nn

from sknets._data import Batch, as_objects
from sknets._device import compute_dtype, resolve_device
from sknets._measure import Layer, Work, layers_seeing
from sknets._optional import require
from sknets._params import Interval, InvalidParameterError, check_values, estimator, param
from sknets._sequences import SequenceRows, Sequences, SequenceTensor, by_length
from sknets._training.losses import SoftmaxLogLoss
from sknets._training.parameters import FlatParameters
from sknets._training.steps import Step
from sknets.base.training_set import Call, TrainingSet, input_tensor
from sknets.preprocessing.ragged import as_sequences
from sknets.preprocessing.sequences import (
    END,
    PADDING,
    START,
    UNKNOWN,
    holds_texts,
    one_column,
    texts_of,
)
from sknets.rnn.attention import Attention
from sknets.rnn.base import TextEstimator
from sknets.rnn.decoder import Decoder, beam_search
from sknets.rnn.network import Tokens
from sknets.rnn.token_loss import TokenStep

ROWS = 256  # sources that are answered at a time
SPECIAL = [PADDING, UNKNOWN, START, END]


class Pair(NamedTuple):
    """A batch of sources, and what a decoder reads of their targets: all but the last token."""

    source: Any  # Sequences, or a Tensor of vectors
    written: Sequences  # ids

    @property
    def shape(self) -> torch.Size:
        return self.source.shape


class PairData:
    """Minibatches of sources and targets of similar length."""

    def __init__(
        self,
        source: SequenceTensor | Tensor,
        target: SequenceTensor,
        *,
        batch_size: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.source, self.target = source, target
        self.lengths = target.lengths
        if isinstance(source, SequenceTensor):
            self.lengths = self.lengths + source.lengths
        self.n_samples, self.batch_size = len(self.lengths), batch_size
        self.dtype, self.device = dtype, device

    def epoch(
        self, generator: torch.Generator | None, rows: np.ndarray | None = None
    ) -> Iterator[Batch]:
        for chosen in by_length(self.lengths, self.batch_size, generator, rows):
            ids, lengths = self.target.filled(chosen)
            written = Sequences(ids[:, :-1], None if lengths is None else lengths - 1)
            source = (
                self.source.filled(chosen)
                if isinstance(self.source, SequenceTensor)
                else self.source[chosen.to(self.device)]
            )
            yield Batch(Pair(source, written), written.joined(ids[:, 1:]))


class WritingNetwork(nn.Module):
    """An encoder, from sources to what a decoder writes from, and the decoder."""

    def __init__(self, encoder: nn.Module, decoder: Decoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    @property
    def head(self) -> nn.Linear:
        """The layer of scores."""
        return self.decoder.head

    def forward(self, pair: Pair) -> Tensor:
        """Scores of all tokens that follow another, one target after another."""
        return self.head(self.hidden(pair))

    def hidden(self, pair: Pair) -> Tensor:
        """What the last layer takes for them."""
        made = self.decoder(pair.written.values, self.encoder(pair.source))
        return pair.written.joined(made.hidden)


class PairStep(TokenStep):
    """A training step of whole targets."""

    def hidden(self, batch: Batch) -> Tensor:
        return self.module.hidden(batch.x)


@estimator
class Writer(TextEstimator):
    """Abstract: writes a sequence of tokens for each source."""

    vocabulary_size: Any = param(
        None,
        [None, Interval(Integral, 5, None, closed="left")],
        "The most tokens of texts to know, of the sources and of the targets. None: all.",
    )
    teacher_forcing: Any = param(
        1.0,
        [Interval(Real, 0, 1, closed="both"), tuple, list],
        "Share of the tokens that the decoder reads in training which are the target's, not its "
        "own; a pair goes evenly from the first to the second.",
    )
    max_length: Any = param(
        None,
        [None, Interval(Integral, 1, None, closed="left")],
        "The most tokens that are written. None: as many as the longest target of the fit has.",
    )
    beam_size: int = param(
        1,
        Interval(Integral, 1, None, closed="left"),
        "How many sequences a search keeps in hand; 1 takes the likeliest token each time. It may "
        "be set after fit.",
    )
    length_penalty: float = param(
        1.0,
        Interval(Real, 0, None, closed="left"),
        "By which power of their length the log-probabilities of sequences are divided in a search "
        "with beam_size > 1.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "target_tokens_": "list of str or None: The tokens of the targets, if these are texts.",
        "max_length_": "int: Tokens of the longest target.",
    }

    @abstractmethod
    def _sources(self, X: Any, reset: bool) -> Any:
        """The sources as what the encoder takes: rows, or sequences."""

    @abstractmethod
    def _example(self) -> tuple[Any, tuple[int, ...]]:
        """One source, on the meta device, and along what its receptive fields are measured."""

    def partial_fit(self, X: Any, y: Any) -> Any:
        """Train for one more epoch on the given sources and targets.

        Parameters
        ----------
        X : as in `fit`
            The sources.
        y : as in `fit`
            The targets; tokens of texts that are new are unknown.

        Returns
        -------
        self : object
            The trained estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed, or if the loss stops being finite.
        """
        return self._fit(Call(X, y, incremental=True))

    def predict(self, X: Any) -> Any:
        """Write the targets of sources.

        Parameters
        ----------
        X : as in `fit`
            The sources, as in `fit`.

        Returns
        -------
        y : list of str, or ndarray of shape (n_samples,) of ndarray of shape (time,)
            Texts or ids, as the targets of the fit.
        """
        ids = self._written(X)
        if self.target_tokens_ is not None:
            tokenizer = self._tokenizer(self.target_tokens_)
            return tokenizer.inverse_transform(ids)
        return as_objects(each - len(SPECIAL) for each in ids)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of the sources whose target is written without a fault.

        Parameters
        ----------
        X : as in `fit`
            The sources.
        y : iterable of str, or sequence of array-like of shape (time,)
            The targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        score : float
            Texts are compared by their tokens.
        """
        right = [np.array_equal(a, b) for a, b in self._both(X, y)]
        weight = _check_sample_weight(sample_weight, np.empty(len(right)))
        return float(np.average(right, weights=weight))

    def token_accuracy(self, X: Any, y: Any) -> float:
        """Share of the tokens that are right at their places.

        Parameters
        ----------
        X : as in `fit`
            The sources.
        y : iterable of str, or sequence of array-like of shape (time,)
            The targets.

        Returns
        -------
        accuracy : float
            Of the tokens of what is longer, the target or what was written.
        """
        pairs = list(self._both(X, y))
        right = sum(int((a[: len(b)] == b[: len(a)]).sum()) for a, b in pairs)
        return right / max(1, sum(max(len(a), len(b)) for a, b in pairs))

    def bleu(self, X: Any, y: Any, n: int = 4) -> float:
        """How many runs of up to `n` tokens of what is written are in the targets, of texts.

        The geometric mean of the precisions of runs of 1 to `n` tokens over all targets, with a
        penalty for brevity (Papineni et al., 2002), by sacrebleu, of tokens as they are learnt.
        Where no text that is written has `n` tokens, of runs up to the longest.

        Parameters
        ----------
        X : as in `fit`
            The sources.
        y : sequence of str, or of lists of str
            A target of each source, or several.
        n : int, default=4
            The longest runs.

        Returns
        -------
        bleu : float
            From 0 to 1.

        Raises
        ------
        ImportError
            If sacrebleu is not installed.
        ValueError
            If the targets are no texts.
        """
        if not isinstance(n, Integral) or n < 1:
            raise InvalidParameterError(f"n must be a whole number > 0. Got {n!r} instead.")
        check_is_fitted(self)
        if self.target_tokens_ is None:
            raise ValueError("BLEU is of texts, and the targets of the fit were ids of tokens.")
        sacrebleu = require("sacrebleu", extra="text", feature="BLEU")
        tokenize = self._tokenizer(self.target_tokens_).tokenize
        written = [" ".join(tokenize(text)) for text in self.predict(X)]
        several = [[" ".join(tokenize(text)) for text in each] for each in references(y)]
        check_consistent_length(written, several)
        most = max(map(len, several))
        columns = [[each[i] if i < len(each) else None for each in several] for i in range(most)]
        metric = sacrebleu.BLEU(
            tokenize="none",
            max_ngram_order=int(n),
            smooth_method="none",
            effective_order=True,  # of texts that are all shorter
            force=True,  # spares a warning that these are tokens
        )
        return min(1.0, metric.corpus_score(written, columns).score / 100)

    # -- targets in

    def _tokens_of(self, texts: list[str]) -> list[str]:
        return self._learnt_tokens(texts, vocabulary_size=self.vocabulary_size)

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        pair = self._forcing
        if len(pair) != 2 or not all(isinstance(s, Real) and 0 <= float(s) <= 1 for s in pair):
            raise InvalidParameterError(
                f"The 'teacher_forcing' parameter of {type(self).__name__} must be a share from 0 "
                f"to 1, or a pair of them. Got {self.teacher_forcing!r} instead."
            )

    @property
    def _forcing(self) -> tuple[float, float]:
        """The share of teacher forcing at the start and at the end."""
        given = self.teacher_forcing
        return tuple(given) if isinstance(given, (tuple, list)) else (given, given)

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but y is None.")
        X, y = (list(each) if isinstance(each, Iterator) else each for each in (X, y))
        if reset:
            self.target_tokens_: list[str] | None = None
            if holds_texts(y):
                self.target_tokens_ = self._tokens_of(texts_of(y, "y"))
        sources, targets = self._sources(X, reset), self._targets(y, reset)
        check_consistent_length(sources, targets)
        return sources, targets

    def _targets(self, y: Any, reset: bool) -> SequenceRows:
        """The targets from their starts to their ends."""
        if self.target_tokens_ is not None:
            tokenizer = self._tokenizer(self.target_tokens_, reset)
            rows = as_sequences(tokenizer.transform(texts_of(y, "y")), ids=True)
        else:
            given = as_sequences(y, ids=True, name="y")
            if given.steps.dtype.kind not in "iu" or given.steps.ndim > 1:
                raise ValueError("y must hold texts, or sequences of ids of tokens.")
            start, end = SPECIAL.index(START), SPECIAL.index(END)
            each = [np.concatenate([[start], ids + len(SPECIAL), [end]]) for ids in given]
            rows = SequenceRows(np.concatenate(each), given.lengths + 2)
        if reset:
            largest = int(rows.steps.max())
            self.n_outputs_ = largest + 1
            if self.target_tokens_ is not None:
                self.n_outputs_ = len(self.target_tokens_)
            self.max_length_ = int(rows.lengths.max()) - 1
        elif (largest := int(rows.steps.max())) >= self.n_outputs_:
            raise ValueError(f"y holds the id {largest - len(SPECIAL)}, which is unknown.")
        return rows

    def _encode(self, y: Any, fresh: bool, classes: Any) -> Any:
        return y

    def _batches(self, data: TrainingSet, incremental: bool) -> PairData:
        self._input_dtype = "float32"
        dtype = compute_dtype(self.precision, np.dtype(np.float32), False)
        return _pair_data(
            data, self._batch_size(data.n_samples), dtype, resolve_device(self.device)
        )

    def _as_one_batch(self, data: TrainingSet, dtype: torch.dtype) -> PairData:
        return _pair_data(data, data.n_samples, dtype, torch.device("cpu"))

    # -- the network

    def _decoder(
        self,
        n_outputs: int,
        n_vector: int,
        *,
        n_beside: int = 0,
        attention: Callable[[int, int], Attention] | None = None,
        n_memory: int = 0,
    ) -> Decoder:
        """A decoder of tokens, from a vector, from one beside each token, and from a memory."""
        tokens = Tokens(n_outputs, self.embedding_dim)
        recurrent = self._recurrent(Decoder.inputs_of(tokens, attention, n_memory, n_beside))
        layer = attention(recurrent.n_outputs, n_memory) if attention is not None else None
        return Decoder(tokens, recurrent, n_vector, layer, n_memory, self._forcing)

    def _step(self, module: nn.Module, flat: FlatParameters) -> Step:
        return PairStep(module, SoftmaxLogLoss(), flat.grad, self._mixed)

    def _work(self) -> Work:
        weights = [p for p in self.module_.parameters() if p.ndim == 2]
        n_steps = self.max_length_
        widest = n_steps * max(p.shape[0] for p in weights)
        return Work(n_steps * sum(p.numel() for p in weights), widest)

    def _run_once(self) -> None:
        self._layers()

    def _layers(self) -> list[Layer]:
        source, sides = self._example()
        pair = Pair(source, self.module_.decoder.tokens.example(self.max_length_))
        return layers_seeing(self.module_, pair, sides)

    def _measure(self, valid: TrainingSet) -> dict[str, float]:
        """Minus the nats a token on what is held out."""
        parameter = next(self.module_.parameters())
        loss, total, n = SoftmaxLogLoss(), 0.0, 0
        with torch.inference_mode():
            for batch in _pair_data(valid, ROWS, parameter.dtype, parameter.device).epoch(None):
                total += loss(self.module_(batch.x), batch.targets).sum().item()
                n += len(batch.targets)
        return {"valid_loss": total / n, "valid_score": -total / n}

    # -- targets out

    def _written(self, X: Any) -> list[np.ndarray]:
        """The ids that are written for each source, without start and end."""
        check_is_fitted(self)
        names = ("beam_size", "max_length", "length_penalty")  # which may be set after fit
        given: dict[str, Any] = {name: getattr(self, name) for name in names}
        check_values(type(self).__name__, self._parameter_constraints, given)
        rows = self._sources(list(X) if isinstance(X, Iterator) else X, reset=False)
        lengths = getattr(rows, "lengths", np.zeros(len(rows)))
        order = np.argsort(lengths, kind="stable")
        parameter = next(self.module_.parameters())
        found: list[Any] = [None] * len(rows)
        end = SPECIAL.index(END)
        with torch.inference_mode():
            for start in range(0, len(order), ROWS):
                chosen = order[start : start + ROWS]
                x = input_tensor(rows[chosen], parameter.dtype, parameter.device)
                best = beam_search(
                    self.module_.decoder,
                    self.module_.encoder(x),
                    start=SPECIAL.index(START),
                    end=end,
                    never=[SPECIAL.index(token) for token in (PADDING, UNKNOWN, START)],
                    max_length=self.max_length or self.max_length_,
                    beam_size=self.beam_size,
                    length_penalty=self.length_penalty,
                )
                for i, ids in zip(chosen, best.ids.cpu().numpy(), strict=True):
                    found[i] = ids[: np.argmax(np.append(ids, end) == end)]
        return found

    def _both(self, X: Any, y: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The ids of each target, and of what is written for its source."""
        written = self._written(X)
        targets = self._targets(y, reset=False)
        check_consistent_length(written, targets)
        return zip((ids[1:-1] for ids in targets), written, strict=True)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def references(y: Any) -> list[list[str]]:
    """The texts for each source, of one or of several."""
    given = [] if isinstance(y, (str, Mapping)) or not np.iterable(y) else list(one_column(y))
    each = [[texts] if isinstance(texts, str) else texts for texts in given]
    if not each or not all(
        isinstance(texts, (list, tuple, np.ndarray)) and holds_texts(texts) for texts in each
    ):
        raise ValueError("y must hold texts, one or several of each image or other source.")
    return [list(texts) for texts in each]


def _pair_data(
    data: TrainingSet, batch_size: int, dtype: torch.dtype, device: torch.device
) -> PairData:
    X: Any = data.X
    whole = isinstance(X, SequenceRows)
    source = X.tensor(dtype, device) if whole else input_tensor(X, dtype, device)
    target: Any = data.target
    return PairData(
        source, target.tensor(dtype, device), batch_size=batch_size, dtype=dtype, device=device
    )
