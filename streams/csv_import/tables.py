"""Reads one CSV file row by row, in bounded memory, and knows on which line each row begins.

Rules:
1. Rows that can't be cut into the header's columns come out as broken rows, with their text; reading goes on.
2. What puts the rest of the file in doubt ends the reading with FileRefused: bytes that are not in the encoding, NUL,
   a line or row beyond the bounds, a quote that is never closed.
3. Names of columns and cells are stripped of spaces around them. A row without any text is no row.

CSV as in RFC 4180, with the delimiter of the mapping.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct

from schemas.errors import FileRefused, PlumblineError, Problem

MAX_ROW = 1_000_000
"""Characters in a row, at most. One cell holds at most csv.field_size_limit() (131,072)."""
_CHUNK = 1 << 18


class Row(Struct, gc=False):
    """``line`` is where it begins (the header is line 1); ``cells`` as many as there are columns."""

    line: int
    cells: list[str]


class BrokenRow(Struct):
    """A row that can't be cut into the columns."""

    line: int
    text: str
    what: str
    remedy: str


class Table:
    """An open CSV file: ``columns`` first, then iterate. Raises FileRefused, or PlumblineError if it can't be opened."""

    def __init__(self, path: Path, *, encoding: str, delimiter: str) -> None:
        self.path = path
        self._encoding = "utf-8-sig" if encoding == "utf-8" else encoding
        try:
            self._raw = path.open("rb")
        except OSError as error:
            raise _unreadable(path, error) from None
        self._text = TextIOWrapper(self._raw, encoding=self._encoding, newline="")
        self._pulled: list[str] = []
        self._pulled_size = 0
        self._line = 0
        # strict: a quote in the wrong place is an error, not a guess
        self._reader = csv.reader(self._lines(), delimiter=delimiter, strict=True)
        try:
            self.columns = self._header()
        except BaseException:
            self._text.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._text.close()

    @property
    def bytes_read(self) -> int:
        return self._raw.tell()

    def __iter__(self) -> Iterator[Row | BrokenRow]:
        width = len(self.columns)
        while True:
            self._pulled.clear()
            self._pulled_size = 0
            line = self._line + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._broken(line, error)  # the reader drops the row and begins anew with the next line
                continue
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if len(cells) != width:
                yield BrokenRow(
                    line,
                    "".join(self._pulled),
                    f"the row has {len(cells)} cell{'s' if len(cells) != 1 else ''}, the header has {width}",
                    "put cells that hold the delimiter in quotes; take out lines that are no data",
                )
                continue
            yield Row(line, cells)

    def _header(self) -> list[str]:
        if self._encoding not in ("utf-8-sig", "utf-16") and self._raw.peek(3).startswith(codecs.BOM_UTF8):
            raise self._refused(
                1,
                "encoding",
                f"the file is not {self._encoding.upper()} but UTF-8: it begins with that byte order mark",
                "write `encoding: utf-8` in the mapping",
            )
        try:
            cells = next(self._reader, None)
        except csv.Error as error:
            broken = self._broken(1, error)
            raise self._refused(1, "bad_csv", broken.what, broken.remedy) from None
        if not cells or not any(cell.strip() for cell in cells):
            raise self._refused(
                1, "no_header", "the first line holds no column names", "export the file with its header line"
            )
        return [cell.strip() for cell in cells]

    def _lines(self) -> Iterator[str]:
        """Physical lines, each counted, with what no CSV should hold refused."""
        while True:
            try:
                line = self._text.readline(MAX_ROW + 1)
            except UnicodeError:
                raise self._wrong_encoding() from None
            except OSError as error:
                raise _unreadable(self.path, error) from None
            if not line:
                return
            self._line += 1
            self._pulled_size += len(line)
            if self._pulled_size > MAX_ROW:
                raise self._refused(
                    self._line - len(self._pulled),
                    "too_large",
                    f"a row has more than {MAX_ROW:,} characters",
                    'check that this is a CSV file, and that every quote (") is closed',
                )
            if "\0" in line:
                raise self._refused(
                    self._line,
                    "nul",
                    "there is a NUL character, which no text has",
                    "check that this is a CSV file; if it was saved as Unicode, write `encoding: utf-16`",
                )
            self._pulled.append(line)
            yield line

    def _broken(self, line: int, error: csv.Error) -> BrokenRow:
        said = str(error)
        if "unexpected end" in said:
            raise self._refused(
                line,
                "open_quote",
                'a quote (") is opened here and never closed',
                'close it; a quote inside a quoted cell is written twice ("")',
            )
        if "field larger" in said:
            raise self._refused(
                line,
                "too_large",
                f"a cell has more than {csv.field_size_limit():,} characters, as when a quote is never closed",
                'close the quote ("), or shorten the cell',
            )
        until = f", down to line {self._line}" if self._line > line else ""
        return BrokenRow(
            line,
            "".join(self._pulled),
            f"a quoted cell goes on behind its closing quote{until}",
            'write a quote inside a quoted cell twice ("")',
        )

    def _wrong_encoding(self) -> FileRefused:
        with self.path.open("rb") as raw:
            start = raw.read(2)
            if start in (b"\xff\xfe", b"\xfe\xff"):
                return self._refused(
                    1,
                    "encoding",
                    "the file is not UTF-8 but UTF-16",
                    "write `encoding: utf-16` in the mapping",
                )
        line, column = self._first_undecodable()
        name = self._encoding.removesuffix("-sig")
        remedy = (
            "write `encoding: cp1252` in the mapping if Excel wrote it (cp1250 or cp1251 in Eastern Europe), or save it as UTF-8"
            if name == "utf-8"
            else "write the encoding that it was saved in; without `encoding` it is read as UTF-8"
        )
        what = f"the file is not {name.upper()}: a character can't be read"
        return self._refused(line, "encoding", what, remedy, column=column)

    def _first_undecodable(self) -> tuple[int, int | None]:
        """Line and column of the first bad byte: decoding again, with bad bytes made visible as lone surrogates."""
        with self.path.open(encoding=self._encoding, errors="surrogateescape", newline="") as text:
            number = 0
            try:
                while line := text.readline(_CHUNK):
                    for column, character in enumerate(line, 1):
                        if "\udc80" <= character <= "\udcff":
                            return number + 1, column
                    number += line.endswith(("\n", "\r"))
            except UnicodeError:
                return number + 1, None  # encodings of several bytes have no bad byte to show
        return number + 1, None

    def _refused(
        self, line: int, code: str, what: str, remedy: str, column: int | None = None
    ) -> FileRefused:
        where = f"line {line}" + (f", column {column}" if column is not None else "")
        problem = Problem(code=code, what=what, where=where, remedy=remedy, line=line, column=column)
        return FileRefused(self.path.name, [problem])


def _unreadable(path: Path, error: OSError) -> PlumblineError:
    return PlumblineError(f"{path} can't be read: {error.strerror}", remedy="check the path and its rights")
