"""The early watch of plg.conversion_gap: finds a fall among cohorts that have not reached the horizon yet.

Rules:
1. It begins when the share has a baseline and cohorts were followed for a whole horizon. The same accounts make the hazard's
   baseline, and whoever activated after them is judged (detectors/sequential/cohort_hazard.py), from their first day on: so
   none is in the baseline that it is judged by, and none is left out between.
2. The hazard falls when fewer pay and when all pay later. The alarm is held until the shape of the lag says ``fewer``
   (plg_conversion_gap_shape.py); if it says ``slower``, that is told, once, and nothing else. While it can't tell, nothing
   is told, and the mature cohorts decide in the end. The shape is read off the cohorts of KEPT_HORIZONS horizons, and of those
   from MARGIN_DAYS before the likeliest start of the fall on: what was before says nothing of it.
3. Its promise is counted in days. It has EARLY_PART of the monitor's part of the budget of false alarms; the watch of
   mature cohorts has the rest (share_monitor.py). Holding can only make false alarms rarer.
4. When the share's baseline grows, so does the hazard's, and who is open is judged by it anew.
5. The detector is widened by the dispersion of the share's baseline: weeks of conversions vary as much as those of shares.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from detectors.sequential.cohort_hazard import CohortEvent, CohortHazard, CohortState
from detectors.sequential.contract import HIGHEST_THRESHOLD
from detectors.signals.dating import Dated
from detectors.signals.plg_conversion_gap_cohorts import CohortsState, OpenCohorts
from detectors.signals.plg_conversion_gap_shape import Shape, shape
from detectors.signals.share_monitor import EARLY_PART, QUIET_PART, Promise
from schemas.duration import DAY

EarlyChange = Literal["fewer", "slower"]

KEPT_HORIZONS = 2
"""With one, whether it is fewer or slower is forgotten as soon as it is seen; three are no better (bench/detection)."""
MARGIN_DAYS = 14


class EarlyState(Struct, array_like=True):
    """``watched_from``: the first day of the cohorts that are judged. ``slower``: the shape says so now; ``slowdowns``: how
    often it began to."""

    cohorts: CohortsState
    watched_from: int = 0
    detection: CohortState | None = None
    slower: bool = False
    slowdowns: int = 0
    dispersion: float = 1.0


class EarlyWatch:
    """An EarlyState at work, for a horizon of ``days``."""

    def __init__(self, promise: Promise, days: int, state: EarlyState | None = None) -> None:
        if state is not None and len(state.cohorts.came) != days:  # another horizon than before: learned anew
            state = None
        self.threshold = min(promise.threshold(1.0) / EARLY_PART, HIGHEST_THRESHOLD)
        self.cohorts = OpenCohorts(days, state.cohorts if state else None, kept=KEPT_HORIZONS * days)
        self.slower = state.slower if state else False
        self.slowdowns = state.slowdowns if state else 0
        self._watched_from = state.watched_from if state else 0
        self._detection = state.detection if state else None
        self._dispersion = state.dispersion if state else 1.0
        self._made: CohortHazard | None = None

    @property
    def stored(self) -> EarlyState:
        return EarlyState(
            self.cohorts.state,
            self._watched_from,
            self._detection,
            self.slower,
            self.slowdowns,
            self._dispersion,
        )

    @property
    def statistic(self) -> float:
        """In days, as the threshold; 0 while the hazard is learned."""
        return self._detection.statistic if self._detection is not None else 0.0

    def pass_to(self, at: float, *, dispersion: float | None) -> EarlyChange | None:
        """Takes in the days that are over at ``at`` (Unix seconds); ``dispersion``: of the share's baseline, None before there is
        one."""
        if not self.cohorts.pass_to(at):
            return None
        if dispersion is not None and not self.cohorts.frozen and self.cohorts.freeze():
            self._begin(dispersion)
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

    def grow(self, dispersion: float) -> None:
        """Takes the hazard anew, from all that is known; the share's baseline has grown, and has this ``dispersion``."""
        if self.cohorts.frozen and self.cohorts.freeze():
            self._begin(dispersion)

    @property
    def quiet(self) -> bool:
        """Whether nothing speaks for a fall, nor for a slowdown."""
        return not self.slower and self.statistic < QUIET_PART * self.threshold

    def _begin(self, dispersion: float) -> None:
        """Judges whoever came after the baseline, as if it had been known on their first day."""
        self._dispersion, self._made = dispersion, None
        detector, state = self._detector, self.cohorts.state
        if detector is None or state.day is None:
            return
        young = state.cohorts[-self.cohorts.days :]
        oldest = state.day + 1 - len(young)
        self._watched_from, self._detection = oldest, detector.new_state()
        for day in range(oldest, state.day + 1):
            detector.end_days(self._detection, day * DAY)
            for began, cohort in enumerate(young[: day + 1 - oldest], oldest):
                age = day - began
                came = cohort.came[age] if age < len(cohort.came) else 0
                events = [CohortEvent("entered", began * DAY)] * (cohort.entered if not age else 0)
                for event in [*events, *[CohortEvent("converted", began * DAY)] * came]:
                    detector.update(self._detection, event, day * DAY)

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

    @property
    def first_judged(self) -> int:
        """The oldest day whose cohort is known and is not in the baseline that it is judged by."""
        state = self.cohorts.state
        return max(self._watched_from, (state.day if state.day is not None else 0) + 1 - len(state.cohorts))

    def _judge(self) -> EarlyChange | None:
        if self.statistic < self.threshold:
            # Told once: what hovers about the threshold has not ended.
            self.slower = self.slower and self.statistic >= QUIET_PART * self.threshold
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
        return shape(came, risked, hazard, sum(self.cohorts.state.baseline_came))

    @property
    def _first(self) -> int:
        """The oldest cohort that is asked for its shape."""
        first, detector, day = self.first_judged, self._detector, self.cohorts.state.day
        if detector is None or self._detection is None or day is None:
            return first
        change = detector.change(self._detection)
        if change is None:
            return first
        return max(first, min(int(change.since // DAY) - MARGIN_DAYS, day - 1))

    def _tell(self, kind: Literal["entered", "converted"], began: float, at: float) -> None:
        detector, detection = self._detector, self._detection
        if detector is not None and detection is not None and began // DAY >= self._watched_from:
            detector.update(detection, CohortEvent(kind, began), at)

    @property
    def _detector(self) -> CohortHazard | None:
        if self._made is None and self.cohorts.frozen:
            state = self.cohorts.state
            self._made = CohortHazard.from_baseline(
                state.baseline_came, state.baseline_risked, dispersion=self._dispersion
            )
        return self._made
