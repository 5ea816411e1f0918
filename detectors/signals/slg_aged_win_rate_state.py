"""What the monitor of slg.aged_win_rate keeps: open deals by week of creation and band, and what became of them at what age.

Ages are whole weeks, from the middle of the week of creation. Past the band's median cycle a deal is *aged*; from there on ages
are counted in medians, so that small and large deals are alike. Past LONGEST of them it is not counted any more.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right

from msgspec import Struct, field

from detectors.sequential.cohort_excess import ExcessState
from detectors.sequential.conjunction import Both
from detectors.sequential.expected_events import ExpectedState
from detectors.sequential.graded_excess import GradedState
from detectors.signals.verdict_life_state import DatedDrift, Recovery, StretchLifeState
from detectors.signals.weeks import Week

OLDEST = 104
"""Weeks: what is open for longer is no deal any more, and is not counted."""
MAX_BANDS = 6
OTHER_BANDS = "other"
AGE_EDGES = (1.5, 2.0, 3.0)
"""Medians at which the next bin of aged deals begins; the first begins at 1."""
LONGEST = 5.0
BINS = len(AGE_EDGES) + 1
YOUNG, TOO_OLD = -1, BINS
FEWEST_ENDED = 40
"""Closings from which on a band's median cycle is known."""


class Cohort(Struct, array_like=True):
    """Deals created in the week that ``start``s then (Unix seconds): ``at_risk`` of them were open when the current week
    began (all, in the week of their creation), ``open`` are now; ``unwon`` and ``unwon_now`` likewise of those that were not
    won, open or lost; ``won`` and ``lost`` in the current week."""

    start: float
    at_risk: int = 0
    open: int = 0
    unwon: int = 0
    unwon_now: int = 0
    won: int = 0
    lost: int = 0


class Age(Struct, array_like=True):
    """Of one age in weeks: deals that were open, those that were not won, and how they ended."""

    n: int = 0
    unwon: int = 0
    won: int = 0
    lost: int = 0


class Band(Struct, array_like=True):
    """``ages``: by age in weeks, while learning. ``median`` cycle in days, 0 while it is not known; then ``won`` and ``lost``:
    hazards in a median by bin of aged deals."""

    cohorts: list[Cohort] = field(default_factory=list)
    ages: list[Age] = field(default_factory=list)
    median: float = 0.0
    won: list[float] = field(default_factory=list)
    lost: list[float] = field(default_factory=list)


class AgedWeek(Week, array_like=True):
    """By the calendar: ``n`` aged deals were open when it began and ``unwon`` not won, ``ones`` were won in it, ``lost`` lost;
    how many younger ones were won; and what the baseline wants. By bin: ``exposure`` of those that were not won, in medians,
    how many were ``won``, and what the baseline wants."""

    unwon: int = 0
    lost: int = 0
    expected_lost: float = 0.0
    young_won: int = 0
    exposure: list[float] = field(default_factory=lambda: [0.0] * BINS)
    won: list[int] = field(default_factory=lambda: [0] * BINS)
    expected_won: list[float] = field(default_factory=lambda: [0.0] * BINS)


class AgedBaseline(Struct, array_like=True):
    """Unix seconds; aged deals' weeks, wins and losses, and how much more each varies by week than by chance; the wins by bin."""

    start: float
    end: float
    n: int
    won: int
    lost: int
    won_dispersion: float
    lost_dispersion: float
    young_won: int
    won_by_bin: list[int]


class Detection(Both, array_like=True):
    """Both detectors' states: of wins, of losses."""

    first: GradedState
    second: ExcessState


class AgedWatch(Struct, array_like=True):
    """``judged_from``: the detectors are told of deals created since then (Unix seconds). Older ones are the baseline's own, or
    those of a drift that has ended."""

    baseline: AgedBaseline
    judged_from: float
    detection: Detection


class AgedEpisode(DatedDrift, array_like=True):
    """Ratios of observed to expected when it was found; the detectors that await the end of either."""

    won_ratio: float
    lost_ratio: float
    won_back: ExpectedState
    lost_back: ExpectedState


class AgedState(StretchLifeState[AgedWeek, AgedWatch, AgedEpisode, Recovery], kw_only=True):
    current: float | None = None
    """Monday of the week that goes on (Unix seconds)"""
    bands: dict[str, Band] = field(default_factory=dict)
    kept_alive: float | None = None
    """since when aged deals linger without being won more often, while that holds (Unix seconds)"""


class Lingering(Struct, frozen=True):
    """Aged deals are lost less often since ``since`` (Unix seconds): observed over expected."""

    lost: float
    won: float
    since: float


class UnsteadyWins(Struct, frozen=True):
    """Wins a week of 100 opportunities past the median that were not won before, before and from ``since`` (Unix seconds) on."""

    older: float
    newer: float
    since: float


def new_week(start: float) -> AgedWeek:
    return AgedWeek(start, 0, 0, 0.0)


def band_of(bands: dict[str, Band], name: str) -> Band:
    if name not in bands and len(bands) >= MAX_BANDS:
        name = OTHER_BANDS
    return bands.setdefault(name, Band())


def cohort_of(band: Band, start: float) -> Cohort | None:
    at = bisect_left(band.cohorts, start, key=lambda cohort: cohort.start)
    found = at < len(band.cohorts) and band.cohorts[at].start == start
    return band.cohorts[at] if found else None


def admit(band: Band, start: float) -> None:
    """A deal was created in the week that starts then."""
    cohort = cohort_of(band, start)
    if cohort is None:
        cohort = Cohort(start)
        band.cohorts.insert(bisect_left(band.cohorts, start, key=lambda each: each.start), cohort)
    cohort.open += 1
    cohort.at_risk += 1
    cohort.unwon += 1
    cohort.unwon_now += 1


def age_days(weeks: int) -> float:
    """Of a deal created in mid-week, when the week begins that is so many after; in its first week it is young."""
    return max(weeks * 7 - 3.5, 0.0)


def bin_of(band: Band, weeks: int) -> int:
    """The bin of an aged deal; YOUNG, also where the median is not known, or TOO_OLD."""
    medians = age_days(weeks) / band.median if band.median else 0.0
    if medians <= 1:
        return YOUNG
    return bisect_right(AGE_EDGES, medians) if medians <= LONGEST else TOO_OLD


def median_of(ages: list[Age]) -> float:
    """The median cycle in days by a life table, 0 where it is not known yet (Kaplan and Meier)."""
    if sum(age.won + age.lost for age in ages) < FEWEST_ENDED:
        return 0.0
    beyond = 1.0
    for weeks, age in enumerate(ages):
        if not age.n:
            continue
        hazard = min((age.won + age.lost) / age.n, 1.0)
        further = beyond * (1 - hazard)
        if further <= 0.5:
            part = math.log(beyond / 0.5) / math.log(beyond / further) if further > 0 else 0.5
            # The first week of a deal is half a week long on average.
            return 3.5 * part if weeks == 0 else age_days(weeks) + 7 * part
        beyond = further
    return 0.0
