"""Airline passengers and JSB chorales: a recurrent network, what is naive, and boosting on lags.

Passengers: five years, each foretold from the months before it, by settings chosen on the seven
years before these; the error is the mean absolute one in %. Chorales: which notes sound at the next
step; the figure is the frame-level accuracy of Bay, Ehmann and Downie (2009), hits over hits,
misses and false alarms, in %, of which Boulanger-Lewandowski et al. (2012),
https://doi.org/10.48550/arXiv.1206.6392, report 28.46 for the plain RNN and 33.12 for their best
model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import TimeSeriesSplit

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from sknets import RNNForecaster, RNNTagger
from sknets.datasets import load_airline_passengers, load_polyphonic_music

SEASON, YEARS = 12, 5
Forecast = Callable[[np.ndarray, int, int], np.ndarray]


def network(log_y: np.ndarray, seed: int, epochs: int) -> np.ndarray:
    model = RNNForecaster(
        window=24,
        difference=SEASON,
        hidden_layer_sizes=(16,),
        batch_size=16,
        max_iter=epochs,
        averaging="snapshots",
        n_snapshots=5,
        learning_rate_init=0.01,
        random_state=seed,
        device="cpu",
    )
    return model.fit(None, log_y).predict(np.empty((SEASON, 0)))


def seasonal_naive(log_y: np.ndarray, seed: int, epochs: int) -> np.ndarray:
    """Next year will be as this one."""
    return log_y[-SEASON:]


def boosting(log_y: np.ndarray, seed: int, epochs: int) -> np.ndarray:
    """The change from the month a year before, by those of the last two years, a month ahead."""
    changes = log_y[SEASON:] - log_y[:-SEASON]
    n_lags = min(2 * SEASON, len(changes) // 2)
    windows = np.lib.stride_tricks.sliding_window_view(changes, n_lags + 1)
    model = HistGradientBoostingRegressor(min_samples_leaf=5, random_state=seed)
    model.fit(windows[:, :-1], windows[:, -1])
    made = list(changes)
    for _ in range(SEASON):
        made += model.predict([made[-n_lags:]]).tolist()
    return log_y[-SEASON:] + made[-SEASON:]


def airline(seed: int, toy: bool, forecast: Forecast) -> Outcome:
    """The mean absolute error in % over all months that are foretold."""
    if toy:
        y = 100 + np.arange(96) + 10 * np.sin(np.arange(96) * 2 * np.pi / SEASON)
    else:
        y = load_airline_passengers().target
    log_y = np.log(y)
    folds = TimeSeriesSplit(2 if toy else YEARS, test_size=SEASON).split(log_y)

    def errors() -> list[np.ndarray]:
        return [
            abs(np.exp(forecast(log_y[past], seed, 5 if toy else 200)) / y[year] - 1)
            for past, year in folds
        ]

    return timed(errors, lambda found: 100 * np.mean(found))


def chorales(toy: bool) -> tuple[list[np.ndarray], list[np.ndarray]]:
    if toy:
        rolls = np.random.default_rng(0).random((20, 12, 88)) < 0.05
        return list(rolls[:10]), list(rolls[10:])
    train, test = (load_polyphonic_music(subset=part).data for part in ("train", "test"))
    return list(train), list(test)


def frame_accuracy(found: list[np.ndarray], right: list[np.ndarray]) -> float:
    """In %."""
    pairs = [(a.astype(bool), b.astype(bool)) for a, b in zip(found, right, strict=True)]
    hits = sum((a & b).sum() for a, b in pairs)
    return 100 * hits / sum((a | b).sum() for a, b in pairs)


def tagger(seed: int, toy: bool) -> Outcome:
    train, test = chorales(toy)
    model = RNNTagger(
        hidden_layer_sizes=(4 if toy else 200,),
        dropout=0.5,
        input_dropout=0.2,
        batch_size=8,
        max_iter=1 if toy else 60,
        learning_rate="one_cycle",
        learning_rate_init=0.003,
        random_state=seed,
        device="cpu",
    )
    X, y = ([roll.astype(np.float32)[part] for roll in train] for part in (NOW, NEXT))

    def accuracy(fitted: RNNTagger) -> float:
        p = fitted.predict_proba([roll.astype(np.float32)[NOW] for roll in test])
        return frame_accuracy([each > THRESHOLD for each in p], [roll[NEXT] for roll in test])

    return timed(lambda: model.fit(X, y), accuracy)


NOW, NEXT = slice(None, -1), slice(1, None)
THRESHOLD = 0.3  # of the probability of a note, below 0.5 since misses are more frequent


def held(seed: int, toy: bool) -> Outcome:
    """What sounds goes on."""
    _, test = chorales(toy)
    return timed(
        lambda: test,
        lambda rolls: frame_accuracy([r[NOW] for r in rolls], [r[NEXT] for r in rolls]),
    )


CLAIMS: list[Claim] = [
    Claim("airline, network", partial(airline, forecast=network), seeds=5),
    Claim("airline, seasonal naive", partial(airline, forecast=seasonal_naive)),
    Claim("airline, boosting on lags", partial(airline, forecast=boosting)),
    Claim("chorales, network", tagger, seeds=3),
    Claim("chorales, the same notes again", held),
]
main: Any = partial(reproduce, CLAIMS)

if __name__ == "__main__":
    main(**vars(options(__doc__, CLAIMS).parse_args()))
