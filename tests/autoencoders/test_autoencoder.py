"""Autoencoders against PCA, and each of their options against its definition."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import subspace_angles
from scipy.sparse import csr_array
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import BernoulliRBM as ScikitLearnRBM

from sknets import Autoencoder, BernoulliRBM, MLPClassifier
from sknets.inspection import check_gradients

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

X, y = load_digits(return_X_y=True)
X, y = X[:200] / 16, y[:200]
QUICK = {"max_iter": 20, "learning_rate": "one_cycle", "learning_rate_init": 0.01}
LINEAR = {
    "activation": "identity",
    "solver": "lbfgs",
    "alpha": 0,
    "tol": 1e-7,
    "max_iter": 2000,
    "max_fun": 10**5,
    "random_state": 0,
}


def squared_error(estimator, X=X):
    """The mean over rows of the sum over columns."""
    return np.square(X - estimator.inverse_transform(estimator.transform(X))).sum(1).mean()


def quick(*sizes, **settings):
    return Autoencoder(sizes or (16,), **QUICK | {"random_state": 0, "batch_size": 20} | settings)


# -- principal components


@pytest.mark.parametrize("n", [1, 5])
def test_linear_tied_autoencoder_spans_the_principal_components(n):
    pca = PCA(n).fit(X)
    coder = Autoencoder(n, tied_weights=True, **LINEAR).fit(X)
    assert subspace_angles(coder.components_.T, pca.components_.T).max() < 1e-2
    assert squared_error(coder) == pytest.approx(squared_error(pca), rel=1e-4)


def test_linear_autoencoder_restores_as_well_as_principal_components():
    coder = Autoencoder(5, **LINEAR).fit(X)
    assert subspace_angles(coder.coefs_[1].T, PCA(5).fit(X).components_.T).max() < 1e-2
    assert squared_error(coder) == pytest.approx(squared_error(PCA(5).fit(X)), rel=1e-3)


def test_deep_autoencoder_restores_better_than_principal_components():
    coder = quick(64, 4, max_iter=200).fit(X)
    assert squared_error(coder) < 0.7 * squared_error(PCA(4).fit(X))


# -- what comes out


def test_codes_and_reconstructions_are_those_of_the_weights():
    coder = quick(12, 3, loss="log_loss").fit(X)
    w, b = coder.coefs_, coder.intercepts_
    assert [layer.shape for layer in w] == [(64, 12), (12, 3), (3, 12), (12, 64)]
    code = np.maximum(X @ w[0] + b[0], 0) @ w[1] + b[1]
    p = expit(np.maximum(code @ w[2] + b[2], 0) @ w[3] + b[3])
    assert_allclose(coder.transform(X), code, atol=1e-5)
    assert_allclose(coder.inverse_transform(code), p, atol=1e-5)
    assert_allclose(coder.reconstruct(X), p, atol=1e-5)
    assert_allclose(
        coder.score_samples(X), (X * np.log(p) + (1 - X) * np.log1p(-p)).sum(1), rtol=1e-4
    )
    assert coder.score(X) == pytest.approx(coder.score_samples(X).mean())
    assert coder.get_feature_names_out().tolist() == [f"autoencoder{i}" for i in range(3)]
    assert coder.n_layers_ == 5


@pytest.mark.parametrize(
    ("loss", "value"),
    [
        ("squared_error", lambda x, made: -np.square(x - made).sum(1) / 2),
        ("poisson", lambda x, made: -(made - x * np.log(made) + x * np.log(x) - x).sum(1)),
    ],
)
def test_scores_are_minus_the_losses(loss, value):
    counts = np.random.default_rng(0).poisson(3.0, (50, 6)) + 1.0
    coder = quick(4, loss=loss).fit(counts)
    assert_allclose(
        coder.score_samples(counts), value(counts, coder.reconstruct(counts)), rtol=1e-4
    )


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu"])
def test_outputs_have_the_activation_that_was_asked_for(activation):
    coder = quick(out_activation=activation).fit(X)
    assert coder.out_activation_ == activation
    link = {"logistic": expit, "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}[activation]
    raw = coder.transform(X) @ coder.coefs_[1] + coder.intercepts_[1]
    assert_allclose(coder.reconstruct(X), link(raw), atol=1e-5)
    assert check_gradients(coder, X[:5], None) < 1e-5


def test_what_is_set_after_a_fit_does_not_change_what_outputs_mean():
    coder = quick(loss="log_loss").fit(X)
    before = coder.reconstruct(X)
    assert_array_equal(coder.set_params(loss="squared_error").reconstruct(X), before)


def test_a_code_may_be_activated_in_another_way():
    codes = {a: quick(16, 4, code_activation=a).fit(X).transform(X) for a in ("relu", "logistic")}
    assert codes["relu"].min() == 0 < codes["relu"].max()
    assert 0 < codes["logistic"].min() < codes["logistic"].max() < 1
    assert quick(16, 4).fit(X).transform(X).min() < 0 == quick(4).fit(X).transform(X).min()


def test_tied_weights_are_one_matrix_that_goes_on_being_one():
    coder = quick(12, 3, tied_weights=True).fit(X)
    for _ in range(2):
        up, down = coder.coefs_[:2], coder.coefs_[2:]
        assert_array_equal(down[0], up[1].T)
        assert_array_equal(down[1], up[0].T)
        coder = clone(coder).set_params(warm_start=True).fit(X).fit(X).partial_fit(X)
    assert sum(p.ndim == 2 for p in coder.module_.parameters()) == 2


def test_a_grid_search_finds_the_size_of_the_code_by_itself():
    grid = {"hidden_layer_sizes": [(2,), (30,)]}
    search = GridSearchCV(quick(activation="identity"), grid, cv=2).fit(X)
    assert search.best_params_ == {"hidden_layer_sizes": (30,)}


def test_early_stopping_goes_by_the_reconstruction_of_held_out_rows():
    coder = quick(30, early_stopping=True, learning_rate="constant", max_iter=15).fit(X)
    assert len(coder.validation_scores_) == coder.n_iter_
    assert coder.best_validation_score_ == max(coder.validation_scores_)
    assert coder.validation_scores_[0] < coder.best_validation_score_ < 0


def test_targets_are_ignored():
    a, b = quick().fit(X, y), quick().fit(X)
    assert_array_equal(a.transform(X), b.transform(X))
    assert a.fit(X, y[::-1]).score(X, y) == b.score(X)


# -- layer by layer


@pytest.mark.parametrize("tied", [False, True])
def test_layerwise_pretraining_starts_from_layers_that_restore_the_one_below(tied):
    how = {"max_iter": 100, "activation": "logistic", "tied_weights": tied, "alpha": 0}
    how["code_activation"] = "logistic"
    rough = {"max_iter": 1, "learning_rate": "constant", "learning_rate_init": 1e-9}
    plain = quick(40, 20, **how | rough).fit(X)
    layers = quick(1, **how)
    stacked = quick(40, 20, **how | rough, pretrain=[layers, layers]).fit(X)
    assert squared_error(stacked) < 0.5 * squared_error(plain)
    first = clone(layers).set_params(hidden_layer_sizes=(40,), random_state=1).fit(X)
    assert squared_error(first) < squared_error(stacked)


def test_layerwise_pretraining_by_name_has_the_same_parameters():
    how = {"loss": "log_loss", "activation": "logistic", "noise": "masking", "max_iter": 3}
    each = quick(1, **how).set_params(random_state=None)
    code = clone(each).set_params(code_activation="identity", sparsity_target=None)
    by_name = quick(20, 10, 5, **how, pretrain="layerwise").fit(X)
    by_list = quick(20, 10, 5, **how, pretrain=[each, each, code]).fit(X)
    by_one = quick(20, 10, 5, **how, pretrain=each).fit(X)
    assert_array_equal(by_name.transform(X), by_list.transform(X))
    assert_array_equal(by_one.transform(X), by_list.transform(X))


def test_layers_but_the_code_are_not_made_sparse():
    rough = {"max_iter": 2, "sparsity_target": 0.1, "code_l1": 0.1, "n_active": 3}
    *below, code = quick(20, 10, 5, **rough, pretrain="layerwise")._machines()
    assert [each.sparsity_target for each in below] == [None, None]
    assert code.get_params() | rough == code.get_params()
    assert code.code_activation == "logistic"
    quick(20, 10, 5, **rough, pretrain="layerwise").fit(X)


def test_tied_weights_start_from_the_way_there():
    rough = {"max_iter": 1, "learning_rate": "constant", "learning_rate_init": 1e-12}
    machine = quick(1, activation="logistic")
    coder = quick(20, activation="logistic", tied_weights=True, pretrain=machine, **rough).fit(X)
    alone = clone(machine).set_params(hidden_layer_sizes=20).fit(X)
    assert_allclose(coder.coefs_[0], alone.coefs_[0], atol=1e-6)
    assert_allclose(coder.intercepts_[1], alone.intercepts_[1], atol=1e-6)


def test_what_a_sparsity_target_decided_outlasts_it():
    coder = quick(sparsity_target=0.1).fit(X)
    codes = coder.transform(X)
    coder.set_params(sparsity_target=None)
    assert_array_equal(pickle.loads(pickle.dumps(coder)).transform(X), codes)
    with pytest.raises(ValueError, match=r"'sparsity_target'.*changes the activation of the code"):
        coder.set_params(warm_start=True).fit(X)


def test_tied_weights_are_set_together():
    coder = quick(4, tied_weights=True).fit(X)
    before = coder.coefs_
    with pytest.raises(ValueError, match="tied weights must be those of one matrix"):
        coder.coefs_ = [np.ones((64, 4)), 2 * np.ones((4, 64))]
    assert_array_equal(coder.coefs_[0], before[0])
    coder.coefs_ = [np.ones((64, 4)), np.ones((4, 64))]
    assert_array_equal(coder.coefs_[1], np.ones((4, 64)))


def test_values_that_the_loss_does_not_know_have_no_score():
    coder = quick(loss="log_loss").fit(X)
    with pytest.raises(ValueError, match="needs values between 0 and 1"):
        coder.score(16 * X)


@pytest.mark.parametrize(
    ("coder", "message"),
    [
        (Autoencoder((9, 4), pretrain=BernoulliRBM()), "'relu'. Got .*'logistic'"),
        (Autoencoder((9, 4), pretrain=Autoencoder(activation="tanh")), "'relu'. Got .*'tanh'"),
        (
            Autoencoder((9, 4), "logistic", pretrain=ScikitLearnRBM()),
            "'identity'. Got .*'logistic'",
        ),
        (Autoencoder((9, 4), pretrain=[Autoencoder()] * 2), "'identity'. Got .*'relu'"),
        (Autoencoder((9, 4), pretrain=Autoencoder(n_active=5)), "'n_active'.*units, 4"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_layers_of_other_units_are_refused(coder, message):
    with pytest.raises(ValueError, match=message):
        coder.fit(X)


@pytest.mark.parametrize("machine", [BernoulliRBM, ScikitLearnRBM])
def test_boltzmann_machines_are_unrolled(machine):
    rough = {"max_iter": 1, "learning_rate": "constant", "learning_rate_init": 1e-9}
    how = {"activation": "logistic", "loss": "log_loss"} | rough
    rbm = machine(n_iter=30, batch_size=20, random_state=0)
    coder = quick(40, **how, pretrain=rbm).fit(X)
    alone = clone(rbm).set_params(n_components=40).fit(X)
    assert_allclose(coder.transform(X), alone.transform(X), atol=1e-4)
    back = expit(alone.transform(X) @ alone.components_ + alone.intercept_visible_)
    assert_allclose(coder.reconstruct(X), back, atol=1e-4)


def test_the_code_may_start_from_linear_units():
    rough = {"max_iter": 1, "learning_rate": "constant", "learning_rate_init": 1e-9}
    how = {"activation": "logistic", "loss": "log_loss"} | rough
    machines = [
        BernoulliRBM(n_iter=10, batch_size=20, random_state=0),
        BernoulliRBM(
            hidden="gaussian", n_iter=10, batch_size=20, learning_rate=0.01, random_state=0
        ),
    ]
    coder = quick(40, 5, **how, pretrain=machines).fit(X)
    below = clone(machines[0]).set_params(n_components=40).fit(X)
    code = clone(machines[1]).set_params(n_components=5).fit(below.transform(X))
    assert_allclose(coder.transform(X), code.transform(below.transform(X)), atol=1e-3)


def test_perceptron_starts_from_autoencoders():
    layer = Autoencoder(noise="masking", max_iter=5, batch_size=20, random_state=0)
    rough = {"max_iter": 1, "learning_rate_init": 1e-9, "random_state": 0}
    clf = MLPClassifier((30, 20), pretrain=layer, **rough).fit(X, y)
    first = clone(layer).set_params(hidden_layer_sizes=30).fit(X)
    second = clone(layer).set_params(hidden_layer_sizes=20).fit(first.transform(X))
    assert_allclose(clf.transform(X), second.transform(first.transform(X)), atol=1e-4)


@pytest.mark.filterwarnings("error:Stochastic Optimizer")
def test_layers_need_not_have_converged():
    layer = Autoencoder(max_iter=1)
    MLPClassifier((8,), pretrain=layer, solver="lbfgs", random_state=0).fit(X, y)


@pytest.mark.parametrize(
    "units", [{"activation": "tanh"}, {"code_activation": "identity"}], ids=str
)
def test_perceptron_refuses_an_autoencoder_of_other_units(units):
    clf = MLPClassifier(8, pretrain=Autoencoder(**units))
    with pytest.raises(ValueError, match=r"of the layer, 'relu'\. Got Autoencoder"):
        clf.fit(X, y)


# -- options together


def test_all_options_combine():
    coder = quick(
        30,
        10,
        noise="salt_pepper",
        noise_level=0.1,
        tied_weights=True,
        code_activation="logistic",
        sparsity_target=0.2,
        code_l1=0.01,
        contraction=0.01,
        n_active=5,
        dropout=0.1,
        pretrain="layerwise",
        loss="log_loss",
        activation="logistic",
        early_stopping=True,
    ).fit(X)
    assert ((coder.transform(X) > 0).sum(1) == 5).all()
    assert coder.score(X) > quick(30, 10, max_iter=1, loss="log_loss").fit(X).score(X)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"tied_weights": True},
        {"code_l1": 0.1},
        {"code_activation": "logistic", "sparsity_target": 0.1},
        {"contraction": 0.1, "activation": "tanh"},
        {"contraction": 0.1, "activation": "tanh", "hidden_layer_sizes": (6, 3)},
        {"loss": "poisson"},
    ],
    ids=str,
)
def test_gradients_are_those_of_differences(settings):
    coder = Autoencoder(**{"hidden_layer_sizes": 5, "max_iter": 2, "random_state": 0} | settings)
    assert check_gradients(coder.fit(X[:20]), X[:20], None) < 1e-5


def test_weights_of_samples_count_as_repetitions():
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    how = {"sparsity_target": 0.1, "contraction": 0.1, "batch_size": "full", "shuffle": False}
    weighted = quick(**how).fit(X, sample_weight=weight)
    repeated = quick(**how).fit(np.repeat(X, weight, axis=0))
    assert_allclose(weighted.transform(X), repeated.transform(X), atol=1e-6)


# -- errors


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "log_loss"}, "'log_loss' of Autoencoder needs values between 0 and 1"),
        ({"loss": "poisson"}, "'poisson' of Autoencoder needs values >= 0"),
        ({"loss": "log_loss", "out_activation": "tanh"}, "'out_activation'.*must be 'auto'"),
        ({"noise": "masking", "noise_level": 2}, "'noise_level'.*at most 1"),
        ({"n_active": 9}, "'n_active'.*at most.*8"),
        ({"n_active": 3, "n_active_init": 2}, "'n_active_init'.*at least n_active"),
        ({"n_active_init": 2}, "'n_active_init'.*at least n_active"),
        ({"sparsity_target": 0.1, "code_activation": "relu"}, "code_activation='logistic'"),
        ({"contraction": 1, "batch_norm": True}, "'contraction'.*batch_norm=False"),
        ({"hidden_layer_sizes": ()}, "'hidden_layer_sizes'.*1 number at least"),
        ({"noise": "masking", "solver": "lbfgs"}, "noise='masking' needs a stochastic solver"),
        ({"pretrain": [BernoulliRBM()] * 2}, "a list of one for each of 1 layers"),
        ({"noise": "maskin"}, "Did you mean 'masking'"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_errors_come_first_and_leave_the_estimator_alone(settings, message):
    coder = Autoencoder(8, max_iter=2, random_state=0).fit(X)
    before = coder.transform(X)
    data = X if "loss" not in settings or "out_activation" in settings else X - 0.5
    with pytest.raises(ValueError, match=message):
        coder.set_params(**settings).fit(data)
    assert_array_equal(coder.transform(X), before)


def test_data_that_the_loss_cannot_restore_is_refused_where_it_is_sparse_or_streamed():
    with pytest.raises(ValueError, match=r"values from -0\.5 to 0.5"):
        Autoencoder(loss="log_loss").fit(csr_array(X - 0.5))
    with pytest.raises(ValueError, match="values from 0 to 2"):
        Autoencoder(loss="log_loss").fit(torch.utils.data.TensorDataset(torch.from_numpy(2 * X)))
