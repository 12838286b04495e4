"""How the loss fell, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from sknets._optional import require
from sknets.inspection._fitted import having


class LossCurveDisplay:
    """Loss by epoch, on the training data and on what was held out.

    It is best made by `from_estimator`.

    Parameters
    ----------
    train_loss : sequence of float
        Loss of each epoch.
    valid_loss : sequence of float, default=None
        Loss on the validation part.
    valid_score : sequence of float, default=None
        Score on the validation part, drawn on an axis of its own.
    name : str, default=None
        What the legend calls the estimator.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the losses are.
    score_ax_ : matplotlib Axes or None
        Where validation scores are, those of all displays on the same axes.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The curves.

    See Also
    --------
    WeightsDisplay : What was learnt.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import MLPClassifier
    >>> from sknets.inspection import LossCurveDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = MLPClassifier(max_iter=5, learning_rate="cosine", random_state=0).fit(X, y)
    >>> display = LossCurveDisplay.from_estimator(clf)
    >>> len(display.lines_[0].get_xdata())
    5
    """

    def __init__(
        self,
        train_loss: Sequence[float],
        *,
        valid_loss: Sequence[float] | None = None,
        valid_score: Sequence[float] | None = None,
        name: str | None = None,
    ) -> None:
        self.train_loss = train_loss
        self.valid_loss = valid_loss
        self.valid_score = valid_score
        self.name = name

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, name: str | None = None, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Draw the loss curve of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            With a ``loss_curve_``, as sknets' and scikit-learn's perceptrons have, and with
            sknets' ``history_`` for the validation part; or a Pipeline that ends with one, or a
            search for one.
        name : str, default=None
            What the legend calls it; its class by default.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to matplotlib's ``plot``.

        Returns
        -------
        display : LossCurveDisplay
            The display, drawn.
        """
        estimator = having("loss_curve_", estimator, cls.__name__)
        history = getattr(estimator, "history_", [])
        held_out = {
            key: [record[key] for record in history if key in record]
            for key in ("valid_loss", "valid_score")
        }
        display = cls(
            estimator.loss_curve_,
            valid_loss=held_out["valid_loss"] or None,
            valid_score=held_out["valid_score"] or None,
            name=type(estimator).__name__ if name is None else name,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to matplotlib's ``plot``.

        Returns
        -------
        display : LossCurveDisplay
            Itself.
        """
        pyplot = require("matplotlib.pyplot", extra="plot", feature="LossCurveDisplay.plot")
        from matplotlib import cbook
        from matplotlib.lines import Line2D

        if ax is None:
            _, ax = pyplot.subplots()
            ax.locator_params(axis="x", integer=True)
        ax.set(xlabel="Epoch", ylabel="Loss")
        self.ax_, self.score_ax_, self.figure_ = ax, _axes_on_top_of(ax), ax.figure
        kwargs = cbook.normalize_kwargs(kwargs, Line2D)  # c is color, ls linestyle
        self.lines_ = self._draw(ax, self.train_loss, "training loss", kwargs)
        style = {"color": self.lines_[0].get_color(), **kwargs}
        if self.valid_loss is not None:
            dashed = {"linestyle": "--", **style}
            self.lines_ += self._draw(ax, self.valid_loss, "validation loss", dashed)
        if self.valid_score is not None:
            self.score_ax_ = self.score_ax_ or ax.twinx()
            self.score_ax_.set_ylabel("Validation score")
            dotted = {"linestyle": ":", **style}
            self.lines_ += self._draw(self.score_ax_, self.valid_score, "validation score", dotted)
        if self.score_ax_ is None:
            ax.legend()
        else:  # between losses that fall and scores that rise
            handles = [*ax.get_lines(), *self.score_ax_.get_lines()]
            ax.legend(handles=handles, loc="center right")
        return self

    def _draw(self, ax: Any, values: Sequence[float], what: str, style: dict) -> list[Any]:
        label = f"{self.name}: {what}" if self.name else what
        marker = "o" if len(values) == 1 else None  # a line of one point is not seen
        style = {"label": label, "marker": marker, **style}
        return ax.plot(range(1, len(values) + 1), values, **style)


def _axes_on_top_of(ax: Any) -> Any:
    """Where an earlier display has its scores, if there was one."""
    siblings = ax.get_shared_x_axes().get_siblings(ax)
    return next((s for s in siblings if s is not ax and s.bbox.bounds == ax.bbox.bounds), None)
