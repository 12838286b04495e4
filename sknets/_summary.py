"""A network's layers as a table: shapes, parameters, operations, memory, receptive fields."""

from __future__ import annotations

from math import prod
from typing import Any

from sknets._measure import Layer
from sknets._optional import require

TITLES = ("layer", "output", "parameters", "multiply-adds", "memory", "receptive field")
FLOAT_BYTES = 4
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class Summary:
    """The layers of a network, for one sample in single precision.

    Printed, it is a table; `to_frame` gives it as numbers.

    Parameters
    ----------
    layers : list of Layer
        In the order in which they are called.
    n_parameters, n_trained : int
        Numbers in the network that are learnt, and those of them that training changes.

    Attributes
    ----------
    multiply_adds : int
        Of all layers.
    memory : int
        Bytes of what all layers make, which training keeps.
    """

    def __init__(self, layers: list[Layer], n_parameters: int, n_trained: int) -> None:
        self.layers, self.n_parameters, self.n_trained = layers, n_parameters, n_trained
        self.multiply_adds = sum(layer.multiply_adds for layer in layers)
        self.memory = sum(_memory(layer) for layer in layers)

    def to_frame(self) -> Any:
        """The table as numbers.

        Returns
        -------
        frame : pandas.DataFrame
            A row a layer, by its name; memory in bytes.
        """
        pandas = require("pandas", extra="compare", feature="Summary.to_frame")
        rows = [(layer.kind, *layer[2:5], _memory(layer), layer.field) for layer in self.layers]
        names = [each.name for each in self.layers]
        columns = ["kind", *TITLES[1:]]
        return pandas.DataFrame(rows, index=pandas.Index(names, name=TITLES[0]), columns=columns)

    def __str__(self) -> str:
        rows = [TITLES, *map(_cells, self.layers)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
        rule = "-" * max(map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:], rule, self._totals()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{title}</th>" for title in TITLES)
        rows = ("".join(f"<td>{cell}</td>" for cell in _cells(layer)) for layer in self.layers)
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table><tr>{head}</tr>{body}</table><p>{self._totals()}</p>"

    def _totals(self) -> str:
        still = self.n_parameters - self.n_trained
        frozen = f" ({still:,} of them frozen)" if still else ""
        return (
            f"{self.n_parameters:,} parameters{frozen}, {self.multiply_adds:,} multiply-adds and "
            f"{_bytes(self.memory)} a sample"
        )


def _cells(layer: Layer) -> tuple[str, ...]:
    return (
        f"{layer.name} ({layer.kind})",
        _by(layer.output_shape),
        f"{layer.n_parameters:,}",
        f"{layer.multiply_adds:,}",
        _bytes(_memory(layer)),
        _by(layer.field),
    )


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    """Names to the left, numbers to the right."""
    first, *others = (cell.ljust if i == 0 else cell.rjust for i, cell in enumerate(row))
    return [first(widths[0]), *(just(w) for just, w in zip(others, widths[1:], strict=True))]


def _by(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))


def _memory(layer: Layer) -> int:
    return FLOAT_BYTES * prod(layer.output_shape)


def _bytes(n: float) -> str:
    unit = 0
    while n >= 1024 and unit < len(UNITS) - 1:
        n, unit = n / 1024, unit + 1
    return f"{n:,.0f} {UNITS[unit]}" if unit == 0 else f"{n:,.1f} {UNITS[unit]}"
