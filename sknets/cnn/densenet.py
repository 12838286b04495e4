"""DenseNet: every layer sees the features of all layers before it (Huang et al., 2017)."""

from __future__ import annotations

from collections import OrderedDict
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sknets._params import Interval, InvalidParameterError, param
from sknets.cnn.architecture import (
    DIMENSIONS,
    Architecture,
    Dimension,
    Trunk,
    architecture,
    is_small,
)
from sknets.cnn.recipes import sgd_recipe
from sknets.layers import Dropout

# Table 1: layers of each dense block. Other depths have three blocks of equally many (section 3).
BLOCKS = {121: (6, 12, 24, 16), 161: (6, 12, 36, 24), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}
N_EQUAL = 3
OUTSIDE = N_EQUAL + 1  # layers outside of three blocks: the first, two transitions, the last
BOTTLENECK = 4  # times `growth`: channels of a bottleneck
FIRST = 16  # channels of the first layer without bottlenecks; with them twice `growth`


class DenseLayer(nn.Sequential):
    """New features, beside those that came."""

    def forward(self, x: Tensor) -> Tensor:
        # Each layer copies all features, 2 to 6 % of the time of a training step. One buffer to
        # write into would need a backward pass of our own: autograd keeps what was there.
        return torch.cat((x, super().forward(x)), 1)


@architecture
class DenseNet(Architecture):
    """DenseNet: blocks of layers, each of which adds `growth` features to all those before it.

    Images of up to 64 pixels get one 3 x 3 convolution as the first layer, those that are larger
    one of 7 x 7 and a pooling, which halve them twice.

    See Also
    --------
    sknets.cnn.get_architecture : Descriptions by name, such as "densenet_bc100_12".

    References
    ----------
    .. [1] Huang, Liu, van der Maaten and Weinberger (2017). "Densely connected convolutional
       networks." CVPR. https://doi.org/10.1109/CVPR.2017.243

    Examples
    --------
    >>> import torch
    >>> from sknets.cnn import DenseNet
    >>> with torch.device("meta"):
    ...     network = DenseNet(depth=100, growth=12).build((3, 32, 32), 10)
    >>> sum(p.numel() for p in network.parameters())
    769162
    """

    depth: int = param(
        121,
        Interval(Integral, OUTSIDE + N_EQUAL, None, closed="left"),
        "Layers with weights: 121, 161, 169 or 201 in the four blocks of the paper's table 1, or 4 "
        "more than a multiple of 3 (of 6 with bottlenecks) in three equal blocks.",
        kw_only=False,
    )
    growth: int = param(
        32, Interval(Integral, 1, None, closed="left"), "Features that a layer adds."
    )
    bottleneck: bool = param(
        True, "boolean", "Whether a layer first takes what it sees down to 4 times `growth`."
    )
    compression: float = param(
        0.5, Interval(Real, 0, 1, closed="right"), "Share of the features kept between blocks."
    )
    dropout: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "Share of values silenced after each convolution but the first; the paper has 0.2 for "
        "small images without augmentation.",
    )

    names: ClassVar[dict[str, dict[str, Any]]] = {
        **{f"densenet{depth}": {"depth": depth} for depth in BLOCKS},
        "densenet161": {"depth": 161, "growth": 48},
        "densenet40_12": {"depth": 40, "growth": 12, "bottleneck": False, "compression": 1.0},
        "densenet_bc100_12": {"depth": 100, "growth": 12},
        "densenet_bc250_24": {"depth": 250, "growth": 24},
        "densenet_bc190_40": {"depth": 190, "growth": 40},
    }
    renames: ClassVar[tuple[tuple[str, str], ...]] = ((r"^head\.", "classifier."),)

    def _network(self, input_shape: tuple[int, ...], n_outputs: int) -> Trunk:
        layer = DIMENSIONS[len(input_shape) - 1]
        n = 2 * self.growth if self.bottleneck else FIRST
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if is_small(input_shape):
            layers["conv0"] = layer.conv(input_shape[0], n, 3, padding=1, bias=False)
        else:
            layers["conv0"] = layer.conv(input_shape[0], n, 7, stride=2, padding=3, bias=False)
            layers["norm0"] = layer.norm(n)
            layers["relu0"] = nn.ReLU(inplace=True)
            layers["pool0"] = layer.max_pool(3, stride=2, padding=1)
        blocks = self._blocks()
        for i, n_layers in enumerate(blocks, 1):
            block: OrderedDict[str, nn.Module] = OrderedDict()
            for j in range(1, n_layers + 1):
                block[f"denselayer{j}"] = self._dense_layer(layer, n)
                n += self.growth
            layers[f"denseblock{i}"] = nn.Sequential(block)
            if i < len(blocks):
                n_kept = max(1, int(n * self.compression))
                layers[f"transition{i}"] = self._transition(layer, n, n_kept)
                n = n_kept
        last = len(blocks) + 1
        layers[f"norm{last}"] = layer.norm(n)
        layers[f"relu{last}"] = nn.ReLU(inplace=True)
        layers[f"pool{last}"] = layer.adaptive_pool(1)
        layers["flatten"] = nn.Flatten()
        return Trunk(nn.Sequential(layers), nn.Linear(n, n_outputs))

    def _blocks(self) -> tuple[int, ...]:
        if self.depth in BLOCKS:
            return BLOCKS[self.depth]
        each, rest = divmod(self.depth - OUTSIDE, N_EQUAL * (2 if self.bottleneck else 1))
        if rest:
            raise InvalidParameterError(
                f"The 'depth' parameter of DenseNet must be one of {sorted(BLOCKS)}, or 4 more "
                f"than a multiple of {6 if self.bottleneck else 3} where 'bottleneck' is "
                f"{self.bottleneck}. Got {self.depth} instead."
            )
        return (each,) * N_EQUAL

    def _dense_layer(self, layer: Dimension, n: int) -> DenseLayer:
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        if self.bottleneck:
            parts.update(self._convolution(layer, n, BOTTLENECK * self.growth, 1, "1"))
            n = BOTTLENECK * self.growth
        parts.update(self._convolution(layer, n, self.growth, 3, "2" if self.bottleneck else ""))
        return DenseLayer(parts)

    def _transition(self, layer: Dimension, n: int, n_kept: int) -> nn.Sequential:
        parts = OrderedDict(self._convolution(layer, n, n_kept, 1))
        parts["pool"] = layer.average_pool(2)
        return nn.Sequential(parts)

    def _convolution(
        self, layer: Dimension, n_in: int, n_out: int, kernel: int, number: str = ""
    ) -> dict[str, nn.Module]:
        """Batch normalisation, rectifier, convolution: the composite function of section 3."""
        parts: dict[str, nn.Module] = {
            f"norm{number}": layer.norm(n_in),
            f"relu{number}": nn.ReLU(inplace=True),
            f"conv{number}": layer.conv(n_in, n_out, kernel, padding=kernel // 2, bias=False),
        }
        if self.dropout:
            parts[f"dropout{number}"] = Dropout(self.dropout)
        return parts

    def recipe(self) -> dict[str, Any]:
        """Training as in section 4.2: 90 epochs of large images, 300 of small ones.

        Returns
        -------
        parameters : dict
            For ``set_params``.
        """
        large = self.depth in BLOCKS
        return sgd_recipe(
            0.1,
            learning_rate="step",
            decay_rate=0.1,
            # Differs from the paper: small images have steps of equal length, which end after 112,
            # 225 and 300 epochs; the paper's end after 150, 225 and 300.
            decay_every=30 if large else 112.5,
            nesterov=True,
            decay=1e-4,
            batch_size=256 if large else 64,
            max_iter=90 if large else 300,
            # Differs from the paper: it crops images of ImageNet out of larger ones.
            augment=("flip", "crop"),
        )
