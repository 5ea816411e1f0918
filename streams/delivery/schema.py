"""The tables of delivery, in the same SQLite file as the outbox.

``alert_positions`` says how far the topics were read that the alerts came over, in distributed mode
(streams/delivery/intake.py). ``delivery_cursor`` says up to which row of the outbox alerts were fanned out; it moves in the transaction that makes the
deliveries. One delivery is one alert at one endpoint. States:

    waiting ---> sending ---> delivered
       ^            |-------> retrying (back to sending when due)
       |            '-------> dead (all tries used up, or unreadable)
       '--- by a person, from retrying, dead or skipped
    skipped: too old when it was fanned out

The file's settings (WAL, synchronous=NORMAL) are the store's: a power failure may take the last commits back, each as a
whole, and then at worst an alert is sent again.

A delivery whose endpoint is disabled stays where it is and is not taken until the endpoint is enabled.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

from schemas.errors import PlumblineError, StateRefused
from streams.stores.sqlite import open_database

VERSION = 1

State = Literal["waiting", "sending", "retrying", "delivered", "dead", "skipped"]
STATES: tuple[State, ...] = ("waiting", "sending", "retrying", "delivered", "dead", "skipped")

OUTBOX = """
CREATE TABLE IF NOT EXISTS outbox(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT UNIQUE NOT NULL,
    kind TEXT NOT NULL,
    at REAL NOT NULL,
    body BLOB NOT NULL
)
"""
"""The store's table (streams/stores/sqlite.py); made here too, since delivery may open the file first."""

_TABLES = (
    OUTBOX,
    """
    CREATE TABLE IF NOT EXISTS delivery_cursor(
        one INTEGER PRIMARY KEY CHECK (one = 1),
        version INTEGER NOT NULL,
        outbox_seq INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS deliveries(
        seq INTEGER PRIMARY KEY,
        alert_id TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        outbox_seq INTEGER NOT NULL,
        state TEXT NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0,
        next_try REAL,
        result TEXT,
        status INTEGER,
        detail TEXT NOT NULL DEFAULT '',
        created REAL NOT NULL,
        updated REAL NOT NULL,
        UNIQUE (alert_id, endpoint)
    )
    """,
    # next_try is there exactly while a delivery waits or retries.
    """
    CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries(endpoint, next_try, seq) WHERE next_try IS NOT NULL
    """,
    # Used only by queries that have the condition word for word.
    """
    CREATE INDEX IF NOT EXISTS deliveries_open ON deliveries(endpoint, state, created)
    WHERE state IN ('waiting', 'sending', 'retrying')
    """,
    """
    CREATE TABLE IF NOT EXISTS delivery_endpoints(
        name TEXT PRIMARY KEY,
        disabled_at REAL,
        disabled_because TEXT,
        paused_until REAL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS alert_positions(
        topic TEXT NOT NULL,
        partition INTEGER NOT NULL,
        next_offset INTEGER NOT NULL,
        PRIMARY KEY (topic, partition)
    ) WITHOUT ROWID
    """,
    """
    CREATE VIEW IF NOT EXISTS delivery_list AS
    SELECT d.*, o.kind, o.at AS alert_at FROM deliveries d JOIN outbox o ON o.seq = d.outbox_seq
    """,
)


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """A connection that commits by itself between explicit BEGINs; the tables are there.

    Raises PlumblineError if the file is missing (``create`` false) or no database, StateRefused if a later version of
    Plumbline wrote the tables.
    """
    if not create and not path.is_file():
        raise PlumblineError(
            f"there is no {path.name} in the data directory {path.parent}",
            remedy="give the directory of a service that has run, with --data-dir or --settings",
        )
    db: sqlite3.Connection | None = None
    try:
        db = open_database(path)
        _prepare(db)
    except sqlite3.DatabaseError as error:
        if db is not None:
            db.close()
        raise PlumblineError(
            f"{path.name} can't be used for deliveries ({error})",
            remedy="check that the data directory is writable and the file whole",
        ) from error
    except StateRefused:
        if db is not None:
            db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection) -> None:
    db.row_factory = sqlite3.Row
    for statement in _TABLES:
        db.execute(statement)
    found = db.execute("SELECT version FROM delivery_cursor").fetchone()
    if found is None:
        db.execute("INSERT OR IGNORE INTO delivery_cursor VALUES (1, ?, 0)", (VERSION,))
    elif found["version"] != VERSION:
        raise StateRefused(
            f"the delivery tables have version {found['version']}; this program reads version {VERSION}",
            remedy="run the version of Plumbline that wrote them, or a later one",
        )
