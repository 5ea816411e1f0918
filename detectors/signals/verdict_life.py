"""The life of a verdict for one segment: what learns, watches, drifts and recovers does so in the same way whatever it watches.

A monitor (monitor.py) derives from VerdictLife and brings what is its own: how an observation is counted (``take``), what a
baseline lacks (``_lacks``), its detector (``_detector_for``) and what it compares (``before``, ``now``). Kept here:
1. The phase follows from the state alone: without a watch it is ``learning``, with a drift ``drifting``, with a recovery
   ``resolved``, else ``watching``.
2. A drift that begins ends what was shown of the last one, and has the next number. One that ends starts the detector
   afresh, or it would be found again at once.
3. Detectors hold parameters only: they follow from the state, are made when first needed and never stored.

StretchLife is the life of what learns its baseline from one stretch of whole weeks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar

from detectors.sequential.contract import Detector
from detectors.signals.contract import Point, VerdictState
from detectors.signals.monitor import RESOLVED_DAYS, Change, Promise
from detectors.signals.verdict_life_state import LifeState, StretchLifeState
from detectors.signals.weeks import week_start
from schemas.duration import DAY, WEEK

StateT = TypeVar("StateT", bound=LifeState[Any, Any, Any, Any])
StretchT = TypeVar("StretchT", bound=StretchLifeState[Any, Any, Any, Any])
DetectorT = TypeVar("DetectorT", bound=Detector)


class VerdictLife(ABC, Generic[StateT, DetectorT]):
    awaits: ClassVar[str]
    """What learning still waits for once there is enough, in words."""

    def __init__(self, promise: Promise, stored: StateT) -> None:
        self._promise = promise
        self.stored = stored
        self._detector: DetectorT | None = None

    @property
    @abstractmethod
    def _lacks(self) -> list[str]:
        """What there is too little of for a baseline, in words (``lacking``); empty where there is enough."""

    @abstractmethod
    def _detector_for(self, watch: Any) -> DetectorT:
        """The detector of drifts that the state's ``watch`` gives."""

    @property
    def phase(self) -> VerdictState:
        state = self.stored
        if state.watch is None:
            return "learning"
        if state.drift is not None:
            return "drifting"
        return "watching" if state.recovery is None else "resolved"

    @property
    def episode(self) -> int:
        return self.stored.episode

    @property
    def n(self) -> int:
        return self.stored.n

    @property
    def newest(self) -> float:
        return self.stored.newest

    @property
    def has_enough(self) -> bool:
        return not self._lacks

    @property
    def missing(self) -> str:
        if self.stored.watch is not None:
            return ""
        return ", ".join(self._lacks) or self.awaits

    @property
    def statistic(self) -> float:
        watch = self.stored.watch
        return self._for(watch).statistic(watch.detection) if watch is not None else 0.0

    @property
    def threshold(self) -> float:
        """As the watch has it: it follows a flow that grows."""
        threshold: float = self.stored.watch.threshold if self.stored.watch is not None else 0.0
        return threshold

    @property
    def since(self) -> float | None:
        dated = self.stored.drift or self.stored.recovery
        since: float | None = dated.since if dated is not None else None
        return since

    @property
    def since_margin_days(self) -> float | None:
        drift = self.stored.drift
        margin_days: float | None = drift.margin_days if drift is not None else None
        return margin_days

    @property
    def mix_share(self) -> float | None:
        """Each stratum is compared with its own past: there is no mix in the statistic to split off."""
        return None

    @property
    def history(self) -> list[Point]:
        return [Point(week.start, week.n, float(week.ones), week.statistic) for week in self.stored.weeks]

    def absorb(self, other: Self) -> None:
        """Counts what ``other`` has counted; what it has learned, the monitor itself takes over."""
        state, more = self.stored, other.stored
        state.n += more.n
        state.newest = max(state.newest, more.newest)

    def _for(self, watch: Any) -> DetectorT:
        if self._detector is None:
            self._detector = self._detector_for(watch)
        return self._detector

    def _new_detection(self, watch: Any) -> Any:
        """The state of a detector that has seen nothing yet."""
        return self._for(watch).new_state()

    def _begin_drift(self, drift: Any) -> Sequence[Change]:
        state = self.stored
        state.drift, state.recovery = drift, None
        state.episode += 1
        return (Change("drifting"),)

    def _end_drift(self, watch: Any, recovery: Any) -> Sequence[Change]:
        state = self.stored
        state.drift, state.recovery = None, recovery
        watch.detection = self._new_detection(watch)
        return (Change("resolved"),)

    def _forget_recovery(self, at: float) -> None:
        """``resolved`` has been shown for long enough by ``at`` (Unix seconds)."""
        state = self.stored
        if state.recovery is not None and at - state.recovery.at > RESOLVED_DAYS * DAY:
            state.recovery = None

    def _begin_anew(self, weeks: list[Any], **own: Any) -> None:
        """Learning begins again: of what was learned only the counts stay, and ``own``, fields of the monitor's state."""
        kept = self.stored
        self.stored = type(kept)(n=kept.n, newest=kept.newest, weeks=weeks, episode=kept.episode, **own)
        self._detector = None


class StretchLife(VerdictLife[StretchT, DetectorT]):
    """Its state has a ``learn_from``; the stretch are the weeks from the Monday before it on."""

    def absorb(self, other: Self) -> None:
        super().absorb(other)
        state, more = self.stored, other.stored
        if more.learn_from is not None:
            state.learn_from = min(state.learn_from or more.learn_from, more.learn_from)

    def _learn_anew(self, at: float, weeks: list[Any]) -> None:
        """From the Monday after ``at`` on, so that no week of the new stretch holds what was there before. What began before and
        matures only now does not either."""
        self._begin_anew(weeks, learn_from=week_start(max(at, self.stored.newest)) + WEEK)

    @property
    def _stretch(self) -> list[Any]:
        state = self.stored
        if state.learn_from is None:
            return []
        since = week_start(state.learn_from)
        return [week for week in state.weeks if week.start >= since]

    @property
    def _learned_days(self) -> float:
        state = self.stored
        return max(state.newest - state.learn_from, 0.0) / DAY if state.learn_from is not None else 0.0


def lacking(*wanted: tuple[float, float, str]) -> list[str]:
    """In words, which of (there is, there has to be, of what) is too little."""
    return [f"{int(has)} of {needed:.15g} {what}" for has, needed, what in wanted if has < needed]
