"""Recurrent networks as estimators: sequences where a support vector machine takes rows."""

from __future__ import annotations

from sknets._params import OneOf, estimator, param
from sknets.base import REGRESSION_LOSSES, NetworkClassifier, NetworkRegressor
from sknets.rnn.base import ManyToOne
from sknets.rnn.reading import RecurrentNetwork


@estimator
class RNNClassifier(RecurrentNetwork, ManyToOne, NetworkClassifier):
    r"""Recurrent network classifier, for sequences: one class each.

    A cell goes over the steps of a sequence and carries a state, for cell='rnn'

    .. math:: h_t = f(W x_t + b + U h_{t-1} + c),

    of which the last, or a mean over steps, is classified. `X` is a table whose rows are series, an
    array (n_samples, time, n_features), or a list of sequences of any length; with
    `vocabulary_size` it holds ids of tokens. What fills up a sequence at its end, NaN or a negative
    id, never reaches the result. See the :ref:`user guide <rnn>`.

    See Also
    --------
    RNNRegressor : The same for numbers.
    RNNTagger : A class for each step.
    CNNClassifier : Where what counts is near.

    References
    ----------
    .. [1] Elman (1990). "Finding structure in time." Cognitive Science 14, 179-211.
       https://doi.org/10.1207/s15516709cog1402_1
    .. [2] Hochreiter and Schmidhuber (1997). "Long short-term memory." Neural Computation 9,
       1735-1780. https://doi.org/10.1162/neco.1997.9.8.1735
    .. [3] Cho, van Merrienboer, Gulcehre, Bahdanau, Bougares, Schwenk and Bengio (2014). "Learning
       phrase representations using RNN encoder-decoder for statistical machine translation." EMNLP.
       https://doi.org/10.48550/arXiv.1406.1078

    Examples
    --------
    >>> from sknets import RNNClassifier
    >>> from sknets.datasets import make_adding_problem
    >>> X, sums = make_adding_problem(400, length=8, random_state=0)
    >>> clf = RNNClassifier(hidden_layer_sizes=(16,), batch_size=50, max_iter=60,
    ...                     learning_rate="one_cycle", learning_rate_init=0.02, random_state=0)
    >>> clf.fit(X[:300], sums[:300] > 1).score(X[300:], sums[300:] > 1) > 0.9
    True
    >>> clf.predict([X[0], X[1, :5]]).shape  # sequences of unequal length
    (2,)
    """


@estimator
class RNNRegressor(RecurrentNetwork, ManyToOne, NetworkRegressor):
    """Recurrent network regressor, for sequences: one or several numbers each.

    It takes what `RNNClassifier` takes.

    See Also
    --------
    RNNClassifier : The same for classes, with more on the input.
    RNNForecaster : The future of a single series.

    References
    ----------
    .. [1] Elman (1990). "Finding structure in time." Cognitive Science 14, 179-211.
       https://doi.org/10.1207/s15516709cog1402_1
    .. [2] Hochreiter and Schmidhuber (1997). "Long short-term memory." Neural Computation 9,
       1735-1780. https://doi.org/10.1162/neco.1997.9.8.1735
    .. [3] Cho, van Merrienboer, Gulcehre, Bahdanau, Bougares, Schwenk and Bengio (2014). "Learning
       phrase representations using RNN encoder-decoder for statistical machine translation." EMNLP.
       https://doi.org/10.48550/arXiv.1406.1078

    Examples
    --------
    >>> from sknets import RNNRegressor
    >>> from sknets.datasets import make_adding_problem
    >>> X, sums = make_adding_problem(400, length=8, random_state=0)
    >>> reg = RNNRegressor(hidden_layer_sizes=(16,), batch_size=50, max_iter=60,
    ...                    learning_rate="one_cycle", learning_rate_init=0.02, random_state=0)
    >>> reg.fit(X[:300], sums[:300]).score(X[300:], sums[300:]) > 0.8
    True
    """

    loss: str = param(
        "squared_error",
        OneOf(*REGRESSION_LOSSES),
        "What is minimised; squared error and Poisson deviance are halved, as in scikit-learn.",
    )
