"""What the drift half of plg.conversion_gap keeps, and how it is stored.

One state holds all segments: they share the left edge, the roster of segments and the split into mix and rate, none of
which could be known to a state that saw one segment only (docs/decisions/drift-state-by-signal.md). A source's segment is
named as in segmented_state.py; the roster holds the sources themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from detectors.signals.contract import ALL
from detectors.signals.evidence import Weighed, merge_evidence
from detectors.signals.plg_conversion_gap_cohorts import CohortsState, OpenCohorts
from detectors.signals.plg_conversion_gap_early import EarlyState, EarlyWatch
from detectors.signals.segments import OTHER, Roster, draw
from detectors.signals.share_monitor import MonitorState, Promise, ShareMonitor
from schemas.errors import StateRefused
from schemas.observations import Observation

STATE_VERSION = 7
BARE_NAMES = 6
"""The version before: it named the segment of a source by the source alone, and is read."""

Standing = Literal["quiet", "drifting", "whole funnel", "resolved"]


class Watching(Struct, frozen=True, kw_only=True):
    """How a segment is watched: the promise, and the days that an account is given to pay and to activate."""

    promise: Promise
    paid_days: int
    activated_days: int


def of_source(source: str) -> str:
    """The name of its segment."""
    return f"source:{source}"


class StoredSegment(Struct, kw_only=True):
    paid: MonitorState
    activated: MonitorState
    early: EarlyState
    activating: CohortsState
    standing: Standing
    counted_out: dict[str, int]
    evidence: list[Weighed]


class StoredState(Struct, kw_only=True):
    roster: Roster
    recorded_from: dict[str, float]
    composition: dict[str, tuple[int, int]]
    market_wide_episode: int
    segments: dict[str, StoredSegment]
    counted_from: float | UnsetType = UNSET


class Segment:
    """One segment's two monitors of mature cohorts, the early watch of paying, and the open cohorts of those who signed up.
    ``evidence``: the newest accounts that did not convert."""

    def __init__(self, watching: Watching, stored: StoredSegment | None = None) -> None:
        promise = watching.promise
        self.paid = ShareMonitor(promise, stored.paid if stored else None)
        self.activated = ShareMonitor(promise, stored.activated if stored else None)
        self.early = EarlyWatch(promise, watching.paid_days, stored.early if stored else None)
        self.activating = OpenCohorts(watching.activated_days, stored.activating if stored else None)
        self.standing: Standing = stored.standing if stored else "quiet"
        self.counted_out = stored.counted_out if stored else {}
        self.evidence = stored.evidence if stored else []

    def count_out(self, reason: str) -> None:
        self.counted_out[reason] = self.counted_out.get(reason, 0) + 1

    def absorb(self, other: Segment) -> None:
        self.paid.absorb(other.paid.state)
        self.activated.absorb(other.activated.state)
        self.early.cohorts.absorb(other.early.cohorts)
        self.activating.absorb(other.activating)
        merge_evidence(self.evidence, other.evidence)
        for reason, number in other.counted_out.items():
            self.counted_out[reason] = self.counted_out.get(reason, 0) + number

    def relearn(self, at: float) -> None:
        """Takes all baselines anew, by a decision of ``at`` (Unix seconds)."""
        self.paid.relearn(at)
        self.activated.relearn(at)
        self.early.relearn()
        self.activating.restart()
        self.standing = "quiet"

    def stored(self) -> StoredSegment:
        return StoredSegment(
            paid=self.paid.state,
            activated=self.activated.state,
            early=self.early.stored,
            activating=self.activating.state,
            standing=self.standing,
            counted_out=self.counted_out,
            evidence=self.evidence,
        )


class GapState:
    """``recorded_from``: measure -> from when on its ones are recorded at all. ``composition``: segment -> (accounts,
    converted) in the baseline stretch of ``all``. ``market_wide_episode``: the last episode of ``all`` that was told to be
    market-wide. ``told``: what the last step counted in ``all``. ``counted_from``: what began before (Unix seconds) is counted
    out; None: nothing is for that."""

    def __init__(
        self, watching: Watching, stored: StoredState | None = None, counted_from: float | None = None
    ) -> None:
        self.watching = watching
        kept_from = stored.counted_from if stored else UNSET
        self.counted_from = counted_from if kept_from is UNSET else kept_from
        self.roster = stored.roster if stored else Roster([], False)
        self.recorded_from = stored.recorded_from if stored else {}
        self.composition = stored.composition if stored else {}
        self.market_wide_episode = stored.market_wide_episode if stored else 0
        self.told: Sequence[Observation] = ()
        kept = stored.segments if stored else {}
        self.segments = {name: Segment(watching, segment) for name, segment in kept.items()}
        self.segment(ALL)

    def leaves_out(self, began: float) -> bool:
        """Whether the operator's choice leaves out what ``began`` then (Unix seconds)."""
        return self.counted_from is not None and began < self.counted_from

    def segment(self, name: str) -> Segment:
        found = self.segments.get(name)
        if found is None:
            found = self.segments[name] = Segment(self.watching)
        return found

    def draw_roster(self, max_segments: int) -> None:
        counts = {source: self.segment(of_source(source)).paid.state.n for source in self.roster.sources}
        for source in draw(self.roster, counts, max_segments):
            self.segment(of_source(OTHER)).absorb(self.segments.pop(of_source(source)))

    def encode(self) -> bytes:
        stored = StoredState(
            roster=self.roster,
            recorded_from=self.recorded_from,
            composition=self.composition,
            market_wide_episode=self.market_wide_episode,
            segments={name: segment.stored() for name, segment in sorted(self.segments.items())},
            counted_from=UNSET if self.counted_from is None else self.counted_from,
        )
        return msgspec.msgpack.encode((STATE_VERSION, stored))

    @classmethod
    def decode(cls, watching: Watching, raw: bytes) -> GapState:
        """Raises StateRefused."""
        try:
            version, body = msgspec.msgpack.decode(raw, type=tuple[int, msgspec.Raw])
        except msgspec.MsgspecError:
            raise _damaged() from None
        if version not in (STATE_VERSION, BARE_NAMES):
            raise StateRefused(
                f"the state of plg.conversion_gap has version {version}; this program reads {STATE_VERSION}",
                remedy="run the version of Plumbline that wrote it, or replay the history into a new store",
            )
        try:
            stored = msgspec.msgpack.decode(body, type=StoredState)
        except msgspec.MsgspecError:
            raise _damaged() from None
        if version == BARE_NAMES:
            stored.segments = {_named_now(name): each for name, each in stored.segments.items()}
            stored.composition = {_named_now(name): each for name, each in stored.composition.items()}
        return cls(watching, stored)


def _named_now(bare: str) -> str:
    return bare if bare == ALL else of_source(bare)


def _damaged() -> StateRefused:
    return StateRefused(
        "the state of plg.conversion_gap can't be read: it is damaged",
        remedy="restore the store from a backup, or replay the history into a new one",
    )
