"""Networks of the user's own in place of a description."""

import pickle
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from torch import nn

from sknets.cnn import CNNClassifier, CNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

digits = load_digits()
X, y = digits.images[:200] / 16, digits.target[:200]
SMALL = dict(batch_size=50, max_iter=2, random_state=0, precision="float32")


class Net(nn.Module):
    def __init__(self, n_outputs):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.last = nn.Linear(4, n_outputs)

    def forward(self, x):
        return self.last(self.norm(self.conv(x)).relu().mean((2, 3)))


def made(input_shape, n_outputs):
    return Net(n_outputs)


def fitted(architecture, **settings):
    return CNNClassifier(architecture=architecture, **SMALL | settings).fit(X, y)


def test_module_starts_from_its_own_weights_and_is_left_alone():
    with torch.random.fork_rng():
        net = Net(10)
    before = {name: t.clone() for name, t in net.state_dict().items()}
    clf = fitted(net, learning_rate_init=1e-12, alpha=0)
    for name, tensor in net.state_dict().items():
        assert_array_equal(tensor, before[name])
    learnt = clf.module_.network.module.float()
    assert torch.allclose(learnt.last.weight, net.last.weight)
    assert not torch.equal(learnt.norm.running_mean, net.norm.running_mean)


def test_callable_makes_a_network_by_the_seed():
    one, two, other = fitted(made), fitted(made), fitted(made, random_state=1)
    assert_array_equal(one.predict_proba(X), two.predict_proba(X))
    assert abs(one.predict_proba(X) - other.predict_proba(X)).max() > 1e-3


def test_initialiser_is_ours_where_one_is_asked_for():
    ours = fitted(made, weight_init="orthogonal", learning_rate_init=1e-12, alpha=0)
    w = ours.module_.network.module.last.weight.detach().numpy()
    assert_allclose(w.T @ w, np.eye(4), atol=1e-5)


def test_features_are_what_the_last_layer_takes():
    clf = fitted(made)
    assert clf.transform(X).shape == (200, 4)
    assert clf.get_feature_names_out().tolist() == [f"cnnclassifier{i}" for i in range(4)]
    with torch.inference_mode():
        scores = clf.module_.network.head(torch.tensor(clf.transform(X)))
    assert_allclose(clf.predict_proba(X), scores.softmax(1), atol=1e-6)


def test_estimator_with_a_module_is_cloned_and_pickled():
    clf = fitted(made)
    assert_array_equal(pickle.loads(pickle.dumps(clf)).predict_proba(X), clf.predict_proba(X))
    assert_array_equal(clone(clf).fit(X, y).predict_proba(X), clf.predict_proba(X))


def test_regressor_takes_one_too():
    assert CNNRegressor(architecture=made, **SMALL).fit(X, y).predict(X).shape == (200,)


@pytest.mark.parametrize(
    ("architecture", "error", "message"),
    [
        (
            lambda shape, n: Net(3),
            ValueError,
            r"must take images of shape \(1, 8, 8\) to 10 output",
        ),
        (lambda shape, n: nn.Linear(99, n), ValueError, "must take images of shape .* Got a and b"),
        (lambda shape, n: "net", TypeError, "must return a torch.nn.Module. Got 'net' instead"),
    ],
    ids=["outputs", "inputs", "no module"],
)
def test_a_network_that_does_not_fit_is_an_error(architecture, error, message):
    with pytest.raises(error, match=message):
        fitted(architecture)


def test_a_head_within_a_container_is_trained_alone():
    def nested(shape, n_outputs):
        features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten())
        classifier = nn.Sequential(nn.Linear(144, 6), nn.ReLU(), nn.Linear(6, n_outputs))
        return nn.Sequential(OrderedDict(features=features, classifier=classifier))

    for trainable, moving in (("head", {"classifier.2"}), (1, {"classifier.2", "classifier.0"})):
        before = fitted(nested, learning_rate_init=1e-12, alpha=0).module_.network.module
        after = fitted(nested, trainable=trainable).module_.network.module
        moved = {
            name
            for name, layer in after.named_modules()
            if isinstance(layer, (nn.Linear, nn.Conv2d))
            and not torch.allclose(layer.weight, before.get_submodule(name).weight)
        }
        assert moved == moving


def test_features_of_several_threads_are_their_own():
    clf = fitted(made)
    slices = [X[i : i + 20] for i in range(0, 200, 20)] * 5
    expected = [clf.transform(part) for part in slices]
    with ThreadPoolExecutor(4) as pool:
        for found, alone in zip(pool.map(clf.transform, slices), expected, strict=True):
            assert_array_equal(found, alone)
