"""
Digits that a deep belief network dreams of
===========================================

With ``head="associative"`` the machine on top of a deep belief network sees the labels beside the
layer below it (Hinton, Osindero and Teh, 2006). Where a label is held fast and the machine runs for
a while, what it makes on the way down is a digit of that class that it was never shown: it dreams.
The rows are ten chains for each digit; a classifier of another kind says what it sees in them.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from sknets import BernoulliRBM, DBNClassifier

N_EACH = 10


def main(toy=False):
    digits = load_digits()
    X, y = digits.data / 16, digits.target
    dbn = DBNClassifier(
        (200, 200),
        head="associative",
        rbm=BernoulliRBM(learning="cd", learning_rate=0.2, batch_size=20, n_iter=1 if toy else 40),
        max_iter=1 if toy else 100,
        learning_rate="one_cycle",
        learning_rate_init=0.01,
        batch_size=50,
        random_state=0,
    ).fit(X, y)
    asked = np.repeat(np.arange(10), N_EACH)
    dreams = dbn.sample(y=asked, n_steps=5 if toy else 500, random_state=0)
    recognised = (SVC().fit(X, y).predict(dreams) == asked).mean()
    figure, ax = plt.subplots(figsize=(6, 6), layout="constrained")
    ax.imshow(
        dreams.reshape(10, N_EACH, 8, 8).transpose(0, 2, 1, 3).reshape(80, 8 * N_EACH),
        cmap="gray_r",
    )
    ax.set_axis_off()
    ax.set_title(f"{recognised:.0%} of them are what an SVM takes them for", loc="left")
    return figure


if __name__ == "__main__":
    main()
