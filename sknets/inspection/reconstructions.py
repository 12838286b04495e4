"""What is left of inputs after a way through a narrow or noisy layer, beside them."""

from __future__ import annotations

from math import prod
from typing import Any, Self

import numpy as np
from sklearn.pipeline import Pipeline

from sknets._params import InvalidParameterError, check_values
from sknets.inspection._fitted import having
from sknets.inspection.images import GRID, ImagesDisplay, as_images
from sknets.preprocessing.layout import as_floats


class ReconstructionsDisplay(ImagesDisplay):
    """Images, and under each what an estimator makes of it. It is best made by `from_estimator`.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3)
        A row of inputs, a row of what is left of them, and so on.
    labels : sequence of n_images objects, default=None
        What to write above each image.
    row_labels : sequence of objects, default=None
        What to write before each row.
    n_cols : int, default=10
        Images in a row.

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
    WeightsDisplay : What hidden units look for.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import BernoulliRBM
    >>> from sknets.inspection import ReconstructionsDisplay
    >>> X = load_digits().data / 16
    >>> rbm = BernoulliRBM(32, n_iter=5, random_state=0).fit(X)
    >>> ReconstructionsDisplay.from_estimator(rbm, X[:10]).images.shape
    (20, 8, 8)
    """

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        image_shape: tuple[int, ...] | None = None,
        n_rows: int = 3,
        n_cols: int = 10,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw inputs and what a fitted estimator makes of them.

        Parameters
        ----------
        estimator : fitted estimator
            With ``reconstruct``, or with ``transform`` and ``inverse_transform``; or a Pipeline
            that ends with one, or a search for one. Of a Pipeline images are shown as they are
            before its first step where all steps can be undone, else as the last step takes them.
        X : array-like of shape (n_samples, n_features)
            The inputs.
        image_shape : tuple, default=None
            (height, width) or (channels, height, width) of an image; None takes it to be square,
            unless the estimator knows.
        n_rows : int, default=3
            Rows of inputs, at most, each with what is left of them below.
        n_cols : int, default=10
            Images in a row, at most.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : ReconstructionsDisplay
            The display, drawn.
        """
        check_values(cls.__name__, GRID, {"n_rows": n_rows, "n_cols": n_cols})
        estimator = getattr(estimator, "best_estimator_", estimator)
        given, made = reconstructed(estimator, X[: n_rows * n_cols], cls.__name__)
        stored = _stored(having("transform", estimator, cls.__name__))
        if image_shape is None and stored is not None and prod(stored) == given[0].size:
            image_shape = stored
        pairs = [as_images(part, image_shape, cls.__name__).astype(float) for part in (given, made)]
        n_cols = min(n_cols, len(given))
        filled = [np.concatenate([part, _blank(part, -len(part) % n_cols)]) for part in pairs]
        rows = [part.reshape(-1, n_cols, *part.shape[1:]) for part in filled]
        images = np.stack(rows, 1).reshape(-1, *filled[0].shape[1:])
        names = ["input", "reconstruction"] * len(rows[0])
        return cls(images, row_labels=names, n_cols=n_cols).plot(ax=ax, **kwargs)


def reconstructed(estimator: Any, X: Any, owner: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, and what is left of them, both as the first step of a Pipeline has them if it can."""
    if isinstance(estimator, Pipeline) and len(estimator) > 1:
        before = estimator[:-1]
        taken, made = reconstructed(estimator[-1], before.transform(X), owner)
        if hasattr(before, "inverse_transform"):
            return _dense(X), before.inverse_transform(made)
        return taken, made
    fitted = having("transform", estimator, owner)
    if hasattr(fitted, "reconstruct"):
        given = _dense(X)
        return (given if _stored(fitted) is None else as_floats(given)), fitted.reconstruct(X)
    if not hasattr(fitted, "inverse_transform"):
        raise InvalidParameterError(
            f"The 'estimator' parameter of {owner} must have 'reconstruct', or 'transform' and "
            f"'inverse_transform'. Got {fitted!r} instead."
        )
    return _dense(X), fitted.inverse_transform(fitted.transform(X))


def _stored(fitted: Any) -> tuple[int, ...] | None:
    """The shape of an image in a row of what a network of images was fitted to; None of others.

    Such networks read bytes as shares of 255.
    """
    images = getattr(getattr(fitted, "module_", None), "images", None)
    return None if images is None else images.stored


def _dense(X: Any) -> np.ndarray:
    return X.toarray() if hasattr(X, "toarray") else np.asarray(X)


def _blank(images: np.ndarray, n: int) -> np.ndarray:
    """Images that are not seen."""
    return np.full((n, *images.shape[1:]), np.nan)
