"""Captions of images: what is seen, what is written, and how it is scored."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sacrebleu
import torch
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from sknets.cnn import CNNClassifier, ConvNet
from sknets.rnn import ImageCaptioner

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

digits = load_digits()
FEW = np.flatnonzero(digits.target < 4)[:240]
X, y = digits.images[FEW] / 16, digits.target[FEW]
NAMES = np.array(["zero", "one", "two", "three"])
CAPTIONS = [f"it is a {name} ." for name in NAMES[y]]
SMALL = dict(
    architecture=ConvNet(channels=8, dense=16),
    hidden_layer_sizes=(24,),
    embedding_dim=8,
    batch_size=20,
    max_iter=30,
    learning_rate="one_cycle",
    learning_rate_init=0.01,
    random_state=0,
)


def captioner(**settings):
    return ImageCaptioner(**SMALL | settings)


@pytest.fixture(scope="module")
def learnt():
    return captioner().fit(X[:200], CAPTIONS[:200])


@pytest.mark.parametrize(
    "settings",
    [dict(inject="start", cell="lstm", max_iter=60), dict(cell="lstm"), dict(beam_size=3)],
)
def test_digits_are_named(settings):
    model = captioner(**settings).fit(X[:200], CAPTIONS[:200])
    written = model.predict(X[200:])
    assert np.mean([a == b for a, b in zip(written, CAPTIONS[200:], strict=True)]) > 0.8


def test_rows_arrays_and_channels_are_interchangeable(learnt):
    expected = learnt.predict(X[200:])
    assert learnt.image_shape_ == (1, 8, 8)
    assert learnt.predict(X[200:, None]) == learnt.predict(X[200:].reshape(40, 64)) == expected
    rows = captioner(image_shape=(8, 8)).fit(X[:200].reshape(200, 64), CAPTIONS[:200])
    assert rows.predict(X[200:]) == expected


def test_several_captions_of_an_image_are_all_learnt_from():
    other = [f"a {name} can be seen" for name in NAMES[y]]
    both = list(zip(CAPTIONS, other, strict=True))
    model = captioner(max_iter=40).fit(X[:200], both[:200])
    assert set(model.predict(X)) <= set(CAPTIONS + other)
    assert model.score(X[200:], both[200:]) > 0.8


def test_the_score_of_short_captions_is_that_of_shorter_runs():
    short = [text.split()[-1] for text in CAPTIONS]
    model = captioner(max_iter=40).fit(X[:200], short[:200])
    right = model.predict(X[:200])
    assert model.score(X[:200], right) == 1
    assert model.score(X[:200], ["otherwise"] * 200) == 0


def test_the_score_is_bleu(learnt):
    written = learnt.predict(X[200:])
    for n in (1, 4):
        metric = sacrebleu.BLEU(tokenize="none", max_ngram_order=n, smooth_method="none")
        expected = metric.corpus_score(written, [CAPTIONS[200:]]).score / 100
        assert learnt.bleu(X[200:], CAPTIONS[200:], n=n) == pytest.approx(expected)
    assert learnt.score(X[200:], CAPTIONS[200:]) == pytest.approx(expected)
    assert learnt.score(X[200:], ["something else entirely today"] * 40) == 0
    varying = [[CAPTIONS[i]] * (1 + i % 3) for i in range(200, 240)]
    assert learnt.score(X[200:], varying) == pytest.approx(expected)


def test_both_networks_are_trained():
    start = captioner(max_iter=1, learning_rate_init=1e-12).fit(X, CAPTIONS)
    learnt = captioner(max_iter=1).fit(X, CAPTIONS)
    pairs = zip(start.module_.parameters(), learnt.module_.parameters(), strict=True)
    assert all(not torch.allclose(a, b) for a, b in pairs)


def test_weights_of_a_classifier_are_where_it_starts():
    settings = dict(architecture=SMALL["architecture"], max_iter=5, batch_size=20, random_state=0)
    source = CNNClassifier(**settings).fit(X, y)
    model = captioner(weights=source, max_iter=1, learning_rate_init=1e-12).fit(X, CAPTIONS)
    theirs = source.module_.network.features
    for a, b in zip(
        model.module_.encoder.vision.network.features.parameters(), theirs.parameters(), strict=True
    ):
        assert torch.allclose(a, b.to(a.dtype), atol=1e-6)
    other = CNNClassifier(**settings | dict(architecture=ConvNet(channels=3))).fit(X, y)
    with pytest.raises(ValueError, match="weights are those of another network"):
        captioner(weights=other).fit(X, CAPTIONS)


def test_bytes_are_shares_of_255_whatever_holds_them():
    images = (X[:100] * 255).astype(np.uint8)
    arrays = captioner(max_iter=2).fit(images, CAPTIONS[:100])
    rows = captioner(max_iter=2, image_shape=(8, 8))
    for table in (pd.DataFrame(images.reshape(100, 64)), images.reshape(100, 64)):
        rows.fit(table, CAPTIONS[:100])
        for a, b in zip(arrays.module_.parameters(), rows.module_.parameters(), strict=True):
            assert torch.equal(a, b)


def test_weights_in_a_search_are_frozen():
    settings = dict(architecture=SMALL["architecture"], max_iter=2, batch_size=20, random_state=0)
    source = FrozenEstimator(CNNClassifier(**settings).fit(X, y))
    # BLEU of what two epochs teach may be undefined; whether the search runs is what counts.
    search = GridSearchCV(
        captioner(weights=source, max_iter=2), {"inject": ["each", "start"]}, cv=2, scoring=written
    )
    assert len(search.fit(X[:60], CAPTIONS[:60]).predict(X[:3])) == 3


def written(estimator, X, y):
    return np.mean([a == b for a, b in zip(estimator.predict(X), y, strict=True)])


def test_fitted_captioners_are_pickled(learnt):
    again = pickle.loads(pickle.dumps(learnt))
    assert_array_equal(again.predict(X[:9]), learnt.predict(X[:9]))


@pytest.mark.parametrize(
    ("images", "texts", "settings", "message"),
    [
        (X, None, {}, "requires y to be passed"),
        (X[:3], [1, 2, 3], {}, "y must hold texts, one or several of each image"),
        (X[:3], "abc", {}, "y must hold texts, one or several of each image"),
        (X[:3], [["a"], [], ["b"]], {}, "y must hold texts, one or several of each image"),
        (X, CAPTIONS, {"architecture": "vgg10"}, "'architecture' parameter of ImageCaptioner: "),
        (X, [[1, 2]] * 240, {}, "y must hold texts, one or several of each image"),
        (X, CAPTIONS[:5], {}, r"inconsistent numbers of samples: \[240, 5\]"),
        (X, CAPTIONS, {"image_shape": (4, 4)}, "'image_shape' parameter of ImageCaptioner"),
        (X, CAPTIONS, {"architecture": "vgg16"}, "VGG needs images of 32 x 32"),
        (X, CAPTIONS, {"inject": "never"}, "'inject' parameter of ImageCaptioner"),
    ],
)
def test_wrong_input_is_one_clear_error(images, texts, settings, message):
    model = captioner(**settings)
    with pytest.raises(ValueError, match=message):
        model.fit(images, texts)
    assert not [name for name in vars(model) if name.endswith("_")]


def test_other_images_are_refused_at_predict(learnt):
    with pytest.raises(ValueError, match="X has 49 features, but ImageCaptioner is expecting 64"):
        learnt.predict(X[:, :7, :7])
    with pytest.raises(ValueError, match=r"images of shape \(1, 4, 16\), .* \(1, 8, 8\)"):
        learnt.predict(X.reshape(-1, 4, 16))
