"""load -> step -> commit: the one path that live runs, replay and simulation all take.

Rules:
1. A batch is in or it is not: states, timers, alerts, observations, dead letters and offsets are committed together.
2. Nothing depends on where batches begin and end: before each event that moves the watermark, the timers due by then
   fire, in order of (due, key); and after each step those that it made due.
3. ``received = applied + duplicate + late + dead_lettered``, in every commit.
4. A record that a step refuses (EventRefused) is dead-lettered with its reason, one on which it fails (a bug) as
   ``step_failed``; then the batch is taken again without it. A key whose timers fail keeps them, and this processor does
   not fire them again: one account must not stop all others.
5. Decoded states stay in memory while this processor owns the partition: it is the only writer, and ``commit`` is
   refused (Fenced) when it is not any more. Then the processor is of no more use; a new one takes a new claim.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any

import structlog

from detectors.effects import BY_TIMER, Effects
from detectors.health.tally import BEHIND_S, Heard
from schemas.alerts import encode_alert
from schemas.errors import EventRefused
from schemas.observations import encode_observation
from streams.batch_result import BatchResult
from streams.flood_limit import DeadLetterFlood, FloodLimit
from streams.stage import Decode, Stage
from streams.stores.contract import Claim, Commit, DeadLetter, Ledger, OutboxRow, StateWrite, Store

__all__ = ["BatchResult", "Processor"]

MAX_DEAD_LETTER_BYTES = 65_536

_log = structlog.get_logger()

_Place = Callable[[int], tuple[str, int]]
"""index of a record in its batch -> (topic, offset), for a dead letter"""


Decoded = tuple[int, str, float, Any]
"""(number in the batch, key, event time in Unix seconds, record). Without key and record it only moves the watermark on"""


class _Slot:
    """One decoded state in memory."""

    __slots__ = ("batch", "due", "row", "state", "stored_due")

    def __init__(self, state: Any, row: int, due: float | None) -> None:
        self.state = state
        self.row = row
        self.stored_due = due
        self.due = due
        self.batch = 0


class StepFailed(Exception):
    """A step raised an exception on the record number ``index`` of the batch."""

    def __init__(self, index: int) -> None:
        self.index = index


class TimerFailed(Exception):
    """A timer of ``key`` raised an exception."""

    def __init__(self, key: str) -> None:
        self.key = key


class Processor:
    """Owns one state partition of one stage.

    ``late_after_s``: records older than this at the watermark are late; None takes all. ``cached_states`` bounds the
    states held in memory between batches. ``flood_limit``: how many dead letters are too many; None takes all.
    """

    chunk = 1000
    """records decoded at once"""

    def __init__(
        self,
        store: Store,
        stage: Stage,
        decode: Decode,
        *,
        partition: int = 0,
        late_after_s: float | None = None,
        cached_states: int = 50_000,
        flood_limit: FloodLimit | None = None,
    ) -> None:
        self._store = store
        self._stage = stage
        self._flood_limit = flood_limit
        self.decode = decode
        """may be replaced between batches"""
        self._late_after_s = inf if late_after_s is None else late_after_s
        self._behind_s = min(BEHIND_S, self._late_after_s)
        self._cached_states = cached_states
        self._slots: dict[str, _Slot] = {}
        self._batch = 0
        self._stuck: set[str] = set()
        """keys whose timers failed; they are tried again by the next processor"""
        self._claim = store.claim(stage.name, partition)
        self._time = self._claim.watermark
        """the newest event or timer so far; ahead of the watermark where the clock fired timers"""

    @property
    def claim(self) -> Claim:
        return self._claim

    @property
    def ledger(self) -> Ledger:
        return self._claim.ledger

    def next_offset(self, topic: str) -> int:
        return self._claim.offsets.get(topic, 0)

    def next_due(self) -> float | None:
        return self._store.next_due(self._claim)

    def process(self, topic: str, records: Sequence[tuple[int, bytes]]) -> BatchResult:
        """Takes ``records`` (offset, body) of one topic in, in order. Those that were committed before are passed
        over. Raises Fenced when another owner has taken over, DeadLetterFlood when the batch would pass the limit of dead
        letters; then nothing of the batch is in."""
        begin = self.next_offset(topic)
        offsets = [offset for offset, _ in records if offset >= begin]
        bodies = [body for offset, body in records if offset >= begin]
        reached = {topic: offsets[-1] + 1} if offsets else {}
        return self._until_done(bodies, lambda index: (topic, offsets[index]), reached)

    def process_merged(
        self, records: Sequence[tuple[str, int, bytes]], offsets: Mapping[str, int]
    ) -> BatchResult:
        """Takes ``records`` (topic, offset, body) of several topics in, in this order, and commits ``offsets``: topic ->
        offset of the next record to read. What was committed before has to be left out by the caller. Raises Fenced as
        ``process`` does."""
        bodies = [record[2] for record in records]
        return self._until_done(bodies, lambda index: records[index][:2], dict(offsets))

    def _until_done(self, bodies: Sequence[bytes], place: _Place, offsets: dict[str, int]) -> BatchResult:
        failed: set[int] = set()
        while True:
            try:
                return self._process(bodies, place, offsets, failed)
            except StepFailed as failure:
                failed.add(failure.index)
            except TimerFailed as failure:
                self._stuck.add(failure.key)
            except DeadLetterFlood:
                self._slots.clear()
                raise
            # States may be half changed: what is in memory is thrown away, and the batch is taken again.
            self._slots.clear()

    def fire_timers(self, until: float) -> BatchResult:
        """Fires the timers due by ``until`` (Unix seconds), as the clock does when no event comes."""
        while True:
            run = _Run(self)
            run.load((), until)
            try:
                run.fire(until)
            except TimerFailed as failure:
                self._stuck.add(failure.key)
                self._slots.clear()
                continue
            return run.commit({}, 0)

    def _process(
        self, bodies: Sequence[bytes], place: _Place, offsets: dict[str, int], failed: set[int]
    ) -> BatchResult:
        run = _Run(self)
        if failed and self._flood_limit is not None:
            # When all steps fail, a batch must not be taken again for each of them.
            flood = self._flood_limit.look(sorted(failed))
            if flood is not None:
                raise DeadLetterFlood(flood, ["step_failed"])
        for first in range(0, len(bodies), self.chunk):
            self._step_through(run, bodies[first : first + self.chunk], place, first, failed)
        run.fire(run.watermark)
        if self._flood_limit is not None:
            flood = self._flood_limit.take(len(bodies), run.dead_at)
            if flood is not None:
                raise DeadLetterFlood(flood, run.reasons())
        return run.commit(offsets, self._received(bodies))

    def _received(self, bodies: Sequence[bytes]) -> int:
        return len(bodies)

    def _step_through(
        self, run: _Run, bodies: Sequence[bytes], place: _Place, first: int, failed: set[int]
    ) -> None:
        """Takes a chunk of a batch in: decoded records are let go of while they are still in the processor's cache."""
        watermark = run.watermark
        decoded, until = self._decode_all(run, bodies, place, first, failed)
        stage = self._stage
        aside = [key for key in (stage.tally_key, stage.beside_key) if key]
        run.load([*aside, *(entry[1] for entry in decoded if entry[1])], until)
        if stage.beside_key:
            run.hold_beside()
        if stage.tally_key and decoded:
            run.begin_tally(max(watermark, decoded[0][2]))
        step = stage.step
        effects = run.effects
        heap = run.heap
        slots = self._slots
        number = run.number
        heard, behind_s, late_after_s = run.heard, self._behind_s, self._late_after_s
        applied, duplicate = heard.applied, heard.duplicate
        behind = watermark - behind_s
        for index, key, at, record in decoded:
            if at > watermark:
                watermark = at
                behind = at - behind_s
                if heap and heap[0][0] <= watermark:
                    effects.position = BY_TIMER
                    run.fire(watermark)
                if at > effects.time:
                    effects.time = at
                if record is None:
                    continue
            if at < behind:
                heard.behind.append(record)
                if at < watermark - late_after_s:
                    heard.late.append(record)
                    continue
            slot = slots.get(key)
            if slot is None or slot.batch != number:
                slot = run.touch(key)
            effects.position = index
            try:
                fresh = step(key, slot.state, record, at, effects)
            except EventRefused as refused:
                run.reject(
                    index, *place(index), refused.problem.code, str(refused.problem), bodies[index - first]
                )
                continue
            except Exception as error:
                # A bug must not stop the stream. The type alone goes into the log: texts could hold the event's data.
                _log.exception(
                    "step failed", stage=self._stage.name, error=type(error).__name__, exc_info=False
                )
                raise StepFailed(index) from error
            if fresh:
                applied.append(record)
            else:
                duplicate.append(record)
            if effects.timers_changed:
                run.note_due(key, slot)
                if heap and heap[0][0] <= watermark:
                    run.fire(watermark)
        run.watermark = watermark
        run.count()

    def _decode_all(
        self, run: _Run, bodies: Sequence[bytes], place: _Place, first: int, failed: set[int]
    ) -> tuple[list[Decoded], float]:
        """The records that can be read, and how far the watermark will have come after them (Unix seconds)."""
        decode = self.decode
        decoded: list[Decoded] = []
        until = run.watermark
        for index, body in enumerate(bodies, first):
            if failed and index in failed:
                run.reject(index, *place(index), "step_failed", "the program failed on it", body)
                continue
            try:
                key, at, record = decode(body)
            except EventRefused as error:
                run.reject(index, *place(index), error.problem.code, str(error.problem), body)
                continue
            decoded.append((index, key, at, record))
            if at > until:
                until = at
        return decoded, until


class _Run:
    """One batch in the making: the states it touches, the timers due in it, and its commit."""

    def __init__(self, owner: Processor) -> None:
        self._owner = owner
        self._began = time.perf_counter()
        owner._batch += 1
        self.number = owner._batch
        self._touched: list[tuple[str, _Slot]] = []
        self.effects = Effects(time=owner._time)
        self.heap: list[tuple[float, str]] = []
        self.watermark = owner._claim.watermark
        self._loaded_until = -inf
        self.heard = Heard()
        """since ``count`` was last called"""
        self._applied: Counter[type] = Counter()
        self._duplicate: Counter[type] = Counter()
        self._late: Counter[type] = Counter()
        self._dead: list[DeadLetter] = []
        self.dead_at: list[int] = []

    def reject(self, index: int, topic: str, offset: int, reason: str, detail: str, body: bytes) -> None:
        """Makes a dead letter of the ``index``-th record of the batch."""
        # What a step refuses comes after what does not decode of its chunk.
        place = bisect_right(self.dead_at, index)
        self.dead_at.insert(place, index)
        self._dead.insert(place, DeadLetter(topic, offset, reason, detail, body[:MAX_DEAD_LETTER_BYTES]))

    def reasons(self) -> list[str]:
        """Of the batch's dead letters, the most frequent first."""
        return [reason for reason, _ in Counter(letter.reason for letter in self._dead).most_common()]

    def load(self, keys: Sequence[str], until: float) -> None:
        """Brings the states of ``keys``, and of all keys with a timer due by ``until``, into memory."""
        owner = self._owner
        slots = owner._slots
        missing = {key for key in keys if key not in slots}
        # What was due by the end of the chunk before has fired; the store learns of that at the commit.
        loaded = owner._store.load(owner._claim, missing, until, self._loaded_until)
        self._loaded_until = until
        decode_state = owner._stage.decode_state
        for key, stored in loaded.states.items():
            if key not in slots:
                slots[key] = _Slot(decode_state(key, stored.state), stored.row, stored.due)
        self.heap.extend((due, key) for key in loaded.due_keys if (due := slots[key].due) is not None)
        heapify(self.heap)

    def touch(self, key: str) -> _Slot:
        """The state of ``key``, to be written at the commit; moves it to the young end of what is kept in memory."""
        slots = self._owner._slots
        slot = slots.get(key)
        if slot is not None and slot.batch == self.number:
            return slot
        if slot is None:
            slot = _Slot(self._owner._stage.new_state(key), 0, None)
        else:
            del slots[key]
        slots[key] = slot
        slot.batch = self.number
        self._touched.append((key, slot))
        return slot

    def hold_beside(self) -> None:
        """Gives the stage the state that it wants at hand, whosever record comes."""
        stage, slots = self._owner._stage, self._owner._slots
        slot = slots.get(stage.beside_key)
        if slot is None:
            slot = slots[stage.beside_key] = _Slot(stage.new_state(stage.beside_key), 0, None)
        stage.hold(slot.state)

    def begin_tally(self, time: float) -> None:
        """``time``: of the first record, or the watermark where that is later. Without the timer that this sets, the first
        hour would end with the first chunk."""
        key = self._owner._stage.tally_key
        slot = self._owner._slots.get(key)
        if slot is None or slot.due is None:
            slot = self.touch(key)
            self._owner._stage.begin_tally(slot.state, time)
            self.note_due(key, slot)

    def count(self) -> None:
        """Counts what was heard: at the end of a chunk, while it is still in the processor's cache, and before the tally is
        told."""
        heard = self.heard
        if not (heard.applied or heard.duplicate or heard.late):
            return
        stage = self._owner._stage
        if stage.tally_key:
            stage.tally(self.touch(stage.tally_key).state, heard)
        self._applied.update(map(type, heard.applied))
        self._duplicate.update(map(type, heard.duplicate))
        self._late.update(map(type, heard.late))
        heard.clear()

    def note_due(self, key: str, slot: _Slot) -> None:
        """Called after a step that set or removed a timer."""
        self.effects.timers_changed = False
        due = self._owner._stage.due(slot.state)
        if due != slot.due:
            slot.due = due
            if due is not None:
                heappush(self.heap, (due, key))

    def fire(self, until: float) -> None:
        """Fires what is due by ``until``, in order of (due, key)."""
        heap = self.heap
        stage = self._owner._stage
        while heap and heap[0][0] <= until:
            due, key = heappop(heap)
            slot = self._owner._slots[key]
            if slot.due != due or key in self._owner._stuck:
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

    def commit(self, offsets: dict[str, int], received: int) -> BatchResult:
        owner = self._owner
        before = owner._claim.ledger
        owner._stage.finish(self.effects)
        encode_state = owner._stage.encode_state
        alerts = [
            OutboxRow(id=alert.id, kind=_kind(alert), at=alert.at.timestamp(), body=encode_alert(alert))
            for alert in self.effects.alerts
        ]
        commit = Commit(
            states=[
                StateWrite(
                    key, encode_state(key, slot.state), slot.row, slot.due, slot.due != slot.stored_due
                )
                for key, slot in self._touched
            ],
            listings=self.effects.listings,
            outbox=alerts,
            observations=[encode_observation(observation) for observation in self.effects.observations],
            dead_letters=self._dead,
            offsets=offsets,
            watermark=self.watermark,
            ledger=Ledger(
                received=before.received + received,
                applied=before.applied + self._applied.total(),
                duplicate=before.duplicate + self._duplicate.total(),
                late=before.late + self._late.total(),
                dead_lettered=before.dead_lettered + len(self._dead),
            ),
        )
        commit_began = time.perf_counter()
        committed = owner._store.commit(owner._claim, commit)
        ended = time.perf_counter()
        owner._claim = committed.claim
        owner._time = self.effects.time
        rows = committed.rows
        for key, slot in self._touched:
            slot.stored_due = slot.due
            if not slot.row:
                slot.row = rows[key]
        self._evict()
        return BatchResult(
            stage=owner._stage.name,
            touched=len(self._touched),
            received=received,
            applied=_by_class(self._applied),
            duplicate=_by_class(self._duplicate),
            late=_by_class(self._late),
            dead_letters=self._dead,
            alerts=alerts,
            effects=self.effects,
            batch_s=ended - self._began,
            commit_s=ended - commit_began,
        )

    def _evict(self) -> None:
        slots = self._owner._slots
        excess = len(slots) - self._owner._cached_states
        if excess > 0:
            for key in list(slots)[:excess]:
                del slots[key]


def _by_class(counts: Counter[type]) -> dict[str, int]:
    return {kind.__name__: count for kind, count in counts.items()}


def _kind(alert: Any) -> str:
    return str(type(alert).__struct_config__.tag)
