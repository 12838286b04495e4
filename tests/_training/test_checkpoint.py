"""A killed fit goes on from its file and ends at the bits that it would have had."""

import json
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from sknets import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 5))
y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int) + (X[:, 3] > 0.8)
WEIGHT = rng.integers(1, 4, 60).astype(float)

VARIANTS = {
    "adam": {},
    "sgd, adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "tol": 1.0,
        "n_iter_no_change": 1,
    },
    "sgd, invscaling": {"solver": "sgd", "learning_rate": "invscaling"},
    "nadam": {"solver": "nadam", "precision": "float64"},
    "torch's class": {"solver": torch.optim.Adamax},
    "one_cycle, warm-up": {"learning_rate": "one_cycle", "warmup": 2},
    "dropout": {"dropout": 0.5, "input_dropout": 0.2},
    "batch norm": {"batch_norm": True},
    "polyak": {"averaging": "polyak", "batch_norm": True},
    "ema": {"averaging": "ema"},
    "snapshots": {"averaging": "snapshots", "n_snapshots": 4},
    "early stopping": {"early_stopping": True, "learning_rate_init": 0.05},
    # The best epoch is not the last before the end: its weights are not those to go on from.
    "early stopping, past its best": {"early_stopping": True, "solver": "sgd", "alpha": 30.0},
    "pre-training": {"hidden_layer_sizes": (6, 4), "pretrain": "supervised"},
    "random_state=None": {"random_state": None},
}


class Killed(RuntimeError):
    """Ends a fit the hard way."""


class Kill(Callback):
    """Ends the training after an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise Killed


class KillInStep(torch.optim.SGD):
    """Ends the training in the middle of the fourth epoch, at the 14th of 4 steps an epoch."""

    dies = True

    def step(self, closure=None):
        self.n_steps = getattr(self, "n_steps", 0) + 1
        if self.dies and self.n_steps == 14:
            raise Killed
        super().step()


def classifier(**settings):
    defaults = {"hidden_layer_sizes": (6,), "batch_size": 16, "max_iter": 8, "random_state": 0}
    return MLPClassifier(**defaults | settings)


def learnt(net):
    """Everything a fit leaves behind that must not depend on whether it was killed."""
    state = {name: tensor.numpy() for name, tensor in net.module_.state_dict().items()}
    records = (
        "loss_curve_",
        "validation_scores_",
        "n_iter_",
        "t_",
        "best_loss_",
        "best_validation_score_",
        "loss_",
    )
    return state, {name: getattr(net, name) for name in records}, net.predict_proba(X)


def assert_same_fit(a, b):
    (weights_a, records_a, p_a), (weights_b, records_b, p_b) = learnt(a), learnt(b)
    assert records_a == records_b
    assert weights_a.keys() == weights_b.keys()
    for name, tensor in weights_a.items():
        assert_array_equal(tensor, weights_b[name], err_msg=name)
    assert_array_equal(p_a, p_b)


def killed(path, epoch, **settings):
    """A fit that died, and left its file."""
    with pytest.raises(Killed):
        classifier(checkpoint=path, callbacks=[Kill(epoch)], **settings).fit(X, y)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "training.ckpt")


@pytest.fixture
def seeded():
    """With random_state=None a fit takes its seed from numpy's global state, once."""
    np.random.seed(0)


@pytest.mark.global_state("numpy random state")
@pytest.mark.parametrize("epoch", [1, 5])
@pytest.mark.parametrize("variant", VARIANTS)
def test_killed_fit_resumes_to_the_same_bits(path, seeded, variant, epoch):
    settings = VARIANTS[variant]
    whole = classifier(**settings).fit(X, y)
    np.random.seed(0)
    killed(path, epoch, **settings)
    resumed = classifier(checkpoint=path, **settings).fit(X, y)
    assert_same_fit(resumed, whole)


@pytest.mark.parametrize("variant", ["adam", "polyak", "snapshots"])
def test_resumed_fit_does_not_run_its_first_epochs_again(path, variant):
    class Count(Callback):
        def on_train_begin(self, net, **kwargs):
            self.n_epochs = 0

        def on_epoch_end(self, net, **kwargs):
            self.n_epochs += 1

    count = Count()
    killed(path, 5, **VARIANTS[variant])
    classifier(checkpoint=path, callbacks=[count], **VARIANTS[variant]).fit(X, y)
    assert count.n_epochs == 3


def test_fit_killed_twice_resumes_to_the_same_bits(path):
    killed(path, 2)
    killed(path, 6)
    assert_same_fit(classifier(checkpoint=path).fit(X, y), classifier().fit(X, y))


def test_fit_killed_in_the_middle_of_an_epoch_resumes_to_the_same_bits(path, monkeypatch):
    net = classifier(checkpoint=path, solver=KillInStep)
    with pytest.raises(Killed):
        net.fit(X, y)
    monkeypatch.setattr(KillInStep, "dies", False)
    resumed = classifier(checkpoint=path, solver=KillInStep).fit(X, y)
    assert_same_fit(resumed, classifier(solver=KillInStep).fit(X, y))


def test_interrupted_fit_resumes_to_the_same_bits(path, monkeypatch):
    class Interrupt(KillInStep):
        def step(self, closure=None):
            try:
                super().step()
            except Killed:
                raise KeyboardInterrupt from None

    with pytest.warns(UserWarning, match="interrupted"):
        classifier(checkpoint=path, solver=Interrupt).fit(X, y)
    monkeypatch.setattr(Interrupt, "dies", False)
    resumed = classifier(checkpoint=path, solver=Interrupt).fit(X, y)
    assert_same_fit(resumed, classifier(solver=Interrupt).fit(X, y))


@pytest.mark.parametrize("variant", ["adam", "polyak", "early stopping", "snapshots"])
def test_finished_fit_is_read_back_without_training(path, variant):
    settings = VARIANTS[variant]
    whole = classifier(checkpoint=path, **settings).fit(X, y)
    again = classifier(checkpoint=path, callbacks=[Kill(1)], **settings).fit(X, y)
    assert_same_fit(again, whole)


def test_training_goes_on_with_partial_fit_after_a_resumed_fit(path):
    whole = classifier().fit(X, y).partial_fit(X, y)
    killed(path, 4)
    resumed = classifier(checkpoint=path).fit(X, y).partial_fit(X, y)
    assert_same_fit(resumed, whole)


def test_warm_start_resumes_its_own_call(path):
    first = classifier(warm_start=True).fit(X, y)
    whole = pickle.loads(pickle.dumps(first)).fit(X, y)
    second = pickle.loads(pickle.dumps(first)).set_params(checkpoint=path, callbacks=[Kill(12)])
    with pytest.raises(Killed):
        second.fit(X, y)
    resumed = first.set_params(checkpoint=path).fit(X, y)
    assert_array_equal(resumed.coefs_[0], whole.coefs_[0])
    assert resumed.loss_curve_ == whole.loss_curve_


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sample_weights_and_dtypes_resume(path, dtype):
    data = X.astype(dtype), y, WEIGHT
    with pytest.raises(Killed):
        classifier(checkpoint=path, callbacks=[Kill(3)]).fit(*data)
    assert_same_fit(classifier(checkpoint=path).fit(*data), classifier().fit(*data))


def test_regressor_resumes(path):
    settings = {"hidden_layer_sizes": (4,), "random_state": 0, "max_iter": 6, "batch_size": 20}
    target = X[:, :2]
    with pytest.raises(Killed):
        MLPRegressor(**settings, checkpoint=path, callbacks=[Kill(3)]).fit(X, target)
    resumed = MLPRegressor(**settings, checkpoint=path).fit(X, target)
    assert_array_equal(resumed.predict(X), MLPRegressor(**settings).fit(X, target).predict(X))


# -- the fingerprint


@pytest.mark.parametrize(
    ("settings", "data", "part"),
    [
        ({"alpha": 0.01}, (X, y), "its parameters differs"),
        ({"random_state": 1}, (X, y), "its parameters differs"),
        ({"max_iter": 9}, (X, y), "its parameters differs"),
        ({}, (X + 1e-12, y), "its data differs"),
        ({}, (X[::-1].copy(), y), "its data differs"),
        ({}, (X, y[::-1].copy()), "its data differs"),
        ({}, (X, y, WEIGHT), "its data differs"),
        ({}, (X.astype(np.float32), y), "its data differs"),
        ({"alpha": 0.01}, (X, y, WEIGHT), "its parameters and data differ"),
    ],
    ids=["alpha", "seed", "max_iter", "X", "order", "y", "weight", "dtype", "both"],
)
def test_checkpoint_of_another_fit_is_an_error(path, settings, data, part):
    killed(path, 3)
    net = classifier(checkpoint=path, **settings)
    with pytest.raises(ValueError, match=part) as caught:
        net.fit(*data)
    assert path in str(caught.value)
    assert "Delete the file, or give each fit a checkpoint of its own" in str(caught.value)
    assert not hasattr(net, "module_")


def test_checkpoint_of_another_estimator_is_an_error(path):
    killed(path, 3)
    settings = {"batch_size": 16, "max_iter": 8, "random_state": 0, "checkpoint": path}
    net = MLPRegressor(hidden_layer_sizes=(6,), **settings)
    with pytest.raises(ValueError, match="its estimator"):
        net.fit(X, y)


def test_checkpoint_of_another_difficulty_is_an_error(path):
    settings = {"curriculum": "linear", "checkpoint": path}
    easy_first = np.arange(60.0)
    with pytest.raises(Killed):
        classifier(callbacks=[Kill(3)], **settings).fit(X, y, difficulty=easy_first)
    with pytest.raises(ValueError, match="its data differs"):
        classifier(**settings).fit(X, y, difficulty=-easy_first)


def test_what_does_not_change_the_training_does_not_change_the_fingerprint(path):
    killed(path, 3)
    resumed = classifier(checkpoint=path, verbose=False, progress=False, device="cpu")
    assert_same_fit(resumed.fit(X, y), classifier().fit(X, y))


def test_data_in_a_memory_map_has_the_fingerprint_of_the_same_array(path, tmp_path):
    np.save(tmp_path / "X.npy", X)
    killed(path, 3)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert_same_fit(classifier(checkpoint=path).fit(mapped, y), classifier().fit(X, y))


def test_random_state_instance_resumes_in_another_process(path):
    # Another process has another instance, made from the same seed.
    kept_alive = np.random.RandomState(7)
    killed(path, 3, random_state=kept_alive)
    resumed = classifier(checkpoint=path, random_state=np.random.RandomState(7)).fit(X, y)
    assert_same_fit(resumed, classifier(random_state=np.random.RandomState(7)).fit(X, y))


def test_clones_in_a_search_never_resume_each_others_run(path):
    search = GridSearchCV(
        classifier(checkpoint=path, max_iter=2), {"alpha": [0.1, 0.2]}, cv=2, error_score="raise"
    )
    with pytest.raises(ValueError, match="belongs to another fit"):
        search.fit(X, y)


# -- the file


def test_checkpoint_holds_nothing_executable(path):
    killed(path, 3)
    with safetensors.safe_open(path, framework="numpy") as file:
        assert json.loads(file.metadata()["tree"])
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(Path(path).read_bytes())


@pytest.mark.parametrize("damage", [b"", b"nonsense", None], ids=["empty", "nonsense", "cut off"])
def test_damaged_checkpoint_is_one_clear_error(path, damage):
    killed(path, 3)
    file = Path(path)
    file.write_bytes(file.read_bytes()[:-100] if damage is None else damage)
    net = classifier(checkpoint=path)
    with pytest.raises(ValueError, match="is not a file that sknets wrote, or it is damaged"):
        net.fit(X, y)
    assert not hasattr(net, "module_")


def test_checkpoint_leaves_no_temporary_files(path):
    killed(path, 3)
    classifier(checkpoint=path).fit(X, y)
    assert [file.name for file in Path(path).parent.iterdir()] == ["training.ckpt"]


def test_checkpoint_in_a_missing_folder_is_an_error_before_training(tmp_path):
    net = classifier(checkpoint=str(tmp_path / "missing" / "training.ckpt"))
    with pytest.raises((FileNotFoundError, ValueError), match="missing"):
        net.fit(X, y)
    assert not hasattr(net, "module_")


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg"])
def test_checkpoint_of_a_full_batch_solver_is_refused(path, solver):
    with pytest.raises(ValueError, match=r"checkpoint=.* needs a stochastic solver, got solver="):
        classifier(checkpoint=path, solver=solver).fit(X, y)


def test_checkpointing_changes_nothing(path):
    assert_same_fit(classifier(checkpoint=path).fit(X, y), classifier().fit(X, y))


# -- a process that is really killed

FIT = """
import os, signal, sys
import numpy as np
from skorch.callbacks import Callback
from sknets import MLPClassifier

class Kill(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)

data = np.load(sys.argv[1])
net = MLPClassifier((6,), batch_size=16, max_iter=8, tol=0.0, random_state=0, dropout=0.3,
                    learning_rate="cosine", checkpoint=sys.argv[2], callbacks=[Kill()])
net.fit(data["X"], data["y"])
"""


@pytest.mark.slow
def test_process_killed_with_sigkill_resumes_to_the_same_bits(path, tmp_path):
    np.savez(tmp_path / "data.npz", X=X, y=y)
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", FIT, str(tmp_path / "data.npz"), path]
    done = subprocess.run([*command, "5"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    settings = {"learning_rate": "cosine", "dropout": 0.3, "tol": 0.0}
    resumed = classifier(checkpoint=path, **settings).fit(X, y)
    assert_same_fit(resumed, classifier(**settings).fit(X, y))
