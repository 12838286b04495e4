"""
How many numbers does a digit need?
===================================

A Pipeline that scales digits, codes them with an autoencoder, and tells them apart with a support
vector machine. One grid search tunes the size of the code by what the machine makes of it, with
principal components of the same sizes beside it. Where numbers are few, those of the autoencoder
say more; sixteen say nearly all, whatever they are.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

from sknets import Autoencoder
from sknets.inspection import ReconstructionsDisplay

SIZES = (2, 4, 8, 16)


def main(toy=False):
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=900, random_state=0)
    sizes = SIZES[:2] if toy else SIZES
    coder = Autoencoder(
        noise="gaussian",
        noise_level=0.2,
        max_iter=1 if toy else 100,
        batch_size=50,
        learning_rate="one_cycle",
        learning_rate_init=0.01,
        random_state=0,
    )
    pipe = Pipeline([("scale", MinMaxScaler(clip=True)), ("code", coder), ("svm", SVC())])
    grids = {
        "autoencoder": {"code__hidden_layer_sizes": [(128, n) for n in sizes]},
        "principal components": {"code": [PCA(n, random_state=0) for n in sizes]},
    }
    searches = {
        name: GridSearchCV(pipe, grid, cv=2 if toy else 3).fit(X_train, y_train)
        for name, grid in grids.items()
    }
    figure, (curves, images) = plt.subplots(
        1, 2, figsize=(10, 4), layout="constrained", width_ratios=(2, 3)
    )
    for name, search in searches.items():
        found = search.cv_results_
        score, spread = found["mean_test_score"], found["std_test_score"]
        label = f"{name} ({search.score(X_test, y_test):.3f} of unseen)"
        curves.errorbar(sizes, score, spread, marker="o", capsize=3, label=label)
    curves.set(xlabel="numbers in the code", ylabel="accuracy in cross-validation", xscale="log")
    curves.set_xticks(sizes, [str(n) for n in sizes], minor=False)
    curves.minorticks_off()
    curves.legend(loc="lower right")
    best = searches["autoencoder"].best_estimator_[:-1]
    ReconstructionsDisplay.from_estimator(best, X_test[:20], ax=images)
    images.set_title("Unseen digits and what their codes say", loc="left")
    return figure


if __name__ == "__main__":
    main()
