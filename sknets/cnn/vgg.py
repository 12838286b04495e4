"""VGG: 3 x 3 convolutions alone, in stages that halve the image (Simonyan and Zisserman, 2015)."""

from __future__ import annotations

from collections import OrderedDict
from numbers import Integral, Real
from typing import Any, ClassVar

from torch import nn

from sknets._params import Interval, OneOf, Options, param
from sknets.cnn.architecture import (
    DIMENSIONS,
    Architecture,
    Trunk,
    architecture,
    is_small,
)
from sknets.cnn.layers import add_dense
from sknets.cnn.recipes import sgd_recipe

# Table 1, columns A, B, D and E: convolutions of each stage, and their channels.
STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)
DENSE = (4096, 4096)
# Liu and Deng (2015), for images of 32 x 32 pixels: the features are few already.
SMALL_DENSE = (512,)


@architecture
class VGG(Architecture):
    """VGG network: stacks of 3 x 3 convolutions, each stage after a max pooling of 2.

    Images of up to 64 pixels get one dense layer of 512 units in place of the two of 4096.

    See Also
    --------
    sknets.cnn.get_architecture : Descriptions by name, such as "vgg16_bn".

    References
    ----------
    .. [1] Simonyan and Zisserman (2015). "Very deep convolutional networks for large-scale image
       recognition." ICLR. https://doi.org/10.48550/arXiv.1409.1556
    .. [2] Liu and Deng (2015). "Very deep convolutional neural network based image classification
       using small training sample size." ACPR. https://doi.org/10.1109/ACPR.2015.7486599

    Examples
    --------
    >>> import torch
    >>> from sknets.cnn import VGG
    >>> with torch.device("meta"):
    ...     network = VGG(depth=11).build((3, 224, 224), 1000)
    >>> sum(p.numel() for p in network.parameters())
    132863336
    """

    depth: int = param(
        16,
        Options(Integral, set(STAGES)),
        "Layers with weights.",
        kw_only=False,
    )
    batch_norm: bool = param(False, "boolean", "Whether to normalise after each convolution.")
    dense: Any = param(
        "auto",
        [OneOf("auto"), tuple, list],
        "Units of the dense layers before the last; 'auto' is (4096, 4096), or (512,) for images "
        "of up to 64 pixels.",
    )
    dropout: float = param(
        0.5, Interval(Real, 0, 1, closed="left"), "Share of units silenced after a dense layer."
    )

    names: ClassVar[dict[str, dict[str, Any]]] = {
        **{f"vgg{depth}": {"depth": depth} for depth in STAGES},
        **{f"vgg{depth}_bn": {"depth": depth, "batch_norm": True} for depth in STAGES},
    }

    numbered: ClassVar[bool] = True

    def _network(self, input_shape: tuple[int, ...], n_outputs: int) -> Trunk:
        layer = DIMENSIONS[len(input_shape) - 1]
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        n_in = input_shape[0]
        for stage, (n_convs, n_out) in enumerate(zip(STAGES[self.depth], CHANNELS, strict=True), 1):
            for i in range(1, n_convs + 1):
                layers[f"conv{stage}_{i}"] = layer.conv(n_in, n_out, 3, padding=1)
                if self.batch_norm:
                    layers[f"norm{stage}_{i}"] = layer.norm(n_out)
                layers[f"relu{stage}_{i}"] = nn.ReLU(inplace=True)
                n_in = n_out
            layers[f"pool{stage}"] = layer.max_pool(2)
        size = add_dense(layers, input_shape, self._dense(input_shape), self.dropout, first=6)
        return Trunk(nn.Sequential(layers), nn.Linear(size, n_outputs))

    def _dense(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        if self.dense != "auto":
            return tuple(self.dense)
        return SMALL_DENSE if is_small(input_shape) else DENSE

    def recipe(self) -> dict[str, Any]:
        """Training as in section 3.1: 74 epochs at 0.01, lowered tenfold when it stalls.

        Returns
        -------
        parameters : dict
            For ``set_params``.
        """
        return sgd_recipe(
            0.01,
            learning_rate="plateau",
            decay_rate=0.1,
            decay=5e-4,
            batch_size=256,
            max_iter=74,
        )
