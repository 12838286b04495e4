"""Language models: the probability of the next character or word, and texts drawn from it.

Mikolov et al. (2010), "Recurrent neural network based language model", Interspeech.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sknets._device import compute_dtype, resolve_device
from sknets._measure import Layer, Work, layers_seeing
from sknets._params import Interval, InvalidParameterError, OneOf, check_values, estimator, param
from sknets._random import Stream, draw_seed, generator
from sknets._training.losses import SoftmaxLogLoss
from sknets._training.parameters import FlatParameters
from sknets._training.steps import Step
from sknets.base.training_set import Call, TrainingSet
from sknets.preprocessing.sequences import END, SequenceTokenizer, texts_of
from sknets.rnn.base import TextEstimator
from sknets.rnn.language_network import LanguageNetwork, StatefulStep, WindowData, draw
from sknets.rnn.network import Tokens

SIDE_BY_SIDE = 64  # texts that are scored together


@estimator
class LanguageModel(TextEstimator):
    r"""Recurrent language model of characters or words.

    It learns the probability of each token from those before,

    .. math:: p(w_1, \dots, w_T) = \prod_t p(w_t | w_1, \dots, w_{t-1}),

    by back-propagation through time that is truncated to windows and goes on from the state before:
    texts are read one after the other, with a mark between them, in several parts side by side.
    See the :ref:`user guide <rnn>`.

    See Also
    --------
    sknets.RNNClassifier : Classes of texts.
    sknets.preprocessing.SequenceTokenizer : How texts become ids.

    References
    ----------
    .. [1] Mikolov, Karafiat, Burget, Cernocky and Khudanpur (2010). "Recurrent neural network based
       language model." Interspeech, 1045-1048. https://doi.org/10.21437/Interspeech.2010-343
    .. [2] Zaremba, Sutskever and Vinyals (2014). "Recurrent neural network regularization."
       https://doi.org/10.48550/arXiv.1409.2329
    .. [3] Press and Wolf (2017). "Using the output embedding to improve language models." EACL,
       section 3. https://doi.org/10.48550/arXiv.1608.05859

    Examples
    --------
    >>> from sknets import LanguageModel
    >>> model = LanguageModel(hidden_layer_sizes=(32,), window=8, batch_size=4, max_iter=60,
    ...                       learning_rate="one_cycle", learning_rate_init=0.02, random_state=0)
    >>> model = model.fit("the cat sat on the mat. " * 20)
    >>> model.sample(prompt="the c", max_length=6, temperature=0.1, random_state=0)
    ['the cat sat']
    """

    level: str = param("character", OneOf("character", "word"), "What a token is.", kw_only=False)
    vocabulary_size: Any = param(
        None,
        [None, Interval(Integral, 5, None, closed="left")],
        "The most tokens to know, four that stand for something else included; the rest is "
        "unknown. None: all that are seen.",
    )
    min_count: int = param(
        1,
        Interval(Integral, 1, None, closed="left"),
        "How often a token must be seen to be known.",
    )
    tie_weights: bool = param(
        False,
        "boolean",
        "Whether the scores of tokens are products with their embeddings, which takes an "
        "`embedding_dim` of as many numbers as the last layer has units.",
    )
    window: int = param(
        64,
        Interval(Integral, 1, None, closed="left"),
        "Steps that the gradient goes back through.",
    )
    batch_size: Any = param(
        "auto",
        [OneOf("auto"), Interval(Integral, 1, None, closed="left")],
        "Parts of the text that are read side by side; 'auto' is 64, or as many as have a window "
        "each.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "tokenizer_": "SequenceTokenizer: How texts become ids.",
        "tokens_": "list of str: The tokens, in the order of predict_proba's columns.",
    }
    _lasting_parameters: ClassVar[tuple[str, ...]] = ("tie_weights",)
    _decoding_parameters: ClassVar[tuple[str, ...]] = ("window",)

    @property
    def tokenizer_(self) -> SequenceTokenizer:
        """How texts become ids, with a mark at the end of each."""
        check_is_fitted(self)
        return self._tokenizer(self.tokens_)

    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn from texts.

        Parameters
        ----------
        X : str or iterable of str
            One long text, or several.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is not allowed, if X holds no texts, or if the loss stops being finite.
        """
        return self._fit(Call(X, None))

    def partial_fit(self, X: Any, y: Any = None) -> Any:
        """Train for one more epoch on the given texts; tokens that are new are unknown.

        Parameters
        ----------
        X : str or iterable of str
            One long text, or several.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The trained estimator.
        """
        return self._fit(Call(X, None, incremental=True))

    # -- texts in

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        n_units = self._hidden_layer_sizes()[-1]
        if self.tie_weights and self.embedding_dim != n_units:
            raise InvalidParameterError(
                "tie_weights=True takes embeddings of as many numbers as the last layer has units, "
                f"embedding_dim={n_units}. Got embedding_dim={self.embedding_dim!r} instead."
            )

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        texts = [X] if isinstance(X, str) else texts_of(X)
        if not any(texts):
            raise ValueError("X must hold a text that is not empty.")
        if reset:
            self.tokens_: list[str] = self._learnt_tokens(
                texts, vocabulary_size=self.vocabulary_size, min_count=self.min_count
            )
        tokenizer = self._tokenizer(self.tokens_, reset=True)
        stream = np.concatenate([[tokenizer.vocabulary_[END]], *_with_end(tokenizer, texts)])
        return stream[:-1], stream[1:]

    def _encode(self, y: Any, fresh: bool, classes: Any) -> np.ndarray:
        self.n_outputs_ = len(self.tokens_)
        return y

    def _split(self, data: TrainingSet) -> tuple[np.ndarray, np.ndarray] | None:
        """The end of the text is held out."""
        if not self.early_stopping:
            return None
        order = np.arange(data.n_samples)
        n_train = len(order) - math.ceil(self.validation_fraction * len(order))
        return order[:n_train], order[n_train:]

    def _batches(self, data: TrainingSet, incremental: bool) -> WindowData:
        self._input_dtype = "float32"
        ids = _tokens(data)
        n_parts = SIDE_BY_SIDE if self.batch_size == "auto" else self.batch_size
        n_parts = int(min(n_parts, max(1, len(data.X) // self.window)))
        dtype = compute_dtype(self.precision, np.dtype(np.float32), False)
        return WindowData(ids, n_parts, self.window, dtype, resolve_device(self.device))

    def _as_one_batch(self, data: TrainingSet, dtype: torch.dtype) -> WindowData:
        return WindowData(_tokens(data), 1, len(data.X), dtype, torch.device("cpu"))

    # -- the network

    def _input_shape(self) -> tuple[int, ...]:
        return (len(self.tokens_),)

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> LanguageNetwork:
        tokens = Tokens(input_shape[0], self.embedding_dim)
        return LanguageNetwork(tokens, self._recurrent(tokens.n_outputs), self.tie_weights)

    def _step(self, module: nn.Module, flat: FlatParameters) -> Step:
        return StatefulStep(module, SoftmaxLogLoss(), flat.grad, self._mixed)

    def _work(self) -> Work:
        weights = [p for p in self.module_.parameters() if p.ndim == 2]
        return Work(sum(p.numel() for p in weights), max(p.shape[0] for p in weights))

    def _layers(self) -> list[Layer]:
        ids = self.module_.reader.example(self._shape["window"]).values
        return layers_seeing(self.module_, ids, (self._shape["window"],))

    def _measure(self, valid: TrainingSet) -> dict[str, float]:
        (found,) = self._log_probabilities([_tokens(valid).numpy()])
        return {"valid_loss": -found.mean(), "valid_score": found.mean()}

    # -- what is known of texts

    def score_samples(self, X: Any) -> np.ndarray:
        """The logarithm of the probability of each text, its end included.

        Parameters
        ----------
        X : iterable of str
            The texts.

        Returns
        -------
        log_p : ndarray of shape (n_samples,)
            In nats.
        """
        return np.array([found.sum() for found in self._of_texts(X)])

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the nats a token: the mean logarithm of the probability of each.

        Parameters
        ----------
        X : str or iterable of str
            One long text, or several.
        y : None
            Ignored.

        Returns
        -------
        score : float
            The ends of texts count as tokens.
        """
        return float(np.concatenate(self._of_texts(X)).mean())

    def perplexity(self, X: Any) -> float:
        """The exponential of the nats a token, ends of texts included.

        Parameters
        ----------
        X : str or iterable of str
            One long text, or several.

        Returns
        -------
        perplexity : float
            Among how many equally likely tokens the model would choose.
        """
        return math.exp(-self.score(X))

    def bits_per_character(self, X: Any) -> float:
        """The bits that texts are coded in by the model, divided by their characters.

        Parameters
        ----------
        X : str or iterable of str
            One long text, or several.

        Returns
        -------
        bits : float
            Comparable between models of characters and of words.
        """
        texts = [X] if isinstance(X, str) else texts_of(X)
        if not any(texts):
            raise ValueError("X must hold a text that is not empty.")
        nats = -self.score_samples(texts).sum()
        return float(nats / math.log(2) / sum(map(len, texts)))

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probabilities of the token that comes next, after each text.

        Parameters
        ----------
        X : iterable of str
            Beginnings of texts, which may be empty.

        Returns
        -------
        p : ndarray of shape (n_samples, n_tokens)
            In the order of `tokens_`.
        """
        check_is_fitted(self)
        made = []
        with torch.inference_mode():
            for begun in self._begun(texts_of(X)):
                raw, _ = self._read(begun[None])
                made.append(raw[0, -1].softmax(0))
        return torch.stack(made).cpu().numpy()

    def sample(
        self,
        n_samples: int = 1,
        *,
        y: None = None,
        prompt: str = "",
        max_length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        random_state: Any = None,
    ) -> list[str]:
        """Draw texts, a token at a time.

        Parameters
        ----------
        n_samples : int, default=1
            How many texts.
        y : None
            Ignored.
        prompt : str, default=""
            What they begin with.
        max_length : int, default=200
            The most tokens after it; a text may end before.
        temperature : float, default=1.0
            What scores are divided by: below 1 likely tokens become likelier, at 0 the likeliest is
            taken.
        top_k : int, default=None
            Among how many of the likeliest tokens to draw; None is all.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        texts : list of str
            The prompt as it was given, and what comes after it. What is no token that was learnt,
            such as the mark of the unknown, is never drawn.
        """
        check_is_fitted(self)
        values = {"n_samples": n_samples, "max_length": max_length, "temperature": temperature}
        constraints = {**SAMPLING, "top_k": [None, Interval(Integral, 1, None, closed="left")]}
        check_values("sample", constraints, {**values, "top_k": top_k})
        (begun,) = self._begun(texts_of([prompt]))
        draws = generator(draw_seed(random_state), Stream.SAMPLE)
        end = self.tokens_.index(END)
        ids = []
        with torch.inference_mode():
            raw, states = self._read(begun[None].repeat(n_samples, 1))
            over = torch.zeros(n_samples, dtype=torch.bool)
            for _ in range(max_length):
                scores = raw[:, -1].cpu().double()
                scores[:, :end] = -torch.inf  # what fills up, the unknown, and the start
                drawn = draw(scores, temperature, top_k, draws)
                drawn[over] = end
                over |= drawn == end
                ids.append(drawn[:, None])
                if over.all():
                    break
                raw, states = self._read(drawn[:, None], states)
        texts = self.tokenizer_.inverse_transform(torch.cat(ids, 1).numpy())
        between = " " if prompt and self._shape["level"] == "word" else ""
        return [prompt + between * bool(text) + text for text in texts]

    def _begun(self, texts: Sequence[str]) -> list[Tensor]:
        """The ids of beginnings of texts, after the mark of the end of another."""
        tokenizer = self.tokenizer_
        end = tokenizer.vocabulary_[END]
        ids = _with_end(tokenizer, texts)
        return [torch.tensor([end, *each[:-1]], dtype=torch.int64) for each in ids]

    def _read(self, ids: Tensor, states: Any = None) -> tuple[Tensor, Any]:
        device = next(self.module_.parameters()).device
        return self.module_(ids.to(device), states)

    def _of_texts(self, X: Any) -> list[np.ndarray]:
        """The log-probability of each token of each text, of its end too."""
        texts = [X] if isinstance(X, str) else texts_of(X)
        tokenizer = self.tokenizer_
        end = tokenizer.vocabulary_[END]
        return self._log_probabilities([np.append(end, ids) for ids in _with_end(tokenizer, texts)])

    def _log_probabilities(self, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Of each token of each sequence but the first, what those before say of it."""
        order = np.argsort([len(ids) for ids in sequences], kind="stable")
        device = next(self.module_.parameters()).device
        found: list[Any] = [None] * len(sequences)
        with torch.inference_mode():
            for start in range(0, len(order), SIDE_BY_SIDE):
                rows = order[start : start + SIDE_BY_SIDE]
                longest = max(len(sequences[i]) for i in rows)
                ids = torch.zeros(len(rows), longest, dtype=torch.int64)
                for row, i in zip(ids, rows, strict=True):
                    row[: len(sequences[i])] = torch.from_numpy(sequences[i])
                made = self.module_.log_probabilities(ids.to(device)).cpu().double().numpy()
                for values, i in zip(made, rows, strict=True):
                    found[i] = values[: len(sequences[i]) - 1]
        return found

    def _run_once(self) -> None:
        self.predict_proba([""])


SAMPLING = {
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "max_length": [Interval(Integral, 1, None, closed="left")],
    "temperature": [Interval(Real, 0, None, closed="left")],
}


def _tokens(data: TrainingSet) -> Tensor:
    """The ids of a text: each token, and at the end the last target."""
    targets: Any = data.target
    return torch.from_numpy(np.append(data.X, targets[-1:]))


def _with_end(tokenizer: SequenceTokenizer, texts: Sequence[str]) -> list[np.ndarray]:
    """The ids of each text and of its end, without the mark of its start."""
    return [ids[1:] for ids in tokenizer.transform(texts)]
