"""Which fields a condition may name, and what each of them can be compared with.

A test that can never hold (a number where the field is a text, an outcome that is not in the list) is a mistake of
the person who wrote it, so it is refused; attributes that only the author's own systems know can be anything.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from schemas.events import EVENT_CLASSES, KnownAttributes

Kind = Literal["text", "number", "boolean", "list", "time", "mapping", "anything"]

PROFILE = "account.profile"

_NUMERIC = frozenset({"between", "at_least", "at_most", "more_than", "less_than"})
_TEXTUAL = frozenset({"contains", "contains_any", "glob", "regex"})
_WHOLE = frozenset({"equals", "not_equals", "in", "not_in"})

_NEVER: dict[Kind, frozenset[str]] = {
    "text": _NUMERIC,
    "number": _TEXTUAL,
    "boolean": _NUMERIC | _TEXTUAL,
    "list": _NUMERIC | _WHOLE | {"glob", "regex"},
    "time": _NUMERIC | _WHOLE | _TEXTUAL | {"any", "all"},
    "mapping": _NUMERIC | _WHOLE | _TEXTUAL | {"any", "all"},
    "anything": frozenset(),
}

_SAYS: dict[Kind, str] = {
    "text": "a text",
    "number": "a number",
    "boolean": "true or false",
    "list": "a list",
    "time": "a time",
    "mapping": "a mapping of its own",
    "anything": "anything",
}


class Field(Struct, frozen=True):
    kind: Kind
    choices: tuple[str, ...] = ()
    below: Mapping[str, Any] | None = None
    """the fields of a mapping whose fields are known"""


ANYTHING = Field("anything")


def fields_of(event: str) -> dict[str, Field]:
    """The fields of an event type's data, without those of an account.profile, which has attributes."""
    return _fields(get_type_hints(EVENT_CLASSES[event])["data"])


def attributes() -> dict[str, Field]:
    """The attributes of an account whose kind is known."""
    known = _fields(KnownAttributes)
    # They are kept as the texts that came, so a time can be compared like a text.
    return {name: Field("text") if field.kind == "time" else field for name, field in known.items()}


def find(fields: Mapping[str, Field], path: str, *, strict: bool) -> Field | None:
    """The field that ``path`` (dots go deeper) leads to; None where there can't be one."""
    first, _, rest = path.partition(".")
    field = fields.get(first)
    if field is None:
        return None if strict else ANYTHING
    if not rest:
        return field
    if field.below is not None:
        return find(field.below, rest, strict=True)
    return ANYTHING if field.kind in ("mapping", "anything") else None


def objection(name: str, field: Field, operator: str, operand: object) -> tuple[str, str] | None:
    """What is wrong with this test and what to write instead; None when it can hold."""
    if operator in _NEVER[field.kind]:
        return f"`{name}` is {_SAYS[field.kind]}, so `{operator}` never holds", _instead(
            name, field.kind, operator
        )
    if operator not in _WHOLE and operator not in ("any", "all"):
        return None
    for value in operand if isinstance(operand, list) else (operand,):
        if field.choices and value not in field.choices:
            return f"`{name}` is never this value", "use one of " + ", ".join(field.choices)
        if field.kind == "text" and not isinstance(value, str):
            return f"`{name}` is a text", 'put the value in quotes, like "50"'
        if field.kind == "number" and not _is_number(value):
            return f"`{name}` is a number", f"write it without quotes, like {name}: 50"
        if field.kind == "boolean" and not isinstance(value, bool):
            return f"`{name}` is true or false", f"write {name}: true"
    return None


def _instead(name: str, kind: Kind, operator: str) -> str:
    if kind == "list" and operator in ("not_equals", "not_in"):
        return f"write not: {{{name}: {{any: [...]}}}}"
    return {
        "text": f'compare it with a text, like {name}: {{contains: "..."}}',
        "number": f"compare it with numbers, like {name}: {{between: [50, 2000]}}",
        "boolean": f"write {name}: true",
        "list": f"write {name}: {{any: [...]}}",
        "time": f"write {name}: {{exists: true}}",
        "mapping": f"name one of its fields, like {name}.plan, or write {name}: {{exists: true}}",
    }.get(kind, "")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fields(struct: type[Struct]) -> dict[str, Field]:
    return {field.name: _field(field.type) for field in msgspec.structs.fields(struct)}


def _field(annotation: Any) -> Field:
    if get_origin(annotation) is Annotated:
        return _field(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return _field(next(one for one in get_args(annotation) if one is not type(None)))
    if get_origin(annotation) is Literal:
        return Field("text", choices=get_args(annotation))
    if get_origin(annotation) is list:
        return Field("list")
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return Field("mapping", below=_fields(annotation))
    kinds: Iterable[tuple[type, Kind]] = (
        (bool, "boolean"),
        (int, "number"),
        (float, "number"),
        (str, "text"),
        (datetime, "time"),
        (dict, "mapping"),
    )
    origin = get_origin(annotation) or annotation
    return Field(next((kind for cls, kind in kinds if origin is cls), "anything"))
