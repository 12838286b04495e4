"""MNIST by a convolutional network and shifted, turned, bent digits: 0.3 % error, in 25 minutes."""

from functools import partial

from benchmarks.reproduce._headline import Headline, options, reproduce
from sknets import CNNClassifier
from sknets.cnn import ConvNet
from sknets.preprocessing import Elastic, Rotate, Scale, Translate

WIDE = ConvNet(channels=((32, 32, 32), (64, 64, 64), 128), batch_norm=True, dense=(), dropout=0.4)
BENT = (Rotate(12), Scale(1.12), Translate(0.08), Elastic(alpha=20.0, sigma=4.0))

HEADLINE = Headline(
    "MNIST, seven convolutions, augmented",
    bar=0.3,
    seeds=1,
    fixed=dict(image_shape=(28, 28), learning_rate="one_cycle", architecture=WIDE, augment=BENT),
    chosen=dict(learning_rate_init=0.01, batch_size=128, max_iter=30),
    candidates=[dict(learning_rate_init=0.01, batch_size=128, max_iter=30)],
    estimator=CNNClassifier,
    toy={"image_shape": (8, 8)},
)
main = partial(reproduce, HEADLINE)

if __name__ == "__main__":
    main(**vars(options(__doc__, HEADLINE).parse_args()))
