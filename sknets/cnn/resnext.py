"""ResNeXt: residual networks whose bottlenecks are many narrow ones side by side (Xie, 2017)."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

from sknets._params import Interval, InvalidParameterError, param
from sknets.cnn.architecture import architecture, is_small
from sknets.cnn.residual import Design, ResidualArchitecture
from sknets.cnn.resnet import EXPANSION, IMAGENET, IMAGENET_CHANNELS, ResNet

IMAGENET_DEPTHS = (50, 101, 152)
SMALL_CHANNELS = (64, 128, 256)  # section 5.3


@architecture
class ResNeXt(ResidualArchitecture):
    """Residual network of grouped bottlenecks.

    Depths 50, 101 and 152 are those for ImageNet; for images of up to 64 pixels their first layer
    has 3 x 3 pixels and a stride of 1, and no pooling follows it. Depths 9 n + 2 (29) are those
    for CIFAR: three stages.

    See Also
    --------
    ResNet : The same in one group.

    References
    ----------
    .. [1] Xie, Girshick, Dollar, Tu and He (2017). "Aggregated residual transformations for deep
       neural networks." CVPR. https://doi.org/10.1109/CVPR.2017.634

    Examples
    --------
    >>> import torch
    >>> from sknets.cnn import ResNeXt
    >>> with torch.device("meta"):
    ...     network = ResNeXt(depth=50, cardinality=32, width=4).build((3, 224, 224), 1000)
    >>> sum(p.numel() for p in network.parameters())
    25028904
    """

    depth: int = param(
        50,
        Interval(Integral, 11, None, closed="left"),
        "Layers with weights: see above.",
        kw_only=False,
    )
    cardinality: int = param(
        32, Interval(Integral, 1, None, closed="left"), "Groups of a bottleneck."
    )
    width: int = param(
        4, Interval(Integral, 1, None, closed="left"), "Channels of a group in the first stage."
    )

    names: ClassVar[dict[str, dict[str, Any]]] = {
        f"resnext{depth}_{cardinality}{by}{width}d": {
            "depth": depth,
            "cardinality": cardinality,
            "width": width,
        }
        for depth, cardinality, by, width in (
            (50, 32, "x", 4),
            (101, 32, "x", 8),
            (101, 64, "x", 4),
            (29, 8, "x", 64),
            (29, 16, "x", 64),
        )
    }

    def _design(self, input_shape: tuple[int, ...]) -> Design:
        known = self.depth in IMAGENET_DEPTHS
        channels = IMAGENET_CHANNELS if known else SMALL_CHANNELS
        first = self.cardinality * self.width
        return Design(
            IMAGENET[self.depth][0] if known else self._small_blocks(),
            tuple(EXPANSION * n for n in channels),
            tuple(first * 2**stage for stage in range(len(channels))),
            stem=channels[0],
            small=not known or is_small(input_shape),
            groups=self.cardinality,
        )

    def _small_blocks(self) -> tuple[int, ...]:
        n, rest = divmod(self.depth - 2, 9)
        if rest:
            raise InvalidParameterError(
                "The 'depth' parameter of ResNeXt must be 50, 101, 152 or 9 n + 2. "
                f"Got {self.depth} instead."
            )
        return (n, n, n)

    def recipe(self) -> dict[str, Any]:
        """Training as in sections 4 and 5.3 of the paper, but with steps of equal length.

        On CIFAR the paper lowers the learning rate after 150 and 225 of 300 epochs, here after 112
        and 225.

        Returns
        -------
        parameters : dict
            For ``set_params``.
        """
        if self.depth in IMAGENET_DEPTHS:
            return ResNet(depth=self.depth).recipe()
        return {
            **ResNet(depth=110).recipe(),
            "decay_every": 300 * 3 / 8,
            "alpha": 5e-4 * 128,  # the weight decay, of the sum over a batch
            "max_iter": 300,
            "warmup": 0,
        }
