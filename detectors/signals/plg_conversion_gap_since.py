"""What is known of a segment since a date: mature cohorts, and, where the early watch found the fall, what open ones are worth.

A fall that is found by mature cohorts is told by mature cohorts alone. Open cohorts count by plg_conversion_gap_cohorts.py,
rule 4; a segment without a hazard of its own is counted by that of ``all``.
"""

from __future__ import annotations

from detectors.sequential.binomial_interval import interval
from detectors.signals.contract import ALL
from detectors.signals.plg_conversion_gap_cohorts import OpenCohorts
from detectors.signals.plg_conversion_gap_state import GapState, Segment
from detectors.signals.share_monitor import ShareMonitor
from detectors.signals.weeks import total, week_start
from schemas.alerts import Interval
from schemas.duration import DAY, WEEK

Counted = tuple[int, int]
"""(accounts, ones)"""


def nearest_week(at: float) -> float:
    return week_start(at + WEEK / 2)


def paid_since(state: GapState, name: str, since: float, *, early: bool) -> Counted:
    """Accounts that activated since (Unix seconds), and who of them paid; ``early``: with the open cohorts."""
    segment, whole = state.segments[name], state.segments[ALL]
    n, ones = total(segment.paid.state.weeks, nearest_week(since))
    if not early:
        return n, ones
    known = segment if segment.early.cohorts.hazard is not None else whole
    young = _worth(segment.early.cohorts, segment.paid, since, known.early.cohorts, known.paid)
    return n + young[0], ones + young[1]


def activated_since(segment: Segment, since: float, *, early: bool) -> Interval | None:
    """The share of sign-ups since that activated; None without any."""
    n, ones = total(segment.activated.state.weeks, nearest_week(since))
    if early:
        young = _worth(segment.activating, segment.activated, since, segment.activating, segment.activated)
        n, ones = n + young[0], ones + young[1]
    return interval(ones, n) if n else None


def paid_now(state: GapState, name: str) -> Interval | None:
    """The share that pays now. For an early fall it holds, as share_since's does, for every start that is possible."""
    paid = state.segments[name].paid
    fall = paid.state.fall
    if fall is None or not fall.early:
        return paid.now
    by_start = []
    for start in (fall.dated.since, fall.dated.earliest, fall.dated.latest):
        n, ones = paid_since(state, name, start, early=True)
        if n:
            by_start.append(interval(ones, n))
    if not by_start:
        return None
    first = by_start[0]
    low, high = min(each.low for each in by_start), max(each.high for each in by_start)
    return Interval(estimate=first.estimate, low=low, high=high, n=first.n)


def _worth(
    cohorts: OpenCohorts, mature: ShareMonitor, since: float, known: OpenCohorts, baseline: ShareMonitor
) -> Counted:
    """Of the cohorts that are not among the mature ones yet."""
    hazard, before = known.hazard, baseline.before
    if hazard is None or before is None or not before.estimate:
        return 0, 0
    first = int(since // DAY)
    if mature.state.n:
        first = max(first, int(mature.state.newest // DAY) + 1)
    return cohorts.worth(first, before.estimate, hazard)
