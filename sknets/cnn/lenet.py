"""LeNets: the first convolutional networks, which read digits (LeCun et al., 1989 to 1998)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import count, product
from math import ceil, inf
from numbers import Integral
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from sknets._params import Interval, OneOf, Options, param
from sknets.cnn.architecture import (
    DIMENSIONS,
    Architecture,
    Trunk,
    architecture,
    flat_size,
    output_shape,
)
from sknets.layers import ACTIVATIONS

Table = tuple[tuple[int, ...], ...]  # the maps that each map of the next layer sees

# LeCun et al. (1990), table 1, its columns sorted.
H3_OF_LENET1: Table = ((0,), (1,), (2,), (3,), *((0, 1),) * 4, *((2, 3),) * 4)
# LeCun et al. (1998), section III.C.4, does not print the table. Three neighbours each cost about
# the 260,000 multiply-adds that it states (its 17,000 parameters are fewer than C5 has alone).
C3_OF_LENET4: Table = tuple((i % 8, (i + 1) % 8, (i + 2) % 8) for i in range(16))
# LeCun et al. (1998), table I.
C3_OF_LENET5: Table = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)
# LeCun et al. (1989): each sees 8 of 12 maps; the paper leaves out the scheme.
H2_OF_1989: Table = (
    *((0, 1, 2, 3, 4, 5, 6, 7),) * 4,
    *((4, 5, 6, 7, 8, 9, 10, 11),) * 4,
    *((0, 1, 2, 3, 8, 9, 10, 11),) * 4,
)


class Version(NamedTuple):
    """A LeNet, by the names that its layers have in LeNet-5."""

    side: int  # of the input
    c1: int
    s2: int
    c3: Table
    dense: tuple[int, ...]


VERSIONS = {
    1: Version(28, 4, 4, H3_OF_LENET1, ()),
    4: Version(32, 4, 8, C3_OF_LENET4, (120,)),
    5: Version(32, 6, 6, C3_OF_LENET5, (120, 84)),
}
SIDE_OF_1989 = 16
H1_OF_1989 = 12  # maps

ONE_BY_ONE = {
    "solver": "sgd",
    "learning_rate_init": 0.01,
    "momentum": 0.0,
    "alpha": 0.0,
    "batch_size": 1,
    "n_iter_no_change": inf,
    "weight_init": "lecun_uniform",
}


class ScaledTanh(nn.Module):
    """1.7159 tanh(2 x / 3), which is 1 at 1 (LeCun et al., 1998, appendix A)."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(2 / 3 * x)


class _TableConv(nn.modules.conv._ConvNd):
    """Abstract: a convolution whose maps see those of the maps before that a table lists.

    It has a kernel for each connection. They are kept in rows of as many as a map sees on average,
    by which initialisers scale them, and computed among zeros as one dense convolution, since
    convolutions in small groups take several times as long. Where the sides of its input are
    given, each unit has a bias of its own, and not each map.
    """

    _conv_forward: Any

    def __init__(
        self,
        n_in: int,
        table: Table,
        kernel: int,
        input_sides: Sequence[int] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(n_in, len(table), kernel, **settings)  # type: ignore[arg-type]
        connections = [(i, j) for i, seen in enumerate(table) for j in seen]
        places = dict(zip(connections, count(1)))  # 0 is that of no connection
        self.places = [places.get(pair, 0) for pair in product(range(len(table)), range(n_in))]
        kernels = self.weight.detach().flatten(0, 1)[: len(connections)]
        seen_by_each = round(len(connections) / len(table))
        self.weight = nn.Parameter(kernels.unflatten(0, (-1, seen_by_each)).clone())
        if input_sides is not None:
            self.bias = nn.Parameter(torch.zeros(len(table), *self._sides(input_sides)))
        self.reset_parameters()

    def _sides(self, input_sides: Sequence[int]) -> list[int]:
        """(N - F + 2 P) / S + 1 along each axis."""
        steps: Any = zip(input_sides, self.kernel_size, self.padding, self.stride, strict=True)
        return [(n - f + 2 * p) // s + 1 for n, f, p, s in steps]

    def forward(self, x: Tensor) -> Tensor:
        assert self.bias is not None
        kernels = self.weight.flatten(0, 1)
        kernels = torch.cat([torch.zeros_like(kernels[:1]), kernels])
        weight = kernels[torch.tensor(self.places, device=x.device)]
        weight = weight.unflatten(0, (self.out_channels, self.in_channels))
        if self.bias.ndim == 1:
            return self._conv_forward(x, weight, self.bias)
        return self._conv_forward(x, weight, None) + self.bias


class TableConv1d(_TableConv, nn.Conv1d):
    """A convolution of signals whose maps see those that a table lists."""


class TableConv2d(_TableConv, nn.Conv2d):
    """A convolution of images whose maps see those that a table lists."""


TABLE_CONV = {1: TableConv1d, 2: TableConv2d}


@architecture
class LeNet(Architecture):
    """LeNet-1, -4 and -5: convolutions, and subsampling with a weight and a bias for each map.

    LeNet-1 takes 28 x 28 pixels, the others 32 x 32. Smaller images, such as MNIST's, are
    padded evenly with zeros; larger ones are taken as they are, and the dense layers grow.

    See Also
    --------
    LeCun1989 : Their predecessor.
    sknets.cnn.get_architecture : Descriptions by name, such as "lenet5".

    References
    ----------
    .. [1] LeCun, Bottou, Bengio and Haffner (1998). "Gradient-based learning applied to document
       recognition." Proceedings of the IEEE 86, 2278-2324. https://doi.org/10.1109/5.726791
    .. [2] LeCun, Boser, Denker, Henderson, Howard, Hubbard and Jackel (1990). "Handwritten digit
       recognition with a back-propagation network." NIPS 2, 396-404.

    Examples
    --------
    >>> import torch
    >>> from sknets.cnn.lenet import LeNet
    >>> with torch.device("meta"):
    ...     network = LeNet().build((1, 28, 28), 10)
    >>> sum(p.numel() for p in network.features.parameters())
    60000
    """

    version: int = param(5, Options(Integral, set(VERSIONS)), "Which of the three.", kw_only=False)
    dense: Any = param(
        "auto",
        [OneOf("auto"), tuple, list],
        "Units of the dense layers before the last; 'auto' is (), (120,) and (120, 84).",
    )
    activation: str = param(
        "scaled_tanh",
        OneOf("scaled_tanh", *ACTIVATIONS),
        "Activation after each layer but the last; 'scaled_tanh' is 1.7159 tanh(2 x / 3).",
    )

    names: ClassVar[dict[str, dict[str, Any]]] = {
        f"lenet{version}": {"version": version} for version in VERSIONS
    }

    def _network(self, input_shape: tuple[int, ...], n_outputs: int) -> Trunk:
        layer = DIMENSIONS[len(input_shape) - 1]
        version = VERSIONS[self.version]
        activation = {"scaled_tanh": ScaledTanh, **ACTIVATIONS}[self.activation]
        n_in, *sides = input_shape
        padding = tuple(_padding(side, version.side) for side in sides)
        c3 = len(version.c3)
        layers: OrderedDict[str, nn.Module] = OrderedDict()

        def add(name: str, module: nn.Module) -> None:
            layers[name] = module
            layers[f"{self.activation}_{name}"] = activation()

        def add_subsampling(name: str, n_in: int, n_out: int) -> None:
            # The sum of four values times a weight: here their average times four of it.
            layers[f"average_{name}"] = layer.average_pool(2)
            add(name, layer.conv(n_in, n_out, 1, groups=n_in))

        add("c1", layer.conv(n_in, version.c1, 5, padding=padding))
        add_subsampling("s2", version.c1, version.s2)
        add("c3", TABLE_CONV[len(sides)](version.s2, version.c3, 5))
        add_subsampling("s4", c3, c3)
        layers["flatten"] = nn.Flatten()
        size = flat_size(nn.Sequential(layers), input_shape)
        for i, units in enumerate(version.dense if self.dense == "auto" else self.dense, 5):
            add(f"f{i}", nn.Linear(size, units))
            size = units
        # Differs from the paper: a linear head. LeNet-5 has the distances from fixed drawings of
        # the digits, and LeNet-1 and -4 squash their outputs.
        return Trunk(nn.Sequential(layers), nn.Linear(size, n_outputs))

    def recipe(self) -> dict[str, Any]:
        """Training as in section III.B: 20 passes, one sample at a time, at falling rates.

        The paper has a rate for each weight, by second derivatives, times one that falls fifty
        fold; here a single rate falls as much.

        Returns
        -------
        parameters : dict
            For ``set_params``.
        """
        return {
            **ONE_BY_ONE,
            "learning_rate": "exponential",
            "decay_rate": 0.02,
            "decay_every": 20,
            "max_iter": 20,
        }


@architecture
class LeCun1989(Architecture):
    """The first convolutional network that learnt by back-propagation, of 9760 parameters.

    Two layers of 5 x 5 kernels with steps of 2, whose biases are not shared, then 30 units. It
    takes 16 x 16 pixels. Smaller images are padded evenly with zeros; larger ones are taken as
    they are.

    See Also
    --------
    LeNet : Its successors.

    References
    ----------
    .. [1] LeCun, Boser, Denker, Henderson, Howard, Hubbard and Jackel (1989). "Backpropagation
       applied to handwritten zip code recognition." Neural Computation 1, 541-551.
       https://doi.org/10.1162/neco.1989.1.4.541

    Examples
    --------
    >>> import torch
    >>> from sknets.cnn.lenet import LeCun1989
    >>> with torch.device("meta"):
    ...     network = LeCun1989().build((1, 16, 16), 10)
    >>> sum(p.numel() for p in network.parameters())
    9760
    """

    hidden: int = param(
        30, Interval(Integral, 1, None, closed="left"), "Units of the dense layer, H3."
    )

    names: ClassVar[dict[str, dict[str, Any]]] = {"lecun1989": {}}

    def _network(self, input_shape: tuple[int, ...], n_outputs: int) -> Trunk:
        n_in, *sides = input_shape
        conv = TABLE_CONV[len(sides)]
        h1: Table = (tuple(range(n_in)),) * H1_OF_1989
        # Differs from the paper: what surrounds an image is 0, the background of our images, and
        # not -1.
        padding = tuple(2 + _padding(side, SIDE_OF_1989) for side in sides)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["h1"] = conv(n_in, h1, 5, sides, stride=2, padding=padding)
        layers["tanh1"] = ScaledTanh()
        _, *sides = output_shape(layers["h1"], input_shape)
        layers["h2"] = conv(len(h1), H2_OF_1989, 5, sides, stride=2, padding=2)
        layers["tanh2"] = ScaledTanh()
        layers["flatten"] = nn.Flatten()
        size = flat_size(nn.Sequential(layers), input_shape)
        layers |= {"h3": nn.Linear(size, self.hidden), "tanh3": ScaledTanh()}
        # Differs from the paper: a linear head, where the outputs are squashed.
        return Trunk(nn.Sequential(layers), nn.Linear(self.hidden, n_outputs))

    def recipe(self) -> dict[str, Any]:
        """Training as in section 4: 23 passes, one sample at a time.

        The paper has a rate for each weight, by second derivatives; here a single one.

        Returns
        -------
        parameters : dict
            For ``set_params``.
        """
        return {**ONE_BY_ONE, "max_iter": 23}


def _padding(side: int, needed: int) -> int:
    """Zeros on either side of an input that is too small."""
    return max(0, ceil((needed - side) / 2))
