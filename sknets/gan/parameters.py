"""Parameters of a game: what its players want, and what keeps them in balance."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from sknets._params import Interval, OneOf, estimator, param
from sknets.gan.losses import GAME_LOSSES
from sknets.gan.network import N_REFERENCE


def game_loss(default: str) -> Any:
    """The parameter that says what the players want."""
    return param(
        default,
        OneOf(*GAME_LOSSES),
        "What the players minimise: cross-entropies ('non_saturating'; 'minimax', whose generator "
        "learns slowly from a discriminator that is sure), squared distances ('least_squares'), "
        "the difference of the means ('wasserstein') or a margin ('hinge').",
    )


def averaged_generator(default: str | None) -> Any:
    """The parameter that has samples made by an average."""
    return param(
        default,
        [OneOf("polyak", "ema"), None],
        "Average of the generator's weights over the path of training that makes samples, evenly "
        "('polyak') or exponentially ('ema').",
    )


def told_of_deviation(default: bool) -> Any:
    """The parameter that tells the discriminator how much samples differ."""
    return param(
        default,
        "boolean",
        "Whether the discriminator is told the standard deviation over a minibatch.",
    )


@estimator
class GameParameters(BaseEstimator):
    """Abstract: what the players want, and what keeps them in balance."""

    loss: str = game_loss("non_saturating")
    gradient_penalty: Any = param(
        "auto",
        [OneOf("auto"), Interval(Real, 0, None, closed="left")],
        "Weight of the penalty on slopes of the discriminator other than 1 between real and made "
        "samples. 'auto' is 10 with loss='wasserstein', which needs it, and 0 with others.",
    )
    r1: float = param(
        0.0,
        Interval(Real, 0, None, closed="left"),
        "Weight of the penalty on the discriminator's slopes at real samples.",
    )
    label_smoothing: float = param(
        0.0,
        Interval(Real, 0, 1, closed="left"),
        "By how much the target of real samples is below 1, with losses that have targets.",
    )
    instance_noise: float = param(
        0.0,
        Interval(Real, 0, None, closed="left"),
        "Standard deviation of the noise on all that the discriminator sees in training, which "
        "falls to 0 over max_iter epochs, also in calls of `partial_fit`. In units of standardised "
        "columns, or of pixels from -1 to 1.",
    )
    n_discriminator_steps: int = param(
        1,
        Interval(Integral, 1, None, closed="left"),
        "Minibatches from which the discriminator learns for each from which the generator does.",
    )
    discriminator_learning_rate_init: Any = param(
        None,
        [None, Interval(Real, 0, None, closed="neither")],
        "The discriminator's initial learning rate. None: learning_rate_init, the generator's.",
    )
    spectral_norm: bool = param(
        False, "boolean", "Whether weights of the discriminator have a spectral norm of 1."
    )
    replay_size: int = param(
        0,
        Interval(Integral, 0, None, closed="left"),
        "Earlier samples that are kept, from which half of those that the discriminator is shown "
        "are drawn. 0: none.",
    )
    minibatch_discrimination: int = param(
        0,
        Interval(Integral, 0, None, closed="left"),
        "Numbers by which the discriminator is told how near the other samples of a minibatch are. "
        "0: none.",
    )
    minibatch_std: bool = told_of_deviation(False)
    n_packed: int = param(
        1,
        Interval(Integral, 1, N_REFERENCE, closed="both"),
        "Samples that the discriminator judges together.",
    )
    prior: str = param("normal", OneOf("normal", "uniform"), "Distribution of a code's numbers.")
    conditioning: str = param(
        "projection",
        OneOf("projection", "concatenation"),
        "How the discriminator is told classes, with conditional=True: as directions in the space "
        "of its features, or as further inputs.",
    )
    n_progress_samples: int = param(
        0,
        Interval(Integral, 0, None, closed="left"),
        "Samples from the same codes that are kept after each epoch, in `progress_samples_`.",
    )
    _shape_parameters: ClassVar[tuple[str, ...]] = (
        "minibatch_discrimination",
        "minibatch_std",
        "n_packed",
        "spectral_norm",
        "conditioning",
    )
    _lasting_parameters: ClassVar[tuple[str, ...]] = ("prior",)
