"""Watches what becomes of aged deals (older than the median cycle of their band) in one segment: won, lost, or neither.

Rules (those of every monitor: monitor.py):
1. Time goes by the week. Deals that were open when it began may be lost in it, and those that were not won may be won; so
   open deals count without an observation of their own. What was closed in bulk is taken out of both.
2. The baseline is two hazards, of winning and of losing, by band and by age in medians (slg_aged_win_rate_baseline.py). A band
   whose median is not known is not judged until it is.
3. The statistic is the smaller of two detectors' (sequential/expected_events.py, conjunction.py), both in days: wins come more
   often *and* losses less often than the baseline wants. While one of the two holds, the promise of false alarms is kept.
4. Losses alone, which is deals that linger, is noticed as ``kept alive``, as long as it holds.
5. A drift has ended when one of the two is half-way back.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Self

from detectors.sequential.cohort_excess import ExcessWeek
from detectors.sequential.conjunction import Conjunction, Of
from detectors.sequential.contract import Direction, threshold
from detectors.sequential.expected_events import Counted, ExpectedEvents, ExpectedState
from detectors.signals.baseline import BOUND_LEVEL
from detectors.signals.clg_churn_cohorts_dating import date_start
from detectors.signals.clg_churn_cohorts_state import ratio
from detectors.signals.contract import Point
from detectors.signals.monitor import NOTHING, Change, Promise
from detectors.signals.opportunities import IN_BULK, OPENED, WON
from detectors.signals.slg_aged_win_rate_baseline import (
    freeze,
    learn_hazards,
    learn_medians,
    unsteady,
)
from detectors.signals.slg_aged_win_rate_counting import end_week, merge
from detectors.signals.slg_aged_win_rate_state import (
    OTHER_BANDS,
    AgedEpisode,
    AgedState,
    AgedWatch,
    AgedWeek,
    Band,
    Detection,
    Lingering,
    admit,
    band_of,
    cohort_of,
    new_week,
)
from detectors.signals.verdict_life import StretchLife, lacking
from detectors.signals.verdict_life_state import Recovery
from detectors.signals.weeks import week_of, week_start
from schemas.alerts import Interval
from schemas.duration import DAY, WEEK
from schemas.observations import Observation

RECENT_WEEKS = 8
FEWEST_WON, FEWEST_LOST = 30, 60
"""The bounds of the two hazards lie within 1.27 and 0.84 of their estimates. With 20 and 40 a drift took an eighth longer to be
found, and two of ten simulated ones half as long again; with 40 and 80 it is found no sooner."""
QUIET_AGAIN = 0.01
"""Share of the threshold below which lingering may be noticed anew."""


class AgedMonitor(StretchLife[AgedState, Conjunction]):
    """An AgedState at work."""

    awaits = "a week in which to begin"

    def __init__(self, promise: Promise, stored: AgedState | None = None) -> None:
        super().__init__(promise, stored if stored is not None else AgedState())

    def take(self, observation: Observation, *, may_freeze: bool) -> Sequence[Change]:
        state, at = self.stored, observation.at
        if state.current is None:
            state.current = state.learn_from = week_start(at)
        changes: list[Change] = []
        while at >= state.current + WEEK:
            changes += self._end_week(state.current, may_freeze)
            state.current += WEEK
            if not any(band.cohorts for band in state.bands.values()):
                state.current = week_start(at)  # nothing is open: nothing happens until then
        start = week_start(observation.began)
        if observation.measure == OPENED:
            state.n += 1
            state.newest = max(state.newest, observation.began)
            admit(band_of(state.bands, observation.stratum), start)
            return changes or NOTHING
        band = state.bands.get(observation.stratum) or state.bands.get(OTHER_BANDS)
        cohort = cohort_of(band, start) if band is not None else None
        if cohort is not None and cohort.open:
            cohort.open -= 1
            if observation.measure == IN_BULK:
                cohort.at_risk -= 1
                cohort.unwon -= 1
                cohort.unwon_now -= 1
            elif observation.measure == WON:
                cohort.won += 1
                cohort.unwon_now -= 1
            else:
                cohort.lost += 1
        return changes or NOTHING

    def weight(self, observation: Observation) -> float:
        """An aged deal that was won; the older the more."""
        band = self.stored.bands.get(observation.stratum)
        if observation.measure != WON or band is None or not band.won:
            return 0.0
        return observation.value / band.median if observation.value > band.median else 0.0

    @property
    def finding(self) -> str:
        return "kept alive" if self.stored.kept_alive is not None and self.stored.drift is None else ""

    @property
    def threshold(self) -> float:
        return self._promise.threshold(1.0) if self.stored.watch is not None else 0.0

    @property
    def before(self) -> Interval | None:
        """Of wins: what the baseline's own hazards want of it, 1."""
        watch = self.stored.watch
        return ratio(watch.baseline.won, watch.baseline.won) if watch is not None else None

    @property
    def now(self) -> Interval | None:
        """Wins of aged deals over what the baseline wants, since the drift began or ended, else of the last weeks."""
        weeks = self.weeks_since(self.since)
        return ratio(sum(w.ones for w in weeks), sum(w.expected_won for w in weeks))

    @property
    def losses(self) -> Interval | None:
        """The same of losses."""
        weeks = self.weeks_since(self.since)
        return ratio(sum(w.lost for w in weeks), sum(w.expected_lost for w in weeks))

    @property
    def history(self) -> list[Point]:
        """Aged deals that were open, and those won, by the week."""
        return [Point(week.start, week.n, float(week.ones), week.statistic) for week in self.stored.weeks]

    @property
    def _lacks(self) -> list[str]:
        state, promise, weeks = self.stored, self._promise, self._stretch
        days = (state.current or 0.0) - (state.learn_from or 0.0)
        return lacking(
            (state.n, promise.min_baseline, "opportunities"),
            (days / DAY, promise.min_baseline_days, "days"),
            (sum(w.ones for w in weeks), FEWEST_WON, "wins past the median cycle"),
            (sum(w.lost for w in weeks), FEWEST_LOST, "losses past the median cycle"),
        )

    def weeks_since(self, since: float | None) -> list[AgedWeek]:
        """The weeks from ``since`` (Unix seconds) on, the last ones without it."""
        weeks = self.stored.weeks
        if since is None:
            return weeks[-RECENT_WEEKS:]
        return weeks[bisect_left(weeks, week_start(since), key=lambda week: week.start) :]

    def relearn(self) -> None:
        state = self.stored
        self._begin_anew(
            state.weeks,
            current=state.current,
            learn_from=None if state.current is None else state.current + WEEK,
            bands={name: Band(cohorts=band.cohorts) for name, band in state.bands.items()},
        )

    def absorb(self, other: Self) -> None:
        state, more = self.stored, other.stored
        while state.current is not None and more.current is not None and state.current != more.current:
            behind = self if state.current < more.current else other
            behind._end_week(min(state.current, more.current), may_freeze=False)
            behind.stored.current = min(state.current, more.current) + WEEK
        super().absorb(other)
        merge(state, more)

    def _end_week(self, start: float, may_freeze: bool) -> Sequence[Change]:
        """Counts what became of the deals that were open, and begins the next week."""
        state = self.stored
        week = week_of(state.weeks, start, new_week)
        if week is None:
            return NOTHING
        learns = state.learn_from is not None and start >= state.learn_from
        if state.watch is None:
            learn_medians(state.bands.values())
        end_week(state.bands.values(), week, learns=learns)
        if state.watch is None:
            return self._learn(start + WEEK, may_freeze)
        new = [band for band in state.bands.values() if not band.won]
        if new:
            learn_medians(new)
            self._meet(new)
        return self._look(state.watch, week)

    def _meet(self, bands: Sequence[Band]) -> None:
        """Bands whose median has become known have hazards from now on."""
        for band in bands:
            if band.median:
                learn_hazards([band])

    def _learn(self, now: float, may_freeze: bool) -> Sequence[Change]:
        state, stretch = self.stored, self._stretch
        if self._lacks or not may_freeze or state.learn_from is None:
            return NOTHING
        parted = unsteady(stretch)
        if parted is not None:
            state.learn_from = now
            for band in state.bands.values():
                band.ages = []
            return (
                (Change("noticed", "unsteady baseline", parted),) if parted.newer > parted.older else NOTHING
            )
        baseline = freeze(stretch, state.learn_from, now)
        learn_hazards(list(state.bands.values()))
        nothing_yet = Detection(ExpectedState([]), ExpectedState([]))
        state.watch = AgedWatch(baseline, baseline.won_per_day, baseline.lost_per_day, nothing_yet)
        state.watch.detection = self._new_detection(state.watch)
        return (Change("frozen"),)

    def _look(self, watch: AgedWatch, week: AgedWeek) -> Sequence[Change]:
        state, at = self.stored, week.start + WEEK
        self._follow_the_flow(watch)
        detector = self._for(watch)
        for which, observed, expected in (
            (0, week.ones, week.expected_won),
            (1, week.lost, week.expected_lost),
        ):
            if expected > 0:
                detector.update(watch.detection, Of(which, Counted(observed, expected)), week.start)
        week.statistic = detector.statistic(watch.detection)
        self._forget_recovery(at)
        if state.drift is not None:
            return self._await_end(watch, state.drift, week)
        if week.statistic >= self.threshold:
            return self._begin(week)
        return self._look_at_losses(watch, detector)

    def _follow_the_flow(self, watch: AgedWatch) -> None:
        """More deals are more chances of a false alarm in a day."""
        weeks = self.stored.weeks[-RECENT_WEEKS:]
        watch.won_per_day = max(watch.won_per_day, sum(w.expected_won for w in weeks) / (RECENT_WEEKS * 7))
        watch.lost_per_day = max(watch.lost_per_day, sum(w.expected_lost for w in weeks) / (RECENT_WEEKS * 7))
        self._detector = None

    def _begin(self, week: AgedWeek) -> Sequence[Change]:
        state = self.stored
        watched = [
            ExcessWeek(round(w.start / DAY), w.ones, w.expected_won, True)
            for w in state.weeks
            if w.expected_won > 0
        ]
        dated = date_start(watched, week.start, unit_s=DAY)
        since = self.weeks_since(dated.since)
        won = sum(w.ones for w in since) / max(sum(w.expected_won for w in since), 1e-9)
        lost = (sum(w.lost for w in since) + 0.5) / (sum(w.expected_lost for w in since) + 0.5)
        drift = AgedEpisode(dated, max(won, 1.0), min(lost, 1.0), ExpectedState([]), ExpectedState([]))
        drift.won_back = _back(drift.won_ratio, "fall").new_state()
        drift.lost_back = _back(drift.lost_ratio, "rise").new_state()
        state.kept_alive = None
        return self._begin_drift(drift)

    def _look_at_losses(self, watch: AgedWatch, detector: Conjunction) -> Sequence[Change]:
        state, losses = self.stored, detector.parts[1]
        statistic = detector.scales[1] * losses.statistic(watch.detection.second)
        if statistic < QUIET_AGAIN * self.threshold:
            state.kept_alive = None
        change = losses.change(watch.detection.second)
        if statistic < self.threshold or state.kept_alive is not None or change is None:
            return NOTHING
        state.kept_alive = change.since
        state.episode += 1
        weeks = self.weeks_since(change.since)
        lost = sum(w.lost for w in weeks) / max(sum(w.expected_lost for w in weeks), 1e-9)
        won = sum(w.ones for w in weeks) / max(sum(w.expected_won for w in weeks), 1e-9)
        return (Change("noticed", "kept alive", Lingering(lost, won, change.since)),)

    def _await_end(self, watch: AgedWatch, drift: AgedEpisode, week: AgedWeek) -> Sequence[Change]:
        since = None
        for back, kept, observed, expected, flow in (
            (_back(drift.won_ratio, "fall"), drift.won_back, week.ones, week.expected_won, watch.won_per_day),
            (
                _back(drift.lost_ratio, "rise"),
                drift.lost_back,
                week.lost,
                week.expected_lost,
                watch.lost_per_day,
            ),
        ):
            if expected > 0:
                back.update(kept, Counted(observed, expected), week.start)
            change = back.change(kept)
            if change is not None and back.statistic(kept) >= threshold(
                units_per_day=flow, false_alarms_per_year=1
            ):
                since = change.since
        if since is None:
            return NOTHING
        return self._end_drift(watch, Recovery(week.start + WEEK, week_start(since)))

    def _new_detection(self, watch: AgedWatch) -> Detection:
        both = self._for(watch).new_state()
        return Detection(both.first, both.second)

    def _detector_for(self, watch: AgedWatch) -> Conjunction:
        """Statistics in days: each divided by what is to be expected in one."""
        base = watch.baseline
        return Conjunction(
            _expected(base.won, "rise", base.won_dispersion),
            _expected(base.lost, "fall", base.lost_dispersion),
            scales=(1 / watch.won_per_day, 1 / watch.lost_per_day),
        )


def _expected(events: int, direction: Direction, dispersion: float) -> ExpectedEvents:
    return ExpectedEvents.from_baseline(
        events, events, direction=direction, level=BOUND_LEVEL, dispersion=dispersion
    )


def _back(found: float, direction: Direction) -> ExpectedEvents:
    halfway = math.sqrt(found)
    return ExpectedEvents(low=halfway, high=halfway, direction=direction)
