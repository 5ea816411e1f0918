"""Keeps the rows that did not fit: each in a CSV file for people, and counted by reason for the summary.

The file's columns: file, line, column, code, what, remedy, row. ``row`` is the row as JSON (column name to cell), or the
text of a row that can't be cut into columns.

Rules:
1. Only this file holds what the cells hold; the summary does not.
2. A spreadsheet must not take a cell for a formula: what begins like one gets an apostrophe in front.
3. In memory is only one count for each reason, and of those no more than MAX_REASONS.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

from streams.csv_import.refusal import RowRefused
from streams.csv_import.tables import BrokenRow, Row

HEADER = ("file", "line", "column", "code", "what", "remedy", "row")
MAX_REASONS = 1000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Reason(Struct):
    """Rows of one file refused for one reason; ``first_line`` is where to look."""

    file: str
    column: str
    code: str
    what: str
    remedy: str
    first_line: int
    rows: int = 0


class Rejects:
    """Writes to ``file``, as UTF-8 with the mark that spreadsheets want."""

    def __init__(self, file: IO[bytes]) -> None:
        file.write(codecs.BOM_UTF8)
        self._writer = csv.writer(codecs.getwriter("utf-8")(file))
        self._writer.writerow(HEADER)
        self._reasons: dict[tuple[str, ...], Reason] = {}
        self.rows = 0

    @property
    def reasons(self) -> list[Reason]:
        """The commonest first."""
        return sorted(self._reasons.values(), key=lambda one: (-one.rows, one.file, one.first_line))

    def refuse(self, path: Path, columns: Sequence[str], row: Row, why: RowRefused) -> None:
        named = msgspec.json.encode(dict(zip(columns, row.cells, strict=True))).decode()
        self._write(path.name, row.line, why, named)

    def broken(self, path: Path, row: BrokenRow) -> None:
        self._write(path.name, row.line, RowRefused("bad_csv", row.what, row.remedy), row.text.rstrip("\r\n"))

    def _write(self, file: str, line: int, why: RowRefused, row: str) -> None:
        self.rows += 1
        self._writer.writerow(
            [_harmless(one) for one in (file, str(line), why.column, why.code, why.what, why.remedy, row)]
        )
        key = (file, why.column, why.code)
        if key not in self._reasons and len(self._reasons) >= MAX_REASONS:
            key = (file, "", "other")
            why = RowRefused("other", "other reasons", "see the rejects file")
        reason = self._reasons.setdefault(key, Reason(file, why.column, why.code, why.what, why.remedy, line))
        reason.rows += 1


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
