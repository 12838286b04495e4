"""Codes in a plane, and what changes along them."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknets import Autoencoder, ConvAutoencoder, MLPClassifier, VariationalAutoencoder
from sknets.inspection import CodePlaneDisplay, LatentTraversalDisplay, WeightsDisplay
from sknets.inspection.codes import far_apart

pyplot = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

X, y = load_digits(return_X_y=True)
X, y = X[:200] / 16, y[:200]


@pytest.fixture(scope="module")
def coder():
    return Autoencoder((32, 3), max_iter=5, random_state=0).fit(X)


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def test_plane_has_the_codes_their_classes_and_some_images(coder):
    display = CodePlaneDisplay.from_estimator(coder, X, y, axes=(2, 0), n_images=12)
    codes = coder.transform(X)
    assert_array_equal(display.codes, codes[:, [2, 0]])
    assert len(display.scatter_) == 10
    drawn = np.concatenate([part.get_offsets() for part in display.scatter_])
    assert_allclose(np.sort(drawn[:, 0]), np.sort(codes[:, 2]), rtol=1e-6)
    assert len(display.boxes_) == len(set(display.places)) == 12
    assert_array_equal(display.images, X[display.places].reshape(-1, 8, 8))
    assert_allclose(display.boxes_[3].xy, codes[display.places[3], [2, 0]], rtol=1e-6)
    assert display.ax_.get_xlabel() == "code 2"


def test_plane_may_be_of_numbers_and_without_images(coder):
    display = CodePlaneDisplay.from_estimator(coder, X, X.mean(1), n_images=0)
    assert display.boxes_ == []
    assert_allclose(display.scatter_[0].get_array(), X.mean(1))
    assert len(CodePlaneDisplay.from_estimator(PCA(2).fit(X), X, n_images=3).scatter_) == 1


def test_images_are_far_apart():
    line = np.linspace(0, 1, 101)[:, None] * [1, 2]
    assert sorted(far_apart(line, 5)) == [0, 25, 50, 75, 100]
    assert len(far_apart(line, 1000)) == 101


def test_traversal_changes_one_number_of_the_code_at_a_time(coder):
    display = LatentTraversalDisplay.from_estimator(coder, X, n_steps=5, n_deviations=1.5)
    codes = coder.transform(X)
    order = np.argsort(-codes.std(0))
    path = np.tile(codes.mean(0), (5, 1))
    path[:, order[1]] += np.linspace(-1.5, 1.5, 5) * codes.std(0)[order[1]]
    expected = coder.inverse_transform(path).reshape(5, 8, 8)
    assert_allclose(display.images.reshape(3, 5, 8, 8)[1], expected, atol=1e-5)
    assert display.row_labels == [f"code {number}" for number in order]


def test_traversal_may_start_anywhere_and_be_of_a_pipeline_or_of_images(coder):
    display = LatentTraversalDisplay.from_estimator(coder, X, start=X[0], n_rows=1, n_steps=3)
    assert display.images.shape == (3, 8, 8)
    pipe = make_pipeline(StandardScaler(), Autoencoder(2, max_iter=2, random_state=0)).fit(X)
    assert LatentTraversalDisplay.from_estimator(pipe, X, n_steps=4).images.shape == (8, 8, 8)
    images = X.reshape(-1, 8, 8)
    conv = ConvAutoencoder(2, filters=4, max_iter=1, random_state=0).fit(images)
    assert LatentTraversalDisplay.from_estimator(conv, images, n_steps=4).images.shape == (8, 8, 8)
    assert CodePlaneDisplay.from_estimator(conv, images, n_images=2).images.shape == (2, 8, 8)


def test_first_weights_are_drawn_whether_or_not_there_are_convolutions():
    vae = VariationalAutoencoder(2, (6,), max_iter=1, random_state=0).fit(X)
    assert WeightsDisplay.from_estimator(vae).images.shape == (6, 8, 8)
    conv = ConvAutoencoder(2, filters=4, max_iter=1, image_shape=(8, 8), random_state=0).fit(X)
    assert WeightsDisplay.from_estimator(conv).images.shape == (4, 3, 3)


def test_traversal_of_a_conditional_network_is_of_one_class():
    names = np.array(["even", "odd"])[y % 2]
    vae = VariationalAutoencoder(2, (8,), conditional=True, max_iter=1, random_state=0)
    vae.fit(X, names)
    display = LatentTraversalDisplay.from_estimator(vae, X, y="odd", n_steps=3)
    codes = vae.transform(X, np.full(200, "odd"))
    middle = vae.inverse_transform(codes.mean(0, keepdims=True), ["odd"])
    assert_allclose(display.images[1].ravel(), middle[0], atol=1e-5)


def test_plane_takes_sparse_rows_and_data_frames(coder):
    expected = CodePlaneDisplay.from_estimator(coder, X, n_images=3).images
    for other in (csr_array(X), pd.DataFrame(X)):
        display = CodePlaneDisplay.from_estimator(coder, other, n_images=3)
        assert_array_equal(display.images, expected)


def test_plane_of_a_table_has_no_images(coder):
    table = np.random.default_rng(0).normal(size=(50, 9))
    plane = CodePlaneDisplay.from_estimator(PCA(2).fit(table), table)
    assert plane.images is None
    assert not plane.boxes_
    asked = CodePlaneDisplay.from_estimator(PCA(2).fit(table), table, image_shape=(3, 3))
    assert asked.images.shape == (40, 3, 3)
    assert CodePlaneDisplay.from_estimator(coder, X).images.shape == (40, 8, 8)


def test_displays_say_what_they_need(coder):
    with pytest.raises(ValueError, match="'axes' parameter of CodePlaneDisplay must be two of"):
        CodePlaneDisplay.from_estimator(coder, X, axes=(0, 3))
    with pytest.raises(ValueError, match="'axes' parameter of CodePlaneDisplay must be two of"):
        CodePlaneDisplay.from_estimator(coder, X, axes=0)
    with pytest.raises(ValueError, match=r"'y' parameter of CodePlaneDisplay must be of shape"):
        CodePlaneDisplay.from_estimator(coder, X, y[:10])
    with pytest.raises(ValueError, match="'n_steps' parameter of LatentTraversalDisplay"):
        LatentTraversalDisplay.from_estimator(coder, X, n_steps=1)
    with pytest.raises(ValueError, match="must have the attribute 'inverse_transform'"):
        LatentTraversalDisplay.from_estimator(
            MLPClassifier(2, max_iter=1, random_state=0).fit(X, y), X
        )
    with pytest.raises(NotFittedError):
        CodePlaneDisplay.from_estimator(Autoencoder(), X)
