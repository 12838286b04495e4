"""Is the difference between two cross-validated models more than noise?

Nadeau & Bengio, "Inference for the generalization error", Machine Learning 52 (2003), and Holm's
correction for asking the question about several models at once.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr

__all__ = ["TTest", "corrected_t_test", "holm_correction"]


class TTest(NamedTuple):
    """A t statistic and its two-sided p-value."""

    statistic: float
    p_value: float


def corrected_t_test(differences: ArrayLike, *, n_train: float, n_test: float) -> TTest:
    r"""Corrected resampled t-test of two models scored on the same k splits.

    The training sets of cross-validation overlap, so the k differences are not independent and the
    ordinary paired t-test finds differences where there are none. Nadeau and Bengio enlarge the
    variance of their mean instead,

    .. math:: t = \frac{\bar d}{\sqrt{(1/k + n_{test}/n_{train})\; s_d^2}},

    with :math:`s_d^2` the unbiased variance, and read t on k - 1 degrees of freedom.

    Parameters
    ----------
    differences : array-like of shape (n_splits,)
        Score of one model minus the score of the other, split by split. With repeated
        cross-validation, all the splits of all the repetitions.

    n_train, n_test : float
        Rows in the training and test part of a split (the means, where the splits differ).

    Returns
    -------
    TTest
        ``statistic`` and two-sided ``p_value``. Differences that are all zero have p = 1. Others
        that are all equal, as happens with scores that are shares of a few rows, leave t nothing to
        be divided by: p is then that of the sign test, 2^(1 - k). With a single split both are nan.

    See Also
    --------
    holm_correction : For the p-values of several such tests.

    References
    ----------
    Nadeau, C. and Bengio, Y. (2003). Inference for the generalization error. Machine Learning, 52,
    239-281. https://doi.org/10.1023/A:1024068626366

    Examples
    --------
    >>> from sknets.model_selection import corrected_t_test
    >>> test = corrected_t_test([0.01, 0.02, 0.03, 0.02, 0.02], n_train=80, n_test=20)
    >>> print(f"{test.statistic:.3f} {test.p_value:.4f}")
    4.216 0.0135
    """
    differences = np.asarray(differences, dtype=float)
    k = len(differences)
    if not (k and n_train > 0 and n_test >= 0):
        raise ValueError(
            "corrected_t_test needs differences, n_train > 0 and n_test >= 0. "
            f"Got {k} difference(s), n_train={n_train}, n_test={n_test}."
        )
    mean = differences.mean()
    if k < 2:
        return TTest(np.nan, np.nan)
    error = np.sqrt((1 / k + n_test / n_train) * differences.var(ddof=1))
    # Scores are sums of few terms: what is left of equal differences is rounding, not variance.
    if error <= 1e-12 * np.abs(differences).max():
        return TTest(float(np.copysign(np.inf, mean)), 2.0 ** (1 - k)) if mean else TTest(0.0, 1.0)
    statistic = mean / error
    return TTest(float(statistic), float(2 * stdtr(k - 1, -abs(statistic))))


def holm_correction(p_values: ArrayLike) -> np.ndarray:
    """Holm's step-down correction: p-values that may be read side by side.

    The smallest of m p-values is multiplied by m, the next by m - 1, and so on, and none is allowed
    below its predecessor. Calling significant what is then below 0.05 makes even one false
    finding among the m with at most that probability.

    Parameters
    ----------
    p_values : array-like of shape (n_tests,)
        The p-values; nan (a test that could not be made) stays nan and does not count.

    Returns
    -------
    ndarray of shape (n_tests,)
        Corrected p-values in the same order, at most 1.

    See Also
    --------
    corrected_t_test : Where the p-values come from.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal
    of Statistics, 6, 65-70. https://www.jstor.org/stable/4615733

    Examples
    --------
    >>> from sknets.model_selection import holm_correction
    >>> holm_correction([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values)  # nan last
    order = order[: np.count_nonzero(~np.isnan(p_values))]
    corrected = np.full_like(p_values, np.nan)
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return corrected
