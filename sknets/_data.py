"""Minibatches: of data resident on the device, and of data streamed from where it lies.

Both kinds have ``n_samples``, ``weight_sum`` and ``epoch(generator, rows)``, which yields the
batches of one epoch, permuted by `generator` (None keeps the order) and limited to `rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Any, NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

PERMUTE_WHOLE_BYTES = 64 * 2**20  # above this a permuted copy of the data costs too much memory
STREAM_BYTES = 256 * 2**20  # a memory map larger than this is streamed
CHUNK_BYTES = 48 * 2**20  # read ahead at a time
BLOCK_BYTES = 256 * 2**10  # read in one piece: long enough for a disk, short enough to mix well


class Batch(NamedTuple):
    """A minibatch on the device, `x` a tensor or `Sequences`."""

    x: Any
    y: Tensor | None = None
    weight: Tensor | None = None

    @property
    def targets(self) -> Tensor:
        """The targets, of a batch that must have them."""
        assert self.y is not None
        return self.y

    @property
    def n_terms(self) -> int:
        """How many losses there are a mean of: one a sample, or one a step of sequences."""
        return (self.x if self.y is None else self.y).shape[0]

    @property
    def total_weight(self) -> float:
        """The number of losses, or the sum of their weights."""
        return self.n_terms if self.weight is None else self.weight.sum().item()


class Data(Protocol):
    """What a trainer asks of its data."""

    n_samples: int
    batch_size: int
    dtype: torch.dtype
    device: torch.device

    def epoch(
        self, generator: torch.Generator | None, rows: np.ndarray | None = None
    ) -> Iterator[Batch]: ...


class ResidentData:
    """Samples that live on the device as whole tensors (or as one sparse matrix).

    Parameters
    ----------
    x : Tensor of shape (n_samples, ...) or scipy CSR of shape (n_samples, n_features)
    y, weight : Tensor of shape (n_samples, ...), optional
    batch_size : int
    dtype, device
        Of the batches.
    """

    def __init__(
        self,
        x: Tensor | sp.csr_array,
        y: Tensor | None = None,
        weight: Tensor | None = None,
        *,
        batch_size: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.x, self.y, self.weight = x, y, weight
        self.n_samples = x.shape[0]
        self.batch_size, self.dtype, self.device = batch_size, dtype, device

    def epoch(
        self, generator: torch.Generator | None, rows: np.ndarray | None = None
    ) -> Iterator[Batch]:
        order = None if rows is None else torch.from_numpy(rows)
        n = self.n_samples if order is None else len(order)
        if generator is not None and n > 1:
            permutation = torch.randperm(n, generator=generator)
            order = permutation if order is None else order[permutation]
        if sp.issparse(self.x):
            yield from self._sparse_batches(order, n)
        elif order is None or self.x.nbytes <= PERMUTE_WHOLE_BYTES:
            data = self if order is None else self._taken(order.to(self.device))
            yield from data._batches()
        else:
            order = order.to(self.device)
            for part in order.split(self.batch_size):
                yield from self._taken(part)._batches()

    def _taken(self, order: Tensor) -> ResidentData:
        x, y, weight = (
            None if t is None else t.index_select(0, order) for t in (self.x, self.y, self.weight)
        )
        return ResidentData(
            x, y, weight, batch_size=self.batch_size, dtype=self.dtype, device=self.device
        )

    def _batches(self) -> Iterator[Batch]:
        """The samples in order."""
        columns = (
            repeat(None) if t is None else t.split(self.batch_size)
            for t in (self.x, self.y, self.weight)
        )
        return map(Batch, *columns)

    def _sparse_batches(self, order: Tensor | None, n: int) -> Iterator[Batch]:
        y, weight = (
            t if t is None or order is None else t.index_select(0, order.to(t.device))
            for t in (self.y, self.weight)
        )
        x = self.x if order is None else self.x[order.numpy()]
        for start in range(0, n, self.batch_size):
            rows = slice(start, start + self.batch_size)
            yield Batch(
                sparse_tensor(x[rows], self.device),
                None if y is None else y[rows],
                None if weight is None else weight[rows],
            )


class StreamedData:
    """Samples read from an array, a memory map or a torch Dataset a chunk ahead, in bounded memory.

    An epoch reads blocks of neighbouring rows in random order, enough of them at a time to fill a
    chunk, and permutes the rows of the chunk. A thread reads the next chunk while this one trains.

    Parameters
    ----------
    read : callable
        ``read(rows)`` gives the inputs of a slice or an index array as an array.
    n_samples, row_bytes : int
    y, weight : Tensor of shape (n_samples, ...), optional
        Targets and weights, which fit into memory.
    batch_size : int
    dtype, device
        Of the batches.
    """

    def __init__(
        self,
        read: Callable[[Any], Any],
        n_samples: int,
        row_bytes: int,
        y: Tensor | None = None,
        weight: Tensor | None = None,
        *,
        batch_size: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.read, self.n_samples = read, n_samples
        self.y, self.weight = y, weight
        self.batch_size, self.dtype, self.device = batch_size, dtype, device
        self.block = batch_size * max(1, BLOCK_BYTES // max(1, row_bytes * batch_size))
        self.blocks_a_chunk = max(1, CHUNK_BYTES // max(1, row_bytes * self.block))

    def epoch(
        self, generator: torch.Generator | None, rows: np.ndarray | None = None
    ) -> Iterator[Batch]:
        n = self.n_samples if rows is None else len(rows)
        whole, rest = divmod(n, self.block)
        blocks = np.arange(whole)
        if generator is not None:
            blocks = torch.randperm(whole, generator=generator).numpy()
        if rest:  # the short block is last, so that every batch but the last is full
            blocks = np.append(blocks, whole)
        chunks = [
            blocks[i : i + self.blocks_a_chunk] for i in range(0, len(blocks), self.blocks_a_chunk)
        ]
        with ThreadPoolExecutor(1, "sknets-prefetch") as pool:
            ahead = pool.submit(self._chunk, chunks[0], n, rows)
            for following in [*chunks[1:], None]:
                chunk = ahead.result()
                if following is not None:
                    ahead = pool.submit(self._chunk, following, n, rows)
                yield from chunk.epoch(generator)

    def _chunk(self, blocks: np.ndarray, n: int, rows: np.ndarray | None) -> ResidentData:
        starts = [b * self.block for b in blocks]
        where = np.concatenate([np.arange(i, min(n, i + self.block)) for i in starts])
        spans: list[Any] = [slice(i, min(n, i + self.block)) for i in starts]
        if rows is not None:
            where = rows[where]
            spans = [where]
        x = np.concatenate([self.read(span) for span in spans])
        index = torch.from_numpy(where)
        return ResidentData(
            torch.from_numpy(x).to(self.device, self.dtype),
            None if self.y is None else self.y[index].to(self.device),
            None if self.weight is None else self.weight[index].to(self.device),
            batch_size=self.batch_size,
            dtype=self.dtype,
            device=self.device,
        )


class MappedData:
    """The batches of other data, their inputs passed through a network that stays as it is."""

    def __init__(self, data: Data, network: nn.Module) -> None:
        self.data, self.network = data, network
        self.n_samples, self.batch_size = data.n_samples, data.batch_size
        self.dtype, self.device = data.dtype, data.device

    def epoch(
        self, generator: torch.Generator | None, rows: np.ndarray | None = None
    ) -> Iterator[Batch]:
        self.network.eval()
        for batch in self.data.epoch(generator, rows):
            with torch.no_grad():
                x = self.network(batch.x)
            yield batch._replace(x=x)


def sparse_tensor(x: sp.csr_array, device: torch.device | str) -> Tensor:
    """A scipy CSR matrix as a torch one (of coordinates: torch's CSR is still marked as beta)."""
    x = sp.coo_array(x)
    return torch.sparse_coo_tensor(
        torch.from_numpy(np.stack(x.coords).astype(np.int64)),
        torch.from_numpy(x.data),
        size=x.shape,
        device=device,
        check_invariants=False,
    )


def dense_tensor(x: Tensor) -> Tensor:
    """Values that may be sparse, as they are otherwise."""
    return x if x.layout is torch.strided else x.to_dense()


def column_means(v: Tensor) -> Tensor:
    """The mean of each column, of values that may be sparse."""
    if v.layout is torch.strided:
        return v.mean(0)
    n = v.shape[0]
    return torch.mv(v.t(), torch.full((n,), 1 / n, dtype=v.dtype, device=v.device))


def mean_of(data: Data, function: Callable[[Tensor], Tensor]) -> Tensor:
    """The mean of each column of a function of all samples."""
    parts = [(batch.x.shape[0], column_means(function(batch.x))) for batch in data.epoch(None)]
    return sum(n * mean for n, mean in parts) / sum(n for n, _ in parts)


def as_tensor(x: np.ndarray, dtype: torch.dtype, device: torch.device | str) -> Tensor:
    """An array as a tensor, sharing memory where it can; read-only memory is never written to."""
    if not x.flags.writeable or any(stride < 0 for stride in x.strides):
        x = x.copy()
    return torch.from_numpy(x).to(dtype=dtype, device=device)


def as_array(X: Any) -> Any:
    """A torch tensor as an array of its dtype; everything else is left to scikit-learn."""
    return X.detach().cpu().numpy() if isinstance(X, Tensor) else X


def as_objects(items: Iterable[Any]) -> np.ndarray:
    """An array of shape (n,) of any objects, arrays of one shape among them."""
    items = list(items)
    made = np.empty(len(items), dtype=object)
    made[:] = items
    return made


def is_streamed(X: Any) -> bool:
    """Whether `X` is read as it is needed rather than held: a Dataset, or a large memory map."""
    return isinstance(X, (LazyRows, DatasetRows, ConvertedRows)) or (
        is_memory_map(X) and X.nbytes > STREAM_BYTES
    )


def targets_of(X: Any, y: Any) -> Any:
    """The targets as given, or those of a Dataset's items where there are none."""
    if y is None and isinstance(X, Dataset) and len(X):  # type: ignore[arg-type]
        return DatasetRows(X).targets()
    return y


def is_converted(X: Any) -> bool:
    """Whether `X` is a memory map of whole or short numbers, too large as an array of floats."""
    return (
        is_memory_map(X)
        and X.dtype.kind in "iuf"
        and X.dtype not in (np.float32, np.float64)
        and 4 * X.size > STREAM_BYTES
    )


def is_memory_map(X: Any) -> bool:
    """Whether an array's memory is a file's."""
    while isinstance(X, np.ndarray):
        if isinstance(X, np.memmap):
            return True
        X = X.base
    return False


def slices(n: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size` that cover `n`."""
    return (slice(i, min(n, i + size)) for i in range(0, n, size))


class LazyRows:
    """Some rows of something that is read like an array, unread until they are asked for."""

    def __init__(self, X: Any, rows: np.ndarray) -> None:
        self.X, self.rows = X, rows
        self.shape = (len(rows), *X.shape[1:])
        self.dtype = X.dtype
        self.nbytes = X.nbytes // max(1, X.shape[0]) * len(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self.X[self.rows[rows]]


class ConvertedRows:
    """A memory map of whole or short numbers, read as floats, or as shares of a whole."""

    def __init__(self, X: np.ndarray) -> None:
        self.X, self.shape, self.dtype = X, X.shape, np.dtype(np.float32)
        self.given, self.whole = X.dtype, 1
        self.nbytes = int(np.prod(X.shape)) * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return _shares(self.X[rows].astype(self.dtype), self.whole)


class DatasetRows:
    """A torch Dataset read like an array: items are inputs, or pairs of input and target.

    As of a memory map, whole numbers are read as floats, or as shares of a whole.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        first = self._item(0)[0]
        self.shape = (len(dataset), *first.shape)  # type: ignore[arg-type]
        self.given, self.whole = first.dtype, 1
        self.dtype = first.dtype if first.dtype.kind == "f" else np.dtype(np.float32)
        self.nbytes = int(np.prod(self.shape)) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        indices = range(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows).tolist()
        with ThreadPoolExecutor(4, "sknets-dataset") as pool:
            items = list(pool.map(lambda i: self._item(i)[0], indices))
        return _shares(np.stack(items).astype(self.dtype, copy=False), self.whole)

    def inputs(self) -> Iterator[np.ndarray]:
        """The input of each item."""
        return (self._item(i)[0] for i in range(len(self)))

    def targets(self) -> list[Any]:
        """The targets of all items."""
        targets = [self._item(i)[1] for i in range(len(self))]
        if any(target is None for target in targets):
            raise ValueError("The items of the Dataset have no targets, and y is None.")
        return targets

    def _item(self, i: int) -> tuple[np.ndarray, Any]:
        item = self.dataset[i]
        x, y = item if isinstance(item, (tuple, list)) and len(item) == 2 else (item, None)
        if isinstance(x, (tuple, list)) and len(x) == 1:  # of a TensorDataset without targets
            (x,) = x
        return np.asarray(x), y if y is None else np.asarray(y)[()]


def _shares(values: np.ndarray, whole: int) -> np.ndarray:
    return values if whole == 1 else np.divide(values, whole, out=values)
