"""The forecaster: windows, differences, what is known of the future, and steps one by one."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import TimeSeriesSplit, cross_val_score

from sknets.rnn import RNNForecaster
from sknets.rnn.forecaster import continued, differences

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

TIME = np.arange(120)
SEASON = np.c_[np.sin(TIME * 2 * np.pi / 12), np.cos(TIME * 2 * np.pi / 12)]
SERIES = 3 * SEASON[:, 0] + 0.1 * TIME + 10
NOTHING = np.empty((20, 0))
SMALL = dict(
    window=12,
    hidden_layer_sizes=(16,),
    batch_size=20,
    max_iter=60,
    learning_rate_init=0.02,
    difference=1,
    random_state=0,
)

strategies = pytest.mark.parametrize(
    "strategy", [dict(strategy="recursive"), dict(strategy="direct", horizon=6)], ids=str
)


def forecaster(**settings):
    return RNNForecaster(**SMALL | settings)


def test_differences_are_undone():
    values = np.random.default_rng(0).normal(size=(30, 2))
    for lags in ((), (1,), (12,), (1, 12), (12, 1, 1)):
        changes = differences(values, lags)[-1]
        assert len(changes) == 30 - sum(lags)
        assert_allclose(continued(values[:-1], changes[-1], lags)[0], values[-1])


@strategies
def test_a_trend_with_a_season_is_continued(strategy):
    reg = forecaster(**strategy).fit(None, SERIES[:100])
    made = reg.predict(NOTHING)
    assert made.shape == (20,)
    assert np.sqrt(np.mean((made - SERIES[100:]) ** 2)) < 0.5 * SERIES.std()
    assert_allclose(reg.forecast(SERIES[:100], 20), made)
    assert_allclose(reg.predict(NOTHING[:7]), made[:7])  # the steps do not depend on how many


def test_differences_over_the_season_leave_nothing_to_learn():
    reg = forecaster(difference=(1, 12), max_iter=1).fit(None, SERIES[:100])
    assert_allclose(reg.predict(NOTHING), SERIES[100:], atol=1e-6)


@strategies
def test_what_is_known_of_the_future_counts(strategy):
    rng = np.random.default_rng(0)
    known = rng.normal(size=(300, 1))
    y = 2 * known[:, 0] + 5
    reg = forecaster(difference=(), window=3, max_iter=100, **strategy).fit(known[:280], y[:280])
    assert reg.score(known[280:], y[280:]) > 0.9
    other = reg.predict(known[:20])
    assert np.corrcoef(other, y[:20])[0, 1] > 0.9


@strategies
def test_a_forecast_does_not_depend_on_how_many_rows_are_known(strategy):
    month = (TIME % 12)[:, None].astype(float)
    y = 3 * (TIME % 12) + 1.0
    settings = dict(window=3, difference=(), max_iter=200)
    reg = forecaster(**settings, **strategy).fit(month[:108], y[:108])
    made = reg.predict(month[108:])
    assert np.abs(made - y[108:]).max() < 3
    for n in range(1, 12):
        assert_allclose(reg.predict(month[108 : 108 + n]), made[:n], rtol=1e-6)


def test_columns_have_names_in_every_method():
    known = pd.DataFrame(SEASON, columns=["sine", "cosine"])
    reg = forecaster(max_iter=1).fit(known[:100], SERIES[:100])
    swapped = known[["cosine", "sine"]]
    for wrong in (
        dict(X=swapped[50:53], X_context=known[:50]),
        dict(X=known[50:53], X_context=swapped[:50]),
    ):
        with pytest.raises(ValueError, match="feature names"):
            reg.forecast(SERIES[:50], 3, **wrong)


@pytest.mark.parametrize(
    ("strategy", "changed"),
    [
        ("recursive", dict(difference=12)),
        ("recursive", dict(strategy="direct")),
        ("direct", dict(difference=12)),
        ("direct", dict(strategy="recursive")),
        ("direct", dict(horizon=3)),
    ],
)
def test_what_was_learnt_of_other_differences_cannot_go_on(strategy, changed):
    reg = forecaster(max_iter=1, warm_start=True, strategy=strategy).fit(None, SERIES)
    (name,) = changed
    for train in (RNNForecaster.fit, RNNForecaster.partial_fit):
        with pytest.raises(ValueError, match=f"The '{name}' parameter of RNNForecaster cannot"):
            train(copy.deepcopy(reg).set_params(**changed), None, SERIES)


def test_a_horizon_that_is_ignored_may_change():
    reg = forecaster(max_iter=1, warm_start=True).fit(None, SERIES)
    reg.set_params(horizon=3).fit(None, SERIES)
    assert reg.predict(NOTHING).shape == (20,)


@strategies
def test_several_series_are_forecast_together(strategy):
    both = np.c_[SERIES, -SERIES]
    reg = forecaster(**strategy, max_iter=2).fit(SEASON[:100], both[:100])
    assert reg.predict(SEASON[100:]).shape == (20, 2)
    assert reg.forecast(both[:50], 3, SEASON[50:53], SEASON[:50]).shape == (3, 2)


def test_it_works_with_time_series_splits_and_early_stopping():
    reg = forecaster(max_iter=20, early_stopping=True)
    scores = cross_val_score(reg, SEASON, SERIES, cv=TimeSeriesSplit(2))
    assert np.isfinite(scores).all()
    reg.fit(SEASON, SERIES)
    assert len(reg.validation_scores_) == 20


def test_training_goes_on_with_more_of_the_series():
    reg = forecaster(max_iter=5).fit(None, SERIES[:80])
    reg.partial_fit(None, SERIES[60:100])
    assert_array_equal(reg.context_[:, 0], SERIES[87:100])
    assert np.abs(reg.predict(NOTHING) - SERIES[100:]).max() < 10


def test_fitted_forecasters_are_pickled():
    reg = forecaster(max_iter=1).fit(SEASON[:100], SERIES[:100])
    again = pickle.loads(pickle.dumps(reg))
    assert_array_equal(again.predict(SEASON[100:]), reg.predict(SEASON[100:]))


@pytest.mark.parametrize(
    ("X", "y", "settings", "message"),
    [
        (None, SERIES[:10], {}, "has 10 values, too few for a window of 12"),
        (SEASON[:50], SERIES, {}, "inconsistent numbers of samples"),
        (None, np.append(SERIES, np.nan), {}, "Input y contains NaN"),
        (SEASON, None, {}, "requires y to be passed, but the target y is None"),
        (SEASON, SERIES, {"strategy": "direct", "bidirectional": True}, "takes no X"),
        (None, SERIES, {"difference": (1, 0)}, "'difference' parameter of RNNForecaster must hold"),
        (None, SERIES, {"loss": "poisson"}, "'loss' parameter of RNNForecaster"),
    ],
)
def test_wrong_input_is_one_clear_error(X, y, settings, message):
    reg = forecaster(**settings)
    with pytest.raises(ValueError, match=message):
        reg.fit(X, y)
    assert not [name for name in vars(reg) if name.endswith("_")]


def test_forecasts_need_what_the_fit_had():
    reg = forecaster(max_iter=1).fit(SEASON, SERIES)
    with pytest.raises(ValueError, match=r"context must have 13 values at least\. Got 5"):
        reg.forecast(SERIES[:5], 2)
    with pytest.raises(ValueError, match=r"X_context must have shape \(50, 2\)"):
        reg.forecast(SERIES[:50], 2, SEASON[:2])
    with pytest.raises(ValueError, match="X has 0 features, but RNNForecaster is expecting 2"):
        reg.predict(NOTHING)
    with pytest.raises(ValueError, match="context has 2 series, but RNNForecaster is expecting 1"):
        reg.forecast(SEASON[:50], 2)
    with pytest.raises(ValueError, match=r"horizon must be a whole number > 0\. Got 0"):
        reg.forecast(SERIES[:50], 0)


def test_parameters_are_those_that_a_series_has_a_use_for():
    parameters = RNNForecaster().get_params()
    assert not {"vocabulary_size", "sequence_shape", "padding_value", "states"} & set(parameters)
    assert not hasattr(RNNForecaster(), "transform")
    with pytest.raises(ValueError, match="no use for curriculum='linear'"):
        RNNForecaster(curriculum="linear").fit(None, np.arange(60.0))
