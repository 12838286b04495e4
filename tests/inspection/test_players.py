"""Displays of generative adversarial networks."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sknets import DCGAN, GAN
from sknets.inspection import GameLossDisplay, SampleProgressDisplay

X = load_digits().data[:200]


@pytest.fixture(scope="module")
def pipe():
    gan = GAN(4, (16,), max_iter=7, n_progress_samples=5, early_stopping=True, random_state=0)
    return make_pipeline(MinMaxScaler(), gan).fit(X)


def test_curves_are_those_of_both_players(pipe):
    display = GameLossDisplay.from_estimator(pipe)
    for line, name in zip(display.lines_, ("generator", "discriminator"), strict=False):
        assert_array_equal(line.get_ydata(), getattr(pipe[-1], f"{name}_loss_curve_"))
        assert name in line.get_label()
    assert_array_equal(display.valid_score, pipe[-1].validation_scores_)


def test_rows_are_epochs_and_columns_codes(pipe):
    display = SampleProgressDisplay.from_estimator(pipe, n_rows=3)
    kept = pipe[-1].progress_samples_
    assert_array_equal(display.images.reshape(3, 5, 64), [kept[0], kept[3], kept[6]])
    assert display.row_labels == ["epoch 1", "epoch 4", "epoch 7"]
    assert len(SampleProgressDisplay.from_estimator(pipe).images) == 7 * 5


def test_images_in_rows_have_the_shape_of_the_fit():
    how = {"image_shape": (4, 16), "n_progress_samples": 2, "max_iter": 1, "random_state": 0}
    display = SampleProgressDisplay.from_estimator(DCGAN(2, 4, **how).fit(X / 16))
    assert display.images.shape == (2, 4, 16)


def test_estimators_that_have_nothing_to_show_are_errors():
    gan = GAN(2, (4,), max_iter=1, random_state=0).fit(np.ones((250, 4)))
    with pytest.raises(ValueError, match="n_progress_samples > 0"):
        SampleProgressDisplay.from_estimator(gan)
    for display in (GameLossDisplay, SampleProgressDisplay):
        with pytest.raises(ValueError, match=display.__name__):
            display.from_estimator(PCA().fit(X))
