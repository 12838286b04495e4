"""Deep belief networks of several modalities: what one says of another."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits

from sknets import BernoulliRBM, GaussianRBM, MultimodalDBN, load, save
from sknets.boltzmann.deep_belief import DirectedLayers
from sknets.boltzmann.draws import RawDraws
from sknets.boltzmann.multimodal import MultimodalNet
from sknets.boltzmann.units import Bernoulli

DIGITS, CLASSES = load_digits(return_X_y=True)
BOTH = np.hstack([DIGITS / 16, np.eye(10)[CLASSES]])
RBM = BernoulliRBM(learning="cd", learning_rate=0.2, batch_size=20, n_iter=20)
SMALL = dict(hidden_layer_sizes=((12,), (8,)), n_components=10, modalities=(64, 10), random_state=0)


def states(n):
    return torch.cat(list(Bernoulli(n).states()))


@pytest.mark.global_state("torch random state")
@torch.no_grad()
def test_modality_is_predicted_by_the_conditional_of_the_machine():
    network = MultimodalNet(
        [DirectedLayers(Bernoulli(3), (2,)), DirectedLayers(Bernoulli(2), (2,))], 3
    )
    network.double().initialise(torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.normal_(generator=generator)
    v = states(3)[[5]]
    known = network.path(0).up_means(v)
    # By sums over the other path's last layer, given the first one's means.
    other = states(2)
    seen = torch.cat([known.expand(4, -1), other], 1)
    p = (-network.top.free_energy(seen)).softmax(0)
    expected = p @ network.path(1).down_means(other)
    draws = RawDraws(0)
    found = torch.cat([network.completed(v, 0, 4000, draws) for _ in range(5)]).mean(0)[3:]
    assert_allclose(found, expected, atol=0.02)
    drawn = network.drawn_with(v.expand(4000, -1), 0, 60, draws)[:, 3:]
    assert_allclose(drawn.mean(0), expected, atol=0.04)


LABELS = clone(RBM).set_params(n_iter=200, learning_rate=0.5, init_std=0.1)


@pytest.mark.parametrize(
    ("sizes", "rbm"),
    [(((150,), ()), RBM), (((150,), (50,)), [RBM, LABELS])],
    ids=["labels as they are", "labels with features"],
)
def test_each_modality_says_what_the_other_is(sizes, rbm):
    dbn = MultimodalDBN(sizes, n_components=150, modalities=(64, 10), rbm=rbm, joint_rbm=RBM)
    dbn.set_params(fine_tuning="up_down", max_iter=40, batch_size=50, learning_rate_init=0.01)
    dbn.set_params(random_state=0).fit(BOTH[::2])
    images, classes = DIGITS[1::2] / 16, CLASSES[1::2]
    labels = dbn.predict_modality(images, n_steps=30, random_state=0)
    assert labels.shape == (898, 10)
    assert (labels.argmax(1) == classes).mean() > 0.75
    made = dbn.predict_modality(np.eye(10), given=1, target=0, n_steps=50, random_state=0)
    means = np.array([DIGITS[k == CLASSES].mean(0) / 16 for k in range(10)])
    nearest = ((made[:, None] - means) ** 2).sum(2).argmin(1)
    assert (nearest == np.arange(10)).mean() >= 0.7
    drawn = dbn.sample_modality(images[:50], n_steps=30, random_state=0)
    assert set(np.unique(drawn)) <= {0.0, 1.0}
    assert dbn.sample(3, n_steps=20, random_state=0).shape == (3, 74)
    assert dbn.transform(BOTH[:5]).shape == (5, 150)


def test_all_layers_are_fine_tuned_and_kept(tmp_path):
    few = BernoulliRBM(n_iter=2, batch_size=50)
    settings = dict(rbm=few, joint_rbm=few, **SMALL)
    plain = MultimodalDBN(**settings).fit(BOTH)
    tuned = MultimodalDBN(**settings, fine_tuning="up_down", max_iter=3).fit(BOTH)
    assert plain.n_iter_ == 6
    assert tuned.n_iter_ == 3
    for i in (0, 1):
        assert not torch.equal(
            plain.module_.path(i).down[0].weight, tuned.module_.path(i).down[0].weight
        )
    save(tuned, tmp_path / "both.sknets")
    again = load(tmp_path / "both.sknets")
    assert_array_equal(again.transform(BOTH), tuned.transform(BOTH))
    assert np.isfinite(tuned.log_likelihood_bound(BOTH[:20], n_draws=5, random_state=0)).all()


def test_modalities_may_be_real():
    data = np.hstack([BOTH[:, :64] * 8 - 3, BOTH[:, 64:]])
    dbn = MultimodalDBN(**SMALL).fit(data)
    named = MultimodalDBN(**SMALL, rbm=[GaussianRBM(init_std=0.1), BernoulliRBM(init_std=0.1)]).fit(
        data
    )
    assert_allclose(named.transform(data), dbn.transform(data), atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_layer_sizes": ((8,),)}, "'hidden_layer_sizes' parameter of MultimodalDBN must"),
        ({"hidden_layer_sizes": ((8,), (0,))}, "'hidden_layer_sizes' parameter of MultimodalDBN"),
        ({"modalities": (64, 10, 1)}, "'modalities' parameter of MultimodalDBN must hold"),
        ({"modalities": (64, 9)}, "modalities of .64, 9. columns, but X has n_features=74"),
        ({"rbm": [RBM]}, "'rbm' parameter of MultimodalDBN must be"),
        ({"rbm": [RBM, [RBM, RBM]]}, "'rbm' parameter of MultimodalDBN must be"),
        ({"rbm": [[RBM], "machine"]}, "'rbm' parameter of MultimodalDBN must be"),
    ],
)
def test_what_cannot_be_is_an_error(settings, message):
    with pytest.raises(ValueError, match=message):
        MultimodalDBN(**SMALL | settings).fit(BOTH)


def test_real_modalities_go_on_with_a_machine_of_each():
    data = np.hstack([BOTH[:, :64] * 8 - 3, BOTH[:, 64:]])
    few = BernoulliRBM(n_iter=1, batch_size=100)
    dbn = MultimodalDBN(**SMALL, rbm=[None, few], joint_rbm=few).fit(data)
    assert dbn.partial_fit(data).n_iter_ == 1


def test_modality_without_layers_is_binary():
    with pytest.raises(ValueError, match="without hidden layers must have values between 0 and 1"):
        MultimodalDBN(**SMALL | {"hidden_layer_sizes": ((8,), ())}).fit(BOTH * 2)


def test_modality_of_another_width_is_an_error():
    dbn = MultimodalDBN(**SMALL, rbm=BernoulliRBM(n_iter=1, batch_size=100)).fit(BOTH)
    with pytest.raises(ValueError, match="X has 9 columns, but modality 1 of MultimodalDBN has 10"):
        dbn.predict_modality(np.zeros((2, 9)), given=1, target=0)
    with pytest.raises(ValueError, match="'given' parameter"):
        dbn.predict_modality(np.zeros((2, 9)), given=2)
