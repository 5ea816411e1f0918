"""In which order the records of sibling topics are taken: those that share one state partition. Pure.

Rules:
1. The order is that of arrival: by record timestamp, then by the order of the topics; within a topic always by offset.
   A record that bears an earlier time than one before it in its topic arrived after that one, so its time is that one's.
2. Nothing runs ahead of a sibling: a record waits until every topic either has a later one here, or was read to its end
   (its high watermark). So a history read again comes out in the order in which it was read live.
3. The order is a function of the records alone: not of batches, of how they were fetched, or of where reading began.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

_Entry = tuple[int, int, int, bytes]
"""(time in Unix milliseconds, rank of the topic, offset, value)"""
_LAST = (1 << 62,)


class Record(Protocol):
    """What is needed of aiokafka's ConsumerRecord."""

    @property
    def offset(self) -> int: ...

    @property
    def timestamp(self) -> int: ...

    @property
    def value(self) -> bytes | None: ...


class Batch(Struct):
    """``records``: (topic, offset, value) in order; ``offsets``: topic -> offset of the next record to take."""

    records: list[tuple[str, int, bytes]]
    offsets: dict[str, int]


class _Topic:
    def __init__(self, position: int) -> None:
        self.waiting: list[_Entry] = []
        self.bytes = 0
        self.expected = position
        """offset after the newest record here"""
        self.time = 0
        self.at_end: float | None = None
        """the moment (Unix seconds) at which it had nothing beyond what is here; None: it has, or that is not known"""


class Alignment:
    """``topics``: names in the order for records of one and the same millisecond; ``positions``: topic -> offset of the
    first record to take."""

    def __init__(self, topics: Sequence[str], positions: Mapping[str, int]) -> None:
        self._names = list(topics)
        self._ranks = {name: rank for rank, name in enumerate(topics)}
        self._topics = [_Topic(positions[name]) for name in topics]

    @property
    def count(self) -> int:
        """Records that wait here."""
        return sum(len(topic.waiting) for topic in self._topics)

    def waiting(self, topic: str) -> tuple[int, int]:
        """(records, bytes) of a topic that wait here."""
        found = self._topics[self._ranks[topic]]
        return len(found.waiting), found.bytes

    def expected(self, topic: str) -> int:
        """Offset of the record that is to be added next."""
        return self._topics[self._ranks[topic]].expected

    def add(self, topic: str, records: Iterable[Record]) -> None:
        """Takes records in that were read after those before. One that was added already is passed over; a record
        without a value (a tombstone) counts as empty, for it is an event that can't be used."""
        rank = self._ranks[topic]
        found = self._topics[rank]
        found.at_end = None
        expected, time, size = found.expected, found.time, found.bytes
        append = found.waiting.append
        for record in records:
            offset = record.offset
            if offset < expected:
                continue
            expected = offset + 1
            if record.timestamp > time:
                time = record.timestamp
            value = record.value or b""
            size += len(value)
            append((time, rank, offset, value))
        found.expected, found.time, found.bytes = expected, time, size

    def skip_to(self, topic: str, offset: int) -> None:
        """Kafka has nothing of a topic before ``offset``, and it is to be added next."""
        self._topics[self._ranks[topic]].expected = offset

    def read_to(self, topic: str, position: int, end: int, moment: float) -> None:
        """Tells that a topic was read up to ``position``, and that its high watermark was ``end`` at ``moment`` (Unix
        seconds)."""
        found = self._topics[self._ranks[topic]]
        found.at_end = moment if position >= end else None

    def caught_up(self) -> float | None:
        """The newest moment (Unix seconds) at which no topic had a record that was not taken; None: some has one."""
        moment = None
        for topic in self._topics:
            if topic.waiting or topic.at_end is None:
                return None
            moment = topic.at_end if moment is None else min(moment, topic.at_end)
        return moment

    def take(self, limit: int) -> Batch | None:
        """The next records in order, ``limit`` at most; None when there are none that may go."""
        bound: tuple[int, ...] = _LAST
        for rank, topic in enumerate(self._topics):
            if topic.at_end is None:
                if not topic.waiting:
                    return None
                bound = min(bound, (topic.time, rank, topic.expected))
        merged: list[_Entry] = []
        for topic in self._topics:
            waiting = topic.waiting
            if waiting:
                merged += waiting[: min(bisect_right(waiting, bound), limit)]
        if not merged:
            return None
        merged.sort()
        del merged[limit:]
        return self._taken(merged)

    def _taken(self, merged: Sequence[_Entry]) -> Batch:
        names = self._names
        counts = [0] * len(names)
        for _, rank, _, _ in merged:
            counts[rank] += 1
        offsets = {}
        for name, topic, count in zip(names, self._topics, counts, strict=True):
            if count:
                offsets[name] = topic.waiting[count - 1][2] + 1
                topic.bytes -= sum(len(entry[3]) for entry in topic.waiting[:count])
                del topic.waiting[:count]
        return Batch([(names[rank], offset, value) for _, rank, offset, value in merged], offsets)
