"""Deep belief networks: against sums over all hidden states, and what training changes."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits

from sknets import DBN, BernoulliRBM, GaussianRBM
from sknets._random import Stream, derived_seed

from .test_rbm import STATES, agreement, patterns

DIGITS = load_digits().data[:500] / 16
X = patterns()
RBM = BernoulliRBM(n_iter=20, batch_size=20)


def states(n):
    return torch.tensor([[i >> k & 1 for k in range(n)] for i in range(2**n)]).double()


def exact_log_p(dbn, v):
    """By sums over all values of the layers below the last."""
    network = dbn.module_.double()
    with torch.inference_mode():
        above = states(network.top.visible.n)
        log_p = -network.top.free_energy(above)
        log_p = log_p - log_p.logsumexp(0)
        path = network.path(0)
        for i in reversed(range(len(path.down))):
            units, inputs = path.units(i), path.down[i](above)
            rows = states(units.n) if i else torch.as_tensor(v, dtype=torch.float64)
            given = [units.log_p(row.expand(len(above), -1), inputs) for row in rows]
            log_p, above = (torch.stack(given) + log_p).logsumexp(1), rows
        return log_p.numpy()


def test_layers_are_machines_that_learnt_one_after_another():
    dbn = DBN((12, 8, 5), rbm=RBM, random_state=3).fit(DIGITS)
    features = DIGITS
    for i, size in enumerate((12, 8, 5), start=1):
        rbm = clone(RBM).set_params(n_components=size)
        rbm.set_params(random_state=derived_seed(3, Stream.PRETRAIN, i))
        below = features.astype(np.float32)
        features = rbm.fit(below).transform(below)
    assert_allclose(dbn.transform(DIGITS), features, atol=1e-4)
    assert_allclose(dbn.top_.components_, rbm.components_, atol=1e-6)
    assert dbn.n_iter_ == 60
    assert dbn.inverse_transform(features).shape == DIGITS.shape
    assert_allclose(
        dbn.reconstruct(DIGITS), dbn.inverse_transform(dbn.transform(DIGITS)), atol=1e-5
    )


@pytest.mark.parametrize("sizes", [(4,), (4, 3), (4, 3, 3)])
def test_probabilities_add_up_and_the_bound_is_below(sizes):
    dbn = DBN(sizes, rbm=RBM, random_state=0).fit(X)
    if len(sizes) == 1:
        log_p = dbn.top_.log_likelihood(STATES)
    else:
        log_p = exact_log_p(dbn, STATES)
    assert_allclose(np.exp(log_p).sum(), 1, rtol=1e-5)
    found = dbn.log_likelihood_bound(STATES, n_draws=2000, random_state=0)
    assert (found < log_p + 0.05).all()
    if len(sizes) == 1:
        assert_allclose(found, log_p, atol=1e-4)
    else:
        assert (found < log_p - 0.001).any()


def test_samples_follow_the_distribution():
    dbn = DBN((4, 3), rbm=RBM, random_state=0).fit(X)
    p = np.exp(exact_log_p(dbn, STATES))
    n = 4000
    drawn = dbn.sample(n, n_steps=100, random_state=0)
    counts = np.bincount((drawn @ 2 ** np.arange(5)).astype(int), minlength=32)
    assert agreement(counts, n * p) > 0.001


def test_up_down_training_makes_the_data_likelier():
    settings = dict(hidden_layer_sizes=(6, 6), rbm=clone(RBM).set_params(n_iter=3), random_state=0)
    greedy = DBN(**settings).fit(X)
    settings |= dict(fine_tuning="up_down", max_iter=150, learning_rate_init=0.01, batch_size=50)
    tuned = DBN(**settings, learning_rate="cosine").fit(X)
    assert exact_log_p(tuned, X).mean() > exact_log_p(greedy, X).mean() + 0.2
    assert tuned.n_iter_ == 150
    path = tuned.module_.path(0)
    assert not np.allclose(path.up[0].weight.detach(), path.down[0].weight.detach().T, atol=0.01)
    again = DBN(**settings, learning_rate="cosine").fit(X)
    assert_array_equal(again.transform(X), tuned.transform(X))


def test_first_layer_may_be_real():
    data = np.random.default_rng(0).normal(5, 2, size=(200, 1)) + np.array([0.0, 1.0, 2.0])
    machines = [GaussianRBM(n_iter=20), BernoulliRBM(n_iter=5)]
    dbn = DBN((6, 4), rbm=machines, random_state=0).fit(data)
    drawn = dbn.sample(500, n_steps=50, random_state=0)
    assert abs(drawn.mean(0) - data.mean(0)).max() < 1
    assert abs(drawn.std(0) / data.std(0) - 1).max() < 0.5
    with pytest.raises(ValueError, match="binary ones above the first"):
        DBN((6, 4), rbm=GaussianRBM(), random_state=0).fit(data)


def test_wrong_machines_are_errors():
    with pytest.raises(ValueError, match="'rbm' parameter of DBN must be an estimator with hidden"):
        DBN((6, 4), rbm=[BernoulliRBM()], random_state=0).fit(X)
    with pytest.raises(ValueError, match="'hidden_layer_sizes' parameter of DBN must hold"):
        DBN((), random_state=0).fit(X)
    dbn = DBN((6, 4), rbm=RBM, random_state=0).fit(X)
    with pytest.raises(ValueError, match="has 5 columns, but the last layer of DBN has 4 units"):
        dbn.inverse_transform(X)
