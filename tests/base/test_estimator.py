"""One fit walked: what it validates, computes in, remembers and leaves alone."""

import pickle
import threading
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback
from torch import nn

from sknets import MLPClassifier, MLPRegressor
from sknets._training.losses import SoftmaxLogLoss
from sknets.base import held
from sknets.base.held import declared_state
from sknets.layers import ACTIVATIONS
from sknets.mlp import DenseNetwork

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
Y = X[:, :2] ** 2
SMALL = dict(hidden_layer_sizes=(5,), max_iter=3, batch_size=20, random_state=0)


def weights(net):
    return {name: tensor.numpy().copy() for name, tensor in net.module_.state_dict().items()}


def assert_same_weights(a, b):
    for name, value in weights(a).items():
        assert_array_equal(value, weights(b)[name], err_msg=name)


# -- precision


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.filterwarnings("ignore:lbfgs failed")
def test_outputs_and_weights_have_the_inputs_dtype(dtype, solver):
    clf = MLPClassifier(**SMALL, solver=solver).fit(X.astype(dtype), y)
    reg = MLPRegressor(**SMALL, solver=solver).fit(X.astype(dtype), Y)
    assert clf.predict_proba(X.astype(dtype)).dtype == dtype
    assert clf.predict_log_proba(X.astype(dtype)).dtype == dtype
    assert clf.decision_function(X.astype(dtype)).dtype == dtype
    assert clf.transform(X.astype(dtype)).dtype == dtype
    assert reg.predict(X.astype(dtype)).dtype == dtype
    assert {w.dtype for w in clf.coefs_ + clf.intercepts_} == {np.dtype(dtype)}


@pytest.mark.parametrize("kind", [np.int64, np.uint8, bool, np.float16])
def test_other_numbers_are_taken_as_float64(kind):
    whole = (3 * abs(X)).astype(kind)
    net = MLPRegressor(**SMALL).fit(whole, Y)
    assert net.predict(whole).dtype == np.float64


def is_rounded(net):
    """Whether the weights are numbers of float32."""
    return all((w == w.astype(np.float32)).all() for w in net.coefs_)


@pytest.mark.parametrize(
    ("settings", "rounded"),
    [
        ({}, True),
        ({"batch_size": "full"}, False),
        ({"batch_size": 60}, False),
        ({"solver": "lbfgs"}, False),
        ({"precision": "float64"}, False),
        ({"precision": "float32", "batch_size": "full"}, True),
        ({"precision": "float32", "solver": "lbfgs"}, True),
    ],
)
@pytest.mark.filterwarnings("ignore:lbfgs failed")
def test_precision_of_training_is_as_documented(settings, rounded):
    assert is_rounded(MLPRegressor(**SMALL | settings).fit(X, Y)) == rounded


def test_default_dtype_of_torch_has_no_say():
    expected = MLPRegressor(**SMALL).fit(X, Y)
    torch.set_default_dtype(torch.float64)
    try:
        net = MLPRegressor(**SMALL).fit(X, Y)
    finally:
        torch.set_default_dtype(torch.float32)
    assert_same_weights(net, expected)


def test_training_works_where_gradients_are_switched_off():
    expected = MLPClassifier(**SMALL, activation="gelu").fit(X, y)
    with torch.no_grad():
        net = MLPClassifier(**SMALL, activation="gelu").fit(X, y)
    assert_same_weights(net, expected)


# -- prediction


def test_answer_for_a_row_does_not_depend_on_the_others(monkeypatch):
    net = MLPClassifier(**SMALL | {"hidden_layer_sizes": (50, 50)}, batch_norm=True).fit(X, y)
    together = net.predict_proba(X)
    alone = np.vstack([net.predict_proba(row[None]) for row in X])
    assert_allclose(alone, together, atol=1e-6)
    monkeypatch.setattr(held, "PREDICT_BYTES", 8 * 50 * 7)  # slices of seven rows
    assert_allclose(net.predict_proba(X), together, atol=1e-6)


def test_predictions_are_in_the_order_of_their_rows(monkeypatch):
    monkeypatch.setattr(held, "PREDICT_BYTES", 8 * 5 * 7)
    net = MLPRegressor(**SMALL).fit(X, Y)
    order = rng.permutation(60)
    assert_allclose(net.predict(X)[order], net.predict(X[order]), atol=1e-6)


def test_predicting_changes_nothing():
    net = MLPClassifier(**SMALL, dropout=0.5, batch_norm=True).fit(X, y)
    before = weights(net)
    state = pickle.dumps(net)
    for method in (net.predict, net.predict_proba, net.transform, net.decision_function):
        method(X)
    assert pickle.dumps(net) == state
    for name, value in weights(net).items():
        assert_array_equal(value, before[name], err_msg=name)
    assert not net.module_.training


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function", "transform"])
def test_unfitted_estimator_says_so(method):
    with pytest.raises(NotFittedError, match="This MLPClassifier instance is not fitted yet"):
        getattr(MLPClassifier(), method)(X)


@pytest.mark.parametrize("attribute", ["coefs_", "intercepts_", "n_layers_", "module_", "loss_"])
def test_unfitted_estimator_has_no_fitted_attribute(attribute):
    assert not hasattr(MLPClassifier(), attribute)


def test_concurrent_predictions_agree():
    net = MLPClassifier(**SMALL | {"hidden_layer_sizes": (100,)}).fit(X, y)
    expected = net.predict_proba(X)
    found = [None] * 4

    def predict(i):
        for _ in range(20):
            found[i] = net.predict_proba(X)

    threads = [threading.Thread(target=predict, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for p in found:
        assert_array_equal(p, expected)


# -- sparse input


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"solver": "lbfgs"},
        {"activation": "gelu"},
        {"activation": "maxout", "batch_norm": True, "solver": "sgd", "precision": "float64"},
        {"loss": "hinge"},
        {"dropout": 0.3},
        {"input_dropout": 0.3},
        {"early_stopping": True},
        {"averaging": "snapshots", "n_snapshots": 2},
        {"hidden_layer_sizes": ()},
        {"precision": "float64"},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:lbfgs failed")
def test_sparse_input_gives_what_dense_input_gives(settings, format):
    thinned = np.where(abs(X) > 0.5, X, 0)
    matrix = sp.csr_array(thinned).asformat(format)
    dense = MLPClassifier(**SMALL | settings).fit(thinned, y)
    sparse = MLPClassifier(**SMALL | settings).fit(matrix, y)
    assert_allclose(sparse.decision_function(matrix), dense.decision_function(thinned), atol=1e-5)
    assert_allclose(dense.decision_function(matrix), dense.decision_function(thinned), atol=1e-6)


# -- what is learnt and forgotten


def test_refit_equals_a_fresh_fit():
    net = MLPClassifier(**SMALL | {"hidden_layer_sizes": (9, 3)}, early_stopping=True)
    net.fit(X[:, :2], y > 0)
    net.set_params(**SMALL, early_stopping=False).fit(X, y)
    fresh = MLPClassifier(**SMALL).fit(X, y)
    assert_same_weights(net, fresh)
    assert vars(net).keys() == vars(fresh).keys()
    assert net.loss_curve_ == fresh.loss_curve_
    assert net.validation_scores_ is None


def test_fit_sets_only_what_it_documents():
    net = MLPClassifier(**SMALL)
    parameters = set(net.get_params())
    net.fit(X, y)
    public = {name for name in vars(net) if not name.startswith("_")} - parameters
    documented = {line.split(" : ")[0] for line in MLPClassifier.__doc__.splitlines()}
    assert public <= documented


@pytest.mark.parametrize("settings", [{}, {"averaging": "snapshots", "n_snapshots": 2}], ids=str)
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_state_of_a_fit_is_declared_with_its_types(estimator, settings):
    net = estimator(**SMALL | settings).fit(X, y)
    declared = declared_state(estimator)
    learnt = {**vars(net), **net.__getstate__()}
    for name in learnt.keys() - net.get_params().keys():
        assert isinstance(learnt[name], declared[name]), name
    assert "coefs_" not in declared  # which is computed


def test_subclass_declares_further_state():
    class Own(MLPClassifier):
        _fitted_attributes: ClassVar = {"extra_": "int: Something learnt."}
        _fit_state: ClassVar = {"_more": dict}

    declared = declared_state(Own)
    assert declared.pop("extra_") is object
    assert declared.pop("_more") is dict
    assert declared == declared_state(MLPClassifier)


def test_fit_leaves_alone_what_a_user_set_on_the_estimator():
    net = MLPClassifier(**SMALL).fit(X, y)
    net.note_, net._mine = "mine", 1
    net.set_output(transform="default").fit(X[:, :2], y)
    assert (net.note_, net._mine) == ("mine", 1)
    assert net._sklearn_output_config == {"transform": "default"}


@pytest.mark.parametrize("warm_start", [False, True])
def test_names_of_features_are_forgotten_where_there_are_none(warm_start):
    pandas = pytest.importorskip("pandas")
    net = MLPClassifier(**SMALL, warm_start=warm_start).fit(pandas.DataFrame(X).add_prefix("x"), y)
    assert list(net.feature_names_in_) == ["x0", "x1", "x2", "x3"]
    if not warm_start:
        net.fit(X[:, :2], y)
        assert not hasattr(net, "feature_names_in_")
        assert net.n_features_in_ == 2


def test_parameters_are_never_written_after_init():
    net = MLPClassifier(**SMALL, batch_norm=True, early_stopping=True)
    before = net.get_params()
    net.fit(X, y)
    after = net.get_params()
    assert all(after[name] is before[name] for name in before)


def test_warm_start_goes_on_from_the_last_weights():
    net = MLPRegressor(**SMALL, warm_start=True, solver="sgd").fit(X, Y)
    twice = net.loss_curve_ + net.fit(X, Y).loss_curve_[3:]
    assert net.loss_curve_ == twice
    assert net.loss_curve_[3] < net.loss_curve_[0]
    cold = MLPRegressor(**SMALL, solver="sgd").fit(X, Y)
    assert cold.loss_curve_ == net.loss_curve_[:3]
    assert cold.fit(X, Y).loss_curve_ == net.loss_curve_[:3]


def test_warm_start_with_early_stopping_remembers_the_best_score():
    net = MLPClassifier(**SMALL, warm_start=True, early_stopping=True).fit(X, y)
    best = net.best_validation_score_
    net.fit(X, y)
    assert net.best_validation_score_ >= best
    assert len(net.validation_scores_) == 6


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_layer_sizes", (6,)),
        ("hidden_layer_sizes", (5, 5)),
        ("batch_norm", True),
        ("activation", "maxout"),
        ("activation", "prelu"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_changed_shape_names_the_parameter(name, value, method):
    net = MLPClassifier(**SMALL, warm_start=True).fit(X, y)
    before = weights(net)
    net.set_params(**{name: value})
    with pytest.raises(ValueError, match=f"'{name}' parameter of MLPClassifier") as caught:
        getattr(net, method)(X, y)
    assert repr(value) in str(caught.value)
    for key, tensor in weights(net).items():
        assert_array_equal(tensor, before[key], err_msg=key)


@pytest.mark.parametrize("settings", [{"activation": "tanh"}, {"maxout_pieces": 3}])
def test_change_that_leaves_the_shape_alone_is_allowed(settings):
    net = MLPClassifier(**SMALL, warm_start=True).fit(X, y)
    net.set_params(**settings).fit(X, y)
    assert len(net.loss_curve_) == 6


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "maxout"])
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_activation_has_no_say_without_a_hidden_layer(estimator, activation):
    settings = SMALL | {"hidden_layer_sizes": (), "weight_init": "he_normal"}
    net = estimator(**settings, activation=activation).fit(X, y)
    assert_same_weights(net, estimator(**settings, activation="relu").fit(X, y))


@pytest.mark.parametrize("value", [[5], np.array([5]), 5, (np.int64(5),)])
def test_same_sizes_in_another_dress_are_no_change(value):
    net = MLPClassifier(**SMALL, warm_start=True).fit(X, y)
    net.set_params(hidden_layer_sizes=value).fit(X, y)
    assert len(net.loss_curve_) == 6


def test_changed_number_of_features_is_scikit_learns_error():
    net = MLPClassifier(**SMALL, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="X has 3 features, but MLPClassifier is expecting 4"):
        net.fit(X[:, :3], y)


# -- state


def test_copies_by_pickle_go_on_training_as_the_original_would():
    net = MLPClassifier(**SMALL, averaging="ema", batch_norm=True).fit(X, y)
    copy = pickle.loads(pickle.dumps(net))
    assert_same_weights(copy.partial_fit(X, y), net.partial_fit(X, y))
    assert copy.history_[:, "train_loss"] == net.history_[:, "train_loss"]


def test_state_is_not_shared_with_the_original():
    net = MLPClassifier(**SMALL).fit(X, y)
    before = weights(net)
    state = net.__getstate__()
    copy = MLPClassifier()
    copy.__setstate__(state)
    copy.partial_fit(X, y)
    assert "_module_state" in state  # reading a state leaves it as it was
    for name, value in weights(net).items():
        assert_array_equal(value, before[name], err_msg=name)


# -- bad settings

BAD_SETTINGS = [
    ({"hidden_layer_sizes": (5, 0)}, ValueError, r"hidden_layer_sizes must be > 0, got \[5, 0\]"),
    ({"hidden_layer_sizes": (2.5,)}, ValueError, "hidden_layer_sizes"),
    ({"hidden_layer_sizes": ("five",)}, ValueError, "hidden_layer_sizes"),
    ({"hidden_layer_sizes": [[5, 5]]}, ValueError, "hidden_layer_sizes"),
    ({"activation": "softmax"}, ValueError, "The 'activation' parameter of MLPClassifier must be"),
    ({"solver": "newton"}, ValueError, "The 'solver' parameter of MLPClassifier must be"),
    ({"solver": len}, (TypeError, ValueError), "solver"),
    ({"solver": torch.optim.LBFGS}, (TypeError, ValueError), "solver"),
    ({"learning_rate_init": 0}, ValueError, "The 'learning_rate_init' parameter of MLPClassifier"),
    ({"learning_rate": "cyclic"}, ValueError, "The 'learning_rate' parameter of MLPClassifier"),
    ({"batch_size": 0}, ValueError, "The 'batch_size' parameter of MLPClassifier"),
    ({"dropout": 1.0}, ValueError, "The 'dropout' parameter of MLPClassifier"),
    ({"max_iter": 2.5}, ValueError, "The 'max_iter' parameter of MLPClassifier"),
    ({"l1_ratio": 1.5}, ValueError, "The 'l1_ratio' parameter of MLPClassifier"),
    ({"callbacks": "EarlyStopping"}, ValueError, "The 'callbacks' parameter of MLPClassifier"),
    ({"callbacks": [3]}, (TypeError, ValueError), "callbacks"),
    ({"device": 3}, ValueError, "The 'device' parameter of MLPClassifier"),
    ({"precision": "bfloat"}, ValueError, "The 'precision' parameter of MLPClassifier"),
    ({"averaging": "mean"}, ValueError, "The 'averaging' parameter of MLPClassifier"),
    ({"solver": "cg", "l1_ratio": 0.5}, ValueError, "Use solver='lbfgs' or a stochastic one"),
    ({"solver": "lbfgs", "max_norm": 1.0}, ValueError, "max_norm=1.0 needs a stochastic solver"),
    ({"solver": "bfgs", "averaging": "ema"}, ValueError, "averaging='ema' needs a stochastic"),
    ({"solver": "cg", "curriculum": "root"}, ValueError, "curriculum='root' needs a stochastic"),
    (
        {"loss": "hinge", "label_smoothing": 0.1},
        ValueError,
        "label_smoothing needs loss='log_loss'",
    ),
    ({"early_stopping": True, "validation_fraction": 0.0}, ValueError, "validation_fraction"),
    ({"early_stopping": True, "validation_fraction": 0.01}, ValueError, "validation_fraction"),
]


@pytest.mark.parametrize(("settings", "error", "message"), BAD_SETTINGS, ids=str)
@pytest.mark.parametrize("fitted", [False, True], ids=["unfitted", "fitted"])
def test_bad_setting_is_an_error_that_changes_nothing(settings, error, message, fitted):
    net = MLPClassifier(**SMALL)
    if fitted:
        net.fit(X, y)
    net.set_params(**settings)
    before, state = dict(vars(net)), pickle.dumps(net.__getstate__().get("_module_state"))
    with pytest.raises(error, match=message):
        net.fit(X, y)
    assert vars(net).keys() == before.keys()
    assert all(value is before[name] for name, value in vars(net).items())
    assert pickle.dumps(net.__getstate__().get("_module_state")) == state


def test_settings_without_an_effect_are_allowed():
    MLPClassifier(**SMALL, validation_fraction=0.0, momentum=0.0, power_t=0.0).fit(X, y)


def test_optimiser_that_needs_a_closure_is_refused_before_training():
    net = MLPClassifier(**SMALL, solver=torch.optim.LBFGS)
    with pytest.raises((TypeError, ValueError), match="solver"):
        net.fit(X, y)


def test_last_batch_of_one_sample_is_no_problem_for_batch_norm():
    net = MLPClassifier(**SMALL, batch_norm=True).fit(X[:41], y[:41])
    assert np.isfinite(net.predict_proba(X)).all()


# -- an estimator of one's own


class OwnNetwork(nn.Module):
    """A network that a user wrote, with randomness of torch's own."""

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.hidden = nn.Linear(n_inputs, 6)
        self.head = nn.Linear(6, n_outputs)

    def forward(self, x):
        return self.head(torch.relu(self.hidden(x)))


class OwnClassifier(MLPClassifier):
    """A classifier that holds another network."""

    def _build(self, input_shape, n_outputs):
        return OwnNetwork(*input_shape, n_outputs)

    def _initialise(self, module, seed):
        generator = torch.Generator().manual_seed(seed)
        for parameter in module.parameters():
            nn.init.normal_(parameter, 0, 0.3, generator=generator)

    def _step(self, module, flat):
        return super(DenseNetwork, self)._step(module, flat)


def test_family_supplies_a_network_and_inherits_the_rest():
    net = OwnClassifier(**SMALL | {"max_iter": 60, "learning_rate_init": 0.01}).fit(X, y)
    assert isinstance(net.module_, OwnNetwork)
    assert isinstance(net._loss_function(), SoftmaxLogLoss)
    assert net.score(X, y) > 0.8
    copy = pickle.loads(pickle.dumps(net))
    assert_array_equal(copy.predict_proba(X), net.predict_proba(X))


def test_tensors_keep_their_dtype():
    tensor = torch.from_numpy(X.astype(np.float32))
    from_array = MLPClassifier(3, max_iter=2, random_state=0).fit(X.astype(np.float32), y)
    from_tensor = MLPClassifier(3, max_iter=2, random_state=0).fit(tensor, torch.from_numpy(y))
    assert from_tensor.coefs_[0].dtype == np.float32
    expected = from_array.predict_proba(X.astype(np.float32))
    assert_array_equal(from_tensor.predict_proba(tensor), expected)


def test_memory_map_of_bytes_is_streamed_as_floats(tmp_path, monkeypatch):
    pixels = np.memmap(tmp_path / "pixels", np.uint8, "w+", shape=(500, 4))
    pixels[:] = np.random.default_rng(0).integers(0, 256, size=pixels.shape)
    labels = (pixels[:, 0] > 127).astype(int)
    monkeypatch.setattr("sknets._data.STREAM_BYTES", 1000)
    streamed = MLPClassifier(5, max_iter=2, shuffle=False, random_state=0).fit(pixels, labels)
    monkeypatch.undo()
    floats = np.asarray(pixels, dtype=np.float32)
    held = MLPClassifier(5, max_iter=2, shuffle=False, random_state=0).fit(floats, labels)
    assert_allclose(streamed.coefs_[0], held.coefs_[0], atol=1e-6)
    assert_allclose(streamed.predict_proba(pixels), held.predict_proba(floats), atol=1e-5)


# -- what a fit leaves behind


@pytest.mark.parametrize("batch_size", [np.int64(10), np.int32(10)])
def test_batch_size_may_be_numpys(batch_size):
    clf = MLPClassifier(max_iter=1, batch_size=batch_size, random_state=0).fit(X, y)
    same = MLPClassifier(max_iter=1, batch_size=10, random_state=0).fit(X, y)
    assert_array_equal(clf.predict_proba(X), same.predict_proba(X))


class Failing(Callback):
    def on_train_begin(self, net, **kwargs):
        raise RuntimeError("broken")


def test_an_error_before_the_first_epoch_leaves_the_last_fit():
    clf = MLPClassifier(max_iter=3, random_state=0).fit(X, y)
    before = dict(vars(clf))
    clf.set_params(callbacks=[Failing()])
    with pytest.raises(RuntimeError, match="broken"):
        clf.fit(X, y)
    assert vars(clf) | {"callbacks": None} == before


def test_outputs_mean_what_they_meant_in_training():
    reg = MLPRegressor(loss="poisson", max_iter=3, random_state=0).fit(X, y + 1)
    expected = reg.predict(X)
    assert_array_equal(reg.set_params(loss="squared_error").predict(X), expected)
    clf = MLPClassifier(loss="hinge", max_iter=3, random_state=0).fit(X, y)
    expected = clf.predict(X)
    assert_array_equal(clf.set_params(loss="log_loss").predict(X), expected)


class Interrupting(torch.optim.SGD):
    def step(self):
        raise KeyboardInterrupt


def test_an_interrupted_pretraining_leaves_a_network_that_predicts():
    settings = dict(dropout=0.5, pretrain="supervised", solver=Interrupting, random_state=0)
    clf = MLPClassifier((5, 5), **settings)
    with pytest.warns(UserWarning, match="interrupted by user"):
        clf.fit(X, y)
    assert not clf.module_.training
    assert_array_equal(clf.predict_proba(X), clf.predict_proba(X))


def test_an_empty_name_of_a_checkpoint_is_an_error_before_any_work():
    with pytest.raises(ValueError, match="The 'checkpoint' parameter of MLPClassifier must be"):
        MLPClassifier(checkpoint="", random_state=0).fit(X, y)


def test_a_diverged_epoch_is_not_in_the_record():
    settings = dict(activation="identity", solver="sgd", learning_rate="exponential", tol=0)
    settings |= dict(decay_rate=50, decay_every=1, learning_rate_init=1e-6, random_state=0)
    reg = MLPRegressor(**settings)
    with pytest.raises(ValueError, match="non-finite"):
        reg.fit(1e3 * X, 1e3 * y)
    assert len(reg.loss_curve_) == reg.n_iter_
    assert np.isfinite([*reg.loss_curve_, reg.loss_]).all()
