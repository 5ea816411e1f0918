"""The transport driver against the pinned releases: what it overrides is not public, so a new release has to be read first."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import tomllib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import entry_points, version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.consumer import ThreadDelegateConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from streams.kafka.transport import Consumer, Look, Transport

METHODS = (
    BaseConsumer._drain_messages,
    BaseConsumer.perform_seek,
    BaseConsumer.pause_partitions,
    BaseConsumer.resume_partitions,
    BaseConsumer._get_active_partitions,
    ThreadDelegateConsumer.seek_to_committed,
    AIOKafkaConsumerThread._create_worker_consumer,
    AIOKafkaConsumerThread._fetch_records,
    AIOKafkaConsumerThread._seek_wait,
    Recovery._resume_streams,
    Fetcher.fetched_records,
)
"""What the driver overrides, and what it relies on."""
DIGEST = "332d4df416a50b99"


def test_the_releases_are_those_that_the_driver_was_written_for() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    pinned = {
        name: release
        for name, _, release in (
            wanted.partition("==") for wanted in project["optional-dependencies"]["distributed"]
        )
        if release
    }
    assert set(pinned) == {"aiokafka", "faust-streaming", "mode-streaming"}
    assert {name: version(name) for name in pinned} == pinned


def test_the_methods_are_as_they_were_read() -> None:
    """When it fails: read what has changed, mend the driver if need be, and write the new digest here."""
    text = "".join(inspect.getsource(method) for method in METHODS)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == DIGEST


def test_faust_finds_the_driver_by_its_name() -> None:
    (entry,) = entry_points(group="faust.transports", name="plumbline")
    assert entry.load() is Transport
    for name in ("_drain_messages", "seek_to_committed", "verify_event_path"):
        assert inspect.signature(getattr(Consumer, name)).parameters.keys() == (
            inspect.signature(getattr(Consumer.__mro__[1], name)).parameters.keys()
        )


A, B = TP("a", 0), TP("b", 0)


class Heard:
    """An intake that remembers what it was told."""

    def __init__(self) -> None:
        self.records: list[Mapping[TP, Sequence[Any]]] = []
        self.interruptions: list[tuple[set[TP], bool]] = []

    async def assigned(self, partitions: set[TP]) -> None:
        self.given = partitions

    def fetched(self, records: Mapping[TP, Sequence[Any]], looks: Mapping[TP, Look]) -> None:
        self.records.append(records)

    def interrupted(self, partitions: Collection[TP], *, out_of_range: bool = False) -> None:
        self.interruptions.append((set(partitions), out_of_range))


class Driven(Consumer):
    """The driver with aiokafka's part played by the test: ``answer`` is what a fetch brings."""

    def __init__(self) -> None:
        self.heard = Heard()
        self.app = SimpleNamespace(intake=self.heard, consumer_generation_id=1)  # type: ignore[assignment]
        self._active_partitions = {A, B}
        self._paused_partitions = set()
        self._begun_times = Counter()
        self._resumed = asyncio.Event()
        self.flow_active = True
        self.asked: set[TP] = set()
        self.sought: list[Mapping[TP, int]] = []

    should_stop = False  # type: ignore[assignment]

    async def answer(self) -> Mapping[TP, Sequence[Any]]:
        return {A: ["a0", "a1"], B: ["b0"]}

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's
        self.asked = active_partitions
        answer = await self.answer()
        return {tp: records for tp, records in answer.items() if tp in active_partitions}

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        self.sought.append(dict(partitions))

    def assignment(self) -> set[TP]:
        return {A, B}

    def _looks(self, partitions: Collection[TP]) -> dict[TP, Look]:
        return {}


async def test_batches_are_handed_over_whole() -> None:
    consumer = Driven()
    await consumer._drain_once()
    assert consumer.heard.records == [{A: ["a0", "a1"], B: ["b0"]}]
    assert not consumer.heard.interruptions


async def test_what_comes_of_a_partition_that_was_begun_meanwhile_is_thrown_away_and_asked_for_again() -> (
    None
):
    class BeginsMeanwhile(Driven):
        async def answer(self) -> Mapping[TP, Sequence[Any]]:
            await self.begin({A: 7})
            return await super().answer()

    consumer = BeginsMeanwhile()
    await consumer._drain_once()
    assert consumer.heard.records == [{B: ["b0"]}]
    assert consumer.heard.interruptions == [({A}, False)]
    assert consumer._active_partitions == {B}, "it rests until it is begun again"


async def test_a_partition_begun_while_a_round_waits_is_not_let_into_that_round() -> None:
    """Else its records would be thrown away and it would be begun again, round after round."""

    class BeginsMeanwhile(Driven):
        async def answer(self) -> Mapping[TP, Sequence[Any]]:
            await self.begin({A: 7})
            return await super().answer()

    consumer = BeginsMeanwhile()
    consumer.pause_partitions({A})
    await consumer._drain_once()
    assert consumer.heard.records == [{B: ["b0"]}]
    assert not consumer.heard.interruptions
    assert consumer._active_partitions == {A, B}
    assert consumer.sought == [{A: 7}]


async def test_what_comes_after_the_group_was_shared_out_anew_is_thrown_away() -> None:
    class Rebalanced(Driven):
        async def answer(self) -> Mapping[TP, Sequence[Any]]:
            self.app.consumer_generation_id = 2
            return await super().answer()

    consumer = Rebalanced()
    await consumer._drain_once()
    assert not consumer.heard.records
    assert consumer.heard.interruptions == [({A, B}, False)]


class Written:
    """What is known of a partition, written by the fetching thread just after the ``after``-th time that it is read."""

    position, has_valid_position = 5, True

    def __init__(self, after: int) -> None:
        self._reads_left = after
        self._known: dict[str, float] = {"highwater": 5, "timestamp": 1000}

    def _read(self, name: str) -> float:
        found = self._known[name]
        self._reads_left -= 1
        if self._reads_left == 0:
            self._known = {"highwater": 9, "timestamp": 2000}
        return found

    @property
    def highwater(self) -> float:
        return self._read("highwater")

    @property
    def timestamp(self) -> float:
        return self._read("timestamp")


@pytest.mark.parametrize("after", range(1, 5))
def test_a_moment_is_never_later_than_the_end_that_was_seen_at_it(after: int) -> None:
    """Else a partition would pass for read to its end at a moment at which it was not."""
    consumer = Driven()
    assignment = SimpleNamespace(state_value=lambda _: Written(after))
    subscription = SimpleNamespace(subscription=SimpleNamespace(assignment=assignment))
    fetching = SimpleNamespace(_ensure_consumer=lambda: SimpleNamespace(_subscription=subscription))
    consumer._thread = fetching  # type: ignore[assignment]
    look = Consumer._looks(consumer, {A})[A]
    assert look.moment == 1.0 or look.end == 9


@pytest.mark.parametrize(
    ("error", "told"),
    [(NoOffsetForPartitionError(A), []), (OffsetOutOfRangeError({A: 5}), [({A}, True)])],
)
async def test_kafka_chooses_no_position(error: Exception, told: list[Any]) -> None:
    class Without(Driven):
        async def answer(self) -> Mapping[TP, Sequence[Any]]:
            raise error

    consumer = Without()
    await consumer._drain_once()
    assert not consumer.heard.records
    assert consumer.heard.interruptions == told


async def test_at_an_assignment_nothing_is_read_until_the_worker_says_from_where() -> None:
    consumer = Driven()
    assert await consumer.seek_to_committed() == {}
    assert consumer.heard.given == {A, B}
    assert consumer._active_partitions == set()
    await consumer.begin({A: 3, TP("gone", 0): 1})
    assert consumer._active_partitions == {A}
    assert consumer.sought == [{A: 3}]
