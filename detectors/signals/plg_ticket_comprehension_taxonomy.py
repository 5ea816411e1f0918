"""All kinds of tickets of plg.ticket_comprehension, before and now: evidence beside the share of basic questions.

Where basic questions make up more of all tickets, either there are more of them or there is less of the rest. So the second
look is at the rest: have the other kinds shifted among themselves? Basics are not in it, so neither a rise of them nor more
newcomers, who ask them, can move it. Rules:
1. The baseline is the stretch of the baseline of ``all``: it grows with it, and is taken anew with it.
2. The detector is the Dirichlet-multinomial e-detector (sequential/taxonomy_mixture.py), as wide as ``all``'s baseline
   varies, its threshold by the flow of all tickets, which is more than the rest's. What it finds is a notice, once for a
   baseline.
"""

from __future__ import annotations

from msgspec import Struct, field

from detectors.sequential.taxonomy_mixture import TaxonomyMixture, TaxonomyState
from detectors.signals.monitor import Promise
from detectors.signals.rate_state import RateWatch
from detectors.signals.weeks import Week, flow_per_day, week_of, week_start
from detectors.text.ticket_kinds import KINDS

BASIC = KINDS.index("basic_comprehension")
LEVEL = 0.98
"""Of the bounds that pay for the baseline: a notice has time."""
REST = tuple(number for number in range(len(KINDS)) if number != BASIC)


class KindWeek(Week, array_like=True):
    """``kinds``: tickets of each of KINDS."""

    kinds: list[int] = field(default_factory=lambda: [0] * len(KINDS))


class Taxonomy(Struct, array_like=True):
    """``before``: tickets of each of KINDS in the baseline from ``start`` to ``end`` (Unix seconds), -1 without one. ``told``: it
    has been noticed that the rest has shifted."""

    weeks: list[KindWeek] = []
    start: float = -1.0
    end: float = -1.0
    before: list[int] = []
    dispersion: float = 1.0
    rest: TaxonomyState | None = None
    told: bool = False


def count_in(taxonomy: Taxonomy, kind: int, began: float) -> None:
    week = week_of(taxonomy.weeks, began, _new_week)
    if week is not None:
        week.n += 1
        week.kinds[kind] += 1
    if taxonomy.rest is not None and kind != BASIC:
        _detector(taxonomy).update(taxonomy.rest, REST.index(kind), began)


def follow(taxonomy: Taxonomy, watch: RateWatch | None) -> None:
    """Has the baseline that ``watch``, that of ``all``, has. What speaks for a shift of the rest stays when it only grows."""
    start, end = (watch.baseline.start, watch.baseline.end) if watch is not None else (-1.0, -1.0)
    if (start, end) == (taxonomy.start, taxonomy.end):
        return
    if start != taxonomy.start:
        taxonomy.before, taxonomy.rest, taxonomy.told = [], None, False
    taxonomy.start, taxonomy.end = start, end
    if watch is not None:
        taxonomy.before = _total(taxonomy, week_start(start), end)
        taxonomy.dispersion = watch.baseline.dispersion
        if taxonomy.rest is None and any(taxonomy.before[kind] for kind in REST):
            taxonomy.rest = _detector(taxonomy).new_state()


def rest_shifted(taxonomy: Taxonomy, watch: RateWatch | None, promise: Promise) -> float | None:
    """Since when (Unix seconds) the other kinds have shifted; None where they have not."""
    if watch is None or taxonomy.rest is None:
        return None
    detector = _detector(taxonomy)
    change = detector.change(taxonomy.rest)
    if change is None:
        return None
    flow = flow_per_day(taxonomy.weeks, taxonomy.weeks[-1].start)
    needed = promise.threshold(max(watch.baseline.per_day, flow or 0.0))
    return change.since if detector.statistic(taxonomy.rest) >= needed else None


def since(taxonomy: Taxonomy, began: float) -> list[int]:
    """Tickets of each of KINDS from the week of ``began`` (Unix seconds) on: what is sudden is found before another begins."""
    return _total(taxonomy, week_start(began), float("inf"))


def _total(taxonomy: Taxonomy, began: float, until: float) -> list[int]:
    weeks = [week.kinds for week in taxonomy.weeks if began <= week.start < until]
    return [sum(kinds[number] for kinds in weeks) for number in range(len(KINDS))]


def _detector(taxonomy: Taxonomy) -> TaxonomyMixture:
    counts = [taxonomy.before[kind] for kind in REST]
    return TaxonomyMixture.from_baseline(counts, level=LEVEL, dispersion=taxonomy.dispersion)


def _new_week(start: float) -> KindWeek:
    return KindWeek(start, 0, 0, 0.0)
