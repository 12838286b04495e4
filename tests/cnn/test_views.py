"""Views of an image, over which predictions are averaged."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from sknets.cnn import CNNClassifier, ConvNet
from sknets.cnn.views import SCALES, centre, views_of
from sknets.preprocessing import Crop

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

IMAGES = torch.arange(2 * 3 * 8 * 10, dtype=torch.float64).reshape(2, 3, 8, 10)
digits = load_digits()
X, y = digits.images[:200] / 16, digits.target[:200]


def seen(tta, images, size):
    return [view(images) for view in views_of(tta, size)]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((8, 10), IMAGES),
        ((4, 6), IMAGES[:, :, 2:6, 2:8]),
        ((3, 5), IMAGES[:, :, 2:5, 2:7]),
        ((10, 10), torch.nn.functional.pad(IMAGES, (0, 0, 1, 1))),
    ],
)
def test_centre_is_cut_out_or_padded(size, expected):
    assert_array_equal(centre(IMAGES, size), expected)


def test_flip_has_the_image_and_its_mirror_image():
    views = seen("flip", IMAGES, (8, 10))
    assert len(views) == 2
    assert_array_equal(views[0], IMAGES)
    assert_array_equal(views[1], IMAGES.flip(-1))


def test_five_crops_are_the_centre_and_the_corners():
    views = seen("five_crop", IMAGES, (6, 6))
    rows, columns = (1, 0, 0, 2, 2), (2, 0, 4, 0, 4)
    assert len(views) == 5
    for view, i, j in zip(views, rows, columns, strict=True):
        assert_array_equal(view, IMAGES[:, :, i : i + 6, j : j + 6])


def test_crops_of_an_image_without_room_reach_an_eighth_beyond_it():
    whole = torch.ones(1, 1, 16, 16)
    views = seen("five_crop", whole, (16, 16))
    assert_array_equal(views[0], whole)
    first = torch.nn.functional.pad(whole[:, :, 2:, 2:], (2, 0, 2, 0)).flip(2, 3)
    assert_array_equal(views[1].sum(), 14 * 14)
    assert_array_equal(views[1], first.flip(2, 3))
    assert_array_equal(views[4], first)


def test_ten_crops_are_five_and_their_mirror_images():
    five, ten = seen("five_crop", IMAGES, (6, 6)), seen("ten_crop", IMAGES, (6, 6))
    assert len(ten) == 10
    for i, view in enumerate(five):
        assert_array_equal(ten[2 * i], view)
        assert_array_equal(ten[2 * i + 1], view.flip(-1))


@pytest.mark.parametrize("images", [torch.ones(1, 2, 20, 20), torch.ones(1, 2, 20)])
def test_scales_shrink_and_enlarge(images):
    smaller, same, larger = seen("scales", images, images.shape[2:])
    share = (1 - 0.1) ** (images.ndim - 2)
    assert_allclose(smaller.sum(), share * images.sum(), rtol=1e-6)
    assert_array_equal(same, images)
    assert_allclose(larger, images, atol=1e-6)


def test_several_are_combined():
    assert len(seen(("flip", "scales"), IMAGES, (8, 10))) == 2 * len(SCALES)
    assert len(seen(["ten_crop", lambda x: 2 * x], IMAGES, (6, 6))) == 20


def fitted(**settings):
    net = CNNClassifier(
        architecture=ConvNet(channels=(4, 6), dense=10),
        batch_size=50,
        max_iter=3,
        random_state=0,
        precision="float32",
        **settings,
    )
    return net.fit(X, y)


def test_prediction_is_the_mean_over_the_views():
    net = fitted()
    plain, mirrored = net.predict_proba(X), net.predict_proba(X[..., ::-1])
    net.set_params(tta="flip")
    assert_allclose(net.predict_proba(X), (plain + mirrored) / 2, atol=1e-6)
    assert_allclose(np.exp(net.decision_function(X)), net.predict_proba(X), rtol=1e-5)
    assert_array_equal(net.predict(X), ((plain + mirrored) / 2).argmax(1))


def test_views_and_snapshots_are_averaged_together():
    net = fitted(averaging="snapshots", n_snapshots=2)
    each = net.predict_proba(X), net.predict_proba(X[..., ::-1])
    assert_allclose(net.set_params(tta="flip").predict_proba(X), sum(each) / 2, atol=1e-6)


def test_a_network_of_cropped_images_sees_their_centre():
    net = fitted(augment=Crop(padding=0, size=6))
    assert net.module_.shape == (1, 6, 6)
    inner = fitted(augment=Crop(padding=0, size=6)).module_.network
    logits = inner(torch.tensor(X[:, None, 1:7, 1:7]))
    assert_allclose(net.predict_proba(X), logits.softmax(1).detach(), atol=1e-6)
    assert net.set_params(tta="five_crop").predict_proba(X).shape == (200, 10)


@pytest.mark.parametrize("tta", ["flop", ("flip", "flop"), 3])
def test_an_unknown_view_is_an_error(tta):
    with pytest.raises(ValueError, match="The 'tta' parameter of CNNClassifier must"):
        fitted(tta=tta)
