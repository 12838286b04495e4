"""ZFNet: AlexNet with smaller, denser first kernels, chosen by sight (Zeiler and Fergus, 2014)."""

from __future__ import annotations

from typing import Any, ClassVar

from sknets._params import param
from sknets.cnn.alexnet import SMALL_STEM, Convolution, ConvolutionStack
from sknets.cnn.architecture import architecture
from sknets.cnn.recipes import sgd_recipe

# Figure 3: layers 1 and 2, of which each is pooled and then normalised.
FIRST = (
    Convolution(96, 7, 2, 1, then=("pool_rest", "norm")),
    Convolution(256, 5, 2, 0, then=("pool_rest", "norm")),
)


@architecture
class ZFNet(ConvolutionStack):
    """ZFNet: AlexNet whose first kernels are 7 x 7 with steps of 2.

    Images of up to 64 pixels get first and second convolutions of 5 x 5 with a step of 1, and
    dense layers of 384 and 192 units, as in the small AlexNet of [2]_.

    See Also
    --------
    sknets.cnn.alexnet.AlexNet : Its predecessor.

    References
    ----------
    .. [1] Zeiler and Fergus (2014). "Visualizing and understanding convolutional networks." ECCV.
       https://doi.org/10.1007/978-3-319-10590-1_53
    .. [2] Zhang, Bengio, Hardt, Recht and Vinyals (2017). "Understanding deep learning requires
       rethinking generalization." ICLR. https://doi.org/10.48550/arXiv.1611.03530

    Examples
    --------
    >>> import torch
    >>> from sknets.cnn.zfnet import ZFNet
    >>> with torch.device("meta"):
    ...     network = ZFNet().build((3, 224, 224), 1000)
    >>> sum(p.numel() for p in network.parameters())
    62357608
    """

    channels: Any = param(
        (384, 384, 256),
        [tuple, list],
        "Channels of the layers after the second, of 3 x 3; (512, 1024, 512) in the wider network.",
        kw_only=False,
    )

    names: ClassVar[dict[str, dict[str, Any]]] = {
        "zfnet": {},
        "zfnet_wide": {"channels": (512, 1024, 512)},
    }

    def _rows(self, small: bool) -> tuple[Convolution, ...]:
        first = [row._replace(**SMALL_STEM) for row in FIRST] if small else FIRST
        *inner, last = (Convolution(n, 3, 1, 1) for n in self.channels)
        return (*first, *inner, last._replace(then=("pool_rest",)))

    def recipe(self) -> dict[str, Any]:
        """Training as in section 3: 70 epochs at 0.01, lowered when it stalls.

        Returns
        -------
        parameters : dict
            For ``set_params``.
        """
        # Differs from the paper: kernels of a large norm are not scaled back.
        return sgd_recipe(
            0.01,
            learning_rate="plateau",
            decay_rate=0.1,
            batch_size=128,
            max_iter=70,
            weight_init="normal",
        )
