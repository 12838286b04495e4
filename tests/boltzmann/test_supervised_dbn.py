"""Deep belief networks with targets: labels on top against sums over all states."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.stats import chisquare
from sklearn.base import clone
from sklearn.datasets import load_digits

from sknets import BernoulliRBM, DBNClassifier, DBNRegressor, GaussianRBM
from sknets._random import Stream, derived_seed
from sknets.boltzmann.categories import completed, log_odds
from sknets.boltzmann.deep_belief import AssociativeNet
from sknets.boltzmann.draws import RawDraws
from sknets.boltzmann.units import Bernoulli, Categorical

from .test_learning import GROUPS, machine_of

DIGITS, CLASSES = load_digits(return_X_y=True)
DIGITS = DIGITS / 16
TRAIN, TEST = slice(0, None, 2), slice(1, None, 2)
RBM = BernoulliRBM(batch_size=20, n_iter=20, learning="cd", learning_rate=0.2)
FEW = dict(hidden_layer_sizes=(12, 8), rbm=BernoulliRBM(batch_size=50, n_iter=2), random_state=0)

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


def network_of(n_outputs, seed=0):
    """Labels over four units, below six; three layers in all."""
    network = AssociativeNet(Bernoulli(5), (4, 6), n_outputs).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(generator=generator)
    return network


# -- a category among the visible units


@pytest.mark.parametrize("copies", [1, 2])
@torch.no_grad()
def test_odds_of_a_category_are_those_of_its_states(copies):
    machine = machine_of(Categorical(6, GROUPS), n_hidden=4, copies=copies)
    group = machine.visible.groups[1]
    states = torch.cat(list(machine.visible.states()))
    found = log_odds(machine, states, group).log_softmax(1)
    for row, log_p in zip(states, found, strict=True):
        each = row.repeat(len(group), 1)
        each[:, group] = torch.eye(len(group), dtype=each.dtype)
        assert_allclose(log_p, (-machine.free_energy(each)).log_softmax(0), atol=1e-12)


@torch.no_grad()
def test_unknown_category_is_drawn_given_the_rest():
    machine = machine_of(Categorical(6, GROUPS), n_hidden=4)
    known = torch.cat(list(machine.visible.states()))[5]
    row = known.clone()
    row[machine.visible.groups[1]] = 0
    v = torch.cat([row.repeat(3000, 1), known.repeat(5, 1)])
    drawn = completed(machine, v, RawDraws(0))
    assert_array_equal(drawn[3000:], v[3000:])
    assert (v[:3000, machine.visible.groups[1]] == 0).all()  # what was given stays as it was
    others = [0, 2, 3]
    assert_array_equal(drawn[:, others], v[:, others])
    p = log_odds(machine, row[None], machine.visible.groups[1]).softmax(1)[0]
    counts = drawn[:3000][:, machine.visible.groups[1]].sum(0)
    assert chisquare(counts, 3000 * p).pvalue > 0.001


def test_unknown_categories_of_sparse_rows_are_drawn():
    rows = np.eye(3)[np.arange(60) % 3]
    rows[::5] = 0
    settings = dict(groups=[[0, 1, 2]], n_iter=3, batch_size=10, random_state=0)
    dense = BernoulliRBM(4, **settings).fit(rows)
    sparse = BernoulliRBM(4, **settings).fit(csr_array(rows))
    assert_allclose(sparse.components_, dense.components_, atol=1e-5)


# -- labels on top


@pytest.mark.global_state("torch random state")  # of layers that torch fills before we do
@torch.no_grad()
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_raw_outputs_are_the_odds_of_labels_given_the_layer_below(n_outputs):
    network, n_labels = network_of(n_outputs), max(n_outputs, 2)
    v = torch.cat(list(Bernoulli(5).states()))
    below, raw = network.up_to_top(v), network(v)
    labels = torch.eye(n_labels, dtype=v.dtype)
    energies = [
        network.top.free_energy(torch.cat([label.expand(len(v), -1), below], 1)) for label in labels
    ]
    expected = (-torch.stack(energies, 1)).softmax(1)
    if n_outputs == 1:
        assert raw.shape == (32, 1)
        assert_allclose(raw.sigmoid(), expected[:, 1:], rtol=1e-9)
    else:
        assert_allclose(raw.softmax(1), expected, rtol=1e-9)


def test_labels_on_top_classify_and_generate():
    settings = dict(rbm=RBM, batch_size=50, random_state=0)
    clf = DBNClassifier((150, 150), head="associative", **settings)
    clf.set_params(max_iter=60, learning_rate_init=0.01).fit(DIGITS[TRAIN], CLASSES[TRAIN])
    assert clf.score(DIGITS[TEST], CLASSES[TEST]) > 0.93
    judge = DBNClassifier((100,), max_iter=30, **settings).fit(DIGITS, CLASSES)
    asked = np.arange(10).repeat(10)
    drawn = clf.sample(y=asked, n_steps=100, random_state=0)
    assert drawn.shape == (100, 64)
    assert (judge.predict(drawn) == asked).mean() > 0.6
    assert clf.sample(3, y=7, n_steps=5, random_state=0).shape == (3, 64)
    freely = clf.sample(50, n_steps=100, random_state=0)
    assert len(np.unique(judge.predict(freely))) > 4


@pytest.mark.parametrize("head", ["finetune", "associative"])
def test_samples_without_a_class_help(head):
    y = CLASSES[TRAIN].copy()
    y[50:] = -1
    settings = dict(rbm=RBM, head=head, batch_size=50, random_state=0)
    some = DBNClassifier((200, 200), max_iter=100, **settings)
    many = DBNClassifier((200, 200), max_iter=100, **settings, unlabeled=-1).fit(DIGITS[TRAIN], y)
    some.fit(DIGITS[TRAIN][:50], y[:50])
    assert_array_equal(many.classes_, np.arange(10))
    assert many.score(DIGITS[TEST], CLASSES[TEST]) > some.score(DIGITS[TEST], CLASSES[TEST]) + 0.05


@pytest.mark.parametrize(("n_known", "times"), [(100, 16), (600, 1), (1000, 1)])
def test_few_labels_are_shown_as_often_as_samples_without(n_known, times):
    shown = []

    class Watched(BernoulliRBM):
        def fit(self, X, y=None):
            shown.append(X)
            return super().fit(X, y)

    y = np.where(np.arange(len(CLASSES)) < n_known, CLASSES, -1)
    rbm = Watched(batch_size=50, n_iter=1, random_state=0)
    settings = FEW | {"rbm": rbm, "head": "associative", "unlabeled": -1, "max_iter": 0}
    clf = DBNClassifier(**settings)
    clf.fit(DIGITS, y)
    below, top = shown
    assert len(below) == len(DIGITS)
    labelled = top[:, : len(clf.classes_)].any(1)
    assert (~labelled).sum() == len(y) - n_known
    assert labelled.sum() == n_known * times


def test_machines_learn_from_samples_without_a_class():
    y = CLASSES.copy()
    y[500:] = -1
    clf = DBNClassifier((12, 8), rbm=RBM, unlabeled=-1, max_iter=0, random_state=3).fit(DIGITS, y)
    rbm = clone(RBM).set_params(n_components=12)
    rbm.set_params(random_state=derived_seed(3, Stream.PRETRAIN, 1)).fit(DIGITS.astype(np.float32))
    assert_allclose(clf.coefs_[0], rbm.components_.T, atol=1e-6)
    assert clf.n_iter_ == 0
    for call in (clf.partial_fit, clf.set_params(warm_start=True).fit):
        call(DIGITS, y)
        assert not hasattr(clf, "_inputs")  # nothing of the data stays
    assert clf.set_params(hidden_layer_sizes=(5,)).get_feature_names_out().shape == (8,)


@pytest.mark.parametrize("head", ["finetune", "associative"])
def test_held_out_samples_have_a_class(head):
    y = CLASSES.copy()
    y[200:] = -1
    clf = DBNClassifier(**FEW, head=head, unlabeled=-1, early_stopping=True, max_iter=3)
    clf.fit(DIGITS, y)
    assert len(clf.validation_scores_) == 3
    assert np.isfinite(clf.validation_scores_).all()


@pytest.mark.parametrize("head", ["finetune", "associative"])
def test_difficulties_are_of_all_samples(head):
    y = np.where(np.arange(len(CLASSES)) % 2, -1, CLASSES)
    clf = DBNClassifier(**FEW, head=head, unlabeled=-1, curriculum="linear", max_iter=2)
    clf.fit(DIGITS, y, difficulty=np.arange(len(y)))
    assert clf.n_iter_ == 2
    with pytest.raises(ValueError, match=rf"difficulty must have shape \({len(y)},\)"):
        clf.fit(DIGITS, y, difficulty=np.arange(5))


@pytest.mark.parametrize("n_classes", [2, 10])
def test_associative_network_goes_on_and_is_kept(n_classes):
    X, y = DIGITS[n_classes > CLASSES][:300], CLASSES[n_classes > CLASSES][:300]
    y = np.array([f"class {k}" for k in y])
    clf = DBNClassifier(**FEW, head="associative", max_iter=2).fit(X, y)
    assert_allclose(clf.predict_proba(X).sum(1), 1, atol=1e-5)
    assert clf.transform(X).shape == (300, 8)
    assert clf.get_feature_names_out().shape == (8,)
    again = pickle.loads(pickle.dumps(clf))
    assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    before = clf.module_.top.weight.clone()
    clf.partial_fit(X, y)
    assert (clf.module_.top.weight != before).any()
    assert clf.sample(y="class 1", n_steps=2, random_state=0).shape == (1, 64)
    assert not hasattr(DBNClassifier(**FEW).fit(X, y), "sample")
    assert not hasattr(clf, "coefs_")


def test_first_machine_fits_the_data():
    X = DIGITS * 4 - 2
    reg = DBNRegressor((12,), max_iter=0, random_state=0).fit(X, CLASSES)
    rbm = GaussianRBM(12, init_std=0.1, random_state=derived_seed(0, Stream.PRETRAIN, 1)).fit(
        X.astype("f4")
    )
    assert_allclose(reg.coefs_[0], rbm.affine_[0].T, rtol=1e-4, atol=1e-6)


def test_regressor_learns():
    reg = DBNRegressor((50, 50), rbm=RBM, max_iter=100, learning_rate_init=0.003, random_state=0)
    assert reg.fit(DIGITS[TRAIN], CLASSES[TRAIN]).score(DIGITS[TEST], CLASSES[TEST]) > 0.8


def test_what_cannot_be_is_an_error():
    with pytest.raises(ValueError, match="No sample has a class"):
        DBNClassifier(**FEW, unlabeled=-1).fit(DIGITS[:9], np.full(9, -1))
    with pytest.raises(ValueError, match="needs one class a sample"):
        DBNClassifier(**FEW, head="associative").fit(DIGITS, np.c_[CLASSES, CLASSES] % 2)
    for settings in ({"loss": "hinge"}, {"label_smoothing": 0.1}, {"class_weight": "balanced"}):
        with pytest.raises(ValueError, match=f"knows no {next(iter(settings))}"):
            DBNClassifier(**FEW, head="associative", **settings).fit(DIGITS, CLASSES)
    with pytest.raises(ValueError, match="stochastic solver"):
        DBNClassifier(**FEW, head="associative", solver="lbfgs").fit(DIGITS, CLASSES)
    clf = DBNClassifier(**FEW, head="associative", max_iter=0).fit(DIGITS, CLASSES)
    with pytest.raises(ValueError, match="none of the classes"):
        clf.sample(y=11)
