"""SqueezeNet: fire modules in place of wide convolutions (Iandola et al., 2016)."""

from __future__ import annotations

from collections import OrderedDict
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from sknets._params import Interval, OneOf, param
from sknets.cnn.architecture import (
    DIMENSIONS,
    Architecture,
    Dimension,
    Network,
    architecture,
    is_small,
)
from sknets.cnn.recipes import sgd_recipe
from sknets.layers import Dropout


class FireRow(NamedTuple):
    """A row of table 1: how many filters of each kind."""

    s1x1: int
    e1x1: int
    e3x3: int


class Version(NamedTuple):
    """What differs between releases."""

    channels: int  # of conv1
    kernel: int
    pooled: tuple[int, ...]  # the numbers of the layers that a max pooling follows


# Table 1, from fire2 on.
FIRES = dict(
    enumerate(
        (
            FireRow(16, 64, 64),
            FireRow(16, 64, 64),
            FireRow(32, 128, 128),
            FireRow(32, 128, 128),
            FireRow(48, 192, 192),
            FireRow(48, 192, 192),
            FireRow(64, 256, 256),
            FireRow(64, 256, 256),
        ),
        2,
    )
)
# 1.0 is the paper's; 1.1 came with its code, for 2.4 times less computation.
VERSIONS = {"1.0": Version(96, 7, (1, 4, 8)), "1.1": Version(64, 3, (1, 3, 5))}


class Fire(nn.Module):
    """A squeeze to few channels, then 1 x 1 and 3 x 3 filters side by side."""

    def __init__(self, layer: Dimension, n_in: int, row: FireRow, bypass: bool) -> None:
        super().__init__()
        self.squeeze = layer.conv(n_in, row.s1x1, 1)
        self.squeeze_relu = nn.ReLU(inplace=True)
        self.expand1x1 = layer.conv(row.s1x1, row.e1x1, 1)
        self.expand3x3 = layer.conv(row.s1x1, row.e3x3, 3, padding=1)
        self.expand_relu = nn.ReLU(inplace=True)
        self.bypass = bypass

    def forward(self, x: Tensor) -> Tensor:
        squeezed = self.squeeze_relu(self.squeeze(x))
        expanded = torch.cat((self.expand1x1(squeezed), self.expand3x3(squeezed)), 1)
        made = self.expand_relu(expanded)
        return x + made if self.bypass else made


class ConvolutionalHead(nn.Module):
    """A score map for each output, rectified, and its mean (Lin, Chen and Yan, 2014)."""

    def __init__(self, layer: Dimension, n_in: int, n_outputs: int, dropout: float) -> None:
        super().__init__()
        self.in_features = n_in
        self.dropout = Dropout(dropout)
        self.conv = layer.conv(n_in, n_outputs, 1)
        self.relu = nn.ReLU(inplace=True)
        self.pool = layer.adaptive_pool(1)

    def forward(self, maps: Tensor) -> Tensor:
        return self.pool(self.relu(self.conv(self.dropout(maps)))).flatten(1)


class SqueezeNetwork(Network):
    """A network whose head takes maps; its features are their means."""

    def __init__(self, features: nn.Sequential, head: ConvolutionalHead) -> None:
        super().__init__()
        self.features = features
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features[:-1](x))  # all but the mean


@architecture
class SqueezeNet(Architecture):
    """SqueezeNet: AlexNet's accuracy with a fiftieth of its parameters.

    The last layer is a convolution, rectified before it is averaged, hence not linear in the
    features, which are the averages of what it sees. Images of up to 64 pixels get a first
    convolution of 3 x 3 that keeps their size.

    See Also
    --------
    sknets.cnn.get_architecture : Descriptions by name, such as "squeezenet1_1".

    References
    ----------
    .. [1] Iandola, Han, Moskewicz, Ashraf, Dally and Keutzer (2016). "SqueezeNet: AlexNet-level
       accuracy with 50x fewer parameters and <0.5MB model size." arXiv.
       https://doi.org/10.48550/arXiv.1602.07360

    Examples
    --------
    >>> import torch
    >>> from sknets.cnn import SqueezeNet
    >>> with torch.device("meta"):
    ...     network = SqueezeNet().build((3, 224, 224), 1000)
    >>> sum(p.numel() for p in network.parameters())
    1248424
    """

    version: str = param(
        "1.0",
        OneOf(*VERSIONS),
        "Release: '1.0' is the paper's, '1.1' does 2.4 times less work.",
        kw_only=False,
    )
    bypass: bool = param(
        False,
        "boolean",
        "Whether the input of fire modules 3, 5, 7 and 9 is added to their output.",
    )
    dropout: float = param(
        0.5, Interval(Real, 0, 1, closed="left"), "Share of values silenced before the last layer."
    )

    names: ClassVar[dict[str, dict[str, Any]]] = {
        f"squeezenet{version.replace('.', '_')}": {"version": version} for version in VERSIONS
    }

    numbered: ClassVar[bool] = True
    renames: ClassVar[tuple[tuple[str, str], ...]] = ((r"^head\.conv\.", "classifier.1."),)

    def _network(self, input_shape: tuple[int, ...], n_outputs: int) -> SqueezeNetwork:
        layer = DIMENSIONS[len(input_shape) - 1]
        n, kernel, pooled = VERSIONS[self.version]
        # Differs from the paper, which has large images alone: small ones are not halved at once.
        how = {"padding": 1} if is_small(input_shape) else {"stride": 2}
        kernel = 3 if is_small(input_shape) else kernel
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["conv1"] = layer.conv(input_shape[0], n, kernel, **how)
        layers["relu1"] = nn.ReLU(inplace=True)
        layers["pool1"] = layer.max_pool(3, stride=2, ceil_mode=True)
        for i, row in FIRES.items():
            n_out = row.e1x1 + row.e3x3
            layers[f"fire{i}"] = Fire(layer, n, row, bypass=self.bypass and n == n_out)
            if i in pooled:
                layers[f"pool{i}"] = layer.max_pool(3, stride=2, ceil_mode=True)
            n = n_out
        layers["mean"] = nn.Sequential(layer.adaptive_pool(1), nn.Flatten())
        head = ConvolutionalHead(layer, n, n_outputs, self.dropout)
        return SqueezeNetwork(nn.Sequential(layers), head)

    def recipe(self) -> dict[str, Any]:
        """Training as its authors published it: 170,000 steps, 68 epochs of ImageNet.

        Returns
        -------
        parameters : dict
            For ``set_params``.
        """
        return sgd_recipe(
            0.04,
            # Differs from the paper: the rate falls along half a cosine wave, not along a line.
            learning_rate="cosine",
            decay=2e-4,
            batch_size=512,
            max_iter=68,
        )
