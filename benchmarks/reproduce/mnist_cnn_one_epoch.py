"""MNIST by a small convolutional network in one epoch: 1.0 % error, in 6 s."""

from functools import partial

from benchmarks.reproduce._headline import Headline, options, reproduce
from sknets import CNNClassifier
from sknets.cnn import ConvNet

# train_mnist_fast's network: 5 x 5 to 24 maps, 3 x 3 to 32, 256 units.
SMALL = ConvNet(channels=(24, 32), kernel_size=(5, 3), dense=256)

HEADLINE = Headline(
    "MNIST, small convolutional network, one epoch",
    bar=1.0,
    seeds=5,
    fixed=dict(architecture=SMALL, image_shape=(28, 28), max_iter=1, learning_rate="one_cycle"),
    chosen=dict(learning_rate_init=0.01, batch_size=128),
    candidates=[
        dict(learning_rate_init=0.01, batch_size=128),
        dict(learning_rate_init=0.005, batch_size=64),
        dict(learning_rate_init=0.007, batch_size=96),
    ],
    estimator=CNNClassifier,
    toy={"image_shape": (8, 8)},
)
main = partial(reproduce, HEADLINE)

if __name__ == "__main__":
    main(**vars(options(__doc__, HEADLINE).parse_args()))
