"""Small charts as SVG geometry: where lines and bars go. The templates draw them; no styles inside, as the CSP wants."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from detectors.signals.contract import Quantity
from schemas.alerts import Interval
from streams.serving.views import PointView, VerdictView
from streams.web.wording import day, measure

WIDTH = 132.0
HEIGHT = 30.0
_PAD = 2.0
SMOOTHED = 4
"""A mean is over so many buckets: single weeks of few observations jump too much to be read."""
SHOWN_POINTS = 78
"""The newest buckets: a year and a half of weeks."""


class Band(Struct):
    y: float
    height: float


class Sparkline(Struct, kw_only=True):
    """A history's means over four buckets: ``line`` as SVG points, the baseline's interval, and where the change began."""

    line: str
    last: tuple[float, float]
    baseline: Band | None
    since_x: float | None
    words: str
    first: str
    newest: str
    """days of the first and the newest bucket that is drawn"""
    low: str
    high: str
    of: str
    """what the means are of, where that is not what ``before`` and ``now`` are"""


def sparkline(verdict: VerdictView) -> Sparkline | None:
    """None where there are not two buckets with observations."""
    points = [point for point in verdict.history if point.n > 0]
    if len(points) < 2:
        return None
    means = smoothed(points)[-SHOWN_POINTS:]
    points = points[-SHOWN_POINTS:]
    unit = history_unit(verdict.unit)
    before = verdict.before if unit == verdict.unit else None
    low, high = _range(means, before)
    begin, end = points[0].at.timestamp(), points[-1].at.timestamp()
    xs = [_scaled(point.at.timestamp(), begin, end) * (WIDTH - 2 * _PAD) + _PAD for point in points]
    ys = [_y(mean, low, high) for mean in means]
    since_x = None
    if verdict.since is not None and begin <= verdict.since.timestamp() <= end:
        since_x = round(_scaled(verdict.since.timestamp(), begin, end) * (WIDTH - 2 * _PAD) + _PAD, 1)
    return Sparkline(
        line=" ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True)),
        last=(round(xs[-1], 1), round(ys[-1], 1)),
        baseline=_band(before, low, high),
        since_x=since_x,
        words=_words(points, means),
        first=day(points[0].at),
        newest=day(points[-1].at),
        low=measure(low, unit),
        high=measure(high, unit),
        of="" if unit == verdict.unit else "the share seen",
    )


def history_unit(unit: Quantity) -> Quantity:
    """A ratio says what is seen over what was expected; the weeks hold only the share that is seen."""
    return "share" if unit == "ratio" else unit


def smoothed(points: Sequence[PointView]) -> list[float]:
    """For each bucket the mean of the observations in it and in those before it, SMOOTHED in all."""
    means = []
    for end in range(1, len(points) + 1):
        window = points[max(0, end - SMOOTHED) : end]
        means.append(sum(point.total for point in window) / sum(point.n for point in window))
    return means


def reached(statistic: float, threshold: float) -> float:
    """How far the statistic is on its way to the threshold, 0 to 1, on a logarithmic scale: it grows by multiplying."""
    if not (threshold > 0 and statistic > 0):
        return 0.0
    if math.isinf(statistic):
        return 1.0
    return min(1.0, math.log1p(statistic) / math.log1p(threshold))


def _range(means: Sequence[float], before: Interval | None) -> tuple[float, float]:
    values = [*means, *((before.low, before.high) if before is not None else ())]
    low, high = min(values), max(values)
    if low >= 0 and low < 0.5 * high:
        low = 0.0
    if low == high:  # nothing here is negative; a constant lies in the middle, nothing at the bottom
        return 0.0, 2 * high or 1.0
    return low, high


def _scaled(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5


def _y(value: float, low: float, high: float) -> float:
    return HEIGHT - _PAD - min(1.0, max(0.0, _scaled(value, low, high))) * (HEIGHT - 2 * _PAD)


def _band(before: Interval | None, low: float, high: float) -> Band | None:
    if before is None:
        return None
    top, bottom = _y(before.high, low, high), _y(before.low, low, high)
    return Band(y=round(top, 1), height=round(max(bottom - top, 1.0), 1))


def _words(points: Sequence[PointView], means: Sequence[float]) -> str:
    return (
        f"{len(points)} buckets from {points[0].at:%Y-%m-%d} to {points[-1].at:%Y-%m-%d}: "
        f"from {means[0]:.3g} to {means[-1]:.3g}, lowest {min(means):.3g}, highest {max(means):.3g}"
    )
