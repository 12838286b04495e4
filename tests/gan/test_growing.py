"""Networks that grow, and styles, against what their papers say."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.svm import SVC
from torch import nn

from sknets import ProgressiveGAN, StyleGAN
from sknets.gan.growing import (
    Growth,
    PixelNorm,
    at_stage,
    blurred,
    convolution,
    dense,
    larger,
    sizes_of,
    smaller,
)
from sknets.gan.stylegan import Styled

DIGITS = load_digits()
X, y = DIGITS.images[:200] / 16, DIGITS.target[:200]
BOTH = pytest.mark.parametrize("kind", [ProgressiveGAN, StyleGAN])


def gan(kind, **settings):
    small = {"n_components": 6, "filters": (8, 6, 4), "max_iter": 2, "batch_size": 50}
    return kind(**small | {"random_state": 0} | settings)


@pytest.fixture(scope="module")
def large():
    """Images of 16 x 16 pixels, in three sizes."""
    return np.random.default_rng(0).random((60, 16, 16))


def made(layer):
    with torch.device("meta"):
        module = layer()
    module = module.to_empty(device="cpu").double()
    for part in module.modules():
        if hasattr(part, "initialise"):
            part.initialise(torch.Generator().manual_seed(0))
    return module


@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_equalised_layers_keep_unit_variance(rate):
    layer = made(lambda: dense(400, 300, gain=1.0, rate=rate))
    x = torch.randn(500, 400, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert layer(x).var().item() == pytest.approx(1, abs=0.05)
    assert layer.layer.weight.std().item() == pytest.approx(1 / rate, rel=0.02)


def test_equalised_convolutions_keep_unit_variance():
    layer = made(lambda: convolution(2, 50, 60, gain=1.0))
    drawn = torch.Generator().manual_seed(1)
    x = torch.randn(20, 50, 12, 12, dtype=torch.float64, generator=drawn)
    assert layer(x)[:, :, 1:-1, 1:-1].var().item() == pytest.approx(1, abs=0.05)


def test_pixels_have_a_mean_square_of_one():
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 5, 3, 3)))
    assert_allclose(PixelNorm()(x).square().mean(1), 1, rtol=1e-6)


def test_blur_is_a_binomial_filter():
    x = np.zeros((1, 1, 5, 5))
    x[0, 0, 2, 2] = 1
    row = np.array([0, 1, 2, 1, 0]) / 4
    assert_allclose(blurred(torch.from_numpy(x))[0, 0], np.outer(row, row))
    signal = torch.tensor([[[0.0, 0, 4, 0, 0]]])
    assert_allclose(blurred(signal)[0, 0], [0, 1, 2, 1, 0])


# What checks gradients draws from torch's global state.
@pytest.mark.global_state("torch random state")
@pytest.mark.parametrize("shape", [(2, 1, 5), (1, 2, 3, 4)])
def test_blur_is_differentiable_twice(shape):
    x = torch.from_numpy(np.random.default_rng(0).normal(size=shape)).requires_grad_()
    assert torch.autograd.gradcheck(blurred, x)
    assert torch.autograd.gradgradcheck(blurred, x)


def test_sizes_are_halved_while_they_are_even():
    assert sizes_of((32, 32)) == [(4, 4), (8, 8), (16, 16), (32, 32)]
    assert sizes_of((28, 28)) == [(7, 7), (14, 14), (28, 28)]
    assert sizes_of((8, 16)) == [(4, 8), (8, 16)]
    assert sizes_of((9,)) == [(9,)]


def test_growth_is_a_stair_of_fades():
    growth = Growth([1, 1, 2], 0.5)
    progress = [0, 0.2, 0.25, 0.3125, 0.375, 0.49, 0.5, 0.625, 0.75, 1]
    expected = [0, 0, 0, 0.5, 1, 1, 1, 1.5, 2, 2]
    assert_allclose([growth.level(p) for p in progress], expected)
    assert Growth([1, 1], 0).level(0.5) == 1


def test_larger_and_smaller_are_each_others_way_back():
    images = torch.from_numpy(X[:3, None])
    assert_array_equal(smaller(larger(images, (16, 16)), (8, 8)), images)
    assert_allclose(smaller(images, (4, 4))[0, 0, 0, 0], X[0, :2, :2].mean())


@BOTH
def test_new_layers_of_no_weight_leave_the_smaller_image(kind, large):
    net = gan(kind).fit(large).module_
    z = torch.randn(5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for place in (1, 2):
        sizes = net.generator.sizes
        with torch.no_grad():
            net.set_level(place - 1)
            small = net.generator(z, z[:, :0], None).view(5, 1, *sizes[place - 1])
            judged = net.discriminator(small.flatten(1), z[:, :0])
            net.set_level(place - 1 + 1e-9)
            grown = net.generator(z, z[:, :0], None).view(5, 1, *sizes[place])
            assert_allclose(grown, larger(small, sizes[place]), atol=1e-6)
            assert_allclose(net.discriminator(grown.flatten(1), z[:, :0]), judged, atol=1e-6)


@BOTH
def test_old_path_has_no_influence_once_the_new_one_is_whole(kind, large):
    net = gan(kind).fit(large).module_
    z = torch.randn(5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows = torch.from_numpy(large[:5].reshape(5, -1))
    with torch.no_grad():
        before = net.generator(z, z[:, :0], None), net(rows)
        for player in (net.generator, net.discriminator.body):
            for old in player.colours[:-1]:
                old.layer.weight.fill_(100)
        after = net.generator(z, z[:, :0], None), net(rows)
    assert all(map(torch.equal, before, after))


@BOTH
def test_real_images_are_as_sharp_as_made_ones(kind):
    sizes = [(4, 4), (8, 8)]
    images = torch.from_numpy(X[:3, None])
    half = at_stage(images, sizes, 1, 0.5)
    coarse = larger(smaller(images, (4, 4)), (8, 8))
    assert_allclose(half, (images + coarse) / 2)


@BOTH
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"conditional": True},
        {"conditional": True, "conditioning": "concatenation", "n_packed": 2},
        {"loss": "hinge", "r1": 0, "replay_size": 60},
        {"loss": "wasserstein"},
        {"minibatch_std": False, "averaging": None, "fade_in": 0, "size_shares": (1, 2)},
    ],
    ids=str,
)
def test_networks_grow_judge_row_by_row_and_make_images(kind, settings):
    net = gan(kind, **settings).fit(X, y)
    assert net.module_.generator.level.value == 1
    again = clone(net).fit(X, y)
    states = (each.module_.state_dict().values() for each in (net, again))
    assert all(map(torch.equal, *states))
    assert net.sample(3, random_state=0).shape == (3, 8, 8)
    assert_allclose(net.score_samples(X)[:4], net.score_samples(X[:4]), rtol=1e-5, atol=1e-6)
    assert net.transform(X).shape == (200, 8)
    assert np.isfinite(net.score(X, y))
    flat = clone(net).set_params(image_shape=(8, 8)).fit(X.reshape(200, -1), y)
    assert_allclose(flat.sample(3, random_state=0), net.sample(3, random_state=0).reshape(3, -1))
    more = net.set_params(warm_start=True).fit(X, y)
    assert more.module_.generator.level.value == 1
    assert len(more.loss_curve_) == 4


@BOTH
def test_partial_fit_grows_as_fit_does(kind):
    whole, parts = gan(kind, max_iter=4), gan(kind, max_iter=4)
    levels = []
    for _ in range(4):
        parts.partial_fit(X)
        levels.append(parts.module_.generator.level.value)
    assert levels == sorted(levels)
    assert levels[0] < levels[-1] == 1
    states = (net.module_.state_dict().values() for net in (whole.fit(X), parts))
    assert all(map(torch.equal, *states))


@BOTH
def test_coloured_images_and_signals_of_other_sizes(kind):
    random = np.random.default_rng(0)
    coloured = gan(kind, batch_size=20).fit(random.random((40, 12, 8, 3)))
    assert coloured.sample(2, random_state=0).shape == (2, 12, 8, 3)
    signals = gan(kind, signal=True, batch_size=20).fit(random.random((40, 2, 16)))
    assert signals.sample(2, random_state=0).shape == (2, 2, 16)


def test_style_says_mean_and_deviation():
    layer = made(lambda: Styled(3, 4))
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 5, 5)))
    style = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 4)))
    with torch.no_grad():
        nn.init.zeros_(layer.strength)
        layer.style.layer.weight.copy_(
            torch.from_numpy(np.random.default_rng(2).normal(size=(6, 4)))
        )
        layer.style.layer.bias.zero_()
        found = layer(x, style, None)
        scale, shift = layer.style(style).split(3, 1)
    assert_allclose(found.mean((2, 3)), shift, atol=1e-7)
    assert_allclose(found.std((2, 3), correction=0), (1 + scale).abs(), rtol=1e-6)


@pytest.fixture(scope="module")
def styled(large):
    return gan(StyleGAN).fit(large)


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_fine_styles_change_nothing_below_their_level(styled, level):
    random = np.random.default_rng(0)
    coarse, *fine = random.normal(size=(3, 4, 6))
    seen = []
    layers = styled.module_.generator.styled
    hooks = [layer.register_forward_hook(lambda *args: seen.append(args[2])) for layer in layers]
    first, second = (styled.mix_styles(coarse, each, level) for each in fine)
    for hook in hooks:
        hook.remove()
    same = [torch.equal(a, b) for a, b in zip(seen[:6], seen[6:], strict=True)]
    assert same == [True] * (2 * level) + [False] * (6 - 2 * level)
    assert np.array_equal(first, second) == (level == 3)


def test_mixing_at_the_ends_is_one_code(styled):
    coarse, fine = np.random.default_rng(0).normal(size=(2, 4, 6))
    assert_allclose(styled.mix_styles(coarse, fine, 3), styled.generate(coarse), atol=1e-6)
    assert_allclose(styled.mix_styles(coarse, fine, 0), styled.generate(fine), atol=1e-6)
    with pytest.raises(ValueError, match="must be from 0 to 3"):
        styled.mix_styles(coarse, fine, 4)
    with pytest.raises(ValueError, match="must have one shape"):
        styled.mix_styles(coarse, fine[:2])


def test_truncated_styles_are_nearer_to_their_mean(styled):
    spread = [styled.sample(50, truncation=t, random_state=0).std(0).mean() for t in (0, 0.5, 1)]
    assert spread[0] < spread[1] < spread[2]
    usual = styled.sample(3, random_state=0)
    assert_array_equal(styled.sample(3, truncation=1, random_state=0), usual)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"filters": (3, 0)}, "must hold whole numbers > 0"),
        ({"spectral_norm": True}, "knows no spectral_norm"),
        ({"size_shares": (1,)}, "must hold 2 numbers > 0"),
        ({"size_shares": ("a", "b")}, "must hold 2 numbers > 0"),
        ({"feature_extractor": SVC()}, "must have a method transform"),
    ],
)
@BOTH
def test_settings_that_make_no_sense_are_errors(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        gan(kind, **settings).fit(X)


@BOTH
def test_early_stopping_waits_until_all_has_grown(kind):
    net = gan(kind, early_stopping=True, max_iter=12, n_iter_no_change=1).fit(X)
    assert net.module_.is_grown
    assert net.n_iter_ > 6
    assert net.best_validation_score_ in net.validation_scores_[5:]


@BOTH
def test_divergence_goes_back_to_the_size_that_was_learnt(kind):
    """Layers that came in since are those of the start, which would be seen in all images."""

    class Diverging(kind._trainer_class):
        def turn(self, player, batch):
            result = super().turn(player, batch)
            grows = self.step.module.level > 0
            return result._replace(loss=result.loss * float("nan")) if grows else result

    net = gan(type("Net", (kind,), {"_trainer_class": Diverging}), max_iter=5)
    with pytest.raises(ValueError, match=r"'s loss became non-finite in its step \d+ of epoch 3"):
        net.fit(X)
    assert len(net.loss_curve_) == 2
    assert net.module_.level == 0
    assert net.sample(2, random_state=0).shape == (2, 8, 8)


@BOTH
def test_growth_resumes_from_a_checkpoint(kind, tmp_path):
    whole = gan(kind, max_iter=6).fit(X)

    class Stop(Exception):
        pass

    class Cut(kind._trainer_class):
        def close_epoch(self, last_good):
            super().close_epoch(last_good)
            if self.epochs_of_call == 4:
                raise Stop

    resumed = gan(kind, max_iter=6, checkpoint=tmp_path / "state")
    usual, kind._trainer_class = kind._trainer_class, Cut
    try:
        with pytest.raises(Stop):
            clone(resumed).fit(X)
    finally:
        kind._trainer_class = usual
    resumed.fit(X)
    states = (net.module_.state_dict().values() for net in (whole, resumed))
    assert all(map(torch.equal, *states))


@BOTH
def test_a_finished_training_is_resumed_as_grown_as_it_was(kind, tmp_path):
    done = gan(kind, checkpoint=tmp_path / "state").fit(X)
    again = clone(done).fit(X)
    assert again.module_.level == done.module_.level == 1
    assert_array_equal(again.sample(3, random_state=0), done.sample(3, random_state=0))


@BOTH
@pytest.mark.parametrize("settings", [{}, {"loss": "wasserstein"}], ids=str)
def test_products_in_bfloat16_learn_about_the_same(kind, settings):
    how = settings | {"max_iter": 1, "batch_size": 200, "learning_rate_init": 1e-5}
    nets = [gan(kind, **how, precision=precision).fit(X) for precision in ("float32", "bfloat16")]
    for player in ("generator", "discriminator"):
        losses = [getattr(net, f"{player}_loss_curve_")[0] for net in nets]
        assert_allclose(*losses, rtol=0.05, atol=0.05)
    for state in zip(*(net.module_.state_dict().values() for net in nets), strict=True):
        assert_allclose(*state, rtol=0.02, atol=1e-3)


@BOTH
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (0.3, 0, 0)),
        ({"loss": "wasserstein"}, (0, 10, 0.001)),
        ({"loss": "wasserstein", "gradient_penalty": 0}, (0.3, 0, 0.001)),
        ({"gradient_penalty": 1.0, "r1": 2.0}, (2, 1, 0)),
    ],
    ids=str,
)
def test_one_penalty_on_slopes_unless_two_are_asked_for(kind, settings, expected):
    rules = gan(kind, **settings)._rules()
    assert (rules.r1, rules.gradient_penalty, rules.drift) == expected


@BOTH
def test_layers_are_counted_at_full_size(kind):
    net = gan(kind).fit(X)
    shapes = {row.output_shape for row in net.summary().layers}
    assert any(shape[1:] == (8, 8) for shape in shapes)
    assert net.module_.work.multiply_adds > 0
