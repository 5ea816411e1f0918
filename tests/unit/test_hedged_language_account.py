"""slg.hedged_language, account half: whose notes are read until when, and what of them travels."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.signals.slg_hedged_language import MAX_PHRASES, HedgedLanguage
from schemas.observations import Observation
from schemas.settings import DriftSettings
from tests.unit.account_world import DAY, T0, Account, stage_change
from tests.unit.sales_world import observe, opportunity

SIGNAL = HedgedLanguage.configured(DriftSettings(), 24)
HEDGE = "Not exactly our typical buyer, but the champion is strong"


def told(*events: Any) -> list[Observation]:
    return [each for each in observe(SIGNAL, [events]) if each.measure not in ("stage_change_seen", "note")]


def note(at: float, text: str, **data: Any) -> Any:
    return stage_change(at, note=text, owner_id="anna", **data)


def test_any_note_of_the_first_fourteen_days_hedges() -> None:
    (one,) = told(note(T0, "Intro call"), note(T0 + 13 * DAY, HEDGE), note(T0 + 20 * DAY, "Went well"))
    assert (one.measure, one.value, one.began, one.at) == ("hedged", 1.0, T0, T0 + 14 * DAY)
    assert one.segments == {"rep": "anna"}
    assert one.stratum == "anna"
    assert one.phrases == ["not exactly our typical buyer"]


def test_a_later_note_is_not_read() -> None:
    (one,) = told(note(T0, "Intro call"), note(T0 + 15 * DAY, HEDGE))
    assert (one.value, one.phrases) == (0.0, [])


def test_closing_tells_it_earlier_with_what_was_said_then() -> None:
    (one,) = told(
        note(T0, "Intro"), note(T0 + 3 * DAY, HEDGE, outcome="lost"), note(T0 + 4 * DAY, "Reopened")
    )
    assert (one.at, one.value) == (T0 + 3 * DAY, 1.0)


def test_a_late_note_counts_while_its_opportunity_is_not_told() -> None:
    (one,) = told(note(T0, "Intro"), note(T0 + 5 * DAY, "Call"), note(T0 + DAY, HEDGE))
    assert one.value == 1.0
    (one,) = told(note(T0, "Intro"), note(T0 + 16 * DAY, "Call"), note(T0 + DAY, HEDGE))
    assert one.value == 0.0


@pytest.mark.parametrize(
    ("text", "apart"),
    [
        ("They said our price is not typical", []),
        ("Timing is not ideal, they are a bit early", ["hedged_timing"]),
        ("Nothing unusual, a perfect fit", []),
    ],
)
def test_quotes_negations_and_other_hedges_are_not_about_fit(text: str, apart: list[str]) -> None:
    observations = told(note(T0, text))
    assert [each.measure for each in observations] == ["hedged", *apart]
    assert observations[0].value == 0.0


def test_the_note_itself_does_not_travel() -> None:
    text = f"{HEDGE}. Call Jane Roe, jane.roe@customer.example, +1 555 0100, about the Phoenix project."
    (one,) = told(note(T0, text))
    travels = " ".join([*one.phrases, *one.segments.values(), one.stratum])
    for secret in ("Jane", "Roe", "customer", "555", "Phoenix", "champion is"):
        assert secret.casefold() not in travels.casefold()


def test_each_note_that_is_read_is_told_at_once_with_its_phrases() -> None:
    events = [note(T0, "Intro"), note(T0 + DAY, HEDGE), note(T0 + 15 * DAY, HEDGE)]
    notes = [each for each in observe(SIGNAL, [events]) if each.measure == "note"]
    assert [(each.at, each.value, len(each.phrases)) for each in notes] == [(T0, 0.0, 0), (T0 + DAY, 1.0, 1)]


def test_what_travels_is_bounded() -> None:
    many = ". ".join(f"Number {i}: not our typical buyer, not our usual customer" for i in range(200))
    account = Account(signals=[SIGNAL])
    for number in range(300):
        account.take(note(T0 + number * DAY / 10, many[:8000], opportunity_id=f"o{number}"))
    assert len(account.raw) < 12_000
    account.wait(T0 + 90 * DAY)
    for each in account.effects.observations:
        assert len(each.phrases) <= MAX_PHRASES
        assert each.tokens == []


def test_opportunities_of_one_burst_are_one_and_any_of_them_hedges() -> None:
    (one,) = told(
        note(T0, "Intro", opportunity_id="a"),
        note(T0 + DAY / 2, "Intro", opportunity_id="b"),
        note(T0 + 3 * DAY, HEDGE, opportunity_id="b"),
    )
    assert (one.value, one.began, one.at) == (1.0, T0, T0 + 14.5 * DAY)


def test_memory_outlives_the_process() -> None:
    account = Account(signals=[SIGNAL])
    account.take(note(T0, HEDGE))
    account.state = account.stage.decode_state("a", account.raw)
    account.take(note(T0 + DAY, "Call"))
    account.wait(T0 + 30 * DAY)
    assert [(each.measure, each.value) for each in account.effects.observations] == [
        ("stage_change_seen", 1.0),
        ("note", 1.0),
        ("note", 0.0),
        ("hedged", 1.0),
    ]


def test_without_an_owner_it_is_nobody_s() -> None:
    (one,) = [each for each in observe(SIGNAL, [[stage_change(T0, note=HEDGE)]]) if each.measure == "hedged"]
    assert one.segments == {"rep": "unknown"}


def test_a_month_of_opportunities_is_told_in_order() -> None:
    events = [opportunity(T0 + day * DAY, name=f"o{day}")[1] for day in range(0, 60, 2)]
    ats = [each.at for each in told(*events)]
    assert len(ats) == 30
    assert ats == sorted(ats)
