"""Training on a memory map larger than memory should be: peak anonymous memory, and time by rows.

A file of generated float32 rows is written to a temporary folder and trained on, one eighth, one
quarter, one half and all of it, each in a fresh process. Anonymous memory is what the process
itself allocated; pages of the file, which the system drops at will, do not count. (Linux only: it
is read from /proc/self/status.)
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from benchmarks._timing import arguments, print_environment, wall_time, write_json
from sknets import MLPClassifier

GIB = 2**30
FEATURES = 512
ROW_BYTES = 4 * FEATURES
SHARES = (1 / 8, 1 / 4, 1 / 2, 1)
MEMORY_BAR = 1.0  # GiB
WRITTEN_AT_ONCE = 2**14  # rows


class Fit(NamedTuple):
    """What one fit took; memory in GiB."""

    rows: int
    seconds: float
    peak: float
    before: float
    accuracy: float


def anonymous_memory() -> float:
    """GiB that this process has allocated and that are in memory now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [kib] = [line.split()[1] for line in lines if line.startswith("RssAnon:")]
    return int(kib) * 1024 / GIB


class PeakMemory:
    """The most anonymous memory while a block runs, sampled by a thread."""

    def __init__(self, every: float = 0.005) -> None:
        self.every = every
        self.before = self.peak = anonymous_memory()
        self._ended = Event()
        self._thread = Thread(target=self._sample, daemon=True)

    def _sample(self) -> None:
        while not self._ended.wait(self.every):
            self.peak = max(self.peak, anonymous_memory())

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()
        self._thread.join()
        self.peak = max(self.peak, anonymous_memory())


def write_rows(folder: Path, n_rows: int) -> None:
    """Normal rows, and the side of a random plane on which each lies."""
    random = np.random.default_rng(0)
    plane = random.standard_normal(FEATURES, dtype=np.float32)
    labels = np.empty(n_rows, dtype=np.int64)
    with open(folder / "rows.f32", "wb") as file:
        for start in range(0, n_rows, WRITTEN_AT_ONCE):
            n = min(WRITTEN_AT_ONCE, n_rows - start)
            block = random.standard_normal((n, FEATURES), dtype=np.float32)
            labels[start : start + n] = block @ plane > 0
            block.tofile(file)
        os.fsync(file.fileno())  # or the disk is still busy when the clock starts
    np.save(folder / "labels.npy", labels)


def fit(folder: Path, n_rows: int) -> Fit:
    """Train on the first rows of the file."""
    X = np.memmap(folder / "rows.f32", np.float32, mode="r").reshape(-1, FEATURES)[:n_rows]
    y = np.load(folder / "labels.npy")[:n_rows]
    model = MLPClassifier((64,), batch_size=512, max_iter=1, random_state=0, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X[:512], y[:512])  # the first fit of a process imports a part of torch
        with PeakMemory() as memory:
            seconds = wall_time(lambda: model.fit(X, y))
    return Fit(n_rows, seconds, memory.peak, memory.before, model.score(X[-5000:], y[-5000:]))


def in_fresh_process(call: Callable[[], Fit]) -> Fit:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(call)


def in_this_process(call: Callable[[], Fit]) -> Fit:
    return call()


def measured(folder: Path, rows: list[int], repeats: int, run: Callable) -> list[Fit]:
    """The median time and the highest peak of the fits of each size, which take turns."""
    rounds = [[run(partial(fit, folder, n)) for n in rows] for _ in range(repeats)]
    return [
        fits[0]._replace(seconds=median(f.seconds for f in fits), peak=max(f.peak for f in fits))
        for fits in zip(*rounds, strict=True)
    ]


def print_fits(fits: list[Fit]) -> None:
    print(
        f"\n{'rows':>10}{'file GiB':>10}{'seconds':>10}{'us a row':>10}{'to first':>10}"
        f"{'peak GiB':>10}{'before':>10}{'accuracy':>10}"
    )
    first = fits[0].seconds / fits[0].rows
    for f in fits:
        each = f.seconds / f.rows
        print(
            f"{f.rows:10,}{f.rows * ROW_BYTES / GIB:10.2f}{f.seconds:10.2f}{each * 1e6:10.2f}"
            f"{each / first:10.2f}{f.peak:10.3f}{f.before:10.3f}{f.accuracy:10.3f}"
        )
    peak = max(f.peak for f in fits)
    verdict = "met" if peak <= MEMORY_BAR else "MISSED"
    print(f"At most {peak:.2f} GiB; the bar of {MEMORY_BAR:.0f} GiB is {verdict}.")


def main(
    toy: bool = False,
    repeats: int = 3,
    gib: float = 4.0,
    folder: str | None = None,
    json: str | None = None,
) -> list[Fit]:
    if toy:
        repeats, gib = 1, 2**-7
    rows = int(gib * GIB) // ROW_BYTES
    run = in_this_process if toy else in_fresh_process
    print_environment()
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        write_rows(Path(temporary), rows)
        fits = measured(Path(temporary), [int(rows * s) for s in SHARES], repeats, run)
    print_fits(fits)
    write_json(json, [f._asdict() for f in fits])
    return fits


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=3)
    parser.add_argument("--gib", type=float, default=4.0, help="of rows; default: %(default)s")
    parser.add_argument("--folder", help="where to put the file; default: the system's for such")
    main(**vars(parser.parse_args()))
