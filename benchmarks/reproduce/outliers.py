"""Outliers by reconstruction error beside scikit-learn's detectors: areas under the ROC curve.

One class is normal and is learnt, each in its turn, and samples of all classes are judged, the
others as outliers: the digits of MNIST, judged on the test images, with pixels between 0 and 1; and
the kinds of forest of Covertype, of which a half is judged, by the ten measured columns,
standardised. With ``--select`` candidates for our settings are beside each other on a part of what
is learnt from otherwise, three classes of each. scikit-learn's detectors have their defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_wine
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from benchmarks._timing import arguments, print_environment, write_json
from benchmarks.reproduce._headline import Samples, parts
from sknets import AutoencoderOutlierDetector
from sknets.datasets import load_covertype, load_mnist
from sknets.model_selection import Comparison, compare

N_MEASURED = 10  # columns of Covertype, before those of zeros and ones
FIXED: dict[str, Any] = {
    "learning_rate": "one_cycle",
    "learning_rate_init": 0.003,
    "batch_size": 100,
    "n_iter_no_change": np.inf,
    "random_state": 0,
}


def digits(select: bool, toy: bool) -> tuple[Samples, Samples]:
    return parts(load_mnist, select, toy)


def forests(select: bool, toy: bool) -> tuple[Samples, Samples]:
    found = load_wine(return_X_y=True) if toy else load_covertype(return_X_y=True)
    train, judging = halves(Samples(found[0][:, :N_MEASURED], found[1]))
    return halves(train) if select else (train, judging)


def halves(samples: Samples) -> tuple[Samples, Samples]:
    """With the same share of each class."""
    rows = np.arange(len(samples.y))
    both = train_test_split(rows, test_size=0.5, stratify=samples.y, random_state=0)
    return samples.rows(both[0]), samples.rows(both[1])


NOISY: dict[str, Any] = {"noise": "gaussian", "noise_level": 0.5}


class Data(NamedTuple):
    """What is judged, and our settings: candidates, the first chosen."""

    load: Callable[[bool, bool], tuple[Samples, Samples]]  # what is learnt from, and what judges
    scale: bool  # the columns
    fixed: Mapping[str, Any]
    candidates: Sequence[Mapping[str, Any]]


DATA = {
    "digits": Data(
        digits,
        False,
        {"out_activation": "logistic"},
        [
            {"hidden_layer_sizes": (256, 64, 16), "max_iter": 50, **NOISY},
            {"hidden_layer_sizes": (256, 64, 16), "max_iter": 50},
            {"hidden_layer_sizes": (256, 64), "max_iter": 50, **NOISY},
            {"hidden_layer_sizes": (512,), "max_iter": 50, **NOISY},
            {"hidden_layer_sizes": (256, 64, 8), "max_iter": 50},
        ],
    ),
    "forests": Data(
        forests,
        True,
        {},
        [
            {"hidden_layer_sizes": (128, 32), "max_iter": 200, **NOISY},
            {"hidden_layer_sizes": (128,), "max_iter": 200, **NOISY},
            {"hidden_layer_sizes": (32,), "max_iter": 200},
            {"hidden_layer_sizes": (32, 4), "max_iter": 200},
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


def compared(
    estimators: dict[str, Any], train: Samples, judging: Samples, n: int | None
) -> Comparison:
    """All, with each of the first classes as the normal one: a split each."""
    X, kind = (np.concatenate(both) for both in zip(train, judging, strict=True))
    learnt, judged = np.split(np.arange(len(kind)), [len(train.y)])
    folds: list[Any] = []
    for i, normal in enumerate(np.unique(kind)[:n]):
        y = np.where(kind == normal, 1, -1)
        splits = [(learnt[train.y == normal], judged)]
        found = compare(estimators, X, y, cv=splits, scoring="roc_auc")
        folds += [fold._replace(fold=i) for fold in found.folds_]
        print(f"  {normal}: {found.conclusion()}", flush=True)
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
        n = 2 if toy else 3 if select else None
        comparison = compared(detectors(data, candidates), *data.load(select, toy), n)
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
