"""Bursts: what one account does again and again within a short time is one observation, not many.

Bursts ruin a detector that takes its observations for independent: same-valued bursts of two on average cut the time to a
false alarm to less than a hundredth (docs/detection.md). So an account half keeps one Burst for each signal and tells one
observation of it when it is over.

Rules:
1. An event belongs to the open burst if it comes less than ``gap_s`` after the newest, or before the first, of it, and the
   burst then lasts ``longest_s`` at most. The next one begins a burst of its own.
2. A burst is over at ``due``; the account half sets a timer for it. What is told is told: a late event that is older than
   the end of the last burst changes nothing.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from schemas.duration import DAY

GAP = DAY
LONGEST = 7 * DAY


class BurstRule(Struct, frozen=True):
    """Seconds."""

    gap_s: float = GAP
    longest_s: float = LONGEST


class Burst(Struct, array_like=True):
    """Times in Unix seconds. ``told_until``: the end of the last burst that is over; -1 without one."""

    open: bool = False
    began: float = 0.0
    newest: float = 0.0
    told_until: float = -1.0


def join(burst: Burst, at: float, rule: BurstRule) -> Literal["opened", "joined", "told", "over"]:
    """Takes an event at ``at`` in.

    ``opened`` and ``joined``: it belongs to the burst that is open now. ``told``: it is older than what was told already,
    and changes nothing. ``over``: the burst that is open has ended before; tell it, ``close`` it, and ask again (timers
    see to it that this is rare).
    """
    if not burst.open:
        if at <= burst.told_until:
            return "told"
        burst.open, burst.began, burst.newest = True, at, at
        return "opened"
    began, newest = min(burst.began, at), max(burst.newest, at)
    if newest - began <= rule.longest_s and burst.began - rule.gap_s < at < burst.newest + rule.gap_s:
        burst.began, burst.newest = began, newest
        return "joined"
    return "over" if at >= burst.newest else "told"


def due(burst: Burst, rule: BurstRule) -> float:
    """When the open burst is over, Unix seconds."""
    return min(burst.newest + rule.gap_s, burst.began + rule.longest_s)


def close(burst: Burst) -> None:
    burst.open, burst.told_until = False, burst.newest
