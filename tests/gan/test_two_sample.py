"""Statistics of two samples against their definitions."""

import numpy as np
import pytest

from sknets.gan.two_sample import WIDTHS, report, squared_mmd


def test_discrepancy_is_its_formula():
    rng = np.random.default_rng(0)
    real, made = rng.normal(size=(5, 2)), rng.normal(size=(4, 2)) + 1
    squares = [((a - b) ** 2).sum() for i, a in enumerate(real) for b in real[i + 1 :]]
    scale = np.median(squares)

    def kernel(a, b):
        return np.mean([np.exp(-((a - b) ** 2).sum() / (2 * scale * w**2)) for w in WIDTHS])

    def others(X):
        return np.mean([kernel(a, b) for i, a in enumerate(X) for j, b in enumerate(X) if i != j])

    between = np.mean([kernel(a, b) for a in real for b in made])
    assert squared_mmd(real, made) == pytest.approx(others(real) + others(made) - 2 * between)


def test_discrepancy_is_unbiased():
    rng = np.random.default_rng(0)
    found = [squared_mmd(rng.normal(size=(30, 2)), rng.normal(size=(30, 2))) for _ in range(300)]
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 3 * error
    assert min(found) < 0


def test_discrepancy_of_rows_that_are_all_alike_is_finite():
    assert np.isfinite(squared_mmd(np.ones((4, 2)), np.ones((3, 2))))


def test_report_of_one_distribution_and_of_two():
    rng = np.random.default_rng(0)
    real, same = rng.normal(size=(2, 300, 2))
    alike, far = report(real, same), report(real, same + 20)
    assert 0.4 < alike.accuracy_neighbors < 0.6
    assert 0.4 < alike.accuracy_linear < 0.6
    assert min(alike.precision, alike.recall, alike.coverage) > 0.9
    assert far.accuracy_neighbors == far.accuracy_linear == 1
    assert far.precision == far.recall == far.coverage == 0
    assert far.mmd > 100 * abs(alike.mmd)


def test_report_tells_collapse_from_noise():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(300, 2))
    collapsed = report(real, 0.01 * rng.normal(size=(300, 2)))
    noisy = report(real, 5 * rng.normal(size=(300, 2)))
    assert collapsed.precision > 0.95 > noisy.precision
    assert collapsed.recall < 0.2
    assert collapsed.coverage < 0.2
    assert noisy.recall > 0.8
