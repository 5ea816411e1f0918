"""What no event is: each is a dead letter with its reason, the next event flows, and memory stays where it was."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.kafka.partitioning import partition_of
from tests.faults.distributed import oracle
from tests.faults.distributed.conftest import PARTITIONS
from tests.services.kafka import Kafka
from tests.services.redis import RedisServer
from tests.services.waiting import wait_until
from tests.services.workers import Deployment, deployment

GROWTH_LIMIT_KB = 250_000
"""of a worker's memory: several times the largest record"""
TOPIC = "product.events"
LARGEST = 12_000_000


def event(**changes: object) -> bytes:
    """A good event, changed."""
    good: dict[str, object] = {
        "specversion": "1.0",
        "id": "poison",
        "source": "https://acme.example",
        "type": "product.event",
        "subject": "acct-poison",
        "time": "2026-10-20T10:15:30Z",
        "data": {"name": "report_viewed"},
    }
    return msgspec.json.encode(good | changes)


POISON: dict[str, tuple[bytes | None, str]] = {
    "no JSON": (b"\xff\xfe\x00 not JSON", "not_json"),
    "empty": (b"", "not_json"),
    "null, a tombstone": (None, "not_json"),
    "the JSON null": (b"null", "wrong_type"),
    "10 MB": (event(data={"name": "x" * 10_000_000}), "too_large"),
    "10 MB of opening brackets": (b"[" * 10_000_000, "too_large"),
    "10,000 levels deep": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "too_deep"),
    "NaN": (event().replace(b'"report_viewed"', b'"a","properties":{"x":NaN}'), "not_json"),
    "a number as a name": (event(data={"name": 7}), "wrong_type"),
    "a list as a subject": (event(subject=["a"]), "wrong_type"),
    "a type that there is not": (event(type="product.evnt"), "unknown_type"),
    "no time": (event(time=None), "bad_time"),
}


async def write(mine: Deployment, records: list[tuple[int, bytes | None]]) -> None:
    """(partition, value) each, as a careless sender would."""
    admin = AIOKafkaAdminClient(bootstrap_servers=mine.kafka.bootstrap)
    await admin.start()
    try:
        limit = {"max.message.bytes": str(LARGEST)}
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, mine.kafka.prefix + TOPIC, limit)]
        )
    finally:
        await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=mine.kafka.bootstrap, max_request_size=LARGEST)
    await producer.start()
    try:
        for partition, value in records:
            await producer.send_and_wait(
                mine.kafka.prefix + TOPIC, value, key=b"some key", partition=partition
            )
    finally:
        await producer.stop()


@pytest.fixture(scope="module")
def reasons() -> list[str]:
    return [reason for _, reason in POISON.values()]


async def test_poison_is_dead_lettered_with_its_reason_and_the_next_event_flows(
    reasons: list[str], tmp_path: Path, kafka: Kafka, shared_redis_server: RedisServer
) -> None:
    with deployment(tmp_path, kafka, shared_redis_server.url, "poison", partitions=PARTITIONS) as mine:
        worker = mine.start_worker()
        await oracle.fresh_events_flow(mine)
        begun, before = mine.ledger(), memory_kb(worker.pid)
        own = partition_of("acct-poison", PARTITIONS)
        other = (own + 1) % PARTITIONS
        bodies = [body for body, _ in POISON.values()]
        await write(mine, [*((own, body) for body in bodies), (other, event())])
        wait_until(lambda: mine.ledger().received == begun.received + len(bodies) + 1)
        ledger = mine.ledger()
        assert ledger.balanced
        assert ledger.dead_lettered == len(bodies) + 1
        assert ledger.applied == begun.applied
        await oracle.fresh_events_flow(mine)
        letters = await oracle.dead_letters(mine)
        assert [letters[f"{TOPIC}:{own}:{begin}"] for begin in offsets(letters, own)] == reasons
        assert [letters[f"{TOPIC}:{other}:{begin}"] for begin in offsets(letters, other)] == [
            "wrong_partition"
        ]
        assert memory_kb(worker.pid) - before < GROWTH_LIMIT_KB
        print(f"memory grew by {(memory_kb(worker.pid) - before) / 1000:.0f} MB")
        assert all(len(record.value or b"") <= 65_536 for record in await mine.kafka.read("dead-letters"))
        assert worker.stop() == 0


def offsets(letters: dict[str, str], partition: int) -> list[int]:
    places = [place.split(":") for place in letters]
    return sorted(
        int(offset) for topic, number, offset in places if (topic, number) == (TOPIC, str(partition))
    )


def memory_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
