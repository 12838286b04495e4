"""MNIST by a deep Boltzmann machine of 500 and 1,000 units, fine-tuned by back-propagation.

Salakhutdinov and Hinton (2009), https://proceedings.mlr.press/v5/salakhutdinov09a.html, have .95 %.
"""

from functools import partial

from benchmarks.reproduce._headline import Headline, options, reproduce
from sknets import DBM, BernoulliRBM, DBMClassifier

FIRST = BernoulliRBM(
    learning="cd",
    learning_rate=0.05,
    learning_rate_schedule="cosine",
    momentum=0.5,
    batch_size=100,
    n_iter=20,
    shuffle=True,
)
MACHINE = DBM(
    rbm=FIRST,
    max_iter=15,
    batch_size=100,
    learning_rate="cosine",
    learning_rate_init=0.01,
    precision="bfloat16",
)
NOISY = dict(noise_std=0.3, batch_norm=True, batch_size=256, dropout=0.15)
SILENCED = dict(**NOISY, mean_field_dropout=0.5, max_iter=100)

HEADLINE = Headline(
    "MNIST 784-500-1000-10, a deep Boltzmann machine first",
    bar=0.95,
    seeds=1,
    fixed=dict(
        hidden_layer_sizes=(500, 1000),
        dbm=MACHINE,
        learning_rate="one_cycle",
        learning_rate_init=0.003,
        precision="bfloat16",
    ),
    chosen=SILENCED,
    # Validation errors of one seed: 0.98, 1.19, 1.26 and 1.36 %; after 100 epochs of both layers
    # together 1.02 %, with .8 of the means silenced 1.10, and with noise of .4 1.15 %.
    candidates=[
        SILENCED,
        dict(**NOISY, max_iter=100),
        dict(**NOISY, max_iter=60),
        dict(max_iter=20, batch_size=100),
    ],
    estimator=DBMClassifier,
    toy=dict(
        hidden_layer_sizes=(20, 20),
        dbm=DBM(rbm=BernoulliRBM(n_iter=1), max_iter=1),
    ),
)
main = partial(reproduce, HEADLINE)

if __name__ == "__main__":
    main(**vars(options(__doc__, HEADLINE).parse_args()))
