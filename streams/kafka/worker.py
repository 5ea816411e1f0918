"""``plumbline worker``: one member of the group that shares all partitions; both stages and the relay.

    event topics --> lanes of stage accounts --> Redis --> relay --> observations, alerts, dead-letters
    observations --> lanes of stage drift ----> Redis --'

Rules:
1. Faust and Kafka decide who has which partition; the store decides where it is read from and whether a commit counts.
2. A partition is run only while the topics have the counts of the settings and of the store. Other counts end the worker: a
   key's state would be in one partition and its events in another.
3. SIGTERM: batches in hand are committed, what they leave is published, the group is left, and the exit code is 0.
4. Whatever can mend itself (broker, store, network, another owner) is waited for and said once; ``ready`` says no meanwhile.
5. The broker's offsets are for lag monitors, and come after the store's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, cast

import structlog
from aiokafka.errors import KafkaError
from faust.types import TP

from detectors.accounts import AccountStage
from detectors.catalogue import signals
from detectors.drift import DriftStage
from detectors.health.tally import SIGNAL as DATA_HEALTH
from schemas.errors import PlumblineError, StateRefused
from schemas.icp import ICP
from schemas.observations import OBSERVATIONS
from schemas.settings import Settings
from streams.batch_result import BatchResult
from streams.kafka.connection import client_options
from streams.kafka.drift import DriftIntake
from streams.kafka.fetch_watch import FetchWatch
from streams.kafka.intake import AccountIntake, ObservationIntake, StageIntake, touched
from streams.kafka.lane import Lane
from streams.kafka.lanes import ACCOUNTS, Lanes
from streams.kafka.membership import Membership
from streams.kafka.partitioning import partition_of
from streams.kafka.relay import Relay, RelayTopics
from streams.kafka.topics import (
    ALERTS,
    DEAD_LETTERS,
    TopicsRefused,
    check_counts,
    event_topics,
    read_counts,
)
from streams.kafka.transport import Consumer, Look
from streams.metrics import Metrics
from streams.serving.redis_relisting import Lists
from streams.stores.redis import RedisStore
from streams.stores.redis_connection import connect
from streams.stores.redis_stops import RedisStops
from streams.web.monitoring import monitoring

STEPPING_THREADS = 1
"""Two would take turns at the one interpreter, and each turn brings what they work on to another core: an event then costs a
seventh more processor time, which is more than is won while one of them waits for the store."""
CACHED_STATES = 200_000
"""Decoded account states kept in memory, over all partitions of a worker."""
NOTE_EVERY_S = 5.0
FIRST_DELAY_S = 0.5
LAST_DELAY_S = 15.0
LAST_ROUND_S = 5.0

_log = structlog.get_logger("plumbline.worker")


class Worker:
    """``run`` works until ``stop``. ``now`` gives Unix seconds. Raises PlumblineError for settings that can't work."""

    def __init__(
        self,
        settings: Settings,
        icps: Sequence[ICP],
        *,
        metrics_at: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.batch_events = settings.batch_events
        self.after_fenced_s = settings.kafka.session_timeout / 2
        self.url = ""
        """of health and metrics, where they are served"""
        self._icps = icps
        self._now = now
        self._metrics_at = metrics_at
        self._metrics = Metrics(segments_per_signal=settings.drift.max_segments + 1)
        self._event_topics = event_topics(settings.kafka)
        self._observations = settings.kafka.topic_prefix + OBSERVATIONS
        self._options = client_options(settings.kafka)
        self._threads = ThreadPoolExecutor(STEPPING_THREADS, thread_name_prefix="partition")
        self._lanes = Lanes(self, self._event_topics, self._observations, self._task_ended)
        self._member: Membership | None = None
        self._noted: dict[TP, int] = {}
        self._fetch_watch = FetchWatch()
        self._stopping = asyncio.Event()
        self._failed: BaseException | None = None
        self._waits_for = "it has not joined the group yet"

    def stop(self) -> None:
        """Ends ``run`` in order. To be called on the event loop's thread."""
        self._stopping.set()

    def ready(self) -> tuple[bool, str]:
        """Whether everything that this worker was given is processed, and if not, why."""
        if self._waits_for:
            return False, self._waits_for
        for lane in self._lanes.held():
            if lane.reason:
                return False, f"{lane.stage} {lane.partition}: {lane.reason}"
        return not self._fetch_watch.reason, self._fetch_watch.reason

    async def run(self, started: Callable[[], object] = lambda: None) -> None:
        """``started`` is called when health and metrics are served. Raises TopicsRefused, StateRefused, and whatever else
        no waiting can mend."""
        self._loop = asyncio.get_running_loop()
        try:
            async with monitoring(self._metrics_at, self.settings, self.ready, self._expose) as url:
                self.url = url
                started()
                if await self._prepared():
                    await self._work()
        finally:
            self._threads.shutdown()
        if self._failed is not None:
            raise self._failed

    def _expose(self) -> bytes:
        self._metrics.partitions_stopped(sum(lane.stands_still for lane in self._lanes.held()))
        self._metrics.partitions_unfetched(len(self._fetch_watch.unfetched))
        return self._metrics.expose()

    # What lanes need (streams/kafka/lane.py: Owner)

    @property
    def consumer(self) -> Consumer:
        assert self._member is not None  # noqa: S101 - lanes live as long as the membership
        return self._member.consumer

    def open(self, stage: str, partition: int) -> StageIntake:
        if stage == ACCOUNTS:
            intake = AccountIntake(
                self._store,
                AccountStage(self._icps, signals(self.settings.drift), self.settings.late_after),
                self.settings,
                self._stops,
                partition,
                self.settings.kafka.partitions,
                self._now,
                cached_states=max(1000, CACHED_STATES // max(1, len(self._lanes))),
            )
            self._lists.take_over(partition)  # before the first commit, which writes places by this ICP file
            return intake
        drift, kafka = self.settings.drift, self.settings.kafka
        catalogue = signals(drift)
        stage_of_drift = DriftStage.configured(catalogue, self._icps, drift)
        return ObservationIntake(
            DriftIntake(
                self._store, stage_of_drift, self._observations, partition, kafka.partitions, now=self._now
            ),
            [each for each in catalogue if partition_of(each.name, kafka.drift_partitions) == partition],
            self._metrics.verdicts,
            # It is told of all sources in each partition.
            speaks_for_health=partition_of(DATA_HEALTH, kafka.drift_partitions) == partition,
        )

    def call(self, function: Callable[..., Any], *arguments: Any) -> Coroutine[Any, Any, Any]:
        return cast(Coroutine[Any, Any, Any], self._loop.run_in_executor(self._threads, function, *arguments))

    def taken(self, lane: Lane) -> None:
        if lane.intake is not None:
            self._relay.own(lane.stage, lane.partition, lane.intake.claim.watermark)

    def released(self, lane: Lane) -> None:
        self._relay.disown(lane.stage, lane.partition)
        if isinstance(lane.intake, ObservationIntake):
            self._metrics.forget_verdicts(lane.intake.shown)

    def committed(self, lane: Lane, results: Sequence[BatchResult]) -> None:
        assert lane.intake is not None  # noqa: S101 - it has just committed
        watermark = lane.intake.claim.watermark
        self._relay.committed(lane.stage, lane.partition, watermark, touched(results))
        for result in results:
            self._metrics.batch_done(lane.stage, result, watermark=watermark)

    def lost(self, records: int) -> None:
        self._metrics.records_lost(records)

    def caught_up(self, lane: Lane, moment: float) -> None:
        self._relay.caught_up(lane.stage, lane.partition, moment)

    # What the consumer tells (streams/kafka/transport.py: Intake)

    async def assigned(self, partitions: set[TP]) -> None:
        self._check_topics()
        await self._lanes.assigned(partitions)
        self._noted.clear()
        self._waits_for = ""

    async def revoked(self) -> None:
        """The group shares its partitions out anew: nothing is begun until it has."""
        await self._lanes.rest()

    def fetched(self, records: Mapping[TP, Sequence[Any]], looks: Mapping[TP, Look]) -> None:
        self._lanes.fetched(records, looks)

    def interrupted(self, partitions: Collection[TP], *, out_of_range: bool = False) -> None:
        self._lanes.interrupted(partitions, out_of_range=out_of_range)

    # The life of a worker

    async def _prepared(self) -> bool:
        """Topics looked at, store opened. False when it is to stop before that could be done."""
        delay = FIRST_DELAY_S
        while not self._stopping.is_set():
            try:
                await asyncio.to_thread(self._open_store)
            except (TopicsRefused, StateRefused):
                raise
            except PlumblineError as error:
                if error.what != self._waits_for:
                    _log.warning("worker_waits", reason=error.what, remedy=error.remedy)
                self._waits_for = error.what
                await self._sleep(delay)
                delay = min(2 * delay, LAST_DELAY_S)
            else:
                return True
        return False

    def _open_store(self) -> None:
        kafka, redis = self.settings.kafka, self.settings.redis
        check_counts(kafka, read_counts(kafka))
        self._store = RedisStore(redis, accounts=kafka.partitions, drift=kafka.drift_partitions)
        self._stops = RedisStops(connect(redis), redis.key_prefix, kafka.partitions, self._store.address)
        self._lists = Lists(self.settings, self._icps, self._now)

    async def _work(self) -> None:
        prefix = self.settings.kafka.topic_prefix
        self._relay = Relay(
            self._store,
            self._options,
            RelayTopics(
                observations=self._observations, alerts=prefix + ALERTS, dead_letters=prefix + DEAD_LETTERS
            ),
            now=self._now,
        )
        relaying = asyncio.create_task(self._relay.run())
        relaying.add_done_callback(self._task_ended)
        try:
            await self._stay_member()
        finally:
            relaying.cancel()
            await asyncio.gather(relaying, return_exceptions=True)
            await asyncio.to_thread(self._lists.close)
            await asyncio.to_thread(self._store.close)

    async def _stay_member(self) -> None:
        """A member of the group until it is to stop; again when the membership ends by itself."""
        delay = FIRST_DELAY_S
        while not self._stopping.is_set():
            self._member = Membership(self.settings.kafka, self, [*self._event_topics, self._observations])
            began = time.monotonic()
            # A consumer that ends takes along whoever asks it at that moment: each membership has watchers of its own.
            watchers = [asyncio.create_task(each) for each in (self._watch(), self._watch_fetches())]
            for watcher in watchers:
                watcher.add_done_callback(self._task_ended)
            try:
                reason = await self._member.hold(self._stopping)
            finally:
                for watcher in watchers:
                    watcher.cancel()
                await asyncio.gather(*watchers, return_exceptions=True)
                await self._leave()
            if self._stopping.is_set():
                return
            self._waits_for = f"it is not in the group: {reason}"
            if time.monotonic() - began > LAST_DELAY_S:
                delay = FIRST_DELAY_S
            _log.warning("worker_left_group", reason=reason, tries_again_in_s=delay)
            await self._sleep(delay)
            delay = min(2 * delay, LAST_DELAY_S)

    async def _leave(self) -> None:
        """Commits what is in hand, publishes what it leaves, and leaves the group, in this order."""
        assert self._member is not None  # noqa: S101
        await self.revoked()
        if self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._note_offsets(), LAST_ROUND_S)
            # What waits longer stays in the lists, and is published by whoever owns the partition next.
            with suppress(TimeoutError, KafkaError, OSError, PlumblineError):
                await asyncio.wait_for(self._relay.round(), LAST_ROUND_S)
        await self._lanes.close()
        await self._member.end()
        _log.info("worker_left", partitions_released=True)

    async def _watch(self) -> None:
        """Tells the broker how far the store is, and looks whether the topics are still as they were."""
        while True:
            await asyncio.sleep(NOTE_EVERY_S)
            if self._lanes:
                await self._note_offsets()
                self._check_topics()
                self._metrics.drift_waits(*self._lanes.held_back())

    def _check_topics(self) -> None:
        """Raises TopicsRefused."""
        counts = self.consumer.partition_counts([*self._event_topics, self._observations])
        if all(counts.values()):  # while the broker is away, its client forgets what topics there are
            check_counts(self.settings.kafka, counts)

    async def _watch_fetches(self) -> None:
        await self._fetch_watch.run(self._lanes.held, self.consumer.ends)

    async def _note_offsets(self) -> None:
        offsets = {
            tp: offset for tp, offset in self._lanes.offsets().items() if self._noted.get(tp) != offset
        }
        if offsets and await self.consumer.note_committed(offsets):
            self._noted.update(offsets)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        """What no waiting can mend ends the worker, in order."""
        if not task.cancelled() and task.exception() is not None:
            self.fail(cast(BaseException, task.exception()))

    def fail(self, error: BaseException) -> None:
        self._failed = self._failed or error
        self._stopping.set()

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
