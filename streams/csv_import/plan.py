"""Matches files with a mapping, and refuses what can't work before a row is read: all of it at once.

Rules:
1. A file belongs to exactly one entry of the mapping: the one whose pattern fits its name.
2. Every column that the mapping names must be in every file that it names it for, once.
3. Files go in the order of the mapping's entries, then by name, whatever the order on the command line.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec import Struct

from schemas.errors import FileRefused, Problem
from schemas.file_positions import Path as Place
from schemas.file_positions import Positions, problem_at, show_key
from schemas.mapping import FileMapping, Mapping, fields_in
from schemas.mapping_values import Value, columns_of
from schemas.yaml_file import read_yaml
from streams.csv_import.tables import Table

MAX_SHOWN = 20


class PlannedFile(Struct):
    """A file and the entry of the mapping that it belongs to."""

    path: Path
    entry: FileMapping
    columns: list[str]


class Plan(Struct):
    """``unused``: patterns of the mapping that no file fits."""

    files: list[PlannedFile]
    unused: list[str]


def open_table(mapping: Mapping, entry: FileMapping, path: Path) -> Table:
    """Raises FileRefused, PlumblineError."""
    return Table(
        path, encoding=entry.encoding or mapping.encoding, delimiter=entry.delimiter or mapping.delimiter
    )


def make_plan(mapping: Mapping, text: str, name: str, paths: Sequence[Path]) -> Plan:
    """``text`` and ``name`` are the mapping file's, for the places in it. Raises FileRefused, PlumblineError."""
    _, positions = read_yaml(text, name)
    problems: list[Problem] = []
    planned: list[tuple[int, PlannedFile]] = []
    for path in _once(paths):
        fitting = [index for index, entry in enumerate(mapping.files) if fnmatchcase(path.name, entry.file)]
        if len(fitting) != 1:
            problems.append(_no_one_entry(mapping, positions, path, fitting))
            continue
        index = fitting[0]
        entry = mapping.files[index]
        with open_table(mapping, entry, path) as table:
            planned.append((index, PlannedFile(path, entry, table.columns)))
        for place, column in _columns_used(entry):
            found = _column_problem(table.columns, column, path.name)
            if found is not None:
                here = positions.written(("files", index, *place))
                problems.append(
                    problem_at(positions, here, code=found.code, what=found.what, remedy=found.remedy)
                )
    if problems:
        raise FileRefused(name, sorted(problems, key=lambda one: (one.line or 0, one.column or 0)))
    planned.sort(key=lambda one: (one[0], one[1].path.name, str(one[1].path)))
    used = {index for index, _ in planned}
    return Plan(
        [file for _, file in planned],
        [entry.file for index, entry in enumerate(mapping.files) if index not in used],
    )


def _once(paths: Sequence[Path]) -> list[Path]:
    """The same file given twice is read once."""
    seen: dict[Path, Path] = {}
    for path in paths:
        seen.setdefault(path.resolve(), path)
    return list(seen.values())


def _no_one_entry(mapping: Mapping, positions: Positions, path: Path, fitting: list[int]) -> Problem:
    if fitting:
        patterns = " and ".join(mapping.files[index].file for index in fitting)
        return problem_at(
            positions,
            ("files",),
            code="two_entries",
            what=f"{path.name} fits several entries: {patterns}",
            remedy="write patterns of which only one fits",
        )
    return problem_at(
        positions,
        ("files",),
        code="no_entry",
        what=f"no entry fits {path.name}",
        remedy="the patterns are "
        + ", ".join(entry.file for entry in mapping.files)
        + "; add an entry, or leave the file out",
    )


def _columns_used(entry: FileMapping) -> Iterator[tuple[Place, str]]:
    """Every column that the entry names, with its place in it."""
    for column in entry.key or []:
        yield ("key",), column
    if entry.when is not None:
        for test in fields_in(entry.when):
            yield ("when", test.field), test.field
    for index, event in enumerate(entry.events):
        here: Place = ("events", index)
        if event.when is not None:
            for test in fields_in(event.when):
                yield (*here, "when", test.field), test.field
        if event.id is not None:
            for column in columns_of(event.id):
                yield (*here, "id"), column
        values: list[tuple[Place, Value]] = [(("subject",), event.subject), (("time",), event.time)]
        values += [(("data", name), value) for name, value in event.data.items()]
        for place, value in values:
            yield from _columns_of_value((*here, *place), value)


def _columns_of_value(place: Place, value: Value) -> Iterator[tuple[Place, str]]:
    for column in value.column or []:
        yield (*place, "column"), column
    for name in ("template", "currency"):
        template = getattr(value, name)
        if template is not None:
            for column in columns_of(template):
                yield (*place, name), column


class _ColumnProblem(Struct):
    code: str
    what: str
    remedy: str


def _column_problem(columns: list[str], column: str, file: str) -> _ColumnProblem | None:
    count = Counter(columns)[column]
    if count == 1:
        return None
    if count > 1:
        return _ColumnProblem(
            "column_twice",
            f"{file} has the column {show_key(column)} {count} times",
            "rename all but one of them in the file",
        )
    return _ColumnProblem("no_column", f"{file} has no column {show_key(column)}", _instead(columns, column))


def _instead(columns: list[str], column: str) -> str:
    if len(columns) == 1:
        delimiter = next((one for one in (";", "\t", "|", ",") if one in columns[0]), None)
        if delimiter is not None:
            written = "\\t" if delimiter == "\t" else delimiter
            return f'the file seems to be cut otherwise: write `delimiter: "{written}"` in the mapping'
    near = [one for one in columns if _letters(one) == _letters(column)]
    near = near or difflib.get_close_matches(column, columns, 1, 0.6)
    near = near or [one for one in columns if _letters(column) and _letters(column) in _letters(one)]
    if near:
        return f"did you mean {show_key(near[0])}?"
    shown = ", ".join(show_key(one) for one in columns[:MAX_SHOWN] if one)
    return f"it has: {shown}" + (", ..." if len(columns) > MAX_SHOWN else "")


def _letters(name: str) -> str:
    """deal_id, Deal ID and DealId are the same to a person."""
    return "".join(character for character in name.casefold() if character.isalnum())
