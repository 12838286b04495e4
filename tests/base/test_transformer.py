"""The last hidden layer as a representation, and where there is none."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sknets import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
y = (X[:, 0] * X[:, 1] > 0).astype(int)
BOTH = pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
SETTINGS = dict(hidden_layer_sizes=(6, 3), activation="tanh", max_iter=4, random_state=0)


@BOTH
def test_transform_gives_the_values_of_the_last_hidden_layer(estimator):
    net = estimator(**SETTINGS).fit(X, y)
    (w1, w2, _), (b1, b2, _) = net.coefs_, net.intercepts_
    assert_allclose(net.transform(X), np.tanh(np.tanh(X @ w1 + b1) @ w2 + b2), rtol=1e-10)


@BOTH
def test_fit_transform_is_fit_then_transform(estimator):
    net = estimator(**SETTINGS)
    both = clone(net).fit_transform(X, y, sample_weight=np.arange(60))
    separate = net.fit(X, y, sample_weight=np.arange(60)).transform(X)
    assert_array_equal(both, separate)


def test_dropout_and_batch_norm_act_in_training_alone():
    net = MLPClassifier(**SETTINGS, dropout=0.5, input_dropout=0.2, batch_norm=True).fit(X, y)
    assert_array_equal(net.transform(X), net.transform(X))
    assert_allclose(net.transform(X[:1]), net.transform(X)[:1], rtol=1e-6)


@BOTH
def test_features_have_names(estimator):
    net = estimator(**SETTINGS).fit(X, y)
    prefix = estimator.__name__.lower()
    assert net.get_feature_names_out().tolist() == [f"{prefix}{i}" for i in range(3)]
    assert net.transform(X).shape == (60, 3)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("method", ["transform", "fit_transform"])
def test_set_output_gives_data_frames(library, method):
    frames = pytest.importorskip(library)
    net = MLPClassifier(**SETTINGS).set_output(transform=library).fit(X, y)
    out = net.transform(X) if method == "transform" else net.fit_transform(X, y)
    assert isinstance(out, frames.DataFrame)
    assert list(out.columns) == list(net.get_feature_names_out())
    assert_array_equal(out.to_numpy(), net.set_output(transform="default").transform(X))


@BOTH
@pytest.mark.parametrize("method", ["transform", "fit_transform"])
@pytest.mark.parametrize("sizes", [(), []])
def test_methods_are_absent_without_a_hidden_layer(estimator, method, sizes):
    net = estimator(sizes) if estimator is MLPClassifier else estimator(hidden_layer_sizes=sizes)
    assert not hasattr(net, method)
    with pytest.raises(AttributeError) as caught:
        getattr(net, method)
    assert "transform needs a hidden layer" in str(caught.value.__cause__ or caught.value)
    assert hasattr(net.set_params(hidden_layer_sizes=(2,)), method)


def test_network_is_a_step_of_a_pipeline_where_it_has_features():
    features = MLPClassifier((20,), max_iter=60, learning_rate_init=0.02, random_state=0)
    assert make_pipeline(features, LogisticRegression()).fit(X, y).score(X, y) > 0.9
    assert LogisticRegression().fit(X, y).score(X, y) < 0.8
    linear = make_pipeline(MLPClassifier(()), LogisticRegression())
    with pytest.raises(TypeError, match="should be transformers and implement"):
        linear.fit(X, y)


@pytest.mark.parametrize("sizes", [(), (3,)])
def test_last_step_of_a_pipeline_transforms_where_it_has_features(sizes):
    pipe = make_pipeline(MLPClassifier(sizes, max_iter=2, random_state=0)).fit(X, y)
    assert hasattr(pipe, "transform") == bool(sizes)


def test_snapshots_represent_by_the_last_weights():
    net = MLPClassifier(**SETTINGS, averaging="snapshots", n_snapshots=2).fit(X, y)
    (w1, w2, _), (b1, b2, _) = net.coefs_, net.intercepts_
    assert_allclose(net.transform(X), np.tanh(np.tanh(X @ w1 + b1) @ w2 + b2), rtol=1e-10)
