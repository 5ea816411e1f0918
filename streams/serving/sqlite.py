"""Reading from the embedded store's file (streams/stores/sqlite.py, streams/delivery/schema.py): the SQL of serving."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from detectors.accounts import NOT_ACCOUNTS
from streams.delivery.schema import State
from streams.serving.contract import AlertPlace, Archived, Listed, Progress, Wanted
from streams.serving.cursors import CursorRefused
from streams.serving.database import Database, has_table
from streams.serving.relisting import PARTITION, relist
from streams.serving.versions import Versions
from streams.serving.views import DeadLetterView, EndpointView
from streams.stores.contract import Ledger
from streams.stores.sqlite import FACTS

_ledger = msgspec.json.Decoder(Ledger)
_offsets = msgspec.json.Decoder(dict[str, int])
_LISTED = " JOIN states_accounts s ON s.partition = ? AND s.key = l.account WHERE l.variant = ?"


class SqliteSource:
    """``path``: the store's file. Keeps contract.py."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path)

    @contextmanager
    def snapshot(self) -> Iterator[SqliteSnapshot]:
        """Raises Unreadable, StateRefused."""
        with self._database.snapshot() as db:
            yield SqliteSnapshot(db)

    def relist(self, versions: Versions, now: float, pause: Callable[[float], bool]) -> int | None:
        """See relisting.py. Raises StateRefused, sqlite3.Error."""
        return relist(self._database.path, versions, now, pause)

    def close(self) -> None:
        self._database.close()


class SqliteSnapshot:
    """One read transaction on ``db``."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def state(self, account: str) -> bytes | None:
        row = self._db.execute(
            "SELECT state FROM states_accounts WHERE partition = ? AND key = ?", (PARTITION, account)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def account_states(self) -> Iterator[tuple[str, bytes]]:
        rows = self._db.execute("SELECT key, state FROM states_accounts WHERE partition = ?", (PARTITION,))
        return ((key, raw) for key, raw in rows if not key.startswith(NOT_ACCOUNTS))

    def account_count(self) -> int:
        (count,) = self._db.execute(
            "SELECT count(*) FROM states_accounts WHERE partition = ?", (PARTITION,)
        ).fetchone()
        for prefix in NOT_ACCOUNTS:
            # The range of keys that begin with the prefix: its last sign, and the one after that.
            end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
            (others,) = self._db.execute(
                "SELECT count(*) FROM states_accounts WHERE partition = ? AND key >= ? AND key < ?",
                (PARTITION, prefix, end),
            ).fetchone()
            count -= others
        return int(count)

    def listed_under(self, variant: str) -> str | None:
        row = self._db.execute("SELECT scoring FROM listed_under WHERE variant = ?", (variant,)).fetchone()
        return None if row is None else str(row[0])

    def by_rank(self, variant: str) -> Iterator[Listed]:
        return self._db.execute(
            f"SELECT l.account, l.rank, l.at, s.state FROM listings l CROSS{_LISTED} ORDER BY l.rank DESC",  # noqa: S608
            (PARTITION, variant),
        )

    def by_fit(self, variant: str, unknown: float, after: tuple[float, str] | None) -> Iterator[Listed]:
        place = after or (1e9, "")
        select = (
            "SELECT l.account, {fit}, l.at, s.state FROM listings l INDEXED BY listings_by_fit"  # noqa: S608
            f" CROSS{_LISTED} AND {{condition}} ORDER BY {{order}}"
        )
        known = self._db.execute(
            select.format(
                fit="l.fit",
                condition="l.fit <= ? AND NOT (l.fit = ? AND l.account <= ?)",
                order="l.fit DESC, l.account",
            ),
            (PARTITION, variant, place[0], *place),
        )
        without = self._db.execute(
            select.format(
                fit="?", condition="l.fit IS NULL AND (? < ? OR (? = ? AND l.account > ?))", order="l.account"
            ),
            (unknown, PARTITION, variant, unknown, place[0], unknown, *place),
        )
        return heapq.merge(known, without, key=lambda row: (-row[1], row[0]))

    def listed_before(self, variant: str, at: float) -> Iterator[tuple[str, bytes]]:
        return self._db.execute(
            f"SELECT l.account, s.state FROM listings l CROSS{_LISTED} AND l.at < ?",  # noqa: S608
            (PARTITION, variant, at),
        )

    def alerts(self, wanted: Wanted, limit: int, after: AlertPlace | None) -> Sequence[Archived]:
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
            if isinstance(after.tie, str):
                raise CursorRefused
            conditions.append("at <= ? AND (at < ? OR seq < ?)")
            values += [after.at, after.at, after.tie]
        where = " AND ".join(conditions) or "TRUE"
        return self._db.execute(
            f"SELECT at, seq, body FROM outbox WHERE {where} ORDER BY at DESC, seq DESC LIMIT ?",  # noqa: S608
            (*values, limit),
        ).fetchall()

    def alert(self, alert_id: str) -> bytes | None:
        row = self._db.execute("SELECT body FROM outbox WHERE id = ?", (alert_id,)).fetchone()
        return None if row is None else bytes(row[0])

    def alerts_by_kind(self) -> dict[str, int]:
        return dict(self._db.execute("SELECT kind, count(*) FROM outbox GROUP BY kind ORDER BY kind"))

    def drift_states(self, signals: Sequence[str]) -> dict[str, bytes]:
        marks = ",".join("?" * len(signals))
        return dict(
            self._db.execute(
                f"SELECT key, state FROM states_drift WHERE partition = ? AND key IN ({marks})",  # noqa: S608
                (PARTITION, *signals),
            )
        )

    def progress(self, stage: str) -> list[Progress]:
        rows = self._db.execute(
            "SELECT partition, offsets, watermark, ledger FROM partitions WHERE stage = ? ORDER BY partition",
            (stage,),
        )
        return [
            Progress(
                partition=partition,
                offsets=_offsets.decode(offsets),
                watermark=watermark,
                ledger=_ledger.decode(ledger),
            )
            for partition, offsets, watermark, ledger in rows
        ]

    def dead_letters(self, limit: int) -> list[DeadLetterView]:
        rows = self._db.execute(
            "SELECT seq, topic, offset, reason, detail FROM dead_letters ORDER BY seq DESC LIMIT ?", (limit,)
        )
        return [
            DeadLetterView(seq=seq, topic=topic, offset=offset, reason=reason, detail=detail)
            for seq, topic, offset, reason, detail in rows
        ]

    def dead_letters_by_reason(self) -> dict[str, int]:
        return dict(
            self._db.execute("SELECT reason, count(*) FROM dead_letters GROUP BY reason ORDER BY 2 DESC, 1")
        )

    def deliveries(self) -> list[EndpointView]:
        if not has_table(self._db, "delivery_endpoints"):
            return []
        disabled = dict(
            self._db.execute(
                "SELECT name, iif(disabled_at IS NULL, '', coalesce(nullif(disabled_because, ''), 'by a person'))"
                " FROM delivery_endpoints"
            )
        )
        counts: dict[str, dict[State, int]] = {name: {} for name in disabled}
        for endpoint, state, count in self._db.execute(
            "SELECT endpoint, state, count(*) FROM deliveries GROUP BY endpoint, state"
        ):
            counts.setdefault(endpoint, {})[state] = count
        return [
            EndpointView(
                endpoint=endpoint,
                delivered=of.get("delivered", 0),
                waiting=of.get("waiting", 0) + of.get("sending", 0),
                retrying=of.get("retrying", 0),
                dead=of.get("dead", 0),
                skipped=of.get("skipped", 0),
                disabled_because=disabled.get(endpoint, ""),
            )
            for endpoint, of in sorted(counts.items())
        ]
