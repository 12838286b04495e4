"""What reproduced figures share that are no errors in %: measured a seed at a time, beside a bar.

The settings of a claim were chosen without the data that it is measured on.
"""

from __future__ import annotations

import warnings
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from statistics import fmean, stdev
from time import perf_counter
from typing import Any, NamedTuple

from sklearn.exceptions import ConvergenceWarning

from benchmarks._timing import arguments, print_environment, write_json


class Outcome(NamedTuple):
    """What one run found, and the seconds that its fit took."""

    value: float
    seconds: float


class Claim(NamedTuple):
    """A figure, how it is measured, and what it should be.

    Parameters
    ----------
    name : str
    measure : callable
        ``measure(seed, toy)`` fits and gives an `Outcome`.
    least, most : float, optional
        The smallest or the largest value allowed; without either it is a figure to compare with.
    seeds : int
    each : bool
        Whether every seed has to hold the bar, rather than the mean.
    minutes : float, optional
        The most that a fit may take.
    """

    name: str
    measure: Callable[[int, bool], Outcome]
    least: float | None = None
    most: float | None = None
    seeds: int = 1
    each: bool = False
    minutes: float | None = None

    def holds(self, outcomes: list[Outcome]) -> bool | None:
        """Whether the bar is met; None without one."""
        if self.least is None and self.most is None:
            return None
        values = [outcome.value for outcome in outcomes]
        judged = values if self.each else [fmean(values)]
        good = all(
            (self.least is None or v >= self.least) and (self.most is None or v <= self.most)
            for v in judged
        )
        slowest = max(outcome.seconds for outcome in outcomes)
        return good and (self.minutes is None or slowest <= 60 * self.minutes)

    @property
    def bar(self) -> str:
        """The bar in words."""
        parts = [
            "" if self.least is None else f">= {self.least:g}",
            "" if self.most is None else f"<= {self.most:g}",
            "" if self.minutes is None else f"in <= {self.minutes:g} minutes",
        ]
        words = " ".join(part for part in parts if part)
        return f"{words} on each seed" if words and self.each else words


def timed(fit: Callable[[], Any], value: Callable[[Any], float]) -> Outcome:
    """The value of what a fit gives, and the fit's seconds."""
    start = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the epochs are prescribed
        fitted = fit()
    seconds = perf_counter() - start
    return Outcome(float(value(fitted)), seconds)


def reproduce(
    claims: Sequence[Claim],
    *,
    toy: bool = False,
    only: list[str] | None = None,
    seeds: int | None = None,
    json: str | None = None,
) -> list[dict[str, Any]]:
    """Measure claims, print them as they come, and write them where that was asked for."""
    print_environment()
    results = []
    for claim in claims:
        if only is not None and claim.name not in only:
            continue
        outcomes = []
        for seed in range(1 if toy else seeds or claim.seeds):
            outcomes.append(claim.measure(seed, toy))
            found = outcomes[-1]
            print(f"  seed {seed}: {found.value:.6g}, {found.seconds:.0f} s", flush=True)
        values = [outcome.value for outcome in outcomes]
        spread = stdev(values) if len(values) > 1 else None
        shown = f"{fmean(values):.4g}" + ("" if spread is None else f" +- {spread:.2g}")
        holds = claim.holds(outcomes)
        verdict = "" if holds is None else f"; {claim.bar}: {'met' if holds else 'MISSED'}"
        seconds = fmean(outcome.seconds for outcome in outcomes)
        print(f"{claim.name}: {shown} in {seconds:.0f} s a fit{verdict}", flush=True)
        results.append(
            {
                "claim": claim.name,
                "bar": claim.bar,
                "mean": fmean(values),
                "spread": spread,
                "seconds": seconds,
                "met": holds,
                "runs": [outcome._asdict() for outcome in outcomes],
            }
        )
    write_json(json, results)
    return results


def options(doc: str | None, claims: Sequence[Claim], judging: str | None = None) -> ArgumentParser:
    """The options of every script; with `judging`, the part of the data, settings are chosen."""
    parser = arguments(doc or "", repeats=None)
    parser.add_argument("--only", nargs="+", choices=[claim.name for claim in claims])
    parser.add_argument("--seeds", type=int, help="fits; default: as many as the claim says")
    if judging is not None:
        parser.add_argument("--select", action="store_true", help=f"judge on {judging}")
    return parser
