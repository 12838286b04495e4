"""What a discriminator is told of other samples."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sknets.gan.diversity import MinibatchDeviation, MinibatchDiscrimination, Replay

rng = np.random.default_rng(0)
X = rng.normal(size=(6, 4))
IMAGES = rng.normal(size=(6, 2, 3, 3))


def seeded(layer):
    torch.nn.init.normal_(layer.projection.weight, generator=torch.Generator().manual_seed(0))
    return layer


def meta(make):
    with torch.device("meta"):
        layer = make()
    return layer.to_empty(device="cpu").double()


def test_discrimination_is_the_formula_of_the_paper():
    layer = seeded(meta(lambda: MinibatchDiscrimination(4, 3, 2)))
    points = (X @ layer.projection.weight.detach().numpy().T).reshape(6, 3, 2)
    near = np.exp(-np.abs(points[:, None] - points[None]).sum(3))
    expected = (near.sum(1) - 1) / 5
    found = layer(torch.from_numpy(X)).detach().numpy()
    assert_array_equal(found[:, :4], X)
    assert_allclose(found[:, 4:], expected)


def test_deviation_is_one_number_of_a_batch():
    layer = MinibatchDeviation()
    for batch in (X, IMAGES):
        found = layer(torch.from_numpy(batch)).numpy()
        assert_allclose(
            found[:, -1], np.full_like(found[:, -1], batch.std(axis=0).mean()), rtol=1e-6
        )
        assert_array_equal(found[:, :-1], batch)


@pytest.mark.parametrize("batch", [X, IMAGES])
def test_deviation_beside_a_reference_is_that_of_one_more(batch):
    layer = MinibatchDeviation().eval()
    layer.n_reference = 4
    found = layer(torch.from_numpy(batch)).numpy()
    for i in range(2):
        joined = np.concatenate([batch[2:], batch[i : i + 1]])
        assert found[i, -1].ravel()[0] == pytest.approx(joined.std(axis=0).mean(), rel=1e-5)


@pytest.mark.parametrize("make", [lambda: MinibatchDiscrimination(4, 3, 2), MinibatchDeviation])
def test_in_prediction_samples_do_not_see_each_other(make):
    layer = meta(make)
    if hasattr(layer, "projection"):
        seeded(layer)
    layer.eval().n_reference = 3
    together = layer(torch.from_numpy(X))[:3]
    alone = [layer(torch.from_numpy(np.concatenate([X[i : i + 1], X[3:]])))[:1] for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_discrimination_of_a_lone_sample_has_no_neighbours():
    layer = seeded(meta(lambda: MinibatchDiscrimination(4, 3, 2)))
    assert_array_equal(layer(torch.from_numpy(X[:1])).detach()[:, 4:], 0)


def test_replay_gives_half_of_a_batch_back():
    replay, drawn = Replay(8), torch.Generator().manual_seed(0)
    batches = [torch.full((4, 1), float(i)) for i in range(4)]
    mixed = [replay.mixed(batch, drawn) for batch in batches[:3]]
    assert [x.shape for x in mixed] == [(4, 1)] * 3
    assert (mixed[0] == 0).all()  # nothing is kept yet
    assert [int((x == i).sum()) for i, x in enumerate(mixed)] == [4, 2, 2]
    assert set(mixed[2][:2].ravel().tolist()) <= {0, 1}
    assert len(replay.kept) == 8
    assert (replay.kept == 2).sum() == 2


def test_a_large_replay_begins_before_it_is_full():
    replay, drawn = Replay(10**6), torch.Generator().manual_seed(0)
    replay.mixed(torch.zeros(4, 1), drawn)
    assert (replay.mixed(torch.ones(4, 1), drawn) == 0).sum() == 2


def test_replay_goes_on_from_its_state():
    replay = Replay(3)
    replay.mixed(torch.ones(4, 1), None)
    other = Replay(3)
    other.load(replay.state(), torch.zeros(1))
    assert_array_equal(other.kept, replay.kept)
