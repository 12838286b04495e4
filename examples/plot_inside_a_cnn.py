"""
Inside a convolutional network
==============================

What does a network look for, and what makes it decide? The filters of its first layer are small
edges and strokes. Its maps show where in an image each of them finds something. Units of the second
layer see more: the patches that they like best are parts of digits. And the gradient of a score by
the pixels says what a decision hangs on; a small step along it is enough to change the decision,
though one hardly sees it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sknets import CNNClassifier
from sknets.cnn import ConvNet
from sknets.inspection import (
    ActivationMapsDisplay,
    AdversarialDisplay,
    PatchesDisplay,
    SaliencyDisplay,
    WeightsDisplay,
)


def main(toy=False):
    digits = load_digits()
    X, y = digits.images / 16, digits.target
    network = CNNClassifier(
        ConvNet(channels=(16, 32), dense=64),
        batch_size=32,
        max_iter=1 if toy else 20,
        learning_rate="one_cycle",
        learning_rate_init=0.003,
        random_state=0,
    ).fit(X, y)
    print(network.summary())

    examples = X[:8]
    displays = {
        "Filters of the first layer": WeightsDisplay.from_estimator(network, n_cols=8),
        "What they find in a digit": ActivationMapsDisplay.from_estimator(
            network, examples[3:4], layer="features.relu1_1", n_cols=8
        ),
        "Patches that units of the second layer like best": PatchesDisplay.from_estimator(
            network, X, layer="features.relu2_1", n_units=4, n_patches=8
        ),
        "Which pixels a decision depends on": SaliencyDisplay.from_estimator(network, examples),
        "The smallest changes that change it": AdversarialDisplay.from_estimator(
            network, examples, method="minimal_norm"
        ),
    }
    for title, display in displays.items():
        display.figure_.suptitle(title)
    return np.mean(network.predict(X) == y)


if __name__ == "__main__":
    main()
    plt.show()
