"""Bands of tenure, by which accounts are compared with their like: 0-30, 31-90, 91-365 and over 365 days."""

from __future__ import annotations

from bisect import bisect_left

from schemas.duration import DAY

UNKNOWN_TENURE = "unknown"
"""of accounts of whom nobody knows since when they are customers"""
BANDS = ("0-30", "31-90", "91-365", "over 365")
_LAST_DAYS = (30, 90, 365)


def tenure_band(tenure_s: float | None) -> str:
    """``tenure_s`` in seconds, as AccountFacts.tenure_s gives it. Days are counted from 0, so day 30 is over at 31 days."""
    if tenure_s is None:
        return UNKNOWN_TENURE
    return BANDS[bisect_left(_LAST_DAYS, int(tenure_s // DAY))]
