"""MNIST by three convolutional networks in scikit-learn's VotingClassifier: 0.3 % in 25 minutes."""

from functools import partial
from typing import Any

from sklearn.ensemble import VotingClassifier

from benchmarks.reproduce._headline import options, reproduce
from benchmarks.reproduce.mnist_cnn_augmented import BLOCKS, CHOSEN, COLUMN, HEADLINE
from sknets import CNNClassifier


def voting(architectures: tuple[Any, ...], random_state: int, **settings: Any) -> VotingClassifier:
    """A network of each architecture, from seeds of their own; probabilities are averaged."""
    n = len(architectures)
    members = [
        (f"network{i}", CNNClassifier(each, random_state=n * random_state + i, **settings))
        for i, each in enumerate(architectures)
    ]
    return VotingClassifier(members, voting="soft")


SHARED = {name: value for name, value in CHOSEN.items() if name != "architecture"}
THREE = dict(architectures=(BLOCKS, COLUMN, BLOCKS), **SHARED)
HEADLINE = HEADLINE._replace(
    name="MNIST, three networks, augmented",
    seeds=1,
    chosen=THREE,
    candidates=[THREE, dict(architectures=(BLOCKS, COLUMN), **SHARED)],
    estimator=voting,
)
main = partial(reproduce, HEADLINE)

if __name__ == "__main__":
    main(**vars(options(__doc__, HEADLINE).parse_args()))
