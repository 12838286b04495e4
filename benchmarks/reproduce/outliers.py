"""Outliers by reconstruction error beside scikit-learn's detectors: areas under the ROC curve.

Of MNIST one digit is normal and is learnt, each in its turn, and the test images of all digits are
judged, the others as outliers. Of Covertype, as it is commonly posed
(https://odds.cs.stonybrook.edu), lodgepole pines are normal and cottonwoods outliers by the ten
measured columns; 20,000 pines are learnt, since a one-class SVM takes hours for more, and the
others judged with the cottonwoods. Pixels are between 0 and 1, columns of the table standardised.
With ``--select`` candidates for our settings are beside each other: three digits on the last 10,000
training images, and the half of the table that judges nothing else. scikit-learn's detectors have
their defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from benchmarks._timing import arguments, print_environment, write_json
from benchmarks.reproduce._headline import parts
from sknets import AutoencoderOutlierDetector
from sknets.datasets import load_covertype, load_mnist
from sknets.model_selection import Comparison, compare

PINE, COTTONWOOD = 1, 3  # kinds of forest
N_MEASURED = 10  # columns, before those of zeros and ones
N_LEARNT = 20_000  # pines
N_SPLITS = 5  # of the table
FIXED: dict[str, Any] = {
    "learning_rate": "one_cycle",
    "learning_rate_init": 0.003,
    "batch_size": 100,
    "n_iter_no_change": np.inf,
    "random_state": 0,
}


class Problem(NamedTuple):
    """Rows, 1 for normal ones and -1 for outliers, and splits that learn from normal ones alone."""

    X: np.ndarray
    y: np.ndarray
    splits: list[tuple[np.ndarray, np.ndarray]]


def digits(select: bool, toy: bool) -> list[Problem]:
    """One for each digit that is normal."""
    train, judging = parts(load_mnist, select, toy)
    X, kind = (np.concatenate(both) for both in zip(train, judging, strict=True))
    learnt, judged = np.split(np.arange(len(kind)), [len(train.y)])
    return [
        Problem(X, np.where(kind == digit, 1, -1), [(learnt[train.y == digit], judged)])
        for digit in range(2 if toy else 3 if select else 10)
    ]


def forests(select: bool, toy: bool) -> list[Problem]:
    """A single one; of digits ones and threes at toy size."""
    X, kind = load_digits(return_X_y=True) if toy else load_covertype(return_X_y=True)
    rng = np.random.default_rng(0)
    pines, cottonwoods = (
        np.array_split(rng.permutation(np.flatnonzero(kind == each)), 2)[int(select)]
        for each in (PINE, COTTONWOOD)
    )
    n_learnt, splits = min(N_LEARNT, len(pines) // 2), []
    for _ in range(1 if select or toy else N_SPLITS):
        learnt, others = np.split(rng.permutation(pines), [n_learnt])
        splits.append((learnt, np.concatenate([others, cottonwoods])))
    return [Problem(X[:, : None if toy else N_MEASURED], np.where(kind == PINE, 1, -1), splits)]


class Data(NamedTuple):
    """What is judged, and our settings: candidates, the first chosen."""

    problems: Callable[[bool, bool], list[Problem]]
    scale: bool  # the columns
    fixed: Mapping[str, Any]
    candidates: Sequence[Mapping[str, Any]]


DATA = {
    "digits": Data(
        digits,
        False,
        {"out_activation": "logistic"},
        [
            {"hidden_layer_sizes": (256, 64, 16), "max_iter": 50},
            {"hidden_layer_sizes": (256, 64, 32), "max_iter": 50},
            {"hidden_layer_sizes": (256, 64, 8), "max_iter": 50},
            {"hidden_layer_sizes": (32,), "max_iter": 50},
        ],
    ),
    "forests": Data(
        forests,
        True,
        {},
        [
            {"hidden_layer_sizes": (32, 4), "max_iter": 50},
            {"hidden_layer_sizes": (32, 2), "max_iter": 50},
            {"hidden_layer_sizes": (32, 6), "max_iter": 50},
            {"hidden_layer_sizes": (128, 4), "max_iter": 50},
        ],
    ),
}


def detectors(data: Data, candidates: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = ["autoencoder"] if len(candidates) == 1 else map(str, candidates)
    found = {
        **{
            name: AutoencoderOutlierDetector(**FIXED | {**data.fixed, **settings})
            for name, settings in zip(names, candidates, strict=True)
        },
        "IsolationForest": IsolationForest(random_state=0),
        "OneClassSVM": OneClassSVM(),
        "LocalOutlierFactor": LocalOutlierFactor(novelty=True),
    }
    if not data.scale:
        return found
    return {name: make_pipeline(StandardScaler(), detector) for name, detector in found.items()}


def compared(estimators: dict[str, Any], problems: list[Problem]) -> Comparison:
    """All on all splits of all problems."""
    folds: list[Any] = []
    for problem in problems:
        found = compare(estimators, problem.X, problem.y, cv=problem.splits, scoring="roc_auc")
        start = len(folds) // len(estimators)
        folds += [fold._replace(fold=start + fold.fold) for fold in found.folds_]
        print(f"  {found.conclusion()}", flush=True)
    n_splits = len(folds) // len(estimators)
    return Comparison(estimators, folds, n_splits=n_splits, scoring="roc_auc")


def main(
    toy: bool = False,
    select: bool = False,
    only: list[str] | None = None,
    json: str | None = None,
) -> list[dict[str, Any]]:
    print_environment()
    results = []
    for name in only or DATA:
        data = DATA[name]
        candidates = data.candidates if select else data.candidates[:1]
        if toy:
            candidates = [{"hidden_layer_sizes": (8, 2), "max_iter": 1}]
        comparison = compared(detectors(data, candidates), data.problems(select, toy))
        print(f"{name}\n{comparison}", flush=True)
        scores = {each: found.tolist() for each, found in comparison.scores_.items()}
        results.append({"data": name, "selection": select, "scores": scores})
    write_json(json, results)
    return results


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=None)
    parser.add_argument("--select", action="store_true", help="judge candidates, on other rows")
    parser.add_argument("--only", nargs="+", choices=DATA, help="default: both")
    main(**vars(parser.parse_args()))
