"""Time series of the UCR and UEA archives by a convolutional network, on the archives' splits.

Ismail Fawaz et al. (2019) reach 84.5 % on ArrowHead, 100 % on GunPoint and 96.3 % on
ItalyPowerDemand, Franceschi et al. (2019) 100 % on BasicMotions. One setting serves all sets, and
is chosen by cross-validation on their training parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, median
from typing import Any

from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold

from benchmarks._timing import write_json
from benchmarks.reproduce._headline import (
    Headline,
    Samples,
    announce,
    described,
    options,
    run,
    summary,
)
from sknets import CNNClassifier
from sknets.cnn import FCN
from sknets.datasets import load_time_series

# The largest mean test error in %.
BARS = {"ArrowHead": 15.5, "GunPoint": 0.5, "ItalyPowerDemand": 3.7, "BasicMotions": 0.5}
N_FOLDS = 5
LONG, LONGER = FCN(kernel_size=(16, 10, 6)), FCN(kernel_size=(32, 16, 8))

HEADLINE = Headline(
    "time series",
    bar=BARS,
    seeds=5,
    fixed=dict(signal=True, batch_size=16, learning_rate="one_cycle"),
    chosen=dict(architecture=LONGER, learning_rate_init=0.003, max_iter=200),
    # In ten folds of ArrowHead and of ItalyPowerDemand: 19.1 and 3.7 % each of the first two, then
    # 15.2 and 3.7, 16.4 and 3.7, 13.9 and 3.7; of the last, in a hundred epochs, 41.8 and 3.0.
    candidates=[
        dict(architecture="fcn", learning_rate_init=0.003, max_iter=200),
        dict(architecture="fcn", learning_rate_init=0.01, max_iter=200),
        dict(architecture=LONG, learning_rate_init=0.003, max_iter=200),
        dict(architecture=LONG, learning_rate_init=0.01, max_iter=200),
        dict(architecture=LONGER, learning_rate_init=0.003, max_iter=200),
        dict(architecture="resnet20", learning_rate_init=0.003, max_iter=200),
    ],
    estimator=CNNClassifier,
)


def series(name: str, subset: str) -> Samples:
    return Samples(*load_time_series(name, subset=subset, channels="first", return_X_y=True))


def toy_series(name: str, subset: str) -> Samples:
    """Images of digits, read row by row."""
    X, y = load_digits(return_X_y=True)
    return Samples(X, y).rows(slice(150) if subset == "train" else slice(150, 300))


def fold_errors(settings: dict[str, Any], train: Samples, seeds: int) -> list[float]:
    """Errors on the folds of a training part, as many shuffles as there are seeds."""
    errors = []
    for seed in range(seeds):
        folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
        for fitting, validation in folds.split(*train):
            parts = train.rows(fitting), train.rows(validation)
            errors.append(run(HEADLINE.estimator, settings, seed, *parts).error)
    return errors


def selection(
    candidates: Sequence[dict[str, Any]], load: Callable[..., Samples], changes: Any, seeds: int
) -> list[dict[str, Any]]:
    """How each candidate errs in cross-validation, the best first."""
    table = []
    for candidate in candidates:
        settings = HEADLINE.fixed | candidate | changes
        sets = {name: fmean(fold_errors(settings, load(name, "train"), seeds)) for name in BARS}
        table.append({"settings": settings, "error": fmean(sets.values()), "sets": sets})
        mark = "  <- chosen" if candidate == HEADLINE.chosen else ""
        each = ", ".join(f"{name} {error:.2f}" for name, error in sets.items())
        print(f"  {table[-1]['error']:.2f} % ({each})  {candidate}{mark}", flush=True)
    return sorted(table, key=lambda row: row["error"])


def final_fits(load: Callable[..., Samples], changes: Any, seeds: int) -> list[dict[str, Any]]:
    """The chosen setting on each set, each fit scored once on the test part."""
    settings = HEADLINE.fixed | HEADLINE.chosen | changes
    results = []
    for name, bar in BARS.items():
        parts = load(name, "train"), load(name, "test")
        runs = [run(HEADLINE.estimator, settings, seed, *parts) for seed in range(seeds)]
        result = {"set": name, **summary(settings, runs)}
        result["median"] = median(r.error for r in runs)
        verdict = "met" if result["error"] <= bar else "MISSED"
        print(
            f"  {name}: test error {described(result)}, median {result['median']:.2f} %; "
            f"the bar of {bar} % is {verdict}.",
            flush=True,
        )
        results.append(result)
    return results


def main(
    *,
    toy: bool = False,
    select: bool = False,
    seeds: int | None = None,
    epochs: int | None = None,
    device: str = "cpu",
    json: str | None = None,
) -> list[dict[str, Any]]:
    load, changes, candidates = series, {"device": device}, HEADLINE.candidates
    if toy:
        load, seeds, epochs, candidates = toy_series, 1, 2, candidates[:2]
    if epochs is not None:
        changes["max_iter"] = epochs
    announce(HEADLINE)
    if select:
        results = selection(candidates, load, changes, seeds or 1)
    else:
        results = final_fits(load, changes, seeds or HEADLINE.seeds)
    write_json(json, [{"headline": HEADLINE.name, "selection": select, **r} for r in results])
    return results


if __name__ == "__main__":
    main(**vars(options(__doc__, HEADLINE).parse_args()))
