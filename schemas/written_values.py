"""The kinds of values that people write into files: durations, names, sentences, numbers, times, conditions.

Numbers are numbers: a text or a ``true`` in a number's place is refused, not converted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from schemas.conditions import About, Condition, read_condition
from schemas.duration import DAY, parse_duration
from schemas.written import Misfit

LONGEST_S = 3660 * DAY
"""Ten years: far beyond any use, and far from where calendars end."""

DURATION_SCHEMA = {
    "type": "string",
    "pattern": r"^\s*\d{1,6}(\.\d{1,3})?\s?[smhdw]\s*$",
    "description": "A duration: a number with s, m, h, d or w, like 36h or 7d.",
}


def read_duration(written: Any) -> float:
    """Seconds. Raises Misfit."""
    if not isinstance(written, str):
        number = isinstance(written, int | float) and not isinstance(written, bool)
        remedy = (
            f"write {written:g}d for days or {written:g}h for hours" if number else "write it like 7d or 36h"
        )
        raise Misfit("a duration needs a number with a unit", remedy, code="duration")
    try:
        seconds = parse_duration(written)
    except ValueError:
        raise Misfit(
            "this is not a duration",
            "write a number and one of s, m, h, d, w, like 15m, 36h, 7d or 2w",
            code="duration",
        ) from None
    if seconds > LONGEST_S:
        raise Misfit("a duration is at most ten years", "write 3650d or less", code="duration")
    return seconds


def _read_time(written: Any) -> datetime:
    if isinstance(written, datetime):
        time = written
    else:
        text = written if isinstance(written, str) else ""
        try:
            if not _TIME.fullmatch(text):
                raise ValueError
            time = datetime.fromisoformat(text.upper().replace(" ", "T"))
        except ValueError:
            remedy = "write it like 2026-11-01T00:00:00Z"
            if _DATE.fullmatch(text):
                remedy = f"write {text}T00:00:00Z, or another time of that day"
            raise Misfit("this is not a date with a time and an offset", remedy, code="time") from None
    if time.utcoffset() is None:
        raise Misfit(
            "the time has no offset, so nobody knows when it is",
            f"write {time.isoformat()}Z for UTC, or with +01:00 at its end",
            code="time",
        )
    if not 1990 <= time.year <= 2200:
        raise Misfit("the year is out of range", "write a year between 1990 and 2200", code="time")
    return time


_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)


def _condition(about: About) -> Callable[[Any], Condition]:
    return lambda written: written if isinstance(written, Condition) else read_condition(written, about)


def _not_zero(number: float) -> float:
    if number == 0:
        raise Misfit(
            "a weight of 0 changes nothing", "give it a weight, or take the trigger out", code="weight"
        )
    return number


Duration = Annotated[float, BeforeValidator(read_duration), WithJsonSchema(DURATION_SCHEMA)]
"""Seconds, written as 7d or 36h."""

AwareTime = Annotated[
    datetime,
    BeforeValidator(_read_time),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": r"([Zz]|[+-]\d\d:\d\d)$"}),
]

Number = Annotated[float, Field(strict=True)]
Whole = Annotated[int, Field(strict=True)]
Weight = Annotated[Number, Field(ge=-1000, le=1000), AfterValidator(_not_zero)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Sentence = Annotated[str, Field(min_length=3, max_length=500)]
Title = Annotated[str, Field(min_length=1, max_length=200)]

# The comment names the definition in condition_schema.py that json_schema.py puts there.
When = Annotated[Condition, BeforeValidator(_condition("either")), WithJsonSchema({"$comment": "condition"})]
WhenEvent = Annotated[
    Condition, BeforeValidator(_condition("event")), WithJsonSchema({"$comment": "event_condition"})
]
WhenAccount = Annotated[
    Condition, BeforeValidator(_condition("account")), WithJsonSchema({"$comment": "account_condition"})
]
