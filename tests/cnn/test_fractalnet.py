"""FractalNet: parameter counts, agreement with another implementation, joins and drop-path."""

from collections import Counter
from functools import partial
from random import Random

import pytest
import torch
from torch import nn

from sknets.cnn import get_architecture
from sknets.cnn.fractalnet import FractalNet, every_path, local_paths, single_path
from sknets.layers import Dropout
from tests.cnn.reference import assert_agrees, weights


def built(description, input_shape=(1, 8, 8), n_outputs=2):
    with torch.device("meta"):
        network = description.build(input_shape, n_outputs)
    network.load_state_dict(weights(network), assign=True)
    return network.eval()


def generator(seed):
    return torch.Generator().manual_seed(seed)


def images():
    return torch.randn(3, 1, 8, 8, generator=generator(0))


def convolutions_run(network, x):
    """The names of the convolutions that a pass goes through."""
    names = []
    hooks = [
        module.register_forward_hook(lambda *_, name=name: names.append(name))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d)
    ]
    network(x)
    for hook in hooks:
        hook.remove()
    return names


@pytest.mark.parametrize(
    ("columns", "millions"), [(1, 0.3), (2, 0.8), (3, 2.1), (4, 4.8), (5, 10.2), (6, 21.1)]
)
def test_parameters_are_as_many_as_published(columns, millions):
    # The paper's table 3, on CIFAR-100.
    description = FractalNet(columns=columns, channels=(16, 32, 64, 128, 128))
    with torch.device("meta"):
        network = description.build((3, 32, 32), 100)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 1) == millions


def test_the_deeper_network_has_half_the_channels():
    wide, deep = (get_architecture(f"fractalnet{depth}") for depth in (20, 40))
    assert [2 * n for n in deep.channels] == list(wide.channels)
    with torch.device("meta"):
        network = deep.build((3, 32, 32), 10)
    # By hand; the paper's has 22.9 million.
    assert sum(p.numel() for p in network.parameters()) == 9 * 2_112_896 + 30 * 736 + 2570


@pytest.mark.parametrize(
    ("name", "side", "n_convolutions"),
    [("fractalnet20", 32, 20), ("fractalnet40", 32, 40), ("fractalnet34", 224, 33)],
)
def test_the_longest_column_has_as_many_convolutions_as_published(name, side, n_convolutions):
    description = get_architecture(name)
    description.set_params(column=description.columns)
    with torch.device("meta"):
        network = description.build((3, side, side), 10).eval()
        names = convolutions_run(network, torch.empty(1, 3, side, side))
    assert len(names) == len(set(names)) == n_convolutions


def test_outputs_agree_with_another_implementation():
    channels = (8, 12, 16, 20, 24)
    theirs = {"dropout_probs": (0.0,) * 5, "loc_drop_prob": 0.15, "glob_drop_ratio": 0.0}
    assert_agrees(
        FractalNet(columns=4, channels=channels),
        "fractalnet_cifar",
        "CIFARFractalNet",
        (3, 32, 32),
        channels=channels,
        num_columns=4,
        **theirs,
    )


def test_prediction_follows_the_expansion_rule():
    block = built(FractalNet(channels=(4,))).features.block1
    x = images()

    def f2(half, z):
        return (half.column(z) + half.second.column(half.first.column(z))) / 2

    with torch.inference_mode():
        before = f2(block.first, x)  # joins two columns, the last join all three
        ends = (
            block.column(x),
            block.second.column(before),
            block.second.second.column(block.second.first.column(before)),
        )
        torch.testing.assert_close(block(x, every_path), sum(ends) / 3)


@pytest.mark.parametrize("live", [[True, True, False], [True, False, True], [False, True, True]])
def test_a_join_is_the_mean_of_its_live_inputs(live):
    block = built(FractalNet(channels=(4,))).features.block1

    def paths(n):
        return live if n == 3 else every_path(n)

    x = images()
    with torch.inference_mode():
        ends = block.ends(x, every_path(3), every_path)
        expected = (sum(end * alive for end, alive in zip(ends, live, strict=True))) / 2
        torch.testing.assert_close(block(x, paths), expected)


@pytest.mark.parametrize(("n", "dropped"), [(2, 0.15), (3, 0.5), (3, 0.15), (4, 0.9)])
def test_local_drop_path_drops_as_many_as_expected_and_never_all(n, dropped):
    source, n_draws = Random(0), 20_000
    drawn = [local_paths(n, dropped, source) for _ in range(n_draws)]
    assert all(map(any, drawn))
    expected = 1 - dropped + dropped**n / n  # brought back, if all were dropped
    sigma = (expected * (1 - expected) / n_draws) ** 0.5
    for i in range(n):
        assert abs(sum(live[i] for live in drawn) / n_draws - expected) < 4 * sigma


def test_global_drop_path_takes_one_column_all_through():
    network = built(FractalNet(channels=(2, 2, 2), global_share=1.0, dropout=0)).train()
    taken, n_draws = Counter(), 300
    network.features.generator = generator(0)
    for _ in range(n_draws):
        names = convolutions_run(network, images())
        of_blocks = Counter(name.split(".")[1] for name in names)
        assert of_blocks.keys() == {"block1", "block2", "block3"}
        (length,) = set(of_blocks.values())
        taken[length] += 1
    assert taken.keys() == {1, 2, 4}
    chi_square = sum((n - n_draws / 3) ** 2 / (n_draws / 3) for n in taken.values())
    assert chi_square < 13.8  # 0.999 of its distribution with two degrees of freedom


def test_minibatches_are_shared_out_between_global_and_local_drop_path():
    features = built(FractalNet(channels=(2,), global_share=0.3)).features
    features.generator = generator(0)
    n_draws = 2000
    drawn = [features._drawn_paths(torch.device("cpu")) for _ in range(n_draws)]
    share = sum(paths.func is single_path for paths in drawn) / n_draws
    assert abs(share - 0.3) < 4 * (0.3 * 0.7 / n_draws) ** 0.5


def test_training_draws_from_its_generator_alone():
    network = built(FractalNet(channels=(4, 6))).train()
    before = torch.get_rng_state()

    def outputs(seed):
        for module in network.modules():
            module.generator = generator(seed)
        return [network(images()) for _ in range(5)]

    torch.testing.assert_close(outputs(0), outputs(0), rtol=0, atol=0)
    assert not torch.equal(outputs(0)[0], outputs(1)[0])
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("column", [1, 2, 3])
def test_a_column_predicts_as_the_plain_network_it_is(column):
    network = built(FractalNet(channels=(4, 6), column=column))
    x, plain = images(), nn.Sequential()
    with torch.inference_mode():
        names = convolutions_run(network, x)
        for name in names:
            plain.append(network.get_submodule(name.removesuffix(".conv")))
            if len(plain) == len(names) // 2:
                plain.append(network.features.pool1)
        assert len(names) == 2 * 2 ** (column - 1)
        maps = network.features.pool2(plain(x))
        torch.testing.assert_close(network(x), network.head(maps.mean((2, 3))))


def test_weights_are_those_of_all_columns_whichever_predicts():
    one, all_ = (built(FractalNet(channels=(4, 6), column=column)) for column in (3, None))
    assert one.state_dict().keys() == all_.state_dict().keys()
    assert not torch.equal(one(images()), all_(images()))


def test_a_column_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match=r"'column' .* at most 'columns', 3\. Got 4 instead"):
        FractalNet(column=4).build((3, 32, 32), 2)


def test_dropout_rises_evenly_over_the_blocks():
    with torch.device("meta"):
        network = get_architecture("fractalnet20").build((3, 32, 32), 10)
    shares = [layer.p for layer in network.modules() if isinstance(layer, Dropout)]
    assert shares == pytest.approx([0.1] * 7 + [0.2] * 7 + [0.3] * 7 + [0.4] * 7)


@pytest.mark.parametrize("shape", [(3, 28, 20), (1, 1, 1), (1, 1), (2, 100), (1, 65, 70)])
def test_images_and_signals_of_any_size_are_taken(shape):
    with torch.device("meta"):
        network = FractalNet().build(shape, 5).eval()
        assert network(torch.empty(7, *shape)).shape == (7, 5)


def test_large_images_are_halved_first():
    with torch.device("meta"):
        network = get_architecture("fractalnet34").build((3, 224, 224), 10).eval()
        x = network.features.relu(network.features.conv(torch.empty(1, 3, 224, 224)))
        maps = network.features.pool1(network.features.block1(x, every_path))
    assert x.shape == (1, 64, 112, 112)
    assert maps.shape == (1, 128, 56, 56)


def test_the_rate_falls_twice():
    recipe = get_architecture("fractalnet20").recipe()
    assert [recipe["decay_every"] * i for i in (1, 2)] == [150, 300]
    assert get_architecture("fractalnet34").recipe()["batch_size"] == 32


def test_a_single_path_is_live_at_the_joins_that_its_column_reaches():
    paths = partial(single_path, column=1)  # the second longest of three
    assert paths(3) == [False, True, False]
    assert paths(2) == [True, False]
