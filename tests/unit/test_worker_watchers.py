"""A consumer that ends cancels whatever is asked of it at that moment, as Faust's thread does. The worker's next membership
notes offsets and watches fetches all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from faust.types import TP

from schemas.settings import Settings
from streams.kafka import fetch_watch
from streams.kafka import worker as worker_module
from streams.kafka.worker import Worker
from tests.services.waiting import until

OFFSETS = {TP("crm.accounts", 0): 7}


class EndingConsumer:
    """Answers nothing until it ends; then it cancels what was asked."""

    def __init__(self) -> None:
        self.noting: list[asyncio.Future[bool]] = []
        self.looking: list[asyncio.Future[Mapping[TP, int]]] = []

    async def note_committed(self, offsets: Mapping[TP, int]) -> bool:
        self.noting.append(asyncio.get_running_loop().create_future())
        return await self.noting[-1]

    async def ends(self, partitions: Collection[TP]) -> Mapping[TP, int]:
        self.looking.append(asyncio.get_running_loop().create_future())
        return await self.looking[-1]

    def partition_counts(self, topics: Collection[str]) -> dict[str, int]:
        return dict.fromkeys(topics, 0)

    def end(self) -> None:
        for asked in (*self.noting, *self.looking):
            asked.set_exception(asyncio.CancelledError())


class EndingMembership:
    """The group gives it up as soon as something was asked of its consumer."""

    made: ClassVar[list[EndingMembership]] = []

    def __init__(self, *_: Any) -> None:
        self.consumer = EndingConsumer()
        self.made.append(self)

    async def hold(self, stopping: asyncio.Event) -> str:
        await until(lambda: self.consumer.noting and self.consumer.looking)
        if len(self.made) == 2:
            stopping.set()
        self.consumer.end()
        await asyncio.sleep(0)
        return "gone"

    async def end(self) -> None:
        """Nothing to leave."""


class HeldWorker(Worker):
    """Has a partition that is not fetched, whenever it is a member."""

    async def _leave(self) -> None:
        assert self._member is not None
        await self._member.end()


async def test_each_membership_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "Membership", EndingMembership)
    monkeypatch.setattr(worker_module, "NOTE_EVERY_S", 0.001)
    monkeypatch.setattr(worker_module, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(fetch_watch, "EVERY_S", 0.001)
    monkeypatch.setattr(EndingMembership, "made", [])
    worker: Any = HeldWorker(Settings(kafka={"bootstrap": "localhost:9092"}), [])
    lane = SimpleNamespace(offsets=OFFSETS, unanswered=lambda since: OFFSETS)
    worker._lanes._running = {("accounts", 0): (lane, None)}
    await worker._stay_member()
    assert len(EndingMembership.made) == 2
    assert all(made.consumer.noting and made.consumer.looking for made in EndingMembership.made)
    worker._threads.shutdown()
