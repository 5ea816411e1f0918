"""A fading score crosses a bound at the time that is found, and nothing before it is missed."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import crossing
from detectors.crossing import HORIZON_S, first_time
from detectors.scoring import Parts, first_at_least, first_below, total_of
from detectors.triggers import CompiledTrigger
from schemas.icp import Trigger
from tests.unit.account_world import DAY, HOUR, T0

FADINGS = (
    {"half_life": "7d"},
    {"half_life": "6h"},
    {"linear": "10d"},
    {"lasts": "1d"},
    {"lasts": "3d"},
    {"steps": [{"until": "1d", "share": 1}, {"until": "5d", "share": 0.4}]},
)


def part(weight: float, fading: dict[str, object], *ages_s: float) -> tuple[CompiledTrigger, float, object]:
    written = Trigger.model_validate(
        {"name": "t", "when": {"event": "web.visit"}, "weight": weight, "because": "it says so", **fading}
    )
    trigger = CompiledTrigger("v", written, 30 * DAY)
    cell = trigger.new_cell()
    for number, age in enumerate(ages_s):
        trigger.add(cell, T0 - age, str(number), None)
    return trigger, trigger.contribution(cell, T0), cell


def score(parts: Parts, when: float) -> float:
    return sum(trigger.contribution(cell, when) for trigger, _, cell in parts)


WEIGHTED = st.builds(
    lambda weight, fading, ages: part(weight, fading, *ages),
    st.sampled_from([50.0, 20.0, 7.5, -5.0, -30.0, -45.0]),
    st.sampled_from(FADINGS),
    st.lists(st.floats(0, 5 * DAY), min_size=1, max_size=3),
)


def brute(parts: Parts, holds: object, hours: int) -> float | None:
    """The first hour at which it holds: no proof against short stretches, but one in time."""
    for hour in range(1, hours):
        if holds(score(parts, T0 + hour * HOUR)):  # type: ignore[operator]
            return T0 + hour * HOUR
    return None


@settings(max_examples=150)
@given(parts=st.lists(WEIGHTED, min_size=1, max_size=4), bound=st.floats(1, 80))
def test_no_crossing_is_missed_and_none_invented(parts: Parts, bound: float) -> None:
    hours = 24 * 12
    if total_of(parts) < bound:
        found, by_hour = first_at_least(parts, bound, T0), brute(parts, lambda s: s >= bound, hours)
        reached = found is not None and score(parts, found) >= bound
    else:
        found, by_hour = first_below(parts, bound, T0), brute(parts, lambda s: s < bound, hours)
        reached = found is not None and score(parts, found) < bound
    if by_hour is not None:
        assert found is not None
        assert found <= by_hour
    if found is not None:
        assert reached
        assert found > T0


def test_a_negative_trigger_that_fades_lets_the_score_cross_when_it_really_does() -> None:
    # 60 points that last, less 40 that halve in 2 days: 45 is reached when 40 * 2^(-t/2d) = 15.
    parts = [part(60, {"lasts": "300d"}, 0), part(-40, {"half_life": "2d"}, 0)]
    due = first_at_least(parts, 45.0, T0)
    exact = T0 + 2 * DAY * math.log2(40 / 15)
    assert due is not None
    assert 0 <= due - exact <= 1.0


def test_a_short_stretch_far_away_is_found() -> None:
    # Up at 20 days when the negative one ends, down again within an hour: far less than its distance from now.
    parts = [
        part(50, {"steps": [{"until": "20d", "share": 1}, {"until": "481h", "share": 0.9}]}, 0),
        part(-40, {"lasts": "20d"}, 0),
    ]
    due = first_at_least(parts, 44.0, T0)
    assert due is not None
    assert score(parts, due) >= 44
    assert score(parts, due - 2) < 44
    assert abs(due - (T0 + 20 * DAY)) <= 20 * DAY / 256 + 1  # buckets of 1/256 of the lifespan


def test_a_dip_below_the_lower_bound_is_found() -> None:
    # The positive one falls at 2 days, what is negative ends soon after: below the bound only in between.
    parts = [
        part(60, {"steps": [{"until": "2d", "share": 1}, {"until": "60d", "share": 0.7}]}, 0),
        part(-20, {"lasts": "50h"}, 0),
    ]
    due = first_below(parts, 25.0, T0)
    assert due is not None
    assert score(parts, due) < 25 <= score(parts, T0)
    assert score(parts, T0 + 3 * DAY) > 25


def test_without_anything_negative_there_is_no_way_up() -> None:
    assert first_at_least([part(39, {"half_life": "7d"}, 0)], 40, T0) is None
    assert first_at_least([], 40, T0) is None


def test_what_never_falls_below_is_none() -> None:
    assert first_below([part(50, {"half_life": "7d"}, 0)], 0.0, T0) is None


@pytest.mark.parametrize("half_life", ["1h", "7d", "90d"])
def test_a_halving_score_is_below_half_after_one_half_life(half_life: str) -> None:
    parts = [part(50, {"half_life": half_life}, 0)]
    hours = {"1h": 1, "7d": 7 * 24, "90d": 90 * 24}[half_life]
    due = first_below(parts, 25.0, T0)
    assert due is not None
    assert T0 + hours * HOUR < due <= T0 + hours * HOUR + 2


def test_a_bound_that_is_only_touched_takes_a_bounded_number_of_looks() -> None:
    """50 * 2^-t - 40 * 2^-2t in half-lives has its top where both slopes agree; the bound is a hair above it."""
    parts = [part(50, {"half_life": "8d"}, 0), part(-40, {"half_life": "4d"}, 0)]
    top = 50 * (50 / 80) - 40 * (50 / 80) ** 2
    looks = []

    def never(begin: float, end: float) -> bool:
        looks.append(begin)
        return score(parts[:1], begin) + score(parts[1:], end) < top + 1e-9

    found = first_time(lambda when: score(parts, when) >= top + 1e-9, T0, never)
    assert len(looks) <= 3 * crossing.MAX_LOOKS
    assert found is None or found > T0


def test_after_too_many_looks_the_answer_is_a_time_to_look_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crossing, "MAX_LOOKS", 50)
    asked: list[float] = []

    def holds(when: float) -> bool:
        asked.append(when)
        return when >= T0 + 10 * DAY

    times = [T0]
    while not asked or not holds(times[-1]):
        found = first_time(holds, times[-1], lambda _begin, _end: False)
        assert found is not None
        assert found <= T0 + 10 * DAY
        times.append(found)
        if len(times) > 20:
            break
    assert all(later > earlier for earlier, later in pairwise(times))


@given(now=st.floats(0, 4e9), delay=st.floats(0.0, HORIZON_S))
def test_the_time_is_after_now_whole_and_the_first(now: float, delay: float) -> None:
    turns = now + delay
    found = first_time(lambda when: when >= turns, now)
    if found is None:
        assert delay > HORIZON_S - 2
    else:
        assert found > now
        assert found == int(found)
        assert found - turns <= 1.0 or found - now <= 1.0
        assert found >= turns


def test_beyond_the_horizon_there_is_nothing() -> None:
    assert first_time(lambda when: when > T0 + 30 * HORIZON_S, T0) is None
