"""From where an account stands to a named reason, and the quadrant that decides the play."""

from __future__ import annotations

import copy

import pytest

from detectors.account_state import VariantState
from detectors.fit import Fit
from detectors.scoring import Quadrant, Reason, Score, decide, total_of
from schemas.alerts import TriggerAlert
from schemas.icp import AlertRules
from tests.unit.account_world import DAY, GOOD, HOUR, T0, Account, icp, product, profile, ticket, visit

RULES = AlertRules.model_validate(
    {"fit_at_least": 60, "trigger_at_least": 40, "rearm_below": 25, "cooldown": "7d"}
)
NOW = T0


def score(
    trigger: float = 50.0, fit: float = 80.0, out: str | None = None, quadrant: Quadrant = "route"
) -> Score:
    return Score(Fit(fit, (), out), trigger, (), quadrant)


ON = VariantState(episode=1, fired="route", alerted_at=NOW - 30 * DAY)
RESTED = VariantState(episode=1, alerted_at=NOW - 7 * DAY)


@pytest.mark.parametrize(
    ("standing", "scored", "disqualified_by", "reason", "detail"),
    [
        (VariantState(), score(), "", "fire", ""),
        (VariantState(), score(trigger=40.0), "", "fire", ""),
        (VariantState(), score(trigger=39.999), "", "trigger_below", "trigger 40.0 is below 40"),
        (VariantState(), score(trigger=-10), "", "trigger_below", "trigger -10.0 is below 40"),
        (VariantState(), score(out="Too small"), "", "screened_out", "Too small"),
        (VariantState(), score(), "on-premises", "disqualified", "on-premises"),
        (VariantState(blockers={"frozen": NOW + 1}), score(), "", "blocked", "frozen"),
        (VariantState(blockers={"z": NOW + 1, "b": NOW + 1, "a": NOW}), score(), "", "blocked", "b"),
        (VariantState(blockers={"frozen": NOW}), score(), "", "fire", ""),
        (ON, score(), "", "still_on", "an alert is on; it re-arms below 25"),
        (
            VariantState(episode=1, alerted_at=NOW - 1),
            score(),
            "",
            "cooling_down",
            "the last alert is too recent",
        ),
        (VariantState(alerted_at=NOW - 1), score(), "", "cooling_down", "the last alert is too recent"),
        (RESTED, score(), "", "fire", ""),
        # what makes it an upgrade
        (VariantState(episode=1, fired="discover", alerted_at=NOW - 1), score(), "", "fire", ""),
        (
            VariantState(episode=1, fired="discover", alerted_at=NOW - 1),
            score(quadrant="discover", fit=0),
            "",
            "still_on",
            "an alert is on; it re-arms below 25",
        ),
        (
            VariantState(episode=1, fired="discover", blockers={"frozen": NOW + 1}),
            score(),
            "",
            "blocked",
            "frozen",
        ),
        (VariantState(episode=1, fired="route"), score(quadrant="discover"), "", "still_on", None),
        # of several reasons the first is said
        (
            VariantState(blockers={"frozen": NOW + 1}),
            score(out="Too small"),
            "on-premises",
            "screened_out",
            "Too small",
        ),
        (VariantState(blockers={"frozen": NOW + 1}), score(), "on-premises", "disqualified", "on-premises"),
        (VariantState(blockers={"frozen": NOW + 1}), score(trigger=1), "on-premises", "trigger_below", None),
    ],
)
def test_decisions(
    standing: VariantState, scored: Score, disqualified_by: str, reason: Reason, detail: str | None
) -> None:
    before = copy.deepcopy(standing)
    decision = decide(RULES, standing, scored, disqualified_by, NOW)
    assert decision.reason == reason
    if detail is not None:
        assert decision.detail == detail
    assert standing == before, "deciding changes nothing"


@pytest.mark.parametrize(
    ("fits", "visits", "quadrant"),
    [(True, 2, "route"), (True, 1, "nurture"), (False, 2, "discover"), (False, 1, "not_now")],
)
def test_quadrants(fits: bool, visits: int, quadrant: Quadrant) -> None:
    account = Account()
    account.take(profile(T0, **(GOOD if fits else {"sales_reps": 50})))
    account.take(*(visit(T0) for _ in range(visits)))
    variant = account.stage.in_force(T0).by_name["main"]
    assert variant.score(account.state, account.attributes, T0).quadrant == quadrant


def test_who_is_screened_out_never_fits() -> None:
    screened = icp(
        """
  - name: main
    screen: [{drop: {industry: gambling}, because: "Payment partners refuse them"}]
    fit: [{name: any, when: {sales_reps: {at_least: 1}}, weight: 100, because: "All of them"}]
    triggers: [{name: visit, when: {event: web.visit}, weight: 50, half_life: 7d, because: "They look at us"}]
"""
    )
    account = Account(screened)
    account.take(profile(T0, sales_reps=5, industry="gambling"), visit(T0))
    variant = account.stage.in_force(T0).by_name["main"]
    scored = variant.score(account.state, account.attributes, T0)
    assert (scored.quadrant, scored.fit.score) == ("discover", 100)


def test_parts_are_those_of_triggers_with_memory_and_add_up() -> None:
    account = Account()
    account.take(visit(T0), product(T0), ticket(T0), product(T0 + HOUR))
    variant = account.stage.in_force(T0).by_name["main"]
    now = T0 + 2 * DAY
    scored = variant.score(account.state, {}, now)
    assert [trigger.name for trigger, _, _ in scored.parts] == ["pricing", "invites", "trouble"]
    assert (
        scored.trigger
        == total_of(scored.parts)
        == pytest.approx(
            25 * 2 ** (-2 / 7) + 10 * (2 ** (-2 / 14) + 2 ** (-(2 - 1 / 24) / 14)) - 30 / 2, abs=1e-9
        )
    )
    assert variant.score(Account().state, {}, now).trigger == 0


GATED = """
  - name: main
    fit: [{name: any, when: {sales_reps: {at_least: 1}}, weight: 100, because: "All of them"}]
    triggers:
      - name: export
        when: {event: product.event, name: export, account: {tier: {not_equals: enterprise}}}
        weight: 50
        half_life: 7d
        because: "They outgrow their plan"
"""


def test_the_account_part_of_a_trigger_is_judged_when_the_score_is_taken() -> None:
    account = Account(icp(GATED))
    alerts = account.take(product(T0, "export"))
    assert list(alerts) == []
    assert account.score(T0) == 0
    (alert,) = account.take(profile(T0 + HOUR, tier="team"))
    assert isinstance(alert, TriggerAlert)
    assert alert.quadrant == "discover"
    assert account.score(T0) == 50
    account.take(profile(T0 + 2 * HOUR, tier="enterprise"))
    assert account.score(T0 + 2 * HOUR) == 0


def test_disqualifiers_that_the_file_does_not_know_any_more_do_not_count() -> None:
    text = """
  - name: main
    disqualifiers:
      - {name: on-premises, when: {deployment: on_premises}, because: "We run in the cloud only"}
      - {name: built-it, when: {event: crm.stage_changed, loss_reason: built it}, because: "They have it"}
    fit: [{name: any, when: {sales_reps: {at_least: 1}}, weight: 100, because: "All of them"}]
    triggers: [{name: visit, when: {event: web.visit}, weight: 50, half_life: 7d, because: "They look at us"}]
"""
    variant = Account(icp(text)).stage.in_force(T0).by_name["main"]
    assert variant.disqualified_by(VariantState(disqualified=["built-it"]), {}) == "built-it"
    assert variant.disqualified_by(VariantState(disqualified=["gone"]), {}) == ""
    assert variant.disqualified_by(VariantState(), {"deployment": "on_premises"}) == "on-premises"
    assert variant.disqualified_by(VariantState(), {}) == ""
    # a name that is about the profile is not taken from what events did under an earlier version
    assert variant.disqualified_by(VariantState(disqualified=["on-premises"]), {}) == ""
