"""What generative adversarial networks have in common as estimators."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback
from torch import nn

from sknets._data import Data, slices
from sknets._measure import Layer, layers_of
from sknets._params import (
    ClassLike,
    Interval,
    InvalidParameterError,
    OneOf,
    Options,
    check_values,
    estimator,
    param,
)
from sknets._random import Stream, draw_seed, generator
from sknets._training.callbacks import NoImprovement
from sknets._training.optimizers import STOCHASTIC, Settings
from sknets._training.parameters import FlatParameters
from sknets._training.trainer import Trainer
from sknets.base.conditional import ConditionalNetwork
from sknets.base.training_set import TrainingSet
from sknets.gan import two_sample
from sknets.gan.adversarial import AdversarialStep, AdversarialTrainer, Rules
from sknets.gan.diversity import MinibatchDeviation, MinibatchDiscrimination
from sknets.gan.latent import arc, line, nearest_codes
from sknets.gan.losses import GAME_LOSSES
from sknets.gan.network import (
    AdversarialNet,
    Discriminator,
    Generator,
    InstanceNoise,
    Play,
    Prior,
    Units,
    varies,
)
from sknets.gan.parameters import GameParameters, averaged_generator
from sknets.gan.spectral import SpectralNorm, spectrally_normalised
from sknets.gan.two_sample import TwoSampleReport

N_SCORED = 2000  # rows, and draws, that a score compares
SCORING_SEED = 0  # of all draws for scores, so that candidates are judged alike
INVERTED_AT_ONCE = 500  # rows
WATCHING = ("plateau", "adaptive")  # schedules that fall where nothing gets better
GRADIENT_PENALTY = 10.0  # of loss="wasserstein" (Gulrajani et al., 2017)


@estimator
class AdversarialNetwork(GameParameters, ConditionalNetwork):
    """Abstract: a generator that learns from a discriminator."""

    n_components: int = param(
        64, Interval(Integral, 1, None, closed="left"), "Numbers of a code.", kw_only=False
    )
    alpha: float = param(
        0.0,
        Interval(Real, 0, None, closed="left"),
        "Strength of the penalty on the weights, divided by the sample size when added to the "
        "loss. With solver='adamw', the decoupled weight decay instead.",
    )
    learning_rate_init: float = param(
        0.0002,
        Interval(Real, 0, None, closed="neither"),
        "The generator's initial learning rate; the highest of 'one_cycle'.",
    )
    solver: Any = param(
        "adam",
        [OneOf(*STOCHASTIC), ClassLike("torch.optim.Optimizer")],
        "How weights are found: a stochastic method, or any torch.optim.Optimizer class, which is "
        "given the learning rate of each player.",
    )
    averaging: Any = averaged_generator(None)
    n_iter_no_change: Any = param(
        10,
        [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "Epochs without a score on held-out rows that is better by tol, after which training "
        "stops; with early_stopping=True alone.",
    )
    beta_1: float = param(
        0.5,
        Interval(Real, 0, 1, closed="left"),
        "Decay rate of the first moment of adam, adamw and nadam.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "generator_loss_curve_": "list of float of shape (n_epochs,): The generator's loss of each "
        "epoch, which is `loss_curve_`.",
        "discriminator_loss_curve_": "list of float of shape (n_epochs,): The discriminator's.",
        "progress_samples_": "list of ndarray of shape (n_progress_samples, n_features): What the "
        "same codes became after each epoch, with n_progress_samples.",
    }
    _shape_parameters: ClassVar[tuple[str, ...]] = ("n_components",)
    _trainer_class = AdversarialTrainer
    _printed_losses: ClassVar[tuple[str, ...]] = ("generator_loss", "discriminator_loss")

    # -- what a family supplies

    @abstractmethod
    def _fit_units(self, network: AdversarialNet, batches: Data) -> None:
        """Fill the network's units from the data."""

    def _learn_columns(self, X: Any) -> None:
        """Learn what columns hold."""

    # -- fit

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        name = type(self).__name__
        if self.label_smoothing and not GAME_LOSSES[self.loss].has_targets:
            raise InvalidParameterError(
                f"The 'label_smoothing' parameter of {name} is for losses with targets. "
                f"Got loss={self.loss!r}."
            )
        if self.learning_rate in WATCHING and not self.early_stopping:
            raise InvalidParameterError(
                f"The 'learning_rate' parameter of {name} can be {self.learning_rate!r} with "
                "early_stopping=True alone: it falls where the score on held-out rows does not "
                "rise, and losses of players tell of no progress."
            )
        if self.conditional and self.conditioning == "projection" and self.n_packed > 1:
            raise InvalidParameterError(
                f"The 'n_packed' parameter of {name} needs conditioning='concatenation': a pack "
                f"has several classes. Got conditioning={self.conditioning!r}."
            )

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        X = self._checked_rows(X, reset)
        if reset:
            self._learn_columns(X)
        return self._inputs(X, strict=True), None

    def _inputs(self, X: Any, strict: bool = False) -> Any:
        """Validated rows as the network takes them; if `strict`, nothing in them is unknown."""
        return X

    def _n_columns(self) -> int:
        """Of the network's inputs, without classes."""
        return self.n_features_in_

    def _network(
        self, generator: Generator, images: nn.Module, body: nn.Module, n_features: int
    ) -> AdversarialNet:
        """A generator, and what makes features of images of rows, as a network."""
        n_inputs = self._n_columns()
        head: nn.Module = nn.Linear(n_features, 1)
        projection: nn.Module | None = None
        if self._projects():
            projection = nn.Linear(self._n_classes, n_features, bias=False)
        if self.spectral_norm:
            body, head = spectrally_normalised(body), SpectralNorm(head)
            projection = SpectralNorm(projection) if projection is not None else None
        how = (images, body, head, projection, self.n_packed, n_inputs, self._n_classes)
        return AdversarialNet(generator, Discriminator(*how), *self._shared(n_inputs))

    def _shared(self, n_inputs: int) -> tuple[Prior, Units, InstanceNoise]:
        """What both players share."""
        prior = Prior(self.n_components, self.prior)
        return prior, Units(n_inputs), InstanceNoise(self.instance_noise)

    def _projects(self) -> bool:
        """Whether the discriminator is told classes as directions."""
        return self._n_classes > 0 and self.conditioning == "projection"

    def _n_seen_classes(self) -> int:
        """Columns of classes that the discriminator's body takes."""
        return 0 if self.conditioning == "projection" else self._n_classes

    def _with_neighbours(self, layers: dict[str, nn.Module], n_features: int) -> int:
        """Add to layers up to features what tells of the other samples; how many there are then."""
        if self.minibatch_std:
            layers["deviation"] = MinibatchDeviation()
            n_features += 1
        if self.minibatch_discrimination:
            layers["near"] = MinibatchDiscrimination(
                n_features, self.minibatch_discrimination, is_smooth=self._penalises_slopes()
            )
            n_features += self.minibatch_discrimination
        return n_features

    @torch.no_grad()
    def _initialise(self, module: Any, seed: int) -> None:
        drawn = generator(seed, Stream.WEIGHTS)
        self._fill(module, drawn)
        for layer in module.modules():
            if isinstance(layer, SpectralNorm):
                layer.initialise(drawn)
        module.units.shift.zero_()
        module.units.scale.fill_(1.0)
        module.discriminator.reference.zero_()

    @abstractmethod
    def _fill(self, module: nn.Module, drawn: torch.Generator) -> None:
        """Fill the weights."""

    @torch.no_grad()
    def _pretrain(self, trainer: Trainer, batches: Data) -> None:
        """Learn units, and choose the samples beside which others are judged."""
        network: Any = trainer.module_
        self._fit_units(network, batches)
        reference = network.discriminator.reference
        if len(reference):
            first = next(iter(batches.epoch(generator(self._seed, Stream.PRETRAIN)))).x
            x, classes = network.whole(first)
            rows = torch.arange(len(reference), device=x.device) % len(x)
            reference.copy_(torch.cat([x, classes], 1)[rows])

    def _batches(self, data: TrainingSet, incremental: bool) -> Data:
        batches = super()._batches(data, incremental)
        if batches.batch_size < self.n_packed:
            raise InvalidParameterError(
                f"The 'n_packed' parameter of {type(self).__name__} must be at most the number of "
                f"samples in a minibatch, {batches.batch_size}. Got {self.n_packed} instead."
            )
        return batches

    def _flat(self, module: nn.Module) -> FlatParameters:
        network: Any = module
        return FlatParameters(module, [network.generator, network.discriminator])

    def _penalises_slopes(self) -> bool:
        """Whether the discriminator's slopes cost."""
        rules = self._rules()
        return bool(rules.gradient_penalty or rules.r1)

    def _rules(self) -> Rules:
        penalty = self.gradient_penalty
        if penalty == "auto":
            penalty = GRADIENT_PENALTY if self.loss == "wasserstein" else 0.0
        return Rules(
            GAME_LOSSES[self.loss](self.label_smoothing),
            gradient_penalty=penalty,
            r1=self.r1,
            n_discriminator_steps=self.n_discriminator_steps,
            replay_size=self.replay_size,
        )

    def _step(self, module: Any, flat: FlatParameters) -> AdversarialStep:
        return AdversarialStep(module, flat, self._rules(), self._mixed)

    def _optimizer(self, flat: FlatParameters) -> torch.optim.Optimizer:
        """One that has a group for each player."""
        rate, own = self.learning_rate_init, callable(self.solver)
        rates = rate, self.discriminator_learning_rate_init or rate
        groups = [
            {"params": part.parameters if own else [part.vector], "lr": rate}
            for part, rate in zip(flat.slices, rates, strict=True)
        ]
        if own:
            return self._own_optimizer(groups)
        settings = Settings(*(getattr(self, field) for field in Settings._fields))
        return STOCHASTIC[self.solver](groups, settings)

    def _stopping_rule(self, scored: bool) -> NoImprovement:
        """By the score on held-out rows alone: losses of players tell of no progress."""
        return super()._stopping_rule(scored) if scored else NoImprovement.never()

    def _problem(self, trainer: Trainer, incremental: bool) -> str | None:
        """A game has no end at which it would have to arrive."""
        return super()._problem(trainer, incremental) if trainer.diverged else None

    def _measure(self, valid: TrainingSet) -> dict[str, float]:
        score = -self._discrepancy(valid.X)
        return {"valid_loss": -score, "valid_score": score}

    def _reports(self, train: TrainingSet, valid: TrainingSet | None) -> list[Any]:
        keeping: list[Any] = []
        if self.n_progress_samples:
            keeping.append(KeptSamples(self._progress_samples))
        return keeping + super()._reports(train, valid)

    def _progress_samples(self) -> np.ndarray:
        """What the same codes have become."""
        n = self.n_progress_samples
        places = np.arange(n) % self._n_classes if self._n_classes else None
        made = self._made(n, places, self._seed)
        return self._given_back(made)

    def _record(self, trainer: Trainer) -> None:
        super()._record(trainer)
        history = trainer.history
        for name in ("generator", "discriminator"):
            losses = history[:, f"{name}_loss"] if history else []
            setattr(self, f"{name}_loss_curve_", losses)

    @property
    def progress_samples_(self) -> list[np.ndarray]:
        """What the same codes became after each epoch, with n_progress_samples."""
        check_is_fitted(self)
        return [record[KEPT] for record in self.history_ if KEPT in record]

    def _objective(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        raise ValueError(
            f"A {type(self).__name__} has two players, who minimise no function together."
        )

    # -- what comes out

    def _n_hidden_layers(self) -> int:
        return 1

    @property
    def _n_features_out(self) -> int:
        head = self.module_.discriminator.head
        return getattr(head, "layer", head).in_features  # of a wrapped one

    def _run_once(self) -> None:
        self.sample(random_state=0)

    def _layers(self) -> list[Layer]:
        return layers_of(Play(self.module_), self.module_.code_shape)

    def _of_each_class(self, rows: Any) -> np.ndarray:
        """How real rows look as each class: (n_samples, n_classes)."""
        return self._with_each_class(rows, lambda inputs: self._by_rows(inputs, self.module_))

    def transform(self, X: Any, y: Any = None) -> np.ndarray:
        """What the discriminator makes of data before it judges.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, or what else the class takes, such as images.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True. None takes those that look most real. Ignored otherwise.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_hidden_units)
            The features.
        """
        return self._by_rows(self._given(self._inputs(self._validated_rows(X)), y), self._features)

    def score_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """How real the discriminator takes samples for.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, or what else the class takes, such as images.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True. None takes those that look most real. Ignored otherwise.

        Returns
        -------
        logits : ndarray of shape (n_samples,)
            Positive for what looks real.
        """
        return self._by_rows(self._given(self._inputs(self._validated_rows(X)), y), self.module_)

    def score(self, X: Any, y: Any = None) -> float:
        """Minus how different samples are from data: the squared maximum mean discrepancy.

        It is unbiased, so that it is about 0, on either side, of a generator that knows the
        distribution. Columns are in units of their deviation in `X`; the kernel is a mean of
        Gaussian ones, .1, .3, 1 and 3 times as wide as the median distance between rows of `X`. At
        most 2,000 rows are compared, with as many samples, always of the same seed. All of it is
        the same for all estimators that are compared on `X` [1]_, but for such as differ in
        `conditional` or in the columns of categories, which have other columns to compare.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, or what else the class takes, such as images. Two samples at least.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True: samples of the same ones are compared, as pairs of a
            sample and its class. Ignored otherwise.

        Returns
        -------
        score : float
            Higher is better.

        References
        ----------
        .. [1] Gretton et al. (2012). "A kernel two-sample test." JMLR 13, 723-773.
        """
        return -self._discrepancy(self._told(X, y))

    def two_sample_report(self, X: Any, y: Any = None) -> TwoSampleReport:
        """How samples differ from data, in more than one number.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, or what else the class takes, such as images. Two samples at least.
        y : array-like of shape (n_samples,), default=None
            Classes, with conditional=True, as in `score`. Ignored otherwise.

        Returns
        -------
        report : TwoSampleReport
            With ``mmd``, ``accuracy_neighbors``, ``accuracy_linear``, ``precision``, ``recall`` and
            ``coverage``.
        """
        return two_sample.report(*self._compared(self._told(X, y)))

    def _told(self, X: Any, y: Any) -> Any:
        """Validated inputs, with their classes if these are given."""
        rows = self._inputs(self._validated_rows(X))
        return rows if y is None else self._given(rows, y)

    def _discrepancy(self, rows: Any) -> float:
        return two_sample.squared_mmd(*self._compared(rows))

    def _compared(self, rows: Any) -> tuple[np.ndarray, np.ndarray]:
        """Some rows and as many samples, on the map on which they are compared."""
        n, width = rows.shape[0], self._n_columns()
        if n < 2:
            raise ValueError(
                f"Found array with {n} sample(s) while a minimum of 2 is required to compare "
                f"samples of {type(self).__name__} with."
            )
        chosen = np.random.default_rng(SCORING_SEED).permutation(n)[:N_SCORED]
        rows = rows[np.sort(chosen)]
        rows = np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows, dtype=np.float64)
        rows = rows.reshape(len(rows), -1)  # images of a Dataset
        real, classes = rows[:, :width], rows[:, width:]
        places = classes.argmax(1) if classes.shape[1] else None
        if places is None:
            places = self._drawn_places(len(real), SCORING_SEED)
        made = self._made(len(real), places, SCORING_SEED).astype(np.float64)
        mapped = self._mapped(real, made)
        real, made = (np.hstack([each, classes]) for each in mapped)
        return real, made

    def _mapped(self, real: np.ndarray, made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both on the map on which they are compared: columns in units of the real ones' spread."""
        spread = real.std(axis=0)
        scale = np.where(varies(spread, real.mean(axis=0)), spread, 1)
        return real / scale, made / scale

    def sample(self, n_samples: int = 1, *, y: Any = None, random_state: Any = None) -> np.ndarray:
        """Draw codes from their prior, and make samples of them.

        Parameters
        ----------
        n_samples : int, default=1
            How many. Ignored where `y` has several classes.
        y : object or array-like of shape (n_samples,), default=None
            The class of all, or of each, with conditional=True. None draws them by their shares in
            training. Ignored otherwise.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        x : ndarray of shape (n_samples, n_features)
            The samples.
        """
        return self._sampled(n_samples, y, random_state)

    def _sampled(self, n_samples: int, y: Any, random_state: Any, sampler: Any = None) -> Any:
        check_is_fitted(self)
        check_values("sample", SAMPLING, {"n_samples": n_samples})
        given = self._places_for(n_samples, y)
        seed = draw_seed(random_state)
        places = self._drawn_places(n_samples, seed) if given is None else given
        n = n_samples if places is None else len(places)
        return self._given_back(self._made(n, places, seed, sampler))

    def generate(self, codes: Any, *, y: Any = None) -> np.ndarray:
        """Make samples of given codes.

        Parameters
        ----------
        codes : array-like of shape (n_samples, n_components)
            The codes.
        y : object or array-like of shape (n_samples,), default=None
            The class of all, or of each, which conditional=True needs.

        Returns
        -------
        x : ndarray of shape (n_samples, n_features)
            The samples; what is drawn beside codes is what is likeliest.
        """
        codes = self._checked_codes(codes)
        return self._given_back(self._by_codes(codes, self._needed_places(len(codes), y), None))

    def interpolate(self, start: Any, end: Any, n_steps: int = 10, *, y: Any = None) -> np.ndarray:
        """Make samples of codes along the way from one to another.

        Of a normal prior the way is an arc, on which codes are as long as those that were learnt
        from (White, 2016, https://arxiv.org/abs/1609.04468).

        Parameters
        ----------
        start, end : array-like of shape (n_components,)
            The codes.
        n_steps : int, default=10
            Points of the way, both ends among them.
        y : object, default=None
            The class of all, which conditional=True needs.

        Returns
        -------
        x : ndarray of shape (n_steps, n_features)
            The samples.
        """
        check_values("interpolate", SAMPLING, {"n_steps": n_steps})
        first, last = (self._checked_codes(np.reshape(code, (1, -1)))[0] for code in (start, end))
        along = arc if self.module_.prior.kind == "normal" else line
        way = along(first, last, np.linspace(0, 1, n_steps)[:, None])
        return self.generate(way, y=y)

    def invert(
        self, X: Any, y: Any = None, *, n_steps: int = 300, n_starts: int = 8, random_state: Any = 0
    ) -> np.ndarray:
        """Find the codes whose samples are nearest to data.

        Adam, its rate falling to 0, descends on the squared distance in the network's units from
        several random codes, of which each row keeps the best [1]_.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data, or what else the class takes, such as images.
        y : array-like of shape (n_samples,), default=None
            Classes, which conditional=True needs.
        n_steps : int, default=300
            Steps of the descent.
        n_starts : int, default=8
            Codes from which it starts.
        random_state : int, RandomState instance or None, default=0
            Seed of the starts.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_components)
            The codes.

        References
        ----------
        .. [1] Lipton and Tripathi (2017). "Precise recovery of latent vectors from generative
           adversarial networks." https://arxiv.org/abs/1702.04782
        """
        how = {"n_steps": n_steps, "n_starts": n_starts}
        check_values("invert", INVERSION, how)
        rows = self._inputs(self._validated_rows(X))
        rows = self._joined(rows, self._needed_places(rows.shape[0], y))
        rows = np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows[:])
        like = next(self.module_.parameters())
        drawn = generator(draw_seed(random_state), Stream.SAMPLE, device=like.device)
        starts = self.module_.prior(n_starts, like, drawn)
        parts = [
            nearest_codes(self.module_, torch.from_numpy(rows[part]).to(like), starts, n_steps)
            for part in slices(len(rows), INVERTED_AT_ONCE)
        ]
        return torch.cat(parts).cpu().numpy().astype(rows.dtype, copy=False)

    # -- details

    def _checked_codes(self, codes: Any) -> np.ndarray:
        check_is_fitted(self)
        codes = check_array(codes, dtype=(np.float64, np.float32), input_name="codes")
        n = self.module_.prior.n
        if codes.shape[1] != n:
            raise ValueError(
                f"Codes of this {type(self).__name__} have {n} numbers. Got {codes.shape[1]}."
            )
        return codes

    def _needed_places(self, n: int, y: Any) -> np.ndarray | None:
        """The places of the classes of rows or codes, which are needed if there are any."""
        if not self._n_classes:
            return None
        if y is None:
            raise ValueError("conditional=True needs the class of each sample: give y.")
        places = self._places_for(n, y)
        assert places is not None
        if len(places) != n:
            raise ValueError(f"y has {len(places)} classes for {n} samples.")
        return places

    def _made(
        self, n: int, places: np.ndarray | None, seed: int, sampler: Any = None
    ) -> np.ndarray:
        """Samples as the network's columns."""
        like = next(self.module_.parameters())
        drawn = generator(seed, Stream.SAMPLE, device=like.device)
        z = self.module_.prior(n, like, drawn).cpu().numpy()
        return self._by_codes(z, places, drawn, sampler)

    def _by_codes(
        self,
        codes: np.ndarray,
        places: np.ndarray | None,
        drawn: torch.Generator | None,
        sampler: Any = None,
    ) -> np.ndarray:
        """Samples of codes as the network's columns, a slice of them at a time.

        They are made by the network's ``sample``, or what takes the same.
        """
        n, make = codes.shape[1], sampler or self.module_.sample
        inputs = self._joined(codes, places)
        return self._by_rows(inputs, lambda x: make(x[:, :n], x[:, n:], drawn))

    def _given_back(self, values: np.ndarray) -> np.ndarray:
        """Values of the network's columns as data in the form of the fit."""
        return values


SAMPLING = {
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "n_steps": [Interval(Integral, 2, None, closed="left")],
}
INVERSION = {name: [Interval(Integral, 1, None, closed="left")] for name in ("n_steps", "n_starts")}


KEPT = "progress_samples"  # in the history


class KeptSamples(Callback):
    """Keeps samples of each epoch in the history.

    Parameters
    ----------
    make : callable
    """

    predicts = True  # so that the network is in the mode of prediction

    def __init__(self, make: Callable[[], np.ndarray]) -> None:
        self.make = make

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        with net.averaged():
            net.history.record(KEPT, self.make())
