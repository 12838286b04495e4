"""The ``sknets`` command: ``sknets compare`` sets a network beside its rivals on one data set.

Results go to stdout, what is said on the way to stderr. Exit status: 0 done, 1 no model could be
scored, 2 what was asked for cannot be had (one line says what can), 130 interrupted by Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import shlex
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from sknets.model_selection._folds import Fold
    from sknets.model_selection._tables import Table
    from sknets.model_selection.comparison import Comparison

EXTRA = ("pandas", "matplotlib", "rich")  # what `pip install "sknets[compare]"` brings
INTERRUPTED = 130
LINE_STYLES = {"best": "bold green", "worse": "dim", "failed": "red"}

DATA = "digits, iris, wine, breast_cancer, diabetes"


class UsageError(Exception):
    """What was asked for cannot be had; the message says what can."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _parser().parse_args(argv)
        args.command_line = shlex.join(["sknets", *argv])
        return args.run(args)
    except UsageError as error:
        _say("error:", *str(error).split())
        return 2
    except KeyboardInterrupt:
        _say("interrupted before any model was scored")
        return INTERRUPTED


def _say(*words: object) -> None:
    print("sknets:", *words, file=sys.stderr, flush=True)


# -- what can be asked for


class _Parser(argparse.ArgumentParser):
    """Answers a wrong argument in one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _number_from(least: int, most: int | None = None) -> Callable[[str], int]:
    def number(text: str) -> int:
        above = most is not None and text.isdigit() and int(text) > most
        if not text.lstrip("-").isdigit() or int(text) < least or above:
            bounds = f"{least} or more" if most is None else f"from {least} to {most}"
            message = f"must be a whole number, {bounds}; got '{text}'"
            raise argparse.ArgumentTypeError(message)
        return int(text)

    return number


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _jobs(text: str) -> int:
    return -1 if text == "-1" else _number_from(1)(text)


COMPARE_ARGUMENTS: dict[str, dict[str, dict[str, Any]]] = {
    "data": {
        "data": dict(
            nargs="?",
            default="digits",
            help=f"{DATA}, or a CSV file, plain or gzipped (default: digits)",
        ),
    },
    "a CSV file": {
        "--target": dict(metavar="COLUMN", help="what to predict: a name, or an index; -1 is last"),
        "--no-header": dict(action="store_true", help="the first line holds data, not names"),
        "--sep": dict(
            default="auto", metavar="CHARACTER", help="between fields: auto, tab, space, ',', ..."
        ),
        "--encoding": dict(default="utf-8", help="of the text (default: utf-8)"),
        "--drop": dict(
            type=_names, default=[], metavar="COLUMNS", help="leave out, as in a,b,c or =-2,-1"
        ),
        "--task": dict(
            choices=["auto", "classification", "regression"],
            default="auto",
            help="auto (default): regression for a target of more than 20 different whole numbers, "
            "or of others",
        ),
    },
    "models": {
        "--models": dict(type=_names, metavar="NAMES", help="which, as in network,svm,linear"),
        "--search": dict(
            action="store_true", help="tune every model inside each split, with as many candidates"
        ),
        "--candidates": dict(
            type=_number_from(2), default=10, metavar="N", help="of each search (default: 10)"
        ),
        "--device": dict(default="auto", help="of the network: auto, cpu, cuda, cuda:1, mps"),
    },
    "comparison": {
        "--cv": dict(type=_number_from(2), default=5, metavar="K", help="folds (default: 5)"),
        "--scoring": dict(help="a scoring of scikit-learn's (default: accuracy or r2)"),
        "--jobs": dict(
            type=_jobs, default=1, metavar="N", help="fits side by side; 1 (default) times fairly"
        ),
        "--random-state": dict(
            type=_number_from(0, 2**32 - 1),
            default=0,
            metavar="SEED",
            help="of splits, models and search",
        ),
        "--out": dict(type=Path, metavar="DIR", help="for files (default: sknets-compare-NAME)"),
    },
}


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="sknets", description="Networks with the manners of scikit-learn.")
    parser.set_defaults(run=lambda args: _print_help(parser))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    compare = commands.add_parser(
        "compare",
        help="a network beside an SVM, a random forest and others on one data set",
        description="Cross-validate a network, an SVM, nearest neighbours, a random forest, "
        "histogram gradient boosting and a linear model on the same folds, and tell which "
        "differences are more than noise.",
    )
    compare.set_defaults(run=run_compare)
    for title, arguments in COMPARE_ARGUMENTS.items():
        group = compare.add_argument_group(title)
        for name, settings in arguments.items():
            group.add_argument(name, **settings)
    return parser


def _print_help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


# -- sknets compare


def run_compare(args: argparse.Namespace) -> int:
    """Check everything, compare, show, write."""
    _check_extra()
    from sknets.model_selection import compare, default_models, default_search
    from sknets.model_selection._report import write_report
    from sknets.model_selection._scoring import needs_probabilities

    table = _table(args)
    scoring = _scoring(args, table)
    _check_device(args.device)
    models = default_models(
        table.X,
        table.task,
        names=_model_names(args, table),
        probabilities=needs_probabilities(scoring, table.y, table.task),
        device=args.device,
        random_state=args.random_state,
    )
    splits = _splits(args, table)
    folder = _folder(args, table)

    _say(_description(table), f"{args.cv} folds, {scoring}")
    for note in table.notes:
        _say(note)
    if "nystroem_svm" in models and not args.models:
        _say("nystroem_svm stands in for svm, which takes minutes a fold on so many rows")
    with _progress(list(models), args.cv) as show, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Comparison interrupted by user")
        comparison = compare(
            models,
            table.X,
            table.y,
            cv=splits,
            scoring=scoring,
            n_jobs=args.jobs,
            search=default_search(models) if args.search else None,
            n_candidates=args.candidates,
            random_state=args.random_state,
            callback=show,
        )
    if comparison.interrupted_:
        _say("interrupted; this is what was finished")
    _show(comparison)
    write_report(comparison, folder, name=table.name, settings=_settings(args, table, scoring))
    _say(f"wrote comparison.csv, scores.csv, comparison.png and report.html into {folder}")
    return INTERRUPTED if comparison.interrupted_ else 0 if comparison.best_ else 1


def _check_extra() -> None:
    missing = []
    for library in EXTRA:
        try:
            importlib.import_module(library)
        except ImportError:
            missing.append(library)
    if missing:
        raise UsageError(f'compare needs {", ".join(missing)}: pip install "sknets[compare]"')


def _table(args: argparse.Namespace) -> Table:
    from sknets.model_selection._tables import DATASETS, InputError, load_table, read_table

    path = Path(args.data)
    if args.data in DATASETS:
        given = [
            option
            for option, settings in COMPARE_ARGUMENTS["a CSV file"].items()
            if getattr(args, option[2:].replace("-", "_"))
            != settings.get("default", False if "action" in settings else None)
        ]
        if given:
            verb = "is" if len(given) == 1 else "are"
            raise UsageError(f"{', '.join(given)} {verb} for CSV files; {path} is a data set")
        return load_table(args.data)
    if not path.is_file():
        raise UsageError(f"no file '{path}'; data is a CSV file or one of {', '.join(DATASETS)}")
    try:
        return read_table(
            path,
            args.target,
            header=not args.no_header,
            separator=args.sep,
            encoding=args.encoding,
            drop=args.drop,
            task=args.task,
        )
    except InputError as error:
        raise UsageError(error) from error


def _scoring(args: argparse.Namespace, table: Table) -> str:
    from sknets.model_selection._scoring import DEFAULT_SCORING, suitable, suits

    scoring = args.scoring or DEFAULT_SCORING[table.task]
    if not suits(scoring, table.y, table.task):
        allowed = ", ".join(suitable(table.y, table.task))
        raise UsageError(f"--scoring for this target is one of {allowed}; got '{scoring}'")
    return scoring


def _check_device(device: str) -> None:
    from sknets._device import resolve_device

    try:
        resolve_device(device)
    except ValueError as error:
        raise UsageError(f"--device: {error}") from error


def _model_names(args: argparse.Namespace, table: Table) -> list[str]:
    from sknets.model_selection.lineup import LINE_UP, default_names

    names = default_names(table.X) if args.models is None else list(dict.fromkeys(args.models))
    unknown = [name for name in names if name not in LINE_UP]
    if unknown or not names:
        raise UsageError(f"--models are among {','.join(LINE_UP)}; got '{','.join(unknown)}'")
    return names


def _splits(args: argparse.Namespace, table: Table) -> list[tuple]:
    """Shuffled folds, since a file may be sorted; stratified by class."""
    from sklearn.model_selection import KFold, StratifiedKFold

    kind = StratifiedKFold if table.task == "classification" else KFold
    folds = kind(args.cv, shuffle=True, random_state=args.random_state)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            splits = list(folds.split(table.X, table.y))
        except ValueError as error:
            raise UsageError(f"--cv {args.cv} does not suit this target: {error}") from error
    for warning in caught:
        _say(warning.message)
    return splits


def _folder(args: argparse.Namespace, table: Table) -> Path:
    folder = args.out or Path(f"sknets-compare-{table.name.split('.')[0]}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # it can be written to, and nothing is left there
            pass
    except OSError as error:
        raise UsageError(f"--out must be a folder that can be written to: {error}") from error
    return folder


def _description(table: Table) -> str:
    n_rows, n_columns = table.X.shape
    task = table.task
    if table.classes:
        task += f" into {len(table.classes)} classes"
    if len(table.classes) == 2:
        task += f" (1 is '{table.classes[1]}')"
    return f"{table.name}: {n_rows:,} rows, {n_columns} columns, {task},"


def _settings(args: argparse.Namespace, table: Table, scoring: str) -> dict[str, object]:
    return {
        "Command": args.command_line,
        "Data": _description(table).rstrip(","),
        "Scoring": scoring,
        "Folds": f"{args.cv}, shuffled{', stratified' if table.classes else ''}",
        "Search": f"{args.candidates} candidates in every fold" if args.search else "none",
        "Seed": args.random_state,
        "Jobs": args.jobs,
        "Device": args.device,
        "Notes": "; ".join(table.notes) or "none",
    }


# -- progress and results


@contextmanager
def _progress(models: Sequence[str], n_splits: int) -> Iterator[Callable[[Fold], None]]:
    """A line for each model that is done and, on a terminal, a bar with the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True, highlight=False)
    done: dict[str, list[Fold]] = defaultdict(list)
    start = time.perf_counter()
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("fits, {task.fields[left]}"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=len(models) * n_splits, left=f"at {models[0]}")

        def show(fold: Fold) -> None:
            done[fold.model].append(fold)
            left = time_left(done, models, n_splits, time.perf_counter() - start)
            bar.update(task, advance=1, left=f"{_clock(left)} left")
            if len(done[fold.model]) == n_splits:
                console.print(f"{fold.model:24}{_outcome(done[fold.model])}", soft_wrap=True)

        yield show


def time_left(
    done: Mapping[str, Sequence[Fold]], models: Sequence[str], n_splits: int, elapsed: float
) -> float:
    """Seconds to go: a model's fits cost what those before did, an unknown one's the average."""
    cost = {name: fmean(fold.wall_time for fold in folds) for name, folds in done.items()}
    unknown = sum(cost.values()) / len(cost)
    spent = sum(cost[name] * len(done[name]) for name in done)
    ahead = sum(cost.get(name, unknown) * (n_splits - len(done.get(name, ()))) for name in models)
    return elapsed * ahead / spent if spent else 0.0


def _outcome(folds: Sequence[Fold]) -> str:
    errors = [fold.error for fold in folds if fold.error]
    if errors:
        return f"failed in {len(errors)} of {len(folds)} folds: {errors[0]}"
    mean, seconds = (fmean(getattr(fold, kind) for fold in folds) for kind in ("score", "fit_time"))
    return f"{mean:.4f}, {seconds:.2f} s a fit"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"


def _show(comparison: Comparison) -> None:
    """The table on stdout; on a terminal the best line stands out and the worse ones step back."""
    from rich.console import Console

    console = Console(highlight=False)
    styles = ["bold", *(LINE_STYLES.get(row.verdict, "") for row in comparison.rows_)]
    for line, style in zip_longest(repr(comparison).splitlines(), styles, fillvalue=""):
        console.print(line, style=style, markup=False, soft_wrap=True)
