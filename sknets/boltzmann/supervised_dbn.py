"""Deep belief networks that learn targets: fine-tuned by back-propagation, or with labels on top.

Hinton, Osindero and Teh (2006), https://doi.org/10.1162/neco.2006.18.7.1527; Hinton and
Salakhutdinov (2006), https://doi.org/10.1126/science.1127647.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sknets._data import Data
from sknets._params import Interval, OneOf, check_values, estimator, param
from sknets._random import Stream, derived_seed, draw_seed, generator
from sknets._targets import dense
from sknets._training.parameters import FlatParameters
from sknets._training.steps import Step
from sknets._training.trainer import Trainer
from sknets.base import REGRESSION_LOSSES, NetworkRegressor
from sknets.base.descent import is_stochastic
from sknets.base.layerwise import all_inputs, fitted, stacked, was_interrupted
from sknets.base.training_set import Call, TrainingSet
from sknets.boltzmann.base import SAMPLING, values_of
from sknets.boltzmann.dbn import FILTERS, BeliefParameters, is_binary, take_layers, up_down_step
from sknets.boltzmann.deep_belief import AssociativeNet
from sknets.boltzmann.draws import draws_for
from sknets.boltzmann.unweighted import UnweightedClassifier, UnweightedNetwork
from sknets.layers import ACTIVATIONS

UNKNOWN = -1  # the target of a row without a class
# What does not go with labels on top, but for its default.
OF_OUTPUT_LAYER = {
    "loss": "log_loss",
    "label_smoothing": 0,
    "class_weight": None,
    "activation": "logistic",
    "dropout": 0,
    "input_dropout": 0,
    "noise_std": 0,
    "batch_norm": False,
    "max_norm": None,
}


@estimator
class SupervisedBelief(BeliefParameters, UnweightedNetwork):
    """Abstract: a network that starts from machines, one a layer, and learns targets then."""

    activation: str = param(
        "logistic",
        OneOf(*ACTIVATIONS),
        "Activation of the hidden layers, after the machines: theirs is 'logistic'.",
    )
    max_iter: int = param(
        200,
        Interval(Integral, 0, None, closed="left"),
        "Epochs of fine-tuning; 0 leaves the layers as the machines are.",
    )

    def _pretrain(self, trainer: Trainer, batches: Data) -> None:
        self._start_from(self._machines(), trainer, all_inputs(batches))


def head_of(self: DBNClassifier) -> str:
    """What learnt the classes, or will."""
    head: str = vars(self).get("_shape", vars(self))["head"]
    return head


def is_associative(self: DBNClassifier) -> bool:
    """Whether the network is a model of inputs, for `available_if`."""
    if head_of(self) != "associative":
        raise AttributeError("sample needs head='associative'.")
    return True


@estimator
class DBNClassifier(SupervisedBelief, UnweightedClassifier):
    r"""Deep belief network classifier: layers that learn the inputs first, and classes then.

    Each layer is the hidden one of a restricted Boltzmann machine that learns the distribution of
    what the layer below makes. Then either a classifier is put on top and all weights are
    fine-tuned by back-propagation (``head="finetune"``), or the machine on top sees the classes
    too (``head="associative"``), so that the network is a generative model of inputs `x` and
    classes `y`, which predicts by

    .. math:: p(y | x) \propto e^{-F(y, h(x))},

    with `F` the free energy of the machine on top and `h` the layer below it, learns from samples
    without a class, and draws samples of a class. Weights of samples are not known to machines,
    so that `fit` takes none. See the :ref:`user guide <boltzmann>`.

    See Also
    --------
    DBN : The same without classes.
    MLPClassifier : Starts from machines likewise with ``pretrain=BernoulliRBM()``.

    References
    ----------
    .. [1] Hinton, Osindero and Teh (2006). "A fast learning algorithm for deep belief nets." Neural
       Computation 18, 1527-1554. https://doi.org/10.1162/neco.2006.18.7.1527
    .. [2] Hinton and Salakhutdinov (2006). "Reducing the dimensionality of data with neural
       networks." Science 313, 504-507. https://doi.org/10.1126/science.1127647
    .. [3] Larochelle and Bengio (2008). "Classification using discriminative restricted Boltzmann
       machines." ICML. https://doi.org/10.1145/1390156.1390224

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import BernoulliRBM, DBNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> rbm = BernoulliRBM(learning="cd", learning_rate=0.2, batch_size=20, n_iter=10)
    >>> clf = DBNClassifier((64, 64), rbm=rbm, max_iter=20, learning_rate="one_cycle",
    ...                     learning_rate_init=0.02, random_state=0)
    >>> clf.fit(X / 16, y).score(X / 16, y) > 0.95
    True
    """

    head: str = param(
        "finetune",
        OneOf("finetune", "associative"),
        "What learns the classes: an output layer, with all weights fine-tuned by "
        "back-propagation, or the machine on top, which sees classes beside the layer below it, "
        "with all weights fine-tuned up and down.",
    )
    unlabeled: Any = param(
        None,
        [None, str, Integral],
        "The value in `y` of samples without a class, such as -1: machines learn from them too. "
        "Where they are the most, the machine that sees classes is shown the others several times "
        "an epoch, so that it learns from as many of both. None: all have one.",
    )
    learning: str = param(
        "cd",
        OneOf("cd", "pcd"),
        "Where samples of the machine on top come from while all weights are trained: from chains "
        "that start at the data (contrastive divergence), or that go on from minibatch to "
        "minibatch (persistent), from which better samples are learnt; with "
        "head='associative'.",
    )
    n_gibbs_steps: int = param(
        3,
        Interval(Integral, 1, None, closed="left"),
        "Gibbs steps of the machine on top for a minibatch, with head='associative'.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "components_": FILTERS.replace(".", ", with head='associative'."),
    }
    _shape_parameters: ClassVar[tuple[str, ...]] = ("head",)

    # -- fit

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        if self.head == "finetune":
            return
        self._check_stochastic()
        for name, value in OF_OUTPUT_LAYER.items():
            if getattr(self, name) != value:
                raise ValueError(
                    f"head='associative' of {type(self).__name__} is a model of the samples as "
                    f"they are: it knows no {name}={getattr(self, name)!r}."
                )

    def _encode(self, y: Any, fresh: bool, classes: Any) -> np.ndarray:
        """Encoded classes, and `UNKNOWN` for samples that have none."""
        y = dense(y)
        known = self._have_class(y)
        if not known.any():
            if self.head == "associative" and not fresh:
                return np.full(len(y), UNKNOWN)  # there is something to learn from inputs alone
            raise ValueError(f"No sample has a class: all of y is unlabeled={self.unlabeled!r}.")
        target = super()._encode(y[known], fresh, classes)
        if self.head == "associative" and self._target_kind not in ("binary", "multiclass"):
            raise ValueError("head='associative' needs one class a sample, in y of shape (n,).")
        found = np.full((len(y), *target.shape[1:]), UNKNOWN, target.dtype)
        found[known] = target
        return found

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        X, y = super()._validate(X, y, reset)
        if reset and self.head == "associative" and len(self._sizes()) == 1:
            (machine,) = self._machines()
            if is_binary(machine) and machine.groups:
                raise ValueError(
                    f"The only machine of this {type(self).__name__} has the labels as its groups: "
                    f"put a layer between. Got groups={machine.groups!r}."
                )
            if not is_binary(machine):
                raise ValueError(
                    f"The only machine of this {type(self).__name__} sees inputs beside labels, so "
                    "that they must be between 0 and 1: scale X, or put a layer between."
                )
        return X, y

    def _have_class(self, y: np.ndarray) -> np.ndarray:
        """Which samples do not have the mark of those without a class."""
        if self.unlabeled is None:
            return np.ones(len(y), bool)
        if isinstance(self.unlabeled, str) != (y.dtype.kind in "OSU"):
            raise ValueError(
                f"unlabeled={self.unlabeled!r} cannot be among y, which holds {y.dtype} values."
            )
        marked = np.asarray(y == self.unlabeled, dtype=bool).reshape(len(y), -1)
        return ~np.asarray(marked.any(1))

    def _difficulty(self, call: Call, n_samples: int) -> np.ndarray | None:
        """That of samples which the network is trained on, given for all of them."""
        if self.head == "associative" or call.y is None:
            return super()._difficulty(call, n_samples)
        known = self._have_class(np.asarray(dense(call.y)))
        found = super()._difficulty(call, len(known))
        return None if found is None else found[known]

    def _training_set(self, call: Call, fresh: bool) -> TrainingSet:
        """All samples, or those with a class, while machines learn from all."""
        data = super()._training_set(call, fresh)
        known = has_class(data)
        if self.head == "associative" or known.all():
            return data
        if fresh:
            self._inputs = data.X  # until machines have learnt
        return data.part(np.flatnonzero(known))

    def _split(self, data: TrainingSet) -> tuple[np.ndarray, np.ndarray] | None:
        """The rows to train on, and those to hold out, which have a class."""
        known = np.flatnonzero(has_class(data))
        held_out = super()._split(data.part(known))
        if held_out is None:
            return None
        valid = known[held_out[1]]
        return np.setdiff1d(np.arange(data.n_samples), valid), valid

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> Any:
        if self.head == "finetune":
            return super()._build(input_shape, n_outputs)
        visible = self._machines()[0]._visible_units(input_shape[0])
        return AssociativeNet(visible, self._sizes(), n_outputs)

    def _initialise(self, module: Any, seed: int) -> None:
        if self.head == "finetune":
            super()._initialise(module, seed)
        else:
            module.initialise(generator(seed, Stream.WEIGHTS))

    def _pretrain(self, trainer: Trainer, batches: Data) -> None:
        if self.head == "associative":
            self._pretrain_associative(trainer, batches)
            return
        if hasattr(self, "_inputs"):
            batches = self._batches(TrainingSet(self._inputs), incremental=False)
        super()._pretrain(trainer, batches)

    def _record(self, trainer: Trainer) -> None:
        super()._record(trainer)
        self.__dict__.pop("_inputs", None)

    def _pretrain_associative(self, trainer: Trainer, batches: Data) -> None:
        """Greedy layer-wise training, on top with classes (Hinton, Osindero and Teh, 2006)."""
        network, (*sizes, last) = trainer.module_, self._sizes()
        *machines, top = self._machines()
        X, device = all_inputs(batches), batches.device
        below = stacked(machines, sizes, X, self._seed, device) if sizes else []
        trainer.interrupted = was_interrupted(below)
        take_layers(network.path(0), below)
        if trainer.interrupted:
            return
        with torch.inference_mode():
            seen = torch.cat(
                [network.with_label(network.up_to_top(b.x), b.y) for b in batches.epoch(None)]
            )
        seen = network.balanced(seen)
        settings = {"groups": [list(range(network.n_labels))]}
        seed = derived_seed(self._seed, Stream.PRETRAIN, len(sizes) + 1)
        machine = fitted(top, last, seen.cpu().numpy(), seed, device, **settings)
        trainer.interrupted = was_interrupted([machine])
        network.top.load_state_dict(machine.module_.state_dict())

    def _step(self, module: Any, flat: FlatParameters) -> Step:
        if self.head == "finetune":
            return super()._step(module, flat)
        return up_down_step(self, module, flat)

    @property
    def _has_moving_loss(self) -> bool:
        return self.head != "finetune"  # what is recorded then is not what is minimised

    # -- what an associative network can besides

    @property
    def _n_features_out(self) -> int:
        if self._shape["head"] == "finetune":
            return super()._n_features_out
        return self.module_.top.hidden.n

    @property
    def components_(self) -> np.ndarray:
        """The weights of the first hidden layer, of shape (hidden_layer_sizes[0], n_features)."""
        if head_of(self) == "finetune":
            raise AttributeError("With head='finetune' coefs_ has the weights, not components_.")
        return values_of(self, "components_", lambda network: network.first_weight)

    def _linear_layers(self, name: str) -> list[nn.Linear]:
        if head_of(self) == "associative":
            raise AttributeError(f"{name} needs head='finetune'.")
        return super()._linear_layers(name)

    @available_if(is_associative)
    def sample(
        self,
        n_samples: int = 1,
        *,
        y: Any = None,
        n_steps: int = 1000,
        random_state: Any = None,
    ) -> np.ndarray:
        """Draw inputs from the network, by Gibbs sampling of the machine on top.

        Parameters
        ----------
        n_samples : int, default=1
            How many, each from a chain of its own. Ignored where `y` has several classes.
        y : object or array-like of shape (n_samples,), default=None
            The class of all samples, or of each. None: whatever the machine draws.
        n_steps : int, default=1000
            Steps of a chain, in which classes that were given stay as they are.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        v : ndarray of shape (n_samples, n_features)
            What visible units are expected to be given the layer above them, which is drawn.
        """
        check_is_fitted(self)
        check_values("sample", SAMPLING, {"n_samples": n_samples, "n_steps": n_steps})
        network = self.module_
        labels = None if y is None else self._indices(y, n_samples)
        draws = draws_for(next(network.parameters()).device, draw_seed(random_state))
        with torch.inference_mode():
            if labels is None:
                v = network.sampled(n_samples, n_steps, draws)
            else:
                v = network.sampled_with(labels, n_steps, draws)
        return v.cpu().numpy()

    def _indices(self, y: Any, n_samples: int) -> Any:
        """The places of classes among all of them."""
        given = np.full(n_samples, y) if np.ndim(y) == 0 else column_or_1d(y)
        unknown = [each for each in given if each not in self.classes_]
        if unknown or not len(given):
            raise ValueError(f"y has {unknown}, which are none of the classes {self.classes_}.")
        device = next(self.module_.parameters()).device
        return torch.as_tensor(np.searchsorted(self.classes_, given), device=device)


@estimator
class DBNRegressor(SupervisedBelief, NetworkRegressor):
    r"""Deep belief network regressor: layers that learn the inputs first, and numbers then.

    Each layer is the hidden one of a restricted Boltzmann machine that learns the distribution of
    what the layer below makes. Then a linear output layer is put on top, and all weights are
    fine-tuned by back-propagation. Weights of samples are not known to machines, so that `fit`
    takes none. See the :ref:`user guide <boltzmann>`.

    See Also
    --------
    DBNClassifier : The same for classes.
    MLPRegressor : Starts from machines likewise with ``pretrain=BernoulliRBM()``.

    References
    ----------
    .. [1] Hinton and Salakhutdinov (2006). "Reducing the dimensionality of data with neural
       networks." Science 313, 504-507. https://doi.org/10.1126/science.1127647

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sknets import DBNRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    >>> reg = DBNRegressor((32, 16), max_iter=50, learning_rate="one_cycle",
    ...                    learning_rate_init=0.05, random_state=0)
    >>> reg.fit(X, y).score(X, y) > 0.5
    True
    """

    loss: str = param(
        "squared_error",
        OneOf(*REGRESSION_LOSSES),
        "What is minimised; squared error and Poisson deviance are halved, as in scikit-learn.",
    )

    @available_if(is_stochastic)
    def partial_fit(self, X: Any, y: Any) -> DBNRegressor:
        """Train for one more epoch on the given data; at the first call the layers, too.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets.

        Returns
        -------
        self : object
            The trained estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed, or if the loss stops being finite.
        """
        return super().partial_fit(X, y)


def has_class(data: TrainingSet) -> np.ndarray:
    """Which samples have one."""
    assert data.target is not None
    known: np.ndarray = (data.target != UNKNOWN).reshape(data.n_samples, -1).all(1)
    return known
