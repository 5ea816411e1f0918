"""One state partition that this worker was given: claimed, read from where the store stands, batch by batch.

Rules:
1. One batch at a time; the next one is gathered meanwhile. What waits here is bounded: a topic with more than
   ``FULL_BYTES`` is not fetched until half of it is taken.
2. Whoever loses the partition (Fenced) or the store (StoreUnavailable) says so in one line, throws away what it holds,
   and claims anew with a growing delay. After Fenced the first delay is longer than a heartbeat, so that a former owner
   that slept learns that it is one, and does not take the partition back.
3. A batch in hand is waited for, whatever happens: ``rest`` and ``close`` return when it is in or refused.
4. Positions that Kafka does not have are never passed over in silence.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import structlog
from aiokafka.errors import KafkaError
from faust.types import TP

from schemas.errors import Fenced, PlumblineError, StoreUnavailable
from streams.batch_result import BatchResult
from streams.kafka.alignment import Alignment, Batch
from streams.kafka.intake import StageIntake
from streams.kafka.transport import Consumer, Look

IDLE_S = 1.0
FULL_BYTES = 8_000_000
"""Waiting bytes of one topic at which fetching it pauses; one fetch more may come."""
FIRST_DELAY_S = 0.5
LAST_DELAY_S = 15.0
TAKING_OVER = "it is being taken over"

_log = structlog.get_logger("plumbline.worker")


class PositionLost(PlumblineError):
    """The store has read further than the topic goes."""


class Owner(Protocol):
    """The worker, as a lane sees it. Hooks are called on the event loop."""

    batch_events: int
    after_fenced_s: float

    @property
    def consumer(self) -> Consumer: ...

    def open(self, stage: str, partition: int) -> StageIntake:
        """Claims a partition. Blocks."""
        ...

    def call(self, function: Callable[..., Any], *arguments: Any) -> Coroutine[Any, Any, Any]:
        """Runs a blocking function on a thread of the worker's."""
        ...

    def taken(self, lane: Lane) -> None: ...

    def released(self, lane: Lane) -> None: ...

    def committed(self, lane: Lane, results: Sequence[BatchResult]) -> None: ...

    def lost(self, records: int) -> None:
        """Kafka removed so many records before they were read."""
        ...

    def caught_up(self, lane: Lane, moment: float) -> None:
        """``moment``: Unix seconds; everything that had come by then is committed, and no timer is due."""
        ...


class Lane:
    """``topics``: on the broker, in the order in which records of one millisecond are taken. ``run`` until ``close``."""

    def __init__(self, owner: Owner, stage: str, partition: int, topics: Sequence[str]) -> None:
        self.stage = stage
        self.partition = partition
        self.partitions = {TP(topic, partition): topic for topic in topics}
        self.intake: StageIntake | None = None
        """there while the partition is held"""
        self.reason = TAKING_OVER
        """why nothing is processed; empty while there is nothing amiss"""
        self._owner = owner
        self._topics = list(topics)
        self._alignment = Alignment(topics, dict.fromkeys(topics, 0))
        self._batch: Batch | None = None
        """taken out of the alignment and not committed yet"""
        self._reading = False
        self._interrupted = False
        self._out_of_range = False
        """Kafka does not have the position of some topic"""
        self._resting = False
        self._closing = False
        self._full: set[TP] = set()
        self._answered: dict[TP, float] = {}
        """when a fetch of each was answered last, or reading it was begun (Unix seconds)"""
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        """no batch is in hand"""
        self._idle.set()
        self._delay = FIRST_DELAY_S

    @property
    def closing(self) -> bool:
        """Whether ``close`` was called, and perhaps cancelled while it waited: it is of no more use then."""
        return self._closing

    @property
    def stands_still(self) -> bool:
        """Whether a flood of dead letters holds the partition (streams/flood_gate.py)."""
        return self.intake is not None and self.reason not in ("", TAKING_OVER)

    @property
    def offsets(self) -> dict[TP, int]:
        """How far the store is."""
        if self.intake is None:
            return {}
        offsets = self.intake.claim.offsets
        return {tp: offsets[topic] for tp, topic in self.partitions.items() if topic in offsets}

    def unanswered(self, since: float) -> dict[TP, int]:
        """The partitions of which no fetch was answered since (Unix seconds) though they should be read, with the offset of the
        record that comes next."""
        if self.reason:
            return {}
        return {
            tp: self._alignment.expected(topic)
            for tp, topic in self.partitions.items()
            if tp not in self._full and self._answered[tp] < since
        }

    def fetched(self, tp: TP, records: Sequence[Any]) -> None:
        """Takes records in. Until reading has begun they are left: they will be read again."""
        if not self._reading:
            return
        topic = self.partitions[tp]
        self._alignment.add(topic, records)
        if self._alignment.waiting(topic)[1] > FULL_BYTES:
            self._full.add(tp)
            self._owner.consumer.pause_partitions([tp])

    def looked(self, tp: TP, look: Look) -> None:
        if self._reading:
            self._answered[tp] = max(self._answered[tp], look.moment)
            self._alignment.read_to(self.partitions[tp], look.position, look.end, look.moment)

    def go_on(self) -> None:
        """Something was fetched."""
        self._wake.set()

    def interrupted(self, *, out_of_range: bool) -> None:
        """Reads on from where it is, after ``Intake.interrupted``."""
        self._interrupted = True
        self._out_of_range = self._out_of_range or out_of_range
        self._reading = False
        self._wake.set()

    async def rest(self) -> None:
        """Begins no further batch; returns when the one in hand is done."""
        self._resting = True
        self._reading = False
        self._wake.set()
        await self._idle.wait()

    def resume(self) -> None:
        """Ends a rest: the partition is still this worker's, and read on from where it was.

        It is begun anew, also when it was being read or begun: the assignment that it was begun under is over, and its
        partitions are paused. That is so when an assignment is told only after the group began to share out again."""
        self._resting = False
        self._reading = False
        self._interrupted = True
        self._wake.set()

    async def close(self) -> None:
        """Lets the partition go for good; returns when the batch in hand is done. Then ``run`` may be cancelled."""
        self._closing = True
        await self.rest()
        self._let_go()

    async def run(self) -> None:
        """Holds the partition until ``close``. Raises what no waiting can mend."""
        while not self._closing:
            try:
                await self._hold()
            except Fenced:
                self._delay = max(self._delay, self._owner.after_fenced_s)
                self._lost("another worker has taken it over")
            except StoreUnavailable as error:
                self._lost(error.what)
            except PositionLost as error:
                self._lost(error.what, remedy=error.remedy)
            except (KafkaError, TimeoutError) as error:
                self._lost(f"Kafka does not answer ({type(error).__name__})")
            if not self._closing:
                await self._sleep(self._delay * random.uniform(0.7, 1.3))
                self._delay = min(2 * self._delay, LAST_DELAY_S)

    async def _hold(self) -> None:
        self.intake = intake = await self._call(self._owner.open, self.stage, self.partition)
        offsets = intake.claim.offsets
        self._alignment = Alignment(self._topics, {topic: offsets.get(topic, 0) for topic in self._topics})
        self._answered = dict.fromkeys(self.partitions, time.time())
        self._owner.taken(self)
        while not self._closing:
            self._wake.clear()
            if self._resting:
                await self._wake.wait()
            elif not self._reading:
                await self._begin(intake)
            elif not await self._turn(intake):
                await self._sleep(IDLE_S)

    async def _turn(self, intake: StageIntake) -> bool:
        """Does what there is to do. False: nothing."""
        if self.reason:
            self.reason = await self._call(intake.standing_still)
            if self.reason or not self._reading:
                return False
        self._batch = self._batch or self._alignment.take(self._owner.batch_events)
        if self._batch is not None:
            self._fetch_again()
            results = await self._call(intake.take, self._batch)
            if results is None:
                self.reason = await self._call(intake.standing_still)
                return False
            self._batch = None
        else:
            moment = self._alignment.caught_up()
            if moment is None:
                return False
            results = await self._call(intake.tick)
            if not results:
                self._delay = FIRST_DELAY_S
                self._owner.caught_up(self, moment)
                return False
        self._delay = FIRST_DELAY_S
        self._owner.committed(self, results)
        return True

    async def _begin(self, intake: StageIntake) -> None:
        """Has everything read from where this lane is; again when something was thrown away meanwhile."""
        consumer = self._owner.consumer
        if self._out_of_range:
            self._check_bounds(intake, *await consumer.bounds(self.partitions))
            self._out_of_range = False
        self._full.clear()
        self._interrupted = True
        while self._interrupted and not self._resting:
            self._interrupted = False
            await consumer.begin(
                {tp: self._alignment.expected(topic) for tp, topic in self.partitions.items()}
            )
        # Nothing is awaited between the last partition's resumption and here: no record can have come.
        self._reading = not self._resting

    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self._idle.clear()
        try:
            return await self._owner.call(function, *arguments)
        finally:
            self._idle.set()

    async def _sleep(self, seconds: float) -> None:
        """Until something happens, at most so long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    def _lost(self, reason: str, **more: str) -> None:
        if self.intake is not None or not self.reason or self.reason == TAKING_OVER:
            _log.warning(
                "partition_let_go", stage=self.stage, partition=self.partition, reason=reason, **more
            )
        self._let_go()
        self.reason = reason
        self._wake.clear()

    def _let_go(self) -> None:
        """Throws away what waits here; what is in the store is all that counts."""
        self._reading = False
        self._batch = None
        if self.intake is not None:
            self._owner.released(self)
        self.intake = None
        self._alignment = Alignment(self._topics, dict.fromkeys(self._topics, 0))
        if not self._closing:
            self._owner.consumer.pause_partitions(self.partitions)

    def _check_bounds(self, intake: StageIntake, first: Mapping[TP, int], last: Mapping[TP, int]) -> None:
        for tp, topic in self.partitions.items():
            expected = self._alignment.expected(topic)
            if expected > last[tp]:
                raise PositionLost(
                    f"topic {topic} ends at {last[tp]} in partition {self.partition}, but it was read to {expected}",
                    remedy="it was made anew, or Kafka has lost records: give the deployment a new kafka.topic_prefix and"
                    " redis.key_prefix, or restore the topic",
                )
            if expected < first[tp]:
                if topic in intake.claim.offsets:
                    self._owner.lost(first[tp] - expected)
                    _log.error(
                        "events_lost",
                        topic=topic,
                        partition=self.partition,
                        events=first[tp] - expected,
                        reason="Kafka removed them before they were read",
                        remedy="make kafka.retention longer than a worker may be away",
                    )
                self._alignment.skip_to(topic, first[tp])

    def _fetch_again(self) -> None:
        empty = {tp for tp in self._full if self._alignment.waiting(self.partitions[tp])[1] < FULL_BYTES // 2}
        if empty and self._reading:
            self._full -= empty
            self._answered |= dict.fromkeys(empty, time.time())
            self._owner.consumer.resume(empty)
