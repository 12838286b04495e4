"""Displays of recurrent networks: what colours say, and that gradients are the mathematics'."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sknets import LanguageModel, MLPClassifier, RNNClassifier, RNNRegressor, RNNTagger
from sknets.inspection import GradientNormDisplay, HiddenStatesDisplay, TextDisplay
from sknets.preprocessing import SequenceTokenizer

pyplot = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(40, 9))
TOTALS = SERIES.sum(1)
SMALL = dict(hidden_layer_sizes=(6,), max_iter=2, batch_size=20, random_state=0)
TEXT = "to be or not to be.\nthat is the question. " * 10


@pytest.fixture(scope="module")
def language():
    return LanguageModel(hidden_layer_sizes=(12, 7), window=8, max_iter=3, random_state=0).fit(TEXT)


@pytest.fixture(scope="module")
def words():
    settings = dict(hidden_layer_sizes=(12,), window=4, max_iter=3, random_state=0)
    return LanguageModel("word", **settings).fit(TEXT)


# -- texts


def test_colours_are_the_probabilities_of_the_characters(language):
    text = "to be that"
    display = TextDisplay.from_estimator(language, text)
    p = language.predict_proba([text[:i] for i in range(len(text))])
    expected = [row[language.tokens_.index(c)] for row, c in zip(p, text, strict=True)]
    assert_allclose(display.values, expected, rtol=1e-5)
    assert_allclose(display.im_.get_array()[0], expected, rtol=1e-5)
    assert [t.get_text() for t in display.text_] == list("tobethat")
    assert display.label == "probability"


def test_words_stand_apart_and_lines_end_where_they_must(words):
    display = TextDisplay.from_estimator(words, "to be or not to be", line_length=8)
    assert display.tokens == ["to", "be", "or", "not", "to", "be"]
    cells = display.im_.get_array()
    assert cells.shape == (3, 8)  # "to be or", "not to", "be"
    assert_allclose(cells[0, 0], cells[0, 1])
    assert np.isnan(np.ma.filled(cells, np.nan)[0, 2])


def test_line_feeds_end_lines(language):
    display = TextDisplay.from_estimator(language, "be.\nthat")
    assert display.im_.get_array().shape[0] == 2
    assert [t.get_position() for t in display.text_][3:5] == [(0, 1), (1, 1)]


@pytest.mark.parametrize(("layer", "n_units"), [(0, 12), (1, 7), (-1, 7)])
def test_a_unit_colours_a_text_by_its_output(language, layer, n_units):
    display = TextDisplay.from_estimator(language, "to be", unit=3, layer=layer)
    states = HiddenStatesDisplay.from_estimator(language, ["to be"], layer=layer)
    assert states.states.shape == (6, n_units)
    assert states.tokens == ["", *"to be"]
    assert_allclose(display.values, states.states[1:, 3])
    assert display.label == "unit 3"


def test_displays_draw_where_they_are_told(language):
    _, ax = pyplot.subplots()
    display = TextDisplay(["a", "b"], [0.1, 0.9]).plot(ax=ax, cmap="gray")
    assert display.ax_ is ax
    assert display.im_.get_cmap().name == "gray"
    assert len(display.figure_.axes) == 1  # no bar without a label


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(text=""), "The text has no character"),
        (dict(text=["to"]), "a fitted LanguageModel and a text"),
        (dict(unit=7), "'unit' parameter of TextDisplay must be a number from 0 to 6. Got 7"),
        (dict(unit=0, layer=2), "'layer' parameter of TextDisplay must be a number from -2 to 1"),
        (dict(line_length=0), "'line_length' parameter of TextDisplay.plot must be an int"),
    ],
)
def test_wrong_arguments_are_errors(language, settings, message):
    with pytest.raises(ValueError, match=message):
        TextDisplay.from_estimator(language, **{"text": "to be"} | settings)


# -- states


def test_states_are_those_of_transform():
    clf = RNNClassifier(**SMALL, states="all").fit(SERIES, TOTALS > 0)
    display = HiddenStatesDisplay.from_estimator(clf, SERIES[3:])
    assert_allclose(display.states.ravel(), clf.transform(SERIES[3:4])[0], rtol=1e-6)
    assert_allclose(display.im_.get_array(), display.states.T)


def test_states_of_what_a_pipeline_reads():
    texts = ["ab", "ba", "abba", "bb"] * 10
    pipe = make_pipeline(
        SequenceTokenizer("character"), RNNClassifier(vocabulary_size="auto", **SMALL)
    )
    search = GridSearchCV(pipe, {}, cv=2).fit(texts, [len(text) > 2 for text in texts])
    for fitted in (search, search.best_estimator_):
        display = HiddenStatesDisplay.from_estimator(fitted, ["bab", "a"])
        assert display.tokens == ["b", "a", "b"]
        labels = [label.get_text() for label in display.ax_.get_xticklabels()]
        assert labels == ["b", "a", "b"]


# -- gradients


def test_gradients_of_a_plain_network_are_products_of_jacobians():
    reg = RNNRegressor(cell="rnn", **SMALL).fit(SERIES, TOTALS)
    layer, head = reg.module_.recurrent.layers[0], reg.module_.head
    W, U, b, c = (
        getattr(layer, name).detach().double().numpy()
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    norms = np.zeros((40, 9))
    for i, row in enumerate(SERIES):
        h, states = np.zeros(6), []
        for x in row:
            h = np.tanh(W[:, 0] * x + b + U @ h + c)
            states.append(h)
        gradient = head.weight.detach().double().numpy()[0]
        for t in reversed(range(9)):
            norms[i, t] = np.linalg.norm(gradient)
            gradient = U.T @ ((1 - states[t] ** 2) * gradient)
    display = GradientNormDisplay.from_estimator(reg, SERIES)
    assert_allclose(display.norms, norms.mean(0)[::-1], rtol=1e-5)
    assert display.line_.get_label() == "RNNRegressor(cell='rnn')"
    assert display.ax_.get_yscale() == "log"


def test_gradients_of_an_lstm_count_its_memory():
    reg = RNNRegressor(cell="lstm", **SMALL).fit(SERIES, TOTALS)
    (found,) = GradientNormDisplay.from_estimator(reg, SERIES[:1]).norms[1:2]
    layer = reg.module_.recurrent.layers[0].double()
    x = torch.tensor(SERIES[:1, :, None])
    with torch.no_grad():
        inputs = x @ layer.weight_ih.T + layer.bias_ih
        state = (torch.zeros(1, 6).double(),) * 2
        for t in range(8):
            state = layer.step(inputs[:, t], state)
    state = [part.requires_grad_() for part in state]
    (layer.step(inputs[:, 8], state)[0] @ reg.module_.head.weight.double().T).sum().backward()
    assert_allclose(found, sum(part.grad.square().sum() for part in state).sqrt(), rtol=1e-5)


def test_gradients_vanish_or_live_as_theory_says():
    fading = RNNRegressor(cell="rnn", recurrent_init="normal", init_std=0.05, **SMALL)
    irnn = RNNRegressor(cell="rnn", activation="relu", recurrent_init="identity", **SMALL)
    for reg in (fading, irnn):
        reg.set_params(learning_rate_init=1e-12).fit(abs(SERIES), TOTALS)
    fading, irnn = (GradientNormDisplay.from_estimator(reg, abs(SERIES)) for reg in (fading, irnn))
    assert fading.norms[8] < 1e-4 * fading.norms[0]
    assert irnn.norms[8] > 0.5 * irnn.norms[0]


def test_gradients_of_sequences_of_unequal_length_are_aligned_at_their_ends():
    ragged = [row[: 3 + i % 5] for i, row in enumerate(SERIES)]
    reg = RNNRegressor(cell="gru", **SMALL).fit(ragged, TOTALS)
    norms = GradientNormDisplay.from_estimator(reg, ragged[4:5] + ragged[:1]).norms
    long = GradientNormDisplay.from_estimator(reg, ragged[4:5]).norms
    short = GradientNormDisplay.from_estimator(reg, ragged[:1]).norms
    assert (len(long), len(short)) == (7, 3)
    assert_allclose(norms[:3], np.mean([long[:3], short], axis=0))
    assert_allclose(norms[3:], long[3:])


def test_gradients_of_taggers_directions_and_language_models(language):
    tagger = RNNTagger(bidirectional=True, **SMALL).fit(SERIES, (SERIES > 0).astype(int))
    assert len(GradientNormDisplay.from_estimator(tagger, SERIES).norms) == 9
    for layer in (0, 1):
        display = GradientNormDisplay.from_estimator(language, ["to be"], layer=layer, name="net")
        assert len(display.norms) == 6
        assert display.line_.get_label() == "net"


def test_a_display_leaves_the_network_as_it_was(language):
    before = language.score_samples(["to be"])
    GradientNormDisplay.from_estimator(language, ["to be"])
    assert_allclose(language.score_samples(["to be"]), before, rtol=0)
    assert language.module_.recurrent.layers[0].fused


@pytest.mark.parametrize("display", [HiddenStatesDisplay, GradientNormDisplay])
def test_other_estimators_are_refused(display):
    with pytest.raises(NotFittedError):
        display.from_estimator(RNNClassifier(), SERIES)
    mlp = MLPClassifier(3, max_iter=1, random_state=0).fit(SERIES, TOTALS > 0)
    with pytest.raises(ValueError, match="must be a recurrent network or a language model"):
        display.from_estimator(mlp, SERIES)
