"""One account: parts that add up, why there is no alert, when there can be one, and what happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alerts import moment
from streams.serving import timeline
from streams.serving.condition_words import condition_words
from streams.serving.views import AccountView, VariantView
from tests.unit.serving_world import DAY, GOOD, HOUR, NOW, World, icp


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def view(world: World, account: str = "a") -> AccountView:
    found = world.serving.account(account)
    assert found is not None
    return found


def analytics(world: World, account: str = "a") -> VariantView:
    return view(world, account).variants[0]


def test_nothing_is_known_of_a_stranger(world: World) -> None:
    assert world.serving.account("a") is None


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from(["visit", "invited", "export", "cancel"]), st.floats(0, 40)), max_size=25
    )
)
def test_parts_and_rules_add_up(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, float]]
) -> None:
    world = World(tmp_path_factory.mktemp("world"))
    make = world.events
    world.put([make.profile("a", NOW - 41 * DAY, **GOOD)])
    for what, days in history:
        at = NOW - days * DAY
        if what == "visit":
            world.put([make.visit("a", at)])
        elif what == "cancel":
            world.put([make.ticket("a", at, "cancel")])
        else:
            world.put([make.product("a", at, what)])
    for each in view(world).variants:
        assert sum(part.contribution for part in each.trigger.parts) == pytest.approx(
            each.trigger.score, abs=1e-9
        )
        assert sum(rule.weight for rule in each.fit.rules if rule.holds) == each.fit.score
    listed = {each.account: each.trigger for each in world.serving.accounts("analytics").accounts}
    score = analytics(world).trigger.score
    assert listed.get("a", 0.0) == pytest.approx(score if score >= 0.05 else 0.0)
    world.close()


def test_below_the_threshold(world: World) -> None:
    world.put([world.events.profile("a", NOW - DAY, **GOOD), world.events.visit("a", NOW)])
    decision = analytics(world).decision
    assert decision.reason == "trigger_below"
    assert decision.words == "The trigger score is 25.0; an alert goes out at 40."
    assert decision.not_before is None


def test_a_complaint_that_fades_lets_the_score_rise_again(world: World) -> None:
    make = world.events
    world.put(
        [
            make.profile("a", NOW - DAY, **GOOD),
            *(make.ticket("a", NOW - 2 * HOUR, "cancel") for _ in range(3)),
        ]
    )
    world.put([make.product("a", NOW - HOUR, "invited") for _ in range(11)])
    decision = analytics(world).decision
    assert decision.reason == "trigger_below"
    assert "gets there by itself" in decision.words
    assert decision.not_before is not None
    world.now = decision.not_before.timestamp() + 60
    assert analytics(world).trigger.score >= 40


def test_an_alert_is_on_until_the_score_has_fallen(world: World) -> None:
    make = world.events
    world.put([make.profile("a", NOW - DAY, **GOOD), make.visit("a", NOW - 60), make.visit("a", NOW)])
    found = analytics(world)
    assert (found.decision.reason, found.alerts, found.last_alert) == ("still_on", 1, moment(NOW))
    assert found.decision.not_before is not None
    assert found.play == "Call today; open with the trigger"
    armed = found.decision.not_before.timestamp()
    world.now = armed - 60
    assert analytics(world).trigger.score >= 25
    world.now = armed + 60
    assert analytics(world).trigger.score < 25
    assert analytics(world).decision.reason == "trigger_below"


def test_two_alerts_have_a_pause_between_them(world: World) -> None:
    make = world.events
    world.put([make.profile("a", NOW - 6 * DAY, **GOOD)])
    world.put([make.visit("a", NOW - 5 * DAY + n) for n in range(2)])
    world.put([make.ticket("a", NOW - 4 * DAY, "cancel")])
    world.put([make.visit("a", NOW - n) for n in (2, 1)])
    decision = analytics(world).decision
    assert decision.reason == "cooling_down"
    assert decision.not_before == moment(NOW - 5 * DAY + 1 + 7 * DAY)


def test_screened_out_says_which_rule(world: World) -> None:
    make = world.events
    world.put([make.profile("a", NOW - DAY, employees=3, industry="gambling")])
    world.put([make.visit("a", NOW - n) for n in range(2)])
    found = analytics(world)
    assert found.decision.reason == "screened_out"
    assert found.decision.words == "The screen puts this account out: Too small to need it."
    assert found.fit.screened_out == "Too small to need it"
    assert [(check.rule, check.condition, check.passed) for check in found.fit.screen] == [
        ("keep", "employees is at least 10", False),
        ("drop", "industry is one of gambling", False),
    ]


def test_disqualified_says_by_what(world: World) -> None:
    make = world.events
    world.put([make.profile("a", NOW - DAY, **GOOD, deployment="on_premises")])
    world.put([make.visit("a", NOW - n) for n in range(2)])
    found = analytics(world)
    assert found.decision.reason == "disqualified"
    assert found.disqualified is not None
    assert (found.disqualified.name, found.disqualified.because) == (
        "on-premises",
        "We run in the cloud only",
    )


def test_blocked_says_until_when(world: World) -> None:
    make = world.events
    world.put([make.profile("a", NOW - DAY, **GOOD), make.note("a", NOW - HOUR, "There is a budget freeze")])
    world.put([make.visit("a", NOW - n) for n in range(2)])
    found = analytics(world)
    assert found.decision.reason == "blocked"
    assert found.decision.not_before == moment(NOW - HOUR + 30 * DAY)
    assert [(each.name, each.active, each.then) for each in found.blockers] == [
        ("frozen", True, "Ask for the new budget")
    ]
    kinds = [(entry.kind, entry.at) for entry in view(world).timeline if entry.kind.startswith("blocker")]
    assert kinds == [("blocker_began", moment(NOW - HOUR))]
    world.now = NOW + 40 * DAY
    kinds = [entry.kind for entry in view(world).timeline if entry.kind.startswith("blocker")]
    assert kinds == ["blocker_ends", "blocker_began"]


def test_rules_that_do_not_hold_say_what_they_need(world: World) -> None:
    world.put([world.events.profile("a", NOW, employees=20, sales_reps=50)])
    rules = {rule.name: rule for rule in analytics(world).fit.rules}
    assert (rules["reps"].holds, rules["warehouse"].holds) == (True, False)
    assert rules["warehouse"].condition == "technologies has one of snowflake"


def test_the_timeline_is_newest_first_and_each_event_is_there_once(world: World) -> None:
    make = world.events
    world.put([make.profile("a", NOW - 3 * DAY, **GOOD), make.product("a", NOW - 2 * DAY, "signed_up")])
    world.put([make.visit("a", NOW - HOUR), make.visit("a", NOW - 60)])
    world.put([make.visit("ab", NOW - 30), make.visit("ab", NOW - 29)])
    entries = view(world).timeline
    assert [entry.kind for entry in entries] == ["alert", "event", "event", "milestone"]
    assert [entry.at for entry in entries] == sorted((entry.at for entry in entries), reverse=True)
    assert entries[0].alert_id
    assert world.serving.alert(entries[0].alert_id) is not None
    assert [(fed.variant, fed.trigger) for fed in entries[1].feeds] == [("analytics", "pricing")]


def test_the_timeline_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MAX_ENTRIES", 3)
    world.put([world.events.visit("a", NOW - n) for n in range(5)])
    entries = view(world).timeline
    assert [entry.at for entry in entries] == [moment(NOW - n) for n in range(2)] + [entries[-1].at]
    assert len(entries) == 3


def test_profile_milestones_and_timers(world: World) -> None:
    make = world.events
    world.put([make.profile("a", NOW - 3 * DAY, name="Nord <b>", gone=1, acquisition_source="google/cpc")])
    world.put([make.profile("a", NOW - 2 * DAY, gone=None), make.product("a", NOW - DAY, "signed_up")])
    found = view(world)
    assert (found.name, found.source, found.source_fixed) == ("Nord <b>", "paid_search", True)
    assert [each.name for each in found.attributes] == ["acquisition_source", "name"]
    assert [(each.name, each.at) for each in found.milestones] == [("signed_up", moment(NOW - DAY))]
    assert "should be activated (20d after signing up)" in [timer.what for timer in found.timers]
    assert found.events == 3
    world.put([make.product("a", NOW, "activated")])
    assert not [timer for timer in view(world).timers if "should be activated" in timer.what]


def test_an_event_a_little_ahead_of_the_clock_is_not_scored_as_of_the_past(world: World) -> None:
    world.put([world.events.visit("a", NOW + 600)])
    assert view(world).as_of == moment(NOW + 600)
    assert analytics(world).trigger.score == 25.0
    assert world.serving.accounts("analytics").accounts[0].trigger == 25.0


def test_conditions_in_words() -> None:
    variant = icp().variants[0]
    words = [condition_words(rule.when.of_account) for rule in variant.fit]
    assert words == ["technologies has one of snowflake", "sales reps is 20 to 200"]
