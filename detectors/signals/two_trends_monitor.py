"""Watches two numbers in one segment that mean something only when both move: breadth up and depth down, say.

Its own rules (all monitors': monitor.py):
1. Learning takes one stretch in which neither number moves, and freezes their deciles by stratum. From then on a value is
   its place among the deciles of its own stratum, so a shift between strata (younger accounts, larger ones) moves nothing. A
   stratum that the baseline hardly knows is not judged. The detector pays for how well it knows the strata of the last weeks.
2. The statistic is the smaller of two rank e-detectors' (sequential/trend_mixture.py, conjunction.py), both in days: each
   divided by its own observations a day. While one of the two holds, there is no more than the promised false alarms.
   The weekly dispersion of each baseline widens its detector.
3. One trend alone is a notice, for signals that want one (``alone``).
4. A drift has ended when the last weeks of one of the two are back: the 95 % interval of their mean reaches the baseline's
   mean, which is nearer than that of the drift until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from msgspec import Struct

from detectors.sequential.conjunction import Conjunction, Of
from detectors.sequential.table_mixture import TableState
from detectors.signals.contract import Point
from detectors.signals.monitor import NOTHING, Change, Promise
from detectors.signals.two_trends_dating import count_rank
from detectors.signals.two_trends_state import (
    KEPT_PARTS,
    Detection,
    Drift,
    TwoTrendsState,
    Watch,
    added,
    category_of,
    dated_start,
    detector_of,
    drop_before,
    freeze,
    learn,
    level,
    new_week,
    newest_week,
    place_of,
    ranks_of,
    sums_since,
    sure_of,
    unsteady,
)
from detectors.signals.verdict_life import StretchLife, lacking
from detectors.signals.verdict_life_state import Recovery
from detectors.signals.weeks import flow_per_day, week_of, week_start
from schemas.alerts import Interval
from schemas.duration import WEEK
from schemas.observations import Observation

RECENT_WEEKS = 8
FEWEST_TO_END = 30
LONGEST_DAYS = 180.0
"""A bound that lies far from the estimate costs weeks later; a baseline of half a year is late enough."""
QUIET_AGAIN = 0.01
"""Share of the threshold below which a trend that was noticed alone may be noticed anew."""


class Trend(Struct, frozen=True):
    """``least``: observations that a baseline of it needs, at least. Learning goes on until there are as many as ``wanted``, but for
    no longer than LONGEST_DAYS. ``ended``: many values are at the end of their scale, and can't move any further."""

    measure: str
    way: Literal["rise", "fall"]
    least: int
    wanted: int = 0
    ended: bool = False

    @property
    def sign(self) -> Literal[1, -1]:
        return 1 if self.way == "rise" else -1


class Alone(Struct, frozen=True):
    """One trend moved and the other did not: its measure, its level before and now, and since when (Unix seconds)."""

    measure: str
    before: Interval
    now: Interval
    since: float


class TwoTrendsMonitor(StretchLife[TwoTrendsState, Conjunction]):
    """A TwoTrendsState at work. ``alone``: the finding's name where one of the two moves by itself; empty: no word."""

    awaits = "a stretch in which neither number moves"

    def __init__(
        self,
        promise: Promise,
        trends: tuple[Trend, Trend],
        *,
        alone: str = "",
        stored: TwoTrendsState | None = None,
    ) -> None:
        super().__init__(promise, stored if stored is not None else TwoTrendsState())
        self._trends = trends
        self._alone = alone
        self._ranks: tuple[list[float], list[float]] | None = None

    def take(self, observation: Observation, *, may_freeze: bool) -> Sequence[Change]:
        """A value of one of the two measures, in its stratum; its date is ``began``."""
        state, began, value = self.stored, observation.began, observation.value
        which = 0 if observation.measure == self._trends[0].measure else 1
        first_of_week = not state.weeks or began >= state.weeks[-1].start + WEEK
        # What is older than the history reaches is counted in a week that nobody keeps.
        week = week_of(state.weeks, began, new_week) or new_week(began)
        week.sums[which] = added(week.sums[which], value)
        if which == 0:
            week.n += 1
            state.n += 1
        state.newest = max(state.newest, began)
        watch = state.watch
        if watch is not None and first_of_week:
            self._begin_week(watch)
        if watch is None or observation.stratum in watch.baselines[which].edges:
            week.parts[which][observation.stratum] = week.parts[which].get(observation.stratum, 0) + 1
        if watch is None:
            return self._learn(which, observation, may_freeze)
        category = self._category(watch, which, observation)
        if category is None:
            return NOTHING
        if self._ranks is None:
            self._ranks = (ranks_of(watch.baselines[0]), ranks_of(watch.baselines[1]))
        count_rank(watch.ranks[which], began, self._ranks[which][category])
        detector = self._for(watch)
        detector.update(watch.detection, Of(which, category), began)
        statistic = week.statistic = detector.statistic(watch.detection)
        if state.drift is not None:
            return self._await_end(watch, state.drift, observation.at) if first_of_week else NOTHING
        self._forget_recovery(observation.at)
        if statistic >= watch.threshold:
            return self._begin(watch)
        return self._look_alone(watch) if self._alone else NOTHING

    def weight(self, observation: Observation) -> float:
        """How far out the value is, among those of its stratum, in the direction of the drift: 0 to 1."""
        which = 0 if observation.measure == self._trends[0].measure else 1
        watch = self.stored.watch
        if watch is None:
            return 0.0
        category = self._category(watch, which, observation)
        return 0.0 if category is None else place_of(watch.baselines[which], category)

    def levels(self, which: int) -> tuple[Interval | None, Interval | None]:
        """(baseline, since the drift began or ended or over the last weeks) of measure number ``which``: means."""
        state = self.stored
        before = level(state.watch.baselines[which].sums) if state.watch is not None else None
        since = (newest_week(state.weeks, which) or 0.0) - (RECENT_WEEKS - 1) * WEEK
        if state.drift is not None:
            since = state.drift.starts[which].since
        elif state.recovery is not None:
            since = state.recovery.since
        return before, self._level_since(which, since)

    def _level_since(self, which: int, since: float) -> Interval | None:
        """The mean of the whole weeks since then, to the nearest Monday; of the newest one at least."""
        weeks = self.stored.weeks
        newest = newest_week(weeks, which)
        if newest is None:
            return None
        return level(sums_since(weeks, which, min(week_start(since + WEEK / 2), newest)))

    @property
    def finding(self) -> str:
        return self._alone if any(self.stored.alone) and self.stored.drift is None else ""

    @property
    def before(self) -> Interval | None:
        return self.levels(0)[0]

    @property
    def now(self) -> Interval | None:
        return self.levels(0)[1]

    @property
    def history(self) -> list[Point]:
        """Of the first measure."""
        return [
            Point(week.start, week.sums[0][0], week.sums[0][1], week.statistic) for week in self.stored.weeks
        ]

    def relearn(self, at: float) -> None:
        self._learn_anew(at, self.stored.weeks)
        self._ranks = None

    def absorb(self, other: Self) -> None:
        super().absorb(other)
        state, more = self.stored, other.stored
        for which in (0, 1):
            for stratum, kept in more.learned[which].items():
                for began, value in kept.values:
                    learn(state.learned[which], stratum, began, value)
        for theirs in more.weeks:
            week = week_of(state.weeks, theirs.start, new_week)
            if week is not None:
                week.n += theirs.n
                week.sums = [
                    (a[0] + b[0], a[1] + b[1], a[2] + b[2])
                    for a, b in zip(week.sums, theirs.sums, strict=True)
                ]
                for here, there in zip(week.parts, theirs.parts, strict=True):
                    for stratum, n in there.items():
                        here[stratum] = here.get(stratum, 0) + n

    @property
    def _lacks(self) -> list[str]:
        longest = self._learned_days >= LONGEST_DAYS
        observations = (
            (
                sum(week.sums[which][0] for week in self._stretch),
                trend.least if longest else max(trend.least, trend.wanted),
                _observations_of(trend),
            )
            for which, trend in enumerate(self._trends)
        )
        return lacking(*observations, (self._learned_days, self._promise.min_baseline_days, "days"))

    def _learn(self, which: int, observation: Observation, may_freeze: bool) -> Sequence[Change]:
        state = self.stored
        if state.learn_from is None:
            state.learn_from = observation.began
        if observation.began < week_start(state.learn_from):
            return NOTHING
        learn(state.learned[which], observation.stratum, observation.began, observation.value)
        if not may_freeze or self._lacks:
            return NOTHING
        stretch = self._stretch
        for number in (0, 1):
            second_half = unsteady(stretch, number)
            if second_half is not None:
                drop_before(state, stretch[second_half].start)
                return NOTHING
        first, second = (
            freeze(state, number, trend.sign, stretch) for number, trend in enumerate(self._trends)
        )
        if first is None or second is None:
            return NOTHING
        nothing_yet = Detection(TableState([]), TableState([]))
        sure = (sure_of(first, 0, stretch), sure_of(second, 1, stretch))
        state.watch = Watch((first, second), nothing_yet, self._promise.threshold(1.0), sure, ([], []))
        state.watch.detection = self._new_detection(state.watch)
        state.learned = [{}, {}]
        return (Change("frozen"),)

    def _category(self, watch: Watch, which: int, observation: Observation) -> int | None:
        signed = self._trends[which].sign * observation.value
        return category_of(watch.baselines[which], observation.stratum, signed)

    def _begin_week(self, watch: Watch) -> None:
        """What a new week knows before its first observation: the flow, and the strata of the last weeks. A flow that has
        grown means fewer days for each observation: the promise is by the year."""
        weeks = self.stored.weeks
        flow = flow_per_day(weeks, newest_week(weeks, 0) or 0.0)
        if flow is not None:
            growth = max(flow / watch.baselines[0].per_day, 1.0)
            watch.threshold = max(watch.threshold, self._promise.threshold(1.0) * growth)
        first, second = (sure_of(each, number, weeks) for number, each in enumerate(watch.baselines))
        watch.sure = (first, second)
        for week in weeks[:-KEPT_PARTS]:
            week.parts = [{}, {}]
        self._detector = None

    def _begin(self, watch: Watch) -> Sequence[Change]:
        first, second = (dated_start(watch, which, self.newest) for which in (0, 1))
        return self._begin_drift(Drift((first, second)))

    def _await_end(self, watch: Watch, drift: Drift, at: float) -> Sequence[Change]:
        state = self.stored
        for which, trend in enumerate(self._trends):
            newest = newest_week(state.weeks, which)
            if newest is None:
                continue
            recent = max(newest - RECENT_WEEKS * WEEK, drift.starts[which].since)
            before = level(watch.baselines[which].sums)
            now = level(sums_since(state.weeks, which, week_start(recent) + WEEK))
            if before is None or now is None or now.n < min(FEWEST_TO_END, trend.least):
                continue
            drifted = level(
                sums_since(
                    state.weeks, which, week_start(drift.starts[which].since), week_start(recent) + WEEK
                )
            )
            back = now.low <= before.estimate if trend.way == "rise" else now.high >= before.estimate
            # A few weeks alone may reach the baseline by having said little.
            nearer = drifted is None or abs(now.estimate - before.estimate) < abs(
                now.estimate - drifted.estimate
            )
            if back and nearer:
                watch.ranks = ([], [])
                return self._end_drift(watch, Recovery(at, week_start(recent) + WEEK))
        return NOTHING

    def _look_alone(self, watch: Watch) -> Sequence[Change]:
        state, conjunction = self.stored, self._for(watch)
        for which, part in enumerate((watch.detection.first, watch.detection.second)):
            statistic = conjunction.scales[which] * conjunction.parts[which].statistic(part)
            if state.alone[which]:
                state.alone[which] = statistic >= QUIET_AGAIN * watch.threshold
            elif statistic >= watch.threshold:
                since = dated_start(watch, which, state.newest).since
                before, now = level(watch.baselines[which].sums), self._level_since(which, since)
                if before is not None and now is not None:
                    state.alone[which] = True
                    facts = Alone(self._trends[which].measure, before, now, since)
                    return (Change("noticed", self._alone, facts),)
        return NOTHING

    def _new_detection(self, watch: Watch) -> Detection:
        both = self._for(watch).new_state()
        return Detection(both.first, both.second)

    def _detector_for(self, watch: Watch) -> Conjunction:
        first, second = (
            detector_of(each, sure, ended=trend.ended)
            for each, sure, trend in zip(watch.baselines, watch.sure, self._trends, strict=True)
        )
        scales = (1 / watch.baselines[0].per_day, 1 / watch.baselines[1].per_day)
        return Conjunction(first, second, scales=scales)


def _observations_of(trend: Trend) -> str:
    return f"observations of {trend.measure.replace('_', ' ')}"
