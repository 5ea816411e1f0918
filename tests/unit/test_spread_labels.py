"""Names for a spread: the tests behind them against scipy's, their false alarms, and the shapes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import levene

from bench.detection.spread import SCENES
from detectors.sequential.spread_labels import (
    LEVELS,
    QUANTILES,
    bimodality,
    brown_forsythe,
    critical,
    label_spread,
)


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.5])
def test_brown_forsythe_is_scipys_on_one_side(factor: float) -> None:
    random = np.random.default_rng(1)
    one, other = random.normal(size=80), factor * random.normal(size=60)
    both_sides = levene(one, other, center="median").pvalue
    found = brown_forsythe(one.tolist(), other.tolist())
    assert min(found, 1 - found) * 2 == pytest.approx(both_sides)
    if factor != 1:
        assert (found < 0.5) == (factor > 1)


def test_the_coefficient_is_a_third_for_a_normal_five_ninths_for_a_uniform_and_one_for_two_points() -> None:
    random = np.random.default_rng(2)
    assert bimodality(random.normal(size=200_000).tolist())[0] == pytest.approx(1 / 3, abs=0.01)
    assert bimodality(random.random(200_000).tolist())[0] == pytest.approx(5 / 9, abs=0.01)
    assert bimodality([0.0, 1.0] * 5_000)[0] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("n", [40, 100, 300])
def test_the_calibration_holds_between_its_sizes_too(n: int) -> None:
    random = np.random.default_rng(3)
    coefficients = [bimodality(random.normal(size=n).tolist())[0] for _ in range(1_000)]
    assert np.mean(np.array(coefficients) > critical(n, 0.05)) == pytest.approx(0.05, abs=0.02)


def test_critical_values_fall_with_the_size_and_rise_with_the_level_and_stay_in_the_table() -> None:
    sizes = [critical(n, 0.01) for n in (10, 30, 40, 100, 250, 1_000, 5_000)]
    assert sizes == sorted(sizes, reverse=True)
    levels = [critical(100, level) for level in (0.2, 0.05, 0.02, 0.005, 0.0001)]
    assert levels == sorted(levels)
    for n, row in QUANTILES.items():
        assert [critical(n, level) for level in LEVELS] == pytest.approx(row)


@pytest.mark.parametrize("scene", SCENES[:4], ids=lambda scene: scene[0])
def test_shapes_get_their_names(scene: tuple) -> None:  # type: ignore[type-arg]
    _, label, draw = scene
    random = np.random.default_rng(4)
    labels = [
        label_spread(random.normal(size=300).tolist(), draw(random, 100).tolist()).label for _ in range(100)
    ]
    if label is None:
        assert sum(each is not None for each in labels) <= 4
    else:
        assert sum(each is not None for each in labels) >= 92
        assert labels.count(label) >= 78


def test_a_baseline_with_two_clusters_makes_two_clusters_no_news() -> None:
    random = np.random.default_rng(5)

    def two(n: int) -> list[float]:
        return (random.normal(size=n) + 4 * (random.random(n) < 0.5)).tolist()

    labels = [label_spread(two(300), two(100)).label for _ in range(100)]
    assert sum(each is not None for each in labels) <= 5


@pytest.mark.parametrize("values", [[1.0] * 50, [1.0, 2.0], [float("nan")] * 40])
def test_samples_without_sense_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"spread"):
        label_spread(list(range(100)), values)
