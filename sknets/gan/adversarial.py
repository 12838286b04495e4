"""How two players learn in turn.

Goodfellow et al. (2014), https://arxiv.org/abs/1406.2661, algorithm 1; Gulrajani et al. (2017),
https://arxiv.org/abs/1704.00028, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sknets._data import Batch, Data
from sknets._state import to_tensors
from sknets._training.parameters import FlatParameters, FlatSlice
from sknets._training.steps import StepResult, multiplying
from sknets._training.trainer import Trainer
from sknets.gan.diversity import Replay
from sknets.gan.losses import GameLoss, gradient_penalty, r1_penalty
from sknets.gan.network import AdversarialNet
from sknets.gan.spectral import SpectralNorm

GENERATOR, DISCRIMINATOR = range(2)  # the players, as slices of the parameters are in order
NAMES = ("generator", "discriminator")


class Rules(NamedTuple):
    """What the players want, and how they take turns.

    Parameters
    ----------
    loss : GameLoss
    gradient_penalty : float
        Weight of the squared distance of slopes from 1, between real and made samples.
    r1 : float
        Weight of the squared slopes at real samples.
    drift : float
        Weight of the squared logits of real samples (Karras et al., 2018, appendix A.1).
    n_discriminator_steps : int
        Turns of the discriminator, each on a minibatch of its own, for one of the generator.
    replay_size : int
        Earlier samples that are kept to be judged again.
    """

    loss: GameLoss
    gradient_penalty: float = 0.0
    r1: float = 0.0
    drift: float = 0.0
    n_discriminator_steps: int = 1
    replay_size: int = 0


class AdversarialStep:
    """The loss and the gradients of the player whose turn it is.

    Samples are made once for both turns of a minibatch, as its classes say.

    Parameters
    ----------
    module : AdversarialNet
    flat : FlatParameters
        With a slice for each player.
    rules : Rules
    mixed : bool
        Whether products are in bfloat16; weights, sums and losses stay float32.
    """

    def __init__(
        self, module: AdversarialNet, flat: FlatParameters, rules: Rules, mixed: bool = False
    ) -> None:
        self.module, self.flat, self.rules = module, flat, rules
        self.mixed = mixed and flat.values.dtype == torch.float32
        self.replay = Replay(rules.replay_size) if rules.replay_size else None
        self.normalised = [m for m in module.discriminator.modules() if isinstance(m, SpectralNorm)]
        self.player = DISCRIMINATOR
        self.n_dealt = 0
        self.real: Tensor
        self.made: Tensor
        self.classes: Tensor

    def deal(self, batch: Batch) -> bool:
        """Take real samples and make others; whether it will be the generator's turn as well."""
        self.n_dealt += 1
        both = self.n_dealt % self.rules.n_discriminator_steps == 0
        module = self.module
        with torch.set_grad_enabled(both), self.multiplying():
            self.real, self.classes = module.split(batch.x)
            n, n_packed = len(self.real), module.discriminator.n_packed
            if n < n_packed:  # a rest that would fill no pack
                rows = torch.arange(n_packed, device=self.real.device) % n
                self.real, self.classes = self.real[rows], self.classes[rows]
            drawn = module.prior.generator
            z = module.prior(len(self.real), self.real, drawn)
            self.made = module.generator(z, self.classes, drawn).to(self.real.dtype)
        return both

    def __call__(self, batch: Batch) -> StepResult:
        """Set the gradients of the player's loss over what was dealt, and no other's."""
        self.flat.grad.zero_()
        with torch.enable_grad(), self.multiplying():
            if self.player == DISCRIMINATOR:
                loss = self.of_discriminator()
            else:
                loss = self.of_generator()
        loss.backward(inputs=self.flat.slices[self.player].parameters)
        return StepResult(loss.detach(), None)

    def of_discriminator(self) -> Tensor:
        """What telling real from made samples costs, with the penalties."""
        module, rules = self.module, self.rules
        for layer in self.normalised:
            layer.iterate()
        made, classes = self.made.detach(), self.classes
        if self.replay is not None:
            width = made.shape[1]
            mixed = self.replay.mixed(torch.cat([made, classes], 1), module.prior.generator)
            made, classes = mixed[:, :width], mixed[:, width:]
        real, made = module.noise(self.real), module.noise(made)
        if rules.r1:
            real = real.detach().requires_grad_()
        of_real, of_made = self.judged(real, made, classes)
        loss = rules.loss.of_discriminator(of_real, of_made)
        if rules.r1:
            loss = loss + rules.r1 * r1_penalty(of_real, real)
        if rules.gradient_penalty:
            share = real.new_empty(len(real), 1).uniform_(generator=module.prior.generator)
            between = torch.lerp(real, made, share).detach().requires_grad_()
            logits = module.discriminator(between, self.classes).to(real.dtype)
            loss = loss + rules.gradient_penalty * gradient_penalty(logits, between)
        if rules.drift:
            loss = loss + rules.drift * of_real.square().mean()
        return loss

    def judged(self, real: Tensor, made: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of real samples with their classes, and of made ones with theirs."""
        judge = self.module.discriminator
        if judge.needs_batches_apart or self.rules.r1:
            both = judge(real, self.classes), judge(made, classes)
        else:
            logits = judge(torch.cat([real, made]), torch.cat([self.classes, classes]))
            both = logits.split([len(real), len(made)])
        of_real, of_made = (logits.to(real.dtype) for logits in both)
        return of_real, of_made

    def of_generator(self) -> Tensor:
        """What being told apart costs."""
        module = self.module
        logits = module.discriminator(module.noise(self.made), self.classes)
        return self.rules.loss.of_generator(logits.to(self.made.dtype))

    def multiplying(self) -> Any:
        """Within, products are in bfloat16 where that was asked for."""
        return multiplying(self.mixed, self.flat.values.device)

    def state(self) -> dict[str, Any]:
        """What outlasts a minibatch."""
        return {"n_dealt": self.n_dealt, **(self.replay.state() if self.replay else {})}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.n_dealt = int(state["n_dealt"])
        if self.replay is not None:
            self.replay.load(to_tensors(state), self.flat.values)


class AdversarialTrainer(Trainer):
    """Train two players in turn: an update of each is one of the trainer's."""

    step: AdversarialStep

    @property
    def averaged_part(self) -> FlatSlice:
        """The generator's."""
        return self.flat.slices[GENERATOR]

    def train_step(self, batch: Batch, **_: Any) -> StepResult:
        """A turn of the discriminator, and one of the generator where it is due."""
        self.advance(len(self.losses[DISCRIMINATOR]) / self.n_batches)
        both = self.step.deal(batch)
        result = self.turn(DISCRIMINATOR, batch)
        self.losses[DISCRIMINATOR].append(result.loss)
        if both:
            result = self.turn(GENERATOR, batch)
            self.losses[GENERATOR].append(result.loss)
            if self.average is not None:
                self.average.update()
        return result

    def advance(self, share: float) -> None:
        """Have the network change with the training, of whose present epoch a share is over."""
        epochs = self.epochs_of_fit + share
        self.step.module.advance(epochs / (self.recipe.span or self.recipe.max_epochs))

    def snapshot(self) -> list[Tensor]:
        """A copy of the weights, and of how far the network has grown."""
        return [torch.tensor(self.step.module.level, dtype=torch.float64), *super().snapshot()]

    def restore(self, snapshot: list[Tensor]) -> None:
        """Go back to a snapshot, with a fresh optimiser."""
        level, *weights = snapshot
        super().restore(weights)
        self.step.module.set_level(level.item())

    def turn(self, player: int, batch: Batch) -> StepResult:
        """Update one player alone."""
        self.step.player = player
        groups = self.optimizer_.param_groups
        self.optimizer_.param_groups = groups[player : player + 1]
        try:
            return self.update(batch, self.flat.slices[player])
        finally:
            self.optimizer_.param_groups = groups

    def run_single_epoch(
        self, iterator: Data, training: bool, prefix: str, step_fn: Callable, **how: Any
    ) -> None:
        """One pass over the data; the loss of the epoch is the generator's."""
        self.losses: tuple[list[Tensor], list[Tensor]] = [], []
        self.n_batches = -(-iterator.n_samples // iterator.batch_size)
        super().run_single_epoch(iterator, training, prefix, step_fn, **how)
        self.advance(1.0)
        self.sees_all = self.sees_all and self.step.module.is_grown
        if not self.losses[GENERATOR]:  # none of its turns was in this epoch
            with torch.no_grad():
                self.losses[GENERATOR].append(self.step.of_generator())
        self.bad_step: tuple[str, int] | None = None
        for name, losses in zip(NAMES, self.losses, strict=True):
            values = np.array(torch.stack(losses).tolist())
            bad = np.flatnonzero(~np.isfinite(values))
            if len(bad) and self.bad_step is None:
                self.bad_step = name, int(bad[0]) + 1
            self.history.record(f"{name}_loss", float(values.mean()))
        loss = np.nan if self.bad_step else self.history[-1, "generator_loss"]
        self.history.record(prefix + "_loss", loss)

    def divergence(self) -> str:
        """Where a player's loss was not finite any more."""
        assert self.bad_step is not None
        name, i = self.bad_step
        return (
            f"the {name}'s loss became non-finite in its step {i} of epoch {len(self.history) + 1}"
        )
