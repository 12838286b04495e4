"""ResNet: networks of a hundred layers that train (He et al., 2016)."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

from sknets._params import Interval, InvalidParameterError, OneOf, param
from sknets.cnn.architecture import architecture, is_small
from sknets.cnn.recipes import sgd_recipe
from sknets.cnn.residual import Design, ResidualArchitecture

# Table 1: blocks of each stage, and whether they are bottlenecks; 200 is of He et al. (2016b).
IMAGENET = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
    200: ((3, 24, 36, 3), True),
}
IMAGENET_CHANNELS = (64, 128, 256, 512)
SMALL_CHANNELS = (16, 32, 64)  # section 4.2
EXPANSION = 4  # of a bottleneck
DEEP = 164  # from where on networks for small images have bottlenecks (He et al., 2016b)


@architecture
class ResNet(ResidualArchitecture):
    """Residual network, its pre-activated variant, or the plain network without shortcuts.

    Depths 18, 34, 50, 101, 152 and 200 are those for ImageNet; for images of up to 64 pixels their
    first layer has 3 x 3 pixels and a stride of 1, and no pooling follows it [4]_. Depths 6 n + 2
    (20, 32, 44, 56, 110) and 9 n + 2 from 164 on are those for CIFAR: three stages of 16, 32 and
    64 channels.

    See Also
    --------
    WideResNet : Fewer layers of more channels.
    ResNeXt : Bottlenecks in groups.

    References
    ----------
    .. [1] He, Zhang, Ren and Sun (2016). "Deep residual learning for image recognition." CVPR.
       https://doi.org/10.1109/CVPR.2016.90
    .. [2] He, Zhang, Ren and Sun (2016). "Identity mappings in deep residual networks." ECCV.
       https://doi.org/10.1007/978-3-319-46493-0_38
    .. [3] Huang, Sun, Liu, Sedra and Weinberger (2016). "Deep networks with stochastic depth."
       ECCV. https://doi.org/10.1007/978-3-319-46493-0_39
    .. [4] Chen, Kornblith, Norouzi and Hinton (2020). "A simple framework for contrastive learning
       of visual representations." ICML, appendix B.9. https://doi.org/10.48550/arXiv.2002.05709

    Examples
    --------
    >>> import torch
    >>> from sknets.cnn import ResNet
    >>> with torch.device("meta"):
    ...     network = ResNet(depth=20).build((3, 32, 32), 10)
    >>> sum(p.numel() for p in network.parameters())
    269722
    """

    depth: int = param(
        18,
        Interval(Integral, 8, None, closed="left"),
        "Layers with weights: see above.",
        kw_only=False,
    )
    width: Any = param(
        "auto",
        [OneOf("auto"), Interval(Integral, 1, None, closed="left")],
        "Channels of the first stage, which double from stage to stage; 'auto' is 64, and 16 in "
        "the networks for CIFAR.",
    )
    shortcut: Any = param(
        "auto",
        [OneOf("auto", "A", "B"), None],
        "Where the size changes: 'A' pads with zeros, 'B' projects; None leaves all shortcuts out. "
        "'auto' is 'B', but 'A' in the networks for CIFAR that are not pre-activated.",
    )
    preactivation: bool = param(
        False, "boolean", "Whether to normalise and rectify before each convolution [2]_."
    )
    survival: float = param(
        1.0,
        Interval(Real, 0, 1, closed="right"),
        "Stochastic depth [3]_: the share of minibatches in which the last block is used; those "
        "before it, more often. 1 uses all.",
    )

    names: ClassVar[dict[str, dict[str, Any]]] = {
        **{f"resnet{depth}": {"depth": depth} for depth in (18, 34, 50, 101, 152)},
        **{f"resnet{depth}": {"depth": depth} for depth in (20, 32, 44, 56, 110)},
        **{
            f"plain{depth}": {"depth": depth, "shortcut": None}
            for depth in (18, 34, 20, 32, 44, 56)
        },
        **{
            f"preact_resnet{depth}": {"depth": depth, "preactivation": True}
            for depth in (18, 34, 50, 101, 152, 200, 20, 56, 110, 164, 1001)
        },
        "resnet110_sd": {"depth": 110, "survival": 0.5},
    }

    def _design(self, input_shape: tuple[int, ...]) -> Design:
        known = self.depth in IMAGENET
        n_blocks, bottleneck = IMAGENET[self.depth] if known else self._small_blocks()
        channels = IMAGENET_CHANNELS if known else SMALL_CHANNELS
        if self.width != "auto":
            channels = tuple(self.width * 2**stage for stage in range(len(n_blocks)))
        if self.shortcut is None and self.survival < 1:
            raise InvalidParameterError(
                "The 'survival' parameter of ResNet must be 1 where shortcut=None: nothing is left "
                f"of a layer that is skipped. Got {self.survival} instead."
            )
        shortcut = self.shortcut
        if shortcut == "auto":
            shortcut = "B" if known or self.preactivation else "A"
        return Design(
            n_blocks,
            tuple(EXPANSION * n for n in channels) if bottleneck else channels,
            channels if bottleneck else None,
            stem=channels[0],
            small=not known or is_small(input_shape),
            shortcut=shortcut,
            preactivation=self.preactivation,
            survival=self.survival,
        )

    def _small_blocks(self) -> tuple[tuple[int, ...], bool]:
        """The blocks of each of the three stages, and whether they are bottlenecks."""
        bottleneck = self.depth >= DEEP
        n, rest = divmod(self.depth - 2, 9 if bottleneck else 6)
        if rest:
            raise InvalidParameterError(
                f"The 'depth' parameter of ResNet must be one of {sorted(IMAGENET)}, 6 n + 2 below "
                f"{DEEP}, or 9 n + 2 from there on. Got {self.depth} instead."
            )
        return (n, n, n), bottleneck

    def recipe(self) -> dict[str, Any]:
        """Training as in the papers, at a learning rate that is lowered tenfold twice.

        For ImageNet after 30 and 60 of 90 epochs, as for pre-activated networks, where the first
        paper lowers it when the error stalls. On CIFAR the papers lower it after a half and three
        quarters of 164 epochs (of 500 with stochastic depth); steps of equal length meet the second
        of these.

        Returns
        -------
        parameters : dict
            For ``set_params``.
        """
        imagenet = self.depth in IMAGENET
        batch, epochs = (256, 90) if imagenet else (128, 164 if self.survival == 1 else 500)
        return sgd_recipe(
            0.1,
            learning_rate="step",
            decay_rate=0.1,
            decay_every=epochs * (1 / 3 if imagenet else 3 / 8),
            decay=1e-4,
            batch_size=batch,
            max_iter=epochs,
            warmup=1 if self.depth >= 110 and not imagenet else 0,
            # Differs from the paper: it crops images of ImageNet out of larger ones.
            augment=("flip", "crop"),
        )
