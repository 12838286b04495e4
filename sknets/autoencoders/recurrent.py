"""Recurrent autoencoders: sequences of any length to codes of one length, and back.

Srivastava, Mansimov and Salakhutdinov (2015), https://doi.org/10.48550/arXiv.1502.04681;
Dai and Le (2015), https://doi.org/10.48550/arXiv.1511.01432.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from sknets._data import as_objects
from sknets._measure import Work
from sknets._params import Interval, OneOf, estimator, param
from sknets._sequences import SequenceRows, Sequences, flat
from sknets._training import losses
from sknets._training.parameters import FlatParameters
from sknets.autoencoders.base import (
    RANGES,
    RECONSTRUCTION_LOSSES,
    WeightedRestoringNetwork,
    check_range,
    extremes,
)
from sknets.autoencoders.recurrent_network import (
    Likeliest,
    RecurrentAutoencoderNet,
    SequenceStep,
    errors,
)
from sknets.base import clipping_norm
from sknets.preprocessing.ragged import like
from sknets.rnn.network import Reader, Recurrent
from sknets.rnn.reading import ReadingNetwork

ANSWERS: dict[str, Callable[[], nn.Module]] = {
    "squared_error": nn.Identity,
    "log_loss": nn.Sigmoid,
}


@estimator
class RecurrentAutoencoder(ReadingNetwork, WeightedRestoringNetwork):
    r"""Recurrent autoencoder: sequences, of unequal length too, to codes of one length, and back.

    An encoder reads the sequence, whose code is a linear function of its last state. A decoder
    starts from the code, reads it at each step, and writes the sequence, the last step first:

    .. math:: c = A h_T + a, \qquad \min \; \frac{1}{n} \sum_i \sum_t L(x_{it}, \hat x_{it}(c_i)),

    with as many steps as there were. `X` is what `RNNClassifier` takes: a table whose rows are
    series, an array (n_samples, time, n_features), a list of sequences of any length, or, with
    `vocabulary_size` or `embedding_dim`, ids of tokens. See the :ref:`user guide
    <autoencoders-recurrent>`.

    See Also
    --------
    Autoencoder : Of rows, as fully connected layers restore them.
    RNNClassifier : Starts from such layers with ``pretrain=``.
    Seq2Seq : Sequences from other sequences.

    References
    ----------
    .. [1] Srivastava, Mansimov and Salakhutdinov (2015). "Unsupervised learning of video
       representations using LSTMs." ICML. https://doi.org/10.48550/arXiv.1502.04681
    .. [2] Dai and Le (2015). "Semi-supervised sequence learning." NIPS.
       https://doi.org/10.48550/arXiv.1511.01432
    .. [3] Sutskever, Vinyals and Le (2014). "Sequence to sequence learning with neural networks."
       NIPS. https://doi.org/10.48550/arXiv.1409.3215

    Examples
    --------
    >>> import numpy as np
    >>> from sknets import RecurrentAutoencoder
    >>> phase = np.random.default_rng(0).uniform(0, 6, 80)
    >>> X = [np.sin(np.arange(8 + i % 5) + phase[i]) for i in range(80)]
    >>> coder = RecurrentAutoencoder(4, hidden_layer_sizes=(16,), batch_size=20, max_iter=40,
    ...                              learning_rate="one_cycle", learning_rate_init=0.02,
    ...                              random_state=0).fit(X)
    >>> coder.transform(X).shape
    (80, 4)
    >>> [len(x) for x in coder.reconstruct(X[:5])]
    [8, 9, 10, 11, 12]
    """

    n_components: int = param(
        16,
        Interval(Integral, 1, None, closed="left"),
        "Numbers in a code.",
        kw_only=False,
    )
    loss: str = param(
        "squared_error",
        OneOf(*ANSWERS),
        "Reconstruction error of a sequence, a sum over its steps and their values: half the "
        "squared error, of real numbers; the cross-entropy ('log_loss'), of values between 0 and "
        "1. Of tokens it always is the cross-entropy among them.",
    )
    reverse: bool = param(
        True,
        "boolean",
        "Whether the last step is written first, which starts with what was read just before.",
    )
    feedback: bool = param(
        False,
        "boolean",
        "Whether the decoder also reads the step that it wrote before; in training what it should "
        "have been. Scores are of sequences that it restores from the code alone.",
    )
    hidden_layer_sizes: Any = param(
        (64,),
        ["array-like", Interval(Integral, 1, None, closed="left")],
        "Units of each recurrent layer of the encoder, of each direction. The decoder has them in "
        "reverse order.",
    )
    tbptt_steps: Any = param(
        None,
        [None, Interval(Integral, 1, None, closed="left")],
        "Steps after which back-propagation through time is truncated in the encoder. None: never.",
    )

    # Errors are sums over steps, and gradients as large. Where they are cut to 1, as in other
    # recurrent networks, nearly all are, and after 200 epochs rounding shows: weighting samples
    # and repeating them gave codes that differed by 1e-4 and more.
    clip_norm: Any = clipping_norm(10.0)

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "max_length_": "int: Steps of the longest sequence of the fit.",
    }
    _fit_state: ClassVar[dict[str, type]] = {"_is_flat": bool}  # whether a sequence had one axis
    _shape_parameters: ClassVar[tuple[str, ...]] = ("n_components", "feedback")
    _decoding_parameters: ClassVar[tuple[str, ...]] = ("loss",)
    _lasting_parameters: ClassVar[tuple[str, ...]] = ("reverse",)

    # -- sequences in

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        given = self._given_to_fit(X, reset)
        if not isinstance(given.rows, SequenceRows):
            given = given._replace(rows=self._checked_rows(given.rows, reset))
        rows = self._read_in_fit(given, X, reset)
        self._check_values(rows, self.loss)
        if reset:
            ragged = isinstance(rows, SequenceRows)
            self.max_length_ = int(rows.lengths.max()) if ragged else self.sequence_shape_[0]
            self._is_flat = (rows.steps.ndim if ragged else len(_shape_of(X, rows)) - 1) == 1
        return rows, None

    def _check_values(self, rows: Any, loss: str) -> None:
        """Raise ValueError for numbers that a loss cannot restore."""
        if self.vocabulary_size_ is None and loss in RANGES:
            low, high = extremes(flat(rows))
            check_range(low, high, RANGES[loss], f"loss={loss!r}", type(self).__name__)

    def _check_scored(self, X: Any) -> None:
        self._check_values(X, self._shape["loss"])

    def _encode(self, y: Any, fresh: bool, classes: Any) -> None:
        self.n_outputs_ = self.vocabulary_size_ or int(np.prod(self.sequence_shape_[1:]))

    # -- the network

    def _around(
        self, reader: Reader, recurrent: Recurrent, n_outputs: int
    ) -> RecurrentAutoencoderNet:
        n_inputs = RecurrentAutoencoderNet.inputs_of(reader, self.n_components, self.feedback)
        decoder = Recurrent(
            self._layer_class(), n_inputs, self._hidden_layer_sizes()[::-1], dropout=self.dropout
        )
        return RecurrentAutoencoderNet(
            reader,
            recurrent,
            self.n_components,
            decoder,
            n_outputs,
            answer=Likeliest() if self._reads_ids(vars(self)) else ANSWERS[self.loss](),
            reverse=self.reverse,
            feedback=self.feedback,
        )

    def _step(self, module: Any, flat: FlatParameters) -> SequenceStep:
        return SequenceStep(module, self._loss_of(self.loss), flat.grad, self._mixed)

    def _loss_of(self, name: str) -> losses.Loss:
        """The loss of a step."""
        if self.vocabulary_size_ is not None:
            return losses.SoftmaxLogLoss()
        return RECONSTRUCTION_LOSSES[name]

    def _work(self) -> Work:
        there, module, time = super()._work(), self.module_, self._typical_time
        weights = [*module.decoder.weights, module.head.weight]
        return Work(
            there.multiply_adds + time * sum(p.numel() for p in weights),
            max(there.widest, time * max(p.shape[0] for p in weights)),
        )

    # -- what comes out

    def _features(self, x: Any) -> Tensor:
        return self.module_.encode(x)

    def _decoded(self, code: Tensor) -> Tensor:
        """All steps of sequences as long as the longest of the fit, side by side."""
        steps = Sequences(code[:, None].expand(-1, self.max_length_, -1))
        return self.module_.answer(self.module_.decode(code, steps)).reshape(len(code), -1)

    def _row_scores(self, X: Any) -> np.ndarray:
        loss, module = self._loss_of(self._shape["loss"]), self.module_
        return self._by_rows(X, lambda x: -errors(loss, module.restore(x), x))

    def reconstruct(self, X: Any) -> np.ndarray:
        """What is left of sequences after the way to their codes and back.

        Parameters
        ----------
        X : array-like of shape (n_samples, time[, n_features]), or sequence of such sequences
            The sequences.

        Returns
        -------
        X_restored : ndarray of the shape of X, or of shape (n_samples,) of arrays
            As many steps of each as there were, of tokens the likeliest. What fills up an array
            stays: `padding_value`, or -1 in ids and NaN otherwise.
        """
        rows = self._validated_rows(X)
        if not isinstance(rows, SequenceRows):
            made = self._by_rows(rows, lambda x: self._decoded(self._features(x)))
            return made.reshape(_shape_of(X, rows))
        made = self._written(rows, self.module_.restore).reshape(rows.steps.shape)
        filling = self.padding_value
        if filling is None:
            filling = np.nan if self.vocabulary_size_ is None else -1
        return like(X, SequenceRows(made, rows.lengths), filling)

    def inverse_transform(self, X: Any, lengths: Any = None) -> np.ndarray:
        """What sequences were, given their codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            The codes.
        lengths : int or array-like of shape (n_samples,), default=None
            How many steps each sequence had. None: as many as the longest of the fit.

        Returns
        -------
        X_original : ndarray of shape (n_samples, time[, n_features]), or (n_samples,) of arrays
            Sequences in the form of those of the fit, rows where these were rows; of tokens the
            likeliest. Of `lengths` for each there are as many arrays.

        Raises
        ------
        ValueError
            If there are not as many columns as a code has numbers, or if `lengths` holds something
            else than a whole number > 0 for each code.
        """
        code = self._checked_code(X)
        n_steps = self._checked_lengths(lengths, len(code))
        # What the decoder reads is the code at each step, and so a sequence of its own.
        each = SequenceRows(np.repeat(code, n_steps, axis=0), n_steps)
        steps = self._written(each, lambda x: self.module_.decode(x.values[:, 0], x))
        step = self.sequence_shape_[1:]
        if np.ndim(lengths):
            step = () if self._is_flat and step == (1,) else step
            return as_objects(SequenceRows(steps.reshape(-1, *step), n_steps))
        return steps.reshape(len(code), *((-1,) if self._is_flat else (n_steps[0], *step)))

    def _checked_lengths(self, lengths: Any, n: int) -> np.ndarray:
        """How many steps to write of each of n sequences."""
        given = self.max_length_ if lengths is None else lengths
        found = np.asarray(given)
        if found.dtype.kind not in "iu" or found.shape not in ((), (n,)) or (found < 1).any():
            raise ValueError(
                f"lengths must be a whole number > 0, or one for each of {n} codes. "
                f"Got {lengths!r} instead."
            )
        return np.broadcast_to(found, n).astype(np.int64)

    def _written(self, rows: SequenceRows, function: Callable[[Any], Tensor]) -> np.ndarray:
        """The answers at all steps of some sequences, whose raw outputs a function gives."""
        with torch.inference_mode():
            made = [self.module_.answer(raw) for raw in self._forward(rows, function)]
            steps = torch.cat(made).cpu().numpy()
        return steps if steps.dtype.kind == "i" else steps.astype(rows.dtype, copy=False)

    def _run_once(self) -> None:
        self._row_scores(self._one_step())


def _shape_of(X: Any, rows: Any) -> tuple[int, ...]:
    """The shape of inputs that are read as a table, as they were given."""
    return X.shape if hasattr(X, "ndim") and X.ndim > 1 else rows.shape
