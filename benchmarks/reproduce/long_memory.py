"""Tasks that need a long memory: the adding problem, temporal order, the embedded Reber grammar.

Hochreiter and Schmidhuber (1997), https://doi.org/10.1162/neco.1997.9.8.1735; Le, Jaitly and Hinton
(2015), https://doi.org/10.48550/arXiv.1504.00941. Tests are on sequences that no fit has seen.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from sklearn.metrics import mean_squared_error

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from sknets import RNNClassifier, RNNRegressor, RNNTagger
from sknets.datasets import make_adding_problem, make_embedded_reber, make_temporal_order

N_TEST = 10_000
SHARED: dict[str, Any] = {
    "hidden_layer_sizes": (64,),
    "batch_size": 50,
    "learning_rate": "one_cycle",
    "learning_rate_init": 0.01,
    "n_iter_no_change": np.inf,
    "device": "cpu",
}


def settings(seed: int, toy: bool, given: dict[str, Any]) -> dict[str, Any]:
    changes = {"hidden_layer_sizes": (4,), "max_iter": 1} if toy else {}
    return {**SHARED, **given, **changes, "random_state": seed}


def sizes(toy: bool, n_train: int) -> tuple[int, int]:
    return (60, 60) if toy else (n_train, N_TEST)


def adding(seed: int, toy: bool, length: int, n_train: int = 10_000, **given: Any) -> Outcome:
    """The mean squared error on unseen sums."""
    n_train, n_test = sizes(toy, n_train)
    X, y = make_adding_problem(n_train, 10 if toy else length, random_state=seed)
    unseen, sums = make_adding_problem(n_test, 10 if toy else length, random_state=1000 + seed)
    X, unseen = X.astype(np.float32), unseen.astype(np.float32)
    model = RNNRegressor(**settings(seed, toy, given))
    return timed(
        lambda: model.fit(X, y), lambda fitted: mean_squared_error(sums, fitted.predict(unseen))
    )


def order(seed: int, toy: bool, n_train: int = 10_000, **given: Any) -> Outcome:
    """The share of unseen sequences whose class is told."""
    n_train, n_test = sizes(toy, n_train)
    X, y = make_temporal_order(n_train, random_state=seed)
    unseen, classes = make_temporal_order(n_test, random_state=1000 + seed)
    model = RNNClassifier(vocabulary_size=8, **settings(seed, toy, given))
    return timed(lambda: model.fit(X, y), lambda fitted: fitted.score(unseen, classes))


def reber(seed: int, toy: bool, n_train: int = 1000, **given: Any) -> Outcome:
    """The share of unseen strings of which every symbol is foretold."""
    n_train, n_test = sizes(toy, n_train)
    X, y = make_embedded_reber(n_train, random_state=seed)
    seen = {string.tobytes() for string in X}
    drawn, follows = make_embedded_reber(12 * n_test, random_state=1000 + seed)
    new = [i for i, string in enumerate(drawn) if string.tobytes() not in seen][:n_test]
    assert len(new) == n_test, "most short strings are among those of the fit"
    model = RNNTagger(vocabulary_size=7, **settings(seed, toy, given))

    def right(fitted: Any) -> float:
        found = fitted.predict(drawn[new])
        return np.mean([np.array_equal(a, b) for a, b in zip(found, follows[new], strict=True)])

    return timed(lambda: model.fit(X, y), right)


CLAIMS = [
    Claim(
        "adding, 100 steps, GRU",
        partial(adding, length=100, max_iter=10),
        most=1e-3,
        seeds=5,
        each=True,
        minutes=2,
    ),
    Claim(
        "adding, 100 steps, LSTM",
        partial(adding, length=100, max_iter=25, cell="lstm"),
        most=1e-3,
        seeds=5,
        each=True,
        minutes=2,
    ),
    Claim("adding, 100 steps, plain", partial(adding, length=100, max_iter=10, cell="rnn")),
    Claim(
        "adding, 600 steps, GRU",
        partial(adding, length=600, max_iter=10),
        most=1e-3,
        seeds=3,
        each=True,
        minutes=20,
    ),
    Claim(
        "temporal order, GRU, maximum of steps",
        partial(order, max_iter=10, batch_size=20, pooling="max"),
        least=1,
        seeds=5,
        each=True,
    ),
    Claim(
        "temporal order, plain, maximum of steps",
        partial(order, max_iter=10, batch_size=20, pooling="max", cell="rnn"),
    ),
    Claim("temporal order, plain", partial(order, max_iter=10, batch_size=20, cell="rnn")),
    Claim(
        "embedded Reber, LSTM",
        partial(reber, max_iter=60, batch_size=20, learning_rate_init=0.02, cell="lstm"),
        seeds=5,
    ),
    Claim(
        "embedded Reber, GRU",
        partial(reber, max_iter=60, batch_size=20, learning_rate_init=0.02),
        least=1,
        seeds=5,
        each=True,
    ),
]
main = partial(reproduce, CLAIMS)

if __name__ == "__main__":
    main(**vars(options(__doc__, CLAIMS).parse_args()))
