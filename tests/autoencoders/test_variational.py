"""Variational autoencoders against probabilistic PCA, closed forms, and exact likelihoods."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.sparse import csr_array
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from torch.distributions import Normal, kl_divergence

from sknets import VariationalAutoencoder
from sknets.autoencoders.variational_network import Posterior
from sknets.inspection import check_gradients

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

DIGITS = load_digits()
X, y = DIGITS.data[:400] / 16, DIGITS.target[:400]
BITS = (X > 0.5).astype(float)
rng = np.random.default_rng(0)
CLOUD = rng.normal(size=(1000, 3)) @ rng.normal(size=(3, 6)) + 0.5 * rng.normal(size=(1000, 6)) + 4
LINEAR = {"variance": "one", "learning_rate": "one_cycle", "learning_rate_init": 0.03}


def vae(**settings):
    quick = {"max_iter": 20, "learning_rate": "one_cycle", "learning_rate_init": 0.01}
    small = {"n_components": 4, "hidden_layer_sizes": (32,), "random_state": 0, "batch_size": 50}
    return VariationalAutoencoder(**small | quick | settings)


def exact_log_likelihood(linear, data):
    """Of a linear Gaussian network: normal, with the covariance that its weights say."""
    *_, w = linear.coefs_
    b = linear.intercepts_[-1]
    likelihood = linear.module_.likelihood
    scale, center = likelihood.scale.numpy(), likelihood.center.numpy()
    noise = np.exp(likelihood.log_variance.detach().numpy())
    covariance = (w.T @ w + noise * np.eye(len(b))) * np.outer(scale, scale)
    return stats.multivariate_normal(b * scale + center, covariance).logpdf(data)


# -- exact references


@pytest.fixture(scope="module")
def linear():
    return VariationalAutoencoder(3, (), **LINEAR, max_iter=300, random_state=0).fit(CLOUD)


def test_linear_network_reaches_probabilistic_principal_components(linear):
    best = PCA(3).fit(CLOUD).score(CLOUD)
    assert exact_log_likelihood(linear, CLOUD).mean() == pytest.approx(best, rel=0.01)
    assert linear.score(CLOUD) == pytest.approx(best, rel=0.01)


def test_estimates_by_importance_sampling_meet_the_exact_likelihood(linear):
    found = linear.log_likelihood(CLOUD[:200], n_samples=2000, random_state=0)
    assert_allclose(found, exact_log_likelihood(linear, CLOUD[:200]), atol=0.2)
    assert_array_equal(found, linear.log_likelihood(CLOUD[:200], n_samples=2000, random_state=0))


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_importance_bound_rises_with_draws_and_stays_below_the_likelihood():
    # A posterior that fits badly, where the bound is loose.
    poor = VariationalAutoencoder(3, (), **LINEAR | {"max_iter": 4}, random_state=0).fit(CLOUD)
    truth = exact_log_likelihood(poor, CLOUD).mean()
    means, errors = [], []
    for k in (1, 4, 16, 64):
        runs = [
            poor.log_likelihood(CLOUD, n_samples=k, random_state=seed).mean() for seed in range(12)
        ]
        means.append(np.mean(runs))
        errors.append(np.std(runs, ddof=1) / np.sqrt(len(runs)))
    for i in range(3):
        assert means[i + 1] > means[i] + 3 * np.hypot(errors[i], errors[i + 1])
    assert all(mean < truth + 3 * error for mean, error in zip(means, errors, strict=True))


def test_evidence_bound_is_the_importance_bound_of_one_draw():
    net = vae(max_iter=2, likelihood="bernoulli").fit(BITS).module_.double()
    x = torch.from_numpy(BITS[:5])
    noise = torch.from_numpy(rng.standard_normal((20_000, 5, 4)))
    with torch.inference_mode():
        assert_allclose(net.importance_bound(x, 1), net.log_weights(x, net.noise(x, 1))[0])
        gap = net.bound(x, 1, beta=0) - net.bound(x, 1)
        assert_allclose(gap, net.posterior(x).divergence())
        by_ratio = net.log_weights(x, noise)
        posterior = net.posterior(x)
        expected = net.likelihood.log_p(net.decode(posterior.at(noise), x[:, :0]), x).mean(0)
    by_closed_form = expected - posterior.divergence()
    assert_allclose(by_ratio.mean(0), by_closed_form, atol=5 * by_ratio.std(0).max() / 20_000**0.5)


def test_divergence_equals_the_closed_form():
    mean, log_variance = torch.from_numpy(rng.standard_normal((2, 6, 3)))
    expected = kl_divergence(
        Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros_like(mean), 1.0)
    )
    assert_allclose(Posterior(mean, log_variance).divergence(), expected.sum(1), rtol=1e-12)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"likelihood": "bernoulli"},
        {"variance": "samples"},
        {"n_importance_samples": 3},
        {"likelihood": "categorical"},
        {"beta": 0.5, "n_importance_samples": 2},
    ],
    ids=str,
)
def test_gradients_are_those_of_differences(settings):
    data = BITS[:20, 10:20]
    small = {"hidden_layer_sizes": (5,), "activation": "tanh", "batch_size": "full"}
    estimator = vae(max_iter=2, **small, **settings).fit(data)
    assert check_gradients(estimator, data, None) < 1e-5


# -- what is learnt


def test_several_draws_learn_a_tighter_bound_than_one():
    one, five = (
        vae(likelihood="bernoulli", n_importance_samples=k, max_iter=60).fit(BITS) for k in (1, 5)
    )
    assert five.score(BITS) > one.score(BITS)


def test_samples_have_the_moments_of_the_data(linear):
    made = linear.sample(5000, random_state=0)
    assert_allclose(made.mean(0), CLOUD.mean(0), atol=0.2)
    assert_allclose(np.cov(made.T), np.cov(CLOUD.T), atol=0.5)
    means = linear.sample(5000, mean=True, random_state=0)
    assert (means.var(0) < made.var(0)).all()


def test_samples_of_bits_are_bits_and_repeat_with_their_seed():
    estimator = vae(likelihood="bernoulli").fit(BITS)
    made = estimator.sample(20, random_state=1)
    assert set(np.unique(made)) == {0, 1}
    assert_array_equal(made, estimator.sample(20, random_state=1))
    assert not np.array_equal(made, estimator.sample(20, random_state=2))
    assert len(np.unique(estimator.sample(20, mean=True, random_state=1))) > 2


def test_codes_are_means_or_draws_that_belong_to_their_rows():
    estimator = vae().fit(X)
    mean, draw = estimator.transform(X), estimator.set_params(code="draw").transform(X)
    assert not np.array_equal(mean, draw)
    assert_allclose(draw[100:110], estimator.transform(X[100:110]), atol=1e-5)
    assert_allclose(draw[::-1], estimator.transform(X[::-1]), atol=1e-5)
    with torch.inference_mode():
        posterior = estimator.module_.posterior(torch.from_numpy(X).float())
    noise = (draw - mean) / (posterior.log_variance / 2).exp().numpy()
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(noise.T) - np.eye(4)).max() < 0.2


def test_scores_do_not_depend_on_other_rows():
    estimator = vae(likelihood="bernoulli").fit(BITS)
    scores = estimator.score_samples(BITS)
    assert_allclose(estimator.score_samples(BITS[7:9]), scores[7:9], rtol=1e-5)
    assert_allclose(estimator.score_samples(csr_array(BITS)), scores, rtol=1e-5)
    assert estimator.score(BITS) == pytest.approx(scores.mean())


def test_scores_of_real_numbers_follow_their_unit():
    estimator, larger = (vae().fit(scale * CLOUD) for scale in (1, 10))
    assert larger.score(10 * CLOUD) == pytest.approx(
        estimator.score(CLOUD) - 6 * np.log(10), abs=0.1
    )


def test_a_grid_search_finds_the_number_of_components_by_itself():
    search = GridSearchCV(vae(likelihood="bernoulli", max_iter=60), {"n_components": [1, 8]}, cv=2)
    assert search.fit(BITS).best_params_ == {"n_components": 8}


def test_interpolation_goes_from_one_reconstruction_to_another():
    estimator = vae().fit(X)
    path = estimator.interpolate(X[0], X[1], 7)
    assert_allclose(path[[0, -1]], estimator.reconstruct(X[:2]), atol=1e-4)
    codes = estimator.transform(X[:2]).mean(0, keepdims=True)
    assert_allclose(path[3:4], estimator.inverse_transform(codes), atol=1e-4)


def test_binarisation_draws_bits_anew_from_grey_values():
    grey = np.full((500, 6), 0.3)
    estimator = vae(
        likelihood="bernoulli", dynamic_binarization=True, max_iter=60, n_components=1
    ).fit(grey)
    assert estimator.sample(2000, random_state=0).mean() == pytest.approx(0.3, abs=0.03)
    values = torch.from_numpy(grey).float()
    net = estimator.module_
    net.train().binarization.generator = torch.Generator().manual_seed(0)
    assert net.drawn(values).unique().tolist() == [0, 1]
    assert net.drawn(values).mean().item() == pytest.approx(0.3, abs=0.03)
    assert_array_equal(net.eval().drawn(values), values)


def test_warm_up_starts_without_a_divergence_and_stops_for_no_loss_that_rises():
    slow = vae(max_iter=12, beta_warmup=12, n_iter_no_change=1, tol=100).fit(X)
    assert slow.n_iter_ == 12
    assert slow.loss_curve_[0] < vae(max_iter=12).fit(X).loss_curve_[0]


def test_a_larger_beta_says_less_about_the_data():
    codes = [vae(beta=beta, max_iter=60).fit(X).transform(X).var(0).sum() for beta in (0.1, 20)]
    assert codes[1] < 0.2 * codes[0]


# -- given a class


@pytest.fixture(scope="module")
def conditional():
    names = np.array([f"digit {d}" for d in y])
    return vae(conditional=True, likelihood="bernoulli", max_iter=60).fit(BITS, names)


def test_samples_of_a_class_look_like_it(conditional):
    judge = LogisticRegression(max_iter=1000).fit(BITS, y)
    for digit in (0, 4, 6):
        made = conditional.sample(50, y=f"digit {digit}", mean=True, random_state=0)
        assert (judge.predict(made) == digit).mean() > 0.7
    each = conditional.sample(y=["digit 1", "digit 0"], random_state=0)
    assert each.shape == (2, 64)
    assert conditional.sample(30, random_state=0).shape == (30, 64)
    assert_allclose(conditional.class_prior_, np.bincount(y) / len(y))


def test_classes_are_given_or_taken_to_be_the_likeliest(conditional):
    names = conditional.classes_[y]
    right = conditional.score_samples(BITS, names)
    assert right.mean() > conditional.score_samples(BITS, np.roll(names, 1)).mean() + 5
    given, found = conditional.transform(BITS, names), conditional.transform(BITS)
    same = (abs(given - found) < 1e-4).all(1)
    assert same.mean() > 0.7
    restored = conditional.reconstruct(BITS[:9], names[:9])
    codes = conditional.transform(BITS[:9], names[:9])
    assert_allclose(conditional.inverse_transform(codes, names[:9]), restored, atol=1e-5)
    assert conditional.interpolate(BITS[0], BITS[1], 3, y="digit 2").shape == (3, 64)
    log_p = conditional.log_likelihood(BITS[:9], names[:9], n_samples=100, random_state=0)
    assert log_p.shape == (9,)
    again = clone(conditional).set_params(max_iter=1)
    assert_array_equal(again.fit_transform(BITS, names), again.transform(BITS))


def test_without_a_class_likelihoods_are_over_all_classes(conditional):
    names, prior = conditional.classes_, conditional.class_prior_
    of_each = [conditional.score_samples(BITS, np.full(len(BITS), name)) for name in names]
    joint = np.stack(of_each, 1) + np.log(prior)
    assert_allclose(conditional.score_samples(BITS), logsumexp(joint, axis=1), rtol=1e-5)
    few = {"n_samples": 200, "random_state": 0}
    assert conditional.log_likelihood(BITS[:9], **few).shape == (9,)


def test_shares_of_classes_are_those_of_all_calls():
    estimator = vae(conditional=True, batch_size="auto")
    estimator.partial_fit(X[y < 2], y[y < 2], classes=range(10)).partial_fit(X, y)
    counts = np.bincount(y[y < 2], minlength=10) + np.bincount(y)
    assert_allclose(estimator.class_prior_, counts / counts.sum())


def test_warm_up_goes_on_over_parts_of_the_data():
    estimator, seen = vae(max_iter=10, beta_warmup=5), []
    for _ in range(4):
        estimator.partial_fit(X)
        seen.append(estimator.module_.noise.progress)
    assert_allclose(seen, [0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("changed", "settings"),
    [
        ("conditional", {"conditional": True}),
        ("likelihood", {"likelihood": "bernoulli"}),
    ],
)
def test_what_columns_mean_cannot_change_when_training_goes_on(changed, settings):
    estimator = vae(max_iter=1, warm_start=True).fit(BITS, y)
    with pytest.raises(ValueError, match=f"'{changed}' parameter.*cannot change when training"):
        estimator.set_params(**settings).fit(BITS, y)


def test_bytes_of_a_table_are_numbers_and_of_images_shares():
    table = (16 * X[:, 20:23]).astype(np.uint8)
    estimator = vae(likelihood="categorical", max_iter=1).fit(table)
    assert_array_equal(estimator.categories_[0], np.unique(table[:, 0]))
    images = (255 * X.reshape(-1, 8, 8)).astype(np.uint8)
    assert vae(likelihood="bernoulli", max_iter=1).fit(images).score(images) < 0


def test_values_that_are_no_bits_have_no_score():
    estimator = vae(likelihood="bernoulli", max_iter=1).fit(BITS)
    with pytest.raises(ValueError, match=r"Bernoulli column .* needs values between 0 and 1"):
        estimator.score(16 * BITS)


def test_targets_are_ignored_without_a_condition():
    assert_array_equal(vae(max_iter=2).fit(X, y).transform(X), vae(max_iter=2).fit(X).transform(X))


def test_classes_may_come_one_call_at_a_time():
    estimator = vae(conditional=True, batch_size="auto").partial_fit(
        X[:50], y[:50] % 3, classes=[0, 1, 2]
    )
    assert estimator.partial_fit(X[50:90], np.ones(40, int)).transform(X, y % 3).shape == (400, 4)
    with pytest.raises(ValueError, match=r"y has \[7\]"):
        estimator.partial_fit(X[:2], [7, 0])


# -- tables


def table(n=400, seed=0):
    """Two kinds of rows: numbers, bits and categories that go together."""
    random = np.random.default_rng(seed)
    kind = random.integers(0, 2, n)
    return pd.DataFrame(
        {
            "size": 100 * kind + random.normal(0, 5, n),
            "flag": (random.random(n) < np.where(kind, 0.9, 0.1)).astype(float),
            "colour": np.where(random.random(n) < 0.9, np.where(kind, 7.0, 3.0), 5.0),
            "weight": 0.01 * random.normal(0, 1, n),
        }
    )


@pytest.mark.parametrize("named", [["colour"], [2], [False, False, True, False]], ids=str)
def test_columns_of_mixed_tables_are_named_or_found(named):
    mixed = {"likelihood": "mixed", "categorical_features": named}
    estimator = vae(max_iter=1, **mixed).fit(table())
    assert estimator.column_kinds_ == ["gaussian", "bernoulli", "categorical", "gaussian"]
    assert [each.tolist() for each in estimator.categories_] == [[], [], [3, 5, 7], []]


def test_mixed_tables_are_restored_and_sampled_column_by_column():
    data = table()
    mixed = {"likelihood": "mixed", "categorical_features": ["colour"]}
    estimator = vae(n_components=2, max_iter=50, learning_rate_init=0.02, **mixed).fit(data)
    restored = estimator.reconstruct(data)
    assert np.abs(restored[:, 0] - data["size"]).mean() < 20
    common = data["colour"] != 5
    assert (restored[:, 2] == data["colour"])[common].mean() > 0.95
    made = estimator.sample(1000, random_state=0)
    assert set(np.unique(made[:, 1])) == {0, 1}
    assert set(np.unique(made[:, 2])) <= {3, 5, 7}
    large = made[:, 0] > 50
    assert (made[large, 2] == 7).mean() > (made[~large, 2] == 7).mean() + 0.5


def test_likelihood_of_independent_categories_is_that_of_their_shares():
    shares = np.array([0.6, 0.3, 0.1])
    data = np.random.default_rng(0).choice([10.0, 20, 30], size=(500, 1), p=shares)
    estimator = vae(likelihood="categorical", n_components=1, max_iter=60).fit(data)
    counts = np.unique(data, return_counts=True)[1] / len(data)
    found = estimator.log_likelihood([[10.0], [20], [30]], n_samples=500, random_state=0)
    assert_allclose(np.exp(found), counts, atol=0.03)


def test_unknown_categories_are_refused():
    data = X[:, 20:25].round(1)
    estimator = vae(likelihood="categorical", max_iter=1).fit(data)
    with pytest.raises(ValueError, match="Column 0 of X has categories that were not there in fit"):
        estimator.transform(data + 5)


# -- images

IMAGES = DIGITS.images[:400] / 16


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_convolutions_learn_images_as_arrays_or_as_rows(likelihood):
    how = {"filters": (8, 16), "likelihood": likelihood, "max_iter": 30}
    of_arrays = vae(**how).fit(IMAGES)
    of_rows = vae(**how, image_shape=(8, 8)).fit(X)
    assert_array_equal(of_arrays.transform(X), of_rows.transform(IMAGES))
    assert of_arrays.reconstruct(IMAGES[:3]).shape == of_arrays.sample(3, random_state=0).shape
    assert of_rows.sample(3, random_state=0).shape == of_rows.reconstruct(X[:3]).shape == (3, 64)
    assert of_arrays.interpolate(IMAGES[0], IMAGES[1], 4).shape == (4, 8, 8)
    assert of_arrays.score(X) > vae(**how | {"max_iter": 1}).fit(IMAGES).score(X) + 3


@pytest.mark.parametrize(
    "settings",
    [
        {"variance": "samples"},
        {"conditional": True},
        {"channels": "last", "variance": "samples"},
        {"upsampling": "nearest", "hidden_layer_sizes": ()},
    ],
    ids=str,
)
def test_convolutions_have_the_gradients_of_differences(settings):
    coloured = np.random.default_rng(0).random((12, 5, 4, 3))
    data = coloured if settings.get("channels") == "last" else np.moveaxis(coloured, -1, 1)
    target = np.arange(12) % 3 if "conditional" in settings else None
    how = {"filters": 2, "activation": "tanh", "hidden_layer_sizes": (5,), "batch_size": "full"}
    estimator = vae(**how | {"max_iter": 1} | settings).fit(data, target)
    assert check_gradients(estimator, data, target) < 1e-5
    assert estimator.sample(2, random_state=0).shape == (2, *data.shape[1:])
    assert "conv1_1" in str(estimator.summary())


def test_channels_may_be_the_first_or_the_last():
    coloured = np.random.default_rng(0).random((40, 4, 5, 3))
    how = {"filters": 4, "max_iter": 2, "variance": "samples", "batch_size": 20}
    first = vae(**how).fit(np.moveaxis(coloured, -1, 1))
    last = vae(**how, channels="last").fit(coloured)
    codes = first.transform(np.moveaxis(coloured, -1, 1)), last.transform(coloured)
    assert_allclose(codes[0], codes[1], atol=1e-4)
    assert_allclose(
        np.moveaxis(first.inverse_transform(codes[0]), 1, -1),
        last.inverse_transform(codes[0]),
        atol=1e-4,
    )


# -- errors


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"likelihood": "bernoulli"},
            "Bernoulli column of Vari.* needs values between",
        ),
        ({"dynamic_binarization": True}, "'dynamic_binarization'.*likelihood='bernoulli'"),
        ({"filters": 4, "likelihood": "categorical"}, "'filters'.*for images"),
        ({"categorical_features": [0]}, "'categorical_features'.*likelihood='mixed'"),
        (
            {"likelihood": "mixed", "categorical_features": [9]},
            "must hold indices from 0",
        ),
        ({"conditional": True}, "requires y"),
        ({"solver": "lbfgs"}, "needs a stochastic solver"),
        (
            {"averaging": "snapshots", "learning_rate": "constant", "n_snapshots": 1},
            "knows no averaging='snapshots'",
        ),
        ({"likelihood": "normal"}, "'likelihood' parameter"),
    ],
    ids=str,
)
def test_errors_come_first_and_leave_the_estimator_alone(settings, message):
    data = load_iris().data
    estimator = vae(max_iter=2).fit(data)
    before = estimator.transform(data)
    with pytest.raises(ValueError, match=message):
        estimator.set_params(**settings).fit(data)
    assert_array_equal(estimator.transform(data), before)


def test_unknown_classes_are_refused(conditional):
    with pytest.raises(ValueError, match="none of the classes"):
        conditional.sample(y="digit 10")
    with pytest.raises(ValueError, match="needs the class of each code"):
        conditional.inverse_transform(np.zeros((2, 4)))
