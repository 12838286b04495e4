"""Noise on the way in, and what is restored of it."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.metrics import mean_squared_error

from sknets import Autoencoder
from sknets.autoencoders.corruption import Masking, SaltAndPepper

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

DIGITS = load_digits().data / 16


def seeded(layer, seed=0):
    layer.generator = torch.Generator().manual_seed(seed)
    return layer


@pytest.mark.parametrize("p", [0, 0.3, 1])
def test_a_share_is_masked_and_the_rest_is_left_as_it_is(p):
    made = seeded(Masking(p))(torch.full((1000, 100), 2.0))
    assert set(made.unique().tolist()) <= {0.0, 2.0}
    assert (made == 0).float().mean().item() == pytest.approx(p, abs=0.01)


def test_salt_and_pepper_are_extremes_of_their_columns():
    layer = seeded(SaltAndPepper(0.4, 2))
    layer.low.copy_(torch.tensor([0.0, -5]))
    layer.high.copy_(torch.tensor([1.0, 7]))
    made = layer(torch.full((50_000, 2), 0.5))
    for column, (low, high) in zip(made.T, ((0, 1), (-5, 7)), strict=True):
        for value, share in ((low, 0.2), (high, 0.2), (0.5, 0.6)):
            assert (column == value).float().mean().item() == pytest.approx(share, abs=0.01)


def test_nothing_is_done_after_training():
    x = torch.ones(3, 2)
    for layer in (Masking(0.5), SaltAndPepper(0.5, 2)):
        assert layer.eval()(x) is x


@pytest.mark.parametrize("noise", ["gaussian", "masking", "salt_pepper"])
def test_denoising_autoencoders_restore_what_noise_hides(noise):
    layers = {"gaussian": lambda x: x + 0.3 * torch.randn(x.shape, generator=drawn)}
    drawn = torch.Generator().manual_seed(1)
    salted = SaltAndPepper(0.3, 64)
    salted.low, salted.high = torch.zeros(64), torch.ones(64)
    layers |= {"masking": seeded(Masking(0.3), 1), "salt_pepper": seeded(salted, 1)}
    train, clean = DIGITS[:1400], DIGITS[1400:]
    noisy = layers[noise](torch.from_numpy(clean)).numpy()
    how = {
        "learning_rate": "one_cycle",
        "learning_rate_init": 0.01,
        "max_iter": 60,
        "random_state": 0,
    }
    denoising, plain = (
        Autoencoder(150, noise=n, noise_level=0.3, **how).fit(train) for n in (noise, None)
    )
    error = mean_squared_error(clean, denoising.reconstruct(noisy))
    assert error < 0.5 * mean_squared_error(clean, noisy)
    assert error < 0.8 * mean_squared_error(clean, plain.reconstruct(noisy))


def test_extremes_are_those_of_the_data_and_stay_so():
    X = np.random.default_rng(0).normal(size=(100, 3))
    how = {"noise": "salt_pepper", "max_iter": 2, "random_state": 0}
    coder = Autoencoder(2, **how).fit(X).partial_fit(10 * X)
    noise = coder.module_.corruption
    assert_array_equal(noise.low, X.min(axis=0).astype(noise.low.numpy().dtype))
    assert_array_equal(noise.high, X.max(axis=0).astype(noise.high.numpy().dtype))


def test_noise_repeats_with_random_state():
    codes = [
        Autoencoder(4, noise="masking", max_iter=3, random_state=seed)
        .fit(DIGITS[:100])
        .transform(DIGITS[:100])
        for seed in (0, 0, 1)
    ]
    assert_array_equal(codes[0], codes[1])
    assert not np.array_equal(codes[0], codes[2])
