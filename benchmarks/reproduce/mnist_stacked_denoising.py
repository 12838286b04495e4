"""MNIST by a perceptron of three layers that starts from stacked denoising autoencoders.

Vincent et al. (2010), https://jmlr.org/papers/v11/vincent10a.html, table 3, have 1.28 % from three
layers with a share of the inputs set to 0, fine-tuned by back-propagation.
"""

from functools import partial

from benchmarks.reproduce._headline import Headline, options, reproduce
from sknets import Autoencoder, MLPClassifier

DENOISING = dict(
    noise="masking",
    noise_level=0.25,
    max_iter=15,
    batch_size=200,
    learning_rate="one_cycle",
    learning_rate_init=0.002,
    precision="bfloat16",
)
PIXELS = Autoencoder(**DENOISING, out_activation="logistic")
RECTIFIERS = Autoencoder(**DENOISING, out_activation="relu")
LOGISTIC = Autoencoder(**DENOISING, activation="logistic", loss="log_loss")
OF_TOY = Autoencoder(noise="masking", max_iter=1)
NOISY = dict(noise_std=0.3, batch_norm=True, batch_size=256, dropout=0.15, max_iter=60)

HEADLINE = Headline(
    "MNIST 784-1000-1000-1000-10, denoising first",
    bar=1.28,
    seeds=3,
    fixed=dict(
        hidden_layer_sizes=(1000, 1000, 1000),
        learning_rate="one_cycle",
        learning_rate_init=0.003,
        precision="bfloat16",
    ),
    chosen=dict(pretrain=[PIXELS, RECTIFIERS, RECTIFIERS], **NOISY),
    # The first errs in .92 % of the validation part, one seed; the others were not needed.
    candidates=[
        dict(pretrain=[PIXELS, RECTIFIERS, RECTIFIERS], **NOISY),
        dict(pretrain=LOGISTIC, activation="logistic", **NOISY),
        dict(pretrain=LOGISTIC, activation="logistic", max_iter=30, batch_size=100),
        dict(**NOISY),
    ],
    estimator=MLPClassifier,
    toy=dict(hidden_layer_sizes=(20,), pretrain=OF_TOY, activation="relu"),
)
main = partial(reproduce, HEADLINE)

if __name__ == "__main__":
    main(**vars(options(__doc__, HEADLINE).parse_args()))
