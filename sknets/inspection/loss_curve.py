"""How the loss fell, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from sknets._params import InvalidParameterError
from sknets.inspection._curves import Curve, Curves, Words, of_history
from sknets.inspection._fitted import having


class LossCurveDisplay(Curves):
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

    _words: ClassVar[Words] = Words(
        "Loss", "training loss", "validation loss", "Validation score", "validation score"
    )

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
        if not len(estimator.loss_curve_):
            raise InvalidParameterError(
                f"The 'estimator' parameter of {cls.__name__} must have learnt for an epoch at "
                f"least. Got {estimator!r}, whose loss_curve_ is empty."
            )
        history = getattr(estimator, "history_", [])
        display = cls(
            estimator.loss_curve_,
            valid_loss=of_history(history, "valid_loss"),
            valid_score=of_history(history, "valid_score"),
            name=type(estimator).__name__ if name is None else name,
        )
        return display.plot(ax=ax, **kwargs)

    @property
    def score_ax_(self) -> Any:
        """Where validation scores are."""
        return self._right_ax

    def _curves(self) -> tuple[Sequence[float], Curve, Curve]:
        return self.train_loss, self.valid_loss, self.valid_score
