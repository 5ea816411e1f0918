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

from collections.abc import Callable, Mapping, Sequence
from math import inf
from operator import itemgetter
from typing import Any

import structlog

from detectors.effects import BY_TIMER
from detectors.health.tally import BEHIND_S
from schemas.errors import EventRefused
from streams.batch_result import BatchResult
from streams.batch_run import BatchRun, OwnedPartition, TimerFailed
from streams.flood_limit import DeadLetterFlood, FloodLimit
from streams.stage import Decoded, ReadAll, Stage
from streams.stores.contract import Claim, Ledger, Store

_log = structlog.get_logger()

Body = Any
"""a record as it is given: encoded, or an observation as the account stage made it"""
_time = itemgetter(2)
_Place = Callable[[int], tuple[str, int]]
"""index of a record in its batch -> (topic, offset), for a dead letter"""


class StepFailed(Exception):
    """A step raised an exception on the record number ``index`` of the batch."""

    def __init__(self, index: int) -> None:
        self.index = index


class Processor:
    """Owns one state partition of one stage.

    ``late_after_s``: records older than this at the watermark are late; None takes all. ``cached_states`` bounds the
    states held in memory between batches. ``flood_limit``: how many dead letters are too many; None takes all.
    ``keep_observations``: whether they are committed; else whoever runs it takes them from the result.
    """

    chunk = 1000
    """records decoded at once"""

    def __init__(
        self,
        store: Store,
        stage: Stage,
        read_all: ReadAll,
        *,
        partition: int = 0,
        late_after_s: float | None = None,
        cached_states: int = 50_000,
        flood_limit: FloodLimit | None = None,
        keep_observations: bool = True,
    ) -> None:
        self._owned = OwnedPartition(store, stage, partition, cached_states, keep_observations)
        self._flood_limit = flood_limit
        self.read_all = read_all
        """may be replaced between batches"""
        self._late_after_s = inf if late_after_s is None else late_after_s
        self._behind_s = min(BEHIND_S, self._late_after_s)

    @property
    def claim(self) -> Claim:
        return self._owned.claim

    @property
    def ledger(self) -> Ledger:
        return self._owned.claim.ledger

    def next_offset(self, topic: str) -> int:
        return self._owned.claim.offsets.get(topic, 0)

    def next_due(self) -> float | None:
        return self._owned.store.next_due(self._owned.claim)

    def process(self, topic: str, records: Sequence[tuple[int, bytes]]) -> BatchResult:
        """Takes ``records`` (offset, body) of one topic in, in order. Those that were committed before are passed
        over. Raises Fenced when another owner has taken over, DeadLetterFlood when the batch would pass the limit of dead
        letters; then nothing of the batch is in."""
        return self.prepare(topic, records).commit()

    def prepare(self, topic: str, records: Sequence[tuple[int, Body]]) -> BatchRun:
        """``process`` up to the commit, which has to follow before anything else is asked of this processor. Raises
        DeadLetterFlood."""
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
        return self._until_done(bodies, lambda index: records[index][:2], dict(offsets)).commit()

    def _until_done(self, bodies: Sequence[Body], place: _Place, offsets: dict[str, int]) -> BatchRun:
        failed: set[int] = set()
        while True:
            try:
                return self._process(bodies, place, offsets, failed)
            except StepFailed as failure:
                failed.add(failure.index)
            except TimerFailed as failure:
                self._owned.stuck.add(failure.key)
            except DeadLetterFlood:
                self._owned.slots.clear()
                raise
            # States may be half changed: what is in memory is thrown away, and the batch is taken again.
            self._owned.slots.clear()

    def fire_timers(self, until: float) -> BatchResult:
        """Fires the timers due by ``until`` (Unix seconds), as the clock does when no event comes."""
        return self.prepare_timers(until).commit()

    def prepare_timers(self, until: float) -> BatchRun:
        """``fire_timers`` up to the commit, as ``prepare`` is ``process``."""
        while True:
            run = BatchRun(self._owned)
            self._load(run, (), until)
            try:
                run.fire(until)
            except TimerFailed as failure:
                self._owned.stuck.add(failure.key)
                self._owned.slots.clear()
                continue
            return run.stepped({}, 0)

    def _process(
        self, bodies: Sequence[Body], place: _Place, offsets: dict[str, int], failed: set[int]
    ) -> BatchRun:
        run = BatchRun(self._owned)
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
        return run.stepped(offsets, self._received(bodies))

    def _received(self, bodies: Sequence[Body]) -> int:
        return len(bodies)

    def _step_through(
        self, run: BatchRun, bodies: Sequence[Body], place: _Place, first: int, failed: set[int]
    ) -> None:
        """Takes a chunk of a batch in: decoded records are let go of while they are still in the processor's cache."""
        watermark = run.watermark
        decoded, until = self._decode_all(run, bodies, place, first, failed)
        stage = self._owned.stage
        self._load(run, [entry[1] for entry in decoded if entry[1]], until)
        if stage.tally_key and decoded:
            run.begin_tally(max(watermark, decoded[0][2]))
        step = stage.step
        effects = run.effects
        heap = run.heap
        slots = self._owned.slots
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
                    "step failed", stage=self._owned.stage.name, error=type(error).__name__, exc_info=False
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

    def _load(self, run: BatchRun, keys: Sequence[str], until: float) -> None:
        stage = self._owned.stage
        run.load([*(key for key in (stage.tally_key, stage.beside_key) if key), *keys], until)
        if stage.beside_key:
            run.hold_beside()

    def _decode_all(
        self, run: BatchRun, bodies: Sequence[Body], place: _Place, first: int, failed: set[int]
    ) -> tuple[list[Decoded], float]:
        """The records that can be read, by their number in the batch, and how far the watermark will have come after them (Unix
        seconds). One without key and record only moves the watermark on."""
        numbers: Sequence[int] = range(first, first + len(bodies))
        given = bodies
        if not failed.isdisjoint(numbers):
            for index in failed.intersection(numbers):
                run.reject(
                    index, *place(index), "step_failed", "the program failed on it", bodies[index - first]
                )
            numbers = [index for index in numbers if index not in failed]
            given = [bodies[index - first] for index in numbers]
        decoded, refused = self.read_all(numbers, given)
        for index, error in refused:
            run.reject(index, *place(index), error.problem.code, str(error.problem), bodies[index - first])
        return decoded, max(run.watermark, max(map(_time, decoded), default=-inf))
