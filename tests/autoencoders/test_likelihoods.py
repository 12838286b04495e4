"""Distributions of columns against scipy's, and samples against their means."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import expit, log_softmax, softmax

from sknets.autoencoders.likelihoods import Bernoulli, Categorical, Gaussian, Side

rng = np.random.default_rng(0)
MEAN, VARIANCE = torch.tensor([1.0, -2, 3]), torch.tensor([4.0, 0.25, 0])
N = 100_000


def drawn(likelihood, raw):
    """Many samples of the same raw outputs."""
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        return likelihood.sample(raw.expand(N, -1), generator).numpy()


def gaussian(variance):
    likelihood = Gaussian(3, variance).double()
    biases = likelihood.fit_to(MEAN.double(), VARIANCE.double())
    assert biases.tolist() == [0] * likelihood.n_raw
    if variance != "samples":
        likelihood.log_variance.data.copy_(
            torch.tensor([-1.0, 0.5, 0][: likelihood.log_variance.numel()])
        )
    return likelihood


@pytest.mark.parametrize("variance", ["one", "columns", "samples"])
def test_gaussian_columns_are_normal_in_units_of_the_data(variance):
    likelihood = gaussian(variance)
    raw = torch.from_numpy(rng.standard_normal((5, likelihood.n_raw)))
    x = torch.from_numpy(rng.standard_normal((5, 3)))
    spread = VARIANCE.double().numpy()
    if variance == "one":
        spread = np.full(3, spread.mean())
    scale = np.where(spread > 0, np.sqrt(spread), 1)
    given = raw[:, 3:] if variance == "samples" else likelihood.log_variance.detach()
    mean = raw[:, :3].numpy() * scale + MEAN.numpy()
    deviation = np.exp(given.numpy() / 2) * scale
    expected = stats.norm(mean, deviation).logpdf(x.numpy()).sum(1)
    assert_allclose(likelihood.log_p(raw, x).detach(), expected, rtol=1e-10)
    assert_allclose(likelihood.mean(raw), mean)
    assert_allclose(likelihood.seen(x), (x.numpy() - MEAN.numpy()) / scale)
    one = np.broadcast_to(deviation, mean.shape)[0]
    assert_allclose(drawn(likelihood, raw[:1]).mean(0), mean[0], atol=0.02 * one.max())
    assert_allclose(drawn(likelihood, raw[:1]).std(0), one, rtol=0.02)


def test_variances_do_not_fall_below_a_share_of_the_data():
    likelihood = gaussian("columns")
    likelihood.log_variance.data.fill_(-100)
    x = torch.zeros(1, 3, dtype=torch.float64)
    assert torch.isfinite(likelihood.log_p(x, x))


def test_bernoulli_columns_are_coins():
    likelihood = Bernoulli(3)
    raw, x = (
        torch.from_numpy(rng.standard_normal((5, 3))),
        torch.from_numpy(rng.integers(0, 2, (5, 3))),
    )
    expected = stats.bernoulli(expit(raw.numpy())).logpmf(x.numpy()).sum(1)
    assert_allclose(likelihood.log_p(raw, x.double()), expected, rtol=1e-10)
    assert_allclose(drawn(likelihood, raw[:1]).mean(0), expit(raw[0].numpy()), atol=0.01)
    assert_allclose(
        likelihood.fit_to(torch.tensor([0.5, 0, 1]), None), [0, -4.595, 4.595], atol=1e-3
    )


def test_categorical_columns_are_dice():
    likelihood = Categorical(4)
    raw = torch.from_numpy(rng.standard_normal((5, 4)))
    place = rng.integers(0, 4, 5)
    x = torch.eye(4, dtype=torch.float64)[place]
    expected = log_softmax(raw.numpy(), axis=1)[np.arange(5), place]
    assert_allclose(likelihood.log_p(raw, x), expected, rtol=1e-10)
    found = drawn(likelihood, raw[:1])
    assert_array_equal(found.sum(1), 1)
    assert_allclose(found.mean(0), softmax(raw[0].numpy()), atol=0.01)
    assert_allclose(likelihood.mean(raw), softmax(raw.numpy(), axis=1))


def test_distributions_side_by_side_are_a_product():
    parts = [Gaussian(2, "columns"), Bernoulli(1), Categorical(3)]
    columns = [np.array(each) for each in ([4, 1], [0], [2, 3, 5])]
    side = Side(parts, columns).double()
    mean, variance = torch.arange(6.0).double() / 6, torch.arange(1.0, 7).double()
    biases = side.fit_to(mean, variance)
    assert_allclose(biases[3:], mean[[2, 3, 5]].log().numpy())
    raw = torch.from_numpy(rng.standard_normal((5, 6)))
    x = torch.from_numpy(rng.standard_normal((5, 6)))
    pieces = zip(parts, columns, raw.split([2, 1, 3], 1), strict=True)
    each = [part.log_p(own, x[:, place]) for part, place, own in pieces]
    assert_allclose(side.log_p(raw, x).detach(), sum(each).detach())
    made = side.mean(raw)
    assert_allclose(made[:, [2, 3, 5]].sum(1), 1)
    assert_allclose(made[:, 4], raw[:, 0] * 5**0.5 + mean[4])
    assert_allclose(side.seen(x)[:, 0], x[:, 0])
    assert_allclose(side.seen(x)[:, 1], (x[:, 1] - mean[1]) / 2**0.5)
    with torch.inference_mode():
        found = side.sample(raw, torch.Generator().manual_seed(0))
    assert set(found[:, 0].tolist()) <= {0, 1}
    assert_array_equal(found[:, [2, 3, 5]].sum(1), 1)


def test_codes_may_have_an_axis_of_draws_before_rows():
    likelihood = Side([Bernoulli(2), Categorical(2)], [np.array([0, 1]), np.array([2, 3])])
    raw, x = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0)), torch.zeros(5, 4)
    assert_allclose(likelihood.log_p(raw, x)[1], likelihood.log_p(raw[1], x))
