"""The tally of sources: an hour is told once, exactly, however events fall into batches, partitions and processes."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.accounts import NOT_ACCOUNTS, AccountStage
from detectors.catalogue import signals
from detectors.health.fields import looked_at, sketch_bit
from detectors.health.needs import needs_of
from detectors.health.tally import MAX_SOURCES, OTHERS, QUIET_HOURS, RETOLD_AFTER, SIGNAL, TALLY_KEY
from schemas.duration import DAY, HOUR
from schemas.event_reader import EventReader
from schemas.events import EVENT_CLASSES
from schemas.observations import Observation, decode_observation
from schemas.settings import Settings
from streams.processor import Processor
from streams.stores.memory import MemoryStore
from tests.unit.account_world import icp

BEGIN = 20_000 * DAY
SETTINGS = Settings()
SIGNALS = signals(SETTINGS.drift)


def ticket(
    number: int, at: float, *, source: str = "/desk", ticket_id: str = "", account: str = "a"
) -> bytes:
    return _event(
        number,
        at,
        source,
        account,
        "support.ticket",
        {"ticket_id": ticket_id or f"t{number}", "subject": "help"},
    )


def use(number: int, at: float, *, feature: str | None, account: str = "a") -> bytes:
    data = {"name": "opened"} | ({"feature": feature} if feature else {})
    return _event(number, at, "/web", account, "product.event", data)


def _event(number: int, at: float, source: str, account: str, kind: str, data: dict[str, Any]) -> bytes:
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": f"e{number}",
            "source": source,
            "type": kind,
            "subject": account,
            "time": _utc(at),
            "data": data,
        }
    )


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def stage() -> AccountStage:
    return AccountStage([icp()], SIGNALS, SETTINGS.late_after)


def heard(lines: list[bytes], cuts: list[int], until: float | None = None) -> list[Observation]:
    """What data.health is told, batch by batch, each batch by a new owner."""
    return [each for each in observed(lines, cuts, until) if each.signal == SIGNAL]


def observed(lines: list[bytes], cuts: list[int], until: float | None = None) -> list[Observation]:
    """What all signals are told."""
    store = MemoryStore()
    made: Processor | None = None
    edges = [0, *sorted(cuts), len(lines)]
    for first, last in pairwise(edges):
        made = Processor(
            store, stage(), EventReader(SETTINGS.limits).read_all, late_after_s=SETTINGS.late_after
        )
        made.process("events", list(enumerate(lines))[first:last])
    if until is not None and made is not None:
        made.fire_timers(until)
    return [decode_observation(raw) for raw in store.observations]


events = st.lists(
    st.builds(
        lambda number, minutes, feature, account, of_desk: (
            ticket(number, BEGIN + 60 * minutes, account=account, ticket_id=f"t{number % 3}")
            if of_desk
            else use(number, BEGIN + 60 * minutes, feature=feature, account=account)
        ),
        st.integers(0, 30),
        st.integers(0, 60 * 9),
        st.sampled_from([None, "search", "export"]),
        st.sampled_from("abcd"),
        st.booleans(),
    ),
    max_size=30,
)


@settings(max_examples=25)
@given(lines=events, cuts=st.lists(st.integers(0, 30), max_size=5))
def test_batches_and_owners_change_nothing(lines: list[bytes], cuts: list[int]) -> None:
    within = [cut for cut in cuts if cut <= len(lines)]
    assert observed(lines, within, BEGIN + DAY) == observed(lines, [], BEGIN + DAY)


@settings(max_examples=25)
@given(lines=events)
def test_every_event_is_told_once(lines: list[bytes]) -> None:
    told = heard(lines, [], BEGIN + DAY)
    assert sum(each.counts["seen"][0] for each in told if each.counts) == len(lines)
    known = [each.known for each in told]
    assert known == sorted(known)
    assert all(each.at % HOUR == 0 and each.known == each.at for each in told)


def test_what_is_counted_of_an_hour() -> None:
    lines = [
        use(1, BEGIN + 60, feature="search"),
        use(2, BEGIN + 120, feature=None),
        use(2, BEGIN + 120, feature=None),
        ticket(3, BEGIN + 5 * HOUR, ticket_id="t"),
        ticket(4, BEGIN + 5 * HOUR + 1, ticket_id="t"),
        use(5, BEGIN + HOUR, feature="search"),
        use(6, BEGIN + 6 * HOUR + 1, feature=None),
        use(7, BEGIN - 31 * DAY, feature=None),
    ]
    told = {
        (each.at - BEGIN) / HOUR: each
        for each in heard(lines, [], BEGIN + 7 * HOUR)
        if each.segments.get("source") == "/web"
    }
    assert told[1].counts["seen"] == [3, 1, 0, 0]
    assert sum(told[1].counts["values.feature"]) == 1
    assert sum(told[1].counts["values.name"]) == 2
    # It arrives in the sixth hour, four hours behind the help desk.
    assert told[6].counts["seen"] == [1, 0, 0, 1]
    assert told[7].counts["seen"] == [2, 0, 1, 1]
    (desk,) = [each for each in heard(lines, []) if each.segments.get("source") == "/desk"]
    assert desk.counts["named"] == [2]
    assert desk.counts["bits"] == [sketch_bit(("a", "t", None, None))]


def test_nothing_private_is_told() -> None:
    (told,) = heard([ticket(1, BEGIN, account="anna@example.com", ticket_id="secret")], [], BEGIN + HOUR)
    text = msgspec.json.encode(told)
    assert told.account == ""
    assert b"anna" not in text
    assert b"secret" not in text


def test_since_when_tickets_are_recorded_is_told_where_it_is_news() -> None:
    times = [
        BEGIN + HOUR,
        BEGIN + 2 * HOUR,
        BEGIN,  # older than the first, and told at BEGIN + 2 * HOUR
        BEGIN + RETOLD_AFTER + HOUR,
        BEGIN + RETOLD_AFTER + 2 * HOUR,
        BEGIN + RETOLD_AFTER + 3 * HOUR,
    ]
    lines = [ticket(number, at, account=f"a{number}") for number, at in enumerate(times)]

    told = [each.at for each in observed(lines, [2, 5]) if each.measure == "ticket_seen"]

    # Two signals count tickets, and each wants to know.
    assert told == [time for place in (0, 2, 4) for time in (times[place],) * 2]


def test_sources_are_bounded() -> None:
    lines = [ticket(n, BEGIN + n / 10, source=f"/{n}") for n in range(MAX_SOURCES + 50)]
    told = heard(lines, [], BEGIN + HOUR)
    assert len(told) == MAX_SOURCES + 1
    others = next(each for each in told if each.segments["source"] == OTHERS)
    assert others.counts["seen"][0] == 50


def test_a_gap_of_years_is_not_told_by_the_hour() -> None:
    told = heard([ticket(1, BEGIN), ticket(2, BEGIN + 700 * DAY)], [], BEGIN + 701 * DAY)
    assert len(told) <= 2 * (QUIET_HOURS + 1)
    assert told[-1].at == BEGIN + 701 * DAY


def test_the_tally_is_no_account() -> None:
    assert TALLY_KEY.startswith(NOT_ACCOUNTS)
    assert not TALLY_KEY.isprintable()


def test_what_signals_need_is_looked_at() -> None:
    looked = looked_at([needs_of(signal, [icp()]) for signal in SIGNALS])
    of_type = {kind: looked[EVENT_CLASSES[kind]] for kind in EVENT_CLASSES}
    assert set(of_type["product.event"].valued) == {"feature", "name"}
    assert "note" in of_type["crm.stage_changed"].valued
    assert "owner_id" in of_type["crm.stage_changed"].optional
    assert "opportunity_id" not in of_type["crm.stage_changed"].optional
    assert of_type["support.ticket"].key is not None
