"""Sequences on their way through a fitted recurrent network."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.pipeline import Pipeline
from torch import Tensor

from sknets._params import InvalidParameterError
from sknets._sequences import SequenceRows, Sequences
from sknets.base.training_set import input_tensor
from sknets.inspection._fitted import having
from sknets.preprocessing.sequences import SequenceTokenizer, texts_of
from sknets.rnn.cells import State, at_step
from sknets.rnn.language_model import LanguageModel
from sknets.rnn.network import Both, SequenceNetwork, as_dtype
from sknets.rnn.reading import RecurrentNetwork


class Reading(NamedTuple):
    """A fitted network and sequences that it reads.

    Attributes
    ----------
    module : nn.Module
        With recurrent layers.
    steps : Sequences
        What the recurrent layers take, (n, time, n_inputs).
    tokens : list of list of str or None
        What is read at each step, of texts.
    """

    module: Any
    steps: Sequences
    tokens: list[list[str]] | None

    @classmethod
    def of(cls, estimator: Any, X: Any, owner: str) -> Reading:
        """A reading; raises what `predict` would, and InvalidParameterError for others."""
        fitted = having("module_", estimator, owner)
        if isinstance(fitted, LanguageModel):
            texts = texts_of(X)
            x = _filled([ids.numpy() for ids in fitted._begun(texts)], fitted.module_)
            read = [["", *fitted.tokenizer_.tokenize(text)] for text in texts]
            with torch.no_grad():
                return cls(fitted.module_, fitted.module_.read(x), read)
        if not isinstance(fitted, RecurrentNetwork):
            raise InvalidParameterError(
                f"The 'estimator' parameter of {owner} must be a recurrent network or a language "
                f"model. Got {fitted!r} instead."
            )
        X, tokens = _before_network(estimator, X)
        rows = fitted._validated_rows(X)
        first = next(fitted.module_.parameters())
        x = input_tensor(rows[:], first.dtype, first.device)
        with torch.no_grad():
            return cls(fitted.module_, fitted.module_.read(x), tokens)

    @property
    def lengths(self) -> Tensor:
        """How many steps each sequence has."""
        n, time, _ = self.steps.shape
        lengths = self.steps.lengths
        return torch.full((n,), time) if lengths is None else lengths.cpu()

    def states(self, layer: int) -> Tensor:
        """The outputs of a recurrent layer, (n, time, units)."""
        x = self.steps
        with torch.no_grad():
            for each in self.module.recurrent.layers[: layer + 1]:
                x = x._replace(values=each(x)[0])
        return x.values

    def state_gradients(self, layer: int) -> Tensor:
        """The norm of the gradient of each sequence's largest final output by each state.

        Returns
        -------
        norms : Tensor of shape (n, time)
            Of the whole state of a layer, of that of its forward direction if it has two.
        """
        module = copy.deepcopy(self.module).double()
        chosen = module.recurrent.layers[layer]
        cell: Any = chosen.forth if isinstance(chosen, Both) else chosen
        cell.fused, step = False, cell.step
        passed: list[State] = []

        def recorded(inputs: Tensor, state: State) -> State:
            passed.append(tuple(part.clone() for part in step(inputs, state)))
            return passed[-1]

        cell.step = recorded
        steps = as_dtype(self.steps, torch.float64)
        with torch.enable_grad():
            largest = self._final(module, steps).amax(1).sum()
            flat = [part for state in passed for part in state]
            found = torch.autograd.grad(largest, flat, materialize_grads=True)
        squares = torch.stack([part.square().sum(1) for part in found])
        return squares.view(len(passed), -1, squares.shape[1]).sum(1).sqrt().T

    def _final(self, module: Any, steps: Sequences) -> Tensor:
        """The outputs after the last step, (n, n_outputs)."""
        outputs, last = module.recurrent(steps)
        if type(module) is SequenceNetwork:
            return module.head(module.pooled(steps._replace(values=outputs), last[-1]))
        return module.head(at_step(outputs, self.lengths.to(outputs.device) - 1))


def _before_network(estimator: Any, X: Any) -> tuple[Any, list[list[str]] | None]:
    """What the steps of a Pipeline make of X, and the tokens where it begins with texts."""
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not isinstance(estimator, Pipeline):
        return X, None
    first, tokens = estimator[0], None
    if isinstance(first, SequenceTokenizer):
        named = np.array(first.tokens_, dtype=object)
        tokens = [list(named[ids]) for ids in first.transform(X)]
    return estimator[:-1].transform(X), tokens


def _filled(each: list[np.ndarray], module: Any) -> Sequences:
    rows = SequenceRows(np.concatenate(each), np.array([len(ids) for ids in each]))
    first = next(module.parameters())
    return input_tensor(rows, first.dtype, first.device)


def checked_layer(layer: Any, reading: Reading, owner: str) -> int:
    """A recurrent layer by its number, negative from the last."""
    n = len(reading.module.recurrent.layers)
    if not isinstance(layer, (int, np.integer)) or not -n <= layer < n:
        raise InvalidParameterError(
            f"The 'layer' parameter of {owner} must be a number from {-n} to {n - 1}. "
            f"Got {layer!r} instead."
        )
    return int(layer) % n
