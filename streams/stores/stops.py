"""Which partitions stand still because of a flood of dead letters, and the way to tell them to go on.

Whoever stops a partition writes it down here; ``plumbline dlq resume`` takes it away; the one that stands still looks, and
goes on when it is gone. Beside the store's own data, in the same place, so that nothing else has to be reached.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from streams.stores.sqlite import open_database

_TABLE = "CREATE TABLE IF NOT EXISTS stopped (partition INTEGER PRIMARY KEY, body BLOB NOT NULL)"


class Stop(Struct, frozen=True, kw_only=True):
    """``dead`` of the newest ``events`` events would be dead letters, for ``reasons``. ``at``: when, in Unix seconds."""

    partition: int
    at: float
    dead: int
    events: int
    reasons: Sequence[str]


_decoder = msgspec.json.Decoder(Stop)


def decode_stop(raw: bytes) -> Stop:
    """Raises msgspec.ValidationError or msgspec.DecodeError."""
    return _decoder.decode(raw)


class Stops(Protocol):
    """All raise StoreUnavailable, or sqlite3.Error, when the store can't be reached."""

    def put(self, stop: Stop) -> None: ...

    def remove(self, partition: int) -> bool:
        """Whether it was there."""
        ...

    def stopped(self) -> list[Stop]:
        """By partition."""
        ...


class SqliteStops:
    """In the embedded store's file, by a connection for each call: they are few."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, stop: Stop) -> None:
        with closing(self._open()) as db:
            db.execute(
                "INSERT OR REPLACE INTO stopped VALUES (?, ?)", (stop.partition, msgspec.json.encode(stop))
            )

    def remove(self, partition: int) -> bool:
        with closing(self._open()) as db:
            return db.execute("DELETE FROM stopped WHERE partition = ?", (partition,)).rowcount > 0

    def stopped(self) -> list[Stop]:
        with closing(self._open()) as db:
            return [
                decode_stop(body) for (body,) in db.execute("SELECT body FROM stopped ORDER BY partition")
            ]

    def _open(self) -> sqlite3.Connection:
        db = open_database(self._path)
        db.execute(_TABLE)
        return db
