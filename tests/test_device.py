"""Where and how precisely a network computes."""

import pickle
import threading

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sknets import MLPClassifier
from sknets._device import (
    SMALL,
    TINY,
    _set_mkl_threads,
    compute_dtype,
    resolve_device,
    threads_for,
)

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3))
y = (X[:, 0] > 0).astype(int)
CPU = torch.device("cpu")


def test_auto_is_the_gpu_where_there_is_one():
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("device", ["cpu", "cpu:0", torch.device("cpu")])
def test_device_is_resolved_by_name(device):
    assert resolve_device(device).type == "cpu"


@pytest.mark.parametrize("device", ["gpu", "", "cuda:one", "cpu:0:1"])
def test_unknown_device_is_an_error_that_lists_what_is_allowed(device):
    allowed = "'auto', 'cpu', 'cuda', 'cuda:<number>' or 'mps'"
    with pytest.raises(ValueError, match=allowed) as caught:
        resolve_device(device)
    assert "'device' parameter" in str(caught.value)
    assert repr(device) in str(caught.value)


@pytest.mark.parametrize("device", ["cuda:99", "cpu:1", "xpu", "meta"])
def test_device_that_is_not_there_is_an_error(device):
    with pytest.raises(ValueError, match="'device' parameter"):
        resolve_device(device)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta"])
def test_error_names_the_estimator_too(device):
    net = MLPClassifier(device=device)
    with pytest.raises(ValueError, match="'device' parameter of MLPClassifier"):
        net.fit(X, y)
    assert not hasattr(net, "module_")


@pytest.mark.parametrize(
    ("precision", "dtype", "exact", "expected"),
    [
        ("auto", np.float64, True, torch.float64),
        ("auto", np.float64, False, torch.float32),
        ("auto", np.float32, True, torch.float32),
        ("auto", np.float32, False, torch.float32),
        ("float32", np.float64, True, torch.float32),
        ("float64", np.float32, False, torch.float64),
    ],
)
def test_precision_decides_what_is_computed_in(precision, dtype, exact, expected):
    assert compute_dtype(precision, np.dtype(dtype), exact) is expected


@pytest.fixture
def two_threads():
    """Two threads, whatever the machine and OMP_NUM_THREADS say."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_small_steps_run_on_one_thread_and_the_count_is_restored(two_threads):
    for work in (TINY, SMALL - 1):
        with threads_for(work, CPU):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    with threads_for(SMALL, CPU):
        assert torch.get_num_threads() == 2


def test_mkls_own_count_is_limited_and_restored(two_threads):
    set_threads = _set_mkl_threads()
    before = set_threads(2)  # as torch.set_num_threads leaves it
    with threads_for(TINY, CPU):
        assert set_threads(1) in (0, 1)  # 0 where torch comes without MKL
    assert set_threads(before) in (0, 2)


def test_thread_count_is_restored_after_an_error(two_threads):
    with pytest.raises(RuntimeError), threads_for(TINY, CPU):
        raise RuntimeError
    assert torch.get_num_threads() == 2


def test_thread_limit_leaves_other_threads_alone(two_threads):
    counts, inside, done = [], threading.Event(), threading.Event()

    def old_thread():
        counts.append(torch.get_num_threads())
        inside.set()
        done.wait(10)
        counts.append(torch.get_num_threads())

    other = threading.Thread(target=old_thread)
    other.start()
    inside.wait(10)
    with threads_for(TINY, CPU):
        done.set()
        other.join()
    assert counts == [2, 2]


def test_thread_that_starts_during_a_limit_is_not_limited(two_threads):
    counts = []
    with threads_for(TINY, CPU):
        new = threading.Thread(target=lambda: counts.append(torch.get_num_threads()))
        new.start()
        new.join()
    assert counts == [2]


def test_fit_and_predict_leave_the_thread_count_alone(two_threads):
    net = MLPClassifier((3,), max_iter=2, random_state=0).fit(X, y)
    assert torch.get_num_threads() == 2
    net.predict(X)
    assert torch.get_num_threads() == 2


def test_number_of_threads_changes_results_by_rounding_alone(two_threads):
    settings = {"max_iter": 3, "random_state": 0, "batch_size": 200}
    wide = rng.normal(size=(200, 300)).astype(np.float32)
    labels = (wide[:, 0] > 0).astype(int)
    assert SMALL < 6.0 * 200 * 300 * 600  # both cores take part
    on_two = MLPClassifier((600,), **settings).fit(wide, labels).coefs_[0]
    torch.set_num_threads(1)
    on_one = MLPClassifier((600,), **settings).fit(wide, labels).coefs_[0]
    assert_allclose(on_one, on_two, atol=1e-5)


def test_pickle_of_a_network_of_a_missing_device_computes_on_the_cpu():
    net = MLPClassifier((5,), max_iter=5, random_state=0).fit(X, y)
    expected = net.predict_proba(X)
    net.device = "cuda:99"  # as if it came from a larger machine
    copy = pickle.loads(pickle.dumps(net))
    assert next(copy.module_.parameters()).device == CPU
    assert_allclose(copy.predict_proba(X), expected)
