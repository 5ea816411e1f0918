"""When, without a new event, something will first be true of a fading score.

The search is exact, to the second: every stretch of time is looked into unless it is known that nothing can be true in
it. Windows double from an hour, so that what is near is found with few looks.
"""

from __future__ import annotations

from collections.abc import Callable

STEP_S = 3600.0
HORIZON_S = 2 * 365 * 86400.0
PRECISION_S = 1.0
MAX_LOOKS = 4000
"""A score that only just touches its bound would take a look a second. After so many, the answer is the time up to
which nothing is true: whoever looks again then goes on from there."""


def first_time(
    holds: Callable[[float], bool], now: float, never: Callable[[float, float], bool] | None = None
) -> float | None:
    """The earliest time after ``now`` (Unix seconds, whole) at which ``holds``, within HORIZON_S; None without one.

    ``never(begin, end)`` says that it holds nowhere from begin to end; it may say False where it doesn't know. Without
    it, ``holds`` must stay true once it is.
    """
    if never is None:
        return first_time(holds, now, lambda _, end: not holds(end))
    step = STEP_S
    begin = float(int(now))
    last = begin + HORIZON_S
    looks = 0
    while begin < last:
        stretches = [(begin, begin + step)]
        while stretches:
            low, high = stretches.pop()
            if never(low, high):
                continue
            looks += 1
            if high - low <= PRECISION_S:
                if high > now and holds(high):
                    return high
            elif looks > MAX_LOOKS:
                return max(low, float(int(now)) + PRECISION_S)
            else:
                middle = float(int((low + high) / 2))
                stretches += [(middle, high), (low, middle)]
        begin += step
        step *= 2
    return None
