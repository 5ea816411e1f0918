"""A worker whose partitions nobody fetches says so; one that is held back, has nothing to fetch, or waits anyway does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from typing import Any

import pytest
import structlog
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from streams.kafka import fetch_watch
from streams.kafka.fetch_watch import QUIET_S, FetchWatch

A, B = TP("crm.accounts", 0), TP("web.visits", 0)


class FakeLane:
    """``answered``: how long ago the last fetch of each was answered, in seconds; all was read up to offset 7."""

    def __init__(self, **answered: float) -> None:
        self.answered = {A: answered.get("a", 0.0), B: answered.get("b", 0.0)}

    def unanswered(self, since: float) -> dict[TP, int]:
        now = time.time()
        return {tp: 7 for tp, ago in self.answered.items() if now - ago < since}


class Broker:
    def __init__(self, **ends: int) -> None:
        self.ends = {A: ends.get("a", 7), B: ends.get("b", 7)}
        self.asked: list[set[TP]] = []
        self.away: Exception | None = None

    async def __call__(self, partitions: Collection[TP]) -> Mapping[TP, int]:
        self.asked.append(set(partitions))
        if self.away is not None:
            raise self.away
        return {tp: self.ends[tp] for tp in partitions}


async def look(watch: FetchWatch, lane: Any, broker: Broker) -> list[TP]:
    await watch._look(lambda: [lane], broker)
    return watch.unfetched


async def test_what_is_fetched_is_not_asked_for() -> None:
    broker, watch = Broker(a=1000), FetchWatch()
    assert await look(watch, FakeLane(a=QUIET_S - 5, b=1), broker) == []
    assert broker.asked == []


async def test_a_partition_with_records_that_nobody_fetches_is_named_until_somebody_does() -> None:
    lane, broker, watch = FakeLane(a=QUIET_S + 5, b=QUIET_S + 5), Broker(a=9), FetchWatch()
    with structlog.testing.capture_logs() as lines:
        assert await look(watch, lane, broker) == [A]
        assert await look(watch, lane, broker) == [A]
        assert watch.reason == (
            "nothing was fetched for 60 s from 1 partitions, though they have records: crm.accounts 0"
        )
        lane.answered[A] = 0.1
        assert await look(watch, lane, broker) == []
    assert watch.reason == ""
    assert [line["event"] for line in lines] == ["partitions_not_fetched", "partitions_fetched_again"]


async def test_an_empty_partition_is_well_however_long_nothing_comes() -> None:
    assert await look(watch := FetchWatch(), FakeLane(a=86_400, b=86_400), Broker()) == []
    assert watch.reason == ""


@pytest.mark.parametrize("away", [KafkaConnectionError("gone"), RuntimeError("closed")])
async def test_without_an_answer_nobody_knows_and_that_is_said(away: Exception) -> None:
    broker, watch = Broker(), FetchWatch()
    broker.away = away
    assert await look(watch, FakeLane(a=QUIET_S + 5, b=1), broker) == [A]
    assert watch.reason.endswith("and Kafka does not answer: crm.accounts 0")


async def test_a_broker_that_is_silent_is_not_waited_for_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_watch, "ASK_WITHIN_S", 0.01)

    async def silent(_: Collection[TP]) -> Mapping[TP, int]:
        await asyncio.Event().wait()
        raise AssertionError

    watch = FetchWatch()
    lane: Any = FakeLane(a=QUIET_S + 5)
    await watch._look(lambda: [lane], silent)
    assert watch.unfetched == [A]


async def test_what_was_fetched_while_the_broker_was_asked_is_well() -> None:
    lane: Any = FakeLane(a=QUIET_S + 5)
    watch = FetchWatch()

    async def slow(partitions: Collection[TP]) -> Mapping[TP, int]:
        lane.answered[A] = 0.0
        return dict.fromkeys(partitions, 1000)

    await watch._look(lambda: [lane], slow)
    assert watch.unfetched == []
