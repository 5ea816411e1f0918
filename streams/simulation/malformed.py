"""Lines that a reader must refuse, each with the reason code that schemas.events gives for it."""

from __future__ import annotations

from numpy.random import Generator

from streams.simulation.calendar import Calendar
from streams.simulation.ordering import ArrivalOrder

_GOOD = (
    '{"type":"product.event","specversion":"1.0","id":"m-%d","source":"https://app.acme.example",'
    '"subject":"acct-000001","time":"%s","data":{"name":"report_viewed","feature":"reports"}}'
)
_DEEP = '{"a":' * 12 + "1" + "}" * 12

KINDS: tuple[tuple[str, tuple[str, str]], ...] = (
    ("not_json", ("}}", "")),
    ("not_json", ("reports", "\udcff")),
    ("bad_time", ('Z","data"', '","data"')),
    ("missing_field", ('"subject":"acct-000001",', "")),
    ("unknown_type", ("product.event", "product.evnt")),
    ("wrong_type", ('"report_viewed"', "17")),
    ("bad_value", ('"specversion":"1.0"', '"specversion":"0.3"')),
    ("too_deep", ('"feature":"reports"', '"properties":' + _DEEP)),
    ("too_large", ("report_viewed", "x" * 66_000)),
    ("wrong_subject", ("acct-000001", "product:acme")),
)
"""reason code, and what is replaced by what in a good line. ``\\udcff`` stands for the byte 0xff (surrogateescape)."""


def spoil(count: int, calendar: Calendar, draw: Generator, order: ArrivalOrder) -> dict[str, int]:
    """Plants ``count`` malformed lines, all kinds in turn, at times spread over the history; returns counts by code."""
    by_code: dict[str, int] = {}
    seconds = sorted(draw.integers(calendar.start, calendar.end, count).tolist())
    for number, second in enumerate(seconds):
        code, (good, bad) = KINDS[number % len(KINDS)]
        order.add([second], [(_GOOD % (number, calendar.written(second))).replace(good, bad, 1)])
        by_code[code] = by_code.get(code, 0) + 1
    return by_code
