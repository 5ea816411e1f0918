"""The cohort-start hazard detector: its recursion, its dates, late and impossible tellings, and the bench's twin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.detection.cohorts import PER_DAY, RATE, World, first_alarm, simulate
from detectors.sequential.cohort_hazard import CohortEvent, CohortHazard
from schemas.duration import DAY

HAZARD = [0.01, 0.03, 0.02, 0.01]


def tell(detector: CohortHazard, world: World, until: int, *, reverse: bool = False) -> list[float]:
    """One replicate, day by day; the statistic after each day is over."""
    state, statistics = detector.new_state(), []
    entered, converted = world.entered[0], world.converted[0]
    for day in range(until + 1):
        if day:
            detector.update(state, CohortEvent("entered", day * DAY), day * DAY)
            detector.update(state, CohortEvent("left", day * DAY), day * DAY)
            statistics.append(detector.statistic(state))
        if day == until:
            break
        events = [CohortEvent("entered", day * DAY)] * int(entered[day])
        for back in range(min(day + 1, len(detector.hazard))):
            events += [CohortEvent("converted", (day - back) * DAY)] * int(converted[day - back, back])
        for event in [
            *events[: entered[day]],
            *(reversed(events[entered[day] :]) if reverse else events[entered[day] :]),
        ]:
            detector.update(state, event, day * DAY + 60)
    return statistics


def small_world(seed: int, days: int) -> World:
    random = np.random.default_rng(seed)
    entered = random.poisson(8, (1, days))
    parts = np.append(np.array(HAZARD), 1 - sum(HAZARD))
    return World(entered, random.multinomial(entered, parts)[:, :, : len(HAZARD)])


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), days=st.integers(1, 15))
def test_the_statistic_is_the_sum_over_all_cohort_starts(seed: int, days: int) -> None:
    detector, world = CohortHazard(hazard=HAZARD, low=0.9), small_world(seed, days)
    wanted = 0.0
    for weight, (by_event, by_exposure) in zip(detector.weights, detector._lines, strict=True):
        steps = []
        for day in range(days):
            at_risk, step = float(world.entered[0, day]), 0.0
            for back in range(min(days - day, len(HAZARD))):
                came = world.converted[0, day, back]
                step += came * by_event + at_risk * HAZARD[back] * by_exposure[-1]
                at_risk -= came
            steps.append(step)
        wanted += weight * sum(math.exp(sum(steps[start:])) for start in range(days))
    assert tell(detector, world, days)[-1] == pytest.approx(wanted, rel=1e-9)


@settings(max_examples=10)
@given(seed=st.integers(0, 1_000))
def test_the_order_within_a_day_means_nothing(seed: int) -> None:
    detector, world = CohortHazard(hazard=HAZARD), small_world(seed, 12)
    assert tell(detector, world, 12) == tell(detector, world, 12, reverse=True)


def test_the_vectorised_twin_of_the_bench_is_this_one() -> None:
    random = np.random.default_rng(4)
    rate = np.where(np.arange(120) < 60, RATE, 0.02)
    world = simulate(rate, np.full(120, PER_DAY), 1.0, 1, random)
    detector = CohortHazard(hazard=[0.002] * 90)
    statistics = tell(detector, world, 120)
    for wanted in (5.0, 50.0, 500.0):
        first = next((day + 1 for day, each in enumerate(statistics) if each >= wanted), math.inf)
        assert first_alarm(world, [detector], wanted)[0] == first


def test_growth_and_young_cohorts_are_no_change() -> None:
    """Nobody converts on the first days, however many start: no days at risk, no evidence."""
    detector, state = CohortHazard(hazard=[0.0] * 20 + [0.01] * 10), None
    state = detector.new_state()
    for day in range(20):
        for _ in range(10 * 2**day if day < 7 else 1280):
            detector.update(state, CohortEvent("entered", day * DAY), day * DAY)
    assert detector.statistic(state) <= 20
    assert detector.change(state) is None


def test_a_fall_is_dated_by_the_start_of_its_first_cohort() -> None:
    detector, state = CohortHazard(hazard=[0.1] * 5), CohortHazard(hazard=[0.1] * 5).new_state()
    for day in range(30):
        for _ in range(40):
            detector.update(state, CohortEvent("entered", day * DAY), day * DAY)
        for back in range(min(day + 1, 5)):
            if day - back < 15:
                for _ in range(4):
                    detector.update(state, CohortEvent("converted", (day - back) * DAY), day * DAY + 1)
    change = detector.change(state)
    assert change is not None
    assert change.since == 15 * DAY
    assert (change.n, change.total) == (15 * 40, 0)


def test_a_gap_of_years_costs_no_more_than_a_horizon_and_is_counted_in_days() -> None:
    detector = CohortHazard(hazard=[0.1] * 5)
    state = detector.new_state()
    detector.update(state, CohortEvent("entered", 0.0), 0.0)
    detector.update(state, CohortEvent("entered", 10_000 * DAY), 10_000 * DAY)
    assert len(state.cohorts) <= 5
    detector.update(state, CohortEvent("entered", 10_001 * DAY), 10_001 * DAY)
    assert detector.statistic(state) == pytest.approx(10_001, rel=0.06)


def test_what_is_told_late_is_at_risk_from_then_on() -> None:
    detector = CohortHazard(hazard=[0.1] * 5)
    state = detector.new_state()
    detector.update(state, CohortEvent("entered", 10 * DAY), 10 * DAY)
    detector.update(state, CohortEvent("entered", 8 * DAY), 10 * DAY)
    detector.update(state, CohortEvent("converted", 8 * DAY), 10 * DAY)
    detector.update(state, CohortEvent("entered", 1 * DAY), 10 * DAY)
    assert [cohort.entered for cohort in state.cohorts] == [1, 0, 1]
    with pytest.raises(ValueError, match="not at risk"):
        detector.update(state, CohortEvent("left", 8 * DAY), 10 * DAY)


@pytest.mark.parametrize(
    ("conversions", "at_risk"), [([1, 2], [10]), ([5], [4]), ([0, 0], [10, 9]), ([-1], [4]), ([], [])]
)
def test_baselines_without_sense_are_refused(conversions: list[int], at_risk: list[int]) -> None:
    with pytest.raises(ValueError, match=r"baseline"):
        CohortHazard.from_baseline(conversions, at_risk)


def test_a_baseline_is_as_uncertain_as_its_conversions_are_few() -> None:
    few = CohortHazard.from_baseline([2, 3], [100, 98])
    many = CohortHazard.from_baseline([200, 300], [10_000, 9_800])
    assert few.low[-1] < many.low[-1] < 1 < many.high[-1] < few.high[-1]
    # The first day has fewer conversions behind it than both together.
    assert few.low[0] < few.low[1]
    assert few.hazard == pytest.approx(many.hazard)
