"""Averages along the path of training, against the path itself."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback
from torch import nn

from sknets import MLPClassifier, MLPRegressor
from sknets._training.averaging import WeightAverage
from sknets._training.parameters import FlatParameters

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3))
y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int) + (X[:, 2] > 1)
SETTINGS = dict(
    hidden_layer_sizes=(4,),
    solver="sgd",
    learning_rate_init=0.3,
    batch_size=10,
    tol=0.0,
    random_state=0,
)


def walked(kind, decay, n_steps):
    """The average after a walk over 1, 2, ... of a parameter and a buffer that started at 0."""
    module = nn.Module()
    module.weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    module.register_buffer("running_mean", torch.zeros(1, dtype=torch.float64))
    flat = FlatParameters(module)
    average = WeightAverage(kind, decay, flat)
    for t in range(1, n_steps + 1):
        flat.values.fill_(t)
        module.running_mean.fill_(10 * t)
        average.update()
    return average


@pytest.mark.parametrize("n", [1, 2, 7, 50])
def test_polyak_weighs_by_rising_powers(n):
    # The recursion with share 4 / (t + 3) unrolled: s (s + 1) (s + 2), normalised.
    s = np.arange(1.0, n + 1)
    weight = s * (s + 1) * (s + 2)
    expected = weight @ s / weight.sum()
    value, buffer = walked("polyak", 0.999, n).mean
    assert value.item() == pytest.approx(expected, rel=1e-12)
    assert buffer.item() == pytest.approx(10 * expected, rel=1e-12)


def test_ema_weighs_by_falling_powers_of_the_decay():
    decay, n = 0.15, 12  # below (1 + t) / (10 + t) from the first step
    s = np.arange(n + 1.0)
    weight = (1 - decay) * decay ** (n - s)
    weight[0] = decay**n  # what is left for the start, at 0
    assert weight.sum() == pytest.approx(1)
    assert walked("ema", decay, n).mean[0].item() == pytest.approx(weight @ s, rel=1e-12)


def test_ema_with_slow_decay_forgets_the_start():
    # With share 9 / (10 + t) the start's weight is prod((1 + t) / (10 + t)), next to nothing.
    n = 30
    shares = 9 / (10 + np.arange(1.0, n + 1))
    expected = 0.0
    for t, share in enumerate(shares, start=1):
        expected += share * (t - expected)
    assert walked("ema", 0.999, n).mean[0].item() == pytest.approx(expected, rel=1e-12)
    assert np.prod(1 - shares) < 1e-6


@pytest.mark.parametrize("kind", ["polyak", "ema"])
def test_average_goes_on_from_its_state(kind):
    half, whole = walked(kind, 0.9, 5), walked(kind, 0.9, 9)
    resumed = walked(kind, 0.9, 0)
    resumed.load({"t": half.state()["t"], "mean": [m.clone() for m in half.state()["mean"]]})
    for t in range(6, 10):
        resumed.flat.values.fill_(t)
        resumed.flat.buffers[0].fill_(10 * t)
        resumed.update()
    assert [m.item() for m in resumed.mean] == [m.item() for m in whole.mean]


def test_average_of_a_part_leaves_the_rest_as_it_is():
    first, second = nn.BatchNorm1d(2), nn.BatchNorm1d(3)
    flat = FlatParameters(nn.ModuleList([first, second]), [first, second])
    flat.restore([torch.zeros_like(tensor) for tensor in flat.snapshot()])
    average = WeightAverage("ema", 0.9, flat, flat.slices[0])
    for t in (1, 2):
        flat.restore([torch.full_like(tensor, t) for tensor in flat.snapshot()])
        average.update()
    expected = walked("ema", 0.9, 2).mean[0].item()
    values, *buffers = average.mean
    assert values.tolist() == pytest.approx([expected] * 4 + [2] * 6)
    assert [buffer[0].item() for buffer in buffers] == pytest.approx([expected] * 2 + [2] * 2)


class Path(Callback):
    """Keeps the weights after every step."""

    def on_train_begin(self, net, **kwargs):
        self.weights = []

    def on_batch_end(self, net, **kwargs):
        self.weights.append(net.flat.values.numpy().copy())


def flat_weights(estimator):
    return torch.cat([p.reshape(-1) for p in FlatParameters(estimator.module_).parameters])


@pytest.mark.parametrize("kind", ["polyak", "ema"])
def test_estimator_predicts_with_the_average_over_its_path(kind):
    path = Path()
    net = MLPRegressor(averaging=kind, max_iter=3, callbacks=[path], **SETTINGS).fit(X, y)
    assert len(path.weights) == 12
    s = np.arange(1.0, 13)
    if kind == "polyak":
        weight = s * (s + 1) * (s + 2)
    else:
        share = 1 - np.minimum(0.999, (1 + s) / (10 + s))
        weight = share * np.append(np.cumprod((1 - share)[::-1])[::-1][1:], 1.0)
    expected = weight @ np.array(path.weights) / (weight.sum() if kind == "polyak" else 1)
    found = flat_weights(net).detach().numpy()
    # A slow decay keeps prod(1 - share) of the initial weights.
    assert_allclose(found, expected, atol=1e-5 if kind == "polyak" else 2e-3)
    assert abs(found - path.weights[-1]).max() > 1e-2


def test_averaging_leaves_the_path_alone():
    plain, averaged = Path(), Path()
    MLPRegressor(max_iter=3, callbacks=[plain], **SETTINGS).fit(X, y)
    MLPRegressor(averaging="polyak", max_iter=3, callbacks=[averaged], **SETTINGS).fit(X, y)
    assert_array_equal(plain.weights, averaged.weights)


def test_averaging_averages_the_statistics_of_batch_norm_too():
    class Statistics(Callback):
        def on_train_begin(self, net, **kwargs):
            self.seen = []

        def on_batch_end(self, net, **kwargs):
            self.seen.append(net.module_.state_dict()["features.norm1.running_mean"].clone())

    statistics = Statistics()
    net = MLPRegressor(
        averaging="polyak", batch_norm=True, max_iter=2, callbacks=[statistics], **SETTINGS
    ).fit(X, y)
    s = np.arange(1.0, 9)
    weight = s * (s + 1) * (s + 2) / (s * (s + 1) * (s + 2)).sum()
    expected = weight @ torch.stack(statistics.seen).numpy()
    found = net.module_.state_dict()["features.norm1.running_mean"]
    assert_allclose(found, expected, atol=1e-6)


def snapshots(**settings):
    settings = {"n_snapshots": 3, "max_iter": 9} | SETTINGS | settings
    return MLPClassifier(averaging="snapshots", **settings).fit(X, y)


def test_snapshots_average_the_probabilities_at_the_ends_of_cycles():
    class Ends(Callback):
        def on_train_begin(self, net, **kwargs):
            self.members = []

        def on_epoch_end(self, net, **kwargs):
            if len(net.history) % 3 == 0:
                self.members.append({k: v.clone() for k, v in net.module_.state_dict().items()})

    ends = Ends()
    net = snapshots(callbacks=[ends])
    x = torch.tensor(X)
    members = [
        torch.func.functional_call(net.module_, {k: v.double() for k, v in m.items()}, (x,))
        for m in ends.members
    ]
    assert len(members) == 3
    expected = torch.stack(members).softmax(2).mean(0).detach()
    assert_allclose(net.predict_proba(X), expected, atol=1e-6)
    assert_array_equal(net.predict(X), net.classes_[expected.argmax(1)])


def test_snapshot_ensemble_is_not_its_last_member():
    net = snapshots()
    alone = torch.softmax(net.module_(torch.tensor(X)), 1).detach().numpy()
    assert abs(net.predict_proba(X) - alone).max() > 1e-3


def test_decision_function_of_an_ensemble_agrees_with_its_probabilities():
    net = snapshots()
    scores = net.decision_function(X)
    assert_allclose(np.exp(scores), net.predict_proba(X), rtol=1e-6)
    binary = MLPClassifier(averaging="snapshots", n_snapshots=2, max_iter=4, **SETTINGS)
    binary.fit(X, y > 0)
    logit = np.log(binary.predict_proba(X) @ [[0], [1]] / (binary.predict_proba(X) @ [[1], [0]]))
    assert_allclose(binary.decision_function(X), logit.ravel(), rtol=1e-6)


def test_one_snapshot_is_a_cosine_schedule():
    ensemble = snapshots(n_snapshots=1)
    cosine = MLPClassifier(learning_rate="cosine", **SETTINGS, max_iter=9).fit(X, y)
    assert_allclose(ensemble.predict_proba(X), cosine.predict_proba(X), atol=1e-7)


def test_snapshots_refuse_a_schedule_of_their_own_and_too_few_epochs():
    with pytest.raises(ValueError, match="averaging='snapshots' has its own cyclic learning rate"):
        snapshots(learning_rate="cosine")
    with pytest.raises(ValueError, match="n_snapshots=3 needs at least as many epochs"):
        snapshots(max_iter=2)


def test_snapshots_of_scores_are_averaged_too():
    net = snapshots(loss="hinge")
    scores = net.decision_function(X)
    assert_array_equal(net.predict(X), net.classes_[scores.argmax(1)])
    with torch.inference_mode():
        last = net.module_(torch.tensor(X)).numpy()
    assert abs(scores - last).max() > 1e-3


def test_cycles_run_to_their_end_though_the_loss_rises():
    net = snapshots(max_iter=60, n_iter_no_change=2, learning_rate_init=0.05)
    assert net.n_iter_ == 60
    assert len(net._snapshots) == 3


def test_snapshots_and_early_stopping_exclude_each_other():
    with pytest.raises(ValueError, match="averaging='snapshots' predicts with all"):
        snapshots(early_stopping=True)
