"""ImagesDisplay: every shape of images, what is drawn where, and what is refused."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.utils import Bunch

from sknets.inspection.images import ImagesDisplay, as_images, mosaic

GREY = np.random.default_rng(0).integers(256, size=(7, 6, 6), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(256, size=(7, 6, 6, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("images", "image_shape", "expected"),
    [
        (GREY.reshape(7, 36), None, GREY),
        (GREY.reshape(7, 36), (6, 6), GREY),
        (GREY.reshape(7, 36), (1, 6, 6), GREY),
        (GREY[:, :4].reshape(7, 24), (4, 6), GREY[:, :4]),
        (GREY, None, GREY),
        (GREY[:, None], None, GREY),
        (GREY[..., None], None, GREY),
        (COLOUR, None, COLOUR),
        (np.moveaxis(COLOUR, -1, 1), None, COLOUR),
        (np.moveaxis(COLOUR, -1, 1).reshape(7, 108), None, COLOUR),
        (np.moveaxis(COLOUR, -1, 1).reshape(7, 108), (3, 6, 6), COLOUR),
        (GREY.tolist(), None, GREY),
    ],
)
def test_every_shape_of_images_is_understood(images, image_shape, expected):
    np.testing.assert_array_equal(as_images(images, image_shape), expected)
    display = ImagesDisplay.from_arrays(images, image_shape=image_shape)
    np.testing.assert_array_equal(display.images, expected)


def test_grey_images_stand_in_rows():
    picture = mosaic(GREY, 3, above=2, gap=1)
    assert picture.shape == (3 * 9 - 1, 3 * 7 - 1)
    for i, image in enumerate(GREY):
        top, left = 9 * (i // 3) + 2, 7 * (i % 3)
        np.testing.assert_array_equal(picture[top : top + 6, left : left + 6], image)
    assert np.isnan(picture).sum() == picture.size - GREY.size


def test_coloured_images_stand_on_a_transparent_ground():
    picture = mosaic(COLOUR / 255, 4)
    assert picture.shape == (2 * 7 - 1, 4 * 7 - 1, 4)
    np.testing.assert_array_equal(picture[7:13, 14:20, :3], COLOUR[6] / 255)
    assert picture[..., 3].sum() == COLOUR.size / 3


def test_labels_are_written_over_their_images():
    display = ImagesDisplay.from_arrays(GREY, list("abcdefg"), n_rows=2, n_cols=3)
    assert [text.get_text() for text in display.text_] == list("abcdef")
    assert display.images.shape == (6, 6, 6)
    x, y = display.text_[4].get_position()
    picture = display.im_.get_array()
    height, width = (picture.shape[0] + 1) / 2, (picture.shape[1] + 1) / 3
    assert width < x < 2 * width
    assert picture.mask[int(y), int(x)]
    assert not picture.mask[int(y) + 1, int(x)]
    assert height < y < 2 * height


@pytest.mark.parametrize("n_cols", [1, 3, 7])
@pytest.mark.parametrize("shape", [(6, 6), (2, 18), (18, 2)])
@pytest.mark.parametrize("label", ["7", "ankle boot", "the rarest of birds"])
def test_labels_have_room_between_the_images(n_cols, shape, label):
    display = ImagesDisplay.from_arrays(GREY.reshape(7, *shape), [label] * 7, n_cols=n_cols)
    display.figure_.canvas.draw()
    to_pixels = display.ax_.transData.transform
    gap = (display.im_.get_array().shape[1] + 1) // n_cols - shape[1]
    for i, text in enumerate(display.text_):
        box = text.get_window_extent()
        (left, _), (right, _) = to_pixels([text.get_position(), (shape[1] + gap, 0)])
        assert box.width < right - to_pixels((0, 0))[0], "labels touch"
        if i >= n_cols:  # the image above ends where the labels of this row begin
            above = display.text_[i - n_cols].get_position()[1] + shape[0]
            assert box.y1 < to_pixels((left, above))[1], "a label covers an image"


def test_without_labels_nothing_is_written():
    assert ImagesDisplay.from_arrays(GREY).text_ == []


@pytest.mark.parametrize(
    ("images", "limits"),
    [
        (GREY, (0, 255)),
        (GREY / 255, (0, 1)),
        (GREY > 100, (0, 1)),
        (GREY / 255 - 0.5, (GREY.min() / 255 - 0.5, GREY.max() / 255 - 0.5)),
        (GREY.astype(int) % 17, (0, 16)),
    ],
)
def test_black_and_white_follow_the_values(images, limits):
    assert ImagesDisplay.from_arrays(images).im_.get_clim() == pytest.approx(limits)


@pytest.mark.parametrize("images", [COLOUR, COLOUR / 255])
def test_colours_are_the_same_in_bytes_and_floats(images):
    picture = ImagesDisplay.from_arrays(images, n_cols=7).im_.get_array()
    np.testing.assert_allclose(picture[:6, :6, :3], COLOUR[0] / 255)


def test_colours_beyond_the_unit_interval_are_scaled():
    picture = ImagesDisplay.from_arrays(COLOUR / 100 - 1, n_cols=7).im_.get_array()
    assert picture.min() == 0
    assert picture.max() == 1
    assert ImagesDisplay.from_arrays(np.full((1, 2, 2, 3), 7.0)).im_.get_array().shape == (2, 2, 4)


def test_arguments_reach_matplotlib():
    display = ImagesDisplay.from_arrays(
        GREY, range(7), cmap="viridis", vmax=100, text_kw={"fontsize": 5}
    )
    assert display.im_.get_cmap().name == "viridis"
    assert display.im_.get_clim() == (0, 100)
    assert display.text_[0].get_fontsize() == 5


def test_given_axes_are_used_and_no_figure_is_made():
    figure, ax = plt.subplots()
    display = ImagesDisplay.from_arrays(GREY, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    display.plot()
    assert display.figure_ is not figure


def test_figure_fits_the_grid():
    wide, tall = (ImagesDisplay.from_arrays(GREY, n_cols=n, n_rows=7).figure_ for n in (7, 1))
    assert wide.get_figwidth() > 5 * tall.get_figwidth()
    assert tall.get_figheight() > 5 * wide.get_figheight()


def test_dataset_brings_images_and_names():
    names = np.array(["cat", "dog"])
    dataset = Bunch(images=GREY[:2], data=None, target=np.array([1, 0]), target_names=names)
    assert [text.get_text() for text in ImagesDisplay.from_dataset(dataset).text_] == ["dog", "cat"]
    digits = load_digits()
    display = ImagesDisplay.from_dataset(digits, n_rows=3, n_cols=4)
    assert [text.get_text() for text in display.text_[8:]] == ["8", "9", "0", "1"]
    np.testing.assert_array_equal(display.images, digits.images[:12])


def test_dataset_may_lack_names_classes_and_images():
    rows = GREY.reshape(7, 36)
    display = ImagesDisplay.from_dataset(Bunch(data=rows, target=np.arange(7)))
    assert [text.get_text() for text in display.text_] == list("0123456")
    assert ImagesDisplay.from_dataset(Bunch(data=rows)).text_ == []
    assert ImagesDisplay.from_dataset(Bunch(data=rows, target=[["a cat"]] * 7)).text_ == []


@pytest.mark.parametrize("loader", ["load_mnist", "load_cifar10", "load_flickr8k"])
def test_real_images_are_drawn(loader, data_home):
    datasets = pytest.importorskip("sknets.datasets")
    dataset = getattr(datasets, loader)(subset="test", data_home=data_home)
    display = ImagesDisplay.from_dataset(dataset, n_rows=2, n_cols=5)
    display.figure_.canvas.draw()
    assert len(display.text_) == (0 if loader == "load_flickr8k" else 10)


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (GREY.reshape(7, 36)[:, :35], {}, "'image_shape' .* of 35 values .* Got None instead"),
        (GREY.reshape(7, 36), {"image_shape": (5, 7)}, r"'image_shape' .* Got \(5, 7\) instead"),
        (GREY.reshape(7, 36), {"image_shape": (36,)}, r"'image_shape' .* Got \(36,\) instead"),
        (GREY.reshape(7, 36), {"image_shape": 6}, "'image_shape' .* Got 6 instead"),
        (GREY.reshape(7, 36), {"image_shape": (-6, -6)}, "'image_shape' .* Got "),
        (GREY.reshape(7, 36), {"image_shape": (6.0, 6.0)}, "'image_shape' .* Got "),
        (GREY[0, 0], {}, r"'images' .* Got uint8 of shape \(6,\) instead"),
        (COLOUR[..., :2], {}, r"'images' .* Got uint8 of shape \(7, 6, 6, 2\) instead"),
        (GREY[:0], {}, r"'images' .* non-empty .* Got uint8 of shape \(0, 6, 6\) instead"),
        (GREY.astype(str), {}, r"'images' .* of numbers .* Got <U3 of shape \(7, 6, 6\) instead"),
        (GREY, {"labels": "abc"}, r"'labels' .* of shape \(7,\).* Got the shape \(\) instead"),
        (GREY, {"labels": [1, 2]}, r"'labels' .* of shape \(7,\).* Got the shape \(2,\) instead"),
        (GREY, {"n_rows": 0}, r"'n_rows' .* int in the range \[1, inf\)\. Got 0 instead"),
        (GREY, {"n_cols": 2.5}, r"'n_cols' .* int in the range \[1, inf\)\. Got 2\.5 instead"),
    ],
)
def test_what_cannot_be_drawn_is_refused(images, options, message):
    with pytest.raises(ValueError, match=f"The {message}"):
        ImagesDisplay.from_arrays(images, **options)


@pytest.mark.parametrize("dataset", [(GREY, None), Bunch(target=[0])])
def test_dataset_without_images_is_refused(dataset):
    with pytest.raises(ValueError, match=r"The 'dataset' parameter .* use ImagesDisplay\.from_arr"):
        ImagesDisplay.from_dataset(dataset)


def test_missing_matplotlib_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"ImagesDisplay\.plot needs matplotlib"):
        ImagesDisplay(GREY).plot()
