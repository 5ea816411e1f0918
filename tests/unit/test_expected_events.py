"""Observed against expected: its null, and that only exposure counts, not how it is cut."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.sequential.contract import Direction
from detectors.sequential.expected_events import Counted, ExpectedEvents

DIRECTIONS: list[Direction] = ["fall", "rise", "both"]


@given(
    mean=st.floats(0.01, 5),
    within=st.floats(0, 1),
    direction=st.sampled_from(DIRECTIONS),
    dispersion=st.floats(1, 3),
)
def test_no_alternative_gains_on_average_for_poisson_or_single_events(
    mean: float, within: float, direction: Direction, dispersion: float
) -> None:
    detector = ExpectedEvents(low=0.9, high=1.2, direction=direction, dispersion=dispersion)
    true = mean * (0.9 + 0.3 * within)
    for by_event, by_exposure in detector._lines:
        poisson = math.exp(true * (math.exp(by_event) - 1) - by_exposure * mean)
        assert poisson <= 1 + 1e-9
        if true <= 1:
            assert (1 + true * (math.exp(by_event) - 1)) * math.exp(-by_exposure * mean) <= 1 + 1e-9


@settings(max_examples=8)
@given(parts=st.integers(2, 20))
def test_exposure_that_is_cut_finer_gives_nearly_the_same_statistic(parts: int) -> None:
    detector = ExpectedEvents(low=1.0, high=1.0, direction="rise")
    whole, cut = detector.new_state(), detector.new_state()
    for week in range(30):
        for part in range(20):
            detector.update(whole, Counted(float(part % 5 == 0), 0.1), week)
            for piece in range(parts):
                last = piece == parts - 1
                detector.update(cut, Counted(float(part % 5 == 0 and last), 0.1 / parts), week)
    assert detector.statistic(cut) == pytest.approx(detector.statistic(whole), rel=0.15)


def test_a_doubled_hazard_is_found_and_dated_and_a_halved_one_the_other_way() -> None:
    both = ExpectedEvents(low=0.9, high=1.1, direction="both")
    for observed in (2.0, 0.0):
        state = both.new_state()
        for week in range(100):
            both.update(state, Counted(1.0 if week < 60 else observed, 1.0), float(week))
        assert both.statistic(state) > 1_000
        change = both.change(state)
        assert change is not None
        assert 58 <= change.since <= 61


def test_the_bounds_are_garwoods() -> None:
    detector = ExpectedEvents.from_baseline(10, 20.0, direction="both", level=0.975)
    assert (detector.low, detector.high) == pytest.approx((4.795 / 20, 18.39 / 20), abs=1e-3)
    wide = ExpectedEvents.from_baseline(10, 20.0, direction="both", level=0.975, dispersion=2)
    assert wide.low < detector.low < detector.high < wide.high


@pytest.mark.parametrize(("observed", "expected"), [(0.0, 1.0), (1.0, 0.0), (math.nan, 1.0), (1.0, math.inf)])
def test_baselines_without_events_are_refused(observed: float, expected: float) -> None:
    with pytest.raises(ValueError, match="needs events"):
        ExpectedEvents.from_baseline(observed, expected, direction="rise")
