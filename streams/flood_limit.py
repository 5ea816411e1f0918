"""When to stop a partition because too much of it is dead-lettered: after a bad deploy, or under a sender gone wrong.

A dead letter is for the odd event. When most of a stream becomes dead letters, the program is wrong rather than the
events, and going on would turn good events into work for people. So a batch that takes the share of dead letters over
a limit is not committed, and its partition stands still until somebody says go on, or a mended program is started.

Rules:
1. Counted in events, not in time, and one by one: where batches begin and end changes nothing.
2. The share is of the newest ``window`` events, or of all since the start while those are fewer. So a bad deploy, which
   is a start, is seen after ``min_count`` dead letters, and a partition long at work stops only when a whole window is
   bad. Fewer than ``min_count`` never stop it.
3. Once lifted, the limit stays lifted until a window has passed and its share is in order again.

Pure: nothing here looks at a clock or a store.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from schemas.errors import PlumblineError
from schemas.settings import DeadLetterSettings


class Flood(Struct, frozen=True, kw_only=True):
    """``dead`` of the newest ``events`` events are dead letters."""

    dead: int
    events: int


class DeadLetterFlood(PlumblineError):
    """The batch would take the share of dead letters over the limit; nothing of it is in."""

    def __init__(self, flood: Flood, reasons: Sequence[str]) -> None:
        """``reasons``: reason codes of the batch's dead letters, the most frequent first."""
        super().__init__(
            f"{flood.dead:,} of the last {flood.events:,} events would be dead letters ({', '.join(reasons[:3])});"
            " the partition stands still, and nothing of this batch is committed",
            remedy="start a mended version; or, if these events are to be dead letters: plumbline dlq resume",
        )
        self.flood = flood
        self.reasons = tuple(reasons)


class FloodLimit:
    """The limit for one partition, from the time its processor was made."""

    def __init__(self, settings: DeadLetterSettings) -> None:
        self._window = settings.window
        self._share = settings.share
        self._min_count = settings.min_count
        self._seen = 0
        self._dead: deque[int] = deque()
        """places, counted from 1, of the dead letters among the newest ``window`` events"""
        self._lifted_at: int | None = None

    def take(self, received: int, dead: Sequence[int]) -> Flood | None:
        """Counts a batch of ``received`` events, of which those at the places ``dead`` (from 0, rising) are dead
        letters. A Flood: the limit is passed, and nothing of the batch was counted."""
        newest = deque(self._dead)
        flood = self._add(newest, dead)
        if flood is not None:
            return flood
        self._seen += received
        self._forget(newest, self._seen)
        self._dead = newest
        if self._lifted_at is not None and self._seen - self._lifted_at >= self._window:
            self._lifted_at = self._lifted_at if self._over(len(newest), self._seen) else None
        return None

    def look(self, dead: Sequence[int]) -> Flood | None:
        """As ``take``, of a batch that is not at its end yet: nothing is counted."""
        return self._add(deque(self._dead), dead)

    def lift(self) -> None:
        """Lets the partition go on, dead letters or not, until their share is in order again."""
        self._lifted_at = self._seen

    def _add(self, newest: deque[int], dead: Sequence[int]) -> Flood | None:
        for place in dead:
            at = self._seen + place + 1
            newest.append(at)
            self._forget(newest, at)
            if self._lifted_at is None and self._over(len(newest), at):
                return Flood(dead=len(newest), events=min(at, self._window))
        return None

    def _forget(self, newest: deque[int], at: int) -> None:
        while newest and newest[0] <= at - self._window:
            newest.popleft()

    def _over(self, dead: int, at: int) -> bool:
        return dead >= self._min_count and dead > self._share * min(at, self._window)
