"""slg.off_profile_pipeline, account half: which opportunities are told, when, and under which version of the file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from detectors.signals.new_opportunities import MAX_KNOWN
from detectors.signals.slg_off_profile_pipeline import OffProfilePipeline
from schemas.observations import Observation
from schemas.settings import DriftSettings
from tests.unit.account_world import DAY, GOOD, T0, VARIANT, Account, icp, profile, stage_change
from tests.unit.sales_world import BAD, observe, opportunity

SIGNAL = OffProfilePipeline.configured(DriftSettings(), 24)
STRICT = VARIANT.replace("warehouse, when: {technologies: {any: [snowflake]}}", "x, when: {industry: bank}")


def told(*events: Any, icps: Any = ()) -> list[Observation]:
    return [each for each in observe(SIGNAL, [events], *icps) if each.measure != "stage_change_seen"]


def test_an_opportunity_is_told_once_seven_days_after_its_creation() -> None:
    (one,) = told(*opportunity(T0, notes=["a", "b", "c"], closes=40 * DAY))
    assert (one.at, one.began, one.value) == (T0 + 7 * DAY, T0, 0.0)
    assert (one.segments["rep"], one.stratum) == ("anna", "1")


def test_the_profile_may_settle_until_then() -> None:
    late = profile(T0 + 6 * DAY, **GOOD)
    assert [each.value for each in told(*opportunity(T0, attributes=BAD), late)] == [0.0]
    later = profile(T0 + 8 * DAY, **GOOD)
    assert [each.value for each in told(*opportunity(T0, attributes=BAD), later)] == [1.0]


def test_opened_at_is_the_creation() -> None:
    opened = datetime.fromtimestamp(T0 - 3 * DAY, UTC).isoformat()
    (one,) = told(profile(T0 - 9 * DAY, **GOOD), stage_change(T0, opened_at=opened))
    assert (one.began, one.at) == (T0 - 3 * DAY, T0 + 4 * DAY)
    assert one.segments["rep"] == "unknown"


def test_who_is_older_when_first_heard_of_is_left_out() -> None:
    opened = datetime.fromtimestamp(T0 - 8 * DAY, UTC).isoformat()
    events = [stage_change(T0, opened_at=opened), stage_change(T0 + DAY, opened_at=opened)]
    assert [each.measure for each in told(profile(T0 - 9 * DAY, **GOOD), *events)] == ["left_truncated"]


def test_without_a_profile_nothing_is_said() -> None:
    assert [each.measure for each in told(stage_change(T0))] == ["no_profile"]


def test_opportunities_of_one_burst_are_one_observation() -> None:
    events = [stage_change(T0 + number * DAY / 2, opportunity_id=f"o{number}") for number in range(6)]
    (one,) = told(profile(T0 - DAY, **BAD), *events)
    assert (one.began, one.at, one.value) == (T0, T0 + 2.5 * DAY + 7 * DAY, 1.0)


def test_the_next_burst_is_another_observation() -> None:
    events = [stage_change(T0 + number * 2 * DAY, opportunity_id=f"o{number}") for number in range(3)]
    assert len(told(profile(T0 - DAY, **BAD), *events)) == 3


def test_a_late_first_change_makes_the_creation_earlier_and_never_a_second_observation() -> None:
    early, later = stage_change(T0), stage_change(T0 + 4 * DAY, to_stage="next")
    (one,) = told(profile(T0 - DAY, **GOOD), later, early)
    assert one.began == T0
    after = stage_change(T0 + 20 * DAY, to_stage="last")
    assert len(told(profile(T0 - DAY, **GOOD), later, after, early)) == 1


def test_closing_does_not_hurry_and_a_closed_one_is_not_new_again() -> None:
    events = opportunity(T0, closes=DAY)
    again = [stage_change(T0 + age * DAY, to_stage="again") for age in (3, 10, 50)]
    (one,) = told(*events, *again)
    assert one.at == T0 + 7 * DAY


def test_it_is_judged_under_the_version_at_its_creation_and_the_one_before() -> None:
    files = (icp(), icp(STRICT, version="2", effective_from="2026-03-10T00:00:00Z"))
    (before,) = told(*opportunity(T0 + 5 * DAY), icps=files)
    assert (before.stratum, before.value) == ("1", 0.0)
    under_older, now = told(*opportunity(T0 + 9 * DAY), icps=files)
    assert (under_older.measure, under_older.stratum, under_older.value) == ("off_profile_before", "1", 0.0)
    assert (now.measure, now.stratum, now.value) == ("off_profile", "2", 1.0)
    assert under_older.segments["version"] == now.segments["version"] == "2"


def test_one_variant_that_takes_it_is_enough() -> None:
    two = VARIANT + STRICT.replace("main", "other")
    assert [each.value for each in told(*opportunity(T0), icps=[icp(two)])] == [0.0]
    assert [each.value for each in told(*opportunity(T0, attributes=BAD), icps=[icp(two)])] == [1.0]


@pytest.mark.parametrize("closes", [True, False])
def test_memory_is_bounded_whatever_is_sent(closes: bool) -> None:
    account = Account(signals=[SIGNAL])
    account.take(profile(T0, **GOOD))
    outcome = {"outcome": "lost"} if closes else {}
    for number in range(600):
        account.take(stage_change(T0 + number * DAY / 10, opportunity_id="o" * 200 + str(number), **outcome))
    account.wait(T0 + 90 * DAY)
    measures = [each.measure for each in account.effects.observations]
    assert measures.count("too_many_open") == 600 - MAX_KNOWN
    assert len(account.raw) < 12_000
    account.take(stage_change(T0 + 500 * DAY, opportunity_id="much later"))
    account.wait(T0 + 510 * DAY)
    assert account.effects.observations[-1].measure == "off_profile"
    assert account.effects.observations[-1].began == T0 + 500 * DAY


def test_memory_outlives_the_process() -> None:
    account = Account(signals=[SIGNAL])
    account.take(*opportunity(T0))
    account.state = account.stage.decode_state("a", account.raw)
    account.take(stage_change(T0 + DAY, to_stage="next"))
    account.wait(T0 + 30 * DAY)
    assert [each.measure for each in account.effects.observations] == ["stage_change_seen", "off_profile"]
