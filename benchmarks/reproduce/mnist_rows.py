"""MNIST read row by row, 28 steps of 28 pixels: 98.8 % by a GRU and by an LSTM, in 10 minutes."""

from __future__ import annotations

from typing import Any

from benchmarks.reproduce._headline import Headline, options, reproduce
from sknets import RNNClassifier

CHOSEN = dict(dropout=0.2, max_iter=12)
HEADLINE = Headline(
    "MNIST by rows",
    bar=1.2,
    seeds=3,
    fixed=dict(
        sequence_shape=(28, 28),
        hidden_layer_sizes=(128,),
        learning_rate="one_cycle",
        learning_rate_init=0.005,
        batch_size=100,
    ),
    chosen=CHOSEN,
    candidates=[CHOSEN, dict(max_iter=2)],
    estimator=RNNClassifier,
    toy={"sequence_shape": (8, 8), "hidden_layer_sizes": (4,)},
)


def main(cells: tuple[str, ...] = ("gru", "lstm"), **how: Any) -> list[dict[str, Any]]:
    results = []
    for cell in cells:
        name, fixed = f"{HEADLINE.name}, {cell}", {**HEADLINE.fixed, "cell": cell}
        results += reproduce(HEADLINE._replace(name=name, fixed=fixed), **how)
    return results


if __name__ == "__main__":
    parser = options(__doc__, HEADLINE)
    parser.add_argument("--cells", nargs="+", default=("gru", "lstm"), choices=("gru", "lstm"))
    main(**vars(parser.parse_args()))
