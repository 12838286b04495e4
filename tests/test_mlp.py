"""The perceptrons: beside scikit-learn's, beside closed forms, and what they add."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.preprocessing import StandardScaler, scale

from sknets import BernoulliRBM, GaussianRBM, MLPClassifier, MLPRegressor
from sknets._random import Stream, derived_seed
from sknets._training.parameters import FlatParameters
from sknets._training.steps import AutogradStep
from sknets.inspection import check_gradients
from sknets.layers import ACTIVATIONS, INITIALIZERS

X_digits, y_digits = (part[:200] for part in load_digits(n_class=4, return_X_y=True))
X_digits = X_digits / 16
X_binary, y_binary = X_digits[y_digits < 2], y_digits[y_digits < 2]
X_iris, y_iris = load_iris(return_X_y=True)
X_diabetes, y_diabetes = (scale(part[:150]) for part in load_diabetes(return_X_y=True))

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# -- beside scikit-learn's


@pytest.mark.parametrize(
    "settings",
    [
        dict(),
        dict(activation="logistic", alpha=1.0),
        dict(activation="tanh", beta_1=0.8, beta_2=0.9, epsilon=1e-3),
        dict(solver="sgd", learning_rate_init=0.1),
        dict(solver="sgd", learning_rate_init=0.1, nesterovs_momentum=False),
        dict(solver="sgd", learning_rate_init=0.1, momentum=0),
        dict(solver="sgd", learning_rate="invscaling", learning_rate_init=0.5),
        dict(
            solver="sgd",
            learning_rate="adaptive",
            learning_rate_init=0.5,
            tol=0.1,
            n_iter_no_change=1,
        ),
        dict(tol=0.1, n_iter_no_change=2),
        dict(learning_rate="adaptive", tol=0.1, n_iter_no_change=2),
    ],
)
@pytest.mark.parametrize("pair", [(TheirClassifier, MLPClassifier), (TheirRegressor, MLPRegressor)])
def test_training_follows_scikit_learn_step_by_step(pair, settings):
    Theirs, Ours = pair
    settings = dict(
        hidden_layer_sizes=(9, 5),
        batch_size=60,
        max_iter=12,
        shuffle=False,
        random_state=3,
        **settings,
    )
    theirs = Theirs(**settings).fit(X_digits, y_digits)
    ours = Ours(**settings, precision="float64").fit(X_digits, y_digits)
    for a, b in zip(
        theirs.coefs_ + theirs.intercepts_, ours.coefs_ + ours.intercepts_, strict=True
    ):
        assert_allclose(b, a, atol=1e-12)
    assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-12)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.best_loss_ == pytest.approx(theirs.best_loss_)


@pytest.mark.parametrize(("X", "y"), [(X_digits, y_digits), (X_binary, y_binary)])
def test_copied_weights_give_scikit_learns_probabilities(X, y):
    theirs = TheirClassifier((20, 10), max_iter=20, random_state=0).fit(X, y)
    ours = MLPClassifier((20, 10), max_iter=1, random_state=1).fit(X, y)
    ours.coefs_, ours.intercepts_ = theirs.coefs_, theirs.intercepts_
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-12)
    assert_array_equal(ours.predict(X), theirs.predict(X))


def test_assigned_weights_of_a_wrong_shape_are_refused():
    clf = MLPClassifier((3,), max_iter=1, random_state=0).fit(X_iris, y_iris)
    before = clf.coefs_[0].copy()
    with pytest.raises(ValueError, match=r"coefs_ of this MLPClassifier have shapes \[\(4, 3\)"):
        clf.coefs_ = [np.zeros((4, 3)), np.zeros((4, 3))]
    assert_array_equal(clf.coefs_[0], before)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("alpha", [0.1, 10.0])
def test_no_hidden_layer_with_lbfgs_is_logistic_regression(alpha, sparse):
    X = sp.csr_array(X_digits) if sparse else X_digits
    theirs = LogisticRegression(C=1 / alpha, tol=1e-8, max_iter=5000).fit(X_digits, y_digits)
    ours = MLPClassifier((), solver="lbfgs", alpha=alpha, tol=1e-8, max_iter=5000, random_state=0)
    assert_allclose(
        ours.fit(X, y_digits).predict_proba(X), theirs.predict_proba(X_digits), atol=1e-3
    )


@pytest.mark.parametrize("solver", ["lbfgs", "bfgs", "cg", "newton-cg"])
def test_no_hidden_layer_is_ridge_regression(solver):
    ridge = Ridge(alpha=2.0).fit(X_diabetes, y_diabetes)
    ours = MLPRegressor("squared_error", (), solver=solver, alpha=2.0, tol=1e-8, random_state=0)
    ours.fit(X_diabetes, y_diabetes)
    assert_allclose(ours.coefs_[0][:, 0], ridge.coef_, atol=1e-4)
    assert_allclose(ours.intercepts_[0], ridge.intercept_, atol=1e-4)


def test_quantile_loss_without_hidden_layer_is_quantile_regression():
    X, y = X_diabetes[:, :2], y_diabetes
    theirs = QuantileRegressor(quantile=0.8, alpha=0).fit(X, y)
    ours = MLPRegressor(
        "quantile",
        (),
        quantile=0.8,
        alpha=0,
        solver="sgd",
        batch_size="full",
        learning_rate="cosine",
        learning_rate_init=0.3,
        max_iter=2000,
        tol=0,
        n_iter_no_change=np.inf,
        random_state=0,
    )
    assert_allclose(ours.fit(X, y).predict(X), theirs.predict(X), atol=0.05)


# -- what scikit-learn's tests of private attributes say


def test_one_step_gives_the_worked_example():
    X, y = np.array([[0.6, 0.8, 0.7]]), np.array([0])
    clf = MLPClassifier(
        2,
        "logistic",
        solver="sgd",
        alpha=0.1,
        learning_rate_init=0.1,
        momentum=0,
        max_iter=1,
        random_state=1,
    )
    clf.partial_fit(X, y, classes=[0, 1])
    clf.coefs_ = [np.array([[0.1, 0.2], [0.3, 0.1], [0.5, 0]]), np.array([[0.1], [0.2]])]
    clf.intercepts_ = [np.array([0.1, 0.1]), np.array([1.0])]
    clf.partial_fit(X, y)
    # By hand: hidden units 0.679 and 0.574, output 0.765, deltas 0.0167, 0.0374 and 0.765.
    assert_allclose(
        clf.coefs_[0], [[0.098, 0.195756], [0.2956664, 0.096008], [0.493833, -0.002618]], atol=1e-5
    )
    assert_allclose(clf.coefs_[1], [[0.04706], [0.154089]], atol=1e-4)
    assert_allclose(clf.intercepts_[0], [0.098333, 0.09626], atol=1e-4)
    assert_allclose(clf.intercepts_[1], [0.9235], atol=1e-4)
    assert_allclose(clf.predict_proba(X)[0, 1], 0.739, atol=1e-3)


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "maxout"])
@pytest.mark.parametrize("n_labels", [2, 3])
def test_gradient_equals_centred_differences(activation, n_labels):
    random = np.random.RandomState(42)
    X, y = random.rand(5, 10), 1 + np.arange(5) % n_labels
    clf = MLPClassifier(10, activation, solver="lbfgs", max_iter=1, random_state=1).fit(X, y)
    assert check_gradients(clf, X, y, n_weights=None) < 1e-5


def test_learning_rate_follows_warm_starts():
    X, y = [[3, 2], [1, 6], [5, 6], [-2, -4]], [1, 1, 1, 0]
    for schedule in ("invscaling", "constant"):
        settings = dict(
            hidden_layer_sizes=4,
            solver="sgd",
            learning_rate=schedule,
            power_t=0.25,
            max_iter=1,
            warm_start=True,
            random_state=0,
            shuffle=False,
        )
        ours, theirs = MLPClassifier(**settings), TheirClassifier(**settings)
        for _ in range(3):
            ours.fit(X, y)
            theirs.fit(X, y)
            assert_allclose(ours.coefs_[0], theirs.coefs_[0], atol=1e-12)


def test_adaptive_learning_rate_stops_when_it_is_too_small(capsys):
    clf = MLPClassifier(
        tol=0.5, max_iter=3000, solver="sgd", learning_rate="adaptive", random_state=0, verbose=True
    ).fit([[3, 2], [1, 6]], [1, 0])
    # From 1e-3, five divisions by 5 pass 1e-6, each after 11 epochs, and 11 more end it.
    assert clf.n_iter_ < 100
    assert "Training loss did not improve more than tol=0.5" in capsys.readouterr().out


@pytest.mark.parametrize("patience", [2, 5, 10, 50])
def test_training_stops_after_n_iter_no_change(patience):
    clf = MLPClassifier(
        tol=0.01, max_iter=3000, solver="sgd", n_iter_no_change=patience, random_state=0
    ).fit(X_binary, y_binary)
    improved = np.array(clf.loss_curve_)
    best = np.minimum.accumulate(np.concatenate([[np.inf], improved[:-1]]))
    assert (improved[-patience - 1 :] > best[-patience - 1 :] - 0.01).all()
    assert improved[-patience - 2] <= best[-patience - 2] - 0.01
    assert clf.n_iter_ < 3000


def test_infinite_patience_goes_to_the_last_epoch():
    clf = MLPClassifier(
        tol=1e9, max_iter=300, solver="sgd", n_iter_no_change=np.inf, random_state=0
    ).fit(X_binary, y_binary)
    assert clf.n_iter_ == 300


# -- the gradient written out


@pytest.mark.parametrize(
    "settings",
    [dict(dropout=0.1), dict(batch_norm=True), dict(activation="gelu"), dict(loss="hinge")],
)
def test_networks_that_are_not_plain_are_differentiated_by_autograd(settings):
    clf = MLPClassifier(5, max_iter=1, random_state=0, **settings).fit(X_iris, y_iris)
    flat = FlatParameters(clf.module_)
    assert isinstance(clf._step(clf.module_, flat), AutogradStep)


# -- what ours adds


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "maxout"])
def test_every_activation_learns(activation):
    clf = MLPClassifier(30, activation, max_iter=60, learning_rate_init=0.02, random_state=0)
    assert clf.fit(X_digits, y_digits).score(X_digits, y_digits) > 0.95


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_every_initializer_learns(initializer):
    clf = MLPClassifier(
        30, max_iter=60, learning_rate_init=0.02, weight_init=initializer, random_state=0
    )
    assert clf.fit(X_digits, y_digits).score(X_digits, y_digits) > 0.95


@pytest.mark.parametrize("loss", ["log_loss", "hinge", "squared_hinge"])
@pytest.mark.parametrize("sizes", [(), (20,)])
def test_every_classification_loss_learns(loss, sizes):
    clf = MLPClassifier(sizes, loss=loss, max_iter=100, learning_rate_init=0.02, random_state=0)
    assert clf.fit(X_digits, y_digits).score(X_digits, y_digits) > 0.95
    assert hasattr(clf, "predict_proba") == (loss == "log_loss")
    assert_array_equal(clf.predict(X_digits), clf.decision_function(X_digits).argmax(1))


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_every_regression_loss_learns(loss):
    linear = LinearRegression().fit(X_diabetes, y_diabetes).score(X_diabetes, y_diabetes)
    reg = MLPRegressor(loss, 20, max_iter=200, learning_rate_init=0.02, random_state=0)
    assert reg.fit(X_diabetes, y_diabetes).score(X_diabetes, y_diabetes) > linear - 0.05


def test_poisson_loss_refuses_negative_targets():
    with pytest.raises(ValueError, match="loss='poisson' needs y >= 0"):
        MLPRegressor("poisson").fit(X_diabetes, y_diabetes)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_supervised_pretraining_starts_lower(batch_norm):
    settings = dict(
        hidden_layer_sizes=(30, 20, 10),
        max_iter=30,
        batch_norm=batch_norm,
        learning_rate_init=0.005,
        random_state=0,
    )
    plain = MLPClassifier(**settings).fit(X_digits, y_digits)
    pretrained = MLPClassifier(**settings, pretrain="supervised").fit(X_digits, y_digits)
    assert pretrained.loss_curve_[0] < 0.8 * plain.loss_curve_[0]
    assert pretrained.n_iter_ == plain.n_iter_ == len(pretrained.loss_curve_)


MACHINES = {
    "ours": BernoulliRBM(n_iter=8, learning_rate=0.05),
    "scikit-learn's": sklearn.neural_network.BernoulliRBM(n_iter=8, learning_rate=0.05),
    "one a layer": [GaussianRBM(n_iter=8), BernoulliRBM(n_iter=8, learning_rate=0.05)],
}


@pytest.mark.parametrize("kind", MACHINES)
def test_machines_start_a_network_without_targets(kind):
    few = np.arange(len(y_digits)) % 5 == 0
    settings = dict(
        hidden_layer_sizes=(60, 40),
        activation="logistic",
        max_iter=150,
        batch_size=20,
        learning_rate_init=0.003,
        random_state=0,
    )
    pretrained = MLPClassifier(**settings, pretrain=MACHINES[kind])
    start = pretrained.set_params(max_iter=1, learning_rate_init=1e-9).fit(X_digits, y_digits)
    first = clone(MACHINES[kind][0] if kind == "one a layer" else MACHINES[kind])
    first.set_params(n_components=60, random_state=derived_seed(0, Stream.PRETRAIN, 1))
    hidden = first.fit(X_digits.astype(np.float32)).transform(X_digits)
    layer = start.coefs_[0], start.intercepts_[0]
    assert_allclose(expit(X_digits @ layer[0] + layer[1]), hidden, atol=1e-4)
    plain = MLPClassifier(**settings).fit(X_digits[few], y_digits[few])
    pretrained.set_params(**settings).fit(X_digits[few], y_digits[few])
    rest = X_digits[~few], y_digits[~few]
    assert pretrained.score(*rest) > plain.score(*rest)
    assert not hasattr(pretrained.pretrain, "components_")


@pytest.mark.parametrize("wrong", [StandardScaler(), [BernoulliRBM()], BernoulliRBM])
def test_what_finds_no_hidden_units_is_refused(wrong):
    with pytest.raises(ValueError, match="'pretrain' parameter of MLPClassifier must be"):
        MLPClassifier((4, 3), pretrain=wrong, random_state=0).fit(X_digits, y_digits)


def test_search_reaches_into_the_machine():
    clf = MLPClassifier((5,), pretrain=BernoulliRBM(), max_iter=1, random_state=0)
    search = GridSearchCV(clf, {"pretrain__n_iter": [1, 2]}, cv=2).fit(X_digits, y_digits)
    assert search.best_params_.keys() == {"pretrain__n_iter"}


def test_multilabel_outputs_are_independent_probabilities():
    X, Y = make_multilabel_classification(n_samples=60, n_classes=4, random_state=0)
    clf = MLPClassifier(20, solver="lbfgs", max_iter=100, random_state=0).fit(X, Y)
    assert clf.predict_proba(X).shape == Y.shape
    assert_array_equal(clf.predict_proba(X) > 0.5, Y)
    assert clf.out_activation_ == "logistic"


def test_several_class_targets_are_learnt_side_by_side():
    Y = np.c_[np.array(["a", "b", "c"])[y_iris], np.where(X_iris[:, 0] > 5.8, "big", "small")]
    clf = MLPClassifier(20, solver="lbfgs", alpha=0.1, max_iter=200, random_state=0)
    clf.fit(X_iris, Y)
    assert [list(c) for c in clf.classes_] == [["a", "b", "c"], ["big", "small"]]
    assert ((clf.predict(X_iris) == Y).mean(axis=0) > 0.95).all()
    assert [p.shape[1] for p in clf.predict_proba(X_iris)] == [3, 2]
    for proba in clf.predict_proba(X_iris):
        assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)


def test_hidden_layers_are_features():
    clf = MLPClassifier((20, 7), max_iter=5, random_state=0).fit(X_iris, y_iris)
    hidden = np.maximum(X_iris @ clf.coefs_[0] + clf.intercepts_[0], 0)
    hidden = np.maximum(hidden @ clf.coefs_[1] + clf.intercepts_[1], 0)
    assert_allclose(clf.transform(X_iris), hidden, atol=1e-12)
    assert list(clf.get_feature_names_out()) == [f"mlpclassifier{i}" for i in range(7)]
    assert not hasattr(MLPClassifier(()), "transform")


def test_changed_shape_of_a_warm_start_names_the_parameter():
    clf = MLPClassifier(5, max_iter=2, warm_start=True, random_state=0).fit(X_iris, y_iris)
    before = [coef.copy() for coef in clf.coefs_]
    with pytest.raises(ValueError, match="'hidden_layer_sizes' parameter of MLPClassifier"):
        clf.set_params(hidden_layer_sizes=6).fit(X_iris, y_iris)
    assert all(np.array_equal(a, b) for a, b in zip(before, clf.coefs_, strict=True))


@pytest.mark.parametrize("sizes", [(0,), (3, -1), 0])
def test_sizes_that_are_not_positive_are_refused(sizes):
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        MLPClassifier(sizes).fit(X_iris, y_iris)


def test_snapshots_predict_the_mean_of_their_probabilities():
    clf = MLPClassifier(
        10,
        averaging="snapshots",
        n_snapshots=3,
        max_iter=9,
        random_state=0,
        learning_rate_init=0.05,
        precision="float64",
    ).fit(X_iris, y_iris)
    assert len(clf._snapshots) == 3
    members = []
    for state in clf._snapshots:
        member = MLPClassifier(10, max_iter=1, random_state=0).fit(X_iris, y_iris)
        member.coefs_ = [state["features.linear1.weight"].T, state["head.weight"].T]
        member.intercepts_ = [state["features.linear1.bias"], state["head.bias"]]
        members.append(member.predict_proba(X_iris))
    assert_allclose(clf.predict_proba(X_iris), np.mean(members, axis=0), atol=1e-9)
    assert_array_equal(clf.predict(X_iris), clf.decision_function(X_iris).argmax(1))
    assert not np.allclose(members[0], members[2])


def test_designed_schedules_do_not_warn_at_their_end(recwarn):
    MLPClassifier(5, max_iter=3, learning_rate="one_cycle", random_state=0).fit(X_iris, y_iris)
    assert not [w for w in recwarn if issubclass(w.category, ConvergenceWarning)]
