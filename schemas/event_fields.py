"""The fields of every event type by their dotted names, as a mapping writes them: ``amount``, ``attributes.arr``,
``properties.plan``, ``campaign.medium``.

Rules:
1. What a field takes comes from the structs in schemas/events.py alone; nothing is listed twice.
2. Attributes and properties are free; the attributes that Plumbline relies on have the type of KnownAttributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, get_type_hints

import msgspec
from msgspec import Struct
from msgspec import inspect as shapes

from schemas.events import DEFAULT_LIMITS, EVENT_CLASSES, KnownAttributes, Money

Kind = Literal["text", "number", "integer", "boolean", "time", "list", "money", "any"]

ATTRIBUTES = "attributes"
MAX_PARTS = DEFAULT_LIMITS.max_depth - 2
"""Parts of a dotted name, at most: envelope and a list's own level are the two others."""


class EventField(Struct, frozen=True):
    """What one field takes. ``annotation`` is the type that a constant is checked against."""

    kind: Kind
    annotation: Any
    required: bool = False
    choices: tuple[str, ...] = ()


class NoSuchField(ValueError):
    """The event type has no such field. ``near`` are the names that would be right there."""

    def __init__(self, what: str, near: tuple[str, ...]) -> None:
        super().__init__(what)
        self.what = what
        self.near = near


def event_field(event: str, name: str) -> EventField:
    """The field ``name`` of the data of ``event`` (one of EVENT_CLASSES). Raises NoSuchField."""
    parts = name.split(".")
    fields = fields_of(event)
    if not all(parts) or parts[0] not in fields:
        raise NoSuchField(f"{event} has no field `{name}`", names_of(event))
    if len(parts) > MAX_PARTS:
        raise NoSuchField(f"`{name}` nests deeper than an event may", names_of(event))
    field = fields[parts[0]]
    if parts[0] == ATTRIBUTES and len(parts) > 1:
        known = _struct_fields(KnownAttributes)
        # An attribute that is not known is the firm's own: it takes what comes.
        if parts[1] not in known:
            return EventField("any", Any)
        field, parts = known[parts[1]], [".".join(parts[:2]), *parts[2:]]
    for depth, part in enumerate(parts[1:], 1):
        inner = _struct_of(field.annotation)
        if inner is not None:
            inside = _struct_fields(inner)
            if part not in inside:
                raise NoSuchField(
                    f"`{'.'.join(parts[:depth])}` has no `{part}`",
                    tuple(f"{'.'.join(parts[:depth])}.{one}" for one in inside),
                )
            field = inside[part]
        elif _is_free(field.annotation):
            return EventField("any", Any)
        else:
            raise NoSuchField(f"`{'.'.join(parts[:depth])}` is one value, with nothing inside", (parts[0],))
    if _is_free(field.annotation) or (field.kind == "any" and _struct_of(field.annotation) is not None):
        raise NoSuchField(f"`{name}` holds several values", (f"{name}.<name>",))
    return field


@cache
def fields_of(event: str) -> Mapping[str, EventField]:
    """The top fields of the data of ``event``."""
    return _struct_fields(get_type_hints(EVENT_CLASSES[event])["data"])


def required_of(event: str) -> tuple[str, ...]:
    return tuple(name for name, field in fields_of(event).items() if field.required)


def names_of(event: str) -> tuple[str, ...]:
    """The names that can be written for ``event``; ``<name>`` stands for one's own."""
    names: list[str] = []
    for name, field in fields_of(event).items():
        inner = _struct_of(field.annotation)
        if name == ATTRIBUTES:
            names += [f"{name}.{known}" for known in _struct_fields(KnownAttributes)] + [f"{name}.<name>"]
        elif _is_free(field.annotation):
            names.append(f"{name}.<name>")
        elif inner is not None:
            names += [f"{name}.{one}" for one in _struct_fields(inner)]
        else:
            names.append(name)
    return tuple(names)


@cache
def _struct_fields(struct: type[Struct]) -> Mapping[str, EventField]:
    hints = get_type_hints(struct, include_extras=True)
    return {
        field.name: _field(hints[field.name], required=field.required)
        for field in msgspec.structs.fields(struct)
    }


def _field(annotation: Any, *, required: bool) -> EventField:
    shape = _shape(annotation)
    if isinstance(shape, shapes.LiteralType):
        return EventField("text", annotation, required, tuple(str(value) for value in shape.values))
    if isinstance(shape, shapes.StructType):
        return EventField("money" if shape.cls is Money else "any", annotation, required)
    kind: Kind = _KINDS.get(type(shape), "any")
    return EventField(kind, annotation, required)


_KINDS: Mapping[type[shapes.Type], Kind] = {
    shapes.StrType: "text",
    shapes.FloatType: "number",
    shapes.IntType: "integer",
    shapes.BoolType: "boolean",
    shapes.DateTimeType: "time",
    shapes.ListType: "list",
}


def _shape(annotation: Any) -> shapes.Type:
    """The type without its None and its metadata."""
    shape = shapes.type_info(annotation)
    if isinstance(shape, shapes.UnionType):
        (shape,) = (one for one in shape.types if not isinstance(one, shapes.NoneType))
    while isinstance(shape, shapes.Metadata):
        shape = shape.type
    return shape


def _struct_of(annotation: Any) -> type[Struct] | None:
    shape = _shape(annotation)
    return shape.cls if isinstance(shape, shapes.StructType) else None


def _is_free(annotation: Any) -> bool:
    return isinstance(_shape(annotation), shapes.DictType)
