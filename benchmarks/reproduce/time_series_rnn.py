"""Time series of the UCR and UEA archives by a recurrent network, on the archives' splits.

JapaneseVowels, whose series are of unequal length, and BasicMotions have bars; ArrowHead and
ItalyPowerDemand stand beside the convolutional network of ``time_series``. Settings were chosen by
cross-validation on the training parts.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from sknets import RNNClassifier
from sknets.datasets import load_time_series, make_adding_problem
from sknets.preprocessing import SequenceScaler

SHARED: dict[str, Any] = {
    "cell": "gru",
    "hidden_layer_sizes": (100,),
    "bidirectional": True,
    "pooling": "mean",
    "dropout": 0.5,
    "label_smoothing": 0.1,
    "batch_size": 32,
    "max_iter": 120,
    "learning_rate": "one_cycle",
    "learning_rate_init": 0.005,
    "device": "cpu",
}


def series(name: str, subset: str, toy: bool) -> tuple[Any, Any]:
    if toy:
        X, sums = make_adding_problem(60, length=8, random_state=len(subset))
        return X, sums > 1
    return load_time_series(name, subset=subset, return_X_y=True)


def accuracy(seed: int, toy: bool, name: str, **given: Any) -> Outcome:
    """In % of the test part."""
    X, y = series(name, "train", toy)
    unseen, right = series(name, "test", toy)
    scaler = SequenceScaler().fit(X)
    X, unseen = scaler.transform(X), scaler.transform(unseen)
    if toy:
        given |= {"max_iter": 1, "hidden_layer_sizes": (4,)}
    model = RNNClassifier(**{**SHARED, **given}, n_iter_no_change=np.inf, random_state=seed)
    return timed(lambda: model.fit(X, y), lambda fitted: 100 * fitted.score(unseen, right))


CLAIMS = [
    Claim("JapaneseVowels", partial(accuracy, name="JapaneseVowels"), least=98, seeds=5),
    Claim("BasicMotions", partial(accuracy, name="BasicMotions"), least=99.5, seeds=5),
    Claim("ArrowHead", partial(accuracy, name="ArrowHead"), seeds=5),
    Claim("ItalyPowerDemand", partial(accuracy, name="ItalyPowerDemand"), seeds=5),
]
main = partial(reproduce, CLAIMS)

if __name__ == "__main__":
    main(**vars(options(__doc__, CLAIMS).parse_args()))
