"""What every augmentation is: a change of a batch, in which each sample has a draw of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from sklearn.base import BaseEstimator
from torch import Generator, Tensor

from sknets._params import check_parameters, estimator

DTYPES = (torch.float32, torch.float64)


class Pairs(NamedTuple):
    """Outputs, the targets that they are compared with, and the weights of the comparisons."""

    raw: Tensor
    y: Tensor
    weight: Tensor | None


class AugmentedBatch(NamedTuple):
    """A batch after augmentation, and how its samples were mixed, if they were.

    Parameters
    ----------
    x : Tensor of shape (n, channels, height, width) or (n, channels, length)
        The images or signals.
    partner : Tensor of shape (n,), default=None
        The sample that each is mixed with; None where none are.
    share : Tensor of shape (n,), default=None
        How much of each sample is its own; the rest is its partner's.

    See Also
    --------
    Mixup : What mixes samples.

    Examples
    --------
    A training step compares the outputs for ``batch.x`` with the targets of both:

    >>> import torch
    >>> from sknets.preprocessing import Mixup
    >>> batch = Mixup()(torch.ones(4, 1, 8, 8), torch.Generator().manual_seed(0))
    >>> raw, y = torch.zeros(4, 10), torch.tensor([3, 1, 4, 1])
    >>> pairs = batch.pairs(raw, y)
    >>> losses = torch.nn.functional.cross_entropy(pairs.raw, pairs.y, reduction="none")
    >>> losses.shape, pairs.weight.sum()
    (torch.Size([8]), tensor(4.))
    """

    x: Tensor
    partner: Tensor | None = None
    share: Tensor | None = None

    def pairs(self, raw: Tensor, y: Tensor, weight: Tensor | None = None) -> Pairs:
        """Outputs and targets for a loss: twice as many where samples are mixed.

        Parameters
        ----------
        raw : Tensor of shape (n, n_outputs)
            A network's outputs for `x`.
        y : Tensor of shape (n,) or (n, n_targets)
            The targets of the batch before augmentation.
        weight : Tensor of shape (n,), default=None
            The weights of the samples; None weights all alike.

        Returns
        -------
        pairs : NamedTuple of raw, y and weight
            What the loss compares. The mean of the losses by these weights is the loss of the
            batch.
        """
        if self.partner is None or self.share is None:
            return Pairs(raw, y, weight)
        own, other = self.share, 1 - self.share
        if weight is not None:
            own, other = own * weight, other * weight[self.partner]
        return Pairs(
            torch.cat([raw, raw]), torch.cat([y, y[self.partner]]), torch.cat([own, other])
        )


@estimator
class Augmentation(BaseEstimator, ABC):
    """Abstract: a change of a batch, by a draw for each sample."""

    images_only: ClassVar[bool] = False

    def __call__(self, x: Tensor, generator: Generator) -> AugmentedBatch:
        """Augment a batch.

        Parameters
        ----------
        x : Tensor of shape (n, channels, height, width) or (n, channels, length)
            Floats, which are left as they are.
        generator : torch.Generator
            What draws, on any device; the draws are the same in both precisions.

        Returns
        -------
        batch : AugmentedBatch
        """
        self._check()
        self._check_batch(x)
        with torch.no_grad():
            made = self._changed(x, generator)
        return made if isinstance(made, AugmentedBatch) else AugmentedBatch(made)

    @abstractmethod
    def _changed(self, x: Tensor, generator: Generator) -> Tensor | AugmentedBatch:
        """The batch, changed."""

    def _check(self) -> None:
        """Raise InvalidParameterError for the first parameter that is out of its range."""
        check_parameters(self)

    def _check_batch(self, x: Tensor) -> None:
        """Raise ValueError for a batch that cannot be augmented."""
        name = type(self).__name__
        if x.dtype not in DTYPES or x.ndim not in (3, 4):
            raise ValueError(
                f"{name} takes batches (n, channels, height, width) or (n, channels, length) in "
                f"float32 or float64. Got {x.dtype} of shape {tuple(x.shape)} instead."
            )
        if self.images_only and x.ndim == 3:
            raise ValueError(
                f"{name} takes images, (n, channels, height, width). "
                f"Got signals of shape {tuple(x.shape)} instead."
            )


def uniform(low: float, high: float, n: int, generator: Generator) -> Tensor:
    """n draws between two bounds."""
    return torch.empty(n, device=generator.device).uniform_(low, high, generator=generator)


def whole(low: int, high: int, n: int, generator: Generator) -> Tensor:
    """n draws of the whole numbers from `low` to `high`, both included."""
    return torch.randint(low, high + 1, (n,), generator=generator, device=generator.device)


def matrices(entries: dict[tuple[int, int], Tensor]) -> Tensor:
    """Identity matrices but for some entries, (n, 3, 3), from n values of each of these."""
    first = next(iter(entries.values()))
    made = torch.eye(3, dtype=first.dtype, device=first.device).repeat(len(first), 1, 1)
    for (row, column), values in entries.items():
        made[:, row, column] = values
    return made
