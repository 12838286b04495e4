"""What supervised networks minimise, one value a sample.

A `Loss` maps a network's raw outputs and the encoded targets to a value for each sample, and knows
the inverse link that turns raw outputs into probabilities or means. Where the link is the loss's
canonical one, the gradient with respect to the raw output is simply *output - target*.

Encoded targets are class indices ``(n,)`` for a multiclass loss, else floats ``(n, n_outputs)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


class Loss(ABC):
    """Abstract: a value a sample, and the inverse link of the output layer."""

    out_activation = "identity"
    canonical = False

    @abstractmethod
    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        """The loss of each sample, of shape (n,)."""

    def outputs(self, raw: Tensor) -> Tensor:
        """The inverse link: what the network says, of shape (n, n_outputs)."""
        return raw

    def with_gradient(self, raw: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of each sample and its gradient by the raw outputs, for a canonical link."""
        return self(raw, target), self.outputs(raw) - target

    def mean_with_gradient(self, raw: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """The mean loss and its gradient by the raw outputs, for a canonical link."""
        values, delta = self.with_gradient(raw, target)
        return values.mean(), delta.div_(raw.shape[0])


@dataclass(frozen=True)
class SoftmaxLogLoss(Loss):
    """Cross-entropy of the softmax, with label smoothing (Szegedy et al., 2016, section 7)."""

    label_smoothing: float = 0.0
    out_activation = "softmax"
    canonical = True

    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(raw, target, reduction="none", label_smoothing=self.label_smoothing)

    def outputs(self, raw: Tensor) -> Tensor:
        return torch.softmax(raw, 1)

    def with_gradient(self, raw: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        # Written out, as torch's log_softmax is slow over few columns.
        shifted = raw - raw.amax(1, keepdim=True)
        p = shifted.exp()
        total = p.sum(1, keepdim=True)
        delta, column = p.div_(total), target[:, None]
        values = total.log_().sub_(shifted.gather(1, column)).squeeze_(1)
        smoothing = self.label_smoothing
        if smoothing:
            values += smoothing * (shifted.gather(1, column).squeeze(1) - shifted.mean(1))
            delta -= smoothing / raw.shape[1]
        return values, delta.scatter_(1, column, smoothing - 1, reduce="add")


@dataclass(frozen=True)
class SigmoidLogLoss(Loss):
    """Binary cross-entropy, summed over outputs: two classes, or one output a label."""

    label_smoothing: float = 0.0
    out_activation = "logistic"
    canonical = True

    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        target = self._smoothed(target)
        return F.binary_cross_entropy_with_logits(raw, target, reduction="none").sum(1)

    def outputs(self, raw: Tensor) -> Tensor:
        return torch.sigmoid(raw)

    def with_gradient(self, raw: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return self(raw, target), self.outputs(raw) - self._smoothed(target)

    def _smoothed(self, target: Tensor) -> Tensor:
        if not self.label_smoothing:
            return target
        return target * (1 - self.label_smoothing) + self.label_smoothing / 2


@dataclass(frozen=True)
class MulticlassHinge(Loss):
    """Sum over the other classes of max(0, s_j - s_y + 1) ** power (Weston and Watkins, 1999)."""

    power: int = 1

    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        right = raw.gather(1, target[:, None])
        excess = (raw - right + 1).clamp_min(0).scatter(1, target[:, None], 0)
        return excess.pow(self.power).sum(1)


@dataclass(frozen=True)
class BinaryHinge(Loss):
    """max(0, 1 - t s) ** power with t = -1 or 1, summed over outputs."""

    power: int = 1

    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        return (1 - (2 * target - 1) * raw).clamp_min(0).pow(self.power).sum(1)


@dataclass(frozen=True)
class SquaredError(Loss):
    """Half the squared error, summed over outputs."""

    canonical = True

    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        return (raw - target).square().sum(1) / 2


# By name, the activations that outputs can have where the error is squared.
LINKS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda raw: raw,
    "logistic": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
}


@dataclass(frozen=True)
class ActivatedSquaredError(Loss):
    """Half the squared error of activated outputs, summed over them."""

    out_activation: str = "logistic"

    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        return (self.outputs(raw) - target).square().sum(1) / 2

    def outputs(self, raw: Tensor) -> Tensor:
        return LINKS[self.out_activation](raw)


@dataclass(frozen=True)
class AbsoluteError(Loss):
    """The absolute error, summed over outputs: its minimiser is the median."""

    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        return (raw - target).abs().sum(1)


@dataclass(frozen=True)
class Huber(Loss):
    """Quadratic up to `delta`, linear beyond (Huber, 1964), summed over outputs."""

    delta: float = 1.0

    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(raw, target, reduction="none", delta=self.delta).sum(1)


@dataclass(frozen=True)
class Poisson(Loss):
    """Half the Poisson deviance with a log link, summed over outputs."""

    out_activation = "exp"
    canonical = True

    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        constant = torch.xlogy(target, target) - target
        return (raw.exp() - target * raw + constant).sum(1)

    def outputs(self, raw: Tensor) -> Tensor:
        return raw.exp()


@dataclass(frozen=True)
class Quantile(Loss):
    """The pinball loss: its minimiser is the conditional `quantile` (Koenker, 1978)."""

    quantile: float = 0.5

    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        error = target - raw
        return torch.maximum(self.quantile * error, (self.quantile - 1) * error).sum(1)


@dataclass(frozen=True)
class Grouped(Loss):
    """Several multiclass targets: one loss over each group of outputs, added up.

    Raw outputs are ``(n, sum(sizes))``, targets class indices ``(n, len(sizes))``.
    """

    loss: Loss
    sizes: tuple[int, ...]

    @property
    def out_activation(self) -> str:  # type: ignore[override]
        return self.loss.out_activation

    def __call__(self, raw: Tensor, target: Tensor) -> Tensor:
        groups = zip(raw.split(self.sizes, 1), target.unbind(1), strict=True)
        return torch.stack([self.loss(scores, labels) for scores, labels in groups]).sum(0)

    def outputs(self, raw: Tensor) -> Tensor:
        return torch.cat([self.loss.outputs(scores) for scores in raw.split(self.sizes, 1)], 1)
