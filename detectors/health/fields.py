"""What data health looks at in an event of each type: fields that may be empty, fields whose values may be taken over, and
what names the thing that an event tells of, so that it is known when it is told twice.

Rules:
1. Looked at is what a signal needs (needs.py) and what an event may lack; what it must have, the reader has seen to.
2. Of a value only its place among BUCKETS is known, by a checksum of its first PREFIX characters: a template stands in
   front. No text, and nothing that names a person, leaves the account stage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any
from zlib import crc32

import msgspec
from msgspec import Struct

from schemas.events import EVENT_CLASSES, Envelope

Needs = Mapping[str, frozenset[str]]
"""event type -> fields of its data that a signal feeds on"""
ValueOf = Callable[[Any], Any]
BUCKETS = 16
PREFIX = 24
SKETCH_BITS = 2048

_VALUES = {
    "product.event": ("feature", "name"),
    "crm.stage_changed": ("note",),
    "support.ticket": ("category",),
}
"""Not a ticket's subject: in an outage all ask the same, and that is no illness of the help desk."""
_KEYS = {
    "support.ticket": ("subject", "data.ticket_id", "data.status", "data.category"),
    "crm.stage_changed": ("subject", "data.opportunity_id", "data.to_stage", "data.outcome"),
}
_ATTRIBUTES = "attributes."


class Looked(Struct, frozen=True):
    """At one event class: fields whose values are counted, and others that may be lacking, each with what gives it of an event;
    ``key`` gives what an event tells of, or is None."""

    optional: Mapping[str, ValueOf]
    valued: Mapping[str, ValueOf]
    key: ValueOf | None


def looked_at(needs: Iterable[Needs]) -> dict[type[Envelope], Looked]:
    """By event class, what these needs of signals make worth looking at."""
    needed: dict[str, set[str]] = {}
    for of_signal in needs:
        for event_type, fields in of_signal.items():
            needed.setdefault(event_type, set()).update(fields)
    found = {}
    for event_type, event_class in EVENT_CLASSES.items():
        names = needed.get(event_type, set())
        valued = tuple(name for name in _VALUES.get(event_type, ()) if name in names)
        optional = tuple(sorted(name for name in names - {*valued} if _may_lack(event_class, name)))
        key = _KEYS.get(event_type)
        found[event_class] = Looked(
            {name: _getter(name) for name in optional},
            {name: _getter(name) for name in valued},
            attrgetter(*key) if key and names else None,
        )
    return found


def bucket(value: object) -> int:
    """The place of a value; one that is no text by how it is written."""
    return crc32(str(value)[:PREFIX].encode("utf-8", "surrogatepass")) % BUCKETS


def sketch_bit(key: tuple[Any, ...]) -> int:
    """The bit of a linear counter (Whang, Vander-Zanden, Taylor 1990) that stands for ``key``."""
    return crc32("\x1f".join(map(str, key)).encode("utf-8", "surrogatepass")) % SKETCH_BITS


def _may_lack(event_class: type[Envelope], name: str) -> bool:
    if name.startswith(_ATTRIBUTES):
        return True
    data = next(field.type for field in msgspec.structs.fields(event_class) if field.name == "data")
    return any(field.name == name and not field.required for field in msgspec.structs.fields(data))


def _getter(name: str) -> ValueOf:
    if name.startswith(_ATTRIBUTES):
        attribute = name.removeprefix(_ATTRIBUTES)
        return lambda event: event.data.attributes.get(attribute)
    return attrgetter(f"data.{name}")
