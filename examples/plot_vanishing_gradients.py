"""
Vanishing gradients
===================

Two of many numbers are marked and must be added. Plain recurrent networks do not learn it when the
marks are far from the end, and the picture shows why: the gradient of what they say by their state
shrinks with every step back, so that nothing reaches the first marks. The gates of an LSTM or a GRU
learn to let it through, and the identity from which an IRNN starts does so from the beginning.
"""

import matplotlib.pyplot as plt

from sknets import RNNRegressor
from sknets.datasets import make_adding_problem
from sknets.inspection import GradientNormDisplay

CELLS = {
    "plain": {"cell": "rnn"},
    "IRNN": {"cell": "rnn", "activation": "relu", "recurrent_init": "identity"},
    "LSTM": {"cell": "lstm"},
    "GRU": {"cell": "gru"},
}


def main(toy=False):
    n, length = (50, 10) if toy else (3000, 50)
    X, y = make_adding_problem(n, length=length, random_state=0)
    unseen, sums = make_adding_problem(500, length=length, random_state=1)
    _, (before, after) = plt.subplots(1, 2, sharey=True, figsize=(10, 4), layout="constrained")
    scores = {}
    for name, cell in CELLS.items():
        network = RNNRegressor(
            **cell,
            hidden_layer_sizes=(32,),
            batch_size=50,
            learning_rate="one_cycle",
            random_state=0,
        )
        network.set_params(max_iter=1, learning_rate_init=1e-12).fit(X, y)
        GradientNormDisplay.from_estimator(network, unseen[:50], name=name, ax=before)
        network.set_params(max_iter=1 if toy else 12, learning_rate_init=0.01).fit(X, y)
        scores[name] = network.score(unseen, sums)
        label = f"{name}, R2 {scores[name]:.2f}"
        GradientNormDisplay.from_estimator(network, unseen[:50], name=label, ax=after)
    before.set_title("Before training")
    after.set_title("After training")
    return scores


if __name__ == "__main__":
    print(main())
    plt.show()
