"""The embedded store: one SQLite file with states, timers, outbox, observations, dead letters and offsets.

Rules beyond the contract's:
1. One transaction a commit, in WAL mode; with synchronous=NORMAL a power failure can take the last commits back, all
   of each or nothing, and the event log is read again from there.
2. A state is addressed by an integer row id, which the processor remembers: an update touches one B-tree. The index on
   timers is touched only when an account's earliest timer has changed.
3. The file carries a schema version. Another one is refused, never guessed at.
4. Only its owner may read the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from math import inf
from pathlib import Path

import msgspec

from schemas.errors import Fenced, StateRefused
from streams.failpoints import reach
from streams.stores.contract import Claim, Commit, Committed, DeadLetter, Ledger, Loaded, Stored

SCHEMA_VERSION = 2
READABLE = (0, 1, SCHEMA_VERSION)
"""0: a new file. 1: the drift stage's observations could be waiting in it; a program that expects them there can't go on with 2."""
STAGES = ("accounts", "drift")
KEYS_AT_ONCE = 1000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS partitions (
  stage TEXT NOT NULL, partition INTEGER NOT NULL, version INTEGER NOT NULL, offsets TEXT NOT NULL,
  watermark REAL NOT NULL, ledger TEXT NOT NULL, PRIMARY KEY (stage, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, at REAL NOT NULL,
  body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS observations (seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS dead_letters (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, offset INTEGER NOT NULL, reason TEXT NOT NULL,
  detail TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS listings (
  variant TEXT NOT NULL, account TEXT NOT NULL, fit REAL, trigger REAL NOT NULL, at REAL NOT NULL,
  bound REAL NOT NULL, rank REAL NOT NULL, PRIMARY KEY (variant, account)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS listings_by_rank ON listings (variant, rank DESC);
CREATE INDEX IF NOT EXISTS listings_by_fit ON listings (variant, fit DESC);
CREATE TABLE IF NOT EXISTS listed_under (variant TEXT PRIMARY KEY, scoring TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS outbox_by_time ON outbox (at);
CREATE INDEX IF NOT EXISTS outbox_by_kind ON outbox (kind, at);
"""

FACTS = {fact: f"json_extract(CAST(body AS TEXT), '$.{fact}')" for fact in ("account", "variant", "signal")}
"""What alerts are looked up by, as SQL over an outbox row: one expression, so that queries and indexes agree."""

_FACT_INDEXES = "".join(
    f"CREATE INDEX IF NOT EXISTS outbox_by_{fact} ON outbox ({sql}, at) WHERE {sql} IS NOT NULL;\n"
    for fact, sql in FACTS.items()
)

_STATES = """
CREATE TABLE IF NOT EXISTS states_{stage} (
  row INTEGER PRIMARY KEY, partition INTEGER NOT NULL, key TEXT NOT NULL, due REAL, state BLOB NOT NULL,
  UNIQUE (partition, key)
);
CREATE INDEX IF NOT EXISTS due_{stage} ON states_{stage} (partition, due) WHERE due IS NOT NULL;
"""

_offsets = msgspec.json.Decoder(dict[str, int])
_ledger = msgspec.json.Decoder(Ledger)


def open_database(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection with the settings that all users of the file share. Raises StateRefused for another version."""
    if read_only:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10, check_same_thread=False
        )
    else:
        if not path.exists():
            with suppress(OSError):  # what is wrong with the place, SQLite says
                path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in READABLE:
        connection.close()
        raise StateRefused(
            f"the data file has version {version}; this program reads version {SCHEMA_VERSION}",
            remedy="run the version of Plumbline that wrote it, or begin with an empty data directory and replay",
        )
    return connection


def read_dead_letters(database: sqlite3.Connection) -> list[DeadLetter]:
    """All dead letters, in order of arrival."""
    rows = database.execute("SELECT topic, offset, reason, detail, body FROM dead_letters ORDER BY seq")
    return [DeadLetter(*row) for row in rows]


class SqliteStore:
    """Keeps the store contract (streams/stores/contract.py) in one file. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = open_database(path)
        self._db.execute("PRAGMA cache_size=-65536")
        self._db.execute("PRAGMA wal_autocheckpoint=8000")
        self._db.executescript(
            _SCHEMA + _FACT_INDEXES + "".join(_STATES.format(stage=stage) for stage in STAGES)
        )
        self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def claim(self, stage: str, partition: int) -> Claim:
        with self._transaction():
            self._db.execute(
                "INSERT INTO partitions VALUES (?, ?, 1, '{}', 0.0, '{}')"
                " ON CONFLICT DO UPDATE SET version = version + 1",
                (stage, partition),
            )
            version, offsets, watermark, ledger = self._db.execute(
                "SELECT version, offsets, watermark, ledger FROM partitions WHERE stage = ? AND partition = ?",
                (stage, partition),
            ).fetchone()
        return Claim(
            stage=stage,
            partition=partition,
            version=version,
            offsets=_offsets.decode(offsets),
            watermark=watermark,
            ledger=_ledger.decode(ledger),
        )

    def load(
        self, claim: Claim, keys: Iterable[str], due_until: float | None, due_after: float = -inf
    ) -> Loaded:
        table = f"states_{claim.stage}"
        wanted = list(keys)
        states: dict[str, Stored] = {}
        for first in range(0, len(wanted), KEYS_AT_ONCE):
            chunk = wanted[first : first + KEYS_AT_ONCE]
            marks = ",".join("?" * len(chunk))
            for key, row, due, state in self._db.execute(
                f"SELECT key, row, due, state FROM {table} WHERE partition = ? AND key IN ({marks})",  # noqa: S608
                (claim.partition, *chunk),
            ):
                states[key] = Stored(state=state, row=row, due=due)
        due_keys: list[str] = []
        if due_until is not None:
            for key, row, due, state in self._db.execute(
                f"SELECT key, row, due, state FROM {table} WHERE partition = ? AND due > ? AND due <= ? ORDER BY due, key",  # noqa: S608
                (claim.partition, due_after, due_until),
            ):
                states[key] = Stored(state=state, row=row, due=due)
                due_keys.append(key)
        return Loaded(states=states, due_keys=due_keys)

    def commit(self, claim: Claim, commit: Commit) -> Committed:
        db = self._db
        table = f"states_{claim.stage}"
        reach("commit.before")
        with self._transaction():
            after = claim.after(commit)
            changed = db.execute(
                "UPDATE partitions SET version = version + 1, offsets = ?, watermark = ?, ledger = ?"
                " WHERE stage = ? AND partition = ? AND version = ? AND offsets = ?",
                (
                    _text(after.offsets),
                    after.watermark,
                    msgspec.json.encode(after.ledger).decode(),
                    claim.stage,
                    claim.partition,
                    claim.version,
                    _text(claim.offsets),
                ),
            ).rowcount
            if changed != 1:
                raise Fenced(
                    f"state partition {claim.partition} of stage {claim.stage} has another owner now",
                    remedy="nothing is lost: the other owner goes on from the last commit; run one service on a data directory",
                )
            reach("commit.after_offsets")
            # Row ids in the order of writing: neighbours in the file are written together.
            same = [(w.state, w.row) for w in commit.states if w.row and not w.due_changed]
            same.sort(key=_row)
            db.executemany(f"UPDATE {table} SET state = ? WHERE row = ?", same)  # noqa: S608
            db.executemany(
                f"UPDATE {table} SET state = ?, due = ? WHERE row = ?",  # noqa: S608
                [(w.state, w.due, w.row) for w in commit.states if w.row and w.due_changed],
            )
            new = [w for w in commit.states if not w.row]
            (last,) = db.execute(f"SELECT coalesce(max(row), 0) FROM {table}").fetchone()  # noqa: S608
            rows = {write.key: last + 1 + index for index, write in enumerate(new)}
            db.executemany(
                f"INSERT INTO {table} (row, partition, key, due, state) VALUES (?, ?, ?, ?, ?)",  # noqa: S608
                [(rows[w.key], claim.partition, w.key, w.due, w.state) for w in new],
            )
            reach("commit.after_states")
            db.executemany(
                "INSERT INTO listings VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET fit = coalesce(excluded.fit, fit),"
                " trigger = excluded.trigger, at = excluded.at, bound = excluded.bound, rank = excluded.rank",
                [
                    (x.variant, x.account, x.fit, x.trigger, x.at, x.bound, x.bound + x.at / x.envelope_s)
                    for x in commit.listings
                ],
            )
            reach("commit.after_listings")
            db.executemany(
                "INSERT INTO outbox (id, kind, at, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [(row.id, row.kind, row.at, row.body) for row in commit.outbox],
            )
            db.executemany(
                "INSERT INTO observations (body) VALUES (?)", [(body,) for body in commit.observations]
            )
            reach("commit.after_outbox")
            db.executemany(
                "INSERT INTO dead_letters (topic, offset, reason, detail, body) VALUES (?, ?, ?, ?, ?)",
                [(d.topic, d.offset, d.reason, d.detail, d.body) for d in commit.dead_letters],
            )
            reach("commit.after_dead_letters")
        return Committed(claim=after, rows=rows)

    def next_due(self, claim: Claim) -> float | None:
        (due,) = self._db.execute(
            f"SELECT min(due) FROM states_{claim.stage} WHERE partition = ? AND due IS NOT NULL",  # noqa: S608
            (claim.partition,),
        ).fetchone()
        return None if due is None else float(due)

    def read_observations(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Observations with a sequence number above ``after``, in order: the embedded observations topic."""
        return self._db.execute(
            "SELECT seq, body FROM observations WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
        ).fetchall()

    def drop_observations(self, until: int) -> None:
        """Forgets those that the drift stage has committed."""
        self._db.execute("DELETE FROM observations WHERE seq <= ?", (until,))

    def make_durable(self) -> bool:
        """Brings what is committed to the disk, so that no power failure takes it back. False: not all of it, since somebody
        still reads what was before."""
        _, written, moved = self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return bool(written == moved)

    def alerts(self) -> list[bytes]:
        """All alerts as encoded, in order of (time, id)."""
        return [body for _, _, body in self.alerts_in_order()]

    def alerts_in_order(self) -> Iterator[tuple[float, str, bytes]]:
        """All alerts: (time in Unix seconds, id, encoded), in order of time and id."""
        return iter(self._db.execute("SELECT at, id, body FROM outbox ORDER BY at, id"))

    def dead_letters(self) -> list[DeadLetter]:
        """All dead letters, in order of arrival."""
        return read_dead_letters(self._db)

    def account_count(self) -> int:
        """Accounts with a state; products, signals and visitors have one too, but are none. Nor is the tally of sources,
        whose key begins with a control character as no account's does."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM states_accounts WHERE key >= ' ' AND key NOT GLOB 'product:*'"
            " AND key NOT GLOB 'signal:*' AND key NOT GLOB 'visitor:*'"
        ).fetchone()
        return int(count)

    def close(self) -> None:
        self._db.close()

    def together(self) -> AbstractContextManager[None]:
        """See streams/stores/contract.py."""
        return self._transaction()

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)


class _Transaction:
    """BEGIN IMMEDIATE ... COMMIT, or ROLLBACK when an exception passes through; inside another one it is a part of that."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._is_part = self._db.in_transaction
        if not self._is_part:
            self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._is_part:
            return
        if kind is None:
            reach("commit.before_commit")
            self._db.execute("COMMIT")
            reach("commit.after")
        elif self._db.in_transaction:  # a full disk makes SQLite end it by itself
            self._db.execute("ROLLBACK")


def _text(offsets: dict[str, int]) -> str:
    return msgspec.json.encode(offsets, order="sorted").decode()


def _row(write: tuple[bytes, int]) -> int:
    return write[1]
