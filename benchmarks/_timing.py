"""Ratios of running times: the sides take turns in one process, so a busy machine wrongs none."""

from __future__ import annotations

import json
import os
import platform
import warnings
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import torch
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

import sknets

PEERS = ("scikit-learn", "torch", "skorch", "numpy")


class Timing(NamedTuple):
    """The seconds that each side of a case took, one number a turn; the first side is ours."""

    case: str
    seconds: dict[str, list[float]]

    @property
    def medians(self) -> dict[str, float]:
        """Median seconds of each side."""
        return {side: median(times) for side, times in self.seconds.items()}

    @property
    def ratios(self) -> dict[str, float]:
        """The first side's median over each side's: below 1 the first is faster."""
        first, *_ = self.medians.values()
        return {side: first / seconds for side, seconds in self.medians.items()}


def wall_time(run: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    start = perf_counter()
    run()
    return perf_counter() - start


def alternate(
    sides: Mapping[str, Callable[[], Any]],
    repeats: int = 7,
    *,
    case: str = "",
    measure: Callable[[Callable[[], Any]], float] = wall_time,
) -> Timing:
    """Run the sides in turn, once to warm up and then `repeats` times.

    Parameters
    ----------
    sides : dict of callables
        What to run; the first is compared with the others.
    repeats : int
        Measurements of each side.
    case : str
        What is being run, for the table.
    measure : callable
        ``measure(run)`` runs a side and gives its seconds.
    """
    for run in sides.values():
        measure(run)
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(repeats):
        for side, run in sides.items():
            seconds[side].append(measure(run))
    return Timing(case, seconds)


@contextmanager
def at_most_threads(n: int) -> Iterator[None]:
    """At most `n` threads for numpy, scikit-learn and torch; the counts are put back."""
    before = torch.get_num_threads()
    with threadpool_limits(n):
        torch.set_num_threads(n)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def environment() -> dict[str, Any]:
    """What a time depends on beside the code."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sknets": sknets.__version__,
        **{peer: version(peer) for peer in PEERS},
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def print_environment() -> None:
    """One line that says where the times below were taken."""
    print(", ".join(f"{name} {value}" for name, value in environment().items()))


def print_table(timing: Timing, bars: Mapping[str, float] | None = None) -> None:
    """Times and ratios of a case, beside what the ratios should be.

    Parameters
    ----------
    timing : Timing
    bars : dict of float, optional
        The largest ratio allowed, for each side that has a bar.
    """
    first = next(iter(timing.seconds))
    ratio_title = f"{first} / side"
    print(f"\n{timing.case}")
    print(f"  {'side':16}{'median s':>12}{'least':>12}{'most':>12}{ratio_title:>14}{'bar':>8}")
    for side, times in timing.seconds.items():
        bar = (bars or {}).get(side)
        verdict = "" if bar is None else f"{bar:8.2f} {_held(timing.ratios[side] <= bar)}"
        print(
            f"  {side:16}{timing.medians[side]:12.4g}{min(times):12.4g}{max(times):12.4g}"
            f"{timing.ratios[side]:14.3f}{verdict}"
        )


def _held(bar_is_met: bool) -> str:
    return "met" if bar_is_met else "MISSED"


def write_json(path: str | None, results: list[Any]) -> None:
    """Put results and environment into a file, if one is named.

    Parameters
    ----------
    path : str or None
    results : list of Timing or of dict
    """
    if path is None:
        return
    rows = [_as_dict(result) for result in results]
    content = {"environment": environment(), "results": rows}
    Path(path).write_text(json.dumps(content, indent=1, default=repr))  # descriptions, for one


def _as_dict(result: Any) -> dict[str, Any]:
    if isinstance(result, Timing):
        return {**result._asdict(), "medians": result.medians, "ratios": result.ratios}
    return dict(result)


def arguments(doc: str, *, repeats: int | None = 7) -> ArgumentParser:
    """A parser of the options that benchmarks share; they are the keywords of ``main``."""
    parser = ArgumentParser(description=doc)
    parser.add_argument("--toy", action="store_true", help="a second's work, to see that it runs")
    parser.add_argument("--json", help="file to write the results to")
    if repeats is not None:
        parser.add_argument("--repeats", type=int, default=repeats, help="default: %(default)s")
    return parser


def run_cases(
    all_cases: Mapping[str, Any],
    sides: Callable[[Any], Mapping[str, Callable[[], Any]]],
    bars: Mapping[str, float],
    *,
    toy: bool = False,
    repeats: int = 7,
    threads: list[int] | None = None,
    cases: list[str] | None = None,
    json: str | None = None,
) -> list[Timing]:
    """Time cases, each on one thread and on all, print tables and write them.

    Parameters
    ----------
    all_cases : dict of NamedTuple
        With ``epochs``; the first is the one of toy size, for one epoch.
    sides : callable
        ``sides(case)`` gives what to run, as `alternate` takes it.
    bars : dict of float
        As of `print_table`.
    toy, repeats, threads, cases, json
        The options of `case_arguments`.
    """
    print_environment()
    results = []
    for name in list(all_cases)[:1] if toy else cases or all_cases:
        case = all_cases[name]
        if toy:
            case, repeats, threads = case._replace(epochs=1), 1, [1]
        for n_threads in threads or sorted({1, os.cpu_count() or 1}):
            title = f"{name}, {n_threads} thread(s), {case.epochs} epochs"
            with at_most_threads(n_threads), warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                results.append(alternate(sides(case), repeats, case=title))
            print_table(results[-1], bars)
    write_json(json, results)
    return results


def case_arguments(doc: str, cases: Mapping[str, Any]) -> ArgumentParser:
    """A parser of the options of a benchmark of several cases on several numbers of threads."""
    parser = arguments(doc)
    parser.add_argument(
        "--threads", type=int, nargs="+", help="default: one, and as many as there are cores"
    )
    parser.add_argument("--cases", nargs="+", choices=cases, help="default: all")
    return parser
