"""What happens at the end of an epoch: stopping, news, bars, and the hooks of others."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.neural_network import MLPClassifier as Twin
from skorch.callbacks import Callback

from sknets import MLPClassifier, MLPRegressor
from sknets._data import ResidentData
from sknets._training.callbacks import NoImprovement, RestoreBest
from sknets._training.losses import SquaredError
from sknets._training.parameters import FlatParameters, Penalty
from sknets._training.schedules import Schedule
from sknets._training.steps import AutogradStep
from sknets._training.trainer import Recipe, Trainer

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

rng = np.random.default_rng(0)
X = rng.normal(size=(80, 4))
y = (X[:, 0] + 0.5 * rng.normal(size=80) > 0).astype(int)
SMALL = dict(hidden_layer_sizes=(5,), batch_size=20, random_state=0)


def epochs_of_twin(values, tol, patience, rising):
    """After how many epochs scikit-learn's rule stops, and the best value by then."""
    best, count = (-np.inf if rising else np.inf), 0
    for epoch, value in enumerate(values, start=1):
        worse = value < best + tol if rising else value > best - tol
        count = count + 1 if worse else 0
        if (value > best) if rising else (value < best):
            best = value
        if count > patience:
            return epoch, best
    return len(values), best


class Scripted(Callback):
    """Puts given values into the history in place of those measured."""

    def __init__(self, key, values):
        self.key, self.values = key, values

    def on_epoch_end(self, net, **kwargs):
        net.history.record(self.key, self.values[len(net.history) - 1])


def train(stopping, values, schedule=None):
    """A trainer of one weight that sees the values, an epoch each."""
    module = torch.nn.Linear(1, 1, device="meta").to_empty(device="cpu")
    torch.nn.init.zeros_(module.weight)
    torch.nn.init.zeros_(module.bias)
    flat = FlatParameters(module)
    recipe = Recipe(
        solver="sgd",
        optimizer=lambda flat: torch.optim.SGD([flat.vector], lr=0.1),
        schedule=schedule or Schedule("constant", 0.1, len(values)),
        penalty=Penalty(0.0),
        max_epochs=len(values),
        seed=0,
    )
    trainer = Trainer(
        module,
        flat,
        AutogradStep(module, SquaredError(), flat.grad),
        recipe,
        callbacks=[Scripted(stopping.key, values), stopping],
    )
    one = torch.ones(1, 1)
    data = ResidentData(one, one, batch_size=1, dtype=torch.float32, device=torch.device("cpu"))
    return trainer.train(data)


@pytest.mark.parametrize("rising", [False, True])
@pytest.mark.parametrize("patience", [0, 1, 3, np.inf])
@pytest.mark.parametrize("tol", [0.0, 0.05, 1.0])
def test_no_improvement_stops_by_scikit_learns_rule(rising, tol, patience):
    walk = np.cumsum(np.random.default_rng(3).normal(-0.05, 0.1, 40))
    values = [float(v) for v in (-walk if rising else walk)]
    stopping = NoImprovement(
        "valid_score" if rising else "train_loss",
        tol,
        patience,
        -np.inf if rising else np.inf,
        0,
        keep_best=rising,
    )
    trainer = train(stopping, values)
    assert (trainer.epochs_of_call, stopping.best) == epochs_of_twin(values, tol, patience, rising)
    assert (trainer.stop_message is not None) == (trainer.epochs_of_call < 40)


def test_weights_of_the_best_epoch_are_kept_and_restored():
    values = [0.1, 0.2, 0.9, 0.3, 0.3, 0.3, 0.3]
    stopping = NoImprovement("valid_score", 0.0, np.inf, -np.inf, 0, keep_best=True)
    trainer = train(stopping, values)
    RestoreBest(stopping).on_train_end(trainer)
    three = train(NoImprovement("train_loss", 0.0, np.inf, np.inf, 0, keep_best=False), values[:3])
    torch.testing.assert_close(trainer.flat.values, three.flat.values, rtol=0, atol=0)
    assert trainer.flat.values.any()


def test_no_improvement_goes_on_from_its_state():
    walk = [float(v) for v in np.random.default_rng(4).normal(size=12)]
    whole = NoImprovement("train_loss", 0.0, 100, np.inf, 0, keep_best=False)
    train(whole, walk)
    first = NoImprovement("train_loss", 0.0, 100, np.inf, 0, keep_best=False)
    train(first, walk[:5])
    second = NoImprovement("train_loss", 0.0, 100, np.inf, 0, keep_best=False)
    second.load_state(first.state())
    train(second, walk[5:])
    assert (second.best, second.count) == (whole.best, whole.count)


def test_reactive_schedule_lowers_the_rate_before_training_stops():
    schedule = Schedule("adaptive", 0.1, 100)
    stopping = NoImprovement("train_loss", 0.01, 2, np.inf, 0, keep_best=False)
    trainer = train(stopping, [1.0] * 100, schedule)
    # Eight divisions by five take 0.1 below a millionth; each, and the end, needs three epochs.
    assert trainer.epochs_of_call == 1 + 3 * 9
    assert schedule.rate(0) == pytest.approx(0.1 / 5**8)
    assert "did not improve more than tol=0.010000 for 2 consecutive epochs" in trainer.stop_message


def printed(capsys, estimator):
    estimator.fit(X, y)
    return capsys.readouterr().out.splitlines()


def words(lines):
    """Printed lines without their numbers, which rounding may change."""
    return [" ".join(w for w in line.split() if not w[0].isdigit()) for line in lines]


@pytest.mark.parametrize(
    "settings",
    [
        {"max_iter": 3},
        {"max_iter": 50, "tol": 1.0, "n_iter_no_change": 2},
        {"max_iter": 50, "early_stopping": True, "n_iter_no_change": 2, "tol": 1.0},
    ],
    ids=["max_iter", "loss", "score"],
)
def test_verbose_prints_what_scikit_learn_prints(capsys, settings):
    settings = SMALL | settings | {"verbose": True, "batch_size": 20}
    ours, twins = printed(capsys, MLPClassifier(**settings)), printed(capsys, Twin(**settings))
    assert words(ours) == words(twins)
    assert ours[0].startswith("Iteration 1, loss = ")


def test_verbose_prints_the_losses_of_the_curve(capsys):
    net = MLPClassifier(**SMALL, max_iter=3, verbose=True)
    lines = printed(capsys, net)
    expected = [f"Iteration {i}, loss = {v:.8f}" for i, v in enumerate(net.loss_curve_, start=1)]
    assert lines == expected


def test_quiet_by_default(capsys):
    MLPClassifier(**SMALL, max_iter=2).fit(X, y)
    out, err = capsys.readouterr()
    assert out == err == ""


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_progress_shows_a_bar_over_the_epochs(capsys, solver):
    MLPClassifier(**SMALL, solver=solver, max_iter=3, progress=True).fit(X, y)
    out, err = capsys.readouterr()
    assert out == ""
    assert "/3" in err
    assert "epoch" in err


def test_progress_closes_its_bar_when_training_fails(capsys):
    net = MLPRegressor(**SMALL, solver="sgd", learning_rate_init=1e30, progress=True)
    with pytest.raises(ValueError, match="non-finite"):
        net.fit(X, y)
    assert "epoch" in capsys.readouterr().err


def test_validation_records_loss_and_score_of_every_epoch():
    net = MLPClassifier(**SMALL, early_stopping=True, max_iter=4).fit(X, y)
    assert net.history_[:, "valid_score"] == net.validation_scores_
    assert len(net.validation_scores_) == 4
    assert all(isinstance(v, float) for v in net.history_[:, "valid_loss"])
    assert all(0 <= v <= 1 for v in net.validation_scores_)


class Log:
    """A callback of scikit-learn's kind that keeps what it was told."""

    def __init__(self, stop_after=None):
        self.events, self.stop_after = [], stop_after

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.task_name))

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.events.append(("end", context.task_name))
        self.given = X, y, metadata
        self.weights = fitted_estimator.coefs_[0]
        self.last = fitted_estimator
        return len(self.events) == self.stop_after


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_task_callbacks_hear_of_the_fit_and_of_each_epoch(solver):
    log = Log()
    MLPClassifier(**SMALL, solver=solver, max_iter=2).set_callbacks(log).fit(X, y)
    epoch = [("begin", "epoch"), ("end", "epoch")]
    begun = [] if solver == "adam" else [("begin", "epoch")]  # the iteration that never came
    assert log.events == [
        "setup",
        ("begin", "fit"),
        *epoch,
        *epoch,
        *begun,
        ("end", "fit"),
        "teardown",
    ]


def test_task_callbacks_get_the_data_and_a_fitted_copy():
    log = Log()
    weight = np.ones(80)
    net = MLPClassifier(**SMALL, max_iter=2).set_callbacks(log).fit(X, y, sample_weight=weight)
    assert log.given[0] is X
    assert log.given[1] is y
    assert log.given[2]["sample_weight"] is weight
    assert log.last is not net
    assert log.last.module_ is not net.module_
    assert_array_equal(log.last.predict(X), net.predict(X))
    assert_array_equal(log.weights, net.coefs_[0])


@pytest.mark.parametrize("settings", [{"averaging": "polyak"}, {"batch_norm": True}])
def test_fitted_copy_predicts_as_if_training_ended_there(settings):
    log = Log(stop_after=5)  # setup, fit begins, epoch begins, ends, begins
    longer = MLPClassifier(**SMALL, max_iter=7, **settings).set_callbacks(Log(stop_after=4))
    longer.fit(X, y)
    MLPClassifier(**SMALL, max_iter=1, **settings).set_callbacks(log).fit(X, y)
    assert longer.n_iter_ == 1
    # A network computes in float32 while it is trained, and in the input's float64 afterwards.
    assert_allclose(log.last.predict_proba(X), longer.predict_proba(X), rtol=1e-5)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_task_callback_that_says_so_stops_the_training(solver, recwarn):
    net = MLPClassifier(**SMALL, solver=solver, max_iter=9).set_callbacks(Log(stop_after=6))
    net.fit(X, y)
    assert net.n_iter_ == len(net.loss_curve_) == 2
    assert not recwarn.list


def test_task_callbacks_are_torn_down_when_training_fails():
    log = Log()
    net = MLPRegressor(**SMALL, solver="sgd", learning_rate_init=1e30).set_callbacks(log)
    with pytest.raises(ValueError, match="non-finite"):
        net.fit(X, y)
    assert log.events[-1] == "teardown"


def test_callbacks_change_nothing_that_is_learnt():
    plain = MLPClassifier(**SMALL, max_iter=4, dropout=0.3, batch_norm=True).fit(X, y)
    watched = MLPClassifier(
        **SMALL, max_iter=4, dropout=0.3, batch_norm=True, verbose=True, progress=True
    )
    watched.set_callbacks(Log()).fit(X, y)
    assert_array_equal(plain.predict_proba(X), watched.predict_proba(X))
