"""Writes the lists anew after the ICP file has changed, so that their stored order can be relied on again.

The account stage lists an account when it is touched; what a new version of the file means for the accounts that are
not touched, nobody has written down. Until this has run, lists are made by scoring every account (lists.py, rule 1).

Rules:
1. States are read and listings written in the same write transaction, a chunk at a time: the processor can commit in
   between, and neither overwrites the other's newer listing.
2. ``listed_under`` is taken away before the first chunk and written after the last: a crash in between leaves lists
   that nobody relies on.
3. Only listings are written. States, timers, offsets and alerts are the processor's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from detectors.account_state import decode_state, present
from detectors.accounts import NOT_ACCOUNTS
from detectors.compiled_icp import CompiledICP
from detectors.effects import Listing
from detectors.scoring import CompiledVariant
from detectors.triggers import bound
from streams.serving.lists import is_listed
from streams.serving.versions import Versions, scoring_of
from streams.sqlite_transaction import transaction
from streams.stores.sqlite import open_database

PARTITION = 0
CHUNK = 1_000
"""States a transaction: about a tenth of a second, which is what a commit may have to wait."""
PAUSE_S = 0.15
"""Longer than SQLite sleeps between two looks at a lock (0.1 s): who waits for it gets it after one chunk."""


class _Stopped(Exception):
    """Asked to stop between two chunks."""


def relist(path: Path, versions: Versions, now: float, pause: Callable[[float], bool]) -> int | None:
    """Brings the lists of all variants in force at ``now`` (Unix seconds) up to date; how many listings it wrote.

    Blocks; raises StateRefused, sqlite3.Error. Nothing is written if the lists are up to date. ``pause`` waits
    so many seconds between two chunks; if it says True, that is the end, and the answer is None.
    """
    try:
        return _relist(path, versions, now, pause)
    except _Stopped:
        return None


def _relist(path: Path, versions: Versions, now: float, pause: Callable[[float], bool]) -> int:
    icp = versions.in_force(now)
    db = open_database(path)
    db.execute("PRAGMA cache_size=-65536")  # KiB: places are spread over the whole index
    try:
        behind = [variant for variant in icp.variants if not _listed_under(db, variant)]
        written = 0
        if behind:
            names = [(variant.name,) for variant in behind]
            with transaction(db):
                db.executemany("DELETE FROM listed_under WHERE variant = ?", names)
            last = 0
            while True:
                with transaction(db):
                    rows = db.execute(
                        "SELECT row, key, state FROM states_accounts WHERE partition = ? AND row > ?"
                        " ORDER BY row LIMIT ?",
                        (PARTITION, last, CHUNK),
                    ).fetchall()
                    written += _list(db, behind, [(key, raw) for _, key, raw in rows], now)
                if len(rows) < CHUNK:
                    break
                last = rows[-1][0]
                _leave_room(pause)
            with transaction(db):
                db.executemany(
                    "INSERT OR REPLACE INTO listed_under VALUES (?, ?)",
                    [(variant.name, scoring_of(variant)) for variant in behind],
                )
        return written + _refresh_stale(db, icp, versions.stale_before(icp), now, pause)
    finally:
        db.close()


def _refresh_stale(
    db: sqlite3.Connection,
    icp: CompiledICP,
    stale_before: float,
    now: float,
    pause: Callable[[float], bool],
) -> int:
    """Lists those anew that were listed before the version in force: their place is as of now then."""
    if stale_before == float("-inf"):
        return 0
    written = 0
    for variant in icp.variants:
        last = ""
        while True:
            with transaction(db):
                rows = db.execute(
                    "SELECT l.account, s.state FROM listings l CROSS JOIN states_accounts s"
                    " ON s.partition = ? AND s.key = l.account"
                    " WHERE l.variant = ? AND l.account > ? AND l.at < ? ORDER BY l.account LIMIT ?",
                    (PARTITION, variant.name, last, stale_before, CHUNK),
                ).fetchall()
                written += _list(db, [variant], rows, now)
            if len(rows) < CHUNK:
                break
            last = rows[-1][0]
            _leave_room(pause)
    return written


def _leave_room(pause: Callable[[float], bool]) -> None:
    if pause(PAUSE_S):
        raise _Stopped


def _listed_under(db: sqlite3.Connection, variant: CompiledVariant) -> bool:
    row = db.execute("SELECT scoring FROM listed_under WHERE variant = ?", (variant.name,)).fetchone()
    return row is not None and row[0] == scoring_of(variant)


def _list(
    db: sqlite3.Connection,
    variants: Sequence[CompiledVariant],
    states: Sequence[tuple[str, bytes]],
    now: float,
) -> int:
    listings = [listing for account, raw in states for listing in listings_of(variants, account, raw, now)]
    db.executemany(
        "INSERT INTO listings (variant, account, fit, trigger, at, bound, rank) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET fit = excluded.fit, trigger = excluded.trigger, at = excluded.at,"
        " bound = excluded.bound, rank = excluded.rank",
        [
            (x.variant, x.account, x.fit, x.trigger, x.at, x.bound, x.bound + x.at / x.envelope_s)
            for x in listings
        ],
    )
    return len(listings)


def listings_of(
    variants: Sequence[CompiledVariant], account: str, raw: bytes, now: float
) -> Iterator[Listing]:
    """The account's places as of ``now`` (Unix seconds), or its own newest event where that is ahead."""
    if account.startswith(NOT_ACCOUNTS):
        return
    state = decode_state(raw)
    attributes = present(state)
    at = max(now, state.now)
    for variant in variants:
        if not is_listed(variant, state):
            continue
        score = variant.score(state, attributes, at)
        fit = score.fit.score if score.fit.out is None else -1.0
        yield Listing(variant.name, account, fit, score.trigger, at, bound(score.parts), variant.envelope_s)
