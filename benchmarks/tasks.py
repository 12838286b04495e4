"""Default MLPs, ours and scikit-learn's, in the same Pipeline on ten tasks.

Balanced accuracy or R2 on the same splits; the verdict is that of the corrected resampled t-test.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn import datasets as bundled
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier as ScikitLearnMLPClassifier
from sklearn.neural_network import MLPRegressor as ScikitLearnMLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks._timing import arguments, print_environment, write_json
from sknets import MLPClassifier, MLPRegressor, datasets
from sknets.model_selection import corrected_t_test

SIGNIFICANCE = 0.05
FOLDS = 5


class Task(NamedTuple):
    """Where the data come from, what is left out of them, and whether a number is predicted."""

    load: Callable[..., tuple[Any, Any]]
    regression: bool = False
    dropped: tuple[str, ...] = ()


TASKS = {
    "digits": Task(bundled.load_digits),
    "iris": Task(bundled.load_iris),
    "wine": Task(bundled.load_wine),
    "breast cancer": Task(bundled.load_breast_cancer),
    "diabetes": Task(bundled.load_diabetes, regression=True),
    "adult": Task(datasets.load_adult),
    "california housing": Task(datasets.load_california_housing, regression=True),
    # boat and body give the answer away; the others are free text.
    "titanic": Task(
        datasets.load_titanic, dropped=("boat", "body", "name", "ticket", "cabin", "home.dest")
    ),
    # duration is not known before the answer is.
    "bank marketing": Task(datasets.load_bank_marketing, dropped=("duration",)),
    "covertype": Task(datasets.load_covertype),
}
TOY_TASKS = ("iris", "diabetes")


class Row(NamedTuple):
    """One line of the table."""

    task: str
    ours: float
    theirs: float
    difference: float
    p_value: float
    verdict: str


def prepared(X: Any) -> ColumnTransformer:
    """Numbers imputed and standardised, categories one-hot."""
    numbers = list(X.select_dtypes("number").columns)
    categories = [name for name in X.columns if name not in numbers]
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5)
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            ("categories", one_hot, categories),
        ],
        sparse_threshold=0,
    )


def pipeline(network: Any, X: Any, regression: bool) -> Pipeline:
    if regression:
        network = TransformedTargetRegressor(network, transformer=StandardScaler())
    return make_pipeline(prepared(X), network)


def networks(regression: bool, **settings: Any) -> tuple[Any, Any]:
    """Ours and scikit-learn's with defaults; the same seed starts both from the same weights."""
    if regression:
        pair = (MLPRegressor(device="cpu"), ScikitLearnMLPRegressor())
    else:
        pair = (MLPClassifier(device="cpu"), ScikitLearnMLPClassifier())
    ours, theirs = (network.set_params(random_state=0, **settings) for network in pair)
    return ours, theirs


def compare(name: str, repeats: int, jobs: int, toy: bool) -> Row:
    task = TASKS[name]
    X, y = task.load(return_X_y=True, as_frame=True)
    X = X.drop(columns=list(task.dropped))
    splitter = RepeatedKFold if task.regression else RepeatedStratifiedKFold
    splits = splitter(n_splits=FOLDS, n_repeats=repeats, random_state=0)
    scoring = "r2" if task.regression else "balanced_accuracy"
    scores = [
        cross_val_score(
            pipeline(network, X, task.regression),
            X,
            y,
            cv=splits,
            scoring=scoring,
            n_jobs=jobs,
            error_score="raise",
        )
        for network in networks(task.regression, **({"max_iter": 2} if toy else {}))
    ]
    return judged(name, *scores)


def judged(name: str, ours: np.ndarray, theirs: np.ndarray) -> Row:
    differences = ours - theirs
    test = corrected_t_test(differences, n_train=FOLDS - 1, n_test=1)
    verdict = "within noise"
    if test.p_value < SIGNIFICANCE:
        verdict = "better" if test.statistic > 0 else "WORSE"
    return Row(name, ours.mean(), theirs.mean(), differences.mean(), test.p_value, verdict)


def print_row(row: Row) -> None:
    print(
        f"{row.task:20}{row.ours:10.4f}{row.theirs:14.4f}{row.difference:12.4f}"
        f"{row.p_value:8.3f}  {row.verdict}",
        flush=True,
    )


def main(
    toy: bool = False,
    repeats: int = 1,
    jobs: int = 1,
    tasks: list[str] | None = None,
    json: str | None = None,
) -> list[Row]:
    print_environment()
    print(f"{'task':20}{'ours':>10}{'scikit-learn':>14}{'difference':>12}{'p':>8}  verdict")
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for name in TOY_TASKS if toy else tasks or TASKS:
            rows.append(compare(name, repeats, jobs, toy))
            print_row(rows[-1])
    write_json(json, [row._asdict() for row in rows])
    return rows


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=1)
    parser.add_argument("--jobs", type=int, default=1, help="folds at a time; default: %(default)s")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, help="default: all")
    main(**vars(parser.parse_args()))
