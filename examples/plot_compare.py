"""
Is the difference more than noise?
==================================

A network, a support vector machine, a random forest and a linear model tell benign tumours from
malignant ones. All four see the same ten folds, so that their scores can be compared fold by fold,
and a test that knows how much the folds overlap says which gaps are worth believing: on 569
patients, a percent is often nothing.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer

from sknets.model_selection import compare, default_models


def main(toy=False):
    X, y = load_breast_cancer(return_X_y=True)
    names = ["network", "svm", "random_forest", "linear"]
    if toy:
        X, y, names = X[:150], y[:150], ["svm", "linear"]
    models = default_models(X, names=names, random_state=0)
    comparison = compare(models, X, y, cv=3 if toy else 10)
    print(comparison)
    comparison.plot()
    return comparison


if __name__ == "__main__":
    main()
    plt.show()
