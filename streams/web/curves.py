"""How soon accounts get there, before and now, side by side: a small chart, and numbers at some days.

As in the other charts the band is the baseline, and the line is now. Geometry only; the template draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import UNSET, Struct

from schemas.alerts import Interval
from streams.serving.views import CurvesView, CurveView, VerdictView
from streams.web.charts import HEIGHT, WIDTH
from streams.web.wording import count, day, interval_words, measure

DAYS = (1, 7, 14, 30, 60, 90, 120, 180)
"""Those within the horizon are shown in numbers, and its last day."""
NONE_YET = "not known yet"
TITLE = "Paid within so many days of activating"
"""plg.conversion_gap is the one signal that follows accounts by day."""


class CurveRow(Struct, frozen=True):
    """What had got there after so many ``days``; ``share`` of now is None where it is not known yet."""

    days: int
    before: str
    before_interval: str
    before_share: float
    now: str
    now_interval: str
    now_share: float | None


class Curves(Struct, kw_only=True):
    """``band`` and the two lines as SVG points; ``top``: the share at the upper edge."""

    band: str
    before: str
    now: str
    top: str
    days: int
    words: str
    rows: list[CurveRow]
    baseline: str
    """who the two are of"""
    since: str


def curves_of(verdict: VerdictView) -> Curves | None:
    """None where there are none, or where nobody of the baseline is known."""
    if verdict.curves is UNSET or not verdict.curves.before.share:
        return None
    curves = verdict.curves
    before, now = curves.before, curves.now
    days = len(before.share)
    top = max(*before.high, *now.share, 1e-9)
    rows = list(_rows(curves))
    last = rows[-1]
    return Curves(
        band=" ".join([_points(before.low, days, top), *reversed(_points(before.high, days, top).split())]),
        before=_points(before.share, days, top),
        now=_points(now.share, days, top) if now.share else "",
        top=measure(top, "share"),
        days=days,
        words=f"by {last.days} days {last.before} before, {last.now} now",
        rows=rows,
        baseline=f"{count(before.n)} accounts since {day(before.since)}",
        since=f"{count(now.n)} accounts since {day(now.since)}",
    )


def _rows(curves: CurvesView) -> Iterator[CurveRow]:
    length = len(curves.before.share)
    for days in (*(each for each in DAYS if each < length), length):
        before, now = _at(curves.before, days), _at(curves.now, days)
        yield CurveRow(
            days,
            before[0],
            before[1],
            curves.before.share[days - 1],
            now[0],
            now[1],
            curves.now.share[days - 1] if days <= len(curves.now.share) else None,
        )


def _at(curve: CurveView, days: int) -> tuple[str, str]:
    if days > len(curve.share):
        return NONE_YET, ""
    estimate, low, high = (row[days - 1] for row in (curve.share, curve.low, curve.high))
    interval = Interval(estimate=estimate, low=low, high=high, n=curve.n)
    return measure(estimate, "share"), interval_words(interval, "share")


def _points(shares: Sequence[float], days: int, top: float) -> str:
    """From nobody at the start on."""
    return " ".join(
        f"{WIDTH * number / days:.1f},{HEIGHT * (1 - share / top):.1f}"
        for number, share in enumerate([0.0, *shares])
    )
