"""Augmentations of values: colours against formulas, cutout, and mixup's shares."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import beta, kstest

from sknets._params import InvalidParameterError
from sknets.preprocessing import ColorJitter, Cutout, Mixup, PCAJitter

RNG = np.random.default_rng(0)
COLOUR = torch.from_numpy(RNG.random((6, 3, 9, 8)))
GREY = torch.from_numpy(RNG.random((6, 1, 9, 8)))
SIGNALS = torch.from_numpy(RNG.random((6, 2, 11)))
LUMA = np.array([0.299, 0.587, 0.114])


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def only(**settings):
    return ColorJitter(**{"brightness": 0, "contrast": 0, "saturation": 0, **settings})


def luma(x):
    return np.einsum("c,nc...->n...", LUMA, x)[:, None]


def factors(made, x, centre):
    """How much further from `centre` each value is than it was."""
    return ((made.numpy() - centre) / (x.numpy() - centre)).reshape(len(x), -1)


# -- colours


def test_no_jitter_changes_nothing():
    assert_allclose(only()(COLOUR, draws()).x, COLOUR, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "centre"),
    [
        ("brightness", 0.0),
        ("contrast", luma(COLOUR.numpy()).mean((2, 3), keepdims=True)),
        ("saturation", luma(COLOUR.numpy())),
    ],
)
def test_each_jitter_scales_about_its_centre(name, centre):
    found = factors(only(**{name: 0.5})(COLOUR, draws()).x, COLOUR, centre)
    assert_allclose(found, np.median(found, axis=1, keepdims=True).repeat(found.shape[1], 1))
    assert len(np.unique(found[:, 0].round(4))) == 6
    assert ((found >= 0.5) & (found <= 1.5)).all()


def test_jitters_apply_one_after_the_other():
    generator = draws()
    b, c, s = (
        torch.empty(6).uniform_(0.8, 1.2, generator=generator).numpy()[:, None, None, None]
        for _ in range(3)
    )
    x = b * COLOUR.numpy()
    x = c * x + (1 - c) * luma(x).mean((2, 3), keepdims=True)
    x = s * x + (1 - s) * luma(x)
    assert_allclose(ColorJitter()(COLOUR, draws()).x, x, rtol=1e-6)


def test_hue_turns_colours_and_leaves_their_luma():
    turned = only(hue=0.5)(COLOUR, draws()).x
    assert_allclose(luma(turned.numpy()), luma(COLOUR.numpy()), rtol=1e-6)
    assert not torch.allclose(turned, COLOUR, atol=0.01)
    greys = torch.linspace(0, 1, 12).view(1, 1, 3, 4).repeat(5, 3, 1, 1)
    assert_allclose(only(hue=0.5)(greys, draws()).x, greys, atol=1e-6)


def test_saturation_of_grey_images_is_none():
    assert_allclose(only(saturation=0.9)(GREY, draws()).x, GREY)
    with pytest.raises(ValueError, match=r"'hue' .* must be 0 for images of 1 channel\(s\)"):
        ColorJitter(hue=0.1)(GREY, draws())


def test_brightness_cannot_turn_negative():
    assert (only(brightness=5.0)(COLOUR, draws()).x >= 0).all()


# -- AlexNet's colours


def test_pca_jitter_shifts_every_pixel_of_an_image_alike():
    shift = PCAJitter()(COLOUR, draws()).x - COLOUR
    assert_allclose(shift, shift[:, :, :1, :1].expand_as(shift), atol=1e-12)
    assert len(torch.unique(shift[:, 0, 0, 0])) == 6


@pytest.mark.parametrize("given", [False, True])
def test_shifts_have_the_covariance_of_the_colours(given):
    mixing = np.array([[1.0, 0.5, 0.2], [0.0, 1.0, 0.3], [0.0, 0.0, 0.4]])
    x = torch.from_numpy(RNG.standard_normal((20_000, 1, 3)) @ mixing).movedim(2, 1)
    covariance = mixing.T @ mixing
    jitter = PCAJitter(scale=0.1, covariance=2 * covariance if given else None)
    shift = (jitter(x, draws()).x - x).squeeze(2).numpy()
    expected = 0.01 * covariance * (2 if given else 1)
    assert_allclose(np.cov(shift.T), expected, atol=0.05 * expected.max())


def test_shifts_are_along_the_principal_components():
    # Two components, variances 4 and 1: alpha times the root of each, along each.
    jitter = PCAJitter(scale=1.0, covariance=[[4.0, 0.0], [0.0, 1.0]])
    shift = jitter(torch.zeros(2, 2, 3), draws()).x[:, :, 0]
    alpha = torch.empty(2, 2).normal_(0, 1, generator=draws())
    assert_allclose(shift.abs().numpy(), (alpha.abs()[:, [1, 0]] * torch.tensor([2.0, 1.0])))


def test_pca_jitter_scales_with_the_values():
    shift = PCAJitter()(COLOUR, draws()).x - COLOUR
    large = PCAJitter()(255 * COLOUR, draws()).x - 255 * COLOUR
    assert_allclose(large, 255 * shift, rtol=1e-6)


def test_covariance_of_other_channels_is_an_error():
    with pytest.raises(ValueError, match=r"'covariance' .* of shape \(3, 3\), .* Got \(2, 2\)"):
        PCAJitter(covariance=np.eye(2))(COLOUR, draws())


# -- cutout


@pytest.mark.parametrize(("size", "sides"), [(4, (4, 4)), (5, (5, 5)), (0.5, (4, 4))])
def test_cutout_is_a_rectangle_of_zeros(size, sides):
    x = torch.ones(200, 2, 9, 8)
    made = Cutout(size)(x, draws()).x.numpy()
    assert_array_equal(made[:, 0], made[:, 1])
    rows, columns = (made[:, 0] == 0).any(2), (made[:, 0] == 0).any(1)
    assert_array_equal(made[:, 0] == 0, rows[:, :, None] & columns[:, None, :])
    for lines, side in ((rows, sides[0]), (columns, sides[1])):
        lengths = lines.sum(1)
        assert lengths.max() == side
        assert lengths.min() >= side - side // 2  # half of it may lie beyond the image
        starts = np.abs(np.diff(lines.astype(int), axis=1, prepend=0, append=0)).sum(1)
        assert_array_equal(starts, 2)  # in one piece


def test_cutout_is_centred_anywhere():
    cut = Cutout(1)(torch.ones(20_000, 1, 4, 4), draws()).x.mean((0, 1))
    assert_allclose(cut, 15 / 16, atol=0.01)


def test_cutout_of_signals_is_a_piece():
    made = Cutout(3)(SIGNALS, draws()).x
    zeros = (made == 0).numpy()
    assert_array_equal(zeros[:, 0], zeros[:, 1])
    assert set(zeros[:, 0].sum(1)) <= {2, 3}
    assert_array_equal(made[~zeros], SIGNALS[~zeros])


# -- mixup


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_beta_distributed(alpha):
    share = Mixup(alpha)(torch.zeros(3000, 1, 2), draws()).share
    assert kstest(share, beta(alpha, alpha).cdf).pvalue > 1e-3


def test_shares_of_a_tiny_alpha_are_finite():
    share = Mixup(1e-3)(torch.zeros(3000, 1, 2), draws()).share
    assert ((share >= 0) & (share <= 1)).all()


@pytest.mark.parametrize("x", [COLOUR, SIGNALS], ids=["images", "signals"])
def test_samples_are_mixed_by_their_shares(x):
    batch = Mixup(1.0)(x, draws())
    assert sorted(batch.partner.tolist()) == list(range(6))
    share = batch.share.view(6, *[1] * (x.ndim - 1))
    assert_allclose(batch.x, share * x + (1 - share) * x[batch.partner])
    assert len(set(batch.share.tolist())) == 6


def test_loss_of_pairs_is_the_loss_of_mixed_targets():
    batch = Mixup(1.0)(COLOUR, draws())
    raw = torch.from_numpy(RNG.standard_normal((6, 4)))
    y = torch.tensor([0, 1, 2, 3, 0, 1])
    pairs = batch.pairs(raw, y)
    losses = torch.nn.functional.cross_entropy(pairs.raw, pairs.y, reduction="none")
    one_hot = torch.eye(4, dtype=raw.dtype)[y]
    share = batch.share[:, None]
    mixed = share * one_hot + (1 - share) * one_hot[batch.partner]
    expected = torch.nn.functional.cross_entropy(raw, mixed)
    assert_allclose((losses * pairs.weight).sum() / pairs.weight.sum(), expected)


def test_weights_go_with_the_targets():
    batch = Mixup(1.0)(COLOUR, draws())
    y, weight = torch.arange(6), torch.arange(6).double()
    pairs = batch.pairs(torch.zeros(6, 1), y, weight)
    assert pairs.weight.sum().item() == pytest.approx(
        (batch.share * weight + (1 - batch.share) * weight[batch.partner]).sum().item()
    )
    assert not pairs.weight[pairs.y == 0].any()


def test_batch_that_is_not_mixed_has_its_own_targets():
    batch = Cutout()(COLOUR, draws())
    raw, y, weight = torch.zeros(6, 2), torch.arange(6), torch.ones(6)
    pairs = batch.pairs(raw, y, weight)
    assert pairs.raw is raw
    assert pairs.y is y
    assert pairs.weight is weight


# -- errors


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        (ColorJitter(brightness=-1), "The 'brightness' parameter of ColorJitter must be"),
        (ColorJitter(hue=0.6), "The 'hue' parameter of ColorJitter must be"),
        (PCAJitter(scale=math.nan), "The 'scale' parameter of PCAJitter must be"),
        (PCAJitter(covariance=3), "The 'covariance' parameter of PCAJitter must be"),
        (Cutout(1.5), "The 'size' parameter of Cutout must be"),
        (Mixup(0), r"The 'alpha' parameter of Mixup must be a float in the range \(0"),
    ],
    ids=str,
)
def test_bad_parameter_is_an_error_that_names_it(augmentation, message):
    with pytest.raises(InvalidParameterError, match=message):
        augmentation(COLOUR, draws())
