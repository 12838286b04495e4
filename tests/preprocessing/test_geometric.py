"""Augmentations that move pixels, against numpy and scipy, and as one interpolation."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import affine_transform

from sknets._params import InvalidParameterError
from sknets.preprocessing import Crop, Elastic, Flip, Rotate, Scale, Shear, Translate
from sknets.preprocessing.augmentation import Chain
from sknets.preprocessing.geometric import Resampling

RNG = np.random.default_rng(0)
IMAGES = torch.from_numpy(RNG.random((6, 2, 9, 8)))
SIGNALS = torch.from_numpy(RNG.random((6, 2, 11)))
ALIKE = IMAGES[:1].repeat(64, 1, 1, 1)


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def rotation(degrees):
    """Rows and columns of the result to those of the image, counterclockwise (y points down)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cos, sin], [-sin, cos]])


def by_scipy(images, matrix):
    """Each image through a map of (row, column) about its centre, zeros beyond it."""
    centre = (np.array(images.shape[2:]) - 1) / 2
    offset = centre - matrix @ centre
    flat = images.numpy().reshape(-1, *images.shape[2:])
    moved = [affine_transform(i, matrix, offset, order=1, mode="grid-constant") for i in flat]
    return np.stack(moved).reshape(images.shape)


# -- flips


@pytest.mark.parametrize(("axis", "axes"), [("horizontal", -1), ("vertical", -2)])
def test_flip_agrees_with_numpy(axis, axes):
    flipped = Flip(p=1.0, axis=axis)(IMAGES, draws()).x
    assert_array_equal(flipped, np.flip(IMAGES.numpy(), axes))
    assert_array_equal(Flip(p=0.0, axis=axis)(IMAGES, draws()).x, IMAGES)


def test_flip_of_both_axes_draws_each():
    flipped = Flip(axis="both")(ALIKE, draws()).x
    image = IMAGES[0].numpy()
    kinds = [image, image[..., ::-1], image[:, ::-1], image[:, ::-1, ::-1]]
    found = [next(i for i, kind in enumerate(kinds) if np.array_equal(kind, x)) for x in flipped]
    assert set(found) == {0, 1, 2, 3}


def test_half_of_the_samples_are_flipped():
    x = torch.tensor([[[0.0, 1.0]]]).repeat(4000, 1, 1)
    share = Flip()(x, draws()).x[:, 0, 0].mean().item()
    assert share == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(4000))


# -- crops and moves


@pytest.mark.parametrize(
    ("fill", "mode"), [("zero", "constant"), ("edge", "edge"), ("reflect", "symmetric")]
)
@pytest.mark.parametrize("size", [None, 4, 5])
def test_crop_is_a_window_of_the_padded_image(fill, mode, size):
    cropped = Crop(padding=3, size=size, fill=fill)(ALIKE, draws()).x.numpy()
    padded = np.pad(IMAGES[0].numpy(), ((0, 0), (3, 3), (3, 3)), mode=mode)
    height, width = cropped.shape[2:]
    assert (height, width) == ((9, 8) if size is None else (size, size))
    windows = {
        (i, j): padded[:, i : i + height, j : j + width]
        for i in range(padded.shape[1] - height + 1)
        for j in range(padded.shape[2] - width + 1)
    }
    found = [
        next(place for place, window in windows.items() if np.array_equal(window, x))
        for x in cropped
    ]
    assert len(set(found)) > 30


def test_every_crop_is_equally_likely():
    x = torch.eye(3)[None, None].repeat(9000, 1, 1, 1)
    cropped = Crop(padding=0, size=1)(x, draws()).x.flatten()
    assert cropped.mean().item() == pytest.approx(1 / 3, abs=4 * math.sqrt(2 / 9 / 9000))


def test_crop_that_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match="'size' parameter of Crop must be at most 12, the side"):
        Crop(padding=2, size=13)(IMAGES, draws())


def test_translation_by_pixels_moves_whole_pixels():
    moved = Translate(2)(ALIKE, draws()).x.numpy()
    padded = np.pad(IMAGES[0].numpy(), ((0, 0), (2, 2), (2, 2)))
    windows = [padded[:, i : i + 9, j : j + 8] for i in range(5) for j in range(5)]
    found = {
        next(i for i, window in enumerate(windows) if np.array_equal(window, x)) for x in moved
    }
    assert len(found) > 15


def test_translation_by_a_share_moves_the_centre_of_mass():
    x = torch.zeros(2000, 1, 21, 41)
    x[:, :, 10, 20] = 1
    moved = Translate(0.2)(x, draws()).x
    assert_allclose(moved.sum((1, 2, 3)), 1, rtol=1e-5)
    down = (moved.sum(3)[:, 0] @ torch.arange(21.0)) - 10
    across = (moved.sum(2)[:, 0] @ torch.arange(41.0)) - 20
    for shift, most in ((down, 0.2 * 21), (across, 0.2 * 41)):
        assert shift.abs().max() <= most + 1e-4
        assert shift.std().item() == pytest.approx(most / math.sqrt(3), rel=0.1)
    assert abs(np.corrcoef(down, across)[0, 1]) < 0.1


# -- affine maps


@pytest.mark.parametrize("quarters", [1, 2, 3, 4])
def test_rotation_by_right_angles_agrees_with_numpy(quarters):
    square = IMAGES[:, :, :8]
    angle = 90 * quarters
    turned = Rotate((angle, angle))(square, draws()).x
    assert_allclose(turned, np.rot90(square, quarters, axes=(2, 3)), atol=1e-5)


@pytest.mark.parametrize(
    ("augmentation", "matrix"),
    [
        (Rotate((30, 30)), rotation(30)),
        (Rotate((-75, -75)), rotation(-75)),
        (Scale((1.5, 1.5)), np.eye(2) / 1.5),
        (Scale((0.8, 0.8)), np.eye(2) / 0.8),
        (Shear((20, 20)), np.array([[1, 0], [math.tan(math.radians(20)), 1]])),
    ],
    ids=str,
)
def test_affine_maps_agree_with_scipy(augmentation, matrix):
    assert_allclose(augmentation(IMAGES, draws()).x, by_scipy(IMAGES, matrix), atol=1e-5)


@pytest.mark.parametrize(
    ("augmentation", "entry", "low", "high"),
    [
        (Rotate(20), lambda m: m[:, 1, 0].asin().rad2deg(), -20, 20),
        (Rotate((5, 20)), lambda m: m[:, 1, 0].asin().rad2deg(), 5, 20),
        (Shear(20), lambda m: m[:, 0, 1].atan().rad2deg(), -20, 20),
        (Scale(2), lambda m: -m[:, 0, 0].log2(), -1, 1),
        (Scale((1, 2)), lambda m: -m[:, 0, 0].log2(), 0, 1),
    ],
    ids=["turn", "turns of one sign", "shear", "size", "enlargement"],
)
def test_draws_fill_their_range_evenly(augmentation, entry, low, high):
    drawn = entry(augmentation._maps(4000, (9, 8), draws()))
    assert low - 1e-4 <= drawn.min() < drawn.max() <= high + 1e-4
    width = high - low
    assert drawn.mean().item() == pytest.approx((low + high) / 2, abs=0.02 * width)
    assert drawn.std().item() == pytest.approx(width / math.sqrt(12), rel=0.05)


# -- elastic distortion


@pytest.mark.parametrize(("alpha", "sigma"), [(34.0, 4.0), (8.0, 1.0), (30.0, 2.5)])
def test_displacements_have_the_statistics_of_smoothed_noise(alpha, sigma):
    field = Elastic(alpha=alpha, sigma=sigma)._displacement(2000, (29, 24), draws())
    std = alpha / (2 * sigma * math.sqrt(3 * math.pi))
    assert_allclose(field.mean((0, 2, 3)), 0, atol=0.05 * std)
    # The same at every pixel, those at the edge included.
    assert_allclose(field.std(0), std, rtol=0.1)
    assert_allclose(field.std((0, 2, 3)), std, rtol=0.02)
    # Correlations fall as exp(-d^2 / (4 sigma^2)), and there is none between the two axes.
    for d in (1, 3, 6):
        found = (field[..., d:] * field[..., :-d]).mean() / std**2
        assert found.item() == pytest.approx(math.exp(-(d**2) / (4 * sigma**2)), abs=0.03)
    assert abs((field[:, 0] * field[:, 1]).mean().item()) < 0.05 * std**2


def test_displacements_agree_with_noise_at_every_pixel():
    gaussian = pytest.importorskip("scipy.ndimage").gaussian_filter
    noise = RNG.uniform(-1, 1, size=(300, 60, 60))
    smooth = 34 * gaussian(noise, (0, 4, 4))[:, 20:40, 20:40]
    field = Elastic(alpha=34, sigma=4)._displacement(300, (20, 20), draws())
    assert field.std().item() == pytest.approx(smooth.std(), rel=0.05)


def test_elastic_distortion_leaves_an_even_image_alone():
    even = torch.full((3, 1, 12, 12), 0.7)
    assert_allclose(Elastic(fill="edge")(even, draws()).x, even, rtol=1e-6)
    assert_allclose(Elastic(alpha=0)(IMAGES, draws()).x, IMAGES, atol=1e-6)


def test_signals_are_distorted_in_time_alone():
    field = Elastic()._displacement(50, (1, 30), draws())
    assert_array_equal(field[:, 1], 0)
    assert field[:, 0].std() > 1


# -- as one interpolation


def test_a_run_is_the_product_of_its_maps():
    chain = Chain.of((Rotate((30, 30)), Scale((1.2, 1.2)), Shear((-10, -10)), Flip(p=1.0)))
    assert [type(link) for link in chain.links] == [Resampling]
    shear = np.array([[1, 0], [math.tan(math.radians(-10)), 1]])
    matrix = rotation(30) / 1.2 @ shear @ np.diag([1, -1])
    assert_allclose(chain(IMAGES, draws()).x, by_scipy(IMAGES, matrix), atol=1e-5)


def test_a_run_that_moves_whole_pixels_is_exact():
    chain = Chain.of((Flip(p=1.0), Crop(padding=0, size=5), Flip(p=1.0, axis="vertical")))
    cropped = chain(IMAGES, draws()).x.numpy()
    flipped = IMAGES.numpy()[..., ::-1, ::-1]
    for made, image in zip(cropped, flipped, strict=True):
        windows = [image[:, i : i + 5, j : j + 5] for i in range(5) for j in range(4)]
        assert any(np.array_equal(made, window) for window in windows)


def test_distortion_ends_a_run_and_another_filling_too():
    def links(*steps):
        return [[type(step).__name__ for step in link.steps] for link in Chain.of(steps).links]

    assert links("flip", "rotate", "elastic") == [["Flip", "Rotate", "Elastic"]]
    assert links("elastic", "rotate") == [["Elastic"], ["Rotate"]]
    assert links(Crop(fill="edge"), "flip", "rotate") == [["Crop", "Flip"], ["Rotate"]]


def test_distortion_after_a_turn_is_the_same_in_one_interpolation_as_in_two():
    x, y = torch.meshgrid(torch.arange(21.0), torch.arange(21.0), indexing="xy")
    smooth = torch.sin(x / 5) * torch.cos(y / 6)
    smooth = smooth.repeat(8, 1, 1, 1)
    one = Chain.of((Rotate((40, 40)), "elastic"))(smooth, draws()).x
    two = Rotate((40, 40))(smooth, generator := draws()).x
    two = Elastic()(two, generator).x
    inner = slice(8, 13)  # the second interpolation cannot look beyond the first's edges
    assert_allclose(one[..., inner, inner], two[..., inner, inner], atol=0.02)


def test_every_sample_has_a_draw_of_its_own():
    for augmentation in (Crop(), Translate(), Rotate(), Scale(), Shear(), Elastic()):
        made = augmentation(ALIKE, draws()).x.flatten(1)
        assert len(torch.unique(made.round(decimals=4), dim=0)) > 30, augmentation


@pytest.mark.parametrize(
    "augmentation", [Flip(p=1.0), Crop(), Translate(), Translate(3), Scale(), Elastic()], ids=str
)
def test_signals_are_images_one_pixel_high(augmentation):
    made = augmentation(SIGNALS, draws()).x
    assert made.shape == SIGNALS.shape
    assert_allclose(made, augmentation(SIGNALS[:, :, None], draws()).x[:, :, 0], atol=1e-12)
    assert not torch.equal(made, SIGNALS)


@pytest.mark.parametrize("augmentation", [Rotate(), Shear()], ids=str)
def test_signals_cannot_be_turned(augmentation):
    name = type(augmentation).__name__
    with pytest.raises(ValueError, match=rf"{name} takes images, .* signals of shape \(6, 2, 11\)"):
        augmentation(SIGNALS, draws())
    with pytest.raises(ValueError, match=f"{name} takes images"):
        Chain.of(("flip", augmentation))(SIGNALS, draws())


# -- errors


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        (Flip(p=2), r"The 'p' parameter of Flip must be a float in the range \[0.0, 1.0\]"),
        (Flip(axis="up"), "The 'axis' parameter of Flip must be"),
        (Crop(padding=1.5), "The 'padding' parameter of Crop must be an int"),
        (Crop(fill="zeros"), "The 'fill' parameter of Crop must be .* Did you mean 'zero'?"),
        (Translate(1.5), "The 'shift' parameter of Translate must be"),
        (Rotate(200), "The 'degrees' parameter of Rotate must be"),
        (Rotate((20, 10)), r"a pair \(from, to\) of numbers in \(-inf, inf\). Got \(20, 10\)"),
        (Rotate((1, 2, 3)), r"Got \(1, 2, 3\) instead"),
        (Rotate(("a", "b")), r"Got \('a', 'b'\) instead"),
        (Scale(0.5), "The 'factor' parameter of Scale must be"),
        (Scale((0, 1)), r"'factor' parameter of Scale must be a number, or a pair .* \(0, inf\)"),
        (Shear(90), "The 'degrees' parameter of Shear must be"),
        (Shear((0, 90)), r"numbers in \(-90, 90\). Got \(0, 90\) instead"),
        (Elastic(sigma=0.5), "The 'sigma' parameter of Elastic must be"),
    ],
    ids=str,
)
def test_bad_parameter_is_an_error_that_names_it(augmentation, message):
    with pytest.raises(InvalidParameterError, match=message):
        augmentation(IMAGES, draws())
    with pytest.raises(InvalidParameterError, match=message):
        Chain.of(augmentation)
