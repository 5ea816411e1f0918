"""Versions of the ICP file: an event matches under the one of its time, scores are taken under the one in force now."""

from __future__ import annotations

import itertools

import pytest

from schemas.alerts import BlockerEnded, TriggerAlert
from tests.unit.account_world import (
    DAY,
    HOUR,
    T0,
    Account,
    icp,
    product,
    profile,
    stage_change,
    ticket,
    visit,
)

SECOND = T0 + 10 * DAY
BEGINS = "2026-03-12T00:00:00Z"


def variant(
    path: str = "/pricing*",
    weight: float = 20,
    fading: str = "half_life: 7d",
    more: str = "",
    name: str = "main",
) -> str:
    return f"""
  - name: {name}
    fit: [{{name: any, when: {{sales_reps: {{at_least: 1}}}}, weight: 100, because: "All of them"}}]
    triggers: [{{name: looks, when: {{event: web.visit, path: {{glob: "{path}"}}}}, weight: {weight}, {fading}, because: "They look at us"}}]
{more}"""


def two(first: str, second: str) -> Account:
    # given the wrong way round: the stage puts them in order
    return Account(icp(second, version="2", effective_from=BEGINS), icp(first, version="1"))


def test_an_event_matches_under_the_version_of_its_time() -> None:
    account = two(variant("/pricing*"), variant("/docs*"))
    account.take(visit(T0, "/docs"), visit(SECOND - 1, "/pricing"))
    assert account.part("looks", SECOND - 1) == 20
    account.take(visit(SECOND, "/docs"), visit(SECOND + 1, "/pricing"))
    assert account.part("looks", SECOND + 1) == pytest.approx(
        20, abs=0.01
    )  # memory of another meaning is not read


def test_a_late_event_matches_under_the_old_version_and_scores_under_the_new() -> None:
    account = two(variant(weight=20), variant(weight=30))
    account.take(product(SECOND + DAY, "other"))
    account.take(visit(SECOND - DAY))
    assert account.part("looks", SECOND + DAY) == pytest.approx(30 * 2 ** (-2 / 7))


def test_what_came_before_the_first_version_is_under_the_first() -> None:
    account = Account(icp(variant(), effective_from="2030-01-01T00:00:00Z"))
    account.take(visit(T0))
    assert account.score(T0) == 20


def test_memory_is_kept_where_the_meaning_is_and_a_weight_counts_at_once() -> None:
    account = two(variant(weight=20), variant(weight=30))
    account.take(visit(T0))
    assert account.score(SECOND - 1) == pytest.approx(20 * 2 ** (-10 / 7), abs=1e-3)
    assert account.score(SECOND) == pytest.approx(30 * 2 ** (-10 / 7), abs=1e-9)


@pytest.mark.parametrize(
    "other",
    [
        variant("/docs*"),
        variant(fading="half_life: 8d"),
        variant(fading="linear: 7d"),
        variant(fading="half_life: 7d, at_least: 2, within: 1d"),
        variant(fading="half_life: 7d, daily_cap: 40"),
        variant(name="other"),
    ],
)
def test_another_meaning_begins_anew(other: str) -> None:
    account = two(variant(), other)
    account.take(visit(SECOND - HOUR))
    name = "other" if "name: other" in other else "main"
    assert account.score(SECOND, name) == 0


def test_a_higher_weight_alerts_when_the_account_is_next_looked_at() -> None:
    account = two(variant(weight=20), variant(weight=45))
    assert not account.take(visit(T0 + 9 * DAY))
    (alert,) = account.take(profile(SECOND + HOUR, sales_reps=5))
    assert isinstance(alert, TriggerAlert)
    assert (alert.icp_version, alert.threshold) == ("2", 40)


def test_a_lower_weight_re_arms_at_the_next_look() -> None:
    account = two(variant(weight=20), variant(weight=10))
    assert len(account.take(visit(T0 + 9 * DAY), visit(T0 + 9 * DAY))) == 1
    account.take(ticket(SECOND), visit(SECOND))
    assert account.score(SECOND) == pytest.approx(10 * (1 + 2 * 2 ** (-1 / 7)))
    assert account.state.variants["main"].fired == "discover"  # 28 is not below 25
    account.wait(SECOND + 3 * DAY)
    assert account.state.variants["main"].fired == ""


def test_a_new_bound_counts_at_the_next_look() -> None:
    account = two(variant(), variant(more="    alert: {trigger_at_least: 60, rearm_below: 30}\n"))
    account.take(visit(SECOND), visit(SECOND), visit(SECOND - 1))
    assert len(account.effects.alerts) == 0
    (alert,) = account.take(visit(SECOND))
    assert isinstance(alert, TriggerAlert)
    assert alert.threshold == 60


@pytest.mark.parametrize("fading", ["half_life: 7d", "linear: 20d", "lasts: 20d"])
def test_a_changed_cap_holds_for_the_days_that_are_remembered(fading: str) -> None:
    """Two events a day under a cap of 40 in the first version; the second counts them with 30 points, 45 a day."""
    first, second = (
        variant(weight=weight, fading=f"{fading}, daily_cap: {cap}") for weight, cap in ((40, 40), (30, 45))
    )
    account = two(first, second)
    events = [visit(SECOND - (2 - n) * 12 * HOUR) for n in range(2)] + [visit(SECOND - 11 * HOUR)]
    account.take(*events)
    only = Account(icp(second))
    only.take(*(visit(each.time.timestamp()) for each in events))
    assert account.score(SECOND) == pytest.approx(only.score(SECOND), abs=1e-6)
    account.take(visit(SECOND - HOUR), visit(SECOND))  # one under each version
    only.take(visit(SECOND - HOUR), visit(SECOND))
    assert account.score(SECOND) == pytest.approx(only.score(SECOND), abs=1e-6)


def test_a_shorter_pause_does_not_leave_the_old_ones_timer() -> None:
    brief = "lasts: 1d"
    account = two(
        variant(weight=50, fading=brief, more="    alert: {cooldown: 20d}\n"),
        variant(weight=50, fading=brief, more="    alert: {cooldown: 1d}\n"),
    )
    assert len(account.take(visit(SECOND - 3 * DAY))) == 1
    assert not account.take(visit(SECOND - HOUR))
    assert account.state.timers["rescore:main"] == SECOND + 17 * DAY
    assert len(account.take(visit(SECOND + HOUR))) == 1
    assert account.state.timers["rescore:main"] <= SECOND + 25 * HOUR + 2


BLOCKER = """    blockers:
      - {name: frozen, when: {event: crm.stage_changed, note: {contains: freeze}}, for: 30d, because: "No budget yet", then: "Ask for the new budget"}
"""


def test_a_blocker_that_the_file_does_not_know_any_more_does_not_block() -> None:
    account = two(variant(more=BLOCKER), variant())
    assert not account.take(
        stage_change(T0, note="a budget freeze"), visit(T0 + 9 * DAY), visit(T0 + 9 * DAY)
    )
    (alert,) = account.take(visit(SECOND))
    assert isinstance(alert, TriggerAlert)
    assert alert.blockers == []
    assert not [a for a in account.wait(T0 + 60 * DAY) if isinstance(a, BlockerEnded)]


def test_at_the_end_of_a_blocker_that_is_gone_the_account_is_looked_at() -> None:
    slow = "half_life: 900d"
    account = two(variant(fading=slow, more=BLOCKER), variant(fading=slow))
    account.take(stage_change(T0, note="a budget freeze"), visit(T0 + DAY), visit(T0 + DAY), visit(T0 + DAY))
    (alert,) = account.wait(T0 + 60 * DAY)
    assert isinstance(alert, TriggerAlert)
    assert alert.at.timestamp() == T0 + 30 * DAY


def test_a_follow_up_speaks_with_the_words_of_the_version_in_force() -> None:
    account = two(variant(more=BLOCKER), variant(more=BLOCKER.replace("the new budget", "the spring budget")))
    account.take(stage_change(T0, note="a budget freeze"))
    (alert,) = account.wait(T0 + 60 * DAY)
    assert isinstance(alert, BlockerEnded)
    assert (alert.next, alert.icp_version) == ("Ask for the spring budget", "2")


def test_a_variant_that_is_gone_does_nothing_any_more() -> None:
    account = two(variant(more=BLOCKER) + variant(name="other"), variant(name="other"))
    account.take(stage_change(T0, note="a budget freeze"), visit(SECOND - 1), visit(SECOND - 1))
    assert {alert.variant for alert in account.effects.alerts if isinstance(alert, TriggerAlert)} == {"other"}
    before = len(account.effects.alerts)
    account.wait(T0 + 300 * DAY)
    assert len(account.effects.alerts) == before
    assert account.state.timers == {}


def test_milestones_follow_the_version_of_their_event() -> None:
    first = icp(variant(), version="1")
    changed = icp(variant(), version="2", effective_from=BEGINS)
    account = Account(
        first,
        changed.model_copy(update={"lifecycle": first.lifecycle.model_copy(update={"activated": None})}),
    )
    account.take(product(SECOND, "activated"))
    assert account.state.milestones == {}
    account.take(product(SECOND - 1, "activated"))
    assert account.state.milestones == {"activated": SECOND - 1}


def test_the_order_in_which_versions_are_given_is_nothing() -> None:
    versions = [
        icp(variant(weight=w), version=str(w), effective_from=f"2026-03-{d}T00:00:00Z")
        for w, d in ((1, "01"), (2, "05"), (3, "09"))
    ]
    for given in itertools.permutations(versions):
        stage = Account(*given).stage
        assert [stage.in_force(T0 + day * DAY).written.version for day in (-10, -1, 2.9, 3, 6.9, 7, 99)] == [
            "1", "1", "1", "2", "2", "3", "3",
        ]  # fmt: skip
