"""What an estimator of images trains: rows to images, augmentation, views, and the network."""

from __future__ import annotations

from functools import cached_property
from itertools import chain
from typing import Any

from torch import Tensor, nn

from sknets._data import Batch
from sknets._measure import Work, watched, work_of
from sknets._training.steps import AutogradStep, StepResult, weighted_mean
from sknets.cnn.architecture import Network
from sknets.cnn.images import Images
from sknets.cnn.views import View, centre
from sknets.layers import RandomLayer
from sknets.preprocessing import AugmentedBatch
from sknets.preprocessing.augmentation import Chain
from sknets.preprocessing.layout import channels_last


class Augment(RandomLayer):
    """Augmentation of the batches of an epoch, by its generator."""

    def __init__(self, chain: Chain) -> None:
        super().__init__()
        self.chain = chain

    def forward(self, images: Tensor) -> AugmentedBatch:
        assert self.generator is not None, "the trainer sets it"
        return self.chain(images, self.generator)


class ImageNetwork(nn.Module):
    """Rows of pixels to images, and those through a network.

    Parameters
    ----------
    images : Images
    network : Network
    shape : tuple of int
        (channels, *sides) of the images that the network takes, which are smaller than those that
        come where augmentation crops.
    augment : Augment, optional
    """

    def __init__(
        self,
        images: Images,
        network: Network,
        shape: tuple[int, ...],
        augment: Augment | None = None,
    ) -> None:
        super().__init__()
        self.images = images
        self.network = network
        self.shape = shape
        self.augment = augment
        self.frozen: list[nn.Module] = []

    def forward(self, x: Tensor, view: View | None = None) -> Tensor:
        return self.network(self.seen(x, view))

    def seen(self, x: Tensor, view: View | None = None) -> Tensor:
        """The images as the network is shown them without augmentation."""
        images = self.images(x)
        if view is None:
            return centre(images, self.shape[1:])
        return channels_last(view(images))

    def augmented(self, x: Tensor) -> AugmentedBatch:
        """The images as training shows them."""
        if self.augment is None or not self.training:
            return AugmentedBatch(self.seen(x))
        return self.augment(self.images(x))

    def features(self, x: Tensor, layer: str | None = None) -> Tensor:
        """The values before the last layer, or after a named one, one vector a sample."""
        images = self.seen(x)
        if layer is None:
            return self.network.features(images)
        with watched(self.network.get_submodule(layer)) as made:
            self.network(images)
        if not made:
            raise ValueError(f"The layer {layer!r} has no part in predictions.")
        return made[-1].flatten(1)

    @cached_property
    def work(self) -> Work:
        """What an image costs."""
        return work_of(self.network, self.shape)

    def train_only(self, n_stages: int) -> None:
        """Train the last stages and the head; the rest keeps its weights and statistics."""
        stages = self.network.stages
        self.frozen = [*chain.from_iterable(stages[: max(0, len(stages) - n_stages)])]
        for module in self.frozen:
            module.requires_grad_(False)
        known = [*chain.from_iterable(stages), *self.network.heads]
        placed = {id(part) for module in known for part in module.modules()}
        for part in self.network.modules():  # such as auxiliary classifiers but for their heads
            if id(part) not in placed:
                for parameter in part.parameters(recurse=False):
                    parameter.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> ImageNetwork:
        """Set the mode; what is frozen stays in that of prediction."""
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self


class ImageStep(AutogradStep):
    """A training step with augmentation, which may mix targets, and with auxiliary losses."""

    module: Any

    def evaluate(self, batch: Batch) -> StepResult:
        """The mean loss, a share of the auxiliary ones included, and the main raw outputs."""
        augmented = self.module.augmented(batch.x)
        with self.multiplying():
            outputs = self._outputs(augmented.x)
        outputs = tuple(raw.to(self.gradient.dtype) for raw in outputs)
        main, *auxiliary = (self._mean_loss(raw, augmented, batch) for raw in outputs)
        share = self.module.network.auxiliary_share
        return StepResult(sum((share * loss for loss in auxiliary), main), outputs[0])

    def _outputs(self, x: Tensor) -> tuple[Tensor, ...]:
        network = self.module.network
        return network.all_outputs(x) if self.module.training else (network(x),)

    def _mean_loss(self, raw: Tensor, augmented: AugmentedBatch, batch: Batch) -> Tensor:
        pairs = augmented.pairs(raw, batch.targets, batch.weight)
        return weighted_mean(self.loss(pairs.raw, pairs.y), pairs.weight)
