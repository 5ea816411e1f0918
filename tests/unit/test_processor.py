"""The one path: batches change nothing, timers fire in order, the ledger is exact, faults leave nothing half done."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.effects import Effects
from schemas.alerts import Notice, moment
from schemas.errors import EventRefused, Fenced, Problem
from schemas.settings import DeadLetterSettings
from streams.flood_limit import DeadLetterFlood, FloodLimit
from streams.processor import Processor
from streams.stage import one_by_one
from streams.stores.contract import Ledger
from streams.stores.memory import MemoryStore

LATE_AFTER_S = 100.0


class Event(msgspec.Struct):
    key: str
    at: float
    id: int
    timer_in: float | None = None
    bad: bool = False


class Seen(msgspec.Struct):
    ids: list[int] = []
    fired: list[float] = []
    timers: dict[str, float] = {}


class Recorder:
    """A stage that remembers what it saw, and says so in alerts; event ``bad`` is one that it fails on."""

    name = "accounts"
    tally_key = ""
    beside_key = ""

    def new_state(self, key: str) -> Seen:
        return Seen()

    def encode_state(self, key: str, state: Seen) -> bytes:
        return msgspec.json.encode(state)

    def decode_state(self, key: str, raw: bytes) -> Seen:
        return msgspec.json.decode(raw, type=Seen)

    def step(self, key: str, state: Seen, record: Event, at: float, effects: Effects) -> bool:
        if record.id in state.ids:
            return False
        state.ids.append(record.id)
        if record.bad:
            raise RuntimeError("a bug")
        effects.alerts.append(_said(f"{key} saw {record.id}", at))
        if record.timer_in is not None:
            state.timers[f"t{record.id}"] = at + record.timer_in
            effects.timers_changed = True
        return True

    def finish(self, effects: Effects) -> None:
        """Nothing."""

    def due(self, state: Seen) -> float | None:
        return min(state.timers.values(), default=None)

    def fire(self, key: str, state: Seen, until: float, effects: Effects) -> None:
        for name, due in sorted(state.timers.items(), key=lambda timer: (timer[1], timer[0])):
            if due <= until:
                if key == "stuck":
                    raise RuntimeError("a bug")
                del state.timers[name]
                state.fired.append(due)
                effects.alerts.append(_said(f"{key} fired {name} with {sorted(state.ids)}", due))
        effects.timers_changed = True


def _said(text: str, at: float) -> Notice:
    return Notice(id=text, at=moment(at), signal="s", segment="all", finding="f", what=text, means="")


def _decode(raw: bytes) -> tuple[str, float, Event]:
    try:
        event = msgspec.json.decode(raw, type=Event)
    except msgspec.DecodeError as error:
        raise EventRefused(Problem(code="not_json", what=str(error))) from None
    return event.key, event.at, event


def processor(store: MemoryStore, **options: Any) -> Processor:
    return Processor(store, Recorder(), one_by_one(_decode), late_after_s=LATE_AFTER_S, **options)


def records(events: list[Event | bytes]) -> list[tuple[int, bytes]]:
    return [(n, e if isinstance(e, bytes) else msgspec.json.encode(e)) for n, e in enumerate(events)]


def run(events: list[Event | bytes], cuts: list[int], **options: Any) -> tuple[MemoryStore, Processor]:
    """Runs the events with batches that end at ``cuts``."""
    store = MemoryStore()
    made = processor(store, **options)
    rows = records(events)
    edges = [0, *sorted(cuts), len(rows)]
    for first, last in pairwise(edges):
        made.process("events", rows[first:last])
    return store, made


def outcome(store: MemoryStore, made: Processor) -> Any:
    states = {
        key: (stored.state, stored.due) for key, stored in store._partitions["accounts", 0].states.items()
    }
    dead = [(letter.offset, letter.reason) for letter in store.dead_letters]
    return states, list(store.outbox), dead, made.ledger, made.claim.watermark


events = st.lists(
    st.one_of(
        st.builds(
            Event,
            key=st.sampled_from("abc"),
            at=st.floats(0, 400).map(round),
            id=st.integers(0, 12),
            timer_in=st.one_of(st.none(), st.sampled_from([0.0, 5.0, 50.0, 300.0])),
            bad=st.sampled_from([False] * 9 + [True]),
        ),
        st.just(b"no event"),
    ),
    max_size=25,
)


@given(history=events, data=st.data(), cached=st.sampled_from([0, 1, 1000]), chunk=st.sampled_from([1, 2, 5]))
def test_neither_batches_nor_chunks_nor_what_is_kept_in_memory_change_anything(
    history: list[Event | bytes], data: st.DataObject, cached: int, chunk: int
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(history)), max_size=6))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Processor, "chunk", chunk)
        found = outcome(*run(history, cuts, cached_states=cached))
    assert found == outcome(*run(history, []))


@given(history=events, cuts=st.lists(st.integers(0, 25), max_size=3))
def test_the_ledger_is_exact(history: list[Event | bytes], cuts: list[int]) -> None:
    _, made = run(history, [min(cut, len(history)) for cut in cuts])
    assert made.ledger.balanced
    assert made.ledger.received == len(history)


def test_what_was_committed_is_passed_over() -> None:
    store = MemoryStore()
    rows = records([Event("a", 1.0, 1), Event("a", 2.0, 2), Event("a", 3.0, 3)])
    processor(store).process("events", rows[:2])
    again = processor(store)
    assert again.next_offset("events") == 2
    assert again.process("events", rows).received == 1
    assert again.ledger.applied == 3


def test_late_is_counted_and_changes_nothing() -> None:
    store, made = run([Event("a", 500.0, 1), Event("b", 399.0, 2), Event("b", 400.0, 3)], [])
    assert (made.ledger.late, made.ledger.applied) == (1, 2)
    assert _ids(store, "b") == [3]


def test_timers_fire_before_the_event_that_moves_the_watermark_past_them() -> None:
    store, _ = run([Event("a", 10.0, 1, timer_in=5.0), Event("b", 12.0, 2), Event("a", 20.0, 3)], [])
    assert list(store.outbox) == ["a saw 1", "b saw 2", "a fired t1 with [1]", "a saw 3"]


def test_timers_of_one_time_fire_in_order_of_their_keys() -> None:
    history: list[Event | bytes] = [Event(key, 10.0, 1, timer_in=5.0) for key in "cab"]
    store, _ = run([*history, Event("z", 99.0, 1)], [1, 2])
    assert [text for text in store.outbox if "fired" in text] == [f"{key} fired t1 with [1]" for key in "abc"]


def test_the_clock_fires_timers_without_an_event() -> None:
    store = MemoryStore()
    made = processor(store)
    made.process("events", records([Event("a", 10.0, 1, timer_in=5.0)]))
    assert made.next_due() == 15.0
    made.fire_timers(14.0)
    assert len(store.outbox) == 1
    result = made.fire_timers(15.0)
    assert [alert.id for alert in result.alerts] == ["a fired t1 with [1]"]
    assert made.next_due() is None
    assert made.claim.watermark == 10.0  # the clock is no event
    assert made.ledger.balanced


def test_an_event_that_the_program_fails_on_is_dead_lettered_and_the_rest_goes_on() -> None:
    store, made = run([Event("a", 1.0, 1), Event("a", 2.0, 2, bad=True), Event("a", 3.0, 3)], [])
    assert [(letter.offset, letter.reason) for letter in store.dead_letters] == [(1, "step_failed")]
    assert _ids(store, "a") == [1, 3]  # nothing of the failed step is left
    assert made.ledger.dead_lettered == 1


def test_a_timer_that_the_program_fails_on_stops_nobody_else() -> None:
    history: list[Event | bytes] = [
        Event("a", 10.0, 1, timer_in=5.0),
        Event("stuck", 10.0, 1, timer_in=5.0),
        Event("b", 10.0, 1, timer_in=5.0),
        Event("c", 20.0, 1),
        Event("stuck", 21.0, 2),
    ]
    store, made = run(history, [3])
    assert [text for text in store.outbox if "fired" in text] == [
        "a fired t1 with [1]",
        "b fired t1 with [1]",
    ]
    assert _ids(store, "stuck") == [1, 2]
    assert made.ledger.applied == 5
    made.fire_timers(100.0)
    assert made.next_due() == 15.0  # kept, for a program that can fire it


def test_a_dead_letter_says_where_and_keeps_the_event() -> None:
    store, _ = run([b"no event"], [])
    letter = store.dead_letters[0]
    assert (letter.topic, letter.offset, letter.reason, letter.body) == ("events", 0, "not_json", b"no event")


def test_a_former_owner_is_fenced_and_leaves_nothing() -> None:
    store = MemoryStore()
    former = processor(store)
    owner = processor(store)
    rows = records([Event("a", 1.0, 1)])
    with pytest.raises(Fenced):
        former.process("events", rows)
    owner.process("events", rows)
    assert _ids(store, "a") == [1]
    assert owner.ledger.applied == 1


def test_states_kept_in_memory_are_bounded() -> None:
    history: list[Event | bytes] = [Event(f"k{n}", float(n), n) for n in range(500)]
    random.Random(1).shuffle(history)
    _, made = run(history, list(range(0, 500, 20)), cached_states=30)
    assert len(made._owned.slots) <= 30


def _ids(store: MemoryStore, key: str) -> list[int]:
    return msgspec.json.decode(store._partitions["accounts", 0].states[key].state, type=Seen).ids


def flooding(**settings: Any) -> FloodLimit:
    return FloodLimit(
        DeadLetterSettings.model_validate({"window": 10, "share": 0.5, "min_count": 3, **settings})
    )


@pytest.mark.parametrize("bad", [b"not JSON", Event("a", 2.0, 2, bad=True)])
def test_a_flood_of_dead_letters_is_refused_and_nothing_of_its_batch_is_in(bad: Event | bytes) -> None:
    store = MemoryStore()
    limit = flooding()
    made = processor(store, flood_limit=limit)
    made.process("events", records([Event("a", 1.0, 1), bad]))
    before = outcome(store, made)
    flood = records([Event("a", 1.0, 1), bad, Event("b", 3.0, 3), *[bad] * 4])
    for _ in range(2):
        with pytest.raises(DeadLetterFlood, match=r"nothing of this batch is committed"):
            made.process("events", flood)
        assert outcome(store, made) == before
        assert made.next_offset("events") == 2
    limit.lift()
    made.process("events", flood)
    assert made.ledger == Ledger(received=7, applied=2, dead_lettered=5)


def test_a_step_that_always_fails_does_not_take_the_batch_again_for_each_event() -> None:
    stage = Recorder()
    steps = 0

    def step(key: str, state: Seen, record: Event, at: float, effects: Effects) -> bool:
        nonlocal steps
        steps += 1
        raise RuntimeError("a bug")

    stage.step = step  # type: ignore[method-assign]
    made = Processor(MemoryStore(), stage, one_by_one(_decode), flood_limit=flooding())
    with pytest.raises(DeadLetterFlood) as refused:
        made.process("events", records([Event("a", float(n), n) for n in range(1000)]))
    assert steps == 3
    assert refused.value.reasons == ("step_failed",)
