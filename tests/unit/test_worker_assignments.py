"""A worker is told what it has: also when one assignment cuts the one before it short."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from schemas.settings import Settings
from streams.kafka.worker import Worker
from tests.services.waiting import until

PARTITION = 3


class FakeConsumer:
    """Knows no topics, as a client that the broker has not answered yet."""

    def __init__(self) -> None:
        self.read: set[TP] = set()

    async def begin(self, positions: Mapping[TP, int]) -> None:
        self.read |= set(positions)

    def pause_partitions(self, partitions: Collection[TP]) -> None:
        self.read -= set(partitions)

    def partition_counts(self, topics: Collection[str]) -> dict[str, int]:
        return dict.fromkeys(topics, 0)


class SlowWorker(Worker):
    """Taking a partition over waits for ``may_open``."""

    def __init__(self) -> None:
        super().__init__(Settings(kafka={"bootstrap": "localhost:9092"}), [])
        self.fake = FakeConsumer()
        self.may_open = threading.Event()
        self.opening = 0
        self._loop = asyncio.get_running_loop()
        self._member: Any = SimpleNamespace(consumer=self.fake)
        self._relay: Any = SimpleNamespace(own=lambda *_: None, disown=lambda *_: None)

    @property
    def mine(self) -> set[TP]:
        """What is assigned together: one partition of all event topics."""
        return {TP(topic, PARTITION) for topic in self._event_topics}

    @property
    def finished(self) -> list[bool]:
        """Of each lane, whether its task is over."""
        return [task.done() for _, task in self._lanes._running.values()]

    def open(self, stage: str, partition: int) -> Any:
        self.opening += 1
        self.may_open.wait()
        claim = SimpleNamespace(offsets={}, watermark=0.0)
        return SimpleNamespace(claim=claim, standing_still=lambda: "")

    async def told(self, partitions: Iterable[TP]) -> None:
        """As by the consumer, which pauses first (streams/kafka/transport.py)."""
        self.fake.read.clear()
        await self.assigned(set(partitions))


@asynccontextmanager
async def slow_worker() -> AsyncIterator[SlowWorker]:
    worker = SlowWorker()
    try:
        yield worker
    finally:
        worker.may_open.set()
        await worker.told(())
        worker._threads.shutdown()


async def test_a_partition_that_comes_back_while_it_is_let_go_is_read() -> None:
    async with slow_worker() as worker:
        await worker.told(worker.mine)
        await until(lambda: worker.opening == 1)
        leaving = asyncio.create_task(worker.told(()))
        await asyncio.sleep(0)
        # The service that tells of assignments gives one up when the next one is there.
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        back = asyncio.create_task(worker.told(worker.mine))
        worker.may_open.set()
        await back
        await until(lambda: worker.fake.read == worker.mine)
        assert worker.finished == [False]


async def test_a_partition_that_it_keeps_is_read_after_each_assignment() -> None:
    """Also when the group had begun to share out again before the assignment was told: then no rest comes between."""
    async with slow_worker() as worker:
        worker.may_open.set()
        await worker.revoked()
        for _ in range(3):
            await worker.told(worker.mine)
            await until(lambda: worker.fake.read == worker.mine)
        assert worker.opening == 1
