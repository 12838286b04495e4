"""Sequence to sequence: an encoder reads the source, a decoder writes the target.

Sutskever, Vinyals and Le (2014), https://doi.org/10.48550/arXiv.1409.3215; with attention Bahdanau,
Cho and Bengio (2015), https://doi.org/10.48550/arXiv.1409.0473.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils.validation import validate_data
from torch import Tensor, nn

from sknets._data import as_array
from sknets._params import OneOf, estimator, param
from sknets._sequences import Sequences
from sknets.base.training_set import Call
from sknets.preprocessing.ragged import as_sequences
from sknets.preprocessing.sequences import holds_texts, texts_of
from sknets.rnn.attention import Memory
from sknets.rnn.base import TYPICAL_TIME
from sknets.rnn.decoder import ATTENTIONS, Source
from sknets.rnn.network import Reader, Recurrent, Steps, Tokens, as_dtype
from sknets.rnn.writer import Writer, WritingNetwork


class SequenceEncoder(nn.Module):
    """Sequences to the last state of recurrent layers, with their outputs as a memory."""

    def __init__(self, reader: Reader, recurrent: Recurrent) -> None:
        super().__init__()
        self.reader, self.recurrent = reader, recurrent

    def forward(self, x: Sequences) -> Source:
        read = as_dtype(self.reader(x), next(self.recurrent.parameters()).dtype)
        outputs, last = self.recurrent(read)
        return Source(last[-1][0], Memory(self.recurrent.dropout(outputs), read.mask))


class VectorEncoder(nn.Module):
    """Vectors as they are."""

    def forward(self, x: Tensor) -> Source:
        return Source(x)


@estimator
class Seq2Seq(Writer):
    r"""Sequences from sequences: an encoder, a decoder, and attention between them.

    It learns the probability of each token of the target from those before and from the source,

    .. math:: p(y_1, \dots, y_T | x) = \prod_t p(y_t | y_1, \dots, y_{t-1}, x),

    and writes a target of high probability, up to a token that ends it. Sources are texts or
    sequences of ids, of numbers with ``source="numbers"``, or, with ``source="vector"``, rows of a
    table (one to many). Targets are texts or sequences of ids, and so are predictions. See the
    :ref:`user guide <rnn>`.

    See Also
    --------
    RNNTagger : Where each step of the source has one answer.
    LanguageModel : Texts without a source.

    References
    ----------
    .. [1] Sutskever, Vinyals and Le (2014). "Sequence to sequence learning with neural networks."
       NIPS. https://doi.org/10.48550/arXiv.1409.3215
    .. [2] Bahdanau, Cho and Bengio (2015). "Neural machine translation by jointly learning to align
       and translate." ICLR. https://doi.org/10.48550/arXiv.1409.0473
    .. [3] Luong, Pham and Manning (2015). "Effective approaches to attention-based neural machine
       translation." EMNLP. https://doi.org/10.18653/v1/D15-1166
    .. [4] Bengio, Vinyals, Jaitly and Shazeer (2015). "Scheduled sampling for sequence prediction
       with recurrent neural networks." NIPS. https://doi.org/10.48550/arXiv.1506.03099

    Examples
    --------
    >>> from sknets import Seq2Seq
    >>> sources = ["one two", "two one", "one", "two"] * 20
    >>> targets = ["un deux", "deux un", "un", "deux"] * 20
    >>> model = Seq2Seq(hidden_layer_sizes=(16,), embedding_dim=8, batch_size=20, max_iter=40,
    ...                 learning_rate="one_cycle", learning_rate_init=0.02, random_state=0)
    >>> model.fit(sources, targets).predict(["two one", "two"])
    ['deux un', 'deux']
    """

    source: str = param(
        "tokens",
        OneOf("tokens", "numbers", "vector"),
        "What X holds: texts or ids of tokens, series of numbers, or plain vectors.",
    )
    bidirectional: bool = param(
        False, "boolean", "Whether the encoder also reads from the last step to the first."
    )
    attention: Any = param(
        "dot",
        [None, OneOf("dot", "additive")],
        "What the decoder reads of the steps of the source: what fits its outputs by a product "
        "(Luong et al.), or its state by a small network (Bahdanau et al.), which is slower; None "
        "has it start from the last state of the encoder alone. Ignored with source='vector'.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "source_tokens_": "list of str or None: The tokens of the sources, if these are texts.",
        "source_shape_": "tuple: Of a step of the sources, or of a vector; () of ids.",
    }
    _fit_state: ClassVar[dict[str, type]] = {"_source_size": int}
    _shape_parameters: ClassVar[tuple[str, ...]] = ("bidirectional", "attention")
    _lasting_parameters: ClassVar[tuple[str, ...]] = ("source",)

    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn to write the targets of sources.

        Parameters
        ----------
        X : iterable of str, sequence of array-like of shape (time[, n_features]), or array-like
            The sources: texts, ids (whole numbers), or numbers; with ``source="vector"`` a table.
        y : iterable of str, or sequence of array-like of shape (time,)
            The targets: texts, or ids from 0 on.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed, or if the loss stops being finite.
        """
        return self._fit(Call(X, y))

    # -- sources in

    def _sources(self, X: Any, reset: bool) -> Any:
        """The sources as what the network reads."""
        source = self.source if reset else self._shape["source"]
        if reset:
            texts = source == "tokens" and holds_texts(X)
            self.source_tokens_: list[str] | None = self._tokens_of(texts_of(X)) if texts else None
        if source == "vector":
            kinds = (np.float64, np.float32)
            rows = validate_data(self, as_array(X), dtype=kinds, reset=reset)
            shape, size = rows.shape[1:], rows.shape[1]
        elif self.source_tokens_ is not None:
            tokenizer = self._tokenizer(self.source_tokens_, reset)
            rows = as_sequences(tokenizer.transform(X), ids=True)
            shape, size = (), len(self.source_tokens_)
        else:
            tokens = source == "tokens"
            rows = as_sequences(X, ids=tokens)
            shape = rows.steps.shape[1:] if tokens else rows.steps.shape[1:] or (1,)
            if tokens and (shape or rows.steps.dtype.kind not in "iu"):
                raise ValueError(
                    f"{type(self).__name__}(source='tokens') takes texts, or whole numbers that "
                    "are ids of tokens, one a step. For series of numbers set source='numbers'."
                )
            size = int(rows.steps.max()) + 1 if tokens else int(np.prod(shape))
        if reset:
            self.source_shape_, self._source_size = shape, size
        elif shape != self.source_shape_:
            raise ValueError(
                f"The steps of X have shape {shape}, but {type(self).__name__} is expecting "
                f"{self.source_shape_} as input."
            )
        elif size > self._source_size:
            raise ValueError(
                f"X holds the id {size - 1}, but {type(self).__name__} knows tokens from 0 to "
                f"{self._source_size - 1}."
            )
        return rows

    # -- the network

    def _example(self) -> tuple[Any, tuple[int, ...]]:
        if self._shape["source"] == "vector":
            return torch.empty(1, self._source_size, device="meta"), (self._source_size,)
        return self.module_.encoder.reader.example(TYPICAL_TIME), (TYPICAL_TIME,)

    def _input_shape(self) -> tuple[int, ...]:
        return (self._source_size,)

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> WritingNetwork:
        (size,) = input_shape
        if self.source == "vector":
            return WritingNetwork(VectorEncoder(), self._decoder(n_outputs, size))
        reader = Tokens(size, self.embedding_dim) if self.source == "tokens" else Steps((size,))
        recurrent = self._recurrent(reader.n_outputs, self.bidirectional)
        n_memory = recurrent.n_outputs
        attention = ATTENTIONS.get(self.attention)
        decoder = self._decoder(n_outputs, n_memory, attention=attention, n_memory=n_memory)
        return WritingNetwork(SequenceEncoder(reader, recurrent), decoder)
