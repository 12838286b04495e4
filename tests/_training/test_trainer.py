"""The training loop: what an epoch does, how a training ends, and what it leaves behind."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback

from sknets import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 5))
y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int) + (X[:, 3] > 0.8)
Y = X[:, :2] + 0.1 * rng.normal(size=(60, 2))
SMALL = dict(hidden_layer_sizes=(6,), batch_size=16, random_state=0)

# Every part of the training that keeps a state from one epoch to the next.
VARIANTS = {
    "adam": {},
    "sgd": {"solver": "sgd"},
    "sgd, invscaling": {"solver": "sgd", "learning_rate": "invscaling"},
    "sgd, adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "tol": 1.0,
        "n_iter_no_change": 1,
    },
    "plateau": {"learning_rate": "plateau", "tol": 1.0, "n_iter_no_change": 1},
    "adamw": {"solver": "adamw", "alpha": 0.1},
    "adagrad": {"solver": "adagrad"},
    "adadelta": {"solver": "adadelta"},
    "rmsprop": {"solver": "rmsprop"},
    "nadam": {"solver": "nadam"},
    "nadam, float64": {"solver": "nadam", "precision": "float64"},
    "torch's class": {"solver": torch.optim.Adamax},
    "one_cycle, warm-up": {"learning_rate": "one_cycle", "warmup": 2},
    "dropout": {"dropout": 0.5, "input_dropout": 0.2},
    "batch norm": {"batch_norm": True},
    "max norm": {"max_norm": 0.5},
    "elastic net": {"alpha": 1.0, "l1_ratio": 0.5},
    "polyak": {"averaging": "polyak"},
    "ema": {"averaging": "ema", "batch_norm": True},
    "float64": {"precision": "float64"},
    "full batch": {"batch_size": "full"},
    "no shuffling": {"shuffle": False},
    "autograd": {"activation": "gelu", "loss": "squared_hinge"},
}


def classifier(**settings):
    return MLPClassifier(**SMALL | {"max_iter": 6} | settings)


def weights(net):
    """All parameters and buffers of a fitted network."""
    return {name: tensor.numpy() for name, tensor in net.module_.state_dict().items()}


def assert_same_network(a, b):
    """Equal bit for bit."""
    ours, theirs = weights(a), weights(b)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert_array_equal(ours[name], theirs[name], err_msg=name)


def in_steps(net, X, k, n_classes=3):
    for _ in range(k):
        net.partial_fit(X, y, classes=range(n_classes))
    return net


# -- the same training, cut in pieces


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("variant", VARIANTS)
def test_partial_fit_k_times_equals_fit_of_k_epochs(variant, dtype):
    settings = VARIANTS[variant]
    whole = classifier(**settings).fit(X.astype(dtype), y)
    pieces = in_steps(classifier(**settings), X.astype(dtype), 6)
    assert_same_network(whole, pieces)
    assert pieces.loss_curve_ == whole.loss_curve_
    assert pieces.t_ == whole.t_ == 6 * 60
    assert pieces.n_iter_ == 1
    assert_array_equal(pieces.decision_function(X), whole.decision_function(X))


def test_partial_fit_k_times_keeps_the_snapshots_of_fit():
    settings = {"averaging": "snapshots", "n_snapshots": 3}
    whole = classifier(**settings).fit(X, y)
    pieces = in_steps(classifier(**settings), X, 6)
    assert_array_equal(pieces.predict_proba(X), whole.predict_proba(X))


@pytest.mark.parametrize("variant", VARIANTS)
def test_same_random_state_gives_the_same_bits(variant):
    first, second = (classifier(**VARIANTS[variant]).fit(X, y) for _ in range(2))
    assert_same_network(first, second)
    other = classifier(**VARIANTS[variant] | {"random_state": 1}).fit(X, y)
    assert abs(weights(other)["head.weight"] - weights(first)["head.weight"]).max() > 1e-3


def test_partial_fit_keeps_the_optimiser_and_fit_starts_a_fresh_one():
    settings = {"solver": "sgd", "momentum": 0.9, "batch_size": "full", "alpha": 0.0}
    kept = in_steps(classifier(**settings), X, 2)
    afresh = classifier(warm_start=True, max_iter=1, **settings).fit(X, y).fit(X, y)
    assert abs(weights(kept)["head.weight"] - weights(afresh)["head.weight"]).max() > 1e-6
    without = classifier(warm_start=True, max_iter=1, **settings | {"momentum": 0.0})
    memoryless = in_steps(classifier(**settings | {"momentum": 0.0}), X, 2)
    assert_same_network(without.fit(X, y).fit(X, y), memoryless)


def test_changed_solver_leaves_the_optimiser_of_partial_fit_fresh():
    net = in_steps(classifier(), X, 2).set_params(solver="sgd", momentum=0.0, batch_size="full")
    before = weights(net)["head.bias"].copy()
    probabilities = net.predict_proba(X)
    net.partial_fit(X, y)
    gradient = (probabilities - np.eye(3)[y]).mean(0)
    assert_allclose(weights(net)["head.bias"], before - 0.001 * gradient, rtol=1e-5)


# -- what an epoch does


class Recorder(Callback):
    """What a callback can see of each batch and epoch."""

    def on_train_begin(self, net, **kwargs):
        self.rows, self.rates, self.norms, self.sizes = [[]], [], [], []

    def on_epoch_end(self, net, **kwargs):
        self.rows.append([])

    def on_batch_begin(self, net, batch, training, **kwargs):
        assert training
        self.rows[-1].append(batch[0][:, 0].numpy())

    def on_batch_end(self, net, batch, loss, **kwargs):
        self.rates.append(net.optimizer_.param_groups[0]["lr"])
        matrices = (p for p in net.module_.parameters() if p.ndim > 1)
        self.norms.append([matrix.norm(dim=1).max().item() for matrix in matrices])
        self.sizes.append(len(batch[0]))


def recorded(estimator, **fit):
    recorder = Recorder()
    estimator.set_params(callbacks=[recorder]).fit(X, y, **fit)
    return recorder


def test_epoch_sees_every_row_once_in_an_order_of_its_own():
    recorder = recorded(classifier(max_iter=3))
    orders = [np.concatenate(rows) for rows in recorder.rows[:3]]
    for order in orders:
        assert_array_equal(np.sort(order), np.sort(X[:, 0].astype(np.float32)))
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[1], orders[2])
    assert recorder.sizes == [16, 16, 16, 12] * 3


def test_epoch_without_shuffle_keeps_the_order():
    recorder = recorded(classifier(shuffle=False, max_iter=2))
    for rows in recorder.rows[:2]:
        assert_array_equal(np.concatenate(rows), X[:, 0].astype(np.float32))


def test_watching_batches_changes_nothing():
    watched = classifier(callbacks=[Recorder()]).fit(X, y)
    assert_same_network(watched, classifier().fit(X, y))
    batches = watched.history_[-1, "batches"]
    assert [b["train_batch_size"] for b in batches] == [16, 16, 16, 12]
    mean = np.average([b["train_loss"] for b in batches], weights=[16, 16, 16, 12])
    assert watched.loss_ == pytest.approx(mean, rel=1e-6)


def test_timed_schedule_is_followed_batch_by_batch():
    rates = recorded(classifier(learning_rate="cosine", max_iter=5)).rates
    times = np.arange(1, 21) / 20
    assert_allclose(rates, 0.001 * (1 + np.cos(np.pi * times)) / 2, atol=1e-12)


@pytest.mark.parametrize("batch_size", [16, "full"])
def test_step_schedule_is_constant_for_decay_every_epochs(batch_size):
    net = classifier(learning_rate="step", decay_every=2, batch_size=batch_size)
    rates = np.reshape(recorded(net).rates, (6, -1))
    assert_allclose(rates.T, [[0.001, 0.001, 0.0005, 0.0005, 0.00025, 0.00025]] * rates.shape[1])


def test_warmup_rises_to_the_constant_rate():
    rates = recorded(classifier(warmup=2, max_iter=3)).rates
    assert_allclose(rates, 0.001 * np.minimum(1, np.arange(1, 13) / 8))


def test_rate_of_every_group_of_a_users_optimiser_follows_the_schedule():
    def two_groups(params, lr):
        params = list(params)
        return torch.optim.SGD(
            [{"params": params[:1], "lr": 10 * lr}, {"params": params[1:]}], lr=lr
        )

    class Rates(Callback):
        def on_train_begin(self, net, **kwargs):
            self.seen = []

        def on_epoch_end(self, net, **kwargs):
            self.seen.append([group["lr"] for group in net.optimizer_.param_groups])

    rates = Rates()
    classifier(
        solver=two_groups, learning_rate="exponential", decay_every=1, max_iter=3, callbacks=[rates]
    ).fit(X, y)
    assert_allclose(rates.seen, 0.001 * np.array([[5, 0.5], [2.5, 0.25], [1.25, 0.125]]))


@pytest.mark.parametrize("solver", ["adam", "sgd", torch.optim.SGD])
def test_max_norm_holds_after_every_step(solver):
    settings = {"max_norm": 0.4, "learning_rate_init": 0.1, "solver": solver}
    norms = np.array(recorded(classifier(**settings)).norms)
    assert norms.shape == (24, 2)
    assert norms.max() <= 0.4 + 1e-6
    free = np.array(recorded(classifier(**settings | {"max_norm": None})).norms)
    assert free.max() > 0.5


def test_loss_curve_holds_the_penalised_loss_before_each_step():
    net = MLPRegressor(
        hidden_layer_sizes=(),
        batch_size="full",
        alpha=3.0,
        l1_ratio=0.5,
        solver="sgd",
        max_iter=1,
        learning_rate_init=1e-300,
        random_state=0,
    )
    net.fit(X, Y)
    w = net.coefs_[0]
    penalty = 3.0 * (0.5 / 2 * (w**2).sum() + 0.5 * abs(w).sum()) / 60
    error = ((net.predict(X) - Y) ** 2).sum() / 2 / 60
    assert net.loss_ == pytest.approx(error + penalty, rel=1e-12)


def test_history_has_a_record_an_epoch():
    net = classifier().fit(X, y)
    assert net.history_[:, "epoch"] == [1, 2, 3, 4, 5, 6]
    assert net.history_[:, "train_loss"] == net.loss_curve_
    assert net.history_[:, "train_batch_count"] == [4] * 6
    assert net.loss_ == net.loss_curve_[-1]
    assert net.best_loss_ == min(net.loss_curve_)
    assert net.n_iter_ == 6


def test_history_goes_on_over_calls():
    net = classifier(warm_start=True).fit(X, y).fit(X, y)
    assert net.history_[:, "epoch"] == list(range(1, 13))
    assert len(net.loss_curve_) == 12
    assert net.n_iter_ == 6
    assert net.t_ == 12 * 60


# -- weights of samples

COUNTS = np.arange(60) % 3  # zeros among them


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs", "newton-cg"])
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
@pytest.mark.filterwarnings("ignore:.* failed to converge")
def test_weighting_equals_repeating(estimator, solver):
    target = y if estimator is MLPClassifier else Y
    settings = dict(
        hidden_layer_sizes=(4,),
        solver=solver,
        batch_size="full",
        max_iter=20,
        tol=1e-9,
        activation="tanh",
        alpha=0.1,
        random_state=0,
    )
    weighted = estimator(**settings).fit(X, target, sample_weight=COUNTS)
    repeated = estimator(**settings).fit(
        np.repeat(X, COUNTS, axis=0), np.repeat(target, COUNTS, axis=0)
    )
    assert_allclose(weighted.coefs_[0], repeated.coefs_[0], rtol=1e-6, atol=1e-9)
    assert weighted.loss_ == pytest.approx(repeated.loss_, rel=1e-9)
    unweighted = estimator(**settings | {"solver": "sgd"}).fit(X, target)
    assert abs(unweighted.coefs_[0] - weighted.coefs_[0]).max() > 1e-4


def test_weights_of_one_change_no_bit():
    assert_same_network(classifier().fit(X, y, np.ones(60)), classifier().fit(X, y))


def test_class_weight_multiplies_sample_weight():
    by_class = classifier(class_weight={0: 1.0, 1: 2.0, 2: 3.0}).fit(X, y, COUNTS + 1.0)
    by_sample = classifier().fit(X, y, (COUNTS + 1.0) * (1 + y))
    assert_same_network(by_class, by_sample)


@pytest.mark.parametrize("shuffle", [True, False])
def test_batch_without_weight_leaves_the_network_finite(shuffle):
    weight = np.zeros(60)
    weight[:4] = 1
    net = classifier(batch_size=4, shuffle=shuffle, alpha=0.1).fit(X, y, weight)
    assert np.isfinite(net.loss_)
    assert all(np.isfinite(w).all() for w in net.coefs_)


def test_l1_by_steps_shrinks_what_does_not_matter():
    settings = dict(
        hidden_layer_sizes=(),
        solver="sgd",
        learning_rate_init=0.01,
        max_iter=100,
        tol=0.0,
        batch_size=20,
        random_state=0,
    )
    l1 = MLPRegressor(alpha=2.0, l1_ratio=1.0, **settings).fit(X, Y[:, 0]).coefs_[0].ravel()
    free = MLPRegressor(alpha=0.0, **settings).fit(X, Y[:, 0]).coefs_[0].ravel()
    assert abs(l1[1:]).max() < 0.02 < abs(free[1:]).max() + 0.02
    assert 0.5 < l1[0] < free[0]


# -- how a training ends


class InterruptedSGD(torch.optim.SGD):
    """A user who presses Ctrl-C during the tenth step, that is in the third epoch."""

    def step(self, closure=None):
        self.n_steps = getattr(self, "n_steps", 0) + 1
        if self.n_steps == 10:
            raise KeyboardInterrupt
        super().step()


def test_interrupt_keeps_what_was_learnt_and_warns():
    net = classifier(solver=InterruptedSGD)
    with pytest.warns(UserWarning, match=r"^Training interrupted by user\.$") as caught:
        net.fit(X, y)
    assert len(caught) == 1  # and no ConvergenceWarning
    assert caught[0].filename == __file__
    assert net.n_iter_ == len(net.loss_curve_) == len(net.history_) == 2
    assert net.t_ == 120
    steps = classifier(solver=torch.optim.SGD, max_iter=2).fit(X, y)
    assert net.loss_curve_ == steps.loss_curve_
    assert abs(net.coefs_[1] - steps.coefs_[1]).max() < 0.01  # one step more
    assert net.predict(X).shape == (60,)
    assert not net.module_.training


def test_interrupt_in_the_first_epoch_leaves_a_network_that_predicts():
    net = classifier(solver=InterruptedSGD, batch_size=2)
    with pytest.warns(UserWarning, match="interrupted"):
        net.fit(X, y)
    assert net.n_iter_ == 0
    assert net.loss_curve_ == []
    assert np.isfinite(net.predict_proba(X)).all()


def test_training_goes_on_after_an_interrupt():
    net = classifier(solver=InterruptedSGD)
    with pytest.warns(UserWarning, match="interrupted"):
        net.fit(X, y)
    net.set_params(solver="sgd").partial_fit(X, y)
    assert len(net.loss_curve_) == 3


class InterruptingTask:
    """A callback of scikit-learn's kind during which a user presses Ctrl-C, after three epochs."""

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch" and context.task_id == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_interrupt_between_epochs_warns_too(solver):
    net = classifier(solver=solver).set_callbacks(InterruptingTask())
    with pytest.warns(UserWarning, match=r"^Training interrupted by user\.$") as caught:
        net.fit(X, y)
    assert len(caught) == 1
    assert net.n_iter_ == len(net.loss_curve_) == 3
    three = classifier(solver=solver, max_iter=3)
    with pytest.warns(UserWarning, match="converge"):
        three.fit(X, y)
    assert_same_network(net, three)


DIVERGING = {"solver": "sgd", "learning_rate_init": 1e30, "activation": "identity"}


@pytest.mark.parametrize("averaging", [None, "polyak", "ema"])
def test_divergence_raises_with_the_last_good_weights_kept(averaging):
    good = MLPRegressor(**SMALL, averaging=averaging, warm_start=True, max_iter=2).fit(X, Y)
    before, curve = weights(good), list(good.loss_curve_)
    good.set_params(**DIVERGING)
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights") as caught:
        good.fit(X, Y)
    message = str(caught.value)
    assert "MLPRegressor: the loss became non-finite in epoch 3" in message
    assert "learning_rate_init" in message
    for name, tensor in weights(good).items():
        assert_array_equal(tensor, before[name], err_msg=name)
    assert good.loss_curve_[:2] == curve
    assert np.isfinite(good.predict(X)).all()


def test_divergence_in_the_first_epoch_keeps_the_initial_weights():
    net = MLPRegressor(**SMALL, **DIVERGING)
    with pytest.raises(ValueError, match="in epoch 1"):
        net.fit(X, Y)
    start = MLPRegressor(**SMALL | DIVERGING | {"learning_rate_init": 1e-300, "max_iter": 1})
    assert_same_network(net, start.fit(X, Y))


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_goes_on_after_a_batch_that_diverged(solver):
    net = MLPRegressor(**SMALL, solver=solver)
    net.partial_fit(X, Y)
    with pytest.raises(ValueError, match="non-finite"):
        net.partial_fit(1e30 * X, 1e30 * Y)
    before = net.predict(X)
    net.partial_fit(X, Y)
    after = net.predict(X)
    assert np.isfinite(after).all()
    assert abs(after - before).max() < 0.1  # and not by what the bad batch left in the momentum


@pytest.mark.parametrize("solver", ["lbfgs", "bfgs", "cg", "newton-cg"])
@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")  # scipy's line search meets an overflow
def test_divergence_of_a_full_batch_solver_raises_or_ends_finite(solver):
    net = MLPRegressor(hidden_layer_sizes=(4,), solver=solver, random_state=0, max_iter=5)
    with pytest.raises(ValueError, match="non-finite"):
        net.fit(1e200 * X, Y)
    assert all(np.isfinite(w).all() for w in net.coefs_)


def test_divergence_with_early_stopping_warns_and_keeps_the_best_weights():
    net = MLPRegressor(**SMALL, **DIVERGING, early_stopping=True)
    with pytest.warns(UserWarning, match="loss became non-finite in epoch 1; the best weights"):
        net.fit(X, Y)
    assert np.isnan(net.loss_curve_[-1])
    assert np.isfinite(net.predict(X)).all()


def test_early_stopping_ends_with_the_best_weights():
    class Weights(Callback):
        def on_train_begin(self, net, **kwargs):
            self.after = []

        def on_epoch_end(self, net, **kwargs):
            self.after.append({k: v.clone() for k, v in net.module_.state_dict().items()})

    seen = Weights()
    net = classifier(
        early_stopping=True,
        validation_fraction=0.3,
        n_iter_no_change=3,
        max_iter=100,
        learning_rate_init=0.1,
        batch_norm=True,
        callbacks=[seen],
    ).fit(X, y)
    scores = net.validation_scores_
    best = int(np.argmax(scores))
    assert best < len(scores) - 1
    assert net.n_iter_ == len(scores) < 100
    assert net.best_validation_score_ == max(scores)
    assert net.best_loss_ is None
    for name, tensor in weights(net).items():
        if tensor.dtype.kind == "f":  # batch norm's count of batches is never used
            assert_allclose(tensor, seen.after[best][name], err_msg=name)


def test_best_weights_are_those_of_the_average():
    settings = {
        "early_stopping": True,
        "validation_fraction": 0.3,
        "max_iter": 30,
        "learning_rate_init": 0.1,
        "averaging": "ema",
    }
    net = MLPRegressor(**SMALL, **settings).fit(X, Y)
    held_out = held_out_rows(net, X, Y)
    assert net.score(X[held_out], Y[held_out]) == pytest.approx(
        net.best_validation_score_, abs=1e-5
    )


def held_out_rows(net, X, Y):
    """The rows that a network trained on none of, found by what a callback sees of batches."""
    recorder = Recorder()
    MLPRegressor(**net.get_params() | {"callbacks": [recorder], "max_iter": 1}).fit(X, Y)
    trained_on = np.concatenate(recorder.rows[0])
    return ~np.isin(X[:, 0].astype(np.float32), trained_on)


def test_zero_weight_of_all_held_out_samples_is_an_error_before_training():
    weight = np.zeros(60)
    weight[0] = 1
    with pytest.raises(ValueError, match="weight"):
        classifier(early_stopping=True).fit(X, y, weight)


def test_training_stops_when_the_loss_no_longer_falls():
    net = classifier(tol=10.0, n_iter_no_change=3, max_iter=50).fit(X, y)
    assert net.n_iter_ == 5  # the first epoch improves on infinity, three without are allowed


def test_max_iter_reached_is_a_convergence_warning_of_the_callers_line():
    with pytest.warns(UserWarning, match=r"Maximum iterations \(6\) reached") as caught:
        classifier().fit(X, y)
    assert type(caught[0].message).__name__ == "ConvergenceWarning"
    assert caught[0].filename == __file__


@pytest.mark.parametrize("learning_rate", ["cosine", "one_cycle"])
def test_schedule_that_ends_at_max_iter_does_not_warn(learning_rate, recwarn):
    classifier(learning_rate=learning_rate).fit(X, y)
    assert not recwarn.list


def test_clipped_batch_size_warns_at_the_callers_line():
    with pytest.warns(UserWarning, match="It is going to be clipped") as caught:
        classifier(batch_size=61).fit(X, y)
    assert caught[0].filename == __file__


# -- dropout


@pytest.mark.parametrize("where", ["dropout", "input_dropout", "noise_std"])
def test_dropout_changes_training_but_not_prediction(where):
    net = classifier(**{where: 0.5}).fit(X, y)
    assert_array_equal(net.predict_proba(X), net.predict_proba(X))
    plain = classifier().fit(X, y)
    assert abs(net.coefs_[0] - plain.coefs_[0]).max() > 1e-4


def test_dropout_draws_new_masks_at_every_step_and_the_same_at_every_fit():
    class Masks(Callback):
        def on_train_begin(self, net, **kwargs):
            self.seen = []
            layer = net.module_.features.input_dropout
            layer.register_forward_hook(lambda *call: self.seen.append(call[-1] != 0))

    masks = [Masks(), Masks()]
    for seen in masks:
        classifier(input_dropout=0.5, shuffle=False, batch_size=30, callbacks=[seen]).fit(X, y)
    first, second = (torch.stack(m.seen[:12]) for m in masks)  # six epochs of two batches
    assert torch.equal(first, second)
    assert len(first.reshape(12, -1).unique(dim=0)) == 12


@pytest.mark.parametrize("solver", ["lbfgs", "bfgs", "cg", "newton-cg"])
def test_dropout_with_full_batch_solver_is_refused(solver):
    for settings in ({"dropout": 0.5}, {"input_dropout": 0.5}, {"noise_std": 0.5}):
        with pytest.raises(ValueError, match=r"=0\.5 needs a stochastic solver, got solver="):
            MLPClassifier(solver=solver, **settings).fit(X, y)
