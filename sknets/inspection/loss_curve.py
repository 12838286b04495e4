"""How the loss fell, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.utils.validation import check_is_fitted

from sknets._optional import require


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
        Where the validation score is.
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
    ) -> LossCurveDisplay:
        """Draw the loss curve of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator of sknets
            With a ``loss_curve_``, and with ``history_`` for the validation part.
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
        check_is_fitted(estimator, "loss_curve_")
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

    def plot(self, ax: Any = None, **kwargs: Any) -> LossCurveDisplay:
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
        if ax is None:
            _, ax = pyplot.subplots()
        prefix = f"{self.name}: " if self.name else ""
        self.lines_ = self._draw(ax, self.train_loss, f"{prefix}training loss", **kwargs)
        if self.valid_loss is not None:
            style = {"linestyle": "--", "color": self.lines_[0].get_color(), **kwargs}
            self.lines_ += self._draw(ax, self.valid_loss, f"{prefix}validation loss", **style)
        ax.set(xlabel="Epoch", ylabel="Loss")
        self.score_ax_ = None
        handles = ax.get_lines()
        if self.valid_score is not None:
            self.score_ax_ = ax.twinx()
            self.score_ax_.set_ylabel("Validation score")
            style = {"linestyle": ":", "color": "gray", **kwargs}
            scores = self._draw(
                self.score_ax_, self.valid_score, f"{prefix}validation score", **style
            )
            self.lines_ += scores
            handles = [*handles, *scores]
        ax.legend(handles=handles)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @staticmethod
    def _draw(ax: Any, values: Sequence[float], label: str, **kwargs: Any) -> list[Any]:
        return ax.plot(range(1, len(values) + 1), values, **{"label": label, **kwargs})
