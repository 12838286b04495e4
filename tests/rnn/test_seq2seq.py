"""Sequence to sequence: texts, ids, numbers and vectors in, sequences out."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from sknets.rnn import Seq2Seq

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

RNG = np.random.default_rng(0)
WORDS = ["".join(RNG.choice(list("abcd"), n)) for n in RNG.integers(2, 6, 300)]
REVERSED = [word[::-1] for word in WORDS]
IDS = [RNG.integers(0, 5, n) for n in RNG.integers(2, 6, 200)]
SMALL = dict(
    level="character",
    hidden_layer_sizes=(32,),
    embedding_dim=16,
    batch_size=20,
    max_iter=25,
    learning_rate="one_cycle",
    learning_rate_init=0.01,
    random_state=0,
)


def model(**settings):
    return Seq2Seq(**SMALL | settings)


@pytest.mark.parametrize(
    ("settings", "least"),
    [
        (dict(), 0.9),
        (dict(attention="additive"), 0.9),
        (dict(attention=None, cell="lstm"), 0.3),
        (dict(bidirectional=True, cell="lstm"), 0.9),
        (dict(teacher_forcing=(1.0, 0.7)), 0.9),
    ],
    ids=str,
)
def test_words_are_reversed(settings, least):
    fitted = model(**settings).fit(WORDS, REVERSED)
    score = fitted.score(WORDS, REVERSED)
    assert score > least
    predicted = fitted.predict(WORDS)
    assert score == np.mean([a == b for a, b in zip(predicted, REVERSED, strict=True)])
    assert fitted.token_accuracy(WORDS, REVERSED) >= score
    assert fitted.set_params(beam_size=4).score(WORDS, REVERSED) >= score - 0.02


def test_an_answer_does_not_depend_on_what_is_asked_with_it():
    fitted = model(max_iter=5).fit(WORDS, REVERSED)
    together = fitted.predict(WORDS[:40])
    assert together == [fitted.predict([word])[0] for word in WORDS[:40]]


def test_ids_in_give_ids_out():
    targets = [ids[::-1] for ids in IDS]
    fitted = model(early_stopping=True, max_iter=40).fit(IDS, targets)
    assert fitted.score(IDS, targets) > 0.8
    right = [np.array_equal(a, b) for a, b in zip(fitted.predict(IDS), targets, strict=True)]
    assert np.mean(right) == fitted.score(IDS, targets)
    assert len(fitted.validation_scores_) == fitted.n_iter_


def test_vectors_and_numbers_may_be_the_source():
    vectors = RNG.normal(size=(200, 3))
    order = [np.argsort(v) for v in vectors]
    assert model(source="vector", max_iter=40).fit(vectors, order).score(vectors, order) > 0.8
    series = [RNG.normal(size=n) for n in RNG.integers(2, 6, 200)]
    signs = [(x > 0).astype(int) for x in series]
    assert model(source="numbers").fit(series, signs).score(series, signs) > 0.7


def test_words_are_tokens_too():
    sources = ["one two", "two one", "one", "two"] * 30
    targets = ["un deux", "deux un", "un", "deux"] * 30
    fitted = model(level="word").fit(sources, targets)
    assert fitted.predict(["two one", "one"]) == ["deux un", "un"]
    assert fitted.target_tokens_[4:] == ["deux", "un"]


def test_fitted_models_are_pickled_and_go_on():
    fitted = model(max_iter=2).fit(WORDS, REVERSED)
    assert pickle.loads(pickle.dumps(fitted)).predict(WORDS[:9]) == fitted.predict(WORDS[:9])
    again = model(max_iter=2).fit(WORDS, REVERSED)
    for ours, theirs in zip(fitted.module_.parameters(), again.module_.parameters(), strict=True):
        assert_array_equal(ours.detach(), theirs.detach())


@pytest.mark.parametrize(
    ("X", "y", "settings", "message"),
    [
        (WORDS, None, {}, "requires y to be passed"),
        (WORDS, REVERSED[:5], {}, r"inconsistent numbers of samples: \[300, 5\]"),
        (WORDS, [[0.5]] * 300, {}, "y must hold texts, or sequences of ids"),
        ([[0.5, 1.0]] * 3, ["a"] * 3, {}, "For series of numbers set source='numbers'"),
        (WORDS, REVERSED, {"teacher_forcing": (1, 2)}, "'teacher_forcing' parameter of Seq2Seq"),
        (WORDS, REVERSED, {"solver": "lbfgs"}, "needs a stochastic solver"),
        (WORDS, REVERSED, {"attention": "hard"}, "'attention' parameter of Seq2Seq"),
    ],
)
def test_wrong_input_is_one_clear_error(X, y, settings, message):
    fitted = model(**settings)
    with pytest.raises(ValueError, match=message):
        fitted.fit(X, y)
    assert not [name for name in vars(fitted) if name.endswith("_")]


def test_what_was_not_in_the_fit_is_an_error():
    fitted = model(max_iter=1).fit(IDS, IDS)
    with pytest.raises(ValueError, match="X holds the id 9, but Seq2Seq knows tokens from 0 to 4"):
        fitted.predict([[9]])
    with pytest.raises(ValueError, match="y holds the id 9, which is unknown"):
        fitted.score([[1]], [[9]])


def test_training_goes_on_where_it_was():
    whole = model(max_iter=2, learning_rate="constant").fit(WORDS, REVERSED)
    parts = model(max_iter=1, learning_rate="constant").fit(WORDS, REVERSED)
    parts.partial_fit(WORDS, REVERSED)
    assert_array_equal(parts.loss_curve_, whole.loss_curve_)
    parts.set_params(batch_size=2)
    parts.partial_fit(["abba", "xyz"], ["abba", "zyx"])  # letters that were not learnt
    assert len(parts.loss_curve_) == 3
    vectors = model(source="vector", max_iter=1, batch_size=3).fit(np.eye(3), list("abc"))
    with pytest.raises(ValueError, match="is expecting"):
        vectors.partial_fit(np.eye(4), list("abcd"))


@pytest.mark.parametrize(
    "settings", [dict(curriculum="linear"), dict(averaging="snapshots", learning_rate="constant")]
)
def test_what_texts_have_no_use_for_is_an_error(settings):
    (name, value), *_ = settings.items()
    with pytest.raises(ValueError, match=f"A Seq2Seq takes all texts.* knows no {name}='{value}'"):
        model(**settings).fit(WORDS, REVERSED)


@pytest.mark.parametrize("attention", [None, "dot", "additive"])
def test_summary_goes_through_encoder_and_decoder(attention):
    fitted = model(max_iter=1, attention=attention).fit(WORDS, REVERSED)
    frame = fitted.summary().to_frame()
    assert frame.loc["encoder.recurrent.layers.0", "multiply-adds"] == 100 * 96 * (16 + 32)
    of_scores = frame.loc["decoder.head", "multiply-adds"]
    assert of_scores == fitted.max_length_ * 32 * fitted.n_outputs_


@pytest.mark.parametrize("level", ["character", "word"])
def test_bleu_is_of_tokens(level):
    longer = [f"{a} {b} {c} {a}" for a, b, c in zip(WORDS, WORDS[1:], WORDS[2:], strict=False)][:40]
    fitted = model(level=level, max_iter=1, batch_size=40).fit(longer, longer)
    written = fitted.predict(longer)
    assert fitted.bleu(longer, written, n=2) == pytest.approx(1)
    assert fitted.bleu(longer, [[text, "x"] for text in written], n=2) == pytest.approx(1)
    assert fitted.bleu(longer, longer, n=1) < 1
    ids = model(max_iter=1).fit(IDS, IDS)
    with pytest.raises(ValueError, match="BLEU is of texts"):
        ids.bleu(IDS, IDS)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("beam_size", 0), ("beam_size", 2.5), ("max_length", 0), ("length_penalty", -1)],
)
def test_what_may_be_set_after_fit_is_checked_then(setting, value):
    fitted = model(max_iter=1).fit(WORDS, REVERSED)
    with pytest.raises(ValueError, match=f"The '{setting}' parameter of Seq2Seq must be"):
        fitted.set_params(**{setting: value}).predict(WORDS)


def test_texts_come_as_iterables_and_as_tables_of_one_column():
    expected = model(max_iter=1).fit(WORDS, REVERSED)
    for X, y in (
        ((word for word in WORDS), (word for word in REVERSED)),
        (pd.DataFrame({"word": WORDS}), pd.DataFrame({"word": REVERSED})),
    ):
        found = model(max_iter=1).fit(X, y)
        assert found.source_tokens_ == expected.source_tokens_
        assert found.predict(WORDS) == expected.predict(WORDS)
    assert expected.predict(word for word in WORDS) == expected.predict(WORDS)


def test_an_empty_target_is_right_when_nothing_is_written():
    fitted = model(max_iter=15).fit(WORDS[:80], [""] * 80)
    assert fitted.predict(WORDS[:2]) == ["", ""]
    assert fitted.score(WORDS[:80], [""] * 80) == 1


def test_vectors_have_columns():
    table = pd.DataFrame(np.eye(3), columns=list("abc"))
    fitted = model(source="vector", max_iter=1, batch_size=3).fit(table, list("abc"))
    assert fitted.feature_names_in_.tolist() == list("abc")
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(table[["b", "a", "c"]])


def test_what_an_encoder_reads_cannot_change_while_training_goes_on():
    fitted = model(max_iter=1).fit(IDS, IDS)
    with pytest.raises(ValueError, match="The 'source' parameter of Seq2Seq cannot change"):
        fitted.set_params(source="numbers").partial_fit(IDS, IDS)


def test_bleu_does_not_complain_of_tokens(caplog):
    fitted = model(level="word", max_iter=15).fit(["a", "b"] * 60, ["a .", "b ."] * 60)
    assert fitted.predict(["a"])[0].endswith(" .")
    assert fitted.bleu(["a", "b"] * 60, ["a .", "b ."] * 60, n=2) == pytest.approx(1)
    assert not caplog.records
