"""Numbers and times as pages show them. All of it is plain text: the templates escape it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from detectors.health.tally import SIGNAL as DATA_HEALTH
from detectors.signals.contract import ALL, Quantity
from schemas.alerts import Interval

MINUS = "\N{MINUS SIGN}"
NARROW = "\N{NARROW NO-BREAK SPACE}"
MAX_VALUE = 300

QUADRANTS = {"route": "Route now", "nurture": "Nurture", "discover": "Discover", "not_now": "Not now"}

STANDINGS = {
    "fire": "alert due",
    "still_on": "alert on",
    "screened_out": "",
    "disqualified": "disqualified",
    "blocked": "blocked for now",
    "trigger_below": "",
    "cooling_down": "alerted lately",
}


_UNITS: dict[Quantity, str] = {
    "share": "",
    "days": f"{NARROW}d",
    "ratio": "\N{MULTIPLICATION SIGN}",
    "features": " features",
    "events_a_day": "",
}


RATIO_OF = {"clg.support_burden": "of what a seat outside the elite asks"}
"""What a signal's ratios are of, where it is not what its baseline would give."""


def number(value: float) -> str:
    """One decimal; a whole number of a thousand and more without."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}"
    text = text.removesuffix(".0")
    return "0" if text == "-0" else text.replace("-", MINUS)


def score(value: float) -> str:
    """One decimal always, so that columns stand under each other."""
    text = f"{value:,.1f}"
    return "0.0" if text == "-0.0" else text.replace("-", MINUS)


def signed(value: float) -> str:
    text = f"{value:+,.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", MINUS)


def count(value: int) -> str:
    return f"{value:,}"


def measure(value: float, unit: Quantity) -> str:
    """As a verdict shows it: 12.5 %, 31.4 d, 1.8×, 4.6 features, 12 events a day; one decimal, so that
    columns stand under each other."""
    if unit == "share":
        percent = value * 100
        return f"{percent:.1f}{NARROW}%" if percent < 99.95 else f"100{NARROW}%"
    if unit == "events_a_day":
        often, time = (number(value), "day") if value >= 1 else (number(7 * value), "week")
        return f"{often} event{'' if often == '1' else 's'} a {time}"
    return score(value) + _UNITS[unit]


def sample_words(n: int, unit: Quantity) -> str:
    """What a number rests on: so many observations, or hours of a source."""
    return f"learned in {count(n)} hours" if unit == "events_a_day" else f"n = {count(n)}"


def ratio_words(signal: str, unit: Quantity) -> str:
    """What ``1.8×`` is of; empty where the numbers are no ratios."""
    return RATIO_OF.get(signal, "of what the baseline would give") if unit == "ratio" else ""


def interval_words(interval: Interval, unit: Quantity) -> str:
    """``8.5–16.2 %``"""
    low, high = measure(interval.low, unit), measure(interval.high, unit)
    sign = f"{NARROW}%" if unit == "share" else _UNITS[unit]
    return f"{low.removesuffix(sign)}\N{EN DASH}{high}"


def day(at: datetime) -> str:
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y}"


def moment(at: datetime) -> str:
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y, %H:%M} UTC"


def ago(at: datetime, now: datetime) -> str:
    """How long before ``now``, in the largest unit that fits; a time to come reads ``in 3 d``."""
    seconds = (now - at).total_seconds()
    size = abs(seconds)
    if size < 60:
        return "just now"
    for unit, length, limit in (("min", 60, 3600), ("h", 3600, 48 * 3600), ("d", 86400, float("inf"))):
        if size < limit:
            text = f"{size / length:.0f} {unit}"
            break
    return f"{text} ago" if seconds > 0 else f"in {text}"


def words(name: str) -> str:
    """``pricing-interest`` as ``pricing interest``: without a capital, which would make ``Etl`` of an acronym."""
    return name.replace("-", " ").replace("_", " ")


def segment_words(signal: str, segment: str) -> str:
    """The whole in words; what others have named (``rep:anna-b``, a source of events) as they wrote it: by that it is looked
    up."""
    if segment == ALL:
        return "all sources" if signal == DATA_HEALTH else "all accounts"
    return segment


def heading(name: str) -> str:
    """``step_failed`` as ``Step failed``. Of Plumbline's own words only."""
    text = words(name)
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """With a full stop where there is no other end."""
    return text if not text or text[-1] in ".!?" else f"{text}."


def attribute(value: Any) -> str:
    """A profile's attribute on one line."""
    text = _attribute(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "\N{HORIZONTAL ELLIPSIS}"


def account_path(account: str) -> str:
    """The account's page; an id may hold any characters."""
    return "/accounts/" + quote(account, safe="")


def _attribute(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,.10g}"
    if isinstance(value, list):
        return ", ".join(_attribute(item) for item in value)
    if isinstance(value, Mapping):
        if set(value) == {"amount", "currency"}:
            return f"{_attribute(value['amount'])} {value['currency']}"
        if set(value) == {"title"}:
            return _attribute(value["title"])
        return "; ".join(f"{words(str(key))}: {_attribute(item)}" for key, item in value.items())
    return str(value)
