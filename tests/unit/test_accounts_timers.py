"""Timers: blockers that end, activation that is missed, and what late events do to both."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from schemas.alerts import ActivationMissed, Alert, BlockerEnded, TriggerAlert
from schemas.events import Event
from tests.unit.account_world import DAY, GOOD, HOUR, T0, Account, icp, product, profile, stage_change, visit

BLOCKED = """
  - name: main
    screen:
      - {drop: {industry: gambling}, because: "Payment partners refuse them"}
    disqualifiers:
      - {name: built-it, when: {event: crm.stage_changed, loss_reason: built it}, because: "They have it"}
    blockers:
      - {name: frozen, when: {event: crm.stage_changed, note: {contains: freeze}}, for: 30d, because: "No budget yet", then: "Ask for the new budget"}
      - {name: partner, when: {acquisition_source: partner}, for: 60d, because: "The partner has registered it", then: "Ask the partner"}
    fit: [{name: any, when: {sales_reps: {at_least: 1}}, weight: 100, because: "All of them"}]
    triggers: [{name: visit, when: {event: web.visit}, weight: 25, half_life: 900d, because: "They look at us"}]
"""


def kinds(alerts: Sequence[Alert]) -> list[str]:
    return [type(alert).__name__ for alert in alerts]


def test_a_blocker_holds_back_and_its_end_gives_one_follow_up() -> None:
    account = Account(icp(BLOCKED))
    account.take(profile(T0, **GOOD, name="Northwind"), stage_change(T0 + HOUR, note="a budget freeze"))
    assert not account.take(visit(T0 + 2 * HOUR), visit(T0 + 3 * HOUR))
    (alert,) = account.wait(T0 + 90 * DAY)
    assert isinstance(alert, BlockerEnded)
    assert (alert.blocker, alert.because, alert.next) == ("frozen", "No budget yet", "Ask for the new budget")
    assert alert.at.timestamp() == T0 + HOUR + 30 * DAY
    assert (alert.account_name, alert.quadrant, alert.fit) == ("Northwind", "route", 100)
    assert alert.trigger == pytest.approx(account.score(T0 + HOUR + 30 * DAY))
    # it told of the high score, so the next visit does not again
    assert not account.take(visit(T0 + 31 * DAY))


def test_a_follow_up_with_little_score_leaves_the_alert_armed() -> None:
    account = Account(icp(BLOCKED))
    account.take(stage_change(T0, note="a budget freeze"))
    assert kinds(account.wait(T0 + 31 * DAY)) == ["BlockerEnded"]
    assert kinds(account.take(visit(T0 + 32 * DAY), visit(T0 + 32 * DAY))) == ["TriggerAlert"]


def test_a_blocker_that_comes_again_is_extended_and_ends_once() -> None:
    account = Account(icp(BLOCKED))
    account.take(
        *(stage_change(T0 + day * DAY, note="a budget freeze") for day in (0, 20, 10))
    )  # the last one late
    assert not account.wait(T0 + 49 * DAY)
    alerts = account.wait(T0 + 300 * DAY)
    assert [alert.at.timestamp() for alert in alerts] == [T0 + 50 * DAY]


def test_one_that_comes_after_the_end_begins_anew_with_an_id_of_its_own() -> None:
    account = Account(icp(BLOCKED))
    account.take(
        stage_change(T0, note="a budget freeze"), stage_change(T0 + 40 * DAY, note="a budget freeze")
    )
    account.wait(T0 + 100 * DAY)
    alerts = account.effects.alerts
    assert [alert.at.timestamp() for alert in alerts] == [T0 + 30 * DAY, T0 + 70 * DAY]
    assert len({alert.id for alert in alerts}) == 2


def test_a_blocker_so_late_that_it_is_over_says_so_at_once() -> None:
    account = Account(icp(BLOCKED))
    account.take(visit(T0 + 40 * DAY))
    (alert,) = account.take(stage_change(T0 + 9 * DAY, note="a budget freeze"))
    assert isinstance(alert, BlockerEnded)
    assert alert.at.timestamp() == T0 + 40 * DAY
    assert account.state.timers == {}


@pytest.mark.parametrize(
    "out",
    [profile(T0 + DAY, industry="gambling"), stage_change(T0 + DAY, outcome="lost", loss_reason="built it")],
)
def test_whoever_is_out_when_it_ends_gets_no_follow_up(out: Event) -> None:
    account = Account(icp(BLOCKED))
    account.take(stage_change(T0, note="a budget freeze"), out)
    assert not account.wait(T0 + 90 * DAY)


def test_a_blocker_on_the_profile_begins_once_while_it_holds() -> None:
    account = Account(icp(BLOCKED))
    account.take(profile(T0, acquisition_source="partner"))
    assert account.state.variants["main"].blockers == {"partner": T0 + 60 * DAY}
    account.take(profile(T0 + 10 * DAY, acquisition_source="partner", sales_reps=3))
    account.take(profile(T0 + 20 * DAY, sales_reps=4))
    assert account.state.variants["main"].blockers == {"partner": T0 + 60 * DAY}
    assert kinds(account.wait(T0 + 70 * DAY)) == ["BlockerEnded"]
    # it still holds: it neither begins again nor blocks
    account.take(profile(T0 + 80 * DAY, sales_reps=5))
    assert kinds(account.take(visit(T0 + 81 * DAY), visit(T0 + 81 * DAY))) == ["TriggerAlert"]
    assert not account.wait(T0 + 300 * DAY)


def test_a_blocker_on_the_profile_ends_without_a_word_when_it_does_not_hold_any_more() -> None:
    account = Account(icp(BLOCKED))
    account.take(profile(T0, acquisition_source="partner"), visit(T0 + DAY), visit(T0 + DAY))
    assert kinds(account.effects.alerts) == []
    assert kinds(account.take(profile(T0 + 2 * DAY, acquisition_source="email"))) == ["TriggerAlert"]
    assert not account.wait(T0 + 100 * DAY)
    # and begins anew when it holds again
    account.take(profile(T0 + 110 * DAY, acquisition_source="partner"))
    assert account.state.variants["main"].blockers == {"partner": T0 + 170 * DAY}
    assert kinds(account.wait(T0 + 200 * DAY)) == ["BlockerEnded"]


def test_two_blockers_each_have_their_follow_up_and_the_account_is_blocked_until_the_last() -> None:
    account = Account(icp(BLOCKED))
    account.take(profile(T0, acquisition_source="partner"), stage_change(T0, note="a budget freeze"))
    account.take(visit(T0 + DAY), visit(T0 + 2 * DAY), visit(T0 + 31 * DAY), visit(T0 + 32 * DAY))
    account.wait(T0 + 100 * DAY)
    assert [(type(a).__name__, a.blocker) for a in account.effects.alerts if isinstance(a, BlockerEnded)] == [
        ("BlockerEnded", "frozen"),
        ("BlockerEnded", "partner"),
    ]
    assert not [a for a in account.effects.alerts if isinstance(a, TriggerAlert)]


def test_an_active_blocker_holds_back_its_own_variant_and_is_named_in_the_others_alerts() -> None:
    other = BLOCKED.replace("name: main", "name: other").replace(
        "note: {contains: freeze}", "note: {contains: moving}"
    )
    account = Account(icp(BLOCKED + other))
    account.take(stage_change(T0, note="a budget freeze"))
    (alert,) = account.take(visit(T0 + DAY), visit(T0 + DAY))
    assert isinstance(alert, TriggerAlert)
    assert alert.variant == "other"
    (blocker,) = alert.blockers
    assert (blocker.name, blocker.until.timestamp()) == ("frozen", T0 + 30 * DAY)
    late = Account(icp(BLOCKED + other))
    late.take(stage_change(T0, note="a budget freeze"))
    late.wait(T0 + 31 * DAY)
    alerts = late.take(visit(T0 + 32 * DAY), visit(T0 + 32 * DAY))
    assert [a.blockers for a in alerts if isinstance(a, TriggerAlert)] == [[], []]


def test_within_the_pause_the_follow_up_stands_for_the_alert_too() -> None:
    text = BLOCKED.replace("half_life: 900d", "lasts: 20d") + "    alert: {cooldown: 60d}\n"
    account = Account(icp(text))
    assert kinds(account.take(visit(T0), visit(T0))) == ["TriggerAlert"]
    account.take(stage_change(T0 + DAY, note="a budget freeze"))
    account.take(visit(T0 + 25 * DAY), visit(T0 + 25 * DAY))
    assert kinds(account.wait(T0 + 40 * DAY)) == ["BlockerEnded"]
    account.take(visit(T0 + 41 * DAY), visit(T0 + 55 * DAY), visit(T0 + 58 * DAY))
    assert kinds(account.wait(T0 + 62 * DAY)) == []


# Activation

GOALS = """
  - name: main
    fit: [{name: reps, when: {sales_reps: {at_least: 10}}, weight: 100, because: "Reps ask daily"}]
    triggers: [{name: visit, when: {event: web.visit}, weight: 5, half_life: 7d, because: "They look at us"}]
    activation: [{milestone: activated, within: 30d}, {milestone: onboarded, within: 45d}]
  - name: small
    disqualifiers: [{name: rude, when: {event: support.ticket, subject: rude}, because: "Life is short"}]
    fit: [{name: few, when: {sales_reps: {less_than: 10}}, weight: 100, because: "They decide quickly"}]
    triggers: [{name: visit, when: {event: web.visit}, weight: 5, half_life: 7d, because: "They look at us"}]
    activation: [{milestone: activated, within: 30d}]
"""


def goals(text: str = GOALS) -> Account:
    return Account(icp(text))


def missed(alerts: Sequence[Alert]) -> list[tuple[str, str, float]]:
    assert all(isinstance(alert, ActivationMissed) for alert in alerts)
    return [
        (a.variant, a.milestone, (a.at.timestamp() - T0) / DAY)
        for a in alerts
        if isinstance(a, ActivationMissed)
    ]


def test_a_missed_milestone_is_told_at_its_deadline_for_each_variant_that_fits() -> None:
    account = goals()
    account.take(profile(T0, sales_reps=50, name="Northwind"), product(T0, "signed_up"))
    assert not account.wait(T0 + 30 * DAY - 1)
    alerts = account.wait(T0 + 100 * DAY)
    assert missed(alerts) == [("main", "activated", 30), ("main", "onboarded", 45)]
    alert = alerts[0]
    assert isinstance(alert, ActivationMissed)
    assert (alert.within, alert.fit, alert.account_name) == ("30d", 100, "Northwind")
    assert alert.signed_up.timestamp() == T0


def test_a_reached_milestone_is_not_missed() -> None:
    account = goals()
    account.take(profile(T0, sales_reps=50), product(T0, "signed_up"), product(T0 + 30 * DAY, "activated"))
    assert missed(account.wait(T0 + 100 * DAY)) == [("main", "onboarded", 45)]


def test_one_second_late_is_missed() -> None:
    account = goals()
    account.take(profile(T0, sales_reps=50), product(T0, "signed_up"))
    alerts = account.take(product(T0 + 30 * DAY + 1, "activated"))
    assert missed(alerts) == [("main", "activated", 30)]


def test_a_milestone_that_arrives_late_but_before_the_deadline_counts() -> None:
    account = goals()
    account.take(profile(T0, sales_reps=50), product(T0, "signed_up"), visit(T0 + 29 * DAY))
    account.take(product(T0 + DAY, "activated"))
    assert account.state.milestones["activated"] == T0 + DAY
    assert missed(account.wait(T0 + 40 * DAY)) == []


def test_fit_is_judged_at_the_deadline() -> None:
    account = goals()
    account.take(
        product(T0, "signed_up"), profile(T0 + DAY, sales_reps=5), profile(T0 + 29 * DAY, sales_reps=50)
    )
    assert missed(account.wait(T0 + 31 * DAY)) == [("main", "activated", 30)]
    nobody = goals()
    nobody.take(product(T0, "signed_up"))
    assert not nobody.wait(T0 + 100 * DAY)


def test_a_sign_up_that_arrives_late_moves_the_deadline_back() -> None:
    account = goals()
    account.take(profile(T0, sales_reps=5), product(T0 + 10 * DAY, "signed_up"), product(T0, "signed_up"))
    assert account.state.milestones["signed_up"] == T0
    assert missed(account.wait(T0 + 100 * DAY)) == [("small", "activated", 30)]


def test_what_was_told_is_not_told_again_when_the_sign_up_moves() -> None:
    account = goals()
    account.take(profile(T0, sales_reps=5), product(T0 + 10 * DAY, "signed_up"))
    assert len(account.wait(T0 + 41 * DAY)) == 1
    assert not account.take(product(T0 + 12 * DAY, "signed_up"), product(T0 + 9 * DAY, "signed_up"))
    assert not account.wait(T0 + 200 * DAY)


def test_milestones_count_once_an_account() -> None:
    account = goals()
    account.take(product(T0, "signed_up"), product(T0 + DAY, "signed_up"), product(T0 + 2 * DAY, "activated"))
    account.take(product(T0 + 3 * DAY, "activated"))
    assert account.state.milestones == {"signed_up": T0, "activated": T0 + 2 * DAY}


def test_goals_of_close_times_are_told_apart() -> None:
    account = goals(
        GOALS.replace("[{milestone: activated, within: 30d}]", "[{milestone: activated, within: 720.001h}]")
    )
    account.take(product(T0, "signed_up"))
    assert sorted(due - T0 for due in account.state.timers.values()) == pytest.approx(
        [30 * DAY, 30 * DAY + 3.6, 45 * DAY], abs=0.001
    )


def test_timers_of_one_moment_fire_in_the_order_of_their_names() -> None:
    account = Account(icp(BLOCKED))
    account.take(
        stage_change(T0, note="a budget freeze"), profile(T0 - 30 * DAY, acquisition_source="partner")
    )
    assert set(account.state.timers.values()) == {T0 + 30 * DAY}
    assert [a.blocker for a in account.wait(T0 + 30 * DAY) if isinstance(a, BlockerEnded)] == [
        "frozen",
        "partner",
    ]


def test_an_account_without_timers_has_nothing_due() -> None:
    account = Account()
    assert account.stage.due(account.state) is None
    account.take(visit(T0), visit(T0))
    assert account.stage.due(account.state) == min(account.state.timers.values())
