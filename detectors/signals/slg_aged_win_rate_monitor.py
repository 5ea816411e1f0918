"""Watches what becomes of aged deals (older than the median cycle of their band) in one segment: won, lost, or neither.

Rules (those of every monitor: monitor.py):
1. Time goes by the week. Deals that were open when it began may be lost in it, and those that were not won may be won; so
   open deals count without an observation of their own. What was closed in bulk is taken out of both.
2. The baseline is two hazards, of winning and of losing, by band and by age in medians (slg_aged_win_rate_baseline.py). A band
   whose median is not known is not judged until it is.
3. The statistic is the smaller of two detectors' (sequential/conjunction.py), both in days: wins come more often *and* losses less
   often than the baseline wants, of deals created since some week. What was created before a change is aged for long after
   it, and would dilute it. While one of the two holds, the promise of false alarms is kept. Wins are told by age
   (graded_excess.py): where old deals are won like young ones, wins are ten times as many late and hardly more early. Losses
   fall at all ages alike (cohort_excess.py).
4. The baseline grows while nothing has happened yet: once its stretch has twice the wins, is still steady and nothing speaks
   for a change, all of it is the baseline, until there are ENOUGH_WON. The first one is small, so as to watch early.
5. Losses alone, which is deals that linger, is noticed as ``kept alive``, as long as it holds.
6. A drift has ended when one of the two is half-way back, among all aged deals (sequential/expected_events.py).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Self

from detectors.sequential.cohort_excess import Acquired, CohortExcess, ExcessState, ExcessWeek, Side
from detectors.sequential.conjunction import Conjunction, Of
from detectors.sequential.contract import threshold
from detectors.sequential.expected_events import Counted, ExpectedEvents, ExpectedState
from detectors.sequential.graded_excess import Graded, GradedExcess, GradedState
from detectors.signals.baseline import BOUND_LEVEL
from detectors.signals.clg_churn_cohorts_dating import date_start
from detectors.signals.clg_churn_cohorts_state import ratio
from detectors.signals.contract import Point
from detectors.signals.monitor import NOTHING, Change, Promise
from detectors.signals.opportunities import IN_BULK, OPENED, WON
from detectors.signals.slg_aged_win_rate_baseline import (
    freeze,
    grow,
    learn_hazards,
    learn_medians,
    unsteady,
)
from detectors.signals.slg_aged_win_rate_counting import Judged, end_week, merge
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
from detectors.signals.weeks import MAX_WEEKS, week_of, week_start
from schemas.alerts import Interval
from schemas.duration import DAY, WEEK
from schemas.observations import Observation

RECENT_WEEKS = 8
FEWEST_WON, FEWEST_LOST = 30, 60
"""With 20 and 40 the first baseline's bounds of rare bins would lie at three times their estimates; with 40 and 80 a drift is found
no sooner, since the baseline grows."""
ENOUGH_WON = 100
"""What a bin's wins are worth decides how soon a drift is found: with 60 it takes five days longer, with more than 100 no less."""
STEADY_ENOUGH = 1.65
"""Standard errors between the halves of a stretch that a baseline grows by: what chance exceeds one time in ten."""
QUIET_AGAIN = 0.01
"""Share of the threshold below which lingering may be noticed anew."""
QUIET = 0.002
"""Share of the threshold below which a statistic speaks for no change, and the baseline may grow."""


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
        # After a pause a drift may have begun and ended: what is said of a change rests on the state, so weeks end up to the first
        # change, and the rest with the next observations. What is told meanwhile counts in the week that goes on.
        while not changes and at >= state.current + WEEK:
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
        """Wins of aged deals over what the baseline wants: of those created since the drift began, else of all in the weeks since
        it ended, or in the last ones."""
        watch, drift = self.stored.watch, self.stored.drift
        if watch is not None and drift is not None:
            return ratio(*_of_cohorts(_all_ages(watch.detection.first), drift.since))
        weeks = self.weeks_since(self.since)
        return ratio(sum(w.ones for w in weeks), sum(sum(w.expected_won) for w in weeks))

    @property
    def losses(self) -> Interval | None:
        """The same of losses."""
        watch, drift = self.stored.watch, self.stored.drift
        if watch is not None and drift is not None:
            return ratio(*_of_cohorts(watch.detection.second, drift.since))
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

    def forget_open(self, until: float) -> None:
        """Takes them out of the risk, the week that goes on included."""
        for band in self.stored.bands.values():
            band.cohorts = [cohort for cohort in band.cohorts if cohort.start > until]

    def relearn(self, at: float) -> None:
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
        judged = end_week(state.bands.values(), week, learns=learns)
        if state.watch is None:
            return self._learn(start + WEEK, may_freeze)
        new = [band for band in state.bands.values() if not band.won]
        if new:
            learn_medians(new)
            self._meet(new)
        return self._look(state.watch, week, judged)

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
        state.watch = AgedWatch(baseline, now, Detection(GradedState([]), ExcessState([])))
        return (Change("frozen"),)

    def _look(
        self, watch: AgedWatch, week: AgedWeek, judged: Mapping[tuple[float, int], Judged]
    ) -> Sequence[Change]:
        state, at = self.stored, week.start + WEEK
        detector = self._for(watch)
        for (created, age), each in judged.items():
            if created < watch.judged_from:
                continue
            if each.expected_won > 0:
                wins = Graded(created, age, each.won, each.expected_won)
                detector.update(watch.detection, Of(0, wins), week.start)
            if each.expected_lost > 0:
                losses = Acquired(created, each.lost, each.expected_lost)
                detector.update(watch.detection, Of(1, losses), week.start)
        week.statistic = detector.statistic(watch.detection)
        self._forget_recovery(at)
        if state.drift is not None:
            return self._await_end(watch, state.drift, week)
        if week.statistic >= self.threshold:
            return self._begin(watch, week)
        self._grow(watch, detector, at)
        return self._look_at_losses(watch, detector)

    def _grow(self, watch: AgedWatch, detector: Conjunction, now: float) -> None:
        """Rule 4."""
        state, won, stretch = self.stored, watch.baseline.won, self._stretch
        # Where the history is full, weeks of the baseline's own stretch are missing.
        if state.episode or won >= ENOUGH_WON or len(state.weeks) == MAX_WEEKS:
            return
        if sum(w.ones for w in stretch) < 2 * won:
            return
        wins, losses = detector.parts
        most = max(wins.statistic(watch.detection.first), losses.statistic(watch.detection.second))
        if most < QUIET * self.threshold and unsteady(stretch, STEADY_ENOUGH) is None:
            grow(watch, state.bands.values(), stretch, now)
            self._detector = None

    def _begin(self, watch: AgedWatch, week: AgedWeek) -> Sequence[Change]:
        state = self.stored
        created = [
            ExcessWeek(round(_monday(each) / DAY), each.observed, each.expected, True)
            for each in _all_ages(watch.detection.first).weeks
        ]
        dated = date_start(created, week.start, unit_s=DAY)
        won, wanted = _of_cohorts(_all_ages(watch.detection.first), dated.since)
        lost, feared = _of_cohorts(watch.detection.second, dated.since)
        drift = AgedEpisode(
            dated,
            max(won / max(wanted, 1e-9), 1.0),
            min((lost + 0.5) / (feared + 0.5), 1.0),
            ExpectedState([]),
            ExpectedState([]),
        )
        drift.won_back = _back(drift.won_ratio, "fall").new_state()
        drift.lost_back = _back(drift.lost_ratio, "rise").new_state()
        state.kept_alive = None
        return self._begin_drift(drift)

    def _look_at_losses(self, watch: AgedWatch, detector: Conjunction) -> Sequence[Change]:
        state, losses = self.stored, detector.parts[1]
        statistic = losses.statistic(watch.detection.second)
        if statistic < QUIET_AGAIN * self.threshold:
            state.kept_alive = None
        change = losses.change(watch.detection.second)
        if statistic < self.threshold or state.kept_alive is not None or change is None:
            return NOTHING
        since = state.kept_alive = week_start(change.since + WEEK)
        state.episode += 1
        lost, feared = _of_cohorts(watch.detection.second, since)
        won, wanted = _of_cohorts(_all_ages(watch.detection.first), since)
        found = Lingering(lost / max(feared, 1e-9), won / max(wanted, 1e-9), since)
        return (Change("noticed", "kept alive", found),)

    def _await_end(self, watch: AgedWatch, drift: AgedEpisode, week: AgedWeek) -> Sequence[Change]:
        since, recent = None, self.weeks_since(None)
        for back, kept, observed, expected, flow in (
            (
                _back(drift.won_ratio, "fall"),
                drift.won_back,
                week.ones,
                sum(week.expected_won),
                sum(sum(w.expected_won) for w in recent),
            ),
            (
                _back(drift.lost_ratio, "rise"),
                drift.lost_back,
                week.lost,
                week.expected_lost,
                sum(w.expected_lost for w in recent),
            ),
        ):
            if not expected > 0:
                continue
            back.update(kept, Counted(observed, expected), week.start)
            change = back.change(kept)
            needed = threshold(units_per_day=flow / (7 * len(recent)), false_alarms_per_year=1)
            if change is not None and back.statistic(kept) >= needed:
                since = change.since
        if since is None:
            return NOTHING
        watch.judged_from = week_start(since)
        return self._end_drift(watch, Recovery(week.start + WEEK, week_start(since)))

    def _new_detection(self, watch: AgedWatch) -> Detection:
        both = self._for(watch).new_state()
        return Detection(both.first, both.second)

    def _detector_for(self, watch: AgedWatch) -> Conjunction:
        base = watch.baseline
        return Conjunction(
            GradedExcess.from_baseline(base.won_by_bin, dispersion=base.won_dispersion),
            CohortExcess.from_baseline(
                base.lost, direction="fall", level=BOUND_LEVEL, dispersion=base.lost_dispersion, set_apart=0
            ),
        )


def _monday(cohorts: ExcessWeek) -> float:
    """On which the week of creation began, Unix seconds; the detector's weeks begin on Thursdays."""
    return week_start((cohorts.number + 1) * WEEK)


def _of_cohorts(state: ExcessState, since: float) -> tuple[float, float]:
    """(observed, expected) of deals created since then (Unix seconds)."""
    created = [each for each in state.weeks if _monday(each) >= since]
    return sum(each.observed for each in created), sum(each.expected for each in created)


def _all_ages(state: GradedState) -> ExcessState:
    return ExcessState(
        [ExcessWeek(each.number, sum(each.observed), sum(each.expected)) for each in state.weeks]
    )


def _back(found: float, direction: Side) -> ExpectedEvents:
    halfway = math.sqrt(found)
    return ExpectedEvents(low=halfway, high=halfway, direction=direction)
