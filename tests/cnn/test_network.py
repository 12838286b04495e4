"""The training step of images: augmentation, mixed targets, auxiliary losses, frozen parts."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from sknets._data import Batch
from sknets._training.losses import SoftmaxLogLoss
from sknets.cnn import CNNClassifier, ConvNet
from sknets.cnn.architecture import Trunk
from sknets.cnn.images import Images
from sknets.cnn.network import Augment, ImageNetwork, ImageStep
from sknets.preprocessing import Crop, Mixup, Translate
from sknets.preprocessing.augmentation import Chain

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

digits = load_digits()
X, y = digits.images[:200] / 16, digits.target[:200]
SMALL = dict(
    architecture=ConvNet(channels=(4, 6), dense=10, batch_norm=True),
    batch_size=50,
    max_iter=2,
    random_state=0,
    precision="float32",
)


class Twice(Trunk):
    """A linear network with an auxiliary output that is twice the main one."""

    auxiliary_share = 0.3

    def all_outputs(self, x):
        raw = self(x)
        return raw, 2 * raw


def linear(augment=None, kind=Trunk):
    head = torch.nn.Linear(64, 10, device="meta")
    draws = torch.Generator().manual_seed(0)
    network = kind(torch.nn.Flatten(), head)
    state = {"head.weight": torch.randn(10, 64, generator=draws), "head.bias": torch.zeros(10)}
    network.load_state_dict(state, assign=True)
    made = ImageNetwork(Images((1, 8, 8), False), network, (1, 8, 8), augment)
    return made.train()


def batch(weight=None):
    x = torch.tensor(X[:20].reshape(20, -1), dtype=torch.float32)
    return Batch(x, torch.tensor(y[:20]), weight)


def step(module):
    return ImageStep(module, SoftmaxLogLoss(), torch.zeros(0), mixed=False).evaluate(batch())


def test_auxiliary_losses_count_by_their_share_in_training_alone():
    module = linear(kind=Twice)
    raw = module.network(batch().x)
    main, auxiliary = (F.cross_entropy(r, batch().y) for r in (raw, 2 * raw))
    assert_allclose(step(module).loss.item(), (main + 0.3 * auxiliary).item(), rtol=1e-6)
    assert_allclose(step(module.eval()).loss.item(), main.item(), rtol=1e-6)


def test_mixed_samples_have_a_share_of_both_losses():
    module = linear(Augment(Chain.of(Mixup())))
    module.augment.generator = torch.Generator().manual_seed(3)
    loss = step(module).loss
    mixed = Mixup()(module.images(batch().x), torch.Generator().manual_seed(3))
    raw = module.network(mixed.x)
    own = F.cross_entropy(raw, batch().y, reduction="none")
    partner = F.cross_entropy(raw, batch().y[mixed.partner], reduction="none")
    expected = (mixed.share * own + (1 - mixed.share) * partner).mean()
    assert_allclose(loss.item(), expected.item(), rtol=1e-6)


def test_prediction_is_not_augmented():
    module = linear(Augment(Chain.of(Translate(3)))).eval()
    assert_array_equal(module(batch().x).detach(), module.network(batch().x).detach())


def test_augmentation_is_the_seeds_and_changes_by_epoch():
    seen = []

    def watch(x, generator):
        seen.append(torch.rand(1, generator=generator).item())
        return x

    for seed in (0, 0, 1):
        CNNClassifier(**SMALL | dict(augment=watch, random_state=seed, batch_size=200)).fit(X, y)
    drawn = np.array(seen).reshape(3, -1)[:, -2:]  # two epochs; before, the shape
    assert_array_equal(drawn[0], drawn[1])
    assert len(np.unique(drawn[1:])) == 4


def test_epochs_of_partial_fit_are_augmented_like_those_of_fit():
    settings = SMALL | dict(augment=("flip", Translate(1)), n_iter_no_change=np.inf)
    whole = CNNClassifier(**settings).fit(X, y)
    parts = CNNClassifier(**settings)
    for _ in range(2):
        parts.partial_fit(X, y, classes=range(10))
    assert_array_equal(parts.predict_proba(X), whole.predict_proba(X))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(augment="flop"), "The 'augment' parameter of CNNClassifier must be"),
        (dict(augment=Translate(-1)), "The 'shift' parameter of Translate must be"),
        (dict(augment="flip", solver="lbfgs"), "augment='flip' needs a stochastic solver"),
        (dict(augment=Crop(padding=0, size=9)), "The 'size' parameter of Crop must be at most 8"),
    ],
)
def test_wrong_augmentation_is_an_error_before_any_work(settings, message):
    clf = CNNClassifier(**SMALL | settings)
    with pytest.raises(ValueError, match=message):
        clf.fit(X, y)
    assert not hasattr(clf, "classes_")


@pytest.mark.parametrize(
    ("trainable", "moved"), [("head", {"head"}), (0, {"head"}), (1, {"dense1", "head"})]
)
def test_only_the_last_stages_are_trained(trainable, moved):
    start = CNNClassifier(**SMALL | dict(learning_rate_init=1e-12, alpha=0)).fit(X, y)
    clf = CNNClassifier(**SMALL | dict(weights=start, weights_rate=1.0, trainable=trainable))
    clf.fit(X, y)
    before, after = (c.module_.network.state_dict() for c in (start, clf))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name.removeprefix("features.").split(".")[0] for name in changed} == moved


def test_a_normalisation_belongs_to_the_convolution_before_it():
    description = ConvNet(channels=((4, 4), 8), batch_norm=True, dense=())
    with torch.device("meta"):
        network = description.build((1, 8, 8), 10)
    names = {id(part): name for name, part in network.features.named_children()}
    found = [[names[id(part)] for part in stage] for stage in network.stages]
    assert found == [["conv1_1", "norm1_1"], ["conv1_2", "norm1_2"], ["conv2_1", "norm2_1"]]


def test_all_is_as_many_stages_as_there_are():
    whole, counted = (CNNClassifier(**SMALL | dict(trainable=n)).fit(X, y) for n in ("all", 99))
    assert_array_equal(whole.predict_proba(X), counted.predict_proba(X))


def test_training_goes_on_after_thawing():
    clf = CNNClassifier(**SMALL | dict(trainable="head")).fit(X, y)
    clf.set_params(trainable="all").partial_fit(X, y)
    assert all(p.requires_grad for p in clf.module_.parameters())
    assert np.isfinite(clf.predict_proba(X)).all()


def test_features_of_a_named_layer():
    clf = CNNClassifier(**SMALL).fit(X, y)
    last = clf.transform(X)
    assert_array_equal(clf.set_params(features_layer="features.relu3").transform(X), last)
    pooled = clf.set_params(features_layer="features.pool1").transform(X)
    assert pooled.shape == (200, 4 * 4 * 4)
    assert len(clf.get_feature_names_out()) == 64
    with pytest.raises(ValueError, match="'features_layer' parameter of CNNClassifier must be the"):
        clf.set_params(features_layer="features.pool9").transform(X)
    with pytest.raises(ValueError, match="'features_layer' parameter of CNNClassifier must be the"):
        CNNClassifier(**SMALL | dict(features_layer="pool1")).fit(X, y)
