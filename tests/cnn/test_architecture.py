"""Descriptions: their names, what they build, and the smallest input that they take."""

import pickle

import pytest
import torch
from sklearn.base import clone
from torch import nn

from sknets.cnn import (
    VGG,
    Architecture,
    ConvNet,
    DenseNet,
    ResNet,
    get_architecture,
    list_architectures,
)
from sknets.cnn.architecture import TooSmallError, flat_size, output_shape


@pytest.mark.parametrize("name", list_architectures())
def test_a_name_finds_a_description_that_builds(name):
    description = get_architecture(name)
    assert isinstance(description, Architecture)
    shape = (3, 224, 224)
    with torch.device("meta"):
        network = description.build(shape, 7).eval()
        assert network(torch.empty(2, *shape)).shape == (2, 7)
        assert network.features(torch.empty(2, *shape)).shape[0] == 2


@pytest.mark.parametrize("name", list_architectures())
def test_a_description_is_cloned_pickled_and_printed(name):
    description = get_architecture(name)
    for copy in (clone(description), pickle.loads(pickle.dumps(description))):
        assert copy.get_params() == description.get_params()
    assert repr(description).startswith(type(description).__name__)


@pytest.mark.parametrize("name", list_architectures())
def test_a_recipe_holds_parameters_of_the_estimators(name):
    from sknets.cnn import CNNClassifier

    recipe = get_architecture(name).recipe()
    assert recipe.keys() <= CNNClassifier().get_params(deep=False).keys()


@pytest.mark.parametrize(
    ("name", "nesterov", "decay", "batch_size"),
    [
        ("alexnet", False, 5e-4, 128),
        ("zfnet", False, 0, 128),
        ("vgg16", False, 5e-4, 256),
        ("nin", False, 1e-4, 128),
        ("googlenet", False, 0, 128),
        ("resnet20", False, 1e-4, 128),
        ("resnet50", False, 1e-4, 256),
        ("resnext29_8x64d", False, 5e-4, 128),
        ("wrn28_10", True, 5e-4, 128),
        ("densenet_bc100_12", True, 1e-4, 64),
        ("densenet121", True, 1e-4, 256),
        ("fractalnet20", False, 0, 100),
        ("squeezenet1_0", False, 2e-4, 512),
    ],
)
def test_a_recipe_is_the_papers(name, nesterov, decay, batch_size):
    recipe = get_architecture(name).recipe()
    assert recipe["momentum"] == 0.9
    assert recipe["nesterovs_momentum"] == nesterov
    assert recipe["alpha"] == pytest.approx(decay * batch_size)
    assert recipe["batch_size"] == batch_size
    waits = recipe["learning_rate"] == "plateau"
    assert ("n_iter_no_change" in recipe) != waits  # else a fit could end before the rate falls


def test_an_input_that_nothing_would_make_large_enough_is_said_so():
    with pytest.raises(ValueError, match=r"takes no images of 8 x 8, .* nor larger ones"):
        ConvNet(kernel_size=9000, padding="valid").build((1, 8, 8), 10)


def test_the_first_parameter_may_be_given_by_position():
    assert ResNet(20).depth == DenseNet(20).depth == 20


def test_an_unknown_name_is_an_error_that_suggests():
    with pytest.raises(ValueError, match=r"Got 'vg11' instead\. Did you mean 'vgg11'"):
        get_architecture("vg11")
    with pytest.raises(ValueError, match=r"list_architectures\(\)\. Got 'zzz' instead\.$"):
        get_architecture("zzz")


def test_a_wrong_parameter_is_an_error_of_the_description():
    with pytest.raises(ValueError, match="The 'depth' parameter of VGG must be"):
        VGG(depth=12).build((3, 224, 224), 10)


def test_building_checks_before_it_draws_numbers():
    state = torch.get_rng_state()
    with pytest.raises(ValueError, match="VGG needs images of 32 x 32, 3 channel"):
        VGG().build((3, 20, 40), 10)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("n_blocks", [1, 2, 4])
def test_smallest_input_is_found(pooling, n_blocks):
    net = ConvNet(channels=(2,) * n_blocks, padding="valid", pooling=pooling)
    smallest = 1  # before the last pooling there must be 2, before each convolution 2 more
    for _ in range(n_blocks):
        smallest = 2 * smallest + 2
    with torch.device("meta"):
        net.build((1, smallest, smallest), 2)
    with pytest.raises(ValueError, match=f"{smallest} x {smallest}"):
        net.build((1, smallest - 1, 99), 2)


def test_output_shape_leaves_the_module_alone():
    with torch.device("meta"):
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
    before = {name: tensor.data_ptr() for name, tensor in module.state_dict().items()}
    assert output_shape(module, (3, 5, 6)) == (4 * 3 * 4,)
    assert flat_size(module, (3, 5, 6)) == 48
    assert module.training
    assert before == {name: tensor.data_ptr() for name, tensor in module.state_dict().items()}
    with pytest.raises(TooSmallError):
        output_shape(module, (3, 2, 6))
