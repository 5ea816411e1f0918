"""The delivery queue: one row for each alert at each endpoint, in the store's own SQLite file.

Rules:
1. Fan-out makes deliveries and moves the cursor in one transaction: a crash neither loses an alert nor doubles one.
2. A try is counted before it is made. After a crash in the midst of it the delivery is due again at once, and since
   the try counts, an alert that kills the process can't do so for ever.
3. Transactions are short; nobody holds one over a network call.

All methods block; the dispatcher calls them from a thread of their own. Times are Unix seconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from msgspec import Struct

from streams.delivery.policy import (
    MAX_TRIES,
    Answer,
    Decision,
    Delivered,
    EndpointGone,
    GiveUp,
    Result,
    TryAgain,
)
from streams.delivery.schema import connect
from streams.delivery.subscriptions import Route, Routed
from streams.sqlite_transaction import transaction

Router = Callable[[bytes], Iterable[Routed] | None]
"""The routes of an encoded alert; None if it can't be read."""


class Taken(Struct, frozen=True, kw_only=True):
    """A delivery taken for sending; ``tries`` counts this one."""

    seq: int
    alert_id: str
    body: bytes
    tries: int


class FanOut(Struct, frozen=True, kw_only=True):
    """``rows``: outbox rows handled (none: the outbox is at its end). ``counted``: what became of them, to be counted."""

    rows: int
    counted: list[tuple[str, Result]]


class Backlog(Struct, frozen=True, kw_only=True):
    """What one endpoint still has to get. ``oldest_s``: age of the oldest in seconds, 0 without any."""

    waiting: int = 0
    sending: int = 0
    retrying: int = 0
    oldest_s: float = 0.0

    @property
    def total(self) -> int:
        return self.waiting + self.sending + self.retrying


class Queue:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @classmethod
    def open(cls, path: Path) -> Self:
        """Raises PlumblineError or StateRefused (see schema.connect)."""
        return cls(connect(path, create=True))

    def close(self) -> None:
        self._db.close()

    def start(self, endpoints: Iterable[str], now: float) -> None:
        """Makes the endpoints known, and takes up again what a crash left in the midst of sending; what has had all its tries
        is dead."""
        with transaction(db := self._db):
            db.executemany(
                "INSERT OR IGNORE INTO delivery_endpoints(name) VALUES (?)", ((name,) for name in endpoints)
            )
            db.execute(
                "UPDATE deliveries SET state = iif(tries < :most, 'retrying', 'dead'),"
                " next_try = iif(tries < :most, :now, NULL), updated = :now WHERE state = 'sending'",
                {"most": MAX_TRIES, "now": now},
            )

    def fan_out(self, router: Router, endpoints: Iterable[str], now: float, *, limit: int = 500) -> FanOut:
        """Turns the next rows of the outbox into deliveries.

        What can't be read goes to the dead letters of every one of ``endpoints``, so that somebody sees it.
        """
        counted: list[tuple[str, Result]] = []
        if not self._news():
            return FanOut(rows=0, counted=[])
        with transaction(db := self._db):
            (cursor,) = db.execute("SELECT outbox_seq FROM delivery_cursor").fetchone()
            rows = db.execute(
                "SELECT seq, id, body FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?", (cursor, limit)
            ).fetchall()
            made: list[tuple[object, ...]] = []
            for row in rows:
                routed = router(row["body"])
                if routed is None:
                    for name in endpoints:
                        made.append(
                            (row["id"], name, row["seq"], "dead", None, Result.UNREADABLE, "", now, now)
                        )
                        counted.append((name, Result.DEAD))
                    continue
                for endpoint, route in ((r.endpoint, r.route) for r in routed):
                    if route is Route.SEND:
                        made.append((row["id"], endpoint, row["seq"], "waiting", now, None, "", now, now))
                    elif route is Route.TOO_OLD:
                        made.append(
                            (
                                row["id"],
                                endpoint,
                                row["seq"],
                                "skipped",
                                None,
                                Result.SKIPPED,
                                route,
                                now,
                                now,
                            )
                        )
                        counted.append((endpoint, Result.SKIPPED))
            db.executemany(
                "INSERT OR IGNORE INTO deliveries"
                "(alert_id, endpoint, outbox_seq, state, next_try, result, detail, created, updated)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                made,
            )
            if rows:
                db.execute("UPDATE delivery_cursor SET outbox_seq = ?", (rows[-1]["seq"],))
        return FanOut(rows=len(rows), counted=counted)

    def take(self, endpoint: str, now: float) -> Taken | None:
        """The next delivery that is due at ``endpoint``, marked as being sent; None if there is none or it is held up."""
        # Looked for without the write lock: an idle queue must not get in the way of the processor's commits.
        row = self._db.execute(
            "SELECT d.seq, d.alert_id, d.tries, o.body FROM deliveries d JOIN outbox o ON o.seq = d.outbox_seq"
            " WHERE d.endpoint = :endpoint AND d.next_try <= :now"
            " AND NOT EXISTS (SELECT 1 FROM delivery_endpoints e WHERE e.name = :endpoint"
            "   AND (e.disabled_at IS NOT NULL OR e.paused_until > :now))"
            " ORDER BY d.next_try, d.seq LIMIT 1",
            {"endpoint": endpoint, "now": now},
        ).fetchone()
        if row is None:
            return None
        self._db.execute(
            "UPDATE deliveries SET state = 'sending', tries = tries + 1, next_try = NULL, updated = ? WHERE seq = ?",
            (now, row["seq"]),
        )
        return Taken(seq=row["seq"], alert_id=row["alert_id"], body=row["body"], tries=row["tries"] + 1)

    def give_back(self, taken: Taken, now: float) -> None:
        """A try that was called off before it was over, because the service stops: it does not count."""
        self._db.execute(
            "UPDATE deliveries SET state = iif(tries > 1, 'retrying', 'waiting'), tries = tries - 1,"
            " next_try = ?, updated = ? WHERE seq = ? AND state = 'sending'",
            (now, now, taken.seq),
        )

    def settle(self, taken: Taken, endpoint: str, answer: Answer, decision: Decision, now: float) -> None:
        """Writes down what came of a try."""
        next_try: float | None = None
        match decision:
            case Delivered():
                state = "delivered"
            case TryAgain(at=at):
                state, next_try = "retrying", at
            case GiveUp():
                state = "dead"
            case EndpointGone():
                state, next_try = "retrying", now  # due as soon as somebody enables the endpoint
        with transaction(db := self._db):
            db.execute(
                "UPDATE deliveries SET state = ?, next_try = ?, result = ?, status = ?, detail = ?, updated = ?"
                " WHERE seq = ? AND state = 'sending'",
                (state, next_try, decision.result, answer.status, answer.detail, now, taken.seq),
            )
            if isinstance(decision, EndpointGone):
                db.execute(
                    "UPDATE delivery_endpoints SET disabled_at = ?, disabled_because = 'answered 410 Gone'"
                    " WHERE name = ? AND disabled_at IS NULL",
                    (now, endpoint),
                )
            elif isinstance(decision, TryAgain | GiveUp) and decision.pause_until is not None:
                db.execute(
                    "UPDATE delivery_endpoints SET paused_until = max(coalesce(paused_until, 0), ?) WHERE name = ?",
                    (decision.pause_until, endpoint),
                )

    def backlog(self, now: float) -> dict[str, Backlog]:
        """By endpoint, those without a backlog included."""
        found: dict[str, dict[str, int]] = {}
        oldest: dict[str, float] = {}
        for name, state, count, created in self._db.execute(
            "SELECT e.name, d.state, count(d.created), min(d.created) FROM delivery_endpoints e"
            " LEFT JOIN deliveries d ON d.endpoint = e.name AND d.state IN ('waiting', 'sending', 'retrying')"
            " GROUP BY e.name, d.state"
        ):
            counts = found.setdefault(name, {})
            if state is not None:
                counts[state] = count
                oldest[name] = min(created, oldest.get(name, created))
        return {
            name: Backlog(**counts, oldest_s=max(0.0, now - oldest[name]) if name in oldest else 0.0)
            for name, counts in found.items()
        }

    def settled(self) -> bool:
        """Whether every alert is fanned out and every delivery has had its first try."""
        first = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE state IN ('waiting', 'sending'))"
        return not self._news() and not self._db.execute(first).fetchone()[0]

    def _news(self) -> bool:
        news = "SELECT EXISTS (SELECT 1 FROM outbox WHERE seq > (SELECT outbox_seq FROM delivery_cursor))"
        return bool(self._db.execute(news).fetchone()[0])
