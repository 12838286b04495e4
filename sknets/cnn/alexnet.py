"""AlexNet: five convolutions and three dense layers, rectified (Krizhevsky et al., 2012)."""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

from torch import nn

from sknets._params import Interval, OneOf, Options, estimator, param
from sknets.cnn.architecture import (
    DIMENSIONS,
    Architecture,
    Dimension,
    Trunk,
    architecture,
    is_small,
)
from sknets.cnn.layers import LocalResponseNorm, add_dense
from sknets.cnn.recipes import sgd_recipe


class Convolution(NamedTuple):
    """A rectified convolution, and what comes `then`."""

    channels: int
    kernel: int
    stride: int
    padding: int
    groups: int = 1
    then: tuple[str, ...] = ()


# Section 3.5: each of two streams has half of the kernels, and sees the other in layer 3 alone.
# A padding of 2 in layer 1 gives the 55 x 55 positions that 224 pixels do not give without it.
TWO_STREAMS = (
    Convolution(96, 11, 4, 2, then=("norm", "pool")),
    Convolution(256, 5, 1, 2, groups=2, then=("norm", "pool")),
    Convolution(384, 3, 1, 1),
    Convolution(384, 3, 1, 1, groups=2),
    Convolution(256, 3, 1, 1, groups=2, then=("pool",)),
)
# Krizhevsky (2014).
# Differs from the paper: no local response normalisation, as in torchvision.
ONE_STREAM = (
    Convolution(64, 11, 4, 2, then=("pool",)),
    Convolution(192, 5, 1, 2, then=("pool",)),
    Convolution(384, 3, 1, 1),
    Convolution(256, 3, 1, 1),
    Convolution(256, 3, 1, 1, then=("pool",)),
)
STREAMS = {1: ONE_STREAM, 2: TWO_STREAMS}

THEN: dict[str, Callable[[Dimension], nn.Module]] = {
    "norm": lambda layer: LocalResponseNorm(),
    "pool": lambda layer: layer.max_pool(3, 2),
    "pool_rest": lambda layer: layer.max_pool(3, 2, ceil_mode=True),
}
POSITIONS = 6  # along each side, that the dense layers see
DENSE = (4096, 4096)
# Zhang et al. (2017), the small AlexNet of their appendix A, for images of 32 x 32 pixels.
SMALL_STEM: dict[str, Any] = dict(kernel=5, stride=1, padding=2)
SMALL_DENSE = (384, 192)


@estimator
class ConvolutionStack(Architecture):
    """Abstract: convolutions in a row of layers, then dense layers with dropout."""

    dense: Any = param(
        "auto",
        [OneOf("auto"), tuple, list],
        "Units of the dense layers before the last; 'auto' is (4096, 4096), or (384, 192) for "
        "images of up to 64 pixels.",
    )
    dropout: float = param(
        0.5, Interval(Real, 0, 1, closed="left"), "Share of units silenced after a dense layer."
    )

    @abstractmethod
    def _rows(self, small: bool) -> tuple[Convolution, ...]:
        """The convolutions, for small images or for others."""

    def _network(self, input_shape: tuple[int, ...], n_outputs: int) -> Trunk:
        layer = DIMENSIONS[len(input_shape) - 1]
        small = is_small(input_shape)
        rows = self._rows(small)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        n_in = input_shape[0]
        for i, row in enumerate(rows, 1):
            *sizes, groups, then = row
            layers[f"conv{i}"] = layer.conv(n_in, *sizes, groups=groups)
            layers[f"relu{i}"] = nn.ReLU(inplace=True)
            for what in then:
                layers[f"{what}{i}"] = THEN[what](layer)
            n_in = row.channels
        if not small:
            layers["average"] = layer.adaptive_pool(POSITIONS)
        size = add_dense(layers, input_shape, self._dense(small), self.dropout, first=len(rows) + 1)
        return Trunk(nn.Sequential(layers), nn.Linear(size, n_outputs))

    def _dense(self, small: bool) -> tuple[int, ...]:
        if self.dense != "auto":
            return tuple(self.dense)
        return SMALL_DENSE if small else DENSE


@architecture
class AlexNet(ConvolutionStack):
    """AlexNet: convolutions of few, large steps first, and overlapping pooling of 3 by 2.

    Images of up to 64 pixels get the first convolution of the small AlexNet of [3]_, 5 x 5 with a
    step of 1, and its dense layers of 384 and 192 units. Those of others see 6 x 6 positions,
    which is what 224 x 224 pixels give; other sizes are averaged to it.

    See Also
    --------
    sknets.cnn.zfnet.ZFNet : A finer first layer.
    sknets.cnn.get_architecture : Descriptions by name, such as "alexnet_original".

    References
    ----------
    .. [1] Krizhevsky, Sutskever and Hinton (2012). "ImageNet classification with deep
       convolutional neural networks." NIPS 25. https://doi.org/10.1145/3065386
    .. [2] Krizhevsky (2014). "One weird trick for parallelizing convolutional neural networks."
       https://doi.org/10.48550/arXiv.1404.5997
    .. [3] Zhang, Bengio, Hardt, Recht and Vinyals (2017). "Understanding deep learning requires
       rethinking generalization." ICLR. https://doi.org/10.48550/arXiv.1611.03530

    Examples
    --------
    >>> import torch
    >>> from sknets.cnn.alexnet import AlexNet
    >>> with torch.device("meta"):
    ...     network = AlexNet(streams=2).build((3, 224, 224), 1000)
    >>> sum(p.numel() for p in network.parameters())
    60965224
    """

    streams: int = param(
        1,
        Options(Integral, set(STREAMS)),
        "2 is the original, on two processors and with local response normalisation; 1 the later "
        "network of a single stream.",
        kw_only=False,
    )

    names: ClassVar[dict[str, dict[str, Any]]] = {"alexnet": {}, "alexnet_original": {"streams": 2}}
    numbered: ClassVar[bool] = True
    # torchvision's dropout comes before each dense layer.
    renames: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"^classifier\.0\.", "classifier.1."),
        (r"^classifier\.3\.", "classifier.4."),
    )

    def _rows(self, small: bool) -> tuple[Convolution, ...]:
        first, *others = STREAMS[self.streams]
        return (first._replace(**SMALL_STEM) if small else first, *others)

    def recipe(self) -> dict[str, Any]:
        """Training as in section 5: 90 epochs at 0.01, lowered tenfold when it stalls.

        Returns
        -------
        parameters : dict
            For ``set_params``.
        """
        # Differs from the paper: all biases start from 0, none from 1.
        return sgd_recipe(
            0.01,
            learning_rate="plateau",
            decay_rate=0.1,
            decay=5e-4,
            batch_size=128,
            max_iter=90,
            weight_init="normal",
        )
