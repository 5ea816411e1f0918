"""How slg.aged_win_rate counts a week: who was at risk when it began, what became of them, and what the baseline wants."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from detectors.signals.slg_aged_win_rate_state import (
    OLDEST,
    TOO_OLD,
    YOUNG,
    Age,
    AgedState,
    AgedWeek,
    Band,
    admit,
    band_of,
    bin_of,
    cohort_of,
    new_week,
)
from detectors.signals.weeks import week_of
from schemas.duration import WEEK


class Judged(Struct):
    """Of the aged deals of one week of creation and one bin: events of one week, and how many the baseline wants."""

    won: int = 0
    expected_won: float = 0.0
    lost: int = 0
    expected_lost: float = 0.0


def end_week(bands: Iterable[Band], week: AgedWeek, *, learns: bool) -> dict[tuple[float, int], Judged]:
    """Counts all deals into ``week``, and begins the next one. Bands without hazards learn, where it ``learns``; what the
    others' hazards judge is returned by the week of creation (Unix seconds) and bin."""
    found: dict[tuple[float, int], Judged] = {}
    for band in bands:
        kept = []
        for cohort in band.cohorts:
            weeks = round((week.start - cohort.start) / WEEK)
            age = Age(cohort.at_risk, cohort.unwon, cohort.won, cohort.lost)
            place = bin_of(band, weeks)
            if learns and not band.won:
                _learn(band, weeks, age)
            judged = _judge(week, band, place, age)
            if judged is not None:
                _add(found.setdefault((cohort.start, place), Judged()), judged)
            cohort.at_risk, cohort.unwon, cohort.won, cohort.lost = cohort.open, cohort.unwon_now, 0, 0
            if weeks < OLDEST and place != TOO_OLD:
                kept.append(cohort)
        band.cohorts = kept
    return found


def _learn(band: Band, weeks: int, more: Age) -> None:
    if not 0 <= weeks < OLDEST:
        return
    while len(band.ages) <= weeks:
        band.ages.append(Age())
    age = band.ages[weeks]
    age.n += more.n
    age.unwon += more.unwon
    age.won += more.won
    age.lost += more.lost


def _judge(week: AgedWeek, band: Band, place: int, of: Age) -> Judged | None:
    """Counts deals of one age into the week; None where there is nothing to judge them by."""
    if place == YOUNG:
        week.young_won += of.won
    if place in (YOUNG, TOO_OLD) or (band.won and not band.won[place]):
        return None
    week.n += of.n
    week.unwon += of.unwon
    week.ones += of.won
    week.lost += of.lost
    medians = 7 / band.median
    week.exposure[place] += of.unwon * medians
    week.won[place] += of.won
    if not band.won:
        return None
    judged = Judged(of.won, of.unwon * medians * band.won[place], of.lost, of.n * medians * band.lost[place])
    week.expected_won[place] += judged.expected_won
    week.expected_lost += judged.expected_lost
    return judged


def _add(to: Judged, more: Judged) -> None:
    to.won += more.won
    to.expected_won += more.expected_won
    to.lost += more.lost
    to.expected_lost += more.expected_lost


def merge(into: AgedState, other: AgedState) -> None:
    """Adds the bands and weeks of another segment; both are in the same week, and still learn."""
    into.current = into.current if into.current is not None else other.current
    for name, theirs in other.bands.items():
        band = band_of(into.bands, name)
        for cohort in theirs.cohorts:
            admit(band, cohort.start)
            mine = cohort_of(band, cohort.start)
            if mine is not None:
                mine.at_risk += cohort.at_risk - 1
                mine.open += cohort.open - 1
                mine.unwon += cohort.unwon - 1
                mine.unwon_now += cohort.unwon_now - 1
                mine.won += cohort.won
                mine.lost += cohort.lost
        for weeks, age in enumerate(theirs.ages):
            _learn(band, weeks, age)
    for week in other.weeks:
        mine_week = week_of(into.weeks, week.start, new_week)
        if mine_week is not None:
            mine_week.n += week.n
            mine_week.unwon += week.unwon
            mine_week.ones += week.ones
            mine_week.lost += week.lost
            mine_week.young_won += week.young_won
            mine_week.exposure = [a + b for a, b in zip(mine_week.exposure, week.exposure, strict=True)]
            mine_week.won = [a + b for a, b in zip(mine_week.won, week.won, strict=True)]
