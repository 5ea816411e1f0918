"""The Faust transport driver: whole batches go to the worker, and positions come from it.

Faust's own path makes four asyncio tasks a message and begins where the broker says. This driver (entry point
``plumbline`` of faust.transports) leaves group membership, assignment and fetching to Faust and aiokafka, and overrides:

- ``_drain_messages``: what was fetched is handed over as it is, partition by partition;
- ``seek_to_committed``: at an assignment nothing is read until the worker says from where (``Consumer.begin``);
- ``_create_worker_consumer``: requests of one connection are answered in turn, so that a long wait for records holds up all
  else that is asked;
- ``verify_event_path``: Faust looks there for messages that no agent takes; here no agent takes any.

Rules:
1. Nothing that was fetched is lost in silence: what came while partitions changed hands is thrown away and read again.
2. A position that Kafka does not have is told to the worker; Kafka never chooses one (auto_offset_reset none).
3. What is committed to the broker is for lag monitors. That it fails stops nothing.

None of these methods is public: tests/contract/test_transport.py holds them to the pinned releases.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import aiokafka
import structlog
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from msgspec import Struct

TURN_S = 0.3
"""how long one round waits for something fetched; a partition begun meanwhile is in the next round"""
FETCH_WAIT_MS = 300
"""how long the broker waits for the first record"""

_log = structlog.get_logger("plumbline.worker")


class Look(Struct, frozen=True):
    """What is known of a partition: the next offset to be fetched, the high watermark, and when the broker said so (Unix
    seconds)."""

    position: int
    end: int
    moment: float


class Intake(Protocol):
    """The worker, as the consumer sees it. All on the event loop of the Faust app."""

    async def assigned(self, partitions: set[TP]) -> None:
        """These partitions, and no others, are this worker's. Each is to be begun (``Consumer.begin``)."""
        ...

    def fetched(self, records: Mapping[TP, Sequence[Any]], looks: Mapping[TP, Look]) -> None:
        """Records (aiokafka's ConsumerRecord) in order of their offsets, and what is known of all partitions."""
        ...

    def interrupted(self, partitions: Collection[TP], *, out_of_range: bool = False) -> None:
        """Something of these partitions was fetched and thrown away, or (``out_of_range``) Kafka does not have what was
        asked for. They are paused, and to be begun again."""
        ...


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Where Faust keeps aiokafka's consumer."""

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer


class Consumer(driver.Consumer):
    """One member of the workers' group. The app has the worker as ``app.intake``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._resumed = asyncio.Event()
        self._begun_times: Counter[TP] = Counter()
        """how often each partition was begun: tells what was fetched before from what was fetched after"""

    @property
    def intake(self) -> Intake:
        intake: Intake = self.app.intake  # type: ignore[attr-defined]
        return intake

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                if not self.flow_active:
                    await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
                    continue
                if not self._get_active_partitions():
                    self._resumed.clear()
                    await self.wait(self._resumed, timeout=TURN_S)  # type: ignore[arg-type]
                    continue
                await self._drain_once()
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise

    async def _drain_once(self) -> None:
        generation = self.app.consumer_generation_id
        begun = dict(self._begun_times)
        # A copy: aiokafka looks at it again while it waits, and a partition that is begun meanwhile has to wait.
        active = set(self._get_active_partitions())
        try:
            records = await self._getmany(active_partitions=active, timeout=TURN_S)
        except NoOffsetForPartitionError:
            return  # left over from before the partition was begun
        except OffsetOutOfRangeError as error:
            self._interrupt([TP(*tp) for tp in error.args[0]], out_of_range=True)
            return
        if self.should_stop:
            return
        found = {TP(*tp): batch for tp, batch in records.items()}
        if not self.flow_active or self.app.consumer_generation_id != generation:
            self._interrupt(list(found))
            return
        # A partition that was begun meanwhile: what came may be from before or from after.
        strayed = [tp for tp in found if self._begun_times[tp] != begun.get(tp, 0)]
        self._interrupt(strayed)
        self.intake.fetched(
            {tp: batch for tp, batch in found.items() if tp not in strayed},
            self._looks(self._get_active_partitions()),
        )

    def _interrupt(self, partitions: Collection[TP], *, out_of_range: bool = False) -> None:
        if partitions:
            self.pause_partitions(partitions)
            self.intake.interrupted(partitions, out_of_range=out_of_range)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Holds everything still and tells the worker what it has; it calls ``begin`` when it knows the positions."""
        assignment = self.assignment()
        self.pause_partitions(assignment)
        await self.intake.assigned(set(assignment))
        return {}

    async def begin(self, positions: Mapping[TP, int]) -> None:
        """Reads these partitions from here on. Those that are not assigned any more are left out.

        Until it returns, what comes of them is thrown away; when something was, ``Intake.interrupted`` was called, and
        they are to be begun again."""
        assignment = self.assignment()
        mine = {tp: offset for tp, offset in positions.items() if tp in assignment}
        if not mine:
            return
        self.pause_partitions(mine)
        self._begun_times.update(mine.keys())
        await self.seek_wait(mine)
        self._begun_times.update(mine.keys())
        self.resume_partitions(mine)
        self._resumed.set()

    def resume(self, partitions: Collection[TP]) -> None:
        """Goes on fetching after ``pause_partitions``, from where it was."""
        self.resume_partitions(set(partitions) & self.assignment())
        self._resumed.set()

    async def bounds(self, partitions: Collection[TP]) -> tuple[Mapping[TP, int], Mapping[TP, int]]:
        """(offset of the oldest record kept, offset after the newest) of each. Raises KafkaError."""
        first = await self.earliest_offsets(*partitions)
        return {TP(*tp): at for tp, at in first.items()}, await self.ends(partitions)

    async def ends(self, partitions: Collection[TP]) -> Mapping[TP, int]:
        """The offset after the newest record of each, as the broker says now. Raises KafkaError."""
        return {TP(*tp): at for tp, at in (await self.highwaters(*partitions)).items()}

    async def note_committed(self, offsets: Mapping[TP, int]) -> bool:
        """Tells the broker how far the store is. Returns whether it knows."""
        committed = {
            TopicPartition(*tp): OffsetAndMetadata(offset, "")
            for tp, offset in offsets.items()
            if tp in self.assignment()
        }
        if not committed:
            return True
        try:
            await self._thread.call_thread(self._thread._ensure_consumer().commit, committed)
        except (KafkaError, RuntimeError) as error:
            _log.debug("offsets not noted by the broker", error=type(error).__name__)
            return False
        return True

    def partition_counts(self, topics: Collection[str]) -> dict[str, int]:
        """Partitions of each topic as far as the client has heard; 0 for one that it has not heard of."""
        cluster = self._thread._ensure_consumer()._client.cluster
        return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing to verify."""

    def _looks(self, partitions: Collection[TP]) -> dict[TP, Look]:
        assignment = self._thread._ensure_consumer()._subscription.subscription.assignment
        looks = {}
        for tp in partitions:
            state = assignment.state_value(TopicPartition(*tp))
            if state is None or not state.has_valid_position:
                continue
            # Faust's thread writes the high watermark first, then its moment: read the other way round, the moment is never
            # later than what was seen at it.
            moment = state.timestamp
            if moment is not None:
                looks[tp] = Look(state.position, state.highwater, moment / 1000)
        return looks


class Transport(driver.Transport):
    """``plumbline://host:port``."""

    Consumer = Consumer
