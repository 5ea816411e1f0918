"""When a trigger alert goes out, when not, and that what it says is so: crossings, re-arming, pauses, upgrades, the
screen, disqualifiers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from detectors.account_state import VariantState
from detectors.scoring import decide
from schemas.alerts import Alert, BlockerEnded, TriggerAlert, encode_alert
from streams.kafka.ordered_writing import BATCH_BYTES
from tests.unit.account_world import (
    DAY,
    GOOD,
    HOUR,
    T0,
    VARIANT,
    Account,
    event,
    icp,
    product,
    profile,
    stage_change,
    ticket,
    visit,
)

# In VARIANT a visit to the prices adds 25 and halves in 7 days, an invitation adds 10 and halves in 14, a ticket takes
# 30 and halves in 2. Alerts go out at 40, re-arm below 25, and pause for 7 days.


def triggers(alerts: Sequence[Alert]) -> list[TriggerAlert]:
    assert all(isinstance(alert, TriggerAlert) for alert in alerts)
    return [alert for alert in alerts if isinstance(alert, TriggerAlert)]


def good() -> Account:
    account = Account()
    account.take(profile(T0 - DAY, **GOOD))
    return account


def test_crossing_upwards_fires_once() -> None:
    account = good()
    assert not account.take(visit(T0))
    (alert,) = triggers(account.take(visit(T0 + HOUR)))
    assert alert.at.timestamp() == T0 + HOUR
    assert (alert.variant, alert.quadrant, alert.fit) == ("main", "route", 90)
    assert alert.trigger == pytest.approx(25 + 25 * 2 ** (-1 / (7 * 24)), abs=1e-9)
    assert not account.take(*(visit(T0 + (2 + hour) * HOUR) for hour in range(20)))


def test_reaching_the_very_bound_fires() -> None:
    text = VARIANT + "    alert: {trigger_at_least: 50}\n"
    account = Account(icp(text))
    assert not account.take(visit(T0))
    assert len(account.take(visit(T0))) == 1


def test_it_re_arms_by_fading_and_fires_again_after_the_pause() -> None:
    account = good()
    (first,) = triggers(account.take(visit(T0), visit(T0)))
    # 50 points fall below 25 after 7 days; just before, a visit only keeps the alert on
    account.take(visit(T0 + 6.9 * DAY))
    account.wait(T0 + 18 * DAY)
    assert account.score(T0 + 18 * DAY) < 25
    assert account.state.variants["main"].fired == ""
    (second,) = triggers(account.take(visit(T0 + 18 * DAY), visit(T0 + 18 * DAY)))
    assert first.id != second.id
    assert account.state.variants["main"].episode == 2


def test_the_rearming_timer_is_where_the_score_falls_below() -> None:
    account = good()
    account.take(visit(T0), visit(T0))
    due = account.state.timers["rescore:main"]
    assert T0 + 7 * DAY < due <= T0 + 7 * DAY + 2
    assert account.score(due) < 25 <= account.score(due - 2)


def test_what_rises_again_within_the_same_alert_says_nothing_new() -> None:
    account = good()
    account.take(visit(T0), visit(T0))
    # down to 26, never below 25, and up again
    assert not account.take(visit(T0 + 6.6 * DAY), visit(T0 + 6.7 * DAY), visit(T0 + 6.8 * DAY))


def test_it_re_arms_by_a_negative_event() -> None:
    account = good()
    assert len(account.take(visit(T0), visit(T0))) == 1
    account.take(ticket(T0 + HOUR))
    assert account.state.variants["main"].fired == ""
    # the ticket fades in days; within the pause nothing goes out, after it the score has to be there
    assert not account.take(visit(T0 + 2 * HOUR), visit(T0 + 2 * HOUR))
    alerts = triggers(account.wait(T0 + 8 * DAY))
    assert [alert.at.timestamp() for alert in alerts] == [T0 + 7 * DAY]
    assert alerts[0].trigger >= 40


def test_a_profile_that_lowers_the_score_brings_the_re_arming_nearer() -> None:
    text = VARIANT + (
        "      - {name: export, when: {event: product.event, name: export, account: {tier: team}}, weight: 60, half_life: 7d, "
        'because: "They outgrow it"}\n'
    )
    account = Account(icp(text))
    account.take(profile(T0 - DAY, tier="team", **GOOD), product(T0, "export"))
    account.take(visit(T0), product(T0))
    assert not account.take(profile(T0 + DAY, tier="free"))
    assert 25 < account.score(T0 + DAY) < 40
    (again,) = triggers(account.take(visit(T0 + 8 * DAY)))
    assert again.trigger > 40


def test_a_pause_holds_back_and_its_end_looks_again() -> None:
    text = VARIANT + "    alert: {cooldown: 10d}\n"
    account = Account(icp(text))
    account.take(visit(T0), visit(T0), ticket(T0 + HOUR))
    account.take(*(visit(T0 + 8 * DAY) for _ in range(4)))
    assert len(account.effects.alerts) == 1
    assert account.state.timers["rescore:main"] == T0 + 10 * DAY
    (alert,) = triggers(account.wait(T0 + 30 * DAY))
    assert alert.at.timestamp() == T0 + 10 * DAY


def test_a_pause_whose_end_finds_too_little_says_nothing() -> None:
    account = good()
    account.take(visit(T0), visit(T0), ticket(T0 + HOUR))
    account.take(visit(T0 + 2 * HOUR), visit(T0 + 2 * HOUR), ticket(T0 + 6.9 * DAY), ticket(T0 + 6.9 * DAY))
    assert not account.wait(T0 + 7 * DAY + HOUR)


def test_a_late_profile_turns_discovery_into_a_call() -> None:
    account = Account()
    (discover,) = triggers(account.take(visit(T0), visit(T0)))
    assert (discover.quadrant, discover.fit) == ("discover", 0)
    assert discover.next == "Fifteen minutes of discovery; leave politely if the use is off"
    (route,) = triggers(account.take(profile(T0 - DAY, **GOOD)))  # within the pause, and late
    assert (route.quadrant, route.next) == ("route", "Call today; open with the trigger")
    assert route.at.timestamp() == T0
    assert route.id != discover.id
    assert not account.take(profile(T0 + HOUR, sales_reps=51))


def test_a_profile_that_comes_while_the_score_is_low_turns_the_next_rise_into_a_call() -> None:
    account = Account()
    account.take(visit(T0), visit(T0))
    account.wait(T0 + 4 * DAY)  # 33.6: neither high nor armed again
    assert not account.take(profile(T0 + 4 * DAY, **GOOD))
    (route,) = triggers(account.take(visit(T0 + 5 * DAY)))
    assert route.quadrant == "route"


def test_a_profile_that_stops_fitting_says_nothing() -> None:
    account = good()
    account.take(visit(T0), visit(T0))
    assert not account.take(
        profile(T0 + HOUR, technologies=None), profile(T0 + 2 * HOUR, technologies=["snowflake"])
    )


RULED = """
  - name: main
    screen:
      - {drop: {industry: gambling}, because: "Payment partners refuse them"}
    disqualifiers:
      - {name: on-premises, when: {deployment: on_premises}, because: "We run in the cloud only"}
      - {name: built-it, when: {event: crm.stage_changed, loss_reason: built it}, because: "They have it"}
    blockers:
      - {name: frozen, when: {event: crm.stage_changed, note: {contains: freeze}}, for: 30d, because: "No budget yet", then: "Ask for the new budget"}
    fit: [{name: any, when: {sales_reps: {at_least: 1}}, weight: 100, because: "All of them"}]
    triggers: [{name: visit, when: {event: web.visit}, weight: 50, half_life: 90d, because: "They look at us"}]
    alert: {cooldown: 1d}
"""


def decision(account: Account, now: float) -> tuple[str, str]:
    variant = account.stage.in_force(now).by_name["main"]
    standing = account.state.variants.get("main", VariantState())
    scored = variant.score(account.state, account.attributes, now)
    out = variant.disqualified_by(standing, account.attributes)
    found = decide(variant.written.alert, standing, scored, out, now)
    return found.reason, found.detail


def test_who_is_screened_out_gets_no_alert_until_the_profile_changes() -> None:
    account = Account(icp(RULED))
    assert not account.take(profile(T0, industry="gambling", sales_reps=5), visit(T0 + 1), visit(T0 + 2))
    assert decision(account, T0 + 2) == ("screened_out", "Payment partners refuse them")
    (alert,) = triggers(account.take(profile(T0 + 3, industry="software")))
    assert alert.quadrant == "route"


def test_who_is_disqualified_by_the_profile_gets_none_while_it_says_so() -> None:
    account = Account(icp(RULED))
    assert not account.take(profile(T0, deployment="on_premises"), visit(T0 + 1), visit(T0 + 2))
    assert decision(account, T0 + 2) == ("disqualified", "on-premises")
    assert len(account.take(profile(T0 + 3, deployment="cloud"))) == 1


def test_who_is_disqualified_by_an_event_never_gets_one() -> None:
    account = Account(icp(RULED))
    assert not account.take(stage_change(T0, outcome="lost", loss_reason="built it"))
    assert not account.take(
        *(visit(T0 + day * DAY) for day in range(1, 200, 7)), profile(T0 + 99 * DAY, **GOOD)
    )
    assert decision(account, T0 + 199 * DAY) == ("disqualified", "built-it")


def test_an_event_that_blocks_and_one_that_triggers_in_one_moment() -> None:
    both = """
  - name: main
    blockers:
      - {name: frozen, when: {event: crm.stage_changed, note: {contains: freeze}}, for: 30d, because: "No budget yet", then: "Ask for the new budget"}
    fit: [{name: any, when: {sales_reps: {at_least: 1}}, weight: 100, because: "All of them"}]
    triggers: [{name: moved, when: {event: crm.stage_changed}, weight: 50, half_life: 90d, because: "They talk to us"}]
"""
    account = Account(icp(both))
    assert not account.take(stage_change(T0, note="a budget freeze"))
    assert decision(account, T0) == ("blocked", "frozen")


SLOW = """
  - name: main
    fit: [{name: any, when: {sales_reps: {at_least: 1}}, weight: 100, because: "All of them"}]
    triggers:
      - {name: slow, when: {event: product.event, name: slow}, weight: 60, half_life: 900d, because: "They stay"}
      - {name: some, when: {event: product.event, name: some}, weight: 5, half_life: 900d, because: "They stay"}
      - {name: quick, when: {event: product.event, name: quick}, weight: 40, lasts: 6h, because: "They are here now"}
      - {name: trouble, when: {event: support.ticket}, weight: -40, half_life: 30d, because: "First mend it"}
    alert: {trigger_at_least: 40, rearm_below: 30, cooldown: 1h}
"""


def test_what_negative_held_down_crosses_when_it_has_faded() -> None:
    account = Account(icp(SLOW))
    assert not account.take(ticket(T0), product(T0 + 60, "slow"))  # 20
    due = account.state.timers["rescore:main"]
    assert account.score(due) >= 40 > account.score(due - 2)
    (alert,) = triggers(account.wait(T0 + 300 * DAY))
    assert alert.at.timestamp() == due
    assert alert.trigger == pytest.approx(40, abs=0.01)


def test_a_rise_in_what_is_held_down_brings_the_crossing_nearer() -> None:
    account = Account(icp(SLOW))
    account.take(ticket(T0), product(T0 + 60, "slow"))
    planned = account.state.timers["rescore:main"]
    assert not account.take(product(T0 + HOUR, "some"))
    sooner = account.state.timers["rescore:main"]
    assert sooner < planned - 5 * DAY
    (alert,) = triggers(account.wait(T0 + 300 * DAY))
    assert alert.at.timestamp() == sooner
    assert account.score(sooner) >= 40 > account.score(sooner - 2)


def test_an_alert_plans_its_re_arming_whatever_was_planned_before() -> None:
    account = Account(icp(SLOW))
    account.take(product(T0, "slow"))  # 60: an alert
    account.take(ticket(T0 + HOUR))  # 20: armed again; 40 comes back only in a month
    far = account.state.timers["rescore:main"]
    assert far > T0 + 20 * DAY
    assert len(account.take(product(T0 + 2 * HOUR, "quick"))) == 1  # 60
    assert account.state.timers["rescore:main"] < T0 + 9 * HOUR  # 20 again when the quick one ends
    assert len(account.take(product(T0 + DAY, "quick"))) == 1


def test_a_blocked_account_has_its_follow_up_for_an_alert_and_then_its_pause() -> None:
    account = Account(icp(RULED.replace("cooldown: 1d", "cooldown: 20d")))
    account.take(stage_change(T0, note="a budget freeze"), visit(T0 + 29 * DAY))
    (follow_up,) = account.wait(T0 + 30 * DAY)
    assert isinstance(follow_up, BlockerEnded)
    low = Account(icp(RULED.replace("half_life: 90d", "lasts: 2d").replace("cooldown: 1d", "cooldown: 20d")))
    low.take(stage_change(T0, note="a budget freeze"), visit(T0 + 29 * DAY))
    assert len(low.wait(T0 + 35 * DAY)) == 1  # the follow-up; then armed again, as the points are gone
    assert low.state.variants["main"].fired == ""
    assert not low.take(visit(T0 + 36 * DAY))
    (alert,) = low.take(visit(T0 + 49 * DAY), visit(T0 + 51 * DAY))
    assert isinstance(alert, TriggerAlert)
    assert alert.at.timestamp() >= T0 + 50 * DAY


@pytest.mark.parametrize("name", ["product:core", "visitor:v1"])
def test_products_and_visitors_have_no_scores(name: str) -> None:
    account = Account(name=name)
    assert not account.take(*(visit(T0 + hour * HOUR) for hour in range(10)), profile(T0, **GOOD))
    state = account.state
    assert (state.cells, state.attributes, state.timers, state.variants, state.first_visit) == (
        {},
        {},
        {},
        {},
        None,
    )
    assert state.events == 11
    assert not account.effects.moved


def test_an_account_whose_id_has_a_colon_is_an_account() -> None:
    account = Account(name="hubspot:123")
    assert len(account.take(visit(T0), visit(T0))) == 1


def test_variants_alert_by_themselves() -> None:
    second = VARIANT.replace("name: main", "name: other").replace("/pricing*", "/docs*")
    account = Account(icp(VARIANT + second))
    assert [a.variant for a in triggers(account.take(visit(T0), visit(T0)))] == ["main"]
    assert [a.variant for a in triggers(account.take(visit(T0, "/docs"), visit(T0, "/docs")))] == ["other"]
    assert len({a.id for a in triggers(account.effects.alerts)}) == 2


def test_the_alert_holds_what_an_sdr_needs() -> None:
    text = (
        VARIANT
        + """
    committee:
      - {role: owns the budget, titles: ["VP Data", CFO]}
      - {role: does the work, titles: ["Data engineer"]}
    objections:
      - {says: "We build this ourselves", answer: "Here is what others measured"}
      - {says: "Where does our data live?", when: {industry: health}, answer: "EU or US"}
      - {says: "We are no bank", when: {industry: finance}, answer: "You need not be"}
"""
    )
    account = Account(icp(text, version="7"))
    account.take(
        profile(
            T0 - DAY,
            **GOOD,
            name="Northwind",
            industry="health",
            contacts=[{"title": "vp data & ai"}, {"title": 7}, "x", {"name": "nobody"}],
        )
    )
    first = visit(T0)
    account.take(ticket(T0 - HOUR), first, product(T0 + HOUR), product(T0 + 2 * HOUR))
    (alert,) = triggers(account.take(visit(T0 + 5 * HOUR)))
    assert (alert.account, alert.account_name, alert.icp_version) == ("a", "Northwind", "7")
    assert [(reason.name, reason.weight) for reason in alert.why_them] == [("warehouse", 60), ("reps", 30)]
    assert [reason.name for reason in alert.why_now] == ["pricing", "invites"]
    assert [part.name for part in alert.parts] == ["pricing", "invites", "trouble"]
    assert sum(part.contribution for part in alert.parts) == pytest.approx(alert.trigger, abs=1e-9)
    pricing = alert.why_now[0]
    assert pricing.fades == "by half in 7 days"
    assert pricing.evidence[-1].event_id == first.id
    assert sum(one.contribution for one in pricing.evidence) == pytest.approx(pricing.contribution, abs=1e-9)
    assert [o.says for o in alert.expect] == ["Where does our data live?", "We build this ourselves"]
    assert [(reach.role, reach.known) for reach in alert.reach] == [
        ("owns the budget", ["vp data & ai"]),
        ("does the work", []),
    ]
    assert alert.blockers == []


def test_an_alert_is_bounded_whatever_the_profile_says() -> None:
    """A worker has to publish it: one that fits into no message would end every worker that takes the partition over."""
    roles = "".join(f"\n      - {{role: role {number}, titles: [lead]}}" for number in range(100))
    account = Account(icp(VARIANT + "    committee:" + roles + "\n"))
    titles = [f"lead {number} " + "\N{SNOWMAN}" * 1000 for number in range(20)]
    contacts = [{"title": title} for title in titles]
    account.take(profile(T0 - DAY, **GOOD, name="n" * 50_000, contacts=contacts))
    (alert,) = triggers(account.take(visit(T0), visit(T0)))
    assert alert.account_name == "n" * 200
    assert [reach.known for reach in alert.reach] == [[title[:200] for title in titles[:5]]] * 100
    assert len(encode_alert(alert)) < BATCH_BYTES


def test_an_alert_outcome_is_an_event_like_others() -> None:
    text = VARIANT.replace(
        "{event: product.event, name: invited}", "{event: alert.outcome, outcome: replied}"
    )
    account = Account(icp(text))
    account.take(event("alert.outcome", T0, {"alert_id": "x", "outcome": "replied"}))
    assert account.score(T0) == 10
