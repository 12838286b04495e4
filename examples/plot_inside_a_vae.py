"""
Inside a variational autoencoder
================================

A variational autoencoder that learnt digits without their labels: where digits lie in the plane of
two numbers of their codes, what each number of a code does, digits that are drawn, and the way from
one digit to another. Of sixteen numbers the ones that it has no use for keep the standard normal
distribution of the prior whatever the digit, so that nothing changes along them.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sknets import VariationalAutoencoder
from sknets.inspection import CodePlaneDisplay, ImagesDisplay, LatentTraversalDisplay


def main(toy=False):
    X, y = load_digits(return_X_y=True)
    X = X / 16
    settings = {
        "likelihood": "bernoulli",
        "max_iter": 1 if toy else 150,
        "batch_size": 50,
        "learning_rate": "one_cycle",
        "learning_rate_init": 0.005,
        "beta_warmup": 1 if toy else 30,
        "random_state": 0,
    }
    plane = VariationalAutoencoder(2, (128, 64), **settings).fit(X)
    vae = VariationalAutoencoder(16, (128,), **settings).fit(X)
    figure, ((codes, changes), (samples, path)) = plt.subplots(
        2, 2, figsize=(11, 10), layout="constrained"
    )
    CodePlaneDisplay.from_estimator(plane, X, y, ax=codes)
    LatentTraversalDisplay.from_estimator(vae, X, start=X[0], ax=changes)
    drawn = vae.sample(50, mean=True, random_state=0)
    ImagesDisplay.from_arrays(drawn, ax=samples)
    pairs = [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
    ways = [vae.interpolate(X[a], X[b], 10) for a, b in pairs]
    ImagesDisplay.from_arrays(np.concatenate(ways), ax=path)
    titles = ("Codes of two numbers", "Along each of 16 numbers", "Drawn", "From digit to digit")
    for ax, title in zip((codes, changes, samples, path), titles, strict=True):
        ax.set_title(title, loc="left")
    return figure


if __name__ == "__main__":
    main()
