"""Several augmentations at once: for the batches of a training step, or for a whole data set.

An augmentation is a callable ``(x, generator)`` of float tensors ``(n, channels, height, width)``
or ``(n, channels, length)``, on their device; names stand for those of `AUGMENTATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_consistent_length
from sklearn.utils.metaestimators import _BaseComposition
from torch import Generator, Tensor

from sknets._data import as_array, slices
from sknets._params import (
    Interval,
    InvalidParameterError,
    OneOf,
    check_values,
    estimator,
    param,
)
from sknets._random import Stream, draw_seed, generator
from sknets.preprocessing._batches import Augmentation, AugmentedBatch
from sknets.preprocessing.geometric import (
    Crop,
    Elastic,
    Flip,
    Geometric,
    Resampling,
    Rotate,
    Scale,
    Shear,
    Translate,
)
from sknets.preprocessing.images import ImageTransformer
from sknets.preprocessing.layout import (
    Layout,
    as_floats,
    as_image_array,
    channels_last,
    checked_rows,
    sample_shape,
)
from sknets.preprocessing.pixelwise import ColorJitter, Cutout, Mixup, PCAJitter

SLICE = 512  # images that `augmented` works on at a time

AUGMENTATIONS: dict[str, Callable[..., Augmentation]] = {
    "flip": Flip,
    "crop": Crop,
    "translate": Translate,
    "rotate": Rotate,
    "scale": Scale,
    "shear": Shear,
    "elastic": Elastic,
    "color_jitter": ColorJitter,
    "pca_jitter": PCAJitter,
    "cutout": Cutout,
    "mixup": Mixup,
}
NAMES = {made: name for name, made in AUGMENTATIONS.items()}
STEP = [OneOf(*AUGMENTATIONS), callable, tuple, list]
SETTINGS = {
    "copies": [Interval(Integral, 0, None, closed="left")],
    "random_state": ["random_state"],
}


@estimator
class Compose(_BaseComposition, Augmentation):
    """Several augmentations, one after the other, whose parameters a search reaches.

    A tuple does the same where nothing is searched. Neighbours that move pixels become one
    interpolation, which is both faster than several and less blurred.

    See Also
    --------
    augmented : A data set, with augmented copies.

    Examples
    --------
    >>> from sknets.preprocessing import Compose, Rotate
    >>> augment = Compose(("flip", Rotate(10)))
    >>> augment.set_params(rotate__degrees=20).get_params()["rotate__degrees"]
    20
    >>> augment
    Compose(steps=('flip', Rotate(degrees=20)))
    """

    steps: Any = param(
        (),
        [tuple, list],
        "Names, augmentations, or callables ``(x, generator)`` that return a tensor or an "
        "`AugmentedBatch`.",
        kw_only=False,
    )

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters, and with them those of the steps by their names.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the steps: ``rotate`` and ``rotate__degrees``, a second one as
            ``rotate_2``.

        Returns
        -------
        params : dict
            Names and values.
        """
        return self._get_params("_named_steps", deep=deep)

    def set_params(self, **params: Any) -> Compose:
        """Set parameters, replace steps by their names, or set parameters of steps.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : Compose
            Itself.
        """
        if "steps" in params:
            self.steps = params.pop("steps")
        return self._set_params("_named_steps", **params)

    def _changed(self, x: Tensor, generator: Generator) -> AugmentedBatch:
        return Chain.of(self)(x, generator)

    @property
    def _named_steps(self) -> list[tuple[str, Any]]:
        names = [_name(step) for step in self.steps]
        earlier = [names[:i].count(name) for i, name in enumerate(names)]
        unique = [f"{name}_{n + 1}" if n else name for name, n in zip(names, earlier, strict=True)]
        return list(zip(unique, self.steps, strict=True))

    @_named_steps.setter
    def _named_steps(self, named: list[tuple[str, Any]]) -> None:
        self.steps = tuple(step for _, step in named)


def _name(step: Any) -> str:
    """What a search calls a step of `Compose`."""
    if isinstance(step, str):
        return step
    return NAMES.get(type(step)) or getattr(step, "__name__", type(step).__name__).lower()


class Foreign:
    """A callable of the user's, given a batch that it may change in place, and what it returns."""

    def __init__(self, function: Callable[[Tensor, Generator], Any]) -> None:
        self.function = function

    def __call__(self, x: Tensor, generator: Generator) -> Any:
        made = self.function(x.clone(), generator)
        images = made.x if isinstance(made, AugmentedBatch) else made
        if (
            not isinstance(images, Tensor)
            or images.dtype != x.dtype
            or images.ndim != x.ndim
            or images.shape[:2] != x.shape[:2]
        ):
            is_tensor = isinstance(images, Tensor)
            found = f"{images.dtype} of shape {tuple(images.shape)}" if is_tensor else repr(images)
            raise ValueError(
                f"The callable {self.function!r} of an augmentation must return a tensor (or an "
                f"AugmentedBatch) of as many images and channels as it gets, {x.dtype} of shape "
                f"{tuple(x.shape)}. Got {found} instead."
            )
        return made


class Chain:
    """Augmentations as they run: checked, and neighbours that move pixels put together.

    A training step holds one and calls it on every batch::

        chain = Chain.of(augment, "CNNClassifier")  # raises the errors
        batch = chain(images, generator)
        pairs = batch.pairs(network(batch.x), y, weight)
        loss = weighted_mean(losses(pairs.raw, pairs.y), pairs.weight)

    Parameters
    ----------
    steps : sequence of callables
        Augmentations, or callables ``(x, generator)`` of the user's.
    """

    def __init__(self, steps: Sequence[Callable[[Tensor, Generator], Any]]) -> None:
        self.steps = [step for step in steps if isinstance(step, Augmentation)]
        self.links: list[Callable[[Tensor, Generator], Any]] = []
        for step in steps:
            last = self.links[-1] if self.links else None
            if not isinstance(step, Augmentation):
                self.links.append(Foreign(step))
            elif not isinstance(step, Geometric):
                self.links.append(step._changed)
            elif isinstance(last, Resampling) and last.can_go_on(step):
                self.links[-1] = Resampling([*last.steps, step])
            else:
                self.links.append(Resampling([step]))

    @classmethod
    def of(cls, augment: Any, owner: str = "Compose", parameter: str = "augment") -> Chain:
        """The augmentations that a parameter names, checked.

        Parameters
        ----------
        augment : str, augmentation, callable, or a tuple or list of them
        owner, parameter : str
            Whose parameter it is, and which, for messages.

        Raises
        ------
        InvalidParameterError
            For an unknown name, or what is no augmentation, or one with a bad parameter.
        """
        return cls(list(_steps(augment, owner, parameter)))

    def shape_of(self, image_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of what images of a shape become."""
        if not self.links:
            return image_shape
        with torch.device("cpu"):  # whatever the device of the network that is being built
            made = self(torch.zeros(2, *image_shape), Generator().manual_seed(0))
        return tuple(made.x.shape[1:])

    @torch.no_grad()
    def __call__(self, x: Tensor, generator: Generator) -> AugmentedBatch:
        """Augment a batch; its memory format stays."""
        for step in self.steps:
            step._check_batch(x)
        batch = AugmentedBatch(x)
        for link in self.links:
            made = link(batch.x, generator)
            if not isinstance(made, AugmentedBatch):
                batch = batch._replace(x=made)
            elif batch.partner is None:
                batch = made
            else:
                raise ValueError("Samples can be mixed once. Got two augmentations that mix them.")
        if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
            return batch._replace(x=channels_last(batch.x))
        return batch


def _steps(augment: Any, owner: str, parameter: str) -> Iterator[Any]:
    """What there is to do, names made into augmentations and parameters checked."""
    check_values(owner, {parameter: STEP}, {parameter: augment})
    if isinstance(augment, str):
        yield AUGMENTATIONS[augment]()
    elif isinstance(augment, (tuple, list)):
        for step in augment:
            yield from _steps(step, owner, parameter)
    elif isinstance(augment, type):
        raise InvalidParameterError(
            f"The {parameter!r} parameter of {owner} must have augmentations, such as Flip(), not "
            f"their classes. Got {augment.__name__} instead."
        )
    elif isinstance(augment, Compose):
        augment._check()
        yield from _steps(augment.steps, "Compose", "steps")
    else:
        if isinstance(augment, Augmentation):
            augment._check()
        yield augment


def augmented(
    X: Any,
    y: Any,
    augment: Any,
    copies: int = 1,
    random_state: Any = None,
    *,
    image_shape: tuple[int, ...] | None = None,
    channels: str = "first",
    signal: bool = False,
) -> tuple[np.ndarray, np.ndarray | None]:
    """A data set with augmented copies of its images after them, for any estimator.

    Bytes (uint8) are augmented as shares of 255, and come back as bytes, rounded.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features), (n_samples, height, width), \
            (n_samples, channels, height, width) or (n_samples, height, width, channels)
        The images.
    y : array-like of shape (n_samples,) or (n_samples, n_targets), or None
        Their targets, which augmentation keeps; None where there are none.
    augment : str, augmentation, callable, or a tuple or list of them
        What is done to the copies, such as ``("crop", Rotate(10))``; `Mixup`, which mixes targets,
        cannot be.
    copies : int, default=1
        Augmented images of each one.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws. The first copies do not depend on how many there are.
    image_shape : tuple of int, default=None
        Shape of the image in a row: (height, width), or that with an axis of channels; of a signal
        (length,) or that with one. None takes a row for a signal of one channel.
    channels : {"first", "last"}, default="first"
        Whether the axis of channels is the first or the last of an image.
    signal : bool, default=False
        Whether three-dimensional arrays are signals, (n, channels, length).

    Returns
    -------
    X_augmented : ndarray of shape ((1 + copies) * n_samples, ...)
        The images as they came, then a first copy of each, then a second, ...
    y_augmented : ndarray of shape ((1 + copies) * n_samples, ...) or None
        The targets.

    Raises
    ------
    InvalidParameterError
        If a parameter is out of its range, or the shape is not that of the images.
    ValueError
        If the augmentation mixes targets, or changes the size of the images.

    See Also
    --------
    Compose : Several augmentations, one after the other.

    References
    ----------
    .. [1] DeCoste and Schölkopf (2002). "Training invariant support vector machines." Machine
       Learning 46, 161-190. https://doi.org/10.1023/A:1012454411458

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.svm import SVC
    >>> from sknets.preprocessing import Translate, augmented
    >>> X, y = load_digits(return_X_y=True)
    >>> alone = SVC().fit(X[:300], y[:300])
    >>> more, labels = augmented(
    ...     X[:300], y[:300], Translate(1), copies=4, random_state=0, image_shape=(8, 8)
    ... )
    >>> more.shape, labels.shape
    ((1500, 64), (1500,))
    >>> shifted = SVC().fit(more, labels)
    >>> bool(shifted.score(X[300:], y[300:]) > alone.score(X[300:], y[300:]) + 0.02)
    True
    """
    settings: dict[str, Any] = dict(image_shape=image_shape, channels=channels, signal=signal)
    check_values(
        "augmented",
        {**ImageTransformer._parameter_constraints, **SETTINGS},
        {**settings, "copies": copies, "random_state": random_state},
    )
    chain = Chain.of(augment, "augmented")
    X = as_image_array(X)
    rows = checked_rows(X, "augmented")
    layout = Layout.of(sample_shape(X), rows.shape[1], "augmented", **settings)
    if y is not None:
        y = np.asarray(as_array(y))
        check_consistent_length(rows, y)
        y = np.concatenate([y] * (1 + copies))
    draws = generator(draw_seed(random_state), Stream.SAMPLE)
    made = [_augmented_rows(rows, layout, chain, draws) for _ in range(copies)]
    return np.concatenate([rows, *made]).reshape(-1, *(sample_shape(X) or rows.shape[1:])), y


def _augmented_rows(rows: np.ndarray, layout: Layout, chain: Chain, draws: Generator) -> np.ndarray:
    """One augmented copy of each row, in the dtype of the rows."""
    made = np.empty_like(rows)
    for part in slices(len(rows), SLICE):
        images = np.array(layout.split(as_floats(rows[part])), order="C")
        batch = chain(torch.from_numpy(images), draws)
        if batch.partner is not None:
            raise ValueError("The 'augment' parameter of augmented must not mix targets.")
        if batch.x.shape != images.shape:
            raise ValueError(
                "The 'augment' parameter of augmented must keep the size of the images, "
                f"{images.shape[1:]}. Got {tuple(batch.x.shape[1:])} instead."
            )
        changed = layout.join(batch.x.numpy())
        bytes_again = rows.dtype == np.uint8
        made[part] = np.rint(changed * 255).clip(0, 255) if bytes_again else changed
    return made
