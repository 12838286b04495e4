"""SeriesResNet: nine convolutions with three shortcuts, for time series (Wang et al., 2017)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, ClassVar

from torch import nn

from sknets._params import param
from sknets.cnn.architecture import DIMENSIONS, Architecture, Trunk, architecture
from sknets.cnn.fcn import convolutions
from sknets.cnn.residual import Residual


@architecture
class SeriesResNet(Architecture):
    """Residual network of signals: blocks of three convolutions that keep the length.

    The shortcut of a block is normalised, after a 1 x 1 convolution where the channels change. It
    takes signals of any length, and images of any size.

    See Also
    --------
    FCN : One such block, without a shortcut.
    ResNet : Of images.

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
    >>> from sknets.cnn import SeriesResNet
    >>> with torch.device("meta"):
    ...     network = SeriesResNet().build((1, 150), 2)
    >>> len(network.stages)
    3
    """

    channels: Any = param(
        (64, 128, 128),
        [tuple, list],
        "Channels of each block, as many as there are.",
        kw_only=False,
    )
    kernel_size: Any = param(
        (8, 5, 3), [tuple, list], "Length of the kernels of the convolutions of a block."
    )

    names: ClassVar[dict[str, dict[str, Any]]] = {"series_resnet": {}}

    def _network(self, input_shape: tuple[int, ...], n_outputs: int) -> Trunk:
        n_in, *sides = input_shape
        layer = DIMENSIONS[len(sides)]
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for i, n_out in enumerate(self.channels, 1):
            rows = [(n_out, kernel) for kernel in self.kernel_size]
            branch = nn.Sequential(convolutions(n_in, rows, len(sides), ending=False))
            shortcut = nn.Sequential(layer.norm(n_out))
            if n_in != n_out:
                shortcut.insert(0, layer.conv(n_in, n_out, 1))
            layers[f"block{i}"] = Residual(branch, shortcut, nn.ReLU(inplace=True))
            n_in = n_out
        layers["pool"] = layer.adaptive_pool(1)
        layers["flatten"] = nn.Flatten()
        return Trunk(nn.Sequential(layers), nn.Linear(n_in, n_outputs))

    def recipe(self) -> dict[str, Any]:
        """Training as in the review: Adam for 1500 epochs, its rate halved when the loss stalls.

        Batches are of 64, or of a tenth of the series where these are fewer.

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
            "batch_size": 64,
            "max_iter": 1500,
        }
