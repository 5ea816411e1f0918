"""Fills the topics before anything is measured: the benchmark stream of bench/events.py, keyed by subject, lz4.

Topics, partitioner and order are those of a deployment: a topic for each event type, Kafka's own partitioner, record
timestamps in the order of the events. And the same again in one topic, for those that read one.
"""

from __future__ import annotations

import asyncio
import time
from asyncio import Future
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata
from kafka.admin import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from bench.stream.job import ONE_TOPIC
from schemas.events import EVENT_CLASSES
from streams.kafka.partitioning import partition_of
from streams.kafka.topics import EVENT_TOPICS

BATCH_BYTES = 65_536
_DELETE_LIMIT_S = 60.0
_TOPIC = {name: cls.topic for name, cls in EVENT_CLASSES.items()}


class _Head(msgspec.Struct):
    """What decides where an event goes."""

    type: str
    subject: str


class Topics(msgspec.Struct, kw_only=True):
    """Topics to fill: those of the event types, or one for all."""

    prefix: str
    count: int
    """the first so many events"""
    one: bool

    @property
    def names(self) -> list[str]:
        return [self.prefix + name for name in ((ONE_TOPIC,) if self.one else EVENT_TOPICS)]

    def topic(self, event_type: str) -> str:
        return self.prefix + (ONE_TOPIC if self.one else _TOPIC[event_type])


def create(bootstrap: str, names: Sequence[str], partitions: int) -> None:
    """Makes topics. Those that were there are deleted first, with all that they held."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        there = [name for name in admin.list_topics() if name in names]
        if there:
            admin.delete_topics(there)
        deadline = time.monotonic() + _DELETE_LIMIT_S
        for name in names:
            while True:
                try:
                    admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1}})
                    break
                except TopicAlreadyExistsError:  # deleting goes on behind the answer
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.1)
        admin.wait_for_topics(list(names))
    finally:
        admin.close()


async def load(bootstrap: str, lines: Path, wanted: Sequence[Topics], partitions: int) -> None:
    """Writes the events of the file ``lines`` to topics that exist; returns when the broker has them all."""
    head = msgspec.json.Decoder(_Head)
    partition: dict[str, int] = {}
    most = max(topics.count for topics in wanted)
    first_ms = int(time.time() * 1000) - most
    batches: dict[tuple[str, int], BatchBuilder] = {}
    sent: list[Future[RecordMetadata]] = []
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, compression_type="lz4", max_batch_size=BATCH_BYTES, acks="all"
    )
    await producer.start()
    try:
        with lines.open("rb") as events:
            for number, line in enumerate(islice(events, most)):
                body = line.rstrip(b"\n")
                event = head.decode(body)
                at = partition.get(event.subject)
                if at is None:
                    at = partition[event.subject] = partition_of(event.subject, partitions)
                record = {"key": event.subject.encode(), "value": body, "timestamp": first_ms + number}
                for topics in wanted:
                    if number >= topics.count:
                        continue
                    place = (topics.topic(event.type), at)
                    batch = batches.get(place)
                    if batch is None or batch.append(**record) is None:
                        if batch is not None:  # full
                            sent.append(await producer.send_batch(batch, place[0], partition=at))
                        batch = batches[place] = producer.create_batch()
                        batch.append(**record)
        for (topic, at), batch in batches.items():
            sent.append(await producer.send_batch(batch, topic, partition=at))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
