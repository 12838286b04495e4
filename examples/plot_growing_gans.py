"""
Generators that grow
====================

A network that is to make images of 32 x 32 pixels may start with 4 x 4 of them. Layers for the next
size fade in from time to time, so that what is coarse is learnt before what is fine. Each column
here is a code, which stays, and each row an epoch: what the code becomes is blocks at first, then a
silhouette, then a digit or a shoe.

In a :class:`~sknets.ProgressiveGAN` the code is the first layer's input. In a
:class:`~sknets.StyleGAN` it says the style of every layer, and so two codes can be mixed: in the
last figure the images of a row share what is coarse, and those of a column what is fine.

Without files of MNIST and Fashion-MNIST the small digits of scikit-learn are learnt, 8 pixels wide,
in two sizes.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sknets import ProgressiveGAN, StyleGAN
from sknets.datasets import load_fashion_mnist, load_mnist
from sknets.inspection import ImagesDisplay, SampleProgressDisplay

N_IMAGES = 10_000
N_CODES = 8


def data_sets():
    if "SKNETS_DATA" not in os.environ:
        return {"digits": load_digits().images / 16}
    loads = {"digits": load_mnist, "clothes": load_fashion_mnist}
    frame = [(0, 0), (2, 2), (2, 2)]  # from 28 x 28 pixels to 32 x 32
    return {name: np.pad(load().images[:N_IMAGES], frame) for name, load in loads.items()}


def networks(toy):
    settings = {
        "batch_size": 64,
        "max_iter": 4 if toy else 16,
        "averaging_decay": 0.995,
        "n_progress_samples": N_CODES,
        "random_state": 0,
    }
    if toy:
        settings["filters"] = (8, 4)
    return ProgressiveGAN(**settings), StyleGAN(**settings)


def main(toy=False):
    sets = data_sets()
    _, axes = plt.subplots(
        len(sets), 2, figsize=(9, 5 * len(sets)), layout="constrained", squeeze=False
    )
    for row, (title, images) in zip(axes, sets.items(), strict=True):
        for ax, gan in zip(row, networks(toy), strict=True):
            gan.fit(images[:200] if toy else images)
            SampleProgressDisplay.from_estimator(gan, ax=ax)
            ax.set_title(f"{title}, {type(gan).__name__}", loc="left")
    codes = np.random.default_rng(0).normal(size=(2, N_CODES, gan.n_components))
    coarse, fine = codes[0].repeat(N_CODES, axis=0), np.tile(codes[1], (N_CODES, 1))
    mixed = gan.mix_styles(coarse, fine, level=1)
    display = ImagesDisplay(mixed, n_cols=N_CODES).plot()
    display.ax_.set_title("Rows share a coarse style, columns a fine one", loc="left")
    return display


if __name__ == "__main__":
    main()
    plt.show()
