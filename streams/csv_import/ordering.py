"""Puts events in the order of time, for histories larger than memory, and finds ids that come twice.

Rules:
1. Order: by time; at equal times as they were put.
2. The same id with another content: none of the two may be lost without a word, so the later row is refused.
3. The same id with the same content is a repeat: left out and counted. But rows alike in every cell, in one file
   whose mapping names no key, are so many events: the second gets ``-2`` behind its id, and so on. The same rows in
   another file of the export (overlapping months) are repeats again.

It stands on a temporary SQLite database without a name, which the operating system takes away even after a crash; it
lies where SQLITE_TMPDIR or TMPDIR says and needs about twice the room of the events.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import msgspec
from msgspec import Struct

from schemas.errors import PlumblineError
from streams.csv_import.row_events import Draft

_BATCH = 5000
_SCHEMA = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;
CREATE TABLE event (
  seq INTEGER PRIMARY KEY, at INTEGER, name BLOB, row INTEGER, file INTEGER, line INTEGER, keyed INTEGER, body BLOB
);
CREATE TABLE refused (row INTEGER PRIMARY KEY, file INTEGER, line INTEGER, first_file INTEGER, first_line INTEGER);
BEGIN;
"""
_TWICE = """
SELECT seq, name, row, file, line, keyed, body FROM event
WHERE name IN (SELECT name FROM event GROUP BY name HAVING COUNT(*) > 1) ORDER BY name, seq
"""


class Place(Struct, frozen=True):
    """A row: its file's number among the files, and its line."""

    file: int
    line: int


class SameId(Struct, frozen=True):
    """The row at ``later`` has an event with the id of one at ``first``, but with another content."""

    later: Place
    first: Place


class Ordering:
    """Put rows, settle, then iterate."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._waiting: list[tuple[Any, ...]] = []
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
        if isinstance(error, sqlite3.OperationalError):
            raise PlumblineError(
                f"the events can't be sorted: {error}",
                remedy="name a folder with more room in the environment variable SQLITE_TMPDIR",
            ) from None

    def put(self, place: Place, drafts: list[Draft]) -> None:
        """The events of one row."""
        self._rows += 1
        for draft in drafts:
            self._waiting.append(
                (draft.at, draft.name, self._rows, place.file, place.line, draft.keyed, draft.body)
            )
        if len(self._waiting) >= _BATCH:
            self._flush()

    def settle(self) -> int:
        """Deals with ids that came twice, once all is put. Returns the number of repeats left out."""
        self._flush()
        self._db.execute("CREATE INDEX by_name ON event (name)")
        self._refuse_other_contents()
        return self._leave_repeats_out()

    def refused(self) -> Iterator[SameId]:
        """Rows refused for their id, by file and line."""
        for file, line, first_file, first_line in self._db.execute(
            "SELECT file, line, first_file, first_line FROM refused ORDER BY file, line"
        ):
            yield SameId(Place(file, line), Place(first_file, first_line))

    def __len__(self) -> int:
        (count,) = self._db.execute("SELECT COUNT(*) FROM event").fetchone()
        return int(count)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Time (microseconds since 1970) and content of each event, in order."""
        yield from self._db.execute("SELECT at, body FROM event ORDER BY at, seq")

    def _flush(self) -> None:
        self._db.executemany(
            "INSERT INTO event (at, name, row, file, line, keyed, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
            self._waiting,
        )
        self._waiting.clear()

    def _refuse_other_contents(self) -> None:
        first: tuple[bytes, Place, bytes] | None = None
        rows = self._db.execute(_TWICE)
        while batch := rows.fetchmany(_BATCH):
            refused = []
            for _, name, row, file, line, _, body in batch:
                if first is None or first[0] != name:
                    first = (name, Place(file, line), body)
                elif body != first[2]:
                    refused.append((row, file, line, first[1].file, first[1].line))
            self._db.executemany("INSERT OR IGNORE INTO refused VALUES (?, ?, ?, ?, ?)", refused)
        # Whole rows go before repeats are counted, so that no repeat is dropped in favour of an event that goes too.
        self._db.execute("DELETE FROM event WHERE row IN (SELECT row FROM refused)")

    def _leave_repeats_out(self) -> int:
        repeats = 0
        alike = _Alike()
        self._db.execute("CREATE TABLE twice AS " + _TWICE)  # a copy to read from while events change
        rows = self._db.execute("SELECT seq, name, file, keyed, body FROM twice ORDER BY rowid")
        while batch := rows.fetchmany(_BATCH):
            dropped, numbered = [], []
            for seq, name, file, keyed, body in batch:
                number = alike.number(name, file, keyed=bool(keyed))
                if number is None:
                    dropped.append((seq,))
                elif number > 1:
                    numbered.append((_with_number(body, number), seq))
            repeats += len(dropped)
            self._db.executemany("DELETE FROM event WHERE seq = ?", dropped)
            self._db.executemany("UPDATE event SET body = ? WHERE seq = ?", numbered)
        return repeats


class _Alike:
    """Counts events of one name, which come one after the other and file by file."""

    def __init__(self) -> None:
        self._name = b""
        self._file = -1
        self._here = 0
        self._elsewhere = 0

    def number(self, name: bytes, file: int, *, keyed: bool) -> int | None:
        """Which of its name the event is, counted from 1; None for a repeat."""
        if name != self._name:
            self._name, self._file, self._here, self._elsewhere = name, file, 0, 0
        elif file != self._file:
            self._elsewhere = max(self._elsewhere, self._here)
            self._file, self._here = file, 0
        self._here += 1
        if self._here <= self._elsewhere or (keyed and self._here > 1):
            return None
        return self._here


def _with_number(body: bytes, number: int) -> bytes:
    event = msgspec.json.decode(body)
    event["id"] = f"{event['id']}-{number}"
    return msgspec.json.encode(event)
