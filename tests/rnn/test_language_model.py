"""Language models: probabilities that add up, states that go on, and texts that are drawn."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import sknets
from sknets._params import InvalidParameterError
from sknets.rnn import LanguageModel
from sknets.rnn.language_network import WindowData

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

TEXT = "the cat sat on the mat. " * 20
LINES = ["a rose is a rose", "is a rose a rose"] * 20
SMALL = dict(
    hidden_layer_sizes=(32,),
    window=8,
    batch_size=4,
    learning_rate="one_cycle",
    learning_rate_init=0.02,
    random_state=0,
)


@pytest.fixture(scope="module")
def learnt():
    return LanguageModel(**SMALL, max_iter=60).fit(TEXT)


@pytest.fixture(scope="module")
def words():
    settings = SMALL | dict(hidden_layer_sizes=(16,), window=4, embedding_dim=8)
    return LanguageModel("word", **settings, max_iter=60).fit(LINES)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_repeated_text_is_learnt(cell):
    model = LanguageModel(**SMALL, cell=cell, max_iter=60).fit(TEXT)
    assert model.score(TEXT) > -0.2
    assert model.perplexity(TEXT) == pytest.approx(np.exp(-model.score(TEXT)))


def test_tied_weights_are_one_matrix_whatever_happens_to_the_model(tmp_path):
    settings = SMALL | dict(hidden_layer_sizes=(8, 16), embedding_dim=16, tie_weights=True)
    model = LanguageModel(**settings, max_iter=3).fit(TEXT)
    sknets.save(model, tmp_path / "model.sknets")
    score = model.score(TEXT)
    for kept in (model, pickle.loads(pickle.dumps(model)), sknets.load(tmp_path / "model.sknets")):
        assert kept.score(TEXT) == score
        network = kept.partial_fit(TEXT).module_
        assert network.head.weight is network.reader.embedding.weight
        assert network.head.weight.requires_grad
    n = sum(p.numel() for p in model.module_.parameters())
    untied = LanguageModel(**settings | {"tie_weights": False}, max_iter=1).fit(TEXT)
    n_tokens = len(model.tokens_)
    assert sum(p.numel() for p in untied.module_.parameters()) == n + 16 * n_tokens


@pytest.mark.parametrize("embedding_dim", [None, 8])
def test_tied_weights_take_embeddings_of_the_last_layers_size(embedding_dim):
    model = LanguageModel(**SMALL, tie_weights=True, embedding_dim=embedding_dim)
    with pytest.raises(ValueError, match="embedding_dim=32"):
        model.fit(TEXT)


def test_the_probability_of_a_text_is_the_product_of_its_tokens(learnt):
    text, ids = "the mat.", learnt.tokenizer_.vocabulary_
    begun = [text[:i] for i in range(len(text) + 1)]
    p = learnt.predict_proba(begun)
    assert_allclose(p.sum(1), 1, rtol=1e-5)
    tokens = [ids[c] for c in text] + [ids["<end>"]]
    assert_allclose(np.log(p[np.arange(9), tokens]).sum(), learnt.score_samples([text]), rtol=1e-4)


def test_an_empty_text_is_its_end_alone(learnt, words):
    for model, empty in ((learnt, ""), (words, ""), (words, "  ")):
        end = model.tokens_.index("<end>")
        expected = np.log(model.predict_proba([empty])[0, end])
        assert_allclose(model.score_samples([empty]), [expected], rtol=1e-5)
    texts = ["abc", "", "abd", ""] * 30
    model = LanguageModel(**SMALL, max_iter=20).fit(texts)
    p = dict(zip(model.tokens_, model.predict_proba([""])[0], strict=True))
    assert p["<unk>"] < 0.01
    assert p["<end>"] > 0.1


def test_words_are_what_a_pattern_finds():
    texts = ["the <unk> of mr. x isn't here"] * 20
    model = LanguageModel("word", pattern=r"\S+", **SMALL, max_iter=30).fit(texts)
    assert set(model.tokens_[4:]) == {"the", "of", "mr.", "x", "isn't", "here"}
    copy = pickle.loads(pickle.dumps(model))
    assert copy.set_params(pattern=None).perplexity(texts) == model.perplexity(texts) < 1.5
    assert model.predict_proba(["the"])[0].argmax() == model.tokens_.index("<unk>")
    marks = LanguageModel("word", **SMALL, max_iter=1).fit(texts)
    assert {"<", "unk", ">", "mr", "."} < set(marks.tokens_)
    with pytest.raises(InvalidParameterError, match="'pattern' parameter of LanguageModel must be"):
        LanguageModel("word", pattern="(").fit(texts)


def test_a_table_of_one_column_holds_texts(words):
    table = pd.DataFrame({"text": LINES})
    again = LanguageModel(**words.get_params()).fit(table)
    assert again.tokens_ == words.tokens_
    assert_array_equal(again.score_samples(table), words.score_samples(LINES))


def test_what_a_prompt_says_is_not_changed(words):
    made = words.sample(prompt="A  zebra is", max_length=3, random_state=0)
    assert made[0].startswith("A  zebra is ")
    assert words.sample(prompt="x", max_length=1, temperature=0, random_state=0)[0][:1] == "x"
    tiny = words.sample(3, temperature=1e-310, max_length=3, random_state=0)
    assert tiny == words.sample(3, temperature=0, max_length=3, random_state=0)


@pytest.mark.parametrize(
    "changed",
    [
        dict(level="character"),
        dict(lowercase=True),
        dict(pattern=r"\S+"),
        dict(tie_weights=True),
    ],
)
def test_what_weights_mean_cannot_change(changed):
    settings = SMALL | dict(hidden_layer_sizes=(8,), embedding_dim=8, max_iter=1)
    model = LanguageModel("word", **settings, warm_start=True).fit(LINES)
    before = model.score(LINES)
    model.set_params(**changed)
    (name,) = changed
    for train in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=f"The '{name}' parameter of .* cannot change"):
            train(LINES)
    assert model.score(LINES) == before


def test_scores_do_not_depend_on_how_many_steps_are_held(learnt, monkeypatch):
    expected = learnt.score_samples([TEXT, "the"])
    monkeypatch.setattr("sknets.rnn.language_network.STEPS", 7)
    assert_allclose(learnt.score_samples([TEXT, "the"]), expected, rtol=1e-5)


def test_scores_do_not_depend_on_what_is_scored_with_them(learnt):
    texts = [TEXT[:n] for n in (3, 300, 1, 40)]
    together = learnt.score_samples(texts)
    assert_allclose(together, [learnt.score_samples([text])[0] for text in texts], rtol=1e-4)
    n = [len(text) + 1 for text in texts]
    assert learnt.score(texts) == pytest.approx(together.sum() / sum(n), rel=1e-5)
    bits = -together.sum() / np.log(2) / sum(map(len, texts))
    assert learnt.bits_per_character(texts) == pytest.approx(bits, rel=1e-5)


def test_samples_are_texts_of_what_was_learnt(words):
    texts = words.sample(50, random_state=0)
    assert len(texts) == 50
    assert len(set(texts) & set(LINES)) >= 1
    assert set(" ".join(texts).split()) <= {"a", "rose", "is"}
    assert texts == words.sample(50, random_state=0)
    assert texts != words.sample(50, random_state=1)
    assert np.mean([text in LINES for text in texts]) > 0.8


def test_samples_follow_their_prompt_temperature_and_length(learnt):
    (greedy,) = learnt.sample(prompt="the c", temperature=0, max_length=6, random_state=0)
    assert greedy == "the cat sat"
    assert learnt.sample(prompt="the c", top_k=1, max_length=6, random_state=3) == [greedy]
    hot = learnt.sample(20, temperature=50.0, max_length=30, random_state=0)
    cold = learnt.sample(20, temperature=0.1, max_length=30, random_state=0)
    assert len(set(hot)) > len(set(cold))
    assert max(map(len, hot)) <= 30
    assert not any("<" in text for text in hot)


def test_frequencies_of_samples_are_the_probabilities(words):
    p = words.predict_proba(["a rose"])[0]
    drawn = words.sample(2000, prompt="a rose", max_length=1, random_state=0)
    share = np.mean([text == "a rose is" for text in drawn])
    known = p[words.tokens_.index("<end>") :]  # the marks before are never drawn
    assert share == pytest.approx(p[words.tokens_.index("is")] / known.sum(), abs=0.05)


def test_unknown_tokens_are_scored_as_such(words):
    assert words.score(["a tulip is a tulip"]) < words.score(["a rose is a rose"])
    few = LanguageModel("word", **SMALL, vocabulary_size=5, max_iter=1).fit(LINES)
    assert few.tokens_ == ["<pad>", "<unk>", "<start>", "<end>", "a"]


def test_windows_follow_each_other_in_every_part():
    ids = torch.arange(101)
    data = WindowData(ids, 4, 6, torch.float32, torch.device("cpu"))
    for generator in (None, torch.Generator().manual_seed(0)):
        batches = list(data.epoch(generator))
        parts = torch.cat([batch.x.ids for batch in batches], 1)
        assert_array_equal(parts.diff(), 1)
        assert [batch.x.first for batch in batches] == [True] + [False] * (len(batches) - 1)
        targets = torch.cat([batch.y.view(4, -1) for batch in batches], 1)
        assert_array_equal(targets, parts + 1)
        assert len(parts.unique()) == parts.numel() > 101 - 4 - 6


def test_states_go_on_between_windows_and_gradients_do_not():
    """What came long before a window is remembered: a period longer than it is learnt."""
    text = "abcdefgh" * 60
    model = LanguageModel(**SMALL | dict(window=2), max_iter=60).fit(text)
    assert model.score(text) > -0.1


def test_early_stopping_watches_the_end_of_the_text():
    model = LanguageModel(**SMALL, max_iter=6, early_stopping=True).fit(TEXT)
    assert len(model.validation_scores_) == 6
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_validation_score_ < 0


def test_training_goes_on_with_more_text(learnt):
    model = LanguageModel(**SMALL, max_iter=1).fit(TEXT)
    before = model.score(TEXT)
    for _ in range(5):
        model.partial_fit(TEXT)
    assert model.score(TEXT) > before


def test_bfloat16_learns_too():
    model = LanguageModel(**SMALL, precision="bfloat16", max_iter=60).fit(TEXT)
    assert model.score(TEXT) > -0.3


def test_fitted_models_are_pickled(learnt):
    again = pickle.loads(pickle.dumps(learnt))
    assert_allclose(again.score_samples([TEXT]), learnt.score_samples([TEXT]), rtol=1e-6)
    assert again.tokens_ == learnt.tokens_


@pytest.mark.parametrize(
    ("X", "settings", "message"),
    [
        ("", {}, "X must hold a text that is not empty"),
        ([], {}, "X holds no texts"),
        (["", ""], {}, "X must hold a text that is not empty"),
        (None, {}, "X must be an iterable of texts. Got NoneType"),
        ({"a": "b"}, {}, "X must be an iterable of texts. Got dict"),
        (pd.DataFrame({"a": LINES, "b": LINES}), {}, "X must hold texts. Got array"),
        ([1, 2], {}, "X must hold texts. Got 1 at place 0"),
        (TEXT, {"solver": "lbfgs"}, "needs a stochastic solver"),
        (TEXT, {"curriculum": "linear"}, "knows no curriculum"),
        (TEXT, {"level": "letter"}, "'level' parameter of LanguageModel"),
        (TEXT, {"vocabulary_size": 4}, "'vocabulary_size' parameter of LanguageModel"),
    ],
)
def test_wrong_input_is_one_clear_error(X, settings, message):
    model = LanguageModel(**settings)
    with pytest.raises(ValueError, match=message):
        model.fit(X)
    assert not [name for name in vars(model) if name.endswith("_")]


def test_wrong_samples_are_clear_errors(learnt):
    for settings in ({"n_samples": 0}, {"temperature": -1.0}, {"top_k": 0}, {"max_length": 0}):
        with pytest.raises(ValueError, match=f"'{next(iter(settings))}' parameter of sample"):
            learnt.sample(**settings)
