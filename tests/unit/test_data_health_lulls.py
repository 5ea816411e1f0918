"""Sources whose events come in waves, as the questions at a small help desk do: between two waves hardly any come, and nothing
for days, which is no silence until it has lasted longer than the waves explain."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.observations import Observation
from tests.unit.health_world import (
    CHANGE,
    DESK,
    Rate,
    around_the_clock,
    day_of,
    heard,
    hours,
    office,
    source,
    told,
)

YEAR = 365
LOW = 0.2
"""of the average, between two waves"""


def in_waves(usual: Rate, seed: int) -> Rate:
    """After a release people ask for ten days; releases are 25 days apart in the mean."""
    draw = np.random.default_rng(seed)
    level = np.full(2 * YEAR, LOW)
    day = draw.exponential(25)
    while day < len(level):
        level[int(day) : int(day) + 10] += 2.0
        day += draw.exponential(25)
    return lambda day, hour: usual(day, hour) * level[day]


def desk(number: int) -> dict[str, str]:
    return DESK | {"source": f"/desk-{number}"}


def test_quiet_weeks_between_two_waves_are_no_silence() -> None:
    """Twelve desks for a year: 64 sources may have one false alarm a year."""
    rates = [around_the_clock(4), around_the_clock(8), office(4)]
    desks = [source(desk(number), in_waves(rates[number % 3], number)) for number in range(12)]
    assert heard(hours(YEAR, 31, *desks))[1] == []


@pytest.mark.parametrize("seed", range(3))
def test_a_desk_that_dies_between_two_waves_is_found(seed: int) -> None:
    """Later than one with as many events day by day, which takes two to three days."""
    dies = source(DESK, in_waves(around_the_clock(8), seed), silent=lambda day, hour: day >= CHANGE)
    (alert,) = heard(hours(CHANGE + 40, seed, dies))[1]
    assert (alert.state, alert.symptom) == ("ill", "silent")
    assert CHANGE + 2 < day_of(alert) <= CHANGE + 35


def test_few_events_day_by_day_are_found_as_soon_as_chance_allows() -> None:
    """One a day, each by itself: sixteen have to be missing, and some more for a baseline of few."""
    dies = source(DESK, around_the_clock(1), silent=lambda day, hour: day >= CHANGE)
    (alert,) = heard(hours(CHANGE + 70, 33, dies))[1]
    assert CHANGE + 14 < day_of(alert) <= CHANGE + 60


def test_what_was_sent_before_and_comes_late_is_no_sign_of_life() -> None:
    """A straggler after two days of silence does not make it begin anew."""

    def straggler(draw: np.random.Generator, day: int, hour: int, at: float) -> Observation | None:
        if (day, hour) != (CHANGE + 2, 3):
            return None
        late = told(DESK, at, 1)
        late.counts["seen"][3] = 1
        return late

    dies = source(DESK, around_the_clock(8), silent=lambda day, hour: day >= CHANGE)
    alone, with_straggler = (
        next(
            day_of(alert)
            for alert in heard(hours(CHANGE + 20, 34, dies, *late))[1]
            if alert.symptom == "silent"
        )
        for late in ((), (straggler,))
    )
    assert CHANGE + 2 < alone <= with_straggler <= alone + 3


def test_a_nightly_job_speaks_though_all_that_it_sends_is_hours_old() -> None:
    """And is missed like any other, not on a holiday."""

    def at_night(draw: np.random.Generator, day: int, hour: int, at: float) -> Observation | None:
        if hour != 2 or day % 7 >= 5 or day in (75, 84, 93) or day >= CHANGE:
            return None
        n = int(draw.poisson(40))
        job = told(DESK, at, n)
        job.counts["seen"][3] = n
        return job

    (alert,) = heard(hours(CHANGE + 10, 35, at_night))[1]
    assert CHANGE + 2 < day_of(alert) <= CHANGE + 7
