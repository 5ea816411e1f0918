"""The account half of slg.cycle_spread and slg.aged_win_rate: which opportunities are told, when, and in which band."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from detectors.signals.bulk_closings import MAX_OWNERS, OF_ALL, OF_ONE, BulkClosings
from detectors.signals.new_opportunities import MAX_KNOWN
from detectors.signals.opportunities import amount_band
from detectors.signals.slg_aged_win_rate import AgedWinRate
from detectors.signals.slg_cycle_spread import CycleSpread
from schemas.observations import Observation
from schemas.settings import DriftSettings
from tests.unit.account_world import DAY, HOUR, T0, Account, icp, stage_change

SETTINGS = DriftSettings(currency_rates={"USD": 0.5})
SIGNALS = [CycleSpread.configured(SETTINGS, 24), AgedWinRate.configured(SETTINGS, 24)]
BANDS = icp(more="\nbands: {amount: [10000 EUR, 50000 EUR]}\n")


def told(*events: Any) -> list[Observation]:
    account = Account(BANDS, signals=[SIGNALS[0]])
    account.take(*events)
    return [each for each in account.effects.observations if each.measure != "stage_change_seen"]


def opened_at(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_an_opportunity_is_told_when_it_opens_and_when_it_closes(signal: Any) -> None:
    account = Account(BANDS, signals=[signal])
    account.take(
        stage_change(T0, owner_id="anna", amount=20_000.0, currency="EUR"),
        stage_change(T0 + DAY, owner_id="ben", amount=90_000.0, currency="EUR"),
        stage_change(T0 + 30 * DAY, owner_id="ben", outcome="won"),
        stage_change(T0 + 40 * DAY, owner_id="ben", outcome="lost"),
    )
    seen, opened, won = account.effects.observations
    assert (seen.measure, opened.measure, won.measure) == ("stage_change_seen", "opened", "won")
    assert (opened.at, opened.began, won.at, won.began, won.value) == (T0, T0, T0 + 30 * DAY, T0, 30.0)
    assert opened.stratum == won.stratum == "10000-50000 EUR"
    assert opened.segments == {"rep": "anna"}
    assert won.segments == {"rep": "anna", "closer": "ben"}
    assert account.state.timers == {}


def test_opened_at_is_the_creation_and_the_old_are_left_out() -> None:
    opened, lost = told(
        stage_change(T0, opened_at=opened_at(T0 - 6 * DAY)), stage_change(T0 + DAY, outcome="lost")
    )
    assert (opened.began, opened.at, lost.value) == (T0 - 6 * DAY, T0, 7.0)
    old = stage_change(T0, opened_at=opened_at(T0 - 8 * DAY))
    assert [each.measure for each in told(old, stage_change(T0 + DAY, outcome="won"))] == ["left_truncated"]


def test_who_is_first_heard_of_at_its_closing_was_never_open() -> None:
    at_once = stage_change(T0, outcome="won", opened_at=opened_at(T0))
    assert [each.measure for each in told(at_once, stage_change(T0 + DAY))] == ["closed_at_once"]


def test_a_burst_is_one_opportunity() -> None:
    events = [
        stage_change(T0 + number * 20 * HOUR, opportunity_id=f"o{number}", owner_id="anna")
        for number in range(4)
    ]
    closing = stage_change(T0 + 9 * DAY, opportunity_id="o2", outcome="lost")
    assert [each.measure for each in told(*events, closing)] == ["opened", *["same_burst"] * 3]
    later = stage_change(T0 + 5 * DAY, opportunity_id="o9")
    assert [each.measure for each in told(*events, later)][-1] == "opened"


def test_a_late_closing_has_its_own_age_and_none_below_nothing() -> None:
    opened, lost = told(
        stage_change(T0), stage_change(T0 + 9 * DAY), stage_change(T0 + 4 * DAY, outcome="lost")
    )
    assert (lost.at, lost.value) == (T0 + 4 * DAY, 4.0)
    opened, won = told(stage_change(T0), stage_change(T0 - DAY, outcome="won"))
    assert (won.at, won.began, won.value) == (T0, opened.began, 0.0)


@pytest.mark.parametrize(
    ("amount", "currency", "band"),
    [
        (10_000.0, "EUR", "up to 10000 EUR"),
        (10_001.0, "EUR", "10000-50000 EUR"),
        (50_001.0, "EUR", "over 50000 EUR"),
        (20_000.0, "USD", "up to 10000 EUR"),
        (20_002.0, "USD", "10000-50000 EUR"),
        (5.0, "JPY", "no rate"),
        (None, None, "no amount"),
    ],
)
def test_bands_are_in_one_currency(amount: float | None, currency: str | None, band: str) -> None:
    assert amount_band(amount, currency, ["10000 EUR", "50000 EUR"], {"USD": 0.5}) == band


def test_without_bands_there_is_one() -> None:
    assert amount_band(5.0, "EUR", [], {}) == amount_band(None, None, [], {}) == "any amount"


@pytest.mark.parametrize("closes", [True, False])
def test_memory_is_bounded_whatever_is_sent(closes: bool) -> None:
    account = Account(BANDS, signals=SIGNALS[:1])
    for number in range(300):
        name = "o" * 200 + str(number)
        account.take(stage_change(T0 + number * DAY / 10, opportunity_id=name, owner_id="x" * 200))
        if closes:
            account.take(stage_change(T0 + number * DAY / 10 + 1, opportunity_id=name, outcome="lost"))
    measures = [each.measure for each in account.effects.observations]
    assert measures.count("too_many_open") == (300 - MAX_KNOWN) * (1 + closes)
    assert len(account.raw) < 40_000
    account.take(stage_change(T0 + 500 * DAY, opportunity_id="much later"))
    assert account.effects.observations[-1].measure == "opened"


def test_memory_outlives_the_process() -> None:
    account = Account(BANDS, signals=SIGNALS)
    account.take(stage_change(T0))
    account.state = account.stage.decode_state("a", account.raw)
    account.take(stage_change(T0 + DAY, outcome="lost"))
    assert [each.measure for each in account.effects.observations].count("lost") == 2


def test_a_bulk_is_what_an_owner_never_does() -> None:
    closings = BulkClosings()
    day = 20_000 * DAY
    assert [closings.in_bulk("anna", "lost", day + i) for i in range(6)] == [False] * OF_ONE.fewest + [
        True
    ] * 3
    assert not closings.in_bulk("ben", "lost", day)
    assert not closings.in_bulk("anna", "won", day)
    assert not closings.in_bulk("anna", "lost", day + DAY)


def test_a_bulk_is_what_all_together_never_do() -> None:
    closings = BulkClosings()
    marked = [
        [closings.in_bulk(f"owner-{number}", "won", (20_000 + day) * DAY + number) for number in range(each)]
        for day, each in enumerate((2, 3, 2, 3, 12, 2))
    ]
    assert [sum(each) for each in marked] == [0, 0, 0, 0, 12 - OF_ALL.fewest, 0]
    assert not any(marked[4][: OF_ALL.fewest])


def test_the_first_days_of_a_bulk_do_not_excuse_the_others() -> None:
    closings = BulkClosings()
    marked = [
        sum(closings.in_bulk(f"owner-{number}", "won", (20_000 + day) * DAY) for number in range(each))
        for day, each in enumerate([3] * 40 + [12] * 4 + [3])
    ]
    assert marked[:40] == [0] * 40
    assert min(marked[40:44]) >= 4
    assert marked[44] == 0


def test_a_busy_owner_is_soon_taken_for_one() -> None:
    closings = BulkClosings()
    marked = [
        sum(closings.in_bulk("anna", "won", (20_000 + day) * DAY + i) for i in range(12)) for day in range(30)
    ]
    assert marked[0] == 12 - OF_ONE.fewest
    assert marked[10:] == [0] * 20


def test_owners_are_bounded_and_the_busy_one_is_kept() -> None:
    closings = BulkClosings()
    for number in range(3 * MAX_OWNERS):
        closings.in_bulk(f"owner-{number}" + "x" * 200, "lost", number * DAY)
        closings.in_bulk("anna", "lost", number * DAY)
    assert len(closings.closers) == MAX_OWNERS
    assert "lost:anna" in closings.closers
    assert max(map(len, closings.closers)) < 80
