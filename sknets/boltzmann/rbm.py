"""Restricted Boltzmann machines as estimators: scikit-learn's twin, and real-valued inputs."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils.validation import check_is_fitted, validate_data

from sknets._data import Data, as_tensor
from sknets._params import Interval, InvalidParameterError, OneOf, estimator, is_count, param
from sknets._random import draw_seed
from sknets._training.trainer import Trainer
from sknets.boltzmann.energy import doubled
from sknets.boltzmann.pseudo_likelihood import (
    chosen_columns,
    conditional_log_density,
    with_flipped,
)
from sknets.boltzmann.real_units import RealUnits
from sknets.boltzmann.restricted import RestrictedMachine
from sknets.boltzmann.units import Bernoulli, Categorical, Gaussian, Units


@estimator
class BernoulliRBM(RestrictedMachine):
    r"""Restricted Boltzmann machine with binary units, a drop-in for scikit-learn's.

    It learns the distribution of visible units `v` by hidden ones `h`,

    .. math:: p(v, h) = \frac{1}{Z} \exp(b v + c h + h W v),

    by stochastic gradient ascent on :math:`\log p(v)`: the data's statistics less those of samples
    that the machine draws. Values between 0 and 1 are probabilities. In double precision, with the
    same `random_state`, it is scikit-learn's machine. See the :ref:`user guide <boltzmann>`.

    See Also
    --------
    GaussianRBM : The same for real numbers.
    sklearn.neural_network.BernoulliRBM : The twin.

    References
    ----------
    .. [1] Hinton (2002). "Training products of experts by minimizing contrastive divergence."
       Neural Computation 14, 1771-1800. https://doi.org/10.1162/089976602760128018
    .. [2] Tieleman (2008). "Training restricted Boltzmann machines using approximations to the
       likelihood gradient." ICML. https://doi.org/10.1145/1390156.1390290
    .. [3] Tieleman and Hinton (2009). "Using fast weights to improve persistent contrastive
       divergence." ICML. https://doi.org/10.1145/1553374.1553506
    .. [4] Desjardins, Courville, Bengio, Vincent and Delalleau (2010). "Tempered Markov chain Monte
       Carlo for training of restricted Boltzmann machines." AISTATS.
    .. [5] Melchior, Fischer and Wiskott (2016). "How to center deep Boltzmann machines." Journal of
       Machine Learning Research 17. https://jmlr.org/papers/v17/14-237.html
    .. [6] Hinton (2010). "A practical guide to training restricted Boltzmann machines." Technical
       report 2010-003, University of Toronto.

    Examples
    --------
    >>> import numpy as np
    >>> from sknets import BernoulliRBM
    >>> X = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    >>> rbm = BernoulliRBM(n_components=2, random_state=0).fit(X)
    >>> rbm.transform(X).shape
    (4, 2)
    >>> bool(abs(np.exp(rbm.log_likelihood(X))).sum() < 1)
    True
    """

    hidden: str = param(
        "binary",
        OneOf("binary", "gaussian"),
        "Hidden units: 'binary', or real numbers that are normal given the visible ones, with "
        "variance 1, such as the code of a deep autoencoder. The latter take learning rates that "
        "are ten times smaller.",
    )
    groups: Any = param(
        None,
        [None, list, tuple],
        "Columns of each group of visible units of which one is 1 and the others are 0, such as a "
        "category that is one-hot. Training takes a group of zeros for a category that is not "
        "known, and draws it given the rest of the row. None: all columns are by themselves.",
    )
    copies: Any = param(
        (1, 1),
        ["array-like"],
        "Copies of each visible and of each hidden unit, with the same weights and bias. Two make "
        "up for the layer beyond that a machine of a DBM does not see while it learns alone. "
        "Hidden units get the weights in `components_` as often as visible ones have copies.",
    )

    _shape_parameters: ClassVar[tuple[str, ...]] = ("hidden", "groups", "copies")

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        each = list(self.copies)
        if len(each) != 2 or not all(map(is_count, each)):
            raise InvalidParameterError(
                f"The 'copies' parameter of {type(self).__name__} must hold two whole numbers > 0, "
                f"of visible and of hidden units. Got {self.copies!r} instead."
            )
        self._check_hidden(each)
        if self.groups and each[0] > 1:
            raise ValueError(
                f"Categories have no copies: got groups={self.groups!r} and copies={self.copies!r}."
            )

    def _check_hidden(self, copies: list[int]) -> None:
        refused = {"sparsity_target": self.sparsity_target is not None, "copies": copies[1] > 1}
        for name in (name for name, given in refused.items() if given and self._has_linear_units):
            raise ValueError(
                f"hidden='gaussian' has no {name}: its units have no activity between 0 and 1. "
                f"Got {name}={getattr(self, name)!r}."
            )

    @property
    def _has_linear_units(self) -> bool:
        return self.hidden == "gaussian"

    def _choose_trained(self, module: Any) -> None:
        if isinstance(module.hidden, Gaussian):
            module.hidden.log_variance.requires_grad_(False)  # it stays 1

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        X, y = super()._validate(X, y, reset)
        problem = problem_of(self.groups or [], self.n_features_in_)
        if problem is not None:
            raise InvalidParameterError(
                f"The 'groups' parameter of {type(self).__name__} must hold the columns of each "
                f"group, two columns or more, of which no two have one in common: {problem}. Got "
                f"{self.groups!r} instead."
            )
        return X, y

    def _visible_units(self, n: int) -> Units:
        if not self.groups:
            return Bernoulli(n, self.copies[0])
        return Categorical(n, self.groups)

    def _hidden_units(self, n: int) -> Units:
        return Gaussian(n) if self._has_linear_units else Bernoulli(n, self.copies[1])

    def score_samples(self, X: Any) -> np.ndarray:
        """The pseudo-likelihood, a proxy of log p(v).

        Of each row one unit is flipped, and the probability of its value given the others counts
        for all units: the sum of the logarithms of these is not estimated by more. Which unit is
        decided by the values of the row and by `random_state`, not by the row's place.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, of zeros and ones.

        Returns
        -------
        pseudo_likelihood : ndarray of shape (n_samples,)
            In nats.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", reset=False, dtype=(np.float64, np.float32))
        columns = chosen_columns(X, draw_seed(self.random_state))
        flipped = with_flipped(X, columns)
        with torch.inference_mode():
            free_energy = self.module_.free_energy
            gap = self._array(self._forward(flipped, free_energy), X) - self._array(
                self._forward(X, free_energy), X
            )
        return -X.shape[1] * np.logaddexp(0, -gap)


@estimator
class GaussianRBM(RestrictedMachine):
    r"""Restricted Boltzmann machine with real visible units, whose variances are learnt.

    .. math:: p(v, h) = \frac{1}{Z} \exp\left(-\sum_i \frac{(v_i - b_i)^2}{2 s_i^2} + c h
       + \sum_i \frac{v_i}{s_i^2} (h W)_i\right),

    a mixture of as many normal distributions as hidden units have states. Learning rates are
    smaller than of binary units; they are of standardised values, so that the scale of a feature
    does not matter. See the :ref:`user guide <boltzmann>`.

    See Also
    --------
    BernoulliRBM : The same for binary data.

    References
    ----------
    .. [1] Cho, Ilin and Raiko (2011). "Improved learning of Gaussian-Bernoulli restricted Boltzmann
       machines." ICANN. https://doi.org/10.1007/978-3-642-21735-7_2

    Examples
    --------
    >>> import numpy as np
    >>> from sknets import GaussianRBM
    >>> random = np.random.default_rng(0)
    >>> X = random.choice([-2, 2], size=(500, 1)) + random.normal(scale=0.5, size=(500, 2))
    >>> rbm = GaussianRBM(n_components=2, n_iter=100, random_state=0).fit(X)
    >>> rbm.sample(3, random_state=0).shape
    (3, 2)
    """

    learning_rate: float = param(
        0.01,
        Interval(Real, 0, None, closed="neither"),
        "The learning rate, of the mean over a minibatch.",
    )
    visible_bias_init: str = param(
        "data",
        OneOf("zeros", "data"),
        "What visible biases start from: 0, or the data's means.",
    )
    centring: bool = param(
        True,
        "boolean",
        "Whether the gradient is that of deviations from mean activities, without which biases "
        "are slow to follow weights and variances.",
    )
    learning: str = param(
        "cd",
        OneOf("cd", "pcd", "fpcd", "tempering"),
        "Where samples of the machine come from: from chains that start at the data (contrastive "
        "divergence), that go on from step to step (persistent), that do so with fast weights, or "
        "that swap their states with hotter ones (parallel tempering). Chains that go on do not "
        "get from one cloud of data to another, and learnt variances may collapse; tempering gets "
        "there, and learns the best likelihoods.",
    )
    learn_variances: bool = param(
        True, "boolean", "Whether variances are learnt, rather than those of the data."
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "variances_": "ndarray of shape (n_features,): Those of visible units given hidden ones.",
    }
    _is_binary: ClassVar[bool] = False

    @property
    def variances_(self) -> np.ndarray:
        """The variances of visible units given hidden ones."""
        return self._values("variances_", lambda machine: machine.visible.log_variance.exp())

    def _visible_units(self, n: int) -> Units:
        return Gaussian(n)

    @torch.no_grad()
    def _pretrain(self, trainer: Trainer, batches: Data) -> None:
        """The means and variances of the data."""
        super()._pretrain(trainer, batches)
        machine = trainer.module_
        units = RealUnits(machine.visible, machine.weight, machine.visible_bias)
        units.start(batches, machine.visible_mean)

    def _checked_rows(self, X: Any, reset: bool) -> Any:
        X = super()._checked_rows(X, reset)
        return X.toarray() if sp.issparse(X) else X

    def _choose_trained(self, module: Any) -> None:
        module.visible.log_variance.requires_grad_(self.learn_variances)

    def score_samples(self, X: Any) -> np.ndarray:
        """The pseudo-likelihood, a proxy of log p(v).

        The logarithm of the density of one value of a row given the others, times the number of
        values. Which one is decided by the values of the row and by `random_state`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.

        Returns
        -------
        pseudo_likelihood : ndarray of shape (n_samples,)
            In nats.
        """
        X = self._validated_rows(X)
        if not isinstance(X, np.ndarray):
            X = X[:]
        columns = torch.from_numpy(chosen_columns(X, draw_seed(self.random_state)))
        machine = doubled(self.module_)
        with torch.inference_mode():
            found = conditional_log_density(machine, as_tensor(X, torch.float64, "cpu"), columns)
        return (X.shape[1] * found.numpy()).astype(X.dtype)


def problem_of(groups: Sequence[Any], n: int) -> str | None:
    """What is wrong with the groups of `n` columns, if anything is."""
    seen: set[int] = set()
    for group in groups:
        if not isinstance(group, (list, tuple, range, np.ndarray)) or len(group) < 2:
            return f"{group!r} are not two columns or more"
        for given in group:
            if not isinstance(given, Integral):
                return f"{given!r} is none of the whole numbers"
            column = int(given)
            if column in seen:
                return f"column {column} is in two groups"
            if not 0 <= column < n:
                return f"there is column {column}, and X has {n}"
            seen.add(column)
    return None
