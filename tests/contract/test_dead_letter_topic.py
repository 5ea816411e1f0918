"""plumbline dlq over real topics: repeats are one letter, what is put back goes where it belongs and is marked."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner, Result

from schemas.errors import BadInput, PlumblineError
from streams.cli.dlq import command
from streams.kafka.partitioning import partition_of
from streams.kafka.topics import EVENT_TOPICS, TopicsRefused
from streams.kafka.wire import dead_letter_record
from streams.stores.contract import DeadLetter
from streams.stores.redis_connection import connect
from streams.stores.redis_stops import RedisStops
from streams.stores.stops import Stop
from tests.services.kafka import Kafka
from tests.services.redis import RedisSpace
from tests.unit.gateway_service import dump, event

PARTITIONS = 3


def write_settings(folder: Path, kafka: Kafka, redis: RedisSpace, partitions: int) -> Path:
    path = folder / "plumbline.yaml"
    path.write_text(
        json.dumps(
            {
                "kafka": {
                    "bootstrap": kafka.bootstrap,
                    "topic_prefix": kafka.prefix,
                    "partitions": partitions,
                },
                "redis": {"url": str(redis.settings.url), "key_prefix": redis.settings.key_prefix},
            }
        )
    )
    return path


@pytest.fixture
async def settings(kafka: Kafka, redis: RedisSpace, tmp_path: Path) -> Path:
    await kafka.create(*EVENT_TOPICS, partitions=PARTITIONS)
    await kafka.create("dead-letters", "observations", partitions=1)
    return write_settings(tmp_path, kafka, redis, PARTITIONS)


async def write(kafka: Kafka, *letters: tuple[int, DeadLetter]) -> None:
    """As the relay does."""
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        for partition, letter in letters:
            key, headers = dead_letter_record(letter, partition)
            await producer.send_and_wait(
                f"{kafka.prefix}dead-letters", letter.body, key=key, headers=list(headers)
            )


async def dlq(*arguments: str | Path) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, command, [str(each) for each in arguments])


def failed(number: int) -> DeadLetter:
    line = dump(event(number, subject=f"acct-{number}"))
    return DeadLetter("product.events", number, "step_failed", "the program failed on it", line)


async def test_letters_are_listed_once_shown_and_put_back_once(kafka: Kafka, settings: Path) -> None:
    broken = DeadLetter("web.visits", 5, "not_json", "$: it is not JSON", b"\xff{")
    await write(kafka, (0, failed(1)), (1, broken), (2, failed(2)), (0, failed(1)), (1, broken))
    listed = await dlq("list", "--settings", settings, "--json")
    found = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [each["place"] for each in found] == [
        "product.events:0:1",
        "web.visits:1:5",
        "product.events:2:2",
    ]
    shown = json.loads((await dlq("show", "web.visits:1:5", "--settings", settings, "--json")).stdout)
    assert (shown["partition"], shown["reason"], shown["event_base64"]) == (1, "not_json", "/3s=")

    done = await dlq("redrive", "--all", "--yes", "--json", "--settings", settings)
    assert json.loads(done.stdout) == {
        "put_back": 2,
        "still_refused": {"not_json": 1},
        "observations": 0,
        "put_back_before": 0,
    }
    records = await kafka.read("product.events")
    assert {record.value for record in records} == {failed(1).body, failed(2).body}
    for record in records:
        assert record.partition == partition_of(record.key.decode(), PARTITIONS)
    again = await dlq("redrive", "--all", "--yes", "--json", "--settings", settings)
    assert json.loads(again.stdout)["put_back_before"] == 2
    assert len(await kafka.read("product.events")) == 2
    text = (await dlq("list", "--settings", settings)).output
    assert "3 in all: 2 step_failed, 1 not_json" in text


async def test_an_observation_is_not_put_back(kafka: Kafka, settings: Path) -> None:
    topic = f"{kafka.prefix}observations"
    await write(kafka, (0, DeadLetter(topic, 1, "step_failed", "the program failed on it", failed(1).body)))
    named = await dlq("redrive", f"{topic}:0:1", "--yes", "--settings", settings)
    assert isinstance(named.exception, BadInput)
    assert f"({topic}:0:1)" in named.exception.what
    await write(kafka, (0, failed(2)))
    done = await dlq("redrive", "--all", "--yes", "--json", "--settings", settings)
    counts = json.loads(done.stdout)
    assert (counts["put_back"], counts["observations"]) == (1, 1)
    assert [record.value for record in await kafka.read("product.events")] == [failed(2).body]


async def test_nothing_is_put_back_into_topics_with_other_partition_counts(
    kafka: Kafka, redis: RedisSpace, settings: Path
) -> None:
    await write(kafka, (0, failed(1)))
    other = write_settings(settings.parent, kafka, redis, PARTITIONS + 1)
    done = await dlq("redrive", "--all", "--yes", "--settings", other)
    assert isinstance(done.exception, TopicsRefused)
    assert await kafka.read("product.events") == []


async def test_stopped_partitions_are_said_and_resumed(settings: Path, redis: RedisSpace) -> None:
    client = connect(redis.settings)
    stops = RedisStops(client, redis.settings.key_prefix, PARTITIONS, "it")
    for partition in (0, 2):
        stops.put(Stop(partition=partition, at=1.8e9, dead=600, events=1000, reasons=["bad_time"]))
    listed = (await dlq("list", "--settings", settings)).output
    assert "partition 2 stands still since 2027-01-15 08:00:00 UTC: 600 of 1,000 events" in listed
    assert json.loads((await dlq("resume", "2", "--json", "--settings", settings)).stdout) == {"resumed": [2]}
    assert [stop.partition for stop in stops.stopped()] == [0]
    assert "it goes on within seconds" in (await dlq("resume", "--settings", settings)).output
    assert stops.stopped() == []
    client.close()


async def test_a_topic_that_is_not_there_is_said(kafka: Kafka, tmp_path: Path) -> None:
    path = tmp_path / "plumbline.yaml"
    path.write_text(f"kafka: {{bootstrap: '{kafka.bootstrap}', topic_prefix: {kafka.prefix}}}\n")
    listed = await dlq("list", "--settings", path)
    assert isinstance(listed.exception, PlumblineError)
    assert "plumbline topics create" in str(listed.exception)
