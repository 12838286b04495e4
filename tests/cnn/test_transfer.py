"""Weights from elsewhere: what is taken, what is refused, and how fast it changes."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

import sknets
from sknets.cnn import CNNClassifier, CNNRegressor, ConvNet, get_architecture, load_weights
from tests.cnn.reference import weights as reference_weights

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

digits = load_digits()
X, y = digits.images[:200] / 16, digits.target[:200]
FEW = y < 5
SMALL = dict(
    architecture=ConvNet(channels=(4, 6), dense=10, batch_norm=True),
    batch_size=50,
    max_iter=2,
    random_state=0,
    precision="float32",
)
STILL = dict(learning_rate_init=1e-12, alpha=0)


@pytest.fixture(scope="module")
def source():
    return CNNClassifier(**SMALL).fit(X, y)


def network(clf):
    return clf.module_.network.state_dict()


def started(weights, target=y, rows=slice(None), kind=CNNClassifier, **settings):
    """An estimator that starts from weights and stays there, but for its statistics."""
    return kind(**SMALL | STILL | dict(weights=weights) | settings).fit(X[rows], target[rows])


def same(clf, source):
    """The parameters that are equal, up to rounding to float32."""
    ours, theirs = network(clf), network(source)
    return {
        name
        for name, p in clf.module_.network.named_parameters()
        if p.shape == theirs[name].shape and torch.equal(ours[name].float(), theirs[name].float())
    }


def all_names(clf):
    return {name for name, _ in clf.module_.network.named_parameters()}


def test_weights_of_a_fitted_estimator_are_taken(source):
    clf = started(source)
    assert same(clf, source) == all_names(clf)


@pytest.mark.parametrize("rows", [FEW, y > 4], ids=["fewer classes", "others"])
def test_other_classes_get_a_new_head(source, rows):
    clf = started(source, rows=rows)
    assert same(clf, source) == all_names(clf) - {"head.weight", "head.bias"}


def test_as_many_other_classes_get_a_new_head(source):
    clf = started(source, target=y + 1)
    assert same(clf, source) == all_names(clf) - {"head.weight", "head.bias"}


def test_a_regressor_starts_from_a_classifier(source):
    clf = started(source, kind=CNNRegressor)
    assert same(clf, source) == all_names(clf) - {"head.weight", "head.bias"}


def test_weights_come_from_files(source, tmp_path):
    sknets.save(source, tmp_path / "ours.sknets")
    torch.save(network(source), tmp_path / "state.pt")
    for name in ("ours.sknets", "state.pt"):
        clf = started(tmp_path / name)
        assert same(clf, source) == all_names(clf)


def test_a_file_with_code_in_it_is_not_read(tmp_path):
    torch.save(np.random.RandomState, tmp_path / "hostile.pt")
    with pytest.raises(Exception, match=r"[Ww]eights.only"):
        started(tmp_path / "hostile.pt")


def test_names_may_differ_and_arrays_are_taken(source):
    renamed = OrderedDict((f"layer{i}", t.numpy()) for i, t in enumerate(network(source).values()))
    assert same(started(renamed), source) == all_names(source)


def test_older_state_dicts_lack_the_counters(source):
    state = {k: v for k, v in network(source).items() if "num_batches" not in k}
    assert same(started(state), source) == all_names(source)


def test_weights_of_another_network_are_refused_and_nothing_is_loaded(source):
    with torch.device("meta"):
        other = ConvNet(channels=(4, 7), dense=10, batch_norm=True).build((1, 8, 8), 10)
    other.to_empty(device="cpu")
    before = {name: t.clone() for name, t in other.state_dict().items()}
    with pytest.raises(ValueError, match=r"its 'features.conv2_1.weight' has shape \(7, 4, 3, 3\)"):
        load_weights(other, source)
    for name, tensor in other.state_dict().items():
        assert_array_equal(tensor, before[name])
    with pytest.raises(ValueError, match="they are 1 arrays, and the network has"):
        load_weights(other, {"a": torch.zeros(3)})
    with pytest.raises(ValueError, match="must be a fitted estimator, a file or a state dict"):
        load_weights(other, 3)


def test_an_unfitted_estimator_is_an_error_that_helps():
    with pytest.raises(NotFittedError, match="FrozenEstimator"):
        started(CNNClassifier())


def test_a_search_keeps_what_is_frozen(source):
    clf = CNNClassifier(**SMALL | STILL | dict(weights=FrozenEstimator(source)))
    search = GridSearchCV(clf, {"trainable": ["head", "all"]}, cv=2, error_score="raise").fit(X, y)
    assert same(search.best_estimator_, source) == all_names(source)


@pytest.mark.parametrize("rate", [0.0, 0.25])
def test_loaded_weights_learn_at_a_rate_of_their_own(source, rate):
    settings = dict(solver="sgd", momentum=0.0, max_iter=1, learning_rate_init=0.1, batch_size=200)
    fast, slow = (started(source, target=y + 1, weights_rate=r, **settings) for r in (1.0, rate))
    start = network(source)
    for name, moved in network(slow).items():
        if "running" in name or "num_batches" in name:
            continue
        if name.startswith("head"):
            torch.testing.assert_close(moved, network(fast)[name], rtol=1e-5, atol=1e-6)
        else:
            expected = start[name] + rate * (network(fast)[name] - start[name])
            torch.testing.assert_close(moved, expected, rtol=1e-4, atol=1e-6)


def test_the_rate_holds_in_later_calls(source):
    clf = started(source, target=y + 1, rows=slice(None), weights_rate=0.0)
    clf.set_params(learning_rate_init=0.01).partial_fit(X, y + 1)
    assert same(clf, source) == all_names(clf) - {"head.weight", "head.bias"}


# What torchvision calls some of the arrays of its networks, by their places in its state dicts.
TORCHVISION = {
    "alexnet": {0: "features.0.weight", 2: "features.3.weight", 9: "features.10.bias"}
    | {10: "classifier.1.weight", 12: "classifier.4.weight", -1: "classifier.6.bias"},
    "vgg11_bn": {0: "features.0.weight", 2: "features.1.weight", 7: "features.4.weight"}
    | {-6: "classifier.0.weight", -4: "classifier.3.weight", -1: "classifier.6.bias"},
    "googlenet": {0: "conv1.conv.weight", 1: "conv1.bn.weight", 6: "conv2.conv.weight"}
    | {12: "conv3.conv.weight", 18: "inception3a.branch1.conv.weight"}
    | {24: "inception3a.branch2.0.conv.weight", 48: "inception3a.branch4.1.conv.weight"}
    | {-12: "aux2.conv.conv.weight", -6: "aux2.fc1.weight", -3: "aux2.fc2.bias", -1: "fc.bias"},
    "resnet18": {0: "conv1.weight", 1: "bn1.weight", 6: "layer1.0.conv1.weight", -1: "fc.bias"},
    "resnet50": {18: "layer1.0.conv3.weight", 24: "layer1.0.downsample.0.weight"}
    | {25: "layer1.0.downsample.1.weight"},
    "densenet121": {0: "features.conv0.weight", 6: "features.denseblock1.denselayer1.norm1.weight"}
    | {11: "features.denseblock1.denselayer1.conv1.weight", -2: "classifier.weight"},
    "squeezenet1_0": {0: "features.0.weight", 2: "features.3.squeeze.weight"}
    | {4: "features.3.expand1x1.weight", -1: "classifier.1.bias"},
    "squeezenet1_1": {2: "features.3.squeeze.weight", 14: "features.6.squeeze.weight"},
}


@pytest.mark.parametrize("name", TORCHVISION)
def test_names_are_translated_into_torchvisions(name):
    with torch.device("meta"):
        names = list(get_architecture(name).build((3, 224, 224), 1000).torchvision_names().values())
    assert {place: names[place] for place in TORCHVISION[name]} == TORCHVISION[name]
    assert len(set(names)) == len(names)


def test_files_without_order_are_read_by_torchvisions_names(tmp_path):
    with torch.device("meta"):
        ours = get_architecture("squeezenet1_1").build((3, 32, 32), 10)
    ours.load_state_dict(reference_weights(ours), assign=True)
    theirs = {ours.torchvision_names()[name]: t for name, t in ours.state_dict().items()}
    save_file(theirs, tmp_path / "net.safetensors")
    with torch.device("meta"):
        loaded = get_architecture("squeezenet1_1").build((3, 32, 32), 3)
    loaded.to_empty(device="cpu")
    taken = load_weights(loaded, tmp_path / "net.safetensors")
    assert set(taken) == {name for name in ours.state_dict() if not name.startswith("head")}
    for name in taken:
        assert_array_equal(loaded.state_dict()[name], ours.state_dict()[name])
    renamed = {f"x{i}": t for i, t in enumerate(theirs.values())}
    save_file(renamed, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"keeps no order, .* there is no 'features.0.weight'"):
        load_weights(loaded, tmp_path / "other.safetensors")
