"""A network that an estimator holds: built, filled, run over arrays, pickled as plain values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import prod
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data
from skorch.history import History
from torch import Tensor, nn
from torch.utils.data import Dataset

from sknets._data import ConvertedRows, DatasetRows, as_array, is_converted, slices
from sknets._device import resolve_device, threads_for
from sknets._measure import Layer, Work, layers_of
from sknets._state import to_arrays, to_tensors
from sknets._summary import Summary
from sknets._training import checkpoint
from sknets.base.training_set import input_tensor

FEW_ROWS = 4
PREDICT_BYTES = 32 * 2**20  # of the widest values of a slice that is predicted at a time


class HeldNetwork(BaseEstimator, ABC):
    """Abstract: an estimator with a network in ``module_``."""

    module_: Any
    n_features_in_: int
    n_outputs_: int
    device: Any
    _shape: dict[str, Any]  # the parameters that shaped the network, and its outputs' meaning
    _items_may_be_arrays: ClassVar[bool] = False  # of a Dataset, rather than rows alone

    # What a fit sets, or a pickle holds, beside the documented attributes: see `declared_state`.
    _fit_state: ClassVar[dict[str, type]] = {
        "module_": nn.Module,
        "_module_state": dict,  # in a pickle, of module_
        "history_": list,  # of which skorch's History is one
        "_shape": dict,
    }

    # -- what a family or a role supplies

    @abstractmethod
    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> nn.Module:
        """The network for inputs of a shape, its contents undefined."""

    @abstractmethod
    def _initialise(self, module: nn.Module, seed: int) -> None:
        """Fill the network's parameters and buffers."""

    @abstractmethod
    def _run_once(self) -> None:
        """Predict something, or raise where what was loaded does not fit together."""

    def _input_shape(self) -> tuple[int, ...]:
        """The shape of one input of the network."""
        return (self.n_features_in_,)

    # -- building

    def _initialised(self, build: Callable[[], nn.Module], seed: int) -> nn.Module:
        """A network filled in float64 on the CPU, whatever it will compute in, from its seed.

        It is made on the meta device, where torch's own initialisation draws nothing.
        """
        with torch.device("meta"):
            module = build()
        empty = {
            name: torch.empty(t.shape, dtype=torch.float64 if t.is_floating_point() else t.dtype)
            for name, t in module.state_dict().items()
        }
        module = filled(module, empty)  # not to_empty, which imports a computer algebra system
        self._initialise(module, seed)
        return module

    def _as_fitted(self) -> Any:
        """A copy with the parameters that shaped the network, whatever was set since."""
        fitted = type(self)(**self.get_params(deep=False))
        fitted.__dict__.update({**vars(self), **self._shape})
        return fitted

    def _module_with(self, state: dict[str, Tensor]) -> nn.Module:
        """The network as it was fitted, whatever was set since, holding the given tensors."""
        fitted = self._as_fitted()
        with torch.device("meta"):
            module = fitted._build(self._input_shape(), self.n_outputs_)
        return filled(module, state)

    # -- prediction

    def _validated_rows(self, X: Any) -> Any:
        """Check the inputs of a prediction."""
        check_is_fitted(self)
        return self._checked_rows(X, reset=False)

    def _checked_rows(self, X: Any, reset: bool) -> Any:
        """Check inputs without targets."""
        if isinstance(X, Dataset):
            return self._dataset_rows(X, reset)
        X = as_array(X)
        converted = is_converted(X)
        dtype = None if converted else (np.float64, np.float32)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=dtype, reset=reset)
        return ConvertedRows(X) if converted else X

    def _dataset_rows(self, dataset: Dataset, reset: bool) -> DatasetRows:
        """A torch Dataset as rows, its first item checked."""
        if not len(dataset):  # type: ignore[arg-type]
            raise ValueError(
                "Found a Dataset with 0 sample(s) while a minimum of 1 is required by "
                f"{type(self).__name__}."
            )
        X = DatasetRows(dataset)
        if reset:
            self.n_features_in_ = int(np.prod(X.shape[1:]))
        self._check_item(X.shape[1:])
        return X

    def _check_item(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError for items of a Dataset of another shape than the network takes."""
        n = self.n_features_in_
        as_arrays = self._items_may_be_arrays
        if prod(shape) == n if as_arrays else shape == (n,):
            return
        expected = f"{n} values in each" if as_arrays else f"{(n,)} as input"
        raise ValueError(
            f"The items of X have shape {shape}, but {type(self).__name__} is expecting {expected}."
        )

    def _forward(self, X: Any, function: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
        """A function of the network over validated inputs, a slice of them at a time."""
        first = next(self.module_.parameters())
        dtype, device = first.dtype, first.device
        if X.shape[0] <= FEW_ROWS:  # in a web service, say, where microseconds count
            yield function(input_tensor(X[:], dtype, device))
            return
        work = self._work()
        rows = min(X.shape[0], max(1, PREDICT_BYTES // (8 * work.widest)))
        for part in slices(X.shape[0], rows):
            with threads_for(2.0 * rows * work.multiply_adds, device):
                yield function(input_tensor(X[part], dtype, device))

    def _by_rows(self, X: Any, function: Callable[[Tensor], Tensor]) -> np.ndarray:
        """A function of the network over validated rows."""
        with torch.inference_mode():
            return self._array(self._forward(X, function), X)

    def _work(self) -> Work:
        """What a sample costs."""
        shapes = [p.shape for p in self.module_.parameters()]
        widest = max(self.n_features_in_, *(shape[0] for shape in shapes))
        return Work(sum(shape.numel() for shape in shapes), widest)

    def _array(self, parts: Iterator[Tensor], X: Any) -> np.ndarray:
        """The parts of a result as one array in the dtype of the input."""
        tensors = list(parts)
        whole = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
        return whole.cpu().numpy().astype(X.dtype, copy=False)

    def summary(self) -> Summary:
        """The layers of the network: shapes, parameters, operations, memory, receptive fields.

        Returns
        -------
        summary : Summary
            A table when it is printed; ``summary.to_frame()`` is one of numbers.
        """
        check_is_fitted(self)
        parameters = list(self.module_.parameters())
        trained = sum(p.numel() for p in parameters if p.requires_grad)
        return Summary(self._layers(), sum(p.numel() for p in parameters), trained)

    def _layers(self) -> list[Layer]:
        return layers_of(self.module_, self._input_shape())

    # -- state

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """Plain values and arrays: the network is rebuilt from its parameters when loaded."""
        state = dict(super().__getstate__())
        if "module_" in state:
            state["_module_state"] = to_arrays(state.pop("module_").state_dict())
            state["history_"] = checkpoint.plain_history(state["history_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        arrays = state.pop("_module_state", None)
        super().__setstate__(state)
        if arrays is not None:
            self.history_ = History(state["history_"])
            self.module_ = self._module_with(to_tensors(arrays)).eval()
            with suppress(ValueError):  # a device that this machine lacks: stay on the CPU
                self.module_.to(resolve_device(self.device))


def declared_state(cls: type) -> dict[str, type]:
    """What a fit sets on an estimator, and the type of each.

    A class declares what its own methods set: what users may read in ``_fitted_attributes``, with
    its sentence, and the rest in ``_fit_state``, with its type. Properties are not state.
    """
    declared: dict[str, type] = {}
    for base in reversed(cls.__mro__):
        declared |= dict.fromkeys(vars(base).get("_fitted_attributes", {}), object)
    for base in reversed(cls.__mro__):
        declared |= vars(base).get("_fit_state", {})
    return {k: v for k, v in declared.items() if not isinstance(getattr(cls, k, None), property)}


def declared_names(cls: type, field: str) -> tuple[str, ...]:
    """What a class and those it is made of list under a name, each its own alone."""
    found = (name for base in reversed(cls.__mro__) for name in vars(base).get(field, ()))
    return tuple(dict.fromkeys(found))


def filled(module: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    """A module from the meta device with the given tensors for its parameters and buffers.

    Parameters that the module has in two places stay one.
    """
    first: dict[nn.Parameter, str] = {}
    names = list(module.named_parameters(remove_duplicate=False))
    shared = {name: first[p] for name, p in names if first.setdefault(p, name) != name}
    module.load_state_dict(state, assign=True)
    for name, other in shared.items():
        owner, _, leaf = name.rpartition(".")
        setattr(module.get_submodule(owner), leaf, module.get_parameter(other))
    return module.requires_grad_(True)
