"""What the units of a layer respond to: their maps of an image, and the patches they like best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from sknets._measure import Layer, watched
from sknets._params import Interval, InvalidParameterError, check_values
from sknets.inspection._probe import SLICE, Probe, scaled, shown
from sknets.inspection.images import ImagesDisplay

COUNT = [Interval(Integral, 1, None, closed="left")]


def activations(
    probe: Probe, layer: str | None, owner: str
) -> tuple[Layer, Iterator[tuple[Tensor, Tensor]]]:
    """What is known of a layer, and slices of the images as the network sees them, with its maps.

    Both are (n, channels, *sides).
    """
    module = probe.estimator.module_
    network = getattr(module, "network", module)
    table = {each.name: each for each in probe.estimator._layers() if len(each.output_shape) > 1}
    if not table:
        raise InvalidParameterError(
            f"The 'estimator' parameter of {owner} must have layers that keep the image, as "
            f"convolutions do. Got {probe.estimator!r} instead."
        )
    name = next(iter(table)) if layer is None else layer
    if name not in table:
        raise InvalidParameterError(
            f"The 'layer' parameter of {owner} must be one of {', '.join(table)}. "
            f"Got {layer!r} instead."
        )

    def slices() -> Iterator[tuple[Tensor, Tensor]]:
        for part in probe.x.split(SLICE):
            with watched(network.get_submodule(name)) as made, torch.inference_mode():
                module(part)
                yield module.seen(part), made[-1].cpu()

    return table[name], slices()


class ActivationMapsDisplay(ImagesDisplay):
    """The maps that a layer makes of one image.

    It is best made by `from_estimator`.

    Parameters
    ----------
    images : ndarray of shape (n_maps, height, width)
        The values of the layer.
    labels : sequence of n_maps objects, default=None
        What to write above each map.
    row_labels : sequence of objects, default=None
        What to write before each row.
    n_cols : int, default=10
        Maps in a row.

    Attributes
    ----------
    im_ : matplotlib AxesImage
        The maps as one image.
    text_ : list of matplotlib Text
        The labels.
    ax_ : matplotlib Axes
        Where the maps are.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    PatchesDisplay : What each map responds to most.
    WeightsDisplay : The filters of the first layer.

    References
    ----------
    .. [1] Zeiler and Fergus (2014). "Visualizing and understanding convolutional networks." ECCV.
       https://doi.org/10.1007/978-3-319-10590-1_53

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import CNNClassifier
    >>> from sknets.cnn import ConvNet
    >>> from sknets.inspection import ActivationMapsDisplay
    >>> digits = load_digits()
    >>> clf = CNNClassifier(architecture=ConvNet(channels=8, dense=16), random_state=0)
    >>> clf = clf.partial_fit(digits.images, digits.target, classes=range(10))
    >>> ActivationMapsDisplay.from_estimator(clf, digits.images[:1]).images.shape
    (8, 8, 8)
    """

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        layer: str | None = None,
        n_rows: int = 5,
        n_cols: int = 10,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the maps of the first image of `X`.

        Parameters
        ----------
        estimator : fitted estimator of sknets
            With a convolutional network; or a Pipeline that ends with one, or a search for one.
        X : array-like of shape (n_samples, n_features), or as `predict` takes it
            Images, of which the first counts.
        layer : str, default=None
            The layer, by its name in ``summary(estimator)``; None is the first.
        n_rows : int, default=5
            Rows of maps, at most.
        n_cols : int, default=10
            Maps in a row, at most.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : ActivationMapsDisplay
            The display, drawn.
        """
        probe = Probe.of(estimator, X[:1], cls.__name__)
        _, slices = activations(probe, layer, cls.__name__)
        _, (maps, *_) = next(slices)
        if maps.ndim == 2:  # a signal is one pixel high
            maps = maps[:, None]
        return cls.from_arrays(maps.numpy(), n_rows=n_rows, n_cols=n_cols, ax=ax, **kwargs)


class PatchesDisplay(ImagesDisplay):
    """The patches of images to which units respond most, a row a unit.

    A patch is what a unit sees, its receptive field, where its response is largest; each comes
    from another image. It is best made by `from_estimator`.

    Parameters
    ----------
    images : ndarray of shape (n_patches, height, width) or (n_patches, height, width, 3)
        The patches.
    labels : sequence of n_patches objects, default=None
        What to write above each.
    row_labels : sequence of objects, default=None
        What to write before each row.
    n_cols : int, default=10
        Patches in a row.

    Attributes
    ----------
    im_ : matplotlib AxesImage
        The patches as one image.
    text_ : list of matplotlib Text
        The labels.
    ax_ : matplotlib Axes
        Where the patches are.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    ActivationMapsDisplay : Where the units of a layer respond in an image.

    References
    ----------
    .. [1] Girshick, Donahue, Darrell and Malik (2014). "Rich feature hierarchies for accurate
       object detection and semantic segmentation." CVPR, section 3.1.
       https://doi.org/10.1109/CVPR.2014.81

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import CNNClassifier
    >>> from sknets.cnn import ConvNet
    >>> from sknets.inspection import PatchesDisplay
    >>> digits = load_digits()
    >>> clf = CNNClassifier(architecture=ConvNet(channels=8, dense=16), random_state=0)
    >>> clf = clf.partial_fit(digits.images, digits.target, classes=range(10))
    >>> display = PatchesDisplay.from_estimator(
    ...     clf, digits.images, layer="features.pool1", n_units=3, n_patches=7)
    >>> display.images.shape
    (21, 4, 4)
    """

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        layer: str | None = None,
        n_units: int = 5,
        n_patches: int = 10,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the patches that the first units of a layer like best.

        Parameters
        ----------
        estimator : fitted estimator of sknets
            With a convolutional network; or a Pipeline that ends with one, or a search for one.
        X : array-like of shape (n_samples, n_features), or as `predict` takes it
            The images to look for patches in.
        layer : str, default=None
            The layer, by its name in ``summary(estimator)``; None is the first.
        n_units : int, default=5
            How many of its units, at most.
        n_patches : int, default=10
            Patches of each unit, at most as many as images.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : PatchesDisplay
            The display, drawn.
        """
        check_values(
            cls.__name__,
            {"n_units": COUNT, "n_patches": COUNT},
            {"n_units": n_units, "n_patches": n_patches},
        )
        probe = Probe.of(estimator, X, cls.__name__)
        found, slices = activations(probe, layer, cls.__name__)
        parts = []
        for seen, maps in slices:
            largest = maps[:, :n_units].flatten(2).max(2)
            parts.append((scaled(shown(seen)), *(found.numpy() for found in largest)))
        images, values, places = map(np.concatenate, zip(*parts, strict=True))
        patches = [
            patch_of(images[i], found, np.unravel_index(places[i, unit], found.output_shape[1:]))
            for unit in range(values.shape[1])
            for i in np.argsort(-values[:, unit], kind="stable")[:n_patches]
        ]
        n_cols = min(n_patches, len(images))
        return cls(np.stack(patches), n_cols=n_cols).plot(ax=ax, **kwargs)


def patch_of(image: np.ndarray, layer: Layer, place: Sequence[Any]) -> np.ndarray:
    """What a unit at a place of a layer sees of an image, with zeros beyond the image."""
    windows = []
    for field, i in zip(layer.fields, place, strict=True):
        start = round(field.first + i * field.step - (field.size - 1) / 2)
        windows.append((start, start + field.size))
    if len(windows) == 1:  # a signal: all of its channels
        windows.insert(0, (0, image.shape[0]))
    pads = [
        (max(0, -start), max(0, stop - side))
        for (start, stop), side in zip(windows, image.shape, strict=False)
    ]
    padded = np.pad(image, pads + [(0, 0)] * (image.ndim - 2))
    cut = tuple(
        slice(start + before, stop + before)
        for (start, stop), (before, _) in zip(windows, pads, strict=True)
    )
    return padded[cut]
