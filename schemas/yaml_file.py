"""Reads the YAML files that people write, and knows the line and column of everything in them.

Rules:
1. YAML 1.2 as people expect it: ``no`` and ``2026-11-01`` are texts, keys are always texts.
2. What people do not need and attackers like is refused: anchors and aliases (they blow up), tags, several documents,
   directives, merge keys, more than 1 MB, lines over 20,000 characters, nesting over 32, numbers that are not finite.
3. A key that stands twice is refused: the one that loses would be lost without a word.
4. Pure: callers read the file and give the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)
from ruamel.yaml.reader import ReaderError

from schemas.errors import FileRefused, Problem
from schemas.file_positions import Path, Place, Positions, show_key
from schemas.file_problems import problems_of
from schemas.written import FROM_FILE
from schemas.yaml_wording import in_plain_words

MAX_BYTES = 1_000_000
MAX_LINE = 20_000
MAX_NESTING = 32
MAX_PROBLEMS = 100

Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], text: str, name: str) -> Model:
    """The file ``text`` as ``model``. ``name`` is the file's name, for the error.

    Raises FileRefused with all problems, by line, each with its place and what to write instead.
    """
    data, positions = read_yaml(text, name)
    return validate_data(model, data, positions, name)


def validate_data(model: type[Model], data: Any, positions: Positions, name: str) -> Model:
    """Like validate, for what read_yaml gave. Raises FileRefused."""
    if data is None:
        raise FileRefused(
            name, [_problem(Place(1, 1), "empty", "the file is empty", "compare it with the sample file")]
        )
    try:
        return model.model_validate(data, context={FROM_FILE: True})
    except ValidationError as error:
        raise FileRefused(name, _first(problems_of(model, error, data, positions))) from None


def decode_text(raw: bytes, name: str) -> str:
    """The text of a file. Raises FileRefused where it is not UTF-8 (a byte order mark is taken off)."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        problem = Problem(
            code="not_utf8",
            what="the file is not UTF-8 text",
            where=f"line {line}, column {column}",
            remedy='save it as UTF-8 ("Save as", encoding UTF-8)',
            line=line,
            column=column,
        )
        raise FileRefused(name, [problem]) from None


def read_yaml(text: str, name: str) -> tuple[Any, Positions]:
    """The plain data in ``text`` (None for an empty file) and the place of everything in it. Raises FileRefused."""
    reading = _Reading()
    try:
        _refuse_too_large(text)
        for event in YAML(typ="safe", pure=True).parse(text):
            reading.take(event)
    except _Stopped as stop:
        reading.problems.append(stop.problem)
    except ReaderError as error:
        reading.problems.append(_unreadable_character(text, error.position))
    except MarkedYAMLError as error:
        # What is never closed is to be mended where it was opened, not where the file ends.
        opened = error.context in _OPENED
        mark = (opened and error.context_mark) or error.problem_mark or error.context_mark
        what, remedy = in_plain_words(error.context, error.problem)
        place = Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)
        reading.problems.append(_problem(place, "yaml", what, remedy))
    except _PARSER_FAULTS:
        what, remedy = in_plain_words(None, None)
        reading.problems.append(_problem(reading.place, "yaml", what, remedy))
    if reading.problems:
        raise FileRefused(name, _first(reading.problems))
    return reading.data, reading.positions


_OPENED = (
    "while scanning a quoted scalar",
    "while scanning a simple key",
    "while parsing a flow sequence",
    "while parsing a flow mapping",
)

_PARSER_FAULTS = (YAMLError, ValueError, LookupError, AttributeError, TypeError, AssertionError)
"""What the parser is known to let through on odd texts, besides its own errors."""


class _Stopped(Exception):
    """Nothing after this place can be read."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


class _Open:
    """A list or mapping whose end has not come yet."""

    def __init__(self, path: Path, into: dict[str, Any] | list[Any]) -> None:
        self.path = path
        self.into = into
        self.key: str | None = None


class _Reading:
    """Builds plain data from the parser's events, one after the other."""

    def __init__(self) -> None:
        self.data: Any = None
        self.positions = Positions()
        self.problems: list[Problem] = []
        self.place = Place(1, 1)
        self._open: list[_Open] = []
        self._documents = 0

    def take(self, event: Event) -> None:
        self.place = Place(event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, DocumentStartEvent):
            self._document(event)
        elif isinstance(event, CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, NodeEvent):
            self._refuse_reference(event)
            above = self._open[-1] if self._open else None
            if above is not None and isinstance(above.into, dict) and above.key is None:
                self._key(above, above.into, event)
            else:
                self._value(above, event)

    def _document(self, event: DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            raise _Stopped(
                _problem(self.place, "documents", "a second document begins here", "write one file for each")
            )
        if event.version or event.tags:
            raise _Stopped(
                _problem(self.place, "directive", "the file begins with a % directive", "take that line out")
            )

    def _refuse_reference(self, event: NodeEvent) -> None:
        if isinstance(event, AliasEvent) or event.anchor:
            what, remedy = "anchors (&) and aliases (*) are not allowed", "write the value out at each place"
            code = "anchor"
        elif getattr(event, "ctag", None) is not None:
            what, remedy = (
                "tags (!) are not allowed",
                "take it out, or put a text that begins with ! in quotes",
            )
            code = "tag"
        else:
            return
        self.problems.append(_problem(self.place, code, what, remedy))

    def _key(self, above: _Open, into: dict[str, Any], event: NodeEvent) -> None:
        if not isinstance(event, ScalarEvent):
            raise _Stopped(
                _problem(self.place, "key", "a key must be a text", "write every entry as `key: value`")
            )
        key = event.value
        if key == "<<" and not event.style:
            self.problems.append(
                _problem(self.place, "anchor", "merge keys (<<) are not allowed", "write the entries out")
            )
        self._refuse_unprintable(key)
        path = (*above.path, key)
        if key in into:
            first = self.positions.locate(path, on_key=True)
            self.problems.append(
                _problem(
                    self.place,
                    "duplicate_key",
                    f"`{show_key(key)}` is written twice here (first on line {first.line})",
                    "keep one of them",
                )
            )
        else:
            self.positions.add_key(path, self.place)
        above.key = key

    def _value(self, above: _Open | None, event: NodeEvent) -> None:
        path: Path = ()
        if above is not None:
            path = (*above.path, above.key if above.key is not None else len(above.into))
        value: Any = None
        if isinstance(event, CollectionStartEvent):
            if len(self._open) == MAX_NESTING:
                raise _Stopped(
                    _problem(
                        self.place,
                        "too_deep",
                        f"this nests more than {MAX_NESTING} levels deep",
                        "write it with fewer brackets or less indentation",
                    )
                )
            value = {} if isinstance(event, MappingStartEvent) else []
        elif isinstance(event, ScalarEvent):
            value = self._scalar(event)
        empty = value is None
        self.positions.add_value(
            path, self.place, collection=empty or isinstance(event, CollectionStartEvent)
        )
        if above is None:
            self.data = value
        elif isinstance(above.into, dict):
            assert above.key is not None  # noqa: S101 - _key came first
            above.into[above.key] = value
            above.key = None
        else:
            above.into.append(value)
        if isinstance(event, CollectionStartEvent):
            self._open.append(_Open(path, value))

    def _scalar(self, event: ScalarEvent) -> Any:
        text: str = event.value
        self._refuse_unprintable(text)
        if event.style:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _ENDLESS.fullmatch(text):
            self.problems.append(
                _problem(self.place, "number", "this number is not finite", "write a number")
            )
            return None
        for pattern, base in _INTEGERS:
            if pattern.fullmatch(text):
                return int(text[2:] if base != 10 else text, base)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if math.isfinite(number):
                return number
            self.problems.append(
                _problem(self.place, "number", "this number is too large", "write a smaller one")
            )
        return text

    def _refuse_unprintable(self, text: str) -> None:
        if _UNPRINTABLE.search(text):
            self.problems.append(
                _problem(
                    self.place,
                    "characters",
                    "the text holds a character that can't be printed",
                    "take it out",
                )
            )


def _problem(place: Place, code: str, what: str, remedy: str) -> Problem:
    where = f"line {place.line}, column {place.column}"
    return Problem(code=code, what=what, where=where, remedy=remedy, line=place.line, column=place.column)


def _first(problems: Sequence[Problem]) -> list[Problem]:
    """By line; not more than a person can use at once."""
    ordered = sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))
    left = len(ordered) - MAX_PROBLEMS
    if left <= 0:
        return ordered
    last = ordered[MAX_PROBLEMS - 1]
    more = _problem(
        Place(last.line or 1, last.column or 1),
        "more",
        f"and at least {left} more problems",
        "mend those above first",
    )
    return [*ordered[:MAX_PROBLEMS], more]


def _refuse_too_large(text: str) -> None:
    if len(text) > MAX_BYTES or len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise _Stopped(
            _problem(
                Place(1, 1),
                "too_large",
                f"the file has more than {MAX_BYTES:,} bytes",
                "is this the right file? If so, split it",
            )
        )
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > MAX_LINE:
            raise _Stopped(
                _problem(
                    Place(number, 1),
                    "too_large",
                    f"the line has more than {MAX_LINE:,} characters",
                    "is this the right file? If so, break the line",
                )
            )


def _unreadable_character(text: str, position: int) -> Problem:
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    return _problem(
        Place(line, column), "characters", "there is a character here that can't be printed", "take it out"
    )


_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGERS = (
    (re.compile(r"[-+]?[0-9]{1,30}"), 10),
    (re.compile(r"0o[0-7]{1,30}"), 8),
    (re.compile(r"0x[0-9a-fA-F]{1,30}"), 16),
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
