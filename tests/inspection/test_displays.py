"""Loss curves and weights on axes; the gradient check tells right from wrong."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier as TheirClassifier

from sknets import MLPClassifier, MLPRegressor
from sknets.inspection import LossCurveDisplay, WeightsDisplay, check_gradients

pyplot = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X_digits, y_digits = (part[:150] for part in load_digits(return_X_y=True))
X_iris, y_iris = load_iris(return_X_y=True)


def test_loss_curve_shows_every_epoch():
    clf = MLPClassifier(5, max_iter=7, random_state=0).fit(X_iris, y_iris)
    display = LossCurveDisplay.from_estimator(clf, color="black")
    assert_allclose(display.lines_[0].get_ydata(), clf.loss_curve_)
    assert list(display.lines_[0].get_xdata()) == [1, 2, 3, 4, 5, 6, 7]
    assert display.score_ax_ is None
    assert display.lines_[0].get_label() == "MLPClassifier: training loss"


def test_loss_curve_shows_the_validation_part():
    clf = MLPClassifier(5, max_iter=7, early_stopping=True, random_state=0).fit(X_iris, y_iris)
    _, ax = pyplot.subplots()
    display = LossCurveDisplay.from_estimator(clf, ax=ax, name="net")
    assert display.ax_ is ax
    assert_allclose(display.lines_[2].get_ydata(), clf.validation_scores_)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["net: training loss", "net: validation loss", "net: validation score"]


def test_loss_curve_takes_scikit_learns_perceptron_too():
    clf = TheirClassifier(5, max_iter=4, random_state=0).fit(X_iris, y_iris)
    assert len(LossCurveDisplay.from_estimator(clf).lines_) == 1


def test_loss_curve_of_an_unfitted_estimator_is_refused():
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(MLPClassifier())


def test_templates_of_a_linear_classifier_bear_their_classes():
    clf = MLPClassifier((), max_iter=5, random_state=0).fit(X_digits, y_digits)
    display = WeightsDisplay.from_estimator(clf)
    assert_allclose(display.images.reshape(10, 64), clf.coefs_[0].T)
    assert [text.get_text() for text in display.text_] == [str(c) for c in clf.classes_]
    low, high = display.im_.get_clim()
    assert low == -high


def test_hidden_units_are_drawn_up_to_the_number_asked_for():
    clf = MLPClassifier(30, max_iter=5, random_state=0).fit(X_digits, y_digits)
    display = WeightsDisplay.from_estimator(clf, n_rows=2, n_cols=6, image_shape=(4, 16))
    assert display.images.shape == (12, 4, 16)
    assert display.text_ == []


def test_weights_of_rows_that_are_no_square_need_a_shape():
    clf = MLPClassifier(3, max_iter=2, random_state=0).fit(X_digits[:, :7], y_digits)
    with pytest.raises(ValueError, match="image_shape"):
        WeightsDisplay.from_estimator(clf)


@pytest.mark.parametrize(
    "settings",
    [
        dict(activation="tanh", alpha=0.5),
        dict(activation="gelu", alpha=0.5, l1_ratio=0.0),
        dict(activation="tanh", loss="squared_hinge"),
        dict(activation="tanh", batch_norm=True, dropout=0.5),
    ],
)
def test_gradients_are_right(settings):
    clf = MLPClassifier(6, max_iter=3, random_state=0, **settings).fit(X_iris, y_iris)
    before = [coef.copy() for coef in clf.coefs_]
    weight = np.linspace(0.5, 2, len(y_iris))
    assert check_gradients(clf, X_iris, y_iris, sample_weight=weight) < 1e-5
    assert all(np.array_equal(a, b) for a, b in zip(before, clf.coefs_, strict=True))


def test_wrong_gradient_is_seen():
    class Wrong(MLPRegressor):
        def _step(self, module, flat, loss):
            right = super()._step(module, flat, loss)

            def wrong(batch):
                result = right(batch)
                flat.grad[3] += 0.1 * flat.grad.abs().max()
                return result

            return wrong

    reg = Wrong("squared_error", 4, "tanh", max_iter=3, random_state=0).fit(X_iris, y_iris)
    assert check_gradients(reg, X_iris, y_iris, n_weights=None) > 0.01


def test_gradients_of_an_unfitted_estimator_are_refused():
    with pytest.raises(NotFittedError):
        check_gradients(MLPClassifier(), X_iris, y_iris)
