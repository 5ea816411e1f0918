"""Whether what a worker was given is fetched. A partition that is held while nobody reads it looks well from everywhere else: its
lane has nothing to do, and only the lag grows.

Rules:
1. Suspected is a partition of which no fetch was answered for QUIET_S. Answers come several times a second, also where there is
   nothing to fetch. One that waits for room (back-pressure), or whose lane says itself why it stands still, is not suspected.
2. Unfetched is a suspected one with records beyond what was read; the broker is asked, and for the suspected ones alone. If it
   does not answer, nobody can know: then all of them count.
3. It is said once when it begins and once when it is over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from faust.exceptions import FaustError
from faust.types import TP

from streams.kafka.lane import Lane

EVERY_S = 5.0
QUIET_S = 60.0
ASK_WITHIN_S = 10.0

Ends = Callable[[Collection[TP]], Coroutine[Any, Any, Mapping[TP, int]]]
"""asks the broker for the offset after the newest record of each"""

_log = structlog.get_logger("plumbline.worker")


class FetchWatch:
    """``unfetched``: the partitions, in order, as of the last look. ``reason``: why the worker is not ready for it; empty: all is fetched."""

    def __init__(self) -> None:
        self.unfetched: list[TP] = []
        self.reason = ""

    async def run(self, lanes: Callable[[], Collection[Lane]], ends: Ends) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self._look(lanes, ends)

    async def _look(self, lanes: Callable[[], Collection[Lane]], ends: Ends) -> None:
        suspected = _suspected(lanes())
        behind: list[TP] = []
        why = "though they have records"
        if suspected:
            try:
                found = await asyncio.wait_for(ends(suspected), ASK_WITHIN_S)
            except (KafkaError, FaustError, RuntimeError, TimeoutError):
                behind, why = list(suspected), "and Kafka does not answer"
            else:
                behind = [tp for tp, expected in suspected.items() if found[tp] > expected]
        # The answer took its time.
        still = _suspected(lanes()) if behind else {}
        self._say(sorted(tp for tp in behind if tp in still), why)

    def _say(self, unfetched: list[TP], why: str) -> None:
        names = [f"{tp.topic} {tp.partition}" for tp in unfetched[:5]]
        self.reason = (
            f"nothing was fetched for {QUIET_S:.0f} s from {len(unfetched)} partitions, {why}: {', '.join(names)}"
            if unfetched
            else ""
        )
        if unfetched and not self.unfetched:
            _log.warning(
                "partitions_not_fetched",
                reason=self.reason,
                remedy="look whether the broker is well; if it is, restart this worker: others take its partitions over",
            )
        if self.unfetched and not unfetched:
            _log.info("partitions_fetched_again")
        self.unfetched = unfetched


def _suspected(lanes: Collection[Lane]) -> Mapping[TP, int]:
    """Each with the offset of the record that it would read next."""
    since = time.time() - QUIET_S
    return {tp: expected for lane in lanes for tp, expected in lane.unanswered(since).items()}
