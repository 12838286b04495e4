"""Loss curves and weights on axes; the gradient check tells right from wrong."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sknets import DBN, BernoulliRBM, MLPClassifier, MLPRegressor
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


def test_scores_of_two_estimators_share_an_axis():
    first = MLPClassifier(5, max_iter=4, early_stopping=True, random_state=0).fit(X_iris, y_iris)
    plain = MLPClassifier(5, max_iter=3, random_state=0).fit(X_iris, y_iris)
    one = LossCurveDisplay.from_estimator(first, name="one")
    for estimator, name in ((plain, "two"), (first, "three")):
        display = LossCurveDisplay.from_estimator(estimator, ax=one.ax_, name=name)
        assert display.score_ax_ is one.score_ax_
    assert len(one.figure_.axes) == 2
    colours = [line.get_color() for line in one.score_ax_.get_lines()]
    assert colours == [one.lines_[0].get_color(), display.lines_[0].get_color()]
    labels = [text.get_text() for text in one.ax_.get_legend().get_texts()]
    assert labels[2:] == [
        "two: training loss",
        "three: training loss",
        "three: validation loss",
        "one: validation score",
        "three: validation score",
    ]


def test_neighbouring_axes_are_left_alone():
    clf = MLPClassifier(5, max_iter=3, early_stopping=True, random_state=0).fit(X_iris, y_iris)
    _, (left, right) = pyplot.subplots(1, 2, sharex=True)
    displays = [LossCurveDisplay.from_estimator(clf, ax=ax) for ax in (left, right)]
    assert displays[0].score_ax_ is not displays[1].score_ax_
    assert {d.score_ax_ for d in displays}.isdisjoint({left, right})


def test_a_loss_curve_has_an_epoch_at_least():
    dbn = DBN((4,), rbm=BernoulliRBM(n_iter=1), random_state=0).fit(X_digits / 16)
    with pytest.raises(ValueError, match="loss_curve_ is empty"):
        LossCurveDisplay.from_estimator(dbn)


def test_loss_of_a_single_epoch_is_seen():
    assert LossCurveDisplay([1.0]).plot().lines_[0].get_marker() == "o"
    assert LossCurveDisplay([1.0, 0.5]).plot().lines_[0].get_marker() == "None"


def test_epochs_are_whole_numbers():
    display = LossCurveDisplay([3.0, 2.0, 1.0]).plot()
    assert all(tick == round(tick) for tick in display.ax_.get_xticks())


# -- what a display takes

DISPLAYS = pytest.mark.parametrize("display", [LossCurveDisplay, WeightsDisplay])


@DISPLAYS
def test_display_finds_the_network_in_a_pipeline_or_a_search(display):
    search = GridSearchCV(MLPClassifier(4, max_iter=3, random_state=0), {"alpha": [0.1]}, cv=2)
    pipeline = make_pipeline(StandardScaler(), search).fit(X_iris, y_iris)
    network = pipeline[-1].best_estimator_
    shown, expected = map(display.from_estimator, (pipeline, network))
    if display is LossCurveDisplay:
        assert shown.lines_[0].get_label() == "MLPClassifier: training loss"
        assert_allclose(shown.train_loss, expected.train_loss)
    else:
        assert_allclose(shown.images, expected.images)


@DISPLAYS
@pytest.mark.parametrize(
    "estimator",
    [MLPClassifier(), make_pipeline(StandardScaler(), MLPClassifier())],
    ids=["network", "pipeline"],
)
def test_unfitted_estimator_is_refused(display, estimator):
    with pytest.raises(NotFittedError, match="This MLPClassifier instance is not fitted yet"):
        display.from_estimator(estimator)


@DISPLAYS
def test_estimator_without_what_is_shown_is_refused(display):
    tree = DecisionTreeClassifier(random_state=0).fit(X_iris, y_iris)
    name = display.__name__
    allowed = f"The 'estimator' parameter of {name} must have the attribute '(loss_curve|coefs)_'"
    with pytest.raises(ValueError, match=rf"{allowed} once fitted\. Got DecisionTreeClassifier"):
        display.from_estimator(make_pipeline(StandardScaler(), tree))


def test_loss_curve_without_a_loss_curve_is_refused():
    clf = TheirClassifier(5, solver="lbfgs", max_iter=4, random_state=0).fit(X_iris, y_iris)
    with pytest.raises(ValueError, match=r"'loss_curve_' once fitted\. Got MLPClassifier\("):
        LossCurveDisplay.from_estimator(clf)


# -- weights


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
    message = "The 'image_shape' parameter of WeightsDisplay must .* of 7 values .* Got None"
    with pytest.raises(ValueError, match=message):
        WeightsDisplay.from_estimator(clf)


@pytest.mark.parametrize("name", ["n_rows", "n_cols"])
def test_empty_grid_of_weights_is_refused(name):
    clf = MLPClassifier(3, max_iter=2, random_state=0).fit(X_digits, y_digits)
    with pytest.raises(ValueError, match=f"The '{name}' parameter of WeightsDisplay must be an"):
        WeightsDisplay.from_estimator(clf, **{name: 0})


# -- gradients


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
        def _step(self, module, flat):
            right = super()._step(module, flat)

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


@pytest.mark.parametrize(
    ("estimator", "ending"),
    [
        (TheirClassifier(), r"Got MLPClassifier\(\) instead\.$"),
        (
            make_pipeline(MLPClassifier()),
            r"Pass pipeline\[-1\] and pipeline\[:-1\]\.transform\(X\)",
        ),
    ],
    ids=["twin", "pipeline"],
)
def test_gradients_of_what_is_not_ours_are_refused(estimator, ending):
    message = rf"(?s)The 'estimator' parameter of check_gradients must be .* of sknets\. .*{ending}"
    with pytest.raises(ValueError, match=message):
        check_gradients(estimator, X_iris, y_iris)


@pytest.mark.parametrize(
    "values", [{"n_weights": 0}, {"step": 0.0}, {"random_state": "today"}], ids=str
)
def test_gradient_check_refuses_what_is_out_of_range(values):
    clf = MLPClassifier(3, max_iter=2, random_state=0).fit(X_iris, y_iris)
    (name,) = values
    with pytest.raises(ValueError, match=f"The '{name}' parameter of check_gradients must be"):
        check_gradients(clf, X_iris, y_iris, **values)


def test_random_state_chooses_the_weights_to_check():
    clf = MLPClassifier(20, max_iter=2, random_state=0).fit(X_iris, y_iris)

    def error(random_state):
        return check_gradients(clf, X_iris, y_iris, n_weights=3, random_state=random_state)

    assert error(5) == error(5)
    assert len({error(seed) for seed in range(5)}) > 1
    assert error(np.random.RandomState(0)) < 1


def test_curves_take_matplotlibs_short_names():
    clf = MLPClassifier(5, max_iter=2, random_state=0).fit(X_iris, y_iris)
    display = LossCurveDisplay.from_estimator(clf, c="k", ls=":")
    assert {line.get_color() for line in display.lines_} == {"k"}
    assert {line.get_linestyle() for line in display.lines_} == {":"}
