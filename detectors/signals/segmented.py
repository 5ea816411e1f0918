"""The drift half that all signals share: from an observation to monitors, verdicts, alerts and notices.

A signal derives from SegmentedSignal and brings its monitor, its words and its account half. What is done here:
1. What can't be is refused (EventRefused), with the state as it was: another signal's observation, an unknown measure, a
   value out of the measure's range, times that can't be.
2. An observation goes to the segments of the signal's ``dimensions`` and to ``all``, after the signal's ``read`` has made
   of it what monitors are told, or a reason why it is counted out.
3. Left edge: what began before its kind was recorded at all, or within ``settling_days`` after, is counted out
   (``recorded_by``). A recording that has just begun is seldom complete. So is what began before the time that the operator
   chose, of which ``read`` is told nevertheless: who is elite, or what a ticket's words mean, is known from then, too.
4. A person's decision to take a baseline anew comes as an observation (BASELINE_RETAKEN), so that a replay repeats it.
5. Nothing of an observation is kept but by the monitors, the evidence (evidence.py) and what ``read`` puts into ``shared``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from msgspec import Struct

from detectors.signals.contract import (
    ALL,
    BASELINE_RETAKEN,
    BEFORE_BASELINE,
    AccountFacts,
    AccountOutput,
    Quantity,
    Reading,
    Verdict,
)
from detectors.signals.evidence import shown, weigh_in
from detectors.signals.measures import Values, refuse_what_cannot_be
from detectors.signals.monitor import Monitor, Promise
from detectors.signals.segmented_alerts import Alerts, Case, Words, judge, market_wide, retake
from detectors.signals.segmented_state import SegmentedState
from detectors.signals.segmented_words import words_market_wide, words_resolved
from schemas.alerts import DriftAlert, Notice
from schemas.duration import DAY
from schemas.events import Envelope
from schemas.observations import Observation
from schemas.settings import DriftSettings


class SegmentedSignal(ABC):
    """See the module. Raises ValueError where a parameter makes no sense."""

    # What a signal states.
    name: str
    title: str
    needs: Mapping[str, frozenset[str]]
    listens: frozenset[str] = frozenset()
    hears: frozenset[type[Envelope]] = frozenset()
    memory: type[Struct] | None = None
    reading: Reading

    unit: ClassVar[Quantity] = "share"
    measures: ClassVar[Mapping[str, Values]]
    """measure -> what its values can be; all measures that the account half emits"""
    left_out: ClassVar[frozenset[str]] = frozenset()
    """measures that are a reason themselves: counted out by their name, and no more"""
    uncounted: ClassVar[frozenset[str]] = frozenset()
    """measures that ``n`` does not count, nor what the operator's choice leaves out of them: depth of use, beside breadth"""
    recorded_by: ClassVar[Mapping[str, str]] = {}
    """measure -> the measure that says, by its ``at``, that this is recorded at all; counted out until then"""
    settling_days: ClassVar[float] = 28.0
    dimensions: ClassVar[tuple[str, ...]] = ()
    """which of an observation's segments have monitors of their own"""
    state_version: ClassVar[int] = 1
    """of ``monitor_state`` and ``shared`` together, 1 to 999"""
    state: ClassVar[type[SegmentedState]] = SegmentedState
    monitor_state: ClassVar[type[Struct]]
    shared: ClassVar[type[Struct] | None] = None
    """what the signal keeps over all segments: a Struct with defaults, bounded"""

    def __init__(self, promise: Promise, *, max_segments: int = 12) -> None:
        if not all(
            math.isfinite(number) and number > 0
            for number in (promise.false_alarms_per_year, promise.min_baseline_days)
        ):
            raise ValueError("days and false alarms a year are positive and finite")
        if min(promise.monitors, promise.min_baseline, max_segments) < 1:
            raise ValueError("monitors, min_baseline and max_segments are 1 or more")
        self.promise = promise
        self.max_segments = max_segments
        self._recorders = frozenset(self.recorded_by.values())

    @classmethod
    def configured(cls, settings: DriftSettings, monitors: int) -> Self:
        """With the settings that all signals share; a signal with settings of its own overrides it."""
        return cls(promise_of(settings, monitors), max_segments=settings.max_segments)

    # What a signal brings.

    @abstractmethod
    def monitor(self, stored: Any) -> Monitor:
        """A monitor that goes on from ``stored``, or a new one (None)."""

    @abstractmethod
    def healthy_example(self) -> Sequence[Observation]: ...

    @abstractmethod
    def words_drifting(self, case: Case) -> Words: ...

    def words_resolved(self, case: Case, *, retaken: bool) -> Words:
        return words_resolved(case, retaken=retaken)

    def words_noticed(self, finding: str, case: Case) -> Words:
        """Raises ValueError for a finding that has no words: a bug."""
        if finding == "market-wide":
            return words_market_wide(case, self.title)
        raise ValueError(f"{self.name} has no words for the finding {finding!r}")

    def read(self, state: SegmentedState, observation: Observation) -> str | Sequence[Observation]:
        """What the monitors are told of an observation, which is not to be changed; or, as a text, the reason why it is
        counted out. What is only kept in ``state.shared`` gives nothing, (). Called once for each observation."""
        return (observation,)

    def remarks(self, state: SegmentedState, observation: Observation) -> Sequence[Notice]:
        """Notices that no one segment's monitor can give, after an observation was taken in: one that its measure counts out
        was not."""
        return ()

    # The account half: what a signal does not listen to needs no word.

    def on_milestone(self, facts: AccountFacts, milestone: str, output: AccountOutput) -> None:  # noqa: B027
        """No milestone counts here."""

    def on_event(self, facts: AccountFacts, event: Any, at: float, output: AccountOutput) -> None:  # noqa: B027
        """No event counts here."""

    def on_timer(self, facts: AccountFacts, name: str, due: float, output: AccountOutput) -> None:  # noqa: B027
        """No timer was set."""

    # The drift half.

    @property
    def false_alarms_per_year(self) -> float:
        return self.promise.false_alarms_per_year

    def new_state(self, counted_from: float | None = None) -> SegmentedState:
        state = self.state(self.monitor, self.dimensions, self.shared() if self.shared else None)
        state.counted_from = counted_from
        return state

    def encode_state(self, state: SegmentedState) -> bytes:
        return state.encode(self.state_version)

    def decode_state(self, raw: bytes) -> SegmentedState:
        return self.state.decode(
            raw,
            signal=self.name,
            version=self.state_version,
            make=self.monitor,
            dimensions=self.dimensions,
            monitor_state=self.monitor_state,
            shared=self.shared,
        )

    def step(self, state: SegmentedState, observation: Observation) -> Sequence[DriftAlert | Notice]:
        refuse_what_cannot_be(self.name, self.measures, state.segments, observation)
        state.told = ()
        measure, at = observation.measure, observation.at
        if measure == BASELINE_RETAKEN:
            return retake(self, state, observation.segments["segment"], at)
        if measure in self._recorders:
            state.recorded_from[measure] = min(state.recorded_from.get(measure, at), at)
            return []
        early = state.leaves_out(self._begins(observation))
        if measure in self.left_out:
            self._count_out(state, observation, measure, early=early)
            return []
        reason = self._left_edge(state, observation)
        readings: Sequence[Observation] = ()
        if not reason:
            found = self.read(state, observation)
            if found and early:
                reason = BEFORE_BASELINE if observation.measure not in self.uncounted else ""
            elif isinstance(found, str):
                reason = found
            else:
                state.told = readings = found
        out: Alerts = []
        if reason:
            self._count_out(state, observation, reason, early=early)
        for reading in readings:
            out += self._take(state, reading)
        out += self.remarks(state, observation)
        return out

    def interrupted(self, state: SegmentedState, until: float) -> None:  # noqa: B027
        """An observation is a whole fact here: nothing is open between two of them."""

    def verdicts(self, state: SegmentedState) -> Sequence[Verdict]:
        return [self._verdict(state, name) for name in state.names]

    def _count_out(
        self, state: SegmentedState, observation: Observation, reason: str, *, early: bool
    ) -> None:
        """``early``: who was there only before the operator's choice takes no place from those who came since."""
        for name in [ALL] if early else state.touched_by(observation.segments, self.max_segments):
            state.segment(name).count_out(reason)

    def _take(self, state: SegmentedState, observation: Observation) -> Alerts:
        out: Alerts = []
        for name in state.touched_by(observation.segments, self.max_segments):
            segment = state.segment(name)
            changes = segment.monitor.take(observation, may_freeze=state.drawn)
            weigh_in(segment.evidence, observation, segment.monitor.weight(observation))
            for change in changes:
                out += judge(self, state, name, change, observation.at)
        if not state.drawn and state.segments[ALL].monitor.has_enough:
            state.draw_rosters(self.max_segments)
        return out

    def _begins(self, observation: Observation) -> float:
        """When what is judged of it begins, Unix seconds."""
        return observation.began

    def _left_edge(self, state: SegmentedState, observation: Observation) -> str:
        seen = self.recorded_by.get(observation.measure)
        if seen is None:
            return ""
        recorded_from, begins = state.recorded_from.get(seen), self._begins(observation)
        if recorded_from is None or begins < recorded_from:
            return "left_truncated"
        return "settling" if begins < recorded_from + self.settling_days * DAY else ""

    def _verdict(self, state: SegmentedState, name: str) -> Verdict:
        segment = state.segments[name]
        monitor = segment.monitor
        return Verdict(
            signal=self.name,
            segment=name,
            state=monitor.phase,
            at=monitor.newest,
            since=monitor.since,
            since_margin_days=monitor.since_margin_days,
            before=monitor.before,
            now=monitor.now,
            statistic=monitor.statistic,
            threshold=monitor.threshold,
            n=monitor.n,
            missing=self._missing(state, monitor),
            finding=monitor.finding or ("market-wide" if name == ALL and market_wide(state) else ""),
            counted_out=dict(sorted(segment.counted_out.items())),
            history=monitor.history,
            unit=self.unit,
            evidence=shown(segment.evidence),
        )

    def _missing(self, state: SegmentedState, monitor: Monitor) -> str:
        if monitor.phase != "learning":
            return ""
        unseen = sorted(self._recorders - state.recorded_from.keys())
        first = [f"a first {measure.removesuffix('_seen').replace('_', ' ')}" for measure in unseen]
        return ", ".join([*first, monitor.missing])


def promise_of(settings: DriftSettings, monitors: int) -> Promise:
    return Promise(
        false_alarms_per_year=settings.false_alarms_per_year,
        monitors=monitors,
        min_baseline=settings.min_baseline,
        min_baseline_days=settings.min_baseline_days,
    )
