"""
A convolutional network and its rivals on digits
================================================

Before convolutional networks, images went to support vector machines: as pixels, or as histograms
of oriented gradients (HOG), which look at edges and forget where exactly they are. A random forest
takes pixels as they are. A network learns what to look for. Each gets the same training images
here; the points say how well it tells digits apart that it has not seen, and how long it took to
learn.

On the small digits of scikit-learn, 8 pixels wide, all are close to each other. On MNIST (where its
files are at hand) the network needs no more time than the others, and errs least.
"""

import os
import time

import matplotlib.pyplot as plt
import numpy as np
from skimage.feature import hog
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC, LinearSVC

from sknets import CNNClassifier
from sknets.cnn import ConvNet
from sknets.datasets import load_mnist


def oriented_gradients(images):
    """Histograms of 9 orientations, in cells of a quarter of the image."""
    cell = images.shape[1] // 4
    layout = {"pixels_per_cell": (cell, cell), "cells_per_block": (2, 2)}
    return np.array([hog(image, **layout) for image in images])


def as_rows(images):
    return images.reshape(len(images), -1)


def rivals(side, toy):
    wide = side > 8
    network = CNNClassifier(
        ConvNet(channels=(24, 32) if wide else (32, 64), kernel_size=5 if wide else 3, dense=256),
        batch_size=128 if wide else 32,
        max_iter=1 if toy else (3 if wide else 15),
        learning_rate="one_cycle",
        learning_rate_init=0.01 if wide else 0.003,
        random_state=0,
    )
    return {
        "network": network,
        "SVM": make_pipeline(FunctionTransformer(as_rows), SVC(C=5)),
        "HOG and linear SVM": make_pipeline(FunctionTransformer(oriented_gradients), LinearSVC()),
        "random forest": make_pipeline(
            FunctionTransformer(as_rows), RandomForestClassifier(random_state=0)
        ),
    }


def data_sets(toy):
    digits = load_digits()
    yield "digits", *train_test_split(digits.images / 16, digits.target, random_state=0)
    if "SKNETS_DATA" in os.environ:
        train, test = load_mnist(), load_mnist(subset="test")
        n = 10_000  # an SVM takes minutes for all of them
        X_train, X_test = (part.images / np.float32(255) for part in (train, test))
        yield "MNIST", X_train[:n], X_test, train.target[:n], test.target


def main(toy=False):
    sets = list(data_sets(toy))
    _, axes = plt.subplots(1, len(sets), figsize=(5 * len(sets), 4), layout="constrained")
    scores = {}
    for ax, (title, X_train, X_test, y_train, y_test) in zip(np.ravel(axes), sets, strict=True):
        if toy:
            X_train, X_test, y_train, y_test = (a[:300] for a in (X_train, X_test, y_train, y_test))
        for name, model in rivals(X_train.shape[1], toy).items():
            start = time.perf_counter()
            model.fit(X_train, y_train)
            seconds = time.perf_counter() - start
            scores[title, name] = model.score(X_test, y_test)
            ax.scatter(seconds, scores[title, name], label=name)
            print(f"{title:8}{name:20}{scores[title, name]:.4f} in {seconds:.1f} s")
        ax.set(title=title, xscale="log", xlabel="training time (s)", ylabel="accuracy")
        ax.legend()
    return scores


if __name__ == "__main__":
    main()
    plt.show()
