"""From a request's body to the events that are kept, and those that are not. Pure.

Rules:
1. Every event becomes one line: the sender's own bytes, but for the line breaks of pretty-printed JSON.
2. One bad event does not spoil a batch; a body that can't be taken apart does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from schemas.errors import EventRefused, Problem
from schemas.event_reader import decode_event
from schemas.events import Event, Limits
from streams.gateway.problem import RefusedEvent, RequestRefused
from streams.gateway.sink import Accepted

MAX_EVENTS = 50_000
"""Events in one request: bounds the size of an answer in which all of them are refused."""

Form = Literal["event", "batch", "lines"]

FORMS: dict[str, Form] = {
    "application/cloudevents+json": "event",
    "application/cloudevents-batch+json": "batch",
    "application/x-ndjson": "lines",
    "application/jsonl": "lines",
}

_BLANK = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_split_array = msgspec.json.Decoder(list[msgspec.Raw])


class _Named(msgspec.Struct):
    id: str


_name = msgspec.json.Decoder(_Named)


def split(form: Form, body: bytes) -> list[tuple[int, bytes]]:
    """The events in ``body`` with their places, each as one line; not decoded yet. Raises RequestRefused (400, 413)."""
    body = body.removeprefix(_BOM)
    if form == "event":
        return [(0, _one_line(body.strip(_BLANK)))]
    if form == "lines":
        if body.count(b"\n") > 2 * MAX_EVENTS:
            raise _too_many()
        stripped = enumerate(line.strip(_BLANK) for line in body.split(b"\n"))
        found = [(index, line) for index, line in stripped if line]
        if not found:
            raise _not_json("there is no event in the body", "send one event on each line")
    else:
        try:
            found = [(index, _one_line(bytes(raw))) for index, raw in enumerate(_split_array.decode(body))]
        except msgspec.ValidationError:
            raise _not_json("the body is JSON, but not an array", "send a JSON array of events") from None
        except (msgspec.DecodeError, RecursionError) as error:
            raise _not_json(f"the body is not JSON: {error}", "send a JSON array of events") from None
    if len(found) > MAX_EVENTS:
        raise _too_many()
    return found


def judge(
    events: list[tuple[int, bytes]],
    limits: Limits,
    now: float,
    refusal: Callable[[Event], Problem | None] | None,
    *,
    pause_bytes: int = 131_072,
) -> Iterator[tuple[list[Accepted], list[RefusedEvent]]]:
    """(events to keep, events refused), portion by portion of about ``pause_bytes``: the caller can do other things
    in between. ``refusal`` says why the sender may not send an event, if so; None allows all."""
    kept: list[Accepted] = []
    refused: list[RefusedEvent] = []
    size = 0
    for index, line in events:
        try:
            event = decode_event(line, limits, now)
            problem = refusal(event) if refusal is not None else None
            if problem is not None:
                raise EventRefused(problem)
            kept.append(Accepted(event.topic, event.subject, line))
        except EventRefused as error:
            refused.append(_refusal(index, line, error.problem, limits))
        size += len(line) + 100
        if size > pause_bytes:
            yield kept, refused
            kept, refused, size = [], [], 0
    yield kept, refused


def _refusal(index: int, line: bytes, problem: Problem, limits: Limits) -> RefusedEvent:
    return RefusedEvent(
        index=index,
        id=_id_of(line) if len(line) <= limits.max_bytes else None,
        code=problem.code,
        where=problem.where,
        what=problem.what,
        remedy=problem.remedy,
    )


def _id_of(line: bytes) -> str | None:
    try:
        found = _name.decode(line).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if 0 < len(found) <= 256 else None


def _one_line(raw: bytes) -> bytes:
    """``raw`` without line breaks; where it is no JSON as it is, and decoding says what is wrong."""
    if b"\n" not in raw and b"\r" not in raw:
        return raw
    try:
        return msgspec.json.format(raw, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        return raw


def _not_json(what: str, remedy: str) -> RequestRefused:
    return RequestRefused(400, "not_json", what, remedy=remedy)


def _too_many() -> RequestRefused:
    return RequestRefused(
        413, "too_many_events", f"the body holds more than {MAX_EVENTS} events", remedy="send smaller batches"
    )
