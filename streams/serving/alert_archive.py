"""Alerts that went out, newest first, from the outbox. They are shown word for word as they were sent."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from schemas.alerts import Alert, decode_alert
from streams.serving.cursors import read_cursor, write_cursor
from streams.serving.views import AlertPage
from streams.stores.sqlite import FACTS


class Wanted(Struct, frozen=True, kw_only=True):
    """Which alerts; what is None is not asked for. ``since`` in Unix seconds, included."""

    kind: str | None = None
    account: str | None = None
    variant: str | None = None
    signal: str | None = None
    segment: str | None = None
    since: float | None = None


class _Place(Struct, array_like=True):
    at: float
    seq: int


def alert_page(db: sqlite3.Connection, wanted: Wanted, limit: int, cursor: str | None) -> AlertPage:
    """Raises CursorRefused."""
    after = read_cursor(cursor, _Place) if cursor is not None else None
    rows = _select(db, wanted, limit + 1, after)
    more = len(rows) > limit
    rows = rows[:limit]
    return AlertPage(
        alerts=[msgspec.Raw(body) for _, _, body in rows],
        next=write_cursor(_Place(rows[-1][0], rows[-1][1])) if more else None,
    )


def newest_alerts(db: sqlite3.Connection, wanted: Wanted, limit: int) -> list[Alert]:
    return [decode_alert(body) for _, _, body in _select(db, wanted, limit, None)]


def alert_body(db: sqlite3.Connection, alert_id: str) -> bytes | None:
    row = db.execute("SELECT body FROM outbox WHERE id = ?", (alert_id,)).fetchone()
    return None if row is None else bytes(row[0])


def count_by_kind(db: sqlite3.Connection) -> dict[str, int]:
    return dict(db.execute("SELECT kind, count(*) FROM outbox GROUP BY kind ORDER BY kind"))


def _select(
    db: sqlite3.Connection, wanted: Wanted, limit: int, after: _Place | None
) -> Sequence[tuple[float, int, bytes]]:
    conditions = []
    values: list[object] = []
    if wanted.kind is not None:
        conditions.append("kind = ?")
        values.append(wanted.kind)
    for fact in ("account", "variant", "signal"):
        value = getattr(wanted, fact)
        if value is not None:
            conditions.append(f"{FACTS[fact]} = ?")
            values.append(value)
    if wanted.segment is not None:
        conditions.append("json_extract(CAST(body AS TEXT), '$.segment') = ?")
        values.append(wanted.segment)
    if wanted.since is not None:
        conditions.append("at >= ?")
        values.append(wanted.since)
    if after is not None:
        conditions.append("at <= ? AND (at < ? OR seq < ?)")
        values += [after.at, after.at, after.seq]
    where = " AND ".join(conditions) or "TRUE"
    return db.execute(
        f"SELECT at, seq, body FROM outbox WHERE {where} ORDER BY at DESC, seq DESC LIMIT ?",  # noqa: S608
        (*values, limit),
    ).fetchall()
