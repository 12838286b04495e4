"""Recurrent estimators: what they take, what they learn, and that padding is never learnt from."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sknets.preprocessing import SequencePadder, SequenceScaler, SequenceTokenizer
from sknets.rnn import RNNClassifier, RNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

RNG = np.random.default_rng(0)
RAGGED = [RNG.normal(size=(n, 2)) for n in RNG.integers(3, 15, 120)]
TOTALS = np.array([x[:, 0].sum() for x in RAGGED])
SIGNS = np.where(TOTALS > 0, "up", "down")
SERIES = RNG.normal(size=(80, 6))
RISES = (SERIES[:, -1] > SERIES[:, 0]).astype(int)
SMALL = dict(
    hidden_layer_sizes=(8,),
    batch_size=20,
    max_iter=15,
    learning_rate_init=0.02,
    random_state=0,
)
KINDS = [
    dict(cell="rnn"),
    dict(cell="rnn", activation="relu", recurrent_init="identity"),
    dict(cell="lstm"),
    dict(cell="gru"),
    dict(cell="gru", reset_after=False),
    dict(cell="gru", bidirectional=True, hidden_layer_sizes=(5, 4)),
    dict(cell="lstm", pooling="mean"),
    dict(cell="lstm", pooling="max", bidirectional=True),
    dict(cell="gru", pooling="attention"),
]

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))


def classifier(**settings):
    return RNNClassifier(**SMALL | settings)


def filled(sequences, value):
    longest = max(map(len, sequences))
    made = np.full((len(sequences), longest, 2), value)
    for row, sequence in zip(made, sequences, strict=True):
        row[: len(sequence)] = sequence
    return made


@kinds
def test_sequences_are_told_apart(kind):
    clf = classifier(**kind, max_iter=40).fit(RAGGED, SIGNS)
    assert clf.score(RAGGED, SIGNS) > 0.85
    assert clf.classes_.tolist() == ["down", "up"]


@kinds
def test_what_fills_up_never_influences_a_result(kind):
    clf = classifier(**kind).fit(RAGGED, SIGNS)
    expected = clf.predict_proba(RAGGED)
    alone = np.concatenate([clf.predict_proba([x]) for x in RAGGED[:10]])
    assert_allclose(alone, expected[:10], atol=1e-12)
    assert_allclose(clf.predict_proba(filled(RAGGED, np.nan)), expected, atol=1e-12)
    clf.set_params(padding_value=-7)
    assert_allclose(clf.predict_proba(filled(RAGGED, -7.0)), expected, atol=1e-12)
    from_filled = classifier(**kind).fit(filled(RAGGED, np.nan), SIGNS)
    assert_allclose(from_filled.predict_proba(RAGGED), expected, atol=1e-12)


def test_forms_of_univariate_series_are_interchangeable():
    clf = classifier().fit(SERIES, RISES)
    expected = clf.predict_proba(SERIES)
    assert clf.sequence_shape_ == (6, 1)
    assert clf.n_features_in_ == 6
    for X in (SERIES[..., None], torch.tensor(SERIES), list(SERIES[..., None])):
        assert_allclose(clf.predict_proba(X), expected, atol=1e-12)
    frame = pd.DataFrame(SERIES, columns=list("abcdef"))
    named = classifier().fit(frame, RISES)
    assert named.feature_names_in_.tolist() == list("abcdef")
    assert_allclose(named.predict_proba(frame), expected, atol=1e-12)


def test_rows_of_a_table_hold_several_features():
    three = RNG.normal(size=(40, 5, 3))
    y = (three[:, :, 0].sum(1) > 0).astype(int)
    arrays = classifier().fit(three, y)
    rows = classifier(sequence_shape=(5, 3)).fit(three.reshape(40, 15), y)
    assert arrays.sequence_shape_ == rows.sequence_shape_ == (5, 3)
    expected = arrays.predict_proba(three)
    assert_allclose(rows.predict_proba(three), expected, atol=1e-12)
    assert_allclose(arrays.predict_proba(three.reshape(40, 15)), expected, atol=1e-12)
    assert arrays.predict(three[:, :3]).shape == (40,)  # other lengths


def test_a_search_and_cross_validation_take_lists():
    search = GridSearchCV(classifier(max_iter=2), {"cell": ["rnn", "gru"]}, cv=2)
    search.fit(RAGGED, SIGNS)
    assert search.best_estimator_.predict(RAGGED).shape == (120,)
    objects = np.empty(120, dtype=object)
    objects[:] = RAGGED
    assert len(cross_val_score(classifier(max_iter=2), objects, SIGNS, cv=3)) == 3


def test_regressor_learns_a_sum():
    settings = SMALL | dict(max_iter=60, hidden_layer_sizes=(16,))
    reg = RNNRegressor(**settings).fit(RAGGED, TOTALS)
    assert reg.score(RAGGED, TOTALS) > 0.8
    both = RNNRegressor(**SMALL).fit(RAGGED, np.c_[TOTALS, -TOTALS])
    assert both.predict(RAGGED).shape == (120, 2)


def test_tokens_are_one_hot_or_embedded():
    texts = ["".join(RNG.choice(list("abc"), n)) for n in RNG.integers(1, 9, 100)]
    y = np.array(["b" in text for text in texts])
    for dim in (None, 4):
        model = make_pipeline(
            SequenceTokenizer("character"),
            classifier(vocabulary_size="auto", embedding_dim=dim, max_iter=40),
        )
        assert model.fit(texts, y).score(texts, y) > 0.95
    assert model[-1].vocabulary_size_ == 5
    ids = model[0].transform(texts)
    expected = model.predict_proba(texts)
    padded = SequencePadder().fit_transform(ids)
    assert_allclose(model[-1].predict_proba(padded), expected, atol=1e-6)


def test_a_scaler_in_front_keeps_sequences_apart():
    model = make_pipeline(SequenceScaler(), classifier()).fit(RAGGED, SIGNS)
    assert model.predict(RAGGED).shape == (120,)


def test_lists_are_sequences_whatever_lengths_come_together():
    clf = classifier().fit(SERIES, RISES)
    short = [SERIES[0, :4], SERIES[1, :4], SERIES[2, :3]]
    each = [clf.predict_proba([x])[0] for x in short]
    assert_allclose(clf.predict_proba(short), each, atol=1e-6)
    assert_allclose(clf.predict_proba(short[:2]), each[:2], atol=1e-6)
    with pytest.raises(ValueError, match="X has 4 features"):
        clf.predict_proba(SERIES[:, :4])


@pytest.mark.parametrize("padding_value", [None, 0])
def test_tables_are_filled_up_as_arrays_are(padding_value, tmp_path):
    X = SERIES.copy()
    X[1::2, 4:] = np.nan if padding_value is None else padding_value
    expected = classifier(padding_value=padding_value).fit(X, RISES)
    assert expected.sequence_shape_ == (None, 1)
    mapped = np.memmap(tmp_path / "X", dtype=np.float64, mode="w+", shape=X.shape)
    mapped[:] = X
    for same in (pd.DataFrame(X), mapped, X.tolist()):
        if same is mapped and padding_value is None:
            continue  # streamed: not searched for NaN
        found = classifier(padding_value=padding_value).fit(same, RISES)
        assert found.sequence_shape_ == (None, 1)
        assert_array_equal(found.predict_proba(same), expected.predict_proba(X))


@pytest.mark.parametrize("changed", [dict(activation="relu"), dict(cell="gru", reset_after=False)])
def test_another_cell_of_the_same_shape_cannot_go_on(changed):
    cell = changed.get("cell", "rnn")
    clf = classifier(cell=cell, max_iter=1, warm_start=True).fit(SERIES, RISES)
    name = list(changed)[-1]
    with pytest.raises(ValueError, match=f"The '{name}' parameter of RNNClassifier cannot change"):
        clf.set_params(**changed).fit(SERIES, RISES)
    other = {"activation": "tanh", "reset_after": True} | {"dropout": 0.1}
    clf.set_params(**other).fit(SERIES, RISES)  # which this cell ignores, or which may change


def test_transform_gives_the_last_or_all_states():
    clf = classifier(bidirectional=True).fit(SERIES, RISES)
    last = clf.transform(SERIES)
    assert last.shape == (80, 16)
    assert len(clf.get_feature_names_out()) == 16
    clf.set_params(states="all")
    every = clf.transform(SERIES).reshape(80, 6, 16)
    assert_allclose(every[:, -1, :8], last[:, :8])
    assert_allclose(every[:, 0, 8:], last[:, 8:])
    assert len(clf.get_feature_names_out()) == 96
    clf.set_params(states="some")
    with pytest.raises(ValueError, match="'states' parameter of RNNClassifier must be"):
        clf.transform(SERIES)
    listed = classifier(states="all").fit([x[:3] for x in RAGGED], SIGNS)
    assert listed.transform([x[:3] for x in RAGGED]).shape == (120, 24)
    with pytest.raises(ValueError, match="names for what comes out only where"):
        listed.get_feature_names_out()
    ragged = classifier(states="all").fit(RAGGED, SIGNS)
    with pytest.raises(ValueError, match="states='all' needs sequences that are all of one"):
        ragged.transform(RAGGED)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_sample_weight_is_a_repetition(cell):
    weight = RNG.integers(0, 3, 120)
    rows = np.repeat(np.arange(120), weight)
    settings = dict(cell=cell, batch_size="full", max_iter=5)
    weighted = classifier(**settings).fit(RAGGED, SIGNS, sample_weight=weight)
    repeated = classifier(**settings).fit([RAGGED[i] for i in rows], SIGNS[rows])
    assert_allclose(
        weighted.predict_proba(RAGGED), repeated.predict_proba(RAGGED), rtol=1e-9, atol=1e-12
    )


def test_fitted_estimators_are_cloned_and_pickled():
    clf = classifier(cell="lstm", bidirectional=True).fit(RAGGED, SIGNS)
    expected = clf.predict_proba(RAGGED)
    assert_array_equal(pickle.loads(pickle.dumps(clf)).predict_proba(RAGGED), expected)
    assert_array_equal(clone(clf).fit(RAGGED, SIGNS).predict_proba(RAGGED), expected)


def test_early_stopping_and_checkpoints_take_sequences(tmp_path):
    settings = dict(early_stopping=True, checkpoint=tmp_path / "fit", max_iter=4)
    clf = classifier(**settings).fit(RAGGED, SIGNS)
    assert len(clf.validation_scores_) == 4
    again = classifier(**settings).fit(RAGGED, SIGNS)
    assert_array_equal(again.predict_proba(RAGGED), clf.predict_proba(RAGGED))


@pytest.mark.filterwarnings("ignore:.* failed to converge")
@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg"])
def test_full_batch_solvers_reach_a_minimum(solver):
    settings = SMALL | dict(solver=solver, max_iter=30, hidden_layer_sizes=(4,), cell="lstm")
    clf = RNNClassifier(**settings).fit(RAGGED[:40], SIGNS[:40])
    assert clf.loss_ < 0.5


def test_truncation_leaves_predictions_as_they_are():
    clf = classifier(tbptt_steps=2).fit(RAGGED, SIGNS)
    whole = classifier().fit(RAGGED, SIGNS)
    assert abs(clf.predict_proba(RAGGED) - whole.predict_proba(RAGGED)).max() > 1e-3
    clf.set_params(tbptt_steps=None)
    state = clf.predict_proba(RAGGED)
    assert_array_equal(clf.set_params(tbptt_steps=2).predict_proba(RAGGED), state)


@pytest.mark.parametrize(
    ("X", "settings", "message"),
    [
        ([[1.0, 2.0], []], {}, "Sequence 1 of X is empty"),
        (np.ones((2, 0, 3)), {}, "The sequences of X are empty"),
        ([np.ones((3, 2)), np.ones((3, 4))], {}, r"steps of X must have one shape.*\(4,\)"),
        ([np.ones(3), [1.0, np.nan, 2.0, 3.0]], {}, "Input X contains NaN"),
        ([np.ones(3), [1.0, np.inf]], {}, "Input X contains infinity"),
        (["a text", "another"], {}, "Sequence 0 of X is a text. Put a .*SequenceTokenizer"),
        ([[1, 2], [1.5]], {"vocabulary_size": 5}, "must be whole numbers. Got fractions"),
        ([[1, 2], [-1, 2, 3]], {"vocabulary_size": 5}, "Negative ids .* only be at the end"),
        ([[1, 2], [5, 2, 3]], {"vocabulary_size": 5}, "X holds the id 5, .* from 0 to 4"),
        ([np.ones((2, 2), int)] * 2, {"vocabulary_size": 5}, r"one a step. Got .* shape \(2,\)"),
        (np.ones((2, 6)), {"sequence_shape": (4, 2)}, r"'sequence_shape' .* 6. Got \(4, 2\)"),
        (np.ones((2, 6)), {"hidden_layer_sizes": ()}, "'hidden_layer_sizes' parameter of"),
        (np.ones((2, 6)), {"hidden_layer_sizes": (4, 0)}, "'hidden_layer_sizes' parameter of"),
        (np.ones((2, 6)), {"cell": "lstn"}, "Did you mean 'lstm'"),
        (np.ones((2, 6)), {"dropout": 0.1, "solver": "lbfgs"}, "dropout=0.1 needs a stochastic"),
    ],
)
def test_wrong_input_is_one_clear_error(X, settings, message):
    clf = RNNClassifier(**settings)
    with pytest.raises(ValueError, match=message):
        clf.fit(X, [0, 1])
    assert not [name for name in vars(clf) if name.endswith("_")]


def test_steps_of_another_shape_are_refused_at_predict():
    clf = classifier(max_iter=1).fit(RAGGED, SIGNS)
    with pytest.raises(ValueError, match=r"shape \(3,\), but RNNClassifier is expecting \(2,\)"):
        clf.predict([np.ones((4, 3))])
    with pytest.raises(ValueError, match=r"shape \(1,\), but RNNClassifier is expecting \(2,\)"):
        clf.predict(np.ones((4, 3)))
    clf = classifier(max_iter=1).fit(SERIES, RISES)
    with pytest.raises(ValueError, match="X has 5 features, but RNNClassifier is expecting 6"):
        clf.predict(SERIES[:, :5])


def test_clipping_keeps_what_a_gradient_points_to():
    kwargs = dict(solver="sgd", momentum=0.0, alpha=0.0, max_iter=1, batch_size="full")
    free = classifier(**kwargs, clip_norm=None, learning_rate_init=1e-3).fit(RAGGED, SIGNS)
    start = classifier(**kwargs, clip_norm=None, learning_rate_init=1e-12).fit(RAGGED, SIGNS)
    clipped = classifier(**kwargs, clip_norm=1e-3, learning_rate_init=1.0).fit(RAGGED, SIGNS)

    def moved(clf):
        pairs = zip(clf.module_.parameters(), start.module_.parameters(), strict=True)
        return torch.cat([(a - b).detach().flatten() for a, b in pairs])

    assert_allclose(moved(clipped).norm(), 1e-3, rtol=1e-3)
    cosine = torch.nn.functional.cosine_similarity(moved(free), moved(clipped), dim=0)
    assert cosine > 0.9999
