"""Alerts that come over a topic, into the outbox that delivery reads: distributed mode's way in.

Rules:
1. Alerts and the positions reached in the topic are written in one transaction: after a crash the topic is read on from
   where the outbox ends, and nothing is lost or there twice.
2. An alert whose id is there already is dropped: the topic may hold it more than once.
3. What can't be read is kept all the same, under an id made of its place: fan-out shows it as dead at every endpoint.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

import msgspec

from schemas.alerts import decode_alert
from streams.delivery.schema import connect
from streams.sqlite_transaction import transaction
from streams.stores.contract import OutboxRow

UNREADABLE = "unreadable"
"""The kind of an outbox row that this version can't read."""


class Intake:
    """Over a connection of its own; for one thread at a time. All methods block."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @classmethod
    def open(cls, path: Path) -> Self:
        """Raises PlumblineError or StateRefused (see schema.connect)."""
        return cls(connect(path, create=True))

    def close(self) -> None:
        self._db.close()

    def positions(self, topic: str) -> dict[int, int]:
        """Partition -> offset of the next record to read; without those that were not read yet."""
        rows = self._db.execute(
            "SELECT partition, next_offset FROM alert_positions WHERE topic = ?", (topic,)
        )
        return {row["partition"]: row["next_offset"] for row in rows}

    def take_in(self, topic: str, alerts: Iterable[OutboxRow], positions: Mapping[int, int]) -> int:
        """Keeps ``alerts`` and the ``positions`` reached with them, both or neither. How many alerts were new."""
        with transaction(self._db):
            before = self._db.total_changes
            self._db.executemany(
                "INSERT INTO outbox(id, kind, at, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [(row.id, row.kind, row.at, row.body) for row in alerts],
            )
            new = self._db.total_changes - before
            self._db.executemany(
                "INSERT INTO alert_positions VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset",
                [(topic, partition, offset) for partition, offset in positions.items()],
            )
        return new


def outbox_row(body: bytes, place: str, at: float) -> OutboxRow:
    """The row of an encoded alert; of one that can't be read, with ``place`` in its id and ``at`` (Unix seconds) as its
    time."""
    try:
        alert = decode_alert(body)
    except msgspec.DecodeError:  # a ValidationError is one too
        return OutboxRow(id=f"{UNREADABLE}-{place}", kind=UNREADABLE, at=at, body=body)
    return OutboxRow(
        id=alert.id, kind=str(type(alert).__struct_config__.tag), at=alert.at.timestamp(), body=body
    )
