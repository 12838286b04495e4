"""FCN: three convolutions and a global average, for time series (Wang, Yan and Oates, 2017)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, ClassVar

from torch import nn

from sknets._params import InvalidParameterError, param
from sknets.cnn.architecture import DIMENSIONS, Architecture, Trunk, architecture
from sknets.cnn.layers import same_padding


def convolutions(
    n_in: int, rows: Iterable[tuple[int, int]], n_sides: int, ending: bool = True
) -> OrderedDict[str, nn.Module]:
    """Convolutions that keep the size, each normalised and rectified, the last one if it ends so.

    Parameters
    ----------
    n_in : int
    rows : iterable of pairs of int
        The channels and the kernel of each.
    n_sides : int
        1 of signals, 2 of images.
    ending : bool
    """
    layer = DIMENSIONS[n_sides]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for i, (n_out, kernel) in enumerate(rows, 1):
        pad, around = same_padding(kernel, n_sides)
        if pad is not None:
            layers[f"pad{i}"] = pad
        layers[f"conv{i}"] = layer.conv(n_in, n_out, kernel, padding=around)
        layers[f"norm{i}"] = layer.norm(n_out)
        layers[f"relu{i}"] = nn.ReLU(inplace=True)
        n_in = n_out
    if not ending:
        layers.popitem()
    return layers


@architecture
class FCN(Architecture):
    """Fully convolutional network of signals: convolutions that keep the length, then their mean.

    It takes signals of any length, and images of any size.

    See Also
    --------
    ConvNet : Blocks with pooling, and dense layers.

    References
    ----------
    .. [1] Wang, Yan and Oates (2017). "Time series classification from scratch with deep neural
       networks: a strong baseline." IJCNN. https://doi.org/10.1109/IJCNN.2017.7966039
    .. [2] Ismail Fawaz, Forestier, Weber, Idoumghar and Muller (2019). "Deep learning for time
       series classification: a review." Data Mining and Knowledge Discovery 33, 917-963.
       https://doi.org/10.1007/s10618-019-00619-1

    Examples
    --------
    >>> import torch
    >>> from sknets.cnn import FCN
    >>> with torch.device("meta"):
    ...     network = FCN().build((1, 150), 2)
    >>> sum(p.numel() for p in network.parameters())
    264962
    """

    channels: Any = param(
        (128, 256, 128),
        [tuple, list],
        "Channels of each convolution, as many as there are.",
        kw_only=False,
    )
    kernel_size: Any = param((8, 5, 3), [tuple, list], "Length of the kernels of each convolution.")

    names: ClassVar[dict[str, dict[str, Any]]] = {"fcn": {}}

    def _network(self, input_shape: tuple[int, ...], n_outputs: int) -> Trunk:
        n_in, *sides = input_shape
        rows = self._rows()
        layers = convolutions(n_in, rows, len(sides))
        layers["pool"] = DIMENSIONS[len(sides)].adaptive_pool(1)
        layers["flatten"] = nn.Flatten()
        return Trunk(nn.Sequential(layers), nn.Linear(rows[-1][0], n_outputs))

    def _rows(self) -> list[tuple[int, int]]:
        """The channels and the kernel of each convolution."""
        if len(self.channels) != len(self.kernel_size):
            raise InvalidParameterError(
                f"The 'kernel_size' parameter of FCN must have one number for each of the "
                f"{len(self.channels)} convolutions that 'channels' has. Got {self.kernel_size!r} "
                "instead."
            )
        return list(zip(self.channels, self.kernel_size, strict=True))

    def recipe(self) -> dict[str, Any]:
        """Training as in the review: Adam for 2000 epochs, its rate halved when the loss stalls.

        Returns
        -------
        parameters : dict
            For ``set_params``.
        """
        return {
            "solver": "adam",
            "learning_rate_init": 0.001,
            "learning_rate": "plateau",
            "decay_rate": 0.5,
            "n_iter_no_change": 50,
            "batch_size": 16,
            "max_iter": 2000,
        }
