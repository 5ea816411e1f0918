"""The condition language as JSON Schema: what editors need for completion, and to mark what can't be right.

Looser than read_condition where a schema can't say it in a way that an editor explains well.
"""

from __future__ import annotations

from typing import Any

from schemas.condition_fields import PROFILE, Field, attributes, fields_of
from schemas.conditions import MAX_LIST, MAX_PATTERN, OPERATORS
from schemas.event_subjects import NEEDED
from schemas.events import EVENT_CLASSES

_SCALAR = {"type": ["string", "number", "boolean"]}
_LIST = {"type": "array", "minItems": 1, "maxItems": MAX_LIST, "items": _SCALAR}
_NUMBER = {"type": "number"}
_PATTERN = {"type": "string", "minLength": 1, "maxLength": MAX_PATTERN}
_OPERANDS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("equals", "not_equals", "contains"), _SCALAR),
    **dict.fromkeys(("in", "not_in", "contains_any", "any", "all"), _LIST),
    **dict.fromkeys(("at_least", "at_most", "more_than", "less_than"), _NUMBER),
    **dict.fromkeys(("glob", "regex"), _PATTERN),
    "between": {"type": "array", "minItems": 2, "maxItems": 2, "items": _NUMBER},
    "exists": {"type": "boolean"},
}
_OF_ACCOUNTS = sorted(set(EVENT_CLASSES) - set(NEEDED))


def condition_definitions() -> dict[str, Any]:
    """The ``$defs`` condition, event_condition, account_condition, fields, test."""
    operators = {
        name: {"description": text[0].upper() + text[1:], **_OPERANDS[name]}
        for name, text in OPERATORS.items()
    }
    account = {name: _test(field) for name, field in attributes().items()}
    return {
        "test": {
            "description": "A value, or operators: {between: [50, 2000]}.",
            "anyOf": [
                _SCALAR,
                {
                    "type": "object",
                    "minProperties": 1,
                    "properties": operators,
                    "additionalProperties": False,
                },
            ],
        },
        "fields": {
            "description": "Fields and what they are compared with; several mean and.",
            "type": "object",
            "minProperties": 1,
            "properties": {**_nesting(), "event": False},
            "additionalProperties": {"$ref": "#/$defs/test"},
        },
        "account_condition": {
            "description": "On the account's profile: {employees: {between: [50, 2000]}}.",
            "type": "object",
            "minProperties": 1,
            "properties": {**account, **_nesting(), "event": False, "account": False},
            "additionalProperties": {"$ref": "#/$defs/test"},
        },
        "event_condition": {
            "description": 'On an event: {event: web.visit, path: {glob: "/pricing*"}}.',
            "type": "object",
            "required": ["event"],
            "properties": {
                "event": {"description": "The type of the event.", "enum": _OF_ACCOUNTS},
                "account": {"$ref": "#/$defs/account_condition"},
            },
            "allOf": [_if_event(event) for event in _OF_ACCOUNTS],
        },
        "condition": {
            "description": "On the account's profile, or on an event.",
            "type": "object",
            "if": {"required": ["event"]},
            "then": {"$ref": "#/$defs/event_condition"},
            "else": {"$ref": "#/$defs/account_condition"},
        },
    }


def _nesting() -> dict[str, Any]:
    several = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/fields"}}
    return {
        "any": {"description": "At least one of these holds.", **several},
        "all": {"description": "All of these hold.", **several},
        "not": {"description": "This does not hold.", "$ref": "#/$defs/fields"},
    }


def _if_event(event: str) -> dict[str, Any]:
    allowed: dict[str, Any] = {"event": True, "account": True, **_nesting()}
    if event == PROFILE:
        then: dict[str, Any] = {"properties": allowed, "additionalProperties": {"$ref": "#/$defs/test"}}
    else:
        fields = fields_of(event)
        deeper = [name for name, field in fields.items() if field.kind == "mapping"]
        then = {
            "properties": {**{name: _test(field) for name, field in fields.items()}, **allowed},
            "patternProperties": {f"^{name}\\.": {"$ref": "#/$defs/test"} for name in deeper},
            "additionalProperties": False,
        }
    return {"if": {"properties": {"event": {"const": event}}, "required": ["event"]}, "then": then}


def _test(field: Field) -> dict[str, Any]:
    if field.choices:
        return {"anyOf": [{"enum": list(field.choices)}, {"$ref": "#/$defs/test", "type": "object"}]}
    return {"$ref": "#/$defs/test"}
