"""What layers do: shapes, parameters, multiply-adds and receptive fields."""

import pytest
import torch
from torch import nn

from sknets._measure import layers_of, predicting, watched, work_of


def meta(make):
    with torch.device("meta"):
        return make()


def field_by_gradient(network, input_shape, layer):
    """The reach of a value in the middle of a layer's output, from where its gradient is."""
    for p in network.parameters():
        nn.init.constant_(p, 1.0)
    x = torch.ones(1, *input_shape, dtype=torch.float64, requires_grad=True)
    found = []
    hook = network.get_submodule(layer).register_forward_hook(lambda *call: found.append(call[-1]))
    network(x)
    hook.remove()
    made = found[-1]
    centre = tuple(side // 2 for side in made.shape[2:])
    made[(0, 0, *centre)].backward()
    touched = x.grad[0, 0].nonzero()
    return tuple((touched.max(0).values - touched.min(0).values + 1).tolist())


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.long = nn.Sequential(
            nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.Conv2d(2, 2, 5, padding=2)
        )
        self.short = nn.Conv2d(1, 2, 1, stride=2)
        self.joined = nn.Conv2d(4, 1, 3, padding=1)
        self.last = nn.AvgPool2d(2)

    def forward(self, x):
        both = self.long(x) + self.short(x)
        return self.last(self.joined(torch.cat([both, both], 1)))


@pytest.mark.parametrize(
    ("make", "shape", "layers"),
    [
        (Residual, (1, 41, 41), ["long.0", "long.1", "short", "joined", "last"]),
        (
            lambda: nn.Sequential(
                nn.Conv2d(1, 1, (3, 5), stride=(1, 2)),
                nn.AvgPool2d(3, stride=2),
                nn.Conv2d(1, 1, 3, dilation=2),
            ),
            (1, 60, 60),
            ["0", "1", "2"],
        ),
        (lambda: nn.Sequential(nn.Conv1d(1, 1, 3), nn.Conv1d(1, 1, 3, 2)), (1, 40), ["0", "1"]),
        (
            lambda: nn.Sequential(
                nn.Conv2d(1, 1, 3, stride=(2, 4)),
                nn.ConvTranspose2d(1, 1, 4, stride=2, padding=1),
                nn.Conv2d(1, 1, 5),
                nn.Upsample((60, 60)),
                nn.Conv2d(1, 1, 1),
            ),
            (1, 60, 60),
            ["0", "1", "2", "3", "4"],
        ),
    ],
    ids=["branches", "oblong", "signals", "back up"],
)
def test_receptive_fields_are_where_gradients_reach(make, shape, layers):
    with torch.random.fork_rng():
        network = make().double()
    found = {layer.name: layer.field for layer in layers_of(network, shape)}
    assert list(found) == layers
    for name in layers:
        assert found[name] == field_by_gradient(network, shape, name)


def test_a_dense_layer_sees_the_whole_input():
    network = meta(lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 5)))
    assert layers_of(network, (1, 8, 8))[-1].field == (8, 8)


def test_fields_end_at_the_borders():
    network = meta(lambda: nn.Conv2d(1, 1, 9, padding=4))
    assert layers_of(network, (1, 8, 6))[0].field == (8, 6)


def test_numbers_of_a_layer_are_those_of_the_formulas():
    network = meta(
        lambda: nn.Sequential(
            nn.Conv2d(4, 8, 3, padding=1, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(200, 7)
        )
    )
    conv, relu, flat, dense = layers_of(network, (4, 5, 5))
    assert conv.output_shape == relu.output_shape == (8, 5, 5)
    assert conv.n_parameters == 8 * 2 * 9 + 8
    assert conv.multiply_adds == 8 * 25 * 2 * 9
    assert relu.multiply_adds == flat.multiply_adds == relu.n_parameters == 0
    assert dense.n_parameters == 200 * 7 + 7
    assert dense.multiply_adds == 200 * 7
    assert work_of(network, (4, 5, 5)) == (8 * 25 * 2 * 9 + 200 * 7, 200)


def test_a_transposed_convolution_spreads_each_value_by_its_kernel():
    network = meta(lambda: nn.ConvTranspose2d(4, 8, 3, stride=2, groups=2))
    (layer,) = layers_of(network, (4, 5, 5))
    assert layer.multiply_adds == 4 * 25 * 4 * 9
    assert layer.output_shape == (8, 11, 11)


def test_a_layer_that_is_used_twice_is_listed_twice():
    shared = meta(lambda: nn.Linear(3, 3))
    assert [layer.multiply_adds for layer in layers_of(nn.Sequential(shared, shared), (3,))] == [
        9,
        9,
    ]


def test_every_part_is_left_in_its_mode():
    network = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.1)), nn.Flatten())
    network.train()
    network[1].eval()
    layers_of(network, (3,))
    with predicting(network):
        assert not any(part.training for part in network.modules())
    assert [part.training for part in network] == [True, False, True]
    assert not network[1][0].training


def test_what_is_seen_of_a_layer_is_from_before_an_activation_in_place():
    network = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))
    with watched(network[0]) as made, watched(network[1], inputs=True) as given:
        network(torch.tensor([[-1.0, 2.0]]))
    torch.testing.assert_close(made[0], torch.tensor([[-1.0, 2.0]]))
    assert given[0].shape == (1, 2)
