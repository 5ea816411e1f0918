"""Happenings: what each does to the history, and that it leaves alone what it does not touch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from schemas.event_reader import decode_event
from schemas.events import DriftAnnounced, Event, ProductEvent, ProductReleased, StageChanged, SupportTicket
from streams.simulation import texts
from streams.simulation.company import Order, simulate
from streams.simulation.deals import STAGES_RENAMED
from streams.simulation.happenings import HAPPENINGS, LAUNCHED, OF_TYPE, Happening, Kind
from streams.simulation.scenarios import SCENARIOS

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 200
START = UNTIL - timedelta(days=DAYS * 0.5)
COMPANY = msgspec.structs.replace(SCENARIOS["healthy-sales-led"], elite=0.05)


def history(folder: Path, *happenings: Happening) -> list[bytes]:
    path = folder / "events.jsonl"
    scenario = msgspec.structs.replace(COMPANY, happenings=happenings)
    order = Order(scenario=scenario, accounts=500, days=DAYS, seed=3, until=UNTIL, activity=0.2)
    simulate(order, path, lambda stage, done, total: None)
    return path.read_bytes().splitlines()


def decoded(lines: list[bytes]) -> list[Event]:
    """Each event once: repeats are as in life."""
    return list({(event.source, event.id): event for event in map(decode_event, lines)}.values())


def happening(kind: str, **changes: Any) -> Happening:
    return Happening(**({"kind": kind, "start": 0.5, "because": "test"} | changes))


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return history(tmp_path_factory.mktemp("usual"))


def tickets(events: list[Event], begin: datetime, days: float) -> list[SupportTicket]:
    end = begin + timedelta(days=days)
    return [
        e
        for e in events
        if isinstance(e, SupportTicket) and e.data.status == "open" and begin <= e.time < end
    ]


def after(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind) and event.time >= START]


def launched(events: list[Event], usual: list[Event]) -> None:
    releases = [e for e in after(events, ProductReleased) if e.data.features == [LAUNCHED]]
    assert [release.time for release in releases] == [START]
    use = Counter(e.data.feature for e in after(events, ProductEvent))
    assert 0.03 < use[LAUNCHED] / use.total() < 0.25
    assert use.total() == Counter(e.data.feature for e in after(usual, ProductEvent)).total()
    about = {subject for subject, _ in texts.LAUNCHED}
    asked = [e for e in tickets(events, START, 400) if e.data.subject in about]
    assert asked
    assert max(e.time for e in asked) < START + timedelta(days=14)


def flooded(events: list[Event], usual: list[Event]) -> None:
    wrote = Counter(ticket.subject for ticket in tickets(events, START, 2.1))
    wrote.subtract(ticket.subject for ticket in tickets(usual, START, 2.1))
    (_, most), (_, next_most) = wrote.most_common(2)
    assert (most, next_most) == (40, 0)


def down(events: list[Event], usual: list[Event]) -> None:
    about = {subject for subject, _ in texts.OUTAGE}
    wrote = Counter(ticket.subject for ticket in tickets(events, START, 400) if ticket.data.subject in about)
    assert len(wrote) > 10
    assert set(wrote.values()) == {1}


def cleaned(events: list[Event], usual: list[Event]) -> None:
    def lost(found: list[Event]) -> int:
        closed = [e for e in after(found, StageChanged) if e.data.outcome == "lost"]
        return sum(e.time < START + timedelta(hours=3) for e in closed)

    assert lost(events) > 5 * max(lost(usual), 1)


def pulled(events: list[Event], usual: list[Event]) -> None:
    def won(found: list[Event], begin: int, end: int) -> int:
        won = [e for e in found if isinstance(e, StageChanged) and e.data.outcome == "won"]
        return sum(timedelta(days=begin) <= e.time - START < timedelta(days=end) for e in won)

    assert won(events, -4, 0) > won(usual, -4, 0) + 5
    assert won(events, 0, 21) < won(usual, 0, 21) - 5


def renamed(events: list[Event], usual: list[Event]) -> None:
    open_moves = [e for e in after(events, StageChanged) if e.data.outcome is None]
    assert {e.data.to_stage for e in open_moves} == set(STAGES_RENAMED)
    assert len(open_moves) == len([e for e in after(usual, StageChanged) if e.data.outcome is None])


def joined(events: list[Event], usual: list[Event]) -> None:
    new = f"rep-{COMPANY.reps + 1:02d}"
    created = [e for e in after(events, StageChanged) if e.data.opened_at and e.data.opened_at >= START]
    by_rep = Counter(e.data.owner_id for e in created if e.data.from_stage is None)
    assert 0.04 < by_rep[new] / by_rep.total() < 0.18
    notes = [e.data.note for e in created if e.data.owner_id == new and e.data.note in texts.HEDGED]
    assert len(notes) > by_rep[new] / 2


def templated(events: list[Event], usual: list[Event]) -> None:
    notes = [e.data.note for e in after(events, StageChanged) if e.data.outcome is None]
    assert notes
    assert all(note is not None and note.startswith(texts.TEMPLATE) for note in notes)


def defaulted(events: list[Event], usual: list[Event]) -> None:
    first = texts.CATEGORIES["basic_comprehension"][0]
    assert {e.data.category for e in after(events, SupportTicket) if e.data.status == "open"} == {first}
    assert len(after(events, SupportTicket)) == len(after(usual, SupportTicket))


def split(events: list[Event], usual: list[Event]) -> None:
    names = {e.data.feature for e in after(events, ProductEvent) if e.data.feature}
    assert {"reports/own", "reports/shared", "reports/archived"} <= names
    assert len(after(events, ProductEvent)) == len(after(usual, ProductEvent))


def silent(events: list[Event], usual: list[Event]) -> None:
    def during(found: list[Event]) -> int:
        return sum(e.time < START + timedelta(days=20) for e in after(found, SupportTicket))

    assert during(events) == 0 < during(usual)
    # Delays are drawn anew, so that a few may arrive after the end.
    left = len(after(usual, SupportTicket)) - during(usual)
    assert len(after(events, SupportTicket)) == pytest.approx(left, rel=0.01)


def emptied(events: list[Event], usual: list[Event]) -> None:
    assert all(e.data.note is None for e in after(events, StageChanged))
    assert any(e.data.note for e in after(usual, StageChanged))


def doubled(events: list[Event], usual: list[Event]) -> None:
    # What would arrive after the end is cut, and the copies are a little later.
    assert len(after(events, SupportTicket)) == pytest.approx(3 * len(after(usual, SupportTicket)), rel=0.02)


def behind(events: list[Event], usual: list[Event]) -> None:
    def times(found: list[Event]) -> dict[str, datetime]:
        return {event.id: event.time for event in found if isinstance(event, SupportTicket)}

    told, true = times(events), times(usual)
    assert {true[each] - told[each] for each in told if true[each] >= START} == {timedelta(hours=9)}
    assert {true[each] - told[each] for each in told if true[each] < START} == {timedelta(0)}


def announced(events: list[Event], usual: list[Event]) -> None:
    (one,) = [event for event in events if isinstance(event, DriftAnnounced)]
    assert one.subject == "signal:plg.conversion_gap"
    assert one.data.on == START.date()
    assert one.time == START - timedelta(days=14)
    assert [event for event in events if event is not one] == usual


CHECKS: dict[str, tuple[dict[str, Any], Callable[[list[Event], list[Event]], None]]] = {
    "feature_launched": ({}, launched),
    "ticket_flood": ({"amount": 40}, flooded),
    "outage": ({}, down),
    "zombies_closed": ({}, cleaned),
    "quarter_end": ({}, pulled),
    "stages_renamed": ({}, renamed),
    "rep_joined": ({}, joined),
    "note_template": ({}, templated),
    "ticket_form_changed": ({}, defaulted),
    "features_renamed": ({}, split),
    "source_silent": ({"type": "support.ticket", "days": 20}, silent),
    "field_emptied": ({"type": "crm.stage_changed", "field": "note"}, emptied),
    "sent_twice": ({"type": "support.ticket", "amount": 3}, doubled),
    "clock_behind": ({"type": "support.ticket", "amount": 9}, behind),
    "prices_announced": ({}, announced),
}


def test_every_happening_has_its_check() -> None:
    assert set(CHECKS) == set(HAPPENINGS) == set(get_args(Kind))


@pytest.mark.parametrize("kind", CHECKS)
def test_a_happening_does_what_it_says_from_its_start_on(
    kind: str, usual: list[bytes], tmp_path: Path
) -> None:
    changes, check = CHECKS[kind]
    lines = history(tmp_path, happening(kind, **changes))
    check(decoded(lines), decoded(usual))
    # What is pulled ahead or announced comes before the start; all else stands as it was until then.
    if kind not in ("quarter_end", "prices_announced"):

        def before(found: list[bytes]) -> set[bytes]:
            untouched = START - timedelta(hours=10)
            return {line for line in found if decode_event(line).time < untouched}

        assert before(lines) == before(usual)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "source_silent"},
        {"kind": "field_emptied", "type": "crm.stage_changed"},
        {"kind": "outage", "type": "crm.stage_changed"},
        {"kind": "outage", "start": 1.0},
        {"kind": "outage", "days": 0.0},
        {"kind": "ticket_flood", "amount": 0.0},
    ],
)
def test_a_happening_without_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="happening"):
        happening(**({"kind": "outage"} | wrong))


def test_damage_names_the_kinds_that_need_a_type() -> None:
    assert set(HAPPENINGS) > OF_TYPE
