"""What a discriminator makes of data, and how like data samples are."""

from __future__ import annotations

from typing import Any

import numpy as np

from sknets.gan import two_sample
from sknets.gan.generating import GenerativeNetwork
from sknets.gan.network import varies
from sknets.gan.two_sample import TwoSampleReport

N_SCORED = 2000  # rows, and draws, that a score compares
SCORING_SEED = 0  # of all draws for scores, so that candidates are judged alike


class JudgingNetwork(GenerativeNetwork):
    """Abstract: a network that judges samples of its own, and data."""

    def _n_hidden_layers(self) -> int:
        return 1

    @property
    def _n_features_out(self) -> int:
        head = self.module_.discriminator.head
        return getattr(head, "layer", head).in_features  # of a wrapped one

    def _of_each_class(self, rows: Any) -> np.ndarray:
        """How real rows look as each class: (n_samples, n_classes)."""
        return self._with_each_class(rows, lambda inputs: self._by_rows(inputs, self.module_))

    def transform(self, X: Any, y: Any = None) -> np.ndarray:
        """What the discriminator makes of data before it judges.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, or what else the class takes, such as images.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True. None takes those that look most real. Ignored otherwise.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_hidden_units)
            The features.
        """
        return self._by_rows(self._given(self._inputs(self._validated_rows(X)), y), self._features)

    def score_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """How real the discriminator takes samples for.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, or what else the class takes, such as images.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True. None takes those that look most real. Ignored otherwise.

        Returns
        -------
        logits : ndarray of shape (n_samples,)
            Positive for what looks real.
        """
        return self._by_rows(self._given(self._inputs(self._validated_rows(X)), y), self.module_)

    def score(self, X: Any, y: Any = None) -> float:
        """Minus how different samples are from data: the squared maximum mean discrepancy.

        It is unbiased, so that it is about 0, on either side, of a generator that knows the
        distribution. Columns are in units of their deviation in `X`; the kernel is a mean of
        Gaussian ones, .1, .3, 1 and 3 times as wide as the median distance between rows of `X`. At
        most 2,000 rows are compared, with as many samples, always of the same seed. All of it is
        the same for all estimators that are compared on `X` [1]_, but for such as differ in
        `conditional` or in the columns of categories, which have other columns to compare.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, or what else the class takes, such as images. Two samples at least.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True: samples of the same ones are compared, as pairs of a
            sample and its class. Ignored otherwise.

        Returns
        -------
        score : float
            Higher is better.

        References
        ----------
        .. [1] Gretton et al. (2012). "A kernel two-sample test." JMLR 13, 723-773.
        """
        return -self._discrepancy(self._told(X, y))

    def two_sample_report(self, X: Any, y: Any = None) -> TwoSampleReport:
        """How samples differ from data, in more than one number.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, or what else the class takes, such as images. Two samples at least.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True, as in `score`. Ignored otherwise.

        Returns
        -------
        report : TwoSampleReport
            With ``mmd``, ``accuracy_neighbors``, ``accuracy_linear``, ``precision``, ``recall`` and
            ``coverage``.
        """
        return two_sample.report(*self._compared(self._told(X, y)))

    def _told(self, X: Any, y: Any) -> Any:
        """Validated inputs, with their classes if these are given."""
        rows = self._inputs(self._validated_rows(X))
        return rows if y is None else self._given(rows, y)

    def _discrepancy(self, rows: Any) -> float:
        return two_sample.squared_mmd(*self._compared(rows))

    def _compared(self, rows: Any) -> tuple[np.ndarray, np.ndarray]:
        """Some rows and as many samples, on the map on which they are compared."""
        n, width = rows.shape[0], self._n_columns()
        if n < 2:
            raise ValueError(
                f"Found array with {n} sample(s) while a minimum of 2 is required to compare "
                f"samples of {type(self).__name__} with."
            )
        chosen = np.random.default_rng(SCORING_SEED).permutation(n)[:N_SCORED]
        rows = rows[np.sort(chosen)]
        rows = np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows, dtype=np.float64)
        rows = rows.reshape(len(rows), -1)  # images of a Dataset
        real, classes = rows[:, :width], rows[:, width:]
        places = classes.argmax(1) if classes.shape[1] else None
        if places is None:
            places = self._drawn_places(len(real), SCORING_SEED)
        made = self._made(len(real), places, SCORING_SEED).astype(np.float64)
        mapped = self._mapped(real, made)
        real, made = (np.hstack([each, classes]) for each in mapped)
        return real, made

    def _mapped(self, real: np.ndarray, made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both on the map on which they are compared: columns in units of the real ones' spread."""
        spread = real.std(axis=0)
        scale = np.where(varies(spread, real.mean(axis=0)), spread, 1)
        return real / scale, made / scale
