"""What reproduced results share: choose on a validation split, fit on all, test once a seed.

Of images the last 10,000 for training are the validation split. The test set is read by the final
fits alone, and each is scored on it once.
"""

from __future__ import annotations

import warnings
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from statistics import fmean, stdev
from time import perf_counter
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from benchmarks._timing import arguments, print_environment, write_json
from sknets import MLPClassifier
from sknets.datasets import load_mnist

N_VALIDATION = 10_000


class Headline(NamedTuple):
    """A result to reproduce: the error to stay under, how it is reached, what it was chosen from.

    Parameters
    ----------
    name : str
    bar : float
        The largest mean test error in %.
    seeds : int
        Over how many fits the mean is taken.
    fixed : dict
        Parameters that the result prescribes or that all candidates share.
    chosen : dict
        The others.
    candidates : sequence of dict
        What `chosen` was chosen from.
    estimator : class, or what is called like one
    load : callable
        Of the images.
    toy : dict
        Parameters of a run at toy size.
    """

    name: str
    bar: float
    seeds: int
    fixed: dict[str, Any]
    chosen: dict[str, Any]
    candidates: Sequence[dict[str, Any]]
    estimator: Callable[..., Any] = MLPClassifier
    load: Callable[..., Any] = load_mnist
    toy: Mapping[str, Any] = MappingProxyType({"hidden_layer_sizes": (20,)})


class Samples(NamedTuple):
    """Images or series, and their classes."""

    X: np.ndarray
    y: np.ndarray

    def rows(self, rows: Any) -> Samples:
        return Samples(self.X[rows], self.y[rows])


class Run(NamedTuple):
    """One fit: its error in % and its seconds."""

    seed: int
    error: float
    seconds: float


@cache
def images(load: Callable[..., Any], subset: str) -> Samples:
    """Pixels from 0 to 1 as rows."""
    X, y = load(subset=subset, return_X_y=True)
    return Samples((X / 255).astype(np.float32), y)


@cache
def toy_images(load: Callable[..., Any], subset: str) -> Samples:
    X, y = load_digits(return_X_y=True)
    images = Samples((X / 16).astype(np.float32), y)
    return images.rows(slice(1500)) if subset == "train" else images.rows(slice(1500, None))


def parts(load: Callable[..., Any], select: bool, toy: bool) -> tuple[Samples, Samples]:
    """What is learnt from, and what judges: the test images, or the last for training."""
    part = partial(toy_images if toy else images, load)
    train = part("train")
    if not select:
        return train, part("test")
    n = min(N_VALIDATION, len(train.y) // 4)
    return train.rows(slice(-n)), train.rows(slice(-n, None))


def run(
    estimator: Callable[..., Any],
    settings: dict[str, Any],
    seed: int,
    train: Samples,
    held_out: Samples,
) -> Run:
    """Fit to some images and err on others."""
    model = estimator(**{"n_iter_no_change": np.inf, **settings}, random_state=seed)
    start = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the epochs are prescribed
        model.fit(*train)
    seconds = perf_counter() - start
    return Run(seed, 100 * (1 - model.score(*held_out)), seconds)


def summary(settings: dict[str, Any], runs: list[Run]) -> dict[str, Any]:
    errors = [r.error for r in runs]
    return {
        "settings": settings,
        "error": fmean(errors),
        "spread": stdev(errors) if len(errors) > 1 else None,
        "seconds": fmean(r.seconds for r in runs),
        "runs": [r._asdict() for r in runs],
    }


def described(result: dict[str, Any]) -> str:
    spread = "" if result["spread"] is None else f" +- {result['spread']:.2f}"
    return f"{result['error']:.2f}{spread} % in {result['seconds']:.0f} s a fit"


def validation_errors(headline: Headline, train: Samples, seeds: int) -> list[dict[str, Any]]:
    """How each candidate errs on the validation split, printed as it comes; the best first."""
    n = min(N_VALIDATION, len(train.y) // 4)
    fitting, validation = train.rows(slice(-n)), train.rows(slice(-n, None))
    table = []
    for candidate in headline.candidates:
        settings = headline.fixed | candidate
        fit = partial(run, headline.estimator, settings)
        runs = [fit(seed, fitting, validation) for seed in range(seeds)]
        table.append(summary(settings, runs))
        mark = "  <- chosen" if candidate == headline.chosen else ""
        print(f"  {described(table[-1])}  {candidate}{mark}", flush=True)
    return sorted(table, key=lambda row: row["error"])


def final_fits(headline: Headline, train: Samples, test: Samples, seeds: int) -> dict[str, Any]:
    """Fits of the chosen settings to all training images, each scored on the test images."""
    settings = headline.fixed | headline.chosen
    runs = []
    for seed in range(seeds):
        runs.append(run(headline.estimator, settings, seed, train, test))
        print(f"  seed {seed}: {runs[-1].error:.2f} %, {runs[-1].seconds:.0f} s", flush=True)
    result = summary(settings, runs)
    verdict = "met" if result["error"] <= headline.bar else "MISSED"
    minutes = sum(r.seconds for r in runs) / 60
    print(f"Test error {described(result)}, {minutes:.1f} minutes in all.")
    print(f"The bar of {headline.bar} % is {verdict}.")
    return result


def reproduce(
    headline: Headline,
    *,
    toy: bool = False,
    select: bool = False,
    seeds: int | None = None,
    epochs: int | None = None,
    device: str = "cpu",
    json: str | None = None,
) -> list[dict[str, Any]]:
    """Print, write and return what a script is asked for."""
    load, changes = partial(images, headline.load), {"device": device}
    if toy:
        load, seeds, epochs = partial(toy_images, headline.load), 1, 2
        headline = headline._replace(
            chosen=headline.chosen | headline.toy,
            candidates=[{**each, **headline.toy} for each in headline.candidates[:2]],
        )
    if epochs is not None:
        changes["max_iter"] = epochs
    headline = headline._replace(fixed=headline.fixed | changes)
    print_environment()
    print(f"{headline.name}: {headline.fixed}, {torch.get_num_threads()} thread(s)", flush=True)
    if select:
        results = validation_errors(headline, load("train"), seeds or 1)
    else:
        results = [final_fits(headline, load("train"), load("test"), seeds or headline.seeds)]
    results = [{"headline": headline.name, "selection": select, **r} for r in results]
    write_json(json, results)
    return results


def options(doc: str, headline: Headline) -> ArgumentParser:
    """The options of every script."""
    parser = arguments(doc, repeats=None)
    parser.add_argument(
        "--select", action="store_true", help="print the candidates' validation errors instead"
    )
    parser.add_argument(
        "--seeds", type=int, help=f"fits; default: {headline.seeds}, with --select 1"
    )
    parser.add_argument("--epochs", type=int, help="instead of the prescribed number, for a look")
    parser.add_argument("--device", default="cpu", help="default: %(default)s")
    return parser
