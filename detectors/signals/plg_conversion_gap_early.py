"""The early watch of plg.conversion_gap: finds a fall among cohorts that have not reached the horizon yet.

Rules:
1. It begins when the share has a baseline and cohorts were followed for a whole horizon: then the hazard is frozen, and
   whoever activates from the next day on is watched (detectors/sequential/cohort_hazard.py). What made the baseline is not
   judged against it.
2. The hazard falls when fewer pay and when all pay later. The alarm is held until the shape of the lag says ``fewer``
   (plg_conversion_gap_shape.py); if it says ``slower``, that is told, once, and nothing else. While it can't tell, nothing
   is told, and the mature cohorts decide in the end.
3. Its promise is counted in days. It has EARLY_PART of the monitor's part of the budget of false alarms; the watch of
   mature cohorts has the rest (share_monitor.py). Holding can only make false alarms rarer.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from detectors.sequential.cohort_hazard import CohortEvent, CohortHazard, CohortState
from detectors.sequential.contract import HIGHEST_THRESHOLD
from detectors.signals.dating import Dated
from detectors.signals.plg_conversion_gap_cohorts import CohortsState, OpenCohorts
from detectors.signals.plg_conversion_gap_shape import Shape, shape
from detectors.signals.share_monitor import EARLY_PART, Promise
from schemas.duration import DAY

EarlyChange = Literal["fewer", "slower"]


class EarlyState(Struct, array_like=True):
    """``watched_from``: the first day of the cohorts that are judged. ``slower``: the shape says so now; ``slowdowns``: how
    often it began to."""

    cohorts: CohortsState
    watched_from: int = 0
    detection: CohortState | None = None
    slower: bool = False
    slowdowns: int = 0


class EarlyWatch:
    """An EarlyState at work, for a horizon of ``days``."""

    def __init__(self, promise: Promise, days: int, state: EarlyState | None = None) -> None:
        if state is not None and len(state.cohorts.came) != days:  # another horizon than before: learned anew
            state = None
        self.threshold = min(promise.threshold(1.0) / EARLY_PART, HIGHEST_THRESHOLD)
        self.cohorts = OpenCohorts(days, state.cohorts if state else None)
        self.slower = state.slower if state else False
        self.slowdowns = state.slowdowns if state else 0
        self._watched_from = state.watched_from if state else 0
        self._detection = state.detection if state else None
        self._made: CohortHazard | None = None

    @property
    def stored(self) -> EarlyState:
        return EarlyState(
            self.cohorts.state, self._watched_from, self._detection, self.slower, self.slowdowns
        )

    @property
    def statistic(self) -> float:
        """In days, as the threshold; 0 while the hazard is learned."""
        return self._detection.statistic if self._detection is not None else 0.0

    def pass_to(self, at: float, *, may_freeze: bool) -> EarlyChange | None:
        """Takes in the days that are over at ``at`` (Unix seconds); ``may_freeze``: the share has a baseline."""
        if not self.cohorts.pass_to(at):
            return None
        if may_freeze and self.cohorts.freeze():
            self.restart()
        detector = self._detector
        if detector is None or self._detection is None:
            return None
        detector.end_days(self._detection, at)
        return self._judge()

    def enter(self, began: float, at: float, account: str) -> None:
        """An account is at risk of converting since ``began``. Needs pass_to before, as ``convert`` does."""
        if self.cohorts.enter(began, account):
            self._tell("entered", began, at)

    def convert(self, began: float, at: float, account: str) -> None:
        if self.cohorts.get_there(began, account):
            self._tell("converted", began, at)

    def restart(self) -> None:
        """Watches anew whoever activates from tomorrow on."""
        detector, day = self._detector, self.cohorts.state.day
        self._detection = detector.new_state() if detector is not None else None
        self._watched_from = day + 1 if day is not None else 0
        self.slower = False

    def interrupted(self, until: float) -> None:
        """What came until ``until`` was not heard: nothing that was open then is judged."""
        self.cohorts.forget_open(until)
        self.restart()

    def relearn(self) -> None:
        """Takes the hazard anew."""
        self.cohorts.restart()
        self._made = self._detection = None
        self.slower = False

    def dated(self) -> Dated | None:
        """When it fell, if the shape says so: the middle of the days that may have begun it, and their range."""
        found = self._shape()
        if found is None or not found.fewer:
            return None
        first = self._first
        since, earliest, latest = (
            float(first + number) * DAY for number in (found.middle, found.earliest, found.latest)
        )
        return Dated(since, earliest, latest, 0, 0)

    def _judge(self) -> EarlyChange | None:
        if self.statistic < self.threshold:
            self.slower = False
            return None
        found = self._shape()
        if found is None or found.fewer:
            self.slower = False
            return "fewer" if found is not None else None
        if found.slower and not self.slower:
            self.slower = True
            self.slowdowns += 1
            return "slower"
        self.slower = self.slower and found.log_odds < 0
        return None

    def _shape(self) -> Shape | None:
        hazard = self.cohorts.hazard
        came, risked = self.cohorts.seen(self._first)
        if hazard is None or not len(came):
            return None
        return shape(came, risked, hazard, sum(self.cohorts.state.came))

    @property
    def _first(self) -> int:
        """The oldest open cohort that is watched."""
        state = self.cohorts.state
        day = state.day if state.day is not None else 0
        return max(self._watched_from, day + 1 - len(state.cohorts))

    def _tell(self, kind: Literal["entered", "converted"], began: float, at: float) -> None:
        detector, detection = self._detector, self._detection
        if detector is not None and detection is not None and began // DAY >= self._watched_from:
            detector.update(detection, CohortEvent(kind, began), at)

    @property
    def _detector(self) -> CohortHazard | None:
        if self._made is None and self.cohorts.state.frozen:
            state = self.cohorts.state
            self._made = CohortHazard.from_baseline(state.came, state.risked)
        return self._made
