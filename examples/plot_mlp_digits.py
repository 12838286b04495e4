"""
A network beside an SVM and a random forest
===========================================

Three classifiers learn to read handwritten digits, by five-fold cross-validation: how often is each
right, and how long does it take to learn? The multilayer perceptron stands in the same Pipeline as
the support vector machine, and the same function scores it.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

from sknets import MLPClassifier


def main(toy=False):
    X, y = load_digits(return_X_y=True)
    if toy:
        X, y = X[:200], y[:200]
    classifiers = {
        "network": make_pipeline(
            MinMaxScaler(),
            MLPClassifier(early_stopping=True, learning_rate_init=0.01, random_state=0),
        ),
        "SVM": make_pipeline(MinMaxScaler(), SVC(C=10)),
        "random forest": RandomForestClassifier(random_state=0),
    }

    scores = {}
    _, ax = plt.subplots(layout="constrained")
    for name, classifier in classifiers.items():
        scores[name] = cross_validate(classifier, X, y, cv=2 if toy else 5)
        accuracy, seconds = scores[name]["test_score"], scores[name]["fit_time"]
        ax.errorbar(
            seconds.mean(), accuracy.mean(), accuracy.std(), seconds.std(), fmt="o", label=name
        )
        print(f"{name:14} accuracy {accuracy.mean():.3f}, fitted in {seconds.mean():.2f} s")
    ax.set(
        xlabel="fit time (seconds)",
        ylabel="accuracy",
        title="Digits, 5 folds: mean and standard deviation",
    )
    ax.legend()
    return scores


if __name__ == "__main__":
    main()
