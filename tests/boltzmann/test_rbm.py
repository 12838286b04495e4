"""Restricted Boltzmann machines as estimators: the twin's machine, likelihoods, samples."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from sknets import DBN, BernoulliRBM, GaussianRBM
from sknets.boltzmann.pseudo_likelihood import chosen_columns

DIGITS = load_digits().data[:600] / 16
BINARY = (DIGITS > 0.5).astype(float)
PATTERNS = np.array([[1, 1, 0, 0, 1], [0, 0, 1, 1, 0], [1, 1, 1, 0, 0]], dtype=float)


def patterns(n=300, noise=0.05, seed=0):
    random = np.random.default_rng(seed)
    X = PATTERNS[random.integers(3, size=n)]
    return np.where(random.random(X.shape) < noise, 1 - X, X)


X = patterns()
STATES = np.array([[i >> k & 1 for k in range(5)] for i in range(32)], dtype=float)


def agreement(counts, expected):
    """The p value of a chi-square test, states that are rare taken together."""
    rare = expected < 5
    groups = [[i] for i in np.flatnonzero(~rare)] + [np.flatnonzero(rare)] * int(rare.any())
    found, wanted = (np.array([a[g].sum() for g in groups]) for a in (counts, expected))
    return chisquare(found, wanted * found.sum() / wanted.sum()).pvalue


# -- the twin


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("batch_size", [10, 50])
def test_machine_is_scikit_learns(dtype, batch_size):
    settings = dict(n_components=24, batch_size=batch_size, n_iter=4, random_state=3)
    data = DIGITS.astype(dtype)
    ours = BernoulliRBM(**settings, precision="float64").fit(data)
    theirs = sklearn.neural_network.BernoulliRBM(**settings).fit(data)
    tol = dict(rtol=0, atol=1e-11 if dtype is np.float64 else 1e-4)
    assert_allclose(ours.components_, theirs.components_, **tol)
    assert_allclose(ours.intercept_hidden_, theirs.intercept_hidden_, **tol)
    assert_allclose(ours.intercept_visible_, theirs.intercept_visible_, **tol)
    assert_array_equal(ours.h_samples_, theirs.h_samples_)
    assert_allclose(ours.transform(data), theirs.transform(data), **tol)
    assert_array_equal(ours.gibbs(data), theirs.gibbs(data))
    assert ours.components_.dtype == ours.h_samples_.dtype == dtype


def test_partial_fit_is_scikit_learns():
    ours, theirs = (
        cls(n_components=12, batch_size=20, random_state=1)
        for cls in (BernoulliRBM, sklearn.neural_network.BernoulliRBM)
    )
    ours.set_params(precision="float64")
    for _ in range(2):
        for batch in np.array_split(DIGITS, 30):
            ours.partial_fit(batch)
            theirs.partial_fit(batch)
    assert_allclose(ours.components_, theirs.components_, atol=1e-11)
    assert_array_equal(ours.h_samples_, theirs.h_samples_)


def test_smaller_last_batch_counts_chains_by_their_number():
    # Differs from scikit-learn: it divides the sum over all chains by the rows of the batch.
    rbm = BernoulliRBM(n_components=4, batch_size=20, n_iter=1, random_state=0, precision="float64")
    rbm.fit(X[:30])
    twin = sklearn.neural_network.BernoulliRBM(n_components=4, batch_size=20, random_state=0)
    twin.partial_fit(X[:20])
    before = twin.intercept_visible_.copy()
    chains = twin.h_samples_
    random = twin.random_state_
    p = 1 / (1 + np.exp(-(chains @ twin.components_ + before)))
    v = random.uniform(size=p.shape) < p
    expected = before + 0.1 * (X[20:30].mean(0) - v.mean(0))
    assert_allclose(rbm.intercept_visible_, expected, atol=1e-12)


# -- likelihoods


def test_probabilities_of_all_states_add_up():
    rbm = BernoulliRBM(3, n_iter=20, random_state=0).fit(X)
    p = np.exp(rbm.log_likelihood(STATES))
    assert_allclose(p.sum(), 1, rtol=1e-6)
    exact = rbm.log_partition("exact")
    assert_allclose(rbm.log_likelihood(STATES, exact), -rbm.free_energy(STATES) - exact.value)
    assert_allclose(rbm.log_likelihood(STATES, exact.value), rbm.log_likelihood(STATES, exact))
    estimate = rbm.log_partition("ais", n_temperatures=500, random_state=0)
    assert abs(estimate.value - exact.value) < 4 * estimate.std_error < 0.2
    reverse = rbm.log_partition("reverse_ais", n_temperatures=500, random_state=0)
    assert abs(reverse.value - exact.value) < 4 * reverse.std_error < 0.2
    again = rbm.log_partition("ais", n_temperatures=500, random_state=0)
    assert again == estimate


def test_samples_follow_the_distribution():
    rbm = BernoulliRBM(3, n_iter=60, random_state=0).fit(X)
    n = 4000
    drawn = rbm.sample(n, n_steps=100, random_state=1)
    counts = np.bincount((drawn @ 2 ** np.arange(5)).astype(int), minlength=32)
    assert agreement(counts, n * np.exp(rbm.log_likelihood(STATES))) > 0.001
    assert agreement(counts, np.full(32, n / 32)) < 1e-6
    assert_array_equal(drawn, rbm.sample(n, n_steps=100, random_state=1))


SHORT = dict(n_iter=60, learning_rate=0.1, learning_rate_schedule="cosine", random_state=0)
LEARNING = [
    dict(learning="cd"),
    dict(learning="cd", n_gibbs_steps=3),
    dict(learning="pcd"),
    dict(learning="pcd", n_chains=50),
    dict(learning="fpcd", fast_learning_rate=0.02),
    dict(learning="tempering", n_temperatures=4),
    dict(centring=True),
    dict(momentum=0.5),
    dict(learning_rate_schedule="constant", n_iter=100),
    dict(visible_bias_init="data", shuffle=True),
]


@pytest.mark.parametrize("settings", LEARNING, ids=str)
def test_every_way_of_learning_learns(settings):
    rbm = BernoulliRBM(6, **SHORT).set_params(**settings).fit(X)
    independent = X.mean(0)
    baseline = (X * np.log(independent) + (1 - X) * np.log(1 - independent)).sum(1).mean()
    assert rbm.log_likelihood(X).mean() > baseline + 0.5
    fresh = BernoulliRBM(6, **SHORT).set_params(**settings).fit(X)
    assert_array_equal(fresh.components_, rbm.components_)


def test_centring_does_not_mind_flipped_bits():
    settings = dict(n_components=16, n_iter=15, batch_size=20, learning_rate=0.1, random_state=0)

    def flipping_costs(centring):
        plain, flipped = (
            BernoulliRBM(**settings, centring=centring, visible_bias_init="data").fit(data)
            for data in (BINARY, 1 - BINARY)
        )
        return plain.log_likelihood(BINARY).mean() - flipped.log_likelihood(1 - BINARY).mean()

    assert abs(flipping_costs(True)) < 0.1
    assert flipping_costs(False) > 0.5


def test_sparsity_target_is_met():
    sparse = BernoulliRBM(16, n_iter=30, sparsity_target=0.05, sparsity_cost=1.0, random_state=0)
    free = BernoulliRBM(16, n_iter=30, random_state=0)
    assert abs(sparse.fit(BINARY).transform(BINARY).mean() - 0.05) < 0.03
    assert free.fit(BINARY).transform(BINARY).mean() > 0.15


@pytest.mark.parametrize(("alpha", "l1_ratio"), [(0.05, 0.0), (0.01, 1.0)])
def test_penalty_shrinks_weights_whatever_the_size_of_batches(alpha, l1_ratio):
    def size(**settings):
        rbm = BernoulliRBM(8, n_iter=20, random_state=0, **settings).fit(X)
        return abs(rbm.components_).mean()

    settings = dict(alpha=alpha, l1_ratio=l1_ratio)
    assert size(**settings) < 0.5 * size()
    few, many = (size(batch_size=n, learning_rate=n / 100, **settings) for n in (10, 50))
    assert 0.5 < few / many < 2


# -- what is watched


def test_history_has_free_energies_and_errors():
    rbm = BernoulliRBM(8, n_iter=5, validation_fraction=0.2, random_state=0).fit(X)
    assert len(rbm.history_) == rbm.n_iter_ == 5
    last = rbm.history_[-1]
    assert last["reconstruction_error"] < rbm.history_[0]["reconstruction_error"]
    assert {"free_energy", "valid_free_energy", "valid_reconstruction_error"} <= last.keys()
    whole = BernoulliRBM(8, n_iter=5, random_state=0).fit(X)
    assert_allclose(whole.history_[-1, "free_energy"], whole.free_energy(X).mean(), rtol=1e-4)
    error = ((whole.reconstruct(X) - X) ** 2).mean()
    assert_allclose(whole.history_[-1, "reconstruction_error"], error, rtol=1e-4)


def test_pseudo_likelihood_depends_on_the_row_and_the_seed_alone():
    rbm = BernoulliRBM(16, n_iter=5, random_state=0).fit(BINARY)
    found = rbm.score_samples(BINARY)
    order = np.random.default_rng(0).permutation(len(BINARY))
    assert_allclose(rbm.score_samples(BINARY[order]), found[order], rtol=1e-6)
    assert_allclose(rbm.score_samples(BINARY[7:8]), found[7:8], rtol=1e-6)
    assert_allclose(rbm.score_samples(sp.csr_array(BINARY)), found, rtol=1e-6)
    assert_allclose(rbm.score_samples(BINARY.astype(np.float32)), found, rtol=1e-4)
    rbm.set_params(random_state=1)
    assert (rbm.score_samples(BINARY) != found).mean() > 0.5


def test_every_column_is_chosen_about_as_often():
    random = np.random.default_rng(0)
    binary = (random.random((20_000, 60)) < 0.3).astype(float)  # hardly two rows are the same
    for rows in (binary, random.normal(size=(20_000, 12))):
        columns = np.concatenate([chosen_columns(rows[i::4], seed=i) for i in range(4)])
        assert chisquare(np.bincount(columns, minlength=rows.shape[1])).pvalue > 1e-4


def test_pseudo_likelihood_is_that_of_the_conditional():
    rbm = BernoulliRBM(3, n_iter=20, random_state=0).fit(X)
    columns = chosen_columns(X, 0)
    flipped = X.copy()
    rows = np.arange(len(X))
    flipped[rows, columns] = 1 - X[rows, columns]
    here, there = rbm.log_likelihood(X), rbm.log_likelihood(flipped)
    assert_allclose(rbm.score_samples(X), 5 * (here - np.logaddexp(here, there)), rtol=1e-6)


# -- groups


def test_groups_hold_one_each():
    random = np.random.default_rng(0)
    kinds = random.integers(3, size=400)
    data = np.column_stack([np.eye(3)[kinds], kinds == 1, np.eye(2)[(kinds == 2).astype(int)]])
    groups = [[0, 1, 2], [4, 5]]
    rbm = BernoulliRBM(8, n_iter=60, groups=groups, random_state=0).fit(data)
    drawn = rbm.sample(300, n_steps=50, random_state=0)
    assert_array_equal(drawn[:, :3].sum(1), 1)
    assert_array_equal(drawn[:, 4:].sum(1), 1)
    agree = (drawn[:, 1] == drawn[:, 3]) & (drawn[:, 2] == drawn[:, 5])
    assert agree.mean() > 0.9
    assert_allclose(rbm.reconstruct(data)[:, :3].sum(1), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([[0, 1], [1, 2]], "column 1 is in two groups"),
        ([[0, 5]], "column 5, and X has 5"),
        ([[2]], "two columns or more"),
        ([[0, 0.5]], "whole numbers"),
        ([3], "two columns or more"),
    ],
)
def test_wrong_groups_are_errors(groups, message):
    with pytest.raises(ValueError, match=f"'groups' parameter of BernoulliRBM .*{message}"):
        BernoulliRBM(2, groups=groups).fit(X)


# -- real values


def clouds(n=1500, seed=0):
    random = np.random.default_rng(seed)
    kind = random.integers(2, size=n)
    return np.column_stack([random.normal(10 + 12 * kind, 3), random.normal(-0.004 * kind, 0.001)])


def test_gaussian_machine_finds_clouds_of_any_scale():
    data = clouds()
    settings = dict(learning_rate=0.02, learning_rate_schedule="cosine", random_state=0)
    rbm = GaussianRBM(1, n_iter=100, batch_size=30, centring=True, **settings).fit(data)
    assert_allclose(np.sqrt(rbm.variances_), [3, 0.001], rtol=0.1)
    means = rbm.inverse_transform(np.array([[0.0], [1.0]]))
    order = means[:, 0].argsort()
    assert_allclose(means[order, 0], [10, 22], atol=0.7)
    assert_allclose(means[order, 1], [0, -0.004], atol=0.0003)
    drawn = rbm.sample(2000, n_steps=200, random_state=0)
    assert abs(np.corrcoef(drawn.T)[0, 1] - np.corrcoef(data.T)[0, 1]) < 0.05
    fixed = GaussianRBM(1, n_iter=2, learn_variances=False, random_state=0).fit(data)
    assert_allclose(fixed.variances_, data.var(0), rtol=1e-4)


def test_gaussian_densities_integrate_to_one():
    data = clouds()[:, :1]
    rbm = GaussianRBM(2, n_iter=5, random_state=0).fit(data)
    grid = np.linspace(-150, 250, 20_001)[:, None]
    assert_allclose(np.exp(rbm.log_likelihood(grid)).sum() * 0.02, 1, rtol=1e-4)
    # Of a single value the pseudo-likelihood is the likelihood.
    assert_allclose(rbm.score_samples(data), rbm.log_likelihood(data), atol=1e-4)


def test_gaussian_pseudo_likelihood_is_that_of_the_conditional():
    data = clouds(200)
    rbm = GaussianRBM(3, n_iter=10, random_state=0).fit(data)
    rows = data[:5]
    columns = chosen_columns(rows, 0)
    for row, i, found in zip(rows, columns, rbm.score_samples(rows), strict=True):
        grid = np.repeat(row[None], 40_001, axis=0)
        centre, width = data[:, i].mean(), 20 * data[:, i].std()
        grid[:, i] = np.linspace(centre - width, centre + width, 40_001)
        log_p = -rbm.free_energy(grid).astype(np.float64)
        top = log_p.max()
        log_integral = top + np.log(np.exp(log_p - top).sum() * (grid[1, i] - grid[0, i]))
        expected = -rbm.free_energy(row[None])[0] - log_integral
        assert found == pytest.approx(2 * expected, abs=1e-3)


# -- going on


@pytest.mark.parametrize("learning", ["cd", "pcd", "fpcd", "tempering"])
def test_killed_fit_goes_on_to_the_same_bits(learning, tmp_path):
    class Killed(Exception):
        pass

    from skorch.callbacks import Callback

    class Kill(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 4:
                raise Killed

    settings = dict(n_components=4, n_iter=6, learning=learning, random_state=0, centring=True)
    settings |= dict(momentum=0.5, sparsity_target=0.2)
    whole = BernoulliRBM(**settings).fit(X)
    path = tmp_path / "training"
    with pytest.raises(Killed):
        BernoulliRBM(**settings, checkpoint=path, callbacks=[Kill()]).fit(X)
    resumed = BernoulliRBM(**settings, checkpoint=path).fit(X)
    assert_array_equal(resumed.components_, whole.components_)
    assert resumed.n_iter_ == 6


def test_search_by_likelihood_finds_the_better_rate():
    search = GridSearchCV(
        BernoulliRBM(6, n_iter=30, random_state=0),
        {"learning_rate": [1e-5, 0.1]},
        scoring=lambda rbm, X: rbm.log_likelihood(X).mean(),
        cv=2,
    ).fit(X)
    assert search.best_params_ == {"learning_rate": 0.1}


def test_summary_counts_its_numbers():
    summary = BernoulliRBM(6, n_iter=1, random_state=0).fit(X).summary()
    assert summary.n_parameters == 5 * 6 + 5 + 6
    assert "hidden" in str(summary)


def test_wrong_width_of_hidden_values_is_an_error():
    rbm = BernoulliRBM(6, n_iter=1, random_state=0).fit(X)
    with pytest.raises(ValueError, match="5 columns, but the last layer of BernoulliRBM has 6"):
        rbm.inverse_transform(X)
    with pytest.raises(ValueError, match="'method' parameter of log_partition"):
        rbm.log_partition("magic")


def test_no_epochs_leave_the_initial_machine():
    rbm = BernoulliRBM(6, n_iter=0, random_state=0).fit(X)
    assert abs(rbm.components_).max() < 0.1
    assert_array_equal(rbm.intercept_hidden_, 0)


@pytest.mark.parametrize(("mean", "scale"), [(101_325, 30), (0, 1e-4), (-1e-3, 1e-6), (1e6, 10)])
def test_small_variances_are_none_of_constants(mean, scale):
    data = np.random.default_rng(0).normal(mean, scale, size=(300, 2))
    rbm = GaussianRBM(2, n_iter=1, learn_variances=False, random_state=0).fit(data)
    assert_allclose(rbm.variances_, data.var(0), rtol=0.05)


def test_variances_of_constants_do_not_fall():
    random = np.random.default_rng(0)
    data = np.column_stack([random.normal(size=200), np.full(200, 7.3), np.zeros(200)])
    rbm = GaussianRBM(3, n_iter=200, learning_rate=0.1, random_state=0).fit(data)
    assert_allclose(rbm.variances_[1:], 1, rtol=0.2)


# -- linear hidden units

LINEAR = {"hidden": "gaussian", "learning_rate": 0.02, "init_std": 0.3, "random_state": 0}
ROWS = np.random.default_rng(0).integers(0, 2, (200, 6)).astype(float)
ROWS[:, 3:] = ROWS[:, :3]  # half of the columns repeat the others


def test_linear_units_have_the_energy_of_a_normal_distribution():
    rbm = BernoulliRBM(1, n_iter=20, **LINEAR).fit(ROWS)
    v, w = ROWS[:5], rbm.components_[0]
    b, c = rbm.intercept_visible_, rbm.intercept_hidden_[0]
    h = np.linspace(-12, 12, 20_001)
    minus_energy = (v @ b)[:, None] - (h - c) ** 2 / 2 + (v @ w)[:, None] * h
    free_energy = -np.log(np.trapezoid(np.exp(minus_energy), h, axis=1))
    assert_allclose(rbm.free_energy(v), free_energy, rtol=1e-5)
    assert_allclose(rbm.transform(v)[:, 0], v @ w + c, rtol=1e-5)


def test_linear_units_are_drawn_around_their_means():
    rbm = BernoulliRBM(2, n_iter=20, **LINEAR).fit(ROWS)
    row = np.repeat(ROWS[:1], 20_000, axis=0)
    drawn = rbm._sample_hiddens(row, np.random.RandomState(0))
    assert_allclose(drawn.mean(0), rbm.transform(row[:1])[0], atol=0.05)
    assert_allclose(np.cov(drawn.T), np.eye(2), atol=0.05)


@pytest.mark.parametrize("learning", ["cd", "pcd"])
def test_a_machine_of_linear_units_learns_what_columns_have_in_common(learning):
    rbm = BernoulliRBM(3, n_iter=200, learning=learning, batch_size=20, **LINEAR).fit(ROWS)
    found = rbm.log_likelihood(ROWS).mean()
    assert found > -6 * np.log(2) + 0.7  # which independent bits have; three and their copies half
    estimate = rbm.log_partition("ais", n_temperatures=2000, random_state=0)
    exact = rbm.log_partition("exact").value
    assert abs(estimate.value - exact) < 4 * estimate.std_error + 0.02


def test_linear_units_have_no_activity():
    for refused in ({"sparsity_target": 0.1}, {"copies": (1, 2)}):
        with pytest.raises(ValueError, match="hidden='gaussian' has no"):
            BernoulliRBM(2, hidden="gaussian", **refused).fit(ROWS)
    with pytest.raises(ValueError, match="have binary hidden units"):
        DBN((4, 2), rbm=[BernoulliRBM(), BernoulliRBM(hidden="gaussian")]).fit(ROWS)
