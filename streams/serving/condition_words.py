"""A condition as a sentence: ``employees is 50 to 2000 and industry is not one of gambling, tobacco``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemas.conditions import AllOf, AnyOf, Node, Not, Test

MAX_LISTED = 8


def condition_words(node: Node) -> str:
    """``node`` in words; an empty condition is an empty text."""
    if isinstance(node, Test):
        return _WORDS[node.operator](node.field.replace("_", " "), node.operand)
    if isinstance(node, Not):
        return f"not ({condition_words(node.of)})"
    parts = [condition_words(child) for child in node.of]
    if len(parts) > 1:
        parts = [
            f"({part})" if isinstance(child, AllOf | AnyOf) else part
            for part, child in zip(parts, node.of, strict=True)
        ]
    return (" and " if isinstance(node, AllOf) else " or ").join(parts)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return str(value)


def _listed(values: list[Any]) -> str:
    shown = ", ".join(_value(value) for value in values[:MAX_LISTED])
    return shown if len(values) <= MAX_LISTED else f"{shown} and {len(values) - MAX_LISTED} more"


_WORDS: dict[str, Callable[[str, Any], str]] = {
    "equals": lambda field, operand: f"{field} is {_value(operand)}",
    "not_equals": lambda field, operand: f"{field} is not {_value(operand)}",
    "in": lambda field, operand: f"{field} is one of {_listed(operand)}",
    "not_in": lambda field, operand: f"{field} is none of {_listed(operand)}",
    "between": lambda field, operand: f"{field} is {_value(operand[0])} to {_value(operand[1])}",
    "at_least": lambda field, operand: f"{field} is at least {_value(operand)}",
    "at_most": lambda field, operand: f"{field} is at most {_value(operand)}",
    "more_than": lambda field, operand: f"{field} is more than {_value(operand)}",
    "less_than": lambda field, operand: f"{field} is less than {_value(operand)}",
    "contains": lambda field, operand: f"{field} contains {_value(operand)}",
    "contains_any": lambda field, operand: f"{field} contains one of {_listed(operand)}",
    "any": lambda field, operand: f"{field} has one of {_listed(operand)}",
    "all": lambda field, operand: f"{field} has all of {_listed(operand)}",
    "glob": lambda field, operand: f"{field} looks like {operand}",
    "regex": lambda field, operand: f"{field} matches {operand}",
    "exists": lambda field, operand: f"{field} is known" if operand else f"{field} is not known",
}
