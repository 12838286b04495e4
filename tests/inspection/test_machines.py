"""Displays of Boltzmann machines, and of what is left of inputs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.decomposition import NMF, PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import BernoulliRBM as TheirRBM
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer

from sknets import (
    DBM,
    DBN,
    BernoulliRBM,
    BoltzmannMachine,
    DBMClassifier,
    DBNClassifier,
    GaussianRBM,
)
from sknets._params import InvalidParameterError
from sknets.inspection import (
    FantasyParticlesDisplay,
    FreeEnergyDisplay,
    ReconstructionsDisplay,
    WeightsDisplay,
)

pyplot = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_digits(return_X_y=True)
X, y = X[:200] / 16, y[:200]
RBM = BernoulliRBM(12, n_iter=3, validation_fraction=0.2, random_state=0).fit(X)


@pytest.fixture(autouse=True)
def _close():
    yield
    pyplot.close("all")


# -- how a machine learnt


def test_free_energies_are_those_of_the_history():
    display = FreeEnergyDisplay.from_estimator(RBM, color="black")
    gaps = [each["valid_free_energy"] - each["free_energy"] for each in RBM.history_]
    training, validation, gap = display.lines_
    assert_allclose(gap.get_ydata(), gaps)
    assert_allclose(training.get_ydata(), [each["reconstruction_error"] for each in RBM.history_])
    errors = [each["valid_reconstruction_error"] for each in RBM.history_]
    assert_allclose(validation.get_ydata(), errors)
    assert gap.axes is display.gap_ax_ is not display.ax_
    assert display.gap_ax_.get_ylabel() == "Free-energy gap [nats]"
    assert training.get_label() == "BernoulliRBM: training"


def test_the_gap_widens_of_a_machine_that_overfits():
    large = BernoulliRBM(200, learning="cd", n_iter=200, learning_rate=0.2, batch_size=10)
    large.set_params(validation_fraction=0.8, random_state=0)
    gap = FreeEnergyDisplay.from_estimator(large.fit(X)).gap
    assert gap[-1] > gap[0] + 1


def test_without_a_validation_part_there_is_the_error_alone():
    display = FreeEnergyDisplay.from_estimator(
        GaussianRBM(4, n_iter=2, random_state=0).fit(X), name="mine"
    )
    assert display.gap_ax_ is None
    assert len(display.lines_) == 1
    assert display.lines_[0].get_label() == "mine: training"


@pytest.mark.parametrize(
    "estimator", [DBN((4,), rbm=BernoulliRBM(n_iter=1)), BernoulliRBM(n_iter=0)]
)
def test_free_energies_need_a_machine_that_records_them(estimator):
    fitted = estimator.set_params(random_state=0).fit(X)
    with pytest.raises(InvalidParameterError, match="restricted Boltzmann machine that has learnt"):
        FreeEnergyDisplay.from_estimator(fitted)
    with pytest.raises(NotFittedError):
        FreeEnergyDisplay.from_estimator(BernoulliRBM())


# -- what it dreams of


def test_rows_are_the_same_chains_later():
    """Of two far modes each chain stays in its own; chains begun anew would be in any."""
    data = np.repeat(np.eye(2), 9, axis=1)[[0, 1] * 50]
    rbm = BernoulliRBM(4, n_iter=300, learning="cd", learning_rate=0.3, random_state=0).fit(data)
    steps = (20, 21, 40)
    display = FantasyParticlesDisplay.from_estimator(
        rbm, n_chains=40, steps=steps, random_state=0, image_shape=(2, 9)
    )
    brighter = (display.images[:, 0].mean(1) > display.images[:, 1].mean(1)).reshape(3, 40)
    assert 5 < brighter[0].sum() < 35
    assert (brighter == brighter[0]).mean() > 0.95


def test_rows_say_how_many_steps():
    display = FantasyParticlesDisplay.from_estimator(
        RBM, n_chains=3, steps=(1, 1000), random_state=0
    )
    assert [text.get_text() for text in display.text_] == ["1 step", "1,000 steps"]
    assert display.images.shape == (6, 8, 8)
    assert display.im_.get_array().shape[1] < 3 * 10


def test_particles_are_what_the_machine_expects_around_samples():
    display = FantasyParticlesDisplay.from_estimator(RBM, n_chains=5, steps=[7], random_state=3)
    samples = RBM.sample(5, n_steps=7, random_state=3)
    assert_allclose(display.images.reshape(5, 64), RBM.reconstruct(samples))


@pytest.mark.parametrize("machine", [DBN((8, 4)), DBM((8, 4), max_iter=1), BoltzmannMachine(4)])
def test_all_machines_have_particles(machine):
    if hasattr(machine, "rbm"):
        machine.set_params(rbm=BernoulliRBM(n_iter=1))
    machine.set_params(random_state=0).fit(X)
    how = {"n_chains": 2, "steps": (1, 5), "random_state": 0}
    display = FantasyParticlesDisplay.from_estimator(machine, **how)
    assert display.images.shape == (4, 8, 8)


def test_classes_are_held_and_named():
    clf = DBNClassifier((20,), head="associative", rbm=BernoulliRBM(n_iter=5), max_iter=0)
    clf.set_params(random_state=0).fit(X, y)
    display = FantasyParticlesDisplay.from_estimator(
        clf, n_chains=3, steps=(1, 5), y=[4, 0, 7], random_state=0
    )
    assert [text.get_text() for text in display.text_[:4]] == ["4", "0", "7", ""]
    expected = clf.sample(3, y=[4, 0, 7], n_steps=5, random_state=0)
    assert_allclose(display.images[3:].reshape(3, 64), expected)
    one = FantasyParticlesDisplay.from_estimator(clf, n_chains=2, steps=[1], y=4, random_state=0)
    assert [text.get_text() for text in one.text_[:2]] == ["4", "4"]


@pytest.mark.parametrize("steps", [(), 5, (0, 1), (10, 1), (1, 1), (1.5,)])
def test_steps_rise(steps):
    with pytest.raises(InvalidParameterError, match="whole numbers > 0 that rise"):
        FantasyParticlesDisplay.from_estimator(RBM, steps=steps)


def test_each_chain_has_a_class_and_there_is_one_chain_at_least():
    clf = DBNClassifier((8,), head="associative", rbm=BernoulliRBM(n_iter=1), max_iter=0)
    clf.set_params(random_state=0).fit(X, y)
    with pytest.raises(InvalidParameterError, match="a class for each of 10 chains"):
        FantasyParticlesDisplay.from_estimator(clf, y=[1, 2, 3], random_state=0)
    with pytest.raises(InvalidParameterError, match="'n_chains' parameter"):
        FantasyParticlesDisplay.from_estimator(clf, n_chains=0)


def test_names_of_rows_leave_space_for_images():
    display = FantasyParticlesDisplay.from_estimator(RBM, n_chains=1, steps=[1], random_state=0)
    display.figure_.canvas.draw()
    assert display.ax_.get_window_extent().height > 0.5 * display.figure_.bbox.height


def test_particles_need_samples():
    with pytest.raises(InvalidParameterError, match="'sample'"):
        FantasyParticlesDisplay.from_estimator(PCA(2).fit(X))


# -- what is left of inputs


def test_reconstructions_stand_under_inputs():
    display = ReconstructionsDisplay.from_estimator(RBM, X[:5], n_cols=3)
    rows = display.images.reshape(4, 3, 64)
    made = RBM.reconstruct(X[:5])
    assert_allclose(rows[0], X[:3])
    assert_allclose(rows[1], made[:3])
    assert_allclose(rows[2, :2], X[3:5])
    assert_allclose(rows[3, :2], made[3:])
    assert np.isnan(rows[2:, 2]).all()
    words = [text.get_text() for text in display.text_]
    assert words == ["input", "reconstruction"] * 2


def test_reconstructions_are_of_as_many_as_fit():
    display = ReconstructionsDisplay.from_estimator(RBM, X, n_rows=2, n_cols=4)
    assert display.images.shape == (16, 8, 8)
    assert_allclose(display.images[8:12].reshape(4, 64), X[4:8])


def test_scikit_learns_decompositions_reconstruct_too():
    pca = PCA(5).fit(X)
    display = ReconstructionsDisplay.from_estimator(pca, X[:2])
    assert_allclose(display.images[2:].reshape(2, 64), pca.inverse_transform(pca.transform(X[:2])))


def test_pipelines_show_what_they_were_given():
    pipe = make_pipeline(MinMaxScaler((0, 0.5)), BernoulliRBM(8, n_iter=1, random_state=0)).fit(X)
    images = ReconstructionsDisplay.from_estimator(pipe, X[:3]).images.reshape(6, 64)
    made = pipe[-1].reconstruct(pipe[0].transform(X[:3]))
    assert_allclose(images[:3], X[:3])
    assert_allclose(images[3:], pipe[0].inverse_transform(made))
    search = GridSearchCV(pipe, {"bernoullirbm__n_components": [8]}, cv=2, scoring=lambda *_: 0)
    search.fit(X)
    assert ReconstructionsDisplay.from_estimator(search, X[:3]).images.shape == (6, 8, 8)


def test_a_step_that_cannot_be_undone_is_left_done():
    pipe = make_pipeline(Normalizer(), PCA(3)).fit(X)
    images = ReconstructionsDisplay.from_estimator(pipe, X[:3]).images.reshape(6, 64)
    assert_allclose(images[:3], pipe[0].transform(X[:3]))


def test_colours_have_blank_places_too():
    pca = PCA(2).fit(np.random.default_rng(0).random((20, 48)))
    display = ReconstructionsDisplay.from_estimator(pca, np.full((3, 48), 0.5), n_cols=2)
    assert display.images.shape == (8, 4, 4, 3)
    opacity = display.im_.get_array()[..., 3]
    assert opacity[0, 0] == 1
    assert opacity[-1, -1] == 0


def test_what_cannot_reconstruct_says_so():
    with pytest.raises(InvalidParameterError, match="transform"):
        ReconstructionsDisplay.from_estimator(LogisticRegression().fit(X, y), X)
    with pytest.raises(InvalidParameterError, match="'inverse_transform'"):
        ReconstructionsDisplay.from_estimator(Normalizer().fit(X), X)
    with pytest.raises(NotFittedError):
        ReconstructionsDisplay.from_estimator(BernoulliRBM(), X)


# -- what hidden units look for


@pytest.mark.parametrize(
    "estimator",
    [
        RBM,
        DBN((8, 4), rbm=BernoulliRBM(n_iter=1)),
        DBN((8,), rbm=BernoulliRBM(n_iter=1)),
        DBM((8, 4), rbm=BernoulliRBM(n_iter=1), max_iter=1),
        BoltzmannMachine(8, max_iter=1),
        NMF(8, max_iter=500),
        TheirRBM(8, n_iter=1),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_filters_of_machines_are_their_first_weights(estimator):
    fitted = estimator.set_params(random_state=0).fit(X)
    images = WeightsDisplay.from_estimator(fitted).images
    assert_array_equal(images.reshape(len(images), 64), fitted.components_[: len(images)])


def test_filters_of_a_fine_tuned_machine_are_of_inputs():
    dbm = DBM(rbm=BernoulliRBM(n_iter=1), max_iter=1)
    clf = DBMClassifier((8, 4), dbm=dbm, max_iter=1, random_state=0).fit(X, y)
    images = WeightsDisplay.from_estimator(clf).images.reshape(8, 64)
    assert_array_equal(images, clf.coefs_[0][:64].T)


@pytest.mark.parametrize("sizes", [(8,), (8, 4)])
def test_filters_of_an_associative_network_leave_labels_out(sizes):
    clf = DBNClassifier(sizes, head="associative", rbm=BernoulliRBM(n_iter=1), max_iter=0)
    assert not hasattr(clf, "components_")
    clf.set_params(random_state=0).fit(X, y)
    below_labels = clf.module_.first_weight.detach().numpy()
    assert below_labels.shape == (8, 64)
    assert_allclose(WeightsDisplay.from_estimator(clf).images.reshape(8, 64), below_labels)
    with pytest.raises(AttributeError, match="head='finetune'"):
        _ = clf.coefs_


def test_components_do_what_hidden_units_do():
    """They are in the right place: the first layer of a copy made by hand."""
    machine = BoltzmannMachine(3, max_iter=2, random_state=0).fit(X)
    n = X.shape[1]
    assert_array_equal(machine.components_, machine.weights_[n:, :n])
    dbn = DBN((6,), rbm=BernoulliRBM(n_iter=1), random_state=0).fit(X)
    inputs = X @ dbn.components_.T + dbn.top_.intercept_hidden_
    assert_allclose(dbn.transform(X), 1 / (1 + np.exp(-inputs)), rtol=1e-5)
    finetuned = DBNClassifier((6,), rbm=BernoulliRBM(n_iter=1), max_iter=1, random_state=0).fit(
        X, y
    )
    with pytest.raises(AttributeError, match="coefs_"):
        _ = finetuned.components_
    assert WeightsDisplay.from_estimator(finetuned).images.shape == (6, 8, 8)
