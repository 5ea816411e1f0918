"""The baseline of slg.cycle_spread: the deciles of log days by amount band, from deals of which all is known that they ask.

Rules:
1. A band's baseline is made of deals created up to some Monday: the latest from which on every deal up to then has closed or
   is older than the last decile of just these deals. So slow deals count in full, and no deal counts for being young.
2. A band needs LEAST_OF_BAND of them, all bands together LEAST_IN_ALL: of fewer, chance makes some so narrow that false alarms
   are on average more than promised, and others so wide that a drift is not found for months. Where more than a tenth never
   close, the last decile is never known: ``None``.
3. The two halves of the stretch (by creation) spread alike: Brown and Forsythe's test, at UNSTEADY on either side, of the
   values up to the last decile. Otherwise the older half is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct

from detectors.sequential.decile_mixture import decile_edges
from detectors.sequential.dispersion import dispersion
from detectors.sequential.spread_labels import brown_forsythe
from detectors.signals.slg_cycle_spread_state import (
    OPEN,
    OUTER,
    Band,
    Followed,
    decile,
    log_days,
)
from detectors.signals.weeks import week_start
from schemas.duration import DAY, WEEK

LEAST_OF_BAND = 100
"""With 150 a band with a tenth of the deals was learned after the change that the simulation plants. What a band with few of them
does not know is paid for (``worth``), by its part of the deals."""
LEAST_IN_ALL = 450
UNSTEADY = 0.0025
_NEVER = 1e6
"""Log days of a deal that is open: beyond all others."""


class Stretch(Struct, frozen=True):
    """The deals that a band's baseline is made of, their deciles, and until when (a Monday, Unix seconds) they began."""

    deals: list[Followed]
    edges: list[float]
    until: float

    @property
    def days(self) -> float:
        return (self.deals[-1].began - self.deals[0].began) / DAY


def stretch_of(deals: Sequence[Followed], now: float) -> Stretch | None:
    """The longest stretch by rule 1 as of ``now`` (Unix seconds); None where there is none."""
    ordered = sorted(deals, key=lambda deal: deal.began)
    until = week_start(now)
    while len(ordered) >= LEAST_OF_BAND:
        until = min(until, week_start(ordered[-1].began) + WEEK)
        ordered = [deal for deal in ordered if deal.began < until]
        edges = _edges(ordered)
        if edges is not None and now - until >= math.exp(edges[-1]) * DAY:
            return Stretch(ordered, edges, until)
        until -= WEEK
        ordered = [deal for deal in ordered if deal.began < until]
    return None


def _edges(deals: Sequence[Followed]) -> list[float] | None:
    if len(deals) < LEAST_OF_BAND:
        return None
    values = [_NEVER if deal.days == OPEN else log_days(deal.days) for deal in deals]
    try:
        edges = decile_edges(values)
    except ValueError:  # so many are alike that there are no deciles
        return None
    return edges if edges[-1] < _NEVER else None


def unsteady(stretch: Stretch, level: float = UNSTEADY) -> int | None:
    """The first deal of the newer half, where the halves spread differently at ``level`` on either side; else None."""
    middle = len(stretch.deals) // 2
    last = stretch.edges[-1]
    older, newer = (
        [last if deal.days == OPEN else min(log_days(deal.days), last) for deal in half]
        for half in (stretch.deals[:middle], stretch.deals[middle:])
    )
    wider = brown_forsythe(older, newer)
    return middle if min(wider, 1 - wider) < level else None


def spread(deals: Sequence[Followed]) -> float:
    """The ninth decile of the days over the first, open ones beyond all others closed."""
    closed = sorted(log_days(deal.days) for deal in deals if deal.days != OPEN)
    top = min(len(deals) * 9 // 10, len(closed) - 1)
    return math.exp(closed[top] - closed[len(deals) // 10])


def outer_by_week(band: Band, deals: Sequence[Followed]) -> dict[float, tuple[int, int]]:
    """Week of creation -> (deals, those in the outer deciles)."""
    weeks: dict[float, tuple[int, int]] = {}
    for deal in deals:
        n, ones = weeks.get(week_start(deal.began), (0, 0))
        weeks[week_start(deal.began)] = (n + 1, ones + int(decile(band, deal) in OUTER))
    return weeks


def dispersion_of(weeks: Sequence[Mapping[float, tuple[int, int]]]) -> float:
    """Of the share in the outer deciles, over the weeks of several bands together."""
    whole: dict[float, tuple[int, int]] = {}
    for band in weeks:
        for start, (n, ones) in band.items():
            before = whole.get(start, (0, 0))
            whole[start] = (before[0] + n, before[1] + ones)
    return dispersion([whole[start] for start in sorted(whole)])


def worth(bands: Mapping[str, Band], mix: Mapping[str, int]) -> float:
    """How many deals the deciles are worth where the bands come in a ``mix``: each band has its own, as sure as it is large.
    The e-values of a band are off by about 1 / n of their variance, independently of other bands."""
    whole = sum(n for name, n in mix.items() if bands[name].edges)
    variance = sum((n / whole) ** 2 / bands[name].n for name, n in mix.items() if bands[name].edges and n)
    if variance:
        return 1 / variance
    return float(sum(band.n for band in bands.values()))
