"""Classifiers that start from a deep Boltzmann machine: what they are before they learn."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from sknets import DBM, BernoulliRBM, DBMClassifier, load, save

DIGITS, CLASSES = load_digits(return_X_y=True)
DIGITS = DIGITS / 16
TRAIN, TEST = slice(0, None, 2), slice(1, None, 2)
RBM = BernoulliRBM(batch_size=20, n_iter=20, learning="cd", learning_rate=0.2)

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


@pytest.mark.parametrize("sizes", [(20,), (20, 12), (20, 12, 8)])
def test_network_starts_as_the_mean_field(sizes):
    settings = dict(dbm=DBM(rbm=RBM, max_iter=2), solver="sgd", learning_rate_init=1e-300)
    clf = DBMClassifier(sizes, **settings, max_iter=1, random_state=0).fit(DIGITS, CLASSES)
    with torch.inference_mode():
        rows = clf.dbm_.module_.biases[0].new_tensor(DIGITS)
        expected = clf.dbm_.module_.given_visible(rows)[-1]
    away = abs(clf.transform(DIGITS) - expected.numpy())
    assert np.quantile(away, 0.99) < 1e-3  # of three layers a few rows have not settled


def test_fine_tuned_machine_classifies():
    dbm = DBM(rbm=RBM, max_iter=5, batch_size=50)
    clf = DBMClassifier((100, 100), dbm=dbm, max_iter=40, random_state=0)
    clf.fit(DIGITS[TRAIN], CLASSES[TRAIN])
    assert clf.score(DIGITS[TEST], CLASSES[TEST]) > 0.94
    assert clf.dbm_.hidden_layer_sizes == (100, 100)
    assert clf.dbm_.sample(2, n_steps=3, random_state=0).shape == (2, 64)


def test_dropout_and_searchable_machine():
    clf = DBMClassifier((20, 10), dbm=DBM(rbm=RBM), dropout=0.2, max_iter=2, random_state=0)
    clf.set_params(dbm__max_iter=1, dbm__rbm__n_iter=2).fit(DIGITS, CLASSES)
    assert clf.dbm_.n_iter_ == 1
    assert "dropout1" in dict(clf.module_.features.named_children())


def test_means_of_the_layer_above_are_silenced_in_training_alone():
    machine = DBM(rbm=RBM, max_iter=1)
    how = dict(dbm=machine, mean_field_dropout=0.5, batch_size=200, max_iter=1, random_state=0)
    clf = DBMClassifier((20, 12, 8), **how).fit(DIGITS, CLASSES)
    layers = clf.module_.features
    names = [name for name, _ in layers.named_children()]
    assert names.index("above_linear2") == names.index("linear2") - 1
    assert "above_linear3" not in names  # there is none above the last
    rows = clf.dbm_.module_.biases[0].new_tensor(clf._augmented(DIGITS))
    seen = []
    hook = layers.linear1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    layers.train()(rows)
    layers.eval()(rows)
    hook.remove()
    (pixels, silenced), (_, means) = (x.split([64, 12], 1) for x in seen)
    assert_array_equal(pixels, rows[:, :64])
    assert_array_equal(means, rows[:, 64:76])
    assert (silenced == 0).float().mean() == pytest.approx(0.5, abs=0.02)
    kept = silenced != 0
    assert_allclose(silenced[kept], 2 * means[kept], rtol=1e-6)
    plain = DBMClassifier((20, 12, 8), **how | dict(mean_field_dropout=0.0)).fit(DIGITS, CLASSES)
    assert (plain.predict_proba(DIGITS) != clf.predict_proba(DIGITS)).any()


def test_it_is_kept_and_goes_on(tmp_path):
    clf = DBMClassifier((20, 10), dbm=DBM(rbm=RBM, max_iter=1), max_iter=2, random_state=0)
    clf.fit(DIGITS, CLASSES)
    save(clf, tmp_path / "dbm.sknets")
    for again in (pickle.loads(pickle.dumps(clf)), load(tmp_path / "dbm.sknets")):
        assert_array_equal(again.predict_proba(DIGITS), clf.predict_proba(DIGITS))
        again.set_params(hidden_layer_sizes=(5,))  # which the fitted network does not mind
        assert_array_equal(again.predict_proba(DIGITS), clf.predict_proba(DIGITS))
    before, machine = clf.predict_proba(DIGITS), clf.dbm_
    clf.partial_fit(DIGITS, CLASSES)
    assert clf.dbm_ is machine
    assert (clf.predict_proba(DIGITS) != before).any()


def test_what_is_no_machine_is_an_error():
    with pytest.raises(ValueError, match="'dbm' parameter of DBMClassifier must be a DBM"):
        DBMClassifier(dbm=BernoulliRBM()).fit(DIGITS, CLASSES)
