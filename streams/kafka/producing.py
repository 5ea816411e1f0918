"""The gateway's way into Kafka: events are kept when every one of them has the broker's answer.

Rules:
1. acks=all and idempotent: a record is written once, in order within its partition, on all in-sync replicas. The key is
   the subject, the partition that of Kafka's default partitioner, the timestamp in order of arrival (record_times.py).
2. Nothing is kept while the broker does not answer: after ``answer_within_s`` the sender is told to send all of it
   again. Some of it may have been written, or may still be; source and id make that harmless.
3. Memory is bounded: the events of requests that are not answered yet, and one batch a partition in the producer.
4. A producer that has failed for good is replaced; the gateway comes back by itself when the broker does.
5. Topics whose partition counts differ, from each other or from the settings, are not written to: an account's events
   would be in two partitions.
"""

from __future__ import annotations

import asyncio
import time
from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from streams.gateway.sink import Accepted, NotKept
from streams.kafka.connection import COMPRESSION
from streams.kafka.partitioning import partition_of
from streams.kafka.record_times import RecordTimes

ANSWER_WITHIN_S = 15.0
RETRY_AFTER_S = 5
STOP_WITHIN_S = 2.0
START_AGAIN_S = 1.0
MAX_UNANSWERED_BYTES = 64_000_000
"""Of all requests that wait for the broker's answer, together."""
BATCH_BYTES = 262_144
"""Records sent together, of one partition of one topic."""
PORTION = 200
"""Events handed to the producer before other requests get a turn."""
MAX_AHEAD_MS = 1_800_000
"""Timestamps may run so far ahead of the clock; a broker refuses records an hour ahead."""

_log = structlog.get_logger("plumbline.gateway")


class KafkaSink:
    """Keeps events in Kafka (EventSink). To be used within one event loop: ``run`` beside the server, until ``stop``.

    ``connection``: what aiokafka's clients need to reach the broker. ``topics``: event topics without ``prefix``, in the
    order in which workers merge them. ``waiting`` gives the events that workers have not processed yet.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        topics: Sequence[str],
        *,
        prefix: str,
        partitions: int,
        max_event_bytes: int,
        waiting: Callable[[], int] = lambda: 0,
        now: Callable[[], float] = time.time,
        answer_within_s: float = ANSWER_WITHIN_S,
        max_unanswered_bytes: int = MAX_UNANSWERED_BYTES,
    ) -> None:
        self.waiting = waiting
        self._connection = connection
        self._topics = {topic: prefix + topic for topic in topics}
        self._partitions = partitions
        self._max_event_bytes = max_event_bytes
        self._now = now
        self._answer_within_s = answer_within_s
        self._max_unanswered_bytes = max_unanswered_bytes
        self._unanswered_bytes = 0
        self._times = RecordTimes(topics)
        self._partition_of = lru_cache(65_536)(lambda key: partition_of(key, partitions))
        self._producer: AIOKafkaProducer | None = None
        self._in_turn = asyncio.Lock()
        """requests are handed to the producer one after the other, so that timestamps rise as records are written"""
        self._failed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._reason = "the gateway has not reached Kafka yet"

    def ready(self) -> tuple[bool, str]:
        """Whether events are taken, and if not, why."""
        return self._producer is not None, self._reason

    async def run(self) -> None:
        """Keeps a producer at hand until ``stop``."""
        while not self._stopping.is_set():
            producer = await self._started()
            if producer is None:
                await self._first_of(self._stopping, timeout_s=START_AGAIN_S)
                continue
            self._failed.clear()
            self._producer = producer
            _log.info("kafka_reached")
            await self._first_of(self._failed, self._stopping)
            self._producer = None
            await _end(producer)

    def stop(self) -> None:
        self._stopping.set()

    async def keep(self, events: Sequence[Accepted]) -> None:
        """Raises NotKept unless the broker has answered for every event."""
        size = sum(len(event.line) for event in events)
        producer = self._producer
        if producer is None:
            raise _Unkept(self._reason)
        if self._unanswered_bytes and self._unanswered_bytes + size > self._max_unanswered_bytes:
            raise _Unkept("too much waits for Kafka's answer already")
        self._unanswered_bytes += size
        try:
            async with asyncio.timeout(self._answer_within_s):
                self._check_partitions(producer)
                answers = await self._send(producer, events)
                for answer in answers:
                    await answer
        except TimeoutError as error:
            # What is written late is not worth waiting for: its sender was told to send it again.
            self._fail(producer, error, "Kafka does not answer")
            raise _Unkept(self._reason) from None
        except KafkaError as error:
            # A batch that failed leaves a gap in the idempotent producer's sequence: it can't go on.
            self._fail(producer, error, "Kafka did not take the events")
            raise _Unkept(self._reason) from error
        finally:
            self._unanswered_bytes -= size

    async def _send(
        self, producer: AIOKafkaProducer, events: Sequence[Accepted]
    ) -> list[Future[RecordMetadata]]:
        answers = []
        async with self._in_turn:
            now_ms = int(self._now() * 1000)
            if self._times.ahead_ms(now_ms) > MAX_AHEAD_MS:
                raise _Unkept(
                    "events come faster than their order of arrival can be written down, or the clock was set back"
                )
            for number, event in enumerate(events):
                partition = self._partition_of(event.subject)
                answer = await producer.send(
                    self._topics[event.topic],
                    event.line,
                    key=event.subject.encode(),
                    partition=partition,
                    timestamp_ms=self._times.next(event.topic, partition, now_ms),
                )
                answer.add_done_callback(_look_at)
                answers.append(answer)
                if number % PORTION == PORTION - 1:
                    await asyncio.sleep(0)
        return answers

    async def _started(self) -> AIOKafkaProducer | None:
        producer = AIOKafkaProducer(
            **self._connection,
            acks="all",
            enable_idempotence=True,
            max_batch_size=max(BATCH_BYTES, 2 * self._max_event_bytes),
            compression_type=COMPRESSION,
            max_request_size=max(4 * BATCH_BYTES, 2 * self._max_event_bytes),
            request_timeout_ms=int(self._answer_within_s * 1000),
            metadata_max_age_ms=30_000,
        )
        try:
            async with asyncio.timeout(self._answer_within_s):
                await producer.start()
                await producer.client.set_topics(self._topics.values())
                self._check_partitions(producer)
        except (KafkaError, OSError, TimeoutError, _Unkept) as error:
            reason = error.reason if isinstance(error, _Unkept) else "Kafka can't be reached"
            if reason != self._reason:
                self._reason = reason
                _log.warning("kafka_not_reached", error=type(error).__name__, reason=reason)
            await _end(producer)
            return None
        return producer

    def _check_partitions(self, producer: AIOKafkaProducer) -> None:
        known = producer.client.cluster
        for topic in self._topics.values():
            count = len(known.partitions_for_topic(topic) or ())
            if count != self._partitions:
                raise _Unkept(f"topic {topic} has {count} partitions, the settings say {self._partitions}")

    def _fail(self, producer: AIOKafkaProducer, error: BaseException, reason: str) -> None:
        if producer is self._producer:
            _log.warning("kafka_producer_replaced", error=type(error).__name__, reason=reason)
            self._reason = reason
            self._producer = None
            self._failed.set()

    async def _first_of(self, *events: asyncio.Event, timeout_s: float | None = None) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


async def _end(producer: AIOKafkaProducer) -> None:
    """Closes ``producer``; what it still holds, nobody was told to be kept.

    AIOKafkaProducer.stop() would flush first, which without a broker and with idempotence takes for ever. These are its
    other steps (aiokafka 0.14).
    """
    producer._closed = True
    try:
        async with asyncio.timeout(STOP_WITHIN_S):
            await producer._sender.close()
    except TimeoutError:
        _log.info("kafka_producer_cut_off")
    await producer.client.close()


def _look_at(answer: Future[RecordMetadata]) -> None:
    """Whoever waited may be gone: an error that nobody fetches is no news."""
    if not answer.cancelled():
        answer.exception()


class _Unkept(NotKept):
    def __init__(self, reason: str) -> None:
        super().__init__(
            "kafka_unavailable",
            f"{reason}; the events are not all kept",
            remedy="send all of them again after the seconds in Retry-After: those that are kept count once",
            retry_after_s=RETRY_AFTER_S,
        )
        self.reason = reason
