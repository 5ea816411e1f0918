"""Turns pydantic's findings into sentences that somebody who never programmed understands.

Every problem says what is wrong, where, and what to write instead; a key that is not known gets the nearest known
one. Values are quoted only where the choice is among words or the value is a size, never from a SecretStr.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schemas.errors import Problem
from schemas.file_positions import Path, Positions, problem_at, show_key

MAX_FINDINGS = 1000
"""More are not looked at: a person mends the first ones, and a machine's file must not keep us busy."""


def problems_of(
    model: type[BaseModel], error: ValidationError, data: Any, positions: Positions
) -> list[Problem]:
    """All problems in ``error``, which validating ``data`` as ``model`` has raised."""
    found = [
        _Finding(model, one, raised, positions)
        for one in error.errors(include_url=False)[:MAX_FINDINGS]
        for raised in _raised(one)
    ]
    misspelt = {(*finding.path[:-1], finding.meant) for finding in found if finding.meant is not None}
    problems: dict[tuple[Path, str], Problem] = {}
    for finding in found:
        if any((*finding.part, key) in misspelt for key in finding.absent):
            continue  # it is there, under the misspelt key
        problem = finding.problem(data)
        problems.setdefault((positions.written(finding.path), problem.what), problem)
    return list(problems.values())


def _raised(one: ErrorDetails) -> Iterator[ValueError | None]:
    """The errors that our own validators raised for this finding; None when it is pydantic's own."""
    raised = one.get("ctx", {}).get("error")
    yield raised
    yield from getattr(raised, "others", ())


class _Finding:
    def __init__(
        self, model: type[BaseModel], one: ErrorDetails, raised: ValueError | None, positions: Positions
    ) -> None:
        self.kind = one["type"]
        self.context: Mapping[str, Any] = one.get("ctx", {})
        self.said = one["msg"]
        self.raised = raised
        self.path: Path = (*one["loc"], *getattr(self.raised, "path", ()))
        self.is_key = self.path[-1:] == ("[key]",)
        # What is not in the file is a union's tag in pydantic's path, but for a key that is missing.
        self.path = (*positions.written(self.path), *(self.path[-1:] if self.kind == "missing" else ()))
        self.positions = positions
        self.part: Path = self.path
        self.absent: Sequence[str] = getattr(raised, "absent", ())
        if self.kind == "missing":
            self.part, self.absent = self.path[:-1], (str(self.path[-1]),)
        elif self.absent:
            self.part = positions.written(one["loc"])
        self.models = list(_models_at(model, self.path[:-1])) if self.path else [model]
        self.meant: str | None = None
        if self.kind == "extra_forbidden":
            near = difflib.get_close_matches(str(self.path[-1]), self._known_keys(), 1, 0.6)
            self.meant = near[0] if near else None

    def problem(self, data: Any) -> Problem:
        """Raises nothing: whatever pydantic says gets a sentence."""
        name = self._name()
        on_key = False
        if self.raised is not None:
            code = getattr(self.raised, "code", "bad_value")
            what = getattr(self.raised, "what", str(self.raised))
            remedy = getattr(self.raised, "remedy", "")
            on_key = getattr(self.raised, "on_key", False)
        elif self.kind == "missing":
            code, what, remedy = "missing_key", f"{name} is missing", self._example("add")
        elif self.kind == "extra_forbidden":
            code, what, on_key = "unknown_key", f"there is no key {name} here", True
            if self.meant is not None:
                remedy = f"did you mean `{self.meant}`?"
            else:
                remedy = "known here: " + ", ".join(self._known_keys())
        elif self.is_key:
            code, on_key = "unknown_key", True
            what, remedy = self._choice(name, self.path[-1]) if "expected" in self.context else _BAD_NAME
        else:
            written = _value_at(data, self.positions.written(self.path))
            code, what, remedy = self._wrong_value(name, written)
        return problem_at(self.positions, self.path, code=code, what=what, remedy=remedy, on_key=on_key)

    def _wrong_value(self, name: str, written: Any) -> tuple[str, str, str]:
        if written is None and "none" not in self.kind:
            return "empty", f"{name} is empty", self._example("write") or "write something there"
        family = self.kind.split("_", 1)[0]
        if self.kind in _BOUNDS:
            words, key, remedy = _BOUNDS[self.kind]
            limit = _number(self.context[key])
            return "out_of_range", f"{name} must be {words} {limit}", remedy.format(limit)
        if self.kind in _LENGTHS:
            words, key = _LENGTHS[self.kind]
            return "length", f"{name} has too {words} {_number(self.context[key])}", self._example("write")
        if self.kind in ("literal_error", "enum"):
            return "bad_value", *self._choice(name, written)
        if self.kind == "string_pattern_mismatch":
            return "bad_value", f"{name} is not written as it must be", self._example("write") or _BAD_NAME[1]
        if self.kind in _TYPES:
            needed = _TYPES[self.kind]
        elif family in _TYPES:
            needed = _TYPES[family]
        else:
            return (
                "bad_value",
                f"{name} is not right: {self.said[:1].lower()}{self.said[1:]}",
                self._example("write"),
            )
        remedy = self._example("write") or _REMEDIES.get(needed, "")
        if needed == "a text" and isinstance(written, int | float):
            remedy = "put it in quotes"
        return "wrong_type", f"{name} must be {needed}, not {_kind_of(written)}", remedy

    def _choice(self, name: str, written: Any) -> tuple[str, str]:
        choices = str(self.context["expected"]).replace("'", "")
        near = (
            difflib.get_close_matches(written, choices.replace(" or ", ", ").split(", "), 1, 0.6)
            if isinstance(written, str)
            else []
        )
        shown = f", not {show_key(written)}" if isinstance(written, str) and written else ""
        return (
            f"{name} must be {choices}{shown}",
            f"did you mean `{near[0]}`?" if near else "use one of these words",
        )

    def _name(self) -> str:
        last = self.path[-1] if self.path else None
        if last is None:
            return "the file"
        if isinstance(last, str):
            return f"`{show_key(last)}`"
        above = next((part for part in reversed(self.path) if isinstance(part, str)), None)
        entry = f"entry {last + 1}"
        return entry if above is None else f"{entry} of `{show_key(above)}`"

    def _known_keys(self) -> list[str]:
        return [info.alias or name for model in self.models for name, info in model.model_fields.items()]

    def _example(self, verb: str) -> str:
        """``write it like half_life: 7d``, from the field's examples; empty where it has none."""
        last = self.path[-1] if self.path else None
        for model in self.models:
            for name, info in model.model_fields.items():
                if (info.alias or name) == last and info.examples:
                    return f"{verb} it like `{last}: {info.examples[0]}`"
        return ""


_BAD_NAME = (
    "this name is not written as it must be",
    "use small letters, digits, - and _, and begin with a letter or digit",
)

_BOUNDS = {
    "greater_than_equal": ("at least", "ge", "write {} or more"),
    "greater_than": ("more than", "gt", "write a number above {}"),
    "less_than_equal": ("at most", "le", "write {} or less"),
    "less_than": ("less than", "lt", "write a number below {}"),
}

_LENGTHS = {
    "string_too_short": ("few characters: at least", "min_length"),
    "string_too_long": ("many characters: at most", "max_length"),
    "too_short": ("few entries: at least", "min_length"),
    "too_long": ("many entries: at most", "max_length"),
}

_TYPES = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "dict": "a mapping of keys to values",
    "model": "a mapping of keys to values",
    "mapping": "a mapping of keys to values",
    "dataclass": "a mapping of keys to values",
    "datetime": "a time with an offset",
    "date": "a date",
    "timezone": "a time with an offset",
    "path": "the path of a file or folder",
    "ip": "a network like 10.2.0.0/16",
    "none": "empty",
}

_REMEDIES = {
    "a list": "begin each entry with a dash, or write [a, b]",
    "a mapping of keys to values": "write each entry as `key: value`",
}


def _kind_of(written: Any) -> str:
    """What was written, by its kind; never the value."""
    kinds: tuple[tuple[type | UnionType, str], ...] = (
        (bool, "true or false"),
        (int | float, "a number"),
        (str, "this text"),
        (list, "a list"),
        (Mapping, "a mapping of keys to values"),
    )
    return next((words for kind, words in kinds if isinstance(written, kind)), "this")


def _number(limit: Any) -> str:
    return f"{limit:,g}" if isinstance(limit, int | float) else str(limit)


def _value_at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _models_at(model: type[BaseModel], path: Path) -> Iterator[type[BaseModel]]:
    """The models that the place ``path`` can hold: one, or several where a union stands."""
    here: list[Any] = [model]
    for part in path:
        inside = [below for annotation in here for below in _inside(annotation, part)]
        here = inside or here  # a union's tag in the path leads nowhere
    yield from (found for annotation in here for found in _alternatives(annotation) if _is_model(found))


def _inside(annotation: Any, part: str | int) -> Iterator[Any]:
    for one in _alternatives(annotation):
        if _is_model(one):
            for name, info in one.model_fields.items():
                if (info.alias or name) == part:
                    yield info.annotation
        elif get_origin(one) in (list, tuple, set, frozenset) and isinstance(part, int):
            yield from get_args(one)[:1]
        elif get_origin(one) is dict and isinstance(part, str):
            yield get_args(one)[1]


def _alternatives(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for one in get_args(annotation):
            yield from _alternatives(one)
    else:
        yield annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
