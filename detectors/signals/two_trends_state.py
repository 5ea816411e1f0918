"""What the monitor of two trends keeps (two_trends_monitor.py), and what follows from it without a detector."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field

from detectors.sequential.conjunction import Both
from detectors.sequential.dispersion import LARGEST, PRIOR_DEGREES
from detectors.sequential.table_mixture import TableMixture, TableState
from detectors.sequential.trend_mixture import (
    SMALLEST_BASELINE,
    middles_of,
    places,
    trend_tables,
    trend_weights,
)
from detectors.signals.dating import Dated
from detectors.signals.two_trends_dating import Ranks, date_trend
from detectors.signals.verdict_life_state import Recovery, StretchLifeState
from detectors.signals.weeks import Week
from schemas.alerts import Interval
from schemas.duration import DAY

MOST_LEARNED = 400
"""Values of one measure and stratum that a baseline is made of: more are thinned out evenly in time."""
OWN_EDGES = 40
"""Values from which on a stratum among others is known well enough to be judged by."""
MIX_WEEKS = 8
KEPT_PARTS = 26
"""Weeks: a measure that matures late has its last MIX_WEEKS among them."""
UNSTEADY = 2.6
"""Standard errors between the halves of a stretch from which on it is no baseline (1 %, two-sided)."""
_Z = 1.96

Sums = tuple[int, float, float]
"""(observations, sum, sum of squares)"""


class TrendWeek(Week, array_like=True):
    """``n`` counts the first measure; ``sums`` of each measure. ``parts``: observations of each measure by stratum, while learning
    and of the last KEPT_PARTS weeks."""

    sums: list[Sums] = field(default_factory=lambda: [(0, 0.0, 0.0), (0, 0.0, 0.0)])
    parts: list[dict[str, int]] = field(default_factory=lambda: [{}, {}])


class Learned(Struct, array_like=True):
    """(when it began, value) of every ``stride``-th observation; ``skipped`` since the last one."""

    values: list[tuple[float, float]] = []
    stride: int = 1
    skipped: int = 0


class Baseline(Struct, array_like=True, frozen=True):
    """One measure's: by stratum the edges of its bins and how its own values fall into them (trend_mixture.py); and its level.

    ``known``: values by stratum, from which its deciles were taken. ``per_day`` observations; ``dispersion`` of the weekly means
    against chance.
    """

    edges: dict[str, list[float]]
    counts: dict[str, list[int]]
    known: dict[str, int]
    sums: Sums
    per_day: float
    dispersion: float


class Detection(Both, array_like=True):
    """Both detectors' states."""

    first: TableState
    second: TableState


class Watch(Struct, array_like=True):
    """What watching needs: both frozen baselines, the detectors' states and the threshold in days. ``sure``: how many values each
    baseline is worth to what comes from the strata as in the last weeks. ``ranks`` of each measure, since the baseline
    or the last drift."""

    baselines: tuple[Baseline, Baseline]
    detection: Detection
    threshold: float
    sure: tuple[int, int]
    ranks: tuple[list[Ranks], list[Ranks]]


class Drift(Struct, array_like=True):
    """When each of the two began to move; the drift is since the later one."""

    starts: tuple[Dated, Dated]

    @property
    def since(self) -> float:
        return max(each.since for each in self.starts)

    @property
    def margin_days(self) -> float:
        """Of the time from which on both move."""
        earliest, latest = (
            max(each.earliest for each in self.starts),
            max(each.latest for each in self.starts),
        )
        return Dated(self.since, earliest, latest, 0, 0).margin_days


class TwoTrendsState(StretchLifeState[TrendWeek, Watch, Drift, Recovery], kw_only=True):
    learned: list[dict[str, Learned]] = field(default_factory=lambda: [{}, {}])
    alone: list[bool] = field(default_factory=lambda: [False, False])
    """whether each of the two was noticed to move alone, and still does"""


def new_week(start: float) -> TrendWeek:
    return TrendWeek(start, 0, 0, 0.0)


def newest_week(weeks: Sequence[TrendWeek], which: int) -> float | None:
    """When the newest week began that has an observation of this measure; one may mature later than the other."""
    return max((week.start for week in weeks if week.sums[which][0]), default=None)


def added(sums: Sums, value: float) -> Sums:
    return sums[0] + 1, sums[1] + value, sums[2] + value * value


def together(parts: Sequence[Sums]) -> Sums:
    return sum(p[0] for p in parts), sum(p[1] for p in parts), sum(p[2] for p in parts)


def sums_since(weeks: Sequence[TrendWeek], which: int, since: float, until: float = math.inf) -> Sums:
    return together([week.sums[which] for week in weeks if since <= week.start < until])


def level(sums: Sums) -> Interval | None:
    """The mean with its 95 % interval (normal); None without an observation."""
    n, total, squares = sums
    if not n:
        return None
    mean = total / n
    reach = _Z * math.sqrt(max(squares / n - mean * mean, 0.0) / n)
    return Interval(estimate=mean, low=mean - reach, high=mean + reach, n=n)


def learn(learned: dict[str, Learned], stratum: str, began: float, value: float) -> None:
    """Keeps the value, or one of ``stride``; what is kept stays spread evenly over the stretch."""
    kept = learned.setdefault(stratum, Learned(values=[]))
    kept.skipped += 1
    if kept.skipped < kept.stride:
        return
    kept.skipped = 0
    kept.values.append((began, value))
    if len(kept.values) > MOST_LEARNED:
        kept.values = kept.values[::2]
        kept.stride *= 2


def unsteady(weeks: Sequence[TrendWeek], which: int) -> int | None:
    """The week with which the second half of a stretch begins whose halves differ; None where they agree."""
    middle = len(weeks) // 2
    older, newer = (
        together([week.sums[which] for week in half]) for half in (weeks[:middle], weeks[middle:])
    )
    before, after = level(older), level(newer)
    if before is None or after is None or min(before.n, after.n) < 2:
        return None
    spread = math.hypot(before.high - before.estimate, after.high - after.estimate) / _Z
    apart = abs(after.estimate - before.estimate)
    return middle if apart > UNSTEADY * spread * math.sqrt(_dispersion(weeks, which)) else None


def freeze(
    state: TwoTrendsState, which: int, sign: Literal[1, -1], stretch: Sequence[TrendWeek]
) -> Baseline | None:
    """The baseline of one measure, of which a rise (``sign`` 1) or a fall (-1) is watched for; None where its values are too few,
    or have no spread to rank by."""
    learned = state.learned[which]
    fewest = OWN_EDGES if len(learned) > 1 else SMALLEST_BASELINE
    values = {
        stratum: [value for _, value in kept.values]
        for stratum, kept in sorted(learned.items())
        if len(kept.values) >= fewest
    }
    edges, counts = {}, {}
    for stratum, each in values.items():
        ordered = sorted(sign * value for value in each)
        if ordered[0] < ordered[-1]:
            edges[stratum], counts[stratum] = places(ordered)
    if not edges:
        return None
    sums = together([week.sums[which] for week in stretch])
    # Of a measure that matures later the last days of the stretch are not there yet.
    newest = max(began for kept in learned.values() for began, _ in kept.values)
    days = (newest - (state.learn_from or 0.0)) / DAY
    if days <= 0:
        return None
    known = {stratum: len(values[stratum]) for stratum in edges}
    return Baseline(edges, counts, known, sums, sums[0] / days, _dispersion(stretch, which))


def category_of(baseline: Baseline, stratum: str, value: float) -> int | None:
    """The number of the bin of ``value`` (times the sign), counted on over all strata; None for a stratum that is not known."""
    first = 0
    for name, edges in baseline.edges.items():
        if name == stratum:
            return first + bisect_left(edges, value)
        first += len(edges) + 1
    return None


def ranks_of(baseline: Baseline) -> list[float]:
    """Of each category: its place among those of its stratum, in standard deviations from their mean."""
    ranks = []
    for counts in baseline.counts.values():
        middles, whole = middles_of(counts), sum(counts)
        mean = sum(n * middle for n, middle in zip(counts, middles, strict=True)) / whole
        variance = sum(n * (middle - mean) ** 2 for n, middle in zip(counts, middles, strict=True)) / whole
        ranks += [(middle - mean) / math.sqrt(variance) for middle in middles]
    return ranks


def dated_start(watch: Watch, which: int, otherwise: float) -> Dated:
    """When measure number ``which`` began to move."""
    return date_trend(watch.ranks[which], watch.sure[which], watch.baselines[which].dispersion, otherwise)


def place_of(baseline: Baseline, category: int) -> float:
    """How far out a category lies within its stratum, 0 to 1."""
    middles = [middle for counts in baseline.counts.values() for middle in middles_of(counts)]
    return middles[category]


def sure_of(baseline: Baseline, which: int, weeks: Sequence[TrendWeek]) -> int:
    """How many values the baseline is worth to observations that come from the strata as in the last MIX_WEEKS of ``weeks`` that have
    any: by the variance of a mean of strata that are known each by its own values. All of them where the mix is the baseline's."""
    recent = [week.parts[which] for week in weeks if week.parts[which]][-MIX_WEEKS:]
    mix = {stratum: sum(parts.get(stratum, 0) for parts in recent) for stratum in baseline.known}
    whole, values = sum(mix.values()), sum(baseline.known.values())
    if not whole:
        return values
    variance = sum((n / whole) ** 2 / baseline.known[stratum] for stratum, n in mix.items())
    return min(values, int(1 / variance))


def detector_of(baseline: Baseline, sure: int, *, ended: bool) -> TableMixture:
    """Of the categories: each stratum has tables of its own, so that no shift between strata is evidence of anything. All are paid
    for alike, by what the baseline is worth."""
    by_stratum = [
        trend_tables(counts, sure, dispersion=baseline.dispersion, ended=ended)
        for counts in baseline.counts.values()
    ]
    tables = [[each for table in parts for each in table] for parts in zip(*by_stratum, strict=True)]
    return TableMixture(tables=tables, weights=trend_weights(ended=ended))


def drop_before(state: TwoTrendsState, since: float) -> None:
    """Learning goes on with what began at ``since`` (a Monday, Unix seconds) or later."""
    state.learn_from = since
    for learned in state.learned:
        for kept in learned.values():
            kept.values = [each for each in kept.values if each[0] >= since]


def _dispersion(weeks: Sequence[TrendWeek], which: int) -> float:
    """Of weekly means: variance between weeks over that within, shrunk towards 1 as sequential/dispersion.py does."""
    seen = [week.sums[which] for week in weeks if week.sums[which][0]]
    n, total, squares = together(seen)
    degrees = len(seen) - 1
    # Weeks of single values (releases) say nothing of how much more than chance weeks differ.
    if degrees < 2 or n < 2 * len(seen):
        return 1.0
    within = squares - sum(t * t / k for k, t, _ in seen)
    between = sum(t * t / k for k, t, _ in seen) - total * total / n
    if within <= 0:
        return 1.0
    ratio = between / (within / (n - len(seen)))
    return min(max((ratio + PRIOR_DEGREES) / (degrees + PRIOR_DEGREES), 1.0), LARGEST)
