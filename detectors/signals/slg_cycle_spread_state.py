"""What the monitor of slg.cycle_spread keeps: deals whose length is not known yet, the deciles by amount band, and weeks.

A deal becomes known part by part (sequential/decile_mixture.py): at the age at which a part of its band's baseline ends, it has
closed within it or is beyond. At the last one all is known: what an open deal then becomes changes nothing about its part.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from msgspec import Struct, field

from detectors.sequential.bernoulli_mixture import MixtureState
from detectors.sequential.binomial_interval import interval
from detectors.sequential.decile_cohorts import StartsState
from detectors.sequential.decile_mixture import (
    FIRST_TENTH,
    LAST_TENTH,
    MEDIAN,
    PARTS,
    SHARES,
    decile_of,
)
from detectors.signals.verdict_life_state import DatedDrift, LifeState, Recovery
from detectors.signals.weeks import Week
from schemas.alerts import Interval
from schemas.duration import DAY

MOST_DEALS = 800
"""Deals of one band that are followed at a time: of more, every second is, and so on."""
MAX_BANDS = 6
OTHER_BANDS = "other"
MOST_KNOWN = 200
"""Of the newest deals that were judged, for the words; and of the baseline's, for the name of the shape."""
OPEN = -1.0
ENDED = -1
SHORTEST_DAYS = 1 / 24
OUTER = frozenset({*range(FIRST_TENTH + 1), PARTS - 1})
"""The shortest and the longest tenth: a fifth of the baseline falls into them."""


class Followed(Struct, array_like=True):
    """A deal: when it was created (Unix seconds), the days until it closed (OPEN: not yet), whether it was won; how many
    parts it has been told to be beyond, ENDED once it was told that it is not."""

    began: float
    days: float = OPEN
    won: bool = False
    beyond: int = 0


class Band(Struct, array_like=True):
    """``deals``: not judged yet, in the order in which they were heard of; every ``stride``-th, ``skipped`` since the last.
    ``edges``: of the parts, in log days, empty while learning; from ``n`` deals. ``past``: while the baseline grows, the deals
    that it was made of and those that were judged since."""

    deals: list[Followed] = field(default_factory=list)
    stride: int = 1
    skipped: int = 0
    edges: list[float] = field(default_factory=list)
    n: int = 0
    past: list[Followed] = field(default_factory=list)


class Judged(Struct, array_like=True):
    """A deal that was judged, and its band."""

    band: str
    deal: Followed


class SpreadWeek(Week, array_like=True):
    """By the week of creation: ``n`` deals of which all is known, ``ones`` of them in the outer deciles; ``opened`` in it. Of
    those that reached a part, the last one left out: how many ``ended`` in it, and how many are ``beyond``."""

    opened: int = 0
    ended: list[int] = field(default_factory=lambda: [0] * (PARTS - 1))
    beyond: list[int] = field(default_factory=lambda: [0] * (PARTS - 1))


class SpreadWatch(Struct, array_like=True):
    """``n`` baseline deals, ``ones`` of them in the outer deciles; ``paid_for``: how many the deciles are worth in the bands
    of the last weeks; ``sample``: some of the baseline's deals, as ``standardised`` gives them; whether it is
    ``growing``. ``ended``: when the last drift did (Unix seconds), 0 without one."""

    n: int
    ones: int
    dispersion: float
    paid_for: float
    threshold: float
    detection: StartsState
    sample: list[float]
    growing: bool = True
    ended: float = 0.0


class SpreadEpisode(DatedDrift, array_like=True):
    """``halfway``: the share in the outer deciles that separates drifting from back."""

    label: Literal["wider", "two clusters", "longer tail"]
    halfway: float
    recovery: MixtureState


class SpreadState(LifeState[SpreadWeek, SpreadWatch, SpreadEpisode, Recovery], kw_only=True):
    """A drift and its end are dated by when deals were created."""

    looked: float = 0.0
    """when it was last looked what has become known (Unix seconds)"""
    bands: dict[str, Band] = field(default_factory=dict)
    mature: int = 0
    """deals that a baseline could be made of, as of the last week"""
    days: float = 0.0
    """that they cover"""
    bulk_day: float = 0.0
    """the newest day with closings in bulk (since 1970)"""
    in_bulk: int = 0
    """closings in bulk on it"""
    known: list[Judged] = field(default_factory=list)


class UnsteadySpread(Struct, frozen=True):
    """A band's deals spread otherwise since ``since`` (Unix seconds) than before: the ninth decile over the first of both."""

    band: str
    older: float
    newer: float
    since: float


def new_week(start: float) -> SpreadWeek:
    return SpreadWeek(start, 0, 0, 0.0)


def band_of(bands: dict[str, Band], name: str) -> Band:
    if name not in bands and len(bands) >= MAX_BANDS:
        name = OTHER_BANDS
    return bands.setdefault(name, Band())


def follow(band: Band, deal: Followed) -> None:
    """Takes a new deal in, or one of ``stride``."""
    band.skipped += 1
    if band.skipped < band.stride:
        return
    band.skipped = 0
    band.deals.append(deal)
    if len(band.deals) > MOST_DEALS:
        band.deals = band.deals[::2]
        band.stride *= 2
    elif band.stride > 1 and len(band.deals) < MOST_DEALS // 4:
        band.stride //= 2


def close(deals: Iterable[Followed], began: float, days: float, *, won: bool) -> bool:
    """Writes down how the deal that was created at ``began`` ended; whether there is one."""
    for deal in deals:
        if deal.began == began and deal.days == OPEN:
            deal.days, deal.won = days, won
            return True
    return False


def forget_young_of(band: Band, day: float) -> None:
    """Forgets what closed on ``day`` (since 1970) before the band's median, but for what has been told already."""
    if not band.edges:
        return
    median = math.exp(band.edges[MEDIAN])
    band.deals = [
        deal
        for deal in band.deals
        if deal.days == OPEN
        or deal.days >= median
        or deal.beyond == ENDED
        or (deal.began + deal.days * DAY) // DAY != day
    ]


def log_days(days: float) -> float:
    return math.log(max(days, SHORTEST_DAYS))


def decile(band: Band, deal: Followed) -> int:
    """Of a deal that is known: closed, or open for longer than the last decile."""
    return PARTS - 1 if deal.days == OPEN else decile_of(band.edges, log_days(deal.days))


def standardised(band: Band, deal: Followed, now: float) -> float:
    """Log days against the band's median, in the spread of its inner four fifths; an open deal by its age at ``now``."""
    return (log_days(age(deal, now)) - band.edges[MEDIAN]) / (
        band.edges[LAST_TENTH] - band.edges[FIRST_TENTH]
    )


def age(deal: Followed, now: float) -> float:
    """Days open, up to ``now`` where it still is."""
    return deal.days if deal.days != OPEN else max(now - deal.began, 0.0) / DAY


def thinned(values: Sequence[float], most: int) -> list[float]:
    return list(values[:: len(values) // most + 1])


def merge(into: Band, other: Band) -> None:
    """Adds what another segment's band has learned; both still learn."""
    stride = max(into.stride, other.stride)
    deals = [*into.deals[:: stride // into.stride], *other.deals[:: stride // other.stride]]
    deals.sort(key=lambda deal: deal.began)
    while len(deals) > MOST_DEALS:
        deals, stride = deals[::2], stride * 2
    into.deals, into.stride = deals, stride


def share_in_outer(weeks: Sequence[SpreadWeek]) -> Interval | None:
    """The share of the deals in the outer deciles with its 95 % interval, by a life table, so that those of which not all is
    known count in full as far as they have come (Kaplan and Meier; Greenwood's variance). A part that nobody has reached yet
    is taken to be as in the baseline. None where nothing is known."""
    seen = sum(week.ended[0] + week.beyond[0] for week in weeks)
    if not seen:
        return None
    slower, of_slower = _survival(weeks, range(FIRST_TENTH + 1))
    slowest, of_slowest = _survival(weeks, range(FIRST_TENTH + 1, PARTS - 1))
    share = 1 - slower * (1 - slowest)
    spread = slower**2 * ((1 - slowest) ** 2 * of_slower + slowest**2 * of_slowest)
    n = max(round(share * (1 - share) / spread), 1) if 0 < share < 1 and spread else seen
    return msgspec.structs.replace(interval(round(share * n), n), estimate=share, n=seen)


def _survival(weeks: Sequence[SpreadWeek], numbers: Iterable[int]) -> tuple[float, float]:
    """The share that is beyond these parts of those that reach the first of them, and the variance of its logarithm."""
    beyond, variance = 1.0, 0.0
    for number in numbers:
        ended = sum(week.ended[number] for week in weeks)
        reached = ended + sum(week.beyond[number] for week in weeks)
        if not reached:
            beyond *= 1 - SHARES[number] / sum(SHARES[number:])
            continue
        beyond *= 1 - ended / reached
        # Half an end more, so that none at all is not taken for certainty.
        hazard = (ended + 0.5) / (reached + 1)
        variance += hazard / ((1 - hazard) * reached)
    return beyond, variance
