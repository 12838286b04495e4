"""Augmentations together: names, parameters, batches, and data sets with copies."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from sknets._params import InvalidParameterError
from sknets.preprocessing import (
    AugmentedBatch,
    ColorJitter,
    Compose,
    Crop,
    Elastic,
    Flip,
    Mixup,
    Rotate,
    Translate,
    augmented,
)
from sknets.preprocessing.augmentation import AUGMENTATIONS, SLICE, Chain

RNG = np.random.default_rng(0)
IMAGES = torch.from_numpy(RNG.random((16, 3, 8, 8)))
SIGNALS = torch.from_numpy(RNG.random((16, 2, 12)))
DIGITS = load_digits()

each = pytest.mark.parametrize("name", AUGMENTATIONS)


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


def invert(x, generator):
    return 1 - x


# -- what holds for all of them


@each
def test_same_seed_is_the_same_draw(name):
    first = Chain.of(name)(IMAGES, draws())
    again = Chain.of(name)(IMAGES, draws())
    other = Chain.of(name)(IMAGES, draws(1))
    assert torch.equal(first.x, again.x)
    assert not torch.equal(first.x, other.x)
    assert not torch.equal(first.x, IMAGES)


@each
def test_draws_go_on_where_the_last_batch_ended(name):
    generator = draws()
    chain = Chain.of(name)
    assert not torch.equal(chain(IMAGES, generator).x, chain(IMAGES, generator).x)


@each
def test_both_precisions_have_the_same_draws(name):
    double, single = (Chain.of(name)(x, draws()).x for x in (IMAGES, IMAGES.float()))
    assert double.dtype == torch.float64
    assert single.dtype == torch.float32
    assert_allclose(single, double, atol=1e-5)


@each
def test_input_is_left_as_it_is(name):
    x = IMAGES.clone()
    Chain.of(name)(x, draws())
    assert torch.equal(x, IMAGES)


@each
def test_memory_format_stays(name):
    x = IMAGES.contiguous(memory_format=torch.channels_last)
    made = Chain.of(name)(x, draws()).x
    assert made.is_contiguous(memory_format=torch.channels_last)
    assert_allclose(made, Chain.of(name)(IMAGES, draws()).x, atol=1e-12)


@each
def test_one_sample_and_one_pixel_pass(name):
    assert Chain.of(name)(IMAGES[:1], draws()).x.shape == (1, 3, 8, 8)
    assert Chain.of(name)(IMAGES[:, :1, :1, :1], draws()).x.shape == (16, 1, 1, 1)


@each
def test_called_alone_is_the_same_as_in_a_chain(name):
    alone, chained = AUGMENTATIONS[name]()(IMAGES, draws()), Chain.of(name)(IMAGES, draws())
    assert torch.equal(alone.x, chained.x)
    assert (alone.partner is None) == (chained.partner is None) == (name != "mixup")


@each
def test_no_gradient_is_followed(name):
    x = IMAGES.clone().requires_grad_()
    assert not Chain.of(name)(x, draws()).x.requires_grad


@each
def test_parameters_are_copied_and_pickled(name):
    made = AUGMENTATIONS[name]()
    expected = made(IMAGES, draws()).x
    for again in (clone(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert again.get_params() == made.get_params()
        assert torch.equal(again(IMAGES, draws()).x, expected)
    parameter, value = next(iter(made.get_params().items()))
    assert made.set_params(**{parameter: value}) is made
    with pytest.raises(ValueError, match="Invalid parameter 'speed' for estimator"):
        made.set_params(speed=1)


@each
@pytest.mark.parametrize(
    "bad",
    [IMAGES.to(torch.uint8), IMAGES.half(), IMAGES[0, 0], IMAGES[None]],
    ids=["bytes", "half precision", "one image", "five axes"],
)
def test_what_is_no_batch_of_floats_is_an_error(name, bad):
    message = rf"takes batches .* in float32 or float64. Got torch\.\w+ of shape \({len(bad)}, "
    with pytest.raises(ValueError, match=message):
        AUGMENTATIONS[name]()(bad, draws())
    with pytest.raises(ValueError, match=message):
        Chain.of(name)(bad, draws())


@pytest.mark.gpu
@each
def test_device_has_the_same_draws_of_a_generator_of_the_cpu(name):
    here = Chain.of(name)(IMAGES, draws()).x
    there = Chain.of(name)(IMAGES.cuda(), draws()).x
    assert there.is_cuda
    assert_allclose(there.cpu(), here, atol=1e-5)
    own = torch.Generator("cuda").manual_seed(0)
    assert Chain.of(name)(IMAGES.cuda(), own).x.is_cuda


# -- chains


@pytest.mark.parametrize(
    "augment",
    [
        (Flip(), Crop(), invert, ColorJitter()),
        ["flip", Crop(), invert, "color_jitter"],
        (("flip", "crop"), (invert, ("color_jitter",))),
        Compose(("flip", "crop", invert, "color_jitter")),
        (Compose((Flip(), Compose(["crop"]))), invert, "color_jitter"),
    ],
    ids=["objects", "names", "nested", "composed", "composed within"],
)
def test_every_way_to_say_it_is_the_same(augment):
    generator = draws()
    expected = invert(Crop()(Flip()(IMAGES, generator).x, generator).x, generator)
    expected = ColorJitter()(expected, generator).x
    assert_allclose(Chain.of(augment)(IMAGES, draws()).x, expected, atol=1e-12)


def test_nothing_to_do_is_nothing_done():
    for augment in ((), [], Compose()):
        assert torch.equal(Chain.of(augment)(IMAGES, draws()).x, IMAGES)


def test_shares_of_mixed_samples_stay_through_a_chain():
    batch = Chain.of((Mixup(1.0), "flip", invert))(IMAGES, draws())
    assert batch.share.shape == batch.partner.shape == (16,)
    assert torch.equal(batch.share, Mixup(1.0)(IMAGES, draws()).share)


def test_callables_may_mix_as_well():
    def swap(x, generator):
        return AugmentedBatch(x.flip(0), torch.arange(len(x)).flip(0), torch.zeros(len(x)))

    batch = Chain.of(("flip", swap))(IMAGES, draws())
    assert batch.pairs(torch.zeros(16, 1), torch.arange(16)).y[16:].tolist() == [*range(16)][::-1]
    with pytest.raises(ValueError, match="Samples can be mixed once"):
        Chain.of((swap, "mixup"))(IMAGES, draws())


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ("flipp", "The 'augment' parameter of CNN must be .*'flip'.* Did you mean 'flip'?"),
        (("flip", 3), "The 'augment' parameter of CNN must be .* Got 3 instead"),
        (None, "The 'augment' parameter of CNN must be .* Got None instead"),
        (Flip, r"must have augmentations, such as Flip\(\), not their classes. Got Flip instead"),
        (("flip", Rotate("far")), "The 'degrees' parameter of Rotate must be"),
        (Compose("flip"), "The 'steps' parameter of Compose must be .* Got 'flip' instead"),
        (Compose(("flip", "flap")), "The 'steps' parameter of Compose must be .* Got 'flap'"),
    ],
    ids=str,
)
def test_what_is_no_augmentation_is_an_error(augment, message):
    with pytest.raises(InvalidParameterError, match=message):
        Chain.of(augment, "CNN")


# -- parameters of several


def test_search_reaches_the_steps_by_their_names():
    composed = Compose(("flip", Rotate(10), Rotate(20), Rotate(30), invert))
    params = composed.get_params()
    assert params["rotate__degrees"] == 10
    assert params["rotate_2__degrees"] == 20
    assert params["rotate_3__degrees"] == 30
    assert params["flip"] == "flip"
    assert params["invert"] is invert
    assert composed.get_params(deep=False).keys() == {"steps"}
    composed.set_params(rotate_2__degrees=5, flip=Flip(p=0.3), rotate_3=Crop())
    assert composed.steps[0].p == 0.3
    assert composed.steps[2].degrees == 5
    assert isinstance(composed.steps[3], Crop)
    composed.set_params(steps=(Elastic(),), elastic__alpha=3.0)
    assert composed.get_params()["elastic__alpha"] == 3


def test_clone_has_steps_of_its_own():
    composed = Compose((Rotate(10), "flip"))
    clone(composed).set_params(rotate__degrees=20)
    assert composed.get_params()["rotate__degrees"] == 10


def test_composed_called_alone_is_the_chain_of_its_steps():
    composed = Compose(("rotate", "elastic"))
    expected = Chain.of(composed)(IMAGES, draws()).x
    assert torch.equal(composed(IMAGES, draws()).x, expected)


# -- data sets


def test_copies_come_after_the_images_with_their_labels():
    X, y = DIGITS.images[:20], DIGITS.target[:20]
    more, labels = augmented(X, y, Translate(1), copies=3, random_state=0)
    assert more.shape == (80, 8, 8)
    assert_array_equal(more[:20], X)
    assert_array_equal(labels, np.tile(y, 4))
    padded = np.pad(X, ((0, 0), (1, 1), (1, 1)))
    for i, image in enumerate(more):
        windows = [padded[i % 20, r : r + 8, c : c + 8] for r in range(3) for c in range(3)]
        assert any(np.array_equal(image, window) for window in windows)
    assert len(np.unique(more.reshape(80, -1), axis=0)) > 50


def test_first_copies_do_not_depend_on_how_many_there_are():
    X, y = DIGITS.images[:20], DIGITS.target[:20]
    few, _ = augmented(X, y, "elastic", copies=1, random_state=3)
    many, _ = augmented(X, y, "elastic", copies=2, random_state=3)
    assert_array_equal(many[:40], few)
    assert not np.array_equal(many[20:40], many[40:])
    assert_array_equal(augmented(X, y, "elastic", copies=0, random_state=3)[0], X)


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((30, 64), {"image_shape": (8, 8)}),
        ((30, 192), {"image_shape": (3, 8, 8)}),
        ((30, 192), {"image_shape": (8, 8, 3), "channels": "last"}),
        ((30, 8, 8), {}),
        ((30, 3, 8, 8), {}),
        ((30, 8, 8, 3), {"channels": "last"}),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_every_shape_and_dtype_stays(shape, settings, dtype):
    X = RNG.integers(256, size=shape).astype(dtype)
    more, labels = augmented(X, None, Flip(p=1.0), random_state=0, **settings)
    assert labels is None
    assert more.dtype == dtype
    stored = settings.get("image_shape", shape[1:])
    axis = 2 if settings.get("channels") == "last" else len(stored)
    assert_array_equal(more[30:].reshape(30, *stored), np.flip(X.reshape(30, *stored), axis))


@pytest.mark.parametrize("settings", [{}, {"signal": True}], ids=["rows", "arrays"])
def test_signals_are_augmented(settings):
    X = SIGNALS.numpy() if settings else SIGNALS[:, 0].numpy()
    more, _ = augmented(X, np.arange(16), Flip(p=1.0), random_state=0, **settings)
    assert_array_equal(more[16:], X[..., ::-1])


def test_bytes_are_rounded_and_never_wrap():
    X = RNG.integers(256, size=(30, 3, 8, 8), dtype=np.uint8)
    brighter, _ = augmented(X, None, lambda x, generator: 2 * x, random_state=0)
    assert_array_equal(brighter[30:], (2.0 * X).clip(0, 255))


def test_data_larger_than_a_slice_is_augmented_whole():
    X = RNG.random((SLICE + 7, 4, 4)).astype(np.float32)
    more, _ = augmented(X, None, invert, random_state=0)
    assert_allclose(more[len(X) :], 1 - X)


def test_targets_of_any_kind_are_repeated():
    X = DIGITS.images[:4]
    for y in (["a", "b", "c", "d"], np.eye(4), torch.arange(4)):
        _, labels = augmented(X, y, "flip", random_state=0)
        assert_array_equal(labels, np.concatenate([np.asarray(y)] * 2))


def test_svm_gains_from_shifted_images():
    X, y = DIGITS.data, DIGITS.target
    train, test = slice(200), slice(200, 900)
    alone = SVC(random_state=0).fit(X[train], y[train]).score(X[test], y[test])
    more, labels = augmented(
        X[train], y[train], ("translate", "rotate"), 4, random_state=0, image_shape=(8, 8)
    )
    assert SVC(random_state=0).fit(more, labels).score(X[test], y[test]) > alone + 0.02


@pytest.mark.global_state("numpy random state")
def test_no_seed_is_numpys():
    np.random.seed(0)
    first, _ = augmented(DIGITS.images[:4], None, "rotate")
    other, _ = augmented(DIGITS.images[:4], None, "rotate")
    np.random.seed(0)
    again, _ = augmented(DIGITS.images[:4], None, "rotate")
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"augment": "mixup"}, "'augment' parameter of augmented must not mix targets"),
        (
            {"augment": Crop(size=4)},
            r"must keep the size of the images, \(1, 8, 8\). Got \(1, 4, 4\) instead",
        ),
        ({"augment": "rotat"}, "The 'augment' parameter of augmented must be .* 'rotate'?"),
        ({"copies": -1}, "The 'copies' parameter of augmented must be an int"),
        ({"channels": "middle"}, "The 'channels' parameter of augmented must be"),
        ({"random_state": "x"}, "The 'random_state' parameter of augmented cannot|must be"),
        ({"image_shape": (4, 16)}, r"'image_shape' parameter of augmented must be .* \(8, 8\)"),
        ({"y": np.arange(3)}, "inconsistent numbers of samples"),
        ({"X": np.full((4, 8, 8), np.nan)}, "contains NaN"),
        ({"X": DIGITS.data[:4], "image_shape": (8, 9)}, r"Got \(8, 9\) instead"),
    ],
)
def test_bad_input_is_an_error(settings, message):
    given = {"X": DIGITS.images[:4], "y": DIGITS.target[:4], "augment": "flip", "random_state": 0}
    with pytest.raises(ValueError, match=message):
        augmented(**given | settings)


def test_a_callable_may_change_its_batch_in_place():
    before = IMAGES.clone()
    made = Chain.of(lambda x, generator: x.add_(1))(IMAGES, draws())
    assert_array_equal(IMAGES, before)
    assert_array_equal(made.x, before + 1)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x, generator: None,
        lambda x, generator: x.numpy(),
        lambda x, generator: x.float(),
        lambda x, generator: x[:, :1],
        lambda x, generator: x[:3],
    ],
    ids=["nothing", "an array", "another dtype", "fewer channels", "fewer images"],
)
def test_a_callable_that_returns_something_else_is_an_error(wrong):
    with pytest.raises(ValueError, match=r"must return a tensor .* of as many images and channels"):
        Chain.of(wrong)(IMAGES, draws())
