"""Generative networks that may be told the class of each sample."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, column_or_1d
from torch.utils.data import Dataset

from sknets._data import is_streamed
from sknets._params import estimator, param
from sknets._random import Stream, derived_seed
from sknets._targets import found_targets, given_targets
from sknets.base.descent import DescentEstimator, is_stochastic
from sknets.base.training_set import Call, TrainingSet
from sknets.base.transformer import NetworkTransformer


@estimator
class ConditionalNetwork(NetworkTransformer, DescentEstimator):
    """Abstract: a network of samples and, with conditional=True, of columns for their classes."""

    conditional: bool = param(
        False,
        "boolean",
        "Whether the distribution is given a class, `y`, which all parts of the network are told. "
        "Otherwise `y` is ignored.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "classes_": "ndarray of shape (n_classes,): The classes, with conditional=True.",
        "class_prior_": "ndarray of shape (n_classes,): Their shares in training.",
    }
    _fit_state: ClassVar[dict[str, type]] = {"_class_counts": np.ndarray}
    _lasting_parameters: ClassVar[tuple[str, ...]] = ("conditional",)

    def fit(self, X: Any, y: Any = None, *, difficulty: Any = None) -> Any:
        """Learn the distribution of the data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or torch Dataset
            The data, or what else the class takes, such as images.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True. Ignored otherwise.
        difficulty : array-like of shape (n_samples,), default=None
            How hard each sample is, by which a `curriculum` orders them. Ignored without one.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed, or if the loss stops being finite.
        """
        return self._fit(Call(X, y if self.conditional else None, difficulty=difficulty))

    @available_if(is_stochastic)
    def partial_fit(self, X: Any, y: Any = None, classes: Any = None) -> Any:
        """Train for one more epoch on the given rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, or what else the class takes, such as images. The first call decides on the
            kinds, categories and scales of columns.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True. Ignored otherwise.
        classes : array-like of shape (n_classes,), default=None
            All classes of all calls. Needed at the first call, where `y` may lack some.

        Returns
        -------
        self : object
            The trained estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed, or if the loss stops being finite.
        """
        given = y if self.conditional else None
        return self._fit(Call(X, given, classes=classes, incremental=True))

    # -- classes of a fit

    def _training_set(self, call: Call, fresh: bool) -> TrainingSet:
        y = self._checked_classes(call.X, call.y) if self.conditional else None
        X, _ = self._validate(call.X, None, reset=fresh)
        return TrainingSet(self._joined(X, self._encode(y, fresh, call.classes)))

    def _checked_classes(self, X: Any, y: Any) -> np.ndarray:
        if is_streamed(X) or isinstance(X, Dataset):
            raise ValueError("conditional=True needs data that is held in memory.")
        if y is None:
            raise ValueError(
                f"{type(self).__name__}(conditional=True) requires y to be passed, but the target "
                "y is None."
            )
        y = column_or_1d(check_array(y, ensure_2d=False, dtype=None, input_name="y"), warn=True)
        check_consistent_length(X, y)
        return y

    def _encode(self, y: Any, fresh: bool, classes: Any) -> np.ndarray | None:
        self.n_outputs_ = self.n_features_in_
        if not self.conditional:
            return None
        if fresh:
            targets = found_targets(y) if classes is None else given_targets(y, classes)
            if targets.kind not in ("binary", "multiclass"):
                raise ValueError(
                    f"conditional=True takes one class for each sample. Got {targets.kind} targets."
                )
            self.classes_ = targets.classes
        places = self._places(y)
        counts = np.bincount(places, minlength=len(self.classes_))
        self._class_counts = counts if fresh else counts + vars(self)["_class_counts"]
        self.class_prior_ = self._class_counts / self._class_counts.sum()
        return places

    # -- classes of what is asked for

    @property
    def _n_classes(self) -> int:
        return len(self.classes_) if self._shape_of("conditional") else 0

    def _shape_of(self, name: str) -> Any:
        """A parameter as it was fitted, or is being fitted."""
        return getattr(self, "_shape", {}).get(name, getattr(self, name))

    def _places(self, y: Any) -> np.ndarray:
        """The places of classes among those that are known."""
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y has {unknown}, which are none of the classes {self.classes_}.")
        return np.searchsorted(self.classes_, y)

    def _places_of(self, y: Any, X: Any) -> np.ndarray:
        """The places of the classes that rows are given with."""
        y = column_or_1d(y)
        check_consistent_length(X, y)
        return self._places(y)

    def _places_for(self, n: int, y: Any) -> np.ndarray | None:
        """The places of the classes that samples are asked for with: one for all, or one for each.

        None where none are.
        """
        if y is None or not self._n_classes:
            return None
        return self._places(np.full(n, y) if np.ndim(y) == 0 else column_or_1d(y))

    def _drawn_places(self, n: int, seed: int) -> np.ndarray | None:
        """The places of classes that are drawn by their shares in training, if there are any."""
        if not self._n_classes:
            return None
        random = np.random.default_rng(derived_seed(seed, Stream.SPLIT))
        return random.choice(self._n_classes, n, p=self.class_prior_)

    @abstractmethod
    def _of_each_class(self, rows: Any) -> np.ndarray:
        """How likely rows are as each class, by some measure: (n_samples, n_classes)."""

    def _with_each_class(self, rows: Any, function: Callable[[Any], np.ndarray]) -> np.ndarray:
        """A function of inputs, for rows with each class in turn: (n_samples, n_classes)."""
        of_each = (np.full(rows.shape[0], place) for place in range(self._n_classes))
        return np.stack([function(self._joined(rows, places)) for places in of_each], 1)

    def _given(self, rows: Any, y: Any) -> Any:
        """Validated rows with their classes; the likeliest of each where none are given."""
        if not self._n_classes:
            return rows
        likeliest = self._of_each_class(rows).argmax(1) if y is None else None
        return self._joined(rows, self._places_of(y, rows) if likeliest is None else likeliest)

    def _joined(self, X: Any, places: Any) -> Any:
        """Inputs with columns for their classes, if these are given."""
        if not self._n_classes:
            return X
        classes = np.eye(self._n_classes, dtype=X.dtype)[places]
        return sp.hstack([X, classes], "csr") if sp.issparse(X) else np.hstack([X, classes])
