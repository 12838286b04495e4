"""Machines as layers: what becomes of their settings, of a Ctrl-C and of errors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback

from sknets import (
    DBM,
    DBN,
    BernoulliRBM,
    DBMClassifier,
    DBNClassifier,
    GaussianRBM,
    MLPClassifier,
    MultimodalDBN,
)
from sknets.boltzmann.learning import LikelihoodStep

X, y = load_digits(return_X_y=True)
X, y = (X[:150] > 7).astype(float), y[:150]
RBM = BernoulliRBM(n_iter=2, batch_size=50)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Stop(Callback):
    """Training ends after the first epoch, in skorch's way."""

    def on_epoch_end(self, *_, **__):
        raise KeyboardInterrupt


def stacks(rbm):
    settings = dict(rbm=rbm, random_state=0, max_iter=3)
    return {
        "DBN": DBN((8, 6), **settings, fine_tuning="up_down"),
        "DBM": DBM((8, 6), **settings),
        "finetune": DBNClassifier((8, 6), **settings),
        "associative": DBNClassifier((8, 6, 5), **settings, head="associative"),
        "MLP": MLPClassifier((8, 6), pretrain=rbm, random_state=0, max_iter=3),
        "DBMClassifier": DBMClassifier((8, 6), dbm=DBM(rbm=rbm), random_state=0, max_iter=3),
    }


@pytest.mark.parametrize("name", stacks(RBM))
@pytest.mark.parametrize("n_visible", [64, 8])
def test_ctrl_c_in_any_machine_ends_all_training(name, n_visible, monkeypatch):
    step = LikelihoodStep.__call__

    def pressed(self, batch):
        if self.machine.visible.n == n_visible:
            raise KeyboardInterrupt
        return step(self, batch)

    monkeypatch.setattr(LikelihoodStep, "__call__", pressed)
    stack = stacks(RBM)[name]
    with pytest.warns(UserWarning, match="interrupted by user"):
        stack.fit(X, y)
    assert stack.n_iter_ == 0
    assert stack.transform(X).shape[0] == len(X)


@pytest.mark.parametrize("name", stacks(RBM))
def test_a_machine_that_stops_early_is_none_that_was_interrupted(name):
    """All layers are trained, and then all at once."""
    stack = stacks(BernoulliRBM(n_iter=5, batch_size=50, callbacks=[Stop()]))[name]
    assert stack.fit(X, y).n_iter_ == 3


@pytest.mark.parametrize(
    "stack",
    [
        DBN((4, 3), rbm=BernoulliRBM(n_iter=-1)),
        DBN((4, 3), rbm=[BernoulliRBM(), BernoulliRBM(n_iter=-1)]),
        DBM((4, 3), rbm=BernoulliRBM(n_iter=-1)),
        DBNClassifier((4, 3), rbm=BernoulliRBM(n_iter=-1)),
        DBMClassifier((4, 3), dbm=DBM(rbm=BernoulliRBM(n_iter=-1))),
        MLPClassifier((4,), pretrain=BernoulliRBM(n_iter=-1)),
        MultimodalDBN(((4,), (3,)), rbm=BernoulliRBM(n_iter=-1)),
    ],
    ids=lambda stack: type(stack).__name__,
)
def test_settings_of_machines_are_checked_first(stack):
    with pytest.raises(ValueError, match="'n_iter' parameter of BernoulliRBM"):
        stack.fit(X, y)
    with pytest.raises(NotFittedError):
        stack.transform(X)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_a_machine_that_diverges_leaves_what_was_fitted():
    dbn = DBN((4, 3), rbm=RBM, random_state=0).fit(X)
    before = dbn.transform(X)
    dbn.set_params(rbm=BernoulliRBM(learning_rate=1e38, n_iter=2))
    with pytest.raises(ValueError, match="Solver produced non-finite") as caught:
        dbn.fit(X)
    assert "A smaller learning_rate or" in str(caught.value)
    assert_array_equal(dbn.transform(X), before)


def test_groups_are_of_visible_units():
    groups = [[0, 1, 2], [60, 61]]
    rbm = BernoulliRBM(groups=groups, n_iter=1)
    for stack in (DBN((8, 4), rbm=rbm), DBM((8, 4), rbm=rbm, max_iter=1)):
        assert stack.set_params(random_state=0).fit(X).transform(X).shape == (150, 4)
    assert DBN((4,), rbm=rbm, random_state=0).fit(X).top_.groups == groups
    with pytest.raises(ValueError, match="Only the first of several machines"):
        DBN((8, 4), rbm=[RBM, rbm]).fit(X)


def test_copies_are_of_machines_by_themselves():
    with pytest.raises(ValueError, match="have no copies of units"):
        DBN((8, 4), rbm=BernoulliRBM(copies=(2, 1))).fit(X)
    rbm = BernoulliRBM(8, copies=(2, 1), n_iter=5, learning_rate=0.2, random_state=0)
    start = MLPClassifier((8,), "logistic", pretrain=rbm, max_iter=1, learning_rate_init=1e-12)
    start.set_params(random_state=0).fit(X, y)
    assert_allclose(start.transform(X), rbm.fit(X).transform(X), atol=1e-5)


def test_only_machines_are_layers():
    with pytest.raises(ValueError, match="'pretrain' parameter of MLPClassifier must be"):
        MLPClassifier((4,), pretrain=PCA()).fit(X, y)
    for sizes in (True, (3, 0), (2.5,)):
        with pytest.raises(ValueError, match="'hidden_layer_sizes'"):
            DBN(sizes).fit(X)


def test_rounding_of_a_scaler_makes_no_real_values():
    scaled = X.copy()
    scaled[0, 3] = 1 + 2e-16
    assert DBN((4,), rbm=RBM, random_state=0).fit(scaled).top_.__class__ is BernoulliRBM
    real = DBN((4,), random_state=0).fit(X * 3).top_
    assert isinstance(real, GaussianRBM)
    assert real.variances_.shape == (64,)
    assert np.isfinite(real.set_params(random_state=0).score_samples(X * 3)).all()


def test_labels_stand_beside_values_between_0_and_1():
    for settings in ({}, {"rbm": GaussianRBM()}):
        with pytest.raises(ValueError, match="put a layer between"):
            DBNClassifier((4,), head="associative", **settings).fit(X * 3 - 1, y)


def test_units_that_the_machine_on_top_cannot_have_are_errors():
    grouped = BernoulliRBM(groups=[[0, 1]], n_iter=1)
    with pytest.raises(ValueError, match="has the labels as its groups"):
        DBNClassifier((4,), head="associative", rbm=grouped).fit(X, y)
    for joint in (grouped, BernoulliRBM(copies=(1, 2))):
        with pytest.raises(ValueError, match="no groups and no copies"):
            MultimodalDBN(((4,), (3,)), joint_rbm=joint).fit(X)
    with pytest.raises(ValueError, match="'n_iter' parameter of BernoulliRBM"):
        MultimodalDBN(((4,), (3,)), joint_rbm=BernoulliRBM(n_iter=-1)).fit(X)


def test_weights_of_samples_are_not_taken_for_difficulties():
    for clf in (DBNClassifier((4,)), DBMClassifier((4,))):
        with pytest.raises(TypeError, match="positional argument"):
            clf.fit(X, y, np.ones(len(y)))


def test_without_fine_tuning_all_rows_are_for_the_layers():
    plain, watched = (
        DBN((6, 4), rbm=RBM, early_stopping=stop, random_state=0).fit(X) for stop in (False, True)
    )
    assert_array_equal(watched.transform(X), plain.transform(X))


def test_variances_that_machines_do_not_learn_stay_in_fine_tuning():
    data = np.random.default_rng(0).normal(5, 3, size=(100, 4))
    machines = [GaussianRBM(learn_variances=False, n_iter=2), RBM]
    dbn = DBN((6, 4), rbm=machines, fine_tuning="up_down", max_iter=3, random_state=0).fit(data)
    found = dbn.module_.path(0).units(0).log_variance.detach().exp()
    assert_allclose(found, data.var(0), rtol=1e-5)


def test_targets_are_checked_before_the_machine_learns():
    class Learns(Callback):
        def on_train_begin(self, *_, **__):
            raise AssertionError("the machine learns")

    dbm = DBM(rbm=BernoulliRBM(callbacks=[Learns()]))
    with pytest.raises(ValueError, match="Unknown label type"):
        DBMClassifier((4, 3), dbm=dbm).fit(X, np.linspace(0, 1, len(X)))
    with pytest.raises(ValueError, match="class_weight"):
        DBMClassifier((4, 3), dbm=dbm, class_weight="much").fit(X, y)


def test_what_an_output_layer_has_does_not_go_with_labels_on_top():
    for name, value in (("dropout", 0.5), ("activation", "relu"), ("batch_norm", True)):
        clf = DBNClassifier((4, 3), head="associative", **{name: value})
        with pytest.raises(ValueError, match=f"it knows no {name}="):
            clf.fit(X, y)


@pytest.mark.parametrize("n_classes", [2, 10])
def test_rows_without_a_class_may_come_alone_later(n_classes):
    clf = DBNClassifier((6, 4), head="associative", rbm=RBM, unlabeled=-1, random_state=0)
    clf.partial_fit(X, y % n_classes, classes=range(n_classes))
    before = clf.transform(X)
    clf.partial_fit(X, np.full(len(y), -1))
    assert np.abs(clf.transform(X) - before).max() > 0
    with pytest.raises(ValueError, match="No sample has a class"):
        DBNClassifier((6, 4), head="associative", unlabeled=-1).fit(X, np.full(len(y), -1))


@pytest.mark.parametrize(("mark", "labels"), [(-1, y.astype(str)), ("?", y)])
def test_a_mark_is_of_the_kind_of_classes(mark, labels):
    with pytest.raises(ValueError, match="cannot be among y"):
        DBNClassifier((4,), unlabeled=mark).fit(X, labels)


@pytest.mark.parametrize("classes", [[], [1, None], [11], "one"])
def test_samples_of_unknown_classes_are_errors(classes):
    clf = DBNClassifier((4,), head="associative", rbm=RBM, max_iter=0, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="none of the classes"):
        clf.sample(2, y=classes)


def test_no_epochs_are_no_failure_to_converge(recwarn):
    DBNClassifier((4,), rbm=RBM, max_iter=0, random_state=0).fit(X, y)
    assert not list(recwarn)


def test_reconstruction_needs_a_fit():
    for machine in (BernoulliRBM(), GaussianRBM(), DBN(), DBM(), MultimodalDBN()):
        with pytest.raises(NotFittedError):
            machine.reconstruct(X)
