"""What is known of one segment of plg.conversion_gap, with what it is compared by.

Rules:
1. The numbers are those that the alert has (plg_conversion_gap_judgement.py).
2. Followed day by day, before: the accounts of the hazard's baseline. Now: those that activated since the fall began, without
   one since the baseline was made or the last fall ended; of the last KEPT_HORIZONS horizons, as far as they have come.
3. Beside a source stands ``source:referral`` in the same weeks, where it has a segment: those whom a customer sent are the ones whom
   the product was made for, so what moves them as well is not the source.
"""

from __future__ import annotations

from detectors.sequential.binomial_interval import interval
from detectors.signals.contract import ALL, Beside, Followed, Point, Verdict
from detectors.signals.plg_conversion_gap_judgement import (
    accounts_of,
    evidence_of,
    state_of,
    verdict_finding,
)
from detectors.signals.plg_conversion_gap_measures import CONVERSION_SEEN, SIGNAL
from detectors.signals.plg_conversion_gap_since import paid_now, paid_since
from detectors.signals.plg_conversion_gap_state import GapState, Segment, of_source
from detectors.signals.share_monitor import RECENT_WEEKS, MonitorState
from detectors.signals.weeks import total, week_start
from schemas.duration import DAY, WEEK

REFERRAL = of_source("referral")


def verdict(state: GapState, name: str, horizon_days: float) -> Verdict:
    segment = state.segments[name]
    paid, kept = segment.paid, segment.paid.state
    missing = paid.missing
    if kept.watch is None and CONVERSION_SEEN not in state.recorded_from:
        missing = f"a first conversion, {missing}"
    statistic, threshold = evidence_of(segment)
    return Verdict(
        signal=SIGNAL,
        segment=name,
        state=state_of(segment),
        at=kept.newest,
        since=_since(kept),
        since_margin_days=kept.fall.margin_days if kept.fall else None,
        before=paid.before,
        now=paid_now(state, name),
        statistic=statistic,
        threshold=threshold,
        n=kept.n,
        missing=missing,
        finding=verdict_finding(segment, name, state),
        counted_out=dict(sorted(segment.counted_out.items())),
        history=[Point(week.start, week.n, float(week.ones), week.statistic) for week in kept.weeks],
        evidence=accounts_of(segment, horizon_days),
        followed=_followed(segment),
        beside=_beside(state, name),
    )


def _since(kept: MonitorState) -> float | None:
    """When the fall began; of one that is over, when it ended."""
    if kept.fall is not None:
        return kept.fall.dated.since
    return kept.recovery.dated.since if kept.recovery is not None else None


def _followed(segment: Segment) -> tuple[Followed, Followed] | None:
    """Rule 2; None until the hazard has a baseline."""
    watch, cohorts, fall = segment.paid.state.watch, segment.early.cohorts, segment.paid.state.fall
    if watch is None or not cohorts.frozen:
        return None
    kept = cohorts.state
    before = Followed(watch.baseline.start, list(kept.baseline_came), list(kept.baseline_risked))
    first = segment.early.first_judged
    if fall is not None:
        first = max(first, int(fall.dated.since // DAY))
    came, risked = cohorts.seen(first)
    return before, Followed(first * DAY, came.sum(axis=0).tolist(), risked.sum(axis=0).tolist())


def _beside(state: GapState, name: str) -> Beside | None:
    """Rule 3."""
    other, kept = state.segments.get(REFERRAL), state.segments[name].paid.state
    if name in (ALL, REFERRAL) or other is None or kept.watch is None:
        return None
    baseline, since = kept.watch.baseline, _since(kept)
    weeks = other.paid.state.weeks
    before = total(weeks, week_start(baseline.start), baseline.end)
    if since is None:
        now = total(weeks, kept.weeks[-1].start - (RECENT_WEEKS - 1) * WEEK)
    else:
        now = paid_since(state, REFERRAL, since, early=kept.fall is not None and kept.fall.early)
    return Beside(REFERRAL, interval(before[1], before[0]), interval(now[1], now[0]))
