"""What a decoder's outputs say of the data: distributions of columns, given a code.

Raw outputs and values have columns last, and any axes before them; a value's probability given the
code is a product over columns (Kingma and Welling, 2014, appendix C).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST = 1e-6  # variance, as a share of the data's
RAREST = 0.01  # mean that a bias is made of


class Likelihood(nn.Module, ABC):
    """Abstract: the distribution of `n` columns given `n_raw` raw outputs."""

    def __init__(self, n: int, n_raw: int) -> None:
        super().__init__()
        self.n, self.n_raw = n, n_raw

    def seen(self, x: Tensor) -> Tensor:
        """Values as the encoder gets them."""
        return x

    @abstractmethod
    def fit_to(self, mean: Tensor, variance: Tensor) -> Tensor:
        """Start from the moments of columns; returns biases for the raw outputs."""

    @abstractmethod
    def log_p(self, raw: Tensor, x: Tensor) -> Tensor:
        """The logarithm of the probability, or density, of values, a sum over columns."""

    @abstractmethod
    def mean(self, raw: Tensor) -> Tensor:
        """Expected values."""

    @abstractmethod
    def sample(self, raw: Tensor, generator: torch.Generator) -> Tensor:
        """Values that are drawn."""


class Bernoulli(Likelihood):
    """Columns of zeros and ones: p(1) = sigmoid(raw). Values between are expected likewise."""

    def __init__(self, n: int) -> None:
        super().__init__(n, n)

    def fit_to(self, mean: Tensor, variance: Tensor) -> Tensor:
        return mean.logit(RAREST)

    def log_p(self, raw: Tensor, x: Tensor) -> Tensor:
        # A third of the time of torch's cross-entropy, which keeps what a gradient may need.
        return (raw * x).sum(-1) - F.softplus(raw).sum(-1)

    def mean(self, raw: Tensor) -> Tensor:
        return raw.sigmoid()

    def sample(self, raw: Tensor, generator: torch.Generator) -> Tensor:
        return torch.empty_like(raw).uniform_(generator=generator).lt(raw.sigmoid()).to(raw.dtype)


class Gaussian(Likelihood):
    """Columns of real numbers, normal given the code, which the network sees standardised.

    Parameters
    ----------
    n : int
    variance : {"one", "columns", "samples"}
        Whether the variance is one number, one a column, or one a column that depends on the code.
    """

    def __init__(self, n: int, variance: str) -> None:
        super().__init__(n, 2 * n if variance == "samples" else n)
        self.variance = variance
        self.center: Tensor
        self.scale: Tensor
        self.register_buffer("center", torch.empty(n))
        self.register_buffer("scale", torch.empty(n))
        if variance != "samples":
            self.log_variance = nn.Parameter(torch.empty(1 if variance == "one" else n))

    def seen(self, x: Tensor) -> Tensor:
        return (x - self.center) / self.scale

    def fit_to(self, mean: Tensor, variance: Tensor) -> Tensor:
        if self.variance == "one":  # columns keep their shares
            variance = variance.mean().expand_as(variance)
        self.center.copy_(mean)
        self.scale.copy_(torch.where(variance > 0, variance, 1.0).sqrt())
        if self.variance != "samples":
            self.log_variance.data.zero_()
        return mean.new_zeros(self.n_raw)

    def _moments(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of standardised values, and the logarithm of their variance."""
        mean, log_variance = raw, None
        if self.variance == "samples":
            mean, log_variance = raw.chunk(2, -1)
        else:
            log_variance = self.log_variance
        return mean, log_variance.clamp_min(math.log(LEAST))

    def log_p(self, raw: Tensor, x: Tensor) -> Tensor:
        mean, log_variance = self._moments(raw)
        squared = (self.seen(x) - mean).square() * (-log_variance).exp()
        constant = math.log(2 * math.pi) + 2 * self.scale.log()
        return -(squared + log_variance + constant).sum(-1) / 2

    def mean(self, raw: Tensor) -> Tensor:
        return self._moments(raw)[0] * self.scale + self.center

    def sample(self, raw: Tensor, generator: torch.Generator) -> Tensor:
        mean, log_variance = self._moments(raw)
        noise = torch.empty_like(mean).normal_(generator=generator)
        return (mean + noise * (log_variance / 2).exp()) * self.scale + self.center


class Categorical(Likelihood):
    """Columns of one category, of which one is 1 and the others are 0: a softmax."""

    def __init__(self, n: int) -> None:
        super().__init__(n, n)

    def fit_to(self, mean: Tensor, variance: Tensor) -> Tensor:
        return mean.clamp_min(RAREST).log()

    def log_p(self, raw: Tensor, x: Tensor) -> Tensor:
        return (raw.log_softmax(-1) * x).sum(-1)

    def mean(self, raw: Tensor) -> Tensor:
        return raw.softmax(-1)

    def sample(self, raw: Tensor, generator: torch.Generator) -> Tensor:
        bounds = raw.softmax(-1).cumsum(-1)
        u = torch.empty_like(bounds[..., :1]).uniform_(generator=generator) * bounds[..., -1:]
        chosen = (bounds <= u).sum(-1).clamp_max_(self.n - 1)
        return F.one_hot(chosen, self.n).to(raw.dtype)


class Side(Likelihood):
    """Distributions side by side, independent given the code.

    Parameters
    ----------
    parts : sequence of Likelihood
    columns : sequence of ndarray of int
        The columns of each part.
    """

    parts: Any  # a list to torch's types, of modules alone

    def __init__(self, parts: Sequence[Likelihood], columns: Sequence[np.ndarray]) -> None:
        super().__init__(sum(p.n for p in parts), sum(p.n_raw for p in parts))
        self.parts = nn.ModuleList(parts)
        self.columns = [torch.from_numpy(each) for each in columns]
        self.sizes = [part.n_raw for part in parts]

    def _each(self, raw: Tensor) -> list[tuple[Likelihood, Tensor, Tensor]]:
        """Parts, their columns and their raw outputs."""
        return list(zip(self.parts, self.columns, raw.split(self.sizes, -1), strict=True))

    def seen(self, x: Tensor) -> Tensor:
        values = x.clone()
        for part, columns in zip(self.parts, self.columns, strict=True):
            values[..., columns] = part.seen(x[..., columns])
        return values

    def fit_to(self, mean: Tensor, variance: Tensor) -> Tensor:
        pairs = zip(self.parts, self.columns, strict=True)
        return torch.cat([part.fit_to(mean[c], variance[c]) for part, c in pairs])

    def log_p(self, raw: Tensor, x: Tensor) -> Tensor:
        each = [part.log_p(own, x[..., columns]) for part, columns, own in self._each(raw)]
        return torch.stack(each).sum(0)

    def mean(self, raw: Tensor) -> Tensor:
        return self._joined(raw, [part.mean(own) for part, _, own in self._each(raw)])

    def sample(self, raw: Tensor, generator: torch.Generator) -> Tensor:
        return self._joined(raw, [part.sample(own, generator) for part, _, own in self._each(raw)])

    def _joined(self, raw: Tensor, values: Sequence[Tensor]) -> Tensor:
        made = raw.new_empty(*raw.shape[:-1], self.n)
        for columns, own in zip(self.columns, values, strict=True):
            made[..., columns] = own
        return made
