"""What generative adversarial networks have in common as estimators."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback
from torch import nn

from sknets._data import Data
from sknets._measure import Layer, layers_of
from sknets._params import (
    ClassLike,
    Interval,
    InvalidParameterError,
    OneOf,
    Options,
    estimator,
    param,
)
from sknets._random import Stream, generator
from sknets._training.optimizers import STOCHASTIC, Settings
from sknets._training.parameters import FlatParameters
from sknets._training.trainer import Trainer
from sknets.base.training_set import TrainingSet
from sknets.gan.adversarial import AdversarialStep, AdversarialTrainer, Rules
from sknets.gan.diversity import MinibatchDeviation, MinibatchDiscrimination
from sknets.gan.judging import JudgingNetwork
from sknets.gan.losses import GAME_LOSSES
from sknets.gan.network import (
    AdversarialNet,
    Discriminator,
    Generator,
    InstanceNoise,
    Play,
    Prior,
    Units,
)
from sknets.gan.parameters import GameParameters, averaged_generator
from sknets.gan.spectral import SpectralNorm, spectrally_normalised

GRADIENT_PENALTY = 10.0  # of loss="wasserstein" (Gulrajani et al., 2017)


@estimator
class AdversarialNetwork(GameParameters, JudgingNetwork):
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
        if trainer.recipe.max_epochs < self.max_iter:
            # In calls of partial_fit what is constant may yet vary.
            network.units.scale[network.units.scale == 0] = 1
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

    @property
    def _has_moving_loss(self) -> bool:
        return True  # a player's changes with the other

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

    def _run_once(self) -> None:
        self.sample(random_state=0)

    def _layers(self) -> list[Layer]:
        return layers_of(Play(self.module_), self.module_.code_shape)


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
