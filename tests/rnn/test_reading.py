"""What recurrent estimators read: other forms at later calls, Datasets, video, others' layers."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from torch.utils.data import Dataset, TensorDataset

from sknets import LanguageModel, RNNClassifier, RNNTagger
from sknets.cnn import ConvNet

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

RNG = np.random.default_rng(0)
RAGGED = [RNG.normal(size=(n, 2)) for n in RNG.integers(3, 9, 60)]
SIGNS = np.array([x.sum() > 0 for x in RAGGED])
ARRAY = RNG.normal(size=(60, 5, 2))
IDS = [RNG.integers(0, 4, n) for n in RNG.integers(2, 6, 60)]
SMALL = dict(hidden_layer_sizes=(8,), max_iter=2, batch_size=20, random_state=0)


def classifier(**settings):
    return RNNClassifier(**SMALL | settings)


class Listed(Dataset):
    """Pairs of a list."""

    def __init__(self, X, y):
        self.pairs = list(zip(X, y, strict=True))

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        return self.pairs[i]


@pytest.mark.parametrize("first", [RAGGED, ARRAY, ARRAY[:, :3]], ids=["ragged", "array", "short"])
@pytest.mark.parametrize("then", [RAGGED, ARRAY, ARRAY[:, :3]], ids=["ragged", "array", "short"])
def test_training_goes_on_with_sequences_of_other_lengths(first, then):
    clf = classifier().fit(first, SIGNS).partial_fit(then, SIGNS)
    assert clf.predict(then).shape == (60,)
    as_lists = classifier().fit(list(first), SIGNS).partial_fit(list(then), SIGNS)
    assert_allclose(clf.predict_proba(RAGGED), as_lists.predict_proba(RAGGED), atol=0.05)


def test_training_does_not_go_on_with_other_steps():
    clf = classifier().fit(RAGGED, SIGNS)
    with pytest.raises(ValueError, match=r"shape \(3,\), but RNNClassifier is expecting \(2,\)"):
        clf.partial_fit(np.ones((60, 4, 3)), SIGNS)


@pytest.mark.parametrize("X", [RAGGED, ARRAY], ids=["ragged", "array"])
def test_datasets_are_read_as_what_they_hold(X):
    expected = classifier().fit(X, SIGNS)
    for y in (SIGNS, None):
        clf = classifier().fit(Listed(X, SIGNS), y)
        assert_array_equal(clf.predict_proba(X), expected.predict_proba(X))
        assert_array_equal(clf.predict_proba(Listed(X, SIGNS)), expected.predict_proba(X))


def test_datasets_of_other_lengths_and_steps_at_predict():
    clf = classifier().fit(RAGGED, SIGNS)
    tensors = TensorDataset(torch.tensor(ARRAY))
    assert_allclose(clf.predict_proba(tensors), clf.predict_proba(ARRAY), atol=1e-12)
    with pytest.raises(ValueError, match=r"shape \(3,\), but RNNClassifier is expecting \(2,\)"):
        clf.predict(TensorDataset(torch.ones(4, 5, 3)))
    clf = classifier().fit(ARRAY, SIGNS)
    assert_allclose(clf.predict_proba(Listed(RAGGED, SIGNS)), clf.predict_proba(RAGGED))
    with pytest.raises(ValueError, match="0 sample"):
        clf.predict(Listed([], []))


def test_datasets_of_tokens():
    expected = classifier(vocabulary_size=4).fit(IDS, SIGNS).predict_proba(IDS)
    clf = classifier(vocabulary_size=4).fit(Listed(IDS, SIGNS))
    assert_array_equal(clf.predict_proba(Listed(IDS, SIGNS)), expected)


def test_an_embedding_is_one_of_tokens():
    expected = classifier(vocabulary_size="auto", embedding_dim=3).fit(IDS, SIGNS)
    clf = classifier(embedding_dim=3).fit(IDS, SIGNS)
    assert clf.vocabulary_size_ == 4
    assert_array_equal(clf.predict_proba(IDS), expected.predict_proba(IDS))


def test_taggers_take_datasets():
    labels = [(x[:, 0] > 0).astype(int) for x in RAGGED]
    expected = RNNTagger(**SMALL).fit(RAGGED, labels)
    clf = RNNTagger(**SMALL).fit(Listed(RAGGED, labels))
    for a, b in zip(
        clf.predict_proba(Listed(RAGGED, labels)), expected.predict_proba(RAGGED), strict=True
    ):
        assert_array_equal(a, b)


def test_what_is_set_after_the_fit_changes_nothing_that_is_read():
    clf = classifier(vocabulary_size="auto").fit(IDS, SIGNS)
    expected = clf.predict_proba(IDS)
    clf.set_params(vocabulary_size=None, embedding_dim=3, sequence_shape=(1, 1))
    assert_array_equal(clf.predict_proba(IDS), expected)
    rows = classifier(sequence_shape=(5, 2)).fit(ARRAY.reshape(60, 10), SIGNS)
    expected = rows.predict_proba(ARRAY)
    assert_array_equal(rows.set_params(sequence_shape=None).predict_proba(ARRAY), expected)


@pytest.mark.parametrize("shape", [(5, 2.0), (5, 0), (-5, -2), ("a", 1)])
def test_sequence_shape_holds_whole_numbers(shape):
    with pytest.raises(ValueError, match="'sequence_shape' parameter of RNNClassifier must hold"):
        classifier(sequence_shape=shape).fit(ARRAY.reshape(60, 10), SIGNS)


@pytest.mark.parametrize("X", [RAGGED, ARRAY, ARRAY[:, :, 0]], ids=["ragged", "array", "table"])
def test_bfloat16_multiplies_sequences_too(X):
    X = [x.astype(np.float32) for x in X] if isinstance(X, list) else X.astype(np.float32)
    half = classifier(precision="bfloat16").fit(X, SIGNS)
    full = classifier().fit(X, SIGNS)
    difference = abs(half.predict_proba(X) - full.predict_proba(X)).max()
    assert 0 < difference < 0.05


# -- summaries


@pytest.mark.filterwarnings("ignore:newton-cg failed to converge")
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("fused", [True, False])
def test_summary_counts_the_products_of_every_step(cell, fused):
    solver = "adam" if fused else "newton-cg"
    clf = classifier(cell=cell, solver=solver, max_iter=1).fit(ARRAY, SIGNS)
    frame = clf.summary().to_frame()
    gates = {"rnn": 1, "lstm": 4, "gru": 3}[cell]
    row = frame.loc["recurrent.layers.0"]
    assert row["multiply-adds"] == 5 * gates * 8 * (2 + 8)
    assert row["output"] == (5, 8)
    assert row["receptive field"] == (5,)
    assert frame["parameters"].sum() == sum(p.numel() for p in clf.module_.parameters())


@pytest.mark.parametrize(
    ("X", "settings", "time"),
    [
        (RAGGED, {}, 100),
        (IDS, {"vocabulary_size": 4}, 100),
        (IDS, {"vocabulary_size": 4, "embedding_dim": 3, "bidirectional": True}, 100),
        (ARRAY, {"pooling": "attention"}, 5),
    ],
    ids=["ragged", "one-hot", "embedded", "attention"],
)
def test_summary_of_all_that_is_read(X, settings, time):
    summary = classifier(**settings).fit(X, SIGNS).summary()
    assert summary.to_frame().loc["recurrent.dropout", "output"] == (
        8 * (1 + ("bidirectional" in settings)),
    )
    assert summary.layers[0].output_shape[0] == time


# -- video


class Video:
    """Bright squares that move to the right or to the left."""

    def __init__(self, n):
        self.y = RNG.integers(0, 2, n)
        self.X = np.zeros((n, 6, 8, 8), dtype=np.uint8)
        for frames, right, start in zip(self.X, self.y, RNG.integers(0, 6, n), strict=True):
            for t, frame in enumerate(frames):
                at = start + t if right else start - t
                frame[2:4, at % 8], frame[2:4, (at + 1) % 8] = 200, 200


VIDEO = Video(120)
SEEING = dict(encoder=ConvNet(channels=4, dense=16), max_iter=25, learning_rate_init=0.01)


def test_frames_are_seen_by_a_convolutional_network():
    clf = classifier(**SEEING).fit(VIDEO.X, VIDEO.y)
    assert clf.sequence_shape_ == (6, 8, 8)
    assert clf.score(VIDEO.X, VIDEO.y) > 0.9
    seen = "reader.vision.network.features"
    assert any(name.startswith(seen) for name in clf.summary().to_frame().index)


def test_forms_of_video_are_interchangeable():
    clf = classifier(**SEEING | dict(max_iter=2)).fit(VIDEO.X, VIDEO.y)
    expected = clf.predict_proba(VIDEO.X)
    for X in (
        VIDEO.X / 255,
        list(VIDEO.X),
        torch.tensor(VIDEO.X),
        TensorDataset(torch.tensor(VIDEO.X)),
        VIDEO.X.reshape(120, -1),
        pd.DataFrame(VIDEO.X.reshape(120, -1)),
    ):
        assert_allclose(clf.predict_proba(X), expected, atol=1e-5)
    channels = classifier(**SEEING | dict(max_iter=2)).fit(VIDEO.X[:, :, None], VIDEO.y)
    assert channels.sequence_shape_ == (6, 1, 8, 8)
    assert_allclose(channels.predict_proba(VIDEO.X[:, :, None]), expected, atol=1e-5)
    named = classifier(sequence_shape=(6, 8, 8), **SEEING | dict(max_iter=2))
    named.fit(VIDEO.X.reshape(120, -1), VIDEO.y)
    assert_allclose(named.predict_proba(VIDEO.X), expected, atol=1e-5)


def test_films_of_unequal_length_are_not_padded():
    films = [film[: 3 + i % 4] for i, film in enumerate(VIDEO.X)]
    clf = classifier(**SEEING | dict(max_iter=2)).fit(films, VIDEO.y)
    alone = np.concatenate([clf.predict_proba([film]) for film in films[:8]])
    assert_allclose(clf.predict_proba(films)[:8], alone, atol=1e-6)


def test_frames_get_labels():
    labels = np.repeat(VIDEO.y[:, None], 6, axis=1)
    clf = RNNTagger(**SMALL | SEEING | dict(bidirectional=True, sequence_shape=(6, 8, 8)))
    clf.fit(VIDEO.X, labels)
    assert clf.score(VIDEO.X, labels) > 0.9
    expected = clf.predict_proba(VIDEO.X)
    table = VIDEO.X.reshape(120, -1)
    for X in (table, pd.DataFrame(table), TensorDataset(torch.tensor(VIDEO.X))):
        assert_allclose(np.stack(list(clf.predict_proba(X))), expected, atol=1e-5)


def test_a_search_reaches_into_the_encoder():
    search = GridSearchCV(
        classifier(encoder=ConvNet(dense=8)), {"encoder__channels": [2, 3]}, cv=2
    ).fit(VIDEO.X, VIDEO.y)
    assert search.best_estimator_.module_.reader.vision.network is not None


@pytest.mark.parametrize(
    ("X", "settings", "message"),
    [
        (ARRAY, {"encoder": "convnet"}, r"each step \(channels, height, width\) .* Got .*\(2,\)"),
        (IDS, {"encoder": "convnet", "vocabulary_size": 4}, "An encoder reads images, not tokens"),
        (VIDEO.X[:60], {"encoder": "vgg16"}, "VGG needs images of"),
        (VIDEO.X[:60], {"encoder": "resnet19"}, "'encoder' parameter of RNNClassifier: .*resnet19"),
    ],
)
def test_what_an_encoder_cannot_see_is_an_error(X, settings, message):
    with pytest.raises(ValueError, match=message):
        classifier(**settings).fit(X, SIGNS)


# -- layers of others

TEXTS = ["abcab", "bcaa", "cab"] * 20


@pytest.fixture(scope="module")
def language():
    return LanguageModel(hidden_layer_sizes=(8,), embedding_dim=5, max_iter=5, window=4).fit(TEXTS)


def test_training_starts_from_the_layers_of_a_language_model(language):
    X = [ids[1:] for ids in language.tokenizer_.transform(TEXTS)]
    settings = dict(vocabulary_size="auto", embedding_dim=5, learning_rate_init=1e-12)
    for source in (language, FrozenEstimator(language)):
        clf = classifier(pretrain=source, **settings).fit(X, SIGNS)
        assert clf.vocabulary_size_ == len(language.tokens_)
        theirs = language.module_.state_dict()
        for name, value in clf.module_.state_dict().items():
            if name.startswith(("reader.", "recurrent.")):
                assert torch.allclose(value, theirs[name], atol=1e-9)
    search = GridSearchCV(classifier(pretrain=FrozenEstimator(language), **settings), {}, cv=2)
    assert search.fit(X, SIGNS).predict(X).shape == (60,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(embedding_dim=4), r"'reader.embedding.weight' has shape \(\d, 4\), it has one of"),
        (dict(cell="lstm"), r"weight_ih' has shape \(32, 5\), it has one of shape \(24, 5\)"),
        (dict(bidirectional=True), "forth.weight_ih' has shape .*, it has none"),
    ],
)
def test_other_layers_are_refused_by_name(language, settings, message):
    settings = dict(vocabulary_size="auto", embedding_dim=5, pretrain=language) | settings
    with pytest.raises(ValueError, match=message):
        classifier(**settings).fit(IDS, SIGNS)


def test_what_has_no_recurrent_layers_is_refused():
    with pytest.raises(NotFittedError, match="'pretrain' parameter holds a LanguageModel that is"):
        classifier(pretrain=LanguageModel(), vocabulary_size="auto").fit(IDS, SIGNS)
    with pytest.raises(ValueError, match="'pretrain' parameter must hold an estimator with recu"):
        classifier(pretrain=Ridge().fit([[0], [1]], [0, 1])).fit(RAGGED, SIGNS)
