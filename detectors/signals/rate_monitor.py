"""Watches one share in one segment, rising or falling, standardised by strata: a shift between strata is mix, not drift.

The one to read before writing a monitor (rules: monitor.py, verdict_life.py). Its own:
1. Learning takes one stretch that is homogeneous and precise enough (baseline.py), and freezes the share of each stratum
   in it (strata.py). From then on each observation is judged against its own stratum's share; newcomers are not yet.
2. The detector is the e-detector for odds against known shares (sequential/exposure_mixture.py), with the baseline's
   uncertainty as bounds of the null and the baseline's dispersion by week. Threshold: the promise, by the segment's flow
   in the baseline, or that of the last four weeks where it has grown. Where the signal ``grows_to`` some number, all of the
   stretch is the baseline each time that it has twice the observations, is homogeneous and nothing speaks for a drift, until
   the first drift, or until it has so many ones and as many zeros. The first baseline is small, so as to watch early.
3. A change that is only mix is noticed as ``mix``: the plain share moved for sure, and MOSTLY of that is other strata.
4. A drift has ended when the opposite detector, whose null is half-way back, is over the threshold of one false end a
   year, and the standardised share since then is within the baseline's bounds again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

from detectors.sequential.bernoulli_mixture import BernoulliMixture, MixtureState
from detectors.sequential.binomial_interval import interval
from detectors.sequential.contract import threshold
from detectors.sequential.exposure_mixture import Exposed, ExposureMixture, ExposureState
from detectors.signals.baseline import BOUND_LEVEL, EARLY_LOWER
from detectors.signals.dating import Dated, share_since
from detectors.signals.monitor import NOTHING, Change, Promise
from detectors.signals.rate_baseline import bounds, freeze, null_share, precise, split
from detectors.signals.rate_dating import date_change
from detectors.signals.rate_state import (
    Mix,
    RateBaseline,
    RateEpisode,
    RateRecovery,
    RateState,
    RateWatch,
    RateWeek,
    Unsteady,
    Way,
    new_week,
    sums_since,
)
from detectors.signals.strata import is_newcomer, make_room, meet, number_of
from detectors.signals.verdict_life import StretchLife, lacking
from detectors.signals.weeks import flow_per_day, total, week_of, week_start
from schemas.alerts import Interval
from schemas.duration import WEEK
from schemas.observations import Observation

RECENT_WEEKS = 8
QUIET_PART = 1e-3
"""Of a threshold: a statistic below speaks for no drift."""
MOSTLY = 2 / 3
"""A part of the change from which on it is the cause."""


class RateMonitor(StretchLife[RateState, ExposureMixture]):
    """A RateState at work. ``way``: in which direction the share drifts; the other one never alarms. ``grows_to``: rule 2; 0 for a
    baseline that does not grow."""

    awaits = "a stretch in which the share holds"

    def __init__(
        self, promise: Promise, way: Way, stored: RateState | None = None, *, grows_to: int = 0
    ) -> None:
        super().__init__(promise, stored if stored is not None else RateState())
        self._way: Way = way
        self._grows_to = grows_to
        self._plain: BernoulliMixture | None = None
        self._recovery: ExposureMixture | None = None

    def take(self, observation: Observation, *, may_freeze: bool) -> Sequence[Change]:
        """``value`` 0 or 1, of the stratum ``stratum``; its date is ``began``."""
        state, ones, began = self.stored, int(observation.value), observation.began
        first_of_week = not state.weeks or began >= state.weeks[-1].start + WEEK
        # What is older than the history reaches is counted in a week that nobody keeps.
        week = week_of(state.weeks, began, new_week) or new_week(began)
        week.n += 1
        week.ones += ones
        state.n += 1
        state.newest = max(state.newest, began)
        watch = state.watch
        if watch is not None and first_of_week:
            self._begin_week(watch)
        number = number_of(state.strata, observation.stratum)
        here = week.parts.get(number, (0, 0))
        week.parts[number] = (here[0] + 1, here[1] + ones)
        if watch is None:
            return self._learn(may_freeze)
        self._for_plain(watch).update(watch.plain, ones, began)
        share = state.strata.shares[number]
        if share is None:
            meet(state.strata, number, ones)
            return self._find_mix(watch, observation.at)
        judged = Exposed(ones, share)
        if is_newcomer(state.strata, number):
            self._judge_newcomer(watch, number, judged, began)
        else:
            self._for(watch).update(watch.detection, judged, began)
        week.judged += 1
        week.judged_ones += ones
        week.expected += share
        week.statistic = self.statistic
        if state.drift is not None:
            return self._await_end(watch, state.drift, judged, observation)
        self._forget_recovery(observation.at)
        if week.statistic >= watch.threshold:
            return self._begin(watch, began)
        return self._find_mix(watch, observation.at)

    def _judge_newcomer(self, watch: RateWatch, number: int, judged: Exposed, began: float) -> None:
        """Against the bound of its own share. Until it is known as well as the whole it is met on, while nothing speaks for a
        drift."""
        strata = self.stored.strata
        null = null_share(self._way, watch, judged.share, strata.worth[number])
        if null != judged.share and self._quiet(watch):
            meet(strata, number, judged.one)
        self._for(watch).update(watch.detection, Exposed(judged.one, null), began)

    def _quiet(self, watch: RateWatch) -> bool:
        """Nothing speaks for a drift."""
        return self.stored.drift is None and self.statistic < QUIET_PART * watch.threshold

    def weight(self, observation: Observation) -> float:
        """Surprise at what speaks for the drift, in the stratum's baseline; 1 while learning."""
        if (observation.value == 1) != (self._way == "rise"):
            return 0.0
        strata = self.stored.strata
        share = strata.shares[number_of(strata, observation.stratum)]
        if share is None:
            return 1.0
        return -math.log(share if self._way == "rise" else 1 - share)

    @property
    def finding(self) -> str:
        return "mix" if self.stored.mix_told is not None and self.stored.drift is None else ""

    @property
    def before(self) -> Interval | None:
        watch = self.stored.watch
        return interval(watch.baseline.ones, watch.baseline.n) if watch is not None else None

    @property
    def now(self) -> Interval | None:
        """The plain share, newcomers and all."""
        state, dated = self.stored, self._dated
        if not state.weeks:
            return None
        if dated is not None:
            return share_since(dated, *total(state.weeks, dated.since), state.weeks)
        n, ones = total(state.weeks, self._recent)
        return interval(ones, n) if n else None

    def level_since(self, since: float) -> Interval | None:
        """The plain share of the weeks from ``since`` (Unix seconds) on; None without an observation."""
        n, ones = total(self.stored.weeks, week_start(since + WEEK / 2))
        return interval(ones, n) if n else None

    @property
    def standardised(self) -> float | None:
        """What the same strata would give now, had each its share of the baseline; None where ``now`` is."""
        since = self.since
        sums = sums_since(self.stored.weeks, self._recent if since is None else since)
        return (sums.expected + sums.newcomer_ones) / sums.n if sums.n else None

    @property
    def mix_share(self) -> float | None:
        """Kitagawa's split: what the strata of now would give in the baseline is mix, the rest is rate."""
        watch, since = self.stored.watch, self.since
        if watch is None or since is None:
            return None
        return self._mix_since(watch, since)

    @property
    def _lacks(self) -> list[str]:
        (n, ones), promise = self._learned, self._promise
        lacks = lacking(
            (n, promise.min_baseline, "observations"), (self._learned_days, promise.min_baseline_days, "days")
        )
        if lacks or precise(self._way, n, ones):
            return lacks
        return ["more observations: the share is not known well enough yet"]

    def relearn(self, at: float) -> None:
        kept = self.stored.weeks
        self._learn_anew(at, [RateWeek(week.start, week.n, week.ones, week.statistic) for week in kept])
        self._plain = self._recovery = None

    def absorb(self, other: Self) -> None:
        super().absorb(other)
        state, more = self.stored, other.stored
        numbers = [number_of(state.strata, name) for name in more.strata.names]
        for theirs in more.weeks:
            week = week_of(state.weeks, theirs.start, new_week)
            if week is None:
                continue
            week.n += theirs.n
            week.ones += theirs.ones
            for number, (n, ones) in theirs.parts.items():
                here = week.parts.get(numbers[number], (0, 0))
                week.parts[numbers[number]] = (here[0] + n, here[1] + ones)

    @property
    def _dated(self) -> Dated | None:
        state = self.stored
        return state.drift.dated if state.drift else state.recovery.dated if state.recovery else None

    @property
    def _recent(self) -> float:
        return self.stored.weeks[-1].start - (RECENT_WEEKS - 1) * WEEK if self.stored.weeks else 0.0

    @property
    def _learned(self) -> tuple[int, int]:
        """(observations, ones) of the stretch that is being learned"""
        return total(self._stretch, 0.0)

    def _begin_week(self, watch: RateWatch) -> None:
        """What a new week of cohorts knows before its first observation: the flow, and the strata of the last weeks."""
        weeks = self.stored.weeks
        flow = flow_per_day(weeks, self.stored.newest)
        if flow:
            watch.threshold = max(watch.threshold, self._promise.threshold(flow))
        if self._may_grow(watch.baseline):
            self._grow(watch)
        else:
            _forget_parts(weeks[: -RECENT_WEEKS - 1])
        make_room(self.stored.strata, {number for week in weeks for number in week.parts})
        watch.low, watch.high = bounds(watch.baseline, self.stored.strata, weeks[-RECENT_WEEKS - 1 :])
        self._detector = None

    def _may_grow(self, baseline: RateBaseline) -> bool:
        rarer = min(baseline.ones, baseline.n - baseline.ones)
        return not self.stored.episode and rarer < self._grows_to

    def _grow(self, watch: RateWatch) -> None:
        state = self.stored
        # Of the newest week there is but one observation yet.
        stretch = self._stretch[:-1]
        if total(stretch, 0.0)[0] < 2 * watch.baseline.n or not self._quiet(watch):
            return
        if split(self._way, stretch, drifted=EARLY_LOWER) is None:
            start = watch.baseline.start
            watch.baseline = freeze(self._way, stretch, state.strata, start, state.weeks[-1].start)
            self._plain = None

    def _learn(self, may_freeze: bool) -> Sequence[Change]:
        state = self.stored
        if state.learn_from is None:
            state.learn_from = state.newest
        if not (may_freeze and self.has_enough):
            return NOTHING
        stretch = self._stretch
        parts = split(self._way, stretch)
        if parts is None:
            self._freeze(stretch, state.learn_from)
            return (Change("frozen"),)
        first, drifted = parts
        state.learn_from = stretch[first].start
        if not drifted:
            return NOTHING
        older, newer = total(stretch[:first], 0.0), total(stretch[first:], 0.0)
        facts = Unsteady(interval(older[1], older[0]), interval(newer[1], newer[0]), state.learn_from)
        return (Change("noticed", "unsteady baseline", facts),)

    def _freeze(self, stretch: Sequence[RateWeek], start: float) -> None:
        state = self.stored
        baseline = freeze(self._way, stretch, state.strata, start, state.newest)
        if not self._may_grow(baseline):
            _forget_parts(state.weeks[:-RECENT_WEEKS])
        self._begin_to_watch(baseline)

    def _begin_to_watch(self, baseline: RateBaseline) -> None:
        watch = self.stored.watch = RateWatch(
            baseline=baseline,
            low=baseline.low,
            high=baseline.high,
            threshold=self._promise.threshold(baseline.per_day),
            detection=ExposureState([]),
            plain=MixtureState([]),
        )
        watch.detection = self._new_detection(watch)
        watch.plain = self._for_plain(watch).new_state()

    def _begin(self, watch: RateWatch, began: float) -> Sequence[Change]:
        known = (watch.baseline.n, watch.baseline.ones)
        # What was before the end of the last drift is another story.
        weeks = [week for week in self.stored.weeks if week.start >= watch.ended]
        dated = date_change(known, weeks, self._way, week_start(began))
        sums = sums_since(self.stored.weeks, dated.since)
        halfway = math.sqrt(max(sums.odds_ratio, 1.0) if self._way == "rise" else min(sums.odds_ratio, 1.0))
        drift = RateEpisode(dated, halfway, ExposureState([]))
        drift.recovery = self._for_recovery(drift).new_state()
        return self._begin_drift(drift)

    def _await_end(
        self, watch: RateWatch, drift: RateEpisode, judged: Exposed, observation: Observation
    ) -> Sequence[Change]:
        detector = self._for_recovery(drift)
        detector.update(drift.recovery, judged, observation.began)
        needed = threshold(units_per_day=watch.baseline.per_day, false_alarms_per_year=1)
        back = detector.change(drift.recovery)
        if back is None or detector.statistic(drift.recovery) < needed:
            return NOTHING
        # Whole weeks only: the one in which it ended holds some of the drift.
        since = sums_since(self.stored.weeks, week_start(back.since) + WEEK)
        ratio = since.odds_ratio
        if not since.judged or not (ratio <= watch.high if self._way == "rise" else ratio >= watch.low):
            return NOTHING
        ended = watch.ended = week_start(back.since + WEEK / 2)
        self._recovery = None
        watch.plain = self._for_plain(watch).new_state()
        return self._end_drift(watch, RateRecovery(observation.at, Dated(ended, ended, ended, 0, 0)))

    def _find_mix(self, watch: RateWatch, at: float) -> Sequence[Change]:
        """Told once for a baseline: what has come to stay is not news again."""
        state = self.stored
        plain = self._for_plain(watch)
        if state.mix_told is not None or state.drift is not None or len(state.strata.names) <= 2:
            return NOTHING
        if plain.statistic(watch.plain) < watch.threshold:
            return NOTHING
        change = plain.change(watch.plain)
        share = self._mix_since(watch, week_start(change.since)) if change is not None else None
        if change is None or share is None or share < MOSTLY:
            return NOTHING
        state.mix_told = at
        n, ones = total(state.weeks, week_start(change.since))
        return (Change("noticed", "mix", Mix(interval(ones, n), week_start(change.since))),)

    def _mix_since(self, watch: RateWatch, since: float) -> float | None:
        sums = sums_since(self.stored.weeks, since)
        if not sums.n:
            return None
        before = watch.baseline.ones / watch.baseline.n
        change = sums.ones / sums.n - before
        return ((sums.expected + sums.newcomer_ones) / sums.n - before) / change if change else None

    def _detector_for(self, watch: RateWatch) -> ExposureMixture:
        return ExposureMixture(
            low=watch.low, high=watch.high, direction=self._way, dispersion=watch.baseline.dispersion
        )

    def _for_plain(self, watch: RateWatch) -> BernoulliMixture:
        if self._plain is None:
            baseline = watch.baseline
            self._plain = BernoulliMixture.from_baseline(
                baseline.ones,
                baseline.n,
                direction=self._way,
                level=BOUND_LEVEL,
                dispersion=baseline.dispersion,
            )
        return self._plain

    def _for_recovery(self, drift: RateEpisode) -> ExposureMixture:
        if self._recovery is None:
            back: Way = "fall" if self._way == "rise" else "rise"
            self._recovery = ExposureMixture(low=drift.halfway, high=drift.halfway, direction=back)
        return self._recovery


def _forget_parts(weeks: Sequence[RateWeek]) -> None:
    """Strata are known of the weeks that a baseline is learned from, and of the last ones."""
    for week in weeks:
        week.parts = {}
