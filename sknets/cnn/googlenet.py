"""GoogLeNet: kernels of several sizes beside each other, in modules (Szegedy et al., 2015)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
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
    flat_size,
    is_small,
    output_shape,
)
from sknets.cnn.layers import LocalResponseNorm
from sknets.cnn.recipes import sgd_recipe
from sknets.layers import Dropout


class Row(NamedTuple):
    """The channels of a module: table 1."""

    n1x1: int
    n3x3_reduce: int
    n3x3: int
    n5x5_reduce: int
    n5x5: int
    pool_proj: int


STAGES = {
    3: {"a": Row(64, 96, 128, 16, 32, 32), "b": Row(128, 128, 192, 32, 96, 64)},
    4: {
        "a": Row(192, 96, 208, 16, 48, 64),
        "b": Row(160, 112, 224, 24, 64, 64),
        "c": Row(128, 128, 256, 24, 64, 64),
        "d": Row(112, 144, 288, 32, 64, 64),
        "e": Row(256, 160, 320, 32, 128, 128),
    },
    5: {"a": Row(256, 160, 320, 32, 128, 128), "b": Row(384, 192, 384, 48, 128, 128)},
}
WITH_AUXILIARY = ("inception4a", "inception4d")
STEM = 192  # channels before the first module


class Variant(NamedTuple):
    """What the paper's network and torchvision's do not share."""

    batch_norm: bool  # else local response normalisation
    wide_kernel: int  # of the branch that is called 5 x 5
    last_pool: int  # side of the pooling before stage 5
    auxiliary_side: int  # the smallest map with an auxiliary classifier
    auxiliary_pool: Callable[[Dimension], nn.Module]


VARIANTS = {
    "paper": Variant(False, 5, 3, 5, lambda layer: layer.average_pool(5, 3)),
    "torchvision": Variant(True, 3, 2, 4, lambda layer: layer.adaptive_pool(4)),
}


def convolution(
    layer: Dimension, batch_norm: bool, n_in: int, n_out: int, kernel: int, stride: int = 1
) -> nn.Sequential:
    """A rectified convolution that keeps the size, but for its step."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts["conv"] = layer.conv(n_in, n_out, kernel, stride, kernel // 2, bias=not batch_norm)
    if batch_norm:
        parts["norm"] = layer.norm(n_out, eps=0.001)
    parts["relu"] = nn.ReLU(inplace=True)
    return nn.Sequential(parts)


class Inception(nn.Module):
    """Kernels of 1 x 1, 3 x 3 and 5 x 5 and a pooling, on the same maps (figure 2).

    1 x 1 convolutions before the larger kernels and after the pooling reduce the channels, unless
    the module is the naive one.
    """

    def __init__(
        self, conv: Any, pool: nn.Module, n_in: int, row: Row, wide_kernel: int, reduce: bool
    ) -> None:
        super().__init__()

        def reduced(n_reduce: int, n_out: int, kernel: int) -> nn.Sequential:
            if not reduce:
                return conv(n_in, n_out, kernel)
            return nn.Sequential(conv(n_in, n_reduce, 1), conv(n_reduce, n_out, kernel))

        self.branch1x1 = conv(n_in, row.n1x1, 1)
        self.branch3x3 = reduced(row.n3x3_reduce, row.n3x3, 3)
        self.branch5x5 = reduced(row.n5x5_reduce, row.n5x5, wide_kernel)
        self.branch_pool = nn.Sequential(pool, conv(n_in, row.pool_proj, 1)) if reduce else pool
        self.n_out = row.n1x1 + row.n3x3 + row.n5x5 + (row.pool_proj if reduce else n_in)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.children()], 1)


class GoogLeNetwork(Network):
    """A trunk with classifiers at some of its layers, for training alone (section 5)."""

    auxiliary_share = 0.3

    def __init__(
        self, features: nn.Sequential, auxiliary: dict[str, nn.Module], head: nn.Module
    ) -> None:
        super().__init__()
        self.features = features
        self.auxiliary = nn.ModuleDict(auxiliary)  # by the layers that they follow
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def all_outputs(self, x: Tensor) -> tuple[Tensor, ...]:
        outputs = []
        for name, layer in self.features.named_children():
            x = layer(x)
            if name in self.auxiliary:
                outputs.append(self.auxiliary[name](x))
        return (self.head(x), *outputs)

    @property
    def heads(self) -> list[nn.Module]:
        auxiliary = [classifier.get_submodule("head") for classifier in self.auxiliary.values()]
        return [self.head, *auxiliary]


@architecture
class GoogLeNet(Architecture):
    """GoogLeNet: inception modules, and auxiliary classifiers whose losses count in training.

    Images of up to 64 pixels come to the first module by a single 3 x 3 convolution with a step of
    1, as is usual on CIFAR-10 [2]_, which leaves 32 x 32 pixels as they are. Auxiliary classifiers
    are left out where the maps are smaller than what they pool, 5 x 5 (torchvision's 4 x 4).

    See Also
    --------
    sknets.cnn.nin.NiN : Where the 1 x 1 convolutions come from.
    sknets.cnn.get_architecture : Descriptions by name: "googlenet" is torchvision's.

    References
    ----------
    .. [1] Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke and Rabinovich (2015).
       "Going deeper with convolutions." CVPR. https://doi.org/10.1109/CVPR.2015.7298594
    .. [2] Liu (2017). "Train CIFAR10 with PyTorch." https://github.com/kuangliu/pytorch-cifar

    Examples
    --------
    >>> import torch
    >>> from sknets.cnn.googlenet import GoogLeNet
    >>> with torch.device("meta"):
    ...     network = GoogLeNet(auxiliary=False).build((3, 224, 224), 1000)
    >>> sum(p.numel() for p in network.parameters())
    6998552
    """

    variant: str = param(
        "paper",
        OneOf(*VARIANTS),
        "'paper' has 5 x 5 kernels and local response normalisation; 'torchvision' has 3 x 3 "
        "kernels in their place and batch normalisation.",
        kw_only=False,
    )
    reduce: bool = param(
        True,
        "boolean",
        "Whether 1 x 1 convolutions reduce the channels before larger kernels; False is the naive "
        "module of figure 2 (a).",
    )
    auxiliary: bool = param(
        True, "boolean", "Whether two more classifiers learn, from the maps of stage 4."
    )
    dropout: float = param(
        0.4, Interval(Real, 0, 1, closed="left"), "Share of the features silenced."
    )
    auxiliary_dropout: float = param(
        0.7,
        Interval(Real, 0, 1, closed="left"),
        "Share of units silenced in the auxiliary classifiers.",
    )

    names: ClassVar[dict[str, dict[str, Any]]] = {
        "googlenet": {"variant": "torchvision", "dropout": 0.2},
        "googlenet_paper": {},
    }

    renames: ClassVar[tuple[tuple[str, str], ...]] = (
        (r"^auxiliary\.inception4a\.", "aux1."),
        (r"^auxiliary\.inception4d\.", "aux2."),
        (r"^(aux\d)\.fc\.", r"\1.fc1."),
        (r"^(aux\d)\.head\.", r"\1.fc2."),
        (r"^head\.", "fc."),
        (r"^features\.conv2\.", "conv3."),
        (r"^features\.conv2_reduce\.", "conv2."),
        (r"^features\.", ""),
        (r"\.branch1x1\.", ".branch1."),
        (r"\.branch3x3\.", ".branch2."),
        (r"\.branch5x5\.", ".branch3."),
        (r"\.branch_pool\.", ".branch4."),
        (r"\.norm\.", ".bn."),
    )

    def _network(self, input_shape: tuple[int, ...], n_outputs: int) -> GoogLeNetwork:
        layer = DIMENSIONS[len(input_shape) - 1]
        variant = VARIANTS[self.variant]
        conv = partial(convolution, layer, variant.batch_norm)
        layers = self._stem(layer, conv, input_shape)
        auxiliary: dict[str, nn.Module] = {}
        n_in = STEM
        for stage, rows in STAGES.items():
            for letter, row in rows.items():
                pool = layer.max_pool(3, 1, 1)
                module = Inception(conv, pool, n_in, row, variant.wide_kernel, self.reduce)
                name, n_in = f"inception{stage}{letter}", module.n_out
                layers[name] = module
                if self.auxiliary and name in WITH_AUXILIARY:
                    shape = output_shape(nn.Sequential(layers), input_shape)
                    if min(shape[1:]) >= variant.auxiliary_side:
                        auxiliary[name] = self._auxiliary(layer, conv, shape, n_outputs)
            if stage < max(STAGES):
                side = variant.last_pool if stage + 1 == max(STAGES) else 3
                layers[f"pool{stage}"] = layer.max_pool(side, 2, ceil_mode=True)
        layers["average"] = layer.adaptive_pool(1)
        layers["flatten"] = nn.Flatten()
        layers["dropout"] = Dropout(self.dropout)
        return GoogLeNetwork(nn.Sequential(layers), auxiliary, nn.Linear(n_in, n_outputs))

    def _stem(
        self, layer: Dimension, conv: Any, input_shape: tuple[int, ...]
    ) -> OrderedDict[str, nn.Module]:
        """What comes before the first module."""
        n_in = input_shape[0]
        if is_small(input_shape):
            return OrderedDict(conv1=conv(n_in, STEM, 3))
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["conv1"] = conv(n_in, 64, 7, 2)
        layers["pool1"] = layer.max_pool(3, 2, ceil_mode=True)
        layers["norm1"] = LocalResponseNorm()
        layers["conv2_reduce"] = conv(64, 64, 1)
        layers["conv2"] = conv(64, STEM, 3)
        layers["norm2"] = LocalResponseNorm()
        layers["pool2"] = layer.max_pool(3, 2, ceil_mode=True)
        if VARIANTS[self.variant].batch_norm:
            del layers["norm1"], layers["norm2"]
        return layers

    def _auxiliary(
        self, layer: Dimension, conv: Any, shape: tuple[int, ...], n_outputs: int
    ) -> nn.Sequential:
        """A classifier of maps of a shape."""
        maps = OrderedDict(
            pool=VARIANTS[self.variant].auxiliary_pool(layer),
            conv=conv(shape[0], 128, 1),
            flatten=nn.Flatten(),
        )
        dense = OrderedDict(
            fc=nn.Linear(flat_size(nn.Sequential(maps), shape), 1024),
            relu=nn.ReLU(inplace=True),
            dropout=Dropout(self.auxiliary_dropout),
            head=nn.Linear(1024, n_outputs),
        )
        return nn.Sequential(maps | dense)

    def recipe(self) -> dict[str, Any]:
        """Training as in section 6: the rate falls by 4 % every 8 epochs, weights are averaged.

        The paper has neither the first rate nor the size of a batch or the number of epochs.

        Returns
        -------
        parameters : dict
            For ``set_params``.
        """
        return sgd_recipe(
            0.01,
            learning_rate="step",
            decay_rate=0.96,
            decay_every=8,
            averaging="polyak",
            batch_size=128,
            max_iter=250,
        )
