"""What the loaders have in common: choices, codes, a Bunch, and most of the docstring."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from itertools import permutations
from textwrap import indent
from typing import Any, TypeVar

import numpy as np
from sklearn.utils import Bunch

from sknets._params import InvalidParameterError
from sknets.datasets._files import blaming
from sknets.datasets._sources import Source

Loader = TypeVar("Loader", bound=Callable[..., Any])

CHOICES: dict[str, tuple[Any, ...]] = {
    "as_frame": (False, True),
    "channels": ("first", "last"),
    "collection": ("JSB_Chorales", "MuseData", "Nottingham", "Piano_midi"),
    "languages": tuple(permutations(("de", "en", "fr"), 2)),
    "return_X_y": (False, True),
}

PARAMETERS = {
    "subset": """\
subset : {'train', 'test', 'all'}, default='train'
    The published part to load; 'all' joins them in this order.""",
    "return_X_y": """\
return_X_y : bool, default=False
    Return `(data, target)` instead of a Bunch.""",
    "as_frame": """\
as_frame : bool, default=False
    Make `data` a pandas DataFrame, its categories of dtype category, and `target` a Series.""",
    "data_home": """\
data_home : str or path-like, default=None
    The folder of data sets; None takes the one that the environment variable SKNETS_DATA names.""",
}
SUBSET_OF_THREE = PARAMETERS["subset"].replace("'train', ", "'train', 'validation', ", 1)

ATTRIBUTES = """\
filename : list of str
    The files that were read, or the page at openml.org.
DESCR : str
    What the data are, and whose."""

RAISES = """\
ValueError
    If an argument is none of its choices, or a file is damaged: the message names it.
OSError
    If there are no local files, and OpenML does not have the data set or cannot be reached."""

DESCRIPTIONS: dict[str, str] = {}  # what DESCR says: `documented` fills it in


def documented(attributes: str, pair: str = "", **parameters: str) -> Callable[[Loader], Loader]:
    """Write the sections of a loader's docstring that say the same of many.

    They go before its "See Also"; the summary and the notes also make the ``DESCR`` of the Bunch.

    Parameters
    ----------
    attributes : str
        What the Bunch holds besides ``filename`` and ``DESCR``, in numpydoc's form.
    pair : str, default=""
        What ``return_X_y=True`` returns, in one sentence.
    **parameters : str
        The parameters that ``PARAMETERS`` does not have, or has otherwise, in numpydoc's form.
    """

    def complete(load: Loader) -> Loader:
        summary, _, rest = inspect.cleandoc(load.__doc__ or "").partition("\n\nSee Also\n")
        entries = PARAMETERS | parameters
        sections = {
            "Parameters": "\n".join(entries[name] for name in inspect.signature(load).parameters),
            "Returns": _returns(attributes, pair),
            "Raises": RAISES,
        }
        written = [f"{title}\n{'-' * len(title)}\n{text}" for title, text in sections.items()]
        load.__doc__ = "\n\n".join([summary, *written, f"See Also\n{rest}\n"])
        notes = rest.partition("\n\nNotes\n-----\n")[2].partition("\n\nExamples\n")[0]
        DESCRIPTIONS[load.__name__.removeprefix("load_")] = f"{summary}\n\n{notes}\n"
        return load

    return complete


def _returns(attributes: str, pair: str) -> str:
    held = indent(f"{attributes}\n{ATTRIBUTES}", "    ")
    dataset = f":class:`~sklearn.utils.Bunch`\n    A dictionary with these attributes.\n\n{held}"
    if not pair:
        return dataset
    return f"dataset : {dataset}\n(data, target) : tuple if ``return_X_y`` is True\n    {pair}"


def check(loader: str, source: Source, **arguments: Any) -> None:
    """Raise for the first argument that is none of its choices."""
    subsets = (*source.parts, "all")
    for parameter, value in arguments.items():
        choices = subsets if parameter == "subset" else CHOICES[parameter]
        if value not in choices:
            raise InvalidParameterError(
                f"The {parameter!r} parameter of load_{loader} must be one of "
                f"{{{', '.join(map(repr, choices))}}}. Got {value!r} instead."
            )


def bunch(loader: str, return_X_y: bool = False, **contents: Any) -> Any:
    """The contents as a Bunch, or the pair of data and target."""
    if return_X_y:
        return contents["data"], contents["target"]
    return Bunch(**contents, DESCR=DESCRIPTIONS[loader])


def codes(labels: Iterable[str], classes: Sequence[str], origins: Iterable[str]) -> np.ndarray:
    """The position of each label among the classes."""
    position = {label: code for code, label in enumerate(classes)}
    with blaming(*origins):
        try:
            return np.array([position[label] for label in labels], dtype=np.int64)
        except KeyError as error:
            raise ValueError(f"{error} is none of the classes {list(classes)}") from None
