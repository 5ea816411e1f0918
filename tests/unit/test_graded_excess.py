"""detectors/sequential/graded_excess.py: what it finds that one sum does not, what a rare grade costs, and that it keeps its promise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from detectors.sequential.cohort_excess import MAX_WEEKS, Acquired, CohortExcess
from detectors.sequential.graded_excess import Graded, GradedExcess, GradedState
from schemas.duration import WEEK
from schemas.errors import StateRefused

USUAL = (2.0, 0.6, 0.2, 0.05)
"""events a week by grade"""
DETECTOR = GradedExcess(highs=(1.0,) * 4)


def weeks(by_week: Sequence[tuple[float, ...]], detector: GradedExcess = DETECTOR) -> GradedState:
    state = detector.new_state()
    for number, events in enumerate(by_week):
        for grade, (observed, expected) in enumerate(zip(events, USUAL, strict=True)):
            detector.update(state, Graded(number * WEEK, grade, observed, expected), number * WEEK)
    return state


USUAL_COUNTS = (2.0, 1.0, 0.0, 0.0)
QUIET = [(2.0, 1.0, 0.0, 0.0), (2.0, 0.0, 1.0, 0.0), (2.0, 1.0, 0.0, 0.0), (2.0, 0.0, 0.0, 0.0)] * 5
LATE = [(2.0, 1.0, 1.0, 0.0), (3.0, 1.0, 1.0, 1.0), (2.0, 1.0, 1.0, 0.0)] * 5
"""The common grade rises by a sixth, the others the more the rarer they are."""


def test_a_rise_of_rare_grades_is_found_where_one_sum_hides_it() -> None:
    state = weeks(QUIET + LATE)
    assert DETECTOR.statistic(state) > 1e4
    change = DETECTOR.change(state)
    assert change is not None
    assert abs(change.since - len(QUIET) * WEEK) <= 2 * WEEK
    whole, sums = CohortExcess(set_apart=0), CohortExcess(set_apart=0).new_state()
    for number, events in enumerate(QUIET + LATE):
        whole.update(sums, Acquired(number * WEEK, sum(events), sum(USUAL)), 0.0)
    assert whole.statistic(sums) < DETECTOR.statistic(state) / 100


def test_a_rise_of_all_grades_alike_is_found_too() -> None:
    assert DETECTOR.statistic(weeks(QUIET + [(5.0, 1.0, 0.0, 0.0), (4.0, 2.0, 1.0, 0.0)] * 5)) > 1e5
    assert DETECTOR.statistic(weeks(QUIET)) < 365
    assert DETECTOR.change(DETECTOR.new_state()) is None
    assert DETECTOR.change(weeks([(0.0,) * 4] * 9)) is None


def test_a_grade_that_is_hardly_known_and_dispersion_ask_for_more() -> None:
    common, rare, never = GradedExcess.from_baseline((400, 4, 0)).highs
    assert 1 < common < 1.1 < 1.3 < rare < never
    statistics = [
        made.statistic(weeks(QUIET + LATE, made))
        for made in (
            GradedExcess.from_baseline([100 * each for each in USUAL]),
            GradedExcess.from_baseline([20 * each for each in USUAL]),
            GradedExcess.from_baseline([20 * each for each in USUAL], dispersion=2.0),
        )
    ]
    assert statistics == sorted(statistics, reverse=True)


@pytest.mark.parametrize("per_week", [0.5, 2.0])
def test_the_promise_holds_while_nothing_changes(per_week: float) -> None:
    """After two years of weekly cohorts the average statistic is at most the days of cohorts."""
    random = np.random.default_rng(1)
    last = []
    for _ in range(150):
        state = DETECTOR.new_state()
        for number in range(104):
            for grade, usual in enumerate(USUAL):
                expected = per_week * usual
                DETECTOR.update(
                    state, Graded(number * WEEK, grade, float(random.poisson(expected)), expected), 0.0
                )
        last.append(min(DETECTOR.statistic(state), 1e5))
    assert np.mean(last) <= 104 * 7


def test_what_is_older_than_it_keeps_is_left_out() -> None:
    state = weeks([USUAL_COUNTS] * (MAX_WEEKS + 10))
    assert len(state.weeks) == MAX_WEEKS
    before = DETECTOR.encode_state(state)
    DETECTOR.update(state, Graded(0.0, 0, 50.0, 0.1), 0.0)
    assert DETECTOR.encode_state(state) == before


def test_a_state_with_other_grades_is_refused() -> None:
    raw = DETECTOR.encode_state(weeks([USUAL_COUNTS] * 3))
    assert DETECTOR.decode_state(raw) == weeks([USUAL_COUNTS] * 3)
    with pytest.raises(StateRefused):
        GradedExcess(highs=(1.0,) * 3).decode_state(raw)


@pytest.mark.parametrize(
    "made",
    [
        {"highs": ()},
        {"highs": (1.0, 0.0)},
        {"highs": (1.0, float("inf"))},
        {"highs": (1.0,), "strengths": ()},
        {"highs": (1.0,), "strengths": ((0.5, 1.0),)},
        {"highs": (1.0,), "dispersion": 0.5},
    ],
)
def test_parameters_that_make_no_sense_are_refused(made: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"bound|strength|dispersion"):
        GradedExcess(**made)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="events"):
        GradedExcess.from_baseline([3.0, -1.0])
