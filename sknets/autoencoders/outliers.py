"""Outliers are what an autoencoder that learnt the others cannot restore.

Hawkins, He, Williams and Baxter (2002), "Outlier detection using replicator neural networks",
https://doi.org/10.1007/3-540-46145-0_17.
"""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import OutlierMixin

from sknets._data import Data
from sknets._params import Interval, estimator, param
from sknets._training.trainer import Trainer
from sknets.autoencoders.autoencoder import Autoencoder
from sknets.base.training_set import Call


@estimator
class AutoencoderOutlierDetector(OutlierMixin, Autoencoder):
    r"""Detector of outliers by how badly an autoencoder restores them.

    Rows are scored by minus their reconstruction error, and those below a share `contamination` of
    the training set's scores are outliers. See the :ref:`user guide <autoencoders-outliers>`.

    See Also
    --------
    Autoencoder : The network.
    sklearn.ensemble.IsolationForest : Trees for the same.
    sklearn.neighbors.LocalOutlierFactor : Neighbours for the same.
    sklearn.svm.OneClassSVM : A support vector machine for the same.

    References
    ----------
    .. [1] Hawkins, He, Williams and Baxter (2002). "Outlier detection using replicator neural
       networks." DaWaK. https://doi.org/10.1007/3-540-46145-0_17

    Examples
    --------
    >>> import numpy as np
    >>> from sknets import AutoencoderOutlierDetector
    >>> X = np.random.default_rng(0).normal(size=(200, 1)) * [1, 2] + [0, 0.5]
    >>> detector = AutoencoderOutlierDetector(1, "identity", solver="lbfgs", random_state=0)
    >>> detector.fit(X).predict([[1, 2.5], [1, -2.5]])
    array([ 1, -1])
    """

    contamination: float = param(
        0.1,
        Interval(Real, 0, 0.5, closed="right"),
        "Share of the training set that is to be taken for outliers, which sets the threshold.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "offset_": "float: The score below which rows are outliers, by the rows of the last call."
    }

    def _run(self, trainer: Trainer, batches: Data, call: Call, pretrain: bool) -> None:
        try:
            super()._run(trainer, batches, call, pretrain)
        finally:
            X = self._validated_rows(call.X)
            weight = self._weights(X, None, call.sample_weight)
            self.offset_ = threshold(self._row_scores(X), weight, self.contamination)

    def decision_function(self, X: Any) -> np.ndarray:
        """How far scores are above the threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``: negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Tell outliers from others.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.

        Returns
        -------
        is_inlier : ndarray of shape (n_samples,)
            -1 for outliers and 1 for others.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)


def threshold(scores: np.ndarray, weight: np.ndarray | None, share: float) -> float:
    """What a share of the scores, or of their weights, is below.

    It is between two scores where these part the share exactly, else a little below the one that
    would be on both sides, so that rounding does not make it an outlier.
    """
    order = np.argsort(scores)
    each = np.ones(len(scores)) if weight is None else weight[order]
    counted, each = scores[order][each > 0], each[each > 0]
    missing = np.cumsum(each) - share * each.sum()
    at_least = int(np.argmax(missing >= -ROUNDING * each.sum()))
    parted = abs(missing[at_least]) <= ROUNDING * each.sum() and at_least + 1 < len(counted)
    if parted:
        return float(np.mean(counted[at_least : at_least + 2], dtype=float))
    found = float(counted[at_least])
    return found - ROUNDING * abs(found)


ROUNDING = 1e-6
