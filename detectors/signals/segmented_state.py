"""What the drift half of a signal keeps: its segments' monitors and what they share; and how it is stored.

One state holds all segments of a signal (docs/decisions/drift-state-by-signal.md). Rules:
1. A segment is named ``dimension:value`` (``rep:anna``); ``all`` holds everything. Each dimension has its own roster
   (segments.py), its own ``other``, and an equal part of the places.
2. A stored state has a version: that of this frame and that of the signal's own parts. What can't be read is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from detectors.signals.contract import ALL
from detectors.signals.evidence import Weighed, merge_evidence
from detectors.signals.monitor import Monitor
from detectors.signals.segments import UNKNOWN, Roster, draw, segment_of
from schemas.errors import StateRefused
from schemas.observations import Observation

FRAME_VERSION = 1
_FRAME = 1000
"""The stored version is FRAME_VERSION * _FRAME + the signal's own."""

MakeMonitor = Callable[[Any], Monitor]
"""(what it kept, or None for a new one) -> a monitor"""


class StoredSegment(Struct, kw_only=True):
    monitor: msgspec.Raw
    drifting: bool
    notices: int
    counted_out: dict[str, int]
    evidence: list[Weighed]


class StoredState(Struct, kw_only=True):
    shared: msgspec.Raw
    rosters: dict[str, Roster]
    recorded_from: dict[str, float]
    market_wide_episode: int
    segments: dict[str, StoredSegment]
    counted_from: float | UnsetType = UNSET


class Segment:
    """``drifting``: an alert has said so, and none that it is over. ``notices``: how many were given."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self.drifting = False
        self.notices = 0
        self.counted_out: dict[str, int] = {}
        self.evidence: list[Weighed] = []

    def count_out(self, reason: str) -> None:
        self.counted_out[reason] = self.counted_out.get(reason, 0) + 1

    def absorb(self, other: Segment) -> None:
        self.monitor.absorb(other.monitor)
        for reason, number in other.counted_out.items():
            self.counted_out[reason] = self.counted_out.get(reason, 0) + number
        merge_evidence(self.evidence, other.evidence)


class SegmentedState:
    """``shared``: what the signal itself keeps over all segments, or None. ``recorded_from``: measure -> from when on (Unix
    seconds) it is recorded at all. ``market_wide_episode``: the last episode of ``all`` that was told to be market-wide.
    ``told``: what the last step told the monitors. ``counted_from``: what began before (Unix seconds) is counted out; None:
    nothing is for that."""

    def __init__(self, make: MakeMonitor, dimensions: tuple[str, ...], shared: Any) -> None:
        self._make = make
        self.shared = shared
        self.rosters = {dimension: Roster([], False) for dimension in dimensions}
        self.recorded_from: dict[str, float] = {}
        self.market_wide_episode = 0
        self.counted_from: float | None = None
        self.told: Sequence[Observation] = ()
        self.segments: dict[str, Segment] = {}
        self.segment(ALL)

    @property
    def drawn(self) -> bool:
        """Whether every segment has its final meaning, so that baselines may be frozen."""
        return all(roster.drawn for roster in self.rosters.values())

    @property
    def names(self) -> list[str]:
        """``all`` first, then by name."""
        return [ALL, *sorted(name for name in self.segments if name != ALL)]

    @property
    def parts(self) -> dict[str, Monitor]:
        """Every segment's monitor but that of ``all``, by name."""
        return {name: self.segments[name].monitor for name in self.names[1:]}

    @property
    def learning(self) -> bool:
        """Whether ``all`` has no baseline yet."""
        whole = self.segments.get(ALL)
        return whole is None or whole.monitor.phase == "learning"

    def leaves_out(self, began: float) -> bool:
        """Whether the operator's choice leaves out what ``began`` then (Unix seconds)."""
        return self.counted_from is not None and began < self.counted_from

    def segment(self, name: str) -> Segment:
        found = self.segments.get(name)
        if found is None:
            found = self.segments[name] = Segment(self._make(None))
        return found

    def touched_by(self, values: Mapping[str, str], max_segments: int) -> list[str]:
        """The segments that an observation with these values belongs to: those of the dimensions, then ``all``, so that the
        whole finds all of its parts counted. Takes places in the rosters."""
        places = _each(max_segments, len(self.rosters))
        touched = []
        for dimension, roster in self.rosters.items():
            own = segment_of(roster, values.get(dimension) or UNKNOWN, places)
            if own is not None:
                touched.append(f"{dimension}:{own}")
        touched.append(ALL)
        return touched

    def draw_rosters(self, max_segments: int) -> None:
        """Segments get their final meaning: those that find no place become their dimension's ``other``."""
        places = _each(max_segments, len(self.rosters))
        for dimension, roster in self.rosters.items():
            counts = {
                value: self.segments[f"{dimension}:{value}"].monitor.n
                for value in roster.sources
                if f"{dimension}:{value}" in self.segments
            }
            for value in draw(roster, counts, places):
                gone = self.segments.pop(f"{dimension}:{value}", None)
                if gone is not None:
                    self.segment(f"{dimension}:other").absorb(gone)

    def encode(self, version: int) -> bytes:
        stored = StoredState(
            shared=_raw(self.shared),
            rosters=self.rosters,
            recorded_from=dict(sorted(self.recorded_from.items())),
            market_wide_episode=self.market_wide_episode,
            segments={
                name: StoredSegment(
                    monitor=_raw(segment.monitor.stored),
                    drifting=segment.drifting,
                    notices=segment.notices,
                    counted_out=dict(sorted(segment.counted_out.items())),
                    evidence=segment.evidence,
                )
                for name, segment in sorted(self.segments.items())
            },
            counted_from=UNSET if self.counted_from is None else self.counted_from,
        )
        return msgspec.msgpack.encode((FRAME_VERSION * _FRAME + version, stored))

    @classmethod
    def decode(
        cls,
        raw: bytes,
        *,
        signal: str,
        version: int,
        make: MakeMonitor,
        dimensions: tuple[str, ...],
        monitor_state: type[Struct],
        shared: type[Struct] | None,
    ) -> SegmentedState:
        """Raises StateRefused."""
        try:
            found, body = msgspec.msgpack.decode(raw, type=tuple[int, msgspec.Raw])
        except msgspec.MsgspecError:
            raise _damaged(signal) from None
        if found != FRAME_VERSION * _FRAME + version:
            raise StateRefused(
                f"the state of {signal} has version {found}; this program reads {FRAME_VERSION * _FRAME + version}",
                remedy="run the version of Plumbline that wrote it, or replay the history into a new store",
            )
        try:
            stored = msgspec.msgpack.decode(body, type=StoredState)
            if tuple(stored.rosters) != dimensions or ALL not in stored.segments:
                raise _damaged(signal)
            state = cls(make, dimensions, msgspec.msgpack.decode(stored.shared, type=shared))
            state.rosters = stored.rosters
            state.recorded_from = stored.recorded_from
            state.market_wide_episode = stored.market_wide_episode
            state.counted_from = None if stored.counted_from is UNSET else stored.counted_from
            for name, each in stored.segments.items():
                segment = Segment(make(msgspec.msgpack.decode(each.monitor, type=monitor_state)))
                segment.drifting, segment.notices = each.drifting, each.notices
                segment.counted_out, segment.evidence = each.counted_out, each.evidence
                state.segments[name] = segment
        except msgspec.MsgspecError:
            raise _damaged(signal) from None
        return state


def _each(max_segments: int, dimensions: int) -> int:
    """segments.py counts ``all`` in: places for one dimension's values, its ``other``, and ``all``."""
    return (max_segments - 1) // dimensions + 1 if dimensions else 1


def _raw(part: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.msgpack.encode(part))


def _damaged(signal: str) -> StateRefused:
    return StateRefused(
        f"the state of {signal} can't be read: it is damaged",
        remedy="restore the store from a backup, or replay the history into a new one",
    )
