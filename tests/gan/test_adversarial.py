"""The game against what theory says of it."""

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import nn

from sknets import GAN
from sknets._data import Batch
from sknets._training.parameters import FlatParameters
from sknets.gan.adversarial import DISCRIMINATOR, GENERATOR, AdversarialStep, Rules
from sknets.gan.losses import GAME_LOSSES
from sknets.gan.network import (
    AdversarialNet,
    ChainGenerator,
    Discriminator,
    InstanceNoise,
    Prior,
    Units,
)

N_STEPS = 3000


def seeded(net, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        std = 1 / np.sqrt(parameter.shape[-1]) if parameter.ndim > 1 else 0.1
        nn.init.normal_(parameter, std=std, generator=drawn)
    net.prior.generator = net.noise.generator = torch.Generator().manual_seed(seed)
    return net


def game(n=1, *, fixed=False, units=64):
    """Two players over vectors of `n` numbers; a fixed generator gives the code itself."""
    with torch.device("meta"):
        layers = (
            nn.Identity() if fixed else nn.Sequential(nn.Linear(n, 8), nn.Tanh(), nn.Linear(8, n))
        )
        body = nn.Sequential(nn.Linear(n, units), nn.SiLU(), nn.Linear(units, units), nn.SiLU())
        judge = Discriminator(nn.Identity(), body, nn.Linear(units, 1), None, 1, n, 0)
        parts = ChainGenerator(layers), judge, Prior(n, "normal"), Units(n), InstanceNoise(0.0)
        net = AdversarialNet(*parts)
    net = net.to_empty(device="cpu")
    net.units.shift.zero_()
    net.units.scale.fill_(1.0)
    return seeded(net)


def test_discriminator_tends_to_the_ratio_of_densities():
    """Goodfellow et al. (2014), proposition 1: D = p / (p + q)."""
    net = game(fixed=True)
    flat = FlatParameters(net)
    flat.slices = [flat, flat]
    step = AdversarialStep(net, flat, Rules(GAME_LOSSES["non_saturating"]()))
    step.player = DISCRIMINATOR
    optimizer = torch.optim.Adam([flat.vector], lr=0.003)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, N_STEPS)
    drawn = torch.Generator().manual_seed(1)
    for _ in range(N_STEPS):
        first = torch.randn(2000, 1, generator=drawn) * 0.5 - 1
        second = torch.randn(2000, 1, generator=drawn) * 0.7 + 1.5
        real = torch.where(torch.rand(2000, 1, generator=drawn) < 0.5, first, second)
        batch = Batch(real)
        step.deal(batch)
        step(batch)
        optimizer.step()
        rate.step()
    x = np.linspace(-5, 5, 401)
    p = (norm(-1, 0.5).pdf(x) + norm(1.5, 0.7).pdf(x)) / 2
    q = norm.pdf(x)
    with torch.no_grad():
        logits = net(torch.from_numpy(x[:, None]).float()).numpy()
    judged = p + q > 0.01 * (p + q).max()
    assert np.abs(1 / (1 + np.exp(-logits)) - p / (p + q))[judged].max() < 0.05


@pytest.mark.parametrize("player", [GENERATOR, DISCRIMINATOR])
@pytest.mark.parametrize(
    "rules",
    [
        Rules(GAME_LOSSES["hinge"]()),
        Rules(GAME_LOSSES["wasserstein"](), gradient_penalty=10.0),
        Rules(GAME_LOSSES["non_saturating"](), r1=1.0, drift=0.1, replay_size=10),
    ],
)
def test_turn_of_a_player_has_gradients_of_no_other(player, rules):
    net = game(3)
    flat = FlatParameters(net, [net.generator, net.discriminator])
    flat.grad.fill_(7)
    step = AdversarialStep(net, flat, rules)
    step.deal(Batch(torch.from_numpy(np.random.default_rng(0).normal(size=(20, 3))).float()))
    step.player = player
    step(None)
    own, other = flat.slices[player], flat.slices[1 - player]
    assert (own.grad != 0).sum() > 0.9 * len(own.grad)
    assert (other.grad == 0).all()


@pytest.mark.parametrize("solver", ["adam", "adamw", "sgd", "rmsprop", torch.optim.Adam])
def test_step_of_a_player_leaves_the_other_bit_by_bit(solver):
    turns = []

    class Spy(GAN._trainer_class):
        def turn(self, player, batch):
            before = [part.values.clone() for part in self.flat.slices]
            result = super().turn(player, batch)
            after = [part.values for part in self.flat.slices]
            same = list(map(torch.equal, before, after))
            turns.append((player, same))
            return result

    class Spied(GAN):
        _trainer_class = Spy

    X = np.random.default_rng(0).normal(size=(90, 3))
    Spied(
        3, (8,), solver=solver, max_iter=2, batch_size=30, random_state=0,
        alpha=0.1, clip_norm=0.5, max_norm=0.5, averaging="ema",
    ).fit(X)  # fmt: skip
    assert [player for player, _ in turns] == [DISCRIMINATOR, GENERATOR] * 6
    assert all(same[1 - player] and not same[player] for player, same in turns)


def test_generator_waits_for_its_turn():
    X = np.random.default_rng(0).normal(size=(90, 3))
    gan = GAN(3, (8,), n_discriminator_steps=5, max_iter=2, batch_size=30, random_state=0)
    counts = []

    class Spy(GAN._trainer_class):
        def turn(self, player, batch):
            counts.append(player)
            return super().turn(player, batch)

    type("Spied", (GAN,), {"_trainer_class": Spy})(**gan.get_params()).fit(X)
    assert counts == [DISCRIMINATOR] * 5 + [GENERATOR, DISCRIMINATOR]
