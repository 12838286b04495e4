"""Time of ``import sknets`` against importing scikit-learn, torch and skorch.

Each import happens in a fresh interpreter, whose own start is not counted.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from benchmarks._timing import (
    Timing,
    alternate,
    arguments,
    print_environment,
    print_table,
    write_json,
)

IMPORTS = {"ours": "import sknets", "libraries": "import sklearn, torch, skorch"}
TOY_IMPORTS = {"ours": "import json", "libraries": "import csv"}
BARS = {"libraries": 1.15}

TIMED = """
from time import perf_counter
start = perf_counter()
{statement}
print(perf_counter() - start)
"""


def import_time(statement: str) -> float:
    """Seconds that an import takes in a fresh interpreter."""
    command = [sys.executable, "-c", TIMED.format(statement=statement)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def seconds_reported(run: Callable[[], float]) -> float:
    return run()


def main(toy: bool = False, repeats: int = 9, json: str | None = None) -> list[Timing]:
    imports = TOY_IMPORTS if toy else IMPORTS
    sides = {side: lambda s=statement: import_time(s) for side, statement in imports.items()}
    print_environment()
    title = "; ".join(f"{side}: {statement}" for side, statement in imports.items())
    result = alternate(sides, 1 if toy else repeats, case=title, measure=seconds_reported)
    print_table(result, BARS)
    write_json(json, [result])
    return [result]


if __name__ == "__main__":
    main(**vars(arguments(__doc__, repeats=9).parse_args()))
