"""
Features of a Boltzmann machine for logistic regression
=======================================================

scikit-learn's `example of the same name
<https://scikit-learn.org/stable/auto_examples/neural_networks/plot_rbm_logistic_classification.html>`_
with the import changed: digits that were moved by a pixel in each direction, a restricted Boltzmann
machine that learns features without their labels, and logistic regression on these. A
`DBNClassifier` starts from the same machine, and goes on to fine-tune it.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import shift
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import BernoulliRBM as ScikitLearnRBM
from sklearn.pipeline import make_pipeline

from sknets import BernoulliRBM, DBNClassifier

MOVES = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]


def moved_digits():
    """All digits, and what they are when moved up, down, left and right."""
    digits = load_digits()
    images = [shift(digits.images / 16, (0, *move), order=0) for move in MOVES]
    X = np.concatenate(images).reshape(-1, 64).astype(np.float32)
    return train_test_split(X, np.tile(digits.target, len(MOVES)), test_size=0.2, random_state=0)


def main(toy=False):
    X_train, X_test, y_train, y_test = moved_digits()
    described = {"n_components": 100, "learning_rate": 0.06, "n_iter": 10, "random_state": 0}
    rbm = BernoulliRBM(**described)
    tol = 1 if toy else 1e-4
    logistic = LogisticRegression(C=6000, tol=tol, max_iter=2000)
    models = {
        "logistic regression on pixels": LogisticRegression(C=100, tol=tol, max_iter=2000),
        "on scikit-learn's machine": make_pipeline(ScikitLearnRBM(**described), logistic),
        "on ours": make_pipeline(rbm, logistic),
        "ours, fine-tuned": DBNClassifier(
            (100,),
            rbm=rbm,
            max_iter=2 if toy else 60,
            learning_rate="one_cycle",
            learning_rate_init=0.02,
            random_state=0,
        ),
    }
    rows = slice(0, 500 if toy else None)
    scores = {
        name: model.fit(X_train[rows], y_train[rows]).score(X_test, y_test)
        for name, model in models.items()
    }
    figure, (bars, filters) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    names = list(scores)[::-1]
    drawn = bars.barh(names, [scores[name] for name in names])
    bars.bar_label(drawn, fmt="%.3f", padding=3)
    bars.set(xlabel="accuracy on unseen digits", xlim=(0.5, 1.05))
    weights = models["on ours"][0].components_.reshape(10, 10, 8, 8)
    filters.imshow(weights.transpose(0, 2, 1, 3).reshape(80, 80), cmap="gray")
    filters.set_axis_off()
    filters.set_title("What 100 hidden units look for", loc="left")
    return figure


if __name__ == "__main__":
    main()
