"""Texts whose tokens are coloured: by how likely a model finds them, or by what a unit does."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple, Self

import numpy as np

from sknets._optional import require
from sknets._params import Interval, InvalidParameterError, check_values
from sknets.inspection._fitted import having
from sknets.inspection._reading import Reading, checked_layer
from sknets.rnn.language_model import LanguageModel

PALE = 0.6  # so that the text can be read on its colours


class Place(NamedTuple):
    """Where a token stands: its line, its first column, and what is written there."""

    line: int
    column: int
    text: str


class TextDisplay:
    """A text, each of its tokens coloured by a number.

    It is best made by `from_estimator`: the colour is then the probability that a language model
    gives each token after those before, or what one of its units puts out.

    Parameters
    ----------
    tokens : sequence of str
        The text, token by token.
    values : array-like of shape (n_tokens,)
        A number for each token.
    separator : str, default=""
        What is between tokens: nothing between characters, a blank between words.
    label : str, default=None
        What the numbers are.

    Attributes
    ----------
    im_ : matplotlib AxesImage
        The colours.
    text_ : list of matplotlib Text
        The tokens.
    ax_ : matplotlib Axes
        Where the text is.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    HiddenStatesDisplay : What all units do, step by step.

    References
    ----------
    .. [1] Karpathy, Johnson and Fei-Fei (2015). "Visualizing and understanding recurrent networks."
       https://doi.org/10.48550/arXiv.1506.02078

    Examples
    --------
    >>> from sknets import LanguageModel
    >>> from sknets.inspection import TextDisplay
    >>> model = LanguageModel(window=8, max_iter=5, learning_rate="cosine", random_state=0)
    >>> model = model.fit("the cat sat on the mat. " * 20)
    >>> display = TextDisplay.from_estimator(model, "the mat sat.")
    >>> len(display.values)
    12
    """

    def __init__(
        self,
        tokens: Sequence[str],
        values: Any,
        *,
        separator: str = "",
        label: str | None = None,
    ) -> None:
        self.tokens = tokens
        self.values = values
        self.separator = separator
        self.label = label

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        text: str,
        *,
        unit: int | None = None,
        layer: int = -1,
        line_length: int = 60,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw a text as a language model reads it.

        Parameters
        ----------
        estimator : fitted LanguageModel
            Or a search for one.
        text : str
            The text.
        unit : int, default=None
            The unit whose output after each token is shown; None shows the probability of each
            token.
        layer : int, default=-1
            The recurrent layer of the unit.
        line_length : int, default=60
            Characters in a line, at most.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to matplotlib's ``imshow``.

        Returns
        -------
        display : TextDisplay
            The display, drawn.
        """
        owner = cls.__name__
        model = having("tokens_", estimator, owner)
        if not isinstance(model, LanguageModel) or not isinstance(text, str):
            raise InvalidParameterError(
                f"{owner}.from_estimator takes a fitted LanguageModel and a text. Got {model!r} "
                f"and {text!r} instead."
            )
        tokens = model.tokenizer_.tokenize(text)
        if not tokens:
            raise ValueError(f"The text has no {model.tokenizer_.level}: {text!r}.")
        if unit is None:
            values = np.exp(model._of_texts([text])[0][: len(tokens)])
            label, colours = "probability", {"vmin": 0, "vmax": 1, "cmap": "RdYlGn"}
        else:
            reading = Reading.of(model, [text], owner)
            states = reading.states(checked_layer(layer, reading, owner))[0].cpu().numpy()
            if not isinstance(unit, Integral) or not 0 <= unit < states.shape[1]:
                raise InvalidParameterError(
                    f"The 'unit' parameter of {owner} must be a number from 0 to "
                    f"{states.shape[1] - 1}. Got {unit!r} instead."
                )
            values = states[1:, unit]
            label, colours = f"unit {unit}", {"vmin": -1, "vmax": 1, "cmap": "coolwarm"}
        separator = "" if model.tokenizer_.level == "character" else " "
        display = cls(tokens, values, separator=separator, label=label)
        return display.plot(line_length=line_length, ax=ax, **{**colours, **kwargs})

    def plot(self, *, line_length: int = 60, ax: Any = None, **kwargs: Any) -> Self:
        """Draw the text.

        Parameters
        ----------
        line_length : int, default=60
            Characters in a line, at most. A line also ends where the text has a line feed.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to matplotlib's ``imshow``.

        Returns
        -------
        display : TextDisplay
            Itself.
        """
        pyplot = require("matplotlib.pyplot", extra="plot", feature="TextDisplay.plot")
        at_least_one = {"line_length": [Interval(Integral, 1, None, closed="left")]}
        check_values("TextDisplay.plot", at_least_one, {"line_length": line_length})
        if not len(self.tokens):
            raise ValueError("There are no tokens to draw.")
        places = placed(self.tokens, self.separator, line_length)
        n_lines = places[-1].line + 1
        n_columns = max(place.column + len(place.text) for place in places)
        if ax is None:
            size = (1 + 0.13 * n_columns, 0.6 + 0.26 * n_lines)
            _, ax = pyplot.subplots(figsize=size, layout="constrained")
        cells = np.full((n_lines, max(1, n_columns)), np.nan)
        for (line, column, text), value in zip(places, self.values, strict=True):
            cells[line, column : column + max(1, len(text))] = value
        self.ax_, self.figure_ = ax, ax.figure
        self.im_ = ax.imshow(cells, **{"aspect": "auto", "alpha": PALE, **kwargs})
        style = {"family": "monospace", "size": "small", "ha": "center", "va": "center"}
        self.text_ = [
            ax.text(column + i, line, character, **style)
            for line, column, text in places
            for i, character in enumerate(text)
            if not character.isspace()
        ]
        ax.set_axis_off()
        if self.label is not None:
            self.figure_.colorbar(self.im_, ax=ax, label=self.label)
        return self


def placed(tokens: Sequence[str], separator: str, line_length: int) -> list[Place]:
    """Where tokens stand in lines of a length; a line feed stands at the end of its line."""
    places: list[Place] = []
    line = column = 0
    for token in tokens:
        text = token.replace("\n", " ")
        if column and column + len(text) > line_length:
            line, column = line + 1, 0
        places.append(Place(line, column, text))
        column += len(text) + len(separator)
        if "\n" in token:
            line, column = line + 1, 0
    return places
