"""How many of the easiest samples an epoch sees."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback

from sknets import MLPClassifier
from sknets._training.curriculum import POWERS, START, paced_rows
from sknets.inspection import check_gradients

rng = np.random.default_rng(0)
ORDER = rng.permutation(200)
X = np.column_stack([np.arange(100.0), rng.normal(size=100)])  # a row's first feature is its number
y = rng.integers(0, 2, 100)
DIFFICULTY = rng.permutation(100)


@pytest.mark.parametrize(
    ("pacing", "epoch", "n_rows"),
    [
        ("linear", 0, 2),  # 1 %
        ("linear", 5, 101),  # (1 + 0.01) / 2
        ("linear", 9, np.ceil(200 * (0.9 * 0.99 + 0.01))),
        ("linear", 10, 200),
        ("linear", 11, 200),
        ("root", 0, 2),
        ("root", 5, np.ceil(200 * np.sqrt((1 + 0.01**2) / 2))),
        ("root", 10, 200),
        ("root", 99, 200),
    ],
)
def test_epoch_sees_the_share_of_the_papers_competence(pacing, epoch, n_rows):
    assert_array_equal(paced_rows(ORDER, pacing, 10, epoch), ORDER[: int(n_rows)])


@pytest.mark.parametrize("pacing", POWERS)
def test_share_never_falls(pacing):
    counts = [len(paced_rows(ORDER, pacing, 7.5, epoch)) for epoch in range(12)]
    assert counts == sorted(counts)
    assert counts[0] == np.ceil(START * 200)
    assert counts[8] == 200


def test_root_is_ahead_of_linear():
    for epoch in range(1, 10):
        root, linear = (len(paced_rows(ORDER, pacing, 10, epoch)) for pacing in ("root", "linear"))
        assert root > linear


def test_even_a_tiny_set_has_a_row_in_its_first_epoch():
    assert_array_equal(paced_rows(np.array([1, 0]), "linear", 10, 0), [1])


class Seen(Callback):
    """The rows of each epoch."""

    def on_train_begin(self, net, **kwargs):
        self.epochs = []

    def on_epoch_begin(self, net, **kwargs):
        self.epochs.append([])

    def on_batch_begin(self, net, batch, **kwargs):
        self.epochs[-1].extend(batch[0][:, 0].tolist())


def fit(**settings):
    seen = Seen()
    settings = {"max_iter": 10, "learning_rate": "cosine", "batch_size": 8, "tol": 0.0} | settings
    net = MLPClassifier((3,), random_state=0, callbacks=[seen], **settings)
    return net.fit(X, y, difficulty=DIFFICULTY), seen


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("pacing", POWERS)
def test_estimator_trains_on_the_easiest_rows_of_the_pacing(pacing, shuffle):
    _, seen = fit(curriculum=pacing, curriculum_length=0.5, shuffle=shuffle)
    easiest_first = np.argsort(DIFFICULTY)
    for epoch, rows in enumerate(seen.epochs):
        expected = paced_rows(easiest_first, pacing, 5, epoch)
        assert_array_equal(np.sort(rows), np.sort(expected))
    assert len(seen.epochs[0]) == 1
    assert len(seen.epochs[5]) == 100


def test_curriculum_counts_the_samples_it_saw():
    net, seen = fit(curriculum="linear")
    assert net.t_ == sum(len(rows) for rows in seen.epochs)


def test_difficulty_without_a_curriculum_changes_nothing():
    with_difficulty, seen = fit()
    without = MLPClassifier(
        (3,), random_state=0, max_iter=10, learning_rate="cosine", batch_size=8, tol=0.0
    ).fit(X, y)
    assert_array_equal(with_difficulty.coefs_[0], without.coefs_[0])
    assert all(len(rows) == 100 for rows in seen.epochs)


def test_curriculum_with_early_stopping_leaves_held_out_rows_alone():
    _, seen = fit(curriculum="linear", early_stopping=True, validation_fraction=0.2)
    trained_on = set().union(*seen.epochs)
    assert len(trained_on) == 80
    easiest_first = [r for r in np.argsort(DIFFICULTY) if r in trained_on]
    for epoch, rows in enumerate(seen.epochs):
        assert set(rows) == set(paced_rows(np.array(easiest_first), "linear", 5, epoch))


def test_curriculum_without_difficulty_is_an_error():
    with pytest.raises(ValueError, match=r"curriculum='root' needs the difficulty of each sample"):
        MLPClassifier(curriculum="root").fit(X, y)


@pytest.mark.parametrize(
    ("difficulty", "message"),
    [
        (np.zeros(99), r"difficulty must have shape \(100,\).* Got \(99,\) instead"),
        (np.zeros((100, 2)), r"difficulty must have shape \(100,\).* Got \(100, 2\) instead"),
        (np.full(100, np.nan), "difficulty contains NaN"),
        (["hard"] * 100, "could not convert string to float"),
    ],
)
def test_wrong_difficulty_is_an_error(difficulty, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier(curriculum="root").fit(X, y, difficulty=difficulty)


def test_gradients_are_checked_without_a_curriculum():
    net, _ = fit(curriculum="linear", activation="tanh")
    assert check_gradients(net, X, y) < 1e-5


@pytest.mark.parametrize("early_stopping", [False, True])
def test_training_does_not_stop_before_all_samples_are_in(early_stopping):
    net, _ = fit(
        curriculum="linear",
        curriculum_length=1.0,
        early_stopping=early_stopping,
        n_iter_no_change=1,
        tol=10.0,
        max_iter=30,
    )
    assert net.n_iter_ >= 30
