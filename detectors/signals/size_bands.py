"""Bands of company size, by the ICP file's bounds, within which accounts are compared."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

UNKNOWN_SIZE = "unknown"
USUAL_BOUNDS = (50.0, 500.0, 2000.0)
"""Employees, where the ICP file says nothing."""


def size_band(employees: object, bounds: Sequence[float]) -> str:
    """``up to 50``, ``51-500`` and so on, ``over 2000``. ``bounds``: upper ones, rising; without any, the usual."""
    if isinstance(employees, bool) or not isinstance(employees, int | float):
        return UNKNOWN_SIZE
    bounds = bounds or USUAL_BOUNDS
    place = bisect_left(bounds, employees)
    if place == len(bounds):
        return f"over {bounds[-1]:g}"
    return f"up to {bounds[0]:g}" if place == 0 else f"{bounds[place - 1] + 1:g}-{bounds[place]:g}"
