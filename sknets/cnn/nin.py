"""Network in network: each convolution has a small dense network at its top (Lin et al., 2014)."""

from __future__ import annotations

from collections import OrderedDict
from numbers import Real
from typing import Any, ClassVar, NamedTuple

from torch import nn

from sknets._params import Interval, OneOf, param
from sknets.cnn.architecture import DIMENSIONS, Architecture, Trunk, architecture, is_small
from sknets.cnn.recipes import sgd_recipe
from sknets.layers import Dropout


class Block(NamedTuple):
    """A convolution and the 1 x 1 convolutions on it, with what comes before them."""

    channels: tuple[int, ...]
    convolution: tuple[int, int, int]  # kernel, stride and padding
    pool: str | None = None
    dropout: bool = False


# The networks that the authors released with the paper, but for the last 1 x 1 convolution.
CIFAR = (
    Block((192, 160, 96), (5, 1, 2)),
    Block((192, 192, 192), (5, 1, 2), pool="max_pool", dropout=True),
    Block((192, 192), (3, 1, 1), pool="average_pool", dropout=True),
)
IMAGENET = (
    Block((96, 96, 96), (11, 4, 0)),
    Block((256, 256, 256), (5, 1, 2), pool="max_pool"),
    Block((384, 384, 384), (3, 1, 1), pool="max_pool"),
    Block((1024, 1024), (3, 1, 1), pool="max_pool", dropout=True),
)
BLOCKS = {"cifar": CIFAR, "imagenet": IMAGENET}


@architecture
class NiN(Architecture):
    """Network in network: convolutions and 1 x 1 convolutions, averaged over all positions.

    Images of up to 64 pixels get the network for 32 x 32 pixels, others that for ImageNet.

    See Also
    --------
    sknets.cnn.googlenet.GoogLeNet : Where 1 x 1 convolutions save work.

    References
    ----------
    .. [1] Lin, Chen and Yan (2014). "Network in network." ICLR.
       https://doi.org/10.48550/arXiv.1312.4400

    Examples
    --------
    >>> import torch
    >>> from sknets.cnn.nin import NiN
    >>> with torch.device("meta"):
    ...     network = NiN().build((3, 32, 32), 10)
    >>> sum(p.numel() for p in network.parameters())
    966986
    """

    variant: str = param(
        "auto",
        OneOf("auto", *BLOCKS),
        "The network for 32 x 32 pixels or for 224 x 224; 'auto' goes by the size of the images.",
        kw_only=False,
    )
    dropout: float = param(
        0.5, Interval(Real, 0, 1, closed="left"), "Share of values silenced between blocks."
    )

    names: ClassVar[dict[str, dict[str, Any]]] = {
        "nin": {},
        "nin_imagenet": {"variant": "imagenet"},
    }

    def _network(self, input_shape: tuple[int, ...], n_outputs: int) -> Trunk:
        layer = DIMENSIONS[len(input_shape) - 1]
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        n_in = input_shape[0]
        for i, block in enumerate(self._blocks(input_shape), 1):
            if block.pool is not None:
                layers[f"pool{i}"] = getattr(layer, block.pool)(3, 2, ceil_mode=True)
            if block.dropout:
                layers[f"dropout{i}"] = Dropout(self.dropout)
            for j, n_out in enumerate(block.channels, 1):
                settings = block.convolution if j == 1 else (1,)
                layers[f"conv{i}_{j}"] = layer.conv(n_in, n_out, *settings)
                layers[f"relu{i}_{j}"] = nn.ReLU(inplace=True)
                n_in = n_out
        layers["average"] = layer.adaptive_pool(1)
        layers["flatten"] = nn.Flatten()
        # Differs from the paper: the maps of the classes are averaged without being rectified. So
        # the average, which comes first here, leaves a linear head in place of 1 x 1 convolutions.
        return Trunk(nn.Sequential(layers), nn.Linear(n_in, n_outputs))

    def _blocks(self, input_shape: tuple[int, ...]) -> tuple[Block, ...]:
        if self.variant != "auto":
            return BLOCKS[self.variant]
        return CIFAR if is_small(input_shape) else IMAGENET

    def recipe(self) -> dict[str, Any]:
        """Training as in section 4: batches of 128, the rate lowered tenfold when it stalls.

        The first rate and the weight decay of 0.0001 are those of the authors' code.

        Returns
        -------
        parameters : dict
            For ``set_params``.
        """
        return sgd_recipe(
            0.1,
            learning_rate="plateau",
            decay_rate=0.1,
            decay=1e-4,
            batch_size=128,
            max_iter=200,
        )
