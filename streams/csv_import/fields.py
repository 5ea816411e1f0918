"""Makes a mapping's value (schemas/mapping_values.py) runnable over the cells of a row.

A reader gives the field's value, or None where the field is left out; it raises RowRefused, which names the column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from schemas.event_fields import EventField
from schemas.mapping_values import Column, Template, Value, columns_of, read_as
from streams.csv_import.cells import (
    CellRefused,
    ClockChanges,
    read_boolean,
    read_currency,
    read_integer,
    read_list,
    read_number,
    time_reader,
)
from streams.csv_import.refusal import RowRefused

Reader = Callable[[list[str]], Any]
_NOT_GIVEN = object()


class Reading:
    """What all fields of one file share."""

    def __init__(
        self, columns: Mapping[str, int], *, decimal_comma: bool, time_zone: str | None, changes: ClockChanges
    ) -> None:
        self.columns = columns
        self.decimal_comma = decimal_comma
        self.time_zone = time_zone
        self.changes = changes
        self._time_readers: dict[tuple[tuple[str, ...], str | None], Callable[[str], datetime]] = {}

    def moment(self, value: Value) -> Callable[[list[str]], datetime]:
        """The time of an event, in UTC."""
        return self._parsed(value, self._time(value), required=True, final=_fixed_time)

    def field(self, value: Value, field: EventField) -> Reader:
        """The value of a field of an event, as JSON holds it."""
        if value.constant is not None:
            constant = value.constant
            return lambda cells: constant
        parse = self._parse(value, field)
        return self._parsed(value, parse, required=field.required, final=lambda constant: constant)

    def text(self, template: Template) -> Callable[[list[str]], str]:
        """The text of a template; empty where one of its columns is."""
        pieces = [self.columns[piece.name] if isinstance(piece, Column) else piece for piece in template]
        if len(pieces) == 1 and isinstance(pieces[0], int):
            index = pieces[0]
            return lambda cells: cells[index]

        def read(cells: list[str]) -> str:
            parts: list[str] = []
            for piece in pieces:
                part = cells[piece] if isinstance(piece, int) else piece
                if not part:
                    return ""
                parts.append(part)
            return "".join(parts)

        return read

    def _raw(self, value: Value) -> tuple[Callable[[list[str]], str], str]:
        """The cell's text, and the column to name when it does not fit."""
        if value.template is not None:
            return self.text(value.template), " + ".join(columns_of(value.template))
        names = value.column or []
        indexes = [self.columns[name] for name in names]
        shown = " or ".join(names)
        if len(indexes) == 1:
            (index,) = indexes
            return lambda cells: cells[index], shown

        def first(cells: list[str]) -> str:
            return next((cells[index] for index in indexes if cells[index]), "")

        return first, shown

    def _parsed(
        self,
        value: Value,
        parse: Callable[[str, list[str]], Any],
        *,
        required: bool,
        final: Callable[[Any], Any],
    ) -> Reader:
        raw, column = self._raw(value)
        remove, case, table, otherwise = value.remove, value.case, value.values, value.else_
        empty = value.empty if value.empty is not None else ("refuse" if required else "omit")

        def read(cells: list[str]) -> Any:
            text = raw(cells)
            if remove:
                for one in remove:
                    text = text.replace(one, "")
                text = text.strip()
            if not text:
                if empty == "omit":
                    return None
                if empty == "refuse":
                    raise RowRefused(
                        "empty_cell",
                        "the cell is empty",
                        "fill it in; or name in the mapping what an empty cell means (`empty`), or leave such rows out (`when`)",
                        column,
                    )
                return final(empty)
            if case is not None:
                text = text.lower() if case == "lower" else text.upper()
            if table:
                found = table.get(text, _NOT_GIVEN)
                if found is not _NOT_GIVEN:
                    return None if found is None else final(found)
                if otherwise == "omit":
                    return None
                if otherwise == "refuse":
                    raise RowRefused(
                        "not_in_table",
                        "the value is not in the mapping's table",
                        "add it to `values`, or write `else: keep` or `else: omit`",
                        column,
                    )
                if otherwise != "keep":
                    return final(otherwise)
            try:
                return parse(text, cells)
            except CellRefused as error:
                raise RowRefused(error.code, error.what, error.remedy, column) from None

        return read

    def _parse(self, value: Value, field: EventField) -> Callable[[str, list[str]], Any]:
        kind = read_as({name: getattr(value, name) for name in value.model_fields_set}, field.kind)
        comma = self.decimal_comma
        if kind == "number":
            return lambda text, _: read_number(text, decimal_comma=comma)
        if kind == "integer":
            return lambda text, _: read_integer(text, decimal_comma=comma)
        if kind == "boolean":
            return lambda text, _: read_boolean(text)
        if kind == "list":
            separator = value.separator or ";"
            return lambda text, _: read_list(text, separator)
        if kind == "time":
            time = self._time(value)
            return lambda text, cells: written_time(time(text, cells))
        if kind == "money":
            return self._money(value)
        if field.choices:
            return _choice(field.choices)
        return lambda text, _: text

    def _time(self, value: Value) -> Callable[[str, list[str]], datetime]:
        way = (value.formats, value.time_zone or self.time_zone)
        if way not in self._time_readers:
            self._time_readers[way] = time_reader(*way, self.changes)
        read = self._time_readers[way]
        return lambda text, _: read(text)

    def _money(self, value: Value) -> Callable[[str, list[str]], Any]:
        currency = self.text(value.currency or ())
        comma = self.decimal_comma

        def read(text: str, cells: list[str]) -> dict[str, Any]:
            return {
                "amount": read_number(text, decimal_comma=comma),
                "currency": read_currency(currency(cells)),
            }

        return read


def _choice(choices: tuple[str, ...]) -> Callable[[str, list[str]], str]:
    def read(text: str, _: list[str]) -> str:
        if text not in choices:
            raise CellRefused(
                "bad_value",
                "not one of " + ", ".join(choices),
                "give a table from the cell's words in `values`",
            )
        return text

    return read


def _fixed_time(constant: Any) -> datetime:
    return msgspec.convert(constant, datetime)


def written_time(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second where nothing is smaller."""
    return moment.isoformat().replace("+00:00", "Z")
