"""How a generative adversarial network learns: the losses of both players, and its samples."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np

from sknets._params import Interval, InvalidParameterError, check_values
from sknets.inspection._curves import Curve, Curves, Words, of_history
from sknets.inspection._fitted import having
from sknets.inspection.images import ImagesDisplay, as_images


class GameLossDisplay(Curves):
    """Losses of a generator and of its discriminator by epoch, and the score on held-out data.

    Each is only as low as the other lets it be. It is best made by `from_estimator`.

    Parameters
    ----------
    generator_loss, discriminator_loss : sequence of float
        Of each epoch.
    valid_score : sequence of float, default=None
        Score on the validation part, drawn on an axis of its own.
    name : str, default=None
        What the legend calls the estimator.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the losses are.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The curves.

    See Also
    --------
    LossCurveDisplay : Of a network that has one loss.
    SampleProgressDisplay : What the same codes became.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknets import GAN
    >>> from sknets.inspection import GameLossDisplay
    >>> gan = GAN(2, (16,), max_iter=5, random_state=0).fit(load_iris().data)
    >>> display = GameLossDisplay.from_estimator(gan)
    >>> len(display.lines_)
    2
    """

    _words: ClassVar[Words] = Words(
        "Loss", "generator", "discriminator", "Validation score", "validation score"
    )

    def __init__(
        self,
        generator_loss: Sequence[float],
        discriminator_loss: Sequence[float],
        *,
        valid_score: Sequence[float] | None = None,
        name: str | None = None,
    ) -> None:
        self.generator_loss, self.discriminator_loss = generator_loss, discriminator_loss
        self.valid_score, self.name = valid_score, name

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, name: str | None = None, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Draw the losses of a fitted generative adversarial network.

        Parameters
        ----------
        estimator : fitted estimator
            With a ``discriminator_loss_curve_``; or a Pipeline that ends with one, or a search for
            one.
        name : str, default=None
            What the legend calls it; its class by default.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to matplotlib's ``plot``.

        Returns
        -------
        display : GameLossDisplay
            The display, drawn.
        """
        estimator = having("discriminator_loss_curve_", estimator, cls.__name__)
        display = cls(
            estimator.generator_loss_curve_,
            estimator.discriminator_loss_curve_,
            valid_score=of_history(estimator.history_, "valid_score"),
            name=type(estimator).__name__ if name is None else name,
        )
        return display.plot(ax=ax, **kwargs)

    def _curves(self) -> tuple[Sequence[float], Curve, Curve]:
        return self.generator_loss, self.discriminator_loss, self.valid_score


class SampleProgressDisplay(ImagesDisplay):
    """What the same codes became while a generator learnt: a column a code, a row an epoch.

    It is best made by `from_estimator`.

    Parameters
    ----------
    images : ndarray of shape (n_epochs * n_codes, height, width)
        The samples, row by row.
    labels : sequence of objects, default=None
        What to write above each image.
    row_labels : sequence of n_epochs objects, default=None
        What to write before each row.
    n_cols : int, default=10
        Codes.

    Attributes
    ----------
    im_ : matplotlib AxesImage
        The images as one.
    text_ : list of matplotlib Text
        The labels.
    ax_ : matplotlib Axes
        Where the images are.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    GameLossDisplay : The losses of both players.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import DCGAN
    >>> from sknets.inspection import SampleProgressDisplay
    >>> gan = DCGAN(8, filters=4, n_progress_samples=5, max_iter=3, random_state=0)
    >>> display = SampleProgressDisplay.from_estimator(gan.fit(load_digits().images / 16))
    >>> display.images.shape
    (15, 8, 8)
    """

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        n_rows: int = 8,
        image_shape: tuple[int, ...] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the samples that a fitted estimator kept of some of its epochs.

        Parameters
        ----------
        estimator : fitted estimator
            With ``progress_samples_``, as those have that were fitted with n_progress_samples; or a
            Pipeline that ends with one, or a search for one.
        n_rows : int, default=8
            How many epochs are drawn, spread evenly, the first and the last among them.
        image_shape : tuple, default=None
            (height, width) or (channels, height, width) of rows. None: that of the estimator's
            images, or squares.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : SampleProgressDisplay
            The display, drawn.
        """
        check_values(cls.__name__, PROGRESS, {"n_rows": n_rows})
        fitted = having("progress_samples_", estimator, cls.__name__)
        kept = fitted.progress_samples_
        if not kept:
            raise InvalidParameterError(
                f"The 'estimator' parameter of {cls.__name__} must be fitted with "
                f"n_progress_samples > 0. Got {estimator!r} instead."
            )
        if image_shape is None and kept[0].ndim == 2:  # rows of images whose shape is known
            image_shape = getattr(fitted, "image_shape_", None)
        epochs = np.unique(np.linspace(0, len(kept) - 1, n_rows).round().astype(int))
        images = as_images(np.concatenate([kept[i] for i in epochs]), image_shape, cls.__name__)
        rows = [f"epoch {i + 1}" for i in epochs]
        return cls(images, row_labels=rows, n_cols=len(kept[0])).plot(ax=ax, **kwargs)


PROGRESS = {"n_rows": [Interval(Integral, 1, None, closed="left")]}
