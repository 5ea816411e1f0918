"""The relay against a real broker: in order, at least once, marks after what they speak of, and back after an outage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from structlog.testing import capture_logs

from schemas.alerts import Notice, encode_alert, moment
from schemas.errors import EventRefused, StoreUnavailable
from schemas.observations import encode_observation
from streams.kafka.drift import DriftIntake
from streams.kafka.partitioning import partition_of
from streams.kafka.relay import KINDS, Relay, RelayTopics
from streams.kafka.wire import Mark, Sent, decode_message, read_dead_letter
from streams.stores.contract import DeadLetter, OutgoingKind, encode_dead_letter
from tests.services import waiting
from tests.services.kafka import Broker, Kafka
from tests.unit.drift_world import DriftMemoryStore, WritingStage, observation

PARTITIONS = 2
LIMIT_S = 60.0


class Lists(DriftMemoryStore):
    """Outgoing lists in memory, numbered as a store numbers them."""

    def __init__(self) -> None:
        super().__init__()
        self.lists: dict[tuple[str, int, OutgoingKind], list[tuple[int, bytes]]] = {}
        self.numbers: dict[tuple[str, int, OutgoingKind], int] = {}
        self.away = False

    def put(self, partition: int, kind: OutgoingKind, *bodies: bytes, stage: str = "accounts") -> None:
        place = (stage, partition, kind)
        for body in bodies:
            self.numbers[place] = self.numbers.get(place, 0) + 1
            self.lists.setdefault(place, []).append((self.numbers[place], body))

    def outgoing(
        self, stage: str, partition: int, kind: OutgoingKind, after: int, limit: int
    ) -> list[tuple[int, bytes]]:
        entries = self.lists.get((stage, partition, kind), [])
        return [entry for entry in entries if entry[0] > after][:limit]

    def trim(self, stage: str, partition: int, kind: OutgoingKind, until: int) -> None:
        if self.away:
            raise StoreUnavailable("the store is away")
        place = (stage, partition, kind)
        self.lists[place] = [entry for entry in self.lists[place] if entry[0] > until]


def topics(prefix: str) -> RelayTopics:
    return RelayTopics(
        observations=prefix + "observations", alerts=prefix + "alerts", dead_letters=prefix + "dead-letters"
    )


async def create(kafka: Kafka) -> None:
    await kafka.create("observations", "alerts", "dead-letters", partitions=PARTITIONS)


def relay(store: Lists, kafka: Kafka) -> Relay:
    return Relay(
        store,
        {"bootstrap_servers": kafka.bootstrap},
        topics(kafka.prefix),
        now=lambda: 1000.0,
        mark_every_s=0.05,
        caught_up_every_s=0.05,
    )


@asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(relay.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(done: Callable[[], bool], task: asyncio.Task[None]) -> None:
    def looked() -> bool:
        assert not task.done(), task.exception()
        return done()

    await waiting.until(looked, LIMIT_S)


async def messages(kafka: Kafka, partition: int) -> list[Sent | Mark]:
    records = [record for record in await kafka.read("observations") if record.partition == partition]
    return [decode_message(record.value, 10) for record in records]


def facts(partition: int, *numbers: int) -> list[bytes]:
    return [encode_observation(observation(f"{partition}-{n}", float(n))) for n in numbers]


NOTICE = Notice(
    id="n1", at=moment(5.0), signal="plg.conversion_gap", segment="all", finding="x", what="y", means="z"
)


async def test_publishes_trims_and_then_marks(kafka: Kafka) -> None:
    await create(kafka)
    store = Lists()
    store.put(3, "observations", *facts(3, 1, 2, 3))
    store.put(3, "alerts", encode_alert(NOTICE))
    letter = DeadLetter("crm.accounts", 17, "not_json", "no JSON", b"\xff\x00")
    store.put(3, "dead_letters", encode_dead_letter(letter))
    mine = relay(store, kafka)
    mine.own("accounts", 3, 2.5)
    async with running(mine) as task:
        await until(lambda: not any(store.lists.values()), task)
        mine.committed("accounts", 3, 7.0, ())
        mine.caught_up("accounts", 3, 900.0)
        to = partition_of("plg.conversion_gap", PARTITIONS)
        async with asyncio.timeout(LIMIT_S):
            while Mark(source=3, watermark=7.0, caught_up=900.0) not in await messages(kafka, 1 - to):
                pass
    heard = await messages(kafka, to)
    assert [(each.source, each.sequence, each.known, each.sent) for each in heard[:3] if isinstance(each, Sent)] == [
        (3, 1, 1.0, 1000.0), (3, 2, 2.0, 1000.0), (3, 3, 3.0, 1000.0),
    ]  # fmt: skip
    assert Mark(source=3, watermark=2.5, caught_up=0.0) in heard[3:]
    assert not any(isinstance(each, Sent) for each in await messages(kafka, 1 - to))
    (alert,) = await kafka.read("alerts")
    assert (alert.key, alert.value) == (b"plg.conversion_gap", encode_alert(NOTICE))
    (dead,) = await kafka.read("dead-letters")
    assert dead.key == b"crm.accounts:3:17"
    assert read_dead_letter(dead.value, dead.headers) == (3, letter)


async def test_what_was_published_and_not_trimmed_is_published_again_and_counts_once(kafka: Kafka) -> None:
    await create(kafka)
    store = Lists()
    store.put(0, "observations", *facts(0, 1, 2))
    first = relay(store, kafka)
    first.own("accounts", 0, 2.0)
    store.away = True
    with capture_logs() as said:
        async with running(first) as task:
            await until(lambda: any(entry["event"] == "relay_waits" for entry in said), task)
    store.away = False
    store.put(0, "observations", *facts(0, 3))
    second = relay(store, kafka)
    second.own("accounts", 0, 4.0)
    async with running(second) as task:
        await until(lambda: not any(store.lists.values()), task)
        second.caught_up("accounts", 0, 2000.0)
        to = partition_of("plg.conversion_gap", PARTITIONS)

        async def is_told() -> bool:
            return any(isinstance(each, Mark) and each.caught_up for each in await messages(kafka, to))

        await waiting.until(is_told, LIMIT_S)
    records = [record for record in await kafka.read("observations") if record.partition == to]
    assert sum(isinstance(each, Sent) for each in await messages(kafka, to)) > 3
    drift = Lists()
    DriftIntake(drift, WritingStage(), "observations", to, 1).take(  # type: ignore[arg-type]
        [(record.offset, record.value) for record in records]
    )
    assert drift._partitions["drift", to].states
    assert drift.heard[0].sequence == 3
    assert not drift.kept


async def test_more_than_a_batch_keeps_its_order_through_a_broker_that_goes_and_comes(
    kafka_broker: Broker,
) -> None:
    count = 2500
    kafka = Kafka(kafka_broker.bootstrap, "")
    await create(kafka)
    store = Lists()
    mine = relay(store, kafka)
    mine.own("accounts", 0, 0.0)
    store.put(0, "observations", *facts(0, *range(1, count + 1)))
    async with running(mine) as task:
        await until(lambda: not any(store.lists.values()), task)
        await asyncio.to_thread(kafka_broker.kill)
        store.put(0, "observations", *facts(0, *range(count + 1, 2 * count + 1)))
        mine.committed("accounts", 0, float(2 * count), KINDS)
        await asyncio.to_thread(kafka_broker.start)
        await until(lambda: not any(store.lists.values()), task)
    to = partition_of("plg.conversion_gap", PARTITIONS)
    numbers = [each.sequence for each in await messages(kafka, to) if isinstance(each, Sent)]
    firsts = list(dict.fromkeys(numbers))
    assert firsts == list(range(1, 2 * count + 1))


async def test_two_rounds_at_once_do_not_mark_before_they_have_published(kafka: Kafka) -> None:
    await create(kafka)
    store = Lists()
    store.put(0, "observations", *facts(0, 1, 2, 3))
    mine = relay(store, kafka)
    mine.own("accounts", 0, 3.0)
    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(mine.round(), mine.round())
    store.put(0, "observations", *facts(0, 4))
    mine.committed("accounts", 0, 4.0)
    async with running(mine) as task:  # which ends the producer
        await until(lambda: not any(store.lists.values()), task)
    heard = await messages(kafka, partition_of("plg.conversion_gap", PARTITIONS))
    assert [type(each) for each in heard[:4]] == [Sent, Sent, Sent, Mark]


async def test_a_disowned_partition_is_left_alone(kafka: Kafka) -> None:
    await create(kafka)
    store = Lists()
    mine = relay(store, kafka)
    mine.own("accounts", 0, 0.0)
    mine.own("accounts", 1, 0.0)
    mine.disown("accounts", 0)
    store.put(0, "observations", *facts(0, 1))
    store.put(1, "observations", *facts(1, 1))
    async with running(mine) as task:
        await until(lambda: not store.lists["accounts", 1, "observations"], task)
        mine.committed("accounts", 0, 1.0)
    assert store.lists["accounts", 0, "observations"]


def test_a_dead_letter_without_its_headers_is_refused() -> None:
    whole: list[tuple[str, bytes]] = [
        ("topic", b"t"), ("partition", b"1"), ("offset", b"2"), ("reason", b"r"), ("detail", b"")
    ]  # fmt: skip
    assert read_dead_letter(None, whole) == (1, DeadLetter("t", 2, "r", "", b""))
    broken: list[Any] = [
        whole[:4],
        [*whole[:2], ("offset", b"x"), *whole[3:]],
        [("topic", b"\xff"), *whole[1:]],
    ]
    for headers in broken:
        with pytest.raises(EventRefused):
            read_dead_letter(b"", headers)
