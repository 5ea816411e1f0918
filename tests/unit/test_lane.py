"""A lane: one state partition held, lost, stopped, taken back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import pytest
import structlog
from faust.types import TP

from schemas.errors import Fenced, PlumblineError, StateRefused, StoreUnavailable
from streams.kafka import lane as lane_module
from streams.kafka.alignment import Batch
from streams.kafka.lane import Lane
from streams.kafka.transport import Look
from streams.stores.contract import Claim, Ledger
from tests.services.waiting import until

A, B = TP("a", 0), TP("b", 0)
LIMIT_S = 60.0


class Record(NamedTuple):
    offset: int
    timestamp: int
    value: bytes


class Intake:
    """Commits what it is given, unless ``refuses`` says otherwise."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.claim = owner.claim
        self.still = ""

    def standing_still(self) -> str:
        self.still = "" if self._owner.told_to_go_on else self.still
        return self.still

    def take(self, batch: Batch) -> list[Any] | None:
        refuses = self._owner.refusals.pop(0) if self._owner.refusals else None
        if refuses == "flood":
            self.still = "too many dead letters"
            return None
        if isinstance(refuses, Exception):
            raise refuses
        self._owner.taken_in += [(topic, offset) for topic, offset, _ in batch.records]
        self._owner.claim = self.claim = Claim(
            stage="accounts",
            partition=0,
            version=1,
            offsets={**self.claim.offsets, **batch.offsets},
            watermark=0.0,
            ledger=Ledger(),
        )
        return []

    def tick(self) -> list[Any]:
        return []


class FakeConsumer:
    def __init__(self) -> None:
        self.positions: dict[TP, int] = {}
        self.paused: set[TP] = {A, B}
        self.first = {A: 0, B: 0}
        self.last = {A: 1000, B: 1000}

    async def begin(self, positions: Mapping[TP, int]) -> None:
        self.positions = dict(positions)
        self.paused -= set(positions)

    async def bounds(self, partitions: Collection[TP]) -> tuple[dict[TP, int], dict[TP, int]]:
        return self.first, self.last

    def pause_partitions(self, partitions: Collection[TP]) -> None:
        self.paused |= set(partitions)

    def resume(self, partitions: Collection[TP]) -> None:
        self.paused -= set(partitions)


class Owner:
    batch_events = 100
    after_fenced_s = 0.05

    def __init__(self, **offsets: int) -> None:
        self.consumer: Any = FakeConsumer()
        self.claim = Claim(
            stage="accounts", partition=0, version=0, offsets=offsets, watermark=0.0, ledger=Ledger()
        )
        self.refusals: list[Any] = []
        self.open_refusals: list[Exception] = []
        self.taken_in: list[tuple[str, int]] = []
        self.opened = 0
        self.held = False
        self.at_end = 0
        self.records_lost = 0
        self.told_to_go_on = False

    def open(self, stage: str, partition: int) -> Intake:
        self.opened += 1
        if self.open_refusals:
            raise self.open_refusals.pop(0)
        return Intake(self)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Coroutine[Any, Any, Any]:
        return asyncio.to_thread(function, *arguments)

    def taken(self, lane: Lane) -> None:
        self.held = True

    def released(self, lane: Lane) -> None:
        self.held = False

    def committed(self, lane: Lane, results: Sequence[Any]) -> None: ...

    def lost(self, records: int) -> None:
        self.records_lost += records

    def caught_up(self, lane: Lane, moment: float) -> None:
        self.at_end += 1


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(lane_module, "LAST_DELAY_S", 0.05)
    monkeypatch.setattr(lane_module, "IDLE_S", 0.02)


@asynccontextmanager
async def running(owner: Owner) -> AsyncIterator[tuple[Lane, asyncio.Task[None]]]:
    lane = Lane(owner, "accounts", 0, ["a", "b"])
    task = asyncio.create_task(lane.run())
    try:
        yield lane, task
    finally:
        await lane.close()
        task.cancel()
        with suppress(asyncio.CancelledError, PlumblineError):
            await task


def send(lane: Lane, owner: Owner, tp: TP, offsets: Sequence[int], size: int = 1) -> None:
    """Fetched, as it would be from where the lane was begun; both topics are then at their ends."""
    begin = owner.consumer.positions[tp]
    lane.fetched(tp, [Record(offset, offset, b"x" * size) for offset in offsets if offset >= begin])
    for each in (A, B):
        lane.looked(each, Look(0, 0, 1.0))
    lane.go_on()


def begun(owner: Owner) -> bool:
    return not owner.consumer.paused


async def test_it_begins_where_the_store_stands_and_commits() -> None:
    owner = Owner(a=5)
    async with running(owner) as (lane, _):
        await until(lambda: begun(owner))
        assert owner.consumer.positions == {A: 5, B: 0}
        send(lane, owner, A, range(5, 8))
        await until(lambda: len(owner.taken_in) == 3)
        await until(lambda: owner.at_end)
        assert lane.offsets == {A: 8}
        assert lane.reason == ""
    assert not owner.held


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Fenced("another owner"), "another worker has taken it over"),
        (StoreUnavailable("Redis can't be reached"), "Redis can't be reached"),
    ],
)
async def test_what_it_loses_it_says_once_and_takes_back(error: Exception, reason: str) -> None:
    owner = Owner()
    owner.refusals = [None, error]
    with structlog.testing.capture_logs() as lines:
        async with running(owner) as (lane, _):
            await until(lambda: begun(owner))
            send(lane, owner, A, [0])
            await until(lambda: len(owner.taken_in) == 1)
            owner.open_refusals = [StoreUnavailable("Redis can't be reached")] * 3
            send(lane, owner, A, [1, 2])
            await until(lambda: lane.reason == reason)
            assert owner.consumer.paused == {A, B}, "what is not held is not fetched"
            await until(lambda: begun(owner))
            assert owner.consumer.positions == {A: 1, B: 0}
            send(lane, owner, A, [1, 2])
            await until(lambda: len(owner.taken_in) == 3)
            await until(lambda: not lane.reason)
    assert owner.taken_in == [("a", 0), ("a", 1), ("a", 2)]
    assert [line["reason"] for line in lines if line["event"] == "partition_let_go"] == [reason]


async def test_a_flood_of_dead_letters_holds_it_still_until_somebody_says_go_on() -> None:
    owner = Owner()
    owner.refusals = ["flood"]
    async with running(owner) as (lane, _):
        await until(lambda: begun(owner))
        send(lane, owner, A, [0, 1])
        await until(lambda: lane.reason == "too many dead letters")
        send(lane, owner, A, [2])
        assert owner.taken_in == []
        owner.told_to_go_on = True
        await until(lambda: len(owner.taken_in) == 3)
        assert owner.taken_in == [("a", 0), ("a", 1), ("a", 2)]


async def test_a_full_topic_is_not_fetched_until_half_of_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "FULL_BYTES", 1000)
    owner = Owner()
    async with running(owner) as (lane, _):
        await until(lambda: begun(owner))
        begin = owner.consumer.positions[A]
        lane.fetched(A, [Record(offset, offset, b"x" * 400) for offset in range(begin, begin + 5)])
        lane.looked(A, Look(5, 9, 1.0))
        assert owner.consumer.paused == {A}
        lane.looked(B, Look(0, 0, 1.0))
        lane.go_on()
        await until(lambda: not owner.consumer.paused)
        assert len(owner.taken_in) == 5


async def test_it_knows_of_which_topics_no_fetch_was_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not of one that waits for room, nor while it says itself why it stands still."""
    monkeypatch.setattr(lane_module, "FULL_BYTES", 1000)
    owner = Owner()
    owner.open_refusals = [StoreUnavailable("the store is away", remedy="wait")]
    began, later = time.time(), time.time() + 1000
    async with running(owner) as (lane, _):
        assert lane.unanswered(later) == {}
        await until(lambda: begun(owner))
        await until(lambda: not lane.reason)
        assert lane.unanswered(began) == {}
        assert lane.unanswered(later) == {A: 0, B: 0}
        lane.looked(B, Look(0, 0, later))
        assert lane.unanswered(later) == {A: 0}
        lane.fetched(A, [Record(offset, offset, b"x" * 400) for offset in range(5)])
        assert lane.unanswered(later) == {}
        lane.looked(A, Look(5, 9, 1.0))
        lane.go_on()
        await until(lambda: not owner.consumer.paused)
        assert lane.unanswered(later) == {A: 5}
        assert lane.unanswered(began) == {}


async def test_resting_it_begins_nothing_and_then_reads_on() -> None:
    owner = Owner()
    async with running(owner) as (lane, _):
        await until(lambda: begun(owner))
        await lane.rest()
        send(lane, owner, A, [0, 1])
        owner.consumer.paused = {A, B}
        lane.resume()
        await until(lambda: begun(owner))
        assert owner.taken_in == []
        send(lane, owner, A, [0, 1])
        await until(lambda: len(owner.taken_in) == 2)
        assert owner.opened == 1


async def test_an_assignment_that_is_told_after_the_next_sharing_out_began_does_not_leave_it_unread() -> None:
    """The group has begun to share out again (rest) when the assignment before is told (first resume); partitions are
    paused at each assignment, this worker's too."""
    owner = Owner()
    async with running(owner) as (lane, _):
        await until(lambda: begun(owner))
        await lane.rest()
        for expected in (0, 1):
            owner.consumer.paused = {A, B}
            lane.resume()
            await until(lambda: begun(owner))
            assert owner.consumer.positions == {A: expected, B: 0}
            send(lane, owner, A, [expected])
            await until(lambda expected=expected: len(owner.taken_in) == expected + 1)
        assert owner.taken_in == [("a", 0), ("a", 1)]
        assert owner.opened == 1


async def test_an_assignment_that_is_told_while_it_begins_has_it_begin_again() -> None:
    owner = Owner()
    may_go_on = asyncio.Event()
    begins: list[Mapping[TP, int]] = []
    begin = owner.consumer.begin

    async def slow_begin(positions: Mapping[TP, int]) -> None:
        begins.append(positions)
        await may_go_on.wait()
        await begin(positions)

    owner.consumer.begin = slow_begin
    async with running(owner) as (lane, _):
        await until(lambda: begins)
        lane.resume()
        may_go_on.set()
        await until(lambda: len(begins) == 2)
        send(lane, owner, A, [0])
        await until(lambda: len(owner.taken_in) == 1)


async def test_events_that_kafka_removed_before_they_were_read_are_counted_aloud() -> None:
    owner = Owner(a=5)
    owner.consumer.first = {A: 20, B: 7}
    with structlog.testing.capture_logs() as lines:
        async with running(owner) as (lane, _):
            await until(lambda: begun(owner))
            lane.interrupted(out_of_range=True)
            await until(lambda: owner.consumer.positions == {A: 20, B: 7})
    assert owner.records_lost == 15
    lost = [line for line in lines if line["event"] == "events_lost"]
    assert [(line["topic"], line["events"]) for line in lost] == [("a", 15)]


async def test_a_topic_that_ends_before_what_was_read_is_not_read() -> None:
    owner = Owner(a=5)
    owner.consumer.last = {A: 3, B: 0}
    with structlog.testing.capture_logs() as lines:
        async with running(owner) as (lane, _):
            await until(lambda: begun(owner))
            lane.interrupted(out_of_range=True)
            await until(lambda: "ends at 3" in lane.reason)
            assert owner.taken_in == []
    assert [line["event"] for line in lines].count("partition_let_go") == 1


async def test_what_no_waiting_mends_ends_it() -> None:
    owner = Owner()
    owner.open_refusals = [StateRefused("another version")]
    async with running(owner) as (_, task):
        with pytest.raises(StateRefused):
            await asyncio.wait_for(asyncio.shield(task), LIMIT_S)
