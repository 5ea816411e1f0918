"""The gateway over a real Kafka: 202 means that the broker has every event, in order, in the right place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas.events import EVENT_CLASSES
from schemas.settings import Settings
from streams.gateway import Accepted, NotKept
from streams.kafka.partitioning import partition_of
from streams.kafka.producing import KafkaSink
from tests.services.kafka import Broker, Kafka
from tests.services.waiting import until
from tests.unit.gateway_service import BATCH, LINES, Service, dump, event, serve

PARTITIONS = 3
TOPICS = tuple(dict.fromkeys(each.topic for each in EVENT_CLASSES.values()))
VISIT = {"visitor_id": "v7", "url": "https://acme.example/pricing", "path": "/pricing"}
TICKET = {"ticket_id": "t-1", "subject": "How do I share a report?"}


@asynccontextmanager
async def sink_to(kafka: Kafka, partitions: int = PARTITIONS, **options: Any) -> AsyncIterator[KafkaSink]:
    """A sink at work; ready when the broker is there."""
    made = KafkaSink(
        {"bootstrap_servers": kafka.bootstrap},
        TOPICS,
        prefix=kafka.prefix,
        partitions=partitions,
        max_event_bytes=65_536,
        **options,
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(made.run())
        try:
            yield made
        finally:
            made.stop()


@asynccontextmanager
async def gateway(kafka: Kafka, folder: Path, **options: Any) -> AsyncIterator[tuple[Service, KafkaSink]]:
    async with sink_to(kafka, **options) as sink, serve(folder, Settings(), sink=sink) as service:
        await until(lambda: sink.ready()[0])
        yield service, sink


def mixed(count: int) -> list[dict[str, Any]]:
    """Events of three topics, of seven accounts, in turn."""
    kinds: list[dict[str, Any]] = [
        {"type": "web.visit", "data": VISIT},
        {},
        {"type": "support.ticket", "data": TICKET},
    ]
    return [event(number, subject=f"acct-{number % 7}", **kinds[number % 3]) for number in range(count)]


async def test_what_was_accepted_is_in_its_topic_and_partition_in_order(kafka: Kafka, tmp_path: Path) -> None:
    await kafka.create(*TOPICS, partitions=PARTITIONS)
    events = mixed(500)
    async with gateway(kafka, tmp_path) as (service, _):
        status, answer, _ = await service.post(dump(events[:450]), BATCH)
        assert (status, answer) == (202, {"accepted": 450})
        status, answer, _ = await service.post(b"\n".join(map(dump, events[450:])), LINES)
        assert (status, answer) == (202, {"accepted": 50})
    records = [record for topic in TOPICS for record in await kafka.read(topic)]
    assert len(records) == 500
    for record in records:
        assert record.partition == partition_of(record.key.decode(), PARTITIONS)
    sent = [dump(each) for each in events]
    for partition in range(PARTITIONS):
        rank = {kafka.prefix + topic: number for number, topic in enumerate(TOPICS)}
        merged = sorted(
            (r for r in records if r.partition == partition),
            key=lambda r: (r.timestamp, rank[r.topic], r.offset),
        )
        wanted = [line for line in sent if line in {r.value for r in merged}]
        assert [r.value for r in merged] == wanted, "by time and topic they come as they arrived"


async def test_without_its_topics_the_gateway_says_what_is_missing(kafka: Kafka, tmp_path: Path) -> None:
    async with sink_to(kafka) as sink, serve(tmp_path, sink=sink) as service:
        await until(lambda: "0 partitions" in sink.ready()[1])
        status, answer, headers = await service.post(dump(event()))
        assert (status, headers["Retry-After"]) == (503, "5")
        assert "has 0 partitions, the settings say 3" in answer["detail"]
        await kafka.create(*TOPICS, partitions=PARTITIONS)
        await until(lambda: sink.ready()[0])
        assert (await service.post(dump(event())))[0] == 202


async def test_topics_with_other_partition_counts_are_not_written_to(kafka: Kafka) -> None:
    await kafka.create(*TOPICS[1:], partitions=PARTITIONS)
    await kafka.create(TOPICS[0], partitions=PARTITIONS + 1)
    async with sink_to(kafka) as sink:
        await until(lambda: "4 partitions" in sink.ready()[1])
        with pytest.raises(NotKept, match="has 4 partitions, the settings say 3"):
            await sink.keep([Accepted("product.events", "acct-1", dump(event()))])
    assert await kafka.read("product.events") == []


async def test_broker_away_is_503_and_comes_back_by_itself(kafka_broker: Broker, tmp_path: Path) -> None:
    kafka = Kafka(kafka_broker.bootstrap, "t.")
    await kafka.create(*TOPICS, partitions=PARTITIONS)
    async with gateway(kafka, tmp_path, answer_within_s=2.0) as (service, sink):
        assert (await service.post(dump(event(1))))[0] == 202
        kafka_broker.freeze()
        answers = await asyncio.gather(*(service.post(dump(event(n))) for n in range(2, 12)))
        assert [status for status, *_ in answers] == [503] * 10
        assert all(headers["Retry-After"] == "5" for *_, headers in answers)
        await until(lambda: not sink.ready()[0])
        kafka_broker.thaw()
        await until(lambda: sink.ready()[0])
        for number in range(2, 12):
            assert (await service.post(dump(event(number))))[0] == 202, "the same again"
        kafka_broker.kill()
        assert (await service.post(dump(event(12))))[0] == 503
        await asyncio.to_thread(kafka_broker.start)
        await until(lambda: sink.ready()[0])
        assert (await service.post(dump(event(12))))[0] == 202
    kept = {record.value for record in await kafka.read("product.events")}
    assert kept == {dump(event(number)) for number in range(1, 13)}


async def test_what_waits_for_an_answer_is_bounded(kafka_broker: Broker) -> None:
    kafka = Kafka(kafka_broker.bootstrap, "t.")
    await kafka.create(*TOPICS, partitions=PARTITIONS)
    line = dump(event())
    accepted = [Accepted("product.events", "acct-1", line)] * 10
    async with sink_to(kafka, answer_within_s=2.0, max_unanswered_bytes=15 * len(line)) as sink:
        await until(lambda: sink.ready()[0])
        kafka_broker.freeze()
        waiting = asyncio.ensure_future(sink.keep(accepted))
        await asyncio.sleep(0)
        with pytest.raises(NotKept, match="too much waits"):
            await sink.keep(accepted)
        with pytest.raises(NotKept, match="does not answer"):
            await waiting
        kafka_broker.thaw()
        await until(lambda: sink.ready()[0])
        await sink.keep(accepted)


async def test_what_was_accepted_while_the_broker_was_killed_is_there(
    kafka_broker: Broker, tmp_path: Path
) -> None:
    kafka = Kafka(kafka_broker.bootstrap, "t.")
    await kafka.create(*TOPICS, partitions=PARTITIONS)
    accepted: set[bytes] = set()
    killed = asyncio.Event()
    back = asyncio.Event()

    async def post(service: Service, sender: int) -> None:
        """Sends until it has been told 202 after the restart too."""
        for number in range(100_000):
            lines = [dump(each) for each in mixed(6)]
            lines = [line.replace(b'"e-', f'"{sender}-{number}-'.encode()) for line in lines]
            status, *_ = await service.post(b"\n".join(lines), LINES)
            if status == 202:
                accepted.update(lines)
                if back.is_set():
                    return
                if len(accepted) > 300:
                    killed.set()

    async with (
        gateway(kafka, tmp_path, answer_within_s=5.0) as (service, sink),
        asyncio.TaskGroup() as group,
    ):
        for sender in range(4):
            group.create_task(post(service, sender))
        await killed.wait()
        kafka_broker.kill()
        await until(lambda: not sink.ready()[0])
        await asyncio.to_thread(kafka_broker.start)
        await until(lambda: sink.ready()[0])
        back.set()
    kept = {record.value for topic in TOPICS for record in await kafka.read(topic)}
    assert len(accepted) > 300
    assert accepted <= kept
