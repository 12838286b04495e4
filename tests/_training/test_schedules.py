"""Learning rates at points that one can work out by hand."""

import math

import pytest
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

from sknets._training.schedules import NAMES, SMALLEST_RATE, Schedule


def schedule(name, **settings):
    return Schedule(name, **{"initial": 0.1, "max_iter": 100} | settings)


@pytest.mark.parametrize(
    ("name", "epoch", "rate"),
    [
        ("constant", 0, 0.1),
        ("constant", 99, 0.1),
        ("step", 0, 0.1),
        ("step", 10, 0.1),  # the last step of the tenth epoch
        ("step", 10.01, 0.05),
        ("step", 20, 0.05),
        ("step", 25, 0.025),
        ("exponential", 0, 0.1),
        ("exponential", 5, 0.1 / math.sqrt(2)),
        ("exponential", 10, 0.05),
        ("inverse_time", 0, 0.1),
        ("inverse_time", 10, 0.1 / 1.5),
        ("inverse_time", 20, 0.05),
        ("cosine", 0, 0.1),
        ("cosine", 25, 0.1 * (1 + math.sqrt(0.5)) / 2),
        ("cosine", 50, 0.05),
        ("cosine", 100, 0),
        ("one_cycle", 0, 0.004),
        ("one_cycle", 15, (0.004 + 0.1) / 2),
        ("one_cycle", 30, 0.1),
        ("one_cycle", 65, (0.1 + 4e-7) / 2),
        ("one_cycle", 100, 4e-7),
        ("invscaling", 50, 0.1),
        ("adaptive", 50, 0.1),
        ("plateau", 50, 0.1),
    ],
)
def test_rate_equals_closed_form(name, epoch, rate):
    assert schedule(name).rate(epoch) == pytest.approx(rate, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", ["cosine", "one_cycle", "cyclic", "exponential"])
def test_rate_stays_at_its_last_value_after_max_iter(name):
    # warm_start and partial_fit may go on after the planned end.
    s = schedule(name)
    assert s.rate(101) == s.rate(1000) == s.rate(100)


@pytest.mark.parametrize("name", NAMES)
def test_rate_is_never_negative_nor_above_the_initial_one(name):
    s = schedule(name, warmup=7)
    rates = [s.rate(t / 4) for t in range(401)]
    assert min(rates) >= 0
    assert max(rates) <= 0.1


def test_one_cycle_peaks_at_thirty_per_cent():
    s = schedule("one_cycle")
    assert max(range(101), key=s.rate) == 30


def test_cyclic_restarts_at_every_cycle():
    s = schedule("cyclic", n_cycles=4)
    for start in (0, 25, 50, 75):
        assert s.rate(start + 1e-6) == pytest.approx(0.1)
        assert s.rate(start + 12.5) == pytest.approx(0.05)
        assert s.rate(start + 25) == pytest.approx(0, abs=1e-15)  # where the snapshot is taken


@pytest.mark.parametrize("name", ["constant", "cosine", "exponential", "invscaling"])
def test_warmup_rises_linearly_from_nothing_to_the_schedule(name):
    plain, warm = schedule(name), schedule(name, warmup=8)
    assert warm.rate(0) == 0
    for epoch in (2, 4, 6):
        assert warm.rate(epoch) == pytest.approx(plain.rate(epoch) * epoch / 8)
    assert warm.rate(8) == plain.rate(8)
    assert warm.rate(50) == plain.rate(50)


@pytest.mark.parametrize("power_t", [0.25, 0.5, 1.0])
def test_invscaling_follows_scikit_learn(power_t):
    twin = SGDOptimizer([], 0.1, "invscaling", power_t=power_t)
    ours = schedule("invscaling", power_t=power_t)
    for samples_seen in (100, 200, 5000):
        twin.iteration_ends(samples_seen)
        ours.epoch_ended(samples_seen)
        assert ours.rate(3) == pytest.approx(twin.learning_rate, rel=1e-14)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "invscaling"])
def test_end_of_epoch_changes_no_other_schedule(name):
    s = schedule(name)
    before = s.rate(3)
    s.epoch_ended(1000)
    assert s.rate(3) == before


def test_adaptive_divides_by_five_like_scikit_learn_until_there_is_no_lower_rate():
    twin = SGDOptimizer([], 0.1, "adaptive")
    ours = schedule("adaptive")
    lowered = []
    for _ in range(20):
        assert ours.stalled() != twin.trigger_stopping("", verbose=False)
        assert ours.rate(0) == pytest.approx(twin.learning_rate, rel=1e-12)
        lowered.append(ours.rate(0))
    assert lowered[0] == pytest.approx(0.02)
    assert lowered[-1] == lowered[-2] <= SMALLEST_RATE


def test_plateau_multiplies_by_decay_rate_until_there_is_no_lower_rate():
    s = schedule("plateau", decay_rate=0.25)
    answers = [s.stalled() for _ in range(12)]
    assert answers == [True] * 9 + [False] * 3  # 0.1 / 4 ** 8 is still above a millionth
    assert s.rate(0) == pytest.approx(0.1 / 4**9)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("adaptive", "plateau")])
def test_other_schedules_have_no_answer_to_a_stall(name):
    s = schedule(name)
    assert not s.stalled()
    assert s.scale == 1


def test_only_timed_schedules_change_within_an_epoch():
    changing = {name for name in NAMES if not schedule(name).is_constant}
    assert changing == {"step", "exponential", "inverse_time", "cosine", "one_cycle"}
    assert not schedule("constant", warmup=1).is_constant


def test_schedules_that_end_at_max_iter_by_design():
    assert {name for name in NAMES if schedule(name).ends_by_design} == {"cosine", "one_cycle"}
