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
4. A test that can never hold is refused (see condition_fields.py).

This module reads and checks; detectors/matching.py compiles.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import re2
from msgspec import Struct

from schemas.condition_fields import PROFILE, Field, attributes, fields_of, find, objection
from schemas.event_subjects import NEEDED
from schemas.events import EVENT_CLASSES
from schemas.file_positions import Path, show_key
from schemas.written import Misfit

MAX_NESTING = 6
MAX_LIST = 1000
MAX_PATTERN = 200
MAX_TEXT = 500
MAX_TESTS = 200

OPERATORS: dict[str, str] = {
    "equals": "the very value (a text, a number, true or false)",
    "not_equals": "any other value",
    "in": f"a list of at most {MAX_LIST} values, one of which it is",
    "not_in": "a list of values, none of which it is",
    "between": "two numbers [low, high], both included",
    "at_least": "a number, included",
    "at_most": "a number, included",
    "more_than": "a number, not included",
    "less_than": "a number, not included",
    "contains": "a text that occurs in the text (any case), or a value that occurs in the list",
    "contains_any": "a list: one of them occurs",
    "any": "a list: the field's list has one of them",
    "all": "a list: the field's list has all of them",
    "glob": f"a pattern with * and ?, over the whole text, of at most {MAX_PATTERN} characters",
    "regex": f"an RE2 pattern, found anywhere in the text, of at most {MAX_PATTERN} characters",
    "exists": "true or false: is there a value",
}


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


class ConditionRefused(Misfit):
    """``path`` leads from the condition's root to the place; ``others`` are the further refusals of this condition."""

    others: Sequence[ConditionRefused] = ()


About = Literal["either", "event", "account", "row"]
"""What a condition may be about: an event, the account's profile, either of them, or a row of a CSV file, in which a
field may have any name."""


def read_condition(written: object, about: About = "either") -> Condition:
    """The condition in ``written`` (what YAML gives). Raises ConditionRefused."""
    if not isinstance(written, Mapping) or not written:
        raise ConditionRefused(_NOT_A_MAPPING, "write it like {industry: software}", code="condition")
    event = written.get("event") if about != "row" else None
    reader = _Reader()
    if event is None:
        if about == "event":
            reader.refuse(
                "this condition needs to say which event it is about",
                'begin it with event:, like {event: web.visit, path: {glob: "/pricing*"}}',
                (),
                code="event_needed",
            )
            return reader.finished(Condition(None, AllOf(()), AllOf(())))
        if about == "row":
            reader.reserved, reader.known = {}, {}
        else:
            reader.reserved = {
                "event": _EVENT_ON_TOP,
                "account": "without `event`, name the attribute itself",
            }
            reader.known = attributes()
        return reader.finished(Condition(None, AllOf(()), reader.node(written, (), 0)))
    if about == "account":
        reader.refuse(
            "a condition here is about the account, not about an event",
            "take event: out and name attributes of the account; what happened belongs in triggers",
            ("event",),
            code="no_event_here",
            on_key=True,
        )
        return reader.finished(Condition(None, AllOf(()), AllOf(())))
    if not isinstance(event, str) or event not in EVENT_CLASSES:
        near = difflib.get_close_matches(str(event)[:100], EVENT_CLASSES, 1, 0.6)
        reader.refuse(
            "there is no such event type",
            f"did you mean `{near[0]}`?" if near else "use one of " + ", ".join(sorted(EVENT_CLASSES)),
            ("event",),
            code="unknown_event",
        )
        return reader.finished(Condition(None, AllOf(()), AllOf(())))
    if event in NEEDED:
        reader.refuse(NEEDED[event][1], "use another event type", ("event",))
    of_account: Node = AllOf(())
    reader.reserved = {"event": _EVENT_ON_TOP, "account": "write `account` once, beside `event`"}
    if written.get("account") is not None:
        reader.known = attributes()
        of_account = reader.node(written["account"], ("account",), 1)
    reader.event = event
    reader.known = attributes() if event == PROFILE else fields_of(event)
    rest = {key: value for key, value in written.items() if key not in ("event", "account")}
    return reader.finished(Condition(event, reader.node(rest, (), 0), of_account))


_NOT_A_MAPPING = "a condition is a mapping of fields to values"
_EVENT_ON_TOP = "write `event` once, at the top of the condition"


class _Reader:
    """Reads the nodes of one condition, and goes on after a refusal so that all are found."""

    def __init__(self) -> None:
        self.event: str | None = None
        self.known: Mapping[str, Field] = {}
        self.reserved: Mapping[str, str] = {}
        self._refusals: list[ConditionRefused] = []
        self._tests = 0

    def refuse(
        self, what: str, remedy: str, path: Path, code: str = "condition", on_key: bool = False
    ) -> None:
        self._refusals.append(ConditionRefused(what, remedy, path, code=code, on_key=on_key))

    def finished(self, condition: Condition) -> Condition:
        if self._tests > MAX_TESTS:
            self.refuse(f"the condition has more than {MAX_TESTS} tests", "use `in` or `any` with a list", ())
        if self._refusals:
            first, *others = self._refusals
            first.others = others
            raise first
        return condition

    def node(self, written: object, path: Path, level: int) -> Node:
        if level > MAX_NESTING:
            self.refuse("the condition nests too deep", f"at most {MAX_NESTING} levels", path)
            return AllOf(())
        if not isinstance(written, Mapping) or (not written and level):
            self.refuse(_NOT_A_MAPPING, "write it like {industry: software}", path)
            return AllOf(())
        parts: list[Node] = []
        for key, value in written.items():
            here = (*path, key if isinstance(key, str) else str(key))
            if not isinstance(key, str):
                self.refuse("a field's name is a text", "put it in quotes", here)
            elif key in self.reserved:
                self.refuse(f"`{key}` can't stand here", self.reserved[key], here, on_key=True)
            elif key in ("any", "all"):
                parts.append(self._nested(key, value, here, level))
            elif key == "not":
                parts.append(Not(self.node(value, here, level + 1)))
            else:
                parts.extend(self._tests_of(key, value, here))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _nested(self, key: str, value: object, path: Path, level: int) -> Node:
        if not isinstance(value, list) or not value:
            self.refuse(f"`{key}` takes a list of conditions", f"write {key}: [{{...}}, {{...}}]", path)
            return AllOf(())
        children = tuple(self.node(child, (*path, i), level + 1) for i, child in enumerate(value[:MAX_LIST]))
        return AnyOf(children) if key == "any" else AllOf(children)

    def _tests_of(self, name: str, value: object, path: Path) -> list[Node]:
        field = self._field(name, path)
        if field is None:
            return []
        if isinstance(value, Mapping):
            if not value:
                self.refuse(f"`{show_key(name)}` has no operator", "use one of " + ", ".join(OPERATORS), path)
            return [self._test(name, field, op, operand, (*path, str(op))) for op, operand in value.items()]
        if isinstance(value, list):
            shown = show_key(name)
            self.refuse(
                f"`{shown}` is compared with a list", f"write {shown}: {{in: [...]}} or {{any: [...]}}", path
            )
            return []
        if value is None:
            shown = show_key(name)
            self.refuse(f"`{shown}` is compared with nothing", f"write {shown}: {{exists: false}}", path)
            return []
        return [self._test(name, field, "equals", value, path)]

    def _field(self, name: str, path: Path) -> Field | None:
        """The field, or None if it was refused."""
        if self.event == PROFILE or self.event is None:
            bad = len(name) > MAX_PATTERN or (self.reserved and not all(name.split(".")))
            field = None if bad else find(self.known, name, strict=False)
        else:
            field = find(self.known, name, strict=True)
        if field is not None:
            return field
        top = name.partition(".")[0]
        near = difflib.get_close_matches(top, self.known, 1, 0.6)
        if top in self.known:
            remedy = f"write {show_key(top)} without what follows it"
        elif near:
            remedy = f"did you mean `{near[0]}`?"
        else:
            remedy = "use one of " + ", ".join(sorted(self.known))
        whose = self.event or "an account"
        self.refuse(
            f"{whose} has no field `{show_key(name)}`", remedy, path, code="unknown_field", on_key=True
        )
        return None

    def _test(self, name: str, field: Field, operator: object, operand: object, path: Path) -> Node:
        self._tests += 1
        if not isinstance(operator, str) or operator not in OPERATORS:
            near = difflib.get_close_matches(str(operator)[:100], OPERATORS, 1, 0.6)
            self.refuse(
                f"there is no operator `{show_key(str(operator))}`",
                f"did you mean `{near[0]}`?" if near else "use one of " + ", ".join(OPERATORS),
                path,
                code="unknown_operator",
                on_key=True,
            )
        elif not _CHECKS[operator](operand):
            self.refuse(f"`{operator}` does not take this", f"it takes {OPERATORS[operator]}", path)
        elif wrong := objection(show_key(name), field, operator, operand):
            self.refuse(*wrong, path, code="never_holds")
        elif operator == "regex" and (fault := _regex_fault(operand)):
            self.refuse(
                f"not a regular expression: {fault}", "RE2 has no look-around and no back-references", path
            )
        else:
            return Test(name, operator, operand)
        return AllOf(())


def _regex_fault(operand: object) -> str | None:
    options = re2.Options()
    options.log_errors = False  # they would go to standard error past every formatter
    try:
        re2.compile(operand, options=options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        return ascii(said.decode(errors="replace") if isinstance(said, bytes) else str(said))[1:-1]
    return None


def _is_number(operand: object) -> bool:
    return isinstance(operand, int | float) and not isinstance(operand, bool) and math.isfinite(operand)


def _is_scalar(operand: object) -> bool:
    if isinstance(operand, str):
        return len(operand) <= MAX_TEXT
    return isinstance(operand, bool) or _is_number(operand)


def _is_list(operand: object) -> bool:
    return isinstance(operand, list) and 0 < len(operand) <= MAX_LIST and all(map(_is_scalar, operand))


def _is_pattern(operand: object) -> bool:
    return isinstance(operand, str) and 0 < len(operand) <= MAX_PATTERN


def _is_range(operand: object) -> bool:
    return (
        isinstance(operand, list)
        and len(operand) == 2
        and all(map(_is_number, operand))
        and operand[0] <= operand[1]
    )


_CHECKS: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(("in", "not_in", "contains_any", "any", "all"), _is_list),
    **dict.fromkeys(("at_least", "at_most", "more_than", "less_than"), _is_number),
    **dict.fromkeys(("equals", "not_equals", "contains"), _is_scalar),
    **dict.fromkeys(("glob", "regex"), _is_pattern),
    "between": _is_range,
    "exists": lambda operand: isinstance(operand, bool),
}
