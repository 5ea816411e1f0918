"""Watches how differently long deals take, in one segment, each compared with the baseline's deals of its own amount band.

Rules (those of every monitor: monitor.py):
1. Each deal is judged decile by decile, at the age at which a decile of its band ends: has it closed within it, or is it
   beyond? So what is open counts, no cohort looks fast because it is young, and nothing waits for the slowest.
2. The baseline are deciles by band (slg_cycle_spread_baseline.py). Bands freeze one by one, slow ones later; a deal of a band
   without deciles is not judged. Watching begins when those that are known have enough, and the baseline grows as long as
   nothing changes (slg_cycle_spread_growth.py).
3. The detector is that of shapes in deciles (sequential/decile_mixture.py); it pays for the deciles of the bands that the
   last weeks are made of, and for the baseline's dispersion by week. Threshold: the promise, by the deals opened.
4. What is found gets its name from samples within band (sequential/spread_labels.py), anew each week; until there are enough
   deals of which all is known, from the detector.
5. A drift has ended when the opposite detector of the share in the outer deciles, whose null is half-way back, is over the
   threshold of one false end a year, and that share is within the baseline's bound again.
6. A deal closed in bulk before its band's median is forgotten; an older one counts as closed at that age. On a day with
   FEWEST_OF_BULK_DAY such closings the same holds for all that closed on it: the first ones only came before it was plain.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Self

from detectors.sequential.bernoulli_mixture import BernoulliMixture, MixtureState
from detectors.sequential.binomial_interval import interval, upper_bound
from detectors.sequential.contract import threshold
from detectors.sequential.decile_cohorts import DecileCohorts, Known
from detectors.sequential.decile_mixture import FIRST_TENTH, MEDIAN, SHAPES, SMALLEST_BASELINE
from detectors.sequential.spread_labels import SMALLEST_SAMPLE, Label, label_spread
from detectors.signals.baseline import BOUND_LEVEL
from detectors.signals.monitor import NOTHING, Change, Promise
from detectors.signals.opportunities import IN_BULK, OPENED, WON
from detectors.signals.slg_cycle_spread_baseline import LEAST_IN_ALL, Stretch, stretch_of, worth
from detectors.signals.slg_cycle_spread_dating import date_spread
from detectors.signals.slg_cycle_spread_growth import grown_watch, stop_growing
from detectors.signals.slg_cycle_spread_learning import (
    drop_unsteady,
    freeze_band,
    measure,
    stretches,
    watch_of,
)
from detectors.signals.slg_cycle_spread_state import (
    ENDED,
    MOST_KNOWN,
    OTHER_BANDS,
    OUTER,
    Band,
    Followed,
    Judged,
    SpreadEpisode,
    SpreadState,
    SpreadWatch,
    SpreadWeek,
    band_of,
    close,
    decile,
    follow,
    forget_young_of,
    log_days,
    merge,
    new_week,
    share_in_outer,
    standardised,
)
from detectors.signals.verdict_life import VerdictLife, lacking
from detectors.signals.verdict_life_state import Recovery
from detectors.signals.weeks import total, week_of, week_start
from schemas.alerts import Interval
from schemas.duration import DAY, WEEK
from schemas.observations import Observation

RECENT_WEEKS = 8
FEWEST_OF_BULK_DAY = 4
"""Closings in bulk. Fewer come by chance, and to forget a day for them makes a wider spread harder to see."""
_NAMES: dict[str, Label] = {"two clusters": "two clusters", "slow cluster": "two clusters"}


class SpreadMonitor(VerdictLife[SpreadState, DecileCohorts]):
    """A SpreadState at work."""

    awaits = "a week in which to begin"

    def __init__(self, promise: Promise, stored: SpreadState | None = None) -> None:
        super().__init__(promise, stored if stored is not None else SpreadState())

    def take(self, observation: Observation, *, may_freeze: bool) -> Sequence[Change]:
        state, at = self.stored, observation.at
        changes: list[Change] = []
        name = observation.stratum
        if observation.measure == OPENED:
            first_of_week = not state.weeks or observation.began >= state.weeks[-1].start + WEEK
            week = week_of(state.weeks, observation.began, new_week)
            if week is not None:
                week.opened += 1
            state.n += 1
            state.newest = max(state.newest, observation.began)
            follow(band_of(state.bands, name), Followed(observation.began))
            if first_of_week:
                changes += self._begin_week(at, may_freeze)
        else:
            self._close(observation)
        if state.watch is not None:
            self._forget_recovery(at)
            if at >= state.looked + DAY:
                changes += self._look(state.watch, at)
        return changes or NOTHING

    def weight(self, observation: Observation) -> float:
        """A closing in an outer decile; the longer a slow one took, the more."""
        band = self.stored.bands.get(observation.stratum)
        if observation.measure in (OPENED, IN_BULK) or band is None or not band.edges:
            return 0.0
        length = log_days(observation.value)
        if length <= band.edges[FIRST_TENTH]:
            return 0.5
        return 1.0 + length - band.edges[-1] if length > band.edges[-1] else 0.0

    @property
    def finding(self) -> str:
        return self.stored.drift.label if self.stored.drift is not None else ""

    @property
    def before(self) -> Interval | None:
        watch = self.stored.watch
        return interval(watch.ones, watch.n) if watch is not None else None

    @property
    def now(self) -> Interval | None:
        """The share in the outer deciles of those created since the drift began or ended, else of the newest weeks that
        have been judged."""
        state, since = self.stored, self.since
        if since is None:
            return share_in_outer([week for week in state.weeks if week.n][-RECENT_WEEKS:])
        return share_in_outer([week for week in state.weeks if week.start >= week_start(since)])

    @property
    def _lacks(self) -> list[str]:
        state, promise = self.stored, self._promise
        return lacking(
            (
                state.mature,
                max(promise.min_baseline, LEAST_IN_ALL),
                "opportunities that are old enough to be known",
            ),
            (state.days, promise.min_baseline_days, "days that they cover"),
        )

    def known_since(self, since: float) -> list[tuple[Band, Followed]]:
        """The newest deals of which all is known, of those created at ``since`` (Unix seconds) or later."""
        state = self.stored
        return [(state.bands[each.band], each.deal) for each in state.known if each.deal.began >= since]

    def forget_open(self, until: float) -> None:
        """What was told of a deal stays told, and what was all known stays learned. The rest goes, closed or not: to keep what has
        closed would make all look fast."""
        state = self.stored
        for band in state.bands.values():
            known = stretch_of(band.deals, state.newest) if not band.edges else None
            learned = known.deals if known is not None else []
            band.deals = [*learned, *(deal for deal in band.deals if deal.began > until)]

    def relearn(self, at: float) -> None:
        kept = self.stored.weeks
        self._begin_anew([SpreadWeek(w.start, w.n, w.ones, w.statistic, w.opened) for w in kept])

    def absorb(self, other: Self) -> None:
        super().absorb(other)
        state, more = self.stored, other.stored
        for name, band in more.bands.items():
            merge(band_of(state.bands, name), band)
        for theirs in more.weeks:
            week = week_of(state.weeks, theirs.start, new_week)
            if week is not None:
                week.opened += theirs.opened

    def _close(self, observation: Observation) -> None:
        state, days = self.stored, observation.value
        name = observation.stratum
        if name not in state.bands:
            name = OTHER_BANDS
        band = state.bands.get(name)
        if band is None:
            return
        began, won = observation.began, observation.measure == WON
        if observation.measure == IN_BULK:
            self._forget_bulk_day(observation.at // DAY)
        if observation.measure == IN_BULK and band.edges and log_days(days) < band.edges[MEDIAN]:
            band.deals = [deal for deal in band.deals if deal.began != began]
        elif not close(reversed(band.deals), began, days, won=won):
            close(reversed(band.past), began, days, won=won)
            close((each.deal for each in reversed(state.known) if each.band == name), began, days, won=won)

    def _forget_bulk_day(self, day: float) -> None:
        """Rule 6, with one more closing in bulk on ``day`` (since 1970)."""
        state = self.stored
        state.in_bulk = state.in_bulk + 1 if day == state.bulk_day else 1
        state.bulk_day = day
        if state.in_bulk >= FEWEST_OF_BULK_DAY:
            for band in state.bands.values():
                forget_young_of(band, day)

    def _begin_week(self, at: float, may_freeze: bool) -> Sequence[Change]:
        """Once a week of creation: bands that have become known freeze, and the detector learns which bands it now sees."""
        state = self.stored
        found = stretches(state, at)
        if state.watch is not None:
            known = {n: each for n, each in found.items() if each.days >= self._promise.min_baseline_days}
            changes = drop_unsteady(state, known)
            for name, stretch in known.items():
                freeze_band(state.bands[name], stretch, growing=state.watch.growing)
            if state.watch.growing:
                state.watch = grown_watch(state, state.watch, self.statistic, at, self._promise)
            self._renew(state.watch, at)
            if state.drift is not None:  # slow deals are known late: the shape becomes clear with them
                state.drift.label = self._label(state.watch, state.drift.dated.since, at)
            return changes
        measure(state, found)
        if self._lacks or not may_freeze:
            return NOTHING
        changes = drop_unsteady(state, found)
        measure(state, found)
        if not self._lacks:
            self._freeze(found, at)
            changes.append(Change("frozen"))
        return changes

    def _freeze(self, found: dict[str, Stretch], at: float) -> None:
        state = self.stored
        for name, stretch in found.items():
            freeze_band(state.bands[name], stretch, growing=True)
        state.watch = watch_of(state, found, at, self._promise)
        self._renew(state.watch, at)
        state.watch.detection = self._new_detection(state.watch)

    def _renew(self, watch: SpreadWatch, at: float) -> None:
        """The threshold grows with the flow, and the null pays for the bands of which there are now many."""
        state = self.stored
        until = week_start(at)
        weeks = [week for week in state.weeks if until - 4 * WEEK <= week.start < until]
        flow = sum(week.opened for week in weeks) / 28
        if flow:
            watch.threshold = max(watch.threshold, self._promise.threshold(flow))
        mix: dict[str, int] = {}
        for each in state.known:
            mix[each.band] = mix.get(each.band, 0) + 1
        watch.paid_for = max(worth(state.bands, mix), float(SMALLEST_BASELINE))
        self._detector = None

    def _look(self, watch: SpreadWatch, at: float) -> Sequence[Change]:
        """Judges what has become known, up to the first change: after a pause a drift may have begun and ended, and what is
        said of a change rests on the state. The rest comes with the next observation."""
        for _, name, deal, reached in self._due(at):
            changes = self._judge(watch, name, deal, reached, at)
            if changes:
                return changes
        self.stored.looked = at
        return NOTHING

    def _due(self, at: float) -> list[tuple[float, str, Followed, int]]:
        """(when, band, deal, deciles that end before its age) of what has become known by ``at`` (Unix seconds), in an order
        that no outcome has a part in."""
        found = []
        for name, band in self.stored.bands.items():
            if not band.edges:
                continue
            ages = [math.exp(edge) * DAY for edge in band.edges]
            for deal in band.deals:
                reached = bisect_right(ages, at - deal.began)
                if reached > deal.beyond and (deal.beyond != ENDED or reached == len(ages)):
                    found.append((deal.began + ages[reached - 1], name, deal, reached))
        found.sort(key=lambda each: each[:2])
        return found

    def _judge(
        self, watch: SpreadWatch, name: str, deal: Followed, reached: int, at: float
    ) -> Sequence[Change]:
        state, band = self.stored, self.stored.bands[name]
        week = week_of(state.weeks, deal.began, new_week) or new_week(deal.began)
        place = decile(band, deal)
        changes: Sequence[Change] = NOTHING
        if deal.beyond != ENDED:
            # A closing that was told late can lie before what was told of the deal already, and that stands.
            place = max(place, deal.beyond)
            ended = place < reached
            told = place if ended else reached
            known = Known(deal.beyond, told, ended)
            self._for(watch).update(watch.detection, known, week_start(deal.began))
            for number in range(deal.beyond, told):
                week.beyond[number] += 1
            if ended:
                week.ended[place] += 1
            deal.beyond = ENDED if ended else told
            week.statistic = self.statistic
            if state.drift is None and week.statistic >= watch.threshold:
                changes = self._begin(watch, deal.began, at)
        if reached < len(band.edges):
            return changes
        band.deals.remove(deal)
        if band.past:
            band.past.append(deal)
        week.n += 1
        week.ones += int(place in OUTER)
        state.known.append(Judged(name, deal))
        del state.known[:-MOST_KNOWN]
        if state.drift is not None and not changes:
            return self._await_end(watch, state.drift, int(place in OUTER), deal.began, at)
        return changes

    def _begin(self, watch: SpreadWatch, began: float, at: float) -> Sequence[Change]:
        # What was before the end of the last drift is another story.
        weeks = [week for week in self.stored.weeks if week.start >= watch.ended]
        dated = date_spread(weeks, week_start(began))
        share = watch.ones / watch.n
        found = share_in_outer([week for week in weeks if week.start >= dated.since])
        risen = max(found.estimate, share) if found is not None else share
        drift = SpreadEpisode(
            dated, self._label(watch, dated.since, at), (share + risen) / 2, MixtureState([])
        )
        drift.recovery = _recovery(drift).new_state()
        stop_growing(self.stored, watch)
        return self._begin_drift(drift)

    def _label(self, watch: SpreadWatch, since: float, at: float) -> Label:
        recent = [standardised(band, deal, at) for band, deal in self.known_since(since)]
        if min(len(recent), len(watch.sample)) >= SMALLEST_SAMPLE and min(recent) < max(recent):
            found = label_spread(watch.sample, recent, alpha=0.1).label
            if found is not None:
                return found
        leading = self._for(watch).leading(watch.detection)
        shape = list(SHAPES)[leading or 0]
        return "longer tail" if shape == "longer tail" else _NAMES.get(shape, "wider")

    def _await_end(
        self, watch: SpreadWatch, drift: SpreadEpisode, outer: int, began: float, at: float
    ) -> Sequence[Change]:
        state, detector = self.stored, _recovery(drift)
        if began < drift.dated.since:
            return NOTHING  # what was created before it began says nothing of its end
        detector.update(drift.recovery, outer, began)
        back = detector.change(drift.recovery)
        flow = max(watch.threshold / self._promise.threshold(1.0), 1e-6)
        needed = threshold(units_per_day=flow, false_alarms_per_year=1)
        if back is None or detector.statistic(drift.recovery) < needed:
            return NOTHING
        since = week_start(back.since)
        n, ones = total(state.weeks, since)
        if not n or ones / n > upper_bound(watch.ones, watch.n, BOUND_LEVEL):
            return NOTHING
        watch.ended = since
        return self._end_drift(watch, Recovery(at, since))

    def _detector_for(self, watch: SpreadWatch) -> DecileCohorts:
        return DecileCohorts.from_baseline(
            math.floor(watch.paid_for), level=BOUND_LEVEL, dispersion=watch.dispersion
        )


def _recovery(drift: SpreadEpisode) -> BernoulliMixture:
    return BernoulliMixture(low=drift.halfway, high=drift.halfway, direction="fall")
