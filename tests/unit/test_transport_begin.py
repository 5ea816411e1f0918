"""A partition that is begun while records of it are on their way: nothing is left out, and it does get begun.

The driver's Consumer with what lies beneath it replaced: one fetch at a time, during which the test does what may happen.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streams.kafka.transport import Consumer

ONE = TP("events", 1)
OTHER = TP("events", 2)


class Told:
    """What the worker was told."""

    def __init__(self) -> None:
        self.records: dict[TP, list[int]] = {}
        self.interruptions: list[TP] = []

    def fetched(self, records: Mapping[TP, Sequence[Any]], looks: Mapping[TP, Any]) -> None:
        for tp, batch in records.items():
            self.records.setdefault(tp, []).extend(record.offset for record in batch)

    def interrupted(self, partitions: Collection[TP], *, out_of_range: bool = False) -> None:
        self.interruptions.extend(partitions)


class OneFetch(Consumer):
    """``meanwhile`` happens during the fetch that brings ``found``: offsets by partition."""

    def __init__(self) -> None:
        self.told = Told()
        self.found: dict[TP, list[int]] = {}
        self.meanwhile: Callable[[], Any] | None = None
        self.in_seek: asyncio.Event | None = None
        self._resumed = asyncio.Event()
        self._begun_times = Counter()
        self._begun_at = {}
        self.app: Any = SimpleNamespace(consumer_generation_id=1, intake=self.told)

    flow_active = True  # type: ignore[assignment]
    should_stop = False  # type: ignore[assignment]

    def assignment(self) -> set[TP]:
        return {ONE, OTHER}

    def pause_partitions(self, tps: Any) -> None: ...

    def resume_partitions(self, tps: Any) -> None: ...

    def _get_active_partitions(self) -> set[TP]:
        return set()

    def _looks(self, partitions: Collection[TP]) -> dict[TP, Any]:
        return {}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        if self.in_seek is not None:
            await self.in_seek.wait()

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:  # noqa: ASYNC109 - Faust's own
        if self.meanwhile is not None:
            await self.meanwhile()
        records = {tp: [SimpleNamespace(offset=offset) for offset in each] for tp, each in self.found.items()}
        return records, set(records)


async def test_what_comes_from_after_the_beginning_is_handed_over() -> None:
    consumer = OneFetch()
    consumer.found = {ONE: [100, 101], OTHER: [5]}
    consumer.meanwhile = lambda: consumer.begin({ONE: 100})
    await consumer._drain_once()
    assert consumer.told.records == {ONE: [100, 101], OTHER: [5]}
    assert consumer.told.interruptions == []


async def test_what_comes_from_before_is_handed_over_where_it_leaves_nothing_out() -> None:
    consumer = OneFetch()
    consumer.found = {ONE: [98, 99, 100]}  # what was read before is for the worker to pass over
    consumer.meanwhile = lambda: consumer.begin({ONE: 100})
    await consumer._drain_once()
    assert consumer.told.records == {ONE: [98, 99, 100]}


async def test_what_would_leave_a_gap_is_thrown_away_and_said() -> None:
    consumer = OneFetch()
    consumer.found = {ONE: [103, 104], OTHER: [5]}
    consumer.meanwhile = lambda: consumer.begin({ONE: 100})
    await consumer._drain_once()
    assert consumer.told.records == {OTHER: [5]}
    assert consumer.told.interruptions == [ONE]


async def test_what_comes_before_the_beginning_is_done_is_thrown_away_and_said() -> None:
    consumer = OneFetch()
    consumer.in_seek = asyncio.Event()
    consumer.found = {ONE: [100]}
    beginnings: list[asyncio.Task[None]] = []

    async def begin_in_the_background() -> None:
        beginnings.append(asyncio.create_task(consumer.begin({ONE: 100})))
        await asyncio.sleep(0)

    consumer.meanwhile = begin_in_the_background
    await consumer._drain_once()
    assert consumer.told.records == {}
    assert consumer.told.interruptions == [ONE]
    consumer.in_seek.set()
    await beginnings[0]


@pytest.mark.parametrize("first", [100, 99])
async def test_with_a_backlog_every_fetch_sees_a_beginning_and_one_is_enough(first: int) -> None:
    """As long as there is more to fetch, a beginning always falls into a fetch: it must not have to be tried again."""
    consumer = OneFetch()
    consumer.found = {ONE: [first, 100]}
    consumer.meanwhile = lambda: consumer.begin({ONE: 100})
    for _ in range(3):
        await consumer._drain_once()
    assert consumer.told.interruptions == []
    assert len(consumer.told.records[ONE]) == 6
