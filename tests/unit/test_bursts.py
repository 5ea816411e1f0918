"""Bursts: one observation for what one account does again and again."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.signals.bursts import Burst, BurstRule, close, due, join

DAY = 86400.0
RULE = BurstRule()


def bursts_of(times: list[float]) -> list[tuple[float, float]]:
    """As an account half keeps them: what is due fires before the next event."""
    burst, told = Burst(), []
    for at in times:
        while burst.open and due(burst, RULE) <= at:
            told.append((burst.began, burst.newest))
            close(burst)
        if join(burst, at, RULE) == "over":
            raise AssertionError("timers come first")
    if burst.open:
        told.append((burst.began, burst.newest))
    return told


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([0.0], [(0.0, 0.0)]),
        ([0.0, 0.9, 1.8], [(0.0, 1.8)]),
        ([0.0, 1.0], [(0.0, 0.0), (1.0, 1.0)]),
        ([0.1 + 0.8 * i for i in range(10)], [(0.1, 6.5), (7.3, 7.3)]),
    ],
)
def test_gaps_and_the_longest(days: list[float], expected: list[tuple[float, float]]) -> None:
    found = bursts_of([day * DAY for day in days])
    assert [pytest.approx((a * DAY, b * DAY)) for a, b in expected] == found


def test_late_events_join_the_open_burst_and_change_none_that_was_told() -> None:
    burst = Burst()
    assert join(burst, 10 * DAY, RULE) == "opened"
    assert join(burst, 9.5 * DAY, RULE) == "joined"
    assert (burst.began, burst.newest) == (9.5 * DAY, 10 * DAY)
    assert join(burst, 2 * DAY, RULE) == "told"
    close(burst)
    assert join(burst, 9.9 * DAY, RULE) == "told"
    assert not burst.open
    assert join(burst, 10.1 * DAY, RULE) == "opened"


def test_a_burst_that_nobody_closed_says_so() -> None:
    burst = Burst()
    join(burst, 0.0, RULE)
    assert join(burst, 3 * DAY, RULE) == "over"
    assert (burst.began, burst.newest) == (0.0, 0.0)


@given(st.lists(st.floats(0, 100 * DAY), min_size=1, max_size=60).map(sorted))
def test_every_event_is_in_one_burst_and_none_is_too_long(times: list[float]) -> None:
    found = bursts_of(times)
    assert all(newest - began <= RULE.longest_s for began, newest in found)
    assert all(before[1] < after[0] for before, after in pairwise(found))
    assert all(any(began <= at <= newest for began, newest in found) for at in times)
