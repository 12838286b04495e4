"""``GridSearchCV(n_jobs=2)`` of 24 fits on digits, over our MLPClassifier and scikit-learn's.

No fit stops early, so both sides train for the same number of epochs. The first search of each
side, which starts the workers and imports the libraries there, is not measured.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as ScikitLearnMLPClassifier

from benchmarks._timing import (
    Timing,
    alternate,
    arguments,
    print_environment,
    print_table,
    write_json,
)
from benchmarks.fit_mlp import digits
from sknets import MLPClassifier

GRID = {"alpha": [1e-5, 1e-4, 1e-3, 1e-2], "learning_rate_init": [1e-3, 3e-3]}
FOLDS = 3  # 8 candidates on 3 folds are 24 fits
BARS = {"scikit-learn": 0.7}


def search(model: Any, X: np.ndarray, y: np.ndarray, n_jobs: int) -> GridSearchCV:
    return GridSearchCV(model, GRID, cv=FOLDS, n_jobs=n_jobs, refit=False).fit(X, y)


def main(
    toy: bool = False, repeats: int = 7, epochs: int = 100, jobs: int = 2, json: str | None = None
) -> list[Timing]:
    X, y = digits()
    if toy:
        X, y, repeats, epochs, jobs = X[:100], y[:100], 1, 1, 1
    settings = dict(max_iter=epochs, tol=0, n_iter_no_change=np.inf, random_state=0)
    models = {
        "ours": MLPClassifier(device="cpu", **settings),
        "scikit-learn": ScikitLearnMLPClassifier(**settings),
    }
    sides = {side: lambda m=model: search(m, X, y, jobs) for side, model in models.items()}
    print_environment()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        title = f"24 fits of {epochs} epochs on digits, n_jobs={jobs}"
        result = alternate(sides, repeats, case=title)
    print_table(result, BARS)
    write_json(json, [result])
    return [result]


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--epochs", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=2, help="default: %(default)s")
    main(**vars(parser.parse_args()))
