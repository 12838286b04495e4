"""Transformers of images: scikit-learn's checks, every shape of images, and the mathematics."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknets.preprocessing import ImageResizer, ImageScaler, ImageWhitener, images

RNG = np.random.default_rng(0)
GREY = RNG.random((40, 6, 5))
COLOUR = RNG.random((40, 3, 6, 5)) * [[[1.0]], [[2.0]], [[0.5]]] + [[[0.0]], [[3.0]], [[-1.0]]]
LAST = np.moveaxis(COLOUR, 1, -1)
BYTES = RNG.integers(256, size=(40, 3, 6, 5), dtype=np.uint8)

TRANSFORMERS = {
    "channel": ImageScaler(),
    "pixel mean": ImageScaler(per="pixel", with_std=False),
    "zca": ImageWhitener(),
    "pca": ImageWhitener(method="pca"),
    "resizer": ImageResizer(4),
}
each = pytest.mark.parametrize("name", TRANSFORMERS)
each_invertible = pytest.mark.parametrize("name", [n for n in TRANSFORMERS if n != "resizer"])


def make(name, **settings):
    return clone(TRANSFORMERS[name]).set_params(**settings)


# -- scikit-learn's contract


@pytest.mark.global_state("numpy random state", "python random state")
@parametrize_with_checks([ImageScaler(), ImageWhitener(), ImageResizer(), *TRANSFORMERS.values()])
def test_scikit_learn_finds_no_fault(estimator, check):
    check(estimator)


@each
def test_no_tag_silences_a_check(name):
    tags = make(name).__sklearn_tags__()
    assert tags.requires_fit
    assert tags.input_tags.two_d_array
    for silent in ("_skip_test", "no_validation", "non_deterministic"):
        assert not getattr(tags, silent), silent
    for silent in ("allow_nan", "positive_only", "pairwise"):
        assert not getattr(tags.input_tags, silent), silent


@each
def test_pickle_says_the_same(name):
    fitted = make(name).fit(COLOUR)
    again = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(again.transform(COLOUR), fitted.transform(COLOUR))


@each
def test_read_only_memory_map_is_the_same_data(name, tmp_path):
    np.save(tmp_path / "X.npy", BYTES)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert_array_equal(make(name).fit_transform(mapped), make(name).fit_transform(BYTES))


@each
def test_tensors_are_the_same_data(name):
    expected = make(name).fit_transform(COLOUR)
    assert_array_equal(make(name).fit_transform(torch.tensor(COLOUR)), expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("channel", ["a", "b", "c", "d"]),
        ("zca", ["a", "b", "c", "d"]),
        ("pca", ["pca0", "pca1", "pca2", "pca3"]),
        ("resizer", [f"imageresizer{i}" for i in range(4)]),
    ],
)
def test_columns_of_data_frames_have_names(name, expected):
    frames = pytest.importorskip("pandas")
    X = frames.DataFrame(GREY[:, 0, :4], columns=list("abcd"))
    frame = make(name).set_output(transform="pandas").fit_transform(X)
    assert list(frame.columns) == expected
    assert_array_equal(make(name).fit(X).get_feature_names_out(), expected)


def test_a_search_varies_what_is_done_to_images():
    digits = load_digits()
    pipe = make_pipeline(
        ImageScaler(), ImageResizer(8), ImageWhitener(method="pca"), SVC(random_state=0)
    )
    grid = {"imagescaler__per": ["channel", "pixel"], "imagewhitener__epsilon": [1e-2, 1.0]}
    pipe.set_params(imageresizer__image_shape=(8, 8), imagescaler__with_std=False)
    search = GridSearchCV(pipe, grid, cv=2).fit(digits.data[:200], digits.target[:200])
    assert search.best_score_ > 0.85


# -- the shapes of images


@each
@pytest.mark.parametrize(
    ("X", "rows", "settings"),
    [
        (GREY, GREY.reshape(40, 30), {"image_shape": (6, 5)}),
        (GREY, GREY.reshape(40, 30), {"image_shape": (1, 6, 5)}),
        (GREY[:, None], GREY.reshape(40, 30), {"image_shape": (6, 5)}),
        (COLOUR, COLOUR.reshape(40, 90), {"image_shape": (3, 6, 5)}),
        (LAST, LAST.reshape(40, 90), {"image_shape": (6, 5, 3), "channels": "last"}),
        (GREY, GREY.reshape(40, 30), {"image_shape": (6, 5), "signal": True}),
    ],
    ids=["grey", "one channel", "axis of one channel", "colour", "channels last", "signals"],
)
def test_rows_and_arrays_are_the_same_images(name, X, rows, settings):
    transformer = make(name, **settings).fit(rows)
    expected = transformer.transform(rows)
    assert expected.ndim == 2
    made = transformer.transform(X)
    assert made.ndim == (2 if name == "pca" else X.ndim)
    assert_allclose(made.reshape(40, -1), expected)
    assert_allclose(make(name, **settings).fit(X).transform(rows), expected)


@pytest.mark.parametrize(
    ("X", "settings", "shape", "found"),
    [
        (GREY, {}, (40, 4, 4), (1, 6, 5)),
        (GREY[:, None], {}, (40, 1, 4, 4), (1, 6, 5)),
        (COLOUR, {}, (40, 3, 4, 4), (3, 6, 5)),
        (COLOUR, {"size": (2, 7)}, (40, 3, 2, 7), (3, 6, 5)),
        (LAST, {"channels": "last"}, (40, 4, 4, 3), (3, 6, 5)),
        (GREY, {"signal": True}, (40, 6, 4), (6, 5)),
        (GREY, {"signal": True, "size": (9,)}, (40, 6, 9), (6, 5)),
        (GREY, {"signal": True, "channels": "last"}, (40, 4, 5), (5, 6)),
        (GREY.reshape(40, 30), {}, (40, 4), (1, 30)),
    ],
)
def test_resized_images_are_of_the_same_kind(X, settings, shape, found):
    resizer = make("resizer", **settings).fit(X)
    assert resizer.transform(X).shape == shape
    assert resizer.image_shape_ == found


@each
def test_channels_last_is_the_transposed_of_channels_first(name):
    first = make(name).fit_transform(COLOUR)
    last = make(name, channels="last").fit_transform(LAST)
    if name == "pca":  # components come in any direction
        assert_allclose(abs(last), abs(first), atol=1e-8)
    else:
        assert_allclose(np.moveaxis(last, -1, 1), first, atol=1e-8)


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_keep_their_precision(name, dtype):
    X = COLOUR.astype(dtype)
    made = make(name, **({"epsilon": 0.1} if "epsilon" in make(name).get_params() else {}))
    assert made.fit_transform(X).dtype == dtype
    assert_allclose(made.transform(X), made.transform(X.astype(np.float64)), rtol=1e-3, atol=1e-4)


@each
def test_bytes_are_shares_of_255(name):
    shares = BYTES.astype(np.float32) / 255
    made = make(name).fit(BYTES)
    assert made.transform(BYTES).dtype == np.float32
    assert_array_equal(made.transform(BYTES), make(name).fit(shares).transform(shares))


@each
def test_input_is_left_as_it_is(name):
    X = COLOUR.copy()
    make(name).fit_transform(X)
    assert_array_equal(X, COLOUR)


# -- scaling


def test_channels_have_mean_zero_and_variance_one():
    made = ImageScaler().fit(COLOUR)
    scaled = made.transform(COLOUR)
    assert_allclose(scaled.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    assert_allclose(scaled.std(axis=(0, 2, 3)), 1)
    assert_allclose(made.mean_, COLOUR.mean(axis=(0, 2, 3)))
    assert_allclose(made.var_, COLOUR.var(axis=(0, 2, 3)))


def test_mean_by_channel_is_vggs():
    centred = ImageScaler(with_std=False).fit_transform(COLOUR)
    assert_allclose(centred, COLOUR - COLOUR.mean(axis=(0, 2, 3))[:, None, None])


def test_mean_by_pixel_is_alexnets():
    assert_allclose(make("pixel mean").fit_transform(COLOUR), COLOUR - COLOUR.mean(axis=0))


def test_scaling_by_pixel_agrees_with_standard_scaler():
    rows = COLOUR.reshape(40, 90)
    expected = StandardScaler().fit_transform(rows)
    assert_allclose(ImageScaler(per="pixel").fit_transform(rows), expected)


@pytest.mark.parametrize("per", ["channel", "pixel"])
@pytest.mark.parametrize("cuts", [[13, 14], [20]])
def test_parts_are_learnt_like_the_whole(per, cuts):
    parts = ImageScaler(per=per)
    for part in np.split(COLOUR, cuts):
        parts.partial_fit(part)
    whole = ImageScaler(per=per).fit(COLOUR)
    assert parts.n_samples_seen_ == whole.n_samples_seen_ == 40
    for name in ("mean_", "var_", "scale_"):
        assert_allclose(getattr(parts, name), getattr(whole, name))


@each
def test_large_data_is_learnt_a_chunk_at_a_time(name, monkeypatch):
    expected = make(name).fit(COLOUR).transform(COLOUR)
    monkeypatch.setattr(images, "CHUNK_BYTES", 8 * 90 * 7)
    assert_allclose(make(name).fit(COLOUR).transform(COLOUR), expected, atol=1e-8)


def test_variance_survives_a_mean_that_is_far_away():
    made = ImageScaler().fit(COLOUR + 1e7)
    assert_allclose(made.var_, COLOUR.var(axis=(0, 2, 3)), rtol=1e-6)


@pytest.mark.parametrize("per", ["channel", "pixel"])
def test_what_does_not_vary_is_not_divided(per):
    constant = np.full((7, 3, 2, 2), 0.1)
    made = ImageScaler(per=per).fit(constant)
    assert_array_equal(made.scale_, 1)
    assert_allclose(made.transform(constant), 0, atol=1e-12)


@each_invertible
def test_inverse_gives_the_images_back(name):
    made = make(name).fit(COLOUR)
    back = made.inverse_transform(made.transform(COLOUR))
    assert_allclose(back.reshape(COLOUR.shape), COLOUR, rtol=1e-6, atol=1e-8)


# -- whitening

ROWS = load_digits().images[:500, 2:6, 2:6].reshape(500, 16) / 16


@pytest.mark.parametrize("method", ["zca", "pca"])
def test_whitening_makes_the_covariance_the_identity(method):
    white = ImageWhitener(method=method, epsilon=0).fit_transform(ROWS)
    assert_allclose(np.cov(white.T), np.eye(16), atol=1e-10)
    assert_allclose(white.mean(axis=0), 0, atol=1e-10)


def test_pca_whitening_agrees_with_scikit_learn():
    ours = ImageWhitener(method="pca", epsilon=0, n_components=5).fit(ROWS)
    theirs = PCA(whiten=True, n_components=5).fit(ROWS)
    assert_allclose(ours.transform(ROWS), theirs.transform(ROWS), rtol=1e-8, atol=1e-8)
    assert_allclose(ours.explained_variance_, theirs.explained_variance_)
    back = theirs.inverse_transform(theirs.transform(ROWS))
    assert_allclose(ours.inverse_transform(ours.transform(ROWS)), back, atol=1e-10)


def test_zca_is_the_symmetric_root_of_the_inverse_covariance():
    made = ImageWhitener(epsilon=0.01).fit(ROWS)
    matrix = made.transform(np.eye(16) + made.mean_)
    assert_allclose(matrix, matrix.T, atol=1e-12)
    assert np.linalg.eigvalsh(matrix).min() > 0
    regularised = np.cov(ROWS.T) + 0.01 * np.eye(16)
    assert_allclose(matrix @ matrix @ regularised, np.eye(16), atol=1e-9)


def test_zca_changes_images_less_than_pca():
    zca, pca = (ImageWhitener(method=m, epsilon=0.1).fit_transform(ROWS) for m in ("zca", "pca"))
    assert ((zca - ROWS) ** 2).sum() < ((pca - ROWS) ** 2).sum()


def test_epsilon_by_hand():
    # Variances 8 and 2 along the diagonals; with epsilon = 1, divided by 3 and by sqrt(3).
    X = np.array([[2.0, 2.0], [-2.0, -2.0], [1.0, -1.0], [-1.0, 1.0]]) * np.sqrt(3 / 2)
    made = ImageWhitener(method="pca", epsilon=1.0).fit(X)
    assert_allclose(made.explained_variance_, [8, 2])
    white = made.transform(X[[0, 2]])
    assert_allclose(abs(white), [[np.sqrt(12) / 3, 0], [0, np.sqrt(3) / np.sqrt(3)]], atol=1e-12)


@pytest.mark.parametrize("method", ["zca", "pca"])
def test_what_does_not_vary_is_left_out(method):
    few = ROWS[:5]  # of rank four
    made = ImageWhitener(method=method, epsilon=0).fit(few)
    white = made.transform(few)
    assert np.linalg.matrix_rank(np.cov(white.T), tol=1e-6) == 4
    assert np.abs(white).max() < 10
    assert_allclose(made.inverse_transform(white), few, atol=1e-10)


# -- resizing


def test_bilinear_enlargement_by_hand():
    # New pixels lie at -1/4, 1/4, 3/4 and 5/4 of the old ones; the edges go on as they are.
    expected = [0.0, 0.25, 0.75, 1.0]
    made = ImageResizer(4).fit_transform([[0.0, 1.0]])
    assert_allclose(made, [expected])
    image = np.array([[[0.0, 1.0], [2.0, 3.0]]])
    across = np.array(expected)
    assert_allclose(ImageResizer(4).fit_transform(image)[0], across + 2 * across[:, None])


def test_antialiased_halving_by_hand():
    # A triangle two pixels wide on either side: weights 1, 3, 3, 1 over 8, cut off at the edges.
    made = ImageResizer(2).fit_transform([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    assert_allclose(made, [[3 / 7, 0], [1 / 7, 3 / 7]])


def test_a_checkerboard_shrinks_to_grey():
    board = (np.indices((32, 32)).sum(axis=0) % 2).astype(float)[None]
    made = ImageResizer(5).fit_transform(board)
    assert_allclose(made, 0.5, atol=0.03)
    raw = ImageResizer(5, antialias=False).fit_transform(board)
    assert np.ptp(raw) > 0.4


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_the_same_size_is_the_same_image(interpolation):
    made = ImageResizer((6, 5), interpolation=interpolation).fit_transform(COLOUR)
    assert_allclose(made, COLOUR, atol=1e-12)


def test_bicubic_follows_a_parabola_that_bilinear_cuts():
    x = np.arange(16.0)
    new = (np.arange(32) + 0.5) / 2 - 0.5
    inner = slice(6, -6)
    error = {
        kind: np.abs(ImageResizer(32, interpolation=kind).fit_transform([x**2])[0] - new**2)[inner]
        for kind in ("bilinear", "bicubic")
    }
    assert error["bicubic"].max() < error["bilinear"].max() / 2


# -- errors


@pytest.mark.parametrize(
    ("transformer", "X", "message"),
    [
        (
            ImageScaler(image_shape=(7, 5)),
            GREY.reshape(40, 30),
            r"The 'image_shape' parameter of ImageScaler, or the shape of each of X, must be "
            r"\(height, width\), or that with an axis of channels, with 30 values in all. "
            r"Got \(7, 5\) instead.",
        ),
        (ImageScaler(image_shape=(-6, -5)), GREY.reshape(40, 30), r"Got \(-6, -5\) instead"),
        (ImageScaler(image_shape=(5, 6)), GREY, r"must be that of the images in X, \(6, 5\)"),
        (ImageScaler(signal=True), COLOUR, r"must be \(length,\), or that with an axis"),
        (ImageScaler(), COLOUR[None], r"Got \(40, 3, 6, 5\) instead"),
        (ImageScaler(per="image"), GREY, "The 'per' parameter of ImageScaler must be a str among"),
        (ImageScaler(image_shape=5), GREY, "The 'image_shape' parameter of ImageScaler must be"),
        (
            ImageWhitener(n_components=31),
            GREY,
            "'n_components' parameter of ImageWhitener must be at most the 30 values of an image. "
            "Got 31 instead",
        ),
        (ImageWhitener(epsilon=-1), GREY, "The 'epsilon' parameter of ImageWhitener must be"),
        (
            ImageResizer((4, 4, 4)),
            GREY,
            r"The 'size' parameter of ImageResizer must be a number of pixels, or 2 of them for "
            r"images of shape \(1, 6, 5\). Got \(4, 4, 4\) instead.",
        ),
        (ImageResizer((4, 0)), GREY, r"Got \(4, 0\) instead"),
        (ImageResizer((4, 2.5)), GREY, r"Got \(4, 2.5\) instead"),
        (ImageResizer(0), GREY, "The 'size' parameter of ImageResizer must be"),
        (ImageResizer(), np.full_like(GREY, np.nan), "contains NaN"),
        (ImageResizer(), GREY[:0], "Found array with 0 sample"),
    ],
)
def test_bad_input_is_an_error_and_changes_nothing(transformer, X, message):
    transformer = clone(transformer)
    settings = transformer.get_params()
    for fitted in (False, True):
        if fitted:
            transformer = type(transformer)().fit(GREY[:, :3]).set_params(**settings)
        before = dict(vars(transformer))
        with pytest.raises(ValueError, match=message):
            transformer.fit(X)
        assert vars(transformer).keys() == before.keys()
        assert all(value is before[key] for key, value in vars(transformer).items())


@each
def test_other_images_than_those_of_the_fit_are_an_error(name):
    made = make(name).fit(GREY)
    with pytest.raises(ValueError, match=r"images of shape \(1, 5, 6\), but .* \(1, 6, 5\)"):
        made.transform(GREY.swapaxes(1, 2))
    with pytest.raises(ValueError, match=r"X has 15 features, but .* is expecting 30 features"):
        made.transform(GREY[:, :3])


@each_invertible
def test_inverse_of_another_number_of_values_is_an_error(name):
    made = make(name).fit(GREY)
    with pytest.raises(ValueError, match="X has 15 features, but inverse_transform of Image"):
        made.inverse_transform(GREY[:, :3])
