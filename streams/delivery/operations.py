"""What people do with deliveries: look, retry, enable and disable. Each function is one short transaction.

Rules: an alert is found by its id or by an unambiguous beginning of it; what was delivered, and what is being sent
right now, is not sent again from here; a retry starts with a full set of tries. The running service notices at its next
poll.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from schemas.alerts import Alert, decode_alert
from schemas.errors import PlumblineError
from streams.delivery.schema import STATES

MIN_PREFIX = 4


class Delivery(Struct, kw_only=True):
    """One alert at one endpoint. ``result`` is a word of policy.Result, ``detail`` goes with it. Times: Unix seconds."""

    alert_id: str
    endpoint: str
    kind: str
    alert_at: float
    state: str
    tries: int
    next_try: float | None
    result: str | None
    status: int | None
    detail: str
    created: float
    updated: float


class EndpointState(Struct, kw_only=True):
    """``counts`` by state of delivery."""

    name: str
    disabled_at: float | None
    disabled_because: str | None
    paused_until: float | None
    counts: dict[str, int]


def list_deliveries(
    db: sqlite3.Connection, *, states: Sequence[str] = (), endpoint: str | None = None, limit: int = 50
) -> list[Delivery]:
    """The newest first."""
    rows = db.execute(
        "SELECT * FROM delivery_list WHERE (:states = '[]' OR state IN (SELECT value FROM json_each(:states)))"
        " AND (:endpoint IS NULL OR endpoint = :endpoint) ORDER BY seq DESC LIMIT :limit",
        {"states": msgspec.json.encode(list(states)).decode(), "endpoint": endpoint, "limit": limit},
    )
    return [_delivery(row) for row in rows]


def _delivery(row: sqlite3.Row) -> Delivery:
    return Delivery(**{name: row[name] for name in Delivery.__struct_fields__})


def find_alert(db: sqlite3.Connection, written: str) -> str:
    """The id of the one alert whose id begins with ``written``. Raises PlumblineError if there is none, or several."""
    if len(written) < MIN_PREFIX:
        raise PlumblineError(
            f"{written!r} is too short for an alert id", remedy=f"give at least {MIN_PREFIX} characters of it"
        )
    found = db.execute(
        "SELECT id FROM outbox WHERE substr(id, 1, length(:id)) = :id ORDER BY id = :id DESC LIMIT 2",
        {"id": written},
    ).fetchall()
    if not found:
        raise PlumblineError(
            "there is no alert with this id", remedy="plumbline deliveries list shows the ids"
        )
    if len(found) > 1 and found[0]["id"] != written:
        raise PlumblineError("several alerts have an id that begins like this", remedy="give more of the id")
    return str(found[0]["id"])


def show_alert(db: sqlite3.Connection, alert_id: str) -> tuple[Alert | None, list[Delivery]]:
    """The alert (None if this version can't read it) and where it went, by endpoint."""
    (body,) = db.execute("SELECT body FROM outbox WHERE id = ?", (alert_id,)).fetchone()
    rows = db.execute("SELECT * FROM delivery_list WHERE alert_id = ? ORDER BY endpoint", (alert_id,))
    deliveries = [_delivery(row) for row in rows]
    try:
        return decode_alert(body), deliveries
    except msgspec.DecodeError:
        return None, deliveries


def retry_alert(db: sqlite3.Connection, alert_id: str, now: float, *, endpoint: str | None = None) -> int:
    """Makes the alert's deliveries that are retrying, dead or skipped due at once; how many."""
    return db.execute(
        "UPDATE deliveries SET state = 'waiting', tries = 0, next_try = :now, updated = :now"
        " WHERE alert_id = :id AND state IN ('retrying', 'dead', 'skipped')"
        " AND (:endpoint IS NULL OR endpoint = :endpoint)",
        {"id": alert_id, "endpoint": endpoint, "now": now},
    ).rowcount


def retry_dead(db: sqlite3.Connection, endpoint: str, now: float) -> int:
    """Makes all dead deliveries of ``endpoint`` due at once; how many. Raises PlumblineError for an unknown endpoint."""
    _known(db, endpoint)
    return db.execute(
        "UPDATE deliveries SET state = 'waiting', tries = 0, next_try = ?, updated = ?"
        " WHERE endpoint = ? AND state = 'dead'",
        (now, now, endpoint),
    ).rowcount


def enable(db: sqlite3.Connection, endpoint: str) -> bool:
    """Ends a disablement and a pause; whether there was one. Raises PlumblineError for an unknown endpoint."""
    _known(db, endpoint)
    return (
        db.execute(
            "UPDATE delivery_endpoints SET disabled_at = NULL, disabled_because = NULL, paused_until = NULL"
            " WHERE name = ? AND (disabled_at IS NOT NULL OR paused_until IS NOT NULL)",
            (endpoint,),
        ).rowcount
        > 0
    )


def disable(db: sqlite3.Connection, endpoint: str, now: float, because: str) -> bool:
    """Holds the endpoint's deliveries; whether it was enabled. Raises PlumblineError for an unknown endpoint."""
    _known(db, endpoint)
    return (
        db.execute(
            "UPDATE delivery_endpoints SET disabled_at = ?, disabled_because = ?"
            " WHERE name = ? AND disabled_at IS NULL",
            (now, because, endpoint),
        ).rowcount
        > 0
    )


def endpoints(db: sqlite3.Connection) -> list[EndpointState]:
    """Every endpoint that a service on this file has had, by name."""
    counts: dict[str, dict[str, int]] = {}
    for name, state, count in db.execute(
        "SELECT endpoint, state, count(*) FROM deliveries GROUP BY endpoint, state"
    ):
        counts.setdefault(name, dict.fromkeys(STATES, 0))[state] = count
    return [
        EndpointState(**row, counts=counts.get(row["name"], dict.fromkeys(STATES, 0)))
        for row in db.execute(
            "SELECT name, disabled_at, disabled_because, paused_until FROM delivery_endpoints ORDER BY name"
        )
    ]


def _known(db: sqlite3.Connection, endpoint: str) -> None:
    if db.execute("SELECT 1 FROM delivery_endpoints WHERE name = ?", (endpoint,)).fetchone() is None:
        raise PlumblineError(
            "there is no endpoint with this name", remedy="plumbline deliveries endpoints lists them"
        )
