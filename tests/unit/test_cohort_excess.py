"""detectors/sequential/cohort_excess.py: what it finds, what it forgives, and that it keeps its promise."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.sequential.cohort_excess import MAX_WEEKS, SET_APART, Acquired, CohortExcess, ExcessState
from schemas.duration import DAY, WEEK

DETECTOR = CohortExcess()


def weeks(observed: list[float], expected: float = 2.0, may_start: int = 0) -> ExcessState:
    state = DETECTOR.new_state()
    for number, events in enumerate(observed):
        DETECTOR.update(state, Acquired(number * WEEK, events, expected, number >= may_start), number * WEEK)
    return state


def test_a_lasting_excess_is_found_and_dated() -> None:
    state = weeks([2.0] * 20 + [6.0] * 20)
    assert DETECTOR.statistic(state) > 1e6
    change = DETECTOR.change(state)
    assert change is not None
    assert abs(change.since - 20 * WEEK) <= SET_APART * WEEK


@pytest.mark.parametrize("long", [1, SET_APART])
def test_one_bad_stretch_is_forgiven_however_bad(long: int) -> None:
    state = weeks([2.0] * 20 + [500.0] * long + [2.0] * 20)
    assert DETECTOR.statistic(state) <= DETECTOR.statistic(weeks([2.0] * (40 + long))) + 7 * 60
    assert DETECTOR.statistic(state) < 1000


def test_two_bad_stretches_are_not() -> None:
    assert DETECTOR.statistic(weeks([2.0] * 9 + [12.0] * 3 + [2.0] * 9 + [12.0] * 3 + [2.0] * 3)) > 1000


def test_fewer_events_are_found_where_a_fall_is_sought() -> None:
    fewer = CohortExcess(direction="fall", set_apart=0)
    state = weeks([2.0] * 20 + [0.0, 1.0] * 10)
    assert fewer.statistic(state) > 1e6 > 1000 > CohortExcess(set_apart=0).statistic(state)
    change = fewer.change(state)
    assert change is not None
    assert abs(change.since - 20 * WEEK) <= 3 * WEEK
    assert fewer.statistic(weeks([2.0] * 20 + [6.0] * 20)) < 1000


def test_where_nothing_is_forgiven_one_bad_stretch_is_a_change() -> None:
    state = weeks([2.0] * 20 + [12.0] * 3 + [2.0] * 3)
    assert DETECTOR.statistic(state) < 1000 < CohortExcess(set_apart=0).statistic(state)


def test_a_change_begins_only_where_it_may() -> None:
    observed = [6.0] * 20 + [2.0] * 20
    assert DETECTOR.statistic(weeks(observed)) > 1e4
    assert DETECTOR.statistic(weeks(observed, may_start=20)) < 1000
    assert DETECTOR.change(weeks([2.0] * 20)) is None
    assert DETECTOR.change(weeks([9.0] * 20, may_start=20)) is None


def test_the_order_within_means_nothing() -> None:
    told = [Acquired(number % 30 * DAY, float(number % 3 == 0), 0.3) for number in range(300)]
    one, other = DETECTOR.new_state(), DETECTOR.new_state()
    for each in told:
        DETECTOR.update(one, each, 0.0)
    for each in sorted(told, key=lambda each: each.observed):
        DETECTOR.update(other, each, 0.0)
    assert DETECTOR.statistic(one) == pytest.approx(DETECTOR.statistic(other))


def test_what_is_older_than_it_keeps_is_left_out() -> None:
    state = weeks([2.0] * (MAX_WEEKS + 10))
    assert len(state.weeks) == MAX_WEEKS
    before = DETECTOR.encode_state(state)
    DETECTOR.update(state, Acquired(0.0, 50.0, 0.1), 0.0)
    assert DETECTOR.encode_state(state) == before


def test_a_bound_above_one_and_dispersion_ask_for_more() -> None:
    state = weeks([2.0] * 20 + [4.0] * 20)
    statistics = [
        CohortExcess(high=1.0).statistic(state),
        CohortExcess(high=1.3).statistic(state),
        CohortExcess(high=1.3, dispersion=2.0).statistic(state),
    ]
    assert statistics == sorted(statistics, reverse=True)
    assert CohortExcess.from_baseline(20).high > CohortExcess.from_baseline(200).high > 1
    assert CohortExcess.from_baseline(20, dispersion=2).high > CohortExcess.from_baseline(20).high
    assert CohortExcess.from_baseline(20).low < CohortExcess.from_baseline(200).low < 1


def test_the_promise_holds_either_way_where_nothing_is_forgiven() -> None:
    random = np.random.default_rng(2)
    for detector in (CohortExcess(set_apart=0), CohortExcess(direction="fall", set_apart=0)):
        last = []
        for _ in range(150):
            state = detector.new_state()
            for number in range(104):
                detector.update(state, Acquired(number * WEEK, float(random.poisson(2)), 2.0), 0.0)
            last.append(min(detector.statistic(state), 1e5))
        assert np.mean(last) <= 104 * 7


def test_the_promise_holds_while_nothing_changes() -> None:
    """After two years of weekly cohorts the average statistic is at most the days of acquisition, bad month or not."""
    random = np.random.default_rng(1)
    for bad in (1.0, 6.0):
        last = []
        for _ in range(150):
            state = DETECTOR.new_state()
            for number in range(104):
                level = bad if 50 <= number < 50 + 4 else 1.0
                DETECTOR.update(state, Acquired(number * WEEK, float(random.poisson(2 * level)), 2.0), 0.0)
            last.append(min(DETECTOR.statistic(state), 1e5))
        assert np.mean(last) <= 104 * 7


@pytest.mark.parametrize(
    "made",
    [
        {"high": 0.0},
        {"high": float("inf")},
        {"low": 2.0},
        {"set_apart": -1},
        {"strengths": ()},
        {"strengths": ((0.5, 1.0),)},
        {"dispersion": 0.5},
    ],
)
def test_parameters_that_make_no_sense_are_refused(made: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"bound|strength|dispersion|set apart"):
        CohortExcess(**made)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="events"):
        CohortExcess.from_baseline(0)
