"""From a name or a CSV file to X, y and a task."""

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn import datasets

DATASETS = {
    "digits": datasets.load_digits,
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "diabetes": datasets.load_diabetes,
}
SEPARATORS = {"tab": "\t", "semicolon": ";", "pipe": "|", "comma": ",", "space": r"\s+"}
MISSING = {"?", ""}
MISSING_NUMBERS = {"NA", "N/A", "n/a", "na", "NaN", "nan", "NULL", "null", "None", "none", "-", "."}
DECIMAL_COMMA = re.compile(r"^([+-]?\d+),(\d+)$")
MOST_CLASSES = 20  # With more distinct whole numbers in the target, the task is regression.


class InputError(ValueError):
    """What was asked for and cannot be had, in one line that says what is allowed."""


class Table(NamedTuple):
    """Data to learn from. Classes are encoded as 0, 1, ... in the order of `classes`."""

    name: str
    X: Any
    y: np.ndarray
    task: str
    classes: Sequence[str] = ()
    notes: Sequence[str] = ()


def load_table(name: str) -> Table:
    """One of scikit-learn's data sets."""
    data = DATASETS[name]()
    if "target_names" not in data:
        return Table(name, data.data, data.target, "regression")
    return Table(name, data.data, data.target, "classification", list(map(str, data.target_names)))


def read_table(
    path: Path,
    target: str | None,
    *,
    header: bool = True,
    separator: str = "auto",
    encoding: str = "utf-8",
    drop: Sequence[str] = (),
    task: str = "auto",
) -> Table:
    """A CSV file, plain or gzipped; blanks are stripped, "?", nothing and infinity are missing."""
    frame = _read_csv(path, header, separator, encoding).replace([np.inf, -np.inf], np.nan)
    if not separator:
        raise InputError("--sep must be a character, or auto")
    if target is None:
        raise InputError(f"--target must say what to predict in {path.name}: {_names(frame)}")
    target = _column(frame, target, "--target")
    dropped = {_column(frame, name, "--drop") for name in drop}
    if target in dropped:
        raise InputError(f"--drop takes away the target, '{target}'")
    known = frame[target].notna()
    empty = [name for name in frame.columns if name != target and frame[name].isna().all()]
    X = frame[known].drop(columns={target, *dropped, *empty}).reset_index(drop=True)
    notes = []
    if header and all(name.replace(".", "").lstrip("-").isdigit() for name in frame.columns):
        notes.append("took the first line for names; --no-header takes it for data")
    if not known.all():
        notes.append(f"left out {(~known).sum():,} rows without '{target}'")
    if empty:
        notes.append(f"left out columns without values: {', '.join(empty)}")
    if X.empty:
        raise InputError(f"{path.name} has no rows or no columns to predict '{target}' from")
    y, task, classes = _encoded(frame.loc[known, target], task)
    return Table(path.name, X, y, task, classes, notes)


def _read_csv(path: Path, header: bool, separator: str, encoding: str):
    """The file as a data frame whose columns are named and hold either numbers or text."""
    import pandas as pd

    try:
        if separator == "auto":
            separator = _told_separator(_first_lines(path, encoding))
        cut = SEPARATORS.get(separator, separator.replace("\\t", "\t"))
        long = len(cut) > 1 and separator not in SEPARATORS
        frame = pd.read_csv(
            path,
            sep=re.escape(cut) if long else cut,
            header=0 if header else None,
            na_values=list(MISSING),
            keep_default_na=False,  # a class may be called None, or Na
            index_col=False,  # where each line ends in a separator
            skipinitialspace=True,
            encoding=encoding,
            **({"engine": "python"} if long else {"low_memory": False}),
        )
    except (UnicodeError, LookupError) as error:
        raise InputError(
            f"cannot read {path} as {encoding} text: {error}; see --encoding"
        ) from error
    except (OSError, EOFError, ValueError, zlib.error) as error:  # pandas' are ValueErrors
        raise InputError(f"cannot read {path} as CSV: {str(error).strip()}") from error
    names = [str(name).strip() if header else f"column_{name}" for name in frame.columns]
    earlier = [names[:i].count(name) for i, name in enumerate(names)]
    frame.columns = [f"{name}.{n}" if n else name for name, n in zip(names, earlier, strict=True)]
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]) or frame[name].dtype == bool:
            frame[name] = _numbers(_text(frame[name]), decimal_commas=cut != ",")
    return frame


def _text(column):
    """Stripped texts as plain objects, missing ones as nan."""
    texts = column.map(lambda value: str(value).strip(), na_action="ignore").astype(object)
    return texts.mask(texts.isin(MISSING), np.nan)


def _numbers(texts, decimal_commas: bool):
    """Texts as numbers where all are, but for the words for a missing one; else as they are."""
    import pandas as pd

    words = texts.mask(texts.isin(MISSING_NUMBERS), np.nan)
    if decimal_commas:
        words = words.str.replace(DECIMAL_COMMA, r"\1.\2", regex=True)
    numbers = pd.to_numeric(words, errors="coerce")
    return numbers if numbers.notna().equals(words.notna()) and words.notna().any() else texts


def _first_lines(path: Path, encoding: str, n: int = 50) -> list[str]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding=encoding) as lines:
        return [line for line, _ in zip(lines, range(n), strict=False) if line.strip()]


def _told_separator(lines: Sequence[str]) -> str:
    """The first candidate that cuts nine lines of ten into the same number of fields, two or more.

    A comma may be part of a number or a sentence and a space of nearly anything, so they come last.
    """
    for name, separator in SEPARATORS.items():
        if name == "space":
            fields = [line.split() for line in lines]
        else:
            fields = list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
        [(width, count)] = Counter(map(len, fields)).most_common(1) or [(0, 0)]
        if width > 1 and count >= 0.9 * len(lines):
            return name
    return "comma"


def _column(frame, wanted: str, option: str) -> str:
    """The column with this name or, failing that, at this index (from the end if negative)."""
    if wanted in frame.columns:
        return wanted
    try:
        return frame.columns[int(wanted)]
    except (ValueError, IndexError):
        raise InputError(f"{option} must be {_names(frame)}; got '{wanted}'") from None


def _names(frame) -> str:
    names, n = list(frame.columns), len(frame.columns)
    shown = ", ".join(names[:30]) + (", ..." if n > 30 else "")
    return f"one of the columns {shown}, or a number from {-n} to {n - 1}"


def _encoded(target, task: str) -> tuple[np.ndarray, str, list[str]]:
    """The target as numbers, what the task is, and the classes if it is classification."""
    values, numeric = target.to_numpy(), target.dtype != object
    if task == "regression" and not numeric:
        raise InputError(f"--task regression needs numbers; '{target.name}' holds '{values[0]}'")
    whole = numeric and np.all(values == np.round(values))
    few = len(np.unique(values)) <= MOST_CLASSES if whole else not numeric
    if task == "regression" or (task == "auto" and not few):
        return values.astype(float), "regression", []
    classes, codes = np.unique(values.astype(int) if whole else values, return_inverse=True)
    if len(classes) < 2:
        raise InputError(f"'{target.name}' holds nothing but '{classes[0]}': nothing to predict")
    return codes, "classification", list(map(str, classes))
