"""MNIST by a convolutional network with batch normalisation: 0.5 % error, in three minutes."""

from functools import partial

from benchmarks.reproduce._headline import Headline, options, reproduce
from sknets import CNNClassifier
from sknets.cnn import ConvNet

DEEPER = ConvNet(channels=((32, 32), (64, 64)), batch_norm=True, dense=256, dropout=0.5)
FIVES = ConvNet(
    channels=(32, 64), kernel_size=5, padding="valid", batch_norm=True, dense=512, dropout=0.5
)

HEADLINE = Headline(
    "MNIST, four convolutions, no augmentation",
    bar=0.5,
    seeds=3,
    fixed=dict(image_shape=(28, 28), learning_rate="one_cycle", label_smoothing=0.1),
    chosen=dict(architecture=FIVES, learning_rate_init=0.01, batch_size=128, max_iter=16),
    # Validation errors of one seed: the last two 0.50 %.
    candidates=[
        dict(architecture=DEEPER, learning_rate_init=0.01, batch_size=128, max_iter=5),
        dict(architecture=FIVES, learning_rate_init=0.01, batch_size=128, max_iter=10),
        dict(architecture=FIVES, learning_rate_init=0.01, batch_size=128, max_iter=16),
    ],
    estimator=CNNClassifier,
    toy={"image_shape": (8, 8), "architecture": ConvNet(channels=(4, 4))},
)
main = partial(reproduce, HEADLINE)

if __name__ == "__main__":
    main(**vars(options(__doc__, HEADLINE).parse_args()))
