"""Where and how precisely a network computes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

# Multiplications and additions of one step below which a second thread saves less than its
# hand-overs may cost, which is a great deal where other processes want the cores too; and below
# which no library would use a second thread.
SMALL = 1.5e8
TINY = 1e5
# How many devices of a kind there are.
COUNTS = {
    "cpu": lambda: 1,
    "cuda": torch.cuda.device_count,
    "mps": lambda: int(torch.backends.mps.is_available()),
}
# In mixed precision weights are float32.
TORCH_DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "bfloat16": torch.float32,
}


def resolve_device(device: str | torch.device, owner: str = "this estimator") -> torch.device:
    """The torch device a `device` parameter names.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda", "cuda:1", "mps"} or torch.device
        "auto" is the first CUDA device where there is one, else the CPU.
    owner : str
        Whose parameter it is, for the message.

    Raises
    ------
    ValueError
        If no such device is known, or this machine has none.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    parameter = f"The 'device' parameter of {owner}"
    try:
        resolved = torch.device(device)
        count = COUNTS[resolved.type]()
    except (KeyError, RuntimeError, TypeError) as error:
        raise ValueError(
            f"{parameter} must be 'auto', 'cpu', 'cuda', 'cuda:<number>' or 'mps'. "
            f"Got {device!r} instead."
        ) from error
    if (resolved.index or 0) >= count:
        raise ValueError(
            f"{parameter} is {str(device)!r}, which this machine does not have; "
            "'auto' takes the best device there is."
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


@cache
def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16 faster than in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


@contextmanager
def threads_for(work: float, device: torch.device) -> Iterator[None]:
    """One thread for few operations on the CPU; the count is restored afterwards.

    OpenMP and MKL keep the count by thread, so that what other threads compute is left alone.
    (torch's own setting would be taken over by threads that start meanwhile.)
    """
    if device.type != "cpu" or not TINY <= work < SMALL or torch.get_num_threads() == 1:
        yield
        return
    with _openmp().limit(limits=1, user_api="openmp"):
        before = _set_mkl_threads()(1)
        try:
            yield
        finally:
            _set_mkl_threads()(before)


@cache
def _openmp() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="openmp")


@cache
def _set_mkl_threads() -> Callable[[int], int]:
    """MKL's own count of the calling thread: sets it and returns what it was; 0 follows OpenMP's.

    ``torch.set_num_threads`` sets it, and then OpenMP's has no say. MKL is a part of torch's
    library, where there is one at all.
    """
    folder = Path(torch.__file__).parent / "lib"
    for library in folder.glob("*torch_cpu.*"):
        with suppress(OSError, AttributeError):
            return ctypes.CDLL(str(library)).MKL_Set_Num_Threads_Local
    return lambda n: 0
