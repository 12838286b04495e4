"""Saved estimators come back as they were, and damaged or hostile files do not come in."""

import json
import pickle
import re
import struct

import numpy as np
import pytest
import sklearn.neural_network
import torch
from numpy.testing import assert_array_equal
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknets import MLPClassifier, MLPRegressor, load, save

safetensors_numpy = pytest.importorskip("safetensors.numpy")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)
names = np.array(["setosa", "versicolor", "virginica"])[y]


def rewritten(path, change):
    """Change the JSON of a saved file, keeping its arrays."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    tree = json.loads(header["__metadata__"]["tree"])
    change(tree)
    header["__metadata__"]["tree"] = json.dumps(tree)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])


def entry(tree, *keys):
    """The pair that stands for a key in a nest of encoded dicts."""
    for key in keys:
        pair = next(pair for pair in tree["dict"] if pair[0] == key)
        tree = pair[1]
    return pair


@pytest.mark.parametrize(
    "estimator",
    [
        MLPClassifier(5, max_iter=3, random_state=0),
        MLPClassifier(5, max_iter=3, random_state=0, early_stopping=True),
        MLPClassifier((4, 3), max_iter=5, random_state=0, averaging="snapshots", batch_norm=True),
        MLPClassifier(np.array([4, 3]), max_iter=3, random_state=np.random.RandomState(3)),
        MLPClassifier((), solver="lbfgs", class_weight={"setosa": 2.0}, random_state=0),
        MLPClassifier(n_iter_no_change=np.inf, max_iter=2, random_state=0),
    ],
    ids=lambda est: str(est)[:60],
)
def test_saved_estimator_comes_back_as_it_was(tmp_path, estimator):
    estimator.fit(X, names)
    save(estimator, tmp_path / "net.sknets")
    loaded = load(tmp_path / "net.sknets")
    assert type(loaded) is type(estimator)
    assert str(loaded).split("RandomState")[0] == str(estimator).split("RandomState")[0]
    assert_array_equal(loaded.predict_proba(X), estimator.predict_proba(X))
    assert_array_equal(loaded.classes_, estimator.classes_)
    assert loaded.loss_curve_ == estimator.loss_curve_
    assert loaded.n_iter_ == estimator.n_iter_
    assert loaded.history_[:, "train_loss"] == estimator.loss_curve_


def test_saved_estimator_goes_on_training_as_it_would_have(tmp_path):
    estimator = MLPRegressor("huber", 5, solver="sgd", averaging="ema", random_state=0, max_iter=3)
    estimator.fit(X, y)
    save(estimator, tmp_path / "net.sknets")
    loaded = load(tmp_path / "net.sknets").partial_fit(X, y)
    assert_array_equal(loaded.predict(X), estimator.partial_fit(X, y).predict(X))


def test_unfitted_estimator_can_be_saved(tmp_path):
    save(MLPClassifier((3, 2), alpha=0.5), tmp_path / "net.sknets")
    loaded = load(tmp_path / "net.sknets")
    assert loaded.get_params() == MLPClassifier((3, 2), alpha=0.5).get_params()
    assert not hasattr(loaded, "module_")


def test_feature_names_survive(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    save(MLPClassifier(3, max_iter=2, random_state=0).fit(frame, y), tmp_path / "net.sknets")
    assert list(load(tmp_path / "net.sknets").feature_names_in_) == list("abcd")


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (dict(solver=torch.optim.Adagrad), "solver"),
        (dict(callbacks=[print]), "callbacks"),
    ],
)
def test_values_that_are_code_are_refused_by_name(tmp_path, settings, name):
    with pytest.raises(TypeError, match=f"'{name}.*of MLPClassifier is .*not a plain value"):
        save(MLPClassifier(**settings), tmp_path / "net.sknets")
    assert not list(tmp_path.iterdir())


def test_parameters_set_after_fit_change_nothing_that_was_learnt(tmp_path):
    clf = MLPClassifier((4,), max_iter=3, random_state=0).fit(X, y)
    expected = clf.predict_proba(X)
    clf.set_params(activation="tanh", hidden_layer_sizes=(7,))
    save(clf, tmp_path / "net.sknets")
    for copy in (load(tmp_path / "net.sknets"), pickle.loads(pickle.dumps(clf))):
        assert_array_equal(copy.predict_proba(X), expected)
        assert copy.hidden_layer_sizes == (7,)


@pytest.mark.parametrize("other", [StandardScaler(), make_pipeline(StandardScaler())])
def test_other_estimators_are_refused(tmp_path, other):
    with pytest.raises(TypeError, match="save writes estimators of sknets, got sklearn"):
        save(other, tmp_path / "net.sknets")


def test_twin_is_refused_by_its_full_name(tmp_path):
    message = r"got sklearn\.neural_network\._multilayer_perceptron\.MLPClassifier\."
    with pytest.raises(TypeError, match=message):
        save(sklearn.neural_network.MLPClassifier(), tmp_path / "net.sknets")


def test_what_is_neither_a_parameter_nor_learnt_stays_behind(tmp_path):
    clf = MLPClassifier(3, max_iter=2, random_state=0).fit(X, y)
    clf.note_, clf._note, clf.note = "by hand", [1], {2}
    save(clf, tmp_path / "net.sknets")
    loaded = load(tmp_path / "net.sknets")
    assert vars(clf).keys() - vars(loaded).keys() == {"note_", "_note", "note"}
    assert_array_equal(loaded.predict(X), clf.predict(X))


def test_set_output_survives(tmp_path):
    pytest.importorskip("pandas")
    clf = MLPClassifier(3, max_iter=2, random_state=0).set_output(transform="pandas").fit(X, y)
    save(clf, tmp_path / "net.sknets")
    assert load(tmp_path / "net.sknets").transform(X).equals(clf.transform(X))


@pytest.mark.parametrize(
    ("name", "error"), [("none.sknets", FileNotFoundError), (".", IsADirectoryError)]
)
def test_load_names_the_path_that_it_cannot_read(tmp_path, name, error):
    path = tmp_path / name
    with pytest.raises(error, match=re.escape(f"{str(path)!r}")):
        load(path)


@pytest.mark.parametrize(
    ("name", "error"), [("missing/net.sknets", FileNotFoundError), (".", IsADirectoryError)]
)
def test_save_names_the_path_that_it_cannot_write(tmp_path, name, error):
    path = tmp_path / name
    with pytest.raises(error, match=f"{re.escape(repr(str(path)))}$"):
        save(MLPClassifier(), path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"not a network", bytes(1000), b"\xff" * 100])
def test_files_of_another_kind_are_refused(tmp_path, content):
    path = tmp_path / "net.sknets"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not a file that sknets wrote"):
        load(path)


def test_other_safetensors_files_are_refused(tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(safetensors_numpy.save({"a": np.zeros(3)}))
    with pytest.raises(ValueError, match="is not a file that sknets wrote"):
        load(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated_files_are_refused(tmp_path, share):
    path = tmp_path / "net.sknets"
    save(MLPClassifier(3, max_iter=2, random_state=0).fit(X, y), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match="is not a file that sknets wrote"):
        load(path)


def _name_another_class(tree):
    entry(tree, "estimator")[1] = "os.system"


def _name_a_function(tree):
    entry(tree, "estimator")[1] = "load"


def _ask_for_a_huge_network(tree):
    entry(tree, "parameters", "hidden_layer_sizes")[1] = {"tuple": [10**9, 10**9]}
    entry(tree, "state", "_shape", "hidden_layer_sizes")[1] = {"tuple": [10**9, 10**9]}


def _add_to_the_state(tree, name, value):
    entry(tree, "state")[1]["dict"].append([name, value])


def _shadow_a_method(tree):
    _add_to_the_state(tree, "_fit", "boo")


def _shadow_the_class(tree):
    _add_to_the_state(tree, "__class__", "boo")


def _shadow_a_property(tree):
    _add_to_the_state(tree, "coefs_", {"list": []})


def _set_a_parameter_by_the_state(tree):
    _add_to_the_state(tree, "solver", "boo")


def _set_what_no_fit_sets(tree):
    _add_to_the_state(tree, "_doc_link_template", "boo")


def _add_callbacks(tree):
    _add_to_the_state(tree, "_skl_callbacks", {"list": []})


def _replace_the_network(tree):
    _add_to_the_state(tree, "module_", "boo")


def _add_a_parameter(tree):
    entry(tree, "parameters")[1]["dict"].append(["boo", 1])


def _break_a_parameter(tree):
    entry(tree, "parameters", "alpha")[1] = -1.0


def _drop_the_weights(tree):
    entry(tree, "state", "_module_state")[1] = {"dict": []}


def _invent_a_target(tree):
    entry(tree, "state", "_target_kind")[1] = "zzz"


def _invent_a_seed(tree):
    entry(tree, "state", "_seed")[1] = "zzz"


def _invent_a_history(tree):
    entry(tree, "state", "history_")[1] = "zzz"


def _invent_snapshots(tree):
    entry(tree, "state", "_snapshots")[1] = {"list": [{"dict": [["a", 1]]}]}


def _invent_a_kind(tree):
    entry(tree, "parameters", "alpha")[1] = {"pickle": "boo"}


@pytest.mark.parametrize(
    "attack",
    [
        _name_another_class,
        _name_a_function,
        _ask_for_a_huge_network,
        _shadow_a_method,
        _shadow_the_class,
        _shadow_a_property,
        _set_a_parameter_by_the_state,
        _set_what_no_fit_sets,
        _add_callbacks,
        _replace_the_network,
        _add_a_parameter,
        _break_a_parameter,
        _drop_the_weights,
        _invent_a_target,
        _invent_a_seed,
        _invent_a_history,
        _invent_snapshots,
        _invent_a_kind,
    ],
    ids=lambda f: f.__name__.strip("_"),
)
def test_hostile_files_get_one_clear_error(tmp_path, attack):
    path = tmp_path / "net.sknets"
    save(MLPClassifier(3, max_iter=2, random_state=0).fit(X, y), path)
    rewritten(path, attack)
    with pytest.raises(ValueError, match=r"net\.sknets"):
        load(path)


def test_rewriting_without_a_change_still_loads(tmp_path):
    path = tmp_path / "net.sknets"
    clf = MLPClassifier(3, max_iter=2, random_state=0).fit(X, y)
    save(clf, path)
    rewritten(path, lambda tree: None)
    assert_array_equal(load(path).predict(X), clf.predict(X))


def test_pipelines_go_through_skops(tmp_path):
    skops = pytest.importorskip("skops.io")
    pipe = make_pipeline(StandardScaler(), MLPClassifier(3, max_iter=2, random_state=0)).fit(X, y)
    skops.dump(pipe, tmp_path / "pipe.skops")
    trusted = skops.get_untrusted_types(file=tmp_path / "pipe.skops")
    assert all(name.startswith("sknets.") for name in trusted)
    loaded = skops.load(tmp_path / "pipe.skops", trusted=trusted)
    assert_array_equal(loaded.predict_proba(X), pipe.predict_proba(X))


def test_pickled_state_is_plain():
    clf = MLPClassifier(3, max_iter=2, random_state=0).fit(X, y)
    seen = {type(value) for value in walk(clf.__getstate__())}
    assert seen <= {bool, int, float, str, type(None), np.ndarray, np.float64, np.int64}
    assert b"torch" not in pickle.dumps(clf)


def walk(tree):
    """The leaves of a nest."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        for value in tree:
            yield from walk(value)
    else:
        yield tree


def test_paths_and_devices_are_saved_as_their_names(tmp_path):
    clf = MLPClassifier(checkpoint=tmp_path / "c", device=torch.device("cpu"))
    save(clf, tmp_path / "a.sknets")
    loaded = load(tmp_path / "a.sknets")
    assert loaded.checkpoint == str(tmp_path / "c")
    assert loaded.device == "cpu"


def test_what_load_would_refuse_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="The 'alpha' parameter of MLPClassifier must be"):
        save(MLPClassifier(alpha=-1), tmp_path / "a.sknets")
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_is_told_from_an_estimator(tmp_path):
    MLPClassifier(max_iter=1, checkpoint=tmp_path / "c", random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="something else, such as a checkpoint"):
        load(tmp_path / "c")
