"""Reads the alerts topic into the delivery queue (streams/delivery/intake.py), from the positions that stand there.

Rules:
1. The broker keeps no position for it: where to read on stands in the queue's file, beside the alerts.
2. Broker away, file locked or full: said once, tried again; what was not written is read again.
3. Alerts that the topic has lost (its retention was shorter than the time that nobody read) are counted and said.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.errors import PlumblineError
from streams.delivery.intake import Intake, outbox_row

AT_ONCE = 1000
POLL_S = 1.0
FIRST_BACKOFF_S = 0.5
LAST_BACKOFF_S = 15.0
CONNECT_WITHIN_S = 30.0

_log = structlog.get_logger("plumbline.delivery")


class AlertsReader:
    """``connection``: what aiokafka's clients need to reach the broker. ``topic`` with its prefix. ``thread``: the one
    that may use ``intake``. ``taken`` is called when alerts were written, with how many were new."""

    def __init__(
        self,
        connection: Mapping[str, Any],
        topic: str,
        intake: Intake,
        thread: Executor,
        *,
        taken: Callable[[int], None],
        lost: Callable[[int], None],
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._intake = intake
        self._thread = thread
        self._taken = taken
        self._lost = lost
        self._stopping = asyncio.Event()
        self._reason = "the alerts topic was not reached yet"
        self._reads = False
        self._waiting = 0

    def ready(self) -> tuple[bool, str]:
        """Whether the topic is read, and if not, why."""
        return self._reads, self._reason

    def waiting(self) -> int:
        """Alerts in the topic that are not taken in yet, as last heard."""
        return self._waiting

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Until ``stop``."""
        backoff_s = FIRST_BACKOFF_S
        while not self._stopping.is_set():
            try:
                await self._read_on()
                backoff_s = FIRST_BACKOFF_S
            except (KafkaError, OSError, TimeoutError, PlumblineError, sqlite3.OperationalError) as error:
                self._reads = False
                reason = error.what if isinstance(error, PlumblineError) else type(error).__name__
                if reason != self._reason:
                    self._reason = reason
                    _log.warning("alerts_topic_not_read", reason=reason)
                try:
                    async with asyncio.timeout(backoff_s):
                        await self._stopping.wait()
                except TimeoutError:
                    backoff_s = min(2 * backoff_s, LAST_BACKOFF_S)
        self._reads = False

    async def _read_on(self) -> None:
        """Reads until ``stop``, or until the topic has other partitions than it had."""
        async with asyncio.timeout(CONNECT_WITHIN_S):
            partitions = await self._partitions()
        consumer = AIOKafkaConsumer(
            **self._connection, enable_auto_commit=False, auto_offset_reset="none", metadata_max_age_ms=30_000
        )
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                await consumer.start()
                consumer.assign(partitions)
                await self._seek(consumer, partitions)
            self._reads = True
            if self._reason:
                self._reason = ""
                _log.info("alerts_topic_read", partitions=len(partitions))
            while not self._stopping.is_set() and len(
                consumer.partitions_for_topic(self._topic) or partitions
            ) == len(partitions):
                await self._take(consumer)
        finally:
            await consumer.stop()

    async def _partitions(self) -> list[TopicPartition]:
        admin = AIOKafkaAdminClient(**self._connection)
        try:
            await admin.start()
            (topic,) = await admin.describe_topics([self._topic])
        finally:
            await admin.close()
        if not topic["partitions"]:
            raise PlumblineError(
                f"there is no topic {self._topic}", remedy="make it with: plumbline topics create"
            )
        return [TopicPartition(self._topic, each["partition"]) for each in topic["partitions"]]

    async def _seek(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        stored = await self._call(self._intake.positions, self._topic)
        first = await consumer.beginning_offsets(partitions)
        end = await consumer.end_offsets(partitions)
        for partition in partitions:
            position = stored.get(partition.partition, first[partition])
            if position > end[partition]:
                _log.error(
                    "alerts_topic_is_another",
                    partition=partition.partition,
                    remedy="it is read from its beginning",
                )
                position = first[partition]
            elif position < first[partition]:
                count = first[partition] - position
                _log.error(
                    "alerts_lost",
                    partition=partition.partition,
                    alerts=count,
                    remedy="keep alerts longer in the topic than delivery may stand still",
                )
                self._lost(count)
                position = first[partition]
            consumer.seek(partition, position)

    async def _take(self, consumer: AIOKafkaConsumer) -> None:
        found = await consumer.getmany(timeout_ms=int(POLL_S * 1000), max_records=AT_ONCE)
        rows = []
        positions = {}
        for partition, records in found.items():
            for record in records:
                place = f"{partition.partition}-{record.offset}"
                rows.append(outbox_row(record.value or b"", place, record.timestamp / 1000))
            positions[partition.partition] = records[-1].offset + 1
        if positions:
            new = await self._call(self._intake.take_in, self._topic, rows, positions)
            self._taken(new)
        self._waiting = 0
        for partition in consumer.assignment():
            end = consumer.highwater(partition)
            if end is not None:
                self._waiting += max(0, end - await consumer.position(partition))

    async def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)
