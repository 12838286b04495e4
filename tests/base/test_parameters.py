"""Training parameters: which go together, and what they mean to the trainer."""

import re
from functools import partial

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, GradientNormClipping

from sknets import MLPClassifier
from sknets._training.optimizers import FULL_BATCH, STOCHASTIC, Adam
from sknets._training.parameters import FlatParameters
from sknets.base import TrainingParameters
from sknets.base.parameters import solver_name

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
y = (X[:, 0] > 0).astype(int)
SMALL = dict(hidden_layer_sizes=(5,), max_iter=3, batch_size=20, random_state=0)

SOLVERS = ", ".join(map(repr, [*STOCHASTIC, *FULL_BATCH]))
OPTIMIZER = (
    "The 'solver' parameter of MLPClassifier must be a name or a torch.optim.Optimizer class whose "
    "step needs no closure. Got {} instead."
)
# settings -> the whole message
REFUSED = [
    (
        {"solver": "adm"},
        f"The 'solver' parameter of MLPClassifier must be a str among {{{SOLVERS}}} or a "
        "torch.optim.Optimizer class. Got 'adm' instead. Did you mean 'adam'?",
    ),
    (
        {"device": "gpu"},
        "The 'device' parameter of MLPClassifier must be 'auto', 'cpu', 'cuda', 'cuda:<number>' or "
        "'mps'. Got 'gpu' instead.",
    ),
    (
        {"callbacks": [("clip", 3)]},
        "The 'callbacks' parameter of MLPClassifier must hold callbacks of skorch, or pairs of a "
        "name and one. Got ('clip', 3) instead.",
    ),
    (
        {"early_stopping": True, "validation_fraction": 0.0},
        "early_stopping=True needs the 'validation_fraction' parameter of MLPClassifier to be > 0. "
        "Got 0.0 instead.",
    ),
    (
        {"solver": "newton-cg", "l1_ratio": 0.5},
        "solver='newton-cg' needs a differentiable penalty, got l1_ratio=0.5. Use solver='lbfgs' "
        "or a stochastic one.",
    ),
    (
        {"solver": "lbfgs", "max_norm": 2.0},
        "max_norm=2.0 needs a stochastic solver, got solver='lbfgs'.",
    ),
    (
        {"solver": "bfgs", "averaging": "ema"},
        "averaging='ema' needs a stochastic solver, got solver='bfgs'.",
    ),
    (
        {"solver": "cg", "curriculum": "root"},
        "curriculum='root' needs a stochastic solver, got solver='cg'.",
    ),
    (
        {"solver": "lbfgs", "checkpoint": "state"},
        "checkpoint='state' needs a stochastic solver, got solver='lbfgs'.",
    ),
    (
        {"averaging": "snapshots", "n_snapshots": 2, "learning_rate": "cosine"},
        "averaging='snapshots' has its own cyclic learning rate: leave learning_rate='constant'. "
        "Got 'cosine' instead.",
    ),
    (
        {"averaging": "snapshots", "n_snapshots": 4},
        "n_snapshots=4 needs at least as many epochs, got max_iter=3.",
    ),
    (
        {"solver": "adamw", "l1_ratio": 0.5},
        "solver='adamw' decays weights towards 0 and knows no L1 penalty, got l1_ratio=0.5. Use "
        "solver='adam'.",
    ),
    ({"solver": len}, OPTIMIZER.format("<built-in function len>")),
    ({"solver": torch.nn.ReLU}, OPTIMIZER.format(torch.nn.ReLU)),
    ({"solver": torch.optim.LBFGS}, OPTIMIZER.format(torch.optim.LBFGS)),
]
REFUSED_BY_PARTIAL_FIT = [
    ({"early_stopping": True}, "partial_fit does not support early_stopping=True"),
    ({"curriculum": "linear"}, "partial_fit does not support curriculum='linear'"),
]


@pytest.mark.parametrize("fitted", [False, True], ids=["unfitted", "fitted"])
@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [("fit", *case) for case in REFUSED]
    + [("partial_fit", *case) for case in REFUSED_BY_PARTIAL_FIT],
)
def test_settings_that_do_not_go_together_are_refused(method, settings, message, fitted):
    net = MLPClassifier(**SMALL)
    if fitted:
        net.fit(X, y)
    net.set_params(**settings)
    before = dict(vars(net))
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        getattr(net, method)(X, y, classes=[0, 1]) if method == "partial_fit" else net.fit(X, y)
    assert vars(net).keys() == before.keys()
    assert all(value is before[name] for name, value in vars(net).items())


@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "lbfgs", "early_stopping": True, "validation_fraction": 0.0},
        {"solver": "lbfgs", "l1_ratio": 0.5},
        {"solver": "cg", "l1_ratio": 0.5, "alpha": 0.0},
        {"solver": partial(torch.optim.SGD, momentum=0.5)},
        {"callbacks": (GradientNormClipping, Callback(), ("clip", GradientNormClipping()))},
        {"n_snapshots": 4},
        {"device": torch.device("cpu")},
    ],
    ids=lambda settings: ", ".join(settings),
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_settings_that_go_together_are_taken(settings):
    assert MLPClassifier(**SMALL | settings).fit(X, y).n_iter_ > 0


def test_partial_fit_may_take_any_number_of_snapshots():
    net = MLPClassifier(**SMALL, averaging="snapshots", n_snapshots=4)
    net.partial_fit(X, y, classes=[0, 1])


# -- in the trainer's words


def recipe(difficulty=None, incremental=False, **settings):
    return TrainingParameters(**settings)._recipe(0, difficulty, incremental)


def test_decay_takes_the_place_of_the_penalty_with_adamw_alone():
    decoupled, penalised = (recipe(solver=solver, alpha=0.3) for solver in ("adamw", "adam"))
    assert (decoupled.weight_decay, bool(decoupled.penalty)) == (0.3, False)
    assert (penalised.weight_decay, penalised.penalty.l2) == (0.0, 0.3)


@pytest.mark.parametrize("solver", FULL_BATCH)
def test_full_batch_solver_makes_no_optimiser(solver):
    assert recipe(solver=solver).full_batch
    assert recipe(solver=solver).solver == solver


def test_optimiser_is_made_with_the_settings():
    flat = FlatParameters(torch.nn.Linear(2, 1, device="meta").to_empty(device="cpu"))
    settings = dict(learning_rate_init=0.1, beta_1=0.8, beta_2=0.9, epsilon=1e-4)
    ours = recipe(**settings).optimizer(flat)
    assert isinstance(ours, Adam)
    assert ours.defaults.items() >= {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-4}.items()
    theirs = recipe(solver=torch.optim.Adamax, **settings).optimizer(flat)
    assert (theirs.defaults["lr"], theirs.defaults["eps"]) == (0.1, 1e-8)  # eps is torch's own


@pytest.mark.parametrize("name", ["invscaling", "adaptive"])
def test_schedules_of_sgd_are_ignored_by_others(name):
    assert recipe(solver="sgd", learning_rate=name).schedule.name == name
    assert recipe(solver="adam", learning_rate=name).schedule.name == "constant"


def test_snapshots_follow_cycles():
    with_snapshots = recipe(averaging="snapshots", n_snapshots=4)
    assert (with_snapshots.schedule.name, with_snapshots.schedule.n_cycles) == ("cyclic", 4)
    assert (with_snapshots.n_snapshots, recipe(n_snapshots=4).n_snapshots) == (4, 0)


def test_partial_fit_is_one_epoch():
    assert recipe(max_iter=7).max_epochs == 7
    assert recipe(max_iter=7, incremental=True).max_epochs == 1


def test_curriculum_goes_from_easy_to_hard():
    difficulty = np.array([0.3, 0.1, 0.9, 0.1])
    assert recipe(difficulty).pacing is None
    pacing = recipe(difficulty, curriculum="linear", curriculum_length=0.5, max_iter=10).pacing
    assert pacing(0).tolist() == [1]
    assert pacing(4).tolist() == [1, 3, 0, 2]
    assert pacing(2).tolist() == [1, 3]


@pytest.mark.parametrize(
    ("solver", "name"),
    [("adam", "adam"), (torch.optim.Adamax, "Adamax"), (abs, "abs")],
)
def test_solver_has_a_name(solver, name):
    assert solver_name(solver) == name


def test_partial_of_a_class_is_named_by_its_settings():
    assert "momentum=0.5" in solver_name(partial(torch.optim.SGD, momentum=0.5))
