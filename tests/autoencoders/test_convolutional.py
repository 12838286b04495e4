"""Convolutional autoencoders: sizes to the pixel, layouts, and options against definitions."""

import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from torch import nn
from torch.utils.data import TensorDataset

from sknets import ConvAutoencoder, load, save
from sknets.autoencoders.convolutional import Design
from sknets.cnn.images import Images, Rows
from sknets.inspection import ReconstructionsDisplay, WeightsDisplay, check_gradients

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

X = load_digits().images[:200] / 16
ROWS = X.reshape(200, 64)
COLOURS = np.stack([X, X**2, 1 - X], axis=1)[:60]
LAST = np.moveaxis(COLOURS, 1, -1)
QUICK = {"max_iter": 20, "learning_rate": "one_cycle", "learning_rate_init": 0.01, "batch_size": 20}


def quick(n_components=8, **settings):
    return ConvAutoencoder(
        n_components, **QUICK | {"filters": (4, 6), "random_state": 0} | settings
    )


def rough(n_components=5, **settings):
    """One that has learnt next to nothing."""
    small = {"filters": (2, 3), "max_iter": 2, "batch_size": 30, "random_state": 0}
    return ConvAutoencoder(n_components, **small | settings)


def squared_error(made, X):
    """The mean over samples of the sum over their values."""
    return np.square(made - X).reshape(len(X), -1).sum(1).mean()


# -- sizes


def design(**settings):
    plain = {
        "filters": ((3,), (4, 5)),
        "n_components": 4,
        "kernel_size": 3,
        "pooling": "max",
        "pool_size": 2,
        "upsampling": "transposed",
        "activation": "relu",
        "code_activation": "identity",
        "batch_norm": False,
        "dropout": 0.0,
    }
    return Design(**plain | settings)


SHAPES = [(1,), (2,), (7,), (10,), (1, 1), (1, 2), (5, 7), (9, 4), (28, 28), (33, 17)]


@pytest.mark.parametrize("sides", SHAPES, ids=str)
@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
@pytest.mark.parametrize("pooling", ["max", "average", None])
def test_images_come_back_to_the_pixel(sides, upsampling, pooling):
    for kernel_size, pool_size, n_components in [
        (2, 2, 4),
        (3, 2, None),
        (4, 2, 4),
        (5, 2, None),
        (3, 3, 4),
        (4, 3, None),
        (5, 4, 4),
    ]:
        how = {"upsampling": upsampling, "pooling": pooling, "n_components": n_components}
        made = design(**how, kernel_size=kernel_size, pool_size=pool_size)
        shape = (2, *sides)
        with torch.device("meta"):
            x = torch.empty(3, *shape)
            code = nn.Sequential(made.encoder(shape, None))(x)
            assert code.shape == (3, made.n_code(shape))
            assert nn.Sequential(made.decoder(shape))(code).shape == x.shape


@pytest.mark.parametrize("n_features", [1, 2, 3, 5, 10])
def test_rows_of_few_features_are_short_signals(n_features):
    rows = np.random.default_rng(0).random((40, n_features))
    coder = rough().fit(rows)
    assert coder.image_shape_ == (1, n_features)
    assert coder.reconstruct(rows).shape == rows.shape


def test_parameters_are_as_many_as_the_layers_say():
    coder = rough(10, filters=((4, 6), 8), kernel_size=5).fit(COLOURS)
    there = 3 * 4 * 25 + 4 + 4 * 6 * 25 + 6 + 6 * 8 * 25 + 8
    dense = 10 * (8 * 4 + 1) + 8 * 4 * (10 + 1)
    back = 8 * 6 * 25 + 6 + 6 * 4 * 25 + 4 + 4 * 3 * 25 + 3
    assert coder.summary().n_parameters == there + dense + back


# -- the mathematics


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("side", [6, 7])
def test_a_transposed_convolution_is_the_adjoint_of_a_convolution_that_takes_steps(
    kernel_size, side
):
    made = design(filters=((4,),), kernel_size=kernel_size, pooling=None, n_components=None)
    with torch.random.fork_rng():
        encoder, decoder = made.encoder((1, side, side), None), made.decoder((1, side, side))
    there, back = encoder["conv1_1"].double(), decoder["transposed1_1"].double()
    back.weight = there.weight
    for layer in (there, back):
        nn.init.zeros_(layer.bias)
    drawn = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, side, side, dtype=torch.float64, generator=drawn)
    y = torch.randn(there(x).shape, dtype=torch.float64, generator=drawn)
    assert (there(x) * y).sum().item() == pytest.approx((x * back(y)).sum().item())


def test_codes_and_reconstructions_are_those_of_the_weights():
    coder = quick(3, filters=4, loss="log_loss").fit(X)
    w = {name: p.detach() for name, p in coder.module_.named_parameters()}
    x = torch.from_numpy(X)[:, None]
    maps = F.conv2d(x, w["encoder.conv1_1.weight"], w["encoder.conv1_1.bias"], padding=1)
    maps = F.max_pool2d(maps.relu(), 2).flatten(1)
    code = maps @ w["encoder.code.weight"].T + w["encoder.code.bias"]
    maps = (code @ w["decoder.linear.weight"].T + w["decoder.linear.bias"]).relu()
    raw = F.conv_transpose2d(
        maps.view(-1, 4, 4, 4),
        w["decoder.transposed1_1.weight"],
        w["decoder.transposed1_1.bias"],
        stride=2,
        padding=1,
        output_padding=1,
    )
    p = raw.sigmoid().numpy()[:, 0]
    assert_allclose(coder.transform(X), code, atol=1e-5)
    assert_allclose(coder.inverse_transform(code), p, atol=1e-5)
    assert_allclose(coder.reconstruct(X), p, atol=1e-5)
    likely = (X * np.log(p) + (1 - X) * np.log1p(-p)).sum((1, 2))
    assert_allclose(coder.score_samples(X), likely, rtol=1e-4)
    assert coder.score(X) == pytest.approx(likely.mean(), rel=1e-5)
    assert coder.get_feature_names_out().tolist() == [f"convautoencoder{i}" for i in range(3)]


@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
def test_linear_one_that_can_be_any_linear_map_restores_as_principal_components_do(upsampling):
    signals = ROWS[:, 18:22]
    coder = ConvAutoencoder(
        2,
        filters=12,
        pooling=None,
        upsampling=upsampling,
        activation="identity",
        solver="lbfgs",
        alpha=0,
        tol=1e-7,
        max_iter=2000,
        max_fun=10**5,
        random_state=0,
    ).fit(signals)
    pca = PCA(2).fit(signals)
    best = squared_error(pca.inverse_transform(pca.transform(signals)), signals)
    assert squared_error(coder.reconstruct(signals), signals) == pytest.approx(best, rel=1e-3)


def test_images_are_restored_better_than_by_principal_components():
    train, test = np.split(load_digits().images / 16, [1000])
    coder = quick(8, filters=(16, 32), max_iter=25, batch_size=50).fit(train)
    flat = test.reshape(len(test), 64)
    pca = PCA(8).fit(train.reshape(1000, 64))
    error = squared_error(coder.reconstruct(test), test)
    assert error < 0.9 * squared_error(pca.inverse_transform(pca.transform(flat)), flat)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"kernel_size": 4, "pool_size": 3, "pooling": "average"},
        {"pooling": None, "upsampling": "nearest"},
        {"n_components": None, "activation": "tanh"},
        {"code_l1": 0.1},
        {"n_components": None, "sparsity_target": 0.1},
        {"contraction": 0.1, "activation": "tanh"},
        {"contraction": 0.1, "activation": "tanh", "n_components": None, "filters": (2, 1)},
        {"contraction": 0.1, "activation": "tanh", "signal": True},
        {"out_activation": "logistic"},
        {"loss": "poisson"},
    ],
    ids=str,
)
def test_gradients_are_those_of_differences(settings):
    coder = rough(batch_size="full", **settings).fit(X[:20])
    assert check_gradients(coder, X[:20], None) < 1e-5


# -- the code


def test_maps_of_the_last_block_are_the_code_where_it_has_no_size():
    coder = quick(None, max_iter=3).fit(X)
    names = [name for name, _ in coder.module_.named_modules()]
    assert "encoder.code" not in names
    assert "decoder.linear" not in names
    maps = coder.module_.encoder[:-2](torch.from_numpy(X)[:, None]).relu()  # but for its activation
    assert maps.shape == (200, 6, 2, 2)
    assert_allclose(coder.transform(X).reshape(200, 6, 2, 2), maps.detach(), atol=1e-6)
    assert len(coder.get_feature_names_out()) == 24


def test_a_code_may_be_activated_in_another_way():
    for n_components, least in ((4, -np.inf), (None, 0)):
        codes = {
            how: quick(n_components, max_iter=3, **how_else).fit(X).transform(X)
            for how, how_else in {
                "auto": {},
                "target": {"sparsity_target": 0.1},
                "tanh": {"code_activation": "tanh"},
            }.items()
        }
        assert codes["auto"].min() == least if n_components is None else codes["auto"].min() < 0
        assert 0 < codes["target"].min() < codes["target"].max() < 1
        assert -1 < codes["tanh"].min() < 0 < codes["tanh"].max() < 1


def test_a_grid_search_finds_the_size_of_the_code_by_itself():
    search = GridSearchCV(quick(filters=(8, 16)), {"n_components": [1, 12]}, cv=2).fit(X)
    assert search.best_params_ == {"n_components": 12}


def test_all_options_combine():
    coder = quick(
        12,
        filters=(4, (4, 6)),
        upsampling="nearest",
        pooling="average",
        noise="salt_pepper",
        noise_level=0.1,
        code_activation="logistic",
        sparsity_target=0.3,
        code_l1=0.01,
        contraction=0.01,
        n_active=6,
        n_active_init=12,
        dropout=0.1,
        loss="log_loss",
        early_stopping=True,
    ).fit(X)
    assert ((coder.transform(X) > 0).sum(1) == 6).all()
    assert coder.score(X) > quick(12, max_iter=1, loss="log_loss").fit(X).score(X)


def test_noise_is_taken_away():
    drawn = np.random.default_rng(0)
    noisy = np.where(drawn.random(X.shape) < 0.3, 0, X)
    how = {"filters": 32, "max_iter": 60}
    denoising = quick(None, noise="masking", **how).fit(X)
    plain = quick(None, **how).fit(X)
    error = squared_error(denoising.reconstruct(noisy), X)
    assert error < 0.5 * squared_error(noisy, X)
    assert error < 0.8 * squared_error(plain.reconstruct(noisy), X)


def test_salt_and_pepper_are_extremes_of_each_pixel_however_images_come():
    images = TensorDataset(torch.from_numpy(LAST))
    for given in (LAST, LAST.reshape(60, -1), images):
        how = {"channels": "last", "image_shape": (8, 8, 3), "noise": "salt_pepper"}
        noise = rough(**how).fit(given).module_.corruption
        assert_allclose(noise.high, LAST.max(0).ravel(), rtol=1e-6)
        assert_allclose(noise.low, LAST.min(0).ravel(), rtol=1e-6)


def test_contraction_and_noise_take_sparse_rows():
    how = {"image_shape": (8, 8), "contraction": 0.1, "noise": "masking", "noise_level": 0.1}
    sparse = rough(**how).fit(csr_array(ROWS))
    dense = rough(**how).fit(ROWS)
    assert_allclose(sparse.transform(csr_array(ROWS)), dense.transform(ROWS), atol=1e-5)
    without = {**how, "noise": None}
    sparse, dense = rough(**without).fit(csr_array(ROWS)), rough(**without).fit(ROWS)
    assert_allclose(sparse.transform(csr_array(ROWS)), dense.transform(ROWS), atol=1e-5)


def test_weights_of_samples_count_as_repetitions():
    weight = np.random.default_rng(0).integers(0, 4, 60)
    how = {"sparsity_target": 0.1, "contraction": 0.1, "batch_size": "full", "shuffle": False}
    weighted = rough(**how).fit(X[:60], sample_weight=weight)
    repeated = rough(**how).fit(np.repeat(X[:60], weight, axis=0))
    assert_allclose(weighted.transform(X), repeated.transform(X), atol=1e-6)


def test_hidden_layers_may_be_normalised_and_silenced():
    coder = quick(filters=(16, 32), batch_norm=True, dropout=0.05).fit(X)
    assert squared_error(coder.reconstruct(X), X) < 0.8 * squared_error(X.mean(0), X)
    assert_allclose(coder.transform(X[:3]), coder.transform(X)[:3], atol=1e-5)


def test_learning_in_bfloat16_is_possible():
    coder = quick(filters=(8, 16), precision="bfloat16", contraction=0.01).fit(X)
    assert squared_error(coder.reconstruct(X), X) < 0.8 * squared_error(X.mean(0), X)


# -- images in, images out


def test_rows_and_arrays_are_interchangeable():
    of_arrays, of_rows = rough().fit(X), rough(image_shape=(8, 8)).fit(ROWS)
    assert of_arrays.image_shape_ == of_rows.image_shape_ == (1, 8, 8)
    code = of_arrays.transform(X)
    for other in (of_arrays.transform(ROWS), of_rows.transform(X), of_rows.transform(ROWS)):
        assert_array_equal(other, code)
    assert_array_equal(of_arrays.score_samples(ROWS), of_rows.score_samples(X))
    # Codes become what the fit was given, reconstructions what they are reconstructions of.
    assert of_arrays.inverse_transform(code).shape == X.shape
    assert of_rows.inverse_transform(code).shape == ROWS.shape
    for coder in (of_arrays, of_rows):
        assert coder.reconstruct(X).shape == X.shape
        assert_array_equal(coder.reconstruct(ROWS), coder.reconstruct(X).reshape(200, 64))


def test_channels_may_be_last():
    first = rough(precision="float64").fit(COLOURS)
    last = rough(precision="float64", channels="last").fit(LAST)
    assert first.image_shape_ == last.image_shape_ == (3, 8, 8)
    assert_allclose(first.transform(COLOURS), last.transform(LAST), atol=1e-9)
    assert_allclose(last.reconstruct(LAST), np.moveaxis(first.reconstruct(COLOURS), 1, -1))
    code = last.transform(LAST)
    assert_allclose(last.inverse_transform(code), last.reconstruct(LAST))
    rows = rough(channels="last", image_shape=(8, 8, 3), precision="float64")
    assert_array_equal(rows.fit(LAST.reshape(60, -1)).transform(LAST), code)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("shape", [(1, 4, 3), (3, 4, 2), (3, 5), (1, 5)])
def test_rows_of_images_are_the_rows_that_they_were(shape, channels_last):
    x = torch.rand(2, int(np.prod(shape)), generator=torch.Generator().manual_seed(0))
    images = Images(shape, channels_last)
    assert torch.equal(Rows(images.channels_last)(images(x)), x)


def test_signals_have_channels():
    signals = COLOURS.reshape(60, 3, 64)[:, :, :33]
    coder = rough(signal=True).fit(signals)
    assert coder.image_shape_ == (3, 33)
    assert coder.reconstruct(signals).shape == signals.shape
    assert isinstance(coder.module_.decoder.transposed1_1, nn.ConvTranspose1d)
    rows = rough(signal=True, image_shape=(3, 33)).fit(signals.reshape(60, -1))
    assert_array_equal(rows.transform(signals), coder.transform(signals))


def test_bytes_are_shares_of_255():
    pixels = np.rint(X * 255).astype(np.uint8)
    shares = (pixels / np.float32(255)).astype(np.float32)
    whole, real = rough(loss="log_loss").fit(pixels), rough(loss="log_loss").fit(shares)
    assert_array_equal(whole.transform(pixels), real.transform(shares))
    assert_array_equal(whole.reconstruct(pixels), real.reconstruct(shares))
    assert_array_equal(whole.score_samples(pixels), real.score_samples(shares))


@pytest.mark.parametrize("flat", [False, True])
def test_items_of_a_dataset_may_be_images_or_rows(flat):
    given = COLOURS.reshape(60, -1) if flat else COLOURS
    data = TensorDataset(torch.from_numpy(given))
    coder = rough(image_shape=(3, 8, 8), early_stopping=True).fit(data)
    same = rough(image_shape=(3, 8, 8), early_stopping=True).fit(given)
    assert_allclose(coder.reconstruct(data), same.reconstruct(given), atol=1e-5)
    assert_allclose(coder.score_samples(data), same.score_samples(given), rtol=1e-4)
    assert coder.inverse_transform(coder.transform(data)).shape == given.shape


def test_a_pipeline_codes_rows_and_restores_them():
    pipe = make_pipeline(MinMaxScaler((0, 0.5)), rough(image_shape=(8, 8))).fit(ROWS)
    assert pipe.inverse_transform(pipe.transform(ROWS)).shape == ROWS.shape


# -- what goes on, and what comes back


def test_training_goes_on():
    coder = rough(warm_start=True).fit(X)
    first = coder.score(X)
    assert coder.fit(X).fit(ROWS).partial_fit(X).score(X) > first
    assert coder.inverse_transform(coder.transform(X)).shape == X.shape


def test_a_shape_that_changes_is_named():
    coder = rough(filters=((2, 3), 4), warm_start=True).fit(X)
    for name, value in {"n_components": 6, "filters": ((2, 3), 5), "upsampling": "nearest"}.items():
        again = pickle.loads(pickle.dumps(coder)).set_params(**{name: value})
        with pytest.raises(ValueError, match=f"The '{name}' parameter of ConvAutoencoder changes"):
            again.fit(X)
    for name, value in {"channels": "last", "signal": True, "image_shape": (4, 16)}.items():
        again = clone(coder).fit(X).set_params(**{name: value})
        with pytest.raises(ValueError, match=f"The '{name}' parameter .* cannot change"):
            again.fit(X)
        assert_array_equal(again.transform(X), coder.transform(X))  # set for the next fit


def test_saved_ones_restore_images_of_the_shape_of_the_fit(tmp_path):
    pytest.importorskip("safetensors")
    coder = rough(filters=((2, 3), 4), channels="last", noise="salt_pepper").fit(LAST)
    save(coder, tmp_path / "coder.sknets")
    for again in (load(tmp_path / "coder.sknets"), pickle.loads(pickle.dumps(coder))):
        code = again.transform(LAST)
        assert_array_equal(again.inverse_transform(code), coder.inverse_transform(code))
        assert_array_equal(again.partial_fit(LAST).transform(LAST[:5]).shape, (5, 5))


def test_summary_lists_the_layers_from_image_to_image():
    summary = rough().fit(X).summary()
    names = [layer.name for layer in summary.layers]
    assert names[0] == "encoder.conv1_1"
    assert names[-1] == "decoder.transposed1_1"
    assert summary.layers[-1].output_shape == (1, 8, 8)
    assert summary.layers[-1].multiply_adds == 2 * 4 * 4 * 9
    of_maps = rough(None, filters=2).fit(X).summary().layers
    assert of_maps[-1].field == (6, 6)  # two values of maps, which see 4 x 4 pixels each, 2 apart


def test_displays_draw_filters_and_reconstructions():
    pytest.importorskip("matplotlib")
    coder = rough().fit(X)
    assert WeightsDisplay.from_estimator(coder).images.shape == (2, 3, 3)
    pixels = np.rint(X * 255).astype(np.uint8)
    display = ReconstructionsDisplay.from_estimator(coder, pixels[:4])
    assert_allclose(display.images[:4], pixels[:4] / 255, atol=1e-6)
    assert_allclose(display.images[4:], coder.reconstruct(pixels[:4]))
    oblong = rough(image_shape=(4, 16)).fit(ROWS)
    assert ReconstructionsDisplay.from_estimator(oblong, ROWS[:4]).images.shape == (8, 4, 16)
    colours = rough(image_shape=(8, 8, 3), channels="last").fit(LAST.reshape(60, -1))
    display = ReconstructionsDisplay.from_estimator(colours, LAST.reshape(60, -1)[:4])
    assert_allclose(display.images[:4], LAST[:4])


# -- errors


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"filters": ()}, "'filters' parameter of ConvAutoencoder must hold whole numbers > 0"),
        ({"filters": (4, 0)}, r"'filters' .* Got \(4, 0\)"),
        ({"filters": (4, ())}, r"'filters' .* Got \(4, \(\)\)"),
        ({"filters": (4, (2, "a"))}, "'filters' parameter of ConvAutoencoder must hold"),
        ({"kernel_size": 2, "pool_size": 3}, "'kernel_size' .* at least pool_size, 3.* Got 2"),
        ({"pool_size": 1}, "'pool_size'"),
        ({"upsampling": "neares"}, "Did you mean 'nearest'"),
        ({"loss": "log_loss"}, "'log_loss' of ConvAutoencoder needs values between 0 and 1"),
        ({"n_active": 9}, "'n_active'.*at most.*8"),
        ({"n_components": None, "n_active": 25}, "'n_active'.*at most.*24. Got 25"),
        ({"sparsity_target": 0.1, "code_activation": "relu"}, "code_activation='logistic'"),
        ({"contraction": 1, "batch_norm": True}, "'contraction'.*batch_norm=False"),
        ({"noise": "masking", "solver": "lbfgs"}, "noise='masking' needs a stochastic solver"),
        ({"dropout": 0.5, "solver": "lbfgs"}, "dropout=0.5 needs a stochastic solver"),
        ({"image_shape": (8, 9)}, r"'image_shape' parameter .* 64 values in all\. Got \(8, 9\)"),
        ({"signal": True, "image_shape": (8, 4, 2)}, r"must be \(length,\), or"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_errors_come_first_and_leave_the_estimator_alone(settings, message):
    coder = quick(max_iter=2, image_shape=(8, 8)).fit(ROWS)
    before = coder.transform(ROWS)
    data = ROWS - 0.5 if "loss" in settings else ROWS
    with pytest.raises(ValueError, match=message):
        coder.set_params(**settings).fit(data)
    assert_array_equal(coder.transform(ROWS), before)
    assert coder.image_shape_ == (1, 8, 8)


def test_images_of_another_shape_are_refused():
    coder = rough().fit(COLOURS)
    with pytest.raises(ValueError, match=r"images of shape \(8, 8, 3\), .* \(3, 8, 8\)"):
        coder.reconstruct(LAST)
    with pytest.raises(ValueError, match="X has 64 features, but ConvAutoencoder is expecting 192"):
        coder.transform(X)
    with pytest.raises(ValueError, match=r"X has 3 columns, but the last layer .* has 5 units"):
        coder.inverse_transform(X[0, :, :3])
