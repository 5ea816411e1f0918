"""Real sales: the marketing funnel of Olist comes in whole. Skips where the data is not there; it is not the project's."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from schemas.event_reader import decode_event
from schemas.events import AccountProfile, Event, ProductEvent, StageChanged
from schemas.icp import load_icp
from schemas.mapping import load_mapping
from streams.csv_import.importing import Imported, run_import
from streams.csv_import.plan import make_plan

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT.parent / "shared" / "data" / "olist"
EXAMPLE = ROOT / "examples" / "olist"

needs_data = pytest.mark.skipif(
    not (DATA / "leads.csv").exists() or not (DATA / "deals.csv").exists(),
    reason="the Olist files are not at ../shared/data/olist (see examples/olist/README.md)",
)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Imported, list[Event]]:
    output = tmp_path_factory.mktemp("olist") / "events.jsonl"
    text = (EXAMPLE / "mapping.yaml").read_text()
    mapping = load_mapping(text)
    plan = make_plan(mapping, text, "mapping.yaml", [DATA / "deals.csv", DATA / "leads.csv"])
    now = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
    imported = run_import(mapping, plan, output, strict=True, now=now, progress=lambda *_: None)
    return imported, [decode_event(line) for line in output.read_bytes().splitlines()]


@needs_data
def test_every_lead_and_every_win_becomes_an_event(history: tuple[Imported, list[Event]]) -> None:
    imported, events = history
    assert imported.rejected == 0
    assert imported.repeats == 0
    assert [(file.file, file.read, file.used) for file in imported.files] == [
        ("leads.csv", 8000, 8000),
        ("deals.csv", 842, 842),
    ]
    signed_up = {event.subject for event in events if isinstance(event, ProductEvent)}
    won = {
        event.subject for event in events if isinstance(event, StageChanged) and event.data.outcome == "won"
    }
    with (DATA / "leads.csv").open() as leads, (DATA / "deals.csv").open() as deals:
        assert signed_up == {row["mql_id"] for row in csv.DictReader(leads)}
        assert won == {row["mql_id"] for row in csv.DictReader(deals)}
    assert (len(signed_up), len(won)) == (8000, 842)
    assert imported.events == {"account.profile": 8842, "crm.stage_changed": 842, "product.event": 8000}
    assert len({(event.source, event.id) for event in events}) == len(events)
    assert [event.time for event in events] == sorted(event.time for event in events)


@needs_data
def test_the_deal_won_before_its_first_contact_is_there(history: tuple[Imported, list[Event]]) -> None:
    _, events = history
    first = {event.subject: event.time for event in events if isinstance(event, ProductEvent)}
    early = [
        event for event in events if isinstance(event, StageChanged) and event.time < first[event.subject]
    ]
    assert len(early) == 1
    assert first[early[0].subject] - early[0].time > timedelta(days=1)


@needs_data
def test_days_that_begin_at_an_hour_that_the_clock_skipped_are_kept(
    history: tuple[Imported, list[Event]],
) -> None:
    # On 2017-10-15 Brazil's clock went from 00:00 to 01:00: the day has no midnight.
    imported, events = history
    zone = ZoneInfo("America/Sao_Paulo")
    that_day = [
        event.time.astimezone(zone)
        for event in events
        if isinstance(event, ProductEvent) and event.time.astimezone(zone).date().isoformat() == "2017-10-15"
    ]
    assert len(that_day) == 7
    assert {time.hour for time in that_day} == {1}
    assert imported.clock_skipped == 14  # two events for each


@needs_data
def test_wins_that_carry_a_day_alone_fall_on_midnight_in_brazil(
    history: tuple[Imported, list[Event]],
) -> None:
    # Why the wins are read as UTC: their round hours are 02:00 in Brazil's summer time and 03:00 else.
    _, events = history
    zone = ZoneInfo("America/Sao_Paulo")
    local = [event.time.astimezone(zone) for event in events if isinstance(event, StageChanged)]
    round_hours = Counter(time.hour for time in local if (time.minute, time.second) == (0, 0))
    assert round_hours[0] > 0.9 * round_hours.total()
    assert round_hours.total() > 50


@needs_data
def test_sources_are_those_of_the_file_and_an_empty_one_is_unknown(
    history: tuple[Imported, list[Event]],
) -> None:
    _, events = history
    sources = Counter(
        event.data.attributes["acquisition_source"]
        for event in events
        if isinstance(event, AccountProfile) and "acquisition_source" in event.data.attributes
    )
    assert sources.total() == 8000
    assert sources["unknown"] == 1099 + 60
    assert {"organic search", "paid search", "social", "referral"} < set(sources)


def test_the_icp_file_is_sound() -> None:
    icp = load_icp((EXAMPLE / "icp.yaml").read_text(), "icp.yaml")
    assert icp.lifecycle.signed_up == icp.lifecycle.activated


def test_nothing_of_the_data_is_in_the_example() -> None:
    assert sorted(path.name for path in EXAMPLE.iterdir()) == ["README.md", "icp.yaml", "mapping.yaml"]
