"""The corrected t-test and Holm's correction, against numbers worked by hand."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from sknets.model_selection import corrected_t_test, holm_correction

DIFFERENCES = [0.01, 0.02, 0.03, 0.02, 0.02]


def student_cdf_4(t):
    """P(T < t) for Student's distribution with 4 degrees of freedom, in closed form."""
    u = t / np.sqrt(4 + t**2)
    return 0.5 + 0.75 * (u - u**3 / 3)


def test_t_test_agrees_with_numbers_worked_by_hand():
    # Mean 0.02; squared deviations 1e-4 + 0 + 1e-4 + 0 + 0, so the variance is 2e-4 / 4 = 5e-5;
    # five folds: 1/5 + 20/80 = 0.45.
    t = 0.02 / np.sqrt(0.45 * 5e-5)
    test = corrected_t_test(DIFFERENCES, n_train=80, n_test=20)
    assert test.statistic == pytest.approx(t)
    assert test.p_value == pytest.approx(2 * (1 - student_cdf_4(t)))


def test_t_test_is_two_sided():
    test = corrected_t_test(DIFFERENCES, n_train=80, n_test=20)
    turned = corrected_t_test(np.negative(DIFFERENCES), n_train=80, n_test=20)
    assert turned == pytest.approx((-test.statistic, test.p_value))


def test_t_test_without_overlap_is_the_ordinary_one():
    test = corrected_t_test(DIFFERENCES, n_train=1, n_test=0)
    ordinary = ttest_1samp(DIFFERENCES, 0)
    assert test == pytest.approx((ordinary.statistic, ordinary.pvalue))


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.0, 0.0, 0.0], (0, 1)),
        ([0.1, 0.1, 0.1], (np.inf, 2 / 2**3)),
        ([-0.1, -0.1, -0.1], (-np.inf, 2 / 2**3)),
        ([0.1], (np.nan, np.nan)),
        ([0.1, np.nan], (np.nan, np.nan)),
    ],
    ids=["equal", "always better", "always worse", "one split", "a missing score"],
)
def test_t_test_of_special_cases(differences, expected):
    test = corrected_t_test(differences, n_train=2, n_test=1)
    assert test == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # 3 x .01; 2 x .03; 1 x .04, no less than .06
        ([0.5, np.nan, 0.01], [0.5, np.nan, 0.02]),
        ([0.9, 0.8], [1, 1]),
        ([0.2], [0.2]),
        ([], []),
    ],
    ids=["by hand", "nan does not count", "at most 1", "one", "none"],
)
def test_holm_correction(p_values, expected):
    np.testing.assert_allclose(holm_correction(p_values), expected)


@pytest.mark.parametrize(("differences", "n_train"), [([], 80), ([0.1, 0.2], 0)])
def test_what_cannot_be_tested_is_an_error(differences, n_train):
    with pytest.raises(ValueError, match="corrected_t_test needs differences"):
        corrected_t_test(differences, n_train=n_train, n_test=20)
