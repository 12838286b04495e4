"""Where and how precisely a network computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

# Multiplications and additions of one step below which a second thread costs more in hand-overs
# than it saves, a great deal more where other processes want the cores too.
SMALL_STEP = 4e7
TORCH_DTYPES = {"float32": torch.float32, "float64": torch.float64}


def resolve_device(device: str | torch.device) -> torch.device:
    """The torch device a `device` parameter names.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "cuda:1", "mps"} or torch.device
        "auto" is the first CUDA device where there is one, else the CPU.

    Raises
    ------
    ValueError
        If no such device is known, or this machine has none.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    allowed = "'auto', 'cpu', 'cuda', 'cuda:<number>' or 'mps'"
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"The 'device' parameter must be {allowed}. Got {device!r} instead."
        ) from (error)
    counts = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
        "meta": 1,
    }
    if (resolved.index or 0) >= counts.get(resolved.type, 0):
        raise ValueError(
            f"The 'device' parameter is {str(device)!r}, which this machine does not have; "
            f"'auto' takes the best device there is."
        )
    return resolved


def compute_dtype(precision: str, input_dtype: np.dtype, exact: bool) -> torch.dtype:
    """The dtype to train in.

    ``precision="auto"`` is float32, except that float64 input is computed in float64 where it
    costs nothing (`exact`: an epoch is a single batch, or the solver works on the whole data).
    """
    if precision != "auto":
        return TORCH_DTYPES[precision]
    return torch.float64 if exact and input_dtype == np.float64 else torch.float32


@contextmanager
def threads_for(step: float, device: torch.device) -> Iterator[None]:
    """One thread for steps of few operations on the CPU; the count is restored afterwards.

    The limit holds for the calling thread alone, so that fits in other threads are left alone.
    """
    before = torch.get_num_threads()
    if device.type != "cpu" or step >= SMALL_STEP or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
