"""Durations as people write them: ``90d``, ``36h``, ``15m``, ``30s``, ``2w``."""

from __future__ import annotations

import re

SECOND = 1.0
MINUTE = 60.0
HOUR = 3600.0
DAY = 86400.0
WEEK = 604800.0

_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
_WRITTEN = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s?([smhdw])")


def parse_duration(text: str) -> float:
    """Seconds in ``text``. Raises ValueError for anything but a positive number with one of the units s m h d w."""
    match = _WRITTEN.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or float(match[1]) == 0:
        raise ValueError(
            f"write a duration as a positive number with a unit, like 7d, 36h or 15m, not {text!r}"
        )
    return float(match[1]) * _UNITS[match[2]]


def write_duration(seconds: float) -> str:
    """The shortest way to write ``seconds`` with one unit; the inverse of parse_duration for what people write."""
    for unit in ("w", "d", "h", "m"):
        size = _UNITS[unit]
        if seconds >= size and seconds % size == 0 and not (unit == "w" and seconds < 8 * WEEK):
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"
