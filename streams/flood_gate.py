"""What holds a partition still after a flood of dead letters, until somebody says go on.

For the embedded service and for workers alike::

    if not gate.open():
        return  # stands still
    try:
        processor.process(...)
    except DeadLetterFlood as flood:
        gate.shut(flood)
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from streams.flood_limit import DeadLetterFlood, FloodLimit
from streams.stores.stops import Stop, Stops

LOOK_EVERY_S = 1.0

_log = structlog.get_logger("plumbline.dead_letters")


class FloodGate:
    """One for each partition, made with its processor: what an earlier one stopped for is judged anew. ``now`` gives
    Unix seconds. Methods block; for one thread at a time. All raise what the stops raise (stores/stops.py)."""

    def __init__(
        self, limit: FloodLimit, stops: Stops, partition: int = 0, now: Callable[[], float] = time.time
    ) -> None:
        self._limit = limit
        self._stops = stops
        self._partition = partition
        self._now = now
        self._looked_at = 0.0
        self.reason = ""
        """why the partition stands still; empty while it does not"""
        stops.remove(partition)

    def open(self) -> bool:
        """Whether the partition may go on; asks the store now and then while it may not."""
        if not self.reason:
            return True
        now = self._now()
        if 0 <= now - self._looked_at < LOOK_EVERY_S:
            return False
        self._looked_at = now
        if any(stop.partition == self._partition for stop in self._stops.stopped()):
            return False
        self.reason = ""
        self._limit.lift()
        _log.info("partition_goes_on", partition=self._partition)
        return True

    def shut(self, flood: DeadLetterFlood) -> None:
        """The partition stands still from now on."""
        self._looked_at = self._now()
        self._stops.put(
            Stop(
                partition=self._partition,
                at=self._looked_at,
                dead=flood.flood.dead,
                events=flood.flood.events,
                reasons=flood.reasons,
            )
        )
        self.reason = f"partition {self._partition}: {flood.what}"
        _log.error(
            "partition_stopped",
            partition=self._partition,
            dead_letters=flood.flood.dead,
            events=flood.flood.events,
            reasons=flood.reasons,
            remedy=flood.remedy,
        )
