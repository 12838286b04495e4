"""A recurrent network that continues a time series, from windows of its past."""

from __future__ import annotations

from math import prod
from numbers import Integral
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names, check_is_fitted, validate_data
from skorch.dataset import Dataset as SkorchDataset
from torch import Tensor

from sknets._data import as_array
from sknets._params import Interval, InvalidParameterError, OneOf, estimator, param
from sknets._sequences import Sequences
from sknets._training.trainer import Seen
from sknets.base import REGRESSION_LOSSES, NetworkRegressor
from sknets.base.descent import is_stochastic
from sknets.base.training_set import Call, TrainingSet
from sknets.rnn.base import ManyToOne
from sknets.rnn.network import Last, Reader, Recurrent, SequenceNetwork


class Series(NamedTuple):
    """A series and what is known beside it: (time, n_series) and (time, n_features)."""

    y: np.ndarray
    X: np.ndarray

    def part(self, rows: slice) -> Series:
        return Series(self.y[rows], self.X[rows])


class StepsAhead(SequenceNetwork):
    """An output for each step after a window, from all that is known up to it.

    Of the steps that are not there, where fewer are known, none of the others hears.
    """

    def __init__(self, reader: Reader, recurrent: Recurrent, window: int, n_series: int) -> None:
        super().__init__(reader, recurrent, Last(), n_series)
        self.window = window

    def forward(self, x: Tensor | Sequences) -> Tensor:
        outputs = self.states(x).values[:, self.window :]
        return self.head(self.recurrent.dropout(outputs)).flatten(1)


@estimator
class RNNForecaster(ManyToOne, NetworkRegressor):
    r"""Recurrent network that continues a time series.

    It learns :math:`y_{t+1}, \dots, y_{t+h}` from the `window` values before, standardised and,
    with `difference`, as differences. With ``strategy="recursive"`` it gives one step and takes it
    for the next, with "direct" `horizon` steps at once. What is known of the future beside the
    series, such as the month or a price, is in `X`, a row a step; "direct" then has an output at
    each step ahead, and neither `pooling` nor `bidirectional`. See the :ref:`user guide <rnn>`.

    See Also
    --------
    sknets.RNNRegressor : Numbers of whole sequences.
    sklearn.model_selection.TimeSeriesSplit : Parts for testing that come after those for training.

    References
    ----------
    .. [1] Hewamalage, Bergmeir and Bandara (2021). "Recurrent neural networks for time series
       forecasting: current status and future directions." International Journal of Forecasting 37,
       388-427. https://doi.org/10.1016/j.ijforecast.2020.06.008

    Examples
    --------
    >>> import numpy as np
    >>> from sknets import RNNForecaster
    >>> time = np.arange(120)
    >>> y = 10 + 0.1 * time + np.sin(time * 2 * np.pi / 12)
    >>> reg = RNNForecaster(window=12, difference=(1, 12), hidden_layer_sizes=(8,), max_iter=1,
    ...                     learning_rate="cosine", random_state=0)
    >>> made = reg.fit(None, y[:100]).predict(np.empty((20, 0)))
    >>> bool(abs(made - y[100:]).max() < 0.01)
    True
    """

    window: int = param(
        24,
        Interval(Integral, 1, None, closed="left"),
        "How many values before a step it is forecast from.",
    )
    strategy: str = param(
        "recursive",
        OneOf("recursive", "direct"),
        "Whether the network gives one step, which is then a value before the next, or `horizon` "
        "steps at once.",
    )
    horizon: int = param(
        12,
        Interval(Integral, 1, None, closed="left"),
        "Steps at once with strategy='direct'; longer forecasts go on from them. Ignored by "
        "'recursive'.",
    )
    difference: Any = param(
        (),
        [tuple, list, Interval(Integral, 1, None, closed="left")],
        "Lags at which differences are taken, one after the other: 1 against a trend, the length "
        "of a season against the season. () takes values as they are.",
    )

    loss: str = param(
        "squared_error",
        OneOf(*(name for name in REGRESSION_LOSSES if name != "poisson")),
        "What is minimised, of standardised values; squared error is halved, as in scikit-learn.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "context_": "ndarray of shape (n_values, n_series): The end of the series of the fit, from "
        "which `predict` goes on.",
        "mean_": "ndarray of shape (n_series,): The means of (the differences of) the series.",
        "scale_": "ndarray of shape (n_series,): Their standard deviations.",
    }
    _fit_state: ClassVar[dict[str, type]] = {
        "_known": np.ndarray,  # X beside context_
        "_is_flat": bool,  # whether y had one axis
        "_known_mean": np.ndarray,
        "_known_scale": np.ndarray,
    }
    _decoding_parameters: ClassVar[tuple[str, ...]] = ("window", "horizon")
    _lasting_parameters: ClassVar[tuple[str, ...]] = ("strategy", "difference")

    # Windows have no weights or difficulties of their own.
    def fit(self, X: Any, y: Any = None) -> Any:  # type: ignore[override]
        """Fit the network to a series.

        Parameters
        ----------
        X : array-like of shape (n_values, n_features) or None
            What is known beside the series, also of the future. None, or no columns: nothing.
        y : array-like of shape (n_values,) or (n_values, n_series)
            The series, in the order of time.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed, if the series is too short, or if the loss
            stops being finite.
        """
        return self._fit(Call(X, y))

    def predict(self, X: Any) -> np.ndarray:
        """The steps after the series of the fit.

        Parameters
        ----------
        X : array-like of shape (n_steps, n_features)
            What is known of these steps: the columns of the fit, of which there may be none, as in
            ``np.empty((n_steps, 0))``.

        Returns
        -------
        y : ndarray of shape (n_steps,) or (n_steps, n_series)
            The forecast.
        """
        check_is_fitted(self)
        known = self._checked_known(X, reset=False)
        return self._continued(Series(self.context_, self._known), known)

    def forecast(
        self, context: Any, horizon: int, X: Any = None, X_context: Any = None
    ) -> np.ndarray:
        """The steps after any series, by what was learnt of that of the fit.

        Parameters
        ----------
        context : array-like of shape (n_values,) or (n_values, n_series)
            The values before, at least `window` of them and as many as `difference` adds up to.
        horizon : int
            How many steps to forecast.
        X : array-like of shape (horizon, n_features), default=None
            What is known of these steps, where there was such in the fit.
        X_context : array-like of shape (n_values, n_features), default=None
            What is known beside the values before, where there was such in the fit.

        Returns
        -------
        y : ndarray of shape (horizon,) or (horizon, n_series)
            The forecast.

        Raises
        ------
        ValueError
            If the context is too short or of another number of series, or if what is known beside
            is not given where it was in the fit.
        """
        check_is_fitted(self)
        y = self._checked_series(context)
        if y.shape[1] != self.context_.shape[1]:
            raise ValueError(
                f"context has {y.shape[1]} series, but {type(self).__name__} is expecting "
                f"{self.context_.shape[1]}."
            )
        if not isinstance(horizon, Integral) or isinstance(horizon, bool) or horizon < 1:
            raise InvalidParameterError(f"horizon must be a whole number > 0. Got {horizon!r}.")
        needed = self._n_needed
        if len(y) < needed:
            raise ValueError(f"context must have {needed} values at least. Got {len(y)} instead.")
        parts = []
        for name, values, n in (("X_context", X_context, len(y)), ("X", X, horizon)):
            if values is None:
                values = np.empty((n, 0))
            else:
                _check_feature_names(self, values, reset=False)
                values = check_array(values, input_name=name)
            if values.shape != (n, self._known.shape[1]):
                raise ValueError(
                    f"{name} must have shape ({n}, {self._known.shape[1]}), like X in the fit. "
                    f"Got {values.shape} instead."
                )
            parts.append(values)
        before, known = parts
        return self._continued(Series(y, before), known)

    @available_if(is_stochastic)
    def partial_fit(self, X: Any, y: Any) -> Any:
        """Train for one more epoch on a series, from whose end `predict` then goes on.

        Parameters
        ----------
        X : array-like of shape (n_values, n_features) or None
            What is known beside the series.
        y : array-like of shape (n_values,) or (n_values, n_series)
            The series, in the order of time.

        Returns
        -------
        self : object
            The trained estimator.

        Raises
        ------
        ValueError
            As in `fit`.
        """
        return self._fit(Call(X, y, incremental=True))

    # -- windows in

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        if self.curriculum is not None:
            raise ValueError(
                f"{type(self).__name__} makes samples of windows, whose difficulty is unknown: it "
                f"has no use for curriculum={self.curriculum!r}."
            )
        if not all(isinstance(lag, Integral) and lag > 0 for lag in _lags(self.difference)):
            raise InvalidParameterError(
                f"The 'difference' parameter of {type(self).__name__} must hold whole numbers > 0. "
                f"Got {self.difference!r} instead."
            )

    def _check_lasting(self) -> None:
        super()._check_lasting()
        if self.strategy == "direct" and self.horizon != self._shape["horizon"]:
            self._refuse("horizon")

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        values = self._checked_series(y)
        if reset:
            self._is_flat = np.ndim(as_array(y)) == 1
        elif values.shape[1] != self.context_.shape[1]:
            raise ValueError(
                f"y has {values.shape[1]} series, but {self.context_.shape[1]} in the last call."
            )
        known = self._checked_known(X, reset, len(values))
        if self.strategy == "direct" and self.bidirectional and known.shape[1]:
            raise ValueError(
                f"{type(self).__name__}(strategy='direct', bidirectional=True) takes no X: a step "
                "would depend on what is known of those after it."
            )
        lags = _lags(self.difference)
        width, n_ahead = self.window, 1 if self.strategy == "recursive" else self.horizon
        n_windows = len(values) - sum(lags) - width - n_ahead + 1
        if n_windows < 1:
            raise ValueError(
                f"The series has {len(values)} values, too few for a window of {width}, "
                f"{n_ahead} step(s) ahead and differences over {sum(lags)}."
            )
        changes = differences(values, lags)[-1]
        if reset:
            self.mean_, self.scale_ = _moments(changes)
            self._known_mean, self._known_scale = _moments(known)
        needed = width + sum(lags)
        self.context_: np.ndarray = values[-needed:]
        self._known: np.ndarray = known[-needed:]
        series = Series((changes - self.mean_) / self.scale_, self._scaled(known[sum(lags) :]))
        rows = slice(0, n_windows)
        past = _windows(series.y[:-n_ahead], width)[rows]
        ahead = _windows(series.y[width:], n_ahead)[rows]
        before = _windows(series.X[:-n_ahead], width)[rows]
        after = _windows(series.X[width:], n_ahead)[rows]
        steps = _steps(past, before, after)
        if reset:
            self.sequence_shape_ = steps.shape[1:]
        return steps.reshape(n_windows, -1), ahead.reshape(n_windows, -1)

    def _checked_series(self, y: Any) -> np.ndarray:
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        y = check_array(as_array(y), ensure_2d=False, dtype=np.float64, input_name="y")
        return y.reshape(len(y), -1)

    def _checked_known(self, X: Any, reset: bool, n: int | None = None) -> np.ndarray:
        """What is known beside a series, without columns if nothing is."""
        if X is None:
            if n is None:
                raise ValueError("predict needs X, whose length says how many steps to forecast.")
            X = np.empty((n, 0))
        if np.ndim(as_array(X)) == 2 and np.shape(X)[1] == 0:
            if reset:
                self.n_features_in_ = 0
            elif self.n_features_in_:
                raise ValueError(
                    f"X has 0 features, but {type(self).__name__} is expecting "
                    f"{self.n_features_in_} features as input."
                )
            known = np.empty((len(X), 0))
        else:
            known = validate_data(self, as_array(X), dtype=np.float64, reset=reset)
        if n is not None:
            check_consistent_length(known, np.empty(n))
        return known

    def _seen(self, call: Call, held_out: Any) -> Seen:
        """The series, of which windows are held out."""
        return Seen(call.X, call.y, SkorchDataset(call.y if call.X is None else call.X, call.y))

    def _split(self, data: TrainingSet) -> tuple[np.ndarray, np.ndarray] | None:
        """The last windows are held out."""
        found = super()._split(data)
        if found is None:
            return None
        order = np.arange(data.n_samples)
        n_train = len(found[0])
        return order[:n_train], order[n_train:]

    def _scaled(self, known: np.ndarray) -> np.ndarray:
        return (known - self._known_mean) / self._known_scale

    @property
    def _n_needed(self) -> int:
        """How many values a forecast goes on from."""
        return self._shape["window"] + sum(_lags(self._shape["difference"]))

    # -- the network

    def _around(self, reader: Reader, recurrent: Recurrent, n_outputs: int) -> SequenceNetwork:
        n_series = n_outputs // self.horizon
        if self.strategy == "recursive" or reader.n_outputs == n_series:  # nothing is known beside
            return super()._around(reader, recurrent, n_outputs)
        return StepsAhead(reader, recurrent, self.window, n_series)

    # -- forecasts out

    def _run_once(self) -> None:
        self._outputs(np.zeros((1, prod(self.sequence_shape_))))

    def _continued(self, before: Series, known: np.ndarray) -> np.ndarray:
        """The steps after a series, as many as something is known of."""
        lags, width = _lags(self._shape["difference"]), self._shape["window"]
        n_ahead = 1 if self._shape["strategy"] == "recursive" else self._shape["horizon"]
        values, beside = before
        n_before = len(values)
        scaled = self._scaled(np.concatenate([beside, known]))
        while len(values) < n_before + len(known):
            changes = (differences(values, lags)[-1][-width:] - self.mean_) / self.scale_
            now = len(values)
            steps = _steps(
                changes[None], scaled[None, now - width : now], scaled[None, now : now + n_ahead]
            )
            made = self._outputs(steps.reshape(1, -1)).reshape(-1, values.shape[1])
            for change in made * self.scale_ + self.mean_:
                values = np.concatenate([values, continued(values, change, lags)])
        made = values[n_before : n_before + len(known)]
        return made.ravel() if self._is_flat else made


def differences(values: np.ndarray, lags: tuple[int, ...]) -> list[np.ndarray]:
    """A series, its differences at the first lag, those of these at the second, ..."""
    levels = [values]
    for lag in lags:
        levels.append(levels[-1][lag:] - levels[-1][:-lag])
    return levels


def continued(values: np.ndarray, change: np.ndarray, lags: tuple[int, ...]) -> np.ndarray:
    """The next value of a series, (1, n_series), by that of its last differences."""
    levels = differences(values, lags)
    for level, lag in zip(levels[-2::-1], reversed(lags), strict=True):
        change = change + level[-lag]
    return change[None]


def _lags(difference: Any) -> tuple[int, ...]:
    return tuple(difference) if isinstance(difference, (tuple, list)) else (difference,)


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the standard deviation of each column, 1 where it is 0."""
    scale = values.std(axis=0)
    return values.mean(axis=0), np.where(scale > 0, scale, 1.0)


def _windows(values: np.ndarray, width: int) -> np.ndarray:
    """All windows of a series: (time, n) -> (n_windows, width, n)."""
    return sliding_window_view(values, width, axis=0).swapaxes(1, 2)


def _steps(past: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """What the network reads, (n, time, features).

    The values with what is known beside them, and if something is, the steps ahead with that alone,
    and with a mark that they are ahead.
    """
    if not before.shape[2]:
        return past
    n, n_ahead, _ = after.shape
    steps = np.concatenate([past, before, np.zeros((*past.shape[:2], 1))], axis=2)
    unknown, mark = np.zeros((n, n_ahead, past.shape[2])), np.ones((n, n_ahead, 1))
    return np.concatenate([steps, np.concatenate([unknown, after, mark], axis=2)], axis=1)
