"""Watches whether customers who were acquired late leave more often than their tenure explains, in one segment.

Rules (those of every monitor: monitor.py):
1. The baseline is a stretch of customer months of all who were acquired early and are not elite; it gives a hazard to each
   tenure. Early are those of the eras before the suspects where the ICP file dates the community, else, or once a person has
   taken the baseline anew, those acquired before the baseline's end.
2. Each later customer month is judged against the hazard of its tenure. What falls into a tenure that nobody acquired early
   has reached is not counted until somebody has.
3. The detector looks among the weeks of acquisition (sequential/cohort_excess.py): who was acquired since then leaves more
   often, and one bad month of acquisition is not enough.
4. It is ``drifting`` once it is sure that those acquired early, and the elite, don't leave more often as well since then.
   If it is sure that they do, that is noticed as ``uniform``, as long as it holds; until either is, the monitor waits.
5. It has ended when those acquired since it began leave as often as the baseline wants again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

from detectors.sequential.binomial_interval import interval
from detectors.sequential.cohort_excess import Acquired, CohortExcess, ExcessWeek
from detectors.sequential.contract import threshold
from detectors.sequential.expected_events import Counted, ExpectedEvents, ExpectedState
from detectors.signals.clg_churn_cohorts_baseline import (
    FEWEST_EVENTS,
    LEAST_DAYS,
    bound,
    freeze,
    split,
    worth_to,
)
from detectors.signals.clg_churn_cohorts_dating import date_start
from detectors.signals.clg_churn_cohorts_judging import Judged, judge
from detectors.signals.clg_churn_cohorts_ratio import compared, compared_since, events_since
from detectors.signals.clg_churn_cohorts_state import (
    TENURES,
    ChurnEpisode,
    ChurnState,
    ChurnWatch,
    ChurnWeek,
    add,
    added,
    new_week,
    pieces,
    ratio,
    tenure_of,
)
from detectors.signals.dating import Dated
from detectors.signals.monitor import NOTHING, Change, Promise
from detectors.signals.rate_state import Unsteady
from detectors.signals.verdict_life import StretchLife, lacking
from detectors.signals.verdict_life_state import Recovery
from detectors.signals.weeks import total, week_of, week_start
from schemas.alerts import Interval
from schemas.duration import DAY, WEEK
from schemas.observations import Observation

MONTH = 30 * DAY
"""A customer month is told when it is over, whoever left in it."""
ELITE = "elite"
EARLIER, SUSPECT, LATER = "earlier", "suspect", "later"
"""Eras where the ICP file dates the community; without a date an era is a half-year."""
RECENT_WEEKS = 26
FALSE_ENDS_A_YEAR = 0.1
"""Fewer than elsewhere: who leaves is rare, and a quiet week is soon found."""
SURE = 2.0
"""Log likelihood ratio by which it must have turned out whether all others leave more often as well, or don't."""


class ChurnMonitor(StretchLife[ChurnState, CohortExcess]):
    """A ChurnState at work."""

    awaits = "a stretch in which churn holds"

    def __init__(self, promise: Promise, stored: ChurnState | None = None) -> None:
        super().__init__(promise, stored if stored is not None else ChurnState())

    def take(self, observation: Observation, *, may_freeze: bool) -> Sequence[Change]:
        """``value`` 1 where the customer left in the month that ended at ``at``, ``exposure`` the days at risk in it,
        ``began`` when the customer was acquired, ``stratum`` ``elite`` or not, the segment ``era`` the era of ``began``."""
        state, at = self.stored, observation.at
        first_of_week = not state.weeks or at >= state.weeks[-1].start + WEEK
        week = week_of(state.weeks, at, new_week) or new_week(at)
        state.newest = max(state.newest, at)
        state.n += 1
        elite, late = observation.stratum == ELITE, self._is_late(observation)
        if not elite and not (late and state.watch is None):
            week.n += 1
            week.ones += int(observation.value)
        if state.watch is None:
            return self._learn(observation, week, elite, late, may_freeze)
        if first_of_week:
            self._renew_bound(state.watch)
            self._look(state.watch)
        begin = (at - MONTH - observation.began) / DAY
        judged = judge(
            state.watch,
            begin,
            begin + observation.exposure,
            observation.value,
            elite=elite,
            late=late,
            passed=self._passed(state.watch, observation),
        )
        return self._count(state.watch, observation, week, judged)

    def weight(self, observation: Observation) -> float:
        left_late = observation.value and observation.stratum != ELITE and self._is_late(observation)
        return 1.0 if left_late and self.stored.watch is not None else 0.0

    @property
    def finding(self) -> str:
        return "uniform" if self.stored.uniform is not None else ""

    @property
    def statistic(self) -> float:
        """As of the newest customer who left late, or of the week's beginning."""
        return self.stored.statistic

    @property
    def threshold(self) -> float:
        return self._promise.threshold(1.0) if self.stored.watch is not None else 0.0

    @property
    def before(self) -> Interval | None:
        """What the baseline's own hazards want of it, with their uncertainty: 1."""
        watch = self.stored.watch
        return ratio(watch.baseline.events, watch.baseline.events) if watch is not None else None

    @property
    def now(self) -> Interval | None:
        """Of those acquired since the drift began; else of all acquired late, over the last weeks or since it ended."""
        state = self.stored
        if state.watch is None:
            return None
        if state.drift is not None:
            return self._compared_since(state.watch, state.drift.dated)
        since = state.recovery.since if state.recovery is not None else self._recent
        weeks = [week for week in state.weeks if week.start >= week_start(since)]
        observed, expected = (
            sum(week.late_observed for week in weeks),
            sum(week.late_expected for week in weeks),
        )
        return compared(observed, expected, worth_to(state.watch.baseline, state.watch.late))

    @property
    def earlier(self) -> Interval | None:
        """Of those acquired early, in the time since the drift, or the rise everywhere, began."""
        weeks = self._calendar
        return self._compared(
            sum(week.earlier_observed for week in weeks), sum(week.earlier_expected for week in weeks)
        )

    @property
    def elite(self) -> Interval | None:
        """Of the elite, in the same time."""
        weeks = self._calendar
        return self._compared(
            sum(week.elite_observed for week in weeks), sum(week.elite_expected for week in weeks)
        )

    @property
    def _lacks(self) -> list[str]:
        (n, events), promise = self._learned, self._promise
        return lacking(
            (n, promise.min_baseline, "observations"),
            (self._learned_days, max(promise.min_baseline_days, LEAST_DAYS), "days"),
            (events, FEWEST_EVENTS, "customers who left"),
        )

    def relearn(self, at: float) -> None:
        """From customer months that began after it, whoever they are of: what a person takes for usual, later eras may have brought."""
        kept = self.stored.weeks
        anew = [ChurnWeek(week.start, week.n, week.ones, week.statistic) for week in kept]
        self._learn_anew(at + MONTH, anew)
        self.stored.retaken = True

    def absorb(self, other: Self) -> None:
        super().absorb(other)
        state, more = self.stored, other.stored
        for theirs in more.weeks:
            week = week_of(state.weeks, theirs.start, new_week)
            if week is not None:
                week.n += theirs.n
                week.ones += theirs.ones
                week.others = added((week.others, theirs.others))
                week.elite = added((week.elite, theirs.elite))

    def _is_late(self, observation: Observation) -> bool:
        era, state = observation.segments.get("era", ""), self.stored
        if era == EARLIER or (era in (SUSPECT, LATER) and not state.retaken):
            return era != EARLIER
        return state.watch is not None and observation.began > state.watch.baseline.end

    def _passed(self, watch: ChurnWatch, observation: Observation) -> float:
        """Days as a customer that all who were acquired early have passed. Where the ICP file dates the community, nobody else
        says what is usual."""
        dated = observation.segments.get("era", "") in (EARLIER, SUSPECT, LATER)
        if dated and not self.stored.retaken:
            return 0.0
        return (observation.at - MONTH - watch.baseline.end) / DAY

    @property
    def _recent(self) -> float:
        return self.stored.newest - RECENT_WEEKS * WEEK

    @property
    def _calendar(self) -> list[ChurnWeek]:
        state = self.stored
        since = state.drift.dated.since if state.drift else state.uniform or self._recent
        return [week for week in state.weeks if week.start >= since]

    @property
    def _learned(self) -> tuple[int, int]:
        return total(self._stretch, 0.0)

    def _learn(
        self, observation: Observation, week: ChurnWeek, elite: bool, late: bool, may_freeze: bool
    ) -> Sequence[Change]:
        state = self.stored
        if state.learn_from is None:
            state.learn_from = observation.at
        if late or observation.at < week_start(state.learn_from):
            return NOTHING
        begin = (observation.at - MONTH - observation.began) / DAY
        parts = week.elite if elite else week.others
        for tenure, days in pieces(begin, begin + observation.exposure):
            add(parts, tenure, days, 0.0)
        if observation.value:
            add(parts, tenure_of(begin + observation.exposure), 0.0, 1.0)
        if not (may_freeze and self.has_enough):
            return NOTHING
        stretch = self._stretch
        parted = split(stretch)
        if parted is not None:
            return self._drop_older(stretch, parted.first, risen=parted.newer == "lower")
        baseline = freeze(stretch, state.learn_from, state.newest)
        unseen = {
            tenure: part
            for tenure, part in added(week.others for week in stretch).items()
            if baseline.hazards[tenure] is None
        }
        state.watch = ChurnWatch(baseline, 1.0, CohortExcess().new_state(), [0.0] * TENURES, unseen)
        self._renew_bound(state.watch)
        for each in state.weeks:
            each.others, each.elite = {}, {}
        return (Change("frozen"),)

    def _drop_older(self, stretch: Sequence[ChurnWeek], first: int, *, risen: bool) -> Sequence[Change]:
        since = self.stored.learn_from = stretch[first].start
        if not risen:
            return NOTHING
        older, newer = total(stretch[:first], 0.0), total(stretch[first:], 0.0)
        facts = Unsteady(interval(older[1], older[0]), interval(newer[1], newer[0]), since)
        return (Change("noticed", "unsteady baseline", facts),)

    def _count(
        self, watch: ChurnWatch, observation: Observation, week: ChurnWeek, judged: Judged
    ) -> Sequence[Change]:
        state, observed, expected = self.stored, judged.observed, judged.whole
        if judged.elite:
            week.elite_observed += observed
            week.elite_expected += expected
        elif not judged.late:
            week.earlier_observed += observed
            week.earlier_expected += expected
        elif observed or expected:
            week.late_observed += observed
            week.late_expected += expected
            for tenure, each in judged.expected:
                watch.late[tenure] += each
            may_start = state.retaken or observation.segments.get("era", "") != LATER
            acquired = Acquired(observation.began, observed, expected, may_start)
            self._for(watch).update(watch.detection, acquired, observation.at)
            if state.drift is not None and observation.began >= state.drift.dated.since:
                return self._await_end(watch, state.drift, observed, expected, observation.at)
        self._forget_recovery(observation.at)
        if not observed:
            return NOTHING
        # Only who leaves speaks for it; in between the statistic falls.
        self._look(watch)
        week.statistic = state.statistic
        return self._find(watch) if state.drift is None else NOTHING

    def _renew_bound(self, watch: ChurnWatch) -> None:
        watch.high = bound(watch.baseline, watch.late)
        self._detector = None

    def _detector_for(self, watch: ChurnWatch) -> CohortExcess:
        return CohortExcess(high=watch.high, dispersion=watch.baseline.dispersion)

    def _look(self, watch: ChurnWatch) -> None:
        self.stored.statistic = self._for(watch).statistic(watch.detection)

    def _compared(self, observed: float, expected: float) -> Interval | None:
        """Of those who are in the baseline's own tenures."""
        watch = self.stored.watch
        return compared(observed, expected, watch.baseline.events) if watch is not None else None

    def _compared_since(self, watch: ChurnWatch, dated: Dated) -> Interval | None:
        return compared_since(dated, watch.detection.weeks, worth_to(watch.baseline, watch.late))

    def _find(self, watch: ChurnWatch) -> Sequence[Change]:
        state = self.stored
        if state.statistic < self.threshold:
            if state.statistic < math.sqrt(self.threshold):
                state.uniform = None
            return NOTHING
        dated = date_start(watch.detection.weeks, state.newest)
        observed, expected = events_since(watch.detection.weeks, dated.since)
        found = observed / expected if expected else 1.0
        if found <= 1:
            return NOTHING
        # Of who was acquired since, those who were before the rise has begun say nothing of when it did.
        risen = max(dated.since, self._risen_since(dated.since))
        alike = self._alike(risen, found)
        if alike > -SURE:
            if alike < SURE or state.uniform is not None:
                return NOTHING
            state.uniform = risen
            state.episode += 1
            return (Change("noticed", "uniform", self._compared_since(watch, dated)),)
        state.uniform = None
        drift = ChurnEpisode(dated, found, ExpectedState([]))
        drift.recovery = _recovery(drift).new_state()
        return self._begin_drift(drift)

    def _risen_since(self, otherwise: float) -> float:
        """When those acquired late began to leave more often, by the calendar."""
        weeks = [
            ExcessWeek(round(week.start / DAY), week.late_observed, week.late_expected, True)
            for week in self.stored.weeks
        ]
        return date_start(weeks, otherwise, unit_s=DAY).since

    def _alike(self, since: float, found: float) -> float:
        """Log likelihood ratio of all others having risen half as much (by the logarithm) since then, against not at all."""
        weeks = [week for week in self.stored.weeks if week.start >= since]
        observed = sum(week.earlier_observed + week.elite_observed for week in weeks)
        expected = sum(week.earlier_expected + week.elite_expected for week in weeks)
        half = math.sqrt(found)
        return observed * math.log(half) - (half - 1) * expected

    def _await_end(
        self, watch: ChurnWatch, drift: ChurnEpisode, observed: float, expected: float, at: float
    ) -> Sequence[Change]:
        state, detector = self.stored, _recovery(drift)
        if expected:
            detector.update(drift.recovery, Counted(observed, expected), at)
        change = detector.change(drift.recovery)
        if change is None:
            return NOTHING
        weeks = [week for week in state.weeks if week.start >= self._recent]
        flow = sum(week.late_expected for week in weeks) / (RECENT_WEEKS * WEEK / DAY)
        needed = threshold(units_per_day=flow, false_alarms_per_year=FALSE_ENDS_A_YEAR) if flow else math.inf
        if detector.statistic(drift.recovery) < needed:
            return NOTHING
        since = week_start(change.since)
        told = [week for week in state.weeks if week.start >= since]
        wanted = watch.high * sum(week.late_expected for week in told)
        if sum(week.late_observed for week in told) > wanted:
            return NOTHING
        ended = self._end_drift(watch, Recovery(at, since))
        self._look(watch)
        return ended


def _recovery(drift: ChurnEpisode) -> ExpectedEvents:
    halfway = math.sqrt(drift.ratio)
    return ExpectedEvents(low=halfway, high=halfway, direction="fall")
