"""The tagger: a class for each step, whatever the sequences come as."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sknets.rnn import RNNTagger

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

RNG = np.random.default_rng(0)
RAGGED = [RNG.normal(size=(n, 2)) for n in RNG.integers(3, 15, 120)]
LABELS = [np.where(np.cumsum(x[:, 0]) > 0, "up", "down") for x in RAGGED]
SERIES = RNG.normal(size=(60, 7))
SIGNS = (np.cumsum(SERIES, 1) > 0).astype(int)
SMALL = dict(
    hidden_layer_sizes=(16,),
    batch_size=20,
    max_iter=30,
    learning_rate_init=0.02,
    random_state=0,
)


def tagger(**settings):
    return RNNTagger(**SMALL | settings)


def test_each_step_of_ragged_sequences_gets_a_class():
    clf = tagger().fit(RAGGED, LABELS)
    assert clf.score(RAGGED, LABELS) > 0.95
    assert clf.classes_.tolist() == ["down", "up"]
    predicted, probabilities = clf.predict(RAGGED), clf.predict_proba(RAGGED)
    right = [np.mean(a == b) * len(a) for a, b in zip(predicted, LABELS, strict=True)]
    assert sum(right) / sum(map(len, LABELS)) == pytest.approx(clf.score(RAGGED, LABELS))
    for x, p, log_p in zip(RAGGED, probabilities, clf.predict_log_proba(RAGGED), strict=True):
        assert p.shape == (len(x), 2)
        assert_allclose(p.sum(1), 1)
        assert_allclose(np.exp(log_p), p)
        assert_allclose(clf.predict_proba([x])[0], p, atol=1e-12)


def test_arrays_give_arrays():
    clf = tagger(bidirectional=True).fit(SERIES, SIGNS)
    assert clf.score(SERIES, SIGNS) > 0.9
    assert clf.predict(SERIES).shape == (60, 7)
    assert clf.decision_function(SERIES).shape == (60, 7)
    assert clf.predict_proba(SERIES).shape == (60, 7, 2)
    lists = clf.predict(list(SERIES[..., None]))
    assert_array_equal(np.stack(lists), clf.predict(SERIES))


def test_what_fills_up_has_no_label():
    longest = max(map(len, RAGGED))
    X, y = np.full((120, longest, 2), np.nan), np.full((120, longest), "down")
    for i, (x, labels) in enumerate(zip(RAGGED, LABELS, strict=True)):
        X[i, : len(x)], y[i, : len(x)] = x, labels
    whole, filled = tagger(max_iter=2).fit(RAGGED, LABELS), tagger(max_iter=2).fit(X, y)
    for a, b in zip(whole.predict_proba(RAGGED), filled.predict_proba(X), strict=True):
        assert_allclose(a, b, atol=1e-12)


def test_a_table_of_labels_is_an_array_of_them():
    expected = tagger(max_iter=1).fit(SERIES, SIGNS)
    table = pd.DataFrame(SIGNS)
    found = tagger(max_iter=1).fit(SERIES, table)
    assert_array_equal(found.predict_proba(SERIES), expected.predict_proba(SERIES))
    assert found.score(SERIES, table) == expected.score(SERIES, SIGNS)
    with pytest.raises(ValueError, match=r"sample_weight.shape == "):
        found.score(SERIES, table, sample_weight=np.ones(3))


def test_several_labels_a_step_may_hold():
    both = np.stack([SIGNS, 1 - SIGNS], axis=-1)
    clf = tagger().fit(SERIES, both)
    assert clf.predict(SERIES).shape == clf.predict_proba(SERIES).shape == (60, 7, 2)
    assert clf.score(SERIES, both) > 0.9


def test_weights_of_sequences_and_classes_count():
    X, y = RAGGED[:40], LABELS[:40]
    settings = dict(batch_size="full", max_iter=3)
    weight = RNG.integers(1, 3, 40)
    rows = np.repeat(np.arange(40), weight)
    weighted = tagger(**settings).fit(X, y, sample_weight=weight)
    repeated = tagger(**settings).fit([X[i] for i in rows], [y[i] for i in rows])
    for a, b in zip(weighted.predict_proba(X), repeated.predict_proba(X), strict=True):
        assert_allclose(a, b, rtol=1e-9)
    up = tagger(class_weight={"up": 100}).fit(X, y)
    assert np.mean(np.concatenate(up.predict(X)) == "up") > np.mean(np.concatenate(y) == "up")


def test_held_out_sequences_stop_the_training_early():
    clf = tagger(early_stopping=True, max_iter=5, class_weight="balanced").fit(RAGGED, LABELS)
    assert len(clf.validation_scores_) == 5
    assert clf.validation_scores_[-1] > 0.5


def test_fitted_taggers_are_pickled():
    clf = tagger(max_iter=1).fit(SERIES, SIGNS)
    assert_array_equal(
        pickle.loads(pickle.dumps(clf)).predict_proba(SERIES), clf.predict_proba(SERIES)
    )


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (SERIES, SIGNS[:, 0], r"label for each step: sequence 0 of X has 7 steps, .* shape \(\)"),
        (RAGGED, [y[:-1] for y in LABELS], "needs a label for each step"),
        (SERIES, np.hstack([SIGNS, SIGNS]), r"7 steps, and y has labels of shape \(14,\)"),
        (SERIES, None, "requires y to be passed"),
        (SERIES, SIGNS[:5], r"inconsistent numbers of samples: \[60, 5\]"),
        (np.where(SERIES > 1, np.inf, SERIES), SIGNS, "Input X contains infinity"),
    ],
)
def test_wrong_input_is_one_clear_error(X, y, message):
    clf = tagger()
    with pytest.raises(ValueError, match=message):
        clf.fit(X, y)
    assert not [name for name in vars(clf) if name.endswith("_")]
