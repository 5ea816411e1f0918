"""Which events count, against the rule read naively; and evidence that adds up in the odd cases too."""

from __future__ import annotations

import random
from collections import defaultdict
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.triggers import MAX_EVIDENCE, MAX_WINDOW, MIN_WINDOW
from schemas.events import Event
from schemas.icp import ICP
from tests.unit.account_world import DAY, HOUR, T0, Account, icp, product, profile, time_of, visit


@cache
def icp_of(rest: str, when: str) -> ICP:
    return icp(
        f"""
  - name: main
    fit: [{{name: any, when: {{sales_reps: {{at_least: 1}}}}, weight: 100, because: "All of them"}}]
    triggers: [{{name: it, when: {when}, {rest}, because: "It says so"}}]
"""
    )


def one_trigger(rest: str, when: str = "{event: product.event, name: invited}") -> Account:
    return Account(icp_of(rest, when))


def naive(events: list[Event], now: float, *, weight: float, half_life_d: float, within_s: float, count: int,
          distinct: bool, cap: float) -> float:  # fmt: skip
    """The rule as triggers.py states it, over the whole set of events."""
    ordered = sorted(events, key=time_of)
    days: dict[int, list[float]] = defaultdict(list)
    for index, each in enumerate(ordered):
        at = time_of(each)
        if count > 1:
            window = [o for o in ordered[:index] if time_of(o) > at - within_s]
            if distinct:
                users = {o.data.user_id for o in window}  # type: ignore[union-attr]
                counts = each.data.user_id not in users and len(users) + 1 >= count  # type: ignore[union-attr]
            else:
                counts = len(window) + 1 >= count
            if not counts:
                continue
        days[int(at // DAY)].append(at)
    total = 0.0
    for times in days.values():
        scale = min(1.0, cap / (weight * len(times))) if cap else 1.0
        total += sum(weight * scale * 2 ** (-(now - at) / DAY / half_life_d) for at in times)
    return total


# Times are unlike each other: of two events at one time the rule doesn't say which one is new.
HISTORIES = st.lists(
    st.tuples(st.integers(0, 20 * 24 * 60), st.sampled_from("abc")),
    max_size=MIN_WINDOW,
    unique_by=lambda entry: entry[0],
)


@pytest.mark.parametrize("distinct", [True, False])
@pytest.mark.parametrize("cap", [0, 25])
@given(history=HISTORIES, order=st.randoms(use_true_random=False))
def test_what_counts_is_what_the_rule_says(
    history: list[tuple[int, str]], order: random.Random, distinct: bool, cap: float
) -> None:
    events = [product(T0 + minute * 60.0, user_id=user) for minute, user in history]
    order.shuffle(events)
    at_least = "{distinct: user_id, count: 2}" if distinct else "3"
    capped = f", daily_cap: {cap}" if cap else ""
    account = one_trigger(f"weight: 10, half_life: 3d, at_least: {at_least}, within: 2d{capped}")
    account.take(*events)
    now = T0 + 21 * DAY
    expected = naive(events, now, weight=10, half_life_d=3, within_s=2 * DAY, count=2 if distinct else 3,
                     distinct=distinct, cap=cap)  # fmt: skip
    assert account.score(now) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), users=st.integers(2, 5))
def test_busy_users_fill_no_window(seed: int, users: int) -> None:
    """Far more events than a window holds: those of a user who is there all the time decide nothing."""
    drawn = random.Random(seed)
    at = T0
    events = []
    for _ in range(40):
        user = drawn.choice("abcde"[:users])
        for _ in range(drawn.randrange(1, 30)):
            at += drawn.random() * 400
            events.append(product(at, user_id=user))
    assert len(events) > MAX_WINDOW
    account = one_trigger("weight: 10, half_life: 3d, at_least: {distinct: user_id, count: 2}, within: 1d")
    account.take(*events)
    expected = naive(events, at, weight=10, half_life_d=3, within_s=DAY, count=2, distinct=True, cap=0)
    assert account.score(at) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("users", [5, 20, 30, 40, 100])
def test_a_large_team_that_is_there_all_the_time_is_no_news(users: int) -> None:
    """Everybody comes by every day: after the first week nobody is new, however many they are."""
    account = one_trigger("weight: 10, lasts: 2d, at_least: {distinct: user_id, count: 3}, within: 7d")
    for day in range(12):
        account.take(*(product(T0 + day * DAY + n * 60.0, user_id=f"user-{n}") for n in range(users)))
        if day == 0:
            assert account.score(T0 + HOUR * 2) == 10 * min(users - 2, MIN_WINDOW - 2)
    assert account.score(T0 + 12 * DAY) == 0
    account.take(product(T0 + 12 * DAY, user_id="new"))
    assert account.score(T0 + 12 * DAY) == (10 if users < MIN_WINDOW else 0)


def test_a_late_event_finds_its_companions_behind_hundreds_of_a_busy_team() -> None:
    account = one_trigger("weight: 10, half_life: 3d, at_least: {distinct: user_id, count: 3}, within: 1d")
    events = [product(T0 + n * 1800.0, user_id="ab"[n % 2]) for n in range(480)]  # ten days
    events.append(product(T0 + 3 * DAY + 60, user_id="late"))
    account.take(*events)
    now = time_of(events[-2])
    expected = naive(events, now, weight=10, half_life_d=3, within_s=DAY, count=3, distinct=True, cap=0)
    assert expected > 0
    assert account.score(now) == pytest.approx(expected, abs=1e-9)


def test_who_came_days_ago_is_not_new_however_busy_the_others_are() -> None:
    account = one_trigger("weight: 10, lasts: 1d, at_least: {distinct: user_id, count: 3}, within: 7d")
    account.take(product(T0, user_id="rare"))
    for half_day in range(2, 12):
        account.take(*(product(T0 + half_day * DAY / 2 + n * 60.0, user_id=f"user-{n}") for n in range(28)))
    account.take(product(T0 + 6.9 * DAY, user_id="rare"))
    assert account.score(T0 + 6.9 * DAY) == 0


def test_an_event_without_the_counted_field_does_not_count() -> None:
    account = one_trigger("weight: 10, half_life: 7d, at_least: {distinct: user_id, count: 2}, within: 7d")
    account.take(product(T0, user_id="a"), product(T0 + 1), product(T0 + 2))
    assert account.score(T0 + 2) == 0
    account.take(product(T0 + 3, user_id="b"))
    assert account.score(T0 + 3) == 10


@pytest.mark.parametrize(
    ("when", "field", "events"),
    [
        (
            "{event: account.profile}",
            "owner.team",
            [
                profile(T0, owner={"team": "x"}),
                profile(T0 + 1, owner=None),
                profile(T0 + 2, owner={"team": "y"}),
            ],
        ),
        (
            "{event: product.event}",
            "properties.team.name",
            [product(T0, properties={"team": {"name": n}}) for n in ("x", "x", "y")],
        ),
        (
            "{event: product.event}",
            "properties.team",
            [product(T0, properties={"team": n}) for n in (1, 1, 2)],
        ),
        ("{event: web.visit}", "campaign.source", [visit(T0, campaign={"source": n}) for n in ("x", "y")]),
    ],
)
def test_any_field_can_be_counted(when: str, field: str, events: list[Event]) -> None:
    account = one_trigger(
        f"weight: 10, half_life: 7d, at_least: {{distinct: {field}, count: 2}}, within: 7d", when
    )
    account.take(*events)
    assert account.score(T0 + 2) == pytest.approx(10, abs=0.01)


def evidence(account: Account, now: float) -> tuple[float, list[float]]:
    compiled = account.stage.in_force(now).by_name["main"]
    ((trigger, part, cell),) = compiled.trigger_parts(account.state, {}, now)
    return part, [left for _, _, left in trigger.evidence(cell, now)]


def test_of_two_events_of_one_user_in_one_moment_one_is_evidence() -> None:
    account = one_trigger("weight: 10, half_life: 7d, at_least: {distinct: user_id, count: 2}, within: 7d")
    account.take(product(T0, user_id="a"), product(T0 + 1, user_id="b"), product(T0 + 1, user_id="b"))
    part, shown = evidence(account, T0 + 1)
    assert part == 10
    assert sum(shown) == pytest.approx(10)


def test_evidence_of_long_ago_still_adds_up() -> None:
    account = one_trigger("weight: 10, half_life: 400d, at_least: 2, within: 7d")
    account.take(product(T0), product(T0 + HOUR), product(T0 + 200 * DAY))
    part, shown = evidence(account, T0 + 200 * DAY)
    assert part > 7
    assert sum(shown) == pytest.approx(part, abs=1e-9)


def test_evidence_of_a_capped_day_of_long_ago_still_adds_up() -> None:
    account = one_trigger("weight: 10, half_life: 400d, daily_cap: 15")
    account.take(*(product(T0 + hour * HOUR) for hour in range(3)), product(T0 + 200 * DAY))
    part, shown = evidence(account, T0 + 200 * DAY)
    assert sum(shown) == pytest.approx(part, abs=1e-9)


@given(
    entries=st.lists(
        st.tuples(st.integers(0, 90 * 24), st.sampled_from("ab")),
        min_size=1,
        max_size=MAX_EVIDENCE,
        unique=True,
    ),
    rest=st.sampled_from(
        [
            "at_least: 2, within: 7d",
            "at_least: {distinct: user_id, count: 2}, within: 7d",
            "daily_cap: 15",
            "at_least: 2, within: 7d, daily_cap: 12",
        ]
    ),
)
def test_evidence_that_holds_all_events_adds_up(entries: list[tuple[int, str]], rest: str) -> None:
    account = one_trigger(f"weight: 10, half_life: 300d, {rest}")
    account.take(*(product(T0 + hour * HOUR, user_id=user) for hour, user in entries))
    part, shown = evidence(account, T0 + 91 * DAY)
    assert sum(shown) == pytest.approx(part, abs=1e-9)


def test_late_events_of_a_short_memory_leave_no_trace() -> None:
    """Points that last an hour have buckets of seconds: a flood of late events must not fill them for good."""
    account = one_trigger("weight: 10, lasts: 1h")
    account.take(product(T0 + 30 * DAY))
    before = len(account.raw)
    account.take(*(product(T0 + 30 * DAY - number * 300.0) for number in range(1, 2000)))
    assert len(account.raw) < before + 16_000  # mostly the memory for repeats
    assert account.score(T0 + 30 * DAY) == pytest.approx(10 * 12, abs=10)
