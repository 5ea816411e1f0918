"""Bands of tenure, by which accounts are compared with their like (0-30, 31-90, 91-365 and over 365 days), and since when a
profile says that an account is a customer."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from datetime import datetime
from typing import Any

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


def customer_since(attributes: Mapping[str, Any]) -> float | None:
    """Unix seconds of the profile's ``customer_since`` as events are checked to write it (RFC 3339); None for what is none."""
    written = attributes.get("customer_since")
    if not isinstance(written, str):
        return None
    try:
        time = datetime.fromisoformat(written)
    except ValueError:
        return None
    return time.timestamp() if time.tzinfo is not None else None
