"""Read-only connections to the store's file, for those who show what is in it.

Rules:
1. Nothing here writes, and in WAL mode a reader holds up nobody: the processor commits while a page is being made.
2. One ``snapshot`` is one read transaction: what is read within it belongs together. It should be short, since the
   write-ahead log can't be emptied past it.
3. Connections are lent, one to a thread at a time, and kept for the next.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.serving.contract import Unreadable
from streams.stores.sqlite import open_database

MAX_IDLE = 8


class Database:
    """The file at ``path``. May be used by several threads at the same time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection within one read transaction. Raises Unreadable, StateRefused."""
        connection = self._borrow()
        try:
            connection.execute("BEGIN")
            yield connection
            connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            connection.close()
            raise Unreadable(
                f"the data can't be read now ({error})",
                remedy="try again; if it stays like this, check the disk and the service's log",
            ) from error
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if not self._closed and len(self._idle) < MAX_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _borrow(self) -> sqlite3.Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        if not self.path.is_file():
            raise _NoData(self.path)
        try:
            connection = open_database(self.path, read_only=True)
            connection.isolation_level = None
        except sqlite3.Error as error:
            raise Unreadable(
                f"{self.path.name} can't be opened ({error})",
                remedy="check the data directory and its permissions",
            ) from error
        return connection


class _NoData(Unreadable):
    """``what`` goes into answers over HTTP, which name no folder; on the command line the error does."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"there is no {path.name} in the data directory",
            remedy="start the service once with `plumbline run`, or name another directory with --data-dir",
        )
        self._folder = path.parent

    def __str__(self) -> str:
        return f"{self._folder}: {super().__str__()}"


def has_table(db: sqlite3.Connection, name: str) -> bool:
    """Whether the file has this table; delivery makes its own ones when it first runs."""
    row = db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).fetchone()
    return row is not None
