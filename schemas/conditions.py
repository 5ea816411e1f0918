"""The one condition language: in screens, fit, triggers, blockers, objections, lifecycle and mappings.

A condition is a mapping of a field to a value or to one operator; several fields mean *and*; ``any``, ``all`` and
``not`` nest::

    {employees: {between: [50, 2000]}, industry: {not_in: [gambling]}}
    {event: web.visit, path: {glob: "/pricing*"}}
    {any: [{tier: enterprise}, {seats: {at_least: 200}}]}

Rules:
1. ``event: <type>`` makes it a condition on one event; its fields are those of the event's ``data`` (the attributes
   of an account.profile), dots go deeper (``properties.plan``), and ``account: {...}`` adds a condition on the
   account's profile. Without ``event`` the fields are the account's attributes.
2. A field that is not there fulfils no operator but ``exists: false`` (and what stands under ``not``).
3. Regular expressions are RE2: linear time, no back-references.

This module reads and checks; detectors/matching.py compiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

import msgspec
import re2
from msgspec import Struct

from schemas.events import EVENT_CLASSES

MAX_NESTING = 6
MAX_LIST = 1000
MAX_PATTERN = 200

OPERATORS: dict[str, str] = {
    "equals": "the very value",
    "not_equals": "any other value",
    "in": "one of a list",
    "not_in": "none of a list",
    "between": "[low, high], both included",
    "at_least": "a number, included",
    "at_most": "a number, included",
    "more_than": "a number, not included",
    "less_than": "a number, not included",
    "contains": "a text that occurs in the text (any case), or a value that occurs in the list",
    "contains_any": "a list: one of them occurs",
    "any": "a list: the field's list has one of them",
    "all": "a list: the field's list has all of them",
    "glob": "a pattern with * and ?, over the whole text",
    "regex": "an RE2 pattern, found anywhere in the text",
    "exists": "true or false",
}

_LISTS = frozenset({"in", "not_in", "contains_any", "any", "all"})
_NUMBERS = frozenset({"at_least", "at_most", "more_than", "less_than"})


class Test(Struct, frozen=True):
    """One field under one operator."""

    field: str
    operator: str
    operand: Any


class AllOf(Struct, frozen=True):
    of: tuple[Test | AllOf | AnyOf | Not, ...]


class AnyOf(Struct, frozen=True):
    of: tuple[Test | AllOf | AnyOf | Not, ...]


class Not(Struct, frozen=True):
    of: Test | AllOf | AnyOf | Not


Node = Test | AllOf | AnyOf | Not


class Condition(Struct, frozen=True):
    """A condition as read. ``event`` is the event type it is about, or None when it is about the profile alone."""

    event: str | None
    of_event: Node
    of_account: Node


class ConditionRefused(ValueError):
    """``path`` leads from the condition's root to the place, for the line and column."""

    def __init__(self, what: str, remedy: str, path: tuple[str | int, ...]) -> None:
        super().__init__(f"{what}: {remedy}" if remedy else what)
        self.what = what
        self.remedy = remedy
        self.path = path


def read_condition(written: object) -> Condition:
    """The condition in ``written`` (what YAML gives). Raises ConditionRefused."""
    if not isinstance(written, Mapping) or not written:
        raise ConditionRefused(
            "a condition is a mapping of fields to values", "write it like {industry: saas}", ()
        )
    event = written.get("event")
    if event is None:
        return Condition(None, AllOf(()), _node(written, (), 0, reserved=frozenset()))
    if event not in EVENT_CLASSES:
        raise ConditionRefused(
            f"there is no event type {event!r}", "use one of " + ", ".join(sorted(EVENT_CLASSES)), ("event",)
        )
    account = written.get("account")
    of_account: Node = AllOf(()) if account is None else _node(account, ("account",), 1, reserved=frozenset())
    of_event = _node(written, (), 0, reserved=frozenset({"event", "account"}))
    known = _data_fields(event)
    if event != "account.profile":
        for field, path in _fields(of_event):
            if field.split(".", 1)[0] not in known:
                raise ConditionRefused(
                    f"{event} has no field {field!r}", "use one of " + ", ".join(sorted(known)), path
                )
    return Condition(event, of_event, of_account)


def _data_fields(event: str) -> tuple[str, ...]:
    data_class = get_type_hints(EVENT_CLASSES[event])["data"]
    return tuple(field.name for field in msgspec.structs.fields(data_class))


def _fields(node: Node) -> list[tuple[str, tuple[str | int, ...]]]:
    if isinstance(node, Test):
        return [(node.field, (node.field,))]
    if isinstance(node, Not):
        return _fields(node.of)
    return [found for child in node.of for found in _fields(child)]


def _node(written: object, path: tuple[str | int, ...], level: int, *, reserved: frozenset[str]) -> Node:
    if level > MAX_NESTING:
        raise ConditionRefused("the condition nests too deep", f"at most {MAX_NESTING} levels", path)
    if not isinstance(written, Mapping):
        raise ConditionRefused(
            "a condition is a mapping of fields to values", "write it like {industry: saas}", path
        )
    parts: list[Node] = []
    for key, value in written.items():
        here = (*path, str(key))
        if key in reserved:
            continue
        if not isinstance(key, str):
            raise ConditionRefused(f"a field's name is a text, not {key!r}", "put it in quotes", here)
        if key in ("any", "all"):
            if not isinstance(value, list) or not value:
                raise ConditionRefused(
                    f"{key!r} takes a list of conditions", f"write {key}: [{{...}}, {{...}}]", here
                )
            children = tuple(
                _node(child, (*here, i), level + 1, reserved=frozenset()) for i, child in enumerate(value)
            )
            parts.append(AnyOf(children) if key == "any" else AllOf(children))
        elif key == "not":
            parts.append(Not(_node(value, here, level + 1, reserved=frozenset())))
        else:
            parts.append(_test(key, value, here))
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _test(field: str, value: object, path: tuple[str | int, ...]) -> Node:
    if not isinstance(value, Mapping):
        if isinstance(value, list):
            raise ConditionRefused(
                f"{field!r} is compared with a list", f"write {field}: {{in: [...]}} or {{any: [...]}}", path
            )
        if value is None:
            raise ConditionRefused(
                f"{field!r} is compared with nothing", f"write {field}: {{exists: false}}", path
            )
        return Test(field, "equals", value)
    if len(value) != 1:
        tests = tuple(_test(field, {op: operand}, path) for op, operand in value.items())
        if not tests:
            raise ConditionRefused(f"{field!r} has no operator", "use one of " + ", ".join(OPERATORS), path)
        return AllOf(tests)
    ((operator, operand),) = value.items()
    here = (*path, str(operator))
    if operator not in OPERATORS:
        raise ConditionRefused(
            f"there is no operator {operator!r}", "use one of " + ", ".join(OPERATORS), here
        )
    check = _CHECKS.get(operator)
    if check is not None and not check(operand):
        raise ConditionRefused(f"{operator!r} takes {OPERATORS[operator]}", "", here)
    if operator in _LISTS and len(operand) > MAX_LIST:
        raise ConditionRefused(f"the list has more than {MAX_LIST} values", "use a shorter one", here)
    if operator == "regex":
        try:
            re2.compile(operand)
        except re2.error as error:
            raise ConditionRefused(
                f"not a regular expression: {error}", "RE2 has no look-around and no back-references", here
            ) from None
    return Test(field, operator, operand)


def _is_number(operand: object) -> bool:
    return isinstance(operand, int | float) and not isinstance(operand, bool)


def _is_scalar(operand: object) -> bool:
    return isinstance(operand, str | int | float | bool)


def _is_list(operand: object) -> bool:
    return isinstance(operand, list) and bool(operand) and all(map(_is_scalar, operand))


def _is_pattern(operand: object) -> bool:
    return isinstance(operand, str) and 0 < len(operand) <= MAX_PATTERN


_CHECKS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(_LISTS, _is_list),
    **dict.fromkeys(_NUMBERS, _is_number),
    "equals": _is_scalar,
    "not_equals": _is_scalar,
    "contains": _is_scalar,
    "between": lambda operand: (
        isinstance(operand, list)
        and len(operand) == 2
        and all(map(_is_number, operand))
        and operand[0] <= operand[1]
    ),
    "glob": _is_pattern,
    "regex": _is_pattern,
    "exists": lambda operand: isinstance(operand, bool),
}
