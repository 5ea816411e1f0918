"""The record timestamps that the gateway gives, so that workers can tell in which order events arrived. Pure.

Workers merge the topics of a partition by record timestamp, and records of one millisecond by the order of the topics
(streams/kafka/topics.py). Within one topic Kafka keeps the order itself. So the timestamp of a record is the clock's
unless that would put it before a record of the same partition that arrived earlier; then it is one millisecond more than
that one's. Under a load of many thousand events a second in mixed topics the timestamps so run ahead of the clock, and
fall back to it when the load ends; ``ahead_ms`` says by how much.
"""

from __future__ import annotations

from collections.abc import Sequence


class RecordTimes:
    """``topics``: all, in the order in which records of one millisecond are taken."""

    def __init__(self, topics: Sequence[str]) -> None:
        self._ranks = {topic: rank for rank, topic in enumerate(topics)}
        self._last: dict[int, tuple[int, int]] = {}
        """partition -> (timestamp in milliseconds, rank of the topic) of its newest record"""

    def next(self, topic: str, partition: int, now_ms: int) -> int:
        """The timestamp, in Unix milliseconds, of a record that arrives after all those before."""
        rank = self._ranks[topic]
        at, last_rank = self._last.get(partition, (0, 0))
        if now_ms > at:
            at = now_ms
        elif rank < last_rank:
            at += 1
        self._last[partition] = (at, rank)
        return at

    def ahead_ms(self, now_ms: int) -> int:
        """How far the newest timestamp is ahead of the clock; 0 if it is not."""
        return max(0, *(at - now_ms for at, _ in self._last.values())) if self._last else 0
