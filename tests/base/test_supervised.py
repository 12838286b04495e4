"""What classifiers and regressors add to a fit: labels, class weights, scores, targets."""

import pickle
import re

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import neural_network
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, r2_score
from sklearn.svm import LinearSVC
from skorch.callbacks import Callback

from sknets import MLPClassifier, MLPRegressor, load, save
from sknets._params import InvalidParameterError

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 4))
NUMBER = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)  # 0, 1, 2
BITS = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 2] > 0.5]).astype(int)
SEVERAL = np.column_stack([NUMBER, 5 * (X[:, 2] > 0) + 2])
Y = X[:, :2] @ [[1.0, 0.5], [-1.0, 2.0]]
SMALL = dict(hidden_layer_sizes=(8,), max_iter=5, batch_size=30, random_state=0)
LEARNING = SMALL | {"max_iter": 60, "learning_rate_init": 0.02, "learning_rate": "one_cycle"}


class Batches(Callback):
    """The rows that a network trains on."""

    def on_train_begin(self, net, **kwargs):
        self.rows = set()

    def on_batch_begin(self, net, batch, **kwargs):
        self.rows.update(batch[0][:, 0].double().tolist())


def held_out(net, X, y, **fit):
    """Which rows a fit with early stopping does not train on."""
    batches = Batches()
    net.set_params(callbacks=[batches]).fit(X, y, **fit)
    return ~np.isin(X[:, 0].astype(np.float32).astype(float), list(batches.rows))


# -- labels of any kind


@pytest.mark.parametrize(
    "names",
    [
        np.array([0, 1, 2]),
        np.array([-5, 3, 40], dtype=np.int8),
        np.array(["left", "right", "straight on"]),
        np.array(["left", "right", "straight on"], dtype=object),
        np.array([0.0, 1.0, 7.0]),
    ],
    ids=lambda names: str(names.dtype),
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_labels_come_back_as_they_were_given(names, n_classes):
    labels = names[NUMBER.clip(0, n_classes - 1)]
    net = MLPClassifier(**LEARNING).fit(X, labels)
    assert_array_equal(net.classes_, names[:n_classes])
    predicted = net.predict(X)
    assert predicted.dtype == net.classes_.dtype == labels.dtype
    assert accuracy_score(labels, predicted) > 0.9
    assert_array_equal(net.classes_[net.predict_proba(X).argmax(1)], predicted)
    encoded = MLPClassifier(**LEARNING).fit(X, NUMBER.clip(0, n_classes - 1))
    assert_array_equal(net.coefs_[0], encoded.coefs_[0])


def test_booleans_are_two_classes():
    net = MLPClassifier(**LEARNING).fit(X, NUMBER > 0)
    assert net.predict(X).dtype == bool
    assert net.n_outputs_ == 1
    assert net.out_activation_ == "logistic"


@pytest.mark.parametrize(
    ("target", "kind", "outputs", "activation"),
    [
        (NUMBER > 0, "binary", 1, "logistic"),
        (NUMBER, "multiclass", 3, "softmax"),
        (BITS, "multilabel", 3, "logistic"),
        (SEVERAL, "multioutput", 5, "softmax"),
    ],
    ids=["binary", "multiclass", "multilabel", "multioutput"],
)
def test_target_decides_the_outputs(target, kind, outputs, activation):
    net = MLPClassifier(**SMALL).fit(X, target)
    assert (net.n_outputs_, net.out_activation_) == (outputs, activation)
    assert net.predict(X).shape == target.shape
    proba, log_proba, scores = (
        getattr(net, name)(X)
        for name in ("predict_proba", "predict_log_proba", "decision_function")
    )
    if kind == "multioutput":
        assert [p.shape for p in proba] == [s.shape for s in scores] == [(120, 3), (120, 2)]
        assert [p.shape for p in log_proba] == [(120, 3), (120, 2)]
        for p, log_p in zip(proba, log_proba, strict=True):
            assert_allclose(p.sum(1), 1)
            assert_allclose(np.exp(log_p), p)
        return
    assert_allclose(np.exp(log_proba), proba)
    shapes = {"binary": ((120, 2), (120,)), "multiclass": ((120, 3),) * 2}
    assert (proba.shape, scores.shape) == shapes.get(kind, ((120, 3),) * 2)
    if kind != "multilabel":
        assert_allclose(proba.sum(1), 1)


def test_positive_score_means_the_second_class():
    net = MLPClassifier(**SMALL).fit(X, NUMBER > 0)
    scores = net.decision_function(X)
    assert_array_equal(scores > 0, net.predict(X))
    assert_allclose(net.predict_proba(X)[:, 1], 1 / (1 + np.exp(-scores)), rtol=1e-6)


@pytest.mark.parametrize("loss", ["log_loss", "hinge", "squared_hinge"])
@pytest.mark.parametrize(
    "target", [NUMBER > 0, NUMBER, BITS, SEVERAL], ids=["binary", "multi", "labels", "several"]
)
def test_every_loss_learns_every_kind_of_target(loss, target):
    net = MLPClassifier(**LEARNING, loss=loss).fit(X, target)
    assert (net.predict(X) == target).mean() > 0.9
    assert hasattr(net, "predict_proba") == (loss == "log_loss")
    assert hasattr(net, "predict_log_proba") == (loss == "log_loss")


@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csr_array, sp.csc_array, sp.coo_array])
@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"class_weight": "balanced"}])
def test_multilabel_in_a_sparse_matrix_is_as_good_as_dense(container, settings):
    dense = MLPClassifier(**SMALL, **settings).fit(X, BITS)
    sparse = MLPClassifier(**SMALL, **settings).fit(X, container(BITS))
    assert_array_equal(sparse.coefs_[0], dense.coefs_[0])
    assert sparse.validation_scores_ == dense.validation_scores_
    assert_array_equal(sparse.predict(X).toarray(), dense.predict(X))
    assert_array_equal(sparse.predict_proba(X), dense.predict_proba(X))


def test_multilabel_in_a_sparse_matrix_is_predicted_in_one_as_in_scikit_learn(tmp_path):
    twin = neural_network.MLPClassifier(**SMALL).fit(X, sp.csr_array(BITS)).predict(X)
    net = MLPClassifier(**SMALL).fit(X, sp.csr_array(BITS))
    save(net, tmp_path / "net")
    for ours in (net, clone(net).fit(X, sp.csr_array(BITS)), load(tmp_path / "net")):
        predicted = pickle.loads(pickle.dumps(ours)).predict(X)
        assert (type(predicted), predicted.dtype) == (type(twin), twin.dtype)
        assert_array_equal(predicted.toarray(), net.predict(X).toarray())
        assert ours.score(X, sp.csr_array(BITS)) == ours.score(X, BITS)
    assert not sp.issparse(net.fit(X, BITS).predict(X))


@pytest.mark.parametrize("classifier", [neural_network.MLPClassifier, MLPClassifier])
def test_first_multilabel_target_decides_whether_predictions_are_sparse(classifier):
    net = classifier(**SMALL | {"batch_size": "auto"})
    net.partial_fit(X, sp.csr_array(BITS), classes=np.arange(3)).partial_fit(X, BITS)
    assert sp.issparse(net.predict(X))
    net = classifier(**SMALL, warm_start=True).fit(X, BITS).fit(X, sp.csr_array(BITS))
    assert not sp.issparse(net.predict(X))


def test_two_columns_of_numbers_come_back_as_they_were_given():
    net = MLPClassifier(**LEARNING).fit(X, BITS + 1)
    assert (net.predict(X) == BITS + 1).mean() > 0.9
    assert [c.tolist() for c in net.classes_] == [[1, 2]] * 3


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True, "validation_fraction": 0.5}])
def test_many_classes_do_not_warn_as_in_scikit_learn(settings):
    many = np.arange(120) % 80
    for classifier in (neural_network.MLPClassifier, MLPClassifier):
        net = classifier(**SMALL, **settings).fit(X, many)  # a warning is an error
        assert len(net.classes_) == 80
        net.score(X, many)


def test_only_class_is_always_predicted():
    net = MLPClassifier(**SMALL).fit(X, ["only"] * 120)
    assert set(net.predict(X)) == {"only"}
    assert_array_equal(net.predict_proba(X), np.ones((120, 1)))
    assert_array_equal(net.predict_log_proba(X), np.zeros((120, 1)))


def test_hinge_without_hidden_layer_is_the_linear_svm():
    y = np.where(X @ [1, -1, 0.5, 0] + 0.3 * rng.normal(size=120) > 0, 1, 0)
    settings = {"hidden_layer_sizes": (), "solver": "lbfgs", "max_iter": 1000, "tol": 1e-8}
    ours = MLPClassifier(**settings, loss="squared_hinge", alpha=2.0, random_state=0).fit(X, y)
    # LinearSVC minimises |w|^2 / 2 + C sum(loss), and penalises the bias of a large column little.
    twin = LinearSVC(
        C=1 / 2.0, intercept_scaling=1000, tol=1e-10, max_iter=200_000, random_state=0
    ).fit(X, y)
    assert_allclose(ours.coefs_[0].ravel(), twin.coef_.ravel(), atol=1e-3)


def test_continuous_labels_are_scikit_learns_error():
    with pytest.raises(ValueError, match="Unknown label type"):
        MLPClassifier().fit(X, X[:, 0])


# -- a column of targets


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_column_of_targets_warns_and_is_a_vector(estimator):
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        net = estimator(**SMALL).fit(X, NUMBER[:, None])
    assert net.predict(X).shape == (120,)
    assert_array_equal(net.coefs_[0], estimator(**SMALL).fit(X, NUMBER).coefs_[0])


# -- weights of classes


def test_balanced_classes_have_equal_total_weight():
    counts = np.bincount(NUMBER)
    weight = (120 / (3 * counts))[NUMBER]
    balanced = MLPClassifier(**SMALL, class_weight="balanced").fit(X, NUMBER)
    weighted = MLPClassifier(**SMALL).fit(X, NUMBER, sample_weight=weight)
    assert_array_equal(balanced.coefs_[0], weighted.coefs_[0])
    assert [weight[c == NUMBER].sum() for c in range(3)] == pytest.approx([40] * 3)


def test_class_weight_is_by_the_labels_names():
    names = np.array(["a", "b", "c"])[NUMBER]
    by_name = MLPClassifier(**SMALL, class_weight={"a": 1, "b": 2, "c": 0.5}).fit(X, names)
    by_sample = MLPClassifier(**SMALL).fit(X, names, np.array([1, 2, 0.5])[NUMBER])
    assert_array_equal(by_name.coefs_[0], by_sample.coefs_[0])


def test_class_weight_of_several_targets_multiplies():
    settings = [{0: 1, 1: 2, 2: 3}, {2: 1, 7: 5}]
    weighted = MLPClassifier(**SMALL, class_weight=settings).fit(X, SEVERAL)
    weight = (1 + NUMBER) * np.where(SEVERAL[:, 1] == 7, 5, 1)
    assert_array_equal(weighted.coefs_[0], MLPClassifier(**SMALL).fit(X, SEVERAL, weight).coefs_[0])


def test_balanced_classes_are_refused_by_partial_fit():
    net = MLPClassifier(class_weight="balanced")
    with pytest.raises(ValueError, match="class_weight='balanced' is not supported by partial_fit"):
        net.partial_fit(X, NUMBER, classes=[0, 1, 2])


def test_class_weight_works_where_a_batch_lacks_a_class():
    net = MLPClassifier(**SMALL, class_weight={1: 2.0})
    net.partial_fit(X, NUMBER, classes=[0, 1, 2])
    net.partial_fit(X[NUMBER == 0], NUMBER[NUMBER == 0])
    assert len(net.loss_curve_) == 2


@pytest.mark.parametrize(
    ("target", "class_weight", "problem"),
    [
        (NUMBER, "uniform", "be a str among {'balanced'}, an instance of 'dict'"),
        (NUMBER, 3, "be a str among {'balanced'}, an instance of 'dict'"),
        (NUMBER, [{0: 1}], "be a dict {class: weight}, 'balanced' or None for 1 target(s)"),
        (BITS, {0: 1, 1: 2}, "be a list of 3 dicts, 'balanced' or None for 3 target(s)"),
        (SEVERAL, [{0: 1}], "be a list of 2 dicts, 'balanced' or None for 2 target(s)"),
        (SEVERAL, [{0: 1}, 5], "be a list of 2 dicts, 'balanced' or None for 2 target(s)"),
        (NUMBER, {7: 1.0}, "have keys among the classes [0 1 2]"),
        (NUMBER, {0: 1.0, 7: 2.0}, "have keys among the classes [0 1 2]"),
        (SEVERAL, [{0: 1}, {0: 1}], "have keys among the classes [2 7]"),
        (NUMBER, {0: "much"}, "hold finite weights >= 0"),
        (NUMBER, {0: -1.0}, "hold finite weights >= 0"),
        (NUMBER, {0: np.nan}, "hold finite weights >= 0"),
        (NUMBER, {0: 0, 1: 0, 2: 0}, "give a weight > 0 to one class at least"),
    ],
    ids=str,
)
def test_wrong_class_weight_is_an_error(target, class_weight, problem):
    net = MLPClassifier(**SMALL, class_weight=class_weight)
    message = re.escape(f"The 'class_weight' parameter of MLPClassifier must {problem}")
    with pytest.raises(InvalidParameterError, match=f"{message}.*{re.escape(repr(class_weight))}"):
        net.fit(X, target)
    assert not hasattr(net, "module_")


@pytest.mark.parametrize(
    "class_weight", [{}, {0: 2.0}, {0: 1, 1: 2, 2: 3, 7: 5}, {7: 1.0}, {0: 1, 7: 2}], ids=str
)
def test_keys_of_class_weight_may_be_what_scikit_learn_allows(class_weight):
    allowed = []
    for model in (LogisticRegression(C=0.1), MLPClassifier(**SMALL)):
        try:
            model.set_params(class_weight=class_weight).fit(X, NUMBER)
            allowed.append(True)
        except ValueError:
            allowed.append(False)
    assert allowed[0] == allowed[1]


def test_class_weight_of_several_targets_works_where_a_batch_lacks_a_class():
    settings = SMALL | {"batch_size": "auto"}
    net = MLPClassifier(**settings, class_weight=[{1: 2.0}, {7: 3.0}])
    net.partial_fit(X, SEVERAL, classes=[[0, 1, 2], [2, 7]])
    low = (SEVERAL == [0, 2]).all(1)
    net.partial_fit(X[low], SEVERAL[low])
    assert len(net.loss_curve_) == 2


# -- label smoothing


@pytest.mark.parametrize("n_classes", [2, 3])
def test_label_smoothing_bounds_the_confidence(n_classes):
    target = NUMBER.clip(0, n_classes - 1)
    known = np.eye(n_classes)[target]  # inputs that give the class away
    net = MLPClassifier((), solver="lbfgs", alpha=0.0, label_smoothing=0.3, random_state=0)
    expected = 0.7 * known + 0.3 / n_classes
    assert_allclose(net.fit(known, target).predict_proba(known), expected, atol=1e-3)


# -- partial_fit


def test_partial_fit_needs_the_classes_at_its_first_call():
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        MLPClassifier().partial_fit(X, NUMBER)


def test_partial_fit_learns_classes_that_come_later():
    net = MLPClassifier(**SMALL | {"learning_rate_init": 0.02})
    early = NUMBER < 2
    net.partial_fit(X[early], NUMBER[early], classes=[2, 0, 1, 3])
    assert_array_equal(net.classes_, [0, 1, 2, 3])
    for _ in range(60):
        net.partial_fit(X, NUMBER)
    assert net.score(X, NUMBER) > 0.9
    assert net.predict_proba(X).shape == (120, 4)


def test_partial_fit_refuses_classes_that_it_was_not_told_of():
    net = MLPClassifier(**SMALL).partial_fit(X, NUMBER, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"classes not in `self.classes_`"):
        net.partial_fit(X, NUMBER + 1)
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        net.partial_fit(X, NUMBER, classes=[0, 1, 2, 3])
    with pytest.raises(ValueError, match=r"classes not in `self.classes_`"):
        MLPClassifier().partial_fit(X, NUMBER, classes=[0, 1])


def test_partial_fit_takes_the_classes_again_and_again():
    net = MLPClassifier(**SMALL)
    for _ in range(2):
        net.partial_fit(X, NUMBER, classes=[0, 1, 2])
    assert len(net.loss_curve_) == 2


@pytest.mark.parametrize("classes", [None, np.arange(3)])
def test_partial_fit_learns_multilabel_targets(classes):
    net = MLPClassifier(**SMALL | {"batch_size": "auto"})
    net.partial_fit(X, BITS, classes=np.arange(3))
    net.partial_fit(X[:10], np.zeros((10, 3), int), classes=classes)
    net.partial_fit(X, BITS, classes=classes)
    assert net.predict(X).shape == (120, 3)


def test_partial_fit_learns_several_targets_whose_batches_lack_classes():
    classes = [np.array([0, 1, 2]), np.array([2, 7])]
    net = MLPClassifier(**SMALL)
    first = (SEVERAL < 7).all(1)
    net.partial_fit(X[first], SEVERAL[first], classes=classes)
    net.partial_fit(X, SEVERAL, classes=classes)
    assert [c.tolist() for c in net.classes_] == [[0, 1, 2], [2, 7]]


def test_partial_fit_of_several_targets_takes_a_batch_of_zeros_and_ones():
    target = np.column_stack([NUMBER, NUMBER[::-1]])
    net = MLPClassifier(**SMALL).partial_fit(X, target, classes=[np.arange(3)] * 2)
    low = (target < 2).all(1)
    net.partial_fit(X[low], target[low])
    assert len(net.loss_curve_) == 2


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_partial_fit_does_not_support_early_stopping(estimator):
    classes = {"classes": [0, 1, 2]} if estimator is MLPClassifier else {}
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        estimator(early_stopping=True).partial_fit(X, NUMBER, **classes)


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_partial_fit_does_not_support_a_curriculum(estimator):
    classes = {"classes": [0, 1, 2]} if estimator is MLPClassifier else {}
    with pytest.raises(ValueError, match="partial_fit does not support curriculum='root'"):
        estimator(curriculum="root").partial_fit(X, NUMBER, **classes)


@pytest.mark.parametrize("solver", ["lbfgs", "bfgs", "cg", "newton-cg"])
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_partial_fit_is_absent_with_full_batch_solvers(estimator, solver):
    net = estimator(solver=solver)
    assert not hasattr(net, "partial_fit")
    with pytest.raises(AttributeError) as caught:
        net.partial_fit(X, NUMBER)
    reason = caught.value.__cause__ or caught.value
    assert "partial_fit is only available for stochastic optimizers" in str(reason)


def test_warm_start_needs_the_same_classes():
    net = MLPClassifier(**SMALL, warm_start=True).fit(X, NUMBER)
    with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same"):
        net.fit(X, NUMBER.clip(0, 1))


def test_regressor_that_goes_on_needs_the_same_number_of_targets():
    net = MLPRegressor(**SMALL).partial_fit(X, Y)
    with pytest.raises(ValueError, match="y has 1 targets, but 2 in the last call"):
        net.partial_fit(X, Y[:, 0])


# -- early stopping


@pytest.mark.parametrize("fraction", [0.1, 0.25])
def test_validation_split_is_stratified_by_class(fraction):
    net = MLPClassifier(**SMALL, early_stopping=True, validation_fraction=fraction)
    out = held_out(net, X, NUMBER)
    assert out.sum() == np.ceil(fraction * 120)
    expected = fraction * np.bincount(NUMBER)
    assert abs(np.bincount(NUMBER[out], minlength=3) - expected).max() <= 1


def test_validation_split_copes_with_a_class_of_one_sample():
    rare = NUMBER.copy()
    rare[0] = 9
    net = MLPClassifier(**SMALL, early_stopping=True).fit(X, rare)
    assert 9 in net.classes_


def test_validation_score_of_the_only_class_is_1():
    net = MLPClassifier(**SMALL, early_stopping=True).fit(X, ["only"] * 120)
    assert set(net.validation_scores_) == {1.0}


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_full_batch_solver_validates_nothing(estimator):
    settings = {"solver": "cg", "alpha": 1.0, "tol": 0.1, "max_iter": 1000, "random_state": 0}
    net = estimator(hidden_layer_sizes=(), **settings, early_stopping=True).fit(X, NUMBER)
    assert net.validation_scores_ is None
    assert net.best_validation_score_ is None
    assert net.best_loss_ == min(net.loss_curve_)


@pytest.mark.parametrize(
    "target", [NUMBER > 0, NUMBER, BITS, SEVERAL], ids=["binary", "multi", "labels", "several"]
)
@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
def test_validation_score_is_the_accuracy_of_the_best_weights(target, loss):
    net = MLPClassifier(**SMALL | {"max_iter": 20}, early_stopping=True, loss=loss)
    out = held_out(net, X, target)
    right = net.predict(X[out]) == target[out]
    right = right if right.ndim == 1 else right.all(1)
    assert net.best_validation_score_ == pytest.approx(right.mean())
    assert net.best_validation_score_ == max(net.validation_scores_)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
def test_validation_score_of_a_regressor_is_r2_of_the_best_weights(loss):
    target = np.exp(Y / 3)
    net = MLPRegressor(loss, **SMALL | {"max_iter": 20}, early_stopping=True)
    out = held_out(net, X, target)
    expected = r2_score(target[out], net.predict(X[out]))
    assert net.best_validation_score_ == pytest.approx(expected, abs=1e-5)


def test_validation_score_is_weighted():
    weight = rng.uniform(0.1, 3, 120)
    net = MLPClassifier(**SMALL, early_stopping=True)
    out = held_out(net, X, NUMBER, sample_weight=weight)
    expected = accuracy_score(NUMBER[out], net.predict(X[out]), sample_weight=weight[out])
    assert net.best_validation_score_ == pytest.approx(expected)


def test_split_depends_on_random_state_alone():
    def split(seed, max_iter):
        settings = SMALL | {"random_state": seed, "max_iter": max_iter}
        return held_out(MLPClassifier(**settings, early_stopping=True), X, NUMBER)

    assert_array_equal(split(0, 1), split(0, 4))
    assert (split(0, 1) != split(1, 1)).any()


# -- regression


@pytest.mark.parametrize("target", [Y, Y[:, 0]], ids=["two targets", "one"])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_every_loss_learns_numbers(loss, target):
    net = MLPRegressor(loss, **LEARNING).fit(X, target)
    assert net.predict(X).shape == target.shape
    assert net.score(X, target) > 0.9
    assert net.out_activation_ == "identity"


def test_poisson_predicts_positive_means():
    counts = rng.poisson(np.exp(X[:, 0]))
    net = MLPRegressor("poisson", **LEARNING).fit(X, counts)
    assert (net.predict(X) > 0).all()
    assert net.out_activation_ == "exp"
    assert abs(np.log(net.predict(X)) - X[:, 0]).mean() < 0.6


def test_poisson_refuses_negative_targets():
    net = MLPRegressor("poisson")
    with pytest.raises(ValueError, match="loss='poisson' needs y >= 0"):
        net.fit(X, Y)
    assert not hasattr(net, "module_")


@pytest.mark.parametrize("quantile", [0.1, 0.8])
def test_quantile_loss_leaves_its_share_below(quantile):
    noisy = rng.normal(size=120)
    settings = {"batch_size": "full", "max_iter": 400, "learning_rate": "cosine", "tol": 0.0}
    settings |= {"learning_rate_init": 0.05, "alpha": 0.0, "random_state": 0}
    net = MLPRegressor("quantile", (), quantile=quantile, **settings).fit(X, noisy)
    assert (noisy < net.predict(X)).mean() == pytest.approx(quantile, abs=5 / 120)


def test_huber_delta_is_in_units_of_y():
    # Every error is beyond delta, so that the gradient by an output is delta on either side.
    settings = dict(
        hidden_layer_sizes=(),
        max_iter=1,
        solver="sgd",
        momentum=0.0,
        alpha=0.0,
        batch_size="full",
        random_state=0,
    )
    far = 1e6 * np.sign(Y)
    start = MLPRegressor("huber", **settings, learning_rate_init=1e-300).fit(X, far)
    net = MLPRegressor("huber", **settings, learning_rate_init=0.1, huber_delta=0.5).fit(X, far)
    step = net.intercepts_[0] - start.intercepts_[0]
    assert_allclose(step, 0.1 * 0.5 * np.sign(far).mean(0), atol=1e-12)


def test_targets_need_not_be_float64():
    expected = MLPRegressor(**SMALL).fit(X, np.round(10 * Y)).predict(X)
    for dtype in (np.float32, int, np.int16):
        net = MLPRegressor(**SMALL).fit(X, np.round(10 * Y).astype(dtype))
        assert_array_equal(net.predict(X), expected)


# -- bad data changes nothing

BAD_DATA = [
    ((X[:5], NUMBER), "inconsistent numbers of samples"),
    ((X, NUMBER, np.ones(5)), r"sample_weight.shape == \(5,\), expected \(120,\)"),
    ((X, NUMBER, -np.ones(120)), "Negative values in data passed to `sample_weight`"),
    ((X, NUMBER, np.full(120, np.nan)), "sample_weight contains NaN"),
    ((X, NUMBER, np.zeros(120)), "Sample weights must contain"),
    ((np.where(X > 2, np.nan, X), NUMBER), "Input X contains NaN"),
    ((np.where(X > 2, np.inf, X), NUMBER), "Input X contains infinity"),
    ((X[0], NUMBER[:1]), "Expected 2D array, got 1D array instead"),
    ((X[:0], NUMBER[:0]), "Found array with 0 sample"),
    ((X[:, :0], NUMBER), "Found array with 0 feature"),
    ((X, np.where(X[:, 0] > 1, np.nan, X[:, 0])), "Input y contains NaN"),
    ((X, None), "requires y to be passed"),
    ((X.astype(complex), NUMBER), "Complex data not supported"),
    ((np.full((120, 4), "a"), NUMBER), "could not convert string to float"),
    ((X[:, :3], NUMBER), None),
]


@pytest.mark.parametrize(("data", "message"), BAD_DATA, ids=[str(m)[:30] for _, m in BAD_DATA])
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("settings", [{}, {"warm_start": True}], ids=["fit", "warm start"])
def test_bad_data_is_an_error_that_changes_nothing(estimator, data, message, settings):
    message = message or "X has 3 features, but MLP"
    for net in (estimator(**SMALL, **settings), estimator(**SMALL, **settings).fit(X, NUMBER)):
        if "features, but" in message and not (settings and hasattr(net, "module_")):
            continue  # a fresh fit takes any number of features
        before = dict(vars(net))
        with pytest.raises(ValueError, match=message):
            net.fit(*data)
        assert vars(net).keys() == before.keys()
        assert all(value is before[name] for name, value in vars(net).items())


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_bad_batch_leaves_partial_fit_where_it_was(estimator):
    classes = {"classes": [0, 1, 2]} if estimator is MLPClassifier else {}
    net = estimator(**SMALL).partial_fit(X, NUMBER, **classes)
    before = net.predict(X)
    for data, message in BAD_DATA:
        with pytest.raises(ValueError, match=message or "X has 3 features"):
            net.partial_fit(*data)
        assert_array_equal(net.predict(X), before)
    unharmed = estimator(**SMALL).partial_fit(X, NUMBER, **classes).partial_fit(X, NUMBER)
    assert_array_equal(net.partial_fit(X, NUMBER).predict(X), unharmed.predict(X))
