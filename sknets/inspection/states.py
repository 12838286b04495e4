"""What recurrent layers do, step by step: what units put out, and how far gradients reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from sknets._optional import require
from sknets._params import InvalidParameterError
from sknets.inspection._fitted import having
from sknets.inspection._reading import Reading, checked_layer

MOST_LABELS = 60  # of steps that are named


class HiddenStatesDisplay:
    """What the units of a recurrent layer put out at each step of a sequence.

    It is best made by `from_estimator`.

    Parameters
    ----------
    states : ndarray of shape (time, n_units)
        The outputs.
    tokens : sequence of str, default=None
        What was read at each step.

    Attributes
    ----------
    im_ : matplotlib AxesImage
        The outputs, a row a unit.
    ax_ : matplotlib Axes
        Where they are.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    TextDisplay : What one unit does, over a text.
    GradientNormDisplay : How far back gradients reach.

    Examples
    --------
    >>> import numpy as np
    >>> from sknets import RNNClassifier
    >>> from sknets.inspection import HiddenStatesDisplay
    >>> X = np.random.default_rng(0).normal(size=(60, 12))
    >>> clf = RNNClassifier(hidden_layer_sizes=(8,), max_iter=1, learning_rate="cosine")
    >>> clf = clf.fit(X, X.sum(axis=1) > 0)
    >>> HiddenStatesDisplay.from_estimator(clf, X[:1]).states.shape
    (12, 8)
    """

    def __init__(self, states: np.ndarray, *, tokens: Sequence[str] | None = None) -> None:
        self.states = states
        self.tokens = tokens

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *, layer: int = -1, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Draw what the units do over the first sequence of `X`.

        Parameters
        ----------
        estimator : fitted RNNClassifier, RNNRegressor, RNNTagger or LanguageModel
            Or a Pipeline that ends with one, or a search for one.
        X : as `predict` takes it
            Sequences, of which the first counts; texts for a language model.
        layer : int, default=-1
            The recurrent layer.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to matplotlib's ``imshow``.

        Returns
        -------
        display : HiddenStatesDisplay
            The display, drawn.
        """
        reading = Reading.of(estimator, X[:1], cls.__name__)
        layer = checked_layer(layer, reading, cls.__name__)
        states = reading.states(layer)[0, : int(reading.lengths[0])].cpu().numpy()
        tokens = None if reading.tokens is None else reading.tokens[0]
        return cls(states, tokens=tokens).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the units.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to matplotlib's ``imshow``.

        Returns
        -------
        display : HiddenStatesDisplay
            Itself.
        """
        pyplot = require("matplotlib.pyplot", extra="plot", feature="HiddenStatesDisplay.plot")
        if ax is None:
            _, ax = pyplot.subplots(layout="constrained")
        largest = max(1e-12, float(np.abs(self.states).max()))
        style = {"vmin": -largest, "vmax": largest, "cmap": "coolwarm", "aspect": "auto"}
        self.ax_, self.figure_ = ax, ax.figure
        self.im_ = ax.imshow(
            np.transpose(self.states), **{**style, "interpolation": "nearest", **kwargs}
        )
        ax.set(xlabel="Step", ylabel="Unit")
        if self.tokens is not None and len(self.tokens) <= MOST_LABELS:
            ax.set_xticks(range(len(self.tokens)), self.tokens)
            ax.set_xlabel("")
            if max(map(len, self.tokens)) > 1:
                ax.tick_params(axis="x", rotation=90)
        self.figure_.colorbar(self.im_, ax=ax, label="output")
        return self


class GradientNormDisplay:
    """How large the gradient of the last output is by the state so many steps before.

    Where it shrinks with the distance, what happened there cannot be learnt (vanishing gradients);
    where it grows, training jumps (exploding ones). It is best made by `from_estimator`.

    Parameters
    ----------
    norms : sequence of float
        The mean norm over sequences, by the number of steps before the last.
    name : str, default=None
        What the legend calls the estimator.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The curve.
    ax_ : matplotlib Axes
        Where it is, on a logarithmic scale.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    HiddenStatesDisplay : What the units put out.

    References
    ----------
    .. [1] Bengio, Simard and Frasconi (1994). "Learning long-term dependencies with gradient
       descent is difficult." IEEE Transactions on Neural Networks 5, 157-166.
       https://doi.org/10.1109/72.279181
    .. [2] Pascanu, Mikolov and Bengio (2013). "On the difficulty of training recurrent neural
       networks." ICML. https://doi.org/10.48550/arXiv.1211.5063

    Examples
    --------
    >>> import numpy as np
    >>> from sknets import RNNRegressor
    >>> from sknets.inspection import GradientNormDisplay
    >>> X = np.random.default_rng(0).normal(size=(60, 12))
    >>> reg = RNNRegressor(hidden_layer_sizes=(8,), max_iter=1, learning_rate="cosine")
    >>> reg = reg.fit(X, X.sum(axis=1))
    >>> len(GradientNormDisplay.from_estimator(reg, X).norms)
    12
    """

    def __init__(self, norms: Sequence[float], *, name: str | None = None) -> None:
        self.norms = norms
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        layer: int = -1,
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw how far back the gradients of a fitted network reach.

        Parameters
        ----------
        estimator : fitted RNNClassifier, RNNRegressor, RNNTagger or LanguageModel
            Or a Pipeline that ends with one, or a search for one.
        X : as `predict` takes it
            Sequences over which norms are averaged; texts for a language model.
        layer : int, default=-1
            The recurrent layer; of one that reads both ways it is the forward direction.
        name : str, default=None
            What the legend calls it; its class and cell by default.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to matplotlib's ``semilogy``.

        Returns
        -------
        display : GradientNormDisplay
            The display, drawn.
        """
        reading = Reading.of(estimator, X, cls.__name__)
        layer = checked_layer(layer, reading, cls.__name__)
        norms = reading.state_gradients(layer).cpu().numpy()
        lengths = reading.lengths.numpy()
        if not len(lengths):
            raise InvalidParameterError(f"{cls.__name__} needs a sequence at least.")
        before_last = [row[:n][::-1] for row, n in zip(norms, lengths, strict=True)]
        means = [
            float(np.mean([row[k] for row in before_last if len(row) > k]))
            for k in range(int(lengths.max()))
        ]
        if name is None:
            fitted = having("module_", estimator, cls.__name__)
            name = f"{type(fitted).__name__}(cell={fitted.cell!r})"
        return cls(means, name=name).plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to matplotlib's ``semilogy``.

        Returns
        -------
        display : GradientNormDisplay
            Itself.
        """
        pyplot = require("matplotlib.pyplot", extra="plot", feature="GradientNormDisplay.plot")
        if ax is None:
            _, ax = pyplot.subplots()
        self.ax_, self.figure_ = ax, ax.figure
        (self.line_,) = ax.semilogy(self.norms, **{"label": self.name, **kwargs})
        ax.set(xlabel="Steps before the last", ylabel="Norm of the gradient")
        if self.name is not None:
            ax.legend()
        return self
