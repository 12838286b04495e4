"""MNIST by 3 x 1024 rectifiers with dropout and max-norm: 1.06 % (Srivastava et al., 2014)."""

from functools import partial

from benchmarks.reproduce._mnist import Headline, options, reproduce

PLAIN = dict(batch_size=256, learning_rate_init=0.001, max_norm=2)
# Differs from the paper: batch normalisation, with which the same error takes fewer epochs.
NORMALISED = dict(batch_size=256, learning_rate_init=0.003, max_norm=3, batch_norm=True)
# The paper's own method: momentum and a high rate, which max-norm keeps in check.
MOMENTUM = dict(solver="sgd", momentum=0.95, batch_size=128, learning_rate_init=0.1, max_norm=2)

HEADLINE = Headline(
    "MNIST 784-1024-1024-1024-10, dropout and max-norm",
    bar=1.06,
    seeds=3,
    fixed=dict(
        hidden_layer_sizes=(1024, 1024, 1024),
        input_dropout=0.2,
        learning_rate="one_cycle",
        max_iter=75,
        weight_init="he_normal",
    ),
    # 2.04 % validation error after 10 epochs (one seed) against 2.21 of the fourth candidate, the
    # only other that was tried. To be confirmed by --select over all 75.
    chosen=dict(**NORMALISED, dropout=0.5, label_smoothing=0.1),
    candidates=[
        dict(**PLAIN, dropout=0.5),
        dict(**PLAIN, dropout=0.3),
        dict(**PLAIN, dropout=0.3, label_smoothing=0.1, averaging="ema"),
        dict(**PLAIN, dropout=0.5, label_smoothing=0.1, averaging="ema"),
        dict(**NORMALISED, dropout=0.5),
        dict(**NORMALISED, dropout=0.3),
        dict(**NORMALISED, dropout=0.3, label_smoothing=0.1),
        dict(**NORMALISED, dropout=0.5, label_smoothing=0.1),
        dict(**MOMENTUM, dropout=0.5),
    ],
)
main = partial(reproduce, HEADLINE)

if __name__ == "__main__":
    main(**vars(options(__doc__, HEADLINE).parse_args()))
