"""Conditions made runnable: once when an ICP or mapping is loaded, so that an event nobody wants costs almost nothing.

A Matcher looks up, for an event's type, the most selective literal of each rule (``name: user_invited``) in a table,
and runs a rule's remaining tests only where the literal fits. Rules without a literal are tried one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeVar

import re2

from schemas.conditions import AllOf, AnyOf, Condition, Node, Not, Test
from schemas.events import EVENT_CLASSES, AccountProfile, Envelope

T = TypeVar("T")
Predicate = Callable[[Any], bool]
Getter = Callable[[Any], Any]

MAX_MEMO = 4096
MAX_MEMO_KEY = 256
NO_KEYS = frozenset(
    {
        "body",
        "campaign",
        "features",
        "loss_reason",
        "note",
        "properties",
        "referrer",
        "subject",
        "title",
        "url",
    }
)
"""fields whose values seldom come twice, or can't be looked up"""


def compile_node(node: Node) -> Callable[[Mapping[str, Any]], bool]:
    """A predicate over a mapping (an account's attributes, a CSV row)."""
    return _compile(node, _from_mapping)


def compile_event_node(node: Node, event: str) -> Predicate:
    """A predicate over an event of type ``event``."""
    return _compile(node, _event_getter(event))


def data_getter(event: str, field: str) -> Getter:
    """What gives ``field`` (dots go deeper) of the ``data`` of an event of type ``event``; None where there is none."""
    if EVENT_CLASSES[event] is AccountProfile:
        return _compose(_from_mapping(field), attrgetter("attributes"))
    first, _, rest = field.partition(".")
    get = attrgetter(first)
    return _compose(_from_anything(rest), get) if rest else get


def always(_: object) -> bool:
    return True


class Matcher(Generic[T]):
    """Which of many rules an event fulfils; ``match`` gives their payloads in the order of the rules."""

    def __init__(self, rules: Iterable[tuple[Condition, T]]) -> None:
        by_class: dict[type[Envelope], list[tuple[int, Condition, T]]] = {}
        for order, (condition, payload) in enumerate(rules):
            if condition.event is None:
                raise ValueError("a rule on events needs `event`")
            by_class.setdefault(EVENT_CLASSES[condition.event], []).append((order, condition, payload))
        self._plans = {cls: _Plan(cls, rules_of) for cls, rules_of in by_class.items()}

    def match(self, event: Envelope) -> Sequence[T]:
        """What was found for the same values is not looked for again: names and paths repeat."""
        plan = self._plans.get(type(event))
        if plan is None:
            return ()
        if plan.key is None:
            return plan.find(event)
        key = plan.key(event)
        found = plan.memo.get(key)
        return found if found is not None else plan.find_and_keep(event, key)


class _Plan(Generic[T]):
    """The rules on one event type: tables by field and literal, and the rest."""

    def __init__(self, cls: type[Envelope], rules: list[tuple[int, Condition, T]]) -> None:
        event = str(cls.__struct_config__.tag)
        getter_of = _event_getter(event)
        tables: dict[str, dict[Any, list[tuple[int, Predicate, T]]]] = {}
        self._rest: list[tuple[int, Predicate, T]] = []
        for order, condition, payload in rules:
            literal = None if cls is AccountProfile else _literal(condition.of_event)
            if literal is None:
                self._rest.append((order, compile_event_node(condition.of_event, event), payload))
                continue
            field, values, remainder = literal
            entry = (order, compile_event_node(remainder, event), payload)
            table = tables.setdefault(field, {})
            for value in dict.fromkeys(values):  # one that is written twice must not count twice
                table.setdefault(value, []).append(entry)
        self._tables = [(getter_of(field), table) for field, table in tables.items()]
        self.key = (
            None if cls is AccountProfile else _memo_key([condition.of_event for _, condition, _ in rules])
        )
        self.memo: dict[Any, Sequence[T]] = {}

    def find_and_keep(self, event: Envelope, key: Any) -> Sequence[T]:
        found = self.find(event)
        if len(repr(key)) <= MAX_MEMO_KEY:
            if len(self.memo) >= MAX_MEMO:
                self.memo.clear()
            self.memo[key] = found
        return found

    def find(self, event: Envelope) -> Sequence[T]:
        found: list[tuple[int, Predicate, T]] = []
        for get, table in self._tables:
            value = get(event)
            if isinstance(value, str):
                found.extend(entry for entry in table.get(value, ()) if entry[1](event))
        found.extend(entry for entry in self._rest if entry[1](event))
        found.sort(key=lambda entry: entry[0])
        return [payload for _, _, payload in found]


def _memo_key(nodes: Sequence[Node]) -> Getter | None:
    """What gives the values of all fields that the rules look at; None where these are texts of people, which don't
    repeat, or are nested."""
    fields = sorted({field for node in nodes for field in _fields_of(node)})
    if not fields or any("." in field or field in NO_KEYS for field in fields):
        return None
    return attrgetter(*(f"data.{field}" for field in fields))


def _fields_of(node: Node) -> Iterable[str]:
    if isinstance(node, Test):
        return (node.field,)
    children = (node.of,) if isinstance(node, Not) else node.of
    return [field for child in children for field in _fields_of(child)]


def _literal(node: Node) -> tuple[str, Sequence[str], Node] | None:
    """The text literal to look up (field, values) and what is left to test; None where no text literal must hold."""
    tests = node.of if isinstance(node, AllOf) else (node,)
    best: Test | None = None
    for test in tests:
        if not isinstance(test, Test) or test.operator not in ("equals", "in"):
            continue
        values = _values(test)
        if all(isinstance(value, str) for value in values) and (
            best is None or len(values) < len(_values(best))
        ):
            best = test
    if best is None:
        return None
    return best.field, _values(best), AllOf(tuple(test for test in tests if test is not best))


def _values(test: Test) -> Sequence[Any]:
    return [test.operand] if test.operator == "equals" else test.operand


def _compile(node: Node, getter_of: Callable[[str], Getter]) -> Predicate:
    if isinstance(node, Test):
        return _compile_test(getter_of(node.field), node)
    if isinstance(node, Not):
        inner = _compile(node.of, getter_of)
        return lambda subject: not inner(subject)
    predicates = [_compile(child, getter_of) for child in node.of]
    if isinstance(node, AllOf):
        if not predicates:
            return always
        if len(predicates) == 1:
            return predicates[0]
        return lambda subject: all(predicate(subject) for predicate in predicates)
    assert isinstance(node, AnyOf)  # noqa: S101 - the four kinds of node
    return lambda subject: any(predicate(subject) for predicate in predicates)


def _compile_test(get: Getter, test: Test) -> Predicate:
    if test.operator == "exists":
        wanted = test.operand
        return lambda subject: (get(subject) is not None) is wanted
    holds = _OPERATORS[test.operator](test.operand)

    def check(subject: Any) -> bool:
        value = get(subject)
        return value is not None and holds(value)

    return check


def _event_getter(event: str) -> Callable[[str], Getter]:
    def getter_of(field: str) -> Getter:
        if "." not in field and EVENT_CLASSES[event] is not AccountProfile:
            return attrgetter(f"data.{field}")  # the hot path: one call
        return _compose(data_getter(event, field), attrgetter("data"))

    return getter_of


def _compose(outer: Getter, inner: Getter) -> Getter:
    def get(subject: Any) -> Any:
        value = inner(subject)
        return None if value is None else outer(value)

    return get


def _from_mapping(field: str) -> Getter:
    if "." not in field:
        return lambda mapping: mapping.get(field)
    parts = field.split(".")

    def get(mapping: Any) -> Any:
        if field in mapping:
            return mapping[field]
        value = mapping
        for part in parts:
            if not isinstance(value, Mapping):
                return None
            value = value.get(part)
        return value

    return get


def _from_anything(field: str) -> Getter:
    in_mapping = _from_mapping(field)
    return lambda value: in_mapping(value) if isinstance(value, Mapping) else getattr(value, field, None)


def _equals(operand: Any) -> Predicate:
    is_bool = isinstance(operand, bool)  # True == 1 in Python, not for people
    return lambda value: bool(value == operand) and isinstance(value, bool) is is_bool


def _in(operand: Sequence[Any]) -> Predicate:
    tests = [_equals(one) for one in operand]
    return lambda value: any(test(value) for test in tests)


def _negate(predicate: Predicate) -> Predicate:
    return lambda value: not predicate(value)


def _number(compare: Callable[[float, float], bool]) -> Callable[[float], Predicate]:
    def with_operand(operand: float) -> Predicate:
        return lambda value: (
            isinstance(value, int | float) and not isinstance(value, bool) and compare(value, operand)
        )

    return with_operand


def _between(operand: Sequence[float]) -> Predicate:
    low, high = operand
    return _number(lambda value, _: low <= value <= high)(0.0)


def _contains(operand: Any) -> Predicate:
    folded = operand.casefold() if isinstance(operand, str) else None
    equal = _equals(operand)

    def holds(value: Any) -> bool:
        if isinstance(value, str):
            return folded is not None and folded in value.casefold()
        return isinstance(value, list) and any(equal(item) for item in value)

    return holds


def _contains_any(operand: Sequence[Any]) -> Predicate:
    tests = [_contains(one) for one in operand]
    return lambda value: any(test(value) for test in tests)


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _list_any(operand: Sequence[Any]) -> Predicate:
    wanted = _in(operand)
    return lambda value: any(wanted(item) for item in _items(value))


def _list_all(operand: Sequence[Any]) -> Predicate:
    tests = [_equals(one) for one in operand]
    return lambda value: all(any(test(item) for item in _items(value)) for test in tests)


def glob_predicate(operand: str) -> Predicate:
    """Whether a value is a text that the pattern ``operand`` (* and ?) covers from end to end."""
    stem = operand.rstrip("*")
    if not any(sign in stem for sign in "*?"):  # the common ones need no engine
        if stem == operand:
            return _equals(operand)
        return lambda value: isinstance(value, str) and value.startswith(stem)
    pattern = "".join({"*": "(?s:.*)", "?": "(?s:.)"}.get(sign) or re2.escape(sign) for sign in operand)
    compiled = re2.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _regex(operand: str) -> Predicate:
    compiled = re2.compile(operand)
    return lambda value: isinstance(value, str) and compiled.search(value) is not None


_OPERATORS: dict[str, Callable[[Any], Predicate]] = {
    "equals": _equals,
    "not_equals": lambda operand: _negate(_equals(operand)),
    "in": _in,
    "not_in": lambda operand: _negate(_in(operand)),
    "between": _between,
    "at_least": _number(lambda value, operand: value >= operand),
    "at_most": _number(lambda value, operand: value <= operand),
    "more_than": _number(lambda value, operand: value > operand),
    "less_than": _number(lambda value, operand: value < operand),
    "contains": _contains,
    "contains_any": _contains_any,
    "any": _list_any,
    "all": _list_all,
    "glob": glob_predicate,
    "regex": _regex,
}
