"""The baseline of slg.aged_win_rate: how often aged deals are won and lost, by band and age in medians of their band's cycle.

Rules:
1. Losing is a hazard of open deals. Winning is one of all deals of an age that were not won, lost ones included (the
   subdistribution hazard of J. P. Fine and R. J. Gray, Journal of the American Statistical Association 94, 1999): it says how
   many are won in the end. The plain hazard would fall as soon as losers linger among the open ones.
2. A band's hazards are shrunk towards those of all bands in the same bin, as much as PRIOR_EVENTS of theirs are worth.
   A bin that no deal has reached has none, and is not judged.
3. The stretch is steady: its halves don't differ in wins by more than UNSTEADY standard errors.
4. A baseline that grows keeps its bands' medians and the shape of their hazards; all are raised or lowered to what the whole
   stretch shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from detectors.sequential.dispersion import dispersion
from detectors.signals.slg_aged_win_rate_state import (
    BINS,
    TOO_OLD,
    YOUNG,
    AgedBaseline,
    AgedWatch,
    AgedWeek,
    Band,
    UnsteadyWins,
    bin_of,
    median_of,
)

PRIOR_EVENTS = 3.0
UNSTEADY = 2.8
_LEAST = 0.5
"""An event that nobody has seen yet is half a one, so that no hazard is 0."""

Sums = list[list[float]]
"""by bin: [deals not won times medians, deals open times medians, won, lost]"""


def sums_of(bands: Iterable[Band]) -> Sums:
    sums = [[0.0] * 4 for _ in range(BINS)]
    for band in bands:
        for weeks, age in enumerate(band.ages):
            place = bin_of(band, weeks)
            if place not in (YOUNG, TOO_OLD):
                sums[place][0] += age.unwon * 7 / band.median
                sums[place][1] += age.n * 7 / band.median
                sums[place][2] += age.won
                sums[place][3] += age.lost
    return sums


def learn_medians(bands: Iterable[Band]) -> None:
    """As far as is known by now."""
    for band in bands:
        band.median = median_of(band.ages)


def learn_hazards(bands: Sequence[Band]) -> None:
    """Gives each band whose median is known its hazards, 0 for a bin that is not known, and forgets what they were learned
    from."""
    known = [band for band in bands if band.median]
    whole = sums_of(known)
    for band in known:
        if band.won:
            continue
        own = sums_of([band])
        band.won, band.lost = _hazards(own, whole, 0), _hazards(own, whole, 1)
    for band in known:
        band.ages = []


def _hazards(own: Sums, whole: Sums, which: int) -> list[float]:
    found: list[float] = []
    for mine, all_ in zip(own, whole, strict=True):
        if not all_[which]:
            found.append(0.0)
            continue
        level = max(all_[which + 2], _LEAST) / all_[which]
        found.append((mine[which + 2] + PRIOR_EVENTS) / (mine[which] + PRIOR_EVENTS / level))
    return found


def freeze(weeks: Sequence[AgedWeek], start: float, end: float) -> AgedBaseline:
    n, won, lost = (
        sum(w.n for w in weeks),
        sum(w.ones for w in weeks),
        sum(w.lost for w in weeks),
    )
    return AgedBaseline(
        start=start,
        end=end,
        n=n,
        won=won,
        lost=lost,
        won_dispersion=dispersion([(w.unwon, w.ones) for w in weeks]),
        lost_dispersion=dispersion([(w.n, w.lost) for w in weeks]),
        young_won=sum(w.young_won for w in weeks),
    )


def grow(watch: AgedWatch, bands: Iterable[Band], stretch: Sequence[AgedWeek], end: float) -> None:
    """Takes all of ``stretch``, which begins with the baseline and goes on to ``end`` (Unix seconds), for the baseline."""
    base = watch.baseline
    watched = [week for week in stretch if week.start >= base.end]
    watch.baseline = freeze(stretch, base.start, end)
    # In its own stretch a baseline's hazards want what there was.
    more = watch.baseline.won / (base.won + sum(week.expected_won for week in watched))
    fewer = watch.baseline.lost / (base.lost + sum(week.expected_lost for week in watched))
    for band in bands:
        band.won = [hazard * more for hazard in band.won]
        band.lost = [hazard * fewer for hazard in band.lost]
    for week in watched:
        week.expected_won *= more
        week.expected_lost *= fewer
    for cohorts, factor in ((watch.detection.first, more), (watch.detection.second, fewer)):
        for cohort in cohorts.weeks:
            cohort.expected *= factor


def unsteady(weeks: Sequence[AgedWeek], errors: float = UNSTEADY) -> UnsteadyWins | None:
    """What is to be told of a stretch whose halves (by aged deals at risk) differ in wins by more than so many standard
    errors."""
    whole, half, middle = sum(w.unwon for w in weeks), 0, 0
    while middle < len(weeks) and half + weeks[middle].unwon <= whole / 2:
        half, middle = half + weeks[middle].unwon, middle + 1
    before, after = sum(w.ones for w in weeks[:middle]), sum(w.ones for w in weeks[middle:])
    if not (half and whole > half and before + after):
        return None
    share = (before + after) / whole
    chance = share * (1 - share) * (1 / half + 1 / (whole - half))
    error = math.sqrt(chance * dispersion([(w.unwon, w.ones) for w in weeks]))
    older, newer = before / half, after / (whole - half)
    if abs(newer - older) <= errors * error:
        return None
    return UnsteadyWins(100 * older, 100 * newer, weeks[middle].start)
