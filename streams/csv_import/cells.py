"""Reads one cell: text to number, boolean, list, money or time.

Rules:
1. Nothing is guessed: a cell that is not written as it must be is refused, with what to write.
2. No error holds what the cell holds: it could be a name, an address or a note.
3. Local times: a time that the clock skipped in spring counts from before the jump (02:30 becomes 03:30 where the
   clock jumps from 02:00 to 03:00); of a time that it showed twice in autumn, the first is meant. Both are counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

_POINT = re.compile(
    r"[+-]?(?:\d{1,3}(?:[,'\u2019 \u00a0\u202f]\d{3})+|\d*)(?:\.\d*)?(?:[eE][+-]?\d{1,3})?", re.ASCII
)
_COMMA = re.compile(
    r"[+-]?(?:\d{1,3}(?:[.'\u2019 \u00a0\u202f]\d{3})+|\d*)(?:,\d*)?(?:[eE][+-]?\d{1,3})?", re.ASCII
)
_GROUPS = re.compile(r"['\u2019 \u00a0\u202f]")
_HAS_DIGIT = re.compile(r"\d", re.ASCII)
MAX_DIGITS = 40

_TRUE = frozenset({"true", "yes", "y", "t", "1"})
_FALSE = frozenset({"false", "no", "n", "f", "0"})
_CURRENCY = re.compile(r"[A-Z]{3}")


class CellRefused(ValueError):
    """A cell can't be read. ``code`` is short and stable."""

    def __init__(self, code: str, what: str, remedy: str) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.remedy = remedy


def read_number(text: str, *, decimal_comma: bool) -> float | int:
    """A number: whole where it is written without a decimal sign. Groups of three may be set apart."""
    pattern = _COMMA if decimal_comma else _POINT
    if len(text) > MAX_DIGITS or not pattern.fullmatch(text) or not _HAS_DIGIT.search(text):
        other = "1.234,50" if decimal_comma else "1,234.50"
        switch = "false" if decimal_comma else "true"
        raise CellRefused(
            "not_a_number",
            "not a number",
            f"write it like {other}; `decimal_comma: {switch}` reads the other way; `remove: [...]` takes signs out",
        )
    plain = _GROUPS.sub("", text)
    plain = plain.replace(".", "").replace(",", ".") if decimal_comma else plain.replace(",", "")
    if plain.lstrip("+-").isdecimal():
        whole = int(plain)
        if abs(whole) >= 2**63:
            raise CellRefused(
                "not_a_number", "the number has more than 64 bits", "if it is an id, write `type: text`"
            )
        return whole
    number = float(plain)
    if not math.isfinite(number):
        raise CellRefused("not_a_number", "the number is too large", "check the cell")
    return number


def read_integer(text: str, *, decimal_comma: bool) -> int:
    number = read_number(text, decimal_comma=decimal_comma)
    if number != int(number):
        raise CellRefused("not_whole", "not a whole number", "write it without a fraction, or `type: number`")
    return int(number)


def read_boolean(text: str) -> bool:
    folded = text.casefold()
    if folded in _TRUE:
        return True
    if folded in _FALSE:
        return False
    raise CellRefused(
        "not_boolean",
        "neither true nor false",
        "write true, yes, 1 or false, no, 0, or give a table in `values`",
    )


def read_list(text: str, separator: str) -> list[str]:
    return [entry for part in text.split(separator) if (entry := part.strip())]


def read_currency(text: str) -> str:
    if not _CURRENCY.fullmatch(text):
        raise CellRefused(
            "not_a_currency", "not a currency", "write three capital letters from ISO 4217, like EUR"
        )
    return text


class ClockChanges(Struct):
    """Local times that needed the rule: the clock skipped them, or showed them twice."""

    skipped: int = 0
    repeated: int = 0


def time_reader(
    formats: tuple[str, ...], time_zone: str | None, changes: ClockChanges
) -> Callable[[str], datetime]:
    """A reader of times, which gives them in UTC. Raises CellRefused when called."""
    zone = ZoneInfo(time_zone) if time_zone is not None else None
    shown = " or ".join(formats)

    # The events of one row mostly share their time, and exports by day repeat it: parsing is the dearest step.
    @lru_cache(maxsize=4096)
    def parsed(text: str) -> tuple[datetime, int, int]:
        for one in formats:
            try:
                moment = _parse(text, one)
                break
            except (ValueError, OverflowError, OSError):
                continue
        else:
            raise CellRefused(
                "bad_time", f"not a time written as {shown}", "add its format to `format`, or mend the cell"
            )
        change = (0, 0)
        if moment.tzinfo is None:
            if zone is None:
                raise CellRefused(
                    "no_zone",
                    "the time has no offset and the mapping no time zone for it",
                    "add `time_zone: Europe/Berlin` (yours) to the mapping",
                )
            moment = moment.replace(tzinfo=zone)  # fold=0: the offset from before a change of the clock
            change = _clock_change(moment)
        try:
            return moment.astimezone(UTC), *change
        except OverflowError:
            raise CellRefused("bad_time", "the time is out of the calendar", "mend the cell") from None

    def read(text: str) -> datetime:
        moment, skipped, repeated = parsed(text)
        changes.skipped += skipped
        changes.repeated += repeated
        return moment

    return read


def _parse(text: str, one: str) -> datetime:
    if one == "iso":
        return datetime.fromisoformat(text)
    if one == "unix":
        return datetime.fromtimestamp(_seconds(text), UTC)
    if one == "unix_ms":
        return datetime.fromtimestamp(_seconds(text) / 1000, UTC)
    return datetime.strptime(text, one)  # noqa: DTZ007 - the zone follows


def _seconds(text: str) -> float:
    return float(read_number(text, decimal_comma=False))


def _clock_change(moment: datetime) -> tuple[int, int]:
    """Whether the clock skipped this time (1, 0) or showed it twice (0, 1)."""
    before, after = moment.utcoffset(), moment.replace(fold=1).utcoffset()
    if before is None or after is None or before == after:
        return 0, 0
    return (1, 0) if after > before else (0, 1)
