"""One seed for a fit, and from it generators that do not know of each other."""

import numpy as np
import pytest
import torch

from sknets._random import Stream, derived_seed, draw_seed, generator


def draws(g, n=1000):
    return torch.rand(n, generator=g)


@pytest.mark.parametrize("seed", [0, 42, np.int64(7), 2**32 - 1])
def test_integer_is_the_seed_itself(seed):
    assert draw_seed(seed) == seed
    assert type(draw_seed(seed)) is int


def test_random_state_instance_gives_a_new_seed_at_each_call():
    instance = np.random.RandomState(0)
    seeds = [draw_seed(instance) for _ in range(5)]
    assert len(set(seeds)) == 5
    again = np.random.RandomState(0)
    assert [draw_seed(again) for _ in range(5)] == seeds


@pytest.mark.global_state("numpy random state")
def test_none_draws_from_numpys_global_state():
    np.random.seed(3)
    seeds = [draw_seed(None) for _ in range(3)]
    np.random.seed(3)
    assert [draw_seed(None) for _ in range(3)] == seeds
    assert len(set(seeds)) == 3


def test_keys_and_seeds_give_seeds_of_their_own():
    counted = (Stream.SHUFFLE, Stream.LAYERS, Stream.PRETRAIN)
    keys = [(stream,) for stream in Stream if stream not in counted]
    keys += [(stream, i) for stream in counted for i in range(50)]
    seeds = {derived_seed(seed, *key) for seed in range(20) for key in keys}
    assert len(seeds) == 20 * len(keys)


def test_derived_seed_is_the_same_everywhere():
    # A resumed or unpickled fit on another machine must draw what the first would have.
    assert derived_seed(0, Stream.SHUFFLE, 3) == derived_seed(0, 2, 3)
    assert derived_seed(5, Stream.SPLIT) == 3231134029


def test_generators_repeat_and_do_not_disturb_each_other():
    alone = draws(generator(0, Stream.WEIGHTS))
    first, second = generator(0, Stream.WEIGHTS), generator(0, Stream.LAYERS)
    halves = []
    for _ in range(2):
        draws(second)
        halves.append(draws(first, 500))
    torch.testing.assert_close(torch.cat(halves), alone, rtol=0, atol=0)


def test_neighbouring_seeds_and_epochs_are_uncorrelated():
    keys = [(seed, Stream.SHUFFLE, epoch) for seed in range(4) for epoch in range(4)]
    columns = [draws(generator(*key)) for key in keys]
    correlation = np.corrcoef(torch.stack(columns).numpy()) - np.eye(16)
    assert abs(correlation).max() < 5 / np.sqrt(1000)


def test_generator_lives_on_its_device():
    assert generator(0, device="cpu").device == torch.device("cpu")


@pytest.mark.gpu
def test_generator_on_a_gpu_draws_there():
    assert torch.rand(3, generator=generator(0, device="cuda"), device="cuda").is_cuda
