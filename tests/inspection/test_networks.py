"""What looks into networks of images: filters, maps, patches, saliency, adversarial examples."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sknets import CNNClassifier, MLPClassifier, MLPRegressor, RNNClassifier
from sknets.cnn import ConvNet
from sknets.inspection import (
    ActivationMapsDisplay,
    AdversarialDisplay,
    PatchesDisplay,
    SaliencyDisplay,
    WeightsDisplay,
    adversarial_examples,
    saliency,
    summary,
)
from sknets.preprocessing import Crop, ImageScaler

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

digits = load_digits()
X, y = digits.images / 16, digits.target
COLOURS = np.stack([X, 1 - X, X**2], axis=1)
SMALL = dict(
    architecture=ConvNet(channels=(8, 12), dense=16),
    batch_size=64,
    max_iter=8,
    learning_rate="one_cycle",
    learning_rate_init=0.01,
    precision="float32",
    random_state=0,
)


@pytest.fixture(scope="module")
def clf():
    return CNNClassifier(**SMALL).fit(X, y)


@pytest.fixture(scope="module")
def coloured():
    return CNNClassifier(**SMALL | dict(max_iter=1)).fit(COLOURS, y)


@pytest.fixture(scope="module")
def signals():
    return CNNClassifier(**SMALL | dict(max_iter=1), signal=True).fit(X, y)


@pytest.fixture(scope="module")
def linear():
    return MLPClassifier((), solver="lbfgs", alpha=10, tol=1e-3, random_state=0).fit(rows(X), y)


def rows(images):
    return images.reshape(len(images), -1)


# -- filters


def test_filters_are_those_of_the_first_convolution(clf, coloured, signals):
    w = clf.module_.network.features.conv1_1.weight.detach().numpy()
    assert_array_equal(WeightsDisplay.from_estimator(clf).images, w[:, 0])
    assert WeightsDisplay.from_estimator(coloured).images.shape == (8, 3, 3, 3)
    assert WeightsDisplay.from_estimator(signals).images.shape == (8, 8, 3)


def test_channels_that_are_no_colours_stand_side_by_side():
    two = COLOURS[:, :2]
    clf = CNNClassifier(**SMALL | dict(max_iter=1)).fit(two, y)
    w = clf.module_.network.features.conv1_1.weight.detach().numpy()
    images = WeightsDisplay.from_estimator(clf).images
    assert_array_equal(images, np.concatenate([w[:, 0], w[:, 1]], axis=2))


# -- maps and patches


def test_maps_are_the_values_of_the_layer(clf):
    display = ActivationMapsDisplay.from_estimator(clf, X[3:5], layer="features.relu1_1")
    with torch.inference_mode():
        x = torch.tensor(X[3:4, None])
        expected = clf.module_.network.features[:2](x)[0]
    assert_allclose(display.images, expected, rtol=1e-6)


def test_maps_of_signals_are_one_pixel_high(signals):
    assert ActivationMapsDisplay.from_estimator(signals, X).images.shape == (8, 1, 8)


def test_unknown_layers_and_networks_without_maps_are_errors(clf, linear):
    with pytest.raises(ValueError, match="The 'layer' parameter of ActivationMapsDisplay must be"):
        ActivationMapsDisplay.from_estimator(clf, X, layer="features.pool7")
    with pytest.raises(ValueError, match="must have layers that keep the image"):
        ActivationMapsDisplay.from_estimator(linear, rows(X))


def test_patches_are_what_makes_the_largest_responses(clf):
    display = PatchesDisplay.from_estimator(
        clf, X[:50], layer="features.conv1_1", n_units=2, n_patches=3
    )
    w = clf.module_.network.features.conv1_1.weight.detach().numpy()[:2, 0]
    padded = np.pad(X[:50] - X[:50].min((1, 2), keepdims=True), ((0, 0), (1, 1), (1, 1)))
    padded[:, 1:-1, 1:-1] /= np.ptp(X[:50], axis=(1, 2)).reshape(-1, 1, 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    responses = np.einsum("nijuv,kuv->knij", windows, w).reshape(2, 50, -1).max(2)
    best = np.sort(responses, axis=1)[:, :-4:-1]
    found = np.einsum("kpuv,kuv->kp", display.images.reshape(2, 3, 3, 3), w)
    assert_allclose(found, best, rtol=1e-6)


def test_patches_of_colours_and_signals(coloured, signals):
    assert PatchesDisplay.from_estimator(coloured, COLOURS).images.shape == (50, 3, 3, 3)
    assert PatchesDisplay.from_estimator(signals, X, n_patches=2).images.shape == (10, 8, 3)


# -- saliency


def test_sequences_of_unequal_length_are_refused():
    ragged = [np.ones((2, 1)), np.ones((3, 1))] * 5
    reader = RNNClassifier(hidden_layer_sizes=(4,), max_iter=1, random_state=0).fit(
        ragged, [0, 1] * 5
    )
    for look in (saliency, adversarial_examples):
        with pytest.raises(ValueError, match=f"{look.__name__} takes sequences that are all of"):
            look(reader, ragged, [0, 1] * 5)


def test_saliency_is_the_slope_of_the_score(clf):
    gradient = saliency(clf, X[:4], y[:4])
    assert gradient.shape == (4, 8, 8)
    step = 1e-5
    for i, j in ((2, 3), (5, 4)):
        moved = X[:4].copy()
        moved[:, i, j] += step
        with torch.inference_mode():
            before, after = (clf.module_(torch.tensor(rows(a))).numpy() for a in (X[:4], moved))
        slope = ((after - before) / step)[range(4), y[:4]]
        assert_allclose(gradient[:, i, j], slope, rtol=1e-3, atol=1e-6)


def test_saliency_of_a_linear_model_is_its_weights(linear):
    gradient = saliency(linear, rows(X[:5]))
    assert_allclose(gradient, linear.coefs_[0].T[linear.predict(rows(X[:5]))])


def test_saliency_of_two_classes_has_opposite_signs():
    net = MLPClassifier((), solver="lbfgs", random_state=0, tol=1e-2).fit(rows(X), y > 4)
    no, yes = (saliency(net, rows(X[:1]), [target]) for target in (False, True))
    assert_allclose(no, -yes)


def test_saliency_of_a_regressor_is_of_a_column():
    A, b = load_diabetes(return_X_y=True)
    net = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", random_state=0)
    net.fit(A, np.stack([b, -2 * b], 1))
    assert_allclose(saliency(net, A[:3], 1), np.tile(net.coefs_[0][:, 1], (3, 1)))


def test_saliency_goes_through_the_steps_of_a_pipeline(clf):
    pipe = make_pipeline(ImageScaler(), CNNClassifier(**SMALL)).fit(X, y)
    inner = saliency(pipe[-1], pipe[:-1].transform(X[:3]))
    assert_array_equal(saliency(pipe, X[:3]), inner)


def test_saliency_display_has_images_above_gradients(clf, coloured):
    display = SaliencyDisplay.from_estimator(clf, X[:5], y[:5])
    assert_allclose(display.images[:5], X[:5] / X[:5].max((1, 2), keepdims=True))
    assert_allclose(display.images[5:].max((1, 2)), 1)
    assert [text.get_text() for text in display.text_[:5]] == [str(label) for label in y[:5]]
    assert SaliencyDisplay.from_estimator(coloured, COLOURS[:2]).images.shape == (4, 8, 8, 3)


# -- adversarial examples


def test_fast_gradient_steps_have_the_size_asked_for(clf):
    for norm, size in ((np.inf, lambda v: abs(v).max(1)), (2, lambda v: np.linalg.norm(v, axis=1))):
        made = adversarial_examples(clf, X[:50], y[:50], epsilon=0.3, norm=norm)
        assert made.shape == (50, 8, 8)
        assert_allclose(size(rows(made - X[:50])), 0.3, rtol=1e-5)
        assert clf.score(made, y[:50]) < clf.score(X[:50], y[:50]) - 0.2


def test_minimal_change_of_a_linear_model_is_its_distance_to_the_border():
    net = MLPClassifier((), solver="lbfgs", alpha=1, tol=1e-3, random_state=0).fit(rows(X), y > 4)
    w, score = net.coefs_[0][:, 0], net.decision_function(rows(X[:20]))
    made = adversarial_examples(net, rows(X[:20]), method="minimal_norm")
    assert (net.predict(made) != net.predict(rows(X[:20]))).all()
    distance = np.linalg.norm(made - rows(X[:20]), axis=1)
    assert_allclose(distance, 1.02 * abs(score) / np.linalg.norm(w), rtol=1e-3)


def test_minimal_changes_are_smaller_than_those_of_one_step(clf):
    images = X[:50]
    least = adversarial_examples(clf, images, method="minimal_norm")
    assert (clf.predict(least) != clf.predict(images)).all()
    lengths = np.linalg.norm(rows(least - images), axis=1)
    one_step = adversarial_examples(clf, images, epsilon=np.median(lengths), norm=2)
    assert (clf.predict(one_step) != clf.predict(images)).mean() < 0.6


def test_universal_change_is_one_for_all_and_within_its_limit(clf):
    made = adversarial_examples(clf, X[:80], method="universal", epsilon=0.4, max_iter=3)
    change = rows(made - X[:80])
    assert_allclose(change, np.tile(change[:1], (80, 1)), atol=1e-7)
    assert abs(change).max() <= 0.4 + 1e-6
    assert (clf.predict(made) != clf.predict(X[:80])).mean() > 0.5


@pytest.mark.parametrize("method", ["fgsm", "minimal_norm", "universal"])
def test_values_stay_within_the_bounds(clf, method):
    made = adversarial_examples(clf, X[:20], method=method, epsilon=0.5, bounds=(0, 1), max_iter=5)
    assert made.min() >= 0
    assert made.max() <= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(method="magic"), "The 'method' parameter of adversarial_examples must be"),
        (dict(epsilon=0), "The 'epsilon' parameter of adversarial_examples must be"),
        (dict(norm=1), "The 'norm' parameter of adversarial_examples must be"),
        (dict(bounds=(1, 0)), "The 'bounds' parameter of adversarial_examples must be a smaller"),
        (
            dict(y=["x", "y"]),
            "The 'y' parameter of adversarial_examples must be one of the classes",
        ),
    ],
)
def test_wrong_settings_are_errors(clf, settings, message):
    with pytest.raises(ValueError, match=message):
        adversarial_examples(clf, X[:2], **settings)


def test_what_has_no_network_or_no_classes_is_an_error():
    with pytest.raises(ValueError, match="must have the attribute 'module_'"):
        saliency(LogisticRegression().fit(rows(X[:100]), y[:100]), rows(X))
    net = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", tol=1, random_state=0)
    net.fit(rows(X), y)
    with pytest.raises(ValueError, match="must be a classifier of a single target"):
        adversarial_examples(net, rows(X[:1]))


def test_adversarial_display_has_decisions_before_and_after(clf):
    display = AdversarialDisplay.from_estimator(clf, X[:4], method="minimal_norm")
    assert display.images.shape == (12, 8, 8)
    texts = [text.get_text() for text in display.text_]
    assert texts[:4] == [str(label) for label in clf.predict(X[:4])]
    assert all(a != b for a, b in zip(texts[:4], texts[8:], strict=True))


# -- summary


def test_summary_adds_up(clf):
    table = summary(clf)
    assert table.n_parameters == sum(p.numel() for p in clf.module_.parameters())
    frame = table.to_frame()
    assert frame["parameters"].sum() == table.n_parameters
    assert frame["multiply-adds"].sum() == table.multiply_adds
    assert frame["memory"].sum() == table.memory
    lines = str(table).splitlines()
    assert len(lines) == len(frame) + 4
    assert lines[2].startswith("features.conv1_1 (Conv2d)")
    assert "<td>features.conv1_1 (Conv2d)</td>" in table._repr_html_()


def test_summary_tells_of_frozen_parameters(clf):
    tuned = CNNClassifier(**SMALL | dict(weights=clf, trainable="head", max_iter=1)).fit(X, y)
    frozen = tuned.summary().n_parameters - tuned.summary().n_trained
    assert frozen == sum(p.numel() for p in clf.module_.network.features.parameters())
    assert f"({frozen:,} of them frozen)" in str(tuned.summary())


@pytest.mark.parametrize("asked", [1, -1, 0.5, "a", [0, 0], [[0], [0], [0]]])
def test_columns_that_a_regressor_lacks_are_errors(asked):
    reg = MLPRegressor(hidden_layer_sizes=(3,), max_iter=1, random_state=0).fit(rows(X), y)
    with pytest.raises(ValueError, match="must be a column of the 1 outputs"):
        saliency(reg, rows(X)[:3], asked)


def test_labels_and_several_targets_are_columns():
    both = np.column_stack([y > 4, y % 2])
    for targets in (both, both + 2):  # labels; two targets of two classes each
        net = MLPClassifier((5,), max_iter=1, random_state=0).fit(rows(X), targets)
        each = [saliency(net, rows(X)[:3], column) for column in range(2)]
        assert abs(each[0] - each[1]).max() > 0
        assert_array_equal(saliency(net, rows(X)[:3], [0, 1, 0])[1], each[1][1])
        assert SaliencyDisplay.from_estimator(net, rows(X)[:3]).images.shape == (6, 8, 8)
        with pytest.raises(ValueError, match="must be a classifier of a single target"):
            adversarial_examples(net, rows(X)[:3])


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_adversarial_changes_of_whole_numbers_are_not_rounded(clf, dtype):
    bytes_of = np.round(X * 255).astype(dtype)
    whole = 255 if dtype is np.uint8 else 1
    net = CNNClassifier(**SMALL | dict(max_iter=1)).fit(bytes_of, y)
    changed = adversarial_examples(net, bytes_of[:5], epsilon=0.1)
    assert changed.dtype == next(net.module_.parameters()).numpy(force=True).dtype
    assert_allclose(abs(changed - bytes_of[:5] / whole).max(), 0.1, atol=1e-4)
    display = AdversarialDisplay.from_estimator(net, bytes_of[:5], epsilon=0.1)
    assert_allclose(display.images[:5], X[:5], atol=0.01)


def test_patches_come_from_what_the_network_sees():
    lit = np.zeros((4, 8, 8), dtype=np.float32)
    lit[:, 3, 3] = 1
    clf = CNNClassifier(**SMALL | dict(max_iter=1, batch_size=4), augment=Crop(padding=0, size=4))
    clf.fit(lit, [0, 1, 0, 1])
    with torch.no_grad():  # each unit is the pixel itself
        conv = clf.module_.network.features.conv1_1
        conv.weight.zero_()[:, 0, 1, 1] = 1
        conv.bias.zero_()
    display = PatchesDisplay.from_estimator(clf, lit, n_units=2, n_patches=3)
    assert display.images.shape == (6, 3, 3)
    assert (display.images[:, 1, 1] == 1).all()


def test_images_of_other_channels_are_shown_as_their_mean():
    two = np.stack([X[:20], 1 - X[:20]], axis=1)
    clf = CNNClassifier(**SMALL | dict(max_iter=1, batch_size=20)).fit(two, y[:20])
    for display in (SaliencyDisplay, AdversarialDisplay, PatchesDisplay):
        assert display.from_estimator(clf, two[:3]).images.ndim == 3
    assert_allclose(PatchesDisplay.from_estimator(clf, two[:3]).images, 0)  # the means are even


def test_many_samples_give_what_few_do(clf):
    n = 300  # more than go through the network at a time
    assert_allclose(saliency(clf, X[:n])[-5:], saliency(clf, X[n - 5 : n]), atol=1e-5)
    for method in ("fgsm", "minimal_norm"):
        many = adversarial_examples(clf, X[:n], method=method, max_iter=5)
        few = adversarial_examples(clf, X[n - 5 : n], method=method, max_iter=5)
        assert_allclose(many[-5:], few, atol=1e-4)
