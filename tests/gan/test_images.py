"""What adversarial networks of images share: units, Datasets, and features that score."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_score
from torch.utils.data import Dataset

from sknets import DCGAN, ProgressiveGAN, StyleGAN
from sknets.gan.two_sample import squared_mmd

X = load_digits().images[:200] / 16


class Images(Dataset):
    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return X[i].astype(np.float32)


@pytest.mark.parametrize("kind", [DCGAN, ProgressiveGAN])
def test_dataset_of_images_is_learnt_and_scored_as_their_array(kind):
    how = {"n_components": 3, "filters": 4, "max_iter": 2, "batch_size": 50, "random_state": 0}
    net, other = kind(**how).fit(Images()), kind(**how).fit(X.astype(np.float32))
    states = (each.module_.state_dict().values() for each in (net, other))
    for own, expected in zip(*states, strict=True):
        torch.testing.assert_close(own, expected)
    assert net.score(Images()) == pytest.approx(other.score(X.astype(np.float32)), abs=1e-5)
    assert clone(net).set_params(early_stopping=True).fit(Images()).n_iter_ == 2


@pytest.mark.parametrize(("scale", "offset"), [(0.01, 0), (1, 300), (1000, -5)])
def test_images_of_any_unit_are_learnt_alike(scale, offset):
    how = {"max_iter": 2, "batch_size": 50, "random_state": 0}
    net, other = (DCGAN(3, 4, **how).fit(each) for each in (X, offset + scale * X))
    assert other.module_.units.scale.unique() == pytest.approx(scale / 2, rel=1e-6)
    expected = offset + scale * net.sample(3, random_state=0)
    assert_allclose(other.sample(3, random_state=0), expected, atol=0.01 * scale)


def test_images_of_one_value_come_back():
    X = np.full((20, 8, 8), 0.3)
    net = DCGAN(3, 4, max_iter=1, random_state=0).fit(X)
    assert_allclose(net.sample(3, random_state=0), X[:3], rtol=1e-6)


def test_extractor_must_be_fitted_before_anything_is_learnt():
    net = DCGAN(3, 4, feature_extractor=PCA(3))
    with pytest.raises(ValueError, match=r"must be fitted\. Put it in"):
        net.fit(X)
    assert not hasattr(net, "module_")


def test_samples_of_an_unfitted_network_are_an_error():
    with pytest.raises(NotFittedError):
        StyleGAN().sample(1, truncation=0.5)


def test_classes_need_images_in_memory():
    with pytest.raises(ValueError, match="needs data that is held in memory"):
        DCGAN(3, 4, conditional=True).fit(Images(), np.zeros(200))


def test_score_compares_features_of_the_extractor():
    pca = PCA(3).fit(X.reshape(200, -1))
    how = {"image_shape": (8, 8), "max_iter": 1, "random_state": 0}
    net = DCGAN(3, 4, feature_extractor=FrozenEstimator(pca), **how)
    rows = X.reshape(200, -1)
    assert np.isfinite(cross_val_score(net, rows, cv=2)).all()  # copies keep what is frozen
    net.fit(rows)
    made = net.sample(200, random_state=0)  # the seed of all scores
    found = [pca.transform(each) for each in (rows, made)]
    spread = found[0].std(axis=0)
    assert_allclose(net.score(rows), -squared_mmd(*(each / spread for each in found)), rtol=1e-6)
