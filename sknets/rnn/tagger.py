"""A recurrent network with an answer at each step: many to many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted
from torch.utils.data import Dataset

from sknets._data import DatasetRows, as_array, as_objects, targets_of
from sknets._params import estimator
from sknets._sequences import SequenceRows
from sknets.base import NetworkClassifier, NetworkEstimator
from sknets.base.supervised import has_probabilities
from sknets.preprocessing.ragged import Given
from sknets.rnn.network import Last, Reader, Recurrent, StepNetwork
from sknets.rnn.reading import RecurrentNetwork


@estimator
class RNNTagger(RecurrentNetwork, NetworkClassifier):
    r"""Recurrent network that tells the class of each step of a sequence.

    From the output :math:`h_t` of the last recurrent layer at each step it has the probabilities

    .. math:: p(y_t | x_1, \dots, x_t) = \mathrm{softmax}(V h_t + c),

    which with ``bidirectional=True`` are also of the steps after. `y` holds a label for each step
    of each sequence, in the form of `X`: an array (n_samples, time), or a list of arrays as long as
    the sequences. Several labels a step, of which each may hold or not, are zeros and ones in a
    further axis. See the :ref:`user guide <rnn>`.

    See Also
    --------
    sknets.RNNClassifier : One class for a whole sequence.
    Seq2Seq : Answers that are not as long as the sequence.

    References
    ----------
    .. [1] Graves and Schmidhuber (2005). "Framewise phoneme classification with bidirectional LSTM
       and other neural network architectures." Neural Networks 18, 602-610.
       https://doi.org/10.1016/j.neunet.2005.06.042

    Examples
    --------
    >>> import numpy as np
    >>> from sknets import RNNTagger
    >>> X = np.random.default_rng(0).normal(size=(60, 7))
    >>> y = np.where(X.cumsum(axis=1) > 0, "above", "below")
    >>> clf = RNNTagger(hidden_layer_sizes=(16,), batch_size=20, max_iter=30,
    ...                 learning_rate="one_cycle", learning_rate_init=0.02, random_state=0)
    >>> clf.fit(X, y).score(X, y) > 0.9
    True
    >>> clf.predict(X).shape, clf.predict_proba(X).shape
    ((60, 7), (60, 7, 2))
    """

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, difficulty: Any = None) -> Any:
        """Fit the network to sequences and the labels of their steps.

        Parameters
        ----------
        X : array-like of shape (n_samples, time[, n_features]), or sequence of such sequences
            The sequences.
        y : array-like of shape (n_samples, time), or sequence of array-like of shape (time,)
            The classes; with several labels a step zeros and ones in a further axis.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the sequences.
        difficulty : array-like of shape (n_samples,), default=None
            How hard each sequence is, by which a `curriculum` orders them. Ignored without one.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed, or if the loss stops being finite.
        """
        return super().fit(X, y, sample_weight, difficulty)

    def _given(self, X: Any, how: Mapping[str, Any]) -> Given:
        if isinstance(X, Given):  # read before
            return X
        if isinstance(X, Dataset):
            X = list(DatasetRows(X).inputs())
        return self._as_steps(super()._given(X, how), X, how)

    def _around(self, reader: Reader, recurrent: Recurrent, n_outputs: int) -> StepNetwork:
        return StepNetwork(reader, recurrent, Last(), n_outputs)

    # -- labels in

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        y = targets_of(X, y)
        rows, shape = self._given(X, vars(self))
        assert shape is not None
        labels = label_rows(y, rows.lengths, _width(X), type(self).__name__)
        if reset:
            self._learn_shape(rows, shape)
        self._check_steps(rows)
        return rows, labels

    def _encode(self, y: SequenceRows, fresh: bool, classes: Any) -> Any:
        return SequenceRows(super()._encode(y.steps, fresh, classes), y.lengths)

    def _weights(self, X: Any, y: SequenceRows, sample_weight: Any) -> Any:
        """The weight of each step: its sequence's times its class's."""
        weight = NetworkEstimator._weights(self, X, y, sample_weight)
        if weight is None and self.class_weight is None:
            return None
        steps = np.ones(len(y.steps)) if weight is None else np.repeat(weight, y.lengths)
        if self.class_weight is not None:
            steps = steps * self._weights_by_class(y.steps)
        return SequenceRows(steps, y.lengths)

    def _stratify(self, target: Any) -> None:
        return None

    # -- labels out

    def predict(self, X: Any) -> np.ndarray:
        """Predict the class of each step.

        Parameters
        ----------
        X : array-like of shape (n_samples, time[, n_features]), or sequence of such sequences
            The sequences.

        Returns
        -------
        y : ndarray of shape (n_samples, time), or (n_samples,) of arrays of shape (time,)
            The classes; with several labels a step these have a further axis.
        """
        given = self._read(X)
        return self._by_sequence(super().predict(given), given)

    @available_if(has_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes at each step.

        Parameters
        ----------
        X : array-like of shape (n_samples, time[, n_features]), or sequence of such sequences
            The sequences.

        Returns
        -------
        p : ndarray of shape (n_samples, time, n_classes), or (n_samples,) of arrays
            The probabilities, in the order of `classes_`.
        """
        given = self._read(X)
        return self._by_sequence(super().predict_proba(given), given)

    @available_if(has_probabilities)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of the probabilities of the classes at each step.

        Parameters
        ----------
        X : array-like of shape (n_samples, time[, n_features]), or sequence of such sequences
            The sequences.

        Returns
        -------
        log_p : ndarray of shape (n_samples, time, n_classes), or (n_samples,) of arrays
            ``log(predict_proba(X))``.
        """
        given = self._read(X)
        with np.errstate(divide="ignore"):
            return self._by_sequence(np.log(super().predict_proba(given)), given)

    def decision_function(self, X: Any) -> np.ndarray:
        """Scores of the classes at each step, before the output activation.

        Parameters
        ----------
        X : array-like of shape (n_samples, time[, n_features]), or sequence of such sequences
            The sequences.

        Returns
        -------
        scores : ndarray of shape (n_samples, time[, n_classes]), or (n_samples,) of arrays
            One number a step for two classes, else one a class.
        """
        given = self._read(X)
        return self._by_sequence(super().decision_function(given), given)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy over all steps.

        Parameters
        ----------
        X : array-like of shape (n_samples, time[, n_features]), or sequence of such sequences
            The sequences.
        y : array-like of shape (n_samples, time), or sequence of array-like of shape (time,)
            The classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the sequences.

        Returns
        -------
        score : float
            Share of the steps whose class is predicted; of several labels, whose labels all are.
        """
        given = self._read(X)
        lengths = given.rows.lengths
        labels = label_rows(y, lengths, _width(X), type(self).__name__).steps
        weight = None
        if sample_weight is not None:
            weight = np.repeat(_check_sample_weight(sample_weight, lengths), lengths)
        return accuracy_score(labels, super().predict(given), sample_weight=weight)

    def _read(self, X: Any) -> Given:
        check_is_fitted(self)
        return self._given(X, self._shape)

    def _by_sequence(self, values: Any, given: Given) -> np.ndarray:
        """Values of all steps as those of each sequence, in an array where X was one."""
        rows, shape = given
        assert shape is not None
        lengths, time = rows.lengths, shape[0]
        if time is not None:
            return values.reshape(len(lengths), time, *values.shape[1:])
        return as_objects(SequenceRows(values, lengths))


def label_rows(y: Any, lengths: np.ndarray, width: int, owner: str) -> SequenceRows:
    """The labels of all steps, checked against the lengths of the sequences.

    What an array holds beyond the end of a sequence is left out, where it has the `width` of X.
    """
    if y is None:
        raise ValueError(f"{owner} requires y to be passed, but the target y is None.")
    y = np.asarray(y) if hasattr(y, "columns") else as_array(y)
    if len(y) != len(lengths):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {[len(lengths), len(y)]}"
        )
    filled = _width(y) in (width, lengths.max())
    each = [np.asarray(labels) for labels in y]
    for i, (labels, n) in enumerate(zip(each, lengths, strict=True)):
        if not labels.ndim or (len(labels) < n if filled else len(labels) != n):
            raise ValueError(
                f"{owner} needs a label for each step: sequence {i} of X has {n} steps, "
                f"and y has labels of shape {labels.shape} for it."
            )
    return SequenceRows(
        np.concatenate([a[:n] for a, n in zip(each, lengths, strict=True)]), lengths
    )


def _width(X: Any) -> int:
    """How many steps an array has for each sequence, those that fill up included; else -1."""
    shape: tuple[int, ...] = np.shape(X) if hasattr(X, "shape") else ()
    return shape[1] if len(shape) > 1 else -1
