"""Which events a trigger counts, and that arrival order, windows, caps and evidence are as the module's rules say."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.triggers import MAX_EVIDENCE, MAX_WINDOW, MIN_WINDOW, Cell, CompiledTrigger, bound, envelope
from schemas.icp import Trigger

DAY = 86400.0
T0 = 1_770_000_000.0 - 1_770_000_000.0 % DAY
"""a midnight, UTC"""

Arrival = tuple[float, str, str]
"""(Unix seconds, event id, user)"""


def trigger(**written: Any) -> CompiledTrigger:
    parts = {
        "name": "t",
        "when": {"event": "product.event", "name": "user_invited"},
        "weight": 10,
        "half_life": "7d",
        "because": "it says so",
        **written,
    }
    given_parts = {key: value for key, value in parts.items() if value is not None}
    return CompiledTrigger("v", Trigger.model_validate(given_parts), late_after_s=30 * DAY)


class Data:
    def __init__(self, user_id: str) -> None:
        self.user_id = user_id


def fed(compiled: CompiledTrigger, arrivals: list[Arrival]) -> Cell:
    cell = compiled.new_cell()
    for at, event_id, user in arrivals:
        compiled.add(cell, at, event_id, Data(user))
    return cell


KINDS = {
    "plain": trigger(),
    "at least": trigger(at_least=3, within="2d"),
    "distinct": trigger(at_least={"distinct": "user_id", "count": 2}, within="2d"),
    "capped": trigger(daily_cap=25),
    "capped window": trigger(at_least=2, within="1d", daily_cap=15),
    "negative": trigger(weight=-10),
    "linear": trigger(half_life=None, linear="20d"),
    "capped linear": trigger(half_life=None, linear="20d", daily_cap=15),
    "lasts": trigger(half_life=None, lasts="10d", at_least=2, within="2d"),
}
kinds = pytest.mark.parametrize("compiled", KINDS.values(), ids=KINDS.keys())
arrivals = st.lists(
    st.tuples(
        st.integers(0, 25 * 24).map(lambda hours: T0 + hours * 3600.0),
        st.integers(0, 10_000).map(str),
        st.sampled_from("abcd"),
    ),
    max_size=MIN_WINDOW,  # as many as a window surely holds
    unique_by=lambda arrival: arrival[1],
)


@kinds
@given(history=arrivals, order=st.randoms(use_true_random=False))
def test_order_of_arrival_changes_neither_score_nor_evidence(
    compiled: CompiledTrigger, history: list[Arrival], order: random.Random
) -> None:
    shuffled = list(history)
    order.shuffle(shuffled)
    one, other = fed(compiled, sorted(history)), fed(compiled, shuffled)
    now = T0 + 26 * DAY
    assert compiled.contribution(one, now) == pytest.approx(
        compiled.contribution(other, now), rel=1e-9, abs=1e-9
    )
    assert compiled.evidence(one, now) == [
        (event_id, at, pytest.approx(left, abs=1e-9)) for event_id, at, left in compiled.evidence(other, now)
    ]


@kinds
@given(history=arrivals)
def test_evidence_adds_up_to_the_contribution_while_it_holds_all_events(
    compiled: CompiledTrigger, history: list[Arrival]
) -> None:
    cell = fed(compiled, history[:MAX_EVIDENCE])
    now = T0 + 26 * DAY
    total = sum(left for _, _, left in compiled.evidence(cell, now))
    tolerance = 1e-9 if compiled.written.half_life else abs(compiled.weight) * MAX_EVIDENCE / 256
    assert total == pytest.approx(compiled.contribution(cell, now), abs=tolerance)


def test_a_plain_trigger_halves_in_a_half_life() -> None:
    compiled = KINDS["plain"]
    cell = fed(compiled, [(T0, "1", "a")])
    assert compiled.contribution(cell, T0) == 10
    assert compiled.contribution(cell, T0 + 7 * DAY) == pytest.approx(5)
    assert compiled.contribution(cell, T0 + 700 * DAY) == pytest.approx(0, abs=1e-9)


def test_at_least_counts_from_the_nth_event_in_the_window() -> None:
    compiled = KINDS["at least"]
    hours = [0, 10, 20, 30, 100]
    cell = fed(compiled, [(T0 + hour * 3600, str(hour), "a") for hour in hours])
    now = T0 + 100 * 3600
    counted = {event_id for event_id, _, left in compiled.evidence(cell, now) if left}
    assert counted == {"20", "30"}  # the third and fourth; the last stands alone in its two days


def test_a_late_event_can_complete_a_window() -> None:
    compiled = KINDS["at least"]
    cell = fed(compiled, [(T0, "0", "a"), (T0 + DAY, "2", "a")])
    assert compiled.contribution(cell, T0 + DAY) == 0
    compiled.add(cell, T0 + DAY / 2, "1", Data("a"))
    assert compiled.contribution(cell, T0 + DAY) == 10


def test_distinct_counts_new_values_only() -> None:
    compiled = KINDS["distinct"]
    cell = fed(compiled, [(T0 + hour * 3600, str(hour), user) for hour, user in enumerate("aabbacc")])
    counted = [event_id for event_id, _, left in reversed(compiled.evidence(cell, T0 + DAY)) if left]
    assert counted == ["2", "5"]  # b is the second user, c the third; repeats add nothing


def test_a_daily_cap_holds_for_each_day() -> None:
    compiled = KINDS["capped"]
    busy = [(T0 + minute * 60, f"a{minute}", "a") for minute in range(100)]
    cell = fed(compiled, busy)
    assert compiled.contribution(cell, T0 + 6000) == pytest.approx(25, rel=0.01)
    compiled.add(cell, T0 + DAY, "b", Data("a"))
    assert compiled.contribution(cell, T0 + DAY) == pytest.approx(25 * 2 ** (-1 / 7) + 10, rel=0.01)


@kinds
def test_memory_is_bounded(compiled: CompiledTrigger) -> None:
    cell = compiled.new_cell()
    for index in range(5000):
        compiled.add(cell, T0 + index * 1800.0, str(index), Data(str(index % 50)))
    assert len(cell.window) <= MAX_WINDOW
    assert len(cell.recent) <= MAX_EVIDENCE
    assert len(cell.days) <= 35


def test_what_changes_which_events_count_changes_the_stored_name_and_a_weight_does_not() -> None:
    assert trigger().key == trigger(weight=99).key
    others = [trigger(half_life="8d"), trigger(at_least=2, within="1d"), trigger(when={"event": "web.visit"})]
    assert len({trigger().key, *(other.key for other in others)}) == 4


def test_the_stored_name_is_the_same_in_every_version_of_the_program() -> None:
    """Another number here means that all stored trigger memory is lost to accounts: write a migration first."""
    assert trigger().key == 3373591532


@given(history=arrivals, later=st.floats(0, 100))
def test_the_bound_of_a_list_place_holds(history: list[Arrival], later: float) -> None:
    compiled = [KINDS["plain"], KINDS["linear"], KINDS["negative"], KINDS["lasts"]]
    now = T0 + 26 * DAY
    cells = [fed(one, history) for one in compiled]
    at_now = bound(
        [(one, one.contribution(cell, now), cell) for one, cell in zip(compiled, cells, strict=True)]
    )
    then = now + later * DAY
    score = sum(one.contribution(cell, then) for one, cell in zip(compiled, cells, strict=True))
    assert score <= 2 ** (at_now - later * DAY / envelope(compiled)) * 1.01 + 1e-6
