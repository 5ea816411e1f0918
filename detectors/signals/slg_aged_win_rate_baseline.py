"""The baseline of slg.aged_win_rate: how often aged deals are won and lost, by band and age in medians of their band's cycle.

Rules:
1. Losing is a hazard of open deals. Winning is one of all deals of an age that were not won, lost ones included (the
   subdistribution hazard of J. P. Fine and R. J. Gray, Journal of the American Statistical Association 94, 1999): it says how
   many are won in the end. The plain hazard would fall as soon as losers linger among the open ones.
2. A band's hazards are shrunk towards those of all bands in the same bin, as much as PRIOR_EVENTS of theirs are worth.
   A bin that no deal has reached has none, and is not judged.
3. Weeks are compared by what their deals' ages let expect: the deals of young weeks are few and young, and are won more often.
4. The stretch is steady: its halves don't differ in wins by more than UNSTEADY standard errors.
5. A baseline that grows keeps its bands' medians, and how the bands differ; in each bin their hazards of winning are raised or
   lowered to what the whole stretch shows, those of losing in all bins alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from detectors.sequential.dispersion import dispersion, poisson_dispersion
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
        won_dispersion=_varies(weeks, _wanted(weeks)),
        lost_dispersion=dispersion([(w.n, w.lost) for w in weeks]),
        young_won=sum(w.young_won for w in weeks),
        won_by_bin=[sum(each) for each in zip(*(w.won for w in weeks), strict=True)],
    )


def grow(watch: AgedWatch, bands: Iterable[Band], stretch: Sequence[AgedWeek], end: float) -> None:
    """Takes all of ``stretch``, which begins with the baseline and goes on to ``end`` (Unix seconds), for the baseline."""
    base = watch.baseline
    watched = [week for week in stretch if week.start >= base.end]
    watch.baseline = freeze(stretch, base.start, end)
    # In its own stretch a baseline's hazards want what there was.
    more = [
        (won + _LEAST) / (before + sum(week.expected_won[place] for week in watched) + _LEAST)
        for place, (won, before) in enumerate(zip(watch.baseline.won_by_bin, base.won_by_bin, strict=True))
    ]
    fewer = watch.baseline.lost / (base.lost + sum(week.expected_lost for week in watched))
    for band in bands:
        band.won = _times(band.won, more) if band.won else []
        band.lost = [hazard * fewer for hazard in band.lost]
    for week in watched:
        week.expected_won = _times(week.expected_won, more)
        week.expected_lost *= fewer
    for wins in watch.detection.first.weeks:
        wins.expected = _times(wins.expected, more)
    for losses in watch.detection.second.weeks:
        losses.expected *= fewer


def unsteady(weeks: Sequence[AgedWeek], errors: float = UNSTEADY) -> UnsteadyWins | None:
    """What is to be told of a stretch whose halves (by the wins to be expected) differ in wins by more than so many standard
    errors."""
    wanted = _wanted(weeks)
    whole, half, middle = sum(wanted), 0.0, 0
    while middle < len(weeks) and half + wanted[middle] <= whole / 2:
        half, middle = half + wanted[middle], middle + 1
    if not (half and whole > half):
        return None
    before, after = sum(w.ones for w in weeks[:middle]), sum(w.ones for w in weeks[middle:])
    error = math.sqrt((1 / half + 1 / (whole - half)) * _varies(weeks, wanted))
    older, newer = before / half, after / (whole - half)
    if abs(newer - older) <= errors * error:
        return None
    usual = 100 * (before + after) / sum(w.unwon for w in weeks)
    return UnsteadyWins(usual * older, usual * newer, weeks[middle].start)


def _wanted(weeks: Sequence[AgedWeek]) -> list[float]:
    """Wins to be expected of each week, were those of one bin won alike in all weeks."""
    hazards = []
    for place in range(BINS):
        medians = sum(week.exposure[place] for week in weeks)
        hazards.append(sum(week.won[place] for week in weeks) / medians if medians else 0.0)
    return [sum(_times(week.exposure, hazards)) for week in weeks]


def _varies(weeks: Sequence[AgedWeek], wanted: Sequence[float]) -> float:
    return poisson_dispersion([(week.ones, each) for week, each in zip(weeks, wanted, strict=True)])


def _times(numbers: Sequence[float], factors: Sequence[float]) -> list[float]:
    return [number * factor for number, factor in zip(numbers, factors, strict=True)]
