"""Convolutional estimators: what they take, what they learn, and what they hold."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC
from torch.utils.data import TensorDataset

from sknets.cnn import VGG, CNNClassifier, CNNRegressor, ConvNet

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

digits = load_digits()
X, y = digits.images[:200] / 16, digits.target[:200]
ROWS = X.reshape(200, -1)
SMALL = dict(
    architecture=ConvNet(channels=(4, 6), dense=10),
    batch_size=50,
    max_iter=3,
    random_state=0,
    precision="float32",
)


def classifier(**settings):
    return CNNClassifier(**SMALL | settings)


def test_rows_and_arrays_are_interchangeable():
    rows = X.reshape(200, -1)
    from_arrays = classifier().fit(X, y)
    from_rows = classifier(image_shape=(8, 8)).fit(rows, y)
    assert from_arrays.image_shape_ == from_rows.image_shape_ == (1, 8, 8)
    assert from_arrays.n_features_in_ == 64
    expected = from_arrays.predict_proba(X)
    for other in (from_rows.predict_proba(X), from_arrays.predict_proba(rows)):
        assert_array_equal(other, expected)


def test_channels_may_be_last():
    colours = np.stack([X, X**2, 1 - X], axis=1)
    first = classifier().fit(colours, y)
    last = classifier(channels="last").fit(np.moveaxis(colours, 1, -1), y)
    assert first.image_shape_ == last.image_shape_ == (3, 8, 8)
    assert_allclose(
        first.predict_proba(colours),
        last.predict_proba(np.moveaxis(colours, 1, -1)),
        rtol=1e-4,
        atol=1e-6,
    )


def test_rows_without_a_shape_are_signals():
    clf = classifier().fit(X.reshape(200, -1), y)
    assert clf.image_shape_ == (1, 64)
    assert isinstance(clf.module_.network.features[0], torch.nn.Conv1d)


def test_signals_have_channels():
    clf = classifier(signal=True).fit(X, y)
    assert clf.image_shape_ == (8, 8)
    assert clf.module_.network.features[0].in_channels == 8


def test_whole_numbers_are_scaled():
    pixels = np.rint(X * 255).astype(np.uint8)
    scaled = (pixels / np.float32(255)).astype(np.float32)
    whole = classifier().fit(pixels, y)
    assert_array_equal(
        whole.predict_proba(pixels), classifier().fit(scaled, y).predict_proba(scaled)
    )


@pytest.mark.parametrize(
    ("settings", "data", "message"),
    [
        (
            {"image_shape": (8, 9)},
            X.reshape(200, -1),
            r"'image_shape' parameter .* 64 values in all\. Got \(8, 9\)",
        ),
        (
            {"image_shape": (1, 1, 8, 8)},
            X.reshape(200, -1),
            r"must be \(height, width\), or .* Got \(1, 1, 8, 8\)",
        ),
        ({"signal": True}, X[:, None], r"must be \(length,\), or .* Got \(1, 8, 8\)"),
        ({"image_shape": (5, 5)}, X, r"'image_shape' parameter .* Got \(5, 5\)"),
        ({"image_shape": (-8, -8)}, ROWS, r"'image_shape' parameter .* Got \(-8, -8\)"),
        ({"image_shape": ("8", "8")}, ROWS, "'image_shape' parameter .* Got .'8', '8'"),
        ({"architecture": ConvNet}, X, r"a description, such as ConvNet\(\), not its class"),
        ({"architecture": ConvNet(channels=())}, X, "'channels' parameter of ConvNet must hold"),
        ({"architecture": ConvNet(dense=(4, "a"))}, X, "'dense' parameter of ConvNet must hold"),
        ({"weights": SVC().fit(ROWS[:20], y[:20])}, X, "'weights' parameter must hold a conv"),
        ({"architecture": "vgg10"}, X, r"'architecture' parameter of CNNClassifier.*vgg16"),
        ({"architecture": VGG()}, X, "VGG needs images of 32 x 32, 1 channel"),
        ({"architecture": ConvNet(channels=0)}, X, "'channels' parameter of ConvNet"),
    ],
)
def test_wrong_input_is_one_clear_error(settings, data, message):
    clf = classifier(**settings)
    with pytest.raises(ValueError, match=message):
        clf.fit(data, y)
    assert not [name for name in vars(clf) if name.endswith("_")]


def test_images_of_another_shape_are_refused_at_predict():
    clf = classifier().fit(X, y)
    with pytest.raises(ValueError, match="X has 49 features, but CNNClassifier is expecting 64"):
        clf.predict(X[:, :7, :7])


def test_images_laid_out_otherwise_are_refused_after_the_fit():
    colours = np.stack([X, X**2, 1 - X], axis=1)
    last = np.moveaxis(colours, 1, -1)
    clf = classifier().fit(colours, y)
    for use in (clf.predict, lambda images: clf.partial_fit(images, y)):
        with pytest.raises(ValueError, match=r"images of shape \(8, 8, 3\), .* \(3, 8, 8\)"):
            use(last)
    expected = clf.predict_proba(colours)
    clf.set_params(channels="last")  # for the next fit
    assert_array_equal(clf.predict_proba(colours), expected)
    with pytest.raises(ValueError, match=r"'channels' parameter .* cannot change"):
        clf.partial_fit(last, y)
    rows = classifier(warm_start=True).fit(ROWS, y).set_params(image_shape=(8, 8))
    with pytest.raises(ValueError, match=r"'image_shape' parameter .* cannot change"):
        rows.fit(ROWS, y)


@pytest.mark.parametrize("kind", ["frame", "sparse", "images", "rows", "list"])
def test_bytes_are_shares_in_whatever_they_come(kind):
    pixels = np.rint(X * 255).astype(np.uint8)
    rows = pixels.reshape(200, -1)
    labels = torch.tensor(y)
    given = {
        "frame": lambda: pd.DataFrame(rows),
        "sparse": lambda: sp.csr_array(rows),
        "images": lambda: TensorDataset(torch.tensor(pixels), labels),
        "rows": lambda: TensorDataset(torch.tensor(rows), labels),
        "list": lambda: list(pixels),
    }[kind]()
    expected = classifier().fit(pixels, y).predict_proba(pixels)
    shape = (8, 8) if kind in ("frame", "sparse", "rows") else None
    clf = classifier(image_shape=shape).fit(given, None if kind in ("images", "rows") else y)
    assert clf.image_shape_ == (1, 8, 8)
    assert_allclose(clf.predict_proba(given), expected, atol=1e-6)


def test_views_set_after_the_fit_are_checked():
    clf = classifier().fit(X, y)
    for tta in ("five", 5, ("flip", "five")):
        with pytest.raises(ValueError, match="'tta' parameter of CNNClassifier must"):
            clf.set_params(tta=tta).predict(X)


def test_search_reaches_into_the_architecture_and_over_kinds():
    grid = [{"architecture__dense": [5, 10]}, {"architecture": [ConvNet(channels=2, dense=())]}]
    search = GridSearchCV(classifier(max_iter=1), grid, cv=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 3


def test_transform_gives_the_values_before_the_last_layer():
    clf = classifier().fit(X, y)
    features = clf.transform(X)
    assert features.shape == (200, 10)
    head = clf.module_.network.head
    scores = features @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    assert_allclose(scores, clf.decision_function(X), rtol=1e-4, atol=1e-5)
    assert len(clf.get_feature_names_out()) == 10


def test_bfloat16_learns_as_float32_does_and_predicts_in_it():
    accuracies = {
        precision: classifier(precision=precision, max_iter=60, learning_rate_init=0.01)
        .fit(X, y)
        .score(X, y)
        for precision in ("float32", "bfloat16")
    }
    assert min(accuracies.values()) > 0.95
    clf = classifier(precision="bfloat16").fit(X, y)
    assert all(p.dtype == torch.float64 for p in clf.module_.parameters())  # as X is
    assert_allclose(clf.predict_proba(X[:7]), clf.predict_proba(X)[:7], atol=1e-6)


def test_regressor_learns_the_brightness():
    brightness = X.mean(axis=(1, 2)) * 10
    reg = CNNRegressor(**SMALL | dict(max_iter=100, learning_rate_init=0.01)).fit(X, brightness)
    assert reg.score(X, brightness) > 0.8


@pytest.mark.parametrize(
    ("name", "value"), [("channels", "last"), ("signal", True), ("image_shape", (4, 16))]
)
def test_how_images_are_read_cannot_change_when_training_goes_on(name, value):
    clf = classifier().fit(X, y)
    before = clf.predict_proba(X)
    clf.set_params(**{name: value})
    with pytest.raises(ValueError, match=rf"The '{name}' parameter of CNNClassifier cannot change"):
        clf.partial_fit(ROWS, y)
    assert_array_equal(clf.predict_proba(X), before)
    same = {"channels": "first", "signal": False, "image_shape": [8, 8]}[name]
    clf.set_params(**{name: same}).partial_fit(ROWS, y)
