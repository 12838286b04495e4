"""Generative adversarial networks of vectors and tables."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknets import GAN
from sknets.gan.latent import arc
from sknets.inspection import check_gradients


def clouds(seed, n):
    """Two of `n` points each."""
    random = np.random.default_rng(seed)
    return np.concatenate([random.normal(at, 0.3, (n, 2)) for at in ([-2, 0], [2, 1])])


IRIS, KIND = load_iris(return_X_y=True)
TWO = clouds(0, 300)
SIDE = np.repeat(["left", "right"], 300)
LEARNT = {"learning_rate_init": 0.002, "max_iter": 60, "batch_size": 60, "r1": 0.1}


def gan(**settings):
    small = {"n_components": 2, "hidden_layer_sizes": (16, 16), "random_state": 0}
    return GAN(**small | {"max_iter": 3, "batch_size": 50} | settings)


REMEDIES = [
    {"n_packed": 3},
    {"minibatch_std": True},
    {"minibatch_discrimination": 4},
    {"minibatch_discrimination": 4, "r1": 0.1, "gradient_penalty": 1.0},
    {"n_packed": 2, "minibatch_std": True, "minibatch_discrimination": 4, "spectral_norm": True},
    {"spectral_norm": True},
    {"replay_size": 60},
    {"instance_noise": 0.5},
    {"batch_norm": True, "dropout": 0.2},
    {"label_smoothing": 0.1, "loss": "least_squares"},
    {"loss": "wasserstein", "n_discriminator_steps": 3},
    {"loss": "hinge", "prior": "uniform"},
]


CONDITIONS = [{}, {"conditioning": "projection"}, {"conditioning": "concatenation"}]
COMBINED = [
    settings | condition | {"conditional": bool(condition)}
    for settings in REMEDIES
    for condition in CONDITIONS
    if not ("n_packed" in settings and condition.get("conditioning") == "projection")
]  # but for packs, which have several classes


@pytest.mark.parametrize("settings", COMBINED, ids=str)
def test_all_remedies_learn_and_judge_row_by_row(settings):
    net = gan(**settings).fit(IRIS, KIND)
    again = clone(net).fit(IRIS, KIND)
    assert all(
        map(torch.equal, net.module_.state_dict().values(), again.module_.state_dict().values())
    )
    for method in (net.score_samples, net.transform):
        assert_allclose(method(IRIS)[:7], method(IRIS[:7]), rtol=1e-5, atol=1e-6)
        assert_allclose(method(IRIS)[3:4], method(IRIS[3:4]), rtol=1e-5, atol=1e-6)
    assert net.sample(5, random_state=0).shape == (5, 4)
    assert np.isfinite(net.score(IRIS, KIND))
    more = clone(net).set_params(warm_start=True).fit(IRIS, KIND).fit(IRIS, KIND)
    assert len(more.loss_curve_) == 6


def test_two_clouds_are_learnt():
    net = gan(**LEARNT).fit(TWO)
    made = net.sample(1000, random_state=0)
    right = made[:, 0] > 0
    assert 0.3 < right.mean() < 0.7
    assert_allclose(made[right].mean(0), [2, 1], atol=0.3)
    assert_allclose(made[~right].mean(0), [-2, 0], atol=0.3)
    assert net.score(TWO) > gan(max_iter=1).fit(TWO).score(TWO)


@pytest.mark.parametrize("conditioning", ["projection", "concatenation"])
def test_classes_are_what_was_asked_for(conditioning):
    net = gan(**LEARNT, conditional=True, conditioning=conditioning).fit(TWO, SIDE)
    assert (net.sample(200, y="right", random_state=0)[:, 0] > 0).mean() > 0.95
    assert (net.sample(200, y="left", random_state=0)[:, 0] < 0).mean() > 0.95
    asked = np.array(["left", "right", "left"])
    assert_array_equal(np.sign(net.sample(y=asked, random_state=0)[:, 0]), [-1, 1, -1])
    shares = (net.sample(2000, random_state=0)[:, 0] > 0).mean()
    assert 0.4 < shares < 0.6
    wrong = np.where(SIDE == "left", "right", "left")
    assert net.score(TWO, SIDE) > net.score(TWO, wrong) + 0.1
    codes = np.random.default_rng(1).normal(size=(3, 2))
    assert (net.generate(codes, y="right")[:, 0] > 0).all()
    with pytest.raises(ValueError, match="needs the class of each"):
        net.generate(codes)
    with pytest.raises(ValueError, match="none of the classes"):
        net.sample(y="up")


def test_classes_are_ignored_unless_asked_for():
    net, other = gan().fit(TWO, SIDE), gan().fit(TWO)
    assert_array_equal(net.sample(5, random_state=0), other.sample(5, random_state=0))
    with pytest.raises(ValueError, match="requires y to be passed"):
        gan(conditional=True).fit(TWO)


def table(n=600, seed=0):
    """A number and two categories, of which one says how large the number is."""
    random = np.random.default_rng(seed)
    kind = random.choice([3, 5, 7], n, p=[0.2, 0.3, 0.5])
    return np.stack([kind + 0.2 * random.normal(size=n), kind, random.integers(0, 2, n)], 1)


def test_categories_are_drawn():
    X = table()
    net = gan(**LEARNT | {"max_iter": 150}, categorical_features=[1, 2]).fit(X)
    made = net.sample(2000, random_state=0)
    assert set(made[:, 1]) == {3, 5, 7}
    assert set(made[:, 2]) == {0, 1}
    shares = [(made[:, 1] == kind).mean() for kind in (3, 5, 7)]
    assert_allclose(shares, [0.2, 0.3, 0.5], atol=0.12)
    assert np.abs(made[:, 0] - made[:, 1]).mean() < 0.6
    assert [len(each) for each in net.categories_] == [0, 3, 2]
    named = pd.DataFrame(X, columns=["size", "kind", "side"])
    same = clone(net).set_params(categorical_features=["kind", "side"]).fit(named)
    assert_allclose(same.sample(9, random_state=0), net.sample(9, random_state=0))
    with pytest.raises(ValueError, match="categories that were not there in fit"):
        net.partial_fit([[3, 4, 0]])
    with pytest.warns(UserWarning, match="not there in fit, and are taken for none of those"):
        logits = net.score_samples([[3, 4, 0]])
    assert np.isfinite(logits).all()


def test_categories_are_found_whatever_they_were_rounded_to():
    X = table() + np.array([0, 0.1, 0.1])
    for fitted, asked in ((np.float32, np.float64), (np.float64, np.float32)):
        net = gan(categorical_features=[1, 2])
        net.fit(X.astype(fitted))
        assert net.score_samples(X.astype(asked)).shape == (len(X),)


def test_invert_finds_categories():
    kinds = np.random.default_rng(0).integers(0, 4, (400, 1))
    net = gan(categorical_features=[0], max_iter=40, learning_rate_init=0.002).fit(kinds)
    assert_array_equal(net.generate(net.invert(kinds[:20])), kinds[:20])


def test_scale_of_columns_does_not_matter():
    net, far = gan().fit(TWO), gan().fit(1e6 + 1e3 * TWO)
    assert_allclose(
        far.sample(20, random_state=0), 1e6 + 1e3 * net.sample(20, random_state=0), rtol=1e-3
    )


@pytest.mark.parametrize("constant", [0.1, 0.5, 7.0, 1e6])
def test_constant_columns_come_back_and_hide_nothing(constant):
    """The deviation of .1, computed, is not 0."""
    X = np.c_[TWO, np.full(len(TWO), constant)]
    nets = [gan(**LEARNT | {"max_iter": n}).fit(X) for n in (1, 60)]
    assert_allclose(nets[1].sample(9, random_state=0)[:, 2], constant, rtol=1e-7)
    untrained, trained = (net.score(X) for net in nets)
    assert untrained + 0.05 < trained


def test_columns_that_a_first_call_has_constant_may_vary_later():
    net = gan(learning_rate_init=0.002, batch_size="auto").partial_fit(TWO[:1])
    for _ in range(20):
        net.partial_fit(TWO)
    assert (net.sample(200, random_state=0).std(axis=0) > 0.1).all()


def test_score_is_the_same_for_all_who_are_compared():
    net = gan().fit(TWO)
    before = net.score(TWO)
    net.sample(100, random_state=1)
    assert net.score(TWO) == before
    with pytest.raises(ValueError, match="minimum of 2"):
        net.score(TWO[:1])


@pytest.mark.parametrize("seed", range(5))
def test_score_ranks_good_bad_and_collapsed(seed):
    good = gan(**LEARNT | {"random_state": seed}).fit(TWO)
    bad = gan(**LEARNT | {"random_state": seed, "max_iter": 2}).fit(TWO)
    collapsed = gan(**LEARNT | {"random_state": seed}).fit(TWO[:300])  # knows one cloud alone
    held_out = np.random.default_rng(seed).permutation(TWO)[:300]
    assert good.score(held_out) > bad.score(held_out)
    assert good.score(held_out) > collapsed.score(held_out)
    reports = [net.two_sample_report(held_out) for net in (good, collapsed)]
    assert reports[0].recall > reports[1].recall + 0.1


def test_grid_search_finds_the_better_generator():
    grid = {"learning_rate_init": [1e-5, 2e-3], "loss": ["non_saturating", "hinge"]}
    search = GridSearchCV(gan(**LEARNT), grid, cv=3).fit(np.random.default_rng(1).permutation(TWO))
    assert search.best_params_["learning_rate_init"] == 2e-3
    fresh = clouds(2, 200)
    worst = search.cv_results_["params"][search.cv_results_["mean_test_score"].argmin()]
    assert search.best_estimator_.score(fresh) > gan(**LEARNT | worst).fit(TWO).score(fresh)


def test_pipeline_scores():
    pipe = make_pipeline(StandardScaler(), gan()).fit(IRIS)
    assert pipe.score(IRIS) == pipe[-1].score(pipe[:-1].transform(IRIS))


def test_way_between_codes_is_an_arc():
    first, last = np.array([3.0, 0, 0]), np.array([0, 3.0, 0])
    way = arc(first, last, np.linspace(0, 1, 5)[:, None])
    assert_allclose(np.linalg.norm(way, axis=1), 3)
    assert_allclose(way[[0, -1]], [first, last], atol=1e-12)
    assert_allclose(way[2], [3 / np.sqrt(2)] * 2 + [0])
    assert_allclose(arc(first, 2 * first, np.array([[0.5]])), [[4.5, 0, 0]])
    net = gan().fit(TWO)
    made = net.interpolate([1, 0], [0, 1], 4)
    ends = net.generate([[1, 0], [0, 1]])
    assert_allclose(made[[0, -1]], ends, rtol=1e-6)
    straight = gan(prior="uniform").fit(TWO)
    middle = straight.generate([[0.5, 0.5]])
    assert_allclose(straight.interpolate([1, 0], [0, 1], 3)[1:2], middle, rtol=1e-6)


def test_codes_of_samples_are_found_again():
    net = gan(**LEARNT).fit(TWO)
    codes = np.random.default_rng(1).normal(size=(20, 2))
    made = net.generate(codes)
    found = net.invert(made, n_starts=16)
    near = np.linalg.norm(net.generate(found) - made, axis=1) < 0.02
    assert near.mean() >= 0.9  # the others are at a minimum of their own
    assert_array_equal(net.invert(made[:5]), net.invert(made[:5]))
    alone = np.concatenate([net.invert(made[i : i + 1]) for i in range(5)])
    assert_allclose(alone, net.invert(made)[:5], atol=1e-3)


@pytest.mark.parametrize("settings", [{"minibatch_std": True}, {"minibatch_discrimination": 1}])
def test_work_is_that_of_one_sample(settings):
    """But for the number that tells of the others, and its weights."""
    plain = gan().fit(TWO).module_
    net = gan(**settings).fit(TWO).module_
    more = sum(p.numel() for p in net.parameters()) - sum(p.numel() for p in plain.parameters())
    assert net.work.multiply_adds == plain.work.multiply_adds + more
    assert len(net.discriminator.reference) == 64  # which stays


def test_progress_is_kept_of_the_same_codes():
    net = gan(n_progress_samples=6, max_iter=4).fit(TWO)
    assert [x.shape for x in net.progress_samples_] == [(6, 2)] * 4
    assert len(net.partial_fit(TWO).progress_samples_) == 5
    last = gan(n_progress_samples=6, max_iter=4).fit(TWO).progress_samples_[-1]
    assert_array_equal(last, net.progress_samples_[3])


def test_progress_is_kept_in_a_checkpoint(tmp_path):
    net = gan(n_progress_samples=2, max_iter=4, checkpoint=tmp_path / "state").fit(TWO)
    again = clone(net).fit(TWO)
    assert_array_equal(again.progress_samples_, net.progress_samples_)
    assert not hasattr(gan(), "progress_samples_")


def test_losses_of_both_players_are_printed(capsys):
    gan(verbose=True, max_iter=1).fit(TWO)
    assert re.match(
        r"Iteration 1, generator loss = \d\.\d{8}, discriminator loss = \d", capsys.readouterr().out
    )


def test_features_of_a_pipeline_are_without_classes():
    net = gan(conditional=True, conditioning="concatenation")
    assert_array_equal(net.fit_transform(IRIS, KIND), net.transform(IRIS))


def test_curves_are_of_both_players():
    net = gan(max_iter=4).fit(TWO)
    assert net.loss_curve_ == net.generator_loss_curve_
    assert len(net.discriminator_loss_curve_) == 4
    assert net.discriminator_loss_curve_ != net.generator_loss_curve_


@pytest.mark.parametrize(
    "settings", [{}, {"replay_size": 60, "n_discriminator_steps": 5}, {"averaging": "ema"}], ids=str
)
def test_fit_resumes_from_a_checkpoint(tmp_path, settings):
    whole = gan(max_iter=6, **settings).fit(TWO)
    path = tmp_path / "state"

    class Stop(Exception):
        pass

    class Cut(GAN._trainer_class):
        def close_epoch(self, last_good):
            super().close_epoch(last_good)
            if self.epochs_of_call == 4:
                raise Stop

    cut = gan(max_iter=6, checkpoint=path, **settings)
    type(cut)._trainer_class, usual = Cut, GAN._trainer_class
    try:
        with pytest.raises(Stop):
            cut.fit(TWO)
    finally:
        GAN._trainer_class = usual
    resumed = gan(max_iter=6, checkpoint=path, **settings).fit(TWO)
    states = (net.module_.state_dict().values() for net in (whole, resumed))
    assert all(map(torch.equal, *states))
    assert resumed.discriminator_loss_curve_ == whole.discriminator_loss_curve_


def test_average_is_of_the_generator_alone():
    last, mean = gan(max_iter=5).fit(TWO), gan(max_iter=5, averaging="ema").fit(TWO)
    parts = [(net.module_.generator, net.module_.discriminator) for net in (last, mean)]
    (g, d), (mean_g, mean_d) = ([list(part.parameters()) for part in each] for each in parts)
    assert all(map(torch.equal, d, mean_d))
    assert not any(map(torch.equal, g, mean_g))


def test_divergence_is_named():
    with pytest.raises(ValueError, match=r"(discriminator|generator)'s loss .* step \d+ of epoch"):
        gan(
            loss="wasserstein", gradient_penalty=0, solver="sgd", learning_rate_init=1e6, momentum=0
        ).fit(TWO)


def test_early_stopping_keeps_the_best_generator():
    net = gan(**LEARNT | {"early_stopping": True, "n_iter_no_change": 5, "max_iter": 100}).fit(TWO)
    assert net.n_iter_ < 100
    assert net.best_validation_score_ == max(net.validation_scores_)
    assert net.validation_scores_[-1] < net.best_validation_score_


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "hinge", "label_smoothing": 0.1}, "for losses with targets"),
        ({"conditional": True, "n_packed": 2}, "needs conditioning='concatenation'"),
        ({"n_packed": 30, "batch_size": 20}, "at most the number of samples in a minibatch, 20"),
        ({"solver": "lbfgs"}, "'solver' parameter of GAN must be"),
        ({"averaging": "snapshots"}, "'averaging' parameter of GAN must be"),
        ({"learning_rate": "plateau"}, "can be 'plateau' with early_stopping=True alone"),
        ({"discriminator_layer_sizes": (3, 0)}, "must hold whole numbers > 0"),
        ({"hidden_layer_sizes": ()}, "must hold whole numbers > 0"),
        ({"categorical_features": [7]}, "'categorical_features' parameter of GAN must hold"),
    ],
)
def test_settings_that_make_no_sense_are_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        gan(**settings).fit(TWO, SIDE)


def test_codes_of_another_size_are_errors():
    net = gan().fit(TWO)
    with pytest.raises(ValueError, match=r"have 2 numbers\. Got 3"):
        net.generate(np.ones((1, 3)))


def test_ends_of_a_way_must_be_codes():
    with pytest.raises(ValueError, match=r"have 2 numbers\. Got 3"):
        gan().fit(TWO).interpolate([1, 2], [1, 2, 3])


def test_rows_that_fill_no_pack_are_repeated():
    net = gan(n_packed=40, curriculum="linear", max_iter=60)
    net.fit(TWO, difficulty=np.arange(600))
    assert np.isfinite(net.discriminator_loss_curve_).all()
    assert len(net.discriminator_loss_curve_) == 60


def test_players_minimise_no_function_together():
    with pytest.raises(ValueError, match="two players"):
        check_gradients(gan().fit(TWO), TWO, None)


@pytest.mark.parametrize("settings", [{}, {"r1": 1.0}, *COMBINED], ids=str)
def test_products_in_bfloat16_learn_about_the_same(settings):
    how = settings | {"max_iter": 1, "batch_size": 150, "learning_rate_init": 1e-5}
    nets = [
        gan(**how, precision=precision).fit(IRIS, KIND) for precision in ("float32", "bfloat16")
    ]
    for player in ("generator", "discriminator"):
        losses = [getattr(net, f"{player}_loss_curve_")[0] for net in nets]
        assert_allclose(*losses, rtol=0.05, atol=0.02)
    asked = KIND[:30] if settings.get("conditional") else None
    samples = [net.sample(30, y=asked, random_state=0) for net in nets]
    assert_allclose(*samples, rtol=0.02, atol=0.02)


def test_float64_learns():
    assert np.isfinite(gan(precision="float64").fit(TWO).score(TWO))
