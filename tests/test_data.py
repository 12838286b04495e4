"""Minibatches: each row once an epoch, with its target and weight, wherever the rows lie."""

import threading

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn
from torch.utils.data import Dataset

from sknets import MLPClassifier, MLPRegressor, _data
from sknets._data import (
    Batch,
    DatasetRows,
    LazyRows,
    MappedData,
    ResidentData,
    StreamedData,
    as_tensor,
    is_memory_map,
    is_streamed,
    slices,
    sparse_tensor,
)

pytestmark = [  # few epochs on purpose
    pytest.mark.filterwarnings("ignore:Stochastic Optimizer"),
    pytest.mark.filterwarnings("ignore:lbfgs failed to converge"),
]

rng = np.random.default_rng(0)
N = 103
ROWS = np.column_stack([np.arange(N), np.arange(N) * 10]).astype(np.float32)
Y = torch.arange(N)
WEIGHT = torch.arange(N) / 2.0
CPU = dict(dtype=torch.float32, device=torch.device("cpu"))
X = rng.normal(size=(120, 4))
y = (X[:, 0] + X[:, 1] > 0).astype(int)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def resident(batch_size=10, x=None):
    x = torch.from_numpy(ROWS) if x is None else x
    return ResidentData(x, Y, WEIGHT, batch_size=batch_size, **CPU)


def sparse(batch_size=10):
    return resident(batch_size, sp.csr_array(ROWS))


def streamed(batch_size=10, read=None, row_bytes=8):
    read = ROWS.__getitem__ if read is None else read
    return StreamedData(read, N, row_bytes, Y, WEIGHT, batch_size=batch_size, **CPU)


KINDS = {"resident": resident, "sparse": sparse, "streamed": streamed}


@pytest.fixture(params=KINDS)
def make(request):
    return KINDS[request.param]


@pytest.fixture
def tiny_chunks(monkeypatch):
    """Streams of 8-byte rows in blocks of 5 and chunks of 20 rows."""
    monkeypatch.setattr(_data, "BLOCK_BYTES", 40)
    monkeypatch.setattr(_data, "CHUNK_BYTES", 160)


def numbers(batches):
    """The row numbers of batches, which every part of a batch must agree on."""
    order = []
    for x, target, weight in batches:
        x = x.to_dense() if x.is_sparse else x
        assert x.dtype == torch.float32
        assert_array_equal(x[:, 1], 10 * x[:, 0])
        assert_array_equal(x[:, 0], target)
        assert_array_equal(weight, target / 2)
        order.extend(target.tolist())
    return order


# -- an epoch


@pytest.mark.parametrize("batch_size", [1, 10, 103, 1000])
def test_epoch_has_every_row_once(make, batch_size):
    data = make(batch_size)
    assert data.n_samples == N
    for generator in (None, seeded()):
        assert sorted(numbers(data.epoch(generator))) == list(range(N))


def test_epoch_without_generator_keeps_the_order(make):
    assert numbers(make().epoch(None)) == list(range(N))


def test_every_epoch_has_another_order_that_its_generator_decides(make):
    data, generator = make(), seeded()
    first, second = (numbers(data.epoch(generator)) for _ in range(2))
    assert first != second
    assert first != list(range(N))
    assert numbers(data.epoch(seeded(0))) == first
    assert numbers(data.epoch(seeded(1))) != first


def test_only_the_last_batch_is_short(make):
    for generator in (None, seeded()):
        sizes = [len(target) for _, target, _ in make().epoch(generator)]
        assert sizes == [10] * 10 + [3]


@pytest.mark.parametrize("generator", [None, 0])
def test_epoch_over_some_rows_has_each_of_them_once(make, generator):
    rows = np.array([50, 3, 99, 7, 8, 102, 0, 61, 62, 63, 64, 65])
    generator = None if generator is None else seeded(generator)
    order = numbers(make(5).epoch(generator, rows))
    assert sorted(order) == sorted(rows.tolist())


def test_rows_keep_their_order_where_there_is_no_generator(make):
    rows = np.array([50, 3, 99, 7])
    assert numbers(make(3).epoch(None, rows)) == rows.tolist()


def test_epoch_needs_neither_targets_nor_weights():
    for data in (
        ResidentData(torch.from_numpy(ROWS), batch_size=50, **CPU),
        StreamedData(ROWS.__getitem__, N, 8, batch_size=50, **CPU),
    ):
        batches = list(data.epoch(seeded()))
        assert [batch.y for batch in batches] == [None] * 3
        assert [batch.weight for batch in batches] == [None] * 3
        assert sum(batch.total_weight for batch in batches) == N


def test_total_weight_is_the_number_of_samples_or_the_sum_of_their_weights():
    assert Batch(torch.zeros(7, 2)).total_weight == 7
    assert Batch(torch.zeros(3, 2), weight=torch.tensor([0.5, 0.0, 2.0])).total_weight == 2.5


def test_order_is_the_same_whether_data_is_permuted_whole_or_by_batches(monkeypatch):
    whole = numbers(resident().epoch(seeded()))
    monkeypatch.setattr(_data, "PERMUTE_WHOLE_BYTES", 0)
    assert numbers(resident().epoch(seeded())) == whole


def test_permutation_is_uniform():
    # 2000 epochs of 4 rows: each of the 24 orders comes 2000 / 24 = 83 times, give or take 9.
    data = ResidentData(torch.arange(4.0)[:, None], Y[:4], batch_size=4, **CPU)
    generator = seeded()
    orders = [tuple(next(data.epoch(generator)).y.tolist()) for _ in range(2000)]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert abs(counts - 2000 / 24).max() < 5 * np.sqrt(2000 / 24)


# -- streams


@pytest.mark.parametrize("batch_size", [3, 5, 20, 500])
def test_stream_of_many_chunks_has_every_row_once(tiny_chunks, batch_size):
    for generator in (None, seeded()):
        data = streamed(batch_size)
        batches = list(data.epoch(generator))
        assert sorted(numbers(batches)) == list(range(N))
        assert [len(batch.y) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)


def test_stream_mixes_blocks_from_all_over_the_data(tiny_chunks):
    order = numbers(streamed(5).epoch(seeded()))
    first_chunk = np.array(order[:20])
    assert first_chunk.max() - first_chunk.min() > 40
    assert any(np.diff(first_chunk) != 1)


def test_stream_reads_each_row_once_and_never_much_at_a_time(tiny_chunks):
    reads = []

    def read(rows):
        reads.append(np.arange(N)[rows])
        return ROWS[rows]

    numbers(streamed(5, read).epoch(seeded()))
    assert_array_equal(np.sort(np.concatenate(reads)), np.arange(N))
    assert max(len(rows) for rows in reads) == 5
    assert all((np.diff(rows) == 1).all() for rows in reads)  # a disk reads neighbours fast


def test_stream_reads_a_chunk_ahead_in_a_thread_and_no_further(tiny_chunks):
    second_chunk, threads, n_read = threading.Event(), set(), []

    def read(rows):
        threads.add(threading.current_thread().name)
        n_read.append(len(np.arange(N)[rows]))
        if sum(n_read) == 40:
            second_chunk.set()
        return ROWS[rows]

    epoch = streamed(5, read).epoch(None)
    next(epoch)  # the first batch of the first chunk
    assert second_chunk.wait(timeout=10)
    assert sum(n_read) == 40
    assert threads == {"sknets-prefetch_0"}
    assert len(numbers(epoch)) == N - 5
    assert not [t for t in threading.enumerate() if t.name.startswith("sknets")]


def test_stream_that_is_left_early_ends_its_thread(tiny_chunks):
    epoch = streamed(5).epoch(seeded())
    next(epoch)
    epoch.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("sknets")]


def test_error_of_the_reader_reaches_the_caller(tiny_chunks):
    def read(rows):
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        next(streamed(5, read).epoch(None))


def test_batches_of_a_chunk_hold_no_more_than_the_chunk(tiny_chunks):
    first = next(streamed(5).epoch(seeded()))
    assert first.x.untyped_storage().nbytes() <= 160


@pytest.fixture
def torch_warns_always():
    """torch gives some of its warnings once in a process, which may be in another test."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(before)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_memory_map_streams_without_warning_or_change(tmp_path, mode, torch_warns_always):
    np.save(tmp_path / "rows.npy", ROWS)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode=mode)
    for batch in streamed(10, mapped.__getitem__).epoch(seeded()):
        batch.x.zero_()
    assert_array_equal(np.load(tmp_path / "rows.npy"), ROWS)


class Pairs(Dataset):
    """A torch Dataset with targets."""

    def __init__(self, X=X, y=y):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, i):
        return torch.tensor(self.X[i]), self.y[i]


class Inputs(Pairs):
    """A torch Dataset without targets, of arrays."""

    def __getitem__(self, i):
        return self.X[i]


def full_batch(estimator=MLPClassifier):
    """A network whose result does not depend on the order of the rows."""
    return estimator(
        hidden_layer_sizes=(5,), solver="lbfgs", max_iter=25, alpha=0.1, random_state=0
    )


@pytest.fixture
def mapped(tmp_path, monkeypatch):
    """A memory map that is read in chunks of 40 rows, as if it were too large to hold."""
    monkeypatch.setattr(_data, "STREAM_BYTES", 0)
    monkeypatch.setattr(_data, "BLOCK_BYTES", 320)
    monkeypatch.setattr(_data, "CHUNK_BYTES", 1280)
    np.save(tmp_path / "X.npy", X)
    return np.load(tmp_path / "X.npy", mmap_mode="r")


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_streamed_fit_finds_what_a_resident_fit_finds(mapped, estimator):
    assert is_streamed(mapped)
    target = y if estimator is MLPClassifier else X[:, 0] * X[:, 1]
    reference = full_batch(estimator).fit(X, target)
    for data in (mapped, Pairs(y=target), Inputs(y=target)):
        labels = None if type(data) is Pairs else target
        net = full_batch(estimator).fit(data, labels)
        assert_allclose(net.loss_, reference.loss_, rtol=1e-6)
        assert_allclose(net.coefs_[0], reference.coefs_[0], rtol=1e-3, atol=1e-4)
        assert_array_equal(net.predict(data), net.predict(X))


def test_streamed_fit_weighs_its_samples(mapped):
    weight = np.arange(120) % 3
    reference = full_batch().fit(X, y, sample_weight=weight)
    for data in (mapped, Pairs()):
        net = full_batch().fit(data, y, sample_weight=weight)
        assert_allclose(net.loss_, reference.loss_, rtol=1e-6)


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"curriculum": "root"}])
def test_stochastic_fit_of_a_stream_learns_and_repeats(mapped, settings):
    settings = settings | {
        "max_iter": 12,
        "batch_size": 10,
        "random_state": 0,
        "learning_rate_init": 0.05,
    }
    difficulty = -abs(X[:, 0] + X[:, 1])
    nets = [MLPClassifier((8,), **settings).fit(mapped, y, difficulty=difficulty) for _ in range(2)]
    assert nets[0].score(mapped, y) > 0.9
    assert_array_equal(nets[0].coefs_[0], nets[1].coefs_[0])


def test_stream_is_neither_held_nor_written_to(mapped):
    net = MLPClassifier((3,), max_iter=2, random_state=0, batch_size=20).fit(mapped, y)
    assert not any(
        np.shares_memory(mapped, v) for v in vars(net).values() if isinstance(v, np.ndarray)
    )
    assert_array_equal(mapped, X)


def test_dataset_gives_its_targets_to_fit():
    settings = {"hidden_layer_sizes": (3,), "max_iter": 3, "random_state": 0, "batch_size": 120}
    paired = MLPClassifier(**settings).fit(Pairs(), None)
    given = MLPClassifier(**settings).fit(Inputs(), y)
    assert_array_equal(paired.coefs_[0], given.coefs_[0])
    assert_array_equal(paired.classes_, [0, 1])


def test_given_targets_go_before_those_of_the_dataset():
    settings = {"hidden_layer_sizes": (3,), "max_iter": 3, "random_state": 0}
    net = MLPClassifier(**settings).fit(Pairs(), np.where(y, "yes", "no"))
    assert_array_equal(net.classes_, ["no", "yes"])


def test_dataset_without_targets_needs_them():
    with pytest.raises(ValueError, match="y"):
        MLPClassifier().fit(Inputs(), None)


def test_dataset_of_another_length_than_its_targets_is_an_error():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        MLPClassifier().fit(Inputs(), y[:-1])


def test_dataset_of_other_items_than_those_of_fit_is_an_error():
    net = MLPClassifier((3,), max_iter=1, random_state=0).fit(Pairs(), None)
    with pytest.raises(ValueError, match=r"items of X have shape \(3,\).* expecting \(4,\)"):
        net.predict(Inputs(X[:, :3]))


def test_dataset_of_images_is_an_error_that_says_so():
    net = MLPClassifier((3,), max_iter=1, random_state=0)
    with pytest.raises(ValueError, match="shape"):
        net.fit(Inputs(X.reshape(120, 2, 2)), y)
    assert not hasattr(net, "module_")


def test_empty_dataset_is_an_error():
    with pytest.raises(ValueError, match="0 sample"):
        MLPClassifier().fit(Inputs(X[:0]), y[:0])


# -- the views


def test_dataset_reads_like_an_array():
    rows = DatasetRows(Pairs())
    assert rows.shape == (120, 4)
    assert len(rows) == 120
    assert rows.dtype == np.float64
    assert rows.nbytes == X.nbytes
    assert_array_equal(rows[10:13], X[10:13])
    assert_array_equal(rows[np.array([7, 3, 3])], X[[7, 3, 3]])
    assert_array_equal(rows.targets(), y)


def test_dataset_of_whole_numbers_becomes_float32():
    rows = DatasetRows(Inputs(np.arange(12).reshape(6, 2)))
    assert rows.dtype == np.float32
    assert rows[0:2].dtype == np.float32


def test_lazy_rows_read_only_what_they_are_asked_for():
    asked = []

    class Watched:
        shape, dtype, nbytes = (120, 4), X.dtype, X.nbytes

        def __getitem__(self, rows):
            asked.append(rows)
            return X[rows]

    lazy = LazyRows(Watched(), np.arange(119, -1, -2))
    assert lazy.shape == (60, 4)
    assert len(lazy) == 60
    assert lazy.nbytes == X.nbytes // 2
    assert not asked
    assert_array_equal(lazy[1:3], X[[117, 115]])
    assert_array_equal(lazy[np.array([0, -1])], X[[119, 1]])
    assert_array_equal(np.concatenate(asked), [117, 115, 119, 1])


def test_mapped_data_passes_inputs_through_a_network_and_leaves_it_as_it_is():
    with torch.device("meta"):
        norm = nn.BatchNorm1d(2, affine=False)
    norm = norm.to_empty(device="cpu")
    norm.reset_parameters()
    network = nn.Sequential(norm, nn.Dropout(0.5)).train()
    data = MappedData(resident(), network)
    assert (data.n_samples, data.batch_size) == (N, 10)
    batches = list(data.epoch(seeded()))
    torch.testing.assert_close(
        torch.cat([b.x for b in batches])[:, 0],
        torch.cat([b.y for b in batches]).float(),
        rtol=1e-4,
        atol=1e-3,
    )
    assert norm.num_batches_tracked == 0


# -- details


def test_as_tensor_shares_memory_where_it_may_be_written_to(torch_warns_always):
    array = np.zeros((3, 2), np.float32)
    assert as_tensor(array, torch.float32, "cpu").data_ptr() == array.ctypes.data
    array.flags.writeable = False
    tensor = as_tensor(array, torch.float32, "cpu")
    tensor.fill_(1)
    assert not array.any()


@pytest.mark.parametrize("view", [lambda a: a[::-1], lambda a: a.T, lambda a: a[:, ::2]])
def test_as_tensor_takes_any_layout(view):
    array = view(np.arange(12.0).reshape(3, 4))
    assert_array_equal(as_tensor(array, torch.float64, "cpu"), array)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_tensor_holds_the_matrix(dtype):
    matrix = sp.random_array((6, 5), density=0.3, rng=0, dtype=dtype, format="csr")
    assert_array_equal(sparse_tensor(matrix, "cpu").to_dense(), matrix.toarray())


def test_memory_map_is_known_through_its_views(tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert is_memory_map(mapped)
    assert is_memory_map(np.asarray(mapped)[3:, :2])
    assert not is_memory_map(np.array(mapped))
    assert not is_memory_map(sp.csr_array(X))
    assert not is_streamed(mapped)  # small ones are held
    assert is_streamed(LazyRows(mapped, np.arange(3)))


@pytest.mark.parametrize(("n", "size", "lengths"), [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (0, 3, [])])
def test_slices_cover(n, size, lengths):
    parts = [np.arange(n)[part] for part in slices(n, size)]
    assert [len(part) for part in parts] == lengths
    assert_array_equal(np.concatenate([*parts, []]), np.arange(n))
