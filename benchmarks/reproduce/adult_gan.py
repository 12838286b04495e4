"""Adult as a generator knows it: trees that learn from samples tell who earns more of real people.

A conditional GAN learns the training part through a Pipeline, ranks of the six numbers and codes of
the eight categories, and as many people of each class are sampled. Gradient-boosted trees of
scikit-learn learn from these, or from the training part itself, and are tested on the test part
(the machine learning efficacy of Xu et al., 2019, https://arxiv.org/abs/1907.00503, section 5.1).
With ``--select`` a quarter of the training part judges, and the rest trains.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder, QuantileTransformer

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from sknets import GAN
from sknets.datasets import load_adult

UNKNOWN = np.nan  # categories that were not there in training, for trees to make of what they can
# Of nine candidates on the validation part, one seed: an accuracy of 83.9 % and an area of 89.5 %;
# people have 87.2 and 92.5 %, 100 epochs 83.2 and 88.1 %, and so on down to 81.5 and 86.6 %.
SETTINGS: dict[str, Any] = {
    "hidden_layer_sizes": (256, 256),
    "conditional": True,
    "r1": 1.0,
    "minibatch_std": True,
    "batch_size": 500,
    "learning_rate": "cosine",
    "learning_rate_init": 0.001,
    "max_iter": 200,
    "precision": "bfloat16",
}


def people(select: bool, toy: bool) -> tuple[Any, ...]:
    """Tables that train and that judge, and who earns more."""
    X, y = flowers() if toy else load_adult(return_X_y=True, as_frame=True)
    if select or toy:
        found = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
        return tuple(found)
    judging, target = load_adult(subset="test", return_X_y=True, as_frame=True)
    return X, judging, y, target


def flowers() -> tuple[Any, Any]:
    """A small table of numbers and a category, and two classes."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    widths = X.pop("petal width (cm)")
    return X.assign(petals=pd.cut(widths, 3, labels=["narrow", "wide", "wider"])), y > 0


def pipeline(X: Any, seed: int, toy: bool) -> Pipeline:
    """Ranks and codes, and what learns them."""
    are_categories = np.array([kind.name == "category" for kind in X.dtypes])
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=UNKNOWN, encoded_missing_value=-1
    )
    numbers = QuantileTransformer(n_quantiles=min(1000, len(X)))
    columns = make_column_transformer(
        (numbers, X.columns[~are_categories]), (codes, X.columns[are_categories])
    )
    last = list(range(len(are_categories) - are_categories.sum(), len(are_categories)))
    small: dict[str, Any] = (
        {"max_iter": 1, "hidden_layer_sizes": 8, "batch_size": 20} if toy else {}
    )
    gan = GAN(**SETTINGS | small, categorical_features=last, random_state=seed)
    return make_pipeline(columns, gan)


@cache
def judged(of_samples: bool, select: bool, seed: int, toy: bool) -> tuple[float, float, float]:
    """The accuracy of trees in %, the area under the ROC curve in %, and the fit's seconds."""
    X, judging, y, target = people(select, toy)
    pipe = pipeline(X, seed, toy)
    columns, gan = pipe[:-1], pipe[-1]
    if of_samples:
        seconds = timed(lambda: pipe.fit(X, y), lambda fitted: 0).seconds
        rows = gan.sample(y=np.asarray(y), random_state=seed)
    else:
        seconds, rows = 0.0, columns.fit_transform(X)
    trees = HistGradientBoostingClassifier(
        categorical_features=gan.categorical_features, random_state=seed
    ).fit(as_of_trees(rows), y)
    seen = as_of_trees(columns.transform(judging))
    area = roc_auc_score(target, trees.predict_proba(seen)[:, 1])
    return 100 * trees.score(seen, target), 100 * float(area), seconds


def as_of_trees(rows: np.ndarray) -> np.ndarray:
    """Trees take no categories below 0."""
    return np.where(rows == -1, np.nan, rows)


def measured(place: int, of_samples: bool, select: bool, seed: int, toy: bool) -> Outcome:
    found = judged(of_samples, select, seed, toy)
    return Outcome(found[place], found[-1])


def claims(select: bool) -> list[Claim]:
    return [
        Claim(
            f"{what}, trees that learnt from {of}", partial(measured, place, made, select), seeds=3
        )
        for place, what in enumerate(("accuracy", "area under the ROC curve"))
        for of, made in (("samples", True), ("people", False))
    ]


def main(select: bool = False, **how: Any) -> list[dict[str, Any]]:
    return reproduce(claims(select), **how)


if __name__ == "__main__":
    main(**vars(options(__doc__, claims(False), "the validation part").parse_args()))
