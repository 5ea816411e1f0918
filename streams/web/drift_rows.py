"""A drift verdict as one row of a table: every number in words."""

from __future__ import annotations

from msgspec import Struct

from schemas.alerts import Interval
from streams.serving.views import VerdictView
from streams.web.alert_cards import segment_words
from streams.web.charts import Sparkline, sparkline, strength
from streams.web.wording import NARROW, count, day, is_share, measure, words


class DriftRow(Struct, kw_only=True):
    """``width``: of the bar, 0 to 100. ``before`` and ``now``: estimate and interval, empty where not known."""

    signal: str
    title: str
    segment: str
    state: str
    finding: str
    since: str
    before: str
    before_interval: str
    now: str
    now_interval: str
    width: float
    strength: str
    missing: str
    observations: str
    counted_out: str
    chart: Sparkline | None


STATE_ORDER = ("drifting", "resolved", "watching", "learning")


def drift_rows(verdicts: list[VerdictView]) -> list[DriftRow]:
    """What drifts first; else in the order of the verdicts."""
    return [
        drift_row(verdict) for verdict in sorted(verdicts, key=lambda each: STATE_ORDER.index(each.state))
    ]


def drift_row(verdict: VerdictView) -> DriftRow:
    shares = is_share(verdict.before, verdict.now)
    since = ""
    if verdict.since is not None:
        since = day(verdict.since)
        if verdict.since_margin_days is not None:
            since += f" (±{whole_days(verdict.since_margin_days)}{NARROW}d)"
    return DriftRow(
        signal=verdict.signal,
        title=verdict.title,
        segment=segment_words(verdict.segment),
        state=verdict.state,
        finding=words(verdict.finding),
        since=since,
        before=_estimate(verdict.before, shares),
        before_interval=_interval(verdict.before, shares),
        now=_estimate(verdict.now, shares),
        now_interval=_interval(verdict.now, shares),
        width=round(100 * strength(verdict.statistic, verdict.threshold), 1),
        strength=f"{short(verdict.statistic)} of {short(verdict.threshold)}" if verdict.threshold > 0 else "",
        missing=verdict.missing,
        observations=count(verdict.n),
        counted_out=", ".join(f"{count(n)} {words(reason)}" for reason, n in verdict.counted_out.items()),
        chart=sparkline(verdict),
    )


def whole_days(days: float) -> str:
    """As in the alert: one day at least."""
    return count(max(1, round(days)))


def short(value: float) -> str:
    """Three digits: a statistic's size matters, its digits don't."""
    if abs(value) >= 1e15:
        return f"{value:.1e}".replace("e+", "e")
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{NARROW}{unit}"
    return f"{value:.3g}"


def _estimate(interval: Interval | None, shares: bool) -> str:
    return "" if interval is None else measure(interval.estimate, is_share=shares)


def _interval(interval: Interval | None, shares: bool) -> str:
    if interval is None:
        return ""
    low, high = measure(interval.low, is_share=shares), measure(interval.high, is_share=shares)
    return f"{low.removesuffix(NARROW + '%')}–{high}"
