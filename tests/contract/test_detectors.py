"""Every detector of the catalogue keeps the contract; and a check that is broken says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.detection.others import CASES, Case, Random, Stream, run
from bench.detection.tables import poisson_interval
from detectors.catalogue import DETECTORS
from detectors.checks import (
    DETECTOR_CHECKS,
    Broken,
    DetectorExample,
    detector_is_silent_without_a_change,
    detector_keeps_nothing_itself,
    detector_refuses_what_cannot_be,
)
from detectors.sequential.bernoulli_mixture import BernoulliMixture, MixtureState
from detectors.sequential.cohort_hazard import CohortEvent, CohortHazard
from detectors.sequential.contract import Detector, threshold
from detectors.sequential.decile_mixture import DecileMixture, decile_edges, decile_of
from schemas.duration import DAY

EXAMPLES = [
    pytest.param(example, id=f"{name}-{number}")
    for name, detector in DETECTORS.items()
    for number, example in enumerate(detector.examples())
]


@pytest.mark.parametrize("check", DETECTOR_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("example", EXAMPLES)
def test_contract(example: DetectorExample, check: Callable[[DetectorExample], None]) -> None:
    check(example)


class KeepsItsOwnCount(BernoulliMixture):
    seen = 0

    def update(self, state: MixtureState, value: float, at: float) -> None:
        self.seen += 1
        if value in (0, 1) and self.seen % 2:
            super().update(state, value, at)


class TakesAnything(BernoulliMixture):
    def update(self, state: MixtureState, value: float, at: float) -> None:
        super().update(state, 1.0 if value else 0.0, 0.0)


class AlwaysSure(BernoulliMixture):
    def statistic(self, state: Any) -> float:
        return 1e12


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (KeepsItsOwnCount, detector_keeps_nothing_itself),
        (TakesAnything, detector_refuses_what_cannot_be),
        (AlwaysSure, detector_is_silent_without_a_change),
    ],
)
def test_a_detector_that_breaks_a_rule_is_found(
    broken: type[BernoulliMixture], check: Callable[[DetectorExample], None]
) -> None:
    with pytest.raises(Broken):
        check(broken.examples()[0])


def _deciles(random: Random, changed: bool) -> Stream:
    edges = decile_edges(random.normal(size=300).tolist())
    while True:
        yield decile_of(edges, float(random.normal() * (1.7 if changed else 1.0))), 1.0


def _shares(random: Random, changed: bool) -> Stream:
    while True:
        yield float(random.random() < (0.1 if changed else 0.2)), 1.0


PROMISES = (
    *CASES,
    Case("decile_mixture", lambda _: DecileMixture.from_baseline(300), _deciles, "wider"),
    Case(
        "bernoulli_mixture",
        lambda random: BernoulliMixture.from_baseline(int(random.binomial(500, 0.2)), 500),
        _shares,
        "half",
    ),
)


@pytest.mark.parametrize("case", PROMISES, ids=lambda case: case.name.split(":")[0])
def test_the_promise_is_kept_and_a_change_is_found(case: Case) -> None:
    """At a run length of 100, so that it is quick; baselines are drawn anew, as in the benchmark."""
    random, wanted = np.random.default_rng(11), 100.0
    alarms, units = 0, 0.0
    for _ in range(120):
        stopped, alarmed = run(case.detector(random), case.stream(random, False), 500.0, wanted)
        alarms, units = alarms + alarmed, units + stopped
    low, _ = poisson_interval(alarms, units)
    assert 1 / low >= wanted
    found = [run(case.detector(random), case.stream(random, True), 2_000.0, wanted) for _ in range(30)]
    assert all(alarmed for _, alarmed in found)
    assert np.mean([stopped for stopped, _ in found]) < min(units / max(alarms, 1), 200)


def _cohorts(detector: Detector, random: Random, days: int, changed_on: int, wanted: float) -> float:
    """Days until the alarm, of 20 accounts a day of which each converts with 2 % a day for ten days, or half of that."""
    state = detector.new_state()
    waiting: list[tuple[int, int]] = []
    for day in range(days):
        for number in range(20):
            detector.update(state, CohortEvent("entered", day * DAY), day * DAY + number)
        waiting.append((day, 20))
        left = []
        for began, count in waiting:
            rate = 0.02 / (2 if began >= changed_on else 1)
            converted = int(random.binomial(count, rate))
            for _ in range(converted):
                detector.update(state, CohortEvent("converted", began * DAY), day * DAY + 100)
            if day - began < 9:
                left.append((began, count - converted))
        waiting = left
        if detector.statistic(state) >= wanted:
            return day
    return days


def test_the_cohort_hazard_keeps_its_promise_in_days_and_finds_a_fall_before_cohorts_mature() -> None:
    random = np.random.default_rng(3)
    detector = CohortHazard(hazard=[0.02] * 10)
    quiet = [_cohorts(detector, random, 300, 300, 100.0) for _ in range(40)]
    low, _ = poisson_interval(sum(days < 300 for days in quiet), sum(quiet))
    assert 1 / low >= 100
    fallen = [_cohorts(detector, random, 300, 30, 1_000.0) - 30 for _ in range(20)]
    assert 0 < np.mean(fallen) < 25


def test_a_budget_of_false_alarms_becomes_a_threshold_by_the_flow() -> None:
    assert threshold(units_per_day=30, false_alarms_per_year=1, monitors=12) == pytest.approx(131_490)
    assert threshold(units_per_day=1e-9, false_alarms_per_year=100) == 1
    with pytest.raises(ValueError, match="positive flow"):
        threshold(units_per_day=0, false_alarms_per_year=1)
