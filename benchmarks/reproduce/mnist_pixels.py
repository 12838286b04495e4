"""Sequential MNIST: 784 steps of one pixel (Le, Jaitly and Hinton, 2015).

https://doi.org/10.48550/arXiv.1504.00941; their IRNN reaches 97 %, Arjovsky, Shah and Bengio's LSTM
(2016) 98.2 %. A run takes half an hour on a processor.
"""

from __future__ import annotations

from functools import partial

from benchmarks.reproduce._headline import Headline, options, reproduce
from sknets import RNNClassifier

CHOSEN = dict(max_iter=20)
HEADLINE = Headline(
    "MNIST by pixels, GRU",
    bar=3.0,
    seeds=1,
    fixed=dict(
        hidden_layer_sizes=(64,),
        learning_rate="one_cycle",
        learning_rate_init=0.005,
        batch_size=100,
    ),
    chosen=CHOSEN,
    candidates=[CHOSEN],
    estimator=RNNClassifier,
    toy={"hidden_layer_sizes": (4,)},
)
main = partial(reproduce, HEADLINE)

if __name__ == "__main__":
    main(**vars(options(__doc__, HEADLINE).parse_args()))
