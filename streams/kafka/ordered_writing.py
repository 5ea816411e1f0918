"""Writes records to partitions of topics, in order: a batch and the broker's answer, before the next batch.

Rules:
1. ``write`` returns when all in-sync replicas have every record. So no record of a partition is there before one that was
   given earlier, whatever fails between; where it fails, a beginning may be there, and all of it is written again.
2. One producer, made when it is first wanted. One that has failed can't go on, since its sequence has a gap: whoever sees
   ``write`` fail calls ``end``, and the next ``write`` makes another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed

from schemas.errors import PlumblineError
from streams.kafka.connection import COMPRESSION
from streams.kafka.wire import Headers

START_WITHIN_S = 15.0
STOP_WITHIN_S = 5.0
BATCH_BYTES = 1_000_000
"""A little less than topics take at once (streams/kafka/topics.py): the largest alert has to fit."""

Record = tuple[bytes | None, bytes, Headers]
"""key, value, headers"""

_log = structlog.get_logger("plumbline.relay")


class OrderedWriter:
    """``connection``: what aiokafka's clients need to reach the broker. For one event loop, one ``write`` at a time."""

    def __init__(self, connection: Mapping[str, Any]) -> None:
        self._connection = connection
        self._producer: AIOKafkaProducer | None = None

    async def partitions(self, topic: str) -> int:
        """How many the topic has. Raises PlumblineError where there is no such topic, KafkaError, OSError or TimeoutError."""
        found = await (await self._started()).partitions_for(topic)
        if not found:
            raise PlumblineError(
                f"there is no topic {topic}", remedy="make the topics: plumbline topics create"
            )
        return len(found)

    async def write(self, sending: Mapping[tuple[str, int], Sequence[Record]]) -> None:
        """``sending``: (topic, partition) -> records. Raises KafkaError, OSError or TimeoutError."""
        producer = await self._started()
        writes = [
            _write_in_order(producer, topic, partition, records)
            for (topic, partition), records in sending.items()
        ]
        # All are waited for, also when one fails: nothing may be under way when the same is written again.
        for outcome in await asyncio.gather(*writes, return_exceptions=True):
            if outcome is not None:
                raise outcome

    async def end(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await producer.stop()
        except (KafkaError, OSError, TimeoutError) as error:
            # Without an answer an idempotent producer flushes for ever, and stop() waits for that: its parts are ended.
            producer._message_accumulator.fail_all(ProducerClosed())
            await producer.client.close()
            if producer._sender is not None:
                await producer._sender.close()
            _log.info("relay_producer_ended", error=type(error).__name__)

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = producer = AIOKafkaProducer(
                **self._connection,
                acks="all",
                enable_idempotence=True,
                max_batch_size=BATCH_BYTES,
                compression_type=COMPRESSION,
            )
            async with asyncio.timeout(START_WITHIN_S):
                await producer.start()
        return self._producer


async def _write_in_order(
    producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Record]
) -> None:
    """Batch by batch, each with its answer."""
    at = 0
    while at < len(records):
        batch = producer.create_batch()
        begin = at
        for key, value, headers in records[begin:]:
            if batch.append(key=key, value=value, timestamp=None, headers=list(headers)) is None:
                break
            at += 1
        if at == begin:
            raise PlumblineError(
                f"a record of {len(records[at][1])} bytes for {topic} does not fit into a batch",
                remedy="report this: Plumbline bounds what it writes",
            )
        await (await producer.send_batch(batch, topic, partition=partition))
