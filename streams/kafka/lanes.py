"""The lanes of a worker: one for each state partition that the group has given it.

Rules:
1. A partition number is run only when all its event topics are here: a key's state would be in one worker and a part of its
   events in another.
2. An assignment says all that a worker has. A lane that stays goes on, one that is not named is closed, in order, before
   another is begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import structlog
from faust.types import TP

from streams.kafka.intake import ObservationIntake
from streams.kafka.lane import Lane, Owner
from streams.kafka.topics import TopicsRefused
from streams.kafka.transport import Look

ACCOUNTS = "accounts"
DRIFT = "drift"

Name = tuple[str, int]
"""of a state partition: its stage and its number"""

_log = structlog.get_logger("plumbline.worker")


class Lanes:
    """``ended`` is called with the task of each lane that ends, of itself or because it was closed."""

    def __init__(
        self,
        owner: Owner,
        event_topics: Sequence[str],
        observations: str,
        ended: Callable[[asyncio.Task[None]], None],
    ) -> None:
        self._owner = owner
        self._event_topics = list(event_topics)
        self._observations = observations
        self._ended = ended
        self._running: dict[Name, tuple[Lane, asyncio.Task[None]]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def held(self) -> list[Lane]:
        """As they are now; what is assigned later does not change the list."""
        return [lane for lane, _ in list(self._running.values())]

    async def assigned(self, partitions: set[TP]) -> None:
        """These partitions, and no others, are the worker's. Raises TopicsRefused when one is here without its siblings."""
        wanted = self._state_partitions(partitions)
        # One that is closing: the assignment that was to end it was cut short by this one.
        for name in [name for name, (lane, _) in self._running.items() if name not in wanted or lane.closing]:
            await self._close(name)
        for name, topics in wanted.items():
            if name in self._running:
                self._running[name][0].resume()
            else:
                lane = Lane(self._owner, *name, topics)
                task = asyncio.create_task(lane.run())
                task.add_done_callback(self._ended)
                self._running[name] = (lane, task)
        _log.info(
            "partitions_assigned",
            accounts=sorted(number for stage, number in wanted if stage == ACCOUNTS),
            drift=sorted(number for stage, number in wanted if stage == DRIFT),
        )

    async def rest(self) -> None:
        """Nothing is begun until the next assignment."""
        await asyncio.gather(*(lane.rest() for lane in self.held()))

    async def close(self) -> None:
        for name in list(self._running):
            await self._close(name)

    def fetched(self, records: Mapping[TP, Sequence[Any]], looks: Mapping[TP, Look]) -> None:
        for lane in self.held():
            for tp in lane.partitions:
                if tp in records:
                    lane.fetched(tp, records[tp])
            for tp in lane.partitions:
                if tp in looks:
                    lane.looked(tp, looks[tp])
            if any(tp in records for tp in lane.partitions):
                lane.go_on()

    def interrupted(self, partitions: Collection[TP], *, out_of_range: bool) -> None:
        for lane in self.held():
            if any(tp in partitions for tp in lane.partitions):
                lane.interrupted(out_of_range=out_of_range)

    def offsets(self) -> dict[TP, int]:
        """How far the store is."""
        return {tp: offset for lane in self.held() for tp, offset in lane.offsets.items()}

    def held_back(self) -> tuple[int, float]:
        """How many observations wait for an account partition, and for how many seconds the longest has."""
        waits = [
            lane.intake.drift.waiting() for lane in self.held() if isinstance(lane.intake, ObservationIntake)
        ]
        return sum(each.held for each in waits), max((each.waited_s for each in waits), default=0.0)

    async def _close(self, name: Name) -> None:
        lane, task = self._running[name]
        await lane.close()
        del self._running[name]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)  # ``ended`` was told of what it failed with

    def _state_partitions(self, partitions: set[TP]) -> dict[Name, list[str]]:
        """Each with its topics. Raises TopicsRefused."""
        numbers = sorted({tp.partition for tp in partitions if tp.topic != self._observations})
        missing = [
            f"{topic} {number}"
            for number in numbers
            for topic in self._event_topics
            if TP(topic, number) not in partitions
        ]
        if missing:
            raise TopicsRefused(
                f"partitions that belong together were given to different workers: {', '.join(missing[:5])}",
                remedy="see that all event topics have the same partition count: plumbline topics describe",
            )
        wanted = {(ACCOUNTS, number): self._event_topics for number in numbers}
        for tp in partitions:
            if tp.topic == self._observations:
                wanted[DRIFT, tp.partition] = [self._observations]
        return wanted
