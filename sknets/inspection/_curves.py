"""Curves by epoch, on one axis or two."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Self

from sknets._optional import require

Curve = Sequence[float] | None


class Words(NamedTuple):
    """What axes and curves are called."""

    left_axis: str
    train: str
    valid: str
    right_axis: str
    right: str


class Curves(ABC):
    """Abstract: a curve of the training data, and maybe two of what was held out.

    The second of those is drawn on an axis of its own, which displays on the same axes share.
    """

    name: str | None
    _words: ClassVar[Words]

    @abstractmethod
    def _curves(self) -> tuple[Sequence[float], Curve, Curve]:
        """Of the training data, of what was held out, and on the axis on the right."""

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
        display : object
            Itself.
        """
        pyplot = require("matplotlib.pyplot", extra="plot", feature=f"{type(self).__name__}.plot")
        from matplotlib import cbook
        from matplotlib.lines import Line2D

        words, (train, valid, right) = self._words, self._curves()
        if ax is None:
            _, ax = pyplot.subplots(layout="constrained")
            ax.locator_params(axis="x", integer=True)
        ax.set(xlabel="Epoch", ylabel=words.left_axis)
        self.ax_, self.figure_, right_ax = ax, ax.figure, _axes_on_top_of(ax)
        kwargs = cbook.normalize_kwargs(kwargs, Line2D)  # c is color, ls linestyle
        self.lines_ = self._draw(ax, train, words.train, kwargs)
        style = {"color": self.lines_[0].get_color(), **kwargs}
        if valid is not None:
            self.lines_ += self._draw(ax, valid, words.valid, {"linestyle": "--", **style})
        if right is not None:
            right_ax = right_ax or ax.twinx()
            right_ax.set_ylabel(words.right_axis)
            self.lines_ += self._draw(right_ax, right, words.right, {"linestyle": ":", **style})
        if right_ax is None:
            ax.legend()
        else:  # between curves that fall and curves that rise
            handles = [*ax.get_lines(), *right_ax.get_lines()]
            ax.legend(handles=handles, loc="center right")
        self._right_ax = right_ax
        return self

    def _draw(self, ax: Any, values: Sequence[float], what: str, style: dict) -> list[Any]:
        label = f"{self.name}: {what}" if self.name else what
        marker = "o" if len(values) == 1 else None  # a line of one point is not seen
        style = {"label": label, "marker": marker, **style}
        return ax.plot(range(1, len(values) + 1), values, **style)


def of_history(history: list[dict[str, Any]], key: str) -> list[float] | None:
    """What epochs have of something, None where none has it."""
    return [record[key] for record in history if key in record] or None


def _axes_on_top_of(ax: Any) -> Any:
    """Where an earlier display has its axis on the right, if there was one."""
    siblings = ax.get_shared_x_axes().get_siblings(ax)
    return next((s for s in siblings if s is not ax and s.bbox.bounds == ax.bbox.bounds), None)
