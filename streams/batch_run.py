"""One batch in the making, and what a processor holds between batches (streams/processor.py says what is promised)."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any

import structlog

from detectors.effects import Effects
from detectors.health.tally import Heard
from schemas.alerts import encode_alert
from schemas.observations import Observation, encode_observation
from streams.batch_result import BatchResult
from streams.stage import Stage
from streams.stores.contract import Claim, Commit, DeadLetter, Ledger, OutboxRow, StateWrite, Store

MAX_DEAD_LETTER_BYTES = 65_536

_log = structlog.get_logger()


class Slot:
    """One decoded state in memory."""

    __slots__ = ("batch", "due", "row", "state", "stored_due")

    def __init__(self, state: Any, row: int, due: float | None) -> None:
        self.state = state
        self.row = row
        self.stored_due = due
        self.due = due
        self.batch = 0


class OwnedPartition:
    """One state partition of one stage, as its only writer has it in memory. ``cached_states`` bounds the states held
    between batches; ``keep_observations``: whether they are committed."""

    def __init__(
        self, store: Store, stage: Stage, partition: int, cached_states: int, keep_observations: bool
    ) -> None:
        self.store = store
        self.stage = stage
        self.cached_states = cached_states
        self.keep_observations = keep_observations
        self.slots: dict[str, Slot] = {}
        """the longest untouched first"""
        self.stuck: set[str] = set()
        """keys whose timers failed; they are tried again by the next owner"""
        self.batches = 0
        self.claim: Claim = store.claim(stage.name, partition)
        self.time = self.claim.watermark
        """the newest event or timer so far; ahead of the watermark where the clock fired timers"""


class TimerFailed(Exception):
    """A timer of ``key`` raised an exception."""

    def __init__(self, key: str) -> None:
        self.key = key


class BatchRun:
    """One batch in the making: the states it touches, the timers due in it, and its commit."""

    def __init__(self, owned: OwnedPartition) -> None:
        self._owned = owned
        self._began = time.perf_counter()
        owned.batches += 1
        self.number = owned.batches
        self._touched: list[tuple[str, Slot]] = []
        self.effects = Effects(time=owned.time)
        self.heap: list[tuple[float, str]] = []
        self.watermark = owned.claim.watermark
        self._loaded_until = -inf
        self.heard = Heard()
        """since ``count`` was last called"""
        self._applied: Counter[type] = Counter()
        self._duplicate: Counter[type] = Counter()
        self._late: Counter[type] = Counter()
        self._dead: list[DeadLetter] = []
        self.dead_at: list[int] = []

    def reject(
        self, index: int, topic: str, offset: int, reason: str, detail: str, body: bytes | Observation
    ) -> None:
        """Makes a dead letter of the ``index``-th record of the batch."""
        if isinstance(body, Observation):
            body = encode_observation(body)
        # What a step refuses comes after what does not decode of its chunk.
        place = bisect_right(self.dead_at, index)
        self.dead_at.insert(place, index)
        self._dead.insert(place, DeadLetter(topic, offset, reason, detail, body[:MAX_DEAD_LETTER_BYTES]))

    def reasons(self) -> list[str]:
        """Of the batch's dead letters, the most frequent first."""
        return [reason for reason, _ in Counter(letter.reason for letter in self._dead).most_common()]

    def load(self, keys: Sequence[str], until: float) -> None:
        """Brings the states of ``keys``, and of all keys with a timer due by ``until``, into memory."""
        owned = self._owned
        slots = owned.slots
        missing = {key for key in keys if key not in slots}
        # What was due by the end of the chunk before has fired; the store learns of that at the commit.
        loaded = owned.store.load(owned.claim, missing, until, self._loaded_until)
        self._loaded_until = until
        decode_state = owned.stage.decode_state
        for key, stored in loaded.states.items():
            if key not in slots:
                slots[key] = Slot(decode_state(key, stored.state), stored.row, stored.due)
        self.heap.extend((due, key) for key in loaded.due_keys if (due := slots[key].due) is not None)
        heapify(self.heap)

    def touch(self, key: str) -> Slot:
        """The state of ``key``, to be written at the commit; moves it to the young end of what is kept in memory."""
        slots = self._owned.slots
        slot = slots.get(key)
        if slot is not None and slot.batch == self.number:
            return slot
        if slot is None:
            slot = Slot(self._owned.stage.new_state(key), 0, None)
        else:
            del slots[key]
        slots[key] = slot
        slot.batch = self.number
        self._touched.append((key, slot))
        return slot

    def hold_beside(self) -> None:
        """Gives the stage the state that it wants at hand, whosever record comes."""
        stage, slots = self._owned.stage, self._owned.slots
        slot = slots.get(stage.beside_key)
        if slot is None:
            slot = slots[stage.beside_key] = Slot(stage.new_state(stage.beside_key), 0, None)
        stage.hold(slot.state)

    def begin_tally(self, time: float) -> None:
        """``time``: of the first record, or the watermark where that is later. Without the timer that this sets, the first
        hour would end with the first chunk."""
        key = self._owned.stage.tally_key
        slot = self._owned.slots.get(key)
        if slot is None or slot.due is None:
            slot = self.touch(key)
            self._owned.stage.begin_tally(slot.state, time)
            self.note_due(key, slot)

    def count(self) -> None:
        """Counts what was heard: at the end of a chunk, while it is still in the processor's cache, and before the tally is
        told."""
        heard = self.heard
        if not (heard.applied or heard.duplicate or heard.late):
            return
        stage = self._owned.stage
        if stage.tally_key:
            stage.tally(self.touch(stage.tally_key).state, heard)
        self._applied.update(map(type, heard.applied))
        self._duplicate.update(map(type, heard.duplicate))
        self._late.update(map(type, heard.late))
        heard.clear()

    def note_due(self, key: str, slot: Slot) -> None:
        """Called after a step that set or removed a timer."""
        self.effects.timers_changed = False
        due = self._owned.stage.due(slot.state)
        if due != slot.due:
            slot.due = due
            if due is not None:
                heappush(self.heap, (due, key))

    def fire(self, until: float) -> None:
        """Fires what is due by ``until``, in order of (due, key)."""
        heap = self.heap
        stage = self._owned.stage
        while heap and heap[0][0] <= until:
            due, key = heappop(heap)
            slot = self._owned.slots[key]
            if slot.due != due or key in self._owned.stuck:
                continue
            if key == stage.tally_key:
                self.count()
            self.touch(key)
            if due > self.effects.time:
                self.effects.time = due
            try:
                stage.fire(key, slot.state, due, self.effects)
            except Exception as error:
                _log.exception("timer failed", stage=stage.name, error=type(error).__name__, exc_info=False)
                raise TimerFailed(key) from error
            slot.due = None
            self.note_due(key, slot)

    def stepped(self, offsets: dict[str, int], received: int) -> BatchRun:
        """Called when all is done but the commit. ``offsets``: topic -> offset of the next record to read, after this batch;
        ``received`` so many records."""
        self._offsets, self._received = offsets, received
        self._stepped_s = time.perf_counter() - self._began
        return self

    def commit(self) -> BatchResult:
        """Raises Fenced when another owner has taken over; then nothing of the batch is in."""
        began = time.perf_counter()
        owned = self._owned
        before = owned.claim.ledger
        owned.stage.finish(self.effects)
        encode_state = owned.stage.encode_state
        alerts = [
            OutboxRow(id=alert.id, kind=_kind(alert), at=alert.at.timestamp(), body=encode_alert(alert))
            for alert in self.effects.alerts
        ]
        kept = self.effects.observations if owned.keep_observations else ()
        commit = Commit(
            states=[
                StateWrite(
                    key, encode_state(key, slot.state), slot.row, slot.due, slot.due != slot.stored_due
                )
                for key, slot in self._touched
            ],
            listings=self.effects.listings,
            outbox=alerts,
            observations=[encode_observation(observation) for observation in kept],
            dead_letters=self._dead,
            offsets=self._offsets,
            watermark=self.watermark,
            ledger=Ledger(
                received=before.received + self._received,
                applied=before.applied + self._applied.total(),
                duplicate=before.duplicate + self._duplicate.total(),
                late=before.late + self._late.total(),
                dead_lettered=before.dead_lettered + len(self._dead),
            ),
        )
        commit_began = time.perf_counter()
        committed = owned.store.commit(owned.claim, commit)
        ended = time.perf_counter()
        owned.claim = committed.claim
        owned.time = self.effects.time
        rows = committed.rows
        for key, slot in self._touched:
            slot.stored_due = slot.due
            if not slot.row:
                slot.row = rows[key]
        self._evict()
        return BatchResult(
            stage=owned.stage.name,
            touched=len(self._touched),
            received=self._received,
            applied=_by_class(self._applied),
            duplicate=_by_class(self._duplicate),
            late=_by_class(self._late),
            dead_letters=self._dead,
            alerts=alerts,
            effects=self.effects,
            batch_s=self._stepped_s + ended - began,
            commit_s=ended - commit_began,
        )

    def _evict(self) -> None:
        slots = self._owned.slots
        excess = len(slots) - self._owned.cached_states
        if excess > 0:
            for key in list(slots)[:excess]:
                del slots[key]


def _by_class(counts: Counter[type]) -> dict[str, int]:
    return {kind.__name__: count for kind, count in counts.items()}


def _kind(alert: Any) -> str:
    return str(type(alert).__struct_config__.tag)
