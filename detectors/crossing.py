"""When, without a new event, something will first be true of a fading score."""

from __future__ import annotations

from collections.abc import Callable

STEP_S = 3600.0
HORIZON_S = 2 * 365 * 86400.0
PRECISION_S = 1.0


def first_time(holds: Callable[[float], bool], now: float) -> float | None:
    """The earliest time after ``now`` (Unix seconds, whole) at which ``holds``, within HORIZON_S; None without one.

    Steps double from an hour, then bisection: a stretch of truth shorter than its distance from now can be missed,
    which for sums of decays is one that begins and ends without an event. Whoever asks looks again at each event.
    """
    step = STEP_S
    low = high = float(int(now))
    while high < now + HORIZON_S:
        low, high = high, high + step
        step *= 2
        if holds(high):
            break
    else:
        return None
    while high - low > PRECISION_S:
        middle = float(int((low + high) / 2))
        if middle in (low, high):
            break
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
