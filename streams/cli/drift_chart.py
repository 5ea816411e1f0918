"""A drift signal's history as a chart of block characters, for a terminal of any width."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from detectors.signals.contract import Quantity
from streams.serving.views import PointView, VerdictView
from streams.web.charts import history_unit, smoothed
from streams.web.wording import NARROW, day, measure

ROWS = 6
MIN_COLUMNS = 8
_BLOCKS = " ▁▂▃▄▅▆▇█"


def chart_lines(verdict: VerdictView, width: int) -> list[str]:
    """At most ``width`` columns; empty where there are not two buckets with observations, or no room."""
    points = [point for point in verdict.history if point.n > 0]
    if len(points) < 2:
        return []
    means = smoothed(points)
    top = max(means)
    unit = history_unit(verdict.unit)
    labels = [_label(top, unit), _label(0.0 if top > 0 else top, unit)]
    margin = max(map(len, labels)) + 2
    columns = width - margin
    if columns < MIN_COLUMNS:
        return []
    groups = _groups(len(points), min(columns, len(points)))
    heights = [_height(sum(means[i] for i in group) / len(group), top) for group in groups]
    lines = []
    for row in range(ROWS, 0, -1):
        label = labels[0] if row == ROWS else labels[1] if row == 1 else ""
        blocks = "".join(_BLOCKS[min(8, max(0, height - 8 * (row - 1)))] for height in heights)
        lines.append(f"{label:>{margin - 2}} ▕{blocks.rstrip()}")
    lines += [" " * margin + line for line in _axis(points, groups, verdict.since)]
    return [line.rstrip() for line in lines]


def _axis(points: Sequence[PointView], groups: Sequence[range], since: datetime | None) -> list[str]:
    first, last = day(points[0].at), day(points[-1].at)
    gap = len(groups) - len(first) - len(last)
    lines = [first + " " * gap + last] if gap >= 1 else [f"{first} to {last}"]
    if since is not None and points[0].at <= since <= points[-1].at:
        marked = max(i for i, group in enumerate(groups) if points[group[0]].at <= since)
        words = f"since {day(since)}"
        line = " " * marked + f"▲ {words}"
        lines.insert(0, line if len(line) <= len(groups) else f"{words} ▲".rjust(marked + 1))
    return lines


def _groups(count: int, columns: int) -> list[range]:
    """``count`` buckets dealt out evenly to ``columns``."""
    edges = [round(i * count / columns) for i in range(columns + 1)]
    return [range(begin, end) for begin, end in pairwise(edges)]


def _height(mean: float, top: float) -> int:
    """In eighths of a row; what is there at all is seen."""
    if not top > 0 or mean <= 0:
        return 0
    return max(1, round(mean / top * ROWS * 8))


def _label(value: float, unit: Quantity) -> str:
    return measure(value, unit).replace(NARROW, " ")
