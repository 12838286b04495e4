"""How Boltzmann machines learn, and what they dream of."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import column_or_1d

from sknets._params import Interval, InvalidParameterError, check_values, is_count
from sknets._random import draw_seed
from sknets.inspection._curves import Curve, Curves, Words, of_history
from sknets.inspection._fitted import having
from sknets.inspection.images import ImagesDisplay, as_images

CHAINS = {"n_chains": [Interval(Integral, 1, None, closed="left")]}


class FreeEnergyDisplay(Curves):
    """How a restricted Boltzmann machine learnt: reconstruction error, and free-energy gap.

    The gap is by how much the free energy of what was held out is above that of training data.
    A machine that overfits widens it; free energies themselves say little, as they are known up to
    the logarithm of a partition function that changes (Hinton, 2010, section 6). It is best made by
    `from_estimator`.

    Parameters
    ----------
    reconstruction_error : sequence of float
        The mean squared error of each epoch, of a way up and down.
    valid_reconstruction_error : sequence of float, default=None
        The same of what was held out.
    gap : sequence of float, default=None
        The gap of each epoch in nats, drawn on an axis of its own.
    name : str, default=None
        What the legend calls the machine.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the errors are.
    gap_ax_ : matplotlib Axes or None
        Where gaps are, those of all displays on the same axes.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The curves.

    See Also
    --------
    FantasyParticlesDisplay : What the machine takes for data.
    LossCurveDisplay : The same of networks that learn by a loss.

    References
    ----------
    .. [1] Hinton (2010). "A practical guide to training restricted Boltzmann machines." Technical
       report 2010-003, University of Toronto.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import BernoulliRBM
    >>> from sknets.inspection import FreeEnergyDisplay
    >>> X = load_digits().data / 16
    >>> rbm = BernoulliRBM(32, n_iter=5, validation_fraction=0.2, random_state=0).fit(X)
    >>> len(FreeEnergyDisplay.from_estimator(rbm).gap)
    5
    """

    _words: ClassVar[Words] = Words(
        "Reconstruction error", "training", "validation", "Free-energy gap [nats]", "gap"
    )

    def __init__(
        self,
        reconstruction_error: Sequence[float],
        *,
        valid_reconstruction_error: Sequence[float] | None = None,
        gap: Sequence[float] | None = None,
        name: str | None = None,
    ) -> None:
        self.reconstruction_error = reconstruction_error
        self.valid_reconstruction_error = valid_reconstruction_error
        self.gap = gap
        self.name = name

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, name: str | None = None, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Draw how a fitted machine learnt.

        Parameters
        ----------
        estimator : fitted BernoulliRBM or GaussianRBM
            With ``validation_fraction``, for more than errors of training data; or a Pipeline that
            ends with one, or a search for one.
        name : str, default=None
            What the legend calls it; its class by default.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to matplotlib's ``plot``.

        Returns
        -------
        display : FreeEnergyDisplay
            The display, drawn.
        """
        estimator = having("history_", estimator, cls.__name__)
        history = estimator.history_
        error = of_history(history, "reconstruction_error")
        if error is None:
            raise InvalidParameterError(
                f"The 'estimator' parameter of {cls.__name__} must be a restricted Boltzmann "
                f"machine that has learnt for an epoch at least. Got {estimator!r} instead."
            )
        watched = [record for record in history if "valid_free_energy" in record]
        gap = [record["valid_free_energy"] - record["free_energy"] for record in watched]
        display = cls(
            error,
            valid_reconstruction_error=of_history(history, "valid_reconstruction_error"),
            gap=gap or None,
            name=type(estimator).__name__ if name is None else name,
        )
        return display.plot(ax=ax, **kwargs)

    @property
    def gap_ax_(self) -> Any:
        """Where gaps are."""
        return self._right_ax

    def _curves(self) -> tuple[Sequence[float], Curve, Curve]:
        return self.reconstruction_error, self.valid_reconstruction_error, self.gap


class FantasyParticlesDisplay(ImagesDisplay):
    """Chains of a generative machine on their way: a column a chain, a row a number of steps.

    Where chains look like data after a few steps and stay as they are for many, the machine has
    learnt modes, and mixes badly. It is best made by `from_estimator`.

    Parameters
    ----------
    images : ndarray of shape (n_steps * n_chains, height, width)
        What the chains are at, row by row.
    labels : sequence of objects, default=None
        What to write above each image.
    row_labels : sequence of n_steps objects, default=None
        What to write before each row.
    n_cols : int, default=10
        Chains.

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
    ReconstructionsDisplay : What is left of given images.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import BernoulliRBM
    >>> from sknets.inspection import FantasyParticlesDisplay
    >>> rbm = BernoulliRBM(32, n_iter=5, random_state=0).fit(load_digits().data / 16)
    >>> display = FantasyParticlesDisplay.from_estimator(rbm, n_chains=4, steps=(1, 10, 100))
    >>> display.images.shape
    (12, 8, 8)
    """

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        n_chains: int = 10,
        steps: Sequence[int] = (1, 10, 100, 1000),
        y: Any = None,
        random_state: Any = None,
        image_shape: tuple[int, ...] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Let chains of a fitted machine run, and draw where they are.

        Parameters
        ----------
        estimator : fitted estimator
            With ``sample(n_samples, y=, n_steps=, random_state=)``; or a Pipeline that ends with
            one, or a search for one. Where it has `reconstruct`, what that makes of samples is
            drawn, which is smoother.
        n_chains : int, default=10
            How many.
        steps : sequence of int, default=(1, 10, 100, 1000)
            Numbers of Gibbs steps, from few to many, after which chains are drawn.
        y : object or array-like of shape (n_chains,), default=None
            The class of all chains, or of each, which is held, of a classifier.
        random_state : int, RandomState instance or None, default=None
            Seed of the chains.
        image_shape : tuple, default=None
            (height, width) or (channels, height, width) of an image; None takes it to be square.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : FantasyParticlesDisplay
            The display, drawn.
        """
        machine = having("sample", estimator, cls.__name__)
        check_values(cls.__name__, CHAINS, {"n_chains": n_chains})
        numbers = list(steps) if np.iterable(steps) else []
        if not numbers or not all(map(is_count, numbers)) or numbers != sorted(set(numbers)):
            raise InvalidParameterError(
                f"The 'steps' parameter of {cls.__name__} must hold whole numbers > 0 that rise. "
                f"Got {steps!r} instead."
            )
        if np.ndim(y) > 0 and len(y) != n_chains:
            raise InvalidParameterError(
                f"The 'y' parameter of {cls.__name__} must hold a class for each of {n_chains} "
                f"chains. Got {len(y)} of them."
            )
        seed = draw_seed(random_state)  # so that each row is where the same chains are later
        given = {"y": y, "random_state": seed}
        drawn = np.concatenate([machine.sample(n_chains, n_steps=n, **given) for n in numbers])
        if hasattr(machine, "reconstruct"):
            drawn = machine.reconstruct(drawn)
        labels = None
        if y is not None:
            classes = [y] * n_chains if np.ndim(y) == 0 else list(column_or_1d(y))
            labels = [*classes, *[""] * (len(drawn) - n_chains)]
        rows = [f"{n:,} step{'' if n == 1 else 's'}" for n in numbers]
        images = as_images(drawn, image_shape, cls.__name__)
        display = cls(images, labels=labels, row_labels=rows, n_cols=n_chains)
        return display.plot(ax=ax, **kwargs)
