"""Deep belief networks of several modalities, such as images and words, under one machine.

Srivastava and Salakhutdinov (2012), "Learning representations for multimodal data with deep belief
nets", ICML representation learning workshop; Ngiam et al. (2011), "Multimodal deep learning", ICML.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sknets._data import Data
from sknets._params import (
    Interval,
    InvalidParameterError,
    check_values,
    estimator,
    is_count,
    param,
)
from sknets._random import Stream, derived_seed
from sknets._training.trainer import Trainer
from sknets.base.layerwise import (
    all_inputs,
    check_settings,
    fitted,
    stacked,
    was_interrupted,
)
from sknets.boltzmann.dbn import (
    BeliefModel,
    check_units,
    default_machines,
    is_binary,
    is_real,
    of_layers,
    take_layers,
)
from sknets.boltzmann.deep_belief import DeepBeliefNet, DirectedLayers
from sknets.boltzmann.draws import Draws
from sknets.boltzmann.rbm import BernoulliRBM
from sknets.boltzmann.restricted import RestrictedMachine
from sknets.boltzmann.units import Bernoulli


class MultimodalNet(DeepBeliefNet):
    """A deep belief network of which some paths may be unknown."""

    def columns(self, i: int) -> slice:
        """What the machine on top sees of a path."""
        ends = [0, *accumulate(path.units(-1).n for path in self.each_path)]
        return slice(ends[i], ends[i + 1])

    def started(self, v: Tensor, given: int, draws: Draws) -> tuple[Tensor, slice]:
        """What the machine on top sees at first, given a path's values, and where these are."""
        columns = self.columns(given)
        seen = self.top.path().start(len(v), draws)
        seen[:, columns] = self.path(given).up_means(v)
        return seen, columns

    def completed(self, v: Tensor, given: int, n_steps: int, draws: Draws) -> Tensor:
        """Means of all visible values given those of one path, (n, n_visible).

        The machine on top takes steps in which the path's last layer stays; of the others the means
        over the second half of the steps go down.
        """
        seen, columns = self.started(v, given, draws)
        n_settling = n_steps // 2
        seen = self.clamped(seen, columns, n_settling, draws)
        total: Any = 0.0
        for _ in range(n_steps - n_settling):
            seen = self.clamped(seen, columns, 1, draws)
            total = total + self.down_means(seen)
        return total / (n_steps - n_settling)

    def drawn_with(self, v: Tensor, given: int, n_steps: int, draws: Draws) -> Tensor:
        """A draw of all visible values given those of one path, (n, n_visible)."""
        seen, columns = self.started(v, given, draws)
        return self.drawn_below(self.clamped(seen, columns, n_steps, draws), draws)


@estimator
class MultimodalDBN(BeliefModel):
    r"""Deep belief networks of several modalities under one machine: images and words, say.

    The columns of the data are those of one modality after another. Each has layers of its own, as
    a :class:`DBN` has, and one restricted Boltzmann machine on top sees the last layers of all of
    them. It learns what goes with what, so that a modality can be predicted from another, or drawn,
    and all of them together. See the :ref:`user guide <boltzmann>`.

    See Also
    --------
    DBN : Of a single modality.

    References
    ----------
    .. [1] Srivastava and Salakhutdinov (2012). "Learning representations for multimodal data with
       deep belief nets." ICML representation learning workshop.
    .. [2] Ngiam, Khosla, Kim, Nam, Lee and Ng (2011). "Multimodal deep learning." ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sknets import BernoulliRBM, MultimodalDBN
    >>> X, y = load_digits(return_X_y=True)
    >>> both = np.hstack([X / 16, np.eye(10)[y]])
    >>> rbm = BernoulliRBM(learning="cd", learning_rate=0.2, batch_size=20, n_iter=10)
    >>> dbn = MultimodalDBN(((100,), ()), modalities=(64, 10), n_components=100, rbm=rbm,
    ...                     joint_rbm=rbm, random_state=0).fit(both)
    >>> labels = dbn.predict_modality(X[:200] / 16, n_steps=20, random_state=0)
    >>> bool((labels.argmax(1) == y[:200]).mean() > 0.5)
    True
    """

    hidden_layer_sizes: Any = param(
        ((256,), (256,)),
        ["array-like", list, tuple],
        "Units of the hidden layers of each modality, from below. () is a modality that the "
        "machine on top sees as it is, such as labels, of values between 0 and 1.",
        kw_only=False,
    )
    n_components: int = param(
        256, Interval(Integral, 1, None, closed="left"), "Hidden units of the machine on top."
    )
    modalities: Any = param(
        None,
        [None, list, tuple],
        "How many columns each modality has, in their order. None: as good as the same number.",
    )
    rbm: Any = param(
        None,
        [None, BaseEstimator, list, tuple],
        "The machines that the layers are, but for their `n_components`: a BernoulliRBM, or a list "
        "with one for each modality, which may be GaussianRBMs, or lists of one for each layer. "
        "None: BernoulliRBM(init_std=0.1), or a GaussianRBM(init_std=0.1) for the first where the "
        "data is not between 0 and 1.",
    )
    joint_rbm: Any = param(
        None,
        [None, BernoulliRBM],
        "The machine on top, likewise. None: BernoulliRBM(init_std=0.1).",
    )

    _shape_parameters: ClassVar[tuple[str, ...]] = ("n_components", "modalities")
    _fit_state: ClassVar[dict[str, type]] = {"_are_real": list, "_widths": list}

    # -- fit

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        sizes = self._sizes()
        if len(sizes) < 2 or not all(all(map(is_count, each)) for each in sizes):
            raise InvalidParameterError(
                f"The 'hidden_layer_sizes' parameter of {type(self).__name__} must hold whole "
                "numbers > 0 for each of two modalities or more. Got "
                f"{self.hidden_layer_sizes!r} instead."
            )
        if self.modalities is not None:
            widths = list(self.modalities)
            if len(widths) != len(sizes) or not all(map(is_count, widths)):
                raise InvalidParameterError(
                    f"The 'modalities' parameter of {type(self).__name__} must hold a whole number "
                    f"> 0 for each of {len(sizes)} modalities. Got {self.modalities!r} instead."
                )
        if self.joint_rbm is not None:
            check_settings(self.joint_rbm)
            if self.joint_rbm.groups or tuple(self.joint_rbm.copies) != (1, 1):
                raise InvalidParameterError(
                    f"The 'joint_rbm' parameter of {type(self).__name__} has no groups and no "
                    f"copies of units. Got {self.joint_rbm!r} instead."
                )
        if self.rbm is None:
            return
        fits = not isinstance(self.rbm, (list, tuple)) or len(self.rbm) == len(sizes)
        each_layer = self._machines([False] * len(sizes)) if fits else []
        lengths = [len(machines) for machines in each_layer]
        if lengths != [len(each) for each in sizes] or not all(map(are_stacked, each_layer)):
            raise InvalidParameterError(
                f"The 'rbm' parameter of {type(self).__name__} must be a BernoulliRBM, or a list "
                "with a machine of sknets for each modality, or with a list of one for each layer, "
                f"binary ones above the first. Got {self.rbm!r} instead."
            )
        for machines in each_layer:
            check_units(machines, type(self).__name__)
            for machine in machines:
                check_settings(machine)

    def _first_machines(self) -> list[Any]:
        """The description of the layer above each modality, None where there is none."""
        return [each[0] if each else None for each in self._machines(self._are_real)]

    def _sizes(self) -> list[tuple[int, ...]]:
        """Units of the layers of each modality."""
        return [tuple(each if np.iterable(each) else [each]) for each in self.hidden_layer_sizes]

    def _machines(self, are_real: Sequence[bool]) -> list[list[Any]]:
        """The description of each layer of each modality, whose values may be real."""
        found, sizes = [], self._sizes()
        several = isinstance(self.rbm, (list, tuple))
        for i, (each, of_reals) in enumerate(zip(sizes, are_real, strict=True)):
            described = self.rbm[i] if several else self.rbm
            if described is None:
                found.append(default_machines(len(each), of_reals))
            elif isinstance(described, (list, tuple)):
                found.append(list(described))
            else:
                found.append(of_layers(described, len(each)))
        return found

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        X, y = super()._validate(X, y, reset)
        if reset:
            n, n_features = len(self._sizes()), self.n_features_in_
            if self.modalities is None:
                widths = [len(part) for part in np.array_split(np.arange(n_features), n)]
            else:
                widths = [int(width) for width in self.modalities]
            if sum(widths) != n_features or not all(widths):
                raise ValueError(
                    f"{type(self).__name__} has {n} modalities of {widths} columns, but X has "
                    f"n_features={n_features} of them."
                )
            self._widths = widths
            self._are_real = [is_real(X[:, columns]) for columns in self._columns()]
            for each, of_reals in zip(self._sizes(), self._are_real, strict=True):
                if of_reals and not each:
                    raise ValueError(
                        f"A modality of {type(self).__name__} without hidden layers must have "
                        "values between 0 and 1."
                    )
        return X, y

    def _columns(self) -> list[slice]:
        """The columns of each modality."""
        return [slice(a, b) for a, b in pairwise([0, *accumulate(self._widths)])]

    def _encode(self, y: Any, fresh: bool, classes: Any) -> None:
        self.n_outputs_ = int(self.n_components)

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> MultimodalNet:
        paths = []
        machines = self._machines(self._are_real)
        described = zip(machines, self._widths, self._sizes(), strict=True)
        for each, width, sizes in described:
            visible = each[0]._visible_units(width) if each else Bernoulli(width)
            paths.append(DirectedLayers(visible, sizes))
        return MultimodalNet(paths, n_outputs)

    def _pretrain(self, trainer: Trainer, batches: Data) -> None:
        """Greedy training of each modality's layers, and of the machine on top."""
        network, X = trainer.module_, all_inputs(batches)
        self._n_epochs_of_layers = 0
        machines = self._machines(self._are_real)
        described = zip(machines, self._sizes(), self._columns(), strict=True)
        for i, (each, sizes, columns) in enumerate(described, start=1):
            seed = derived_seed(self._seed, Stream.PRETRAIN, i)
            made = stacked(each, sizes, X[:, columns], seed, batches.device)
            take_layers(network.path(i - 1), made)
            self._n_epochs_of_layers += sum(machine.n_iter_ for machine in made)
            trainer.interrupted = was_interrupted(made)
            if trainer.interrupted:
                return
        with torch.inference_mode():
            seen = torch.cat([network.up_to_top(batch.x) for batch in batches.epoch(None)])
        (joint,) = default_machines(1) if self.joint_rbm is None else [self.joint_rbm]
        seed = derived_seed(self._seed, Stream.PRETRAIN, 0)
        machine = fitted(joint, self.n_components, seen.cpu().numpy(), seed, batches.device)
        network.top.load_state_dict(machine.module_.state_dict())
        self._n_epochs_of_layers += machine.n_iter_
        trainer.interrupted = was_interrupted([machine])

    # -- one modality from another

    def predict_modality(
        self,
        X: Any,
        *,
        given: int = 0,
        target: int = 1,
        n_steps: int = 100,
        random_state: Any = None,
    ) -> np.ndarray:
        """Expected values of a modality given those of another.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns_given)
            The modality that is known.
        given : int, default=0
            Which one it is.
        target : int, default=1
            Which one is predicted.
        n_steps : int, default=100
            Gibbs steps of the machine on top, with what is known as it is; the means over the
            second half count.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        expected : ndarray of shape (n_samples, n_columns_target)
            The means.
        """
        return self._from_modality(MultimodalNet.completed, X, given, target, n_steps, random_state)

    def sample_modality(
        self,
        X: Any,
        *,
        given: int = 0,
        target: int = 1,
        n_steps: int = 100,
        random_state: Any = None,
    ) -> np.ndarray:
        """Draw a modality given another.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns_given)
            The modality that is known.
        given : int, default=0
            Which one it is.
        target : int, default=1
            Which one is drawn.
        n_steps : int, default=100
            Gibbs steps of the machine on top, with what is known as it is.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        drawn : ndarray of shape (n_samples, n_columns_target)
            A draw for each row.
        """
        return self._from_modality(
            MultimodalNet.drawn_with, X, given, target, n_steps, random_state
        )

    def _from_modality(
        self,
        method: Callable[..., Tensor],
        X: Any,
        given: int,
        target: int,
        n_steps: int,
        random_state: Any,
    ) -> np.ndarray:
        check_is_fitted(self)
        which = [Interval(Integral, 0, len(self._widths) - 1, closed="both")]
        steps = [Interval(Integral, 2, None, closed="left")]
        check_values(
            type(self).__name__,
            {"given": which, "target": which, "n_steps": steps},
            {"given": given, "target": target, "n_steps": n_steps},
        )
        X = check_array(X, dtype=(np.float64, np.float32))
        if X.shape[1] != self._widths[given]:
            raise ValueError(
                f"X has {X.shape[1]} columns, but modality {given} of {type(self).__name__} has "
                f"{self._widths[given]}."
            )
        network, draws = self.module_, self._own_draws(random_state)
        made = self._by_rows(X, lambda v: method(network, v, given, n_steps, draws))
        return made[:, self._columns()[target]]


def are_stacked(machines: Sequence[Any]) -> bool:
    """Whether they are machines of sknets, binary ones above the first."""
    first = all(isinstance(machine, RestrictedMachine) for machine in machines[:1])
    return first and all(map(is_binary, machines[1:]))
