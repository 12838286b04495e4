"""
Templates of a linear classifier
================================

Without a hidden layer a perceptron is a linear classifier: the softmax classifier with the log
loss, a linear support vector machine with a hinge loss. Each class has one set of weights, which
can be looked at as an image: red where ink speaks for the class, blue where it speaks against it. A
hidden layer looks for parts of digits instead.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from sknets import MLPClassifier
from sknets.inspection import ImagesDisplay, WeightsDisplay


def main(toy=False):
    digits = load_digits()
    X, y = digits.data / 16, digits.target
    # A strong penalty keeps weights small where pixels say nothing: the templates become smooth.
    linear = {
        "hidden_layer_sizes": (),
        "solver": "lbfgs",
        "alpha": 30,
        "tol": 1e-2 if toy else 1e-4,
    }
    networks = {
        "softmax": MLPClassifier(**linear),
        "squared hinge": MLPClassifier(**linear, loss="squared_hinge"),
        "20 hidden units": MLPClassifier(
            (20,),
            alpha=1,
            learning_rate="one_cycle",
            learning_rate_init=0.02,
            max_iter=3 if toy else 60,
        ),
    }
    figure, axes = plt.subplots(4, 1, figsize=(8, 7), layout="constrained")
    ImagesDisplay.from_dataset(digits, n_rows=1, ax=axes[0])
    axes[0].set_title("Examples", loc="left")
    for ax, (name, network) in zip(axes[1:], networks.items(), strict=True):
        network.set_params(random_state=0).fit(X, y)
        WeightsDisplay.from_estimator(network, ax=ax)
        ax.set_title(f"{name}: {network.score(X, y):.1%} of the digits right", loc="left")
    return figure


if __name__ == "__main__":
    main()
