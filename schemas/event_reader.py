"""Reading events strictly and fast, one by one or many at once: what is refused, and why, is the same in both.

Reasons: not_json, too_large, too_deep, unknown_type, missing_field, wrong_type, bad_value, bad_time, in_future,
wrong_subject.

Of many events nearly all are plain: small, flat and about an account. What tells a plain one from others is asked of all of
them in a few calls that C loops over; only the others are looked at apart. This is the hot path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import compress, repeat
from operator import attrgetter, contains, itemgetter, not_

import msgspec
import numpy as np

from schemas.errors import EventRefused, Problem
from schemas.event_depth import deeper_than
from schemas.event_problems import explain, not_json, out_of_calendar
from schemas.event_subjects import wrong_subject
from schemas.events import (
    DEFAULT_LIMITS,
    EVENT_CLASSES,
    NOT_OF_ACCOUNTS,
    DriftAnnounced,
    Event,
    Limits,
    ProductEvent,
    refuse_wide_integers,
)

Read = tuple[int, str, float, Event]
"""(number given by the caller, subject, time in Unix seconds, event)"""
Refused = tuple[int, EventRefused]
Counts = np.ndarray[tuple[int], np.dtype[np.intp]]

_FLAT = 3
"""An event with as many objects and lists has nothing nested in its properties."""
_BACKSLASH = 0x5C
_LAST_TIME = datetime(9000, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
MAX_DAYS_AWAY = 366
"""An announced day lies no farther from its announcement."""
_EVENT_TYPES = ", ".join(sorted(EVENT_CLASSES))
_CONTROL = re.compile(r"[\x00-\x1f]")

_decode = msgspec.json.Decoder(Event).decode
_subject_of = attrgetter("subject")
_number = itemgetter(0)


class EventReader:
    """Reads UTF-8 JSON. ``now`` is the present in Unix seconds: events later than it by more than the tolerance are refused;
    None takes any time."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS, now: float | None = None) -> None:
        self._max_bytes, self._max_depth = limits.max_bytes, limits.max_depth
        self._latest = _LAST_TIME if now is None else min(now + limits.future_tolerance_s, _LAST_TIME)

    def read(self, raw: bytes) -> tuple[str, float, Event]:
        """The event in ``raw``: (subject, time in Unix seconds, event). Raises EventRefused, with a Problem whose ``code`` is
        one of the reasons."""
        event = self._decoded(raw)
        at = event.time.timestamp()
        self._check(raw, event, at)
        return event.subject, at, event

    def read_all(self, numbers: Sequence[int], raws: Sequence[bytes]) -> tuple[list[Read], list[Refused]]:
        """The events in ``raws``, each with the number that it has in ``numbers``, in their order; and what is refused."""
        refused: list[Refused] = []
        found: list[Read] = []
        events, odd, containers = self._decode_plain(raws)
        for place in odd:
            try:
                found.append((numbers[place], *self.read(raws[place])))
            except EventRefused as error:
                refused.append((numbers[place], error))
        plain = numbers
        if odd:
            out = set(odd)
            rest = [place for place in range(len(raws)) if place not in out]
            plain, raws, containers = (
                [numbers[place] for place in rest],
                [raws[place] for place in rest],
                containers[rest],
            )
        subjects = list(map(_subject_of, events))
        times = [event.time.timestamp() for event in events]
        entries: Iterable[Read] = zip(plain, subjects, times, events, strict=True)
        wrong = set()
        for place in self._unlike_most(raws, containers, subjects, times, events):
            try:
                self._check(raws[place], events[place], times[place])
            except EventRefused as error:
                refused.append((plain[place], error))
                wrong.add(plain[place])
        if wrong:
            entries = (entry for entry in entries if entry[0] not in wrong)
        refused.sort(key=_number)
        return sorted([*found, *entries], key=_number) if found else list(entries), refused

    def _decode_plain(self, raws: Sequence[bytes]) -> tuple[list[Event], list[int], Counts]:
        """The events but those that have to be read one by one; where these stand; and how many objects and lists begin in
        each text, those in strings counted too."""
        lengths = list(map(len, raws))
        signs = np.frombuffer(b"".join(raws), dtype=np.uint8)
        opening = np.flatnonzero((signs == ord("{")) | (signs == ord("[")))
        containers = np.bincount(
            np.searchsorted(np.cumsum(lengths), opening, side="right"), minlength=len(raws)
        )
        odd = set(np.flatnonzero(containers > self._max_depth).tolist())
        if max(lengths, default=0) > self._max_bytes:
            odd.update(place for place, length in enumerate(lengths) if length > self._max_bytes)
        odd.update(
            place for place in _places(map(not_, map(bytes.isascii, raws))) if not _is_utf8(raws[place])
        )
        plain = [place for place in range(len(raws)) if place not in odd] if odd else range(len(raws))
        events: list[Event] = []
        decoded = map(_decode, [raws[place] for place in plain] if odd else raws)
        failed = 0
        while True:
            try:
                for event in decoded:
                    events.append(event)
                return events, sorted(odd), containers
            except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
                odd.add(plain[len(events) + failed])
                failed += 1

    def _unlike_most(
        self,
        raws: Sequence[bytes],
        containers: Counts,
        subjects: Sequence[str],
        times: Sequence[float],
        events: Sequence[Event],
    ) -> Iterable[int]:
        """Where something that was decoded may yet have to be refused."""
        places = set(np.flatnonzero(containers > _FLAT).tolist())
        places.update(_places(map(contains, raws, repeat(_BACKSLASH))))
        if times and not (min(times) >= 0 and max(times) <= self._latest):
            places.update(place for place, at in enumerate(times) if not 0 <= at <= self._latest)
        together = " ".join(subjects)
        if not together.isprintable():
            places.update(_places(map(not_, map(str.isprintable, subjects))))
        if ":" in together:
            places.update(_places(map(contains, subjects, repeat(":"))))
        if not NOT_OF_ACCOUNTS.isdisjoint(map(type, events)):
            places.update(place for place, event in enumerate(events) if type(event) in NOT_OF_ACCOUNTS)
        return sorted(places)

    def _decoded(self, raw: bytes) -> Event:
        if len(raw) > self._max_bytes:
            raise _refused(
                "too_large",
                f"the event has {len(raw)} bytes; the limit is {self._max_bytes}",
                remedy="send less in text fields, or raise the limit max_event_bytes in the settings",
            )
        containers = raw.count(b"{")
        if b"[" in raw:
            containers += raw.count(b"[")
        if containers > self._max_depth and deeper_than(raw, self._max_depth):
            raise _refused(
                "too_deep",
                f"the event is nested more than {self._max_depth} levels deep",
                remedy="send flat properties, or raise the limit max_event_depth in the settings",
            )
        try:
            if not raw.isascii():
                raw.decode()  # msgspec does not look into the texts that it skips
            event: Event = _decode(raw)
            return event
        except msgspec.ValidationError as error:
            raise EventRefused(explain(str(error), _EVENT_TYPES)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise EventRefused(not_json(raw, error)) from None

    def _check(self, raw: bytes, event: Event, at: float) -> None:
        """Raises EventRefused for what the decoder does not look at."""
        if not 0 <= at <= _LAST_TIME:
            raise EventRefused(out_of_calendar())
        if at > self._latest:
            raise _refused(
                "in_future",
                "the event's time is in the future",
                where="$.time",
                remedy="check the sender's clock and time zone",
            )
        if type(event) is ProductEvent and event.data.properties:
            try:
                refuse_wide_integers(event.data.properties, "$.data.properties[...]")
            except msgspec.ValidationError as error:
                raise EventRefused(explain(str(error), _EVENT_TYPES)) from None
        subject = event.subject
        if not subject.isprintable():  # it goes into keys, pages and terminals
            raise _refused(
                "wrong_subject",
                "the subject has characters that can't be printed",
                where="$.subject",
                remedy="give the account's id as the subject, without control characters",
            )
        if _BACKSLASH in raw:  # only an escape can bring a control character into a text
            _refuse_control_characters(event)
        if ":" in subject or type(event) in NOT_OF_ACCOUNTS:
            problem = wrong_subject(str(type(event).__struct_config__.tag), subject)
            if problem is not None:
                raise EventRefused(problem)
        if type(event) is DriftAnnounced:
            _refuse_a_day_far_away(event)


def decode_event(raw: bytes, limits: Limits = DEFAULT_LIMITS, now: float | None = None) -> Event:
    """The event in ``raw``, as EventReader reads it."""
    return EventReader(limits, now).read(raw)[2]


def _places(flags: Iterable[bool]) -> Iterable[int]:
    return compress(range(1 << 62), flags)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _refused(code: str, what: str, *, where: str = "$", remedy: str = "") -> EventRefused:
    return EventRefused(Problem(code=code, what=what, where=where, remedy=remedy))


def _refuse_a_day_far_away(event: DriftAnnounced) -> None:
    """Mostly it is a year mistyped, and the announcement would say nothing for ever."""
    told = event.time.astimezone(UTC).date()
    if abs((event.data.on - told).days) > MAX_DAYS_AWAY:
        raise _refused(
            "bad_value",
            f"the day lies more than {MAX_DAYS_AWAY} days from the event's time",
            where="$.data.on",
            remedy="write a day within a year before or after the event's `time`, like 2026-05-04",
        )


def _refuse_control_characters(event: Event) -> None:
    """CloudEvents 1.0 forbids them in attributes, and lists and terminals would trip over them."""
    for name in ("id", "source"):
        if _CONTROL.search(getattr(event, name)):
            raise _refused(
                "bad_value",
                "it holds a control character",
                where=f"$.{name}",
                remedy="leave out NUL, line breaks, tabs and the like",
            )
