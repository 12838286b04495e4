"""Transformers of sequences: texts to ids and back, filling up, scaling."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sknets.preprocessing import SequencePadder, SequenceScaler, SequenceTokenizer

TEXTS = ["The cat sat.", "the dog's cat", ""]
RAGGED = [np.array([[1.0, 10.0], [3.0, 10.0]]), np.array([[5.0, 10.0]])]


def lists(sequences):
    return [np.asarray(each).tolist() for each in sequences]


def test_words_and_signs_are_tokens():
    tokenizer = SequenceTokenizer().fit(TEXTS)
    assert tokenizer.tokens_ == ["<pad>", "<unk>", "cat", "the", ".", "dog's", "sat"]
    ids = tokenizer.transform(TEXTS)
    assert ids.dtype == object
    assert lists(ids) == [[3, 2, 6, 4], [3, 5, 2], [1]]
    assert tokenizer.inverse_transform(ids) == ["the cat sat .", "the dog's cat", "<unk>"]
    assert lists(tokenizer.transform(["a cat"])) == [[1, 2]]


def test_characters_are_tokens_and_keep_their_case():
    tokenizer = SequenceTokenizer("character", boundaries=True).fit(["Aa", "b"])
    assert tokenizer.tokens_ == ["<pad>", "<unk>", "<start>", "<end>", "A", "a", "b"]
    ids = tokenizer.transform(["Aab"])
    assert lists(ids) == [[2, 4, 5, 6, 3]]
    assert tokenizer.inverse_transform([[2, 4, 6, 3, 5], [4, -1, 0]]) == ["Ab", "A"]


def test_vocabularies_are_limited():
    texts = ["a a a b b c"]
    assert SequenceTokenizer(vocabulary_size=4).fit(texts).tokens_[2:] == ["a", "b"]
    assert SequenceTokenizer(min_count=3).fit(texts).tokens_[2:] == ["a"]
    assert SequenceTokenizer(pattern=r"[ab]").fit(texts).tokens_[2:] == ["a", "b"]


@pytest.mark.parametrize(
    ("X", "settings", "message"),
    [
        ("a text", {}, "an iterable of texts. Got a single text"),
        ([1], {}, "X must hold texts. Got 1 at place 0"),
        ([], {}, "X holds no texts"),
        (7, {}, "X must be an iterable of texts. Got int"),
        ({"a": 1}, {}, "X must be an iterable of texts. Got dict"),
        (np.array([["a", "b"]]), {}, "X must hold texts. Got array"),
        (["a"], {"pattern": "("}, "'pattern' parameter of SequenceTokenizer must be a regular"),
        (["a"], {"vocabulary_size": 4, "boundaries": True}, "must be > 4, as <pad>"),
    ],
)
def test_wrong_texts_are_clear_errors(X, settings, message):
    with pytest.raises(ValueError, match=message):
        SequenceTokenizer(**settings).fit(X)


def test_a_table_of_one_column_holds_texts():
    expected = SequenceTokenizer().fit(["a b", "c"]).tokens_
    assert SequenceTokenizer().fit(pd.DataFrame({"text": ["a b", "c"]})).tokens_ == expected
    assert SequenceTokenizer().fit(np.array([["a b"], ["c"]])).tokens_ == expected


def test_texts_without_tokens_are_unknown_or_bounds_alone():
    plain = SequenceTokenizer().fit(["a"])
    assert plain.transform(["", " "])[1].tolist() == [1]
    bounded = SequenceTokenizer(boundaries=True).fit(["a"])
    assert bounded.transform([""])[0].tolist() == [2, 3]
    assert bounded.inverse_transform([[2, 3]]) == [""]


def test_texts_may_spell_what_stands_for_something_else():
    tokenizer = SequenceTokenizer(pattern=r"\S+").fit(["a <pad>"])
    assert tokenizer.transform(["<pad> a"])[0].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([[99]], "X holds the id 99, but SequenceTokenizer knows tokens from 0 to 2"),
        ([[0.5]], "sequences of ids, whole numbers"),
        ([1, 2], "sequences of ids, whole numbers"),
    ],
)
def test_wrong_ids_are_clear_errors(ids, message):
    tokenizer = SequenceTokenizer().fit(["a"])
    assert tokenizer.inverse_transform([[2.0, np.nan]]) == ["a"]
    with pytest.raises(ValueError, match=message):
        tokenizer.inverse_transform(ids)


def test_whole_numbers_are_filled_up_as_they_are():
    assert SequencePadder().fit_transform([[1, 2, -3], [4]]).tolist() == [[1, 2, -3], [4, -1, -1]]
    assert SequencePadder().fit_transform([[1, -2, 3], [4]])[0].tolist() == [1, -2, 3]
    assert SequencePadder().fit_transform(np.array([[1, -2], [3, 4]])).tolist() == [[1, -2], [3, 4]]
    with pytest.raises(ValueError, match=r"padding_value=0.5 cannot stand among whole numbers"):
        SequencePadder(padding_value=0.5).fit_transform([[1, 2], [3]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaling_keeps_the_precision(dtype):
    X = [x.astype(dtype) for x in RAGGED]
    assert SequenceScaler().fit_transform(X)[0].dtype == dtype


def test_sequences_are_filled_up_and_cut():
    ids = [[1, 2, 3], [4]]
    assert SequencePadder().fit_transform(ids).tolist() == [[1, 2, 3], [4, -1, -1]]
    settings = dict(max_length=2, padding_value=0)
    assert SequencePadder(**settings).fit_transform(ids).tolist() == [[1, 2], [4, 0]]
    assert SequencePadder(**settings, keep="end").fit_transform(ids).tolist() == [[2, 3], [4, 0]]
    filled = SequencePadder().fit_transform(RAGGED)
    assert filled.shape == (2, 2, 2)
    assert np.isnan(filled[1, 1]).all()


def test_scaling_goes_over_all_steps():
    scaler = SequenceScaler().fit(RAGGED)
    assert_allclose(scaler.mean_, [3, 10])
    assert_allclose(scaler.scale_, [np.std([1, 3, 5]), 1])
    scaled = scaler.transform(RAGGED)
    assert_allclose(np.concatenate(scaled)[:, 0].std(), 1)
    for again, x in zip(scaler.inverse_transform(scaled), RAGGED, strict=True):
        assert_allclose(again, x)
    array = np.full((2, 2, 2), np.nan)
    array[0], array[1, :1] = RAGGED
    filled = scaler.transform(array)
    assert_allclose(filled[0], scaled[0])
    assert_array_equal(np.isnan(filled[1, 1]), True)
    with pytest.raises(ValueError, match="have 1 features, but SequenceScaler is expecting 2"):
        scaler.transform([[1.0, 2.0]])
    only = SequenceScaler(with_mean=False, with_std=False).fit(RAGGED)
    assert_allclose(only.transform(RAGGED)[0], RAGGED[0])
