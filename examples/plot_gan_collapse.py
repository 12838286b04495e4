"""
Mode collapse, and a remedy
===========================

Eight clouds of points lie on a circle, and generators learn to make such points. Without more, a
generator chases a discriminator that always runs to where the samples are not: it makes the points
of one cloud, then of another. A penalty on the discriminator's slopes at real points gives the game
a point of rest, and all clouds are found. ``score``, which is higher for better and about 0 for the
true distribution, tells the two generators apart; the losses of the players do not.
"""

import matplotlib.pyplot as plt
import numpy as np

from sknets import GAN
from sknets.inspection import GameLossDisplay

REMEDIES = {"without a penalty": {}, "r1=0.1": {"r1": 0.1}}


def clouds(n, random_state):
    random = np.random.default_rng(random_state)
    angle = 2 * np.pi * random.integers(0, 8, n) / 8
    return np.stack([np.cos(angle), np.sin(angle)], 1) + 0.03 * random.normal(size=(n, 2))


def main(toy=False):
    X, unseen = clouds(4000, 0), clouds(1000, 1)
    settings = {
        "learning_rate": "cosine",
        "learning_rate_init": 0.001,
        "batch_size": 200,
        "max_iter": 1 if toy else 150,
        "random_state": 0,
    }
    figure, (samples, losses) = plt.subplots(2, 2, figsize=(9, 9), layout="constrained")
    for (name, remedy), ax, curves in zip(REMEDIES.items(), samples, losses, strict=True):
        gan = GAN(16, **settings, **remedy).fit(X)
        made = gan.sample(1000, random_state=0)
        ax.scatter(*unseen.T, s=4, color="0.8", label="data")
        ax.scatter(*made.T, s=4, label="samples")
        ax.set_title(f"{name}: score {gan.score(unseen):.4f}", loc="left")
        ax.set(aspect="equal", xlim=(-1.5, 1.5), ylim=(-1.5, 1.5))
        ax.legend(loc="center")
        GameLossDisplay.from_estimator(gan, ax=curves, name="")
    return figure


if __name__ == "__main__":
    main()
