"""A killed fit goes on from its file and ends at the bits that it would have had."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
import safetensors
import torch
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from sknets import MLPClassifier, MLPRegressor, _container, save
from sknets._training import checkpoint

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
    "noise": {"noise_std": 0.3},
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
    ("settings", "data", "difference"),
    [
        ({"alpha": 0.01}, (X, y), "its parameters differ (alpha was 0.0001, is 0.01)"),
        ({"random_state": 1}, (X, y), "its parameters differ (random_state was 0, is 1)"),
        ({"random_state": None}, (X, y), "its parameters differ (random_state was 0, is absent)"),
        (
            {"solver": "sgd", "max_iter": 9},
            (X, y),
            "its parameters differ (max_iter was 8, is 9; solver was 'adam', is 'sgd')",
        ),
        ({}, (X + 1e-12, y), "its data differs"),
        ({}, (X[::-1].copy(), y), "its data differs"),
        ({}, (X, y[::-1].copy()), "its data differs"),
        ({}, (X, y, WEIGHT), "its data differs"),
        ({}, (X.astype(np.float32), y), "its data differs"),
        (
            {"alpha": 0.01},
            (X, y, WEIGHT),
            "its parameters differ (alpha was 0.0001, is 0.01) and its data differs",
        ),
    ],
    ids=["alpha", "seed", "None", "two", "X", "order", "y", "weight", "dtype", "both"],
)
@pytest.mark.global_state("numpy random state")
def test_checkpoint_of_another_fit_is_an_error(path, settings, data, difference):
    killed(path, 3)
    net = classifier(checkpoint=path, **settings)
    with pytest.raises(ValueError, match="belongs to another fit") as caught:
        net.fit(*data)
    assert str(caught.value) == (
        f"checkpoint={path!r} belongs to another fit: {difference}. Delete the file, or name a "
        "folder, in which each fit keeps a file of its own."
    )
    assert not hasattr(net, "module_")


def test_warm_start_from_other_weights_is_an_error(path):
    first = classifier(warm_start=True).fit(X, y)
    killed(path, 3, warm_start=True)
    with pytest.raises(ValueError, match="another fit: the weights that it starts from differ"):
        first.set_params(checkpoint=path).fit(X, y)


@pytest.mark.parametrize("n", [3, 3000])
def test_arrays_among_the_parameters_differ_by_their_last_bit(n):
    array = np.linspace(0, 1, n)
    found = [
        checkpoint.fingerprint("Net", {"a": a}, None, None)
        for a in (array, array.copy(), np.nextafter(array, 2))
    ]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("kind", ["module", "state dict", "estimator"])
def test_weights_among_the_parameters_count(kind):
    def parameters(seed):
        fitted = MLPClassifier(3, max_iter=1, random_state=seed).fit(X, y)
        fitted.set_params(random_state=0)  # what was learnt differs, no more
        module = fitted.module_
        weights = {"module": module, "state dict": module.state_dict(), "estimator": fitted}
        return {"weights": weights[kind]}

    one, again, other = (
        checkpoint.fingerprint("CNNClassifier", parameters(seed), [], None) for seed in (0, 0, 1)
    )
    assert one == again
    assert one != other


def test_checkpoint_of_another_estimator_is_an_error(path):
    killed(path, 3)
    settings = {"batch_size": 16, "max_iter": 8, "random_state": 0, "checkpoint": path}
    net = MLPRegressor(hidden_layer_sizes=(6,), **settings)
    with pytest.raises(ValueError, match="another fit: its estimator is MLPClassifier"):
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


def test_clones_in_a_search_do_not_share_a_file(path):
    search = GridSearchCV(
        classifier(checkpoint=path, max_iter=2), {"alpha": [0.1, 0.2]}, cv=2, error_score="raise"
    )
    with pytest.raises(ValueError, match="belongs to another fit"):
        search.fit(X, y)


# -- a folder


def epochs_in(folder):
    """How many epochs each of the fits in a folder has behind it."""
    return sorted(len(_container.read(file)["history"]) for file in folder.iterdir())


@pytest.mark.parametrize("kind", [str, Path, "{}/".format])
def test_fits_in_a_folder_resume_each_from_its_own_file(tmp_path, kind):
    alphas = (0.1, 0.2)
    for alpha in alphas:
        killed(kind(tmp_path), 5, alpha=alpha)
    assert epochs_in(tmp_path) == [5, 5]
    for alpha in alphas:
        net = classifier(checkpoint=kind(tmp_path), alpha=alpha, callbacks=[Kill(3)])
        assert_same_fit(net.fit(X, y), classifier(alpha=alpha).fit(X, y))
    assert epochs_in(tmp_path) == [8, 8]


def test_folder_is_made_where_the_path_ends_as_one(tmp_path):
    classifier(checkpoint=f"{tmp_path}/new/runs/").fit(X, y)
    (file,) = (tmp_path / "new" / "runs").iterdir()
    assert file.name.startswith("MLPClassifier-")
    assert file.suffix == ".checkpoint"


def test_calls_of_a_warm_start_have_files_of_their_own(tmp_path):
    settings = {"warm_start": True, "tol": 0.0}
    whole = classifier(**settings).fit(X, y).fit(X, y)
    net = classifier(checkpoint=tmp_path, **settings).fit(X, y)
    with pytest.raises(Killed):
        net.set_params(callbacks=[Kill(12)]).fit(X, y)
    again = classifier(checkpoint=tmp_path, callbacks=[Kill(3)], **settings).fit(X, y)
    assert_same_fit(again.fit(X, y), whole)
    assert epochs_in(tmp_path) == [8, 16]


def test_random_states_in_a_folder_are_told_apart_by_their_seeds(tmp_path):
    for seed in (1, 2):
        killed(tmp_path, 5, random_state=np.random.RandomState(seed))
    for seed in (1, 2):
        random_state = np.random.RandomState(seed)
        resumed = classifier(
            checkpoint=tmp_path, random_state=random_state, callbacks=[Kill(3)]
        ).fit(X, y)
        whole = classifier(random_state=np.random.RandomState(seed)).fit(X, y)
        assert_same_fit(resumed, whole)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.global_state("numpy random state")
def test_folder_needs_a_seed(tmp_path):
    net = classifier(checkpoint=tmp_path, random_state=None)
    message = "'random_state' parameter of MLPClassifier an int. Got None instead"
    with pytest.raises(ValueError, match=message):
        net.fit(X, y)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_equal_fits_at_once_share_a_whole_file(tmp_path, backend):
    whole = classifier().fit(X, y)
    fits = [joblib.delayed(classifier(checkpoint=tmp_path).fit)(X, y) for _ in range(4)]
    for net in joblib.Parallel(n_jobs=2, backend=backend)(fits):
        assert_same_fit(net, whole)
    assert epochs_in(tmp_path) == [8]
    assert_same_fit(classifier(checkpoint=tmp_path, callbacks=[Kill(1)]).fit(X, y), whole)


def search(**settings):
    """A search over two values and two folds, in two processes."""
    grid = {"alpha": [0.1, 0.2]}
    return GridSearchCV(classifier(**settings), grid, cv=2, n_jobs=2, refit=False)


def assert_same_search(a, b):
    for name, scores in a.cv_results_.items():
        if name.endswith("_score"):
            assert_array_equal(scores, b.cv_results_[name], err_msg=name)


def test_interrupted_search_resumes_to_the_same_scores(tmp_path):
    with pytest.raises(ValueError, match="All the 4 fits failed"):
        search(checkpoint=tmp_path, callbacks=[Kill(5)]).fit(X, y)
    assert epochs_in(tmp_path) == [5] * 4
    resumed = search(checkpoint=tmp_path, callbacks=[Kill(3)]).fit(X, y)  # a fresh fit would die
    assert_same_search(resumed, search().fit(X, y))
    assert epochs_in(tmp_path) == [8] * 4


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


def test_file_of_another_kind_is_left_alone(path):
    save(classifier(), path)
    before = Path(path).read_bytes()
    with pytest.raises(ValueError, match="is a file of another kind than a checkpoint"):
        classifier(checkpoint=path).fit(X, y)
    assert Path(path).read_bytes() == before


def test_checkpoint_leaves_no_temporary_files(path):
    killed(path, 3)
    classifier(checkpoint=path).fit(X, y)
    assert [file.name for file in Path(path).parent.iterdir()] == ["training.ckpt"]


def test_checkpoint_in_a_missing_folder_is_an_error_before_training(tmp_path):
    net = classifier(checkpoint=str(tmp_path / "missing" / "training.ckpt"))
    with pytest.raises(ValueError, match=r"must be a folder, or a file in .*missing/training"):
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


SEARCH = """
import sys
import numpy as np
from sklearn.model_selection import GridSearchCV
from sknets import MLPClassifier

data = np.load(sys.argv[1])
net = MLPClassifier((6,), batch_size=16, max_iter=400, tol=0.0, n_iter_no_change=1000,
                    random_state=0, checkpoint=sys.argv[2])
GridSearchCV(net, {"alpha": [0.1, 0.2]}, cv=2, n_jobs=2, refit=False).fit(data["X"], data["y"])
"""


@pytest.mark.slow
def test_search_killed_with_sigkill_resumes_to_the_same_scores(tmp_path):
    folder = tmp_path / "runs"
    np.savez(tmp_path / "data.npz", X=X, y=y)
    process = subprocess.Popen(
        [sys.executable, "-c", SEARCH, str(tmp_path / "data.npz"), f"{folder}/"],
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    )
    while process.poll() is None and not (folder.is_dir() and len(list(folder.glob("M*"))) == 3):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)  # with the processes of n_jobs
    assert process.wait() == -signal.SIGKILL
    settings = {"max_iter": 400, "tol": 0.0, "n_iter_no_change": 1000}
    resumed = search(checkpoint=folder, **settings).fit(X, y)
    assert_same_search(resumed, search(**settings).fit(X, y))
