"""
Inside a restricted Boltzmann machine
=====================================

Four looks at a machine that learnt digits: what its hidden units look for, what is left of digits
that it did not learn from, where its chains are after more and more Gibbs steps, and how errors and
the gap between free energies went. A gap that widens says that the machine begins to know its
training digits by heart.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sknets import BernoulliRBM
from sknets.inspection import (
    FantasyParticlesDisplay,
    FreeEnergyDisplay,
    ReconstructionsDisplay,
    WeightsDisplay,
)


def main(toy=False):
    learnt, unseen = train_test_split(load_digits().data > 7, test_size=0.2, random_state=0)
    rbm = BernoulliRBM(
        64,
        n_iter=3 if toy else 150,
        learning_rate=0.05,
        init_std=0.1,
        learning_rate_schedule="cosine",
        centring=True,
        visible_bias_init="data",
        shuffle=True,
        validation_fraction=0.2,
        random_state=0,
    ).fit(learnt)
    figure, ((filters, left), (chains, curves)) = plt.subplots(
        2, 2, figsize=(10, 8), layout="constrained"
    )
    WeightsDisplay.from_estimator(rbm, n_rows=7, ax=filters)
    ReconstructionsDisplay.from_estimator(rbm, unseen[:30], ax=left)
    steps = (1, 5) if toy else (1, 10, 100, 1000, 10_000)
    FantasyParticlesDisplay.from_estimator(rbm, steps=steps, random_state=0, ax=chains)
    FreeEnergyDisplay.from_estimator(rbm, ax=curves)
    titles = ("Hidden units", "Unseen digits", "Chains", "Learning")
    for ax, title in zip((filters, left, chains, curves), titles, strict=True):
        ax.set_title(title, loc="left")
    return figure


if __name__ == "__main__":
    main()
