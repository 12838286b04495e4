"""Deep Boltzmann machines as estimators: how layers start, and what training makes likelier."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.datasets import load_digits

from sknets import DBM, BernoulliRBM, GaussianRBM
from sknets._random import Stream, derived_seed

from .test_rbm import STATES, agreement, patterns

DIGITS = load_digits().data[:600] / 16
X = patterns()
RBM = BernoulliRBM(n_iter=20, batch_size=20, learning="cd")


def test_layers_start_from_machines_with_copies():
    dbm = DBM((12, 8, 5), rbm=RBM, max_iter=0, random_state=3).fit(DIGITS)
    features, fitted = DIGITS.astype(np.float32), []
    for i, (size, copies) in enumerate(((12, (2, 1)), (8, (2, 2)), (5, (1, 2))), start=1):
        seed = derived_seed(3, Stream.PRETRAIN, i)
        rbm = clone(RBM).set_params(n_components=size, copies=copies, random_state=seed)
        features = rbm.fit(features).transform(features)
        fitted.append(rbm)
    machine = dbm.module_
    for weight, rbm in zip(machine.weights, fitted, strict=True):
        assert_allclose(weight.detach(), rbm.components_, atol=1e-6)
    assert_allclose(machine.biases[0].detach(), fitted[0].intercept_visible_, atol=1e-6)
    between = (fitted[0].intercept_hidden_ + fitted[1].intercept_visible_) / 2
    assert_allclose(machine.biases[1].detach(), between, atol=1e-6)
    assert_allclose(machine.biases[3].detach(), fitted[2].intercept_hidden_, atol=1e-6)
    assert_allclose(machine.means[0], DIGITS.mean(0), atol=1e-5)
    # One way up says what the machines said.
    way_up = machine.upwards(machine.biases[0].new_tensor(DIGITS))[1].detach().numpy()
    shift = (fitted[1].intercept_visible_ - fitted[0].intercept_hidden_) / 2
    expected = expit(logit(fitted[0].transform(DIGITS)) + shift)
    assert_allclose(way_up, expected, atol=1e-4)


@pytest.mark.parametrize(
    "settings", [{"greedy": False}, {}, {"learning": "cd"}, {"centring": False}]
)
def test_training_makes_the_data_likelier(settings):
    settings = {"learning_rate": "cosine", "max_iter": 150, "batch_size": 50} | settings
    start = DBM((6, 4), rbm=RBM, random_state=0, **settings | {"max_iter": 0}).fit(X)
    after = DBM((6, 4), rbm=RBM, random_state=0, **settings).fit(X)
    assert after.log_likelihood(X).mean() > start.log_likelihood(X).mean() + 0.04
    p = np.exp(after.log_likelihood(STATES))
    assert_allclose(p.sum(), 1, rtol=1e-4)
    bound = after.log_likelihood_bound(X)
    assert (bound <= after.log_likelihood(X) + 1e-4).all()
    drawn = after.sample(3000, n_steps=60, random_state=0)
    counts = np.bincount((drawn @ 2 ** np.arange(5)).astype(int), minlength=32)
    assert agreement(counts, 3000 * p / p.sum()) > 0.001


def test_one_layer_may_be_a_number():
    dbm = DBM(8, rbm=RBM, max_iter=1, random_state=0).fit(X)
    assert dbm.transform(X).shape == (300, 8)
    assert "hidden1" in str(dbm.summary())


def test_partition_function_is_estimated():
    dbm = DBM((6, 4), rbm=RBM, max_iter=30, random_state=0).fit(X)
    exact = dbm.log_partition("exact").value
    for method in ("ais", "reverse_ais"):
        found = dbm.log_partition(method, n_temperatures=300, random_state=0)
        assert abs(found.value - exact) < 4 * found.std_error < 0.4


def test_a_row_is_seen_the_same_in_any_company():
    dbm = DBM((30, 20), rbm=RBM, max_iter=2, random_state=0).fit(DIGITS)
    alone = np.vstack([dbm.transform(row[None]) for row in DIGITS[:20]])
    assert_allclose(alone, dbm.transform(DIGITS)[:20], atol=1e-6)
    made = dbm.reconstruct(DIGITS)
    assert ((made - DIGITS) ** 2).mean() < DIGITS.var(0).mean()
    assert (dbm.free_energy(DIGITS) < dbm.free_energy(1 - DIGITS)).mean() > 0.9


def test_first_layer_may_be_of_real_units():
    data = np.random.default_rng(0).normal(size=(200, 3)) * 5 + 2
    dbm = DBM((8, 4), max_iter=2, random_state=0).fit(data)
    assert np.isfinite(dbm.log_likelihood(data)).all()
    machines = [GaussianRBM(init_std=0.1), BernoulliRBM(init_std=0.1)]
    named = DBM((8, 4), rbm=machines, max_iter=2, random_state=0).fit(data)
    assert_allclose(named.transform(data), dbm.transform(data), atol=1e-5)


def test_scale_of_real_values_does_not_matter():
    data = np.random.default_rng(0).normal([2, 0, -1], size=(200, 3))
    settings = dict(max_iter=5, precision="float64", random_state=0)
    machines = [GaussianRBM(precision="float64"), BernoulliRBM(precision="float64")]
    plain, scaled = (DBM((8, 4), rbm=machines, **settings).fit(X) for X in (data, data * 7))
    assert_allclose(scaled.transform(data * 7), plain.transform(data), atol=1e-6)


@pytest.mark.parametrize("greedy", [True, False])
def test_variances_are_given_or_learnt(greedy):
    data = np.random.default_rng(0).normal([2, 0, -1], [1, 5, 0.1], size=(200, 3))
    machines = [GaussianRBM(n_iter=3, learn_variances=False), BernoulliRBM(n_iter=1)]
    settings = dict(greedy=greedy, rbm=machines, max_iter=20, random_state=0)

    def variances(**more):
        return DBM((4, 2), **settings, **more).fit(data).module_.units(0).log_variance.exp()

    assert_allclose(variances().detach(), data.var(0), rtol=1e-4)
    learnt = variances(learn_variances=True).detach().numpy()
    assert (abs(learnt / data.var(0) - 1) > 1e-4).all()
    assert_allclose(learnt, data.var(0), rtol=0.3)


def test_centring_needs_gradient_descent():
    with pytest.raises(ValueError, match="centring=True of DBM needs solver='sgd'"):
        DBM(solver="adam").fit(X)


def test_copies_that_cannot_be_are_errors():
    with pytest.raises(ValueError, match="'copies' parameter of BernoulliRBM must"):
        BernoulliRBM(copies=(1, 0)).fit(X)
    with pytest.raises(ValueError, match="Categories have no copies"):
        BernoulliRBM(copies=(2, 1), groups=[[0, 1]]).fit(X)
