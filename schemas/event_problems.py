"""What is wrong with an event, in words: msgspec's messages turned into a Problem with a remedy.

Rules:
1. No value of the event reaches a text: it could be an address or a note. Field names and limits may.
2. ``where`` is the JSON path of the wrong value; of the object around it when a field is missing.
"""

from __future__ import annotations

import re

from schemas.errors import Problem

_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_GOT = re.compile(r"Expected `(?P<wanted>[^`]*)`, got `(?P<got>[^`]*)`")
_LENGTH = re.compile(r"Expected `(?P<kind>\w+)` of length (?P<sign>[<>]=) (?P<limit>\d+)")
_BOUND = re.compile(r"Expected `\w+` (?P<sign>[<>]=?) (?P<limit>-?[\d.]+)")

WIDE_INTEGER = "Integer has more than 64 bits"

_KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
    "date": "a day",
}

_TIME_REMEDY = "write it like 2026-11-01T09:30:00Z or 2026-11-01T09:30:00+01:00"

_REMEDIES = {
    "specversion": 'write "specversion": "1.0"',
    "id": "give every event an id that is its own within its source; a repeat of both is dropped",
    "source": 'name the system that sends, like "https://crm.example/eu"',
    "subject": "give the account's id as the subject",
    "time": "say when it happened, in RFC 3339 with an offset, like 2026-11-01T09:30:00Z",
    "datacontenttype": "leave it out, or write application/json",
    "data": "put what happened under data; plumbline schema events shows the fields",
    "outcome": "plumbline schema events lists the values",
    "currency": "write three capital letters from ISO 4217, like EUR",
    "amount": "write a number that is not negative, without symbols or thousands separators, and its `currency`",
    "complexity": "write a whole number from 1 to 10",
    "employees": "write a number, not a text or a range",
    "seats": "write a number that is not negative",
    "arr": 'write {"amount": 12000, "currency": "EUR"}',
    "advisory_board": "write true or false",
    "technologies": 'write a list of texts, like ["snowflake", "dbt"]',
    "domains": 'write a list of texts, like ["acme.example"]',
    "features": 'write a list of names, like ["reports", "alerts"]',
    "attributes": 'write an object, like {"industry": "software", "employees": 120}',
    "properties": 'write an object, like {"plan": "team"}',
    "campaign": 'write an object, like {"source": "google", "medium": "cpc"}',
    "name": "name what happened, like report_viewed",
    "segment": "name one that plumbline drift lists, like all or source:referral",
    "by": "name who has decided it",
    "reason": "say in 500 characters or less why, for those who ask in a year",
    "retake_baseline": "write true or false",
    "on": "write the day like 2026-05-04",
}
_OTHERWISE = "plumbline schema events shows what each field takes"


def explain(message: str, event_types: str) -> Problem:
    """A Problem from a msgspec.ValidationError's ``message``; ``event_types`` is the list of types, for the remedy."""
    match = _AT.match(message)
    # An error raised inside __post_init__ carries two places; the inner one is the exact one.
    what, path = (match["what"], match["path"] or "$") if match else (message, "$")
    inner = _AT.match(what)
    if inner is not None and inner["path"]:
        what, path = inner["what"], inner["path"]
    if path == "$.type":
        return Problem(
            code="unknown_type",
            what="not a type of event that Plumbline knows",
            where=path,
            remedy=f"use one of {event_types}",
        )
    if what.startswith("Object missing required field"):
        field = what.split("`")[1]
        remedy = f"use one of {event_types}" if path == "$" and field == "type" else _REMEDIES.get(field)
        return Problem(
            code="missing_field",
            what=f"`{field}` is missing",
            where=path,
            remedy=remedy or "add it; " + _OTHERWISE,
        )
    if what.startswith("`amount` needs"):
        return Problem(code="missing_field", what=what, where=path, remedy=_REMEDIES["currency"])
    if path == "$":
        return Problem(
            code="wrong_type",
            what=_in_words(what),
            where=path,
            remedy="send one CloudEvent as a JSON object; a list of them goes as application/cloudevents-batch+json",
        )
    if "datetime" in what:
        return Problem(
            code="bad_time",
            what="a time must be RFC 3339 with an offset, and exist in the calendar",
            where=path,
            remedy=_TIME_REMEDY,
        )
    if "out of range" in what or what == WIDE_INTEGER or str(2**63) in what or str(2**63 - 1) in what:
        return Problem(
            code="bad_value",
            what="the number is too large",
            where=path,
            remedy="whole numbers have at most 64 bits, others are below 1.8e308; send larger ones as a text",
        )
    field = re.sub(r"\[[^\]]*\]$", "", path).rsplit(".", 1)[-1]
    return Problem(
        code="wrong_type" if _GOT.match(what) else "bad_value",
        what=_in_words(what),
        where=path,
        remedy=_REMEDIES.get(field, _OTHERWISE),
    )


def out_of_calendar() -> Problem:
    """The event's time is before 1970 or so late that an offset would leave the calendar."""
    return Problem(
        code="bad_time",
        what="the event's time is before 1970 or after 9000",
        where="$.time",
        remedy="write seconds and milliseconds as RFC 3339, like 2026-11-01T09:30:00Z",
    )


def not_json(raw: bytes, error: Exception) -> Problem:
    """``raw`` can't be read as JSON in UTF-8."""
    if isinstance(error, UnicodeDecodeError):
        return Problem(
            code="not_json",
            what=f"not UTF-8 (byte {error.start})",
            where="$",
            remedy="send the JSON in UTF-8; Latin-1 and UTF-16 are not read",
        )
    if not raw.strip():
        what = "there is nothing here"
    elif re.search(rb"\\u[dD][89a-fA-F]", raw):
        what = r"not JSON: half of a \u escape pair"
    elif raw.startswith(b"\xef\xbb\xbf"):
        what = "not JSON: it begins with a byte order mark"
    else:
        # msgspec's own words for a malformed text hold a place and never a value.
        what = f"not JSON: {error}"
    return Problem(code="not_json", what=what, where="$", remedy="send one CloudEvent as a UTF-8 JSON object")


def _in_words(what: str) -> str:
    if got := _GOT.match(what):
        wanted = [kind for kind in got["wanted"].split(" | ") if kind != "null"]
        return f"expected {' or '.join(map(_kind, wanted))}, got {_kind(got['got'])}"
    if length := _LENGTH.match(what):
        unit = "characters" if length["kind"] == "str" else "items"
        if length["sign"] == ">=":
            return "it is empty" if length["limit"] == "1" else f"it has fewer than {length['limit']} {unit}"
        return f"it has more than {length['limit']} {unit}"
    if bound := _BOUND.match(what):
        limit = bound["limit"].removesuffix(".0")
        return f"it must be {'at least' if bound['sign'][0] == '>' else 'at most'} {limit}"
    if what == "Invalid RFC3339 encoded date":
        return "it is not a day of the calendar"
    if "matching regex" in what:
        return "it is not written in the form that it must have"
    if what.startswith(("Invalid enum value", "Invalid value")):
        return "it is not one of the values that it may have"
    return what


def _kind(name: str) -> str:
    return _KINDS.get(name, name)
