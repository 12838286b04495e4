"""What a fit trains on, from what it was called with to minibatches."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils import _safe_indexing, check_array
from skorch.dataset import Dataset as SkorchDataset
from torch.utils.data import Dataset

from sknets._data import (
    Data,
    LazyRows,
    ResidentData,
    StreamedData,
    as_objects,
    as_tensor,
    is_streamed,
    sparse_tensor,
)
from sknets._sequences import SequenceData, SequenceRows, flat
from sknets._targets import dense
from sknets._training.trainer import Seen


class Call(NamedTuple):
    """What `fit` or, where `incremental`, `partial_fit` was called with."""

    X: Any
    y: Any
    sample_weight: Any = None
    difficulty: Any = None
    classes: Any = None
    incremental: bool = False

    @property
    def metadata(self) -> dict[str, Any] | None:
        """The weights, as scikit-learn's callbacks take them."""
        return None if self.sample_weight is None else {"sample_weight": self.sample_weight}

    def seen(self, held_out: tuple[np.ndarray, np.ndarray] | None) -> Seen:
        """The data as skorch's callbacks score it: as it was given, in two parts if held out."""
        X, y = _no_list(self.X), _no_list(dense(self.y))
        if held_out is None or isinstance(X, Dataset):
            return Seen(self.X, self.y, SkorchDataset(X, y))
        train, valid = (
            SkorchDataset(*(a if a is None else _safe_indexing(a, rows) for a in (X, y)))
            for rows in held_out
        )
        return Seen(self.X, self.y, train, valid)


class TrainingSet(NamedTuple):
    """Validated inputs, encoded targets, total weights and difficulties of the samples."""

    X: Any
    target: np.ndarray | None = None
    weight: np.ndarray | None = None
    difficulty: np.ndarray | None = None

    @property
    def n_samples(self) -> int:
        """How many there are."""
        return self.X.shape[0]

    def part(self, rows: np.ndarray) -> TrainingSet:
        """Some of the samples; streamed inputs stay where they are."""
        X = LazyRows(self.X, rows) if is_streamed(self.X) else self.X[rows]
        target, weight, difficulty = (None if a is None else a[rows] for a in self[1:])
        if weight is not None and not flat(weight).any():
            raise ValueError(
                "All samples that are held out by early_stopping, or all others, have a "
                "sample_weight of 0. Drop samples without weight, or change random_state."
            )
        return TrainingSet(X, target, weight, difficulty)

    def batches(self, batch_size: int, dtype: torch.dtype, device: torch.device) -> Data:
        """Minibatches of the samples: held on the device, or streamed to it."""
        streamed = is_streamed(self.X)
        home = torch.device("cpu") if streamed else device
        target, weight = (
            None if a is None else target_tensor(a, dtype, home) for a in (self.target, self.weight)
        )
        if isinstance(self.X, SequenceRows):
            return SequenceData(
                self.X.tensor(dtype, device),
                target,
                weight,
                batch_size=batch_size,
                dtype=dtype,
                device=device,
            )
        if not streamed:
            x = self.X
            if sp.issparse(x):
                x = sp.csr_array(x).astype(str(dtype).removeprefix("torch."), copy=False)
            else:
                x = as_tensor(x, dtype, device).contiguous()
            return ResidentData(
                x, target, weight, batch_size=batch_size, dtype=dtype, device=device
            )
        n = self.n_samples
        return StreamedData(
            self.X.__getitem__,
            n,
            self.X.nbytes // max(1, n),
            target,
            weight,
            batch_size=batch_size,
            dtype=dtype,
            device=device,
        )


def _no_list(values: Any) -> Any:
    """A list as an array, since skorch takes lists for several inputs; all else as it is."""
    if not isinstance(values, (list, tuple)):
        return values
    alike = len({np.shape(value) for value in values}) == 1
    return np.asarray(values) if alike else as_objects(values)


def checked_difficulty(difficulty: Any, curriculum: str | None, n: int) -> np.ndarray | None:
    """The difficulty of each of `n` samples, which a curriculum needs."""
    if difficulty is None:
        if curriculum is not None:
            raise ValueError(
                f"curriculum={curriculum!r} needs the difficulty of each sample: "
                "fit(X, y, difficulty=...)."
            )
        return None
    difficulty = check_array(difficulty, ensure_2d=False, input_name="difficulty", dtype=np.float64)
    if difficulty.shape != (n,):
        raise ValueError(
            f"difficulty must have shape ({n},), one value a sample. "
            f"Got {difficulty.shape} instead."
        )
    return difficulty


def target_tensor(target: Any, dtype: torch.dtype, device: Any) -> Any:
    """Class indices stay whole numbers, all else becomes the network's dtype."""
    if isinstance(target, SequenceRows):
        return target.tensor(dtype, device)
    return as_tensor(target, torch.int64 if target.dtype.kind in "iu" else dtype, device)


def input_tensor(X: Any, dtype: torch.dtype, device: torch.device) -> Any:
    """What a network takes for some rows."""
    if isinstance(X, SequenceRows):
        return X.tensor(dtype, device).filled(torch.arange(len(X)))
    if sp.issparse(X):
        return sparse_tensor(sp.csr_array(X), device).to(dtype)
    return as_tensor(X, dtype, device)
