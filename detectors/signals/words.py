"""Numbers, dates and lists as people read them; the same on every machine (no locale)."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.alerts import Interval, moment

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_SMALL = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)


def day(seconds: float) -> str:
    """``2 August 2026``, in UTC."""
    at = moment(seconds)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def per_hundred(share: float) -> str:
    """One digit after the point; two where the share is below 1 %."""
    return f"{share * 100:.1f}" if share >= 0.01 or share == 0 else f"{share * 100:.2f}"


def per_hundred_interval(interval: Interval) -> str:
    """Both ends alike, as the higher one asks for."""
    if interval.high >= 0.01:
        return f"{interval.low * 100:.1f}-{interval.high * 100:.1f}"
    return f"{per_hundred(interval.low)}-{per_hundred(interval.high)}"


def percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def count(number: float) -> str:
    """``one`` to ``twelve`` in words, others in digits."""
    return _SMALL[int(number)] if number == int(number) and 0 <= number < len(_SMALL) else f"{number:g}"


def days(number: float) -> str:
    whole = max(round(number), 1)
    return f"{whole} day{'s' if whole != 1 else ''}"


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``"""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
