"""How many events wait in the topics for a worker: the ends of the event topics less the offsets that the store holds.

Asked for every few seconds, beside the requests: an answer that is a little old turns nobody away wrongly for long. What
can't be asked for now keeps the number that was heard last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from msgspec import Struct

from schemas.errors import PlumblineError
from streams.serving.contract import Progress, Source

EVERY_S = 5.0
ASK_WITHIN_S = 30.0

_log = structlog.get_logger("plumbline.gateway")


class Lag(Struct, frozen=True, kw_only=True):
    """``events`` wait. ``watermark``: of the partition that is furthest behind among those where some wait, in Unix
    seconds; 0 where none waits or nothing was processed yet."""

    events: int = 0
    watermark: float = 0.0


def lag_of(
    ends: Mapping[tuple[str, int], int], firsts: Mapping[tuple[str, int], int], progress: Sequence[Progress]
) -> Lag:
    """``ends`` and ``firsts``: (topic, partition) -> offset after the last record, and of the first that is kept."""
    reached = {(topic, each.partition): offset for each in progress for topic, offset in each.offsets.items()}
    watermarks = {each.partition: each.watermark for each in progress}
    events = 0
    behind: list[float] = []
    for place, end in ends.items():
        waiting = max(0, end - max(reached.get(place, 0), firsts[place]))
        events += waiting
        if waiting:
            behind.append(watermarks.get(place[1], 0.0))
    return Lag(events=events, watermark=min(behind, default=0.0))


class LagWatch:
    """``topics`` as they are on the broker; ``source`` tells the offsets that workers have committed."""

    def __init__(
        self, connection: Mapping[str, Any], topics: Sequence[str], partitions: int, source: Source
    ) -> None:
        self._connection = connection
        self._places = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
        self._source = source
        self._heard = ""
        self.lag = Lag()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self._look_until_it_fails()
            except (KafkaError, OSError, TimeoutError, PlumblineError) as error:
                reason = error.what if isinstance(error, PlumblineError) else type(error).__name__
                if reason != self._heard:
                    self._heard = reason
                    _log.warning("lag_not_known", reason=reason)
                await asyncio.sleep(EVERY_S)

    async def _look_until_it_fails(self) -> None:
        consumer = AIOKafkaConsumer(**self._connection, enable_auto_commit=False)
        try:
            async with asyncio.timeout(ASK_WITHIN_S):
                await consumer.start()
            while True:
                async with asyncio.timeout(ASK_WITHIN_S):
                    # The store first: what is processed meanwhile must not count as more than there was.
                    progress = await asyncio.to_thread(self._progress)
                    firsts = await consumer.beginning_offsets(self._places)
                    ends = await consumer.end_offsets(self._places)
                self.lag = lag_of(_plain(ends), _plain(firsts), progress)
                self._heard = ""
                await asyncio.sleep(EVERY_S)
        finally:
            await consumer.stop()

    def _progress(self) -> list[Progress]:
        with self._source.snapshot() as snapshot:
            return snapshot.progress("accounts")


def _plain(offsets: Mapping[TopicPartition, int]) -> dict[tuple[str, int], int]:
    return {(place.topic, place.partition): offset for place, offset in offsets.items()}
