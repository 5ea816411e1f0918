"""Watches one share in one segment: learns a baseline, freezes it, finds a fall, dates it, and sees it end.

Phases: learning -> watching -> fallen -> recovered -> watching. Rules:
1. Time is the cohort's (``began``), so growth, lateness and the speed of maturing move nothing.
2. Threshold: as many observations as the segment gives in a year, times the monitors that share the budget, divided by
   the false alarms a year that the whole installation may have. The flow is that of the baseline stretch, or that of the
   last four weeks where it has grown since: the promise is by the year, so growth must not loosen it. Of the segment's part
   of the budget the early watch (plg_conversion_gap_early.py) has EARLY_PART, so the threshold is that much higher.
3. A fall has ended when a rise detector, whose null is the half-way mark between the fallen rate and the baseline, is
   over its threshold (one false end in a year of observations), and the share since then is within the baseline's bounds
   again, or above. In between (recovered in part, or not surely) it is still fallen: that is the hysteresis.
   Only cohorts count that began since the fall, which matters when the early watch has found it.
4. ``recovered`` is shown for RECOVERED_DAYS, while watching has begun again already.
5. A baseline grows while nothing has fallen yet: each time that its stretch has twice the observations, is still homogeneous
   and nothing speaks for a fall, all of it is the baseline, until it has ENOUGH_ONES in ENOUGH_WEEKS. The first one is as
   small as can be, so as to watch early; what it leaves uncertain takes half of the evidence of a fall. After its first
   fall it is for good.
6. Weeks that vary more than by chance alone count for less: bounds and detector take the baseline's dispersion.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from detectors.sequential.bernoulli_mixture import BernoulliMixture, MixtureState
from detectors.sequential.binomial_interval import interval
from detectors.sequential.contract import HIGHEST_THRESHOLD
from detectors.signals.baseline import (
    EARLY_LOWER,
    ONES_FOR_PRECISION,
    Baseline,
    freeze,
    heterogeneity,
    precise_enough,
)
from detectors.signals.dating import Dated, date_fall, date_rise, share_since
from detectors.signals.monitor import Promise as Promise
from detectors.signals.weeks import Week, count_in, flow_per_day, merge, total, week_start
from schemas.alerts import Interval
from schemas.duration import DAY, WEEK

Phase = Literal["learning", "watching", "fallen", "recovered"]
Change = Literal["frozen", "grown", "fell", "recovered", "unsteady"]

EARLY_PART = 0.25
"""Of a segment's part of the budget of false alarms. A quarter costs the early watch, whose evidence grows with the square
of time, a day or two, and the watch of mature cohorts two hundredths of its delay."""
ENOUGH_ONES = 300
"""The bound is then 7 % below the estimate. More would find a fall no sooner, and follow a company that changes slowly."""
ENOUGH_WEEKS = 26
"""However many ones there are: fewer weeks hardly tell how much weeks vary. Where conversion varies by 20 % from week to week,
8 of 100 monitors had a false alarm in two years with it, 13 without."""
QUIET_PART = 1e-3
"""Of a threshold: a statistic below speaks for no fall."""
RECOVERED_DAYS = 28.0
RECENT_WEEKS = 8
YEAR_DAYS = 365.25
LOWEST_THRESHOLD = 1000.0


class Watch(Struct, array_like=True):
    """What watching needs: the frozen baseline, the threshold in observations and the detector's state. ``ended``: when the last
    fall did (Unix seconds), 0 without one."""

    baseline: Baseline
    threshold: float
    detection: MixtureState
    ended: float = 0.0


class Fall(Struct, array_like=True):
    """An episode: when it began, and all that was seen of mature cohorts since its likeliest start. ``early``: the early
    watch has found it, before these cohorts were mature."""

    dated: Dated
    n: int
    ones: int
    halfway: float
    recovery: MixtureState
    early: bool = False

    @property
    def margin_days(self) -> float:
        return self.dated.margin_days


class Recovery(Struct, array_like=True):
    """The end of the last episode: when it was noticed (Unix seconds), when it began, and all that was seen since."""

    at: float
    dated: Dated
    n: int
    ones: int


class MonitorState(Struct, kw_only=True):
    n: int = 0
    """observations counted in, ever"""
    newest: float = 0.0
    learn_from: float | None = None
    learn_n: int = 0
    learn_ones: int = 0
    weeks: list[Week] = []
    watch: Watch | None = None
    fall: Fall | None = None
    recovery: Recovery | None = None
    episode: int = 0
    unsteady: int = 0
    """how often a stretch turned out not to be homogeneous because its share fell"""


class ShareMonitor:
    """A MonitorState at work."""

    def __init__(self, promise: Promise, state: MonitorState | None = None) -> None:
        self._promise = promise
        self.state = state if state is not None else MonitorState()
        # Detectors hold parameters only: they follow from the state and are never stored.
        self._detector: BernoulliMixture | None = None
        self._recovery_detector: BernoulliMixture | None = None

    def take(
        self, ones: int, began: float, at: float, *, may_freeze: bool = True, may_grow: bool = True
    ) -> Change | None:
        """Counts one observation in (``ones`` 0 or 1); what it changed, if anything."""
        state = self.state
        new_week = not state.weeks or began >= state.weeks[-1].start + WEEK
        week = count_in(state.weeks, began, ones)
        state.n += 1
        state.newest = max(state.newest, began)
        watch = state.watch
        if watch is None:
            return self._learn(ones, began, may_freeze)
        state.learn_n += 1
        state.learn_ones += ones
        if new_week:
            flow = flow_per_day(state.weeks, state.newest)
            if flow is not None:
                watch.threshold = max(watch.threshold, self._threshold(flow))
        detector = self._for_falls(watch)
        detector.update(watch.detection, ones, began)
        statistic = detector.statistic(watch.detection)
        if week is not None:
            week.statistic = statistic
        if state.fall is not None:
            if began < state.fall.dated.since:
                return None
            return self._await_recovery(watch, state.fall, ones, began, at)
        if state.recovery is not None:
            state.recovery.n += 1
            state.recovery.ones += ones
            if at - state.recovery.at > RECOVERED_DAYS * DAY:
                state.recovery = None
        if statistic >= watch.threshold:
            return self._find_fall(watch)
        return "grown" if new_week and may_grow and self._grow(watch) else None

    def fall_early(self, dated: Dated, now: float) -> None:
        """A fall to about ``now`` that the early watch has found. Needs a frozen baseline, and no fall."""
        state, before = self.state, self.before
        if before is not None and state.fall is None:
            self._begin(
                Fall(dated, 0, 0, min((before.estimate + now) / 2, before.estimate), MixtureState([]), True)
            )

    def relearn(self, at: float) -> None:
        """Takes the baseline anew, from the cohorts of the week after ``at`` (Unix seconds) on. Those of before are mature later than
        that, and are what is to be forgotten."""
        kept = self.state
        self.state = MonitorState(
            n=kept.n,
            weeks=kept.weeks,
            newest=kept.newest,
            # From a Monday on, so that no week of the new stretch holds what was there before.
            learn_from=week_start(max(at, kept.newest)) + WEEK,
            episode=kept.episode,
            unsteady=kept.unsteady,
        )
        self._detector = self._recovery_detector = None

    def absorb(self, other: MonitorState) -> None:
        """Takes in what another monitor has learned; both are still learning, and neither has dropped a stretch."""
        state = self.state
        state.n += other.n
        state.learn_n += other.learn_n
        state.learn_ones += other.learn_ones
        state.newest = max(state.newest, other.newest)
        if other.learn_from is not None:
            state.learn_from = min(state.learn_from or other.learn_from, other.learn_from)
        merge(state.weeks, other.weeks)

    @property
    def phase(self) -> Phase:
        if self.state.watch is None:
            return "learning"
        if self.state.fall is not None:
            return "fallen"
        return "watching" if self.state.recovery is None else "recovered"

    @property
    def statistic(self) -> float:
        """The e-detector's, 0 while learning; in the same unit as the threshold (observations)."""
        watch = self.state.watch
        return self._for_falls(watch).statistic(watch.detection) if watch is not None else 0.0

    @property
    def before(self) -> Interval | None:
        watch = self.state.watch
        return interval(watch.baseline.ones, watch.baseline.n) if watch is not None else None

    @property
    def now(self) -> Interval | None:
        """Since the fall began, else since it ended, else over the last weeks; None without an observation."""
        state = self.state
        if state.fall is not None:
            return share_since(state.fall.dated, state.fall.n, state.fall.ones, state.weeks)
        if not state.weeks:
            return None
        if state.recovery is not None:
            return share_since(state.recovery.dated, state.recovery.n, state.recovery.ones, state.weeks)
        n, ones = total(state.weeks, state.weeks[-1].start - (RECENT_WEEKS - 1) * WEEK)
        return interval(ones, n) if n else None

    @property
    def missing(self) -> str:
        """What learning still needs, in words; empty once the baseline is frozen."""
        state, promise = self.state, self._promise
        if state.watch is not None:
            return ""
        lacks = []
        if state.learn_n < promise.min_baseline:
            lacks.append(f"{state.learn_n} of {promise.min_baseline} observations")
        days = self._learnt_days()
        if days < promise.min_baseline_days:
            lacks.append(f"{int(days)} of {promise.min_baseline_days:g} days")
        if not lacks and not precise_enough(state.learn_ones, state.learn_n):
            lacks.append(f"{state.learn_ones} of about {ONES_FOR_PRECISION} that are positive")
        return ", ".join(lacks)

    @property
    def has_enough(self) -> bool:
        """Whether there is enough for a baseline, be it homogeneous or not."""
        state, promise = self.state, self._promise
        return (
            state.learn_n >= promise.min_baseline
            and self._learnt_days() >= promise.min_baseline_days
            and precise_enough(state.learn_ones, state.learn_n)
        )

    def _learnt_days(self) -> float:
        state = self.state
        return max(state.newest - state.learn_from, 0.0) / DAY if state.learn_from is not None else 0.0

    def _learn(self, ones: int, began: float, may_freeze: bool) -> Change | None:
        state = self.state
        if state.learn_from is None:
            state.learn_from = began
        if began < week_start(state.learn_from):
            return None
        state.learn_n += 1
        state.learn_ones += ones
        if not (may_freeze and self.has_enough):
            return None
        stretch = self._stretch(state.learn_from)
        split = heterogeneity(stretch)
        if split is not None:
            state.learn_from = stretch[split.first].start
            state.learn_n, state.learn_ones = total(state.weeks, state.learn_from)
            state.unsteady += split.newer == "lower"
            return "unsteady" if split.newer == "lower" else None
        baseline = freeze(state.learn_from, state.newest, state.learn_n, state.learn_ones, stretch)
        watch = Watch(baseline, self._threshold(baseline.per_day), MixtureState([]))
        watch.detection = self._for_falls(watch).new_state()
        state.watch = watch
        return "frozen"

    def _grow(self, watch: Watch) -> bool:
        """Rule 5."""
        state, baseline = self.state, watch.baseline
        if state.episode or state.learn_from is None or state.learn_n < 2 * baseline.n:
            return False
        weeks = (baseline.end - baseline.start) / WEEK
        if baseline.ones >= ENOUGH_ONES and weeks >= ENOUGH_WEEKS:
            return False
        if self.statistic >= QUIET_PART * watch.threshold:
            return False
        stretch = self._stretch(state.learn_from)
        if heterogeneity(stretch, higher=EARLY_LOWER) is not None:
            return False
        watch.baseline = freeze(baseline.start, state.newest, state.learn_n, state.learn_ones, stretch)
        watch.threshold = max(watch.threshold, self._threshold(watch.baseline.per_day))
        self._detector = None
        return True

    def _stretch(self, learn_from: float) -> list[Week]:
        return [week for week in self.state.weeks if week.start >= week_start(learn_from)]

    def _threshold(self, per_day: float) -> float:
        promise = self._promise
        own = promise.false_alarms_per_year / promise.monitors * (1 - EARLY_PART)
        wanted = per_day * YEAR_DAYS / own
        return min(max(wanted, LOWEST_THRESHOLD), HIGHEST_THRESHOLD)

    def _find_fall(self, watch: Watch) -> Change | None:
        restart = self._for_falls(watch).change(watch.detection)
        if restart is None:
            return None
        state, baseline = self.state, watch.baseline
        # The weeks of the baseline are in its counts already; what was before the end of the last fall is another story.
        weeks = [week for week in state.weeks if week.start > baseline.end and week.start >= watch.ended]
        dated = date_fall(baseline.n, baseline.ones, weeks, restart)
        before, now = baseline.ones / baseline.n, dated.ones / dated.n
        self._begin(Fall(dated, dated.n, dated.ones, min((before + now) / 2, before), MixtureState([])))
        return "fell"

    def _begin(self, fall: Fall) -> None:
        state = self.state
        fall.recovery = self._for_recovery(fall).new_state()
        state.fall, state.recovery = fall, None
        state.episode += 1

    def _await_recovery(self, watch: Watch, fall: Fall, ones: int, began: float, at: float) -> Change | None:
        fall.n += 1
        fall.ones += ones
        detector = self._for_recovery(fall)
        detector.update(fall.recovery, ones, began)
        change = detector.change(fall.recovery)
        needed = min(max(watch.baseline.per_day * YEAR_DAYS, LOWEST_THRESHOLD), HIGHEST_THRESHOLD)
        if change is None or detector.statistic(fall.recovery) < needed:
            return None
        weeks = [week for week in self.state.weeks if week.start >= fall.dated.since]
        back = date_rise(weeks, change)
        if back.ones < watch.baseline.low * back.n:
            return None
        self.state.fall, self.state.recovery = None, Recovery(at, back, back.n, back.ones)
        self._recovery_detector = None
        watch.ended = back.since
        watch.detection = self._for_falls(watch).new_state()
        return "recovered"

    def _for_falls(self, watch: Watch) -> BernoulliMixture:
        if self._detector is None:
            baseline = watch.baseline
            self._detector = BernoulliMixture(
                low=baseline.low, high=baseline.high, direction="fall", dispersion=baseline.dispersion
            )
        return self._detector

    def _for_recovery(self, fall: Fall) -> BernoulliMixture:
        if self._recovery_detector is None:
            self._recovery_detector = BernoulliMixture(low=fall.halfway, high=fall.halfway, direction="rise")
        return self._recovery_detector
