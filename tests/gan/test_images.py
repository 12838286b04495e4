"""What adversarial networks of images share: units, Datasets, and features that score."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_score
from torch.utils.data import Dataset

from sknets import DCGAN, ProgressiveGAN
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
