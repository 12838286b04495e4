"""Time series, to classify, to continue, to play."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sknets._params import InvalidParameterError
from sknets.datasets._files import arrays, blaming, lines
from sknets.datasets._loaders import SUBSET_OF_THREE, bunch, check, codes, documented
from sknets.datasets._sources import Examples, load_parts, local

# ---- Readers -------------------------------------------------------------------------------------


def read_ts(part: str, paths: list[Path]) -> Examples:
    """The archives' format: lines ``@tag values``, then cases, a colon after each channel."""
    [path] = paths
    meaningful = [line for line in map(str.strip, lines(path)) if line and line[0] not in "#%"]
    tags = [line.split() for line in meaningful if line[0] == "@"]
    header = {tag.lower(): values for tag, *values in tags}
    with blaming(path):
        if "@data" not in header:
            raise ValueError("no line says '@data'")
        if header.get("@timestamps", [""])[0].lower() == "true":
            raise ValueError("series with time stamps are not supported")
        classified, *classes = header.get("@classlabel", ["false"])
        series: list[np.ndarray] = []
        target: list[str | float] = []
        for number, line in enumerate(meaningful[len(tags) :], start=1):
            *channels, label = line.split(":")
            if not channels or (series and len(channels) != series[0].shape[1]):
                raise ValueError(f"case {number} has {len(channels)} channels")
            values = [channel.replace("?", "nan").split(",") for channel in channels]
            series.append(np.array(values, dtype=float).T)  # (time, channels)
            target.append(label if classified.lower() == "true" else float(label))
    return Examples(series, target, tuple(classes))


def read_piano_rolls(part: str, paths: list[Path]) -> Examples:
    """An archive of all parts: the steps of all pieces, eight notes to a byte; the lengths."""
    key = part.replace("validation", "valid")
    bits, lengths = arrays(paths[0], key, f"{key}_len")
    with blaming(paths[0]):
        return Examples(np.split(np.unpackbits(bits, axis=1), lengths.cumsum()[:-1]))


def read_months(part: str, paths: list[Path]) -> Examples:
    """Lines of a month and a number, under a header."""
    rows = [line.split(",") for line in lines(paths[0])[1:]]
    with blaming(paths[0]):
        months, values = zip(*rows, strict=True)
        return Examples(list(months), np.array(values, dtype=float))


# ---- The sets ------------------------------------------------------------------------------------

TIME_SERIES = local(
    read_ts,
    *("timeseries/{name}", "{name}"),
    train="{name}_TRAIN.ts",
    test="{name}_TEST.ts",
)
POLYPHONIC_MUSIC = local(
    read_piano_rolls,
    "polyphonic_music",
    train="{name}.npz",
    validation="{name}.npz",
    test="{name}.npz",
)
AIRLINE_PASSENGERS = local(read_months, "forecasting", all="Airline.csv")


def stacked(sequences: list[np.ndarray]) -> np.ndarray:
    """One array of sequences that are equally long, else an object array that holds them."""
    if len({sequence.shape for sequence in sequences}) == 1:
        return np.stack(sequences)
    return np.fromiter(sequences, dtype=object, count=len(sequences))


# ---- The loaders ---------------------------------------------------------------------------------


@documented(
    """\
data : ndarray of shape (n_samples, time[, channels]), or of shape (n_samples,) and dtype object
    The series, without an axis for the channels if there is only one. If their lengths differ, an
    array of shape (time[, channels]) for each. What is missing is nan.
target : ndarray of shape (n_samples,)
    The class of each series, a position in `target_names`; in a regression the number.
target_names : ndarray of shape (n_classes,), dtype str
    The names of the classes in the order of the file; None in a regression.""",
    "The series and their targets.",
    name="""\
name : str
    The name of the set in its archive, and of its folder.""",
    channels="""\
channels : {'last', 'first'}, default='last'
    A series of several channels has shape (time, channels), as recurrent networks take it, or
    (channels, time), as convolutional ones do.""",
)
def load_time_series(name, *, subset="train", channels="last", return_X_y=False, data_home=None):
    """A set of time series of the UCR, UEA and TSER archives, by its name.

    Such as ArrowHead, GunPoint or ItalyPowerDemand (one channel, equal lengths), BasicMotions (six
    channels), JapaneseVowels (twelve channels, unequal lengths), Covid3Month (a regression).

    See Also
    --------
    load_airline_passengers : A series to forecast.
    load_polyphonic_music : Series of many notes.

    Notes
    -----
    Files: ``{name}_TRAIN.ts`` and ``{name}_TEST.ts``, plain or with ``.gz``, in
    ``timeseries/{name}`` or ``{name}``, as they come from https://www.timeseriesclassification.com,
    which also says whose they are. Time stamps are not supported.

    References
    ----------
    .. [1] H. A. Dau et al. The UCR time series archive. IEEE/CAA Journal of Automatica Sinica 6,
       2019. doi:10.1109/JAS.2019.1911747
    .. [2] A. Bagnall et al. The UEA multivariate time series classification archive, 2018.
       arXiv:1811.00075
    .. [3] C. W. Tan et al. Time series extrinsic regression. Data Mining and Knowledge Discovery
       35, 2021. doi:10.1007/s10618-021-00745-9

    Examples
    --------
    With the files at hand:

    >>> from sknets.datasets import load_time_series
    >>> motions = load_time_series("BasicMotions")  # doctest: +SKIP
    >>> motions.data.shape, motions.target_names.tolist()  # doctest: +SKIP
    ((40, 100, 6), ['Standing', 'Running', 'Walking', 'Badminton'])
    """
    if not isinstance(name, str):
        raise InvalidParameterError(
            f"The 'name' parameter of load_time_series must be a str. Got {name!r} instead."
        )
    check("time_series", TIME_SERIES, subset=subset, channels=channels, return_X_y=return_X_y)
    parts, origins = load_parts("time_series", TIME_SERIES, subset, data_home, name=name)
    series = [one for part in parts for one in part.data]
    target = [one for part in parts for one in part.target]
    classes = parts[0].classes
    if series[0].shape[1] == 1:
        series = [one[:, 0] for one in series]
    elif channels == "first":
        series = [one.T for one in series]
    return bunch(
        "time_series",
        return_X_y,
        data=stacked(series),
        target=codes(target, classes, origins) if classes else np.array(target),
        target_names=np.array(classes) if classes else None,
        filename=origins,
    )


@documented(
    """\
data : ndarray of shape (n_pieces,), dtype object
    For each piece an array of shape (time, 88) and dtype uint8: 1 where a note sounds, from the
    lowest key of a piano to its highest.""",
    collection="""\
collection : {'JSB_Chorales', 'MuseData', 'Nottingham', 'Piano_midi'}, default='JSB_Chorales'
    Chorales by Bach, orchestral and piano music, folk tunes, or piano music.""",
    subset=SUBSET_OF_THREE,
)
def load_polyphonic_music(collection="JSB_Chorales", *, subset="train", data_home=None):
    """Polyphonic music: which of 88 notes sound at each step of a piece.

    Pieces of unequal length; of the chorales 229 are for training, 76 for validation and 77 for
    testing, of Nottingham 694, 173 and 170.

    See Also
    --------
    load_time_series : Series with a class or a number each.

    Notes
    -----
    Files: ``polyphonic_music/JSB_Chorales.npz`` and its like. Licence: MIT, of the repository that
    they were taken from.

    References
    ----------
    .. [1] N. Boulanger-Lewandowski, Y. Bengio, P. Vincent. Modeling temporal dependencies in
       high-dimensional sequences. ICML 2012. arXiv:1206.6392

    Examples
    --------
    With the files at hand:

    >>> from sknets.datasets import load_polyphonic_music
    >>> chorales = load_polyphonic_music()  # doctest: +SKIP
    >>> len(chorales.data), chorales.data[0].shape[1]  # doctest: +SKIP
    (229, 88)
    """
    check("polyphonic_music", POLYPHONIC_MUSIC, collection=collection, subset=subset)
    parts, origins = load_parts(
        "polyphonic_music", POLYPHONIC_MUSIC, subset, data_home, name=collection
    )
    pieces = stacked([piece for part in parts for piece in part.data])
    return bunch("polyphonic_music", data=pieces, filename=origins)


@documented(
    """\
target : ndarray of shape (144,), dtype float64
    Thousands of passengers, a value a month.
index : list of 144 str
    The months, from '1949-01' to '1960-12'.""",
)
def load_airline_passengers(*, data_home=None):
    """Airline passengers: thousands of travellers a month from 1949 to 1960.

    The classic of forecasting: 144 months with a trend and a season that grow together.

    See Also
    --------
    load_time_series : Series with a class or a number each.

    Notes
    -----
    File: ``forecasting/Airline.csv``. Licence: BSD-3-Clause, of the repository that it was taken
    from.

    References
    ----------
    .. [1] G. E. P. Box, G. M. Jenkins. Time series analysis: forecasting and control. Holden-Day,
       1976. Series G.

    Examples
    --------
    With the files at hand:

    >>> from sknets.datasets import load_airline_passengers
    >>> load_airline_passengers().target[:3]  # doctest: +SKIP
    array([112., 118., 132.])
    """
    [series], origins = load_parts("airline_passengers", AIRLINE_PASSENGERS, "all", data_home)
    return bunch("airline_passengers", target=series.target, index=series.data, filename=origins)
