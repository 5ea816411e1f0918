"""What takes the batches of one state partition in, seen alike by the worker for both stages.

An intake claims its partition when it is made. It is used by one thread at a time, and is of no more use after Fenced or
StoreUnavailable: then another one has to be made.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Protocol

from detectors.accounts import AccountStage
from detectors.health.tally import SIGNAL as DATA_HEALTH
from detectors.signals.contract import Signal, Verdict
from schemas.errors import EventRefused, Problem
from schemas.event_reader import EventReader
from schemas.settings import Settings
from streams.batch_result import BatchResult
from streams.flood_gate import FloodGate
from streams.flood_limit import DeadLetterFlood, FloodLimit
from streams.kafka.alignment import Batch
from streams.kafka.drift import DriftIntake
from streams.kafka.partitioning import partition_of
from streams.processor import Processor
from streams.stage import Decoded, ReadAll
from streams.stores.contract import Claim, OutgoingKind, Store
from streams.stores.stops import Stops

KNOWN_SUBJECTS = 200_000
SHOW_EVERY_S = 5.0

_subject = itemgetter(1)


class StageIntake(Protocol):
    """All methods block, and raise Fenced, StoreUnavailable and whatever a stage refuses (StateRefused)."""

    @property
    def claim(self) -> Claim: ...

    def standing_still(self) -> str:
        """Why nothing may be taken in at the moment; empty: nothing stands against it."""
        ...

    def take(self, batch: Batch) -> list[BatchResult] | None:
        """Takes a batch in and commits it. None: it was not taken, and has to be given again when nothing stands against
        it."""
        ...

    def tick(self) -> list[BatchResult]:
        """Called when there is nothing to read: does what the clock asks for. Returns what was committed."""
        ...


class AccountIntake:
    """One partition of the event topics. ``partitions``: how many there are; ``now``: Unix seconds."""

    def __init__(
        self,
        store: Store,
        stage: AccountStage,
        settings: Settings,
        stops: Stops,
        partition: int,
        partitions: int,
        now: Callable[[], float],
        cached_states: int,
    ) -> None:
        limit = FloodLimit(settings.dead_letters)
        self._limits = settings.limits
        self._by_clock = settings.clock == "wall"
        self._now = now
        self._right_place = _RightPlace(partition, partitions)
        self._processor = Processor(
            store,
            stage,
            self._reader(),
            partition=partition,
            late_after_s=settings.late_after,
            cached_states=cached_states,
            flood_limit=limit,
        )
        self._gate = FloodGate(limit, stops, partition, now)
        self._last_arrival = now()

    @property
    def claim(self) -> Claim:
        return self._processor.claim

    def standing_still(self) -> str:
        return "" if self._gate.open() else self._gate.reason

    def take(self, batch: Batch) -> list[BatchResult] | None:
        # The present is taken once a batch, for no batch takes long.
        self._processor.read_all = self._reader()
        try:
            result = self._processor.process_merged(batch.records, batch.offsets)
        except DeadLetterFlood as flood:
            self._gate.shut(flood)
            return None
        self._last_arrival = self._now()
        return [result]

    def tick(self) -> list[BatchResult]:
        """As in the embedded service: time goes on at the speed of the clock from the newest event on, and never past the
        present."""
        if not self._by_clock:
            return []
        now = self._now()
        event_time = min(now, self.claim.watermark + (now - self._last_arrival))
        due = self._processor.next_due()
        if due is None or due > event_time:
            return []
        result = self._processor.fire_timers(event_time)
        # Timers that fail are kept: they are due, and there is nothing to do.
        return [result] if result.touched else []

    def _reader(self) -> ReadAll:
        return self._right_place.checked(EventReader(self._limits, self._now()).read_all)


class ObservationIntake:
    """One partition of the observations topic. ``show`` gets the verdicts of ``signals`` and, where this partition is the one
    that speaks for it, of data.health: when the partition has been claimed, and after commits, at most every SHOW_EVERY_S."""

    def __init__(
        self,
        drift: DriftIntake,
        signals: Sequence[Signal],
        show: Callable[[Sequence[Verdict]], object],
        *,
        speaks_for_health: bool,
    ) -> None:
        self.drift = drift
        self.shown = {signal.name for signal in signals} | ({DATA_HEALTH} if speaks_for_health else set())
        """whose verdicts are shown"""
        self._signals = signals
        self._show = show
        self._changed = True
        self._show_from = -math.inf

    @property
    def claim(self) -> Claim:
        return self.drift.claim

    def standing_still(self) -> str:
        return ""

    def take(self, batch: Batch) -> list[BatchResult]:
        return self._heard([(offset, value) for _, offset, value in batch.records])

    def tick(self) -> list[BatchResult]:
        return self._heard([])

    def _heard(self, records: Sequence[tuple[int, bytes]]) -> list[BatchResult]:
        # Before the next commit: once that is in, nothing may keep it from being told.
        self._show_what_changed()
        results = self.drift.take(records)
        self._changed = self._changed or bool(results)
        self.drift.say_who_holds_back()
        return results

    def _show_what_changed(self) -> None:
        if self._changed and time.monotonic() >= self._show_from:
            self._show([each for each in self.drift.verdicts(self._signals) if each.signal in self.shown])
            self._changed, self._show_from = False, time.monotonic() + SHOW_EVERY_S


class _RightPlace:
    """Refuses an event that was written to another partition than its subject's: its account's state is elsewhere, and
    would be split. Such a record comes of a producer with another partitioner, or another key."""

    def __init__(self, partition: int, partitions: int) -> None:
        self._partition = partition
        self._partitions = partitions
        self._known: set[str] = set()

    def checked(self, read_all: ReadAll) -> ReadAll:
        def read_right(
            numbers: Sequence[int], raws: Sequence[bytes]
        ) -> tuple[list[Decoded], list[tuple[int, EventRefused]]]:
            decoded, refused = read_all(numbers, raws)
            wrong = {
                subject for subject in {*map(_subject, decoded)} - self._known if not self._is_right(subject)
            }
            if not wrong:
                return decoded, refused
            refused += [(number, _misplaced()) for number, subject, _, _ in decoded if subject in wrong]
            return [entry for entry in decoded if entry[1] not in wrong], refused

        return read_right

    def _is_right(self, subject: str) -> bool:
        if partition_of(subject, self._partitions) != self._partition:
            return False
        if len(self._known) >= KNOWN_SUBJECTS:
            self._known.clear()
        self._known.add(subject)
        return True


def _misplaced() -> EventRefused:
    return EventRefused(
        Problem(
            code="wrong_partition",
            what="the record is not in the partition of its subject",
            where="$.subject",
            remedy="write it with the subject as the record's key, and Kafka's default partitioner (murmur2)",
        )
    )


def touched(results: Sequence[BatchResult]) -> set[OutgoingKind]:
    """Which outgoing lists got something."""
    kinds: set[OutgoingKind] = set()
    for result in results:
        if result.effects.observations:
            kinds.add("observations")
        if result.alerts:
            kinds.add("alerts")
        if result.dead_letters:
            kinds.add("dead_letters")
    return kinds
