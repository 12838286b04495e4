"""Outliers by reconstruction error beside scikit-learn's detectors: areas under the ROC curve.

Of MNIST one digit is normal and is learnt, and the test images of all digits are judged, the others
as outliers; the figure is a mean over the ten digits. Of Covertype, as it is commonly posed
(https://odds.cs.stonybrook.edu), lodgepole pines are normal and cottonwoods outliers by the ten
measured columns; a half of the pines is learnt. Pixels are between 0 and 1, columns of the table
standardised. With ``--select`` two digits are judged on the last 10,000 training images; the
parameters of scikit-learn's detectors are their defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from benchmarks.reproduce._headline import Samples, parts
from sknets import AutoencoderOutlierDetector
from sknets.datasets import load_covertype, load_mnist

PINE, COTTONWOOD = 1, 3  # kinds of forest
N_MEASURED = 10  # columns, before those of zeros and ones
LAYERS = {"images": (256, 64, 16), "table": (32, 4)}


def autoencoder(data: str, seed: int, toy: bool) -> Any:
    return AutoencoderOutlierDetector(
        (8, 2) if toy else LAYERS[data],
        out_activation="logistic" if data == "images" else "auto",
        learning_rate="one_cycle",
        learning_rate_init=0.003,
        batch_size="auto" if toy else 100,
        max_iter=1 if toy else 50,
        n_iter_no_change=np.inf,
        random_state=seed,
    )


def isolation_forest(data: str, seed: int, toy: bool) -> Any:
    return IsolationForest(n_estimators=10 if toy else 100, random_state=seed)


def one_class_svm(data: str, seed: int, toy: bool) -> Any:
    return OneClassSVM()


def local_outlier_factor(data: str, seed: int, toy: bool) -> Any:
    return LocalOutlierFactor(novelty=True)


DETECTORS: dict[str, Callable[[str, int, bool], Any]] = {
    "autoencoder": autoencoder,
    "IsolationForest": isolation_forest,
    "OneClassSVM": one_class_svm,
    "LocalOutlierFactor": local_outlier_factor,
}


def area(detector: Any, normal: np.ndarray, judging: Samples) -> Outcome:
    """Under the curve, of rows that judge with 1 for normal ones."""
    return timed(
        lambda: detector.fit(normal),
        lambda fitted: roc_auc_score(judging.y, fitted.decision_function(judging.X)),
    )


def of_digits(detector: str, select: bool, seed: int, toy: bool) -> Outcome:
    """The mean over digits, each normal in its turn."""
    train, judging = parts(load_mnist, select, toy)
    found = []
    for digit in range(2 if select or toy else 10):
        unfitted = DETECTORS[detector]("images", seed, toy)
        is_normal = Samples(judging.X, (judging.y == digit).astype(int))
        found.append(area(unfitted, train.X[train.y == digit], is_normal))
    print("  " + ", ".join(f"{outcome.value:.3f}" for outcome in found), flush=True)
    return Outcome(*(float(np.mean(values)) for values in zip(*found, strict=True)))


def of_forests(detector: str, seed: int, toy: bool) -> Outcome:
    """Cottonwoods among pines, or of digits threes among ones."""
    X, y = load_digits(return_X_y=True) if toy else load_covertype(return_X_y=True)
    X = X[:, : None if toy else N_MEASURED]
    learnt, held_out = train_test_split(X[y == PINE], test_size=0.5, random_state=seed)
    rare = X[y == COTTONWOOD]
    truth = np.repeat([1, 0], [len(held_out), len(rare)])
    judging = Samples(np.concatenate([held_out, rare]), truth)
    unfitted = DETECTORS[detector]("table", seed, toy)
    return area(make_pipeline(StandardScaler(), unfitted), learnt, judging)


def claims(select: bool) -> list[Claim]:
    return [
        *(Claim(f"digits, {name}", partial(of_digits, name, select)) for name in DETECTORS),
        *(Claim(f"forests, {name}", partial(of_forests, name), seeds=3) for name in DETECTORS),
    ]


def main(select: bool = False, **how: Any) -> list[dict[str, Any]]:
    return reproduce(claims(select), **how)


if __name__ == "__main__":
    main(**vars(options(__doc__, claims(False), "training images").parse_args()))
