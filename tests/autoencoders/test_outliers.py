"""Outliers by reconstruction error, against the contract of scikit-learn's detectors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

from sknets import AutoencoderOutlierDetector
from sknets.autoencoders.outliers import threshold

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
T = rng.uniform(0, 3, (300, 1))
CURVE = np.hstack([np.sin(T), np.cos(T), T]) + 0.01 * rng.normal(size=(300, 3))
BESIDE = rng.uniform([-1, -1, 0], [1, 1, 3], (60, 3))


def detector(**settings):
    how = {"hidden_layer_sizes": (16, 1), "activation": "tanh", "solver": "lbfgs", "max_iter": 1000}
    return AutoencoderOutlierDetector(**how | {"random_state": 0} | settings)


def test_what_is_beside_the_data_is_found():
    estimator = detector().fit(CURVE[:200])
    asked = np.vstack([CURVE[200:], BESIDE])
    assert roc_auc_score(np.repeat([1, 0], [100, 60]), estimator.score_samples(asked)) > 0.95
    assert (estimator.predict(BESIDE) == -1).mean() > 0.9


@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.25, 0.5])
def test_a_share_of_the_training_set_is_taken_for_outliers(contamination):
    estimator = detector(contamination=contamination, max_iter=20).fit(CURVE)
    found = estimator.predict(CURVE)
    assert (found == -1).sum() == round(300 * contamination)
    decision = estimator.decision_function(CURVE)
    assert_array_equal(found, np.where(decision < 0, -1, 1))
    assert_allclose(decision, estimator.score_samples(CURVE) - estimator.offset_)
    assert_array_equal(estimator.fit_predict(CURVE), found)


def test_rows_without_weight_do_not_move_the_threshold():
    both = np.vstack([CURVE, BESIDE])
    weight = np.repeat([1.0, 0.0], [300, 60])
    weighted = detector(max_iter=20).fit(both, sample_weight=weight)
    assert weighted.offset_ == pytest.approx(detector(max_iter=20).fit(CURVE).offset_, rel=1e-3)


def test_a_part_of_the_data_moves_the_threshold_as_it_comes():
    estimator = detector(solver="adam", batch_size=50).fit(CURVE)
    before = estimator.offset_
    assert estimator.partial_fit(CURVE + 10).offset_ < before
    assert (estimator.predict(CURVE + 10) == 1).mean() == pytest.approx(0.9)


def test_threshold_is_between_two_scores():
    scores = np.array([3.0, 1, 2, 4])
    assert threshold(scores, None, 0.25) == 1.5
    assert 1.99 < threshold(scores, None, 0.3) < 2  # of which the row at 2 is no outlier
    assert threshold(scores, None, 0.5) == 2.5
    assert threshold(scores, np.array([1.0, 0, 1, 2]), 0.25) == 2.5
    assert threshold(np.ones(4), None, 0.5) == 1
    assert 0.99 < threshold(scores, None, 0.1) < 1


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 0.25, 0.4, 0.5])
def test_threshold_of_weights_is_that_of_repetitions(share):
    random = np.random.default_rng(0)
    scores, weight = random.normal(size=40), random.integers(0, 4, 40)
    repeated = threshold(scores.repeat(weight), None, share)
    assert threshold(scores, weight.astype(float), share) == pytest.approx(repeated, rel=1e-12)
