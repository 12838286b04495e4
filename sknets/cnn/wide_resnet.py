"""Wide residual networks: fewer layers of more channels (Zagoruyko and Komodakis, 2016)."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

from sknets._params import Interval, InvalidParameterError, param
from sknets.cnn.architecture import architecture, is_small
from sknets.cnn.recipes import sgd_recipe
from sknets.cnn.residual import Design, ResidualArchitecture
from sknets.cnn.resnet import EXPANSION, IMAGENET, IMAGENET_CHANNELS, SMALL_CHANNELS, ResNet


@architecture
class WideResNet(ResidualArchitecture):
    """Wide residual network.

    Depths 6 n + 4 (16, 28, 40) are those for images of 32 x 32 pixels: pre-activated blocks of two
    layers, `width` times 16, 32 and 64 channels. Depths 50 and 101 are ResNets for ImageNet with
    `width` times the channels within their bottlenecks; for images of up to 64 pixels their first
    layer has 3 x 3 pixels and a stride of 1, and no pooling follows it.

    See Also
    --------
    ResNet : The narrower ones.

    References
    ----------
    .. [1] Zagoruyko and Komodakis (2016). "Wide residual networks." BMVC.
       https://doi.org/10.5244/C.30.87

    Examples
    --------
    >>> import torch
    >>> from sknets.cnn import WideResNet
    >>> with torch.device("meta"):
    ...     network = WideResNet(depth=28, width=10).build((3, 32, 32), 10)
    >>> sum(p.numel() for p in network.parameters())
    36479194
    """

    depth: int = param(
        16,
        Interval(Integral, 10, None, closed="left"),
        "Layers with weights: see above.",
        kw_only=False,
    )
    width: int = param(
        4, Interval(Integral, 1, None, closed="left"), "How many times as many channels."
    )
    dropout: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "Share of values silenced between the convolutions of a block; not for depths 50 and 101.",
    )

    names: ClassVar[dict[str, dict[str, Any]]] = {
        **{
            f"wrn{depth}_{width}": {"depth": depth, "width": width}
            for depth, width in ((16, 4), (16, 8), (22, 8), (28, 10), (40, 4), (40, 8))
        },
        **{f"wide_resnet{depth}_2": {"depth": depth, "width": 2} for depth in (50, 101)},
    }

    def _design(self, input_shape: tuple[int, ...]) -> Design:
        if self._is_imagenets():
            return Design(
                IMAGENET[self.depth][0],
                tuple(EXPANSION * n for n in IMAGENET_CHANNELS),
                tuple(self.width * n for n in IMAGENET_CHANNELS),
                stem=IMAGENET_CHANNELS[0],
                small=is_small(input_shape),
            )
        n, rest = divmod(self.depth - 4, 6)
        if rest:
            raise InvalidParameterError(
                "The 'depth' parameter of WideResNet must be 50, 101 or 6 n + 4. "
                f"Got {self.depth} instead."
            )
        return Design(
            (n, n, n),
            tuple(self.width * channels for channels in SMALL_CHANNELS),
            None,
            stem=SMALL_CHANNELS[0],
            small=True,
            preactivation=True,
            dropout=self.dropout,
        )

    def _is_imagenets(self) -> bool:
        return self.depth in (50, 101)

    def recipe(self) -> dict[str, Any]:
        """Training as in section 3 of the paper, but with steps of equal length.

        On CIFAR the paper lowers the learning rate after 60, 120 and 160 of 200 epochs, here the
        third time after 180. With dropout it takes a share of 0.3, which is the description's.

        Returns
        -------
        parameters : dict
            For ``set_params``.
        """
        if self._is_imagenets():
            return ResNet(depth=self.depth).recipe()
        return sgd_recipe(
            0.1,
            learning_rate="step",
            decay_rate=0.2,
            decay_every=60,
            nesterov=True,
            decay=5e-4,
            batch_size=128,
            max_iter=200,
            augment=("flip", "crop"),
        )
