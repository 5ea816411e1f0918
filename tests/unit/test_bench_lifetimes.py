"""The optimum of lifetimes: right where it can be calculated, and not fooled by young cohorts."""

from __future__ import annotations

import math
import random

import pytest

from bench.scenarios.lifetimes import QUESTIONS, delays
from bench.scenarios.optimum import JUDGED, Optimum
from bench.scenarios.rounds import Run, Told
from detectors.catalogue import SIGNALS
from schemas.settings import DriftSettings

SIGNAL = "slg.cycle_spread"
UNTIL = 400.0


def run(seed: int, sigma: float, signal: str = SIGNAL, won: float = 0.3) -> Run:
    """Five deals a day over 800 days, median 20 days; from day 0 on their logarithms spread by ``sigma``."""
    draw = random.Random(seed)
    told = []
    for number in range(-2000, 2000):
        began = number / 5
        length = 20 * math.exp(draw.gauss(0, 0.5 if began < 0 else sigma))
        told.append(Told(signal, "opened", "a band", 1.0, 1.0, began, began, True))
        end = "won" if draw.random() < won else "lost"
        if began + length < UNTIL:
            told.append(Told(signal, end, "a band", 1.0, length, began, began + length, True))
    return Run(
        scenario="slg-wider-cycles",
        seed=seed,
        said=[],
        told=told,
        missing={},
        ramp_days=0.0,
        events=1,
        seconds=1.0,
    )


def test_young_cohorts_do_not_look_fast() -> None:
    """Nothing changes. Hazards that were counted in so few runs differ a little, which a thousand deals may tell."""
    found = delays(SIGNAL, [run(seed, 0.5) for seed in range(8)], DriftSettings(), 120)
    assert all(delay > 200 for delay in found)


def test_a_wider_spread_takes_what_its_information_says() -> None:
    """Of normals 1.7 times as wide an observation is worth 0.414 in its logarithm when all of it is known; parts take a little
    of it, and the wait is that for the shortest and the longest."""
    found = Optimum(SIGNAL, [run(seed, 0.85) for seed in range(6)]).delays()
    deals = math.log(5 * 365.25 * 12 * len(SIGNALS)) / (0.5 * (1.7**2 - 1) - math.log(1.7))
    assert all(delay > deals / 5 for delay in found)
    assert sum(found) / len(found) < deals / 5 + 40


def test_two_things_together_take_as_long_as_the_slower() -> None:
    """Who wins is unchanged: the wins of aged deals are late with the spread, their losses alike."""
    signal = "slg.aged_win_rate"
    runs = [run(seed, 0.85, signal) for seed in range(4)]
    settings = DriftSettings()
    assert len(QUESTIONS[signal]) == 2
    both = delays(signal, runs, settings, 120)
    seldom = delays(signal, [run(seed, 0.85, signal, won=0.02) for seed in range(4)], settings, 120)
    # With fewer wins their hazard takes longer to be known, and so do both.
    assert sum(seldom) > sum(both)


@pytest.mark.parametrize("signal", QUESTIONS)
def test_a_signal_is_asked_in_one_way(signal: str) -> None:
    assert signal not in JUDGED
    ends = {end for question in QUESTIONS[signal] for end in question.ends}
    assert ends <= set(SIGNALS[signal].measures)  # type: ignore[attr-defined]


def test_without_observations_nothing_is_found() -> None:
    (found,) = delays(SIGNAL, [Run("slg-wider-cycles", 1, [], [], {}, 0.0, 0, 0.0)], DriftSettings(), 120)
    assert math.isinf(found)
