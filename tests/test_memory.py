"""Memory that training keeps between minibatches, and gives back."""

import resource
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from sknets import MLPClassifier, _memory
from sknets._memory import kept_memory

of_glibc = pytest.mark.skipif(
    not sys.platform.startswith("linux") or _memory._library() is None,
    reason="the C library is another one, or told by the environment what to do",
)
SIZE = 2**24  # numbers, which are 64 MiB and 16,384 pages


def faults_of_an_allocation():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(SIZE).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@of_glibc
def test_what_is_freed_is_used_again():
    with kept_memory():
        within = [faults_of_an_allocation() for _ in range(5)]
    assert sorted(within)[2] < 100  # the first ones have to get it
    assert all(faults_of_an_allocation() > 10_000 for _ in range(3))


@of_glibc
def test_it_is_given_back_once_nobody_trains(monkeypatch):
    told = []
    monkeypatch.setattr(_memory, "_set_thresholds", lambda library, *values: told.append(values))
    with kept_memory(), kept_memory():
        pass
    with pytest.raises(KeyboardInterrupt), kept_memory():
        raise KeyboardInterrupt
    given_back = (_memory.LARGEST_DEFAULT, 2 * _memory.LARGEST_DEFAULT)
    assert told == [(_memory.KEPT, _memory.KEPT), given_back] * 2


def test_another_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(_memory, "_library", lambda: None)
    monkeypatch.setattr(_memory, "_enter", None)
    with kept_memory():
        pass


@pytest.mark.parametrize(
    "told", [("MALLOC_MMAP_THRESHOLD_", "1000"), ("GLIBC_TUNABLES", "glibc.malloc.top_pad=1")]
)
def test_the_environment_has_the_last_word(monkeypatch, told):
    monkeypatch.setenv(*told)
    assert _memory._library.__wrapped__() is None


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_fits_in_threads_leave_nothing_behind():
    def fit(seed):
        X = torch.arange(40.0).reshape(20, 2).numpy() / 40
        return MLPClassifier(3, max_iter=5, random_state=seed).fit(X, [0, 1] * 10)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fit, range(8)))
    assert _memory._n_inside == 0
