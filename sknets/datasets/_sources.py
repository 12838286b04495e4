"""Where a data set is found: files at hand first, a page of OpenML otherwise."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from sklearn.utils import Bunch

from sknets._params import InvalidParameterError
from sknets.datasets._files import blaming


class Examples(NamedTuple):
    """One part of a data set as a reader finds it.

    ``data`` is an array, a list of texts or sequences, or a dict of columns; ``target`` has what
    belongs to each example, ``classes`` the names of the classes if the file itself declares them.
    """

    data: Any
    target: Any = None
    classes: tuple[str, ...] = ()


class Layout(NamedTuple):
    """An arrangement of files: the folders to look in, the files of each part, and their reader.

    The first folder that has all the files is taken, each of them plain or with ``.gz``. Words in
    braces are filled in by the loader.
    """

    folders: tuple[str, ...]
    files: dict[str, tuple[str, ...]]
    read: Callable[[str, list[Path]], Examples]


class OpenML(NamedTuple):
    """A data set at openml.org: its number, the rows of each part, and how they are read."""

    data_id: int
    rows: dict[str, slice]
    read: Callable[[Bunch, slice], Examples]


class Source(NamedTuple):
    """Where a data set comes from.

    ``sha256`` has the `fingerprint` of each published part: OpenML does not promise the order of
    its rows, and many a set looks like MNIST from outside.
    """

    layouts: tuple[Layout, ...]
    openml: OpenML | None = None
    sha256: dict[str, str] | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts, in the order in which "all" joins them."""
        return tuple(self.layouts[0].files)


def layout(read: Callable[..., Examples], *folders: str, **files: str) -> Layout:
    """A `Layout` from one string a part: the names of its files."""
    return Layout(folders, {part: tuple(names.split()) for part, names in files.items()}, read)


def local(read: Callable[..., Examples], *folders: str, **files: str) -> Source:
    """A data set in one `layout` that OpenML does not have."""
    return Source((layout(read, *folders, **files),))


def load_parts(
    loader: str, source: Source, subset: str, data_home: Any, **words: str
) -> tuple[list[Examples], list[str]]:
    """The examples of each part, and the files or the page that they were read from."""
    parts = source.parts if subset == "all" else (subset,)
    home = _home(loader, data_home)
    if home and (found := _find(source, parts, home, words)):
        read, paths = found
        examples = [read(part, paths[part]) for part in parts]
        origins = list(dict.fromkeys(str(path) for part in parts for path in paths[part]))
    else:
        absence = _absence(loader, source, parts, home, words)
        if source.openml is None:
            raise FileNotFoundError(f"{absence} OpenML does not have this data set.")
        examples, origins = _fetch(source.openml, parts, absence)
    for part, read_part in zip(parts, examples, strict=True):
        published = (source.sha256 or {}).get(part)
        if published and fingerprint(read_part) not in (published, None):
            raise ValueError(
                f"{', '.join(origins)}: the {part} part does not begin as the published one, so "
                f"this is not the data set that load_{loader} promises."
            )
    return examples, origins


def fingerprint(examples: Examples) -> str | None:
    """SHA-256 of the first 1,000 images and labels, or of the numbers in the first 1,000 rows.

    None where there are fewer: a copy cut short for a test passes.
    """
    if isinstance(examples.data, dict):
        arrays = [column for column in examples.data.values() if column.dtype == float]
    else:
        arrays = [examples.data, examples.target.astype("uint8")]
    if len(arrays[0]) < 1000:
        return None
    return hashlib.sha256(b"".join(array[:1000].tobytes() for array in arrays)).hexdigest()


def _home(loader: str, data_home: Any) -> Path | None:
    """The folder of data sets; None if the user names none."""
    given, what = data_home, f"'data_home' parameter of load_{loader}"
    if given is None:
        given, what = os.environ.get("SKNETS_DATA") or None, "environment variable SKNETS_DATA"
    if given is None:
        return None
    if not isinstance(given, str | os.PathLike) or not Path(given).expanduser().is_dir():
        raise InvalidParameterError(
            f"The {what} must be an existing folder. Got {given!r} instead."
        )
    return Path(given).expanduser()


def _find(
    source: Source, parts: Iterable[str], home: Path, words: dict[str, str]
) -> tuple[Callable[[str, list[Path]], Examples], dict[str, list[Path]]] | None:
    """The reader and the files of the first layout that has all that `parts` need."""
    for option in source.layouts:
        wanted = {part: [name.format(**words) for name in option.files[part]] for part in parts}
        for folder in option.folders:
            at = home / folder.format(**words)
            paths = {part: _present(at, names) for part, names in wanted.items()}
            if all(len(paths[part]) == len(wanted[part]) for part in parts):
                return option.read, paths
    return None


def _present(folder: Path, names: Iterable[str]) -> list[Path]:
    """Those of the files that are there, plain or gzipped."""
    found = []
    for name in names:
        found += [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()][:1]
    return found


def _absence(
    loader: str, source: Source, parts: Iterable[str], home: Path | None, words: dict[str, str]
) -> str:
    """What a user lacks who has no files, in the names of the first layout."""
    [folder, *_], files, _ = source.layouts[0]
    names = dict.fromkeys(name for part in parts for name in files[part])
    wanted = ", ".join(f"{folder}/{name}".format(**words) for name in names)
    return (
        f"load_{loader} found no {wanted} (or .gz) in the folder that 'data_home' or else the "
        f"environment variable SKNETS_DATA names ({home or 'neither is given'})."
    )


def _fetch(openml: OpenML, parts: Iterable[str], absence: str) -> tuple[list[Examples], list[str]]:
    from sklearn.datasets import fetch_openml

    url = f"https://www.openml.org/d/{openml.data_id}"
    # The readers know the kind of each column; left to itself, scikit-learn 1.9 stumbles over
    # classes that are written as numbers, which pandas 3.1 reads as numbers.
    options = {"dtype": None, "low_memory": False}
    try:
        page = fetch_openml(data_id=openml.data_id, as_frame=True, read_csv_kwargs=options)
    except OSError as error:
        raise OSError(f"{absence} Fetching {url} instead failed: {error}") from error
    with blaming(url):
        return [openml.read(page, openml.rows[part]) for part in parts], [url]
