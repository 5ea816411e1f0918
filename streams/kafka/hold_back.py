"""In which order, and when, observations go to the drift stage: the rule alone, without Kafka and store.

Account partitions run at different speeds; one process would have heard them in the order of time. So:

1. Order: observations are released in order of (known, source partition, number).
2. Release: the first in that order goes when every account partition has either come past its ``known``, or has said that
   it was read to its end at a moment after the observation was sent. Nothing that comes before it can then still come
   from records that arrived before it was sent.
3. Repeats: a partition's observations come with rising numbers; one whose number was heard before is dropped.
4. What is released is a function of the messages in their order alone: not of batches, restarts or the clock.
5. Memory: the first ``window`` observations in order are at hand, at most twice as many; the others are in the store.

docs/decisions/drift-holds-back.md says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

from msgspec.structs import replace

from streams.kafka.wire import Mark, Sent
from streams.stores.contract import Held, Intake, Source

WINDOW = 20_000

_Entry = tuple[float, int, int, float, Held]
"""(known, source, sequence) give the order; then when it was sent"""


class HoldBack:
    """What one partition of the drift stage holds back. ``sources``: how far each of the ``partitions`` account
    partitions was heard; what is held is given by ``refill``."""

    def __init__(self, partitions: int, sources: Mapping[int, Source], window: int = WINDOW) -> None:
        self._sources = [sources.get(number, Source()) for number in range(partitions)]
        self._slowest = min(source.watermark for source in self._sources)
        self._window = window
        self._heap: list[_Entry] = []
        self._beyond = True
        """the store may hold more, all of it after what is in the heap"""
        self._horizon: tuple[float, int, int] | None = None
        """what comes after this one in order is left to the store; None: nothing is"""
        self._blocked = False
        """the first in order was looked at, and nothing has changed since"""
        self._fresh: dict[tuple[int, int], Held] = {}
        self._released: list[Held] = []
        self._changed: set[int] = set()

    @property
    def needs_refill(self) -> bool:
        """Nothing is at hand, and the store may hold more: commit, then ``refill``."""
        return not self._heap and self._beyond

    def refill(self, held: Sequence[tuple[Held, float]]) -> None:
        """``held``: the first ``window`` that the store holds, each with the moment at which it was sent."""
        self._heap = [(each.known, each.source, each.sequence, sent, each) for each, sent in held]
        heapify(self._heap)
        self._beyond = len(held) >= self._window
        last = held[-1][0] if self._beyond else None
        self._horizon = None if last is None else (last.known, last.source, last.sequence)
        self._blocked = False

    def hear_observation(self, sent: Sent, body: bytes) -> bool:
        """Takes one observation in; ``body`` is what is kept of it. False: it is a repeat."""
        source = self._sources[sent.source]
        if sent.sequence <= source.sequence:
            return False
        self._sources[sent.source] = replace(source, sequence=sent.sequence)
        self._changed.add(sent.source)
        held = Held(sent.known, sent.source, sent.sequence, body)
        self._fresh[sent.source, sent.sequence] = held
        order = (sent.known, sent.source, sent.sequence)
        if self._horizon is None or order < self._horizon:
            heappush(self._heap, (*order, sent.sent, held))
            self._blocked = False
            if len(self._heap) > 2 * self._window:
                self._leave_the_rest_to_the_store()
        return True

    def hear_mark(self, mark: Mark) -> None:
        """A mark never takes back what an earlier one said: one that a former owner sends late changes nothing."""
        source = self._sources[mark.source]
        watermark = max(source.watermark, mark.watermark)
        caught_up = max(source.caught_up, mark.caught_up)
        if (watermark, caught_up) == (source.watermark, source.caught_up):
            return
        self._sources[mark.source] = replace(source, watermark=watermark, caught_up=caught_up)
        self._slowest = min(each.watermark for each in self._sources)
        self._changed.add(mark.source)
        self._blocked = False

    def release(self) -> Held | None:
        """The next one that may go; None when there is none, or a refill is needed to tell."""
        if self._blocked or not self._heap:
            return None
        known, _, _, sent, held = self._heap[0]
        if known >= self._slowest and self._waits_for(known, sent) is not None:
            self._blocked = True
            return None
        heappop(self._heap)
        if self._fresh.pop((held.source, held.sequence), None) is None:
            self._released.append(held)
        return held

    def waits_for(self) -> tuple[int, float, float] | None:
        """Why the first in order does not go: (account partition that is furthest behind, seconds of event time that it
        is behind, when the observation was sent). None: nothing is at hand that waits."""
        if not self._heap:
            return None
        known, _, _, sent, _ = self._heap[0]
        number = self._waits_for(known, sent)
        if number is None:
            return None
        return number, known - self._sources[number].watermark, sent

    def changes(self) -> Intake:
        """What a commit has to write; to be followed by ``committed``."""
        return Intake(
            held=list(self._fresh.values()),
            released=self._released,
            sources={number: self._sources[number] for number in sorted(self._changed)},
        )

    def committed(self) -> None:
        self._fresh = {}
        self._released = []
        self._changed = set()

    def _waits_for(self, known: float, sent: float) -> int | None:
        """The account partition, of those waited for, that is furthest behind. A watermark of just ``known`` is not past
        it: the partition may have more to say at that time."""
        late = [
            (source.watermark, number)
            for number, source in enumerate(self._sources)
            if source.watermark <= known and source.caught_up < sent
        ]
        return min(late)[1] if late else None

    def _leave_the_rest_to_the_store(self) -> None:
        self._heap.sort()
        del self._heap[self._window :]
        self._beyond = True
        self._horizon = self._heap[-1][:3]
