"""What can be wrong in a mapping beyond its shape: fields an event does not have, constants of the wrong type, times
without a zone, ids that would repeat.

Everything here looks at what was written (see schemas/written.py), skips what is not well formed, and yields Misfits.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeGuard

import msgspec

from schemas.event_fields import ATTRIBUTES, EventField, NoSuchField, event_field, fields_of, required_of
from schemas.event_subjects import NEEDED, OWNERS, belongs
from schemas.events import EVENT_CLASSES, Time
from schemas.mapping_values import carries_zone, columns_of, read_as, read_template, spelled_out, time_format
from schemas.written import Misfit, Path

_OPTIONS = {"separator": "list", "format": "time", "time_zone": "time", "currency": "money"}
_READINGS = {"number": ("number", "integer")}
"""What may be read for a field of this kind, where it is more than its own name."""


def event_misfits(written: Mapping[str, Any]) -> Iterator[Misfit]:
    """Of one event of a mapping."""
    event = written.get("type")
    if not isinstance(event, str):
        return
    if event not in EVENT_CLASSES:
        near = difflib.get_close_matches(event, EVENT_CLASSES, 1, 0.6)
        yield Misfit(
            "there is no such event type",
            f"did you mean {near[0]}?" if near else "use one of " + ", ".join(sorted(EVENT_CLASSES)),
            ("type",),
            code="unknown_type",
        )
        return
    yield from _subject_misfits(written.get("subject"), event)
    yield from _time_misfits(written.get("time"))
    data = written.get("data", {})
    if not isinstance(data, Mapping):
        return
    meant: set[str] = set()
    for name, value in data.items():
        try:
            field = event_field(event, name)
        except NoSuchField as error:
            meant.update(difflib.get_close_matches(name, error.near, 1, 0.6))
            yield Misfit(
                error.what, _instead(name, error.near), ("data", name), code="unknown_field", on_key=True
            )
            continue
        yield from _reading_misfits(value, field, ("data", name), name)
    yield from _missing(event, {**dict.fromkeys(meant), **data})  # a misspelt field is there
    for name in data:
        over = next((other for other in data if name.startswith(f"{other}.")), None)
        if over is not None:
            yield Misfit(
                f"`{name}` lies inside `{over}`, which is given too",
                "keep one of them",
                ("data", name),
                code="overlap",
                on_key=True,
            )


def _instead(name: str, near: tuple[str, ...]) -> str:
    last = name.rsplit(".", 1)[-1]
    if f"{ATTRIBUTES}.<name>" in near and "." not in name:
        return f"write `{ATTRIBUTES}.{name}`"
    guesses = difflib.get_close_matches(name, near, 1, 0.6) or [
        one for one in near if one.rsplit(".", 1)[-1] == last
    ]
    if guesses and "<" not in guesses[0]:
        return f"did you mean `{guesses[0]}`?"
    return "use one of " + ", ".join(near)


def _missing(event: str, data: Mapping[str, Any]) -> Iterator[Misfit]:
    for name in required_of(event):
        if name == ATTRIBUTES:
            if not any(str(key).startswith(f"{ATTRIBUTES}.") for key in data):
                yield Misfit(
                    f"{event} needs at least one attribute",
                    f"add a field like `{ATTRIBUTES}.industry`",
                    ("data",),
                    code="missing_field",
                )
        elif name not in data:
            yield Misfit(
                f"{event} needs `{name}`",
                f'add `{name}` under data: a column like "{{Column}}", or a constant',
                ("data",),
                code="missing_field",
            )
    if "amount" in data and "amount" in fields_of(event) and "currency" not in data:
        yield Misfit(
            "an amount needs its currency",
            'add `currency` under data: "{Currency}" for a column, or letters like EUR',
            ("data",),
            code="missing_field",
        )


def _subject_misfits(written: Any, event: str) -> Iterator[Misfit]:
    value = _spelled(written)
    if value is None:
        return
    yield from _reading_misfits(written, EventField("text", str, required=True), ("subject",), "subject")
    text = value.get("constant") or value.get("template") or ""
    if not isinstance(text, str):
        return
    needed, why = NEEDED.get(event, ("", ""))
    if not text.startswith(needed):
        yield Misfit(
            why,
            f'write the subject as "{needed}<name>"',
            ("subject",),
            code="wrong_subject",
        )
    for prefix, owners in OWNERS.items():
        if text.startswith(prefix) and event not in owners:
            yield Misfit(
                belongs(prefix),
                "give the account's id as the subject",
                ("subject",),
                code="wrong_subject",
            )


def _time_misfits(written: Any) -> Iterator[Misfit]:
    value = _spelled(written)
    if value is not None and value.get("constant") is not None:
        yield Misfit(
            "one time for all rows is no history",
            'name the column, like {column: Close Date, format: "%d/%m/%Y"}',
            ("time",),
            code="bad_constant",
        )
        return
    yield from _reading_misfits(written, EventField("time", Time, required=True), ("time",), "time")


def _spelled(written: Any) -> Mapping[str, Any] | None:
    """The long form, or None where it is not well formed: pydantic says so."""
    try:
        value = spelled_out(written)
    except Misfit:
        return None
    return value if isinstance(value, Mapping) else None


def _reading_misfits(written: Any, field: EventField, path: Path, name: str) -> Iterator[Misfit]:
    """Of one value and the field that it is for."""
    value = _spelled(written)
    if value is None:
        return
    reading = read_as(value, field.kind)
    if field.kind != "any" and reading not in _READINGS.get(field.kind, (field.kind,)):
        yield Misfit(
            f"`{name}` takes {_words(field.kind)}, not {_words(reading)}",
            "take `type` out: the field says how the cell is read",
            (*path, "type"),
            code="wrong_type",
        )
        return
    for option, needed in _OPTIONS.items():
        if value.get(option) is not None and reading != needed:
            yield Misfit(
                f"`{option}` is for {_words(needed)}; `{name}` is read as {_words(reading)}",
                f"take it out, or write `type: {needed}`" if field.kind == "any" else "take it out",
                (*path, option),
                code="useless",
                on_key=True,
            )
    if reading == "money" and value.get("currency") is None and "constant" not in value:
        yield Misfit(
            "money needs its currency",
            'add `currency: EUR`, or a column like `currency: "{Currency}"`',
            path,
            code="missing_field",
        )
    for option in ("empty", "else"):
        if field.required and value.get(option) == "omit":
            yield Misfit(
                f"`{name}` must be there, so it can't be left out",
                f"write `{option}: refuse`, or a constant",
                (*path, option),
                code="required",
            )
    yield from _constant_misfits(written, value, field, path, name)


def _constant_misfits(
    written: Any, value: Mapping[str, Any], field: EventField, path: Path, name: str
) -> Iterator[Misfit]:
    """Constants are checked against the field's own type before any row is read."""
    constants: list[tuple[Any, Path]] = []
    if value.get("constant") is not None:
        constants.append((value["constant"], (*path, "constant") if value is written else path))
    for option, words in (("else", ("keep", "omit", "refuse")), ("empty", ("omit", "refuse"))):
        if value.get(option) is not None and value[option] not in words:
            constants.append((value[option], (*path, option)))
    table = value.get("values")
    if isinstance(table, Mapping):
        constants += [(one, (*path, "values", key)) for key, one in table.items() if one is not None]
        if field.required:
            for key in (key for key, one in table.items() if one is None):
                yield Misfit(
                    f"`{name}` must be there, so no value of the table can leave it out",
                    "give a value",
                    (*path, "values", key),
                    code="required",
                )
    for constant, place in constants:
        remedy = _unfit(constant, field, name)
        if remedy is not None:
            yield Misfit(
                f"this constant does not fit `{name}`, which takes {_words(field.kind)}",
                remedy,
                place,
                code="bad_constant",
            )


def _unfit(constant: Any, field: EventField, name: str) -> str | None:
    """What to write instead, or None where the constant fits."""
    if field.choices:
        if constant in field.choices:
            return None
        near = difflib.get_close_matches(str(constant), field.choices, 1, 0.6)
        return f"did you mean {near[0]}?" if near else "write one of " + ", ".join(field.choices)
    try:
        msgspec.convert(constant, field.annotation)
    except msgspec.ValidationError:
        if field.kind == "text" and not isinstance(constant, str | list):
            return "put it in quotes"
        if name.rsplit(".", 1)[-1] == "currency":
            return "write three capital letters from ISO 4217, like EUR"
        return _REMEDIES.get(field.kind, "compare it with `plumbline schema events`")
    return None


def file_misfits(written: Mapping[str, Any]) -> Iterator[Misfit]:
    """Of one file entry: ids that two of its events would share."""
    events = written.get("events")
    if not isinstance(events, list):
        return
    seen: set[str] = set()
    for index, event in enumerate(events):
        template = event.get("id") if isinstance(event, Mapping) else None
        if not isinstance(template, str):
            continue
        if template in seen:
            yield Misfit(
                "two events of this file have the same id template, so the second would count as a repeat",
                "add something of its own to one of them, like -won",
                ("events", index, "id"),
                code="same_id",
            )
        seen.add(template)
        try:
            if not columns_of(read_template(template)):
                yield Misfit(
                    "this id is the same for every row",
                    "name a column in it, like deal-{Deal ID}",
                    ("events", index, "id"),
                    code="same_id",
                )
        except Misfit:
            continue  # its own problem, told where the template is read


def mapping_misfits(written: Mapping[str, Any]) -> Iterator[Misfit]:
    """Across the files: names given twice, and times without a zone."""
    files = written.get("files")
    if not isinstance(files, list):
        return
    names: set[str] = set()
    for index, entry in enumerate(files):
        if not isinstance(entry, Mapping):
            continue
        name = entry.get("as")
        if isinstance(name, str):
            if name in names:
                yield Misfit(
                    "two entries have the same name, and their events would share ids",
                    "give each its own",
                    ("files", index, "as"),
                    code="same_name",
                )
            names.add(name)
        if written.get("time_zone") is None and entry.get("time_zone") is None:
            for path, value in _times(entry):
                formats = value.get("format")
                listed = formats if isinstance(formats, list) else [formats]
                without = [one for one in listed if _is_format(one) and not carries_zone(one)]
                if without and value.get("time_zone") is None:
                    yield Misfit(
                        "times in this format have no offset, so they need a time zone",
                        "add `time_zone: Europe/Berlin` (yours) here, to the file or at the top",
                        ("files", index, *path),
                        code="time_zone",
                    )


def _is_format(written: Any) -> TypeGuard[str]:
    try:
        return isinstance(time_format(written), str)
    except Misfit:
        return False  # its own problem, told where the format is read


def _times(entry: Mapping[str, Any]) -> Iterable[tuple[Path, Mapping[str, Any]]]:
    events = entry.get("events")
    for index, event in enumerate(events if isinstance(events, list) else []):
        if not isinstance(event, Mapping):
            continue
        data = event.get("data")
        places: list[tuple[Path, Any]] = [(("time",), event.get("time"))]
        if isinstance(data, Mapping):
            places += [(("data", name), value) for name, value in data.items()]
        for path, written in places:
            value = _spelled(written)
            if value is not None and value.get("format") is not None:
                yield ("events", index, *path), value


def _words(kind: str) -> str:
    return _KINDS.get(kind, "another type")


_KINDS = {
    "text": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "time": "a time",
    "list": "a list",
    "money": "money",
    "any": "any value",
}
_REMEDIES = {
    "text": "write a text that is not empty, within the field's length",
    "number": "write a number without quotes",
    "integer": "write a whole number in the field's range, without quotes",
    "boolean": "write true or false, without quotes",
    "time": 'write it like "2026-11-01T09:30:00Z"',
    "list": "write a list of texts, like [snowflake, dbt]",
    "money": "use `attributes.arr.amount` and `attributes.arr.currency`",
}
