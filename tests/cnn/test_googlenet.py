"""GoogLeNet: parameter counts, agreement with torchvision's layout, and auxiliary classifiers."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sknets.cnn import get_architecture
from sknets.cnn.googlenet import STAGES, GoogLeNet
from sknets.cnn.images import Images
from sknets.cnn.network import ImageNetwork
from tests.cnn.reference import weights


def built(description, input_shape=(3, 224, 224), n_outputs=10):
    with torch.device("meta"):
        return description.build(input_shape, n_outputs)


def filled(description, *args):
    network = built(description, *args)
    network.load_state_dict(weights(network), assign=True)
    return network.eval()


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "auxiliary", "n_parameters"),
    [
        ("googlenet", True, 13_004_888),
        ("googlenet", False, 6_624_904),
        ("googlenet_paper", True, 13_378_280),
        ("googlenet_paper", False, 6_998_552),
    ],
)
def test_parameters_are_as_many_as_published(name, auxiliary, n_parameters):
    description = get_architecture(name).set_params(auxiliary=auxiliary)
    network = built(description, n_outputs=1000)
    assert sum(p.numel() for p in network.parameters()) == n_parameters


def outputs_of_torchvision(state, x):
    """Torchvision's network in prediction, by a state dict in its order: main, aux1, aux2."""
    values = iter([tensor for name, tensor in state.items() if not name.endswith("tracked")])

    def conv(x, stride=1):
        weight, scale, shift, mean, variance = (next(values) for _ in range(5))
        x = F.conv2d(x, weight, None, stride, weight.shape[-1] // 2)
        return F.batch_norm(x, mean, variance, scale, shift, eps=0.001).relu()

    def linear(x):
        return F.linear(x, next(values), next(values))

    def pool(x, size=3):
        return F.max_pool2d(x, size, 2, ceil_mode=True)

    def inception(x):
        one = conv(x)
        three = conv(conv(x))
        also_three = conv(conv(x))
        return torch.cat([one, three, also_three, conv(F.max_pool2d(x, 3, 1, 1))], 1)

    def auxiliary(x):
        x = conv(F.adaptive_avg_pool2d(x, 4)).flatten(1)
        return linear(linear(x).relu())

    x = pool(conv(x, 2))
    x = pool(conv(conv(x)))
    x = pool(inception(inception(x)))
    x = first = inception(x)
    x = second = inception(inception(inception(x)))
    x = pool(inception(x), 2)
    x = inception(inception(x))
    aux1, aux2 = auxiliary(first), auxiliary(second)
    return linear(x.mean((2, 3))), aux1, aux2


def test_outputs_are_torchvisions():
    network = filled(get_architecture("googlenet"))
    x = images(2, 3, 224, 224)
    with torch.inference_mode():
        expected = outputs_of_torchvision(network.state_dict(), x)
        for ours, theirs in zip(network.all_outputs(x), expected, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_main_output_is_the_head_of_the_features():
    network = filled(GoogLeNet(), (3, 32, 32))
    x = images(2, 3, 32, 32)
    with torch.inference_mode():
        main, *auxiliary = network.all_outputs(x)
        torch.testing.assert_close(main, network(x))
        torch.testing.assert_close(main, network.head(network.features(x)))
    assert network.features(x).shape == (2, 1024)
    assert [output.shape for output in auxiliary] == [(2, 10)] * 2
    assert network.auxiliary_share == 0.3


def test_every_output_has_a_head():
    network = built(GoogLeNet())
    assert [head.out_features for head in network.heads] == [10, 10, 10]
    assert network.heads[0] is network.head


def test_auxiliary_classifiers_see_sixteen_positions():
    for name in ("googlenet", "googlenet_paper"):
        for classifier in built(get_architecture(name)).auxiliary.values():
            assert classifier.fc.in_features == 128 * 4 * 4


@pytest.mark.parametrize(
    ("side", "variant", "n_outputs"),
    [(10, "paper", 3), (9, "paper", 1), (8, "torchvision", 3), (7, "torchvision", 1)],
)
def test_auxiliary_classifiers_are_left_out_where_maps_are_small(side, variant, n_outputs):
    network = built(GoogLeNet(variant=variant), (3, side, side))
    assert len(network.all_outputs(images(2, 3, side, side).to("meta"))) == n_outputs
    assert len(network.heads) == n_outputs


def test_naive_modules_keep_all_channels_of_the_pooling():
    """Figure 2 (a): n x n kernels on all maps, and the pooled maps themselves."""
    network = built(GoogLeNet(reduce=False, auxiliary=False))
    n_in, n_parameters = 192, 0
    for stage, rows in STAGES.items():
        for letter, row in rows.items():
            module = network.features.get_submodule(f"inception{stage}{letter}")
            n_outs = (row.n1x1, row.n3x3, row.n5x5)
            n_parameters = sum(
                n_out * (n_in * kernel**2 + 1)
                for n_out, kernel in zip(n_outs, (1, 3, 5), strict=True)
            )
            assert sum(p.numel() for p in module.parameters()) == n_parameters
            n_in += sum(n_outs)
    assert network.head.in_features == n_in


def test_module_is_its_branches_beside_each_other():
    module = filled(GoogLeNet(auxiliary=False)).features.inception3a
    x = images(2, 192, 7, 7)
    with torch.inference_mode():
        made = module(x)
        one, three, five, pooled = made.split([64, 128, 32, 32], 1)
        torch.testing.assert_close(one, module.branch1x1(x))
        torch.testing.assert_close(three, module.branch3x3(x))
        torch.testing.assert_close(five, module.branch5x5(x))
        expected = module.branch_pool[1](nn.functional.max_pool2d(x, 3, 1, 1))
        torch.testing.assert_close(pooled, expected)


def test_small_images_get_one_convolution_before_the_modules():
    features = built(GoogLeNet(), (3, 32, 32)).features
    conv = features.conv1.conv
    assert (conv.out_channels, conv.kernel_size, conv.stride) == (192, (3, 3), (1, 1))
    assert next(iter(dict(list(features.named_children())[1:]))) == "inception3a"


def test_maps_are_as_large_as_in_the_paper():
    """Table 1, in both variants."""
    for name in ("googlenet", "googlenet_paper"):
        x = torch.empty(1, 3, 224, 224, device="meta")
        shapes = {}
        for layer_name, layer in built(get_architecture(name)).features.named_children():
            x = layer(x)
            shapes[layer_name] = tuple(x.shape[1:])
        assert shapes["pool1"] == (64, 56, 56)
        assert shapes["pool2"] == (192, 28, 28)
        assert shapes["inception3b"] == (480, 28, 28)
        assert shapes["inception4e"] == (832, 14, 14)
        assert shapes["inception5b"] == (1024, 7, 7)


@pytest.mark.parametrize(("small", "smallest"), [((3, 3, 40), "4 x 4"), ((1, 3), "length 4")])
def test_too_small_an_input_is_an_error_that_names_the_smallest(small, smallest):
    with pytest.raises(ValueError, match=rf"GoogLeNet needs .*{smallest}, {small[0]} channel\(s\)"):
        GoogLeNet().build(small, 2)


@pytest.mark.parametrize("length", [20, 100, 300])
@pytest.mark.parametrize("name", ["googlenet", "googlenet_paper"])
def test_signals_are_taken(name, length):
    network = built(get_architecture(name), (2, length), 5)
    for output in network.all_outputs(torch.empty(7, 2, length, device="meta")):
        assert output.shape == (7, 5)


def test_the_heads_alone_are_trained_where_that_is_asked():
    with torch.device("meta"):
        network = get_architecture("googlenet").build((3, 224, 224), 10)
        held = ImageNetwork(Images((3, 224, 224), False), network, (3, 224, 224))
    held.train_only(0)
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    heads = {"head", "auxiliary.inception4a.head", "auxiliary.inception4d.head"}
    assert {name.rpartition(".")[0] for name in trained} == heads
