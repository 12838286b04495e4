"""MNIST by a convolutional network, digits turned, scaled, shifted: 0.3 % error in 25 minutes."""

from functools import partial

from benchmarks.reproduce._headline import Headline, options, reproduce
from sknets import CNNClassifier
from sknets.cnn import ConvNet
from sknets.preprocessing import Elastic, Rotate, Scale, Translate

BLOCKS = ConvNet(channels=((32, 32), (64, 64)), batch_norm=True, dense=256, dropout=0.5)
COLUMN = ConvNet(
    channels=(32, 64, 128), kernel_size=(5, 5, 3), batch_norm=True, dense=256, dropout=0.5
)
WIDE = ConvNet(channels=((32, 32, 32), (64, 64, 64), 128), batch_norm=True, dense=(), dropout=0.4)
MILD = (Rotate(10), Scale(1.1), Translate(0.08))
BENT = (Rotate(12), Scale(1.12), Translate(0.08), Elastic(alpha=20.0, sigma=4.0))
ONE = dict(learning_rate="one_cycle", learning_rate_init=0.01, max_iter=16)
CHOSEN = dict(architecture=BLOCKS, augment=MILD, tta="scales", **ONE)

HEADLINE = Headline(
    "MNIST, four convolutions, augmented",
    bar=0.3,
    seeds=3,
    fixed=dict(image_shape=(28, 28), batch_size=128, label_smoothing=0.1),
    chosen=CHOSEN,
    candidates=[
        CHOSEN,
        CHOSEN | dict(tta=None),
        CHOSEN | dict(max_iter=40),
        CHOSEN | dict(augment=BENT),
        CHOSEN | dict(architecture=COLUMN),
        CHOSEN | dict(architecture=WIDE, augment=BENT),
        dict(architecture=BLOCKS, augment=MILD, tta="scales", learning_rate_init=0.01)
        | dict(averaging="snapshots", n_snapshots=4, max_iter=32),
    ],
    estimator=CNNClassifier,
    toy={"image_shape": (8, 8)},
)
main = partial(reproduce, HEADLINE)

if __name__ == "__main__":
    main(**vars(options(__doc__, HEADLINE).parse_args()))
