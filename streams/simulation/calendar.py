"""The days of a history: its bounds, the weekday pattern, the hours of work, and times as text.

Times are whole Unix seconds. Text is made from tables, since it is made for every event.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY_S = 86_400
NEVER = 1 << 60
"""a moment that doesn't come"""

_HOURS = (2, 1, 1, 1, 1, 2, 5, 12, 32, 62, 74, 70, 48, 58, 74, 72, 62, 46, 26, 17, 14, 11, 8, 4)
"""relative activity by hour of the local day"""


@cache
def seconds_of_day() -> list[str]:
    """``T09:30:00Z`` for each second of a day."""
    return [f"T{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}Z" for s in range(DAY_S)]


class Calendar:
    """A history of ``days`` days that ends at ``until``, given in Unix seconds."""

    def __init__(self, until: int, days: int) -> None:
        self.end = until
        self.start = until - days * DAY_S
        self.days = days
        self.first_day = self.start // DAY_S
        """days since the epoch; a history that does not begin at midnight touches days + 1 of them"""
        self.last_day = (until - 1) // DAY_S
        self.dates = {
            day: datetime.fromtimestamp(day * DAY_S, UTC).strftime("%Y-%m-%d")
            for day in range(self.first_day, self.last_day + 1)
        }
        self.clock = seconds_of_day()
        self.hours: Floats = np.concatenate([[0.0], np.cumsum(_HOURS)]) / sum(_HOURS)

    def at_share(self, share: float) -> int:
        """The moment after ``share`` of the history."""
        return self.start + round(share * (self.end - self.start))

    def written(self, second: int) -> str:
        """RFC 3339 in UTC; ``second`` must be within the history."""
        day, rest = divmod(second, DAY_S)
        return self.dates[day] + self.clock[rest]

    def weekday_weights(self, weights: tuple[float, ...]) -> Floats:
        """One weight for each touched day, first_day to last_day."""
        day = np.arange(self.first_day, self.last_day + 1)
        # Day 0 of the epoch was a Thursday.
        return np.asarray(weights, dtype=np.float64)[(day + 3) % 7]

    def time_of_day(self, uniform: Floats) -> Floats:
        """Seconds of a local day, crowded in the hours of work."""
        return np.asarray(np.interp(uniform, self.hours, np.arange(25) * 3600.0))
