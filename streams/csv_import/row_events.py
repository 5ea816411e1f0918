"""One row of a CSV file to its events.

Rules:
1. A row becomes all of its events or none: a row of which one event does not fit is refused as a whole.
2. An event's id comes from the export's name (``as``), the row's key and the event's place in the mapping, so that the
   same row has the same id in every import; the file's own name has no part in it, since exports carry dates there.
3. What is given on has been read by schemas.event_reader.decode_event: what import writes, replay reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from schemas.errors import EventRefused
from schemas.event_fields import event_field
from schemas.event_reader import decode_event
from schemas.mapping import EventMapping, FileMapping
from schemas.mapping import Mapping as ImportMapping
from schemas.mapping_values import Value, columns_of
from streams.csv_import.cells import ClockChanges
from streams.csv_import.fields import Reader, Reading, written_time
from streams.csv_import.refusal import RowRefused
from streams.csv_import.row_conditions import RowPredicate, compile_row_condition

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Draft(Struct, gc=False):
    """An event as it will be written. ``at``: microseconds since 1970; ``name``: what source and id come to;
    ``keyed``: the mapping says what names the row (else it is the whole row)."""

    at: int
    name: bytes
    keyed: bool
    body: bytes


class RowEvents:
    """Makes the events of the rows of one file."""

    def __init__(
        self,
        mapping: ImportMapping,
        entry: FileMapping,
        columns: Sequence[str],
        *,
        changes: ClockChanges,
        now: float,
    ) -> None:
        places = {name: index for index, name in reversed(list(enumerate(columns)))}
        comma = entry.decimal_comma if entry.decimal_comma is not None else mapping.decimal_comma
        reading = Reading(
            places, decimal_comma=comma, time_zone=entry.time_zone or mapping.time_zone, changes=changes
        )
        # In the order of the names, so that an export with its columns in another order has the same ids.
        key = entry.key if entry.key is not None else sorted(places)
        self._key = [places[name] for name in key]
        self._key_columns = key
        self._prefix = entry.as_
        self._now = now

        def condition(node: Any) -> RowPredicate | None:
            return None if node is None else compile_row_condition(node, places, decimal_comma=comma)

        self._when = condition(entry.when)
        self._events = [
            (condition(event.when), _EventMaker(event, entry, index, reading))
            for index, event in enumerate(entry.events, 1)
        ]

    def of(self, cells: list[str]) -> list[Draft]:
        """The row's events; none where `when` leaves it out. Raises RowRefused."""
        if self._when is not None and not self._when(cells):
            return []
        makers = [maker for when, maker in self._events if when is None or when(cells)]
        if not makers:
            return []
        row_key = [cells[index] for index in self._key]
        if not any(row_key):
            raise RowRefused(
                "empty_cell",
                "the row's key is empty",
                "fill it in, or name other columns in `key`",
                " + ".join(self._key_columns),
            )
        digest = blake2b(msgspec.json.encode([self._prefix, row_key]), digest_size=16).hexdigest()
        return [maker.make(cells, digest, self._now) for maker in makers]


class _EventMaker:
    """Makes one event of a row."""

    def __init__(self, event: EventMapping, entry: FileMapping, index: int, reading: Reading) -> None:
        self._type = event.type
        self._source = entry.event_source
        self._keyed = entry.key is not None or event.id is not None
        self._index = index
        self._id = None if event.id is None else reading.text(event.id)
        self._id_columns = [] if event.id is None else columns_of(event.id)
        self._subject = reading.field(event.subject, _SUBJECT)
        self._time: Callable[[list[str]], datetime] = reading.moment(event.time)
        self._fields: list[tuple[list[str], Reader]] = [
            (name.split("."), reading.field(value, event_field(event.type, name)))
            for name, value in event.data.items()
        ]
        # From a place in the event back to the columns, for what decode_event finds.
        self._columns = {f"$.data.{name}": _columns(value) for name, value in event.data.items()}
        self._columns["$.subject"] = _columns(event.subject)
        self._columns["$.time"] = _columns(event.time)
        self._columns["$.id"] = " + ".join(self._id_columns)

    def make(self, cells: list[str], digest: str, now: float) -> Draft:
        if self._id is None:
            event_id = f"{digest}-{self._index}"
        else:
            event_id = self._id(cells)
            if not event_id:
                raise RowRefused(
                    "empty_cell",
                    "the event's id needs this cell",
                    "fill it in, or take `id` out",
                    self._columns["$.id"],
                )
        moment = self._time(cells)
        data: dict[str, Any] = {}
        for path, read in self._fields:
            value = read(cells)
            if value is not None:
                _put(data, path, value)
        if self._type == "account.profile":
            data.setdefault(
                "attributes", {}
            )  # a row of which all attributes are empty says that the account is there
        body = _encoder.encode(
            {
                "type": self._type,
                "specversion": "1.0",
                "id": event_id,
                "source": self._source,
                "subject": self._subject(cells),
                "time": written_time(moment),
                "data": data,
            }
        )
        try:
            decode_event(body, now=now)
        except EventRefused as error:
            problem = error.problem
            raise RowRefused(
                problem.code,
                problem.what,
                _for_files(problem.code, problem.remedy),
                self._column_at(problem.where),
            ) from None
        return Draft(
            (moment - _EPOCH) // _MICROSECOND,
            blake2b(f"{self._source}\x1f{event_id}".encode(), digest_size=16).digest(),
            self._keyed,
            body,
        )

    def _column_at(self, where: str) -> str:
        while where not in self._columns and "." in where:
            where = where.rsplit(".", 1)[0]
        return self._columns.get(where, "")


_encoder = msgspec.json.Encoder()
_SUBJECT = event_field("support.ticket", "ticket_id")
"""A subject takes what every id takes."""


def _for_files(code: str, remedy: str) -> str:
    if code == "in_future":
        return "an event is what has happened: check `format` and `time_zone`, or leave planned dates out with `when`"
    return remedy


def _columns(value: Value) -> str:
    if value.template is not None:
        return " + ".join(columns_of(value.template))
    return " or ".join(value.column or [])


def _put(data: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        data = data.setdefault(part, {})
    data[path[-1]] = value
